/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/launch_options.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include "src/common/duration.h"
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

#define DEFAULT_EXIT_TIMEOUT 30.0
#define DEFAULT_KILL_TIMEOUT 5.0
#define DEFAULT_WARN_LEFT 60.0

void launch_options_fini(struct launch_options *o)
{
    for (int i = 0; i < 2; i++)
        free(o->out[i].path);
    free(o->input_path);
    hwloc_bitmap_free(o->input_ranks);
    free(o->cpu_map);
    free(o->gpu_map);
    *o = (struct launch_options){0};
}

/* true, any number but 0, and strings that do not mean no: an option given without a value is 1. */
static bool truth(json_object *o)
{
    const char *s = jsonutil_string(o);
    if (s)
        return *s && strcasecmp(s, "false") && strcasecmp(s, "no") && strcmp(s, "0");
    return json_object_get_boolean(o);
}

/* A number of seconds, a duration, or "none" (-1). */
static int get_seconds(json_object *o, const char *name, double *out, struct error *err)
{
    if (!o)
        return 0;
    const char *s = jsonutil_string(o);
    double v = 0;
    if (s && strcasecmp(s, "none") == 0)
        *out = -1;
    else if (s && duration_decode(s, &v, err) < 0)
        return error_prefix(err, "option %s", name);
    else if (s || (jsonutil_number(o, &v) && v >= 0))
        *out = isinf(v) ? -1 : v;
    else
        return error_set(err, EINVAL, "option %s: %s is not a duration", name,
                         jsonutil_show(o).text);
    return 0;
}

static int get_stream(json_object *output, const char *name, struct output_option *to,
                      struct error *err)
{
    json_object *o = jsonutil_get(output, name);
    if (!o)
        return 0;
    json_object *type = jsonutil_get(o, "type"), *path = jsonutil_get(o, "path");
    const char *t = type ? jsonutil_string(type) : path ? "file" : NULL;
    if (t && strcmp(t, "file") == 0) {
        const char *p = jsonutil_string(path);
        if (!p || !*p)
            return error_set(err, EINVAL,
                             "option output.%s: type \"file\" needs a \"path\"", name);
        free(to->path);
        to->path = xstrdup(p);
        to->to_file = true;
        to->scope = template_scope(p);
    } else if (t && (strcmp(t, "kvs") == 0 || strcmp(t, "term") == 0)) {
        to->to_file = false;
    } else if (type) {
        return error_set(err, EINVAL,
                         "option output.%s.type: %s is not \"kvs\" or \"file\"", name,
                         jsonutil_show(type).text);
    }
    json_object *label = jsonutil_get(o, "label"), *mode = jsonutil_get(o, "mode");
    if (label)
        to->label = truth(label);
    const char *m = jsonutil_string(mode ? mode : jsonutil_get(output, "mode"));
    if (m && strcmp(m, "append") != 0 && strcmp(m, "truncate") != 0)
        return error_set(err, EINVAL,
                         "option output.mode: \"%s\" is not \"truncate\" or \"append\"",
                         m);
    if (m)
        to->append = m[0] == 'a';
    const char *b = jsonutil_string(jsonutil_get(jsonutil_get(o, "buffer"), "type"));
    if (b && strcmp(b, "none") != 0 && strcmp(b, "line") != 0)
        return error_set(
            err, EINVAL,
            "option output.%s.buffer.type: \"%s\" is not \"line\" or \"none\"", name, b);
    if (b)
        to->unbuffered = b[0] == 'n';
    return 0;
}

static int get_output(const struct jobspec *js, struct launch_options *o,
                      struct error *err)
{
    json_object *output = jobspec_option(js, "output");
    json_object *unbuffered = jobspec_option(js, "unbuffered");
    if (get_stream(output, "stdout", &o->out[0], err) < 0)
        return -1;
    o->out[0].unbuffered |= unbuffered && truth(unbuffered);
    /* What is not said of stderr is as for stdout. */
    o->out[1] = o->out[0];
    if (o->out[0].path)
        o->out[1].path = xstrdup(o->out[0].path);
    return get_stream(output, "stderr", &o->out[1], err);
}

static int get_input(const struct jobspec *js, struct launch_options *o,
                     struct error *err)
{
    json_object *in = jsonutil_get(jobspec_option(js, "input"), "stdin");
    if (!in)
        return 0;
    json_object *type = jsonutil_get(in, "type"), *ranks = jsonutil_get(in, "ranks");
    const char *path = jsonutil_string(jsonutil_get(in, "path"));
    const char *t = type ? jsonutil_string(type) : path ? "file" : "service";
    if (t && strcmp(t, "service") == 0)
        o->input = INPUT_SERVICE;
    else if (t && strcmp(t, "file") == 0)
        o->input = INPUT_FILE;
    else
        return error_set(err, EINVAL,
                         "option input.stdin.type: %s is not \"service\" or \"file\"",
                         jsonutil_show(type).text);
    if (o->input == INPUT_FILE && (!path || !*path))
        return error_set(err, EINVAL,
                         "option input.stdin: type \"file\" needs a \"path\"");
    o->input_path = path ? xstrdup(path) : NULL;
    int64_t n;
    const char *r = jsonutil_string(ranks);
    if (r && strcmp(r, "all") != 0) {
        if (!(o->input_ranks = idset_decode(r, err)))
            return error_prefix(err, "option input.stdin.ranks");
    } else if (!r && (!ranks || jsonutil_int(ranks, 0, IDSET_MAX, &n))) {
        if (ranks || o->input == INPUT_SERVICE) {
            o->input_ranks = hwloc_bitmap_alloc();
            hwloc_bitmap_set(o->input_ranks, ranks ? (unsigned)n : 0);
        }
    } else if (!r) {
        return error_set(err, EINVAL,
                         "option input.stdin.ranks: %s is not \"all\" or an id set",
                         jsonutil_show(ranks).text);
    }
    return 0;
}

/* Each as hwloc list, bitmask or taskset mask. */
hwloc_bitmap_t launch_options_map(const char *map, unsigned index)
{
    unsigned count = 1;
    for (const char *p = map; *p; p++)
        count += *p == ';';
    index %= count;
    while (index > 0)
        index -= *map++ == ';';
    cleanup_free char *entry = xstrndup(map, strcspn(map, ";"));
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    int rc = strncmp(entry, "0x", 2) != 0 ? hwloc_bitmap_list_sscanf(set, entry)
             : strchr(entry, ',') != NULL ? hwloc_bitmap_sscanf(set, entry)
                                          : hwloc_bitmap_taskset_sscanf(set, entry);
    if (rc < 0 || hwloc_bitmap_weight(set) <= 0) {
        hwloc_bitmap_free(set);
        return NULL;
    }
    return set;
}

static int check_map(const char *map, const char *name, struct error *err)
{
    const char *entry = map;
    for (unsigned i = 0; entry; i++) {
        cleanup_bitmap hwloc_bitmap_t set = launch_options_map(map, i);
        if (!set)
            return error_set(err, EINVAL,
                             "option %s: '%.*s' in \"map:%s\" is neither a list of ids "
                             "nor a mask of some",
                             name, (int)strcspn(entry, ";"), entry, map);
        entry = strchr(entry, ';');
        entry += entry != NULL;
    }
    return 0;
}

static int get_affinity(const struct jobspec *js, const char *name, enum affinity *kind,
                        char **map, struct error *err)
{
    json_object *o = jobspec_option(js, name);
    if (!o)
        return 0;
    const char *s = jsonutil_string(o);
    if (!s && (json_object_is_type(o, json_type_boolean) ||
               json_object_is_type(o, json_type_int)))
        s = truth(o) ? "on" : "off";
    if (s && strcmp(s, "on") == 0)
        *kind = AFFINITY_ON;
    else if (s && (strcmp(s, "off") == 0 || strcmp(s, "none") == 0))
        *kind = AFFINITY_OFF;
    else if (s && strcmp(s, "per-task") == 0)
        *kind = AFFINITY_PER_TASK;
    else if (s && strncmp(s, "map:", 4) == 0) {
        *kind = AFFINITY_MAP;
        *map = xstrdup(s + 4);
        return check_map(*map, name, err);
    } else {
        return error_set(
            err, EINVAL,
            "option %s: %s is not \"on\", \"off\", \"per-task\" or \"map:...\"", name,
            jsonutil_show(o).text);
    }
    return 0;
}

static int get_pmi(const struct jobspec *js, struct launch_options *o, struct error *err)
{
    static const struct {
        const char *name;
        int mask;
    } kinds[] = {
        {"none", LAUNCH_PMI_NONE}, {"off", LAUNCH_PMI_NONE},  {"pmix", LAUNCH_PMIX},
        {"pmi1", LAUNCH_PMI_WIRE}, {"pmi2", LAUNCH_PMI_WIRE}, {"simple", LAUNCH_PMI_WIRE},
    };
    json_object *v = jobspec_option(js, "pmi");
    const char *s = jsonutil_string(v);
    o->pmi = LAUNCH_PMI_AUTO;
    if (!v || (s && strcmp(s, "auto") == 0))
        return 0;
    int mask = 0;
    for (const char *p = s; p && *p;) {
        size_t len = strcspn(p, ",");
        size_t i = 0;
        while (i < ARRAY_SIZE(kinds) &&
               (strlen(kinds[i].name) != len || memcmp(kinds[i].name, p, len) != 0))
            i++;
        if (i == ARRAY_SIZE(kinds)) {
            s = NULL;
            break;
        }
        mask |= kinds[i].mask;
        p += len + (p[len] == ',');
    }
    if (!s)
        return error_set(
            err, EINVAL,
            "option pmi: %s is not auto, none, pmix, pmi1, pmi2 or a list of these",
            jsonutil_show(v).text);
    o->pmi = mask;
    return 0;
}

static const struct {
    const char *name;
    int number;
} signals[] = {
    {"HUP", SIGHUP},     {"INT", SIGINT},   {"QUIT", SIGQUIT}, {"KILL", SIGKILL},
    {"USR1", SIGUSR1},   {"USR2", SIGUSR2}, {"TERM", SIGTERM}, {"ALRM", SIGALRM},
    {"CONT", SIGCONT},   {"STOP", SIGSTOP}, {"TSTP", SIGTSTP}, {"URG", SIGURG},
    {"WINCH", SIGWINCH},
};

static int signal_number(const char *s, size_t len)
{
    if (len > 3 && strncasecmp(s, "SIG", 3) == 0) {
        s += 3;
        len -= 3;
    }
    for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
        if (strlen(signals[i].name) == len && strncasecmp(s, signals[i].name, len) == 0)
            return signals[i].number;
    int n = 0;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9' || n > 64)
            return -1;
        n = n * 10 + (s[i] - '0');
    }
    return n > 0 && n <= 64 ? n : -1;
}

/* "SIGUSR1@60s", a number, or {"signum":N,"timeleft":T}. */
static int get_signal(const struct jobspec *js, struct launch_options *o,
                      struct error *err)
{
    json_object *v = jobspec_option(js, "signal");
    if (!v)
        return 0;
    o->warn_signal = SIGUSR1;
    o->warn_left = DEFAULT_WARN_LEFT;
    const char *s = jsonutil_string(v);
    int64_t n;
    if (s) {
        size_t len = strcspn(s, "@");
        if (len > 0 && (o->warn_signal = signal_number(s, len)) < 0)
            return error_set(err, EINVAL, "option signal: \"%s\" names no signal", s);
        if (s[len] && duration_decode(s + len + 1, &o->warn_left, err) < 0)
            return error_prefix(err, "option signal");
        return 0;
    }
    json_object *num =
        json_object_is_type(v, json_type_object) ? jsonutil_get(v, "signum") : v;
    if (num == v && json_object_is_type(v, json_type_boolean))
        return 0;
    if (num && !jsonutil_int(num, 0, 64, &n))
        return error_set(err, EINVAL, "option signal: %s is not a signal number",
                         jsonutil_show(num).text);
    if (num)
        o->warn_signal = (int)n;
    if (num == v && n == 1) /* given without a value */
        o->warn_signal = SIGUSR1;
    return get_seconds(jsonutil_get(v, "timeleft"), "signal.timeleft", &o->warn_left,
                       err);
}

int launch_options_decode(const struct jobspec *js, struct launch_options *o,
                          struct error *err)
{
    *o = (struct launch_options){.exit_timeout = DEFAULT_EXIT_TIMEOUT,
                                 .kill_timeout = DEFAULT_KILL_TIMEOUT};
    json_object *timeout = jobspec_option(js, "exit-timeout");
    json_object *on_error = jobspec_option(js, "exit-on-error");
    json_object *rlimit = jobspec_option(js, "rlimit");
    o->exit_timeout_set = timeout != NULL;
    o->exit_on_error = on_error && truth(on_error);
    o->instance = jobspec_is_instance(js);
    o->env_expand = jobspec_option(js, "env-expand");
    if (!json_object_is_type(o->env_expand, json_type_object))
        o->env_expand = NULL;
    if (get_seconds(timeout, "exit-timeout", &o->exit_timeout, err) < 0 ||
        get_seconds(jobspec_option(js, "kill-timeout"), "kill-timeout", &o->kill_timeout,
                    err) < 0 ||
        get_output(js, o, err) < 0 || get_input(js, o, err) < 0 ||
        get_affinity(js, "cpu-affinity", &o->cpus, &o->cpu_map, err) < 0 ||
        get_affinity(js, "gpu-affinity", &o->gpus, &o->gpu_map, err) < 0 ||
        get_pmi(js, o, err) < 0 || get_signal(js, o, err) < 0 ||
        (rlimit && rlimits_decode(rlimit, &o->rlimits, err) < 0))
        return -1;
    return 0;
}

int launch_options_check(const struct jobspec *js, struct error *err)
{
    struct launch_options o;
    int rc = launch_options_decode(js, &o, err);
    launch_options_fini(&o);
    return rc;
}
