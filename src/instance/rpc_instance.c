/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_instance: requests about the instance itself. */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <string.h>
#include "src/common/util.h"
#include "src/instance/change.h"
#include "src/instance/logring.h"
#include "src/instance/params.h"
#include "src/job/jsonutil.h"

static int rpc_info(struct leader *ld, const struct request *rq, json_object *params,
                    struct error *err)
{
    (void)params, (void)err;
    if (ld->config.describe)
        ld->config.describe(ld->config.arg);
    reply_result(ld, rq, json_object_get(ld->config.info));
    return 0;
}

static int rpc_shutdown(struct leader *ld, const struct request *rq, json_object *params,
                        struct error *err)
{
    json_object *reason = jsonutil_get(params, "reason"),
                *now = jsonutil_get(params, "now");
    if (reason && !jsonutil_string(reason))
        return error_set(err, EINVAL, "request: reason must be a text, not %s",
                         jsonutil_show(reason).text);
    json_object *status = jsonutil_get(params, "status");
    int64_t code = -1;
    if (status && !jsonutil_int(status, 0, 255, &code))
        return error_set(err, EINVAL,
                         "request: status must be an exit code from 0 to 255, not %s",
                         jsonutil_show(status).text);
    if (status)
        leader_end_with(ld, (int)code);
    if (json_object_get_boolean(now)) /* also when a shutdown is under way that waits */
        leader_hurry(ld, 0);
    if (json_object_get_boolean(jsonutil_get(params, "cancel")))
        leader_keep_nothing(ld);
    leader_shutdown(ld, reason && *jsonutil_string(reason) ? jsonutil_string(reason)
                                                           : "instance shutdown");
    /* what was promised holds for ranks that are started again, too */
    reply_when_stored(ld, rq, json_object_new_object());
    return 0;
}

static int rpc_restart(struct leader *ld, const struct request *rq, json_object *params,
                       struct error *err)
{
    const char *reason = jsonutil_string(jsonutil_get(params, "reason"));
    if (!ld->config.restart)
        return error_set(err, ENOTSUP,
                         "nobody would start the ranks of this instance again: it was "
                         "not started by hbatch start on several nodes");
    reply_result(ld, rq, json_object_new_object());
    ld->config.restart(ld->config.arg, reason ? reason : "a client asked for it");
    return 0;
}

static int rpc_watch(struct leader *ld, const struct request *rq, json_object *params,
                     struct error *err)
{
    (void)params, (void)err;
    reply_result(ld, rq, json_object_new_object());
    watch_add(ld, rq);
    return 0;
}

static int rpc_log(struct leader *ld, const struct request *rq, json_object *params,
                   struct error *err)
{
    int64_t since;
    if (param_int(params, "since", 0, INT64_MAX, 0, &since, err) < 0)
        return -1;
    reply_result(ld, rq, logring_to_json(ld->config.log, (uint64_t)since));
    if (json_object_get_boolean(jsonutil_get(params, "clear")))
        logring_clear(ld->config.log);
    return 0;
}

enum { ATTR_NAME_MAX = 128, ATTR_VALUE_MAX = 4096, ATTRS_MAX = 1000 };

/* What the instance says of itself by that name cannot be set. */
static int rpc_setattr(struct leader *ld, const struct request *rq, json_object *params,
                       struct error *err)
{
    const char *name = jsonutil_string(jsonutil_get(params, "name")),
               *value = jsonutil_string(jsonutil_get(params, "value"));
    json_object *attrs = jsonutil_get(ld->config.info, "attrs");
    if (!name || !value)
        return error_set(err, EINVAL, "request: name and value must be texts");
    if (!*name || strlen(name) > ATTR_NAME_MAX || name[strcspn(name, " \t\n=")])
        return error_set(err, EINVAL,
                         "'%.40s' is no name of an attribute: that has at most %d "
                         "characters, and no blank or '='",
                         name, ATTR_NAME_MAX);
    if (strlen(value) > ATTR_VALUE_MAX)
        return error_set(err, EINVAL,
                         "the value of attribute %s has %zu bytes, more than %d", name,
                         strlen(value), ATTR_VALUE_MAX);
    if (jsonutil_get(ld->config.info, name))
        return error_set(err, EPERM,
                         "attribute %s is what the instance is: it cannot be set", name);
    if (!jsonutil_get(attrs, name) && json_object_object_length(attrs) >= ATTRS_MAX)
        return error_set(err, ENOSPC, "there are %d attributes already", ATTRS_MAX);
    json_object_object_add(attrs, name, json_object_new_string(value));
    change_attrs(ld);
    reply_when_safe(ld, rq, json_object_new_object());
    return 0;
}

const struct rpc rpc_instance_table[] = {
    {"instance.setattr", rpc_setattr},
    {"instance.log", rpc_log},
    {"instance.info", rpc_info},
    {"instance.shutdown", rpc_shutdown},
    {"instance.restart", rpc_restart},
    {"instance.watch", rpc_watch},
    {NULL, NULL},
};
