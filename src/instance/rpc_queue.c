/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_queue: requests about queues and the configuration. */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <string.h>
#include "src/common/util.h"
#include "src/job/conf.h"
#include "src/job/jsonutil.h"

static int rpc_queue_list(struct leader *ld, const struct request *rq,
                          json_object *params, struct error *err)
{
    (void)params, (void)err;
    reply_result(ld, rq, queues_describe(ld->queues, ld->pool));
    return 0;
}

/* The queue that params.queue names, NULL: all of them are meant. */
static int get_queue(struct leader *ld, json_object *params, struct queue_state **s,
                     struct error *err)
{
    json_object *o = jsonutil_get(params, "queue");
    const char *name = jsonutil_string(o);
    *s = NULL;
    if (!o)
        return 0;
    if (name && ld->queues->config->nqueues > 0 && (*s = queues_find(ld->queues, name)))
        return 0;
    if (ld->queues->config->nqueues == 0)
        return error_set(
            err, ENOENT,
            "there is no queue %s: this instance has one queue, which has no "
            "name",
            jsonutil_show(o).text);
    return error_set(err, ENOENT, "there is no queue %s; hbatch queue list shows them",
                     jsonutil_show(o).text);
}

static void set(bool *flag, char **why, bool value, const char *reason)
{
    *flag = value;
    free(*why);
    *why = value && reason && *reason ? xstrdup(reason) : NULL;
}

static int rpc_queue_set(struct leader *ld, const struct request *rq, json_object *params,
                         struct error *err)
{
    struct queue_state *only;
    json_object *enable = jsonutil_get(params, "enable"),
                *start = jsonutil_get(params, "start"),
                *lasting = jsonutil_get(params, "checkpoint");
    const char *reason = jsonutil_string(jsonutil_get(params, "reason"));
    if (get_queue(ld, params, &only, err) < 0)
        return -1;
    if ((enable && !json_object_is_type(enable, json_type_boolean)) ||
        (start && !json_object_is_type(start, json_type_boolean)) || (!enable && !start))
        return error_set(err, EINVAL,
                         "request: queue.set needs enable or start, true or false");
    if (!only && ld->queues->config->nqueues > 1 &&
        !json_object_get_boolean(jsonutil_get(params, "all")))
        return error_set(err, EINVAL,
                         "which queue? There are %zu: name one, or give --all",
                         ld->queues->config->nqueues);
    for (size_t i = 0; i < ld->queues->n; i++) {
        struct queue_state *s = &ld->queues->v[i];
        if (only && s != only)
            continue;
        if (enable)
            set(&s->disabled, &s->why_disabled, !json_object_get_boolean(enable), reason);
        if (start)
            set(&s->stopped, &s->why_stopped, !json_object_get_boolean(start), reason);
        s->fleeting = lasting && !json_object_get_boolean(lasting);
    }
    queues_set(ld);
    json_object *result = queues_describe(ld->queues, ld->pool);
    reply_when_stored(ld, rq, result);
    return 0;
}

static int rpc_queue_wait(struct leader *ld, const struct request *rq,
                          json_object *params, struct error *err)
{
    struct queue_state *s;
    const char *until = jsonutil_string(jsonutil_get(params, "until"));
    bool idle = until && strcmp(until, "idle") == 0;
    if (get_queue(ld, params, &s, err) < 0)
        return -1;
    if (!idle && (!until || strcmp(until, "empty") != 0))
        return error_set(err, EINVAL, "request: until must be empty or idle, not %s",
                         jsonutil_show(jsonutil_get(params, "until")).text);
    if (s && queues_parent(ld->queues, s) != s)
        return error_set(err, EINVAL,
                         "queue %s has no resources of its own: wait for its parent, %s",
                         s->name, queues_parent(ld->queues, s)->name);
    queues_wait(ld, rq, s ? s->name : NULL, idle);
    return 0;
}

/* --- the configuration ------------------------------------------------------------------------ */

static int rpc_config_get(struct leader *ld, const struct request *rq,
                          json_object *params, struct error *err)
{
    (void)params, (void)err;
    json_object *o = json_object_new_object();
    json_object_object_add(o, "config", json_object_get(ld->queues->config->json));
    if (ld->queues->path)
        json_object_object_add(o, "path", json_object_new_string(ld->queues->path));
    reply_result(ld, rq, o);
    return 0;
}

static int load(struct leader *ld, const struct request *rq, const char *text,
                const char *path, struct error *err)
{
    struct config *c = config_decode(text, err);
    if (!c)
        return -1;
    queues_configure(ld->queues, c, path);
    queues_configured(ld);
    reply_when_stored(ld, rq, json_object_new_object());
    return 0;
}

static int rpc_config_load(struct leader *ld, const struct request *rq,
                           json_object *params, struct error *err)
{
    const char *text = jsonutil_string(jsonutil_get(params, "text")),
               *path = jsonutil_string(jsonutil_get(params, "path"));
    if (!text)
        return error_set(err, EINVAL, "request: the parameter 'text' is missing");
    return load(ld, rq, text, path ? path : ld->queues->path, err);
}

static int rpc_config_reload(struct leader *ld, const struct request *rq,
                             json_object *params, struct error *err)
{
    (void)params;
    if (!ld->queues->path)
        return error_set(err, ENOENT,
                         "the configuration is from no file: give one with hbatch config "
                         "load FILE");
    cleanup_free char *text = conf_read(ld->queues->path, err);
    if (!text)
        return -1;
    return load(ld, rq, text, ld->queues->path, err) < 0
               ? error_prefix(err, "%s", ld->queues->path)
               : 0;
}

const struct rpc rpc_queue_table[] = {
    {"queue.list", rpc_queue_list},
    {"queue.set", rpc_queue_set},
    {"queue.wait", rpc_queue_wait},
    {"config.get", rpc_config_get},
    {"config.load", rpc_config_load},
    {"config.reload", rpc_config_reload},
    {NULL, NULL},
};
