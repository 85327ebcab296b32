/* SPDX-License-Identifier: BSD-3-Clause */
/* submission: what was submitted, in the least memory: a leader may have a million of them. */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "src/common/util.h"
#include "src/job/bulk.h"
#include "src/job/jsonutil.h"
#include "src/job/launch_options.h"

/* O as a text.  json-c keeps what it has written in the object that it was asked for, which lives as long as the job:
 * so that is another one. */
static struct text *intern(struct leader *ld, enum text_kind kind, json_object *o)
{
    size_t len;
    cleanup_json json_object *list = json_object_new_array_ext(1);
    json_object_array_add(list, json_object_get(o));
    const char *text = json_object_to_json_string_length(
        list, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    return specs_get(ld->specs, kind, text + 1, len - 2); /* without the brackets */
}

/* The environment that NAME stands for: that of a submission before, whose reply told the name. */
static struct text *named_environment(struct leader *ld, const char *name,
                                      struct error *err)
{
    struct text *t = specs_find(ld->specs, name);
    if (t && t->kind == TEXT_ENV)
        return specs_hold(ld->specs, t);
    cleanup_free char *text = store_env_get(ld->store, name, NULL);
    if (text)
        return specs_get(ld->specs, TEXT_ENV, text, strlen(text));
    return error_null(err, ENOENT,
                      "jobspec: attributes.system.environment: no job here has an "
                      "environment named '%s'",
                      name);
}

/* The environment is taken out of the jobspec and replaced by the name of its text. -1 with err set. */
static int extract_environment(struct leader *ld, json_object *o, struct text **env,
                               struct error *err)
{
    json_object *system = jsonutil_get(jsonutil_get(o, "attributes"), "system");
    json_object *value = jsonutil_get(system, "environment");
    *env = NULL;
    if (!value)
        return 0;
    if (json_object_is_type(value, json_type_string)) {
        *env = named_environment(ld, json_object_get_string(value), err);
        return *env ? 0 : -1;
    }
    *env = intern(ld, TEXT_ENV, value);
    json_object_object_add(system, "environment", json_object_new_string((*env)->name));
    return 0;
}

/* One specification is often like the last one: what is equal is in memory once, and the rest takes no more room than it
 * needs, of which json-c would keep more. */
static void share(json_object *o, json_object *like)
{
    json_object_object_foreach(o, key, value)
    {
        json_object *theirs = jsonutil_get(like, key);
        if (theirs && json_object_equal(theirs, value))
            json_object_object_add(o, key, json_object_get(theirs));
        else if (json_object_is_type(value, json_type_object))
            share(value, theirs);
    }
    lh_table_resize(json_object_get_object(o), json_object_object_length(o) * 3 / 2 + 1);
}

static json_object *task_of(json_object *spec)
{
    json_object *tasks = jsonutil_get(spec, "tasks");
    return json_object_is_type(tasks, json_type_array)
               ? json_object_array_get_idx(tasks, 0)
               : NULL;
}

/* What jobs differ in, and what only their executors read (of this instance): it is in the text.  Return the job's
 * name, or NULL: it has none of its own. */
static char *take_words(struct leader *ld, json_object *o)
{
    json_object *system = jsonutil_get(jsonutil_get(o, "attributes"), "system");
    json_object *options = jsonutil_get(jsonutil_get(system, "shell"), "options");
    json_object *job = jsonutil_get(system, "job");
    if (options)
        json_object_object_del(options, "output");
    const char *name = jsonutil_string(jsonutil_get(job, "name"));
    json_object *like =
        ld->latest_spec ? jobspec_attr(ld->latest_spec, "system.job.name") : NULL;
    char *own = name ? xstrdup(name) : NULL;
    if (own && like)
        json_object_object_add(job, "name", json_object_get(like));
    return own;
}

static void share_parts(struct leader *ld, json_object *o)
{
    json_object *like = ld->latest_spec ? jobspec_json(ld->latest_spec) : NULL;
    json_object *task = task_of(o), *tasks = jsonutil_get(o, "tasks");
    if (!json_object_is_type(task, json_type_object))
        return; /* which it is told next */
    share(o, like);
    if (jsonutil_get(o, "tasks") != tasks)
        return;
    share(task, task_of(like));
    json_object_array_shrink(tasks, 0);
    json_object *command = jsonutil_get(task, "command");
    if (json_object_is_type(command, json_type_array))
        json_object_array_shrink(command, 0);
}

/* All but what is said of the job in words: the command, and its name. */
static bool equal_but_for_words(const struct jobspec *a, const struct jobspec *b)
{
    static const char *const parts[] = {"attributes", "resources"}, *const keys[] = {
                                                                        "slot", "count"};
    json_object *x = jobspec_json(a), *y = jobspec_json(b);
    if (jobspec_programs(a) || jobspec_programs(b))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        if (jsonutil_get(x, parts[i]) != jsonutil_get(y, parts[i])) /* see share */
            return false;
    if (json_object_array_length(jsonutil_get(x, "tasks")) != 1 ||
        json_object_array_length(jsonutil_get(y, "tasks")) != 1)
        return false;
    x = task_of(x);
    y = task_of(y);
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (!json_object_equal(jsonutil_get(x, keys[i]), jsonutil_get(y, keys[i])))
            return false;
    return true;
}

/* Nobody here asks for a command's words: the executors have them from the text.  NAME: the job's, or NULL: as its
 * program. */
static struct jobspec *share_spec(struct leader *ld, struct jobspec *spec,
                                  const char *name)
{
    if (!spec)
        return NULL;
    if (name && strcmp(name, jobspec_name(spec)) != 0) {
        struct jobspec *named = jobspec_named(spec, name);
        jobspec_destroy(spec);
        spec = named;
    }
    struct jobspec *latest = ld->latest_spec;
    if (latest && equal_but_for_words(latest, spec)) {
        bool same = strcmp(jobspec_name(latest), jobspec_name(spec)) == 0;
        struct jobspec *shared =
            same ? jobspec_ref(latest) : jobspec_named(latest, jobspec_name(spec));
        jobspec_destroy(spec);
        spec = shared;
    }
    jobspec_destroy(latest);
    ld->latest_spec = jobspec_ref(spec);
    return spec;
}

/* Validated with its environment, rows and words in place, so that a mistake in them is found. */
static int validate(json_object *o, struct error *err)
{
    struct jobspec *whole = jobspec_from_json(o, err);
    int rc = whole ? launch_options_check(whole, err) : -1;
    jobspec_destroy(whole);
    return rc;
}

/* The array that O, of many jobs, is. */
static int take_rows(struct submission *sub, json_object *o, const char *cc,
                     struct error *err)
{
    size_t n = json_object_array_length(bulk_rows(o));
    if (cc)
        return error_set(
            err, EINVAL,
            "request: cc and attributes.system.bulk cannot be used together");
    if (n == 1) {
        bulk_apply(o, 0);
        return 0;
    }
    sub->flags |= JOB_BULK;
    sub->cc = xasprintf("0-%zu", n - 1);
    return 0;
}

struct submission *submission_make(struct leader *ld, json_object *o, const char *cc,
                                   struct error *err)
{
    if (validate(o, err) < 0)
        return NULL;
    struct submission *sub = xcalloc(1, sizeof(*sub));
    sub->refs = 1;
    sub->cc = cc ? xstrdup(cc) : NULL;
    if ((!bulk_rows(o) || take_rows(sub, o, cc, err) == 0) &&
        extract_environment(ld, o, &sub->env_text, err) == 0 &&
        queues_admit(ld->queues, o, err) == 0) {
        sub->jobspec_text = intern(ld, TEXT_JOBSPEC, o);
        bulk_apply(o, -1);
        cleanup_free char *name = take_words(ld, o);
        share_parts(ld, o);
        sub->spec = share_spec(ld, jobspec_from_json(o, err), name);
    }
    json_object *constraints = sub->spec ? jobspec_constraints(sub->spec) : NULL;
    if (constraints)
        sub->constraint = constraint_from_json(constraints, err);
    if (sub->spec && (!constraints || sub->constraint))
        return sub;
    specs_put(ld->specs, sub->jobspec_text);
    specs_put(ld->specs, sub->env_text);
    submission_drop(sub);
    return NULL;
}

struct jobspec *submission_decode(const char *text, size_t len, struct error *err)
{
    struct jobspec *spec = jobspec_decode(text, len, err);
    if (spec)
        bulk_apply(jobspec_json(spec), -1);
    return spec;
}
