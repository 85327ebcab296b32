/* SPDX-License-Identifier: BSD-3-Clause */
/* queues_admit: what a job must be like to be in a queue, and what it gets from it. */
#include "src/instance/queues_impl.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <unistd.h>
#include "src/common/duration.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/default_memory.h"
#include "src/job/jsonutil.h"

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
                     queue_show(s).text);
}

static int check_open(const struct queues *q, const struct queue_state *s,
                      struct error *err)
{
    if (s->disabled)
        return error_set(err, EPERM, "job submission to %s is disabled%s%s",
                         queue_show(s).text, s->why_disabled ? ": " : "",
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
                         queue_show(s).text, duration_encode(l->duration, have),
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
                             queue_show(s).text, (intmax_t)l->max[i], nouns[i], number);
        if (l->min[i] > 0 && n < (uint64_t)l->min[i])
            return error_set(err, EINVAL,
                             "%s takes jobs of at least %jd %s; %s were asked for",
                             queue_show(s).text, (intmax_t)l->min[i], nouns[i], number);
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
                     queue_show(s).text, (uintmax_t)s->active, (intmax_t)most,
                     (uintmax_t)count);
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
        constrain(system, queues_conf(q, s)->constraint);
    } else if (name) {
        return no_queue(q, name, err);
    }
    if (check_open(q, s, err) < 0)
        return -1;
    const struct config_defaults *d = queues_defaults(q, s);
    double limit = queues_duration(q, s), duration = 0;
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
    if (from && !unconstrain(system, queues_conf(q, from)->constraint)) {
        json_object_put(o);
        return error_null(err, EINVAL,
                          "the nodes of queue %s were configured anew since the job was "
                          "submitted: it cannot be moved",
                          was);
    }
    json_object_object_add(system, "queue", json_object_new_string(name));
    constrain(system, queues_conf(q, to)->constraint);
    return o;
}
