/* SPDX-License-Identifier: BSD-3-Clause */
/* policy_fcfs: first come first served in priority order.  The first job of the queue starts or
 * all wait: nothing overtakes it, so its wait ends when what runs before it does. */
#include "src/sched/policy.h"

#include "src/common/util.h"
#include "src/sched/queue.h"

/* The job at the head of a group that found no place, and what pool_gains said then: it is not tried
 * again before that changes, however many jobs queue up behind it. */
struct fcfs {
    struct blocked {
        uint64_t ticket, gains;
    } blocked[SCHED_LANES];
};

static int fcfs_init(struct sched *s)
{
    *sched_priv(s) = xcalloc(1, sizeof(struct fcfs));
    return 0;
}

static void fcfs_fini(struct sched *s)
{
    free(*sched_priv(s));
}

/* The next job to be tried; *BLOCKED: of its group. */
static struct sched_job *head(struct sched *s, struct blocked **blocked)
{
    struct fcfs *f = *sched_priv(s);
    unsigned n = sched_ngroups(s);
    uint64_t gains = pool_gains(sched_pool(s));
    struct sched_job *best = NULL;
    for (unsigned g = 0; g < n; g++) {
        struct sched_job *job = n == 1 ? sched_first(s) : sched_group_first(s, g);
        if (!job || (f->blocked[g].ticket == job->ticket && f->blocked[g].gains == gains))
            continue;
        if (best && queue_before(best, job))
            continue;
        best = job;
        *blocked = &f->blocked[g];
    }
    return best;
}

static void fcfs_pass(struct sched *s, double now)
{
    (void)now;
    struct pool *pool = sched_pool(s);
    struct blocked *blocked = NULL;
    for (struct sched_job *job; (job = head(s, &blocked));) {
        uint64_t gains = pool_gains(pool);
        struct placement *pl = pool_alloc(pool, &job->req);
        if (pl)
            sched_start(s, job, pl);
        else
            *blocked = (struct blocked){job->ticket, gains};
    }
}

const struct sched_policy policy_fcfs = {
    .name = "fcfs",
    .summary = "first come first served in priority order; no overtaking",
    .init = fcfs_init,
    .fini = fcfs_fini,
    .pass = fcfs_pass,
};
