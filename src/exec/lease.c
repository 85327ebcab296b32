/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/lease.h"

#include <stdio.h>
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/exec/exec.h"
#include "src/exec/job.h"
#include "src/exec/lane.h"
#include "src/job/jsonutil.h"

void lease_free(struct leased *l)
{
    if (l)
        json_object_put(l->hash);
    free(l);
}

void lease_drop(struct exec *x)
{
    struct lease *lease = &x->lease;
    lane_take_back_all(x);
    while (lease->first) {
        struct leased *l = lease->first;
        lease->first = l->next;
        lease_free(l);
    }
    lease->end = NULL;
    lease->n = 0;
}

/* All of the list goes back; RECALL: as the leader asked for it. */
static void give_back(struct exec *x, bool recall)
{
    lane_take_back_all(x);
    struct strbuf *b = conn_event_begin(x->conn, 0, 0, "returned");
    strbuf_add(b, recall ? "\"recall\":true,\"ids\":[" : "\"ids\":[");
    for (const struct leased *l = x->lease.first; l; l = l->next) {
        strbuf_addu(b, l->id);
        if (l->next)
            strbuf_addc(b, ',');
    }
    strbuf_addc(b, ']');
    conn_event_end(x->conn);
    lease_drop(x);
}

void lease_recall(struct exec *x)
{
    give_back(x, true);
}

static bool has_class(const struct exec *x, int64_t class)
{
    size_t i = 0;
    for (const struct job *job; (job = idmap_next(&x->jobs, &i));)
        if (job->class == class)
            return true;
    return false;
}

/* [ID, "CC"?, PROMPT?] */
static void add(struct lease *lease, json_object *hash, json_object *o)
{
    const char *cc = jsonutil_string(json_object_array_get_idx(o, 1));
    int64_t id;
    if (!jsonutil_int(json_object_array_get_idx(o, 0), 1, INT64_MAX, &id)) {
        log_error("lease: %s is no job", jsonutil_show(o).text);
        return;
    }
    struct leased *l = xcalloc(1, sizeof(*l));
    l->id = (uint64_t)id;
    l->seq = lease->seq++;
    l->hash = json_object_get(hash);
    snprintf(l->cc, sizeof(l->cc), "%s", cc ? cc : "");
    l->duration = lease->duration;
    l->end = lease->latest;
    l->prompt = json_object_get_boolean(json_object_array_get_idx(o, 2));
    if (!lease->first)
        lease->end = &lease->first;
    *lease->end = l;
    lease->end = &l->next;
    lease->n++;
}

/* ["HASH", [JOB, ...]] */
static void add_group(struct lease *lease, json_object *group)
{
    json_object *hash = NULL, *jobs = NULL;
    if (json_object_is_type(group, json_type_array)) {
        hash = json_object_array_get_idx(group, 0);
        jobs = json_object_array_get_idx(group, 1);
    }
    if (!jsonutil_string(hash) || !json_object_is_type(jobs, json_type_array)) {
        log_error("lease: %s is not [hash, jobs]", jsonutil_show(group).text);
        return;
    }
    for (size_t i = 0; i < json_object_array_length(jobs); i++) {
        json_object *o = json_object_array_get_idx(jobs, i);
        if (json_object_is_type(o, json_type_array))
            add(lease, hash, o);
        else
            log_error("lease: %s is no job", jsonutil_show(o).text);
    }
}

void lease_message(struct exec *x, json_object *msg)
{
    struct lease *lease = &x->lease;
    json_object *groups = jsonutil_get(msg, "jobs");
    int64_t class, greet = -1;
    if (!jsonutil_int(jsonutil_get(msg, "class"), 1, INT64_MAX, &class) ||
        !json_object_is_type(groups, json_type_array)) {
        log_error("lease: \"class\" or \"jobs\" is missing");
        return;
    }
    jsonutil_int(jsonutil_get(msg, "greet"), 0, INT64_MAX, &greet);
    if (greet != (int64_t)conn_greets(x->conn)) {
        log_info("lease: it was sent before the latest hello");
        return;
    }
    if (lease->first && lease->class != class)
        give_back(x, false);
    lease->duration = lease->latest = 0;
    jsonutil_number(jsonutil_get(msg, "duration"), &lease->duration);
    jsonutil_number(jsonutil_get(msg, "end"), &lease->latest);
    for (size_t i = 0; i < json_object_array_length(groups); i++)
        add_group(lease, json_object_array_get_idx(groups, i));
    lease->class = class;
    lease->low = lease->n / 2;
    if (lease->first && (x->quitting || !has_class(x, class)))
        give_back(x, false);
    lane_prepare_all(x);
}

struct leased *lease_take(struct exec *x, int64_t class)
{
    struct lease *lease = &x->lease;
    struct leased *l = lease->first;
    if (!l || !class || lease->class != class || x->quitting)
        return NULL;
    lease->first = l->next;
    l->next = NULL;
    if (--lease->n == lease->low)
        conn_hurry(x->conn);
    return l;
}

void lease_put_back(struct exec *x, struct leased *l)
{
    struct lease *lease = &x->lease;
    l->next = lease->first;
    if (!lease->first)
        lease->end = &l->next;
    lease->first = l;
    lease->n++;
}

struct leased *lease_next(const struct job *job)
{
    struct exec *x = job->x;
    bool same = job->class && x->lease.class == job->class && !x->quitting;
    if (same) /* what is ready comes before the list */
        lane_take_back(x, x->lease.first ? LANE_PATIENCE : 0);
    return lease_take(x, job->class);
}

/* One that cannot be started is over at once, and hands over in turn: not by calls within calls. */
void lease_hand_over(struct job *prev, struct leased *next)
{
    struct lease *lease = &prev->x->lease;
    next->prev = prev;
    next->next = lease->pending;
    lease->pending = next;
    if (lease->running)
        return;
    lease->running = true;
    for (struct leased *l; (l = lease->pending);) {
        lease->pending = l->next;
        job_start_next(l->prev, l);
        lease_free(l);
    }
    lease->running = false;
}

void lease_tell(struct exec *x, bool wait)
{
    size_t i = 0;
    for (struct job *job; (job = idmap_next(&x->jobs, &i));)
        job_tell_started(job, wait);
}
