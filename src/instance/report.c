/* SPDX-License-Identifier: BSD-3-Clause */
/* report: what executors tell the leader: PROTOCOL, section 2, "From the executor". */
#include "src/instance/change.h"
#include "src/instance/logring.h"
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/node.h"
#include "src/instance/site.h"
#include "src/job/jsonutil.h"

static struct node_name name_of(const struct leader *ld, unsigned rank)
{
    return node_name(ld->config.nodes, rank);
}

/* The end of one rank need not be that of a sub-instance which was up, or of a grant whose ranks
 * are in one: others may go on. */
static bool is_its_own_affair(const struct job *job, const char *type)
{
    bool up = jsonutil_get(job->memo, "uri") || jsonutil_get(job->memo, "joined");
    return job_is_instance(job) && job->ntasks > 1 && up && strcmp(type, "exec") == 0;
}

/* One entry of "ev": [ID, KIND, T, CONTEXT]. */
static void one_event(struct leader *ld, unsigned rank, json_object *e)
{
    int64_t id, run = 0, status = 0, severity = 0;
    double when;
    const char *kind = jsonutil_string(json_object_array_get_idx(e, 1));
    if (kind && strcmp(kind, "returned") == 0) {
        lease_returned(ld, rank, json_object_array_get_idx(e, 3));
        return;
    }
    if (!jsonutil_int(json_object_array_get_idx(e, 0), 1, INT64_MAX, &id) || !kind ||
        !jsonutil_number(json_object_array_get_idx(e, 2), &when)) {
        log_error("%s: an event is not [id, kind, time, ...]: %s", name_of(ld, rank).text,
                  jsonutil_show(e).text);
        return;
    }
    json_object *context = json_object_array_get_idx(e, 3);
    bool ran = strcmp(kind, "ran") == 0, finished = ran || strcmp(kind, "finish") == 0;
    cleanup_json json_object *next =
        json_object_get(ran ? context : jsonutil_get(context, "next"));
    if (!json_object_is_type(next, json_type_array))
        json_object_put(take(next));
    struct job *job = jobtable_find(ld->jobs, (jobid_t)id);
    int index = job && job->nodes ? job_node_index(job, rank) : -1;
    if (finished && adopt_stale_ended(ld, rank, (jobid_t)id))
        return;
    jsonutil_int(jsonutil_get(context, "run"), 0, INT64_MAX, &run);
    /* a node whose tasks have ended may still say that those elsewhere must (exit-timeout) */
    bool told = index >= 0 && job->nodes[index].done && strcmp(kind, "exception") != 0;
    if (index < 0 || run != job->run || told) {
        struct job *heir = next ? lease_take_over(ld, NULL, rank, next, when) : NULL;
        if (heir)
            manager_began(ld, heir, when);
        log_debug("rank %u: event %s of a job, or a run of it, that is not there", rank,
                  kind);
        return;
    }
    /* clocks are never quite the same: nothing is before its cause, nor to come */
    when = MAX(job->t_run, MIN(when, time_now()));
    if (strcmp(kind, "start") == 0)
        manager_node_started(ld, job, (unsigned)index, when);
    else if (finished) {
        struct job *heir = next ? lease_take_over(ld, job, rank, next, when) : NULL;
        if (ran && job_site(job)) {
            context = site_quiet_report(job->site);
        } else {
            json_object_object_del(context, "next");
            jsonutil_int(jsonutil_get(context, "status"), 0, INT32_MAX, &status);
        }
        manager_node_finished(ld, job, (unsigned)index, (int)status, context, when);
        if (heir)
            manager_began(ld, heir, when);
    } else if (strcmp(kind, "exception") == 0) {
        const char *type = jsonutil_string(jsonutil_get(context, "type"));
        const char *note = jsonutil_string(jsonutil_get(context, "note"));
        jsonutil_int(jsonutil_get(context, "severity"), 0, 7, &severity);
        type = type ? type : "exec";
        if (is_its_own_affair(job, type))
            severity = MAX(severity, 1);
        if (severity == 0 && strcmp(type, "timeout") == 0)
            manager_expired(ld, job, note);
        else
            manager_exception(ld, job, type, (int)severity, note);
    } else
        log_debug("rank %u: unknown event %s", rank, kind);
}

static void on_ev(struct leader *ld, unsigned rank, json_object *msg)
{
    json_object *events = jsonutil_get(msg, "e");
    int64_t seq;
    size_t n = json_object_is_type(events, json_type_array)
                   ? json_object_array_length(events)
                   : 0;
    for (size_t i = 0; i < n; i++)
        one_event(ld, rank, json_object_array_get_idx(events, i));
    if (jsonutil_int(jsonutil_get(msg, "seq"), 0, INT64_MAX, &seq))
        ld->nodes[rank].seen = MAX(ld->nodes[rank].seen, seq);
    leader_wake(ld);
}

static void on_log(struct leader *ld, unsigned rank, json_object *msg)
{
    const char *level = jsonutil_string(jsonutil_get(msg, "level"));
    const char *text = jsonutil_string(jsonutil_get(msg, "text"));
    if (!text)
        return;
    if (level && strcmp(level, "error") == 0)
        log_error("%s: %s", name_of(ld, rank).text, text);
    else if (level && strcmp(level, "warning") == 0)
        log_warning("%s: %s", name_of(ld, rank).text, text);
    else
        log_info("%s: %s", name_of(ld, rank).text, text);
}

/* Of another rank, which has printed it itself. */
static void on_rank_log(struct leader *ld, unsigned rank, json_object *msg)
{
    double t = time_now();
    const char *level = jsonutil_string(jsonutil_get(msg, "level"));
    const char *text = jsonutil_string(jsonutil_get(msg, "text"));
    jsonutil_number(jsonutil_get(msg, "t"), &t);
    if (text)
        logring_add(ld->config.log, t, logring_level(level ? level : ""), rank, text);
}

/* PMIx job control of a job on several nodes: {"pmi":"jobsignal","id","signal"}. */
static void signal_job(struct leader *ld, json_object *pmi)
{
    int64_t id, signum;
    if (!jsonutil_int(jsonutil_get(pmi, "id"), 1, INT64_MAX, &id) ||
        !jsonutil_int(jsonutil_get(pmi, "signal"), 1, SIGRTMAX, &signum))
        return;
    struct job *job = jobtable_find(ld->jobs, (jobid_t)id);
    if (job && job->nodes_running > 0)
        launch_signal(ld, job, (int)signum);
}

static void on_pmi(struct leader *ld, unsigned rank, json_object *msg)
{
    json_object *pmi = jsonutil_get(msg, "msg");
    const char *kind = jsonutil_string(jsonutil_get(pmi, "pmi"));
    if (kind && strcmp(kind, "spawn") == 0)
        spawn_request(ld, rank, pmi);
    else if (kind && strcmp(kind, "unspawn") == 0)
        spawn_forget(ld, rank, pmi);
    else if (kind && strcmp(kind, "jobsignal") == 0)
        signal_job(ld, pmi);
    else
        log_error("%s: unknown pmi message: %s", name_of(ld, rank).text,
                  jsonutil_show(pmi).text);
}

static const struct {
    const char *m;
    void (*call)(struct leader *ld, unsigned rank, json_object *msg);
} table[] = {
    {"ev", on_ev},
    {"out", stream_output},
    {"outend", stream_output_end},
    {"stdinack", stream_input_ack},
    {"pmi", on_pmi},
    {"log", on_log},
    {"ranklog", on_rank_log},
    {"hello", adopt_hello},
    {"nspace", grow_prepared},
    {"news", news_told},
};

void report_line(struct leader *ld, unsigned rank, char *line, size_t len)
{
    struct error err;
    cleanup_json json_object *msg = jsonutil_decode(line, len, &err);
    const char *m = jsonutil_string(jsonutil_get(msg, "m"));
    for (size_t i = 0; m && i < ARRAY_SIZE(table); i++)
        if (strcmp(table[i].m, m) == 0) {
            table[i].call(ld, rank, msg);
            return;
        }
    log_error("%s: the executor sent what is no message: %.100s", name_of(ld, rank).text,
              line);
}

/* The tasks on the node of RANK are gone: the jobs that had any there end, or start anew where
 * that was asked for, as arrays do. */
static void end_jobs_of(struct leader *ld, unsigned rank, const char *why)
{
    double now = time_now();
    specs_forget_rank(ld->specs, rank);
    json_object_put(take(ld->nodes[rank].starts));
    gate_forget(ld, rank);
    stream_rank_lost(ld, rank);
    lease_lost(ld, rank, why);
    for (struct job *job = jobtable_first(ld->jobs), *next; job; job = next) {
        next = job->next;
        int index = job_node_open(job, rank);
        if (index < 0)
            continue;
        manager_node_lost(ld, job, why);
        manager_node_finished(ld, job, (unsigned)index, SIGKILL, NULL, now);
    }
    leader_wake(ld);
}

static void take_down(struct leader *ld, unsigned rank, const char *why)
{
    struct leader_node *node = &ld->nodes[rank];
    node->lost = true;
    node->seen = node->acked = 0;
    node->nstale = 0;
    pool_set_state(ld->pool, rank, POOL_DOWN, why);
    change_node(ld, rank);
}

void report_lost(struct leader *ld, unsigned rank, bool restarted)
{
    cleanup_free char *why =
        xasprintf("the executor of %s died, and the job's tasks there with it",
                  name_of(ld, rank).text);
    ld->nodes[rank].seen = ld->nodes[rank].acked = 0; /* a new one counts anew */
    ld->nodes[rank].exec_pid = 0;
    if (!restarted)
        take_down(ld, rank, "its executor could not be started again");
    end_jobs_of(ld, rank, why);
}

static void give_up(struct leader *ld, unsigned rank)
{
    cleanup_free char *why = xasprintf("%s was lost, and the job's tasks there with it",
                                       name_of(ld, rank).text);
    ld->nodes[rank].away = false;
    end_jobs_of(ld, rank, why);
}

void report_refuse(struct leader *ld, unsigned rank, const char *why)
{
    cleanup_free char *text = xasprintf("%s: %s", name_of(ld, rank).text, why);
    log_error("%s: it is not used until the ranks are started again without them", text);
    take_down(ld, rank, why);
    end_jobs_of(ld, rank, text);
}

void report_rank_lost(struct leader *ld, unsigned rank, double wait)
{
    struct leader_node *node = &ld->nodes[rank];
    take_down(ld, rank, "its rank was lost");
    if (wait <= 0) {
        give_up(ld, rank);
        return;
    }
    /* its executor goes on, and keeps what it has to tell for the rank's return */
    specs_forget_rank(ld->specs, rank);
    stream_rank_lost(ld, rank);
    json_object_put(take(node->starts));
    gate_forget(ld, rank);
    node->away = true;
    node->away_until = time_now() + wait;
    leader_wake(ld);
}

void report_drain(struct leader *ld, unsigned rank, bool drained, const char *reason,
                  double when)
{
    struct leader_node *node = &ld->nodes[rank];
    log_info("%s is %s%s%s", name_of(ld, rank).text,
             drained ? "drained" : "not drained any more", drained && reason ? ": " : "",
             drained && reason ? reason : "");
    free(node->drained);
    node->drained = drained ? xstrdup(reason ? reason : "") : NULL;
    node->drained_at = drained ? when : 0;
    if (!node->lost) /* else it will be, when it is back */
        pool_set_state(ld->pool, rank, drained ? POOL_DRAINED : POOL_UP,
                       drained ? reason : NULL);
    change_drained(ld, rank, drained ? NULL : reason);
}

void report_await(struct leader *ld, unsigned rank)
{
    ld->nodes[rank].lost = true;
    pool_set_state(ld->pool, rank, POOL_DOWN, "its executor has not answered yet");
    change_node(ld, rank);
}

void report_run(struct leader *ld, double now)
{
    for (unsigned i = 0; i < ld->config.size; i++)
        if (ld->nodes[i].away && ld->nodes[i].away_until <= now)
            give_up(ld, i);
}

double report_next(const struct leader *ld)
{
    double next = 0;
    for (unsigned i = 0; i < ld->config.size; i++)
        if (ld->nodes[i].away && (next == 0 || ld->nodes[i].away_until < next))
            next = ld->nodes[i].away_until;
    return next;
}
