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

/* --- transfers under way: what was sent of one is dropped when its client goes --------------------- */

struct transfer {
    struct transfer *next;
    const struct client *client; /* NULL: lost with its rank, and may return */
    char *key;
};

static struct transfer **find(struct leader *ld, const char *key)
{
    struct transfer **at = &ld->transfers;
    while (*at && strcmp((*at)->key, key) != 0)
        at = &(*at)->next;
    return at;
}

static void remember(struct leader *ld, const struct client *c, const char *key)
{
    struct transfer **at = find(ld, key);
    if (!*at) {
        *at = xcalloc(1, sizeof(**at));
        (*at)->key = xstrdup(key);
    }
    (*at)->client = c;
}

static void forget(struct transfer **at)
{
    struct transfer *t = *at;
    *at = t->next;
    free(t->key);
    free(t);
}

/* On all ranks. */
static void drop(struct leader *ld, const char *key)
{
    struct error ignored;
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "c", json_object_new_string("archive"));
    json_object_object_add(o, "op", json_object_new_string("end"));
    json_object_object_add(o, "key", json_object_new_string(key));
    archives_apply(ld->config.archives, o, &ignored);
    change_archive(ld, o);
}

void archive_client_gone(struct leader *ld, const struct client *c, bool may_return)
{
    for (struct transfer **at = &ld->transfers; *at;) {
        if (c && (*at)->client != c) {
            at = &(*at)->next;
        } else if (c && may_return) {
            (*at)->client = NULL;
            at = &(*at)->next;
        } else {
            if (c)
                drop(ld, (*at)->key);
            forget(at);
        }
    }
}

/* --- requests -------------------------------------------------------------------------------------- */

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
    int rc = change(ld, rq, "put", params, err);
    if (rc == 0)
        remember(ld, rq->client, jsonutil_string(jsonutil_get(params, "key")));
    return rc;
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
    const char *key = jsonutil_string(jsonutil_get(params, "key"));
    int rc = change(ld, rq, "end", params, err);
    struct transfer **at = rc == 0 && key ? find(ld, key) : NULL;
    if (at && *at)
        forget(at);
    return rc;
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
