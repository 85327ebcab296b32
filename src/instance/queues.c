/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/queues_impl.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "src/common/log.h"
#include "src/common/util.h"
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

json_object *queues_to_json(const struct queues *q)
{
    json_object *o = json_object_new_object(), *states = json_object_new_object();
    json_object_object_add(o, "config", json_object_get(q->config->json));
    jsonutil_add_string(o, "path", q->path);
    for (size_t i = 0; i < q->n; i++) {
        const struct queue_state *s = &q->v[i];
        if (!s->disabled && !s->stopped)
            continue;
        json_object *state = json_object_new_object();
        json_object_object_add(state, "enable", json_object_new_boolean(!s->disabled));
        json_object_object_add(state, "start", json_object_new_boolean(!s->stopped));
        jsonutil_add_string(state, "disable_reason", s->why_disabled);
        jsonutil_add_string(state, "stop_reason", s->why_stopped);
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

const struct config_queue *queues_conf(const struct queues *q,
                                       const struct queue_state *s)
{
    return q->config->nqueues > 0 ? &q->config->queues[s - q->v] : NULL;
}

struct queue_state *queues_parent(const struct queues *q, const struct queue_state *s)
{
    const struct config_queue *c = queues_conf(q, s);
    return &q->v[c && c->parent >= 0 ? c->parent : s - q->v];
}

const struct config_limits *queues_limits(const struct queues *q,
                                          const struct queue_state *s)
{
    const struct config_queue *c = queues_conf(q, s);
    return c ? &c->limits : &q->config->limits;
}

const struct config_defaults *queues_defaults(const struct queues *q,
                                              const struct queue_state *s)
{
    const struct config_queue *c = queues_conf(q, s);
    return c ? &c->defaults : &q->config->defaults;
}

double queues_duration(const struct queues *q, const struct queue_state *s)
{
    double limit = queues_limits(q, s)->duration, d = queues_defaults(q, s)->duration;
    return limit > 0 && d > 0 ? MIN(limit, d) : MAX(limit, d);
}

struct queue_shown queue_show(const struct queue_state *s)
{
    struct queue_shown shown;
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
    snprintf(text, size, "%s is stopped%s%s", queue_show(at).text,
             at->why_stopped ? ": " : "", at->why_stopped ? at->why_stopped : "");
    return text;
}

bool queues_is_full(const struct queues *q, const struct queue_state *s, char *text,
                    size_t size)
{
    int64_t most = queues_limits(q, s)->max_running;
    if (most < 0 || s->running < (uint64_t)most)
        return false;
    snprintf(text, size, "%s has %ju running jobs, of at most %jd", queue_show(s).text,
             (uintmax_t)s->running, (intmax_t)most);
    return true;
}
