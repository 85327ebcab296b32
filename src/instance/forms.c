/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/forms.h"

#include <stdint.h>
#include <string.h>
#include "src/common/util.h"
#include "src/job/bulk.h"
#include "src/job/jobspec.h"
#include "src/job/jsonutil.h"

enum { FORMS = 32 }; /* that are remembered */

struct form {
    uint64_t hash;
    char *key; /* its text, NULL: none is here */
    size_t len;
    struct jobspec *spec, *latest; /* the form's own; of the job that came last */
};

struct forms {
    struct form form[FORMS];
    unsigned next,
        last; /* where the next one comes, and the one that was asked for last */
};

struct forms *forms_create(void)
{
    return xcalloc(1, sizeof(struct forms));
}

static void drop(struct form *form)
{
    free(form->key);
    jobspec_destroy(form->spec);
    jobspec_destroy(form->latest);
    *form = (struct form){0};
}

void forms_destroy(struct forms *f)
{
    for (size_t i = 0; f && i < FORMS; i++)
        drop(&f->form[i]);
    free(f);
}

/* --- a form's JSON ------------------------------------------------------------------------ */

/* The task of a specification of one program that has a command; NULL: of another one, or of none. */
static json_object *task_of(json_object *spec)
{
    json_object *tasks = jsonutil_get(spec, "tasks");
    json_object *task = json_object_is_type(tasks, json_type_array) &&
                                json_object_array_length(tasks) == 1
                            ? json_object_array_get_idx(tasks, 0)
                            : NULL;
    json_object *command = jsonutil_get(task, "command");
    bool plain = json_object_is_type(command, json_type_array) &&
                 jsonutil_string(json_object_array_get_idx(command, 0)) &&
                 !jsonutil_at(spec, "attributes.system.shell.options.apps");
    return plain ? task : NULL;
}

/* What tells an instance from another program stays of a command, and nothing else. */
static json_object *command_of(json_object *command, bool instance)
{
    json_object *words = json_object_new_array_ext(2);
    for (size_t i = 0; instance && i < MIN(json_object_array_length(command), 2u); i++)
        json_object_array_add(words,
                              json_object_get(json_object_array_get_idx(command, i)));
    if (!instance)
        json_object_array_add(words, json_object_new_string("-"));
    return words;
}

static void drop_key(json_object *o, const char *key)
{
    if (json_object_is_type(o, json_type_object))
        json_object_object_del(o, key);
}

/* That there are dependencies stays of them. */
static json_object *some_dependency(void)
{
    json_object *list = json_object_new_array_ext(1), *o = json_object_new_object();
    json_object_object_add(o, "scheme", json_object_new_string("-"));
    json_object_object_add(o, "value", json_object_new_string(""));
    json_object_array_add(list, o);
    return list;
}

/* Take out of O, of one program, what its job has by itself. */
static void strip(json_object *o, json_object *task)
{
    static const char *const own[] = {"environment", "cwd", "duration"};
    json_object *attributes = jsonutil_get(o, "attributes");
    json_object *system = jsonutil_get(attributes, "system");
    bool instance = jobspec_json_is_instance(o);
    json_object_object_add(task, "command",
                           command_of(jsonutil_get(task, "command"), instance));
    for (size_t i = 0; i < ARRAY_SIZE(own); i++)
        drop_key(system, own[i]);
    drop_key(jsonutil_at(system, "shell.options"), "output");
    drop_key(jsonutil_get(system, "job"), "name");
    drop_key(attributes, "user");
    json_object *dependencies = jsonutil_get(system, "dependencies");
    if (json_object_is_type(dependencies, json_type_array) &&
        json_object_array_length(dependencies) > 0)
        json_object_object_add(system, "dependencies", some_dependency());
}

/* One form is often like the last one: what is equal is in memory once, and the rest takes no more room than it
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
        else if (json_object_is_type(value, json_type_array))
            json_object_array_shrink(value, 0);
    }
    /* with less room the copying would make the table grow again, which json-c forgets */
    lh_table_resize(json_object_get_object(o), json_object_object_length(o) * 8 / 5 + 2);
}

/* --- finding it --------------------------------------------------------------------------- */

static uint64_t hash(const char *text, size_t len)
{
    uint64_t h = 14695981039346656037U;
    for (size_t i = 0; i < len; i++)
        h = (h ^ (unsigned char)text[i]) * 1099511628211U;
    return h;
}

static struct form *find(struct forms *f, uint64_t h, const char *key, size_t len)
{
    for (unsigned i = 0; i < FORMS; i++) {
        struct form *form = &f->form[(f->last + i) % FORMS];
        if (form->key && form->hash == h && form->len == len &&
            memcmp(form->key, key, len) == 0) {
            f->last = (unsigned)(form - f->form);
            return form;
        }
    }
    return NULL;
}

static struct form *add(struct forms *f, uint64_t h, const char *key, size_t len,
                        json_object *o, struct error *err)
{
    const struct jobspec *like = f->form[f->last].spec;
    struct form *form = &f->form[f->next];
    share(o, like ? jobspec_json(like) : NULL);
    struct jobspec *spec = jobspec_from_json(o, err);
    if (!spec)
        return NULL;
    drop(form);
    *form = (struct form){.hash = h, .key = xstrndup(key, len), .len = len, .spec = spec};
    f->last = f->next;
    f->next = (f->next + 1) % FORMS;
    return form;
}

/* O is a form.  json-c keeps what it has written in the object that it was asked for: so that is another one. */
static struct form *get(struct forms *f, json_object *o, struct error *err)
{
    size_t len;
    cleanup_json json_object *list = json_object_new_array_ext(1);
    json_object_array_add(list, json_object_get(o));
    const char *key =
        json_object_to_json_string_length(list, JSON_C_TO_STRING_PLAIN, &len);
    uint64_t h = hash(key, len);
    struct form *form = find(f, h, key, len);
    return form ? form : add(f, h, key, len, o, err);
}

struct jobspec *forms_take(struct forms *f, json_object *o, struct error *err)
{
    json_object *task = task_of(o);
    if (!task)
        return jobspec_from_json(o, err);
    cleanup_free struct jobspec_own *own = jobspec_own_of(o);
    strip(o, task);
    struct form *form = get(f, o, err);
    if (!form)
        return NULL;
    if (!form->latest || !jobspec_has(form->latest, own)) {
        jobspec_destroy(form->latest);
        form->latest = jobspec_variant(form->spec, own);
    }
    return jobspec_ref(form->latest);
}
