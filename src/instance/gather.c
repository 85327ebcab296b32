/* SPDX-License-Identifier: BSD-3-Clause */
/* gather: the ranks find each other: at the start of an instance, and when its ranks are started
 * again (--recover): then each finds in the run directory which rank it was, its store, and its
 * executor with what still runs.  The rank with the newest store brings the others up to it. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/path.h"
#include "src/common/util.h"
#include "src/instance/checks.h"
#include "src/instance/former.h"
#include "src/instance/gather_impl.h"
#include "src/instance/instance.h"
#include "src/instance/lead.h"
#include "src/instance/node.h"
#include "src/instance/record.h"
#include "src/instance/replica.h"
#include "src/instance/surroundings.h"
#include "src/job/jsonutil.h"

/* What a task may go on for without its rank, and what its end may take. */
#define FORMER_S (30 + EXEC_END_S)

/* --- who is who ------------------------------------------------------------------------------ */

/* All ranks come to the same verdict, which the leader tells. */
static int agree_not(struct instance *in)
{
    in->agreed = true;
    return -1;
}

static bool same_instance(json_object *a, json_object *b)
{
    const char *x = jsonutil_string(jsonutil_get(a, "instance"));
    const char *y = jsonutil_string(jsonutil_get(b, "instance"));
    return x && y && strcmp(x, y) == 0;
}

static int64_t number(json_object *node, const char *key)
{
    int64_t v;
    return jsonutil_int(jsonutil_get(node, key), 0, INT64_MAX, &v) ? v : -1;
}

/* Whether the store of A is newer than that of B, which may be NULL. */
static bool newer(json_object *a, json_object *b)
{
    if (!b || number(a, "generation") != number(b, "generation"))
        return !b || number(a, "generation") > number(b, "generation");
    return number(a, "epoch") > number(b, "epoch");
}

/* The one with the newest store: its number in MPI, or -1. */
static int find_newest(json_object **nodes, unsigned n)
{
    int best = -1;
    for (unsigned i = 0; i < n; i++)
        if (jsonutil_get(nodes[i], "instance") && number(nodes[i], "was") >= 0 &&
            newer(nodes[i], best < 0 ? NULL : nodes[best]))
            best = (int)i;
    return best;
}

/* Who NODE was in the instance: by what it remembers, or by its name. */
static int find_rank_of(json_object *node, json_object *newest, json_object *all)
{
    size_t n = json_object_array_length(all);
    int64_t was = number(node, "was");
    if (was >= 0 && (size_t)was < n && same_instance(node, newest))
        return (int)was;
    const char *host = jsonutil_string(jsonutil_get(node, "host"));
    for (size_t i = 0; i < n; i++) {
        const char *other =
            jsonutil_string(jsonutil_get(json_object_array_get_idx(all, i), "host"));
        if (host && other && strcmp(host, other) == 0)
            return (int)i;
    }
    return -1;
}

/* The newest store's nodes and description, and where jobs run, to all. */
static json_object *share_past(struct instance *in, unsigned from)
{
    cleanup_free char *text = NULL;
    if (in->world == from) {
        cleanup_free char *info = store_attr_get(in->store, "info", NULL);
        cleanup_free char *nodes = store_attr_get(in->store, "nodes", NULL);
        cleanup_bitmap hwloc_bitmap_t busy = hwloc_bitmap_alloc();
        struct error err;
        if (replica_busy(in->store, busy, &err) < 0)
            log_error("%s", err.text);
        cleanup_free char *ranks = idset_encode(busy, 0);
        text = xasprintf("{\"info\":%s,\"nodes\":%s,\"busy\":\"%s\"}",
                         info ? info : "null", nodes ? nodes : "null", ranks);
    }
    cleanup_free char *all = transport_bcast(in->transport, text ? text : "", from);
    return json_tokener_parse(all);
}

/* Everybody's store becomes the newest one. FROM: in MPI's new order. */
static int share_store(struct instance *in, json_object **nodes, json_object *newest,
                       unsigned from, bool mine, struct error *err)
{
    bool any = false;
    struct error why = {0};
    unsigned char *data = NULL;
    size_t len = 0;
    for (unsigned i = 0; i < in->world_size; i++)
        any = any || newer(newest, nodes[i]);
    if (!any)
        return 0;
    if (mine && store_copy_out(in->store, &data, &len, err) < 0)
        len = 0;
    cleanup_free unsigned char *all =
        transport_bcast_data(in->transport, data, &len, from);
    if (len == 0)
        return mine ? -1 : error_set(err, EIO, "the newest store could not be copied");
    json_object *node = in->nodes[in->rank];
    if (mine || (same_instance(node, newest) && !newer(newest, node)))
        return 0;
    cleanup_free char *path = gather_store_path(in, in->rank);
    store_close(take(in->store));
    statedir_drop(take(in->statedir)); /* the leader's store will be the one in it */
    if (store_copy_in(path, all, len, &why) < 0 ||
        gather_open_store(in, in->rank, false, &why) < 0)
        return error_set(err, why.code, "%s", why.text);
    return 0;
}

int gather_copy(struct instance *in, const unsigned char *data, size_t len,
                struct error *err)
{
    cleanup_free char *path = gather_store_path(in, in->rank);
    return store_copy_in(path, data, len, err) < 0
               ? -1
               : gather_open_store(in, in->rank, false, err);
}

static size_t count(json_object *node, const char *key)
{
    json_object *list = jsonutil_get(node, key);
    return json_object_is_type(list, json_type_array) ? json_object_array_length(list)
                                                      : 0;
}

/* What node NOW is to the instance that knew it as BEFORE: where it has not as much as it had and is
 * BUSY, all that is known of its jobs fits only what it had, and it is not used. */
static json_object *compare_node(json_object *now, json_object *before, bool busy)
{
    size_t cores = count(now, "cores"), gpus = count(now, "gpus");
    size_t had_cores = count(before, "cores"), had_gpus = count(before, "gpus");
    if (!busy || (cores == had_cores && gpus == had_gpus))
        return json_object_get(now);
    cleanup_free char *why = xasprintf(
        "it has %zu cores and %zu GPUs, and had %zu and %zu when its jobs were started",
        cores, gpus, had_cores, had_gpus);
    json_object *o = NULL;
    json_object_deep_copy(now, &o, NULL);
    json_object_object_add(o, "cores", json_object_get(jsonutil_get(before, "cores")));
    json_object_object_add(o, "gpus", json_object_get(jsonutil_get(before, "gpus")));
    add_str(o, "refused", why);
    return o;
}

/* NODES, by MPI's numbers, are what is left of an instance. */
static int resume(struct instance *in, json_object **nodes, struct error *err)
{
    int newest = find_newest(nodes, in->world_size);
    if (newest < 0) {
        error_set(err, ENOENT, "nothing is left of the instance in %s: it cannot go on",
                  in->rundir);
        return agree_not(in);
    }
    cleanup_json json_object *past = share_past(in, (unsigned)newest);
    json_object *all = jsonutil_get(past, "nodes");
    if (!json_object_is_type(all, json_type_array) || !jsonutil_get(past, "info")) {
        error_set(err, EINVAL, "the store in %s tells no instance", in->rundir);
        return agree_not(in);
    }
    in->size = (unsigned)json_object_array_length(all);
    cleanup_free unsigned *ids = xcalloc(in->world_size, sizeof(*ids));
    in->nodes = xcalloc(in->size, sizeof(*in->nodes));
    const char *ranks = jsonutil_string(jsonutil_get(past, "busy"));
    cleanup_bitmap hwloc_bitmap_t busy = idset_decode(ranks ? ranks : "", err);
    for (unsigned i = 0; i < in->world_size; i++) {
        int rank = find_rank_of(nodes[i], nodes[newest], all);
        if (rank < 0 || in->nodes[rank]) {
            error_set(err, EINVAL, "%s was no node of the instance, or comes twice",
                      jsonutil_string(jsonutil_get(nodes[i], "host")));
            return agree_not(in);
        }
        ids[i] = (unsigned)rank;
        in->nodes[rank] =
            compare_node(nodes[i], json_object_array_get_idx(all, (size_t)rank),
                         busy && hwloc_bitmap_isset(busy, (unsigned)rank));
    }
    for (unsigned i = 0; i < in->size; i++)
        if (!in->nodes[i])
            in->nodes[i] = json_object_get(json_object_array_get_idx(all, i));
    bool mine = in->world == (unsigned)newest;
    unsigned from = 0; /* its place among those that are here */
    for (unsigned i = 0; i < in->world_size; i++)
        from += ids[i] < ids[newest];
    in->generation = (unsigned)number(nodes[newest], "generation") + 1;
    in->epoch = (uint64_t)number(nodes[newest], "epoch");
    in->info = json_object_get(jsonutil_get(past, "info"));
    if (!in->exec || in->rank != ids[in->world]) {
        /* its /tmp is new */
        execlink_destroy(take(in->exec));
        if (gather_be_rank(in, ids[in->world], err) < 0)
            return -1;
    }
    transport_number(in->transport, ids, in->size);
    return share_store(in, nodes, nodes[newest], from, mine, err);
}

static int begin(struct instance *in, json_object **nodes)
{
    cleanup_free unsigned *ids = xcalloc(in->world_size, sizeof(*ids));
    in->nodes = xcalloc(in->size, sizeof(*in->nodes));
    for (unsigned i = 0; i < in->size; i++) {
        ids[i] = i;
        in->nodes[i] = json_object_get(nodes[i]);
    }
    if (in->transport)
        transport_number(in->transport, ids, in->size);
    return 0;
}

/* --- the description of the instance ---------------------------------------------------------- */

/* A sub-instance lives in a job of its parent, and ends before that does. */
static void describe_parent(const struct instance *in, json_object *o, double now)
{
    double end = in->sub.expiration, limit = in->options.time_limit;
    if (limit > 0 && (end <= 0 || now + limit < end))
        end = now + limit;
    add_str(o, "foreign", "hbatch");
    add_str(o, "foreign_id", in->sub.name);
    json_object_object_add(o, "expiration", json_object_new_double(end));
}

/* It is the instance that it was. */
static void describe_life(struct instance *in, json_object *o, double now)
{
    cleanup_free char *text = store_attr_get(in->store, "info", NULL);
    cleanup_json json_object *was = text ? json_tokener_parse(text) : NULL;
    const char *id = jsonutil_string(jsonutil_get(was, "instance"));
    int64_t life = 0;
    double epoch = now;
    if (id) {
        add_str(o, "instance", id);
        jsonutil_int(jsonutil_get(was, "life"), 1, INT32_MAX, &life);
        jsonutil_number(jsonutil_get(was, "epoch"), &epoch);
        uint64_t epoch_of_state; /* begins anew */
        record_state_last(in->store, &in->generation, &epoch_of_state);
        in->generation++;
        json_object_object_add(o, "former", json_object_get(jsonutil_get(was, "rundir")));
        json_object_object_add(o, "litter",
                               json_object_get(jsonutil_get(was, "own_rundir")));
    }
    json_object_object_add(o, "life", json_object_new_int64(life + 1));
    record_life(in->store, now);
    json_object_object_add(o, "epoch", json_object_new_double(epoch));
    json_object_object_add(o, "generation", json_object_new_int64(in->generation));
    add_str(o, "statedir", in->options.statedir);
    json_object_object_add(
        o, "own_rundir",
        json_object_new_boolean(in->own_rundir || in->options.supervised));
}

static void describe_config(const struct instance *in, json_object *o)
{
    const char *word =
        json_object_get_string(json_object_array_get_idx(in->options.configs, 0));
    if (in->config)
        json_object_object_add(o, "config", json_object_get(in->config));
    if (in->config && json_object_array_length(in->options.configs) == 1 && *word == '/')
        add_str(o, "config_path", word);
}

static json_object *describe(struct instance *in)
{
    char host[256] = "localhost", id[64];
    gethostname(host, sizeof(host) - 1);
    double now = time_now();
    snprintf(id, sizeof(id), "%llx%x", (unsigned long long)(now * 1000),
             (unsigned)getpid());
    json_object *o = json_object_new_object();
    add_str(o, "instance", id);
    if (in->statedir)
        describe_life(in, o, now);
    json_object_object_add(o, "level", json_object_new_int64(in->sub.level));
    add_str(o, "parent_uri", in->sub.uri);
    add_str(o, "jobid", in->sub.name);
    json_object_object_add(o, "size", json_object_new_int64(in->size));
    add_str(o, "uri", in->uri);
    add_str(o, "rundir", in->rundir);
    add_str(o, "version", VERSION);
    json_object_object_add(o, "owner", json_object_new_int64(geteuid()));
    add_str(o, "hostname", host);
    json_object_object_add(o, "pid", json_object_new_int64(getpid()));
    json_object_object_add(o, "starttime", json_object_new_double(now));
    if (in->sub.told)
        describe_parent(in, o, now);
    else
        surroundings_describe(&in->options, o, now);
    add_str(o, "mpi", in->transport ? transport_name(in->transport) : "none");
    add_str(o, "policy", in->options.policy);
    describe_config(in, o);
    json_object_object_add(o, "attrs", json_object_get(in->options.attrs));
    return o;
}

/* For a restart. */
static void remember(struct instance *in)
{
    cleanup_json json_object *all = json_object_new_array();
    for (unsigned i = 0; i < in->size; i++)
        json_object_array_add(all, json_object_get(in->nodes[i]));
    store_attr_set(in->store, "nodes",
                   json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN));
    store_attr_set(in->store, "info",
                   json_object_to_json_string_ext(in->info, JSON_C_TO_STRING_PLAIN));
    record_state(in->store, in->generation, in->epoch);
}

/* --- all together ------------------------------------------------------------------------------ */

/* NOW: this rank's clock, when all came out of a collective. */
static void compare_clocks(struct instance *in, const char *now)
{
    cleanup_free char **times = xcalloc(in->size, sizeof(*times));
    char **all = transport_allgather(in->transport, now);
    unsigned leader = transport_leader(in->transport);
    for (unsigned i = 0, n = 0; i < in->size; i++)
        if (!transport_is_lost(in->transport, i))
            times[i] = all[n++];
    for (unsigned i = 0; i < in->size; i++) /* those that are away have the leader's */
        times[i] = times[i] ? times[i] : times[leader];
    checks_set_clocks(in->nodes, in->size, leader, times);
    transport_free_all(all);
    time_correct(checks_clock(in->nodes[in->rank]));
    cleanup_free char *skew =
        in->rank == leader ? checks_skew(in->nodes, in->size, leader) : NULL;
    if (skew)
        log_warning("%s", skew);
}

static void share_description(struct instance *in)
{
    if (in->info) /* it goes on */
        return;
    if (in->rank == 0)
        in->info = describe(in);
    if (!in->transport)
        return;
    cleanup_free char *text = transport_bcast(
        in->transport, in->rank == 0 ? json_object_to_json_string(in->info) : "", 0);
    if (in->rank > 0)
        in->info = json_tokener_parse(text);
}

/* --- another life of an instance ----------------------------------------------------------------- */

/* All ranks make the former life's attributes void: of ranks, executors, and of its end. */
static void end_former_life(struct instance *in)
{
    cleanup_free char *text = store_attr_get(in->store, "nodes", NULL);
    cleanup_json json_object *nodes = text ? json_tokener_parse(text) : NULL;
    size_t n =
        json_object_is_type(nodes, json_type_array) ? json_object_array_length(nodes) : 0;
    for (unsigned i = 0; i < n; i++) {
        record_node(in->store, i, "");
        record_exec(in->store, i, "");
    }
    store_attr_set(in->store, "shutdown", "");
    store_attr_set(in->store, "attrs", "");
}

/* Where NODE really is, in an instance whose leader is on LEADER: virtual ones are beside it. */
static const char *real_host(json_object *node, const char *leader)
{
    bool is_virtual = json_object_get_boolean(jsonutil_get(node, "virtual"));
    return is_virtual ? leader : jsonutil_string(jsonutil_get(node, "host"));
}

static bool is_ours(const struct instance *in, const char *host)
{
    const char *leader = jsonutil_string(jsonutil_get(in->info, "hostname"));
    for (unsigned i = 0; i < in->size; i++) {
        const char *name = real_host(in->nodes[i], leader);
        if (name && strcmp(name, host) == 0)
            return true;
    }
    return false;
}

/* Executors of a life that was cut off end their tasks when they have waited for their ranks in vain.  Those
 * on our hosts are ended by us; how long there may be others.  0: there are none. */
static double until_former_ended(const struct instance *in)
{
    cleanup_free char *text = store_attr_get(in->store, "nodes", NULL);
    cleanup_free char *info = store_attr_get(in->store, "info", NULL);
    cleanup_json json_object *nodes = text ? json_tokener_parse(text) : NULL;
    cleanup_json json_object *was = info ? json_tokener_parse(info) : NULL;
    const char *leader = jsonutil_string(jsonutil_get(was, "hostname"));
    size_t n =
        json_object_is_type(nodes, json_type_array) ? json_object_array_length(nodes) : 0;
    for (size_t i = 0; i < n && !statedir_was_left(in->statedir); i++) {
        const char *host = real_host(json_object_array_get_idx(nodes, i), leader);
        if (host && !is_ours(in, host))
            return statedir_last_seen(in->statedir) + FORMER_S;
    }
    return 0;
}

static void await_former(const struct instance *in)
{
    double left = until_former_ended(in) - time_now();
    if (left <= 0 || left > FORMER_S)
        return;
    fprintf(stderr,
            "hbatch-instance: %s was cut off a moment ago on hosts that are not ours: "
            "%.0f s, "
            "until its tasks there have ended\n",
            in->options.statedir, left);
    usleep((useconds_t)(left * 1e6));
}

/* Each rank gets a copy of the store of the first one, and ends what is left on its host. */
static int begin_life(struct instance *in, struct error *err)
{
    int64_t generation = 0;
    const char *id = jsonutil_string(jsonutil_get(in->info, "instance"));
    const char *former = jsonutil_string(jsonutil_get(in->info, "former"));
    jsonutil_int(jsonutil_get(in->info, "generation"), 0, INT32_MAX, &generation);
    in->generation = (unsigned)generation;
    if (in->statedir)
        statedir_sign(in->statedir, id, in->rank, in->rundir);
    if (!former)
        return 0;
    unsigned left = former_end(id, former, EXEC_END_S);
    if (left > 0)
        log_error("%u processes of the last life of this instance could not be killed",
                  left);
    /* no executor was there to do it, or it was killed just now */
    if (json_object_get_boolean(jsonutil_get(in->info, "litter")) &&
        strcmp(former, in->rundir) != 0)
        path_remove_tree(former);
    if (in->statedir)
        await_former(in);
    if (in->transport) {
        size_t len = 0;
        unsigned char *data = NULL;
        if (in->statedir && store_copy_out(in->store, &data, &len, err) < 0)
            return -1;
        cleanup_free unsigned char *all =
            transport_bcast_data(in->transport, data, &len, 0);
        if (!in->statedir) {
            store_close(take(in->store));
            if (gather_copy(in, all, len, err) < 0)
                return -1;
        }
    }
    end_former_life(in);
    return 0;
}

static void put_all(json_object **nodes, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        json_object_put(nodes[i]);
    free(nodes);
}

int gather(struct instance *in, json_object *node, struct error *err)
{
    char now[32] = "";
    json_object **nodes = xcalloc(in->world_size, sizeof(*nodes));
    if (in->transport) {
        char **all = transport_allgather(in->transport, json_object_to_json_string(node));
        snprintf(now, sizeof(now), "%.6f", time_now()); /* all come out of it together */
        json_object_put(node);
        for (unsigned i = 0; i < in->world_size; i++)
            nodes[i] = json_tokener_parse(all[i]);
        transport_free_all(all);
    } else
        nodes[0] = node;
    int rc = checks_nodes(nodes, in->world_size, in->by_srun, err);
    if (rc < 0)
        agree_not(in);
    else
        rc = in->options.recover && in->transport ? resume(in, nodes, err)
                                                  : begin(in, nodes);
    put_all(nodes, in->world_size);
    if (rc < 0)
        return -1;
    bool goes_on = in->info != NULL;
    share_description(in);
    if (gather_has_state(in) && !goes_on && begin_life(in, err) < 0)
        return -1;
    int64_t life = 0;
    jsonutil_int(jsonutil_get(in->info, "life"), 1, INT32_MAX, &life);
    in->life = (unsigned)life;
    if (goes_on && in->statedir)
        statedir_sign(in->statedir, jsonutil_string(jsonutil_get(in->info, "instance")),
                      in->rank, jsonutil_string(jsonutil_get(in->info, "rundir")));
    if (in->transport) /* no rank begins before the last one has come so far */
        compare_clocks(in, now);
    if (in->store)
        remember(in);
    return 0;
}
