/* SPDX-License-Identifier: BSD-3-Clause */
/* amounts: numbers of cores and GPUs on a few nodes, and first fit in them, for models of backfill.  ALL is what the
 * nodes have; a node that is not there has nothing. */
#ifndef HBATCH_TESTS_AMOUNTS_H
#define HBATCH_TESTS_AMOUNTS_H

#include <stdbool.h>
#include "src/common/util.h"
#include "src/job/jobspec.h"

enum { AMOUNTS_NODES = 8 };

struct amounts {
    int cores[AMOUNTS_NODES], gpus[AMOUNTS_NODES];
};

/* How many slots of S node I has in A. */
static inline int amounts_slots(const struct amounts *all, const struct amounts *a, int i,
                                const struct job_shape *s)
{
    if (s->exclusive && (a->cores[i] < all->cores[i] || a->gpus[i] < all->gpus[i]))
        return 0;
    int k = a->cores[i] / (int)s->cores_per_slot;
    return s->gpus_per_slot ? MIN(k, a->gpus[i] / (int)s->gpus_per_slot) : k;
}

/* SLOTS of S on node I, into OUT. */
static inline void amounts_give(const struct amounts *all, const struct job_shape *s,
                                int i, int slots, struct amounts *out)
{
    out->cores[i] = s->exclusive ? all->cores[i] : slots * (int)s->cores_per_slot;
    out->gpus[i] = s->exclusive ? all->gpus[i] : slots * (int)s->gpus_per_slot;
}

/* First fit in A, at most MAX nodes where whole nodes are asked for; the rule is that of pool_alloc. */
static inline bool amounts_find(const struct amounts *all, const struct amounts *a,
                                const struct job_shape *s, unsigned max,
                                struct amounts *out)
{
    unsigned n = 0;
    bool taken[AMOUNTS_NODES] = {false};
    *out = (struct amounts){{0}, {0}};
    for (int i = 0; i < AMOUNTS_NODES && s->nnodes_min && n < max; i++)
        if (amounts_slots(all, a, i, s) >= (int)s->nslots) {
            amounts_give(all, s, i, (int)s->nslots, out);
            n++;
        }
    if (s->nnodes_min)
        return n >= s->nnodes_min;
    for (int left = (int)s->nslots; left > 0;) {
        int best = -1;
        for (int i = 0; i < AMOUNTS_NODES; i++) {
            int k = taken[i] ? 0 : MIN(left, amounts_slots(all, a, i, s));
            if (k > 0 && (best < 0 || k > MIN(left, amounts_slots(all, a, best, s))))
                best = i;
        }
        if (best < 0)
            return false;
        taken[best] = true;
        int k = MIN(left, amounts_slots(all, a, best, s));
        amounts_give(all, s, best, k, out);
        left -= k;
    }
    return true;
}

#endif
