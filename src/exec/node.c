/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/node.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

void node_destroy(struct node *node)
{
    if (!node)
        return;
    for (unsigned i = 0; i < node->ncores; i++)
        hwloc_bitmap_free(node->pus[i]);
    free(node->pus);
    for (unsigned i = 0; i < node->ngpus; i++) {
        free(node->gpus[i].env);
        free(node->gpus[i].value);
        hwloc_bitmap_free(node->gpus[i].near);
    }
    free(node->gpus);
    free(node->instance);
    free(node->host);
    free(node->uri);
    free(node->parent_uri);
    free(node->rundir);
    free(node->spool);
    json_object_put(node->init);
    free(node);
}

static void cleanup_node(struct node **node)
{
    node_destroy(*node);
}

static int get_text(json_object *o, const char *key, bool needed, char **out,
                    struct error *err)
{
    json_object *v = jsonutil_get(o, key);
    const char *s = jsonutil_string(v);
    if (!s && (v || needed))
        return error_set(err, EINVAL, "init: \"%s\" must be a string", key);
    *out = s ? xstrdup(s) : NULL;
    return 0;
}

static int get_unsigned(json_object *o, const char *key, unsigned *out, struct error *err)
{
    int64_t n = 0;
    json_object *v = jsonutil_get(o, key);
    if (v && !jsonutil_int(v, 0, INT_MAX, &n))
        return error_set(err, EINVAL, "init: \"%s\" must be a non-negative integer", key);
    *out = (unsigned)n;
    return 0;
}

static int get_orphan(struct node *node, json_object *o, struct error *err)
{
    node->orphan = NAN;
    if (o && (!jsonutil_number(o, &node->orphan) || !(node->orphan >= 0)))
        return error_set(err, EINVAL,
                         "init: \"orphan\" must be a number of seconds, not %s",
                         jsonutil_show(o).text);
    return 0;
}

static int get_cores(struct node *node, json_object *cores, struct error *err)
{
    size_t n =
        json_object_is_type(cores, json_type_array) ? json_object_array_length(cores) : 0;
    node->pus = xcalloc(n, sizeof(*node->pus));
    for (size_t i = 0; i < n; i++) {
        const char *s = jsonutil_string(json_object_array_get_idx(cores, i));
        if (!s)
            return error_set(err, EINVAL, "init: \"cores\"[%zu] must be an id set", i);
        if (!(node->pus[i] = idset_decode(s, err)))
            return error_prefix(err, "init: \"cores\"[%zu]", i);
        node->ncores++;
    }
    return 0;
}

static int get_gpus(struct node *node, json_object *gpus, struct error *err)
{
    size_t n =
        json_object_is_type(gpus, json_type_array) ? json_object_array_length(gpus) : 0;
    for (size_t i = 0; i < n; i++) {
        json_object *gpu = json_object_array_get_idx(gpus, i);
        const char *env = jsonutil_string(jsonutil_get(gpu, "env"));
        const char *value = jsonutil_string(jsonutil_get(gpu, "value"));
        int64_t id = (int64_t)i;
        json_object *o = jsonutil_get(gpu, "id");
        if (o && !jsonutil_int(o, 0, 4095, &id))
            return error_set(err, EINVAL, "init: \"gpus\"[%zu]: \"id\" must be 0..4095",
                             i);
        if ((unsigned)id >= node->ngpus) {
            node->gpus = xrealloc(node->gpus, ((size_t)id + 1) * sizeof(*node->gpus));
            while (node->ngpus <= (unsigned)id)
                node->gpus[node->ngpus++] = (struct node_gpu){0};
        }
        const char *cpus = jsonutil_string(jsonutil_get(gpu, "cpus"));
        free(node->gpus[id].env);
        free(node->gpus[id].value);
        hwloc_bitmap_free(node->gpus[id].near);
        node->gpus[id].near = cpus ? idset_decode(cpus, NULL) : NULL;
        node->gpus[id].env = env ? xstrdup(env) : NULL;
        node->gpus[id].value = value ? xstrdup(value) : xasprintf("%lld", (long long)id);
    }
    return 0;
}

struct node *node_decode(json_object *init, struct error *err)
{
    __attribute__((cleanup(cleanup_node))) struct node *node = xcalloc(1, sizeof(*node));
    if (get_text(init, "instance", true, &node->instance, err) < 0 ||
        get_text(init, "host", true, &node->host, err) < 0 ||
        get_text(init, "uri", true, &node->uri, err) < 0 ||
        get_text(init, "rundir", false, &node->rundir, err) < 0 ||
        get_text(init, "spool", false, &node->spool, err) < 0 ||
        get_text(init, "parent_uri", false, &node->parent_uri, err) < 0 ||
        get_unsigned(init, "rank", &node->rank, err) < 0 ||
        get_unsigned(init, "size", &node->size, err) < 0 ||
        get_unsigned(init, "level", &node->level, err) < 0 ||
        get_unsigned(init, "universe", &node->universe, err) < 0 ||
        get_orphan(node, jsonutil_get(init, "orphan"), err) < 0 ||
        get_cores(node, jsonutil_get(init, "cores"), err) < 0 ||
        get_gpus(node, jsonutil_get(init, "gpus"), err) < 0)
        return NULL;
    int64_t limit = 0;
    jsonutil_int(jsonutil_get(init, "output_limit"), 0, INT64_MAX, &limit);
    node->output_limit = (uint64_t)limit;
    node->bind = json_object_get_boolean(jsonutil_get(init, "bind"));
    node->own_rundir = json_object_get_boolean(jsonutil_get(init, "own_rundir"));
    node->init = json_object_get(init);
    return take(node);
}
