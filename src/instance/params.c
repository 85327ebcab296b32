/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/params.h"

#include <errno.h>
#include "src/job/jsonutil.h"

int param_int(json_object *params, const char *key, int64_t low, int64_t high,
              int64_t missing, int64_t *v, struct error *err)
{
    json_object *o = jsonutil_get(params, key);
    if (!o) {
        *v = missing;
        return 0;
    }
    if (!jsonutil_int(o, low, high, v))
        return error_set(err, EINVAL,
                         "request: %s must be an integer from %lld to %lld, not %s", key,
                         (long long)low, (long long)high, jsonutil_show(o).text);
    return 0;
}

int param_id(json_object *params, const char *key, jobid_t *id, struct error *err)
{
    int64_t v;
    if (!jsonutil_get(params, key))
        return error_set(err, EINVAL, "request: the parameter '%s' is missing", key);
    if (param_int(params, key, 1, INT64_MAX, 0, &v, err) < 0)
        return -1;
    *id = (jobid_t)v;
    return 0;
}

int param_range(json_object *o, jobid_t low, jobid_t *first, jobid_t *last,
                struct error *err)
{
    int64_t a, b;
    if (!json_object_is_type(o, json_type_array) ||
        !jsonutil_int(json_object_array_get_idx(o, 0), (int64_t)low, INT64_MAX, &a) ||
        !jsonutil_int(json_object_array_get_idx(o, 1), a, INT64_MAX, &b))
        return error_set(err, EINVAL, "request: a range must be [first, last], not %s",
                         jsonutil_show(o).text);
    *first = (jobid_t)a;
    *last = (jobid_t)b;
    return 0;
}
