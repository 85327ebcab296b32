/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/book.h"

#include <math.h>
#include "src/common/util.h"
#include "src/sched/tree.h"

struct part {
    unsigned rank;
    struct pool_amount left;
};

struct run {
    struct tree_node by_end;
    double end;
    uint64_t number; /* tells those of one end apart */
    unsigned cores;  /* that are left of it */
    size_t nparts;
    struct part parts[]; /* ascending rank */
};

struct node {
    struct run **owner; /* [ncores] by core id, or NULL */
    unsigned ncores;
    struct pool_amount before, until;
    bool changed;
};

struct book {
    struct tree runs;
    uint64_t numbers;
    double horizon;
    struct node *nodes; /* [nnodes] by rank */
    size_t nnodes;
    unsigned *changed; /* room for all ranks */
    size_t nchanged;
};

static struct run *run_of(struct tree_node *n)
{
    return tree_entry((struct tree_node *)n, struct run, by_end);
}

static bool before(struct tree_node *a, struct tree_node *b)
{
    const struct run *r = run_of(a), *s = run_of(b);
    return r->end != s->end ? r->end < s->end : r->number < s->number;
}

struct book *book_create(void)
{
    struct book *b = xcalloc(1, sizeof(*b));
    b->runs = (struct tree){.before = before};
    b->horizon = -INFINITY;
    return b;
}

void book_destroy(struct book *b)
{
    if (!b)
        return;
    for (struct tree_node *n; (n = b->runs.first);) {
        tree_remove(&b->runs, n);
        free(run_of(n));
    }
    for (size_t i = 0; i < b->nnodes; i++)
        free(b->nodes[i].owner);
    free(b->nodes);
    free(b->changed);
    free(b);
}

static struct node *node_at(struct book *b, unsigned rank)
{
    if (rank >= b->nnodes) {
        size_t n = MAX((size_t)rank + 1, 2 * b->nnodes);
        b->nodes = xrealloc(b->nodes, n * sizeof(*b->nodes));
        b->changed = xrealloc(b->changed, n * sizeof(*b->changed));
        for (size_t i = b->nnodes; i < n; i++)
            b->nodes[i] = (struct node){0};
        b->nnodes = n;
    }
    return &b->nodes[rank];
}

static void note_change(struct book *b, struct node *n, unsigned rank)
{
    if (!n->changed)
        b->changed[b->nchanged++] = rank;
    n->changed = true;
}

static void add_amount(struct pool_amount *a, int sign, struct pool_amount b)
{
    a->cores += (unsigned)sign * b.cores; /* unsigned arithmetic wraps */
    a->gpus += (unsigned)sign * b.gpus;
    a->memory += (uint64_t)(int64_t)sign * b.memory;
}

/* So much on RANK, which ends at END, comes (SIGN 1) or goes. */
static void count(struct book *b, unsigned rank, double end, int sign,
                  struct pool_amount a)
{
    struct node *n = node_at(b, rank);
    if (end > b->horizon)
        return;
    if (end < b->horizon)
        add_amount(&n->before, sign, a);
    add_amount(&n->until, sign, a);
    note_change(b, n, rank);
}

static void own(struct book *b, const struct rset_node *rn, struct run *run)
{
    struct node *n = node_at(b, rn->rank);
    int last = hwloc_bitmap_last(rn->cores);
    if (last >= 0 && (unsigned)last >= n->ncores) {
        n->owner = xrealloc(n->owner, ((size_t)last + 1) * sizeof(struct run *));
        for (unsigned i = n->ncores; i <= (unsigned)last; i++)
            n->owner[i] = NULL;
        n->ncores = (unsigned)last + 1;
    }
    for (int id = hwloc_bitmap_first(rn->cores); id >= 0;
         id = hwloc_bitmap_next(rn->cores, id))
        n->owner[id] = run;
}

static unsigned weight(hwloc_const_bitmap_t set)
{
    int w = set ? hwloc_bitmap_weight(set) : 0;
    return w > 0 ? (unsigned)w : 0;
}

void book_add(struct book *b, const struct rset *r, double end)
{
    book_remove(b, r); /* nothing is given twice: what is there would be an old mistake */
    struct run *run = xcalloc(1, sizeof(*run) + r->nnodes * sizeof(struct part));
    run->end = end;
    run->number = ++b->numbers;
    run->nparts = r->nnodes;
    for (size_t i = 0; i < r->nnodes; i++) {
        const struct rset_node *rn = &r->nodes[i];
        run->parts[i] =
            (struct part){rn->rank, {weight(rn->cores), weight(rn->gpus), rn->memory}};
        run->cores += run->parts[i].left.cores;
        own(b, rn, run);
        count(b, rn->rank, end, 1, run->parts[i].left);
    }
    if (run->cores > 0)
        tree_insert(&b->runs, &run->by_end);
    else
        free(run);
}

static struct part *find_part(struct run *run, unsigned rank)
{
    size_t lo = 0, hi = run->nparts;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (run->parts[mid].rank < rank)
            lo = mid + 1;
        else
            hi = mid;
    }
    return &run->parts[lo];
}

void book_remove(struct book *b, const struct rset *r)
{
    for (size_t i = 0; i < r->nnodes; i++) {
        const struct rset_node *rn = &r->nodes[i];
        struct node *n = node_at(b, rn->rank);
        struct pool_amount rest = {1, weight(rn->gpus), rn->memory}; /* to go */
        for (int id = hwloc_bitmap_first(rn->cores); id >= 0 && (unsigned)id < n->ncores;
             id = hwloc_bitmap_next(rn->cores, id)) {
            struct run *run = take(n->owner[id]);
            if (!run)
                continue;
            struct part *part = find_part(run, rn->rank);
            struct pool_amount go = part->left; /* with the last core goes what is left */
            if (part->left.cores > 1)
                go = (struct pool_amount){1, MIN(rest.gpus, go.gpus),
                                          MIN(rest.memory, go.memory)};
            add_amount(&part->left, -1, go);
            rest.gpus -= MIN(go.gpus, rest.gpus);
            rest.memory -= MIN(go.memory, rest.memory);
            count(b, rn->rank, run->end, -1, go);
            if (--run->cores == 0) {
                tree_remove(&b->runs, &run->by_end);
                free(run);
            }
        }
    }
}

/* --- the horizon ---------------------------------------------------------------------------- */

/* The first run that ends at T or later, or (AFTER) later than T. */
static struct run *first_from(const struct book *b, double t, bool after)
{
    struct run *found = NULL;
    for (struct tree_node *n = b->runs.root; n;) {
        struct run *run = run_of(n);
        if (after ? run->end > t : run->end >= t) {
            found = run;
            n = n->left;
        } else
            n = n->right;
    }
    return found;
}

/* Count the runs from FIRST whose end is below T (or is T, with EQUAL) in or out of one of the counts. */
static void shift(struct book *b, struct run *first, double t, bool equal, int sign,
                  bool until)
{
    for (struct run *run = first; run && (run->end < t || (equal && run->end == t));
         run = run_of(tree_next(&run->by_end)))
        for (size_t i = 0; i < run->nparts; i++) {
            const struct part *part = &run->parts[i];
            struct node *n = &b->nodes[part->rank];
            add_amount(until ? &n->until : &n->before, sign, part->left);
            note_change(b, n, part->rank);
        }
}

void book_set_horizon(struct book *b, double t)
{
    double h = b->horizon;
    if (t > h) {
        shift(b, first_from(b, h, false), t, false, 1, false);
        shift(b, first_from(b, h, true), t, true, 1, true);
    } else if (t < h) {
        shift(b, first_from(b, t, false), h, false, -1, false);
        shift(b, first_from(b, t, true), h, true, -1, true);
    }
    b->horizon = t;
}

double book_horizon(const struct book *b)
{
    return b->horizon;
}

static const struct pool_amount nothing;

struct pool_amount book_before(const struct book *b, unsigned rank)
{
    return rank < b->nnodes ? b->nodes[rank].before : nothing;
}

struct pool_amount book_until(const struct book *b, unsigned rank)
{
    return rank < b->nnodes ? b->nodes[rank].until : nothing;
}

double book_previous_end(const struct book *b)
{
    struct run *run = first_from(b, b->horizon, false);
    struct run *last = run ? run_of(tree_previous(&run->by_end)) : run_of(b->runs.last);
    return last ? last->end : -INFINITY;
}

double book_next_end(const struct book *b)
{
    struct run *run = first_from(b, b->horizon, true);
    return run ? run->end : NAN;
}

const unsigned *book_changes(struct book *b, size_t *n)
{
    for (size_t i = 0; i < b->nchanged; i++)
        b->nodes[b->changed[i]].changed = false;
    *n = b->nchanged;
    b->nchanged = 0;
    return b->changed;
}

void book_each(const struct book *b,
               void (*f)(void *arg, unsigned rank, struct pool_amount amount, double end),
               void *arg)
{
    for (struct tree_node *n = b->runs.first; n; n = tree_next(n)) {
        const struct run *run = run_of(n);
        for (size_t i = 0; i < run->nparts; i++)
            if (run->parts[i].left.cores > 0)
                f(arg, run->parts[i].rank, run->parts[i].left, run->end);
    }
}

double book_end_of(const struct book *b, const struct rset *r)
{
    if (r->nnodes == 0 || r->nodes[0].rank >= b->nnodes)
        return NAN;
    const struct node *n = &b->nodes[r->nodes[0].rank];
    int id = hwloc_bitmap_first(r->nodes[0].cores);
    return id >= 0 && (unsigned)id < n->ncores && n->owner[id] ? n->owner[id]->end : NAN;
}
