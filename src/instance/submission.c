/* SPDX-License-Identifier: BSD-3-Clause */
/* submission: what was submitted, in the least memory: a leader may have a million of them. */
#include "src/instance/forms.h"
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
        sub->spec = forms_take(ld->forms, o, err);
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

static json_object *decode_text(const struct text *t, struct error *err)
{
    cleanup_free char *text = text_get(t);
    json_object *o = jsonutil_decode(text, t->len, err);
    if (o)
        bulk_apply(o, -1);
    else
        error_prefix(err, "jobspec");
    return o;
}

struct jobspec *submission_decode(const struct text *text, struct error *err)
{
    cleanup_json json_object *o = decode_text(text, err);
    return o ? jobspec_from_json(o, err) : NULL;
}

struct jobspec *submission_form(struct forms *forms, const struct text *text,
                                struct error *err)
{
    cleanup_json json_object *o = decode_text(text, err);
    return o ? forms_take(forms, o, err) : NULL;
}
