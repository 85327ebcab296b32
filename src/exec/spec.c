/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/spec.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

struct envtab { /* one environment object, shared by specs */
    unsigned refs;
    json_object *json;
    struct envset *sets[2]; /* filtered: for plain jobs, for spawned ones */
};

/* A table from hash to spec or environment: a json-c hash table would want objects, so a plain
 * chained one. */
struct entry {
    struct entry *next;
    void *value;
    char hash[];
};

struct table {
    struct entry **buckets;
    size_t size, used;
};

struct specs {
    struct table specs, envs;
};

static size_t bucket(const struct table *t, const char *hash)
{
    size_t h = 1469598103934665603ULL;
    while (*hash)
        h = (h ^ (unsigned char)*hash++) * 1099511628211ULL;
    return h & (t->size - 1);
}

static struct entry **lookup(struct table *t, const char *hash)
{
    static struct entry *none;
    if (t->size == 0)
        return &none;
    struct entry **e = &t->buckets[bucket(t, hash)];
    while (*e && strcmp((*e)->hash, hash) != 0)
        e = &(*e)->next;
    return e;
}

static void grow(struct table *t)
{
    struct table bigger = {.size = t->size ? t->size * 2 : 64, .used = t->used};
    bigger.buckets = xcalloc(bigger.size, sizeof(*bigger.buckets));
    for (size_t i = 0; i < t->size; i++)
        for (struct entry *e = t->buckets[i], *next; e; e = next) {
            next = e->next;
            struct entry **to = &bigger.buckets[bucket(&bigger, e->hash)];
            e->next = *to;
            *to = e;
        }
    free(t->buckets);
    *t = bigger;
}

/* Put VALUE under HASH; the value that was there before, or NULL. */
static void *put(struct table *t, const char *hash, void *value)
{
    struct entry **e = lookup(t, hash);
    if (*e) {
        void *old = (*e)->value;
        (*e)->value = value;
        return old;
    }
    if (t->used >= t->size)
        grow(t);
    size_t len = strlen(hash) + 1;
    struct entry *n = xmalloc(sizeof(*n) + len);
    n->value = value;
    memcpy(n->hash, hash, len);
    struct entry **to = &t->buckets[bucket(t, hash)];
    n->next = *to;
    *to = n;
    t->used++;
    return NULL;
}

static void *drop(struct table *t, const char *hash)
{
    struct entry **e = lookup(t, hash);
    if (!*e)
        return NULL;
    struct entry *gone = *e;
    void *value = gone->value;
    *e = gone->next;
    t->used--;
    free(gone);
    return value;
}

static void envtab_put(struct envtab *env)
{
    if (!env || --env->refs > 0)
        return;
    envset_destroy(env->sets[0]);
    envset_destroy(env->sets[1]);
    json_object_put(env->json);
    free(env);
}

void spec_put(struct spec *spec)
{
    if (!spec || --spec->refs > 0)
        return;
    for (unsigned i = 0; i < spec->napps; i++) {
        struct app *app = &spec->apps[i];
        free(app->argv ? app->argv - 1 : NULL);
        free(app->path);
        if (app->own_env)
            envset_destroy(app->env);
    }
    free(spec->apps);
    if (spec->envtab)
        envtab_put(spec->envtab);
    else
        envset_destroy(spec->env);
    launch_options_fini(&spec->options);
    bulk_words_destroy(spec->bulk);
    jobspec_destroy(spec->js);
    free(spec);
}

struct specs *specs_create(void)
{
    return xcalloc(1, sizeof(struct specs));
}

static void clear(struct table *t, bool envs)
{
    for (size_t i = 0; i < t->size; i++)
        for (struct entry *e = t->buckets[i], *next; e; e = next) {
            next = e->next;
            if (envs)
                envtab_put(e->value);
            else
                spec_put(e->value);
            free(e);
        }
    free(t->buckets);
}

void specs_destroy(struct specs *specs)
{
    if (!specs)
        return;
    clear(&specs->specs, false);
    clear(&specs->envs, true);
    free(specs);
}

static void take_rows(struct spec *spec, json_object *js)
{
    json_object *rows = bulk_rows(js);
    if (!rows)
        return;
    spec->bulk = bulk_words_create(rows);
    bulk_apply(js, -1);
    for (uint64_t i = 0; i < bulk_words_count(spec->bulk); i++) {
        unsigned n;
        const char *word = bulk_words_row(spec->bulk, i, &n);
        for (; n > 0; n--, word += strlen(word) + 1)
            spec->bulk_templated |= template_scope(word) != TEMPLATE_NONE;
    }
}

int specs_add(struct specs *specs, const char *hash, json_object *js, struct error *err)
{
    struct jobspec *decoded = jobspec_from_json(js, err);
    if (!decoded)
        return -1;
    struct spec *spec = xcalloc(1, sizeof(*spec));
    spec->refs = 1;
    spec->js = decoded;
    take_rows(spec, js);
    spec_put(put(&specs->specs, hash, spec));
    return 0;
}

int specs_add_env(struct specs *specs, const char *hash, json_object *env,
                  struct error *err)
{
    if (!json_object_is_type(env, json_type_object))
        return error_set(err, EINVAL, "environment %s: %s is not an object", hash,
                         jsonutil_show(env).text);
    struct envtab *e = xcalloc(1, sizeof(*e));
    e->refs = 1;
    e->json = json_object_get(env);
    envtab_put(put(&specs->envs, hash, e));
    return 0;
}

void specs_forget(struct specs *specs, const char *hash)
{
    spec_put(drop(&specs->specs, hash));
    envtab_put(drop(&specs->envs, hash));
}

/* The words of COMMAND, with room for one more before them. */
static void take_words(struct app *app, json_object *command)
{
    app->argc = (unsigned)json_object_array_length(command);
    char **room = xcalloc(app->argc + 2u, sizeof(*room));
    app->argv = room + 1;
    for (unsigned i = 0; i < app->argc; i++) {
        const char *word = json_object_get_string(json_object_array_get_idx(command, i));
        app->argv[i] = (char *)(uintptr_t)word;
        app->templated |= template_scope(word) != TEMPLATE_NONE;
    }
}

static int compile_env(struct specs *specs, struct spec *spec, bool spawned,
                       struct error *err)
{
    const char *hash = jobspec_environment_hash(spec->js);
    if (!hash) {
        spec->env = envset_create(jobspec_environment(spec->js), NULL, spawned);
        return 0;
    }
    struct entry *e = *lookup(&specs->envs, hash);
    if (!e)
        return error_set(err, ENOENT, "environment %s was not sent to this node", hash);
    spec->envtab = e->value;
    spec->envtab->refs++;
    if (!spec->envtab->sets[spawned])
        spec->envtab->sets[spawned] = envset_create(spec->envtab->json, NULL, spawned);
    spec->env = spec->envtab->sets[spawned];
    return 0;
}

static void compile_apps(struct spec *spec, json_object *apps, bool spawned)
{
    json_object *env = spec->envtab ? spec->envtab->json : jobspec_environment(spec->js);
    size_t n = json_object_array_length(apps);
    spec->apps = xcalloc(n, sizeof(*spec->apps));
    for (size_t i = 0; i < n; i++) {
        struct app *app = &spec->apps[spec->napps++];
        json_object *o = json_object_array_get_idx(apps, i);
        json_object *overlay = jsonutil_get(o, "environment");
        int64_t ntasks = 0;
        take_words(app, jsonutil_get(o, "command"));
        jsonutil_int(jsonutil_get(o, "ntasks"), 1, UINT_MAX, &ntasks);
        app->ntasks = (unsigned)ntasks;
        app->cwd = jsonutil_string(jsonutil_get(o, "cwd"));
        if (!app->cwd)
            app->cwd = jobspec_cwd(spec->js);
        app->search = jsonutil_string(jsonutil_get(o, "path"));
        app->own_env = overlay != NULL;
        app->env = overlay ? envset_create(env, overlay, spawned) : spec->env;
        app->expand = jsonutil_get(o, "env-expand");
        if (!app->expand)
            app->expand = spec->options.env_expand;
    }
}

static int compile(struct specs *specs, struct spec *spec, bool spawned,
                   struct error *err)
{
    if (compile_env(specs, spec, spawned, err) < 0)
        return -1;
    if (launch_options_decode(spec->js, &spec->options, err) < 0) {
        launch_options_fini(&spec->options);
        if (spec->envtab)
            envtab_put(take(spec->envtab));
        else
            envset_destroy(spec->env);
        spec->env = NULL;
        return -1;
    }
    json_object *apps = jobspec_programs(spec->js);
    if (apps) {
        compile_apps(spec, apps, spawned);
    } else {
        spec->apps = xcalloc(1, sizeof(*spec->apps));
        spec->napps = 1;
        take_words(spec->apps, jobspec_command(spec->js));
        spec->apps->cwd = jobspec_cwd(spec->js);
        spec->apps->env = spec->env;
        spec->apps->expand = spec->options.env_expand;
    }
    spec->compiled = true;
    return 0;
}

struct spec *specs_get(struct specs *specs, const char *hash, bool spawned,
                       struct error *err)
{
    struct entry *e = *lookup(&specs->specs, hash);
    if (!e)
        return error_null(err, ENOENT, "jobspec %s was not sent to this node", hash);
    struct spec *spec = e->value;
    if (!spec->compiled && compile(specs, spec, spawned, err) < 0)
        return NULL;
    spec->refs++;
    return spec;
}

/* Is PATH (relative to CWD) a program? 0 or an errno value. */
static int try_path(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return errno;
    if (S_ISDIR(st.st_mode) || !S_ISREG(st.st_mode))
        return EACCES;
    return access(path, X_OK) < 0 ? errno : 0;
}

/* NAME was not found, maybe as it is something for a shell. */
static const char *not_found(const char *name, const char *path, struct error *err)
{
    static const char *const shells[] = {"alias",  "cd",    "eval",   "exec",   "export",
                                         "module", "set",   "source", "ulimit", "umask",
                                         "unset",  "while", "for",    "if"};
    for (size_t i = 0; i < ARRAY_SIZE(shells); i++)
        if (strcmp(name, shells[i]) == 0)
            return error_null(err, ENOENT,
                              "%s: command not found: it is a word of shells: say sh -c "
                              "'%s ...'",
                              name, name);
    if (name[strcspn(name, " \t;|&<>$`")])
        return error_null(err, ENOENT,
                          "%s: command not found: a command is a program and its words; "
                          "for a line of the shell say sh -c '...'",
                          name);
    return error_null(err, ENOENT, "%s: command not found along PATH=%s", name, path);
}

const char *app_find(struct app *app, const char *name, const char *cwd,
                     struct error *err)
{
    const char *at = cwd ? cwd : "/";
    free(app->path);
    app->path = NULL;
    if (!*name)
        return error_null(err, ENOENT, "the command is an empty word");
    if (strchr(name, '/')) { /* left to execve, which knows best */
        app->path = name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s", at, name);
        if (strchr(name, ' ') && access(app->path, F_OK) < 0)
            return not_found(name, "", err);
        return app->path;
    }
    const char *path = envset_get(app->env, "PATH");
    if (!path)
        path = "/usr/local/bin:/usr/bin:/bin";
    cleanup_free char *both = app->search ? xasprintf("%s:%s", app->search, path) : NULL;
    if (both)
        path = both;
    int why = ENOENT;
    for (const char *p = path;; p++) {
        size_t len = strcspn(p, ":");
        cleanup_free char *full =
            *p == '/' ? xasprintf("%.*s/%s", (int)len, p, name)
                      : xasprintf("%s/%.*s%s%s", at, (int)len, p, len ? "/" : "", name);
        int rc = try_path(full);
        if (rc == 0)
            return app->path = take(full);
        if (rc == EACCES)
            why = EACCES;
        p += len;
        if (!*p)
            break;
    }
    if (why == EACCES)
        return error_null(err, EACCES, "%s: %s", name, strerror(EACCES));
    return not_found(name, path, err);
}
