/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/rset.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

#include "src/common/bytes.h"
#include "src/common/hostlist.h"
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"
#include "src/job/rset_groups.h"

/* A few bytes of text can stand for very many nodes with very long bitmaps: what a decoded R
 * may take. */
#define NODES_MAX (1U << 20)
#define BITMAP_BYTES_MAX (256ULL << 20)

/* --- in ---------------------------------------------------------------------------------- */

static int bad(struct error *err, const char *where, const char *must, json_object *value)
{
    if (!value)
        return error_set(err, EINVAL, "R: %s: is missing; it must be %s", where, must);
    return error_set(err, EINVAL, "R: %s: must be %s, not %s", where, must,
                     jsonutil_show(value).text);
}

/* Member NAME of O as an idset; NULL with err set, or just NULL when OPTIONAL and absent. */
static hwloc_bitmap_t get_idset(json_object *o, const char *name, bool optional,
                                const char *where, bool *failed, struct error *err)
{
    json_object *value = jsonutil_get(o, name);
    const char *text = jsonutil_string(value);
    hwloc_bitmap_t set = NULL;
    if (!value && optional)
        return NULL;
    if (!text)
        bad(err, where, "an idset in a string", value);
    else if (!(set = idset_decode(text, err)))
        error_prefix(err, "R: %s", where);
    if (!set)
        *failed = true;
    return set;
}

/* One entry of R_lite, decoded: its nodes get their hosts when all entries are known. */
struct entry {
    hwloc_bitmap_t ranks, cores, gpus;
    int64_t memory;
};

static int decode_entry(json_object *o, struct entry *e, hwloc_bitmap_t all,
                        uint64_t *bytes, struct error *err)
{
    bool failed = false;
    if (!json_object_is_type(o, json_type_object))
        return bad(err, "execution.R_lite[]", "an object", o);
    e->ranks = get_idset(o, "rank", false, "execution.R_lite[].rank", &failed, err);
    if (failed)
        return -1;
    json_object *children = jsonutil_get(o, "children");
    if (!json_object_is_type(children, json_type_object))
        return bad(err, "execution.R_lite[].children", "an object", children);
    e->cores = get_idset(children, "core", false, "execution.R_lite[].children.core",
                         &failed, err);
    if (failed)
        return -1;
    e->gpus =
        get_idset(children, "gpu", true, "execution.R_lite[].children.gpu", &failed, err);
    if (failed)
        return -1;
    json_object *memory = jsonutil_get(o, "memory");
    if (memory && !jsonutil_int(memory, 0, (int64_t)BYTES_MAX, &e->memory))
        return bad(err, "execution.R_lite[].memory", "a number of bytes", memory);
    if (hwloc_bitmap_intersects(all, e->ranks))
        return error_set(
            err, EINVAL,
            "R: execution.R_lite[].rank: a rank of %s is in another entry too",
            jsonutil_show(jsonutil_get(o, "rank")).text);
    hwloc_bitmap_or(all, all, e->ranks);

    uint64_t n = (uint64_t)hwloc_bitmap_weight(e->ranks);
    uint64_t bits = (uint64_t)(hwloc_bitmap_last(e->cores) + 1);
    if (e->gpus)
        bits += (uint64_t)(hwloc_bitmap_last(e->gpus) + 1);
    *bytes += n * (bits / 8);
    if (hwloc_bitmap_weight(all) > (int)NODES_MAX || *bytes > BITMAP_BYTES_MAX)
        return error_set(err, E2BIG,
                         "R: execution.R_lite: has more nodes or higher ids than fit (at "
                         "most %u nodes)",
                         NODES_MAX);
    return 0;
}

static struct hostlist *decode_nodelist(json_object *o, size_t want, struct error *err)
{
    if (!json_object_is_type(o, json_type_array)) {
        bad(err, "execution.nodelist", "an array of hostlists", o);
        return NULL;
    }
    struct hostlist *hl = hostlist_create();
    int rc = 0;
    for (size_t i = 0; rc >= 0 && i < json_object_array_length(o); i++) {
        json_object *v = json_object_array_get_idx(o, i);
        const char *text = jsonutil_string(v);
        if (!text)
            rc = bad(err, "execution.nodelist[]", "a hostlist in a string", v);
        else if ((rc = hostlist_append(hl, text, err)) < 0)
            error_prefix(err, "R: execution.nodelist");
        else if (hostlist_count(hl) > want)
            break;
    }
    if (rc >= 0 && hostlist_count(hl) != want)
        rc = error_set(
            err, EINVAL,
            "R: execution.nodelist: %s does not name as many hosts as R_lite has "
            "ranks (%zu)",
            jsonutil_show(o).text, want);
    if (rc >= 0)
        return hl;
    hostlist_destroy(hl);
    return NULL;
}

/* The nodes in rank order: each takes the next host. */
static void add_nodes(struct rset *r, const struct entry *entries, size_t n,
                      hwloc_const_bitmap_t all, const struct hostlist *hosts)
{
    size_t next = 0;
    unsigned rank;
    /* Which entry a rank is in: a table, since R may list very many. */
    int last = hwloc_bitmap_last(all);
    unsigned *entry_of = xcalloc((size_t)(last + 1), sizeof(*entry_of));
    for (unsigned i = 0; i < n; i++)
        hwloc_bitmap_foreach_begin(rank, entries[i].ranks) entry_of[rank] = i;
    hwloc_bitmap_foreach_end();
    hwloc_bitmap_foreach_begin(rank, all)
    {
        const struct entry *e = &entries[entry_of[rank]];
        rset_add(r, rank, hostlist_nth(hosts, next++), e->cores, e->gpus)->memory =
            (uint64_t)e->memory;
    }
    hwloc_bitmap_foreach_end();
    free(entry_of);
}

static int decode_nodes(struct rset *r, json_object *execution, struct error *err)
{
    json_object *lite = jsonutil_get(execution, "R_lite");
    if (!json_object_is_type(lite, json_type_array))
        return bad(err, "execution.R_lite", "an array", lite);
    size_t n = json_object_array_length(lite);
    struct entry *entries = xcalloc(n, sizeof(*entries));
    cleanup_bitmap hwloc_bitmap_t all = hwloc_bitmap_alloc();
    uint64_t bytes = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = decode_entry(json_object_array_get_idx(lite, i), &entries[i], all, &bytes,
                          err);
    if (rc == 0) {
        struct hostlist *hosts = decode_nodelist(jsonutil_get(execution, "nodelist"),
                                                 (size_t)hwloc_bitmap_weight(all), err);
        if (hosts)
            add_nodes(r, entries, n, all, hosts);
        else
            rc = -1;
        hostlist_destroy(hosts);
    }
    for (size_t i = 0; i < n; i++) {
        hwloc_bitmap_free(entries[i].ranks);
        hwloc_bitmap_free(entries[i].cores);
        hwloc_bitmap_free(entries[i].gpus);
    }
    free(entries);
    return rc;
}

static int decode_properties(struct rset *r, json_object *o, struct error *err)
{
    if (!o)
        return 0;
    if (!json_object_is_type(o, json_type_object))
        return bad(err, "execution.properties", "an object", o);
    json_object_object_foreach(o, name, value)
    {
        if (*name == '\0' || strpbrk(name, "!&'\"^`|()"))
            return error_set(
                err, EINVAL,
                "R: execution.properties: '%s' is not a name: it must not be "
                "empty or have one of !&'\"^`|() in it",
                name);
        const char *text = jsonutil_string(value);
        if (!text)
            return error_set(
                err, EINVAL,
                "R: execution.properties.%s: must be an idset in a string, not "
                "%s",
                name, jsonutil_show(value).text);
        cleanup_bitmap hwloc_bitmap_t set = idset_decode(text, err);
        if (!set)
            return error_prefix(err, "R: execution.properties.%s", name);
    }
    r->properties = json_object_get(o);
    return 0;
}

static int decode_time(json_object *execution, const char *name, double *t,
                       struct error *err)
{
    json_object *value = jsonutil_get(execution, name);
    if (value && (!jsonutil_number(value, t) || *t < 0))
        return error_set(err, EINVAL,
                         "R: execution.%s: must be seconds since the epoch, not %s", name,
                         jsonutil_show(value).text);
    return 0;
}

static int decode(struct rset *r, json_object *o, struct error *err)
{
    if (!json_object_is_type(o, json_type_object))
        return error_set(err, EINVAL, "R: must be an object, not %s",
                         jsonutil_show(o).text);
    json_object *version = jsonutil_get(o, "version");
    if (!jsonutil_int(version, 1, 1, NULL))
        return bad(err, "version", "1", version);
    json_object *execution = jsonutil_get(o, "execution");
    if (!json_object_is_type(execution, json_type_object))
        return bad(err, "execution", "an object", execution);
    if (decode_nodes(r, execution, err) < 0 ||
        decode_properties(r, jsonutil_get(execution, "properties"), err) < 0 ||
        decode_time(execution, "starttime", &r->starttime, err) < 0 ||
        decode_time(execution, "expiration", &r->expiration, err) < 0)
        return -1;
    if (r->expiration > 0 && r->expiration <= r->starttime)
        return error_set(err, EINVAL,
                         "R: execution.expiration: %.17g must come after starttime %.17g",
                         r->expiration, r->starttime);
    json_object *nslots = jsonutil_get(execution, "nslots");
    int64_t n = 0;
    if (nslots && !jsonutil_int(nslots, 1, UINT_MAX, &n))
        return bad(err, "execution.nslots", "a positive integer", nslots);
    r->nslots = (unsigned)n;
    json_object *scheduling = jsonutil_get(o, "scheduling");
    if (scheduling && !json_object_is_type(scheduling, json_type_object))
        return bad(err, "scheduling", "an object", scheduling);
    r->scheduling = json_object_get(scheduling);
    return 0;
}

struct rset *rset_from_json(json_object *o, struct error *err)
{
    struct rset *r = rset_create();
    if (decode(r, o, err) == 0)
        return r;
    rset_destroy(r);
    return NULL;
}

/* --- out --------------------------------------------------------------------------------- */

static void add_text(json_object *o, const char *name, char *text)
{
    json_object_object_add(o, name, json_object_new_string(text));
    free(text);
}

static void add_time(json_object *o, const char *name, double t)
{
    if (t > 0)
        json_object_object_add(o, name, json_object_new_double(t));
}

json_object *rset_to_json(const struct rset *r)
{
    json_object *lite = json_object_new_array();
    struct rset_groups g = rset_groups_create(r);
    for (size_t i = 0; i < g.n; i++) {
        const struct rset_node *node = g.at[i].node;
        json_object *entry = json_object_new_object();
        json_object *children = json_object_new_object();
        add_text(entry, "rank", idset_encode(g.at[i].ranks, 0));
        add_text(children, "core", idset_encode(node->cores, 0));
        if (node->gpus)
            add_text(children, "gpu", idset_encode(node->gpus, 0));
        json_object_object_add(entry, "children", children);
        if (node->memory)
            json_object_object_add(entry, "memory",
                                   json_object_new_int64((int64_t)node->memory));
        json_object_array_add(lite, entry);
    }
    rset_groups_clear(&g);

    json_object *nodelist = json_object_new_array();
    if (r->nnodes) {
        cleanup_free char *hosts = rset_nodelist(r);
        json_object_array_add(nodelist, json_object_new_string(hosts));
    }
    json_object *execution = json_object_new_object();
    json_object_object_add(execution, "R_lite", lite);
    json_object_object_add(execution, "nodelist", nodelist);
    if (r->nslots)
        json_object_object_add(execution, "nslots", json_object_new_int64(r->nslots));
    if (r->properties)
        json_object_object_add(execution, "properties", json_object_get(r->properties));
    add_time(execution, "starttime", r->starttime);
    add_time(execution, "expiration", r->expiration);

    json_object *o = json_object_new_object();
    json_object_object_add(o, "version", json_object_new_int(1));
    json_object_object_add(o, "execution", execution);
    if (r->scheduling)
        json_object_object_add(o, "scheduling", json_object_get(r->scheduling));
    return o;
}
