/* SPDX-License-Identifier: BSD-3-Clause */
/* queues_describe: queues as queue.list tells of them. */
#include "src/instance/queues_impl.h"

#include <string.h>
#include "src/common/util.h"
#include "src/job/constraint.h"
#include "src/job/jsonutil.h"

static bool has_property(const void *arg, const char *name)
{
    json_object *const *names = arg;
    size_t n = *names ? json_object_array_length(*names) : 0;
    for (size_t i = 0; i < n; i++)
        if (strcmp(json_object_get_string(json_object_array_get_idx(*names, i)), name) ==
            0)
            return true;
    return false;
}

static bool is_node_of(const struct constraint *c, const struct pool *pool,
                       const struct pool_node *node)
{
    cleanup_json json_object *names = pool_properties(pool, node->rank);
    const struct constraint_node n = {.rank = node->rank,
                                      .host = node->host,
                                      .has_property = has_property,
                                      .arg = &names};
    return !c || constraint_match(c, &n);
}

static void add_counts(json_object *o, const char *key, const int64_t *counts)
{
    json_object *sizes = json_object_new_object();
    for (int i = 0; i < CONFIG_SIZES; i++)
        json_object_object_add(sizes, config_size_names[i],
                               json_object_new_int64(counts[i]));
    json_object_object_add(o, key, sizes);
}

static json_object *count_resources(const struct pool *pool, json_object *constraint)
{
    enum { ALL, UP, FREE, ALLOCATED, DOWN, NKEYS };
    static const char *const keys[NKEYS] = {"all", "up", "free", "allocated", "down"};
    int64_t counts[NKEYS][CONFIG_SIZES] = {{0}};
    cleanup_json json_object *ranks = json_object_new_array();
    struct constraint *c = constraint ? constraint_from_json(constraint, NULL) : NULL;
    for (size_t i = 0; i < pool_nnodes(pool); i++) {
        struct pool_node n = pool_nth(pool, i);
        if (!is_node_of(c, pool, &n))
            continue;
        int64_t cores = hwloc_bitmap_weight(n.cores), gpus = hwloc_bitmap_weight(n.gpus);
        int64_t fc = hwloc_bitmap_weight(n.free_cores),
                fg = hwloc_bitmap_weight(n.free_gpus);
        bool up = n.state == POOL_UP;
        const int64_t sizes[NKEYS][CONFIG_SIZES] = {
            [ALL] = {1, cores, gpus},
            [UP] = {up, up ? cores : 0, up ? gpus : 0},
            [FREE] = {up && fc > 0, up ? fc : 0, up ? fg : 0},
            [ALLOCATED] = {fc < cores, cores - fc, gpus - fg},
            [DOWN] = {!up, up ? 0 : cores, up ? 0 : gpus}};
        for (int k = 0; k < NKEYS; k++)
            for (int j = 0; j < CONFIG_SIZES; j++)
                counts[k][j] += sizes[k][j];
        json_object_array_add(ranks, json_object_new_int64(n.rank));
    }
    constraint_destroy(c);
    json_object *o = json_object_new_object();
    for (int k = 0; k < NKEYS; k++)
        add_counts(o, keys[k], counts[k]);
    json_object_object_add(o, "ranks", take(ranks));
    return o;
}

static json_object *describe_limits(const struct config_limits *l)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "timelimit", json_object_new_double(l->duration));
    add_counts(o, "min", l->min);
    add_counts(o, "max", l->max);
    json_object_object_add(o, "max_jobs", json_object_new_int64(l->max_jobs));
    json_object_object_add(o, "max_running", json_object_new_int64(l->max_running));
    return o;
}

/* RFC 33, queue status. */
static void add_status(json_object *o, const struct queues *q,
                       const struct queue_state *s)
{
    char why[512];
    const struct queue_state *parent = queues_parent(q, s);
    bool blocked = !s->stopped && parent->stopped;
    json_object_object_add(o, "enable", json_object_new_boolean(!s->disabled));
    json_object_object_add(o, "start", json_object_new_boolean(!s->stopped && !blocked));
    if (s->disabled)
        jsonutil_add_string(o, "disable_reason",
                            s->why_disabled ? s->why_disabled
                                            : "disabled by hbatch queue disable");
    if (s->stopped)
        jsonutil_add_string(o, "stop_reason", s->why_stopped);
    else if (blocked)
        jsonutil_add_string(o, "stop_reason", queues_why_stopped(q, s, why, sizeof(why)));
    if (blocked)
        jsonutil_add_string(o, "blocked", "parent");
    if (parent != s)
        jsonutil_add_string(o, "parent", parent->name);
}

json_object *queues_describe(const struct queues *q, const struct pool *pool)
{
    json_object *result = json_object_new_object(), *list = json_object_new_array();
    const char *standard = q->config->defaults.queue;
    for (size_t i = 0; i < q->n; i++) {
        const struct queue_state *s = &q->v[i];
        const struct config_queue *c = queues_conf(q, s);
        json_object *o = json_object_new_object(), *defaults = json_object_new_object();
        jsonutil_add_string(o, "queue", s->name);
        bool is_default =
            s->name && (standard ? strcmp(standard, s->name) == 0 : q->n == 1);
        json_object_object_add(o, "default", json_object_new_boolean(is_default));
        add_status(o, q, s);
        json_object_object_add(defaults, "timelimit",
                               json_object_new_double(queues_duration(q, s)));
        uint64_t memory = queues_defaults(q, s)->mem_per_core;
        if (memory)
            json_object_object_add(defaults, "mem_per_core",
                                   json_object_new_int64((int64_t)memory));
        json_object_object_add(o, "defaults", defaults);
        json_object_object_add(o, "limits", describe_limits(queues_limits(q, s)));
        json_object_object_add(o, "active", json_object_new_int64((int64_t)s->active));
        json_object_object_add(o, "running", json_object_new_int64((int64_t)s->running));
        json_object_object_add(o, "resources",
                               count_resources(pool, c ? c->constraint : NULL));
        json_object_array_add(list, o);
    }
    json_object_object_add(result, "queues", list);
    return result;
}
