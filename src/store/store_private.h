/* SPDX-License-Identifier: BSD-3-Clause */
/* store_private: what the files of the store share.
 *
 * Every write is an operation kept in the batch (an arena) until its commit, and applied at
 * once to the open transaction, so that reads see it.  When applying or committing fails,
 * the transaction is rolled back and the store is "behind": the operations are only
 * collected, and the next flush applies all of them anew. */
#ifndef HBATCH_STORE_PRIVATE_H
#define HBATCH_STORE_PRIVATE_H

#include <sqlite3.h>
#include "src/store/store.h"

enum store_statement {
    ST_BEGIN,
    ST_COMMIT,
    ST_ROLLBACK,
    ST_ENV_PUT,
    ST_ENV_GET,
    ST_ATTR_PUT,
    ST_ATTR_GET,
    ST_TEXT_FIND,
    ST_TEXT_ADD,
    ST_JOB_ADD,
    ST_JOB_AGAIN,
    ST_JOB_BY_KEY,
    ST_JOB_URGENCY,
    ST_ELEMENTS_URGENCY,
    ST_JOB_OVER,
    ST_RUN_PUT,
    ST_RUN_END,
    ST_RUN_RESULT,
    ST_RUN_REMOVE,
    ST_SPAN_ADD,
    ST_SPAN_OF,
    ST_LOG_ADD,
    ST_TALLY_PUT,
    ST_TALLY_ALL,
    ST_LIST,
    ST_PENDING,
    ST_RUNS,
    ST_ENDED,
    ST_ENDED_SPANS,
    ST_NOTES,
    ST_URGENCIES,
    ST_JOB_OF,
    ST_RUN_BY_ID,
    ST_LOG_GET,
    ST_NEWEST_ENDS,
    ST_PURGEABLE,
    ST_PURGEABLE_SPANS,
    ST_PURGE_COUNT,
    ST_PURGE_LOGS,
    ST_PURGE_RUNS,
    ST_PURGE_JOBS,
    ST_ARRAYS_OVER,
    ST_RUNS_LEFT,
    ST_JOB_REMOVE,
    ST_URGENCIES_REMOVE,
    ST_SPAN_AT,
    ST_SPAN_COPY,
    ST_SPAN_CUT,
    ST_SPAN_REMOVE,
    ST_TEXT_SWEEP,
    ST_COUNT_RESULTS,
    ST_KEEP_BASE,
    ST_PURGE_BASES,
    ST_COUNT,
};

enum op_type {
    OP_ENV,
    OP_ATTR,
    OP_SUBMIT,
    OP_URGENCY,
    OP_URGENCIES,
    OP_RUN,
    OP_END,
    OP_SPAN,
    OP_REQUEUE,
    OP_PURGE,
    OP_SWEEP
};

struct op {
    struct op *next;
    enum op_type type;
    bool over;  /* OP_END, OP_SPAN: nothing is left of the job */
    uint64_t n; /* OP_SPAN: elements like RUN */
    union {
        jobid_t id;
        struct store_job job;
        struct store_run run;
        struct {
            const char *name, *value;
        } pair;
        struct store_urgency urgency;
        struct store_purge_range range;
    };
};

struct event_line {
    jobid_t id;
    size_t seq;
    const char *line; /* with its newline */
};

/* With a job's id after it: the attribute that has its first jobspec, if that was replaced by another one. */
#define STORE_BASE "jobspec-"

/* Keys of the tally table. Results are enum job_result. */
#define TALLY_SUBMITTED 0
#define TALLY_MAX 8

struct text_slot {
    uint64_t hash;
    int64_t n;
    char *text;
    size_t len;
};
#define TEXT_SLOTS 256
#define TEXT_CACHED 65536 /* longer texts are looked up in the file */

struct store {
    sqlite3 *db;
    char *path;
    sqlite3_stmt *statements[ST_COUNT];
    bool in_transaction;
    bool behind;         /* the transaction was rolled back: the batch waits */
    struct error failed; /* why */

    struct arena *arena; /* the batch's memory */
    struct op *first, **last;
    size_t nops;
    struct event_line *events;
    size_t nevents, events_size, events_applied;

    uint64_t tally[TALLY_MAX + 1],
        tally_stored[TALLY_MAX + 1]; /* now, at the last commit */
    struct text_slot texts[TEXT_SLOTS];
    char *last_env; /* hash of the environment that was written last */
};

/* store_schema.c: make the open file a store of this version, or say why it is none. */
int store_schema_init(struct store *store, const struct store_options *options,
                      bool created, struct error *err);

/* PATH has the schema VERSION: -1 with err set if none such is known here. */
int store_schema_check(const char *path, int64_t version, struct error *err);

/* store.c */
/* The prepared statement, reset. NULL with err set. */
sqlite3_stmt *store_statement(struct store *store, enum store_statement which,
                              struct error *err);
/* Run a statement that gives no rows. */
int store_step(struct store *store, sqlite3_stmt *st, struct error *err);
/* Set err from SQLite's last error: "store 'PATH': cannot WHAT: why; remedy". Return -1. */
int store_sql_error(struct store *store, const char *what, struct error *err);
/* Put event lines that were only collected so far where queries find them. */
int store_settle_events(struct store *store, struct error *err);
/* Bind texts: NULL for NULL. */
void store_bind_text(sqlite3_stmt *st, int column, const char *text);

/* store_query.c: columns as the lists of columns in store.c have them, from column AT on. */
#define RUN_WIDTH 20
#define JOB_WIDTH 19
struct store_job store_row_job(sqlite3_stmt *st, int at);
struct store_run store_row_run(sqlite3_stmt *st, int at);
/* NULL for NULL; valid until the next step. */
const char *store_row_text(sqlite3_stmt *st, int column);
/* The last step of a loop over rows: 0, or -1 with err set. */
int store_rows_end(struct store *store, sqlite3_stmt *st, int rc, struct error *err);
jobid_t store_last_id(const struct store_job *job);

/* store_copy.c */
int store_sync_file(const char *path, struct error *err);
/* Copy a file, mode 0600, and force it to the disk. */
int store_copy_file(const char *from, const char *to, struct error *err);

/* store_write.c: apply to the open transaction. */
int store_apply(struct store *store, const struct op *op, struct error *err);
int store_apply_events(struct store *store, struct error *err);
int store_apply_tally(struct store *store, struct error *err);
void store_forget_texts(struct store *store);

/* store_purge.c: the same, of what is purged. */
int store_apply_purge(struct store *store, const struct store_purge_range *range,
                      struct error *err);
int store_apply_sweep(struct store *store, struct error *err);

#endif
