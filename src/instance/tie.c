/* SPDX-License-Identifier: BSD-3-Clause */
/* tie: jobs that end with the connection of the client that submitted them (flag "tied").  They live as
 * long as some stream holds them: that of job.submit, or one of job.attach with "hold".
 *
 * A client that disconnects is gone for good: nobody gives up a connection to a rank that lives.
 * When a rank is lost, its clients may come back by another one; when the leader is another one, by
 * any: they have TIE_MS. */
#include "src/instance/leader_impl.h"

#include <string.h>
#include "src/common/util.h"

enum { TIE_MS = 70000 }; /* clients try for 60 s (HBATCH_RECONNECT_TIMEOUT) */

bool tie_is(const struct job *job)
{
    return job->sub->flags & JOB_TIED;
}

void tie_cut(struct leader *ld, jobid_t id)
{
    struct job *job = jobtable_find(ld->jobs, id);
    if (job && tie_is(job) && !stream_holds(job))
        manager_exception(ld, job, "cancel", 0, "the command that submitted it is gone");
}

/* Their ids first: what is canceled may leave the table at once. */
static void cut_all(struct leader *ld)
{
    size_t n = 0;
    cleanup_free jobid_t *ids = xcalloc(jobtable_count(ld->jobs) + 1, sizeof(*ids));
    for (const struct job *job = jobtable_first(ld->jobs); job; job = job->next) {
        if (tie_is(job))
            ids[n++] = job->sj.id;
    }
    for (size_t i = 0; i < n; i++)
        tie_cut(ld, ids[i]);
}

static void on_timer(uv_timer_t *h)
{
    cut_all(h->data);
}

void tie_await_clients(struct leader *ld)
{
    uv_timer_start(&ld->tie_timer, on_timer, TIE_MS, 0);
}
