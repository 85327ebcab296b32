/* SPDX-License-Identifier: BSD-3-Clause */
/* elements: what happens to elements of arrays that wait without a job of their own (element.h): few steps for
 * however many of them. */
#include "src/instance/change.h"
#include "src/instance/element.h"
#include "src/instance/leader_impl.h"
#include "src/instance/record.h"
#include "src/instance/standing.h"

#include <stdio.h>
#include <unistd.h>
#include "src/common/util.h"

/* REST has other elements than it had: the scheduler is told, which starts the first one next. */
static void recount(struct leader *ld, struct job *rest)
{
    const struct submission *sub = rest->sub;
    uint64_t n = array_group_number(sub->array, rest->urgency);
    uint64_t first = array_group_find(sub->array, rest->urgency, 0).first;
    sched_recount(ld->sched, &rest->sj, n, jobid_nth(sub->first, first));
    if (n > 0 && rest->state == JOB_SCHED && !rest->sj.queued) {
        manager_enqueue(ld, rest);
        leader_wake(ld);
    }
}

static void recount_all(struct leader *ld, struct submission *sub)
{
    for (int g = 0; g < ARRAY_GROUPS; g++)
        if (sub->rests[g])
            recount(ld, sub->rests[g]);
}

void elements_queue(struct leader *ld, struct submission *sub)
{
    recount_all(ld, sub);
}

static struct job *with_job(struct leader *ld, struct job *rest, uint64_t position)
{
    struct job *job = element_create(ld->jobs, rest, position);
    stream_element(ld, job);
    return job;
}

struct job *elements_next(struct leader *ld, struct job *rest)
{
    struct array_run next = array_take_next(rest->sub->array, rest->urgency, 1);
    struct job *job = with_job(ld, rest, next.first);
    recount(ld, rest);
    return job;
}

struct job *elements_job(struct leader *ld, jobid_t id)
{
    uint64_t position;
    struct job *job = jobtable_find(ld->jobs, id);
    if (job)
        return job;
    struct submission *sub = jobtable_array_of(ld->jobs, id, &position);
    int group = sub ? array_take(sub->array, position) : -1;
    if (group < 0)
        return NULL;
    struct job *rest = element_rest(sub, group);
    job = with_job(ld, rest, position);
    recount(ld, rest);
    if (job->state == JOB_DEPEND)
        depend_inherit(ld, rest, job);
    else
        manager_enqueue(ld, job);
    return job;
}

struct job *elements_waiting(const struct leader *ld, jobid_t id, uint64_t *position)
{
    struct submission *sub = jobtable_array_of(ld->jobs, id, position);
    return sub ? element_rest_at(sub, *position) : NULL;
}

void elements_array_over(struct leader *ld, struct submission *sub)
{
    for (int g = 0; g < ARRAY_GROUPS; g++) {
        if (!sub->rests[g])
            continue;
        sched_remove(ld->sched, &sub->rests[g]->sj);
        depend_forget(ld, sub->rests[g]);
    }
    specs_put(ld->specs, sub->jobspec_text);
    specs_put(ld->specs, sub->env_text);
    stream_array_over(ld, sub);
    depend_array_over(ld, sub);
    jobtable_remove_array(ld->jobs, sub);
    leader_wake(ld);
}

/* The first of the elements of RUN that wait, with URGENCY unless it is -1; N 0: none does. */
static struct array_run waiting_in(const struct submission *sub, struct array_run run,
                                   int urgency)
{
    uint64_t end = run.first + run.n;
    struct array_run r = urgency >= 0 ? array_group_find(sub->array, urgency, run.first)
                                      : array_find(sub->array, ARRAY_REST, run.first);
    if (r.n == 0 || r.first >= end)
        return (struct array_run){0, 0};
    r.n = MIN(r.n, end - r.first);
    return r;
}

static uint64_t end_them(struct leader *ld, struct submission *sub, struct array_run run,
                         int urgency, const char *type, const char *note)
{
    uint64_t n = 0;
    struct element_end end = {.when = time_now(), .type = type, .note = note ? note : ""};
    sub->refs++; /* it may be over */
    for (struct array_run r; (r = waiting_in(sub, run, urgency)).n;) {
        end.t_depend = element_rest_at(sub, r.first)->t_depend;
        sub->left -= array_end(sub->array, r);
        record_elements_end(ld->store, sub, r, &end);
        change_elements_ended(ld, sub, r, &end);
        stream_elements_over(ld, sub, r, &end);
        depend_elements_over(ld, sub, r, element_result(&end));
        n += r.n;
    }
    queues_count(ld, sub, -(int64_t)n);
    recount_all(ld, sub);
    if (n > 0 && sub->left == 0)
        elements_array_over(ld, sub);
    submission_drop(sub);
    leader_wake(ld);
    return n;
}

uint64_t elements_end(struct leader *ld, struct submission *sub, struct array_run run,
                      const char *type, const char *note)
{
    return end_them(ld, sub, run, -1, type, note);
}

void elements_end_rest(struct leader *ld, struct job *rest, const char *type,
                       const char *note)
{
    const struct array_run all = {0, rest->sub->count};
    depend_forget(ld, rest);
    end_them(ld, rest->sub, all, rest->urgency, type, note);
}

static uint64_t count_waiting(const struct submission *sub, struct array_run run)
{
    uint64_t n = 0, end = run.first + run.n;
    for (struct array_run r; (r = waiting_in(sub, run, -1)).n;) {
        n += r.n;
        run.first = r.first + r.n;
        run.n = end - run.first;
    }
    return n;
}

uint64_t elements_end_between(struct leader *ld, const struct job_range *range,
                              const char *type, const char *note)
{
    uint64_t n = 0;
    for (size_t i = jobtable_narrays(ld->jobs); i-- > 0;) {
        struct submission *sub = jobtable_array(ld->jobs, i);
        struct array_run run = element_between(sub, range->first, range->last);
        if (run.n > 0 && (element_rest_any(sub)->state & range->states))
            n += type ? elements_end(ld, sub, run, type, note) : count_waiting(sub, run);
    }
    return n;
}

uint64_t elements_urgency_between(struct leader *ld, const struct job_range *range,
                                  int urgency)
{
    uint64_t n = 0;
    for (size_t i = 0; i < jobtable_narrays(ld->jobs); i++) {
        struct submission *sub = jobtable_array(ld->jobs, i);
        struct array_run run = element_between(sub, range->first, range->last);
        if (run.n > 0)
            n += elements_urgency(ld, sub, run, urgency);
    }
    return n;
}

void elements_wind_up(struct leader *ld, const char *reason)
{
    for (size_t i = jobtable_narrays(ld->jobs); i-- > 0;) {
        struct submission *sub = jobtable_array(ld->jobs, i);
        if (!manager_keeps(ld, element_rest_any(sub)))
            elements_end(ld, sub, (struct array_run){0, sub->count}, "cancel", reason);
    }
}

uint64_t elements_kept(const struct leader *ld)
{
    uint64_t n = 0;
    for (size_t i = 0; i < jobtable_narrays(ld->jobs); i++) {
        const struct submission *sub = jobtable_array(ld->jobs, i);
        if (manager_keeps(ld, element_rest_any(sub)))
            n += array_number(sub->array, ARRAY_REST);
    }
    return n;
}

uint64_t elements_urgency(struct leader *ld, struct submission *sub, struct array_run run,
                          int urgency)
{
    struct array_run first = waiting_in(sub, run, -1);
    if (first.n == 0)
        return 0;
    struct job *like = element_rest_at(sub, first.first);
    struct job *rest = element_rest(sub, urgency);
    if (!rest) {
        rest = element_rest_make(sub, urgency, like, like->t_submit);
        rest->sj.priority = standing_priority(ld->queues, rest);
        char context[64];
        double now = time_now();
        snprintf(context, sizeof(context), "{\"userid\":%u,\"urgency\":%d}", geteuid(),
                 urgency);
        job_event(ld, rest, now, "urgency", context);
        snprintf(context, sizeof(context), "{\"priority\":%lld}",
                 (long long)standing_shown(ld->queues, rest, now));
        if (rest->state == JOB_DEPEND) /* else when it is released */
            depend_inherit(ld, like, rest);
        else
            job_event(ld, rest, now, "priority", context);
    }
    uint64_t n = array_move(sub->array, run, urgency);
    recount_all(ld, sub);
    change_elements_urgency(ld, sub, run, rest);
    store_elements_urgency(ld->store, jobid_nth(sub->first, run.first), run.n, urgency,
                           standing_shown(ld->queues, rest, time_now()));
    leader_wake(ld);
    return n;
}
