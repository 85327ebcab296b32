/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/depend_impl.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include "src/common/util.h"
#include "src/instance/change.h"
#include "src/instance/element.h"
#include "src/instance/singles.h"
#include "src/job/jsonutil.h"

/* So many jobs are released, or ended, in one turn of the loop: a job may have 100,000 dependents. */
enum { TURN_MAX = 1000 };

/* One dependency of a job that is not met. */
struct dependency {
    const struct depend_wish *wish;
    struct job *job;
    struct dependency *next, **back; /* of the list it is in; BACK NULL: in none */
    size_t place;                    /* in the heap, from 1; 0: not there */
    const char *why;                 /* it can never be met */
    jobid_t culprit;                 /* because of that job */
    uint64_t left;                   /* jobs of a range that are not over */
    bool met, due;                   /* due: it is in that list, to be met */
};

struct depends *depends_create(void)
{
    return xcalloc(1, sizeof(struct depends));
}

void depends_destroy(struct depends *ds)
{
    if (ds) {
        free(ds->heap);
        singles_destroy(ds->singles);
    }
    free(ds);
}

/* --- lists and the heap -------------------------------------------------------------------- */

static void list_add(struct dependency **list, struct dependency *d)
{
    d->next = *list;
    d->back = list;
    if (d->next)
        d->next->back = &d->next;
    *list = d;
}

static void list_remove(struct dependency *d)
{
    if (!d->back)
        return;
    *d->back = d->next;
    if (d->next)
        d->next->back = d->back;
    d->back = NULL;
}

static void heap_put(struct depends *ds, size_t place, struct dependency *d)
{
    ds->heap[place] = d;
    d->place = place;
}

static void heap_up(struct depends *ds, size_t i, struct dependency *d)
{
    for (; i > 1 && d->wish->when < ds->heap[i / 2]->wish->when; i /= 2)
        heap_put(ds, i, ds->heap[i / 2]);
    heap_put(ds, i, d);
}

static void heap_down(struct depends *ds, size_t i, struct dependency *d)
{
    for (size_t child; (child = 2 * i) <= ds->n; i = child) {
        if (child < ds->n &&
            ds->heap[child + 1]->wish->when < ds->heap[child]->wish->when)
            child++;
        if (d->wish->when <= ds->heap[child]->wish->when)
            break;
        heap_put(ds, i, ds->heap[child]);
    }
    heap_put(ds, i, d);
}

static void heap_add(struct depends *ds, struct dependency *d)
{
    if (ds->n + 1 >= ds->size) {
        ds->size = MAX(2 * ds->size, (size_t)64);
        ds->heap = xrealloc(ds->heap, ds->size * sizeof(struct dependency *));
    }
    heap_up(ds, ++ds->n, d);
}

static void heap_remove(struct depends *ds, struct dependency *d)
{
    size_t i = d->place;
    if (i == 0)
        return;
    d->place = 0;
    struct dependency *last = ds->heap[ds->n--];
    if (last == d)
        return;
    if (i > 1 && last->wish->when < ds->heap[i / 2]->wish->when)
        heap_up(ds, i, last);
    else
        heap_down(ds, i, last);
}

/* --- waiting ------------------------------------------------------------------------------- */

static struct depend_outcome outcome_of(const struct job *job)
{
    return (struct depend_outcome){
        .ran = job->t_run > 0,
        .excepted = job->exception && job->exception->severity == 0,
        .result = job_result_of(job),
    };
}

static void log_event(struct leader *ld, const struct dependency *d, const char *name)
{
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "description", json_object_new_string(d->wish->text));
    job_event(ld, d->job, time_now(), name,
              json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                    JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* What lists show: the first dependency that is not met, and how many others there are. */
static void tell_reason(struct job *job)
{
    while (job->deps_met_first < job->ndeps && job->deps[job->deps_met_first].met)
        job->deps_met_first++;
    free(job->reason);
    const char *first = job->deps[job->deps_met_first].wish->text;
    size_t others = job->ndeps_left - 1;
    job->reason = others ? xasprintf("depends on %s and %zu more", first, others)
                         : xasprintf("depends on %s", first);
}

/* The job ends at the end of the turn. */
static void doom(struct leader *ld, struct dependency *d, const char *why)
{
    d->why = why;
    list_add(&ld->depends->never, d);
    leader_wake(ld);
}

/* The job is released at the end of the turn. */
static void make_due(struct leader *ld, struct dependency *d)
{
    d->due = true;
    list_add(&ld->depends->due, d);
    leader_wake(ld);
}

/* WHY: it can never be met.  LEFT: of a range. */
static void enlist(struct leader *ld, struct dependency *d, const char *why,
                   uint64_t left)
{
    uint64_t position;
    d->left = left;
    d->culprit = d->wish->id;
    if (why)
        doom(ld, d, why);
    else if (d->wish->kind == SINGLETON)
        singles_add(ld->depends->singles, jobspec_name(d->job->sub->spec),
                    d->job->sub->first, d);
    else if (d->wish->last)
        list_add(&jobtable_array_of(ld->jobs, d->wish->id, &position)->dependents, d);
    else if (d->wish->kind == BEGIN_TIME)
        heap_add(ld->depends, d);
    else
        list_add(&elements_job(ld, d->wish->id)->dependents, d);
}

void depend_inherit(struct leader *ld, const struct job *like, struct job *job)
{
    job->deps = xcalloc(like->ndeps_left, sizeof(*job->deps));
    for (size_t i = 0; i < like->ndeps; i++) {
        const struct dependency *theirs = &like->deps[i];
        if (theirs->met)
            continue;
        struct dependency *d = &job->deps[job->ndeps++];
        d->wish = theirs->wish;
        d->job = job;
        if (theirs->due)
            make_due(ld, d);
        else
            enlist(ld, d, theirs->why, theirs->left);
        d->culprit = theirs->culprit;
    }
    job->ndeps_left = job->ndeps;
    tell_reason(job);
}

bool depend_wait(struct leader *ld, struct job *job)
{
    const struct submission *sub = job->sub;
    size_t n = 0;
    for (size_t i = 0; i < sub->nwishes; i++)
        n += !sub->wishes[i].met;
    if (n == 0)
        return false;
    job->state = JOB_DEPEND;
    job->deps = xcalloc(n, sizeof(*job->deps));
    for (size_t i = 0; i < sub->nwishes; i++) {
        const struct depend_wish *w = &sub->wishes[i];
        if (w->met)
            continue;
        struct dependency *d = &job->deps[job->ndeps++];
        d->wish = w;
        d->job = job;
        enlist(ld, d, w->why, w->left);
        log_event(ld, d, "dependency-add");
    }
    job->ndeps_left = n;
    tell_reason(job);
    leader_wake(ld);
    return true;
}

static void met(struct leader *ld, struct dependency *d)
{
    struct job *job = d->job;
    d->met = true;
    log_event(ld, d, "dependency-remove");
    if (--job->ndeps_left > 0) {
        tell_reason(job);
        change_depends(ld, job);
    } else
        manager_release(ld, job);
}

void depend_started(struct leader *ld, struct job *job)
{
    for (struct dependency *d = job->dependents, *next; d; d = next) {
        next = d->next;
        if (d->wish->kind != AFTER)
            continue;
        list_remove(d);
        make_due(ld, d);
    }
}

static void range_over(struct leader *ld, struct submission *sub, struct array_run run,
                       const struct depend_outcome *o)
{
    for (struct dependency *d = sub->dependents, *next; d; d = next) {
        next = d->next;
        struct array_run in = element_between(sub, d->wish->id, d->wish->last);
        uint64_t first = MAX(in.first, run.first);
        uint64_t end = MIN(in.first + in.n, run.first + run.n);
        if (end <= first)
            continue;
        const char *why = depend_judge(d->wish->kind, o);
        d->left -= MIN(d->left, end - first);
        if (!why && d->left > 0)
            continue;
        list_remove(d);
        d->culprit = jobid_nth(sub->first, first);
        if (why)
            doom(ld, d, why);
        else
            make_due(ld, d);
    }
}

void depend_elements_over(struct leader *ld, struct submission *sub, struct array_run run,
                          enum job_result result)
{
    const struct depend_outcome o = {.excepted = true, .result = result};
    range_over(ld, sub, run, &o);
}

static void single_over(struct leader *ld, const char *name, jobid_t id)
{
    struct dependency **list;
    size_t n;
    if (!ld->depends->singles || !singles_over(ld->depends->singles, name, id, &list, &n))
        return;
    for (size_t i = 0; i < n; i++)
        make_due(ld, list[i]);
    free(list);
}

void depend_submitted(struct leader *ld, const struct submission *sub)
{
    if (ld->depends->singles)
        singles_count(ld->depends->singles, jobspec_name(sub->spec), sub->first);
}

void depend_renamed(struct leader *ld, const struct submission *sub, const char *old)
{
    single_over(ld, old, sub->first);
    depend_submitted(ld, sub);
}

void depend_array_over(struct leader *ld, struct submission *sub)
{
    single_over(ld, jobspec_name(sub->spec), sub->first);
    for (struct dependency *d; (d = sub->dependents);) {
        list_remove(d);
        make_due(ld, d);
    }
}

void depend_over(struct leader *ld, struct job *job)
{
    struct depend_outcome o = outcome_of(job);
    if (job->sub->count == 1)
        single_over(ld, jobspec_name(job->sub->spec), job->sub->first);
    if (job->sub->dependents)
        range_over(ld, job->sub, (struct array_run){element_position(job), 1}, &o);
    for (struct dependency *d; (d = job->dependents);) {
        list_remove(d);
        const char *why = depend_judge(d->wish->kind, &o);
        if (why)
            doom(ld, d, why);
        else
            make_due(ld, d);
    }
}

void depend_forget(struct leader *ld, struct job *job)
{
    for (size_t i = 0; i < job->ndeps; i++) {
        struct dependency *d = &job->deps[i];
        list_remove(d);
        heap_remove(ld->depends, d);
        if (d->wish->kind == SINGLETON && !d->met && !d->due)
            singles_remove(ld->depends->singles, jobspec_name(job->sub->spec),
                           job->sub->first, d);
    }
}

void depend_run(struct leader *ld, double now)
{
    struct depends *ds = ld->depends;
    unsigned n = 0;
    for (; n < TURN_MAX && ds->n > 0 && ds->heap[1]->wish->when <= now; n++) {
        struct dependency *d = ds->heap[1];
        heap_remove(ds, d);
        met(ld, d);
    }
    for (struct dependency *d; n < TURN_MAX && (d = ds->due); n++) {
        list_remove(d);
        met(ld, d);
    }
    for (struct dependency *d; n < TURN_MAX && (d = ds->never); n++) {
        char text[JOBID_BUFSIZE]; /* the job's end takes it out */
        jobid_encode(d->culprit, JOBID_F58_PLAIN, text, sizeof(text));
        cleanup_free char *note = xasprintf("dependency %s can never be met: job %s %s",
                                            d->wish->text, text, d->why);
        manager_exception(ld, d->job, "dependency", 0, note);
    }
    if (n == TURN_MAX)
        leader_wake(ld);
}

double depend_next(const struct leader *ld)
{
    return ld->depends->n > 0 ? ld->depends->heap[1]->wish->when : 0;
}
