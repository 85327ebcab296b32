/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_archive: requests about files that all ranks have. */
#include "src/instance/archives.h"
#include "src/instance/change.h"
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <string.h>
#include "src/common/base64.h"
#include "src/common/util.h"
#include "src/instance/params.h"
#include "src/job/jsonutil.h"

enum { PIECE = 1 << 19 };

static struct archives *archives(const struct leader *ld, struct error *err)
{
    if (!ld->config.archives)
        error_set(err, ENOTSUP, "this instance has no archives");
    return ld->config.archives;
}

/* Here, and then in the same words on all other ranks; the answer waits for the second rank. */
static int change(struct leader *ld, const struct request *rq, const char *op,
                  json_object *params, struct error *err)
{
    struct archives *a = archives(ld, err);
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "c", json_object_new_string("archive"));
    json_object_object_add(o, "op", json_object_new_string(op));
    if (json_object_is_type(params, json_type_object)) {
        json_object_object_foreach(params, key, value)
        {
            if (strcmp(key, "c") != 0 && strcmp(key, "op") != 0)
                json_object_object_add(o, key, json_object_get(value));
        }
    }
    if (!a || archives_apply(a, o, err) < 0)
        return a ? error_prefix(err, "archive.%s", op) : -1;
    change_archive(ld, o);
    reply_when_safe(ld, rq, json_object_new_object());
    return 0;
}

static int rpc_put(struct leader *ld, const struct request *rq, json_object *params,
                   struct error *err)
{
    return change(ld, rq, "put", params, err);
}

static int rpc_end(struct leader *ld, const struct request *rq, json_object *params,
                   struct error *err)
{
    struct archives *a = archives(ld, err);
    const char *name = jsonutil_string(jsonutil_get(params, "name"));
    bool append = json_object_get_boolean(jsonutil_get(params, "append")),
         overwrite = json_object_get_boolean(jsonutil_get(params, "overwrite"));
    if (!a)
        return -1;
    if (name && !append && !overwrite && archives_size(a, name, err) >= 0)
        return error_set(err, EEXIST, "there is an archive '%s' already", name);
    return change(ld, rq, "end", params, err);
}

static int rpc_remove(struct leader *ld, const struct request *rq, json_object *params,
                      struct error *err)
{
    return change(ld, rq, "remove", params, err);
}

static int rpc_list(struct leader *ld, const struct request *rq, json_object *params,
                    struct error *err)
{
    struct archives *a = archives(ld, err);
    (void)params;
    if (!a)
        return -1;
    json_object *result = json_object_new_object();
    json_object_object_add(result, "archives", archives_list(a));
    reply_result(ld, rq, result);
    return 0;
}

static int rpc_read(struct leader *ld, const struct request *rq, json_object *params,
                    struct error *err)
{
    static char buf[PIECE];
    int64_t at;
    struct archives *a = archives(ld, err);
    const char *name = jsonutil_string(jsonutil_get(params, "name"));
    if (!a || param_int(params, "at", 0, INT64_MAX, 0, &at, err) < 0)
        return -1;
    if (!name)
        return error_set(err, EINVAL, "request: the parameter 'name' is missing");
    int64_t n = archives_read(a, name, (uint64_t)at, buf, sizeof(buf), err);
    if (n < 0)
        return -1;
    cleanup_free char *data = base64_encode(buf, (size_t)n);
    json_object *result = json_object_new_object();
    json_object_object_add(result, "data", json_object_new_string(data));
    reply_result(ld, rq, result);
    return 0;
}

const struct rpc rpc_archive_table[] = {
    {"archive.put", rpc_put},       {"archive.end", rpc_end},
    {"archive.remove", rpc_remove}, {"archive.list", rpc_list},
    {"archive.read", rpc_read},     {NULL, NULL},
};
