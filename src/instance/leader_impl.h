/* SPDX-License-Identifier: BSD-3-Clause */
/* leader_impl: what the files of the leader share; see leader.h for who does what. */
#ifndef HBATCH_INSTANCE_LEADER_IMPL_H
#define HBATCH_INSTANCE_LEADER_IMPL_H

#include <sys/queue.h>
#include "src/common/idmap.h"
#include "src/instance/depend.h"
#include "src/instance/element.h"
#include "src/instance/joblog.h"
#include "src/instance/keys.h"
#include "src/instance/leader.h"
#include "src/instance/lease.h"
#include "src/instance/news.h"
#include "src/instance/params.h"
#include "src/instance/queues.h"
#include "src/instance/specs.h"
#include "src/store/store.h"

struct leader_node {     /* an executor as the leader sees it */
    json_object *starts; /* jobs to start, sent at the end of the turn; NULL: none */
    int64_t
        exec_pid; /* of the executor that said hello last; 0: none since one was lost */
    int64_t seen, acked; /* numbers of its event batches: come in, said to be safe */
    double exec_since;   /* when that one was started */
    bool lost;           /* it cannot be reached, and its tasks are gone */
    bool away;           /* its rank died, and may be started again until then: */
    double away_until;
    char *drained;     /* why, NULL: it is not */
    double drained_at; /* 0: that is not known */
    jobid_t *
        stale; /* [nstale] jobs that it still has and must not: it gets none till they end */
    size_t nstale;
    struct lease *lease;
    uint64_t news_asked, news_told; /* the latest rounds (news.c) */
};

struct preempt_seen { /* what preempt_turn has looked at; without padding */
    uint64_t ticket, gains, nrunning;
    int64_t urgency;
};

struct leader_trim { /* the limits of the table job-manager (purge_run) */
    double at;       /* when it is looked at again */
    double spent;    /* s, in the chunks of this look so far */
    uint64_t seen;   /* jobs that were over then */
    struct store_cut cut;
    jobid_t from; /* where to go on with the cut; 0: it was done */
};

struct leader {
    struct leader_config config;
    struct pool *pool;
    struct sched *sched;
    struct store *store;
    struct specs *specs;
    struct forms *forms;
    struct keys *keys; /* of submissions */
    struct jobtable *jobs;
    struct depends *depends;
    struct queues *queues;
    struct queue_waiter *queue_waiters;
    struct waitables *waitables;  /* or NULL: none yet */
    struct account *user_account; /* or NULL: not looked for yet */
    bool accounts_changed;        /* since they were told */
    double accounts_told, fair_at;
    jobid_t *preemptible; /* [npreemptible] jobs that run, and some that did */
    size_t npreemptible, preemptible_room;
    struct preempt_seen preempt_seen[SCHED_LANES]; /* of each group of lanes */
    struct job *walk; /* whose priority is to be made anew next, NULL: none */
    struct jobid_gen gen;
    struct leader_node *nodes; /* [config.size] */
    unsigned universe;         /* cores in all */
    char *instance_id;
    uv_check_t check;
    uv_idle_t idle;
    uv_timer_t timer;       /* the instance's expiration */
    uv_timer_t flush_timer; /* active while the store has something to commit */
    bool awake;             /* a turn's work is due */
    uv_timer_t late_timer;  /* of a shutdown: for executors that do not end their jobs */
    bool flush_due, quiet_told, have_unmapped;
    bool have_bypass;         /* jobs that do (bypass.h) may wait */
    bool start_recorded;      /* a start is to be in the store before it is made */
    struct error store_error; /* why */
    double store_tried;       /* monotonic time of the last commit */
    bool store_fails;  /* the last commit did; flush_timer tells when to try again */
    char *shutdown;    /* reason, NULL: none */
    bool expired;      /* that was it */
    bool pressed;      /* what did not end then was told to */
    bool keep_nothing; /* the shutdown is one that cancels also what could be kept */
    double end_grace;  /* s, from the polite to the final signal of a job that must end */
    struct stream *streams; /* that attach or wait */
    struct stream *follows; /* few, and asked at the end of each job */
    struct stream *wholes;  /* many, and not asked */
    struct idmap ones;      /* of these, those on one element that waits, by its id */
    TAILQ_HEAD(, stream)
    held_ends,              /* that are not safe yet */
        telling;            /* of WHOLES, those with ends to be told */
    struct reader *readers; /* few: those of jobs that run, or of a finished one */
    uint64_t last_reader;
    struct reply *replies; /* that wait for the flush */
    struct reply **replies_end;
    bool replies_fresh; /* some wait for the commit */
    struct watcher *watchers;
    uv_timer_t watch_timer; /* active: they are told then */
    double watched_at;      /* when they were told; monotonic */
    uv_timer_t tie_timer;   /* active: clients of tied jobs may come back until then */
    struct gated *gated;    /* lines for executors that wait for the second rank */
    struct gated **gated_end;
    struct listener *listeners; /* leaders of sub-instances that hear orders */
    struct order *orders;       /* for those that do not at the moment */
    struct transfer *transfers; /* archives that are on their way */
    struct grower *growers;     /* requests for more nodes that wait for their instance */
    unsigned nwidows;           /* grants whose base is over, and that should end */
    int exit_code;              /* of the instance, as it was asked for; -1: it was not */
    char *shut_down_as; /* the former leader did so, for this reason; NULL: it did not */
    bool begins_again;  /* adopt_begin_again is to be called */
    bool finish;        /* shut down when no job is left */
    bool adopting;      /* events of what is taken over were told before */
    struct strbuf held_changes; /* see change_hold */
    bool holds_changes;
    struct joblog joblog;        /* what the next commit takes */
    struct run_jobs untold_runs; /* for the store, with the next commit */
    int64_t last_class;          /* of a lease: never one of another leader */
    uint64_t lease_gains;        /* pool_gains when room was looked for */
    struct news *news;           /* questions that wait */
    struct leader_trim trim;
    jobid_t *spawned; /* [nspawned] sub-instances that tasks spawned */
    size_t nspawned;
};

/* --- leader.c */
/* There is work to be done once for all at the end of the turn. */
void leader_wake(struct leader *ld);

/* Whether it takes changes; one that did not is tried again, but not too often. */
bool leader_store_works(struct leader *ld);

/* --- rpc.c: replies. All take over RESULT. */
struct request {
    struct client *client;
    int64_t id;
    bool again; /* its client lost the connection, and may have asked for it before */
};
void reply_result(struct leader *ld, const struct request *rq, json_object *result);
void reply_error(struct leader *ld, const struct request *rq, const struct error *err);
/* After the next commit: what it says is then in the store. */
void reply_when_stored(struct leader *ld, const struct request *rq, json_object *result);
/* The same, of jobs that were submitted: if the store does not take them, they are refused. */
void reply_accept_when_stored(struct leader *ld, const struct request *rq,
                              json_object *result);
/* The commit failed: what was to be accepted with it is not. */
void replies_refuse(struct leader *ld, const struct error *why);
/* After what was decided so far would survive this leader. */
void reply_when_safe(struct leader *ld, const struct request *rq, json_object *result);
void replies_stored(struct leader *ld); /* the commit was made */
void replies_flush(struct leader *ld);  /* those that are safe */
void replies_forget(struct leader *ld, struct client *c, bool may_return);
/* {"jsonrpc","method":METHOD,"params":PARAMS}; PARAMS is taken over. */
void notify(struct client *c, const char *method, json_object *params);

struct rpc {
    const char *method;
    /* Answer now (reply_*), or later; return -1 with err set to have it answered with that. */
    int (*call)(struct leader *ld, const struct request *rq, json_object *params,
                struct error *err);
};
/* Answer the request O of C now. */
void leader_answer(struct leader *ld, struct client *c, json_object *o);
extern const struct rpc rpc_job_table[], rpc_list_table[], rpc_resource_table[],
    rpc_instance_table[], rpc_grant_table[], rpc_share_table[], rpc_queue_table[],
    rpc_archive_table[], rpc_account_table[],
    rpc_purge_table[]; /* ended by a NULL method */

/* --- rpc_purge.c */
/* What is beyond the configuration's limits is forgotten; the next time for it, 0: never. */
void purge_run(struct leader *ld, double now);
double purge_next(const struct leader *ld);

/* --- rpc_job.c */
/* The active job that params.id names, or NULL with err set. */
struct job *active_job(struct leader *ld, json_object *params, struct error *err);
/* Whether KEY was taken: after a restart, the keys of what was over then are in the store only. */
bool was_submitted(struct leader *ld, const struct request *rq, const char *key,
                   jobid_t *first, uint64_t *count);

/* --- submission.c */
/* What jobspec O asks for, as an array of the index set CC (or NULL): its environment is taken out of it, and so are its
 * rows (bulk.h), which make an array of it, too.  sub->cc is set.  NULL with err set. */
struct submission *submission_make(struct leader *ld, json_object *o, const char *cc,
                                   struct error *err);

/* --- manager*.c: a job's life */
struct submit_options {
    int urgency;
    unsigned flags;
    const char *cc;  /* index set of an array, or NULL */
    const char *key; /* the client's (keys.h), or NULL */
    uint64_t parent; /* spawned by a task of this job, 0: no */
    unsigned parent_rank;
    json_object *preput;
    int spawn_from; /* -1: no */
    int64_t spawn_token;
};
/* Accept jobspec O (its environment is taken out of it). Return the submission, owned by its
 * jobs, or NULL with err set and nothing changed. */
struct submission *manager_submit(struct leader *ld, json_object *o,
                                  const struct submit_options *opts, struct error *err);
/* sched's callback. */
void manager_start(struct sched_job *sj, struct placement *pl, void *arg);
/* The first job of the queue, or NULL.  JOB is taken out of the queue, for a lease (of a rest: its first element).  What of a
 * lease did not begin: into the queue again, or over. */
struct job *manager_head(struct leader *ld);
struct job *manager_take(struct leader *ld, struct job *job);
void manager_returned(struct leader *ld, struct job *job);
/* JOB, of a lease, has its placement, and runs there since WHEN; JOB may have been known to: it was the heir of one
 * that is over. */
void manager_began(struct leader *ld, struct job *job, double when);
/* End the jobs that a pass placed and whose task map turned out to be impossible. */
void manager_end_unmapped(struct leader *ld);
void manager_node_started(struct leader *ld, struct job *job, unsigned index,
                          double when);
/* Node INDEX of the job is done; REPORT: the finish event's context, or NULL. */
void manager_node_finished(struct leader *ld, struct job *job, unsigned index, int status,
                           json_object *report, double when);
/* What the job means to give back, of nodes where its tasks have ended, is free: it goes on with
 * less. */
void manager_give_back(struct leader *ld, struct job *job);
/* The job, of which nobody but the leader knows so far, ends. */
void manager_refuse(struct leader *ld, struct job *job, const char *why);
/* Its executors end it, as its time limit was reached. */
void manager_expired(struct leader *ld, struct job *job, const char *note);
/* An exception (RFC 21); severity 0 ends the job. */
void manager_exception(struct leader *ld, struct job *job, const char *type, int severity,
                       const char *note);
/* Whether it is queued again when its tasks are lost, whatever they had done. */
bool manager_may_requeue(const struct job *job);
/* When JOB, which runs, ends at the latest: by its own limit, or with the instance. */
double manager_expiration(const struct leader *ld, const struct job *job);
/* A job that is longer than the instance lives: -1 with err set. */
int manager_check_duration(const struct leader *ld, const struct job_shape *shape,
                           struct error *err);
/* Its events are in the store, also if it is an element of an array. */
void manager_keep_log(struct leader *ld, struct job *job);
/* Some of the job's tasks are gone through no fault of its own: it ends with exception
 * node-failure, or is queued again (elements of arrays, and jobs with the option requeue) once its
 * other tasks have ended. */
void manager_node_lost(struct leader *ld, struct job *job, const char *why);
/* JOB was ahead on a node that is lost (lease.h), and nobody knows whether it had begun: it is queued again, and its
 * log says so. */
void manager_lost_ahead(struct leader *ld, struct job *job, const char *why);
/* It ran in a former life: as if its nodes were lost, all of them. */
void manager_end_former(struct leader *ld, struct job *job, const char *why);
/* At the instance's end: whether the job stays in the store as one that waits. */
bool manager_keeps(const struct leader *ld, const struct job *job);
/* End the job as the instance ends, for REASON, unless it is kept. */
void manager_wind_up(struct leader *ld, struct job *job, const char *reason);
/* Into the queue, unless it can never run here. */
void manager_enqueue(struct leader *ld, struct job *job);
/* All that the job depends on is met: into the queue. */
void manager_release(struct leader *ld, struct job *job);
/* Note MEMO, an object, of the job; LOGGED: as an event as well. */
void manager_memo(struct leader *ld, struct job *job, json_object *memo, bool logged);
void manager_urgency(struct leader *ld, struct job *job, int urgency);
/* Add an event to the log and tell those who attach; CONTEXT: JSON text or NULL. */
void job_event(struct leader *ld, struct job *job, double when, const char *name,
               const char *context);

/* Active jobs with FIRST <= id <= LAST, in STATES. */
struct job_range {
    jobid_t first, last;
    int states;
};

/* --- elements.c: elements of arrays that wait (element.h) */
/* The elements of SUB that wait are in the queue, unless they depend on something. */
void elements_queue(struct leader *ld, struct submission *sub);
/* The first element of REST is taken, and gets a job. */
struct job *elements_next(struct leader *ld, struct job *rest);
/* The active job ID, or NULL; an element that waits without one gets it. */
struct job *elements_job(struct leader *ld, jobid_t id);
/* The rest that element ID is in, and its position; NULL: it is not such an element. */
struct job *elements_waiting(const struct leader *ld, jobid_t id, uint64_t *position);
/* Those of RUN that wait, of REST, of RANGE, are over by an exception. Return their number.  TYPE NULL: only
 * that. */
uint64_t elements_end(struct leader *ld, struct submission *sub, struct array_run run,
                      const char *type, const char *note);
void elements_end_rest(struct leader *ld, struct job *rest, const char *type,
                       const char *note);
uint64_t elements_end_between(struct leader *ld, const struct job_range *range,
                              const char *type, const char *note);
/* The instance ends, for REASON: so do elements that wait, unless they are for its next life; the number
 * of those. */
void elements_wind_up(struct leader *ld, const char *reason);
uint64_t elements_kept(const struct leader *ld);
/* Those of RUN, or of RANGE, that wait have URGENCY. Return the number of those that had another. */
uint64_t elements_urgency(struct leader *ld, struct submission *sub, struct array_run run,
                          int urgency);
uint64_t elements_urgency_between(struct leader *ld, const struct job_range *range,
                                  int urgency);
/* No element of SUB is left: it is forgotten. */
void elements_array_over(struct leader *ld, struct submission *sub);

/* --- account.c: who uses how much */
/* N more active jobs of SUB; so many more of its jobs run, on so many more cores; all of it anew. */
void account_count(struct leader *ld, struct submission *sub, int64_t n);
void account_running(struct leader *ld, struct submission *sub, int jobs, double ncores);
void account_recount(struct leader *ld);
/* JOB is about to leave the table. */
void account_removed(struct leader *ld, const struct job *job);
/* Priorities, as shares change; the next time for it, 0: none. */
void account_run(struct leader *ld, double now);
double account_next(const struct leader *ld);
/* Tell the others, and the store, if it is time; the store, as the leader ends. */
void account_tell(struct leader *ld, double now);
void account_store(struct leader *ld);

/* --- preempt.c: jobs that make room for more urgent ones */
int preempt_check(const struct jobspec *spec, struct error *err);
void preempt_started(struct leader *ld, const struct job *job);
void preempt_turn(struct leader *ld);

/* --- update.c */
/* Change attributes of JOB, by their paths. -1 with err set. */
int update_job(struct leader *ld, struct job *job, json_object *updates,
               struct error *err);
/* When the job, which runs, ends at the latest. */
void update_tell_executors(struct leader *ld, const struct job *job);

/* --- leader_queues.c: what queues mean to the scheduler (queues.h) */
/* Make the scheduler that is configured, with nothing in it. -1 with err set. */
int queues_make_sched(struct leader *ld, struct error *err);
/* JOB, which can run here, waits in the scheduler's queue from now on. */
void queues_enqueue(struct leader *ld, struct job *job);
/* The configuration is another one; queues were enabled, stopped, ...: it counts, and is told. */
void queues_configured(struct leader *ld);
void queues_set(struct leader *ld);
/* N more active, or running, jobs of SUB; all of them anew. */
void queues_count(struct leader *ld, struct submission *sub, int64_t n);
void queues_count_running(struct leader *ld, struct job *job, int n);
void queues_recount(struct leader *ld);
/* Answer RQ when queue NAME (NULL: all) is empty, or no job of it runs. */
void queues_wait(struct leader *ld, const struct request *rq, const char *name,
                 bool idle);
void queues_turn(struct leader *ld);
void queues_client_gone(struct leader *ld, const struct client *c); /* NULL: all */

/* --- launch.c: messages to executors */
void launch_job(struct leader *ld, struct job *job);
/* On its node INDEX only. */
void launch_again(struct leader *ld, struct job *job, unsigned index);
/* RANK's executor has the texts of SUB. */
void launch_teach(struct leader *ld, unsigned rank, const struct submission *sub);
/* Take its start back, which was not sent yet. */
void launch_withdraw(struct leader *ld, const struct job *job);
bool launch_pending(const struct leader *ld);
void launch_flush(struct leader *ld);
void launch_end(struct leader *ld, struct job *job, double grace, const char *note);
void launch_signal(struct leader *ld, struct job *job, int signum);
/* The same for one that is ahead on a node (lease.h), if it runs there. */
void launch_signal_ahead(struct leader *ld, const struct job *job, int signum);
void exec_send(struct leader *ld, unsigned rank, json_object *msg); /* takes MSG over */
/* Send MSG (taken over) to all nodes of a job. */
void exec_send_job(struct leader *ld, const struct job *job, json_object *msg);
/* The store has what the executors reported so far: they may forget it. */
void launch_acknowledge(struct leader *ld);
void specs_dropped(const struct text *t, void *arg);

/* --- gate.c */
/* The epoch that will carry all that was decided so far; the last one that is safe. */
uint64_t gate_epoch(const struct leader *ld);
uint64_t gate_safe(const struct leader *ld);
void gate_exec(struct leader *ld, unsigned rank, const char *line, size_t len);
/* Let through what is safe; forget what was for RANK; forget all. */
void gate_release(struct leader *ld);
void gate_forget(struct leader *ld, unsigned rank);
void gate_clear(struct leader *ld);

/* --- adopt.c */
/* The tables are another leader's: queue what is to be queued, wait for what is to be waited. */
void leader_adopt(struct leader *ld, const struct replica *rp);
/* Another life begins: what ran has ended, what waits is told so. */
void adopt_begin_again(struct leader *ld);
/* An executor says what it has. */
void adopt_hello(struct leader *ld, unsigned rank, json_object *msg);
/* Job ID ended on RANK: true if it was one that should not have been there. */
bool adopt_stale_ended(struct leader *ld, unsigned rank, jobid_t id);

/* --- report.c */
/* Node RANK is drained from WHEN on, with REASON, or (NULL) is not, as soon as it is up. */
void report_drain(struct leader *ld, unsigned rank, bool drained, const char *reason,
                  double when);
void report_line(struct leader *ld, unsigned rank, char *line, size_t len);
void report_lost(struct leader *ld, unsigned rank, bool restarted);
void report_rank_lost(struct leader *ld, unsigned rank, double wait);
void report_await(struct leader *ld, unsigned rank);
void report_refuse(struct leader *ld, unsigned rank, const char *why);
/* Ranks that were away for too long; the next time at which there is one, 0: never. */
void report_run(struct leader *ld, double now);
double report_next(const struct leader *ld);

/* --- stream.c, stream_output.c, stream_end.c */
/* Is job ID over and in the store?  If not, err is set. */
bool stream_is_over(struct leader *ld, jobid_t id, struct error *err);
/* Open the stream of request RQ on a job that is active (JOB) or over (JOB NULL, ID). */
int stream_attach(struct leader *ld, const struct request *rq, jobid_t id, bool output,
                  struct error *err);
/* The same, of what there is now: the stream ends after it, also if the job has not ended. */
int stream_look(struct leader *ld, const struct request *rq, jobid_t id, bool output,
                struct error *err);
/* Where the output of a job, which exists, is; outputs.c. */
/* The file that it is in on RANK, if that is one of a former life of the instance; new, or NULL. */
char *outputs_former(struct leader *ld, jobid_t id, unsigned rank);
json_object *outputs_describe(struct leader *ld, jobid_t id);
/* The same for COUNT jobs from FIRST on as one stream; to one that does not exist, it is told as its end. */
void stream_attach_block(struct leader *ld, const struct request *rq, jobid_t first,
                         uint64_t count, bool output);
/* Follow the ends of COUNT jobs from FIRST; those already over are reported at once. -1 with
 * err set if one of them does not exist. */
int stream_follow(struct leader *ld, const struct request *rq, jobid_t first,
                  uint64_t count, struct error *err);
/* The same by who waits for them: jobs that are waitable are not told to others then (waitable.h). */
int stream_wait_many(struct leader *ld, const struct request *rq, jobid_t first,
                     uint64_t count, struct error *err);
/* Reply to RQ when job ID is over. */
int stream_wait(struct leader *ld, const struct request *rq, jobid_t id,
                struct error *err);
void stream_ack(struct leader *ld, struct client *c, int64_t sub, uint64_t bytes);
void stream_event(struct leader *ld, struct job *job, const char *line, size_t len);
/* The job that spawned JOB has no more to do with it: who watches that one does not wait for this. */
void stream_let_go(struct leader *ld, const struct job *job);
void stream_launched(struct leader *ld, struct job *job); /* its nodes can be read from */
void stream_output(struct leader *ld, unsigned rank, json_object *msg);
void stream_output_end(struct leader *ld, unsigned rank, json_object *msg);
/* C sends stdin to a job that it attaches to. */
void stream_input(struct job *job, const struct client *c);
void stream_input_ack(struct leader *ld, unsigned rank, json_object *msg);
void stream_rank_lost(struct leader *ld, unsigned rank);
/* Somebody has yet to get output from there. */
bool stream_reads_from(const struct leader *ld, unsigned rank);
/* RANK was not there, perhaps since before this leader; now its output can be read. */
void stream_rank_back(struct leader *ld, unsigned rank);
void stream_job_over(struct leader *ld, struct job *job); /* it is about to be freed */
void stream_element(struct leader *ld, struct job *job);  /* it has a job now */
void stream_elements_over(struct leader *ld, struct submission *sub, struct array_run run,
                          const struct element_end *end);
void stream_array_over(struct leader *ld, struct submission *sub);
void stream_flush(struct leader *ld);
bool stream_holds_ends(const struct leader *ld); /* which are still to be told */
/* Jobs that it holds end, unless it MAY_RETURN. */
void stream_client_gone(struct leader *ld, struct client *c, bool may_return);
void stream_free_all(struct leader *ld);

/* --- grant.c: jobs that are more nodes for a running sub-instance, their base */
/* The ranks that BASE and its grants have, a new set; the nodes that it still waits for. */
hwloc_bitmap_t grant_nodes(const struct leader *ld, const struct job *base);
unsigned grant_pending_nodes(const struct leader *ld, const struct job *base);
/* What JOB is a grant for, or NULL. */
struct job *grant_base(const struct leader *ld, const struct job *job);
/* Steps of a grant. */
void grant_queued(struct leader *ld, struct job *g);
void grant_placed(struct leader *ld, struct job *g);
void grant_over(struct leader *ld, struct job *g); /* it is about to be freed */
/* JOB, a grant or a base, has given R back. */
void grant_released(struct leader *ld, struct job *job, const struct rset *r);
/* Its pending grants are canceled; OVER: the others will be, if they do not end by themselves. */
void grant_base_ends(struct leader *ld, const struct job *base, bool over);
/* Something was noted of BASE. */
void grant_noted(struct leader *ld, struct job *base);
void grant_adopt(struct leader *ld);
void grant_run(struct leader *ld, double now);
double grant_next(const struct leader *ld); /* the next time for it, 0: none */

/* --- rpc_grant.c */
/* Something was noted of JOB; the executor of RANK has answered "nspace". */
void grow_noted(struct leader *ld, struct job *job);
void grow_prepared(struct leader *ld, unsigned rank, json_object *msg);
void grow_job_over(struct leader *ld, const struct job *job);
void grow_client_gone(struct leader *ld, const struct client *c); /* NULL: all */

/* --- rpc_archive.c */
/* NULL: all, and what they sent stays. */
void archive_client_gone(struct leader *ld, const struct client *c, bool may_return);

/* --- orders.c: what sub-instances are told to do */
bool job_is_instance(const struct job *job);
/* One of a plain job, too, which its tasks have started. */
bool job_has_instance(const struct job *job);
/* {"id","order":NAME}, to be completed and sent. */
json_object *order_create(const struct job *job, const char *name);
/* PARAMS is taken over, and sent as soon as the instance JOB listens; then RQ is answered (NULL:
 * there is none). */
void orders_send(struct leader *ld, const struct job *job, json_object *params,
                 const struct request *rq);
/* RANKS were drained, with REASON or NULL, or are not any more. */
void orders_drain(struct leader *ld, hwloc_const_bitmap_t ranks, bool drained,
                  const char *reason);
/* RQ is of the leader of JOB, who thinks that the nodes DRAINED (which is changed) are. */
void orders_subscribe(struct leader *ld, const struct request *rq, const struct job *job,
                      hwloc_bitmap_t drained);
void orders_client_gone(struct leader *ld, const struct client *c);
void orders_job_over(struct leader *ld, const struct job *job);
void orders_free_all(struct leader *ld);
/* RQ's stream on the tied job ID holds it: the job ends with the client. */
void stream_hold(struct leader *ld, const struct request *rq, jobid_t id);
/* There is such a stream. */
bool stream_holds(const struct job *job);

/* --- waitable.c: jobs with the flag waitable */
/* N jobs of SUB from FIRST on are over. */
void waitable_over(struct leader *ld, const struct submission *sub, jobid_t first,
                   uint64_t n);
/* Somebody was told by its id. */
void waitable_told(struct leader *ld, jobid_t id);
/* Reply to RQ with the end of the next one, in the order of their ends; ECHILD: no more will come.  Each is told
 * once, and nobody knows after the loss of this leader which were not. */
void waitable_wait(struct leader *ld, const struct request *rq);
void waitable_turn(struct leader *ld);
void waitable_client_gone(struct leader *ld, const struct client *c);
void waitable_free(struct leader *ld);

/* --- watch.c */
void watch_add(struct leader *ld, const struct request *rq);
void watch_turn(struct leader *ld); /* something may have changed */
/* C NULL: all of them. */
void watch_client_gone(struct leader *ld, const struct client *c);

/* --- tie.c */
bool tie_is(const struct job *job);
/* Job ID, if it is tied and nobody holds it, ends. */
void tie_cut(struct leader *ld, jobid_t id);
/* Connections were lost whose clients may come back. */
void tie_await_clients(struct leader *ld);

/* --- spawn.c */
void spawn_request(struct leader *ld, unsigned from, json_object *msg);
void spawn_forget(struct leader *ld, unsigned from, json_object *msg);
/* The job runs on all its nodes, or ERROR (an errno value) with TEXT. */
void spawn_answer(struct leader *ld, struct job *job, int status, const char *text);
/* Job ID is a sub-instance that a task spawned: it ends with that one's job. */
void spawn_note_instance(struct leader *ld, jobid_t id);
/* JOB is over: so are the sub-instances that it spawned, unless they were let go. */
void spawn_over(struct leader *ld, const struct job *job);

#endif
