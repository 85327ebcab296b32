/* SPDX-License-Identifier: BSD-3-Clause */
/* replica_answer: what any rank answers by itself. */
#include "src/instance/replica_impl.h"

#include <string.h>
#include "src/common/util.h"
#include "src/instance/joblist.h"
#include "src/instance/jobview.h"
#include "src/job/jsonutil.h"

static json_object *answer_list(struct replica *rp, json_object *params,
                                struct error *err)
{
    struct joblist l;
    json_object *result = NULL;
    if (rp->nahead > 0) /* it asks the executors first (news.h) */
        return NULL;
    if (joblist_init(&l, params, err) == 0 && !joblist_wants_history(&l)) {
        joblist_add_active(&l, rp->jobs, rp->info, rp->queues, NULL);
        result = joblist_result(&l);
    }
    joblist_clear(&l);
    return result; /* mistakes, too, are the leader's to answer */
}

static json_object *answer_nodes(struct replica *rp, json_object *params,
                                 struct error *err)
{
    (void)params, (void)err;
    return jobview_nodes(rp->pool, rp->journal);
}

static const struct {
    const char *method;
    json_object *(*answer)(struct replica *rp, json_object *params, struct error *err);
} answers[] = {{"job.list", answer_list}, {"resource.list", answer_nodes}};

bool replica_may_answer(const char *line, size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        if (memmem(line, MIN(len, 100u), answers[i].method, strlen(answers[i].method)))
            return true;
    return false;
}

json_object *replica_answer(struct replica *rp, const char *line, size_t len)
{
    struct error err;
    int64_t id;
    cleanup_json json_object *o = jsonutil_decode(line, len, &err);
    const char *method = jsonutil_string(jsonutil_get(o, "method"));
    if (!method || !jsonutil_int(jsonutil_get(o, "id"), 0, INT64_MAX, &id))
        return NULL;
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        if (strcmp(answers[i].method, method) != 0)
            continue;
        json_object *result = answers[i].answer(rp, jsonutil_get(o, "params"), &err);
        if (!result)
            return NULL;
        json_object *reply = json_object_new_object();
        json_object_object_add(reply, "jsonrpc", json_object_new_string("2.0"));
        json_object_object_add(reply, "id", json_object_new_int64(id));
        json_object_object_add(reply, "result", result);
        return reply;
    }
    return NULL;
}
