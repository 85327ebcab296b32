/* SPDX-License-Identifier: BSD-3-Clause */
/* storejobs: jobs with all that a store keeps of one, and what an instance is told of those that are not over. */
#ifndef HBATCH_TESTS_STOREJOBS_H
#define HBATCH_TESTS_STOREJOBS_H

#include <inttypes.h>
#include "src/job/state.h"
#include "tests/unit/storekit.h"

#define LINE(n) "{\"timestamp\":" #n ",\"name\":\"submit\"}\n"

static const struct store_options fast = {.sync = STORE_SYNC_OFF};

static inline struct store *reopen(struct store *s)
{
    must_flush(s);
    store_close(s);
    return must_open(&fast);
}

static const struct store_job single = {
    .id = 10,
    .count = 1,
    .userid = 1000,
    .t_submit = 100.5,
    .urgency = 20,
    .priority = 4000000000,
    .flags = 6,
    .ntasks = 4,
    .nnodes = 2,
    .ncores = 8,
    .ngpus = 1,
    .duration = 60,
    .name = "ten",
    .cwd = "/home/u",
    .queue = "debug",
    .jobspec = SPEC,
    .key = "a8f1-7",
    .parent = UINT64_C(1) << 60,
    .parent_rank = 3,
};

static const struct store_job array = {
    .id = 20,
    .count = 5,
    .cc = "1,3-5,9",
    .t_submit = 200,
    .urgency = 16,
    .priority = 16,
    .jobspec = SPEC,
};

static const struct store_run started = {
    .id = 10,
    .job = 10,
    .cc = -1,
    .t_depend = 100.6,
    .t_run = 101.25,
    .expiration = 161.25,
    .status = -1,
    .nnodes = 2,
    .ncores = 8,
    .ngpus = 1,
    .exception_type = "mine",
    .exception_severity = 3,
    .exception_note = "a note",
    .R = "{\"version\":1}",
    .nodelist = "node[0-1]",
    .ranks = "0-1",
    .taskmap = "[[0,2,2,1]]",
    .uri = "local:///tmp/x",
    .output = "[[0,{\"size\":12}]]",
};

/* Element I of the array. */
static inline struct store_run element(uint64_t i, double t_inactive, int result)
{
    static const int64_t cc[] = {1, 3, 4, 5, 9};
    struct store_run run = started;
    run.id = jobid_nth(array.id, i);
    run.job = array.id;
    run.cc = cc[i];
    run.t_inactive = t_inactive;
    run.status = t_inactive > 0 ? 0 : -1;
    run.result = result;
    return run;
}

static inline void end_single(struct store *s, int result)
{
    struct store_run run = started;
    run.t_cleanup = 110;
    run.t_inactive = 111;
    run.status = result == JOB_COMPLETED ? 0 : 256;
    run.result = result;
    store_job_end(s, &run, true);
}

static inline void same_text(const char *a, const char *b)
{
    ck_assert_msg(a == b || (a != NULL && b != NULL && strcmp(a, b) == 0),
                  "'%s' is not '%s'", a != NULL ? a : "NULL", b != NULL ? b : "NULL");
}

static inline void same_job(const struct store_job *a, const struct store_job *b)
{
    const char *texts[][2] = {{a->cc, b->cc},
                              {a->name, b->name},
                              {a->cwd, b->cwd},
                              {a->queue, b->queue},
                              {a->key, b->key},
                              {a->jobspec, b->jobspec},
                              {a->eventlog, b->eventlog}};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        same_text(texts[i][0], texts[i][1]);
    ck_assert_uint_eq(a->id, b->id);
    ck_assert_uint_eq(a->count, b->count);
    ck_assert_uint_eq(a->userid, b->userid);
    ck_assert_double_eq(a->t_submit, b->t_submit);
    ck_assert_int_eq(a->urgency, b->urgency);
    ck_assert_int_eq(a->priority, b->priority);
    ck_assert_uint_eq(a->flags, b->flags);
    ck_assert_int_eq(a->ntasks, b->ntasks);
    ck_assert_int_eq(a->nnodes, b->nnodes);
    ck_assert_int_eq(a->ncores, b->ncores);
    ck_assert_int_eq(a->ngpus, b->ngpus);
    ck_assert_double_eq(a->duration, b->duration);
    ck_assert_uint_eq(a->parent, b->parent);
    ck_assert_uint_eq(a->parent_rank, b->parent_rank);
}

static inline void same_run(const struct store_run *a, const struct store_run *b)
{
    const char *texts[][2] = {{a->exception_type, b->exception_type},
                              {a->exception_note, b->exception_note},
                              {a->R, b->R},
                              {a->nodelist, b->nodelist},
                              {a->ranks, b->ranks},
                              {a->taskmap, b->taskmap},
                              {a->uri, b->uri},
                              {a->output, b->output},
                              {a->eventlog, b->eventlog}};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        same_text(texts[i][0], texts[i][1]);
    ck_assert_uint_eq(a->id, b->id);
    ck_assert_uint_eq(a->job, b->job);
    ck_assert_int_eq(a->cc, b->cc);
    ck_assert_double_eq(a->t_depend, b->t_depend);
    ck_assert_double_eq(a->t_run, b->t_run);
    ck_assert_double_eq(a->t_cleanup, b->t_cleanup);
    ck_assert_double_eq(a->t_inactive, b->t_inactive);
    ck_assert_double_eq(a->expiration, b->expiration);
    ck_assert_int_eq(a->status, b->status);
    ck_assert_int_eq(a->result, b->result);
    ck_assert_int_eq(a->nnodes, b->nnodes);
    ck_assert_int_eq(a->ncores, b->ncores);
    ck_assert_int_eq(a->ngpus, b->ngpus);
    ck_assert_int_eq(a->exception_severity, b->exception_severity);
}

struct expected {
    const struct store_job *job;
    const char *ended;
    const struct store_run *runs;
    size_t nruns;
    const struct store_urgency *urgencies;
    size_t nurgencies;
};

struct walk {
    struct store *store;
    const struct expected *expected;
    size_t n, at;
};

static inline int check_one(void *arg, const struct store_job *job,
                            hwloc_const_bitmap_t ended, const struct store_run *runs,
                            size_t nruns)
{
    struct walk *w = arg;
    char set[64];
    struct error err;
    ck_assert_uint_lt(w->at, w->n);
    const struct expected *e = &w->expected[w->at++];
    same_job(job, e->job);
    hwloc_bitmap_list_snprintf(set, sizeof(set), ended);
    ck_assert_str_eq(set, e->ended);
    ck_assert_uint_eq(nruns, e->nruns);
    for (size_t i = 0; i < nruns; i++)
        same_run(&runs[i], &e->runs[i]);
    ck_assert_uint_eq(job->nurgencies, e->nurgencies);
    for (size_t i = 0; i < e->nurgencies; i++) {
        ck_assert_uint_eq(job->urgencies[i].first, e->urgencies[i].first);
        ck_assert_uint_eq(job->urgencies[i].n, e->urgencies[i].n);
        ck_assert_int_eq(job->urgencies[i].urgency, e->urgencies[i].urgency);
        ck_assert_int_eq(job->urgencies[i].priority, e->urgencies[i].priority);
    }
    /* what reads may be called from here, and does not end the walk */
    cleanup_free char *log = store_job_info(w->store, job->id, "eventlog", &err);
    ck_assert_msg(log != NULL, "%s", err.text);
    if (job->eventlog != NULL)
        ck_assert_str_eq(log, job->eventlog);
    cleanup_free char *spec = store_job_info(w->store, job->id, "jobspec", &err);
    ck_assert_str_eq(spec, SPEC);
    cleanup_free char *env = store_env_get(w->store, "h1", &err);
    ck_assert_str_eq(env, "{}");
    return 0;
}

static inline void check_pending(struct store *s, const struct expected *expected,
                                 size_t n)
{
    struct error err;
    struct walk w = {.store = s, .expected = expected, .n = n};
    ck_assert_msg(store_pending(s, check_one, &w, &err) == 0, "%s", err.text);
    ck_assert_uint_eq(w.at, n);
}

static inline void check_stats(struct store *s, unsigned submitted, unsigned completed,
                               unsigned failed)
{
    struct store_stats stats;
    store_stats(s, &stats);
    ck_assert_uint_eq(stats.submitted, submitted);
    ck_assert_uint_eq(stats.completed, completed);
    ck_assert_uint_eq(stats.failed, failed);
    ck_assert_uint_eq(stats.inactive, completed + failed);
}

static inline int last_entry(void *arg, const struct store_entry *e)
{
    snprintf(arg, 64, "%" PRIu64 "%s%d %s", e->job.id, job_state_name(e->state, true),
             e->run != NULL ? e->run->result : 0, e->job.name);
    return 0;
}

static inline void check_entry(struct store *s, const char *expected)
{
    char text[64] = "";
    struct store_filter filter = {.ids = &single.id, .nids = 1};
    ck_assert_int_eq(store_list(s, &filter, last_entry, text, NULL), 1);
    ck_assert_str_eq(text, expected);
}

#endif
