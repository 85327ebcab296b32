/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the instances above and below are: hbatch_parent_uri, hbatch_job_uri. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "src/common/jobid.h"
#include "src/common/util.h"
#include "src/lib/client.h"
#include "src/lib/link.h"
#include "src/lib/sshdest.h"
#include "src/lib/stream.h"

static char *fail(struct hbatch_error *out, const struct error *err)
{
    if (out) {
        out->code = err->code;
        memcpy(out->text, err->text, sizeof(out->text));
    }
    return NULL;
}

static const char *get_string(json_object *o, const char *key)
{
    json_object *value;
    return json_object_object_get_ex(o, key, &value) ? json_object_get_string(value)
                                                     : NULL;
}

char *hbatch_parent_uri(struct hbatch *h, struct hbatch_error *err)
{
    struct error e;
    cleanup_json json_object *info = client_call(h, "instance.info", NULL, &e);
    if (!info)
        return fail(err, &e);
    const char *uri = get_string(info, "parent_uri");
    if (uri)
        return link_uri_from(client_uri(h), uri);
    error_set(&e, ENODATA, "this instance is no job of another one");
    return fail(err, &e);
}

/* The entry of job ID in job.list, a new reference; or NULL with err set. */
static json_object *look_up(struct hbatch *h, hbatch_jobid id, struct error *err)
{
    json_object *params = json_object_new_object(), *ids = json_object_new_array(), *jobs;
    json_object_array_add(ids, json_object_new_uint64(id));
    json_object_object_add(params, "ids", ids);
    cleanup_json json_object *list = client_call(h, "job.list", params, err);
    if (!list)
        return NULL;
    char text[JOBID_BUFSIZE];
    if (!json_object_object_get_ex(list, "jobs", &jobs) ||
        json_object_array_length(jobs) == 0)
        return error_null(err, ENOENT, "there is no job %s",
                          jobid_encode(id, JOBID_F58, text, sizeof(text)));
    return json_object_get(json_object_array_get_idx(jobs, 0));
}

struct wait {
    bool over;
};

static void on_event(hbatch_jobid id, double time, const char *name, const char *context,
                     void *arg)
{
    struct wait *w = arg;
    (void)id, (void)time;
    if (strcmp(name, "memo") == 0 && context && strstr(context, "\"uri\""))
        w->over = true;
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    struct wait *w = arg;
    (void)result, (void)left;
    w->over = true;
}

static int wait_for_memo(struct hbatch *h, hbatch_jobid id, struct hbatch_error *err)
{
    struct wait w = {0};
    struct hbatch_stream_ops ops = {.event = on_event, .end = on_end};
    int stream = hbatch_attach(h, id, &ops, &w, err);
    if (stream < 0)
        return -1;
    int rc = 0;
    while (rc >= 0 && !w.over)
        rc = hbatch_dispatch(h, -1, err);
    hbatch_unfollow(h, stream);
    return rc < 0 ? -1 : 0;
}

/* One that is asked by ssh is on another host, and what is in it is reached through it. */
static char *reach(struct hbatch *h, json_object *job, const char *uri)
{
    const char *via = client_uri(h), *ranks = get_string(job, "ranks");
    char *end;
    unsigned long first = ranks ? strtoul(ranks, &end, 10) : 0;
    if (strncmp(via, SSHDEST_SCHEME, strlen(SSHDEST_SCHEME)) != 0 ||
        strncmp(uri, "local://", 8) != 0 || !ranks || end == ranks)
        return xstrdup(uri);
    return xasprintf("%s%c%lu:%s", via, LINK_HOP, first, uri + 8);
}

char *hbatch_job_uri(struct hbatch *h, hbatch_jobid id, int wait,
                     struct hbatch_error *err)
{
    struct error e;
    for (;;) {
        cleanup_json json_object *job = look_up(h, id, &e);
        if (!job)
            return fail(err, &e);
        const char *uri = get_string(job, "uri"), *state = get_string(job, "state");
        bool ended = state && strcmp(state, "INACTIVE") == 0;
        char text[JOBID_BUFSIZE];
        jobid_encode(id, JOBID_F58, text, sizeof(text));
        if (uri && !ended)
            return reach(h, job, uri);
        if (ended) {
            error_set(&e, ENODATA,
                      uri ? "the instance that job %s was has ended"
                          : "job %s is over, and was no instance",
                      text);
            return fail(err, &e);
        }
        if (!wait) {
            error_set(&e, EAGAIN, "job %s is no instance, or not ready yet", text);
            return fail(err, &e);
        }
        if (wait_for_memo(h, id, err) < 0)
            return NULL;
    }
}
