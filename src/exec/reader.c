/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/reader.h"

#include <string.h>
#include "src/common/base64.h"
#include "src/common/log.h"
#include "src/common/strbuf.h"
#include "src/common/utf8.h"
#include "src/common/util.h"
#include "src/exec/exec.h"
#include "src/exec/job.h"

struct reader {
    struct reader *next;
    uint64_t id;
    int64_t sub;
    struct job *job; /* NULL: it has ended */
    uint64_t at;     /* the record to send next; 0: none is known yet */
    bool now;        /* it ends with the record at last */
    uint64_t last;
    uint64_t sent, acked;
    struct spool *former; /* it is read from this one, not the executor's own; NULL */
};

static void send_record(struct exec *x, const struct reader *r,
                        const struct spool_record *rec, const char *data)
{
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b,
                "{\"m\":\"out\",\"id\":%llu,\"sub\":%lld,\"io\":{\"stream\":\"%s\","
                "\"rank\":\"%u\",\"data\":",
                (unsigned long long)r->id, (long long)r->sub,
                rec->stream == 2 ? "stderr" : "stdout", rec->task);
    /* a zero byte is valid UTF-8, but takes six as "\\u0000" */
    if (!memchr(data, '\0', rec->len) && utf8_valid(data, rec->len)) {
        conn_quote(&b, data, rec->len);
        strbuf_add(&b, "}}");
    } else {
        cleanup_free char *text = base64_encode(data, rec->len);
        strbuf_addf(&b, "\"%s\",\"encoding\":\"base64\"}}", text);
    }
    conn_tell(x->conn, b.s, b.len);
}

static void send_end(struct exec *x, const struct reader *r)
{
    char text[96];
    int n = snprintf(text, sizeof(text), "{\"m\":\"outend\",\"id\":%llu,\"sub\":%lld}",
                     (unsigned long long)r->id, (long long)r->sub);
    conn_tell(x->conn, text, (size_t)n);
}

static void unlink_reader(struct exec *x, struct reader *r)
{
    struct reader **p = &x->readers;
    while (*p != r)
        p = &(*p)->next;
    *p = r->next;
    if (r->job)
        job_count_reader(r->job, -1);
    spool_close(r->former);
    free(r);
}

/* Send what credit allows; at the end of what is to be read the reader is done and gone. */
static void pump(struct exec *x, struct reader *r)
{
    struct spool_record rec;
    struct error err;
    if (x->drop_readers) /* in this turn another rank may have come, who knows nothing of it */
        return;
    while (r->at && r->sent - r->acked < READER_CREDIT) {
        const char *data =
            spool_read(r->former ? r->former : x->spool, r->id, r->at, &rec, &err);
        if (!data) { /* who reads it knows how much there was */
            bool shed = !r->former && spool_was_shed(x->spool, r->at);
            (shed ? log_debug : log_error)("output of job %llu: %s",
                                           (unsigned long long)r->id, err.text);
            r->at = 0;
            break;
        }
        send_record(x, r, &rec, data);
        r->sent += rec.len;
        r->at = r->now && r->at == r->last ? 0 : rec.next;
    }
    if (!r->at && (!r->job || r->now)) {
        send_end(x, r);
        unlink_reader(x, r);
    }
}

void reader_create(struct exec *x, uint64_t id, int64_t sub, struct job *job,
                   uint64_t first, bool now, const char *former)
{
    struct error err;
    reader_close(x, id, sub);
    struct reader *r = xcalloc(1, sizeof(*r));
    r->id = id;
    r->sub = sub;
    r->job = job;
    r->at = first;
    r->now = now && job;
    r->last = job ? job->spool.last : 0;
    if (former && strcmp(former, spool_path(x->spool)) != 0 &&
        !(r->former = spool_open_former(former, &err))) {
        log_error("output of job %llu: %s", (unsigned long long)id, err.text);
        r->at = 0;
    }
    r->next = x->readers;
    x->readers = r;
    if (job)
        job_count_reader(job, 1);
    pump(x, r);
}

static struct reader *find(const struct exec *x, uint64_t id, int64_t sub)
{
    struct reader *r = x->readers;
    while (r && (r->sub != sub || (id && r->id != id)))
        r = r->next;
    return r;
}

bool reader_reads(const struct exec *x, uint64_t id)
{
    const struct reader *r = x->readers;
    while (r && r->id != id)
        r = r->next;
    return r != NULL;
}

void reader_ack(struct exec *x, uint64_t id, int64_t sub, uint64_t total)
{
    struct reader *r = find(x, id, sub);
    if (!r || total <= r->acked)
        return;
    r->acked = MIN(total, r->sent);
    pump(x, r);
}

void reader_close(struct exec *x, uint64_t id, int64_t sub)
{
    struct reader *r = find(x, id, sub);
    if (r)
        unlink_reader(x, r);
}

void reader_close_all(struct exec *x)
{
    while (x->readers)
        unlink_reader(x, x->readers);
}

void reader_record(struct exec *x, struct job *job, uint64_t pos)
{
    for (struct reader *r = x->readers, *next; r; r = next) {
        next = r->next;
        if (r->job != job || r->now)
            continue;
        if (!r->at)
            r->at = pos;
        pump(x, r);
    }
}

void reader_job_ended(struct exec *x, struct job *job)
{
    for (struct reader *r = x->readers, *next; r; r = next) {
        next = r->next;
        if (r->job != job)
            continue;
        job_count_reader(job, -1);
        r->job = NULL;
        pump(x, r);
    }
}
