/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/sub.h"

#include "src/common/util.h"
#include "src/exec/tmpdir.h"
#include "src/job/jsonutil.h"
#include "src/job/share.h"

char *sub_describe(const struct job *job)
{
    const struct node *node = job->x->node;
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "id", json_object_new_int64((int64_t)job->id));
    json_object_object_add(o, "name", json_object_new_string(job->f58));
    json_object_object_add(o, "instance", json_object_new_string(node->instance));
    json_object_object_add(o, "level", json_object_new_int64((int64_t)node->level + 1));
    json_object_object_add(o, "uri", json_object_new_string(node->uri));
    json_object_object_add(o, "node", json_object_new_int64(job->x->rank));
    json_object_object_add(o, "host", json_object_new_string(node->host));
    json_object_object_add(o, "virtual",
                           json_object_get(jsonutil_get(node->init, "virtual")));
    json_object_object_add(o, "bind", json_object_new_boolean(node->bind));
    share_add(o, node->init, job->cores, job->gpus);
    if (job->memory)
        json_object_object_add(o, "memory", json_object_new_int64((int64_t)job->memory));
    json_object_object_add(o, "expiration", json_object_new_double(job->expiration));
    double grace = job->spec->options.kill_timeout;
    json_object_object_add(o, "grace", grace >= 0 ? json_object_new_double(grace) : NULL);
    if (jsonutil_get(job->start, "parent"))
        json_object_object_add(o, "spawned", json_object_new_boolean(true));
    json_object *join = jobspec_attr(job->spec->js, "system.join");
    if (join)
        json_object_object_add(o, "join", json_object_get(join));
    json_object_object_add(o, "tmpdir", json_object_new_string(tmpdir_path(job->tmpdir)));
    return xstrdup(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
}
