/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/queues.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/duration.h"
#include "src/common/log.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/constraint.h"
#include "src/job/default_memory.h"
#include "src/job/jsonutil.h"

/* --- the configuration ------------------------------------------------------------------------ */

static void clear_states(struct queue_state *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(v[i].why_disabled);
        free(v[i].why_stopped);
    }
    free(v);
}

static bool same_name(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

void queues_configure(struct queues *q, struct config *config, const char *path)
{
    size_t n = MAX(config->nqueues, (size_t)1);
    struct queue_state *v = xcalloc(n, sizeof(*v));
    for (size_t i = 0; i < n; i++) {
        v[i].name = config->nqueues ? config->queues[i].name : NULL;
        for (size_t k = 0; k < q->n; k++) {
            struct queue_state *old = &q->v[k];
            if (!same_name(old->name, v[i].name))
                continue;
            const char *name = v[i].name;
            v[i] = *old;
            v[i].name = name;
            v[i].account = NULL;
            old->why_disabled = old->why_stopped = NULL;
        }
    }
    clear_states(q->v, q->n);
    config_destroy(q->config);
    q->config = config;
    q->v = v;
    q->n = n;
    accounts_configure(q->accounts, config);
    char *copy = path ? xstrdup(path) : NULL; /* which may be the old one */
    free(q->path);
    q->path = copy;
}

static struct config *configure(json_object *o, struct error *err)
{
    cleanup_json json_object *none = json_object_new_object();
    return config_from_json(o ? o : none, NULL, err);
}

struct queues *queues_create(json_object *info)
{
    struct queues *q = xcalloc(1, sizeof(*q));
    struct error err;
    q->accounts = accounts_create();
    struct config *c = configure(jsonutil_get(info, "config"), &err);
    if (!c) { /* it was checked at the start */
        log_error("configuration: %s", err.text);
        c = configure(NULL, NULL);
    }
    queues_configure(q, c, jsonutil_string(jsonutil_get(info, "config_path")));
    return q;
}

void queues_destroy(struct queues *q)
{
    if (!q)
        return;
    clear_states(q->v, q->n);
    config_destroy(q->config);
    accounts_destroy(q->accounts);
    free(q->path);
    free(q);
}

static void add_text(json_object *o, const char *key, const char *text)
{
    if (text)
        json_object_object_add(o, key, json_object_new_string(text));
}

json_object *queues_to_json(const struct queues *q)
{
    json_object *o = json_object_new_object(), *states = json_object_new_object();
    json_object_object_add(o, "config", json_object_get(q->config->json));
    add_text(o, "path", q->path);
    for (size_t i = 0; i < q->n; i++) {
        const struct queue_state *s = &q->v[i];
        if (!s->disabled && !s->stopped)
            continue;
        json_object *state = json_object_new_object();
        json_object_object_add(state, "enable", json_object_new_boolean(!s->disabled));
        json_object_object_add(state, "start", json_object_new_boolean(!s->stopped));
        add_text(state, "disable_reason", s->why_disabled);
        add_text(state, "stop_reason", s->why_stopped);
        if (s->fleeting)
            json_object_object_add(state, "fleeting", json_object_new_boolean(true));
        json_object_object_add(states, s->name ? s->name : "", state);
    }
    json_object_object_add(o, "states", states);
    return o;
}

static char *copy_text(json_object *o)
{
    const char *text = jsonutil_string(o);
    return text ? xstrdup(text) : NULL;
}

int queues_from_json(struct queues *q, json_object *o, bool anew, bool configured,
                     struct error *err)
{
    struct config *c = configured ? NULL : configure(jsonutil_get(o, "config"), err);
    if (!configured && !c)
        return -1;
    if (c)
        queues_configure(q, c, jsonutil_string(jsonutil_get(o, "path")));
    for (size_t i = 0; i < q->n; i++) {
        struct queue_state *s = &q->v[i];
        json_object *state =
            jsonutil_get(jsonutil_get(o, "states"), s->name ? s->name : "");
        if (anew && json_object_get_boolean(jsonutil_get(state, "fleeting")))
            state = NULL;
        json_object *enable = jsonutil_get(state, "enable"),
                    *start = jsonutil_get(state, "start");
        s->disabled = enable && !json_object_get_boolean(enable);
        s->stopped = start && !json_object_get_boolean(start);
        s->fleeting = json_object_get_boolean(jsonutil_get(state, "fleeting"));
        free(s->why_disabled);
        free(s->why_stopped);
        s->why_disabled = copy_text(jsonutil_get(state, "disable_reason"));
        s->why_stopped = copy_text(jsonutil_get(state, "stop_reason"));
    }
    return 0;
}

/* --- queues ----------------------------------------------------------------------------------- */

struct queue_state *queues_find(const struct queues *q, const char *name)
{
    for (size_t i = 0; i < q->n; i++)
        if (same_name(q->v[i].name, name))
            return &q->v[i];
    return NULL;
}

struct queue_state *queues_of(const struct queues *q, const struct jobspec *spec)
{
    struct queue_state *s =
        q->config->nqueues > 0 ? queues_find(q, jobspec_queue(spec)) : NULL;
    return s ? s : &q->v[0];
}

static const struct config_queue *conf_of(const struct queues *q,
                                          const struct queue_state *s)
{
    return q->config->nqueues > 0 ? &q->config->queues[s - q->v] : NULL;
}

struct queue_state *queues_parent(const struct queues *q, const struct queue_state *s)
{
    const struct config_queue *c = conf_of(q, s);
    return &q->v[c && c->parent >= 0 ? c->parent : s - q->v];
}

const struct config_limits *queues_limits(const struct queues *q,
                                          const struct queue_state *s)
{
    const struct config_queue *c = conf_of(q, s);
    return c ? &c->limits : &q->config->limits;
}

static const struct config_defaults *defaults_of(const struct queues *q,
                                                 const struct queue_state *s)
{
    const struct config_queue *c = conf_of(q, s);
    return c ? &c->defaults : &q->config->defaults;
}

/* The time limit of a job that has none; 0: none. */
static double standard_duration(const struct queues *q, const struct queue_state *s)
{
    double limit = queues_limits(q, s)->duration, d = defaults_of(q, s)->duration;
    return limit > 0 && d > 0 ? MIN(limit, d) : MAX(limit, d);
}

/* "queue debug", "the queue". */
struct shown {
    char text[96];
};

static struct shown show(const struct queue_state *s)
{
    struct shown shown;
    snprintf(shown.text, sizeof(shown.text), "%s%s", s->name ? "queue " : "the queue",
             s->name ? s->name : "");
    return shown;
}

const char *queues_why_stopped(const struct queues *q, const struct queue_state *s,
                               char *text, size_t size)
{
    const struct queue_state *parent = queues_parent(q, s);
    if (!s->stopped && !parent->stopped)
        return NULL;
    const struct queue_state *at = s->stopped ? s : parent;
    snprintf(text, size, "%s is stopped%s%s", show(at).text, at->why_stopped ? ": " : "",
             at->why_stopped ? at->why_stopped : "");
    return text;
}

static int no_queue(const struct queues *q, const char *name, struct error *err)
{
    cleanup_strbuf struct strbuf known = {0};
    for (size_t i = 0; i < q->n; i++)
        strbuf_addf(&known, "%s%s", i ? ", " : "", q->v[i].name ? q->v[i].name : "");
    if (q->config->nqueues == 0)
        return error_set(err, ENOENT,
                         "there is no queue '%s': this instance has one queue, which has "
                         "no name",
                         name);
    if (!name)
        return error_set(err, EINVAL,
                         "the job names no queue, and there is no default one: choose by "
                         "--queue=NAME from %s",
                         known.s);
    return error_set(err, ENOENT, "there is no queue '%s'; there are %s", name, known.s);
}

/* --- what a job must be like ------------------------------------------------------------------ */

static bool is_user(const char *name)
{
    const struct passwd *pw = getpwnam(name);
    return pw && pw->pw_uid == geteuid();
}

static bool is_in_group(const char *name)
{
    const struct group *gr = getgrnam(name);
    gid_t all[256];
    int n = getgroups(ARRAY_SIZE(all), all);
    if (gr && gr->gr_gid == getegid())
        return true;
    for (int i = 0; gr && i < n; i++)
        if (all[i] == gr->gr_gid)
            return true;
    return false;
}

static bool any(json_object *names, bool (*is)(const char *))
{
    size_t n = names ? json_object_array_length(names) : 0;
    for (size_t i = 0; i < n; i++)
        if (is(json_object_get_string(json_object_array_get_idx(names, i))))
            return true;
    return false;
}

/* RFC 33: who is in neither list has no access, where there is one. */
static int check_access(const struct queues *q, const struct queue_state *s,
                        struct error *err)
{
    const struct config_limits *l = queues_limits(q, s);
    if ((!l->allow_user && !l->allow_group) || any(l->allow_user, is_user) ||
        any(l->allow_group, is_in_group))
        return 0;
    return error_set(err, EPERM,
                     "%s is not for you: neither allow-user nor allow-group of its "
                     "configuration names the user who runs this instance",
                     show(s).text);
}

static int check_open(const struct queues *q, const struct queue_state *s,
                      struct error *err)
{
    if (s->disabled)
        return error_set(err, EPERM, "job submission to %s is disabled%s%s", show(s).text,
                         s->why_disabled ? ": " : "",
                         s->why_disabled ? s->why_disabled : "");
    return check_access(q, s, err);
}

/* What SHAPE asks for at the most. */
static uint64_t asked(const struct job_shape *shape, int what)
{
    uint64_t nodes = MAX(shape->nnodes_max, 1u);
    uint64_t slots = shape->nnodes_min ? nodes * shape->nslots : shape->nslots;
    switch (what) {
    case CONFIG_NNODES:
        return shape->nnodes_min ? shape->nnodes_max : 0;
    case CONFIG_NCORES:
        return slots * shape->cores_per_slot;
    default:
        return slots * shape->gpus_per_slot;
    }
}

int queues_check_size(const struct queues *q, const struct queue_state *s,
                      const struct job_shape *shape, struct error *err)
{
    static const char *const nouns[CONFIG_SIZES] = {"nodes", "cores", "GPUs"};
    const struct config_limits *l = queues_limits(q, s);
    char want[DURATION_BUFSIZE], have[DURATION_BUFSIZE];
    if (l->duration > 0 && (shape->duration <= 0 || shape->duration > l->duration))
        return error_set(err, EINVAL,
                         "%s has a limit of %s; %s was asked for: take a shorter "
                         "--time-limit",
                         show(s).text, duration_encode(l->duration, have),
                         shape->duration > 0 ? duration_encode(shape->duration, want)
                                             : "no limit");
    for (int i = 0; i < CONFIG_SIZES; i++) {
        uint64_t n = asked(shape, i);
        bool open = i == CONFIG_NNODES && shape->nnodes_min && n == UINT_MAX;
        char number[32];
        snprintf(number, sizeof(number), "%s%ju", open ? "more than " : "",
                 (uintmax_t)(open ? shape->nnodes_min : n));
        if (l->max[i] >= 0 && n > (uint64_t)l->max[i])
            return error_set(err, EINVAL,
                             "%s takes jobs of at most %jd %s; %s were asked for",
                             show(s).text, (intmax_t)l->max[i], nouns[i], number);
        if (l->min[i] > 0 && n < (uint64_t)l->min[i])
            return error_set(err, EINVAL,
                             "%s takes jobs of at least %jd %s; %s were asked for",
                             show(s).text, (intmax_t)l->min[i], nouns[i], number);
    }
    return 0;
}

int queues_check_room(const struct queues *q, const struct queue_state *s, uint64_t count,
                      struct error *err)
{
    int64_t most = queues_limits(q, s)->max_jobs;
    if (most < 0 || (s->active <= (uint64_t)most && count <= (uint64_t)most - s->active))
        return 0;
    return error_set(err, EAGAIN,
                     "%s has %ju active jobs, of at most %jd: %ju more must wait until "
                     "some are over",
                     show(s).text, (uintmax_t)s->active, (intmax_t)most,
                     (uintmax_t)count);
}

bool queues_is_full(const struct queues *q, const struct queue_state *s, char *text,
                    size_t size)
{
    int64_t most = queues_limits(q, s)->max_running;
    if (most < 0 || s->running < (uint64_t)most)
        return false;
    snprintf(text, size, "%s has %ju running jobs, of at most %jd", show(s).text,
             (uintmax_t)s->running, (intmax_t)most);
    return true;
}

static json_object *system_of(json_object *jobspec)
{
    json_object *attributes = jsonutil_get(jobspec, "attributes");
    if (!attributes)
        json_object_object_add(jobspec, "attributes",
                               attributes = json_object_new_object());
    json_object *system = jsonutil_get(attributes, "system");
    if (!system)
        json_object_object_add(attributes, "system", system = json_object_new_object());
    return system;
}

/* The job's own constraint and that of its queue: {"and":[QUEUE'S, OWN]}. */
static void constrain(json_object *system, json_object *constraint)
{
    json_object *own = jsonutil_get(system, "constraints");
    if (!constraint)
        return;
    if (!own) {
        json_object_object_add(system, "constraints", json_object_get(constraint));
        return;
    }
    json_object *both = json_object_new_object(), *list = json_object_new_array();
    json_object_array_add(list, json_object_get(constraint));
    json_object_array_add(list, json_object_get(own));
    json_object_object_add(both, "and", list);
    json_object_object_add(system, "constraints", both);
}

/* The other way round; false: it cannot be told what is the job's own. */
static bool unconstrain(json_object *system, json_object *constraint)
{
    json_object *all = jsonutil_get(system, "constraints"),
                *list = jsonutil_get(all, "and");
    if (!constraint)
        return true;
    if (all && json_object_equal(all, constraint)) {
        json_object_object_del(system, "constraints");
        return true;
    }
    if (!json_object_is_type(list, json_type_array) ||
        json_object_array_length(list) != 2 ||
        !json_object_equal(json_object_array_get_idx(list, 0), constraint))
        return false;
    json_object_object_add(system, "constraints",
                           json_object_get(json_object_array_get_idx(list, 1)));
    return true;
}

int queues_admit(const struct queues *q, json_object *jobspec, struct error *err)
{
    const struct config *c = q->config;
    json_object *system = system_of(jobspec);
    const char *name = jsonutil_string(jsonutil_get(system, "queue"));
    const struct queue_state *s = &q->v[0];
    if (jsonutil_get(system, "alloc-bypass")) /* it waits in no queue */
        return 0;
    if (c->nqueues > 0) {
        name = name                ? name
               : c->defaults.queue ? c->defaults.queue
               : c->nqueues == 1   ? c->queues[0].name
                                   : NULL;
        s = name ? queues_find(q, name) : NULL;
        if (!s)
            return no_queue(q, name, err);
        json_object_object_add(system, "queue", json_object_new_string(s->name));
        constrain(system, conf_of(q, s)->constraint);
    }
    if (check_open(q, s, err) < 0)
        return -1;
    const struct config_defaults *d = defaults_of(q, s);
    double limit = standard_duration(q, s), duration = 0;
    jsonutil_number(jsonutil_get(system, "duration"), &duration);
    if (duration <= 0 && limit > 0)
        json_object_object_add(system, "duration", json_object_new_double(limit));
    if (d->mem_per_core > 0 && !jsonutil_get(system, "alloc-bypass"))
        default_memory_add(jsonutil_get(jobspec, "resources"), d->mem_per_core);
    if (d->bank && !jsonutil_get(system, "bank"))
        json_object_object_add(system, "bank", json_object_new_string(d->bank));
    const char *bank = jsonutil_string(jsonutil_get(system, "bank"));
    if (c->nbanks > 0 && config_bank_find(c, bank ? bank : "default") < 0)
        return error_set(err, EINVAL,
                         bank ? "there is no bank '%s'; hbatch account lists them"
                              : "%sthe job names no bank, and there is no default one: "
                                "choose by --bank=NAME; hbatch account lists them",
                         bank ? bank : "");
    return 0;
}

json_object *queues_move(const struct queues *q, json_object *jobspec, const char *name,
                         struct error *err)
{
    const struct queue_state *to = queues_find(q, name);
    if (!to || q->config->nqueues == 0) {
        no_queue(q, name, err);
        return NULL;
    }
    if (check_open(q, to, err) < 0)
        return NULL;
    json_object *o = NULL;
    json_object_deep_copy(jobspec, &o, NULL);
    json_object *system = system_of(o);
    const char *was = jsonutil_string(jsonutil_get(system, "queue"));
    const struct queue_state *from = was ? queues_find(q, was) : NULL;
    if (from && !unconstrain(system, conf_of(q, from)->constraint)) {
        json_object_put(o);
        return error_null(err, EINVAL,
                          "the nodes of queue %s were configured anew since the job was "
                          "submitted: it cannot be moved",
                          was);
    }
    json_object_object_add(system, "queue", json_object_new_string(name));
    constrain(system, conf_of(q, to)->constraint);
    return o;
}

/* --- as queue.list tells them ----------------------------------------------------------------- */

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
        add_text(o, "disable_reason",
                 s->why_disabled ? s->why_disabled : "disabled by hbatch queue disable");
    if (s->stopped)
        add_text(o, "stop_reason", s->why_stopped);
    else if (blocked)
        add_text(o, "stop_reason", queues_why_stopped(q, s, why, sizeof(why)));
    if (blocked)
        add_text(o, "blocked", "parent");
    if (parent != s)
        add_text(o, "parent", parent->name);
}

json_object *queues_describe(const struct queues *q, const struct pool *pool)
{
    json_object *result = json_object_new_object(), *list = json_object_new_array();
    const char *standard = q->config->defaults.queue;
    for (size_t i = 0; i < q->n; i++) {
        const struct queue_state *s = &q->v[i];
        const struct config_queue *c = conf_of(q, s);
        json_object *o = json_object_new_object(), *defaults = json_object_new_object();
        add_text(o, "queue", s->name);
        bool is_default =
            s->name && (standard ? strcmp(standard, s->name) == 0 : q->n == 1);
        json_object_object_add(o, "default", json_object_new_boolean(is_default));
        add_status(o, q, s);
        json_object_object_add(defaults, "timelimit",
                               json_object_new_double(standard_duration(q, s)));
        uint64_t memory = defaults_of(q, s)->mem_per_core;
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
