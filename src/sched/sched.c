/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/sched.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "src/common/util.h"
#include "src/sched/book.h"
#include "src/sched/kinds.h"
#include "src/sched/policy.h"
#include "src/sched/queue.h"

struct sched {
    struct pool *pool;
    const struct sched_policy *policy;
    void *priv; /* the policy's */
    sched_start_f start;
    void *arg;
    struct queue queue;
    struct queue late; /* jobs that cannot end before END any more */
    struct queue shut; /* jobs of lanes that are closed */
    struct lane {
        unsigned group;
        bool closed;
        uint64_t room;
        /* with a limited room: the jobs that are shown, in order, and those that are not */
        struct sched_job **shown;
        size_t nshown, shown_room;
        struct queue behind;
    } lanes[SCHED_LANES];
    /* where there are several groups, and no kinds: what is in the queue, by group */
    struct tree groups[SCHED_LANES];
    unsigned ngroups;
    bool halted;
    struct book *book;  /* for a policy that plans, or NULL */
    struct kinds kinds; /* the same */
    size_t depth;       /* 0: no limit */
    bool disturbed;     /* the queue, by others, since it was asked */
    double end;         /* 0: never */
    size_t queued;
    uint64_t tickets; /* given out by sched_add */
    bool changed;     /* the queue, since the last pass */
    uint64_t gains;   /* pool_gains at the last pass */
    bool running;     /* in a pass */
    double now;
    size_t started; /* in this pass */
};

const struct sched_policy *const sched_policies[] = {&policy_fcfs, &policy_easy,
                                                     &policy_conservative, NULL};

const struct sched_policy *sched_policy_find(const char *name)
{
    for (size_t i = 0; name && sched_policies[i]; i++)
        if (strcmp(sched_policies[i]->name, name) == 0)
            return sched_policies[i];
    return NULL;
}

static void discard(struct sched *s)
{
    book_destroy(s->book);
    kinds_clear(&s->kinds);
    for (size_t i = 0; i < SCHED_LANES; i++)
        free(s->lanes[i].shown);
    free(s);
}

static struct sched_job *in_group(struct tree_node *n)
{
    return tree_entry(n, struct sched_job, in_kind);
}

static bool in_group_before(struct tree_node *a, struct tree_node *b)
{
    return queue_before(in_group(a), in_group(b));
}

struct sched *sched_create(struct pool *pool, const struct sched_policy *policy,
                           sched_start_f start, void *arg)
{
    struct sched *s = xcalloc(1, sizeof(*s));
    s->pool = pool;
    s->policy = policy;
    s->start = start;
    s->arg = arg;
    queue_init(&s->queue);
    queue_init(&s->late);
    queue_init(&s->shut);
    s->ngroups = 1;
    for (size_t i = 0; i < SCHED_LANES; i++) {
        s->groups[i] = (struct tree){.before = in_group_before};
        s->lanes[i].room = UINT64_MAX;
        queue_init(&s->lanes[i].behind);
    }
    if (policy->plans) {
        s->book = book_create();
        kinds_init(&s->kinds);
    }
    if (policy->init && policy->init(s) < 0)
        discard(take(s));
    return s;
}

void sched_destroy(struct sched *s)
{
    if (!s)
        return;
    if (s->policy->fini)
        s->policy->fini(s);
    discard(s);
}

enum { IN_QUEUE = 1, IN_LATE, IN_SHUT, IN_BEHIND };

static struct queue *queue_of(struct sched *s, const struct sched_job *job)
{
    return job->queued == IN_LATE     ? &s->late
           : job->queued == IN_SHUT   ? &s->shut
           : job->queued == IN_BEHIND ? &s->lanes[job->lane].behind
                                      : &s->queue;
}

struct pool *sched_pool(struct sched *s)
{
    return s->pool;
}

void **sched_priv(struct sched *s)
{
    return &s->priv;
}

struct book *sched_book(struct sched *s)
{
    return s->book;
}

struct kinds *sched_kinds(struct sched *s)
{
    return &s->kinds;
}

static bool has_groups(const struct sched *s)
{
    return s->ngroups > 1 && !s->policy->plans;
}

static void change(struct sched *s)
{
    s->changed = s->disturbed = true;
}

static void insert(struct sched *s, struct sched_job *job, int where)
{
    job->queued = where;
    queue_insert(queue_of(s, job), job);
    if (where != IN_QUEUE)
        return;
    if (s->policy->plans)
        kinds_insert(&s->kinds, job);
    else if (has_groups(s))
        tree_insert(&s->groups[s->lanes[job->lane].group], &job->in_kind);
}

static void extract(struct sched *s, struct sched_job *job)
{
    queue_remove(queue_of(s, job), job);
    if (job->kind)
        kinds_remove(&s->kinds, job);
    else if (job->queued == IN_QUEUE && has_groups(s))
        tree_remove(&s->groups[s->lanes[job->lane].group], &job->in_kind);
    job->queued = 0;
}

/* --- lanes with a limited room ---------------------------------------------------------------- */

static bool is_limited(const struct lane *l)
{
    return l->room < UINT64_MAX;
}

/* How many of those that are shown come before JOB. */
static size_t shown_before(const struct lane *l, const struct sched_job *job)
{
    size_t lo = 0, hi = l->nshown;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (queue_before(l->shown[mid], job))
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void show(struct sched *s, struct lane *l, struct sched_job *job)
{
    size_t at = shown_before(l, job);
    if (l->nshown == l->shown_room) {
        l->shown_room = MAX(2 * l->shown_room, (size_t)16);
        l->shown = xrealloc(l->shown, l->shown_room * sizeof(struct sched_job *));
    }
    memmove(l->shown + at + 1, l->shown + at,
            (l->nshown - at) * sizeof(struct sched_job *));
    l->shown[at] = job;
    l->nshown++;
    insert(s, job, IN_QUEUE);
}

/* It leaves the queue. */
static void hide(struct sched *s, struct lane *l, struct sched_job *job)
{
    size_t at = shown_before(l, job);
    assert(at < l->nshown && l->shown[at] == job);
    memmove(l->shown + at, l->shown + at + 1,
            (l->nshown - at - 1) * sizeof(struct sched_job *));
    l->nshown--;
    extract(s, job);
}

/* As many as the room is for are shown. */
static void settle(struct sched *s, struct lane *l)
{
    uint64_t sum = 0;
    size_t n = 0;
    if (!is_limited(l))
        return;
    for (; n < l->nshown && n < SCHED_SHOWN && sum < l->room; n++)
        sum += MIN(l->shown[n]->count, l->room - sum);
    while (l->nshown > n) {
        struct sched_job *last = l->shown[l->nshown - 1];
        hide(s, l, last);
        insert(s, last, IN_BEHIND);
        change(s);
    }
    for (struct sched_job *job;
         n < SCHED_SHOWN && sum < l->room && (job = queue_first(&l->behind)); n++) {
        sum += MIN(job->count, l->room - sum);
        extract(s, job);
        show(s, l, job);
        change(s);
    }
}

static void settle_lane_of(struct sched *s, const struct sched_job *job)
{
    settle(s, &s->lanes[job->lane]);
}

/* After this, and a pull, the lane is to be settled. */
static void put(struct sched *s, struct sched_job *job, int where)
{
    struct lane *l = &s->lanes[job->lane];
    if (where != IN_QUEUE || !is_limited(l))
        insert(s, job, where);
    else if (queue_first(&l->behind) &&
             (l->nshown == 0 || queue_before(l->shown[l->nshown - 1], job)))
        insert(s, job, IN_BEHIND);
    else
        show(s, l, job);
}

static void pull(struct sched *s, struct sched_job *job)
{
    struct lane *l = &s->lanes[job->lane];
    if (job->queued == IN_QUEUE && is_limited(l))
        hide(s, l, job);
    else
        extract(s, job);
}

/* Where JOB belongs that is not late. */
static int place_of(const struct sched *s, const struct sched_job *job)
{
    return s->lanes[job->lane].closed ? IN_SHUT : IN_QUEUE;
}

void sched_add(struct sched *s, struct sched_job *job)
{
    assert(!job->queued && job->count > 0);
    job->ticket = ++s->tickets;
    put(s, job, place_of(s, job));
    settle_lane_of(s, job);
    s->queued += job->count;
    change(s);
}

void sched_remove(struct sched *s, struct sched_job *job)
{
    if (!job->queued)
        return;
    pull(s, job);
    settle_lane_of(s, job);
    s->queued -= job->count;
    change(s);
}

void sched_reprioritize(struct sched *s, struct sched_job *job, uint64_t priority)
{
    int where = job->queued == IN_BEHIND ? IN_QUEUE : job->queued;
    if (where && priority != job->priority) {
        pull(s, job);
        job->priority = priority;
        put(s, job, where);
        settle_lane_of(s, job);
        change(s);
    }
    job->priority = priority;
}

void sched_hand_over(struct sched *s, const struct sched_job *job, const struct rset *r,
                     double now)
{
    if (s->policy->ended)
        s->policy->ended(s, r);
    if (s->book) {
        book_remove(s->book, r);
        book_add(s->book, r, job->duration > 0 ? now + job->duration : INFINITY);
    }
    if (s->policy->started)
        s->policy->started(s, job, r, now);
}

/* Its place in the queue depends on its id: it moves only past those that have the same priority. */
static void rekey(struct sched *s, struct sched_job *job, uint64_t id)
{
    int where = job->queued == IN_BEHIND ? IN_QUEUE : job->queued;
    const struct sched_job *next = queue_next(job);
    if (id > job->id && !(next && next->priority == job->priority && next->id < id)) {
        job->id = id;
        return;
    }
    pull(s, job);
    job->id = id;
    put(s, job, where);
    settle_lane_of(s, job);
    change(s);
}

void sched_recount(struct sched *s, struct sched_job *job, uint64_t count, uint64_t id)
{
    if (!job->queued) {
        job->count = count;
        job->id = id;
        return;
    }
    if (count == 0) {
        sched_remove(s, job);
        job->count = 0;
        return;
    }
    if (count > job->count)
        change(s);
    s->queued += count - job->count;
    job->count = count;
    if (id != job->id)
        rekey(s, job, id);
    settle_lane_of(s, job);
}

void sched_end(struct sched *s, const struct rset *r)
{
    if (s->policy->ended)
        s->policy->ended(s, r);
    if (s->book)
        book_remove(s->book, r);
    pool_free(s->pool, r);
}

void sched_adopt(struct sched *s, const struct rset *r, double end)
{
    if (s->book)
        book_add(s->book, r, end > 0 ? end : INFINITY);
}

void sched_set_depth(struct sched *s, size_t depth)
{
    s->depth = depth;
    change(s);
}

size_t sched_depth(const struct sched *s)
{
    return s->depth;
}

double sched_estimate(struct sched *s, const struct sched_job *job)
{
    return s->policy->estimate && job->queued == IN_QUEUE ? s->policy->estimate(s, job)
                                                          : INFINITY;
}

static struct sched_job *unless_held(struct sched_job *job)
{
    return job && job->priority > 0 ? job : NULL; /* held ones are at the end */
}

static bool is_late(const struct sched *s, const struct sched_job *job)
{
    return s->end > 0 && job->duration > 0 && s->now + job->duration > s->end;
}

/* Time only goes on: what is late once stays so, and is not looked at again. */
static void set_aside(struct sched *s, struct sched_job *job)
{
    pull(s, job);
    put(s, job, IN_LATE);
    settle_lane_of(s, job);
}

bool sched_too_late(struct sched *s, struct sched_job *job)
{
    if (!is_late(s, job))
        return false;
    set_aside(s, job);
    return true;
}

bool sched_too_deep(const struct sched *s, struct sched_job *job)
{
    return s->depth > 0 && queue_position(job) >= s->depth;
}

bool sched_disturbed(struct sched *s)
{
    bool disturbed = s->disturbed;
    s->disturbed = false;
    return disturbed;
}

void sched_set_end(struct sched *s, double end)
{
    s->end = end;
    change(s);
    for (struct sched_job *job; (job = queue_first(&s->late));) {
        pull(s, job);
        put(s, job, place_of(s, job));
        settle_lane_of(s, job);
    }
}

/* Take all jobs out of the queues, those of LANE, or (-1) of all lanes; late ones stay. */
static struct sched_job **pull_lane(struct sched *s, int lane, size_t *n)
{
    struct sched_job **jobs = NULL;
    size_t room = 0;
    *n = 0;
    for (size_t i = 0; i < SCHED_LANES + 2; i++)
        for (struct sched_job *job = queue_first(i < SCHED_LANES    ? &s->lanes[i].behind
                                                 : i == SCHED_LANES ? &s->queue
                                                                    : &s->shut);
             job; job = queue_next(job)) {
            if (lane >= 0 && job->lane != (unsigned)lane)
                continue;
            if (*n == room) {
                room = MAX(2 * room, (size_t)64);
                jobs = xrealloc(jobs, room * sizeof(struct sched_job *));
            }
            jobs[(*n)++] = job;
        }
    for (size_t i = 0; i < *n; i++)
        pull(s, jobs[i]);
    return jobs;
}

void sched_set_lane(struct sched *s, unsigned lane, unsigned group, bool closed)
{
    struct lane *l = &s->lanes[lane];
    size_t n;
    if (l->group == group && l->closed == closed)
        return;
    bool first = s->ngroups == 1 && group > 0; /* all are put where they were not */
    cleanup_free struct sched_job **jobs = pull_lane(s, first ? -1 : (int)lane, &n);
    l->group = group;
    l->closed = closed;
    s->ngroups = MAX(s->ngroups, group + 1);
    for (size_t i = 0; i < n; i++)
        put(s, jobs[i], place_of(s, jobs[i]));
    for (size_t i = 0; i < SCHED_LANES; i++)
        settle(s, &s->lanes[i]);
    change(s);
}

void sched_set_room(struct sched *s, unsigned lane, uint64_t room)
{
    struct lane *l = &s->lanes[lane];
    if (l->room == room)
        return;
    if (is_limited(l) && room < UINT64_MAX) {
        l->room = room;
        settle(s, l);
        return;
    }
    size_t n;
    cleanup_free struct sched_job **jobs = pull_lane(s, (int)lane, &n);
    l->room = room;
    for (size_t i = 0; i < n; i++)
        put(s, jobs[i], place_of(s, jobs[i]));
    settle(s, l);
    change(s);
}

struct sched_job *sched_lane_first(struct sched *s, unsigned lane)
{
    const struct lane *l = &s->lanes[lane];
    if (s->halted || !is_limited(l))
        return NULL;
    return unless_held(l->nshown ? l->shown[0] : queue_first(&l->behind));
}

void sched_halt(struct sched *s, bool halted)
{
    s->halted = halted;
    change(s);
}

void sched_kick(struct sched *s)
{
    change(s);
}

unsigned sched_ngroups(const struct sched *s)
{
    return has_groups(s) ? s->ngroups : 1;
}

double sched_next_late(const struct sched *s)
{
    const struct sched_job *job = unless_held(queue_first(&s->queue));
    return s->end > 0 && job && job->duration > 0 ? s->end - job->duration : 0;
}

struct sched_job *sched_group_first(struct sched *s, unsigned group)
{
    struct sched_job *job;
    while ((job = unless_held(in_group(s->groups[group].first))) && is_late(s, job))
        set_aside(s, job);
    return job;
}

struct sched_job *sched_first(struct sched *s)
{
    struct sched_job *job;
    if (s->halted)
        return NULL;
    while ((job = unless_held(queue_first(&s->queue))) && is_late(s, job))
        set_aside(s, job);
    return job;
}

struct sched_job *sched_next(struct sched *s, struct sched_job *job)
{
    struct sched_job *next;
    while ((next = unless_held(queue_next(job))) && is_late(s, next))
        set_aside(s, next);
    return next;
}

void sched_start(struct sched *s, struct sched_job *job, struct placement *pl)
{
    assert(job->queued && job->count > 0 && job->priority > 0);
    s->queued--;
    s->started++;
    if (--job->count == 0)
        pull(s, job); /* the owner tells of the lane's room */
    if (s->book)
        book_add(s->book, pl->rset,
                 job->duration > 0 ? s->now + job->duration : INFINITY);
    if (s->policy->started)
        s->policy->started(s, job, pl->rset, s->now);
    s->start(job, pl, s->arg); /* last: it may end the life of the job */
}

size_t sched_run(struct sched *s, double now)
{
    if (s->running || s->halted)
        return 0;
    s->now = now;
    struct sched_job *head = unless_held(queue_first(&s->queue));
    if (!s->changed && s->gains == pool_gains(s->pool) && !(head && is_late(s, head)))
        return 0;
    s->running = true;
    s->changed = false;
    s->gains =
        pool_gains(s->pool); /* before: what comes back meanwhile is seen next time */
    s->started = 0;
    s->disturbed = false;
    s->policy->pass(s, now);
    s->running = false;
    return s->started;
}

size_t sched_queued(const struct sched *s)
{
    return s->queued;
}
