/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/lib/progress.h"

#include <string.h>
#include "src/common/jobid.h"
#include "src/common/util.h"

enum {
    BUCKETS = 16,
    TASKS_MAX = 1 << 24
}; /* TASKS_MAX: beyond that, nonsense was sent */

struct output { /* bytes of one stream of one task */
    uint64_t told, now;
    bool eof;
};

struct job {
    struct job *chain;
    uint64_t id;
    uint64_t told, now;       /* events */
    struct output *output[2]; /* [ntasks] of stdout and stderr */
    size_t ntasks[2];
};

struct progress {
    struct job **buckets; /* jobs that have not ended */
    size_t nbuckets, njobs;
    uint64_t first, count;
    uint64_t *ended; /* bits: by position in the block */
};

struct progress *progress_create(void)
{
    struct progress *p = xcalloc(1, sizeof(*p));
    p->nbuckets = BUCKETS;
    p->buckets = xcalloc(p->nbuckets, sizeof(struct job *));
    return p;
}

static void job_free(struct job *job)
{
    free(job->output[0]);
    free(job->output[1]);
    free(job);
}

void progress_destroy(struct progress *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->nbuckets; i++)
        for (struct job *job = p->buckets[i], *next; job; job = next) {
            next = job->chain;
            job_free(job);
        }
    free(p->buckets);
    free(p->ended);
    free(p);
}

void progress_block(struct progress *p, uint64_t first, uint64_t count)
{
    free(p->ended);
    p->first = first;
    p->count = count;
    p->ended = xcalloc(count / 64 + 1, sizeof(*p->ended));
}

static void output_restart(struct job *job, bool new_run)
{
    for (unsigned s = 0; s < ARRAY_SIZE(job->output); s++)
        for (size_t i = 0; i < job->ntasks[s]; i++) {
            struct output *o = &job->output[s][i];
            *o =
                (struct output){.told = new_run ? 0 : o->told, .eof = !new_run && o->eof};
        }
}

void progress_restart(struct progress *p)
{
    for (size_t i = 0; i < p->nbuckets; i++)
        for (struct job *job = p->buckets[i]; job; job = job->chain) {
            job->now = 0;
            output_restart(job, false);
        }
}

/* --- jobs -------------------------------------------------------------------------------- */

static struct job **find(const struct progress *p, uint64_t id)
{
    uint64_t h = id * 0x9e3779b97f4a7c15u; /* ids differ in few bits */
    struct job **at = &p->buckets[(h >> 32) & (p->nbuckets - 1)];
    while (*at && (*at)->id != id)
        at = &(*at)->chain;
    return at;
}

static void grow(struct progress *p)
{
    struct job **old = p->buckets;
    size_t n = p->nbuckets;
    p->nbuckets *= 4;
    p->buckets = xcalloc(p->nbuckets, sizeof(struct job *));
    for (size_t i = 0; i < n; i++)
        for (struct job *job = old[i], *next; job; job = next) {
            next = job->chain;
            struct job **at = find(p, job->id);
            job->chain = NULL;
            *at = job;
        }
    free(old);
}

static struct job *get(struct progress *p, uint64_t id)
{
    struct job **at = find(p, id);
    if (*at)
        return *at;
    if (p->njobs >= 2 * p->nbuckets) {
        grow(p);
        at = find(p, id);
    }
    p->njobs++;
    *at = xcalloc(1, sizeof(**at));
    (*at)->id = id;
    return *at;
}

static void drop(struct progress *p, uint64_t id)
{
    struct job **at = find(p, id), *job = *at;
    if (!job)
        return;
    *at = job->chain;
    p->njobs--;
    job_free(job);
}

/* --- questions --------------------------------------------------------------------------- */

static int64_t position(const struct progress *p, uint64_t id)
{
    return p->ended ? jobid_position(p->first, p->count, id) : -1;
}

bool progress_ended(const struct progress *p, uint64_t id)
{
    int64_t i = position(p, id);
    return i >= 0 && (p->ended[i / 64] >> (i % 64) & 1);
}

bool progress_end(struct progress *p, uint64_t id)
{
    int64_t i = position(p, id);
    if (progress_ended(p, id))
        return false;
    if (i >= 0)
        p->ended[i / 64] |= UINT64_C(1) << (i % 64);
    drop(p, id);
    return true;
}

bool progress_event(struct progress *p, uint64_t id, const char *name)
{
    if (progress_ended(p, id))
        return false;
    struct job *job = get(p, id);
    if (job->now++ < job->told)
        return false;
    job->told = job->now;
    if (strcmp(name, "requeue") == 0)
        output_restart(job, true);
    return true;
}

/* NULL: it is not counted. */
static struct output *output_of(struct progress *p, uint64_t id, const char *stream,
                                unsigned task)
{
    unsigned s = strcmp(stream, "stderr") == 0;
    if (task >= TASKS_MAX || (!s && strcmp(stream, "stdout") != 0))
        return NULL;
    struct job *job = get(p, id);
    size_t n = job->ntasks[s];
    if (task >= n) {
        n = MAX(task + 1u, 2 * n);
        job->output[s] = xrealloc(job->output[s], n * sizeof(struct output));
        memset(job->output[s] + job->ntasks[s], 0,
               (n - job->ntasks[s]) * sizeof(struct output));
        job->ntasks[s] = n;
    }
    return &job->output[s][task];
}

size_t progress_output(struct progress *p, uint64_t id, const char *stream, unsigned task,
                       size_t len)
{
    if (progress_ended(p, id))
        return len;
    struct output *o = output_of(p, id, stream, task);
    if (!o)
        return 0;
    size_t old = o->told > o->now ? (size_t)MIN(o->told - o->now, len) : 0;
    o->now += len;
    o->told = MAX(o->told, o->now);
    return old;
}

bool progress_eof(struct progress *p, uint64_t id, const char *stream, unsigned task)
{
    if (progress_ended(p, id))
        return false;
    struct output *o = output_of(p, id, stream, task);
    if (o && o->eof)
        return false;
    if (o)
        o->eof = true;
    return true;
}
