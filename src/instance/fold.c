/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/fold.h"

#include "src/common/util.h"

bool fold_takes(const struct job *job)
{
    return job->state == JOB_SCHED || job->state == JOB_DEPEND;
}

static struct fold *of_urgency(struct folds *f, int urgency)
{
    for (int i = 0; i < f->n; i++)
        if (f->at[i].urgency == urgency)
            return &f->at[i];
    f->at[f->n] = (struct fold){.first = UINT64_MAX, .urgency = urgency};
    return &f->at[f->n++];
}

static void add_own(struct fold *fold, const struct job *job, uint64_t position)
{
    if ((fold->nown & (fold->nown - 1)) == 0) /* full: it has 0 or a power of two */
        fold->own =
            xrealloc(fold->own, MAX(fold->nown * 2, (size_t)1) * sizeof(*fold->own));
    if (fold->nown == 0)
        fold->job = job;
    fold->own[fold->nown++] = position;
    fold->first = MIN(fold->first, position);
    fold->count++;
}

static int last_first(const void *a, const void *b)
{
    const struct fold *x = a, *y = b;
    return x->first < y->first ? 1 : x->first > y->first ? -1 : 0;
}

void folds_find(struct folds *f, const struct jobtable *t, const struct submission *sub,
                int states)
{
    f->n = 0;
    for (int g = 0; g < ARRAY_GROUPS; g++) {
        const struct job *rest = sub->rests[g];
        uint64_t n = array_group_number(sub->array, g);
        if (!rest || n == 0 || !(rest->state & states))
            continue;
        struct fold *fold = of_urgency(f, g);
        fold->rest = rest;
        fold->count = n;
        fold->first = array_group_find(sub->array, g, 0).first;
    }
    for (struct array_run r = {0, 0};
         (r = array_find(sub->array, ARRAY_TAKEN, r.first + r.n)).n;)
        for (uint64_t at = r.first; at < r.first + r.n; at++) {
            const struct job *job = jobtable_find(t, jobid_nth(sub->first, at));
            if (job && fold_takes(job) && (job->state & states))
                add_own(of_urgency(f, job->urgency), job, at);
        }
    qsort(f->at, (size_t)f->n, sizeof(f->at[0]), last_first);
}

void folds_clear(struct folds *f)
{
    for (int i = 0; i < f->n; i++)
        free(f->at[i].own);
    f->n = 0;
}

struct job fold_view(const struct fold *fold)
{
    if (fold->nown > 0 && fold->own[0] == fold->first)
        return *fold->job;
    return element_view(fold->rest, fold->first);
}

/* The next run of positions at or behind FROM; *NEXT: the first of own that may be in it. */
static struct array_run next_run(const struct fold *fold, const struct array *a,
                                 uint64_t from, size_t *next)
{
    struct array_run r =
        fold->rest ? array_group_find(a, fold->urgency, from) : (struct array_run){0, 0};
    if (*next < fold->nown && (r.n == 0 || fold->own[*next] < r.first))
        r = (struct array_run){fold->own[(*next)++], 1};
    return r;
}

char *fold_ccs(const struct fold *fold, const struct submission *sub, size_t max)
{
    struct strbuf b = {0};
    size_t next = 0;
    struct array_run all = {0, 0};
    for (struct array_run r; (r = next_run(fold, sub->array, all.first + all.n, &next)).n;
         all = all.n && r.first == all.first + all.n
                   ? (struct array_run){all.first, all.n + r.n}
                   : r) {
        if (all.n && r.first != all.first + all.n)
            array_encode_run(sub->array, all, &b);
        if (b.len > max)
            break;
    }
    if (b.len <= max)
        array_encode_run(sub->array, all, &b);
    if (b.len <= max)
        return strbuf_take(&b);
    while (max > 0 && b.s[max] != ',')
        max--;
    b.len = max;
    strbuf_add(&b, ",...");
    return strbuf_take(&b);
}
