/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_why: can it ever run, and if not, why. */
#include "src/sched/pool_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "src/common/bytes.h"
#include "src/common/util.h"

struct text {
    char s[128];
};

static struct text amount(uint64_t n, const char *unit)
{
    struct text t;
    snprintf(t.s, sizeof(t.s), "%" PRIu64 " %s%s", n, unit, n == 1 ? "" : "s");
    return t;
}

/* "4 were", "1 was" */
static struct text were(uint64_t n)
{
    struct text t;
    snprintf(t.s, sizeof(t.s), "%" PRIu64 " %s", n, n == 1 ? "was" : "were");
    return t;
}

/* So much, or so much that is missing. */
struct sum {
    uint64_t cores, gpus, memory;
};

/* "2 cores, 1 GPU and 4G of memory": those of A that WANT has. */
static struct text resources(struct sum a, const struct sum *want)
{
    struct text t;
    bool gpus = want->gpus > 0, memory = want->memory > 0;
    snprintf(t.s, sizeof(t.s), "%.40s%s%.40s%s%s%s", amount(a.cores, "core").s,
             !gpus    ? ""
             : memory ? ", "
                      : " and ",
             gpus ? amount(a.gpus, "GPU").s : "", memory ? " and " : "",
             memory ? bytes_encode(a.memory).s : "", memory ? " of memory" : "");
    return t;
}

static struct sum sum_of(struct pool_amount a)
{
    return (struct sum){a.cores, a.gpus, a.memory};
}

/* What the nodes that match add up to. */
struct sums {
    size_t nodes, fitting; /* fitting: that hold what one node must */
    struct sum all;
    uint64_t slots;
    struct pool_amount best;
};

/* Is A the better example of a node for one that must have so many GPUs? */
static bool better(struct pool_amount a, struct pool_amount b, const struct sum *need)
{
    uint64_t ga = MIN(a.gpus, need->gpus), gb = MIN(b.gpus, need->gpus);
    uint64_t ma = MIN(a.memory, need->memory), mb = MIN(b.memory, need->memory);
    return ga != gb             ? ga > gb
           : ma != mb           ? ma > mb
           : a.cores != b.cores ? a.cores > b.cores
                                : a.gpus > b.gpus;
}

static struct sums add_up(const struct query *q, bool constrained, const struct sum *need)
{
    struct sums s = {0};
    for (size_t i = 0; i < q->p->nnodes; i++) {
        if (constrained && !query_matches(q, i))
            continue;
        struct pool_amount a = query_amount(q, i);
        s.nodes++;
        s.fitting +=
            a.cores >= need->cores && a.gpus >= need->gpus && a.memory >= need->memory;
        s.all.cores += a.cores;
        s.all.gpus += a.gpus;
        s.all.memory += a.memory;
        s.slots += query_slots(q, a);
        if (better(a, s.best, need))
            s.best = a;
    }
    return s;
}

static int too_few(const struct sum *have, const struct sum *want, const char *who,
                   const char *verb, const char *where, struct error *err)
{
    if (have->cores < want->cores)
        return error_set(err, ENOSPC, "%s %s %s%s; %s asked for", who, verb,
                         amount(have->cores, "core").s, where, were(want->cores).s);
    if (have->gpus < want->gpus)
        return error_set(err, ENOSPC, "%s %s %s%s; %s asked for", who, verb,
                         amount(have->gpus, "GPU").s, where, were(want->gpus).s);
    if (have->memory < want->memory)
        return error_set(err, ENOSPC, "%s %s %s of memory%s; %s was asked for", who, verb,
                         have->memory ? bytes_encode(have->memory).s : "no count", where,
                         bytes_encode(want->memory).s);
    return 0;
}

static int explain(const struct query *q, struct error *err);

/* One of the programs cannot run here even alone, or they do not go together. */
static int explain_parts(const struct query *q, size_t nnodes, struct error *err)
{
    const struct job_shape *s = &q->req->shape;
    for (unsigned i = 0; i < s->nparts; i++) {
        struct pool_request part = pool_part_request(q->req, i);
        part.shape.mem_per_node = q->node_memory;
        if (pool_search(q->p, &part, q->view, q->own, q->held))
            continue;
        struct query sub = query_make(q->p, &part, q->view, q->own, q->held);
        explain(&sub, err);
        return error_prefix(err, "program %u", i + 1);
    }
    return error_set(err, ENOSPC,
                     "the slots of %u programs together find no place on %s: there is "
                     "room enough, but in "
                     "pieces that are too small",
                     s->nparts, amount(nnodes, "node").s);
}

/* Only called for what has no place, so it may take its time.  The first reason that holds is
 * told: the order goes from the whole to the parts. */
static int explain(const struct query *q, struct error *err)
{
    uint64_t all = (uint64_t)q->slots * MAX(q->nodes, 1U);
    unsigned per_node = q->nodes > 0 ? q->slots : 1;
    const struct sum want = {all * q->cores, all * q->gpus,
                             all * q->memory + MAX(q->nodes, 1U) * q->node_memory},
                     need = {(uint64_t)per_node * q->cores, (uint64_t)per_node * q->gpus,
                             per_node * q->memory + q->node_memory};
    const char *where = q->held ? " that the asking job leaves free" : "";
    const char *which = q->req->constraint ? " that matches the constraint" : "";

    struct sums s = add_up(q, false, &need);
    if (s.nodes < q->nodes)
        return error_set(err, ENOSPC, "this instance has %s; %s asked for",
                         amount(s.nodes, "node").s, were(q->nodes).s);
    if (too_few(&s.all, &want, "this instance", "has", where, err) < 0)
        return -1;
    if (q->req->constraint) {
        s = add_up(q, true, &need);
        if (s.nodes == 0)
            return error_set(err, ENOSPC,
                             "no node of this instance matches the constraint");
        if (s.nodes < q->nodes)
            return error_set(err, ENOSPC, "the constraint leaves %s; %s asked for",
                             amount(s.nodes, "node").s, were(q->nodes).s);
        if (too_few(&s.all, &want, "the nodes that match the constraint", "have", where,
                    err) < 0)
            return -1;
    }
    struct text slots = amount(per_node, "slot"), text = resources(need, &need);
    unsigned nparts = q->req->shape.nparts;
    if (nparts > 0 && q->nodes == 0)
        return explain_parts(q, s.nodes, err);
    const char *unit = nparts > 0 ? "its programs" : per_node == 1 ? "one slot" : slots.s;
    if (s.fitting == 0)
        return error_set(err, ENOSPC, "no node%s has %s%s for %s: the largest has %s",
                         which, text.s, where, unit, resources(sum_of(s.best), &need).s);
    if (s.fitting < q->nodes)
        return error_set(err, ENOSPC, "%s%s with %s%s for %s; %s asked for",
                         s.fitting == 1 ? "there is only 1 node" : "there are only ",
                         s.fitting == 1 ? "" : amount(s.fitting, "node").s, text.s, where,
                         unit, were(q->nodes).s);
    const struct sum slot = {q->cores, q->gpus, q->memory};
    if (q->nodes > 0) /* contiguous */
        return error_set(err, ENOSPC,
                         "there are %s with %s%s for %s, but no %u of adjacent ranks",
                         amount(s.fitting, "node").s, text.s, where, unit, q->nodes);
    if (s.slots >= q->slots)
        return error_set(
            err, ENOSPC,
            "there is room for %s of %s%s, but not for %u on nodes of adjacent ranks",
            amount(s.slots, "slot").s, resources(slot, &slot).s, where, q->slots);
    return error_set(err, ENOSPC, "there is room for %s of %s%s; %s asked for",
                     amount(s.slots, "slot").s, resources(slot, &slot).s, where,
                     were(q->slots).s);
}

int pool_satisfiable(const struct pool *p, const struct pool_request *req,
                     struct error *err)
{
    return pool_satisfiable_beside(p, req, NULL, err);
}

int pool_satisfiable_beside(const struct pool *p, const struct pool_request *req,
                            const struct rset *held, struct error *err)
{
    if (pool_search(p, req, VIEW_ALL, NULL, held))
        return 0;
    struct query q = query_make(p, req, VIEW_ALL, NULL, held);
    return explain(&q, err);
}
