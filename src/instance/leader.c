/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/change.h"
#include "src/instance/bypass.h"
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/forms.h"
#include "src/instance/node.h"
#include "src/instance/record.h"
#include "src/instance/replica_impl.h"
#include "src/job/subend.h"
#include "src/sched/setup.h"

/* s after the grace: an executor that has not ended a job by then never will */
#define END_LATE 10.0
#define PRESS_GRACE 1.0 /* s, for jobs that did not end in time with a sub-instance */

#define STORE_TRY_S 0.05 /* between two tries to write to a store that fails */

enum {
    FLUSH_MS = 50,      /* ends of jobs are committed within this time */
    FLUSH_CALLS = 4096, /* or when there are so many */
    FLUSH_RETRY_MS = 1000,
    GENERATORS = 16384 /* RFC 19 */
};

static void on_idle(uv_idle_t *h)
{
    (void)h; /* its being active keeps the loop from sleeping before the turn's work */
}

void leader_wake(struct leader *ld)
{
    if (ld->awake)
        return;
    ld->awake = true;
    uv_idle_start(&ld->idle, on_idle);
}

/* --- the instance's end ------------------------------------------------------------------- */

static void on_timer(uv_timer_t *h)
{
    leader_wake(h->data);
}

/* When what the executors did not end with the instance is told to end. */
static double time_to_press(const struct leader *ld)
{
    unsigned level = ld->config.level;
    return ld->config.expiration + ld->config.grace +
           (level > 0 ? subend_margin(level) / 4 : 1);
}

/* The next time at which there is work that nothing but the time brings. The loop's clock is not
 * the one that tells the end: it may be reached a little later, and this is called again. */
static void arm_timer(struct leader *ld, double now)
{
    double end = ld->config.expiration;
    if (end > 0 && now >= end)
        end = time_to_press(ld);
    const double times[] = {end,
                            sched_next_late(ld->sched),
                            depend_next(ld),
                            report_next(ld),
                            grant_next(ld),
                            account_next(ld),
                            lease_next(ld),
                            news_next(ld),
                            purge_next(ld)};
    double next = INFINITY;
    for (size_t i = 0; i < ARRAY_SIZE(times); i++)
        if (times[i] > now)
            next = MIN(next, times[i]);
    if (isfinite(next))
        uv_timer_start(&ld->timer, on_timer, (uint64_t)((next - now) * 1000) + 1, 0);
    else
        uv_timer_stop(&ld->timer);
}

/* Executors end what runs by themselves: no job's limit is beyond the instance's.  Those that did
 * not in good time (whose clock is another, say) are told to. */
static void expire(struct leader *ld, double now)
{
    bool first = !ld->shutdown;
    if (first) {
        ld->expired = true;
        ld->shutdown = xstrdup("the instance's time limit was reached");
        log_error("%s: what runs in it is ended", ld->shutdown);
    }
    if (!ld->expired || (!first && (ld->pressed || now < time_to_press(ld))))
        return;
    ld->pressed = !first;
    elements_wind_up(ld, ld->shutdown);
    for (struct job *job = jobtable_first(ld->jobs), *next; job; job = next) {
        next = job->next;
        if (manager_keeps(ld, job))
            continue;
        if (job->state < JOB_RUN && !job->ending)
            manager_exception(ld, job, "cancel", 0, ld->shutdown);
        else if (!first && !job->ending)
            manager_exception(ld, job, "timeout", 0, ld->shutdown);
        if (!first && ld->config.level > 0 && job->nodes_running > 0)
            launch_end(ld, job, PRESS_GRACE, NULL); /* the parent's patience ends, too */
    }
}

bool leader_expire(struct leader *ld)
{
    double now = time_now(), when = ld->config.expiration;
    if (when > 0 && now >= when - SUBEND_NEAR)
        expire(ld, now);
    return ld->expired;
}

void leader_warn(struct leader *ld, int signum)
{
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next)
        if (job->nodes_running > 0)
            launch_signal(ld, job, signum);
        else if (job->ahead >= 0) /* it may run */
            launch_signal_ahead(ld, job, signum);
    leader_wake(ld);
}

bool leader_expired(const struct leader *ld)
{
    return ld->expired;
}

/* --- a turn -------------------------------------------------------------------------------- */

static void on_flush_timer(uv_timer_t *h)
{
    struct leader *ld = h->data;
    ld->flush_due = true;
    leader_wake(ld);
}

/* Calls of the store that wait for a commit, or for being made. */
static size_t uncommitted(const struct leader *ld)
{
    return store_unflushed(ld->store) + !LIST_EMPTY(&ld->untold_runs);
}

static int commit(struct leader *ld, struct error *err)
{
    record_runs(ld->store, &ld->untold_runs);
    if (ld->config.publish && store_unflushed(ld->store) > 0)
        record_state(ld->store, ld->config.generation, gate_epoch(ld));
    if (store_flush(ld->store, err) < 0)
        return -1;
    joblog_flushed(&ld->joblog, ld->jobs);
    return 0;
}

/* Submissions are committed before they are acknowledged.  Ends may wait a little for
 * company: an executor keeps what it reported until it hears that it is safe.  False: the store
 * takes nothing for now, which is tried again each FLUSH_RETRY_MS. */
static bool flush(struct leader *ld)
{
    struct error err;
    size_t calls = uncommitted(ld);
    if (ld->store_fails && !ld->flush_due)
        return false;
    /* what runs is in the store before it starts where there may be a successor */
    bool starts = ld->start_recorded || (ld->config.publish && calls > 0 &&
                                         (launch_pending(ld) || lease_pending(ld)));
    if (!ld->replies_fresh && !starts && !ld->flush_due && calls < FLUSH_CALLS) {
        if (calls > 0 && !uv_is_active((uv_handle_t *)&ld->flush_timer))
            uv_timer_start(&ld->flush_timer, on_flush_timer, FLUSH_MS, 0);
        return true;
    }
    ld->flush_due = false;
    uv_timer_stop(&ld->flush_timer);
    ld->store_tried = time_mono();
    if (commit(ld, &err) < 0) {
        if (!ld->store_fails)
            log_error("%s; no job starts until then", err.text);
        ld->store_fails = true;
        ld->store_error = err;
        replies_refuse(ld, &err);
        uv_timer_start(&ld->flush_timer, on_flush_timer, FLUSH_RETRY_MS, 0);
        return false;
    }
    if (ld->store_fails)
        log_warning("the store takes changes again");
    ld->store_fails = ld->start_recorded = false;
    replies_stored(ld);
    launch_acknowledge(ld);
    return true;
}

size_t leader_kept(const struct leader *ld)
{
    size_t n = 0;
    for (const struct job *job = jobtable_first(ld->jobs); job; job = job->next)
        n += manager_keeps(ld, job);
    return n + elements_kept(ld);
}

/* Nothing is left but what is kept. */
static bool is_quiet(const struct leader *ld)
{
    for (const struct job *job = jobtable_first(ld->jobs); job; job = job->next)
        if (!manager_keeps(ld, job))
            return false;
    for (size_t i = 0; i < jobtable_narrays(ld->jobs); i++)
        if (!manager_keeps(ld, element_rest_any(jobtable_array(ld->jobs, i))))
            return false;
    return true;
}

bool leader_store_works(struct leader *ld)
{
    if (!ld->store_fails)
        return true;
    if (time_mono() - ld->store_tried < STORE_TRY_S)
        return false;
    ld->flush_due = true;
    return flush(ld);
}

/* The work of a turn, in an order that keeps promises: nothing is said to be accepted, and
 * nothing is started, before the store has it. */
static void on_check(uv_check_t *h)
{
    struct leader *ld = h->data;
    if (!ld->awake)
        return;
    ld->awake = false;
    uv_idle_stop(&ld->idle);

    double now = time_now();
    cleanup_free char *inherited = take(ld->shut_down_as);
    adopt_begin_again(ld);
    if (inherited)
        leader_shutdown(ld, inherited);
    if (ld->config.expiration > 0 && now >= ld->config.expiration)
        expire(ld, now);
    report_run(ld, now);
    news_turn(ld);
    depend_run(ld, now);
    grant_run(ld, now);
    account_run(ld, now);
    purge_run(ld, now);
    if (!ld->shutdown)
        bypass_turn(ld);
    if (!ld->shutdown && !lease_blocks(ld)) /* what is queued then stays there */
        sched_run(ld->sched, now);
    preempt_turn(ld);
    manager_end_unmapped(ld);
    lease_turn(ld);
    arm_timer(ld, now);
    account_tell(ld, now);
    if (flush(ld)) {
        launch_flush(ld);
        lease_flush(ld);
    }
    if (ld->queue_waiters)
        queues_turn(ld);
    waitable_turn(ld);
    gate_release(ld);
    replies_flush(ld);
    stream_flush(ld);
    watch_turn(ld);
    if (ld->config.changed)
        ld->config.changed(ld->config.arg);
    if (ld->finish && jobtable_is_empty(ld->jobs))
        leader_shutdown(ld, "the jobs of an instance without its program have ended");
    /* who waits for a reply, or for the end of a job, is told first */
    bool told = (!ld->replies && !stream_holds_ends(ld)) || ld->store_fails;
    if (ld->shutdown && is_quiet(ld) && told && !ld->quiet_told) {
        ld->quiet_told = true;
        ld->config.quiet(ld->config.arg);
    }
}

/* The tables of a new instance. */
static int make_tables(struct leader *ld, struct error *err)
{
    static const struct store_options options = {.sync = STORE_SYNC_OFF};
    ld->store = ld->config.own_store ? take(ld->config.own_store)
                                     : store_open(ld->config.store, &options, err);
    if (!ld->store)
        return -1;
    ld->jobs = jobtable_create();
    ld->specs = specs_create(specs_dropped, ld);
    ld->forms = forms_create();
    ld->keys = keys_create();
    ld->queues = queues_create(ld->config.info);
    struct rset *r = node_resources(ld->config.nodes, ld->config.size);
    ld->pool = pool_create(r);
    rset_destroy(r);
    return 0;
}

static void take_tables(struct leader *ld, struct replica *rp)
{
    record_runs(rp->store, &rp->untold_runs);
    ld->store = take(rp->store);
    ld->jobs = take(rp->jobs);
    ld->specs = take(rp->specs);
    ld->forms = take(rp->forms);
    ld->pool = take(rp->pool);
    ld->keys = take(rp->keys);
    ld->queues = take(rp->queues);
    ld->joblog = rp->joblog;
    rp->joblog = (struct joblog){0};
    specs_adopt(ld->specs, specs_dropped, ld);
}

struct leader *leader_create(const struct leader_config *config, struct error *err)
{
    struct sched_setup setup;
    if (sched_setup_parse(&setup, config->policy, err) < 0)
        return NULL; /* before anything is taken over */
    struct leader *ld = xcalloc(1, sizeof(*ld));
    ld->config = *config;
    ld->end_grace = SUBEND_GRACE;
    if (config->replica)
        take_tables(ld, config->replica);
    else if (make_tables(ld, err) < 0) {
        free(ld);
        return NULL;
    }
    ld->config.replica = NULL;
    ld->exit_code = -1;
    ld->nodes = xcalloc(config->size, sizeof(*ld->nodes));
    for (unsigned i = 0; i < config->size; i++)
        ld->nodes[i].lease = lease_create();
    ld->last_class = (int64_t)(time_now() * 1000);
    ld->depends = depends_create();
    ld->news = news_create();
    ld->replies_end = &ld->replies;
    ld->gated_end = &ld->gated;
    TAILQ_INIT(&ld->held_ends);
    TAILQ_INIT(&ld->telling);
    ld->instance_id =
        xstrdup(json_object_get_string(json_object_object_get(config->info, "instance")));
    for (size_t i = 0; i < pool_nnodes(ld->pool); i++)
        ld->universe += (unsigned)hwloc_bitmap_weight(pool_nth(ld->pool, i).cores);
    ld->queues->accounts->ncores = ld->universe;
    queues_make_sched(ld, err);
    /* one epoch for all leaders of the instance, and a generator of ids for each */
    jobid_gen_init(
        &ld->gen, config->generation % GENERATORS,
        (uint64_t)((config->epoch > 0 ? config->epoch : config->starttime) * 1000));

    uv_check_init(config->loop, &ld->check);
    uv_idle_init(config->loop, &ld->idle);
    uv_timer_init(config->loop, &ld->timer);
    uv_timer_init(config->loop, &ld->flush_timer);
    uv_timer_init(config->loop, &ld->late_timer);
    uv_timer_init(config->loop, &ld->watch_timer);
    uv_timer_init(config->loop, &ld->tie_timer);
    ld->check.data = ld->idle.data = ld->timer.data = ld->flush_timer.data = ld;
    ld->late_timer.data = ld->watch_timer.data = ld->tie_timer.data = ld;
    uv_check_start(&ld->check, on_check);
    cleanup_free char *configured = store_attr_get(ld->store, "config", NULL);
    if (!configured && json_object_object_length(ld->queues->config->json) > 0)
        change_config(ld);
    if (config->replica) {
        leader_adopt(ld, config->replica);
        tie_await_clients(ld);
    }
    replica_destroy(config->replica);
    leader_wake(ld); /* for the timer */
    return ld;
}

/* Handles live in the leader: it is freed when the last of them has closed. */
static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void leader_destroy(struct leader *ld)
{
    if (!ld)
        return;
    account_store(ld);
    watch_client_gone(ld, NULL);
    stream_free_all(ld);
    replies_forget(ld, NULL, true);
    gate_clear(ld);
    orders_free_all(ld);
    grow_client_gone(ld, NULL);
    archive_client_gone(ld, NULL, false);
    queues_client_gone(ld, NULL);
    waitable_free(ld);
    sched_destroy(ld->sched);
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next) {
        specs_put(ld->specs, take(job->sub->jobspec_text));
        specs_put(ld->specs, take(job->sub->env_text));
    }
    for (size_t i = 0; i < jobtable_narrays(ld->jobs); i++) {
        specs_put(ld->specs, take(jobtable_array(ld->jobs, i)->jobspec_text));
        specs_put(ld->specs, take(jobtable_array(ld->jobs, i)->env_text));
    }
    jobtable_destroy(ld->jobs);
    depends_destroy(ld->depends);
    queues_destroy(ld->queues);
    pool_destroy(ld->pool);
    specs_destroy(ld->specs);
    forms_destroy(ld->forms);
    keys_destroy(ld->keys);
    store_close(ld->store);
    for (unsigned i = 0; i < ld->config.size; i++) {
        json_object_put(ld->nodes[i].starts);
        free(ld->nodes[i].stale);
        lease_destroy(ld->nodes[i].lease);
        free(ld->nodes[i].drained);
    }
    free(ld->nodes);
    free(ld->instance_id);
    free(ld->shutdown);
    free(ld->shut_down_as);
    free(ld->spawned);
    free(ld->preemptible);
    free(ld->held_changes.s);
    joblog_clear(&ld->joblog);
    news_destroy(ld->news);
    /* libuv calls close callbacks in the reverse order of uv_close: the timer's comes last */
    uv_close((uv_handle_t *)&ld->timer, on_closed);
    uv_close((uv_handle_t *)&ld->flush_timer, NULL);
    uv_close((uv_handle_t *)&ld->late_timer, NULL);
    uv_close((uv_handle_t *)&ld->watch_timer, NULL);
    uv_close((uv_handle_t *)&ld->tie_timer, NULL);
    uv_close((uv_handle_t *)&ld->idle, NULL);
    uv_close((uv_handle_t *)&ld->check, NULL);
}

/* What still runs is on nodes whose executors do not answer: the instance ends without them. */
static void give_up(struct leader *ld, struct job *job)
{
    char id[JOBID_BUFSIZE];
    jobid_encode(job->sj.id, JOBID_F58, id, sizeof(id));
    for (unsigned i = 0, left = job->nodes_running; left > 0; i++) {
        if (job->nodes[i].done)
            continue;
        log_error("the executor of %s did not end job %s in time",
                  node_name(ld->config.nodes, job->pl->rset->nodes[i].rank).text, id);
        left--; /* with the last one, the job is gone */
        manager_node_finished(ld, job, i, SIGKILL, NULL, time_now());
    }
}

static void on_late(uv_timer_t *h)
{
    struct leader *ld = h->data;
    lease_give_up(ld);
    for (struct job *job = jobtable_first(ld->jobs), *next; job; job = next) {
        next = job->next;
        give_up(ld, job);
    }
    leader_wake(ld);
}

static void await_ends(struct leader *ld)
{
    unsigned level = ld->config.level;
    double late = level > 0 ? subend_margin(level - 1) * 0.75 : END_LATE;
    uv_timer_start(&ld->late_timer, on_late, (uint64_t)((ld->end_grace + late) * 1000),
                   0);
}

void leader_hurry(struct leader *ld, double grace)
{
    ld->end_grace = grace;
    if (ld->shutdown)
        await_ends(ld);
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next)
        if (job->ending && job->nodes_running > 0)
            launch_end(ld, job, grace, NULL);
    leader_wake(ld);
}

void leader_end_with(struct leader *ld, int code)
{
    if (!ld->shutdown)
        ld->exit_code = code;
}

int leader_exit_code(const struct leader *ld)
{
    return ld->exit_code;
}

void leader_shutdown(struct leader *ld, const char *reason)
{
    if (ld->shutdown)
        return;
    ld->shutdown = xstrdup(reason);
    change_shutdown(ld);
    await_ends(ld);
    lease_recall_all(ld); /* first: what ends now is to be followed by nobody */
    elements_wind_up(ld, ld->shutdown);
    for (struct job *job = jobtable_first(ld->jobs), *next; job; job = next) {
        next = job->next;
        manager_wind_up(ld, job, ld->shutdown);
    }
    leader_wake(ld);
}

void leader_keep_nothing(struct leader *ld)
{
    ld->keep_nothing = true;
    if (ld->shutdown)
        elements_wind_up(ld, ld->shutdown);
    for (struct job *job = jobtable_first(ld->jobs), *next; ld->shutdown && job;
         job = next) {
        next = job->next;
        if (!job->exception || job->exception->severity > 0)
            manager_exception(ld, job, "cancel", 0, ld->shutdown);
    }
}

void leader_exec_line(struct leader *ld, unsigned rank, char *line, size_t len)
{
    report_line(ld, rank, line, len);
}

void leader_exec_lost(struct leader *ld, unsigned rank, bool restarted)
{
    report_lost(ld, rank, restarted);
}

void leader_rank_lost(struct leader *ld, unsigned rank, double wait)
{
    report_rank_lost(ld, rank, wait);
}

/* The others' stores tell it already: at a restart, this one must not look older than theirs. */
void leader_set_generation(struct leader *ld, unsigned generation)
{
    ld->config.generation = generation;
    ld->flush_due = true;
    leader_wake(ld);
}

void leader_finish(struct leader *ld, const char *why)
{
    log_error("%s: the instance ends when its jobs have ended", why);
    ld->finish = true;
    leader_wake(ld);
}

void leader_await(struct leader *ld, unsigned rank)
{
    report_await(ld, rank);
}

void leader_refuse(struct leader *ld, unsigned rank, const char *why)
{
    report_refuse(ld, rank, why);
}

void leader_confirmed(struct leader *ld)
{
    if (ld->gated || ld->replies || stream_holds_ends(ld))
        leader_wake(ld);
}

int leader_dump(struct leader *ld, const char *path, struct error *err)
{
    record_runs(ld->store, &ld->untold_runs);
    return store_dump(ld->store, path, err);
}

void leader_settle(struct leader *ld)
{
    struct error err;
    if (commit(ld, &err) < 0)
        log_error("%s", err.text);
}

void leader_client_gone(struct leader *ld, struct client *c, bool may_return)
{
    watch_client_gone(ld, c);
    stream_client_gone(ld, c, may_return);
    orders_client_gone(ld, c);
    grow_client_gone(ld, c);
    archive_client_gone(ld, c, may_return);
    queues_client_gone(ld, c);
    waitable_client_gone(ld, c);
    news_client_gone(ld, c);
    replies_forget(ld, c, may_return);
    if (may_return)
        tie_await_clients(ld);
}
