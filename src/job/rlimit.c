/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/rlimit.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

static const struct {
    const char *name;
    int resource;
} names[] = {
    {"cpu", RLIMIT_CPU},         {"fsize", RLIMIT_FSIZE},
    {"data", RLIMIT_DATA},       {"stack", RLIMIT_STACK},
    {"core", RLIMIT_CORE},       {"nofile", RLIMIT_NOFILE},
    {"ofile", RLIMIT_NOFILE},    {"as", RLIMIT_AS},
    {"rss", RLIMIT_RSS},         {"nproc", RLIMIT_NPROC},
    {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE},
    {"nice", RLIMIT_NICE},       {"rtprio", RLIMIT_RTPRIO},
    {"rttime", RLIMIT_RTTIME},   {"sigpending", RLIMIT_SIGPENDING},
};

static int decode_value(const char *name, json_object *o, rlim_t *value,
                        struct error *err)
{
    int64_t n;
    if (jsonutil_int(o, -1, INT64_MAX, &n)) {
        *value = n < 0 ? RLIM_INFINITY : (rlim_t)n;
        return 0;
    }
    const char *s = jsonutil_string(o);
    if (s && (!strcasecmp(s, "unlimited") || !strcasecmp(s, "infinity") ||
              !strcasecmp(s, "inf"))) {
        *value = RLIM_INFINITY;
        return 0;
    }
    return error_set(err, EINVAL,
                     "option rlimit.%s: %s is neither a number nor \"unlimited\"", name,
                     jsonutil_show(o).text);
}

int rlimits_decode(json_object *o, struct rlimits *out, struct error *err)
{
    out->n = 0;
    if (!json_object_is_type(o, json_type_object))
        return error_set(err, EINVAL, "option rlimit: %s is not an object",
                         jsonutil_show(o).text);
    json_object_object_foreach(o, name, value)
    {
        size_t i = 0;
        while (i < ARRAY_SIZE(names) && strcasecmp(name, names[i].name) != 0)
            i++;
        if (i == ARRAY_SIZE(names))
            return error_set(err, EINVAL, "option rlimit.%s: there is no such limit",
                             name);
        struct rlimit limit;
        rlim_t soft;
        if (decode_value(name, value, &soft, err) < 0)
            return -1;
        if (getrlimit((__rlimit_resource_t)names[i].resource, &limit) < 0)
            return error_set(err, errno, "option rlimit.%s: %s", name, strerror(errno));
        limit.rlim_cur = MIN(soft, limit.rlim_max);
        if (out->n < RLIMITS_MAX) {
            out->v[out->n].resource = names[i].resource;
            out->v[out->n++].limit = limit;
        }
    }
    return 0;
}
