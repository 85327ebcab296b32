/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "src/common/base64.h"
#include "src/common/jobid.h"
#include "src/common/util.h"
#include "src/lib/client.h"
#include "src/lib/input.h"
#include "src/lib/progress.h"
#include "src/lib/stream.h"

/* Acknowledged at the latest every so many bytes: a quarter of the instance's credit. */
#define ACK_EVERY (256 << 10)

struct stream {
    struct hbatch *h;
    struct hbatch_stream_ops ops;
    void *arg;
    int number;
    struct progress *told;
    const char *follow;       /* of a job.submit that has no reply yet: what it becomes */
    bool holds;               /* the job was submitted with the flag tied */
    uint64_t first;           /* job */
    uint64_t left;            /* jobs that have not ended */
    uint64_t untold;          /* jobs whose end the callback has not been told */
    uint64_t consumed, acked; /* bytes of output */
    client_reply_f replied;   /* who waits for the reply; NULL after it */
    void *replied_arg;
};

static json_object *get(json_object *o, const char *key)
{
    json_object *value = NULL;
    json_object_object_get_ex(o, key, &value);
    return value;
}

static int get_int(json_object *o, const char *key, int absent)
{
    json_object *value = get(o, key);
    return value ? json_object_get_int(value) : absent;
}

static void take_exception(struct hbatch_result *result, json_object *e)
{
    if (!json_object_is_type(e, json_type_object))
        return;
    result->exception_type = json_object_get_string(get(e, "type"));
    result->exception_severity = get_int(e, "severity", 0);
    result->exception_note = json_object_get_string(get(e, "note"));
}

void stream_result(json_object *o, struct hbatch_result *result)
{
    *result = (struct hbatch_result){
        .id = json_object_get_uint64(get(o, "id")),
        .result = json_object_get_string(get(o, "result")),
        .status = get_int(o, "status", -1),
        .exit_code = get_int(o, "exit", 1),
    };
    if (!result->result)
        result->result = "";
    take_exception(result, get(o, "exception"));
}

static void take_output(struct stream *s, hbatch_jobid id, json_object *io)
{
    json_object *data = get(io, "data"), *encoding = get(io, "encoding");
    const char *text = data ? json_object_get_string(data) : "";
    size_t len = data ? (size_t)json_object_get_string_len(data) : 0;
    cleanup_free void *decoded = NULL;
    if (encoding && strcmp(json_object_get_string(encoding), "base64") == 0) {
        decoded = base64_decode(text, len, &len, NULL);
        text = decoded;
        if (!decoded)
            len = 0;
    }
    const char *name = json_object_get_string(get(io, "stream"));
    const char *rank = json_object_get_string(get(io, "rank"));
    int eof = json_object_get_boolean(get(io, "eof"));
    s->consumed += len;
    if (name && rank) {
        unsigned task = (unsigned)strtoul(rank, NULL, 10);
        size_t old = progress_output(s->told, id, name, task, len);
        eof = eof && progress_eof(s->told, id, name, task);
        if (s->ops.output && (len > old || eof))
            s->ops.output(id, name, task, text + old, len - old, eof, s->arg);
    }
    if (s->consumed - s->acked < ACK_EVERY)
        return;
    s->acked = s->consumed;
    json_object *ack = json_object_new_object();
    json_object_object_add(ack, "sub", json_object_new_int(s->number));
    json_object_object_add(ack, "bytes", json_object_new_int64((int64_t)s->consumed));
    client_notify(s->h, "job.ack", ack);
}

static void take_event(struct stream *s, hbatch_jobid id, json_object *event)
{
    json_object *context = get(event, "context");
    const char *name = json_object_get_string(get(event, "name"));
    if (!name || !progress_event(s->told, id, name) || !s->ops.event)
        return;
    s->ops.event(
        id, json_object_get_double(get(event, "timestamp")), name,
        context ? json_object_to_json_string_ext(
                      context, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                : NULL,
        s->arg);
}

/* The jobs whose end nobody told. WHY may be NULL. */
static void end_untold(struct stream *s, const char *why)
{
    while (s->untold > 0) {
        struct hbatch_result unknown = {.id = s->first,
                                        .result = "",
                                        .status = -1,
                                        .exit_code = 1,
                                        .exception_note = why};
        s->untold--;
        if (s->ops.end)
            s->ops.end(&unknown, s->untold, s->arg);
    }
}

/* Wait status to what a shell would report. */
static int exit_code(int status)
{
    if ((status & 0x7f) == 0)
        return (status >> 8) & 0xff;
    return 128 + (status & 0x7f);
}

#define MOST 16777216 /* jobs of an array; who tells of more tells nonsense */

/* How many jobs, whose ids follow each other, an entry of job.ends is of. */
static uint64_t end_number(json_object *e)
{
    if (!json_object_is_type(e, json_type_array) || json_object_array_length(e) < 3)
        return 0;
    json_object *o = json_object_array_get_idx(e, 4);
    uint64_t n = o ? json_object_get_uint64(o) : 1;
    return n <= MOST ? n : 0;
}

static uint64_t end_id(json_object *e, uint64_t i)
{
    return jobid_nth(json_object_get_uint64(json_object_array_get_idx(e, 0)), i);
}

/* An entry of job.ends; FRESH: jobs whose end is still to be told, LEFT: those of other messages. */
static void take_end(struct stream *s, json_object *e, uint64_t *fresh, uint64_t left)
{
    const char *name = json_object_get_string(json_object_array_get_idx(e, 2));
    struct hbatch_result result = {
        .status = json_object_get_int(json_object_array_get_idx(e, 1)),
        .result = name ? name : "",
    };
    bool ok = strcmp(result.result, "COMPLETED") == 0;
    result.exit_code = result.status >= 0 ? exit_code(result.status) : !ok;
    if (result.exit_code == 0 && !ok)
        result.exit_code = 1;
    take_exception(&result, json_object_array_get_idx(e, 3));
    for (uint64_t i = 0; i < end_number(e); i++) {
        result.id = end_id(e, i);
        if (progress_ended(s->told, result.id))
            continue;
        s->untold -= s->untold > 0;
        progress_end(s->told, result.id);
        *fresh -= *fresh > 0;
        if (s->ops.end)
            s->ops.end(&result, left + *fresh, s->arg);
    }
}

static void take_ends(struct stream *s, json_object *params)
{
    json_object *ends = get(params, "ends");
    bool is_list = json_object_is_type(ends, json_type_array);
    size_t n = is_list ? json_object_array_length(ends) : 0;
    uint64_t left = json_object_get_uint64(get(params, "left")), fresh = 0;
    s->left = left;
    for (size_t i = 0; i < n; i++) {
        json_object *e = json_object_array_get_idx(ends, i);
        for (uint64_t k = 0; k < end_number(e); k++)
            fresh += !progress_ended(s->told, end_id(e, k));
    }
    for (size_t i = 0; i < n; i++)
        take_end(s, json_object_array_get_idx(ends, i), &fresh, left);
    if (left > 0)
        return;
    end_untold(s, NULL);
    client_forget(s->h, s->number);
}

static void take_note(const char *method, json_object *params, void *arg)
{
    struct stream *s = arg;
    hbatch_jobid id = json_object_get_uint64(get(params, "id"));
    if (strcmp(method, "job.output") == 0) {
        json_object *io = get(params, "io");
        if (io)
            take_output(s, id, io);
    } else if (strcmp(method, "job.event") == 0) {
        json_object *event = get(params, "event");
        if (event)
            take_event(s, id, event);
    } else if (strcmp(method, "job.stdinack") == 0) {
        uint64_t bytes = json_object_get_uint64(get(params, "bytes"));
        inputs_taken(client_inputs(s->h), id, bytes);
        if (s->ops.input)
            s->ops.input(id, bytes, s->arg);
    } else if (strcmp(method, "job.ends") == 0) {
        take_ends(s, params);
    } else if (strcmp(method, "job.end") == 0) {
        struct hbatch_result result;
        if (!progress_end(s->told, id))
            return;
        inputs_over(client_inputs(s->h), id);
        stream_result(params, &result);
        if (s->left)
            s->left--;
        s->untold = s->left;
        if (s->ops.end)
            s->ops.end(&result, s->left, s->arg);
        if (s->left == 0)
            client_forget(s->h, s->number);
    }
}

/* Among the flags of a submission. */
static bool is_tied(json_object *flags)
{
    size_t n =
        json_object_is_type(flags, json_type_array) ? json_object_array_length(flags) : 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(flags, i)), "tied") ==
            0)
            return true;
    return false;
}

/* A stream of the same request begins now. */
static void begin_again(void *arg)
{
    struct stream *s = arg;
    s->consumed = s->acked = 0;
    progress_restart(s->told);
}

/* The jobs are there: from now on, no connection has to submit them. */
static void reopen_submitted(struct stream *s)
{
    bool attach = strcmp(s->follow, "attach") == 0;
    json_object *params = json_object_new_object();
    json_object_object_add(params, attach ? "id" : "first",
                           json_object_new_uint64(s->first));
    json_object_object_add(params, "count", json_object_new_uint64(s->left));
    if (s->holds)
        json_object_object_add(params, "hold", json_object_new_boolean(true));
    client_reopen(s->h, s->number, attach ? "job.attach" : "job.follow", params,
                  begin_again);
}

static void take_reply(json_object *result, const struct error *err, void *arg)
{
    struct stream *s = arg;
    client_reply_f replied = take(s->replied);
    if (!replied) { /* it could not be opened anew */
        end_untold(s, err->text);
        return;
    }
    json_object *count = get(result, "count");
    if (count)
        s->left = s->untold = json_object_get_uint64(count);
    if (!err && s->follow) {
        s->first = json_object_get_uint64(get(result, "id"));
        progress_block(s->told, s->first, s->left);
        reopen_submitted(s);
    }
    replied(result, err, s->replied_arg);
}

static void stream_free(void *arg)
{
    struct stream *s = arg;
    progress_destroy(s->told);
    free(s);
}

int stream_begin(struct hbatch *h, const char *method, json_object *params,
                 const struct hbatch_stream_ops *ops, void *arg, client_reply_f reply,
                 void *reply_arg)
{
    struct stream *s = xcalloc(1, sizeof(*s));
    s->h = h;
    s->ops = *ops;
    s->arg = arg;
    s->told = progress_create();
    json_object *count = get(params, "count"), *first = get(params, "first"), *o;
    s->left = s->untold = count ? json_object_get_uint64(count) : 1;
    s->first = json_object_get_uint64(first ? first : get(params, "id"));
    if (!json_object_object_get_ex(params, "follow", &o))
        progress_block(s->told, s->first, s->left);
    else
        s->follow =
            strcmp(json_object_get_string(o), "attach") == 0 ? "attach" : "status";
    s->holds = is_tied(get(params, "flags"));
    s->replied = reply;
    s->replied_arg = reply_arg;
    s->number = client_send(h, method, params, take_reply, take_note, s);
    client_own(h, s->number, stream_free);
    client_reopen(h, s->number, NULL, NULL, begin_again);
    return s->number;
}

/* Lives on the stack of stream_open: the stream may end, and be freed, in the very turn that
 * its reply comes in. */
struct opening {
    bool done;
    json_object *reply;
    hbatch_jobid *id;
    struct error err;
};

static void opened(json_object *result, const struct error *err, void *arg)
{
    struct opening *o = arg;
    o->done = true;
    if (err) {
        o->err = *err;
        return;
    }
    o->reply = result ? json_object_get(result) : json_object_new_object();
    if (o->id)
        *o->id = json_object_get_uint64(get(result, "id"));
}

json_object *stream_open(struct hbatch *h, const char *method, json_object *params,
                         const struct hbatch_stream_ops *ops, void *arg, int *number,
                         hbatch_jobid *id, struct error *err)
{
    struct opening opening = {.id = id};
    int n = stream_begin(h, method, params, ops, arg, opened, &opening);
    if (number)
        *number = n;
    while (!opening.done) {
        if (client_process(h, -1, err) < 0) {
            if (opening.done)
                break;
            client_forget(h, n);
            return NULL;
        }
    }
    if (!opening.reply && err)
        *err = opening.err;
    return opening.reply;
}
