/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include "src/cli/cli.h"
#include "src/cli/jobfields.h"
#include "src/common/bytes.h"
#include "src/common/jobid.h"
#include "src/common/strbuf.h"
#include "src/job/state.h"

#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* --- what follows from a job's keys ------------------------------------------------------ */

static const char *str(const struct jobitem *it, const char *key)
{
    return cli_get_string(it->job, key, "");
}

static double num(const struct jobitem *it, const char *key)
{
    return cli_get_number(it->job, key, 0);
}

static bool is_state(const struct jobitem *it, const char *state)
{
    return strcmp(str(it, "state"), state) == 0;
}

/* The state, or once it is over, the result. */
static const char *status_name(const struct jobitem *it, bool single)
{
    bool over = is_state(it, "INACTIVE") && cli_get(it->job, "result");
    const char *name = str(it, over ? "result" : "state");
    int mask = over ? job_result_decode(name) : job_state_decode(name);
    if (!single || !mask)
        return name;
    return over ? job_result_name((enum job_result)mask, true)
                : job_state_name((enum job_state)mask, true);
}

static double runtime(const struct jobitem *it)
{
    double begin = num(it, "t_run"), end = num(it, "t_cleanup");
    if (begin <= 0)
        return 0;
    return MAX((end > 0 ? end : it->now) - begin, 0.0);
}

static bool is_pending(const struct jobitem *it)
{
    return job_state_decode(str(it, "state")) & JOB_PENDING;
}

static bool return_code(const struct jobitem *it, int *code)
{
    json_object *status = cli_get(it->job, "status");
    int result = job_result_decode(str(it, "result"));
    if (!is_state(it, "INACTIVE"))
        return false;
    if (!status || json_object_get_int(status) < 0) {
        *code = result == JOB_CANCELED ? -128 : 1;
        return result == JOB_CANCELED || result == JOB_FAILED;
    }
    int s = json_object_get_int(status);
    *code = WIFSIGNALED(s) ? -WTERMSIG(s) : WEXITSTATUS(s);
    return true;
}

/* --- getters ----------------------------------------------------------------------------- */

static void set_text(struct format_value *v, const char *text)
{
    v->type = FORMAT_TEXT;
    v->text = text;
}

static void set_int(struct format_value *v, long long i)
{
    v->type = FORMAT_INT;
    v->i = i;
}

static void set_number(struct format_value *v, double x)
{
    v->type = FORMAT_NUMBER;
    v->number = x;
}

static void get_key(const void *item, const struct format_field *f,
                    struct format_value *v)
{
    const struct jobitem *it = item;
    json_object *o = cli_get(it->job, f->arg ? f->arg : f->name);
    if (json_object_is_type(o, json_type_int))
        set_int(v, json_object_get_int64(o));
    else if (json_object_is_type(o, json_type_double))
        set_number(v, json_object_get_double(o));
    else if (o)
        set_text(v, json_object_get_string(o));
}

static void get_memory(const void *item, const struct format_field *f,
                       struct format_value *v)
{
    const struct jobitem *it = item;
    json_object *o = cli_get(it->job, f->name);
    if (!o)
        return;
    snprintf(v->buf, sizeof(v->buf), "%s",
             bytes_encode((uint64_t)json_object_get_int64(o)).s);
    set_text(v, v->buf);
}

/* Times are 0 while they are unknown. */
static void get_time(const void *item, const struct format_field *f,
                     struct format_value *v)
{
    const struct jobitem *it = item;
    set_number(v, num(it, f->arg));
}

/* ID_[5-1000]: what waits of an array, whose id is that of its first element. */
static void add_indices(struct format_value *v, const char *ccs)
{
    enum { MOST = 30 }; /* characters */
    size_t len = strlen(ccs);
    if (len > MOST)
        for (len = MOST; len > 0 && ccs[len] != ',';)
            len--;
    v->made = xasprintf("%s_[%.*s%s]", v->text, (int)len, ccs,
                        !ccs[len] ? ""
                        : len     ? ",..."
                                  : "...");
    set_text(v, v->made);
}

static void get_id(const void *item, const struct format_field *f, struct format_value *v)
{
    const struct jobitem *it = item;
    const char *ccs = cli_get_string(it->job, "ccs", NULL);
    jobid_t id = json_object_get_uint64(cli_get(it->job, ccs ? "array" : "id"));
    int form = f->arg ? jobid_form_decode(f->arg) : JOBID_F58;
    if (form == JOBID_F58 && it->ascii)
        form = JOBID_F58_PLAIN;
    set_text(v, jobid_encode(id, (enum jobid_form)form, v->buf, sizeof(v->buf)));
    if (ccs)
        add_indices(v, ccs);
}

/* Of what waits of an array, the indices. */
static void get_cc(const void *item, const struct format_field *f, struct format_value *v)
{
    const struct jobitem *it = item;
    json_object *ccs = cli_get(it->job, "ccs");
    if (ccs)
        set_text(v, json_object_get_string(ccs));
    else
        get_key(item, f, v);
}

/* How many jobs the line stands for. */
static void get_count(const void *item, const struct format_field *f,
                      struct format_value *v)
{
    const struct jobitem *it = item;
    (void)f;
    set_int(v, (long long)cli_get_number(it->job, "count", 1));
}

static void get_array(const void *item, const struct format_field *f,
                      struct format_value *v)
{
    const struct jobitem *it = item;
    json_object *id = cli_get(it->job, f->name);
    if (id)
        set_text(v, jobid_encode(json_object_get_uint64(id),
                                 it->ascii ? JOBID_F58_PLAIN : JOBID_F58, v->buf,
                                 sizeof(v->buf)));
}

static void get_state_single(const void *item, const struct format_field *f,
                             struct format_value *v)
{
    const struct jobitem *it = item;
    int state = job_state_decode(str(it, "state"));
    (void)f;
    set_text(v, state ? job_state_name((enum job_state)state, true) : "");
}

static void get_result_abbrev(const void *item, const struct format_field *f,
                              struct format_value *v)
{
    const struct jobitem *it = item;
    int result = job_result_decode(str(it, "result"));
    (void)f;
    set_text(v, result ? job_result_name((enum job_result)result, true) : "");
}

static void get_status(const void *item, const struct format_field *f,
                       struct format_value *v)
{
    set_text(v, status_name(item, f->arg != NULL));
}

static void get_runtime(const void *item, const struct format_field *f,
                        struct format_value *v)
{
    (void)f;
    set_number(v, runtime(item));
}

static void get_remaining(const void *item, const struct format_field *f,
                          struct format_value *v)
{
    const struct jobitem *it = item;
    double left = num(it, "expiration") - it->now;
    (void)f;
    set_number(v, is_state(it, "RUN") && left > 0 ? left : 0);
}

static void get_contextual_time(const void *item, const struct format_field *f,
                                struct format_value *v)
{
    const struct jobitem *it = item;
    (void)f;
    set_number(v, is_pending(it) ? num(it, "duration") : runtime(it));
}

/* --- instances: what they told their parent ----------------------------------------------- */

static json_object *inside_stats(const struct jobitem *it)
{
    return cli_get(cli_get(it->job, "memo"), "stats");
}

static long long inside_count(json_object *stats, const char *key)
{
    return (long long)cli_get_number(stats, key, 0);
}

static void get_inside(const void *item, const struct format_field *f,
                       struct format_value *v)
{
    json_object *o = inside_stats(item);
    (void)f;
    if (!o)
        return;
    set_text(v, v->buf);
    snprintf(v->buf, sizeof(v->buf), "PD:%lld R:%lld CD:%lld F:%lld",
             inside_count(o, "pending"), inside_count(o, "running"),
             inside_count(o, "completed"),
             inside_count(o, "failed") + inside_count(o, "canceled") +
                 inside_count(o, "timeout"));
}

static void get_inside_stat(const void *item, const struct format_field *f,
                            struct format_value *v)
{
    json_object *o = inside_stats(item);
    if (o)
        set_int(v, inside_count(o, f->arg));
}

static long long inside_total(json_object *stats)
{
    return inside_count(stats, "pending") + inside_count(stats, "running") +
           inside_count(stats, "inactive");
}

static void get_inside_total(const void *item, const struct format_field *f,
                             struct format_value *v)
{
    json_object *o = inside_stats(item);
    (void)f;
    if (o)
        set_int(v, inside_total(o));
}

static void get_inside_progress(const void *item, const struct format_field *f,
                                struct format_value *v)
{
    json_object *o = inside_stats(item);
    (void)f;
    if (inside_total(o) > 0)
        set_number(v, (double)inside_count(o, "inactive") / (double)inside_total(o));
}

static void get_inside_share(const void *item, const struct format_field *f,
                             struct format_value *v)
{
    json_object *resources = cli_get(inside_stats(item), "resources");
    double all = cli_get_number(cli_get(resources, "all"), f->arg, 0);
    if (all > 0)
        set_number(v, cli_get_number(cli_get(resources, "allocated"), f->arg, 0) / all);
}

/* The field's name is instance.resources.STATE.KEY. */
static void get_inside_resource(const void *item, const struct format_field *f,
                                struct format_value *v)
{
    json_object *resources = cli_get(inside_stats(item), "resources");
    const char *state = f->name + strlen("instance.resources."),
               *key = strchr(state, '.') + 1;
    cleanup_free char *name = xstrndup(state, (size_t)(key - state - 1));
    if (!resources)
        return;
    if (strcmp(name, "down") == 0)
        set_int(v, inside_count(cli_get(resources, "all"), key) -
                       inside_count(cli_get(resources, "up"), key));
    else
        set_int(v, inside_count(cli_get(resources, name), key));
}

static void get_contextual_info(const void *item, const struct format_field *f,
                                struct format_value *v)
{
    const struct jobitem *it = item;
    (void)f;
    if (is_state(it, "PRIORITY"))
        set_text(v, "priority-wait");
    else if (is_state(it, "DEPEND"))
        set_text(v, cli_get_string(it->job, "reason", "depends"));
    else if (is_state(it, "SCHED"))
        set_text(v, num(it, "urgency") == 0 && cli_get(it->job, "urgency")
                        ? "held"
                        : str(it, "reason"));
    else if (inside_stats(it) && is_state(it, "RUN")) {
        struct format_value inside = {0};
        get_inside(it, NULL, &inside);
        set_text(v, v->buf);
        snprintf(v->buf, sizeof(v->buf), "%.80s  %s", str(it, "nodelist"), inside.text);
    } else if (*str(it, "nodelist"))
        set_text(v, str(it, "nodelist"));
    else /* it never ran */
        set_text(v, cli_get_string(cli_get(it->job, "exception"), "note", ""));
}

static void get_return_code(const void *item, const struct format_field *f,
                            struct format_value *v)
{
    int code;
    (void)f;
    if (return_code(item, &code))
        set_int(v, code);
}

static void get_success(const void *item, const struct format_field *f,
                        struct format_value *v)
{
    const struct jobitem *it = item;
    (void)f;
    if (is_state(it, "INACTIVE"))
        set_text(v, strcmp(str(it, "result"), "COMPLETED") == 0 ? "True" : "False");
}

/* A face for a state or result; where the terminal has none, what Flux shows in its place. */
static const struct {
    int state, result;
    const char *emoji, *plain;
} faces[] = {
    {JOB_NEW, 0, "\U0001f381", "N"},       {JOB_DEPEND, 0, "\U0001f6d1", "D"},
    {JOB_PRIORITY, 0, "\U0001f6a6", "P"},  {JOB_SCHED, 0, "\U0001f4c5", "S"},
    {JOB_RUN, 0, "\U0001f3c3", "R"},       {JOB_CLEANUP, 0, "\U0001f5d1", "C"},
    {JOB_INACTIVE, 0, "\U0001f480", "I"},  {0, JOB_COMPLETED, "\U0001f600", ":-)"},
    {0, JOB_FAILED, "\U0001f4a9", ":'-("}, {0, JOB_CANCELED, "\U0001f4a5", "%-|"},
    {0, JOB_TIMEOUT, "\u231b", "(-_-)"},
};

/* arg: "state", "result", or "status", which is the one or the other. */
static void get_emoji(const void *item, const struct format_field *f,
                      struct format_value *v)
{
    const struct jobitem *it = item;
    int state = job_state_decode(str(it, "state")),
        result = job_result_decode(str(it, "result"));
    bool by_result = strcmp(f->arg, "result") == 0 ||
                     (strcmp(f->arg, "status") == 0 && state == JOB_INACTIVE);
    for (size_t i = 0; i < ARRAY_SIZE(faces); i++)
        if (by_result ? faces[i].result && faces[i].result == result
                      : faces[i].state && faces[i].state == state)
            set_text(v, it->ascii ? faces[i].plain : faces[i].emoji);
}

static void get_dependencies(const void *item, const struct format_field *f,
                             struct format_value *v)
{
    (void)f;
    if (is_state(item, "DEPEND"))
        set_text(v, str(item, "reason"));
}

/* --- annotations: what Flux's scheduler and users tell there -------------------------------- */

static json_object *annotations(const struct jobitem *it)
{
    json_object *o = json_object_new_object(), *memo = cli_get(it->job, "memo");
    if (is_state(it, "SCHED") && *str(it, "reason")) {
        json_object *sched = json_object_new_object();
        json_object_object_add(sched, "reason_pending",
                               json_object_new_string(str(it, "reason")));
        json_object_object_add(o, "sched", sched);
    }
    if (json_object_is_type(memo, json_type_object) && json_object_object_length(memo))
        json_object_object_add(o, "user", json_object_get(memo));
    return o;
}

/* What the words of PATH lead to, one object after the other, or NULL. */
static json_object *descend(json_object *o, const char *path)
{
    while (o && *path) {
        size_t len = strcspn(path, ".");
        cleanup_free char *word = xstrndup(path, len);
        o = cli_get(o, word);
        path += len + (path[len] == '.');
    }
    return o;
}

/* The field's name is [annotations.]sched..., [annotations.]user..., or annotations. */
static void get_annotation(const void *item, const struct format_field *f,
                           struct format_value *v)
{
    static const char first[] = "annotations";
    const char *path = f->name;
    if (strncmp(path, first, strlen(first)) == 0)
        path += strlen(first) + (path[strlen(first)] == '.');
    cleanup_json json_object *all = annotations(item);
    json_object *o = descend(all, path);
    if (json_object_is_type(o, json_type_int)) {
        set_int(v, json_object_get_int64(o));
    } else if (json_object_is_type(o, json_type_double)) {
        set_number(v, json_object_get_double(o));
    } else if (o && !(o == all && json_object_object_length(all) == 0)) {
        v->made = xstrdup(json_object_is_type(o, json_type_string)
                              ? json_object_get_string(o)
                              : json_object_to_json_string_ext(o, PLAIN));
        set_text(v, v->made);
    }
}

static void get_exception(const void *item, const struct format_field *f,
                          struct format_value *v)
{
    const struct jobitem *it = item;
    json_object *e = cli_get(it->job, "exception"), *o = e ? cli_get(e, f->arg) : NULL;
    if (strcmp(f->arg, "occurred") == 0)
        set_text(v, e ? "True" : is_state(it, "INACTIVE") ? "False" : "");
    else if (json_object_is_type(o, json_type_int))
        set_int(v, json_object_get_int64(o));
    else if (o)
        set_text(v, json_object_get_string(o));
}

static void get_inactive_reason(const void *item, const struct format_field *f,
                                struct format_value *v)
{
    const struct jobitem *it = item;
    json_object *e = cli_get(it->job, "exception");
    const char *type = cli_get_string(e, "type", ""),
               *note = cli_get_string(e, "note", "");
    int result = job_result_decode(str(it, "result")), code = 0;
    (void)f;
    if (!is_state(it, "INACTIVE"))
        return;
    return_code(it, &code);
    set_text(v, v->buf);
    if (result == JOB_CANCELED)
        snprintf(v->buf, sizeof(v->buf), "Canceled%s%s", *note ? ": " : "", note);
    else if (result == JOB_TIMEOUT)
        set_text(v, "Timeout");
    else if (result == JOB_FAILED && e && strcmp(type, "exec") != 0 &&
             cli_get_number(e, "severity", 0) == 0)
        snprintf(v->buf, sizeof(v->buf), "Exception: type=%s%s%s", type,
                 *note ? " note=" : "", note);
    else if (result == JOB_FAILED && code < 0)
        set_text(v, strsignal(-code));
    else if (result == JOB_FAILED && code > 128 && code < 160)
        set_text(v, strsignal(code - 128));
    else if (code == 126)
        set_text(v, "Command invoked cannot execute");
    else if (code == 127)
        set_text(v, "command not found");
    else
        snprintf(v->buf, sizeof(v->buf), "Exit %d", code);
}

const struct format_field jobfields[] = {
    {"id", "JOBID", get_id, NULL},
    {"id.f58", "JOBID", get_id, "f58"},
    {"id.f58plain", "JOBID", get_id, "f58plain"},
    {"id.dec", "JOBID", get_id, "dec"},
    {"id.hex", "JOBID", get_id, "hex"},
    {"id.dothex", "JOBID", get_id, "dothex"},
    {"id.kvs", "JOBID", get_id, "kvs"},
    {"id.words", "JOBID", get_id, "words"},
    {"id.emoji", "JOBID", get_id, "emoji"},
    {"userid", "UID", get_key, NULL},
    {"username", "USER", get_key, NULL},
    {"urgency", "URG", get_key, NULL},
    {"priority", "PRI", get_key, NULL},
    {"state", "STATE", get_key, NULL},
    {"state_single", "S", get_state_single, NULL},
    {"state_emoji", "STATE", get_emoji, "state"},
    {"name", "NAME", get_key, NULL},
    {"cwd", "CWD", get_key, NULL},
    {"queue", "QUEUE", get_key, NULL},
    {"project", "PROJECT", get_key, NULL},
    {"bank", "BANK", get_key, NULL},
    {"ntasks", "NTASKS", get_key, NULL},
    {"ncores", "NCORES", get_key, NULL},
    {"ngpus", "NGPUS", get_key, NULL},
    {"memory", "MEMORY", get_memory, NULL},
    {"nnodes", "NNODES", get_key, NULL},
    {"cc", "CC", get_cc, NULL},
    {"array", "ARRAY", get_array, NULL},
    {"count", "NJOBS", get_count, NULL},
    {"parent", "PARENT", get_key, NULL},
    {"uri", "URI", get_key, NULL},
    {"reason", "REASON", get_key, NULL},
    {"duration", "DURATION", get_time, "duration"},
    {"expiration", "EXPIRATION", get_time, "expiration"},
    {"t_remaining", "T_REMAINING", get_remaining, NULL},
    {"ranks", "RANKS", get_key, NULL},
    {"nodelist", "NODELIST", get_key, NULL},
    {"success", "SUCCESS", get_success, NULL},
    {"result", "RESULT", get_key, NULL},
    {"result_abbrev", "RS", get_result_abbrev, NULL},
    {"result_emoji", "RESULT", get_emoji, "result"},
    {"t_submit", "T_SUBMIT", get_time, "t_submit"},
    {"t_depend", "T_DEPEND", get_time, "t_depend"},
    {"t_priority", "T_PRIORITY", get_time, "t_depend"}, /* these are one moment here */
    {"t_sched", "T_SCHED", get_time, "t_depend"},
    {"t_run", "T_RUN", get_time, "t_run"},
    {"t_cleanup", "T_CLEANUP", get_time, "t_cleanup"},
    {"t_inactive", "T_INACTIVE", get_time, "t_inactive"},
    {"runtime", "RUNTIME", get_runtime, NULL},
    {"status", "STATUS", get_status, NULL},
    {"status_abbrev", "ST", get_status, "single"},
    {"status_emoji", "STATUS", get_emoji, "status"},
    {"waitstatus", "WSTATUS", get_key, "status"},
    {"returncode", "RC", get_return_code, NULL},
    {"exception.occurred", "EXCEPTION-OCCURRED", get_exception, "occurred"},
    {"exception.severity", "EXCEPTION-SEVERITY", get_exception, "severity"},
    {"exception.type", "EXCEPTION-TYPE", get_exception, "type"},
    {"exception.note", "EXCEPTION-NOTE", get_exception, "note"},
    {"dependencies", "DEPENDENCIES", get_dependencies, NULL},
    {"annotations", "ANNOTATIONS", get_annotation, NULL},
    {"annotations.sched.reason_pending", "REASON", get_annotation, NULL},
    {"annotations.*", "", get_annotation, NULL},
    {"sched", "SCHED", get_annotation, NULL},
    {"sched.reason_pending", "REASON", get_annotation, NULL},
    {"sched.*", "", get_annotation, NULL},
    {"user", "USER", get_annotation, NULL},
    {"user.*", "", get_annotation, NULL},
    {"uri.local", "URI", get_key, "uri"},
    {"instance.stats", "STATS", get_inside, NULL},
    {"instance.stats.total", "NJOBS", get_inside_total, NULL},
    {"instance.stats.pending", "PENDING", get_inside_stat, "pending"},
    {"instance.stats.running", "RUNNING", get_inside_stat, "running"},
    {"instance.stats.inactive", "INACTIVE", get_inside_stat, "inactive"},
    {"instance.stats.completed", "COMPLETED", get_inside_stat, "completed"},
    {"instance.stats.failed", "FAILED", get_inside_stat, "failed"},
    {"instance.stats.canceled", "CANCELED", get_inside_stat, "canceled"},
    {"instance.stats.timeout", "TIMEOUT", get_inside_stat, "timeout"},
    {"instance.utilization", "CORE%", get_inside_share, "ncores"},
    {"instance.gpu_utilization", "GPU%", get_inside_share, "ngpus"},
    {"instance.progress", "PROG", get_inside_progress, NULL},
    {"instance.resources.all.nnodes", "NODES", get_inside_resource, NULL},
    {"instance.resources.all.ncores", "CORES", get_inside_resource, NULL},
    {"instance.resources.all.ngpus", "GPUS", get_inside_resource, NULL},
    {"instance.resources.up.nnodes", "UP", get_inside_resource, NULL},
    {"instance.resources.up.ncores", "UP", get_inside_resource, NULL},
    {"instance.resources.up.ngpus", "UP", get_inside_resource, NULL},
    {"instance.resources.down.nnodes", "DOWN", get_inside_resource, NULL},
    {"instance.resources.down.ncores", "DOWN", get_inside_resource, NULL},
    {"instance.resources.down.ngpus", "DOWN", get_inside_resource, NULL},
    {"instance.resources.allocated.nnodes", "USED", get_inside_resource, NULL},
    {"instance.resources.allocated.ncores", "USED", get_inside_resource, NULL},
    {"instance.resources.allocated.ngpus", "USED", get_inside_resource, NULL},
    {"instance.resources.free.nnodes", "FREE", get_inside_resource, NULL},
    {"instance.resources.free.ncores", "FREE", get_inside_resource, NULL},
    {"instance.resources.free.ngpus", "FREE", get_inside_resource, NULL},
    {"contextual_info", "INFO", get_contextual_info, NULL},
    {"contextual_time", "TIME", get_contextual_time, NULL},
    {"inactive_reason", "INACTIVE-REASON", get_inactive_reason, NULL},
};
const size_t jobfields_n = ARRAY_SIZE(jobfields);

/* --- what they are made of ------------------------------------------------------------------ */

/* By what gets them; others need everything. */
static const struct {
    void (*get)(const void *, const struct format_field *, struct format_value *);
    const char *keys; /* NULL: the field's arg or name */
} needs[] = {
    {get_key, NULL},
    {get_time, NULL},
    {get_memory, NULL},
    {get_id, "id"}, /* array, count and ccs are told in any case where lines are folded */
    {get_cc, "cc"},
    {get_array, "array"},
    {get_count, "id"},
    {get_state_single, "state"},
    {get_result_abbrev, "result"},
    {get_status, "state result"},
    {get_emoji, "state result"},
    {get_success, "state result"},
    {get_runtime, "t_run t_cleanup"},
    {get_remaining, "state expiration"},
    {get_contextual_time, "state duration t_run t_cleanup"},
    {get_contextual_info, "state reason urgency memo nodelist exception"},
    {get_dependencies, "state reason"},
    {get_return_code, "state result status"},
    {get_exception, "state exception"},
    {get_inactive_reason, "state result status exception"},
};

struct key_list {
    json_object *keys; /* NULL: all */
};

static void need_field(const struct format_field *field, void *arg)
{
    struct key_list *list = arg;
    size_t i = 0;
    while (i < ARRAY_SIZE(needs) && needs[i].get != field->get)
        i++;
    if (i == ARRAY_SIZE(needs))
        json_object_put(take(list->keys));
    if (!list->keys)
        return;
    const char *own = field->arg ? field->arg : field->name;
    cleanup_free char *copy = xstrdup(needs[i].keys ? needs[i].keys : own);
    for (char *save = NULL, *w = strtok_r(copy, " ", &save); w;
         w = strtok_r(NULL, " ", &save))
        json_object_array_add(list->keys, json_object_new_string(w));
}

json_object *jobfields_keys(const struct format *f)
{
    struct key_list list = {json_object_new_array()};
    format_each_field(f, need_field, &list);
    return list.keys;
}

static void add_fields(const struct jobitem *item, json_object *o)
{
    char buf[CLI_ID_SIZE];
    int code;
    jobid_t id = json_object_get_uint64(cli_get(item->job, "id"));
    jobid_encode(id, item->ascii ? JOBID_F58_PLAIN : JOBID_F58, buf, sizeof(buf));
    json_object_object_add(o, "jobid", json_object_new_string(buf));
    double ran = runtime(item);
    if (ran > 0) { /* of microseconds, as the times that it is made of */
        cleanup_strbuf struct strbuf text = {0};
        strbuf_add_time(&text, ran);
        json_object_object_add(o, "runtime", json_object_new_double_s(ran, text.s));
    }
    if (cli_get(item->job, "status"))
        json_object_object_add(o, "waitstatus",
                               json_object_get(cli_get(item->job, "status")));
    if (return_code(item, &code))
        json_object_object_add(o, "returncode", json_object_new_int(code));
}

json_object *jobfields_json(const struct jobitem *item)
{
    json_object *o = json_object_new_object();
    if (!json_object_is_type(item->job, json_type_object))
        return o;
    json_object_object_foreach(item->job, key, value)
    {
        json_object_object_add(o, key, json_object_get(value));
    }
    add_fields(item, o);
    json_object_object_add(o, "status", json_object_new_string(status_name(item, false)));
    return o;
}

void jobfields_complete(const struct jobitem *item)
{
    if (!json_object_is_type(item->job, json_type_object))
        return;
    add_fields(item, item->job);
    json_object_object_del(item->job, "status");
}
