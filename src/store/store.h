/* SPDX-License-Identifier: BSD-3-Clause */
/* store: the durable record of an instance's jobs, one SQLite file with one writer: the leader.
 *
 * Writing is group commit.  The calls that write return nothing: they append to the open
 * transaction, and store_flush commits all of it with one fsync.  The leader flushes once
 * per batch of its loop (or from a timer), and tells a client "accepted" only after that.  A
 * flush that fails (disk full) loses nothing: the batch is kept in memory, and the next flush
 * tries it again, with what has come since.
 *
 * Two tables hold the jobs.  "job" has one row for each thing submitted: a job, or a whole
 * array (count > 1).  "run" has one row for each job or array element that has started or
 * ended, under its own id, so that newest first is a reverse scan of the primary key; elements of an
 * array that end together without having started share a row of "span".  Texts
 * that repeat (jobspec, R, task map, node list) are stored once and referred to by number: a
 * finished element of an array takes about 100 bytes.
 *
 * The file is locked while it is open, as one leader may write it.  It is kept in WAL mode:
 * a commit is one sequential write and one fsync, where a rollback journal takes two or
 * three; exclusive locking keeps the WAL index in memory, so network file systems work too.
 * After a killed process, all that was flushed is there, whatever the sync level. */
#ifndef HBATCH_STORE_STORE_H
#define HBATCH_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <hwloc/bitmap.h>
#include "src/common/error.h"
#include "src/common/jobid.h"

struct store;

/* What a flush survives. All survive the death of the process. */
enum store_sync {
    STORE_SYNC_NORMAL, /* a dead machine may take the last flushes along, never the file */
    STORE_SYNC_FULL,   /* a flush is on the disk: one fsync each */
    STORE_SYNC_OFF,    /* no fsync: a dead machine may leave a corrupt file */
};

struct store_options {
    enum store_sync sync;
    uint64_t max_bytes; /* the file must not grow beyond; 0: no limit */
};

/* Something submitted: a job or an array. Strings may be NULL. */
struct store_job {
    jobid_t id;     /* of an array: of its first element */
    uint64_t count; /* elements; 1: a single job */
    const char *cc; /* an array's index set (RFC 22) */
    unsigned userid;
    double t_submit;
    int urgency;
    int64_t priority;
    unsigned flags;
    int ntasks, nnodes, ncores, ngpus; /* of one element, as asked for */
    double duration;                   /* limit in s, 0: none */
    const char *name, *cwd, *queue;
    const char *jobspec; /* JSON; its environment may be a hash (store_env) */
    const char *key; /* the submitter's own name for this submission (store_find_key) */
    uint64_t parent; /* job whose task asked for it, 0: none */
    unsigned parent_rank;
    const char *eventlog; /* only from store_pending, of a single job: its stored lines */
    /* only from store_pending, of an array, in the order in which they came */
    const struct store_urgency *urgencies;
    size_t nurgencies;
};

/* The urgency of N elements from FIRST on was changed: of those that had not started then. */
struct store_urgency {
    jobid_t first;
    uint64_t n;
    int urgency;
    int64_t priority;
};

/* A job or element that has started, or ended (t_inactive > 0). Strings may be NULL. */
struct store_run {
    jobid_t id;  /* its own id */
    jobid_t job; /* what was submitted; equals id for a single job */
    int64_t cc;  /* index in the array, -1: not an element */
    double t_depend, t_run, t_cleanup, t_inactive; /* RFC 21's; 0: not reached */
    double expiration;                             /* 0: none */
    int status;                                    /* wait status, -1: not known */
    int result;                                    /* enum job_result */
    int nnodes, ncores, ngpus;                     /* as allocated */
    const char *exception_type;                    /* NULL: none */
    int exception_severity;
    const char *exception_note;
    const char
        *R; /* RFC 20 JSON; without starttime and expiration it repeats: store_job_info
                    * puts them in */
    const char *nodelist, *ranks, *taskmap;
    const char *uri; /* of a sub-instance */
    const char *
        output; /* where its output is: sizes and spool positions, as the leader has them */
    /* only from store_pending */
    const char *eventlog; /* of an element: its stored lines */
};

/* --- opening ---------------------------------------------------------------------------- */
/* Open the store PATH, or create it (mode 0600; ":memory:" has no file).  OPTIONS may be NULL.
 * An older schema is brought up to date; a newer one, a file that is no store, a damaged
 * file, and one that another process has open are refused by a text that names the file. */
struct store *store_open(const char *path, const struct store_options *options,
                         struct error *err);
/* Flush and close. Takes NULL. Errors are logged: flush first to see them. */
void store_close(struct store *store);
/* Read the whole file and check it: 0, or -1 with what is wrong with it. Slow if it is big. */
int store_check(struct store *store, struct error *err);

/* --- writing ------------------------------------------------------------------------------ */
/* Remember an environment (JSON text) under its hash. Known ones cost nothing. */
void store_env(struct store *store, const char *hash, const char *text);
/* A job or an array was accepted.  The same id again replaces it, and counts once; if it is
 * over, it stays so. */
void store_job_submit(struct store *store, const struct store_job *job);
/* Of a single job, or of an element by its own id: an array's id is its first element's. */
void store_job_urgency(struct store *store, jobid_t job, int urgency, int64_t priority);
/* Of N elements of an array from FIRST on, those that have not started. */
void store_elements_urgency(struct store *store, jobid_t first, uint64_t n, int urgency,
                            int64_t priority);
/* A job or element has started, or what is known of it has changed: all fields are replaced.
 * Optional for one that ends within the same batch.  It may be one that has not started: with R,
 * it has its resources.  Does nothing if the job has ended: an end is final. */
void store_job_update(struct store *store, const struct store_run *run);
/* A job or element has ended (t_inactive must be set); LAST: and nothing is left of what was
 * submitted (always so for a single job).  The same id again replaces the end, also in the
 * counts of store_stats. */
void store_job_end(struct store *store, const struct store_run *run, bool last);
/* N elements of an array, the first of which RUN is of, have ended like it, without having started: one
 * row for all of them.  None may have ended before.  LAST: as above. */
void store_elements_end(struct store *store, const struct store_run *run, uint64_t n,
                        bool last);
/* A job or element is back in the queue: what store_job_update told of it is forgotten, its event
 * log stays.  Does nothing if the job has ended. */
void store_job_requeue(struct store *store, jobid_t id);
/* Add one line (RFC 18, newline optional) to a job's event log.  Lines of a job are joined
 * in memory until the flush.  A job without any has its log made up from its times by
 * store_job_info, so array elements need none. */
void store_event(struct store *store, jobid_t id, const char *line);
/* A small durable value of the instance (id generator, instance id...), by name. */
void store_attr_set(struct store *store, const char *name, const char *value);

/* The newest of those that are over, and are to be forgotten: what ended before T, and what ended at T
 * with an id up to ID. */
struct store_cut {
    double t;
    jobid_t id;
};

/* Jobs that are over, whose ids are neighbors among those of all that are over. */
struct store_purge_range {
    jobid_t first, last;
    uint64_t n;
    bool alike; /* elements of one array that ended alike; else jobs with a row each */
};

/* Forget the jobs of RANGE (of store_purge_find): their ids are as if there had been no such jobs, and
 * are not counted any more.  What they share with others stays.  What has an active job in it is
 * left alone. */
void store_purge(struct store *store, const struct store_purge_range *range);
/* After some were purged: texts that nobody refers to any more are dropped.  Slow if much is left. */
void store_sweep(struct store *store);

/* Commit what was written since the last flush. Does nothing, fast, when that is nothing. */
int store_flush(struct store *store, struct error *err);
/* Calls that wait for a flush. */
size_t store_unflushed(const struct store *store);
/* Whether the last flush has failed: what was written since the one before is not to be read. */
bool store_is_behind(const struct store *store);

/* --- reading: sees what was written, flushed or not -------------------------------------- */
struct store_entry {
    struct store_job job;        /* without jobspec: see store_job_info */
    const struct store_run *run; /* NULL: not started; of an array: what is left of it.
                                  * Without R and taskmap */
    int state;                   /* enum job_state as far as the store knows it:
                                  * SCHED, RUN, CLEANUP, INACTIVE */
};

/* Called for each entry; valid during the call. Return not 0 to stop. */
typedef int (*store_entry_f)(void *arg, const struct store_entry *entry);

struct store_filter {
    int states;   /* mask of enum job_state, 0: all */
    int results;  /* mask of enum job_result, 0: all; others match INACTIVE jobs only */
    double since; /* still active, or ended at or after; 0: all */
    const char *name, *queue; /* NULL: all */
    const jobid_t
        *ids; /* own ids, or an array's id for all of its elements (JOB_BULK: its own) */
    size_t nids;    /* 0: all */
    jobid_t before; /* only ids below: to go on after a list cut by max; 0: all */
    jobid_t from;   /* only ids from it on; not together with ids */
    size_t max;     /* at most so many; 0: all */
};

/* Newest first (by id). FILTER may be NULL. Return the number of calls, or -1. */
int64_t store_list(struct store *store, const struct store_filter *filter,
                   store_entry_f fn, void *arg, struct error *err);

/* One text of job or element ID: "jobspec", "jobspec-base" (the first one it had), "R", "eventlog", "taskmap",
 * "output".  NULL with
 * code ENOENT: no such job, ENODATA: it has none, EINVAL: no such key.  The caller frees. */
char *store_job_info(struct store *store, jobid_t id, const char *key, struct error *err);
/* The lines of a job that store_event was told, or NULL.  The caller frees. */
char *store_log_get(struct store *store, jobid_t id, struct error *err);
/* Environment by hash, attribute by name, NULL with ENOENT. The caller frees. */
char *store_env_get(struct store *store, const char *hash, struct error *err);
char *store_attr_get(struct store *store, const char *name, struct error *err);
/* The newest job or array that was submitted with KEY, over or not; 0 with ENOENT. */
jobid_t store_find_key(struct store *store, const char *key, struct error *err);

struct store_stats {
    uint64_t submitted;                                      /* jobs and arrays */
    uint64_t inactive, completed, failed, canceled, timeout; /* jobs and elements */
    uint64_t bytes;                                          /* of the file */
    size_t unflushed;
};
void store_stats(struct store *store, struct store_stats *stats);
/* The same counts (inactive to timeout) of jobs of this name and queue, NULL: any.  Slow if there are many. */
int store_count(struct store *store, const char *name, const char *queue,
                struct store_stats *stats, struct error *err);

/* The cut that leaves the newest N of those that are over: all others are taken. */
int store_cut_after(struct store *store, uint64_t n, struct store_cut *cut,
                    struct error *err);
/* RANGE: jobs that are to go, after each of them was told as RUN (id, t_run, t_inactive, output); those that
 * are alike are not told.  One of the two is NULL. */
typedef void (*store_purge_f)(void *arg, const struct store_purge_range *range,
                              const struct store_run *run);
/* Tell what CUT takes of the ids from FIRST to LAST, elements of arrays that are not over left out; of at
 * most MAX rows.  *NEXT: the id to go on with, 0: that was all.  FN must not write to the store. */
int store_purge_find(struct store *store, const struct store_cut *cut, jobid_t first,
                     jobid_t last, size_t max, store_purge_f fn, void *arg, jobid_t *next,
                     struct error *err);

/* What is not over yet, oldest first, for a restart.  JOB has its jobspec.  ENDED: indices of an
 * array's elements that have ended.  RUNS, by id: what is known of its jobs that have not ended
 * beyond what JOB says, namely
 *   - what store_job_update told: with R, t_run > 0 if it has started;
 *   - an element that has stored event lines; without R it waits (again) in the queue.  The log of an element without lines is made up by store_job_info.
 * FN may call the functions that read (store_job_info, store_env_get...), must not write to the
 * store, and stops by returning not 0. */
typedef int (*store_pending_f)(void *arg, const struct store_job *job,
                               hwloc_const_bitmap_t ended, const struct store_run *runs,
                               size_t nruns);
int store_pending(struct store *store, store_pending_f fn, void *arg, struct error *err);

/* --- copies ----------------------------------------------------------------------------------- */
/* Flush, and give the whole store as bytes. The caller frees. */
int store_copy_out(struct store *store, unsigned char **data, size_t *len,
                   struct error *err);
/* A copy for others to read, which replaces PATH: an SQLite database with all that is here, and with the view
 * "jobs": a row for each job that has started or ended, as a user looks at it.  What it tells is documented in
 * hbatch-batch(1). */
int store_dump(struct store *store, const char *path, struct error *err);
/* Make such bytes the store file PATH (mode 0600), in place of one that may be there and must not
 * be open.  A process that is killed meanwhile leaves the old file or the new one, or, where the
 * old one was not closed, none, but never a mixture.  Nothing is forced to the disk.  What the
 * bytes are is for store_open to see; only what is too short for any store is refused here. */
int store_copy_in(const char *path, const unsigned char *data, size_t len,
                  struct error *err);

/* Make PATH a store with all that is here; the file is on the disk then. */
int store_copy_to(struct store *store, const char *path, struct error *err);
/* Make the store file PATH a file of its own: who has it open, or locked, has the old one, which is gone
 * when it is closed there.  For the locks of a dead host. */
int store_detach(const char *path, struct error *err);

struct store_salvaged {
    size_t jobs, active; /* submissions, and those of them that are not over */
    size_t runs, logs;   /* rows of what has started or ended; event logs */
    size_t
        lost; /* not over, but their specification or environment cannot be read: they are
                          * taken for over */
    size_t unread; /* gaps: ranges of ids of which nothing could be read */
    char *kept;    /* the old file's new path, for the caller to free */
};
/* Put what can be read of the store PATH into a new one in its place; the old one is kept beside it as
 * PATH.damaged-N, with its WAL.  With an error nothing has changed.  -1 with EINVAL: nothing at all could be
 * read. */
int store_salvage(const char *path, struct store_salvaged *found, struct error *err);

#endif
