/* SPDX-License-Identifier: BSD-3-Clause */
#include "compat/slurm/nodes.h"

#include <string.h>
#include <unistd.h>
#include "src/common/idset.h"

static unsigned count(json_object *o, const char *key)
{
    struct error ignored;
    cleanup_bitmap hwloc_bitmap_t set = idset_decode(slurm_text(o, key, ""), &ignored);
    int n = set ? hwloc_bitmap_weight(set) : 0;
    return n > 0 ? (unsigned)n : 0;
}

static enum nstate state_of(const char *state, unsigned cores, unsigned used)
{
    if (strcmp(state, "down") == 0)
        return N_DOWN;
    if (strcmp(state, "up") != 0)
        return used ? N_DRAINING : N_DRAINED;
    return used == 0 ? N_IDLE : used < cores ? N_MIXED : N_ALLOCATED;
}

void nodes_fetch(struct slurm *s, struct snodes *nodes)
{
    *nodes = (struct snodes){.answer = slurm_call(s, "resource.list", NULL)};
    json_object *list = json_object_object_get(nodes->answer, "nodes");
    size_t n = list ? json_object_array_length(list) : 0;
    nodes->v = xcalloc(n + 1, sizeof(*nodes->v));
    for (size_t i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(list, i);
        struct snode *node = &nodes->v[nodes->n++];
        unsigned free_cores = count(o, "free_cores");
        node->host = slurm_text(o, "host", "?");
        node->reason = slurm_text(o, "reason", NULL);
        node->rank = (unsigned)slurm_number(o, "rank", 0);
        node->cores = count(o, "cores");
        node->gpus = count(o, "gpus");
        node->used = node->cores > free_cores ? node->cores - free_cores : 0;
        node->properties = json_object_object_get(o, "properties");
        node->state = state_of(slurm_text(o, "state", "up"), node->cores, node->used);
    }
}

void nodes_fini(struct snodes *nodes)
{
    free(nodes->v);
    json_object_put(nodes->answer);
    *nodes = (struct snodes){0};
}

/* --- partitions ------------------------------------------------------------------------ */

void partitions_fetch(struct slurm *s, struct spartitions *p)
{
    struct error ignored;
    *p = (struct spartitions){.answer = slurm_ask(s, "queue.list", NULL, &ignored)};
    json_object *list = p->answer ? json_object_object_get(p->answer, "queues") : NULL;
    size_t n = list ? json_object_array_length(list) : 0;
    p->v = xcalloc(n + 1, sizeof(*p->v));
    for (size_t i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(list, i);
        const char *name = slurm_text(o, "queue", NULL);
        if (!name)
            continue;
        p->v[p->n++] = (struct spartition){
            .name = name,
            .is_default = json_object_get_boolean(json_object_object_get(o, "default")),
            .up = json_object_get_boolean(json_object_object_get(o, "enable")) &&
                  json_object_get_boolean(json_object_object_get(o, "start")),
            .limit = slurm_number(json_object_object_get(o, "limits"), "timelimit", 0),
            .ranks =
                json_object_object_get(json_object_object_get(o, "resources"), "ranks"),
        };
    }
    if (p->n == 0)
        p->v[p->n++] =
            (struct spartition){.name = SLURM_PARTITION, .is_default = true, .up = true};
}

void partitions_fini(struct spartitions *p)
{
    free(p->v);
    json_object_put(p->answer);
    *p = (struct spartitions){0};
}

const char *partition_queue(struct slurm *s, const char *partition)
{
    struct spartitions p;
    partitions_fetch(s, &p);
    bool none = p.n == 1 && strcmp(p.v[0].name, SLURM_PARTITION) == 0;
    partitions_fini(&p);
    return none || strcmp(partition, SLURM_PARTITION) == 0 ? NULL : partition;
}

bool partition_has(const struct spartition *partition, const struct snode *node)
{
    size_t n = partition->ranks ? json_object_array_length(partition->ranks) : 0;
    for (size_t i = 0; i < n; i++)
        if (json_object_get_int64(json_object_array_get_idx(partition->ranks, i)) ==
            node->rank)
            return true;
    return !partition->ranks;
}

const char *nstate_name(enum nstate state, bool compact)
{
    static const struct {
        const char *name, *compact;
    } names[N_STATES] = {
        [N_IDLE] = {"IDLE", "idle"},
        [N_MIXED] = {"MIXED", "mix"},
        [N_ALLOCATED] = {"ALLOCATED", "alloc"},
        [N_DRAINING] = {"DRAINING", "drng"},
        [N_DRAINED] = {"DRAINED", "drain"},
        [N_DOWN] = {"DOWN*", "down*"},
    };
    return compact ? names[state].compact : names[state].name;
}

const struct snode *nodes_find(const struct snodes *nodes, const char *host)
{
    for (size_t i = 0; i < nodes->n; i++)
        if (strcmp(nodes->v[i].host, host) == 0)
            return &nodes->v[i];
    return NULL;
}

unsigned long nodes_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGE_SIZE);
    return pages > 0 && size > 0
               ? (unsigned long)pages / 1024 * (unsigned long)size / 1024
               : 1;
}
