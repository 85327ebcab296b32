/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/mpi/asker.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/lib/hbatch.h"

struct asker {
    hbatch_jobid id;
};

static const char *string_of(json_object *o, const char *key)
{
    json_object *value;
    return json_object_object_get_ex(o, key, &value) ? json_object_get_string(value)
                                                     : NULL;
}

struct asker *asker_create(const char *info)
{
    struct asker *a = NULL;
    hbatch_jobid id;
    json_object *o = json_tokener_parse(info);
    const char *job = string_of(o, "jobid");
    if (getenv("HBATCH_URI") && job && hbatch_jobid_decode(job, &id, NULL) == 0 &&
        (a = calloc(1, sizeof(*a))))
        a->id = id;
    json_object_put(o);
    return a;
}

void asker_destroy(struct asker *a)
{
    free(a);
}

/* The result of job ID in REPLY to job.list; false: it is active, or not known. */
static bool read_result(const char *reply, char *why, size_t size)
{
    json_object *o = json_tokener_parse(reply), *jobs = NULL, *job, *e;
    bool over = false;
    json_object_object_get_ex(o, "jobs", &jobs);
    if (json_object_is_type(jobs, json_type_array) &&
        json_object_array_length(jobs) == 1) {
        job = json_object_array_get_idx(jobs, 0);
        const char *state = string_of(job, "state"), *result = string_of(job, "result");
        const char *note =
            json_object_object_get_ex(job, "exception", &e) ? string_of(e, "note") : NULL;
        over = state && strcmp(state, "INACTIVE") == 0;
        if (over)
            snprintf(why, size, "the instance's job has ended: %s%s%s",
                     result ? result : "it is not known how", note && *note ? ": " : "",
                     note ? note : "");
    }
    json_object_put(o);
    return over;
}

bool asker_is_over(struct asker *a, char *why, size_t size)
{
    char query[64];
    struct hbatch *h = hbatch_open(NULL, NULL);
    if (!h)
        return false;
    snprintf(query, sizeof(query), "{\"ids\":[%llu]}", (unsigned long long)a->id);
    char *reply = hbatch_list(h, query, NULL);
    bool over = reply && read_result(reply, why, size);
    free(reply);
    hbatch_close(h);
    return over;
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    bool *over = arg;
    (void)result, (void)left;
    *over = true;
}

bool asker_await(struct asker *a, double seconds, void (*turn)(void))
{
    enum { TURN_MS = 5 };
    static const struct hbatch_stream_ops ops = {.end = on_end};
    bool over = false;
    struct hbatch *h = hbatch_open(NULL, NULL);
    /* Nobody there, or no such job: then there is nothing to wait for. */
    if (!h || hbatch_follow(h, a->id, 1, &ops, &over, NULL) < 0) {
        hbatch_close(h);
        return true;
    }
    for (double left = seconds * 1000; !over && left > 0; left -= TURN_MS) {
        if (hbatch_dispatch(h, TURN_MS, NULL) < 0)
            over = true;
        turn();
    }
    hbatch_close(h);
    return over;
}
