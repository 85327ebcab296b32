/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include "src/common/util.h"
#include "src/lib/envrules.h"
#include "src/lib/rlimits.h"

static const struct {
    const char *name;
    __rlimit_resource_t resource;
    bool propagate;
} limits_table[] = {
    {"as", RLIMIT_AS, true},
    {"core", RLIMIT_CORE, true},
    {"cpu", RLIMIT_CPU, true},
    {"data", RLIMIT_DATA, true},
    {"fsize", RLIMIT_FSIZE, true},
    {"memlock", RLIMIT_MEMLOCK, false},
    {"msgqueue", RLIMIT_MSGQUEUE, false},
    {"nice", RLIMIT_NICE, false},
    {"nofile", RLIMIT_NOFILE, true},
    {"nproc", RLIMIT_NPROC, true},
    {"ofile", RLIMIT_OFILE, false},
    {"rss", RLIMIT_RSS, true},
    {"rtprio", RLIMIT_RTPRIO, false},
    {"rttime", RLIMIT_RTTIME, false},
    {"sigpending", RLIMIT_SIGPENDING, false},
    {"stack", RLIMIT_STACK, true},
};

static void add_current(json_object *limits, size_t i)
{
    struct rlimit rl;
    if (getrlimit(limits_table[i].resource, &rl) < 0)
        return;
    int64_t value = rl.rlim_cur == RLIM_INFINITY ? -1 : (int64_t)rl.rlim_cur;
    json_object_object_add(limits, limits_table[i].name, json_object_new_int64(value));
}

json_object *rlimits_default(void)
{
    json_object *limits = json_object_new_object();
    for (size_t i = 0; i < ARRAY_SIZE(limits_table); i++) {
        if (limits_table[i].propagate)
            add_current(limits, i);
    }
    return limits;
}

static int set_limit(json_object *limits, const char *name, const char *text,
                     struct error *err)
{
    size_t i = 0;
    while (i < ARRAY_SIZE(limits_table) && strcmp(limits_table[i].name, name) != 0)
        i++;
    if (i == ARRAY_SIZE(limits_table))
        return error_set(err, EINVAL, "there is no resource limit named '%s'", name);
    long long value = -1;
    if (strcmp(text, "unlimited") != 0 && strcmp(text, "infinity") != 0 &&
        strcmp(text, "inf") != 0) {
        char *end;
        errno = 0;
        value = strtoll(text, &end, 10);
        if (errno || end == text || *end || value < -1)
            return error_set(err, EINVAL,
                             "%s=%s: the limit must be a number or 'unlimited'", name,
                             text);
    }
    json_object_object_add(limits, name, json_object_new_int64(value));
    return 0;
}

static int apply_one(json_object *limits, char *rule, struct error *err)
{
    bool remove = *rule == '-';
    char *name = rule + remove, *eq = remove ? NULL : strchr(rule, '=');
    if (eq)
        *eq = '\0';
    for (char *c = name; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (eq)
        return set_limit(limits, name, eq + 1, err);
    bool any = false;
    for (size_t i = 0; i < ARRAY_SIZE(limits_table); i++) {
        int match = envrules_match(name, limits_table[i].name, err);
        if (match < 0)
            return -1;
        if (!match)
            continue;
        any = true;
        if (remove)
            json_object_object_del(limits, limits_table[i].name);
        else
            add_current(limits, i);
    }
    if (!any && !remove)
        return error_set(err, EINVAL, "there is no resource limit named '%s'", name);
    return 0;
}

int rlimits_apply(json_object *limits, const char *rules, struct error *err)
{
    cleanup_free char *copy = xstrdup(rules);
    char *save = NULL;
    for (char *rule = strtok_r(copy, ",", &save); rule;
         rule = strtok_r(NULL, ",", &save)) {
        if (apply_one(limits, rule, err) < 0)
            return -1;
    }
    return 0;
}
