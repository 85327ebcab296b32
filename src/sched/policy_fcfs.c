/* SPDX-License-Identifier: BSD-3-Clause */
/* policy_fcfs: first come first served in priority order.  The first job of the queue starts or
 * all wait: nothing overtakes it, so its wait ends when what runs before it does. */
#include "src/sched/policy.h"

#include "src/common/util.h"

/* The job at the head that found no place, and what pool_gains said then: it is not tried
 * again before that changes, however many jobs queue up behind it. */
struct fcfs {
    uint64_t ticket, gains;
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

static void fcfs_pass(struct sched *s, double now)
{
    (void)now;
    struct fcfs *blocked = *sched_priv(s);
    struct pool *pool = sched_pool(s);
    for (struct sched_job *job; (job = sched_first(s));) {
        uint64_t gains = pool_gains(pool);
        if (blocked->ticket == job->ticket && blocked->gains == gains)
            return;
        struct placement *pl = pool_alloc(pool, &job->req);
        if (!pl) {
            *blocked = (struct fcfs){job->ticket, gains};
            return;
        }
        sched_start(s, job, pl);
    }
}

const struct sched_policy policy_fcfs = {
    .name = "fcfs",
    .summary = "first come first served in priority order; no overtaking",
    .init = fcfs_init,
    .fini = fcfs_fini,
    .pass = fcfs_pass,
};
