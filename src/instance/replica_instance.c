/* SPDX-License-Identifier: BSD-3-Clause */
/* replica_instance: the lines of the stream that tell of the instance: its nodes, its configuration, its archives,
 * what is purged, its end. */
#include "src/instance/replica_impl.h"

#include <errno.h>
#include <string.h>
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/archives.h"
#include "src/instance/journal.h"
#include "src/instance/params.h"
#include "src/instance/record.h"
#include "src/job/jsonutil.h"

/* A full disk here is no reason to leave the instance: hbatch archive extract asks the leader then. */
static int on_archive(struct replica *rp, json_object *o, struct error *err)
{
    (void)err;
    struct error why;
    if (rp->archives && archives_apply(rp->archives, o, &why) < 0)
        log_warning("archive: %s", why.text);
    return 0;
}

static int on_purge(struct replica *rp, json_object *o, struct error *err)
{
    json_object *ranges = jsonutil_get(o, "ranges");
    size_t n = replica_count(ranges);
    for (size_t i = 0; i < n; i++) {
        json_object *range = json_object_array_get_idx(ranges, i);
        struct store_purge_range r = {0};
        if (param_range(range, 1, &r.first, &r.last, err) < 0)
            return error_set(err, EINVAL, "a range of it is not [first, last]");
        r.alike = json_object_array_length(range) > 2;
        store_purge(rp->store, &r);
    }
    if (json_object_get_boolean(jsonutil_get(o, "sweep")))
        store_sweep(rp->store);
    return 0;
}

static void note_node(struct replica *rp, unsigned rank, json_object *o)
{
    struct pool_node at = pool_nth(rp->pool, pool_position(rp->pool, rank));
    const char *reason = at.reason ? at.reason : "";
    double t = replica_seconds(o, "t");
    journal_note(rp->journal, t > 0 ? t : time_now(),
                 &(struct journal_node){
                     .rank = rank,
                     .host = at.host,
                     .up = at.state != POOL_DOWN,
                     .drained = at.state == POOL_DRAINED ? reason : rp->drained[rank],
                     .since = replica_seconds(o, "since"),
                     .reason = jsonutil_string(jsonutil_get(o, "why"))});
}

static int on_node(struct replica *rp, json_object *o, struct error *err)
{
    int64_t state = replica_number(o, "state", -1), rank = replica_number(o, "rank", -1);
    if (state < POOL_UP || state > POOL_DOWN)
        return error_set(err, EINVAL, "no such node state");
    if (pool_set_state(rp->pool, (unsigned)rank, (enum pool_node_state)state,
                       jsonutil_string(jsonutil_get(o, "reason"))) < 0)
        return error_set(err, EINVAL, "there is no rank %lld", (long long)rank);
    const char *drained = jsonutil_string(jsonutil_get(o, "drained"));
    free(rp->drained[rank]);
    rp->drained[rank] = drained ? xstrdup(drained) : NULL;
    record_node(rp->store, (unsigned)rank, json_object_to_json_string(o));
    note_node(rp, (unsigned)rank, o);
    return 0;
}

static int on_gone(struct replica *rp, json_object *o, struct error *err)
{
    int64_t rank = replica_number(o, "rank", -1), size = 0;
    if (pool_remove_node(rp->pool, (unsigned)rank, err) < 0)
        return -1;
    journal_gone(rp->journal, time_now(), (unsigned)rank);
    if (jsonutil_int(jsonutil_get(rp->info, "size"), 2, INT32_MAX, &size))
        json_object_object_add(rp->info, "size", json_object_new_int64(size - 1));
    return 0;
}

static int on_exec(struct replica *rp, json_object *o, struct error *err)
{
    int64_t rank = replica_number(o, "rank", -1);
    if (rank < 0 || rank >= rp->size)
        return error_set(err, EINVAL, "there is no rank %lld", (long long)rank);
    rp->execs[rank].pid = replica_number(o, "pid", 0);
    rp->execs[rank].since = replica_seconds(o, "since");
    record_exec(rp->store, (unsigned)rank, json_object_to_json_string(o));
    return 0;
}

static int on_config(struct replica *rp, json_object *o, struct error *err)
{
    json_object *data = jsonutil_get(o, "data");
    store_attr_set(rp->store, "config",
                   json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN));
    return queues_from_json(rp->queues, data, false, false, err);
}

static int on_account(struct replica *rp, json_object *o, struct error *err)
{
    json_object *data = jsonutil_get(o, "data");
    (void)err;
    store_attr_set(rp->store, "account",
                   json_object_to_json_string_ext(data, JSON_C_TO_STRING_PLAIN));
    accounts_from_json(rp->queues->accounts, data);
    return 0;
}

static int on_shutdown(struct replica *rp, json_object *o, struct error *err)
{
    const char *reason = jsonutil_string(jsonutil_get(o, "reason"));
    (void)err;
    free(rp->shutdown);
    rp->shutdown = xstrdup(reason ? reason : "instance shutdown");
    rp->exit_code = (int)replica_number(o, "status", -1);
    store_attr_set(rp->store, "shutdown", json_object_to_json_string(o));
    return 0;
}

static int on_attrs(struct replica *rp, json_object *o, struct error *err)
{
    json_object *attrs = jsonutil_get(o, "data");
    if (!json_object_is_type(attrs, json_type_object))
        return error_set(err, EINVAL, "it has no attributes");
    json_object_object_add(rp->info, "attrs", json_object_get(attrs));
    store_attr_set(rp->store, "attrs",
                   json_object_to_json_string_ext(attrs, JSON_C_TO_STRING_PLAIN));
    return 0;
}

const struct replica_kind replica_instance_kinds[] = {
    {"node", on_node},     {"gone", on_gone},         {"exec", on_exec},
    {"config", on_config}, {"account", on_account},   {"archive", on_archive},
    {"purge", on_purge},   {"shutdown", on_shutdown}, {"attrs", on_attrs},
    {NULL, NULL},
};
