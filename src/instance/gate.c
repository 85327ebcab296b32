/* SPDX-License-Identifier: BSD-3-Clause */
/* gate: what leaves the leader waits until it would survive the leader: lines for executors,
 * answers to submissions, and ends of jobs go out when the second rank has confirmed the epoch of the state stream
 * that tells why.  So whoever succeeds the leader knows every job that was accepted, and every
 * task that was started.  An instance of one rank has nobody to wait for. */
#include "src/instance/leader_impl.h"

#include <string.h>
#include "src/common/util.h"

/* A line for an executor, in the order in which they were given. */
struct gated {
    struct gated *next;
    uint64_t epoch;
    unsigned rank;
    size_t len;
    char line[];
};

uint64_t gate_epoch(const struct leader *ld)
{
    return ld->config.published ? ld->config.published(ld->config.arg) : 0;
}

uint64_t gate_safe(const struct leader *ld)
{
    return ld->config.safe ? ld->config.safe(ld->config.arg) : UINT64_MAX;
}

void gate_exec(struct leader *ld, unsigned rank, const char *line, size_t len)
{
    uint64_t epoch = gate_epoch(ld);
    if (!ld->gated && epoch <= gate_safe(ld)) {
        ld->config.to_exec(ld->config.arg, rank, line, len);
        return;
    }
    struct gated *g = xmalloc(sizeof(*g) + len);
    g->next = NULL;
    g->epoch = epoch;
    g->rank = rank;
    g->len = len;
    memcpy(g->line, line, len);
    *ld->gated_end = g;
    ld->gated_end = &g->next;
}

void gate_release(struct leader *ld)
{
    uint64_t safe = gate_safe(ld);
    for (struct gated *g; (g = ld->gated) && g->epoch <= safe;) {
        ld->gated = g->next;
        if (!ld->gated)
            ld->gated_end = &ld->gated;
        ld->config.to_exec(ld->config.arg, g->rank, g->line, g->len);
        free(g);
    }
}

void gate_forget(struct leader *ld, unsigned rank)
{
    struct gated **p = &ld->gated;
    for (struct gated *g; (g = *p);) {
        if (g->rank != rank) {
            p = &g->next;
            continue;
        }
        *p = g->next;
        free(g);
    }
    ld->gated_end = p;
}

void gate_clear(struct leader *ld)
{
    while (ld->gated) {
        struct gated *g = ld->gated;
        ld->gated = g->next;
        free(g);
    }
    ld->gated_end = &ld->gated;
}
