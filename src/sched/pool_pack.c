/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_pack: an exact search for a place of several parts, when placing one after the other (pool_parts.c) led nowhere.
 *
 * Node by node, a table tells how many slots of the part that has most of them, the *last* one, can have been placed at the
 * most, for each number of slots of the others.  Of what a node can take only those loads count to which nothing can be
 * added.  Nodes that show the same are not all tried: each that is used has a slot at least.  So the cost is the number of
 * nodes, times that of the others' slots multiplied with each other, times the loads of a node: little for what people
 * write, too much where many parts have dozens of slots each.  It ends after PACK_STEPS. */
#include "src/sched/pool_impl.h"

#include <limits.h>
#include <string.h>

#include "src/common/util.h"

enum { PACK_STEPS = 1 << 18, PACK_PARTS = 6 };

/* Slots of each part on a node. */
struct load {
    unsigned n[PACK_PARTS];
};

struct candidate {
    struct pool_amount amount;
    size_t node;
};

/* How an entry of the table came about: LOAD on NODE, after what BEFORE says; 0: nothing. */
struct step {
    unsigned before, load;
    size_t node;
};

struct entry {
    int last;      /* slots of the last part; -1: not reached */
    unsigned step; /* of steps, from 1 on */
};

struct packing {
    const struct query *q;
    unsigned nparts;
    unsigned part[PACK_PARTS]; /* the request's number of each; the last one at the end */
    unsigned need[PACK_PARTS];
    struct job_part slot[PACK_PARTS];
    size_t width
        [PACK_PARTS]; /* of the others: how far apart two entries are that differ by one slot of it */
    struct entry *table;
    size_t size;
    struct candidate *nodes;
    size_t nnodes, nodes_room;
    struct load *loads; /* from FIRST on those of the node that is tried */
    size_t nloads, first, loads_room;
    struct step *steps;
    size_t nsteps, steps_room;
    size_t left; /* of PACK_STEPS */
};

static void *grown(void *v, size_t *room, size_t n, size_t size)
{
    if (n < *room)
        return v;
    *room = MAX(2 * *room, (size_t)64);
    return xrealloc(v, *room * size);
}

static void packing_clear(struct packing *k)
{
    free(k->table);
    free(k->nodes);
    free(k->loads);
    free(k->steps);
}

/* --- the nodes ------------------------------------------------------------------------------ */

static unsigned slots_in(const struct job_part *p, struct pool_amount a)
{
    unsigned n = a.cores / p->cores;
    if (p->gpus)
        n = MIN(n, a.gpus / p->gpus);
    if (p->memory)
        n = (unsigned)MIN((uint64_t)n, a.memory / p->memory);
    return n;
}

static void take_off(struct pool_amount *a, const struct job_part *p, unsigned n)
{
    a->cores -= n * p->cores;
    a->gpus -= n * p->gpus;
    a->memory -= n * p->memory;
}

static int roomier(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    const struct pool_amount *p = &x->amount, *q = &y->amount;
    return p->cores != q->cores     ? (p->cores < q->cores) - (p->cores > q->cores)
           : p->gpus != q->gpus     ? (p->gpus < q->gpus) - (p->gpus > q->gpus)
           : p->memory != q->memory ? (p->memory < q->memory) - (p->memory > q->memory)
                                    : (x->node > y->node) - (x->node < y->node);
}

static bool same_amount(struct pool_amount a, struct pool_amount b)
{
    return a.cores == b.cores && a.gpus == b.gpus && a.memory == b.memory;
}

/* Of those that show the same, as many as there are slots. */
static void drop_needless(struct packing *k)
{
    uint64_t slots = 0;
    size_t n = 0, run = 0;
    for (unsigned i = 0; i < k->nparts; i++)
        slots += k->need[i];
    for (size_t i = 0; i < k->nnodes; i++) {
        run = i > 0 && same_amount(k->nodes[i].amount, k->nodes[n - 1].amount) ? run + 1
                                                                               : 1;
        if (run <= slots)
            k->nodes[n++] = k->nodes[i];
    }
    k->nnodes = n;
}

/* Those that take a slot, the roomiest first; false: there cannot be a place, as they have too little of something, or take
 * too few slots of one part. */
static bool gather(struct packing *k)
{
    const struct query *q = k->q;
    uint64_t slots[PACK_PARTS] = {0}, cores = 0, gpus = 0, memory = 0;
    for (size_t i = 0; i < q->p->nnodes; i++) {
        struct pool_amount a = query_amount(q, i);
        bool useful = false;
        if (a.cores == 0 || a.memory < q->node_memory)
            continue;
        a.memory -= q->node_memory;
        for (unsigned j = 0; j < k->nparts && !useful; j++)
            useful = slots_in(&k->slot[j], a) > 0;
        if (!useful || !query_matches(q, i))
            continue;
        for (unsigned j = 0; j < k->nparts; j++)
            slots[j] += slots_in(&k->slot[j], a);
        cores += a.cores;
        gpus += a.gpus;
        memory += a.memory;
        k->nodes = grown(k->nodes, &k->nodes_room, k->nnodes, sizeof(*k->nodes));
        k->nodes[k->nnodes++] = (struct candidate){a, i};
    }
    for (unsigned j = 0; j < k->nparts; j++)
        if (slots[j] < k->need[j])
            return false;
    if (cores < q->cores || gpus < q->gpus || memory < q->memory)
        return false;
    qsort(k->nodes, k->nnodes, sizeof(*k->nodes), roomier);
    drop_needless(k);
    return true;
}

/* --- what a node can take ------------------------------------------------------------------- */

static bool is_step_left(struct packing *k)
{
    return k->left > 0 && k->left-- > 0;
}

/* Another slot of an earlier part would still go in, beside what there is. */
static bool is_less(const struct packing *k, const struct load *l,
                    struct pool_amount rest)
{
    for (unsigned i = 0; i + 1 < k->nparts; i++)
        if (l->n[i] < k->need[i] && slots_in(&k->slot[i], rest) > 0)
            return true;
    return false;
}

static bool add_loads(struct packing *k, struct load *l, unsigned i,
                      struct pool_amount rest)
{
    unsigned most = MIN(slots_in(&k->slot[i], rest), k->need[i]);
    if (!is_step_left(k))
        return false;
    if (i + 1 == k->nparts) {
        l->n[i] = most;
        take_off(&rest, &k->slot[i], most);
        if (is_less(k, l, rest))
            return true;
        k->loads = grown(k->loads, &k->loads_room, k->nloads, sizeof(*k->loads));
        k->loads[k->nloads++] = *l;
        return true;
    }
    for (unsigned n = 0; n <= most; n++) {
        struct pool_amount r = rest;
        l->n[i] = n;
        take_off(&r, &k->slot[i], n);
        if (!add_loads(k, l, i + 1, r))
            return false;
    }
    return true;
}

/* --- the table ------------------------------------------------------------------------------ */

/* Slots of part I in entry E. */
static unsigned digit(const struct packing *k, size_t e, unsigned i)
{
    return (unsigned)(e / k->width[i] % (k->need[i] + 1));
}

static void add_load(struct packing *k, size_t from, struct entry was, size_t load,
                     size_t node)
{
    const struct load *l = &k->loads[load];
    size_t to = 0;
    for (unsigned i = 0; i + 1 < k->nparts; i++)
        to += MIN(digit(k, from, i) + l->n[i], k->need[i]) * k->width[i];
    int last = (int)MIN((unsigned)was.last + l->n[k->nparts - 1], k->need[k->nparts - 1]);
    struct entry *e = &k->table[to];
    if (last <= e->last)
        return;
    k->steps = grown(k->steps, &k->steps_room, k->nsteps + 1, sizeof(*k->steps));
    k->steps[++k->nsteps] = (struct step){was.step, (unsigned)load, node};
    *e = (struct entry){last, (unsigned)k->nsteps};
}

/* From the greatest entry down: a load leads from an entry to greater ones, or to itself, so each has one of this node. */
static bool try_node(struct packing *k, const struct candidate *c)
{
    for (size_t e = k->size; e-- > 0;) {
        struct entry was = k->table[e];
        for (size_t l = k->first; was.last >= 0 && l < k->nloads; l++) {
            if (!is_step_left(k))
                return false;
            add_load(k, e, was, l, c->node);
        }
    }
    return true;
}

static bool is_done(const struct packing *k)
{
    return k->table[k->size - 1].last == (int)k->need[k->nparts - 1];
}

static bool fill_table(struct packing *k)
{
    struct load l = {{0}};
    for (size_t i = 0; i < k->nnodes && !is_done(k); i++) {
        const struct candidate *c = &k->nodes[i];
        if (i == 0 || !same_amount(c->amount, c[-1].amount)) {
            k->first = k->nloads;
            if (!add_loads(k, &l, 0, c->amount))
                return false;
        }
        if (!try_node(k, c))
            return false;
    }
    return is_done(k);
}

/* --- all of it ------------------------------------------------------------------------------ */

static bool prepare(struct packing *k, const struct query *q)
{
    const struct job_shape *s = &q->req->shape;
    unsigned last = 0, n = 0;
    k->q = q;
    k->nparts = s->nparts;
    k->left = PACK_STEPS;
    k->size = 1;
    for (unsigned i = 1; i < s->nparts; i++)
        last = s->parts[i].nslots > s->parts[last].nslots ? i : last;
    for (unsigned i = 0; i <= s->nparts; i++) {
        unsigned part = i < s->nparts ? i : last;
        if (i == last)
            continue;
        k->part[n] = part;
        k->slot[n] = s->parts[part];
        k->need[n] = s->parts[part].nslots;
        k->width[n] = k->size;
        if (i < s->nparts)
            k->size *= k->need[n] + 1;
        if (k->size > PACK_STEPS)
            return false;
        n++;
    }
    return true;
}

/* What the last entry came from; a slot of which there are more than wanted is left out. */
static void tell(struct packing *k)
{
    struct pool_work *w = k->q->p->work;
    unsigned left[PACK_PARTS];
    memcpy(left, k->need, sizeof(left));
    w->nfound = 0;
    for (unsigned s = k->table[k->size - 1].step; s; s = k->steps[s].before)
        for (unsigned i = 0; i < k->nparts; i++) {
            unsigned n = MIN(k->loads[k->steps[s].load].n[i], left[i]);
            left[i] -= n;
            if (n == 0)
                continue;
            found_add(w, k->steps[s].node, n);
            w->found[w->nfound - 1].part = k->part[i] + 1;
        }
}

bool pool_parts_pack(const struct query *q)
{
    struct packing k = {0};
    if (q->req->shape.nparts > PACK_PARTS || !prepare(&k, q) || !gather(&k)) {
        packing_clear(&k);
        return false;
    }
    k.table = xcalloc(k.size, sizeof(*k.table));
    for (size_t i = 1; i < k.size; i++)
        k.table[i].last = -1;
    bool found = fill_table(&k);
    if (found)
        tell(&k);
    packing_clear(&k);
    return found;
}
