/* SPDX-License-Identifier: BSD-3-Clause */
/* speclist: a list of jobspecs with times. */
#include "src/sim/load.h"

#include <math.h>
#include <string.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

#define TIME_MAX 3.2e11

/* A time in O, DEFAULT if it has none.  -1: it is no time. */
static int get_time(json_object *o, const char *key, double by_default, double *v,
                    struct error *err)
{
    json_object *x = jsonutil_get(o, key);
    *v = by_default;
    if (!x || (jsonutil_number(x, v) && *v >= 0 && *v <= TIME_MAX))
        return 0;
    return error_set(err, 1, "%s: must be seconds, not %s", key, jsonutil_show(x).text);
}

static int read_job(struct load *l, json_object *o, unsigned number, struct error *err)
{
    double submit, run;
    int64_t urgency = 16;
    json_object *u = jsonutil_get(o, "urgency"), *spec = jsonutil_get(o, "jobspec");
    if (get_time(o, "submit", 0, &submit, err) < 0 ||
        get_time(o, "runtime", -1, &run, err) < 0)
        return -1;
    if (u && !jsonutil_int(u, 1, 31, &urgency))
        return error_set(err, 1, "urgency: must be 1 to 31, not %s",
                         jsonutil_show(u).text);
    if (!spec)
        return error_set(err, 1, "there is no \"jobspec\"");
    struct jobspec *js = jobspec_from_json(spec, err);
    if (!js)
        return -1;
    const struct job_shape *shape = jobspec_shape(js);
    json_object *c = jobspec_constraints(js);
    struct constraint *constraint = c ? constraint_from_json(c, err) : NULL;
    if ((c && !constraint) || (run < 0 && shape->duration <= 0)) {
        if (!c || constraint)
            error_set(err, 1, "there is neither a \"runtime\" nor a duration");
        constraint_destroy(constraint);
        jobspec_destroy(js);
        return -1;
    }
    struct load_job *j = load_add(l);
    *j = (struct load_job){.submit = submit,
                           .run = run < 0 ? shape->duration : run,
                           .limit = shape->duration,
                           .urgency = (int)urgency,
                           .line = number,
                           .spec = js,
                           .constraint = constraint,
                           .req = {.shape = *shape, .constraint = constraint}};
    if (j->limit > 0) {
        l->overran += j->run > j->limit;
        j->limit = fmax(j->run, j->limit);
    }
    return 0;
}

struct load *load_speclist(const char *text)
{
    struct load *l = xcalloc(1, sizeof(*l));
    unsigned number = 1;
    for (const char *at = text; *at; number++) {
        struct error err;
        size_t n = strcspn(at, "\n");
        cleanup_free char *line = xstrndup(at, n);
        at += n + (at[n] == '\n');
        if (!line[strspn(line, " \t\r")])
            continue;
        cleanup_json json_object *o = json_tokener_parse(line);
        if (!json_object_is_type(o, json_type_object))
            load_break(l, number, "not a JSON object");
        else if (read_job(l, o, number, &err) < 0)
            load_break(l, number, "%s", err.text);
    }
    load_sort(l);
    return l;
}
