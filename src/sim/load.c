/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sim/load.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"

struct load_job *load_add(struct load *l)
{
    if (l->njobs == l->room) {
        l->room = MAX(2 * l->room, (size_t)1024);
        l->jobs = xrealloc(l->jobs, l->room * sizeof(*l->jobs));
    }
    l->jobs[l->njobs] = (struct load_job){.urgency = 16};
    return &l->jobs[l->njobs++];
}

void load_break(struct load *l, unsigned line, const char *fmt, ...)
{
    if (l->nbroken < LOAD_BROKEN_SHOWN) {
        char why[256];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(why, sizeof(why), fmt, ap);
        va_end(ap);
        l->broken[l->nbroken] = (struct load_broken){line, xstrdup(why)};
    }
    l->nbroken++;
}

void load_destroy(struct load *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->njobs; i++) {
        constraint_destroy(l->jobs[i].constraint);
        jobspec_destroy(l->jobs[i].spec);
    }
    for (size_t i = 0; i < l->nbroken && i < LOAD_BROKEN_SHOWN; i++)
        free(l->broken[i].why);
    free(l->jobs);
    free(l);
}

static int by_time(const void *a, const void *b)
{
    const struct load_job *x = a, *y = b;
    if (x->submit != y->submit)
        return x->submit < y->submit ? -1 : 1;
    return (x->line > y->line) - (x->line < y->line);
}

void load_sort(struct load *l)
{
    if (l->njobs > 0)
        qsort(l->jobs, l->njobs, sizeof(*l->jobs), by_time);
}

struct load *load_text(const char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    return *text == '{' ? load_speclist(text) : load_swf(text);
}

char *load_to_swf(const struct load *l)
{
    struct strbuf b = {0};
    strbuf_addf(&b, "; Version: 2.2\n; MaxJobs: %zu\n; MaxNodes: %u\n; MaxProcs: %u\n",
                l->njobs, l->max_nodes, l->max_procs);
    for (size_t i = 0; i < l->njobs; i++) {
        const struct load_job *j = &l->jobs[i];
        strbuf_addf(&b, "%zu %.0f -1 %.0f %u -1 -1 %u %.0f -1 1 -1 -1 -1 -1 -1 -1 -1\n",
                    i + 1, j->submit, j->run, j->req.shape.nslots, j->req.shape.nslots,
                    j->limit);
    }
    return strbuf_take(&b);
}
