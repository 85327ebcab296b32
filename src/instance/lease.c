/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/bypass.h"
#include "src/instance/lease.h"

#include <math.h>
#include <string.h>
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/change.h"
#include "src/instance/leader_impl.h"
#include "src/job/jsonutil.h"

#define STRANDED 0.1      /* s, for which the queue waits for jobs that come back */
#define RECALL_EVERY 0.02 /* s, at most, because of room elsewhere */

struct lease *lease_create(void)
{
    struct lease *lease = xcalloc(1, sizeof(*lease));
    TAILQ_INIT(&lease->ahead);
    return lease;
}

void lease_destroy(struct lease *lease)
{
    if (lease)
        free(lease->queue);
    free(lease);
}

static struct lease *lease_of(const struct leader *ld, unsigned rank)
{
    return ld->nodes[rank].lease;
}

/* --- who may be in one -------------------------------------------------------------------- */

static bool find_eligible(const struct submission *sub)
{
    static const char *const options[] = {"taskmap", "preemptible", "per-resource"};
    const struct job_shape *shape = jobspec_shape(sub->spec);
    if (sub->grant || sub->parent || sub->preput || sub->spawn_from >= 0 ||
        shape->exclusive || shape->nnodes_min > 1 || shape->nparts > 0 ||
        shape->contiguous || bypass_is(sub->spec) || jobspec_is_instance(sub->spec))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (jobspec_option(sub->spec, options[i]))
            return false;
    return true;
}

static bool is_eligible(const struct job *job)
{
    struct submission *sub = job->sub;
    if (sub->leasable == LEASABLE_UNKNOWN)
        sub->leasable = find_eligible(sub) ? LEASABLE : LEASABLE_NOT;
    return sub->leasable == LEASABLE;
}

/* Of a queue that limits how many of its jobs run: its name, "" if it has none; NULL: no limit. */
static const char *limited_queue(const struct leader *ld, const struct job *job)
{
    const struct queue_state *q = queues_of(ld->queues, job->sub->spec);
    if (queues_limits(ld->queues, q)->max_running < 0)
        return NULL;
    return q->name ? q->name : "";
}

/* Jobs of such a queue follow each other only, so no more of them run than before. */
static bool same_class(const struct leader *ld, const struct lease *lease,
                       const struct job *job)
{
    const struct pool_request *a = &lease->req, *b = &job->sj.req;
    const struct job_shape *x = &a->shape, *y = &b->shape;
    const char *queue = limited_queue(ld, job);
    if (!queue != !lease->queue || (queue && strcmp(queue, lease->queue) != 0))
        return false;
    return a->constraint == b->constraint && x->nnodes_min == y->nnodes_min &&
           x->nnodes_max == y->nnodes_max && x->nslots == y->nslots &&
           x->cores_per_slot == y->cores_per_slot &&
           x->gpus_per_slot == y->gpus_per_slot && x->mem_per_slot == y->mem_per_slot &&
           x->mem_per_node == y->mem_per_node && x->tasks_per_slot == y->tasks_per_slot &&
           x->ntasks == y->ntasks && x->duration == y->duration;
}

/* --- slots ------------------------------------------------------------------------------------ */

int64_t lease_slot(struct leader *ld, struct job *job)
{
    if (job->pl->rset->nnodes != 1 || !is_eligible(job))
        return 0;
    struct lease *lease = lease_of(ld, job->pl->rset->nodes[0].rank);
    if (job->slot)
        return lease->class;
    bool same = same_class(ld, lease, job);
    if (lease->slots == 0 && lease->n == 0) {
        if (!lease->class || !same) {
            const char *queue = limited_queue(ld, job);
            free(lease->queue);
            lease->queue = queue ? xstrdup(queue) : NULL;
            lease->mean = 0;
            lease->ended = 0;
            lease->class = ++ld->last_class;
        }
        lease->req = job->sj.req;
    } else if (!same) {
        return 0;
    }
    lease->slots++;
    job->slot = true;
    return lease->class;
}

void lease_slot_over(struct leader *ld, struct job *job)
{
    if (!job->slot)
        return;
    job->slot = false;
    struct lease *lease = lease_of(ld, job->pl->rset->nodes[0].rank);
    lease->slots--;
    if (!job->started || job->t_cleanup <= 0)
        return;
    double took = MAX(job->t_cleanup - job->t_run, 0.0);
    unsigned weight = MIN(++lease->ended, 16u);
    lease->mean += (took - lease->mean) / weight;
    lease->ended = MIN(lease->ended, (unsigned)LEASE_MAX);
}

/* --- jobs ahead ------------------------------------------------------------------------------- */

static void put_ahead(struct leader *ld, struct job *job, unsigned rank)
{
    struct lease *lease = lease_of(ld, rank);
    TAILQ_INSERT_TAIL(&lease->ahead, job, ahead_entry);
    job->ahead = (int)rank;
    lease->n++;
}

static void drop_ahead(struct leader *ld, struct job *job)
{
    struct lease *lease = lease_of(ld, (unsigned)job->ahead);
    TAILQ_REMOVE(&lease->ahead, job, ahead_entry);
    job->ahead = -1;
    lease->n--;
    lease->unsent = MIN(lease->unsent, lease->n);
}

/* It has not begun: back to the queue, or over. */
static void take_back(struct leader *ld, struct job *job)
{
    drop_ahead(ld, job);
    manager_returned(ld, job);
}

static void take_back_told(struct leader *ld, struct job *job)
{
    unsigned rank = (unsigned)job->ahead;
    jobid_t id = job->sj.id;
    take_back(ld, job);
    change_unlease_one(ld, rank, id);
}

/* From what the executor says: [ID, "CORES", "GPUS"]. */
static struct placement *make_placement(struct leader *ld, const struct job *job,
                                        unsigned rank, json_object *next)
{
    struct error err;
    const char *cores = jsonutil_string(json_object_array_get_idx(next, 1));
    const char *gpus = jsonutil_string(json_object_array_get_idx(next, 2));
    cleanup_bitmap hwloc_bitmap_t c = idset_decode(cores ? cores : "", &err);
    cleanup_bitmap hwloc_bitmap_t g = idset_decode(gpus ? gpus : "", &err);
    const char *host = jsonutil_string(jsonutil_get(ld->config.nodes[rank], "host"));
    if (!c || !g)
        return NULL;
    struct placement *pl = placement_create(1);
    const struct job_shape *shape = &job->sj.req.shape;
    rset_add(pl->rset, rank, host ? host : "", c, g)->memory =
        shape->mem_per_node + shape->nslots * shape->mem_per_slot;
    pl->nslots[0] = shape->nslots;
    pl->rset->nslots = pl->nslots[0];
    if (pool_take(ld->pool, pl->rset, &err) == 0)
        return pl;
    log_error("rank %u: a job of a lease: %s", rank, err.text);
    placement_destroy(pl);
    return NULL;
}

static struct job *ahead_job(struct leader *ld, unsigned rank, json_object *id)
{
    int64_t n;
    struct job *job =
        jsonutil_int(id, 1, INT64_MAX, &n) ? jobtable_find(ld->jobs, (jobid_t)n) : NULL;
    return job && job->ahead == (int)rank ? job : NULL;
}

struct job *lease_take_over(struct leader *ld, struct job *job, unsigned rank,
                            json_object *next, double when)
{
    struct job *heir = ahead_job(ld, rank, json_object_array_get_idx(next, 0));
    if (!heir) { /* mostly one that is told again, and known */
        log_debug("rank %u: job %s began, and was not expected to", rank,
                  jsonutil_show(json_object_array_get_idx(next, 0)).text);
        return NULL;
    }
    if (!(job && job_take_over(heir, job)) &&
        !(heir->pl = make_placement(ld, heir, rank, next)))
        return NULL;
    drop_ahead(ld, heir);
    if (!job)
        return heir;
    job->handed = true;
    job->heir = heir;
    job->heir_since = when;
    if (job->slot) { /* not one of another leader, whose classes are not ours */
        heir->slot = true;
        lease_of(ld, rank)->slots++;
    }
    return heir;
}

void lease_recall(struct leader *ld, unsigned rank)
{
    struct lease *lease = lease_of(ld, rank);
    /* without a class: of a former leader, its executor has yet to say hello, and tells all */
    if (lease->recalling || lease->n == 0 || !lease->class)
        return;
    while (lease->unsent > 0)
        take_back_told(ld, TAILQ_LAST(&lease->ahead, ahead_jobs));
    if (lease->n == 0)
        return;
    lease->recalling = true;
    lease->recalled = time_mono();
    json_object *o = json_object_new_object();
    json_object_object_add(o, "m", json_object_new_string("recall"));
    exec_send(ld, rank, o);
}

void lease_recall_all(struct leader *ld)
{
    for (unsigned i = 0; i < ld->config.size; i++)
        lease_recall(ld, i);
}

void lease_returned(struct leader *ld, unsigned rank, json_object *context)
{
    struct lease *lease = lease_of(ld, rank);
    json_object *ids = jsonutil_get(context, "ids");
    size_t n =
        json_object_is_type(ids, json_type_array) ? json_object_array_length(ids) : 0;
    if (json_object_get_boolean(jsonutil_get(context, "recall")))
        lease->recalling = false;
    for (size_t i = 0; i < n; i++) {
        struct job *job = ahead_job(ld, rank, json_object_array_get_idx(ids, i));
        if (job)
            take_back(ld, job);
    }
    if (n > 0)
        change_unlease(ld, rank, ids);
    leader_wake(ld);
}

/* --- what a turn decides ---------------------------------------------------------------------- */

static bool is_usable(const struct leader *ld, unsigned rank)
{
    const struct leader_node *node = &ld->nodes[rank];
    return !ld->shutdown && !ld->store_fails && !node->lost && !node->away &&
           !node->drained;
}

/* So many jobs should be ahead on a node: what it does in LEASE_HORIZON; at first, as nothing is known of
 * how long they take, one for each slot, and then not more than had ended. */
static unsigned wanted(const struct lease *lease)
{
    double each = lease->ended == 0 ? 1 : LEASE_HORIZON / MAX(lease->mean, 1e-6);
    double most = MIN(MAX(lease->ended, 1u), (unsigned)LEASE_MAX);
    return (unsigned)(MIN(each, most) * lease->slots);
}

static unsigned all_slots(const struct leader *ld)
{
    unsigned slots = 0;
    for (unsigned i = 0; i < ld->config.size; i++)
        slots += ld->nodes[i].lease->slots;
    return slots;
}

/* One with a time limit that is started when those before it are over is not to meet the instance's end. */
static bool ends_in_time(const struct leader *ld, const struct job *job)
{
    double limit = job->sj.req.shape.duration, end = ld->config.expiration;
    return limit <= 0 || end <= 0 || time_now() + LEASE_LATEST + limit <= end;
}

static bool fits(const struct leader *ld, const struct lease *lease,
                 const struct job *job)
{
    if (!job || job->run > 0 || !same_class(ld, lease, job) || !is_eligible(job) ||
        !ends_in_time(ld, job))
        return false;
    /* of the others, a store that outlives the instance has to know when they begin */
    return manager_may_requeue(job) ||
           (!ld->config.keeps && lease->n < LEASE_UNSAFE * lease->slots);
}

static bool goes_first(const struct sched_job *a, const struct sched_job *b)
{
    return a->priority != b->priority ? a->priority > b->priority : a->id < b->id;
}

/* The limited queue of a lease; NULL: it has none, or not any more. */
static const struct queue_state *queue_of(const struct leader *ld,
                                          const struct lease *lease)
{
    const struct queue_state *q =
        lease->queue ? queues_find(ld->queues, *lease->queue ? lease->queue : NULL)
                     : NULL;
    return q && queues_limits(ld->queues, q)->max_running >= 0 ? q : NULL;
}

/* How many more of its jobs may run than do; < 0: too many do. */
static int64_t room_of(const struct leader *ld, const struct queue_state *q)
{
    return queues_limits(ld->queues, q)->max_running - (int64_t)q->running;
}

/* The first one of its queue, which the scheduler does not show where as many run as may. */
static struct job *lane_head(const struct leader *ld, const struct queue_state *q)
{
    struct sched_job *sj = sched_lane_first(ld->sched, (unsigned)(q - ld->queues->v));
    return sj ? job_of(sj) : NULL;
}

/* Who would be started where a job of the lease ends; or NULL. */
static struct job *next_one(struct leader *ld, const struct lease *lease)
{
    const struct queue_state *q = queue_of(ld, lease);
    struct job *head = manager_head(ld);
    if (!lease->queue)
        return head;
    struct job *first = q && room_of(ld, q) >= 0 ? lane_head(ld, q) : NULL;
    return first && head && goes_first(&head->sj, &first->sj) ? NULL : first;
}

/* Where several nodes work on the queue, each takes its share of a half of what is left: so they come to its end
 * together. */
static void fill(struct leader *ld, unsigned rank, unsigned slots)
{
    struct lease *lease = lease_of(ld, rank);
    unsigned want = wanted(lease);
    size_t left = sched_queued(ld->sched);
    if (lease->recalling || lease->n > want / 2 || want == 0 || left == 0 ||
        !is_usable(ld, rank))
        return;
    if (lease->slots < slots)
        want = (unsigned)MIN(want, left * lease->slots / slots / 2 + 1);
    unsigned before = lease->n;
    for (struct job *job;
         lease->n < want && (job = next_one(ld, lease)) && fits(ld, lease, job);) {
        if (!(job = manager_take(ld, job)))
            break;
        put_ahead(ld, job, rank);
        lease->unsent++;
    }
    if (lease->n > before)
        change_lease(ld, rank);
}

static bool goes_before(const struct job *head, const struct job *last)
{
    if (!head || !last)
        return false;
    if (head->sub ==
        last->sub) /* the rest of the same array comes after it, unless its urgency is greater */
        return head->sj.priority > last->sj.priority;
    return goes_first(&head->sj, &last->sj);
}

/* Somebody waits who was not there when the last one of them was taken from the queue. */
static bool is_overtaking(struct leader *ld, struct lease *lease)
{
    const struct job *last = TAILQ_LAST(&lease->ahead, ahead_jobs);
    const struct queue_state *q = queue_of(ld, lease);
    return goes_before(manager_head(ld), last) ||
           (q && goes_before(lane_head(ld, q), last));
}

/* One of them could begin at once somewhere else. */
static bool has_room(struct leader *ld, const struct lease *lease)
{
    const struct queue_state *q = queue_of(ld, lease);
    if (q && room_of(ld, q) <= 0)
        return false;
    struct placement *pl = pool_alloc(ld->pool, &lease->req);
    if (!pl)
        return false;
    pool_free(ld->pool, pl->rset);
    placement_destroy(pl);
    return true;
}

static void check(struct leader *ld, unsigned rank, bool gained, double now)
{
    struct lease *lease = lease_of(ld, rank);
    if (lease->n == 0 || lease->recalling)
        return;
    const struct queue_state *q = queue_of(ld, lease);
    if (!is_usable(ld, rank) || is_overtaking(ld, lease) || (q && room_of(ld, q) < 0)) {
        lease_recall(ld, rank);
        return;
    }
    if (!gained && !lease->check)
        return;
    lease->check = false;
    if (!has_room(ld, lease))
        return;
    if (now - lease->recalled >= RECALL_EVERY)
        lease_recall(ld, rank);
    else
        lease->check = true;
}

/* The last slot's job had ended before its executor had the jobs ahead, which are on their way back, and come before
 * what is in the queue. */
bool lease_blocks(struct leader *ld)
{
    double now = time_mono();
    bool blocks = false;
    for (unsigned i = 0; i < ld->config.size; i++) {
        struct lease *lease = lease_of(ld, i);
        if (lease->slots > 0 || lease->n == lease->unsent || !lease->class ||
            !is_usable(ld, i))
            lease->stranded = 0;
        else if (lease->stranded == 0)
            lease->stranded = now;
        blocks |= lease->stranded > 0 && now - lease->stranded < STRANDED;
    }
    return blocks;
}

void lease_turn(struct leader *ld)
{
    double now = time_mono();
    uint64_t gains = pool_gains(ld->pool);
    bool gained = gains != ld->lease_gains;
    for (unsigned i = 0; i < ld->config.size; i++)
        check(ld, i, gained, now);
    ld->lease_gains = pool_gains(ld->pool); /* has_room gave something back, too */
    unsigned slots = all_slots(ld);
    if (slots == 0 || ld->shutdown)
        return;
    for (unsigned i = 0; i < ld->config.size; i++)
        if (ld->nodes[i].lease->slots > 0)
            fill(ld, i, slots);
}

double lease_next(const struct leader *ld)
{
    double now = time_mono(), next = INFINITY;
    for (unsigned i = 0; i < ld->config.size; i++) {
        const struct lease *lease = lease_of(ld, i);
        if (lease->check && lease->n > 0)
            next = MIN(next, lease->recalled + RECALL_EVERY);
        if (lease->stranded > 0)
            next = MIN(next, lease->stranded + STRANDED);
    }
    return isfinite(next) ? time_now() + MAX(next - now, 0.001) : 0;
}

bool lease_pending(const struct leader *ld)
{
    for (unsigned i = 0; i < ld->config.size; i++)
        if (ld->nodes[i].lease->unsent > 0)
            return true;
    return false;
}

/* ["HASH", [[ID, "CC"?, PROMPT?], ...]], ... */
static void add_jobs(struct strbuf *b, const struct lease *lease)
{
    const struct text *hash = NULL;
    const struct job *job = TAILQ_LAST(&lease->ahead, ahead_jobs);
    for (unsigned i = 1; i < lease->unsent; i++)
        job = TAILQ_PREV(job, ahead_jobs, ahead_entry);
    for (; job; job = TAILQ_NEXT(job, ahead_entry)) {
        if (job->sub->jobspec_text != hash) {
            strbuf_add(b, hash ? "]],[\"" : "[\"");
            hash = job->sub->jobspec_text;
            strbuf_add(b, hash->name);
            strbuf_add(b, "\",[");
        } else {
            strbuf_addc(b, ',');
        }
        strbuf_addc(b, '[');
        strbuf_addu(b, job->sj.id);
        bool prompt = job->dependents != NULL;
        if (job->cc >= 0) {
            strbuf_add(b, ",\"");
            strbuf_addu(b, (uint64_t)job->cc);
            strbuf_addc(b, '"');
        } else if (prompt) {
            strbuf_add(b, ",\"\"");
        }
        if (prompt)
            strbuf_add(b, ",true");
        strbuf_addc(b, ']');
    }
    strbuf_add(b, "]]");
}

static void send_unsent(struct leader *ld, unsigned rank)
{
    struct lease *lease = lease_of(ld, rank);
    if (lease->unsent == 0)
        return;
    const struct job *job = TAILQ_LAST(&lease->ahead, ahead_jobs);
    for (unsigned i = 1;; i++, job = TAILQ_PREV(job, ahead_jobs, ahead_entry)) {
        launch_teach(ld, rank, job->sub);
        if (i >= lease->unsent)
            break;
    }
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b, "{\"m\":\"lease\",\"greet\":%lld,\"class\":%lld,",
                (long long)lease->greet, (long long)lease->class);
    double limit = lease->req.shape.duration;
    if (limit > 0)
        strbuf_addf(&b, "\"duration\":%.6f,\"end\":%.6f,", limit, ld->config.expiration);
    strbuf_add(&b, "\"jobs\":[");
    add_jobs(&b, lease);
    strbuf_add(&b, "]}");
    lease->unsent = 0;
    gate_exec(ld, rank, b.s, b.len);
}

void lease_flush(struct leader *ld)
{
    for (unsigned i = 0; i < ld->config.size; i++)
        send_unsent(ld, i);
}

/* --- loss ------------------------------------------------------------------------------------- */

void lease_adopt(struct leader *ld, struct job *job, unsigned rank)
{
    put_ahead(ld, job, rank);
}

/* What began is told by the events that follow. */
void lease_hello(struct leader *ld, unsigned rank, json_object *hello)
{
    struct lease *lease = lease_of(ld, rank);
    json_object *ids = jsonutil_get(hello, "jobs");
    int64_t greet = 0;
    jsonutil_int(jsonutil_get(hello, "greet"), 0, INT64_MAX, &greet);
    if (greet == lease->greet) /* the same one again: what was sent since is there */
        return;
    lease->greet = greet;
    news_lost(ld, rank);
    lease->recalling = false;
    lease->unsent = 0;
    for (struct job *job = TAILQ_FIRST(&lease->ahead), *next; job; job = next) {
        next = TAILQ_NEXT(job, ahead_entry);
        if (jsonutil_has_int(ids, job->sj.id))
            continue;
        take_back_told(ld, job);
    }
}

/* JOB was sent there. */
static void lose(struct leader *ld, struct job *job, const char *why)
{
    unsigned rank = (unsigned)job->ahead;
    if (!job->ending && manager_may_requeue(job)) {
        drop_ahead(ld, job);
        change_unlease_one(ld, rank, job->sj.id);
        manager_lost_ahead(ld, job, why);
        return;
    }
    if (!job->ending) {
        job->ending = true;
        manager_exception(ld, job, "node-failure", 0, why);
    }
    take_back_told(ld, job);
}

void lease_lost(struct leader *ld, unsigned rank, const char *why)
{
    struct lease *lease = lease_of(ld, rank);
    lease->greet = 0;
    news_lost(ld, rank);
    lease->recalling = false;
    while (lease->unsent > 0)
        take_back_told(ld, TAILQ_LAST(&lease->ahead, ahead_jobs));
    for (struct job *job; (job = TAILQ_FIRST(&lease->ahead));)
        lose(ld, job, why);
}

void lease_give_up(struct leader *ld)
{
    for (unsigned i = 0; i < ld->config.size; i++)
        while (!TAILQ_EMPTY(&lease_of(ld, i)->ahead))
            take_back_told(ld, TAILQ_FIRST(&lease_of(ld, i)->ahead));
}
