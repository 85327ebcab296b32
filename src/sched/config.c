/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/config.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/common/bytes.h"
#include "src/common/duration.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/conf.h"
#include "src/job/constraint.h"
#include "src/job/jsonutil.h"

const char *const config_size_names[CONFIG_SIZES] = {"nnodes", "ncores", "ngpus"};

#define HALF_LIFE 604800.0 /* s: a week */
#define GRACE 30.0         /* s */
#define SHARES_MAX 1e9
enum { QUEUES_MAX = 64, BANKS_MAX = 1000 };

/* What is read, and where its lines are. */
struct reading {
    struct config *c;
    json_object *lines;
    struct error *err;
};

static int bad(const struct reading *r, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static int bad(const struct reading *r, const char *path, const char *fmt, ...)
{
    char text[400];
    unsigned line = conf_line(r->lines, path);
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (line)
        return error_set(r->err, EINVAL, "line %u: %s: %s", line, path, text);
    return error_set(r->err, EINVAL, "%s: %s", path, text);
}

/* --- tables and values ------------------------------------------------------------------------ */

struct path {
    char text[256];
};

static struct path below(const char *path, const char *key)
{
    struct path p;
    size_t n = strnlen(path, sizeof(p.text) / 2), k = strnlen(key, sizeof(p.text) / 3);
    memcpy(p.text, path, n);
    p.text[n] = '.';
    n += n > 0;
    memcpy(p.text + n, key, k);
    p.text[n + k] = '\0';
    return p;
}

/* O, which may be NULL, is a table with no other keys than KEYS (ended by NULL; NULL: any). */
static int check_table(const struct reading *r, const char *path, json_object *o,
                       const char *const *keys)
{
    if (!o)
        return 0;
    if (!json_object_is_type(o, json_type_object))
        return bad(r, path, "must be a table, not %s", jsonutil_show(o).text);
    const char *stray = keys ? jsonutil_stray_key(o, keys) : NULL;
    if (!stray)
        return 0;
    struct strbuf known = {0};
    for (size_t i = 0; keys[i]; i++)
        strbuf_addf(&known, "%s%s", i ? ", " : "", keys[i]);
    bad(r, below(path, stray).text, "there is no such setting; there are %s", known.s);
    strbuf_cleanup(&known);
    return -1;
}

/* A time as RFC 23 or in seconds; "0" is none. */
static int get_duration(const struct reading *r, const char *path, json_object *o,
                        double *seconds)
{
    struct error err;
    if (!o)
        return 0;
    if (jsonutil_string(o)) {
        if (duration_decode(jsonutil_string(o), seconds, &err) < 0)
            return bad(r, path, "%s", err.text);
    } else if (!jsonutil_number(o, seconds) || *seconds < 0) {
        return bad(r, path, "must be a duration as \"1.5h\", not %s",
                   jsonutil_show(o).text);
    }
    if (isinf(*seconds))
        *seconds = 0;
    return 0;
}

/* An amount as "2G", or a number of MiB; 0: none. */
static int get_memory(const struct reading *r, const char *path, json_object *o,
                      uint64_t *bytes)
{
    struct error err;
    if (!o)
        return 0;
    if (!json_object_is_type(o, json_type_string) &&
        !json_object_is_type(o, json_type_int))
        return bad(r, path, "must be an amount of memory as \"2G\", not %s",
                   jsonutil_show(o).text);
    if (bytes_decode(json_object_get_string(o), 1 << 20, bytes, &err) < 0)
        return bad(r, path, "%s", err.text);
    return 0;
}

static int get_limit(const struct reading *r, const char *path, json_object *o,
                     int64_t *n)
{
    if (o && !jsonutil_int(o, -1, INT64_MAX, n))
        return bad(r, path, "must be a whole number, or -1 for no limit, not %s",
                   jsonutil_show(o).text);
    return 0;
}

static int get_text(const struct reading *r, const char *path, json_object *o,
                    const char **text)
{
    if (!o)
        return 0;
    *text = jsonutil_string(o);
    return *text && **text
               ? 0
               : bad(r, path, "must be a text in quotes, not %s", jsonutil_show(o).text);
}

static int get_flag(const struct reading *r, const char *path, json_object *o, bool *flag)
{
    if (o && !json_object_is_type(o, json_type_boolean))
        return bad(r, path, "must be true or false, not %s", jsonutil_show(o).text);
    *flag = o ? json_object_get_boolean(o) : *flag;
    return 0;
}

static int get_names(const struct reading *r, const char *path, json_object *o,
                     json_object **names)
{
    size_t n = json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
    bool ok = json_object_is_type(o, json_type_array);
    for (size_t i = 0; i < n; i++)
        ok &= jsonutil_string(json_object_array_get_idx(o, i)) != NULL;
    if (o && !ok)
        return bad(r, path, "must be a list of names, not %s", jsonutil_show(o).text);
    *names = o ? o : *names;
    return 0;
}

/* --- policy ----------------------------------------------------------------------------------- */

static int get_size(const struct reading *r, const char *path, json_object *o,
                    int64_t *sizes)
{
    static const char *const keys[] = {"nnodes", "ncores", "ngpus", NULL};
    if (check_table(r, path, o, keys) < 0)
        return -1;
    for (int i = 0; i < CONFIG_SIZES; i++)
        if (get_limit(r, below(path, config_size_names[i]).text,
                      jsonutil_get(o, config_size_names[i]), &sizes[i]) < 0)
            return -1;
    return 0;
}

static int get_limits(const struct reading *r, const char *path, json_object *policy,
                      struct config_limits *l)
{
    static const char *const keys[] = {"duration", "job-size", "max-jobs", "max-running",
                                       NULL},
                             *const sizes[] = {"max", "min", NULL},
                             *const access[] = {"allow-user", "allow-group", NULL};
    json_object *o = jsonutil_get(policy, "limits"), *size = jsonutil_get(o, "job-size"),
                *who = jsonutil_get(policy, "access");
    struct path p = below(path, "limits"), q = below(p.text, "job-size"),
                a = below(path, "access");
    if (check_table(r, p.text, o, keys) < 0 || check_table(r, q.text, size, sizes) < 0 ||
        check_table(r, a.text, who, access) < 0 ||
        get_duration(r, below(p.text, "duration").text, jsonutil_get(o, "duration"),
                     &l->duration) < 0 ||
        get_limit(r, below(p.text, "max-jobs").text, jsonutil_get(o, "max-jobs"),
                  &l->max_jobs) < 0 ||
        get_limit(r, below(p.text, "max-running").text, jsonutil_get(o, "max-running"),
                  &l->max_running) < 0 ||
        get_size(r, below(q.text, "max").text, jsonutil_get(size, "max"), l->max) < 0 ||
        get_size(r, below(q.text, "min").text, jsonutil_get(size, "min"), l->min) < 0)
        return -1;
    return get_names(r, below(a.text, "allow-user").text, jsonutil_get(who, "allow-user"),
                     &l->allow_user) < 0
               ? -1
               : get_names(r, below(a.text, "allow-group").text,
                           jsonutil_get(who, "allow-group"), &l->allow_group);
}

static int get_defaults(const struct reading *r, const char *path, json_object *policy,
                        struct config_defaults *d)
{
    static const char *const keys[] = {"duration", "queue", "bank", "mem-per-core", NULL},
                             *const system_key[] = {"system", NULL},
                             *const defaults_key[] = {"defaults", NULL};
    json_object *spec = jsonutil_get(policy, "jobspec"),
                *defaults = jsonutil_get(spec, "defaults"),
                *o = jsonutil_get(defaults, "system");
    struct path p = below(path, "jobspec"), q = below(p.text, "defaults"),
                s = below(q.text, "system");
    if (check_table(r, p.text, spec, defaults_key) < 0 ||
        check_table(r, q.text, defaults, system_key) < 0 ||
        check_table(r, s.text, o, keys) < 0 ||
        get_duration(r, below(s.text, "duration").text, jsonutil_get(o, "duration"),
                     &d->duration) < 0 ||
        get_text(r, below(s.text, "queue").text, jsonutil_get(o, "queue"), &d->queue) <
            0 ||
        get_memory(r, below(s.text, "mem-per-core").text, jsonutil_get(o, "mem-per-core"),
                   &d->mem_per_core) < 0)
        return -1;
    return get_text(r, below(s.text, "bank").text, jsonutil_get(o, "bank"), &d->bank);
}

/* The settings of a scheduler as setup.h has them: "easy,depth=100". */
static int get_scheduler(const struct reading *r, json_object *policy)
{
    json_object *o = json_object_is_type(policy, json_type_string)
                         ? policy
                         : jsonutil_get(policy, "scheduler");
    json_object *depth = jsonutil_get(r->c->json, "queue-depth"),
                *placement = jsonutil_get(r->c->json, "placement");
    const char *path = o == policy ? "policy" : "policy.scheduler";
    struct error err;
    cleanup_strbuf struct strbuf b = {0};
    if (!o)
        return 0;
    const char *name = "fcfs";
    if (json_object_is_type(o, json_type_object)) {
        if (get_text(r, "policy.scheduler.policy", jsonutil_get(o, "policy"), &name) < 0)
            return -1;
    } else if (get_text(r, path, o, &name) < 0)
        return -1;
    strbuf_add(&b, name);
    if (depth && !jsonutil_get(o, "queue-depth"))
        strbuf_addf(&b, ",depth=%s", json_object_get_string(depth));
    if (placement && !jsonutil_get(o, "placement"))
        strbuf_addf(&b, ",placement=%s", json_object_get_string(placement));
    if (json_object_is_type(o, json_type_object)) {
        json_object_object_foreach(o, key, value)
        {
            if (strcmp(key, "policy") == 0)
                continue;
            strbuf_addf(&b, ",%s=%s", strcmp(key, "queue-depth") == 0 ? "depth" : key,
                        json_object_get_string(value));
        }
    }
    return sched_setup_parse(&r->c->setup, b.s, &err) < 0 ? bad(r, path, "%s", err.text)
                                                          : 0;
}

static int check_policy(const struct reading *r, const char *path, json_object *policy,
                        bool of_queue)
{
    static const char *const keys[] = {"jobspec", "limits", "access", "scheduler", NULL};
    if (check_table(r, path, policy, keys) < 0)
        return -1;
    if (of_queue && jsonutil_get(policy, "scheduler"))
        return bad(r, below(path, "scheduler").text,
                   "a scheduler is for all queues: set policy.scheduler");
    return 0;
}

/* --- queues ----------------------------------------------------------------------------------- */

static bool is_name(const char *name)
{
    static const char chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-_.+";
    return *name && !name[strspn(name, chars)];
}

/* The constraint that a job in this queue has besides its own. */
static int get_nodes(const struct reading *r, const char *path, json_object *o,
                     struct config_queue *q)
{
    json_object *requires = jsonutil_get(o, "requires"),
                *hosts = jsonutil_get(o, "hosts"), *names = NULL;
    const char *list = NULL;
    struct error err;
    if (get_names(r, below(path, "requires").text, requires, &names) < 0 ||
        get_text(r, below(path, "hosts").text, hosts, &list) < 0)
        return -1;
    if (names && list)
        return bad(r, below(path, "hosts").text,
                   "either hosts or requires tells the nodes of a queue");
    if ((!names || json_object_array_length(names) == 0) &&
        (!list || strcmp(list, "all") == 0))
        return 0;
    q->constraint = json_object_new_object();
    json_object *values = names ? json_object_get(names) : json_object_new_array();
    if (list)
        json_object_array_add(values, json_object_new_string(list));
    json_object_object_add(q->constraint, names ? "properties" : "hostlist", values);
    struct constraint *c = constraint_from_json(q->constraint, &err);
    if (!c)
        return bad(r, below(path, names ? "requires" : "hosts").text, "%s", err.text);
    constraint_destroy(c);
    return 0;
}

static struct path queue_path(const char *name)
{
    return below("queues", name);
}

/* A queue by itself, without what it has of others. */
static int get_queue(const struct reading *r, const char *name, json_object *o,
                     struct config_queue *q)
{
    static const char *const keys[] = {"requires", "hosts", "policy", "parent", NULL};
    struct path p = queue_path(name);
    const char *parent = NULL;
    *q = (struct config_queue){.name = name, .parent = -1};
    if (!is_name(name) || strlen(name) > 64)
        return bad(r, p.text,
                   "the name of a queue is made of at most 64 letters, digits and -_.+");
    if (check_table(r, p.text, o, keys) < 0 ||
        check_policy(r, below(p.text, "policy").text, jsonutil_get(o, "policy"), true) <
            0 ||
        get_text(r, below(p.text, "parent").text, jsonutil_get(o, "parent"), &parent) < 0)
        return -1;
    if (parent && (jsonutil_get(o, "requires") || jsonutil_get(o, "hosts")))
        return bad(r, below(p.text, "parent").text,
                   "a queue with a parent has the nodes of that one");
    return get_nodes(r, p.text, o, q);
}

/* What it has of its parent, and all have of the table policy; then its own. */
static int complete_queue(const struct reading *r, struct config_queue *q,
                          json_object *queues)
{
    struct config *c = r->c;
    struct path p = below(queue_path(q->name).text, "policy");
    json_object *o = jsonutil_get(queues, q->name);
    const char *parent = jsonutil_string(jsonutil_get(o, "parent"));
    q->limits = c->limits;
    q->defaults = c->defaults;
    if (parent) {
        struct path where = below(queue_path(q->name).text, "parent");
        q->parent = config_queue_find(c, parent);
        json_object *theirs = jsonutil_get(queues, parent);
        if (q->parent < 0)
            return bad(r, where.text, "there is no queue '%s'", parent);
        if (jsonutil_get(theirs, "parent"))
            return bad(r, where.text, "queue '%s' has a parent itself", parent);
        struct path pp = below(queue_path(parent).text, "policy");
        json_object *policy = jsonutil_get(theirs, "policy");
        q->constraint = json_object_get(c->queues[q->parent].constraint);
        if (get_limits(r, pp.text, policy, &q->limits) < 0 ||
            get_defaults(r, pp.text, policy, &q->defaults) < 0)
            return -1;
    }
    if (get_limits(r, p.text, jsonutil_get(o, "policy"), &q->limits) < 0)
        return -1;
    return get_defaults(r, p.text, jsonutil_get(o, "policy"), &q->defaults);
}

static int get_queues(const struct reading *r)
{
    struct config *c = r->c;
    json_object *queues = jsonutil_get(c->json, "queues");
    if (check_table(r, "queues", queues, NULL) < 0)
        return -1;
    int n = queues ? json_object_object_length(queues) : 0;
    if (n > QUEUES_MAX)
        return bad(r, "queues", "there are %d of them; at most %d are possible", n,
                   QUEUES_MAX);
    c->queues = xcalloc((size_t)n + 1, sizeof(*c->queues));
    if (queues) {
        json_object_object_foreach(queues, name, value)
        {
            if (get_queue(r, name, value, &c->queues[c->nqueues++]) < 0)
                return -1;
        }
    }
    for (size_t i = 0; i < c->nqueues; i++)
        if (complete_queue(r, &c->queues[i], queues) < 0)
            return -1;
    const char *standard = c->defaults.queue;
    static const char where[] = "policy.jobspec.defaults.system.queue";
    if (standard && config_queue_find(c, standard) < 0)
        return bad(r, where, "there is no queue '%s'", standard);
    return 0;
}

/* --- priority, banks, preemption ------------------------------------------------------------- */

static int get_weight(const struct reading *r, json_object *o, const char *key, double *w)
{
    json_object *value = jsonutil_get(o, key);
    if (value && (!jsonutil_number(value, w) || !(*w >= 0 && *w <= 1e9)))
        return bad(r, below("priority", key).text,
                   "must be a number from 0 to 1e9, not %s", jsonutil_show(value).text);
    return 0;
}

static int get_priority(const struct reading *r)
{
    static const char *const keys[] = {"urgency", "age",         "size",      "fairshare",
                                       "age-max", "small-first", "half-life", NULL};
    struct config *c = r->c;
    json_object *o = jsonutil_get(c->json, "priority");
    c->weights = priority_default;
    c->half_life = HALF_LIFE;
    c->multifactor |= o != NULL;
    if (check_table(r, "priority", o, keys) < 0 ||
        get_weight(r, o, "urgency", &c->weights.urgency) < 0 ||
        get_weight(r, o, "age", &c->weights.age) < 0 ||
        get_weight(r, o, "size", &c->weights.size) < 0 ||
        get_weight(r, o, "fairshare", &c->weights.fairshare) < 0 ||
        get_duration(r, "priority.age-max", jsonutil_get(o, "age-max"),
                     &c->weights.age_max) < 0 ||
        get_duration(r, "priority.half-life", jsonutil_get(o, "half-life"),
                     &c->half_life) < 0 ||
        get_flag(r, "priority.small-first", jsonutil_get(o, "small-first"),
                 &c->weights.small_first) < 0)
        return -1;
    if (c->weights.age_max < 1)
        return bad(r, "priority.age-max", "must be at least 1s");
    if (c->half_life < 1)
        return bad(r, "priority.half-life", "must be at least 1s");
    return 0;
}

static int get_bank(const struct reading *r, const char *name, json_object *o,
                    struct config_bank *b)
{
    static const char *const keys[] = {"shares", NULL};
    struct path p = below("banks", name), q = below(p.text, "shares");
    json_object *shares =
        json_object_is_type(o, json_type_object) ? jsonutil_get(o, "shares") : o;
    *b = (struct config_bank){.name = name, .shares = 1};
    if (!is_name(name) || strlen(name) > 64)
        return bad(r, p.text,
                   "the name of a bank is made of at most 64 letters, digits and -_.+");
    if (json_object_is_type(o, json_type_object) && check_table(r, p.text, o, keys) < 0)
        return -1;
    if (shares && (!jsonutil_number(shares, &b->shares) ||
                   !(b->shares > 0 && b->shares <= SHARES_MAX)))
        return bad(r, shares == o ? p.text : q.text,
                   "shares must be a number greater than 0, not %s",
                   jsonutil_show(shares).text);
    return 0;
}

static int get_banks(const struct reading *r)
{
    struct config *c = r->c;
    json_object *banks = jsonutil_get(c->json, "banks");
    if (check_table(r, "banks", banks, NULL) < 0)
        return -1;
    if (!banks)
        return 0;
    int n = json_object_object_length(banks);
    if (n > BANKS_MAX)
        return bad(r, "banks", "there are %d of them; at most %d are possible", n,
                   BANKS_MAX);
    c->banks = xcalloc((size_t)n + 1, sizeof(*c->banks));
    json_object_object_foreach(banks, name, value)
    {
        if (get_bank(r, name, value, &c->banks[c->nbanks++]) < 0)
            return -1;
    }
    if (c->nbanks > 0 && c->defaults.bank && config_bank_find(c, c->defaults.bank) < 0)
        return bad(r, "policy.jobspec.defaults.system.bank", "there is no bank '%s'",
                   c->defaults.bank);
    return 0;
}

static int get_preemption(const struct reading *r)
{
    static const char *const keys[] = {"enabled", "grace", NULL};
    struct config *c = r->c;
    json_object *o = jsonutil_get(c->json, "preemption");
    c->grace = GRACE;
    if (!json_object_is_type(o, json_type_object))
        return get_flag(r, "preemption", o, &c->preemption);
    c->preemption = true;
    if (check_table(r, "preemption", o, keys) < 0 ||
        get_duration(r, "preemption.grace", jsonutil_get(o, "grace"), &c->grace) < 0)
        return -1;
    return get_flag(r, "preemption.enabled", jsonutil_get(o, "enabled"), &c->preemption);
}

static int get_job_manager(const struct reading *r)
{
    static const char *const keys[] = {"inactive-age-limit", "inactive-num-limit", NULL};
    static const char table[] = "job-manager";
    struct config *c = r->c;
    json_object *o = jsonutil_get(c->json, table);
    c->inactive_num = -1;
    if (check_table(r, table, o, keys) < 0 ||
        get_duration(r, below(table, keys[0]).text, jsonutil_get(o, keys[0]),
                     &c->inactive_age) < 0)
        return -1;
    return get_limit(r, below(table, keys[1]).text, jsonutil_get(o, keys[1]),
                     &c->inactive_num);
}

/* --- all of it -------------------------------------------------------------------------------- */

static int read_all_tables(const struct reading *r)
{
    static const char *const keys[] = {
        "policy",      "queues",      "priority",    "banks",
        "preemption",  "job-manager", "queue-depth", "placement",
        "idle-return", "time-limit",  "property",    "verbose",
        "statedir",    "durability",  "attributes",  NULL};
    struct config *c = r->c;
    json_object *policy = jsonutil_get(c->json, "policy");
    const char *stray = jsonutil_stray_key(c->json, keys);
    static const struct config_limits none = {
        .max = {-1, -1, -1}, .min = {-1, -1, -1}, .max_jobs = -1, .max_running = -1};
    c->limits = none;
    if (stray)
        return bad(r, stray,
                   "there is no such setting; there are the tables policy, queues, "
                   "priority, banks, preemption and job-manager");
    if (get_scheduler(r, policy) < 0)
        return -1;
    if (!json_object_is_type(policy, json_type_string) &&
        (check_policy(r, "policy", policy, false) < 0 ||
         get_limits(r, "policy", policy, &c->limits) < 0 ||
         get_defaults(r, "policy", policy, &c->defaults) < 0))
        return -1;
    if (get_queues(r) < 0 || get_priority(r) < 0 || get_banks(r) < 0)
        return -1;
    return get_preemption(r) < 0 ? -1 : get_job_manager(r);
}

struct config *config_from_json(json_object *o, json_object *lines, struct error *err)
{
    struct config *c = xcalloc(1, sizeof(*c));
    struct reading r = {.c = c, .lines = lines, .err = err};
    c->json = json_object_get(o);
    if (read_all_tables(&r) == 0)
        return c;
    config_destroy(c);
    return NULL;
}

struct config *config_decode(const char *text, struct error *err)
{
    cleanup_json json_object *lines = json_object_new_object();
    cleanup_json json_object *o = conf_decode(text, lines, err);
    return o ? config_from_json(o, lines, err) : NULL;
}

void config_destroy(struct config *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->nqueues; i++)
        json_object_put(c->queues[i].constraint);
    free(c->queues);
    free(c->banks);
    json_object_put(c->json);
    free(c);
}

int config_queue_find(const struct config *c, const char *name)
{
    for (size_t i = 0; name && i < c->nqueues; i++)
        if (strcmp(c->queues[i].name, name) == 0)
            return (int)i;
    return -1;
}

int config_bank_find(const struct config *c, const char *name)
{
    for (size_t i = 0; name && i < c->nbanks; i++)
        if (strcmp(c->banks[i].name, name) == 0)
            return (int)i;
    return -1;
}

void config_merge(json_object *base, json_object *o)
{
    json_object_object_foreach(o, key, value)
    {
        json_object *there = jsonutil_get(base, key);
        if (json_object_is_type(there, json_type_object) &&
            json_object_is_type(value, json_type_object))
            config_merge(there, value);
        else
            json_object_object_add(base, key, json_object_get(value));
    }
}
