/* SPDX-License-Identifier: BSD-3-Clause */
/* pool_pick: which cores and GPUs of a node. */
#include "src/sched/pool_impl.h"

#include <limits.h>

#include "src/common/util.h"

static unsigned weight(hwloc_const_bitmap_t set)
{
    int w = hwloc_bitmap_weight(set);
    return w > 0 ? (unsigned)w : 0;
}

/* --- cores alone ---------------------------------------------------------------------------- */

/* The first run of LEN adjacent ids in SET at or after FROM, or -1. */
static int find_run(hwloc_const_bitmap_t set, int from, unsigned len)
{
    int start = hwloc_bitmap_next(set, from - 1);
    while (start >= 0 && len > 1) {
        int end = hwloc_bitmap_next_unset(set, start);
        if (end < 0 || (unsigned)(end - start) >= len)
            break;
        start = hwloc_bitmap_next(set, end);
    }
    return start;
}

/* The smallest run of LEN or more, the first of equals, or -1. */
static int find_smallest_run(hwloc_const_bitmap_t set, unsigned len)
{
    int best = -1, end;
    unsigned least = UINT_MAX;
    for (int start = hwloc_bitmap_first(set); start >= 0 && least > len;
         start = hwloc_bitmap_next(set, end)) {
        end = hwloc_bitmap_next_unset(set, start);
        unsigned have = (unsigned)(end - start);
        if (have >= len && have < least) {
            least = have;
            best = start;
        }
    }
    return best;
}

/* The lowest N ids of SET are added to OUT. */
static void add_lowest(hwloc_bitmap_t out, hwloc_const_bitmap_t set, unsigned n)
{
    int id = -1;
    while (n-- > 0 && (id = hwloc_bitmap_next(set, id)) >= 0)
        hwloc_bitmap_set(out, (unsigned)id);
}

/* SLOTS runs of LEN ids from SET, each run adjacent; false if it has not so many. */
static bool pick_runs(hwloc_bitmap_t out, hwloc_const_bitmap_t set, unsigned slots,
                      unsigned len)
{
    hwloc_bitmap_zero(out);
    for (int from = 0; slots > 0; slots--) {
        int start = find_run(set, from, len);
        if (start < 0)
            return false;
        from = start + (int)len;
        hwloc_bitmap_set_range(out, (unsigned)start, from - 1);
    }
    return true;
}

static void pick_cores(hwloc_bitmap_t out, hwloc_const_bitmap_t set, unsigned slots,
                       unsigned len, bool tight)
{
    unsigned total = slots * len;
    int start = tight ? find_smallest_run(set, total) : find_run(set, 0, total);
    if (total == 1 && start >= 0) { /* the one-core job: as short as it can be */
        hwloc_bitmap_only(out, (unsigned)start);
    } else if (start >= 0) {
        hwloc_bitmap_zero(out);
        hwloc_bitmap_set_range(out, (unsigned)start, start + (int)total - 1);
    } else if (!pick_runs(out, set, slots, len)) {
        hwloc_bitmap_zero(out);
        add_lowest(out, set, total);
    }
}

/* --- with domains --------------------------------------------------------------------------- */

/* What is free, and how much of it is in each domain. */
struct near {
    const struct domains *d;
    hwloc_bitmap_t cores, gpus, part;
    unsigned *ncores, *ngpus; /* [d->n] */
};

static void count_domain(struct near *a, size_t i)
{
    hwloc_bitmap_and(a->part, a->cores, a->d->at[i].cores);
    a->ncores[i] = weight(a->part);
    hwloc_bitmap_and(a->part, a->gpus, a->d->at[i].gpus);
    a->ngpus[i] = weight(a->part);
}

/* A GPU may be in several. */
static void count_domains(struct near *a)
{
    for (size_t i = 0; i < a->d->n; i++)
        count_domain(a, i);
}

static hwloc_const_bitmap_t cores_of(struct near *a, size_t i)
{
    hwloc_bitmap_and(a->part, a->cores, a->d->at[i].cores);
    return a->part;
}

static hwloc_const_bitmap_t gpus_of(struct near *a, size_t i)
{
    hwloc_bitmap_and(a->part, a->gpus, a->d->at[i].gpus);
    return a->part;
}

/* The domain of NGPUS free GPUs that holds TOTAL cores: the first, or (TIGHT) the one with the fewest; n: none. */
static size_t find_home(const struct near *a, unsigned ngpus, unsigned total, bool tight)
{
    size_t best = a->d->n;
    for (size_t i = 0; i < a->d->n; i++)
        if (a->ngpus[i] == ngpus && a->ncores[i] >= total &&
            (best == a->d->n || (tight && a->ncores[i] < a->ncores[best])))
            best = i;
    return best;
}

/* Away from free GPUs: of the domains with the fewest, one that holds all, or all such together. */
static void pick_away(struct near *a, hwloc_bitmap_t out, unsigned slots, unsigned len,
                      bool tight)
{
    unsigned total = slots * len, ngpus = 0;
    cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_dup(a->cores);
    for (size_t i = 0; i < a->d->n; i++) /* what is in no domain is near no GPU */
        hwloc_bitmap_andnot(set, set, a->d->at[i].cores);
    for (unsigned next; ngpus != UINT_MAX; ngpus = next) {
        size_t home = find_home(a, ngpus, total, tight);
        if (home < a->d->n) {
            pick_cores(out, cores_of(a, home), slots, len, tight);
            return;
        }
        next = UINT_MAX;
        for (size_t i = 0; i < a->d->n; i++) {
            if (a->ngpus[i] == ngpus)
                hwloc_bitmap_or(set, set, cores_of(a, i));
            else if (a->ngpus[i] > ngpus)
                next = MIN(next, a->ngpus[i]);
        }
        if (weight(set) >= total)
            break;
    }
    pick_cores(out, set, slots, len, tight);
}

/* PICKED goes from the free ones to OUT. */
static void move(hwloc_bitmap_t out, hwloc_bitmap_t set, hwloc_const_bitmap_t picked)
{
    hwloc_bitmap_or(out, out, picked);
    hwloc_bitmap_andnot(set, set, picked);
}

static size_t most_gpus(const struct near *a)
{
    size_t best = 0;
    for (size_t i = 1; i < a->d->n; i++)
        if (a->ngpus[i] > a->ngpus[best])
            best = i;
    return best;
}

/* A slot that no domain holds: GPUs of the domains that have the most, and cores near those first. */
static void pick_apart(struct near *a, struct pool_work *w, unsigned cores, unsigned gpus)
{
    cleanup_bitmap hwloc_bitmap_t picked = hwloc_bitmap_alloc();
    while (gpus > 0) {
        size_t i = most_gpus(a);
        unsigned g = MIN(gpus, a->ngpus[i]), c = MIN(cores, a->ncores[i]);
        hwloc_bitmap_zero(picked);
        if (g == 0) { /* the others are in no domain */
            add_lowest(picked, a->gpus, gpus);
            move(w->gpus, a->gpus, picked);
            break;
        }
        add_lowest(picked, gpus_of(a, i), g);
        move(w->gpus, a->gpus, picked);
        hwloc_bitmap_zero(picked);
        add_lowest(picked, cores_of(a, i), c);
        move(w->cores, a->cores, picked);
        count_domains(a);
        gpus -= g;
        cores -= c;
    }
    hwloc_bitmap_zero(picked);
    add_lowest(picked, a->cores, cores);
    move(w->cores, a->cores, picked);
    count_domains(a);
}

/* How many slots a domain holds. */
static unsigned slots_in(const struct near *a, size_t i, unsigned len, unsigned gpus)
{
    return MIN(a->ncores[i] / len, a->ngpus[i] / gpus);
}

/* The domain that holds the most slots, but not more than are wanted; of these the one with the fewest free GPUs, the
 * first of equals; n: none holds one. */
static size_t find_pair(const struct near *a, unsigned slots, unsigned len, unsigned gpus)
{
    size_t best = a->d->n;
    unsigned most = 0;
    for (size_t i = 0; i < a->d->n; i++) {
        unsigned k = MIN(slots_in(a, i, len, gpus), slots);
        if (k > most || (k > 0 && k == most && a->ngpus[i] < a->ngpus[best])) {
            best = i;
            most = k;
        }
    }
    return best;
}

/* GPUs and cores of one domain, or of as few as can be, each slot's in one. */
static void pick_together(struct near *a, struct pool_work *w, unsigned slots,
                          unsigned len, unsigned gpus, bool tight)
{
    cleanup_bitmap hwloc_bitmap_t picked = hwloc_bitmap_alloc();
    hwloc_bitmap_zero(w->cores);
    hwloc_bitmap_zero(w->gpus);
    while (slots > 0) {
        size_t i = find_pair(a, slots, len, gpus);
        if (i == a->d->n) {
            pick_apart(a, w, len, gpus);
            slots--;
            continue;
        }
        unsigned k = MIN(slots_in(a, i, len, gpus), slots);
        pick_cores(picked, cores_of(a, i), k, len, tight);
        move(w->cores, a->cores, picked);
        hwloc_bitmap_zero(picked);
        add_lowest(picked, gpus_of(a, i), k * gpus);
        move(w->gpus, a->gpus, picked);
        count_domains(a);
        slots -= k;
    }
}

static void pick_near(struct pool_work *w, const struct pnode *n,
                      const struct job_shape *s, unsigned nslots, bool tight)
{
    unsigned len = MAX(s->cores_per_slot, 1U);
    cleanup_bitmap hwloc_bitmap_t cores = hwloc_bitmap_dup(n->free_cores);
    cleanup_bitmap hwloc_bitmap_t gpus = hwloc_bitmap_dup(n->free_gpus);
    cleanup_free unsigned *counts = xcalloc(2 * n->domains->n, sizeof(*counts));
    struct near a = {n->domains, cores, gpus, w->part, counts, counts + n->domains->n};
    count_domains(&a);
    if (s->gpus_per_slot > 0) {
        pick_together(&a, w, nslots, len, s->gpus_per_slot, tight);
    } else {
        hwloc_bitmap_zero(w->gpus);
        pick_away(&a, w->cores, nslots, len, tight);
    }
}

void pool_pick(struct pool_work *w, const struct pnode *n, const struct pool_request *req,
               unsigned nslots, bool tight)
{
    const struct job_shape *s = &req->shape;
    unsigned cores = nslots * MAX(s->cores_per_slot, 1U),
             gpus = nslots * s->gpus_per_slot;
    if (cores == n->free.cores &&
        (gpus == 0 || gpus == n->free.gpus)) { /* all there is */
        hwloc_bitmap_copy(w->cores, n->free_cores);
        hwloc_bitmap_zero(w->gpus);
        if (gpus > 0)
            hwloc_bitmap_copy(w->gpus, n->free_gpus);
        return;
    }
    if (n->domains) {
        pick_near(w, n, s, nslots, tight);
        return;
    }
    pick_cores(w->cores, n->free_cores, nslots, MAX(s->cores_per_slot, 1U), tight);
    hwloc_bitmap_zero(w->gpus);
    add_lowest(w->gpus, n->free_gpus, nslots * s->gpus_per_slot);
}
