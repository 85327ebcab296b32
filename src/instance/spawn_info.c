/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/spawn_info.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "src/common/duration.h"
#include "src/common/hostlist.h"
#include "src/common/util.h"
#include "src/job/constraint.h"
#include "src/job/count.h"
#include "src/job/jsonutil.h"

struct target { /* where a key's value goes */
    struct spawn_info *s;
    struct spawn_program *p; /* NULL: of the whole request */
    unsigned maxprocs;
};

/* --- numbers of tasks -------------------------------------------------------------------------- */

static bool number(const char **p, unsigned *n)
{
    char *end;
    errno = 0;
    unsigned long v = isdigit((unsigned char)**p) ? strtoul(*p, &end, 10) : ULONG_MAX;
    if (v > INT_MAX || errno)
        return false;
    *p = end;
    *n = (unsigned)v;
    return true;
}

/* One "a", "a:b" or "a:b:c" of MPI's list. */
static bool add_triplet(const char **p, unsigned maxprocs, hwloc_bitmap_t set)
{
    unsigned first, last, step = 1;
    if (!number(p, &first))
        return false;
    last = first;
    if (**p == ':' && (++*p, !number(p, &last)))
        return false;
    if (**p == ':' && (++*p, !number(p, &step) || step == 0))
        return false;
    for (uint64_t i = first; i <= MIN(last, maxprocs); i += step)
        if (i > 0)
            hwloc_bitmap_set(set, (unsigned)i);
    return true;
}

static bool add_count(const char *text, unsigned maxprocs, hwloc_bitmap_t set,
                      struct error *err)
{
    struct count c;
    if (count_decode(text, &c, err) < 0)
        return false;
    for (unsigned n = count_first(&c); n && n <= maxprocs; n = count_next(&c, n))
        hwloc_bitmap_set(set, n);
    count_clear(&c);
    return true;
}

hwloc_bitmap_t spawn_soft_decode(const char *text, unsigned maxprocs, struct error *err)
{
    cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_alloc();
    if (strpbrk(text, "-+[*^")) {
        if (!add_count(text, maxprocs, set, err))
            return NULL;
    } else {
        const char *p = text;
        bool good = add_triplet(&p, maxprocs, set);
        while (good && *p == ',') {
            p++;
            good = add_triplet(&p, maxprocs, set);
        }
        if (!good || *p)
            return error_null(err, EINVAL,
                              "must be numbers or ranges FIRST:LAST[:STEP], separated by "
                              "commas, as in 1:8");
    }
    if (hwloc_bitmap_iszero(set))
        return error_null(err, EINVAL, "leaves no number of tasks from 1 to %u",
                          maxprocs);
    return take(set);
}

/* --- single keys ----------------------------------------------------------------------------- */

static int set_unsigned(unsigned *where, const char *text, unsigned least,
                        struct error *err)
{
    unsigned n;
    const char *p = text;
    if (!number(&p, &n) || *p || n < least)
        return error_set(err, EINVAL, "must be a%s whole number",
                         least ? " positive" : "");
    *where = n;
    return 0;
}

static int set_text(json_object **where, const char *text)
{
    json_object_put(*where);
    *where = json_object_new_string(text);
    return 0;
}

static int set_nodes(const struct target *t, const char *text, struct error *err)
{
    return set_unsigned(&t->s->nodes, text, 1, err);
}

static int set_cores(const struct target *t, const char *text, struct error *err)
{
    return set_unsigned(&t->s->cores, text, 1, err);
}

static int set_gpus(const struct target *t, const char *text, struct error *err)
{
    return set_unsigned(&t->s->gpus, text, 0, err);
}

static int set_exclusive(const struct target *t, const char *text, struct error *err)
{
    static const char *const yes[] = {"true", "yes", "1"}, *const no[] = {"false", "no",
                                                                          "0"};
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
        if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
            t->s->exclusive = strcmp(text, yes[i]) == 0;
            return 0;
        }
    return error_set(err, EINVAL, "must be true or false");
}

static int check_duration(const char *text, double *seconds, struct error *err)
{
    if (duration_decode(text, seconds, err) < 0)
        return -1;
    if (isinf(*seconds))
        *seconds = 0;
    return 0;
}

static int set_time_limit(const struct target *t, const char *text, struct error *err)
{
    return check_duration(text, &t->s->time_limit, err);
}

/* The executor of the asking task watches the time (pmi/pmixd_spawn.c). */
static int set_timeout(const struct target *t, const char *text, struct error *err)
{
    double ignored;
    (void)t;
    return check_duration(text, &ignored, err);
}

static int set_urgency(const struct target *t, const char *text, struct error *err)
{
    unsigned n = 0;
    if (set_unsigned(&n, text, 0, err) < 0 || n > 31)
        return error_set(err, EINVAL, "must be a number from 0 to 31");
    t->s->urgency = (int)n;
    return 0;
}

static int set_name(const struct target *t, const char *text, struct error *err)
{
    (void)err;
    return set_text(&t->s->name, text);
}

static int set_output(const struct target *t, const char *text, struct error *err)
{
    (void)err;
    return set_text(&t->s->output, text);
}

static int set_error(const struct target *t, const char *text, struct error *err)
{
    (void)err;
    return set_text(&t->s->error, text);
}

static int set_requires(const struct target *t, const char *text, struct error *err)
{
    json_object *o = constraint_parse(text, err);
    if (!o)
        return -1;
    json_object_put(t->s->requires);
    t->s->requires = o;
    return 0;
}

static int set_hosts(const struct target *t, const char *text, struct error *err)
{
    struct hostlist *list = hostlist_decode(text, err);
    if (!list)
        return -1;
    if (!t->s->hosts)
        t->s->hosts = json_object_new_array();
    for (size_t i = 0; i < hostlist_count(list); i++)
        json_object_array_add(t->s->hosts, json_object_new_string(hostlist_nth(list, i)));
    hostlist_destroy(list);
    return 0;
}

/* PMIx's "N:OBJECT": only nodes matter here. */
static int set_ppr(const struct target *t, const char *text, struct error *err)
{
    unsigned n;
    const char *p = text;
    if (!number(&p, &n) || *p != ':' || n == 0)
        return error_set(err, EINVAL, "must be N:OBJECT");
    if (strcmp(p, ":n") == 0 || strcmp(p, ":node") == 0)
        t->s->per_node = n;
    return 0;
}

static int set_path(const struct target *t, const char *text, struct error *err)
{
    (void)err;
    return t->p ? set_text(&t->p->path, text) : 0;
}

static int set_soft(const struct target *t, const char *text, struct error *err)
{
    if (!t->p)
        return 0;
    hwloc_bitmap_t set = spawn_soft_decode(text, t->maxprocs, err);
    if (!set)
        return -1;
    hwloc_bitmap_free(t->p->soft);
    t->p->soft = set;
    return 0;
}

struct key {
    const char *name;
    int (*set)(const struct target *t, const char *text, struct error *err);
};

/* Ours: as keys with "hbatch_" before them, as variables in capitals with SPAWN_PREFIX. */
static const struct key ours[] = {
    {"nodes", set_nodes},
    {"cores", set_cores},
    {"gpus", set_gpus},
    {"exclusive", set_exclusive},
    {"time_limit", set_time_limit},
    {"timeout", set_timeout},
    {"job_name", set_name},
    {"urgency", set_urgency},
    {"requires", set_requires},
    {"output", set_output},
    {"error", set_error},
    {NULL, NULL},
};

/* Keys of the MPI standard, which may come as variables as well, and names that PMIx gives them. */
static const struct key standard[] = {
    {"soft", set_soft}, {"path", set_path}, {"host", set_hosts}, {NULL, NULL}};
static const struct key pmix[] = {
    {"pmix.host", set_hosts}, {"pmix.ppr", set_ppr}, {NULL, NULL}};

static const struct key *find(const struct key *keys, const char *name)
{
    while (keys->name && strcmp(keys->name, name) != 0)
        keys++;
    return keys->name ? keys : NULL;
}

static int apply(const struct target *t, const struct key *key, const char *shown,
                 json_object *value, struct error *err)
{
    const char *text = jsonutil_string(value);
    if (!text || !*text)
        return error_set(err, EINVAL, "%s: needs a value", shown);
    if (key->set(t, text, err) < 0)
        return error_prefix(err, "%s=%s", shown, text);
    return 0;
}

static int unknown(const char *shown, struct error *err)
{
    return error_set(err, EINVAL,
                     "there is no key %s; hbatch-spawn(7) tells which "
                     "there are",
                     shown);
}

static int add_variable(const struct target *t, const char *name, json_object *value,
                        struct error *err)
{
    char key[32] = "";
    for (size_t i = 0; name[i] && i < sizeof(key) - 1; i++)
        key[i] = (char)tolower((unsigned char)name[i]);
    const struct key *k = find(ours, key);
    if (!k)
        k = find(standard, key);
    cleanup_free char *shown = xasprintf(SPAWN_PREFIX "%s", name);
    return k ? apply(t, k, shown, value, err) : unknown(shown, err);
}

int spawn_info_add(struct spawn_info *s, struct spawn_program *p, json_object *info,
                   json_object *env, unsigned maxprocs, struct error *err)
{
    static const char prefix[] = "hbatch_";
    const struct target t = {.s = s, .p = p, .maxprocs = maxprocs};
    cleanup_json json_object *none = json_object_new_object(),
                             *gone = json_object_new_array();
    json_object_object_foreach(info ? info : none, name, value)
    {
        bool is_ours = strncmp(name, prefix, sizeof(prefix) - 1) == 0;
        const struct key *k = is_ours ? find(ours, name + sizeof(prefix) - 1)
                              : find(standard, name) ? find(standard, name)
                                                     : find(pmix, name);
        if (is_ours && !k)
            return unknown(name, err);
        if (k && apply(&t, k, name, value, err) < 0)
            return -1;
    }
    json_object_object_foreach(env ? env : none, variable, text)
    {
        if (strncmp(variable, SPAWN_PREFIX, sizeof(SPAWN_PREFIX) - 1) != 0)
            continue;
        json_object_array_add(gone, json_object_new_string(variable));
        if (add_variable(&t, variable + sizeof(SPAWN_PREFIX) - 1, text, err) < 0)
            return -1;
    }
    for (size_t i = 0; i < json_object_array_length(gone); i++)
        json_object_object_del(
            env, json_object_get_string(json_object_array_get_idx(gone, i)));
    return 0;
}

void spawn_info_fini(struct spawn_info *s)
{
    json_object *const all[] = {s->name, s->output, s->error, s->requires, s->hosts};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        json_object_put(all[i]);
}

void spawn_program_fini(struct spawn_program *p)
{
    json_object_put(p->path);
    hwloc_bitmap_free(p->soft);
}
