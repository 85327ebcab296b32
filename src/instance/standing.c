/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/standing.h"

#include <math.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

enum { URGENCY_MAX = 31 };

static const char *bank_name(const struct submission *sub)
{
    const char *name = jsonutil_string(jobspec_attr(sub->spec, "system.bank"));
    return name ? name : "default";
}

struct account *standing_bank(const struct queues *q, struct submission *sub)
{
    if (!sub->bank)
        sub->bank = accounts_get(q->accounts, ACCOUNT_BANK, bank_name(sub));
    return sub->bank;
}

/* Its part of the instance's cores. */
static double size_of(const struct queues *q, const struct job *job)
{
    const struct job_shape *shape = job_shape_of(job);
    double slots = (double)shape->nslots * MAX(shape->nnodes_min, 1u);
    double cores = slots * shape->cores_per_slot;
    return q->accounts->ncores > 0 ? cores / q->accounts->ncores : 0;
}

/* Ages count from a moment that is the same for all. */
static struct priority_factors factors(const struct queues *q, const struct job *job,
                                       double now)
{
    return (struct priority_factors){
        .urgency = job->urgency,
        .age = now - job->t_submit,
        .size = size_of(q, job),
        .fairshare = standing_bank(q, job->sub)->factor,
    };
}

uint64_t standing_priority(const struct queues *q, const struct job *job)
{
    if (!q->config->multifactor)
        return job_priority(job->urgency);
    const struct priority_factors f = factors(q, job, 0);
    return priority_make(&q->config->weights, &f);
}

int64_t standing_shown(const struct queues *q, const struct job *job, double now)
{
    if (!q->config->multifactor || job->urgency <= 0 || job->urgency >= URGENCY_MAX)
        return (int64_t)job_priority(job->urgency);
    const struct priority_factors f = factors(q, job, now);
    double sum = priority_sum(&q->config->weights, &f);
    return (int64_t)fmin(fmax(floor(sum), 1), 9e15);
}
