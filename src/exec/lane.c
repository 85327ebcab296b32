/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/lane.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/exec/exec.h"
#include "src/exec/job.h"

enum { STACK = 256 << 10 };

/* A job that is ready.  What the thread sees of it: state, pid, mono, ready.l and ready.fds. */
struct prep {
    struct prep *next;   /* of lanes.preps */
    struct prep *behind; /* in the lane's queue */
    struct lane *lane;
    struct leased *leased; /* NULL once it is adopted */
    struct job *prev, *job;
    struct ready ready;
    enum { READY, STARTING, STARTED } state;
    pid_t pid;   /* -1: it could not be started */
    double mono; /* when it was */
    double made; /* when it was made ready */
};

struct lane {
    unsigned refs; /* the loop's, and the thread's */
    pthread_mutex_t mutex;
    pthread_cond_t work, told; /* for the thread; from it */
    pid_t watch;               /* the process whose end it waits for; 0: none */
    struct prep *queue;        /* to be started after that */
    bool quit;
    uv_async_t *async;
    hwloc_bitmap_t pus; /* what it is bound to, or NULL */
    struct prep *ready; /* the loop's: the last one, which is not adopted */
};

struct lanes {
    struct exec *x;
    struct prep *preps; /* all that are not settled */
    uv_async_t async;   /* one could not be started */
    bool closed;        /* nothing is made ready now */
};

/* --- the thread --------------------------------------------------------------------------------- */

static void lane_drop(struct lane *lane)
{
    if (__atomic_sub_fetch(&lane->refs, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    pthread_mutex_destroy(&lane->mutex);
    pthread_cond_destroy(&lane->work);
    pthread_cond_destroy(&lane->told);
    hwloc_bitmap_free(lane->pus);
    free(lane);
}

static void bind_thread(const struct lane *lane)
{
    unsigned long mask[256];
    int n = lane->pus ? hwloc_bitmap_nr_ulongs(lane->pus) : 0;
    if (n <= 0 || n > (int)ARRAY_SIZE(mask))
        return;
    for (int i = 0; i < n; i++)
        mask[i] = hwloc_bitmap_to_ith_ulong(lane->pus, (unsigned)i);
    syscall(SYS_sched_setaffinity, 0, (size_t)n * sizeof(*mask), mask);
}

/* Until PID, which stays to be reaped by the loop, has ended, or was reaped. */
static void await_end(pid_t pid)
{
    siginfo_t info;
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        ;
}

/* The mutex is locked, but for what takes long. */
static void start_first(struct lane *lane)
{
    struct prep *p = lane->queue;
    lane->queue = p->behind;
    p->state = STARTING;
    pthread_mutex_unlock(&lane->mutex);
    double now = time_mono();
    pid_t pid = launch(&p->ready.l);
    if (pid > 0)
        ready_close(&p->ready);
    pthread_mutex_lock(&lane->mutex);
    p->pid = pid;
    p->mono = now;
    p->state = STARTED;
    lane->watch = MAX(pid, 0);
    pthread_cond_broadcast(&lane->told);
    if (pid < 0)
        uv_async_send(lane->async);
}

static void *run(void *arg)
{
    struct lane *lane = arg;
    bind_thread(lane);
    pthread_mutex_lock(&lane->mutex);
    for (;;) {
        pid_t pid = lane->watch;
        if (pid) {
            pthread_mutex_unlock(&lane->mutex);
            await_end(pid);
            pthread_mutex_lock(&lane->mutex);
            if (lane->watch == pid)
                lane->watch = 0;
        } else if (lane->queue) {
            start_first(lane);
        } else if (lane->quit) {
            break;
        } else {
            pthread_cond_wait(&lane->work, &lane->mutex);
        }
    }
    pthread_mutex_unlock(&lane->mutex);
    lane_drop(lane);
    return NULL;
}

/* Detached: it ends by itself, soon after it was told to. */
static bool start_thread(struct lane *lane)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, old;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    lane->refs++;
    int rc = pthread_create(&thread, &attr, run, lane);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (rc != 0)
        lane->refs--;
    return rc == 0;
}

/* --- the loop's side ------------------------------------------------------------------------------ */

static struct lane *lane_create(struct exec *x, struct task *task)
{
    struct lane *lane = xcalloc(1, sizeof(*lane));
    lane->refs = 1;
    pthread_mutex_init(&lane->mutex, NULL);
    pthread_cond_init(&lane->work, NULL);
    pthread_cond_init(&lane->told, NULL);
    lane->async = &x->lanes->async;
    lane->pus = task_mask(task);
    if (start_thread(lane))
        return lane;
    lane_drop(lane);
    return NULL;
}

static void leave(struct lane *lane)
{
    pthread_mutex_lock(&lane->mutex);
    lane->quit = true;
    pthread_cond_signal(&lane->work);
    pthread_mutex_unlock(&lane->mutex);
    lane_drop(lane);
}

static void prep_free(struct lanes *l, struct prep *p)
{
    struct prep **at = &l->preps;
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    if (p->job)
        p->job->prep = NULL;
    ready_clear(&p->ready);
    free(p);
}

/* Its process, or that there is none, is known. */
static void settle(struct prep *p)
{
    struct error err;
    struct job *job = p->job;
    struct task *task = &job->tasks[0];
    int code = 126;
    if (p->pid > 0) {
        job->since = p->mono;
        task_started(task, &p->ready, p->pid);
        prep_free(job->x->lanes, p);
        return;
    }
    int rc = task_start_failed(task, &p->ready, &code, &err);
    prep_free(job->x->lanes, p);
    if (rc < 0)
        job_start_failed(job, code, &err);
}

static int state_of(struct prep *p)
{
    pthread_mutex_lock(&p->lane->mutex);
    int state = p->state;
    pthread_mutex_unlock(&p->lane->mutex);
    return state;
}

static void await(struct prep *p)
{
    pthread_mutex_lock(&p->lane->mutex);
    while (p->state != STARTED)
        pthread_cond_wait(&p->lane->told, &p->lane->mutex);
    pthread_mutex_unlock(&p->lane->mutex);
}

/* One that could not be started, and is to be told of. */
static struct prep *find_failed(struct lanes *l)
{
    for (struct prep *p = l->preps; p; p = p->next)
        if (!p->leased && state_of(p) == STARTED && p->pid < 0)
            return p;
    return NULL;
}

static void on_async(uv_async_t *async)
{
    for (struct prep *p; (p = find_failed(async->data));)
        settle(p);
}

struct lanes *lanes_create(struct exec *x)
{
    struct lanes *l = xcalloc(1, sizeof(*l));
    l->x = x;
    l->async.data = l;
    uv_async_init(x->loop, &l->async, on_async);
    return l;
}

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void lanes_destroy(struct lanes *l)
{
    if (l)
        uv_close((uv_handle_t *)&l->async, on_closed);
}

/* --- taking back -------------------------------------------------------------------------------- */

static bool unqueue(struct prep *p)
{
    struct lane *lane = p->lane;
    pthread_mutex_lock(&lane->mutex);
    bool there = p->state == READY;
    struct prep **at = &lane->queue;
    while (there && *at != p)
        at = &(*at)->behind;
    if (there)
        *at = p->behind;
    pthread_mutex_unlock(&lane->mutex);
    return there;
}

static bool take_back(struct lanes *l, struct prep *p)
{
    if (!p->leased || !unqueue(p))
        return false;
    struct job *job = p->job;
    p->lane->ready = NULL;
    lease_put_back(l->x, p->leased);
    prep_free(l, p);
    job_drop(job);
    return true;
}

bool lane_take_back(struct exec *x, double seconds)
{
    struct prep *first = NULL;
    double latest = seconds > 0 ? time_mono() - seconds : INFINITY;
    for (struct prep *p = x->lanes->preps; p; p = p->next)
        if (p->leased && p->made <= latest &&
            (!first || p->leased->seq < first->leased->seq))
            first = p;
    return first && take_back(x->lanes, first);
}

/* --- making ready ----------------------------------------------------------------------------- */

static struct prep *find_last(struct lane *lane)
{
    struct prep *p = lane->queue;
    while (p && p->behind)
        p = p->behind;
    return p;
}

static void queue_up(struct lane *lane, struct prep *p)
{
    pthread_mutex_lock(&lane->mutex);
    struct prep *last = find_last(lane);
    *(last ? &last->behind : &lane->queue) = p;
    if (!last)
        pthread_cond_signal(&lane->work);
    pthread_mutex_unlock(&lane->mutex);
    lane->ready = p;
}

static bool same_pus(hwloc_const_bitmap_t a, hwloc_const_bitmap_t b)
{
    return a && b ? hwloc_bitmap_isequal(a, b) : a == b;
}

/* The next one of the lease, for when PREV is over. */
static void make_ready(struct job *prev)
{
    struct exec *x = prev->x;
    struct lane *lane = prev->lane;
    struct lanes *l = x->lanes;
    if (!lane || lane->ready || l->closed || prev->finished)
        return;
    /* one that waits behind a long one goes first, and nobody waits there then */
    lane_take_back(x, LANE_PATIENCE);
    struct leased *leased = lease_take(x, prev->class);
    struct job *job = leased ? job_make_next(prev, leased) : NULL;
    if (!job) {
        if (leased)
            lease_put_back(x, leased);
        return;
    }
    struct prep *p = xcalloc(1, sizeof(*p));
    p->next = l->preps;
    l->preps = p;
    p->lane = lane;
    p->prev = prev;
    p->job = job;
    p->leased = leased;
    p->made = time_mono();
    job->prep = p;
    if (task_make_ready(&job->tasks[0], &p->ready) && same_pus(p->ready.pus, lane->pus)) {
        queue_up(lane, p);
        return;
    }
    job->spec->not_in_lanes = true;
    prep_free(l, p);
    job_drop(job);
    lease_put_back(x, leased);
}

void lane_follow(struct job *prev, struct job *job)
{
    struct lane *lane = take(prev->lane);
    pid_t pid = job->nlocal == 1 ? job->tasks[0].pid : 0;
    if (!lane && pid > 0 && time_mono() - prev->since < LANE_SHORT)
        lane = lane_create(job->x, &job->tasks[0]);
    if (!lane)
        return;
    job->lane = lane;
    pthread_mutex_lock(&lane->mutex);
    lane->watch = pid;
    pthread_cond_signal(&lane->work);
    pthread_mutex_unlock(&lane->mutex);
    make_ready(job);
}

void lane_prepare_all(struct exec *x)
{
    size_t i = 0;
    for (struct job *job; (job = idmap_next(&x->jobs, &i));)
        make_ready(job);
}

/* --- what follows ------------------------------------------------------------------------------- */

static struct prep *find_leased(struct lanes *l)
{
    for (struct prep *p = l->preps; p; p = p->next)
        if (p->leased)
            return p;
    return NULL;
}

void lane_take_back_all(struct exec *x)
{
    struct lanes *l = x->lanes;
    l->closed = true;
    for (struct prep *p; (p = find_leased(l));)
        if (!take_back(l, p))
            lane_adopt(p->prev);
    l->closed = false;
}

struct job *lane_heir(struct job *job)
{
    struct prep *p = job->lane ? job->lane->ready : NULL;
    if (job->heir)
        return job->heir;
    if (!p || (job->x->quitting && take_back(job->x->lanes, p)))
        return NULL;
    return p->job;
}

void lane_adopt(struct job *prev)
{
    struct prep *p = prev->lane->ready;
    struct job *job = p->job;
    job->lane = take(prev->lane);
    job->lane->ready = NULL;
    lease_free(take(p->leased));
    p->prev = NULL;
    if (!prev->finished) {
        prev->heir = job;
        job->after = prev;
    }
    job_adopt(job);
    make_ready(job);
    if (state_of(p) == STARTED && p->pid < 0)
        settle(p);
    else if (job->x->quitting)
        job_kill(job);
}

void lane_leave(struct job *job)
{
    if (job->lane)
        leave(take(job->lane));
}

/* --- what was begun ------------------------------------------------------------------------------- */

static struct prep *find_process(struct lanes *l, pid_t pid)
{
    for (struct prep *p = l->preps; p; p = p->next)
        if (state_of(p) == STARTED && p->pid == pid)
            return p;
    return NULL;
}

void lane_await_starts(struct exec *x)
{
    for (struct prep *p = x->lanes->preps; p; p = p->next)
        if (state_of(p) == STARTING)
            await(p);
}

struct task *lane_task(struct exec *x, pid_t pid)
{
    struct prep *p = find_process(x->lanes, pid);
    if (!p) { /* it may have ended before the thread came to say so */
        lane_await_starts(x);
        p = find_process(x->lanes, pid);
    }
    if (!p)
        return NULL;
    struct task *task = &p->job->tasks[0];
    if (p->leased)
        lane_adopt(p->prev);
    lane_settle(task);
    return task;
}

void lane_settle(struct task *task)
{
    struct prep *p = task->job->prep;
    if (!p || p->leased)
        return;
    await(p);
    settle(p);
}

bool lane_try_settle(struct job *job, bool wait)
{
    struct prep *p = job->prep;
    if (!p)
        return true;
    if (wait)
        await(p);
    if (state_of(p) != STARTED || p->pid < 0)
        return false;
    settle(p);
    return true;
}

unsigned lane_count_tasks(const struct exec *x)
{
    unsigned n = 0;
    size_t i = 0;
    for (const struct task *task; (task = idmap_next(&x->tasks, &i));)
        n += task->in_lane;
    return n;
}

void lane_forget(struct job *job)
{
    struct prep *p = job->lane ? job->lane->ready : NULL;
    struct lanes *l = job->x->lanes;
    if (p && !take_back(l, p)) { /* the executor leaves, and ends it with the others */
        struct job *next = p->job;
        await(p);
        lease_free(take(p->leased));
        prep_free(l, p);
        job_drop(next);
    }
    if (job->prep) {
        await(job->prep);
        prep_free(l, job->prep);
    }
    lane_leave(job);
}
