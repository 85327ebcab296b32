/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/element.h"

#include <stdio.h>
#include "src/common/util.h"

int element_array(struct submission *sub, const char *cc, int urgency, int64_t *index,
                  struct error *err)
{
    struct array *a = array_create(cc, urgency, JOB_ARRAY_MAX, err);
    if (!a)
        return error_prefix(err, "cc");
    sub->count = sub->left = array_count(a);
    *index = -1;
    if (sub->count > 1) {
        sub->array = a;
        sub->rests = xcalloc(ARRAY_GROUPS, sizeof(struct job *));
        return 0;
    }
    *index = array_index(a, 0);
    array_destroy(a);
    return 0;
}

struct job *element_rest(const struct submission *sub, int urgency)
{
    return sub->rests[urgency];
}

struct job *element_rest_make(struct submission *sub, int urgency, const struct job *like,
                              double when)
{
    struct job *rest = sub->rests[urgency];
    if (rest)
        return rest;
    rest = sub->rests[urgency] = job_create(sub, 0, -1, urgency, when);
    sub->refs--;
    rest->rest = true;
    rest->sj.count = 0;
    if (!like)
        return rest;
    rest->state = like->state;
    rest->t_depend = like->t_depend;
    rest->t_event = like->t_event;
    rest->reason = like->reason ? xstrdup(like->reason) : NULL;
    strbuf_addn(&rest->log, like->log.s, like->log.len);
    rest->odd = like->odd;
    return rest;
}

struct job *element_rest_at(const struct submission *sub, uint64_t position)
{
    int group = array_group(sub->array, position);
    return group < 0 ? NULL : sub->rests[group];
}

struct job *element_rest_any(const struct submission *sub)
{
    struct job *any = NULL;
    for (int g = 0; g < ARRAY_GROUPS; g++) {
        if (!sub->rests[g])
            continue;
        any = sub->rests[g];
        if (array_group_number(sub->array, g) > 0)
            break;
    }
    return any;
}

struct job *element_create(struct jobtable *t, const struct job *rest, uint64_t position)
{
    struct submission *sub = rest->sub;
    struct job *job = job_create(sub, position, array_index(sub->array, position),
                                 rest->urgency, rest->t_submit);
    job->state = rest->state;
    job->t_depend = rest->t_depend;
    job->t_event = rest->t_event;
    job->reason = rest->reason ? xstrdup(rest->reason) : NULL;
    if (rest->odd)
        strbuf_addn(&job->log, rest->log.s, rest->log.len);
    job->odd = rest->odd;
    jobtable_add(t, job);
    return job;
}

/* The element at POSITION gets a job, if it is still in its rest; NULL: it is not. */
static struct job *take_one(struct jobtable *t, struct submission *sub, uint64_t position)
{
    int group = array_take(sub->array, position);
    return group < 0 ? NULL : element_create(t, sub->rests[group], position);
}

struct job *element_find(struct jobtable *t, jobid_t id)
{
    uint64_t position;
    struct job *job = jobtable_find(t, id);
    struct submission *sub = job ? NULL : jobtable_array_of(t, id, &position);
    return sub ? take_one(t, sub, position) : job;
}

struct job element_view(const struct job *rest, uint64_t position)
{
    struct job view = *rest;
    view.sj.id = jobid_nth(rest->sub->first, position);
    view.cc = array_index(rest->sub->array, position);
    if (position != array_group_find(rest->sub->array, rest->urgency, 0).first)
        view.sj.ticket = 0; /* it is not the one whose turn is next */
    return view;
}

enum job_result element_result(const struct element_end *end)
{
    struct job_exception e = {.severity = 0};
    struct job job = {.state = JOB_INACTIVE, .status = -1, .exception = &e};
    snprintf(e.type, sizeof(e.type), "%s", end->type);
    return job_result_of(&job);
}

uint64_t element_position(const struct job *job)
{
    return (uint64_t)jobid_position(job->sub->first, job->sub->count, job->sj.id);
}

/* How many elements have ids below ID. */
static uint64_t below(const struct submission *sub, jobid_t id)
{
    uint64_t low = 0, high = sub->count;
    while (low < high) {
        uint64_t mid = (low + high) / 2;
        if (jobid_nth(sub->first, mid) < id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct array_run element_between(const struct submission *sub, jobid_t first,
                                 jobid_t last)
{
    uint64_t from = below(sub, first);
    uint64_t end = last == UINT64_MAX ? sub->count : below(sub, last + 1);
    return (struct array_run){from, end > from ? end - from : 0};
}
