/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/poolmodel.h"

#include <check.h>
#include "src/common/util.h"

int model_count_free(const int *owner, int n)
{
    int k = 0;
    for (int i = 0; i < n; i++)
        k += owner[i] == 0;
    return k;
}

int model_node_slots(const struct model_node *n, const struct job_shape *s, bool all)
{
    int cores = all ? n->ncores : model_count_free(n->core, n->ncores);
    int gpus = all ? n->ngpus : model_count_free(n->gpu, n->ngpus);
    if (!n->present || (!all && n->state != POOL_UP))
        return 0;
    if (s->exclusive && (cores < n->ncores || gpus < n->ngpus))
        return 0;
    uint64_t memory = all ? n->memory : n->memory - n->used;
    if (s->exclusive && memory < n->memory)
        return 0;
    int k = cores / (int)s->cores_per_slot;
    if (s->gpus_per_slot)
        k = MIN(k, gpus / (int)s->gpus_per_slot);
    while (k > 0 && s->mem_per_node + (uint64_t)k * s->mem_per_slot > memory)
        k--;
    return memory < s->mem_per_node ? 0 : k;
}

/* A question to the model. */
struct ask {
    const struct model *m;
    const struct job_shape *s;
    int can[NODES]; /* slots */
    int left;
    int *out; /* slots of each node */
};

static int free_cores(const struct ask *a, int i)
{
    return model_count_free(a->m->node[i].core, a->m->node[i].ncores);
}

static int free_gpus(const struct ask *a, int i)
{
    return model_count_free(a->m->node[i].gpu, a->m->node[i].ngpus);
}

static bool is_idle(const struct ask *a, int i)
{
    const struct model_node *n = &a->m->node[i];
    return free_cores(a, i) == n->ncores && free_gpus(a, i) == n->ngpus && n->used == 0;
}

/* Of those that take K more and are not taken: -1: there is none. */
static int tightest(const struct ask *a, int k)
{
    int best = -1;
    for (int i = 0; i < NODES; i++)
        if (a->can[i] >= k && a->out[i] == 0 &&
            (best < 0 || free_gpus(a, i) < free_gpus(a, best) ||
             (free_gpus(a, i) == free_gpus(a, best) &&
              free_cores(a, i) < free_cores(a, best))))
            best = i;
    return best;
}

static int roomiest(const struct ask *a)
{
    int best = -1;
    for (int i = 0; i < NODES; i++)
        if (a->can[i] > 0 && a->out[i] == 0 && (best < 0 || a->can[i] > a->can[best]))
            best = i;
    return best;
}

/* Take WANT of the nodes of SET, each for K slots. */
static void take_runs(struct ask *a, bool *set, int want, int k)
{
    while (want > 0) {
        int at = -1, len = 0;
        for (int i = 0; i < NODES; i++) {
            int run = 0;
            while ((i == 0 || !set[i - 1]) && i + run < NODES && set[i + run])
                run++;
            if (run > 0 && (run >= want ? len < want || run < len : run > len)) {
                at = i;
                len = run;
            }
        }
        ck_assert_int_ge(at, 0);
        for (int i = at; i < at + len && want > 0; i++, want--) {
            a->out[i] = k;
            set[i] = false;
        }
    }
}

static bool first_slots(struct ask *a)
{
    while (a->left > 0) {
        int best = -1;
        for (int i = 0; i < NODES; i++) /* the first that holds all, or the roomiest */
            if (a->can[i] > 0 && a->out[i] == 0 &&
                (best < 0 || MIN(a->can[i], a->left) > MIN(a->can[best], a->left)))
                best = i;
        if (best < 0)
            return false;
        a->out[best] = MIN(a->can[best], a->left);
        a->left -= a->out[best];
    }
    return true;
}

static bool best_slots(struct ask *a)
{
    int size = 0, last;
    while ((last = tightest(a, a->left)) < 0) {
        int i = roomiest(a);
        if (i < 0)
            return false;
        size = a->out[i] = a->can[i];
        a->left -= size;
    }
    /* of those of the last size, adjacent ones */
    bool set[NODES] = {false};
    int want = 0;
    for (int i = 0; size > 0 && i < NODES; i++)
        if (a->can[i] == size) {
            set[i] = true;
            want += a->out[i] > 0;
            a->out[i] = 0;
        }
    take_runs(a, set, want, size);
    a->out[tightest(a, a->left)] = a->left;
    return true;
}

static bool spread_slots(struct ask *a)
{
    for (; a->left > 0; a->left--) {
        int best = -1, most = 0;
        for (int i = 0; i < NODES; i++) {
            int left = a->can[i] > a->out[i]
                           ? free_cores(a, i) - a->out[i] * (int)a->s->cores_per_slot
                           : 0;
            if (left > most) {
                best = i;
                most = left;
            }
        }
        if (best < 0)
            return false;
        a->out[best]++;
    }
    return true;
}

static void first_nodes(struct ask *a, bool *set, int want)
{
    for (int i = 0; i < NODES && want > 0; i++)
        if (set[i]) {
            a->out[i] = a->left;
            want--;
        }
}

static void best_nodes(struct ask *a, bool *set, int want)
{
    bool used[NODES];
    int n = 0, all = 0;
    for (int i = 0; i < NODES; i++) {
        used[i] = set[i] && !is_idle(a, i);
        n += used[i];
        all += set[i];
    }
    if (want == 1)
        a->out[tightest(a, a->left)] = a->left;
    else if (n >= want && all > want)
        take_runs(a, used, want, a->left);
    else
        take_runs(a, set, want, a->left);
}

static void spread_nodes(struct ask *a, bool *set, int want)
{
    for (; want > 0; want--) {
        int best = -1;
        for (int i = 0; i < NODES; i++)
            if (set[i] && (best < 0 || free_cores(a, i) > free_cores(a, best)))
                best = i;
        a->out[best] = a->left;
        set[best] = false;
    }
}

static const struct way {
    const struct place_strategy *strategy;
    bool (*slots)(struct ask *a);
    void (*nodes)(struct ask *a, bool *set, int want);
} ways[] = {{&place_first, first_slots, first_nodes},
            {&place_best, best_slots, best_nodes},
            {&place_spread, spread_slots, spread_nodes}};

/* Nodes FROM up to END are there, one after the other, and each takes a slot (and is of SET, unless that is NULL). */
static bool is_run(const struct ask *a, const bool *set, int from, int end)
{
    for (int i = from; i < end; i++)
        if (set ? !set[i] : a->can[i] == 0)
            return false;
    return true;
}

/* The first run of the most nodes up to WANT, or (TIGHT) the first that has the fewest beside these. */
static bool contiguous_nodes(struct ask *a, const bool *set, int least, int most,
                             bool tight)
{
    int best = -1, len = 0;
    for (int want = MIN(most, NODES); want >= least && best < 0; want--)
        for (int i = 0; i + want <= NODES; i++) {
            int all = want;
            if (!is_run(a, set, i, i + want) || (i > 0 && set[i - 1]))
                continue;
            while (i + all < NODES && set[i + all])
                all++;
            if (best < 0 || (tight && all < len)) {
                best = i;
                len = all;
                most = want;
            }
        }
    for (int i = best; best >= 0 && i < best + most; i++)
        a->out[i] = a->left;
    return best >= 0;
}

static bool contiguous_slots(struct ask *a, bool tight)
{
    int first = -1;
    for (int i = 0; i < NODES && first < 0; i++)
        if (a->can[i] >= a->left)
            first = i;
    if (first >= 0) {
        a->out[tight ? tightest(a, a->left) : first] = a->left;
        return true;
    }
    for (int n = 2; n <= NODES; n++)
        for (int i = 0; i + n <= NODES; i++) {
            int sum = 0;
            for (int k = i; k < i + n; k++)
                sum += a->can[k];
            if (sum < a->left || !is_run(a, NULL, i, i + n))
                continue;
            for (int k = i; k < i + n; k++) {
                a->out[k] = MIN(a->can[k], a->left);
                a->left -= a->out[k];
            }
            return true;
        }
    return false;
}

bool model_search(const struct model *m, const struct pool_request *req,
                  const bool *match, bool all, int *out)
{
    const struct job_shape *s = &req->shape;
    const struct way *way = ways;
    struct ask a = {.m = m, .s = s, .left = (int)s->nslots, .out = out};
    bool set[NODES];
    unsigned n = 0;
    while (req->place && way->strategy != req->place)
        way++;
    for (int i = 0; i < NODES; i++) {
        a.can[i] = match[i] ? model_node_slots(&m->node[i], s, all) : 0;
        out[i] = 0;
        set[i] = a.can[i] >= a.left;
        n += set[i];
    }
    bool tight = req->place == &place_best && !all;
    if (s->contiguous)
        return s->nnodes_min
                   ? contiguous_nodes(&a, set, (int)s->nnodes_min,
                                      (int)MIN(s->nnodes_max, (unsigned)NODES), tight)
                   : contiguous_slots(&a, tight);
    if (s->nnodes_min == 0)
        return all ? first_slots(&a) : way->slots(&a);
    if (n < s->nnodes_min)
        return false;
    if (!all)
        way->nodes(&a, set, (int)MIN(n, s->nnodes_max));
    return true;
}
