/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/remember.h"

#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/exec/exec.h"
#include "src/exec/job.h"

struct remembered { /* in the order of their events */
    struct remembered *next;
    uint64_t seq, id, first;
    int64_t run;
};

void remember_ended(struct exec *x, uint64_t id, int64_t run, uint64_t first)
{
    struct remembered *r = xcalloc(1, sizeof(*r));
    r->seq = conn_next_seq(x->conn);
    r->id = id;
    r->run = run;
    r->first = first;
    if (x->remembered_last)
        x->remembered_last->next = r;
    else
        x->remembered = r;
    x->remembered_last = r;
    if (idmap_get(&x->ended_jobs, id)) /* an earlier run of it */
        idmap_del(&x->ended_jobs, id);
    idmap_put(&x->ended_jobs, id, r);
}

bool remember_has(const struct exec *x, uint64_t id, int64_t run)
{
    const struct remembered *r = idmap_get(&x->ended_jobs, id);
    return r && r->run == run;
}

uint64_t remember_output(const struct exec *x, uint64_t id)
{
    const struct remembered *r = idmap_get(&x->ended_jobs, id);
    return r ? r->first : 0;
}

/* The last run of a job that does not run now. */
static bool is_latest(const struct exec *x, const struct remembered *r)
{
    return idmap_get(&x->ended_jobs, r->id) == r && !job_find(x, r->id);
}

void remember_list(const struct exec *x, struct strbuf *b, bool *first)
{
    for (const struct remembered *r = x->remembered; r; r = r->next)
        if (is_latest(x, r)) {
            strbuf_addf(b, "%s%llu", *first ? "" : ",", (unsigned long long)r->id);
            *first = false;
        }
}

void remember_runs(const struct exec *x, struct strbuf *b, bool *first)
{
    for (const struct remembered *r = x->remembered; r; r = r->next)
        if (r->run > 0 && is_latest(x, r)) {
            strbuf_addf(b, "%s\"%llu\":%lld", *first ? "" : ",",
                        (unsigned long long)r->id, (long long)r->run);
            *first = false;
        }
}

void remember_forget(struct exec *x, uint64_t seq)
{
    while (x->remembered && x->remembered->seq <= seq) {
        struct remembered *r = x->remembered;
        x->remembered = r->next;
        if (!x->remembered)
            x->remembered_last = NULL;
        if (idmap_get(&x->ended_jobs, r->id) == r)
            idmap_del(&x->ended_jobs, r->id);
        free(r);
    }
}
