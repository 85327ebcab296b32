/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 21's events as a table: where each may stand, what it must carry, what it does. */
#include "tests/unit/replay.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "src/common/util.h"
#include "src/job/eventlog.h"
#include "src/job/jsonutil.h"

enum kind { K_NONE, K_INT, K_NUMBER, K_STRING, K_BOOL, K_NAMES };

/* A key that the context must have; LOW..HIGH for integers. */
struct need {
    const char *key;
    enum kind kind;
    int64_t low, high;
};

typedef int (*apply_f)(struct job_replay *jr, double t, json_object *context,
                       struct error *err);

struct rule {
    const char *name;
    int states;    /* in which it may happen */
    apply_f apply; /* NULL: it changes nothing here */
    struct need needs[4];
};

static int get_int(json_object *context, const char *key)
{
    return json_object_get_int(jsonutil_get(context, key));
}

static void to_cleanup(struct job_replay *jr, double t)
{
    if (jr->state == JOB_CLEANUP)
        return;
    jr->state = JOB_CLEANUP;
    jr->t_cleanup = t;
}

static int on_submit(struct job_replay *jr, double t, json_object *context,
                     struct error *err)
{
    (void)err;
    jr->urgency = get_int(context, "urgency");
    jr->userid = (unsigned)json_object_get_int64(jsonutil_get(context, "userid"));
    jr->flags = (unsigned)json_object_get_int64(jsonutil_get(context, "flags"));
    jr->t_submit = jr->t_depend = t;
    jr->state = JOB_DEPEND;
    return 0;
}

static int on_invalidate(struct job_replay *jr, double t, json_object *context,
                         struct error *err)
{
    (void)context, (void)err;
    jr->t_inactive = t;
    jr->state = JOB_INACTIVE;
    return 0;
}

static int on_set_flags(struct job_replay *jr, double t, json_object *context,
                        struct error *err)
{
    (void)t;
    json_object *flags = jsonutil_get(context, "flags");
    for (size_t i = 0; i < json_object_array_length(flags); i++) {
        const char *name = jsonutil_string(json_object_array_get_idx(flags, i));
        if (strcmp(name, "debug") == 0)
            jr->flags |= JOB_DEBUG;
        else if (strcmp(name, "waitable") == 0)
            jr->flags |= JOB_WAITABLE;
        else
            return error_set(
                err, EINVAL,
                "event set-flags: \"%s\" is not a flag (known: debug, waitable)", name);
    }
    return 0;
}

static int on_dependency_add(struct job_replay *jr, double t, json_object *context,
                             struct error *err)
{
    (void)t, (void)context, (void)err;
    jr->ndependencies++;
    return 0;
}

static int on_dependency_remove(struct job_replay *jr, double t, json_object *context,
                                struct error *err)
{
    (void)t;
    if (jr->ndependencies == 0)
        return error_set(err, EINVAL,
                         "event dependency-remove: %s: the job has no dependency left",
                         jsonutil_show(jsonutil_get(context, "description")).text);
    jr->ndependencies--;
    return 0;
}

static int on_depend(struct job_replay *jr, double t, json_object *context,
                     struct error *err)
{
    (void)t, (void)context;
    if (jr->ndependencies > 0)
        return error_set(err, EINVAL,
                         "event depend: the job still has %d dependencies to wait for",
                         jr->ndependencies);
    jr->state = JOB_PRIORITY;
    return 0;
}

static int on_priority(struct job_replay *jr, double t, json_object *context,
                       struct error *err)
{
    (void)t, (void)err;
    jr->priority = (long)json_object_get_int64(jsonutil_get(context, "priority"));
    jr->state = JOB_SCHED;
    return 0;
}

/* What makes a waiting job's priority out of date. */
static int on_reconsider(struct job_replay *jr, double t, json_object *context,
                         struct error *err)
{
    (void)t, (void)context, (void)err;
    if (jr->state == JOB_SCHED)
        jr->state = JOB_PRIORITY;
    return 0;
}

static int on_urgency(struct job_replay *jr, double t, json_object *context,
                      struct error *err)
{
    jr->urgency = get_int(context, "urgency");
    return on_reconsider(jr, t, context, err);
}

static int on_jobspec_update(struct job_replay *jr, double t, json_object *context,
                             struct error *err)
{
    if (!context || json_object_object_length(context) == 0)
        return error_set(err, EINVAL,
                         "event jobspec-update: its context must have an entry");
    return on_reconsider(jr, t, context, err);
}

/* In CLEANUP when an exception came while the scheduler worked on the request. */
static int on_alloc(struct job_replay *jr, double t, json_object *context,
                    struct error *err)
{
    (void)context;
    if (jr->have_resources)
        return error_set(err, EINVAL, "event alloc: the job has its resources already");
    jr->have_resources = true;
    if (jr->state == JOB_SCHED) {
        jr->state = JOB_RUN;
        jr->t_run = t;
    }
    return 0;
}

static int need_resources(const struct job_replay *jr, const char *name,
                          struct error *err)
{
    if (!jr->have_resources)
        return error_set(err, EINVAL, "event %s: the job has no resources", name);
    return 0;
}

static int on_start(struct job_replay *jr, double t, json_object *context,
                    struct error *err)
{
    (void)t, (void)context;
    jr->started = true;
    return need_resources(jr, "start", err);
}

static int on_finish(struct job_replay *jr, double t, json_object *context,
                     struct error *err)
{
    if (jr->status != -1)
        return error_set(err, EINVAL, "event finish: the job has finished already");
    jr->status = get_int(context, "status");
    to_cleanup(jr, t);
    return need_resources(jr, "finish", err);
}

static int on_release(struct job_replay *jr, double t, json_object *context,
                      struct error *err)
{
    (void)t, (void)context;
    return need_resources(jr, "release", err);
}

static int on_free(struct job_replay *jr, double t, json_object *context,
                   struct error *err)
{
    (void)t, (void)context;
    if (need_resources(jr, "free", err) < 0)
        return -1;
    jr->have_resources = false;
    return 0;
}

static int on_clean(struct job_replay *jr, double t, json_object *context,
                    struct error *err)
{
    (void)context;
    if (jr->have_resources)
        return error_set(err, EINVAL, "event clean: the job's resources were not freed");
    jr->state = JOB_INACTIVE;
    jr->t_inactive = t;
    return 0;
}

/* Copy what fits, no UTF-8 sequence cut in two. */
static void copy_text(char *to, size_t size, const char *text)
{
    size_t len = strlen(text);
    if (len >= size) {
        len = size - 1;
        while (len > 0 && ((unsigned char)text[len] & 0xc0) == 0x80)
            len--;
    }
    memcpy(to, text, len);
    to[len] = '\0';
}

static int on_exception(struct job_replay *jr, double t, json_object *context,
                        struct error *err)
{
    (void)err;
    int severity = get_int(context, "severity");
    if (jr->exception_severity < 0 || severity < jr->exception_severity) {
        jr->exception_severity = severity;
        copy_text(jr->exception_type, sizeof(jr->exception_type),
                  jsonutil_string(jsonutil_get(context, "type")));
        copy_text(jr->exception_note, sizeof(jr->exception_note),
                  jsonutil_string(jsonutil_get(context, "note")));
    }
    if (severity > 0)
        return 0;
    if (!jr->exception)
        jr->interrupted = jr->status == -1;
    jr->exception = true;
    to_cleanup(jr, t);
    return 0;
}

/* clang-format off */
static const struct rule rules[] = {
    {"submit", JOB_NEW, on_submit,
     {{"urgency", K_INT, 0, 31}, {"userid", K_INT, 0, UINT_MAX}, {"flags", K_INT, 0, UINT_MAX},
      {"version", K_INT, 1, 1}}},
    {"validate", JOB_DEPEND, NULL, {{0}}},
    {"invalidate", JOB_DEPEND, on_invalidate, {{0}}},
    {"set-flags", JOB_ACTIVE, on_set_flags, {{"flags", K_NAMES, 0, 0}}},
    {"dependency-add", JOB_DEPEND, on_dependency_add, {{"description", K_STRING, 0, 0}}},
    {"dependency-remove", JOB_DEPEND | JOB_CLEANUP, on_dependency_remove,
     {{"description", K_STRING, 0, 0}}},
    {"depend", JOB_DEPEND, on_depend, {{0}}},
    {"priority", JOB_PRIORITY | JOB_SCHED, on_priority, {{"priority", K_INT, 0, UINT_MAX}}},
    {"urgency", JOB_ACTIVE, on_urgency,
     {{"urgency", K_INT, 0, 31}, {"userid", K_INT, 0, UINT_MAX}}},
    {"jobspec-update", JOB_PENDING | JOB_RUN, on_jobspec_update, {{0}}},
    {"resource-update", JOB_RUNNING, NULL, {{"expiration", K_NUMBER, 0, 0}}},
    {"flux-restart", JOB_ACTIVE, on_reconsider, {{0}}},
    {"restart", JOB_ACTIVE, on_reconsider, {{0}}},
    {"alloc", JOB_SCHED | JOB_CLEANUP, on_alloc, {{0}}},
    {"prolog-start", JOB_ACTIVE, NULL, {{"description", K_STRING, 0, 0}}},
    {"prolog-finish", JOB_ACTIVE, NULL,
     {{"description", K_STRING, 0, 0}, {"status", K_INT, INT_MIN, INT_MAX}}},
    {"epilog-start", JOB_ACTIVE, NULL, {{"description", K_STRING, 0, 0}}},
    {"epilog-finish", JOB_ACTIVE, NULL,
     {{"description", K_STRING, 0, 0}, {"status", K_INT, INT_MIN, INT_MAX}}},
    {"start", JOB_RUNNING, on_start, {{0}}},
    {"finish", JOB_RUNNING, on_finish, {{"status", K_INT, 0, INT_MAX}}},
    {"release", JOB_RUNNING, on_release,
     {{"ranks", K_STRING, 0, 0}, {"final", K_BOOL, 0, 0}}},
    {"free", JOB_CLEANUP, on_free, {{0}}},
    {"clean", JOB_CLEANUP, on_clean, {{0}}},
    {"exception", JOB_ACTIVE, on_exception,
     {{"type", K_STRING, 0, 0}, {"severity", K_INT, 0, 7}, {"note", K_STRING, 0, 0}}},
};
/* clang-format on */

static bool has_kind(json_object *value, const struct need *need)
{
    switch (need->kind) {
    case K_INT:
        return jsonutil_int(value, need->low, need->high, NULL);
    case K_NUMBER:
        return jsonutil_number(value, NULL);
    case K_STRING:
        return jsonutil_string(value) != NULL;
    case K_BOOL:
        return json_object_is_type(value, json_type_boolean);
    case K_NAMES:
        if (!json_object_is_type(value, json_type_array))
            return false;
        for (size_t i = 0; i < json_object_array_length(value); i++)
            if (!jsonutil_string(json_object_array_get_idx(value, i)))
                return false;
        return true;
    default:
        return false;
    }
}

static int check_need(const struct rule *rule, const struct need *need,
                      json_object *context, struct error *err)
{
    static const char *const kinds[] = {
        [K_NUMBER] = "a number",
        [K_STRING] = "a string",
        [K_BOOL] = "true or false",
        [K_NAMES] = "an array of strings",
    };
    json_object *value = jsonutil_get(context, need->key);
    if (has_kind(value, need))
        return 0;
    if (need->kind == K_INT)
        return error_set(err, EINVAL,
                         "event %s: %s must be an integer %jd to %jd, not %s", rule->name,
                         need->key, (intmax_t)need->low, (intmax_t)need->high,
                         jsonutil_show(value).text);
    return error_set(err, EINVAL, "event %s: %s must be %s, not %s", rule->name,
                     need->key, kinds[need->kind], jsonutil_show(value).text);
}

void job_replay_init(struct job_replay *jr)
{
    *jr = (struct job_replay){
        .state = JOB_NEW, .priority = -1, .exception_severity = -1, .status = -1};
}

int job_replay_event(struct job_replay *jr, json_object *event, struct error *err)
{
    double t;
    const char *name;
    json_object *context;
    if (event_parse(event, &t, &name, &context, err) < 0)
        return -1;
    const struct rule *rule = NULL;
    for (size_t i = 0; !rule && i < ARRAY_SIZE(rules); i++)
        if (strcmp(rules[i].name, name) == 0)
            rule = &rules[i];
    if (!rule)
        return 0;
    if (!(rule->states & (int)jr->state))
        return error_set(err, EINVAL, "event %s cannot happen to a job in state %s", name,
                         job_state_name(jr->state, false));
    for (size_t i = 0; i < ARRAY_SIZE(rule->needs) && rule->needs[i].kind; i++)
        if (check_need(rule, &rule->needs[i], context, err) < 0)
            return -1;
    if (!rule->apply)
        return 0;
    struct job_replay next = *jr;
    if (rule->apply(&next, t, context, err) < 0)
        return -1;
    *jr = next;
    return 0;
}

enum job_result job_replay_result(const struct job_replay *jr)
{
    if (jr->state != JOB_INACTIVE)
        return JOB_NO_RESULT;
    if (!jr->interrupted)
        return jr->status == 0 ? JOB_COMPLETED : JOB_FAILED;
    if (strcmp(jr->exception_type, "cancel") == 0)
        return JOB_CANCELED;
    if (strcmp(jr->exception_type, "timeout") == 0 ||
        strcmp(jr->exception_type, "timelimit") == 0)
        return JOB_TIMEOUT;
    return JOB_FAILED;
}
