/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h"
#include "src/instance/node.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <hwloc.h>
#include "src/common/bytes.h"
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/instance/devices.h"
#include "src/job/jsonutil.h"
#include "src/job/property.h"

static void destroy_topology(hwloc_topology_t *t)
{
    if (*t)
        hwloc_topology_destroy(*t);
}

/* hwloc wants the innermost level to be PUs: "core:8" is taken as "core:8 pu:1". */
static int set_synthetic(hwloc_topology_t t, const char *description)
{
    cleanup_free char *text =
        xasprintf("%s%s", description, strcasestr(description, "pu:") ? "" : " pu:1");
    return hwloc_topology_set_synthetic(t, text);
}

/* Keep what tells cores apart; the rest costs start-up time. */
static hwloc_topology_t load(const char *description, struct error *err)
{
    hwloc_topology_t t;
    if (hwloc_topology_init(&t) < 0)
        return error_null(err, ENOMEM, "hwloc cannot make a topology");
    /* Linux tells what is needed; x86 asks each core itself, moving from one to the next. */
    hwloc_topology_set_components(t, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86");
    hwloc_topology_set_cache_types_filter(t, HWLOC_TYPE_FILTER_KEEP_NONE);
    hwloc_topology_set_io_types_filter(t, description || devices_may_be()
                                              ? HWLOC_TYPE_FILTER_KEEP_IMPORTANT
                                              : HWLOC_TYPE_FILTER_KEEP_NONE);
    hwloc_topology_set_type_filter(t, HWLOC_OBJ_MISC, HWLOC_TYPE_FILTER_KEEP_NONE);
    int rc = 0;
    if (description && access(description, R_OK) == 0)
        rc = hwloc_topology_set_xml(t, description);
    else if (description)
        rc = set_synthetic(t, description);
    if (rc < 0 || hwloc_topology_load(t) < 0) {
        hwloc_topology_destroy(t);
        return error_null(err, EINVAL,
                          "topology '%s': neither an hwloc synthetic description nor a "
                          "readable XML file",
                          description ? description : "this machine");
    }
    return t;
}

static json_object *list_cores(hwloc_topology_t t, hwloc_const_bitmap_t usable)
{
    json_object *cores = json_object_new_array();
    /* a description may have PUs without cores around them */
    hwloc_obj_type_t type =
        hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE) > 0 ? HWLOC_OBJ_CORE : HWLOC_OBJ_PU;
    for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(t, type, o));) {
        cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_dup(o->cpuset);
        if (usable)
            hwloc_bitmap_and(set, set, usable);
        if (hwloc_bitmap_iszero(set))
            continue;
        char *text;
        hwloc_bitmap_list_asprintf(&text, set);
        json_object_array_add(cores, json_object_new_string(text));
        free(text);
    }
    return cores;
}

/* The least of what control groups say, from DIR/GROUP/FILE upwards to DIR. */
static uint64_t least_limit(const char *dir, const char *group, const char *file)
{
    uint64_t least = UINT64_MAX;
    cleanup_free char *at = xasprintf("%s%s", dir, group);
    for (size_t n = strlen(at); n >= strlen(dir) && n > 0; n = strlen(at)) {
        cleanup_free char *path = xasprintf("%s/%s", at, file);
        cleanup_free char *text = read_file(path, NULL);
        if (text && isdigit((unsigned char)*text))
            least = MIN(least, strtoull(text, NULL, 10));
        char *slash = strrchr(at, '/');
        if (!slash)
            break;
        *slash = '\0';
    }
    return least;
}

/* Memory that this process may use: a foreign allocation, or who started us, may have set a limit. */
static uint64_t get_memory(const struct options *options, hwloc_topology_t t)
{
    uint64_t memory = hwloc_get_root_obj(t)->total_memory;
    if (options->memory)
        return options->memory;
    cleanup_free char *groups =
        options->topology ? NULL : read_file("/proc/self/cgroup", NULL);
    char *save = NULL;
    for (char *line = groups ? strtok_r(groups, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save)) {
        const char *group = strrchr(line, ':') + 1;
        if (strstr(line, ":memory:"))
            memory = MIN(memory, least_limit("/sys/fs/cgroup/memory", group,
                                             "memory.limit_in_bytes"));
        else if (strstr(line, "::"))
            memory = MIN(memory, least_limit("/sys/fs/cgroup", group, "memory.max"));
    }
    return MIN(memory, BYTES_MAX);
}

/* The process that started ours for MPI: mpirun or its daemon on this host, or 0. Between it and
 * us there may be scripts. */
static pid_t find_launcher(void)
{
    static const char *const names[] = {"orted", "orterun",         "mpirun", "mpiexec",
                                        "prte",  "hydra_pmi_proxy", "hydra",  "prun"};
    pid_t pid = getppid();
    for (int depth = 0; depth < 8 && pid > 1; depth++) {
        char path[32], comm[32];
        int parent;
        snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
        cleanup_free char *stat = read_file(path, NULL);
        const char *rest = stat ? strrchr(stat, ')') : NULL;
        if (!rest || sscanf(stat, "%*d (%31[^)]", comm) != 1 ||
            sscanf(rest, ") %*c %d", &parent) != 1)
            return 0;
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
            if (strncmp(comm, names[i], strlen(names[i])) == 0)
                return pid;
        pid = parent;
    }
    return 0;
}

/* mpirun binds its ranks, not its own processes: those have what our surroundings (Slurm, say)
 * left them of the ALLOWED cores. */
static void undo_binding(hwloc_topology_t t, hwloc_const_cpuset_t allowed)
{
    cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_alloc();
    pid_t launcher = find_launcher();
    if (launcher == 0 ||
        hwloc_get_proc_cpubind(t, launcher, set, HWLOC_CPUBIND_PROCESS) < 0)
        hwloc_bitmap_copy(set, allowed);
    hwloc_bitmap_and(set, set, allowed);
    hwloc_set_cpubind(t, set, HWLOC_CPUBIND_PROCESS);
}

static void get_host(char *host, size_t size)
{
    if (gethostname(host, size) < 0)
        snprintf(host, size, "localhost");
    host[size - 1] = '\0';
    host[strcspn(host, ".")] = '\0';
}

json_object *node_told(json_object *told)
{
    char host[256];
    get_host(host, sizeof(host));
    json_object_object_add(told, "machine", json_object_new_string(host));
    json_object_object_add(told, "version", json_object_new_string(VERSION));
    return told;
}

/* What is known of each node: who it is. */
static json_object *identify(const struct options *options, unsigned rank)
{
    char host[256];
    get_host(host, sizeof(host));
    json_object *node = json_object_new_object();
    json_object_object_add(node, "machine", json_object_new_string(host));
    if (options->isvirtual)
        snprintf(host, sizeof(host), "vnode%u", rank);
    json_object_object_add(node, "host", json_object_new_string(host));
    json_object_object_add(node, "virtual", json_object_new_boolean(options->isvirtual));
    json_object_object_add(node, "version", json_object_new_string(VERSION));
    return node;
}

/* Those that the options give it. */
static json_object *list_properties(const struct options *options, const char *host)
{
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < json_object_array_length(options->properties); i++) {
        json_object *text = json_object_array_get_idx(options->properties, i);
        cleanup_free char *name = property_of(json_object_get_string(text), host);
        if (name)
            json_object_array_add(list, json_object_new_string(name));
    }
    return list;
}

json_object *node_unusable(const struct options *options, unsigned rank, const char *why)
{
    json_object *node = identify(options, rank);
    json_object_object_add(node, "error", json_object_new_string(why));
    return node;
}

json_object *node_discover(const struct options *options, unsigned rank, bool unbind,
                           struct error *err)
{
    __attribute__((cleanup(destroy_topology))) hwloc_topology_t t =
        load(options->topology, err);
    if (!t)
        return NULL;
    cleanup_bitmap hwloc_bitmap_t usable = NULL;
    if (!options->topology) {
        usable = hwloc_bitmap_dup(hwloc_topology_get_allowed_cpuset(t));
        if (unbind)
            undo_binding(t, usable);
        cleanup_bitmap hwloc_bitmap_t bound = hwloc_bitmap_alloc();
        if (hwloc_get_cpubind(t, bound, HWLOC_CPUBIND_PROCESS) == 0)
            hwloc_bitmap_and(usable, usable, bound);
    }
    json_object *node = identify(options, rank);
    json_object_object_add(node, "cores", list_cores(t, usable));
    json_object_object_add(node, "gpus",
                           devices_list(t, !options->topology, options->gpus));
    json_object *numa = devices_numa(t);
    if (numa)
        json_object_object_add(node, "numa", numa);
    json_object_object_add(node, "memory",
                           json_object_new_int64((int64_t)get_memory(options, t)));
    json_object_object_add(
        node, "properties",
        list_properties(options, jsonutil_string(jsonutil_get(node, "host"))));
    json_object_object_add(node, "bind", json_object_new_boolean(!options->topology));
    return node;
}

/* RANK has NAMES, too. */
static void add_properties(struct rset *r, unsigned rank, json_object *names)
{
    size_t n = names ? json_object_array_length(names) : 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        if (!r->properties)
            r->properties = json_object_new_object();
        const char *ranks = jsonutil_string(jsonutil_get(r->properties, name));
        cleanup_bitmap hwloc_bitmap_t set = idset_decode(ranks ? ranks : "", NULL);
        hwloc_bitmap_set(set, rank);
        cleanup_free char *text = idset_encode(set, 0);
        json_object_object_add(r->properties, name, json_object_new_string(text));
    }
}

/* The ids of those of LIST that are near SET; KEY: of its objects, NULL: it has texts. */
static void find_near(json_object *list, const char *key, hwloc_const_bitmap_t set,
                      hwloc_bitmap_t out)
{
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        json_object *o = json_object_array_get_idx(list, i);
        const char *text = jsonutil_string(key ? jsonutil_get(o, key) : o);
        cleanup_bitmap hwloc_bitmap_t at = text ? idset_decode(text, NULL) : NULL;
        if (at && hwloc_bitmap_intersects(at, set))
            hwloc_bitmap_set(out, (unsigned)i);
    }
}

/* NULL: all is equally near. */
static struct domains *find_domains(json_object *node)
{
    json_object *numa = jsonutil_get(node, "numa");
    size_t n =
        json_object_is_type(numa, json_type_array) ? json_object_array_length(numa) : 0;
    struct domains *d = n > 1 ? domains_create(n) : NULL;
    for (size_t i = 0; d && i < n; i++) {
        const char *text = jsonutil_string(json_object_array_get_idx(numa, i));
        cleanup_bitmap hwloc_bitmap_t set = idset_decode(text ? text : "", NULL);
        if (!set)
            continue;
        find_near(jsonutil_get(node, "cores"), NULL, set, d->at[i].cores);
        find_near(jsonutil_get(node, "gpus"), "cpus", set, d->at[i].gpus);
    }
    return d;
}

static bool are_alike(json_object *a, json_object *b)
{
    static const char *const keys[] = {"cores", "gpus", "numa"};
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (!json_object_equal(jsonutil_get(a, keys[i]), jsonutil_get(b, keys[i])))
            return false;
    return true;
}

struct rset *node_resources(json_object **nodes, unsigned size)
{
    struct rset *r = rset_create();
    struct rset_node *last = NULL;
    for (unsigned i = 0; i < size; i++) {
        json_object *node = nodes[i];
        if (jsonutil_get(node, "left"))
            continue;
        size_t ncores = json_object_array_length(json_object_object_get(node, "cores"));
        size_t ngpus = json_object_array_length(json_object_object_get(node, "gpus"));
        cleanup_bitmap hwloc_bitmap_t cores = hwloc_bitmap_alloc();
        cleanup_bitmap hwloc_bitmap_t gpus = hwloc_bitmap_alloc();
        if (ncores > 0)
            hwloc_bitmap_set_range(cores, 0, (int)ncores - 1);
        if (ngpus > 0)
            hwloc_bitmap_set_range(gpus, 0, (int)ngpus - 1);
        int64_t memory = 0;
        jsonutil_int(jsonutil_get(node, "memory"), 0, (int64_t)BYTES_MAX, &memory);
        struct domains *d = last && are_alike(nodes[last->rank], node)
                                ? domains_ref(last->domains)
                                : find_domains(node);
        last = rset_add(r, i, jsonutil_string(json_object_object_get(node, "host")),
                        cores, gpus);
        last->memory = (uint64_t)memory;
        last->domains = d;
        add_properties(r, i, jsonutil_get(node, "properties"));
    }
    return r;
}

struct node_name node_name(json_object **nodes, unsigned rank)
{
    struct node_name name;
    const char *host = jsonutil_string(json_object_object_get(nodes[rank], "host"));
    snprintf(name.text, sizeof(name.text), "rank %u (%.250s)", rank,
             host ? host : "no host");
    return name;
}
