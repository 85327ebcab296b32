/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/pool_index.h"

#include <stdbool.h>

#include "src/common/util.h"

static unsigned *at(const struct pool_index *ix, size_t i)
{
    return ix->max + i * ix->width;
}

void pool_index_reset(struct pool_index *ix, size_t nnodes, unsigned max_gpus)
{
    pool_index_clear(ix);
    ix->size = 1;
    while (ix->size < nnodes)
        ix->size *= 2;
    ix->width = MIN(max_gpus, POOL_INDEX_GPUS) + 1;
    ix->max = xcalloc(2 * ix->size * ix->width, sizeof(*ix->max));
    ix->memory = xcalloc(2 * ix->size, sizeof(*ix->memory));
}

void pool_index_clear(struct pool_index *ix)
{
    free(ix->max);
    free(ix->memory);
    *ix = (struct pool_index){0};
}

void pool_index_set(struct pool_index *ix, size_t i, unsigned cores, unsigned gpus,
                    uint64_t memory)
{
    unsigned *m = at(ix, i += ix->size);
    bool changed = ix->memory[i] != memory;
    ix->memory[i] = memory;
    for (unsigned g = 0; g < ix->width; g++) {
        unsigned v = gpus >= g ? cores : 0;
        changed |= m[g] != v;
        m[g] = v;
    }
    /* Upwards, until a parent stays as it is: most often that is soon. */
    while (changed && i > 1) {
        i /= 2;
        const unsigned *a = at(ix, 2 * i), *b = at(ix, 2 * i + 1);
        m = at(ix, i);
        memory = MAX(ix->memory[2 * i], ix->memory[2 * i + 1]);
        changed = ix->memory[i] != memory;
        ix->memory[i] = memory;
        for (unsigned g = 0; g < ix->width; g++) {
            unsigned v = MAX(a[g], b[g]);
            changed |= m[g] != v;
            m[g] = v;
        }
    }
}

unsigned pool_index_most(const struct pool_index *ix, unsigned gpus)
{
    return at(ix, 1)[gpus];
}

size_t pool_index_next(const struct pool_index *ix, size_t from, unsigned cores,
                       unsigned gpus, uint64_t memory)
{
    unsigned g = MIN(gpus, ix->width - 1);
    /* With more GPUs than any node has, width - 1 may be less than POOL_INDEX_GPUS. */
    if (from >= ix->size || (gpus > g && ix->width <= POOL_INDEX_GPUS))
        return POOL_INDEX_NONE;
    for (size_t i = from + ix->size;;) {
        while (at(ix, i)[g] < cores || ix->memory[i] < memory) {
            while (i & 1)
                i /= 2; /* a right child: nothing more below its parent */
            if (i == 0)
                return POOL_INDEX_NONE;
            i++;
        }
        if (i >= ix->size)
            return i - ix->size;
        i *= 2;
    }
}
