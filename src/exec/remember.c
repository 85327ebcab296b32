/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/remember.h"

#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/exec/exec.h"
#include "src/exec/job.h"

struct remembered { /* in the order of their events */
    struct remembered *next;
    uint64_t seq, id, first;
    unsigned try;
};

void remember_ended(struct exec *x, uint64_t id, unsigned try, uint64_t first)
{
    struct remembered *r = xcalloc(1, sizeof(*r));
    r->seq = conn_next_seq(x->conn);
    r->id = id;
    r->first = first;
    r->try = try;
    if (x->remembered_last)
        x->remembered_last->next = r;
    else
        x->remembered = r;
    x->remembered_last = r;
    if (idmap_get(&x->ended_jobs, id))
        idmap_del(&x->ended_jobs, id);
    idmap_put(&x->ended_jobs, id, r);
}

bool remember_has(const struct exec *x, uint64_t id, unsigned try)
{
    const struct remembered *r = idmap_get(&x->ended_jobs, id);
    return r && r->try == try;
}

uint64_t remember_output(const struct exec *x, uint64_t id)
{
    const struct remembered *r = idmap_get(&x->ended_jobs, id);
    return r ? r->first : 0;
}

void remember_list(const struct exec *x, struct strbuf *b, bool *first)
{
    for (const struct remembered *r = x->remembered; r; r = r->next) {
        if (idmap_get(&x->ended_jobs, r->id) != r || job_find(x, r->id))
            continue;
        strbuf_addf(b, "%s%llu", *first ? "" : ",", (unsigned long long)r->id);
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
