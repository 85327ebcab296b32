/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/joblog.h"

#include <string.h>
#include "src/common/util.h"

void joblog_clear(struct joblog *l)
{
    free(l->ids);
    *l = (struct joblog){0};
}

void joblog_add(struct joblog *l, struct job *job, struct store *store, const char *line)
{
    store_event(store, job->sj.id, line);
    if (l->n > 0 && l->ids[l->n - 1] == job->sj.id)
        return;
    if (l->n == l->size) {
        l->size = MAX(2 * l->size, (size_t)64);
        l->ids = xrealloc(l->ids, l->size * sizeof(*l->ids));
    }
    l->ids[l->n++] = job->sj.id;
}

void joblog_flushed(struct joblog *l, struct jobtable *t)
{
    enum { ROOM = 1024 }; /* a burst's need not stay */
    for (size_t i = 0; i < l->n; i++) {
        struct job *job = jobtable_find(t, l->ids[i]);
        if (job)
            job_log_stored(job);
    }
    l->n = 0;
    if (l->size > ROOM)
        joblog_clear(l);
}

char *joblog_get(struct store *store, struct job *job)
{
    if (!job->stored)
        return xstrdup(job_log(job)->s);
    struct strbuf log = {0};
    bool works = !store_is_behind(store);
    cleanup_free char *before = store_log_get(store, job->sj.id, NULL);
    if (!before && works &&
        store_is_behind(store)) /* since now: what it has is to be read */
        before = store_log_get(store, job->sj.id, NULL);
    strbuf_add(&log, before ? before : "");
    if (store_is_behind(store)) /* it knows nothing since its last commit */
        strbuf_addn(&log, job->log.s, job->log.len);
    return strbuf_take(&log);
}

unsigned joblog_count(struct store *store, struct job *job, const char *text)
{
    if (job->log.len == 0 && !job->stored)
        return 0;
    cleanup_free char *log = joblog_get(store, job);
    unsigned n = 0;
    for (const char *at = log; (at = strstr(at, text)); at++)
        n++;
    return n;
}
