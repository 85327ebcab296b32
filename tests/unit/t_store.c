/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/storekit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "tests/unit/replay.h"

#define R_TEXT                                                                           \
    "{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0\",\"children\":"            \
    "{\"core\":\"3\"}}],\"nodelist\":[\"node0\"]}}"

static struct store_run make_run(jobid_t id, jobid_t job, int64_t cc)
{
    return (struct store_run){
        .id = id,
        .job = job,
        .cc = cc,
        .t_run = 101.25,
        .status = -1,
        .nnodes = 1,
        .ncores = 1,
        .R = R_TEXT,
        .nodelist = "node0",
        .ranks = "0",
    };
}

static struct store_run make_end(jobid_t id, jobid_t job, int64_t cc, int result)
{
    struct store_run run = make_run(id, job, cc);
    run.t_cleanup = 102;
    run.t_inactive = 103;
    run.status = result == JOB_COMPLETED ? 0 : 256;
    run.result = result;
    run.output = "[12,0,4096]";
    return run;
}

/* Entries as text: "ID:STATE[:cc] ", newest first. */
static int collect(void *arg, const struct store_entry *e)
{
    char *text = arg, one[64];
    snprintf(one, sizeof(one), "%" PRIu64 "%s", e->run != NULL ? e->run->id : e->job.id,
             job_state_name(e->state, true));
    if (e->run != NULL && e->run->cc >= 0)
        snprintf(one + strlen(one), sizeof(one) - strlen(one), "c%d", (int)e->run->cc);
    if (*text != '\0')
        strcat(text, " ");
    strcat(text, one);
    return 0;
}

static void check_list(struct store *s, const struct store_filter *f,
                       const char *expected)
{
    char text[4096] = "";
    struct error err;
    int64_t n = store_list(s, f, collect, text, &err);
    ck_assert_msg(n >= 0, "%s", err.text);
    ck_assert_str_eq(text, expected);
}

/* jobs 10 (completed), 20 (array of 3: 20 done, 21 running, 22 waits), 30 (failed), 40 waits,
 * 50 runs */
static void fill(struct store *s)
{
    struct store_run run;
    submit(s, 10, 1, "ten");
    run = make_end(10, 10, -1, JOB_COMPLETED);
    store_job_end(s, &run, true);
    submit(s, 20, 3, "array");
    run = make_end(20, 20, 1, JOB_COMPLETED);
    store_job_end(s, &run, false);
    run = make_run(21, 20, 2);
    store_job_update(s, &run);
    submit(s, 30, 1, "thirty");
    run = make_end(30, 30, -1, JOB_FAILED);
    run.t_inactive = 203;
    run.exception_type = "exec";
    run.exception_note = "no such program";
    store_job_end(s, &run, true);
    submit(s, 40, 1, "forty");
    submit(s, 50, 1, "fifty");
    run = make_run(50, 50, -1);
    store_job_update(s, &run);
}

START_TEST(lists_newest_first)
{
    static const jobid_t one[] = {30}, array[] = {20}, element[] = {22}, none[] = {99, 5},
                         two[] = {10, 50, 10};
    static const struct {
        struct store_filter filter;
        const char *expected;
    } cases[] = {
        {{0}, "50R 40S 30I 21Rc2 20S 20Ic1 10I"},
        {{.states = JOB_INACTIVE}, "30I 20Ic1 10I"},
        {{.states = JOB_ACTIVE}, "50R 40S 21Rc2 20S"},
        {{.results = JOB_FAILED}, "30I"},
        {{.results = JOB_FAILED | JOB_COMPLETED, .max = 2}, "30I 20Ic1"},
        {{.since = 200}, "50R 40S 30I 21Rc2 20S"},
        {{.name = "forty"}, "40S"},
        {{.name = "nobody"}, ""},
        {{.queue = "debug"}, ""},
        {{.before = 30, .max = 1, .states = JOB_INACTIVE}, "20Ic1"},
        {{.max = 3}, "50R 40S 30I"},
        {{.ids = one, .nids = 1}, "30I"},
        {{.ids = array, .nids = 1}, "21Rc2 20S 20Ic1"},
        {{.ids = element, .nids = 1}, "20S"},
        {{.ids = none, .nids = 2}, ""},
        {{.ids = two, .nids = 3}, "50R 10I"},
    };
    for (int reopened = 0; reopened < 2; reopened++) {
        struct store *s = must_open(NULL);
        if (reopened == 0)
            fill(s);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
            char text[4096] = "", *p;
            struct error err;
            ck_assert_int_ge(store_list(s, &cases[i].filter, collect, text, &err), 0);
            /* what is left of an array and its first element have one id: any order */
            if ((p = strstr(text, "20Ic1 20S")) != NULL)
                memcpy(p, "20S 20Ic1", 9);
            ck_assert_msg(strcmp(text, cases[i].expected) == 0,
                          "case %zu: '%s' is not '%s'", i, text, cases[i].expected);
        }
        if (reopened == 0)
            must_flush(s);
        store_close(s);
    }
}
END_TEST

static int check_thirty(void *arg, const struct store_entry *e)
{
    ++*(int *)arg;
    ck_assert_uint_eq(e->job.id, 30);
    ck_assert_uint_eq(e->job.count, 1);
    ck_assert_uint_eq(e->job.userid, 1000);
    ck_assert_double_eq(e->job.t_submit, 100.5);
    ck_assert_int_eq(e->job.urgency, 31);
    ck_assert_int_eq(e->job.priority, 99);
    ck_assert_int_eq(e->job.ntasks, 2);
    ck_assert_int_eq(e->job.ncores, 2);
    ck_assert_double_eq(e->job.duration, 60);
    ck_assert_str_eq(e->job.name, "thirty");
    ck_assert_str_eq(e->job.cwd, "/home/u");
    ck_assert_ptr_null(e->job.queue);
    ck_assert_ptr_nonnull(e->run);
    ck_assert_uint_eq(e->run->job, 30);
    ck_assert_int_eq(e->run->cc, -1);
    ck_assert_double_eq(e->run->t_run, 101.25);
    ck_assert_double_eq(e->run->t_cleanup, 102);
    ck_assert_double_eq(e->run->t_inactive, 203);
    ck_assert_int_eq(e->run->status, 256);
    ck_assert_int_eq(e->run->result, JOB_FAILED);
    ck_assert_str_eq(e->run->nodelist, "node0");
    ck_assert_str_eq(e->run->ranks, "0");
    ck_assert_str_eq(e->run->exception_type, "exec");
    ck_assert_int_eq(e->run->exception_severity, 0);
    ck_assert_str_eq(e->run->exception_note, "no such program");
    ck_assert_str_eq(e->run->output, "[12,0,4096]");
    return 0;
}

START_TEST(keeps_every_field)
{
    static const jobid_t id = 30;
    struct store_filter filter = {.ids = &id, .nids = 1};
    int calls = 0;
    struct store *s = must_open(NULL);
    fill(s);
    store_job_urgency(s, 30, 31, 99);
    must_flush(s);
    store_close(s);
    s = must_open(NULL);
    ck_assert_int_eq(store_list(s, &filter, check_thirty, &calls, NULL), 1);
    ck_assert_int_eq(calls, 1);
    struct stat sb;
    ck_assert_int_eq(stat(path, &sb), 0);
    ck_assert_uint_eq(sb.st_mode & 0777, 0600);
    store_close(s);
}
END_TEST

START_TEST(tells_about_one_job)
{
    struct error err;
    struct store *s = must_open(NULL);
    fill(s);
    store_event(s, 10, "{\"timestamp\":1,\"name\":\"submit\"}");
    store_event(s, 30, "{\"timestamp\":1,\"name\":\"other\"}\n");
    store_event(s, 10, "{\"timestamp\":2,\"name\":\"clean\"}\n");
    check_info(s, 10, "eventlog", "submit\"}\n{\"timestamp\":2");
    must_flush(s);
    store_event(s, 10, "{\"timestamp\":3,\"name\":\"late\"}\n");
    check_info(s, 10, "eventlog", "clean\"}\n{\"timestamp\":3,\"name\":\"late\"}\n");
    check_info(s, 10, "jobspec", SPEC);
    check_info(s, 20, "jobspec", SPEC);
    check_info(s, 22, "jobspec", SPEC);
    check_info(s, 21, "R", "\"starttime\":101.25");
    check_info(s, 10, "output", "[12,0,4096]");
    ck_assert_ptr_null(store_job_info(s, 40, "R", &err));
    ck_assert_int_eq(err.code, ENODATA);
    ck_assert_ptr_null(store_job_info(s, 10, "taskmap", &err));
    ck_assert_int_eq(err.code, ENODATA);
    ck_assert_ptr_null(store_job_info(s, 23, "jobspec", &err));
    ck_assert_int_eq(err.code, ENOENT);
    ck_assert_ptr_null(store_job_info(s, 5, "jobspec", &err));
    ck_assert_int_eq(err.code, ENOENT);
    ck_assert_ptr_null(store_job_info(s, 10, "colour", &err));
    ck_assert_int_eq(err.code, EINVAL);
    ck_error_names(err, "colour");
    store_close(s);
}
END_TEST

/* A log that was made up from times must replay to the state and result of the job. */
START_TEST(makes_up_event_logs)
{
    static const struct {
        jobid_t id;
        enum job_state state;
        enum job_result result;
    } cases[] = {
        {20, JOB_INACTIVE, JOB_COMPLETED}, {21, JOB_RUN, JOB_NO_RESULT},
        {30, JOB_INACTIVE, JOB_FAILED},    {40, JOB_DEPEND, JOB_NO_RESULT},
        {60, JOB_INACTIVE, JOB_CANCELED},
    };
    struct store *s = must_open(NULL);
    fill(s);
    submit(s, 60, 1, "canceled while it waited");
    struct store_run run = {.id = 60,
                            .job = 60,
                            .cc = -1,
                            .t_inactive = 110,
                            .status = -1,
                            .result = JOB_CANCELED,
                            .exception_type = "cancel"};
    store_job_end(s, &run, true);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err;
        struct job_replay replay;
        cleanup_free char *log = store_job_info(s, cases[i].id, "eventlog", &err);
        ck_assert_msg(log != NULL, "%s", err.text);
        job_replay_init(&replay);
        for (char *line = strtok(log, "\n"); line != NULL; line = strtok(NULL, "\n")) {
            cleanup_json json_object *event = json_tokener_parse(line);
            ck_assert_msg(job_replay_event(&replay, event, &err) == 0, "case %zu: %s: %s",
                          i, line, err.text);
        }
        ck_assert_msg(replay.state == cases[i].state, "case %zu: state %d", i,
                      replay.state);
        ck_assert_int_eq(job_replay_result(&replay), cases[i].result);
    }
    store_close(s);
}
END_TEST

START_TEST(keeps_environments_and_attributes)
{
    struct error err;
    struct store *s = must_open(NULL);
    store_env(s, "h1", "{\"PATH\":\"/bin\"}");
    store_env(s, "h1", "{\"PATH\":\"/bin\"}");
    store_env(s, "h2", "{}");
    store_env(s, "h1", "{\"PATH\":\"/bin\"}");
    store_attr_set(s, "generator", "1");
    store_attr_set(s, "generator", "2");
    must_flush(s);
    store_close(s);
    s = must_open(NULL);
    cleanup_free char *env = store_env_get(s, "h1", &err);
    ck_assert_str_eq(env, "{\"PATH\":\"/bin\"}");
    cleanup_free char *value = store_attr_get(s, "generator", &err);
    ck_assert_str_eq(value, "2");
    ck_assert_ptr_null(store_env_get(s, "h3", &err));
    ck_error_names(err, "h3");
    ck_assert_ptr_null(store_attr_get(s, "colour", &err));
    ck_error_names(err, "colour");
    store_close(s);
}
END_TEST

START_TEST(counts)
{
    struct store_stats stats;
    struct store *s = must_open(NULL);
    fill(s);
    must_flush(s);
    ck_assert_uint_eq(store_unflushed(s), 0);
    store_close(s);
    s = must_open(NULL);
    submit(s, 70, 1, NULL);
    store_stats(s, &stats);
    ck_assert_uint_eq(stats.submitted, 6);
    ck_assert_uint_eq(stats.inactive, 3);
    ck_assert_uint_eq(stats.completed, 2);
    ck_assert_uint_eq(stats.failed, 1);
    ck_assert_uint_eq(stats.canceled, 0);
    ck_assert_uint_eq(stats.unflushed, 1);
    ck_assert_uint_gt(stats.bytes, 4096);
    store_close(s);
}
END_TEST

static int collect_pending(void *arg, const struct store_job *job,
                           hwloc_const_bitmap_t ended, const struct store_run *runs,
                           size_t nruns)
{
    char *text = arg, *set = NULL;
    hwloc_bitmap_list_asprintf(&set, ended);
    sprintf(text + strlen(text), "%" PRIu64 "(%s;", job->id, set);
    ck_assert_str_eq(job->jobspec, SPEC);
    for (size_t i = 0; i < nruns; i++) {
        ck_assert_str_eq(runs[i].R, R_TEXT);
        sprintf(text + strlen(text), "%" PRIu64, runs[i].id);
    }
    strcat(text, ")");
    free(set);
    return 0;
}

START_TEST(finds_what_is_pending)
{
    char text[1024] = "";
    struct store *s = must_open(NULL);
    fill(s);
    must_flush(s);
    store_close(s);
    s = must_open(NULL);
    ck_assert_int_eq(store_pending(s, collect_pending, text, NULL), 0);
    ck_assert_str_eq(text, "20(1;21)40(;)50(;50)");
    struct store_run run = make_end(21, 20, 2, JOB_COMPLETED);
    store_job_end(s, &run, false);
    run = make_end(22, 20, 3, JOB_COMPLETED);
    store_job_end(s, &run, true);
    run = make_end(40, 40, -1, JOB_COMPLETED);
    store_job_end(s, &run, false);
    *text = '\0';
    ck_assert_int_eq(store_pending(s, collect_pending, text, NULL), 0);
    ck_assert_str_eq(text, "50(;50)");
    store_close(s);
}
END_TEST

/* A process that writes is killed at a random moment: what it had flushed is there. */
START_TEST(survives_a_kill)
{
    static const enum store_sync levels[] = {STORE_SYNC_NORMAL, STORE_SYNC_FULL,
                                             STORE_SYNC_OFF};
    unsigned seed = 20240917;
    for (int round = 0; round < 24; round++) {
        struct store_options options = {.sync = levels[round % 3]};
        int fds[2];
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0) {
            struct error err;
            struct store *s = store_open(path, &options, &err);
            for (jobid_t id = 1 + 1000000 * (jobid_t)round; s != NULL; id++) {
                struct store_run run = make_end(id, id, -1, JOB_COMPLETED);
                submit(s, id, 1, "killed");
                store_job_end(s, &run, true);
                store_event(s, id, "{\"timestamp\":1,\"name\":\"submit\"}");
                if (id % 10 == 0 &&
                    (store_flush(s, &err) < 0 || write_all(fds[1], &id, sizeof(id)) < 0))
                    break;
            }
            _exit(1);
        }
        close(fds[1]);
        jobid_t id, last = 0;
        int batches = 1 + rand_r(&seed) % 20;
        for (int i = 0; i < batches; i++) {
            ck_assert_int_eq(read_all(fds[0], &id, sizeof(id)), sizeof(id));
            last = id;
        }
        usleep(rand_r(&seed) % 3000); /* not to wait for something: a random moment */
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        while (read_all(fds[0], &id, sizeof(id)) == sizeof(id))
            last = id;
        close(fds[0]);
        struct error err;
        struct store *s = must_open(&options);
        ck_assert_msg(store_check(s, &err) == 0, "%s", err.text);
        for (id = 1 + 1000000 * (jobid_t)round; id <= last; id++) {
            char text[64] = "";
            struct store_filter filter = {.ids = &id, .nids = 1};
            ck_assert_int_eq(store_list(s, &filter, collect, text, NULL), 1);
            ck_assert_ptr_nonnull(strstr(text, "I"));
            check_info(s, id, "eventlog", "submit");
        }
        struct store_stats stats;
        store_stats(s, &stats);
        ck_assert_uint_eq(stats.completed, stats.submitted);
        store_close(s);
    }
}
END_TEST

static int count_entries(void *arg, const struct store_entry *e)
{
    (void)e;
    ++*(int *)arg;
    return 0;
}

START_TEST(lives_in_memory)
{
    struct store *s = store_open(":memory:", NULL, NULL);
    ck_assert_ptr_nonnull(s);
    fill(s);
    must_flush(s);
    check_list(s, &(struct store_filter){.max = 1}, "50R");
    store_close(s);
    store_close(NULL);
}
END_TEST

/* Big arrays stay small and fast: STORE_BENCH=N prints figures for N elements. */
START_TEST(stays_small)
{
    const char *env = getenv("STORE_BENCH");
    uint64_t count = env != NULL ? strtoull(env, NULL, 10) : 20000;
    struct store_options options = {.sync = STORE_SYNC_FULL};
    struct jobid_gen gen;
    struct store_stats before, after;
    struct store *s = must_open(&options);
    jobid_gen_init(&gen, 0, 0);
    jobid_t first = jobid_gen_next(&gen, 3600000, count);
    struct store_job job = {
        .id = first, .count = count, .cc = "0-999999", .jobspec = SPEC};
    store_job_submit(s, &job);
    must_flush(s);
    store_stats(s, &before);
    double start = time_mono();
    for (uint64_t i = 0; i < count; i++) {
        char R[256];
        snprintf(R, sizeof(R),
                 "{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0\",\"children\":"
                 "{\"core\":\"%d\"}}],\"nodelist\":[\"node0\"]}}",
                 (int)(i % 64));
        struct store_run run =
            make_end(jobid_nth(first, i), first, (int64_t)i, JOB_COMPLETED);
        run.t_run = 1726563000.123 + (double)i * 0.001;
        run.t_cleanup = run.t_run + 0.01;
        run.t_inactive = run.t_run + 0.02;
        run.R = R;
        store_job_end(s, &run, i == count - 1);
        if (i % 1000 == 999)
            must_flush(s);
    }
    must_flush(s);
    double seconds = time_mono() - start;
    store_stats(s, &after);
    double bytes = (double)(after.bytes - before.bytes) / (double)count;
    if (env != NULL)
        printf("%" PRIu64 " elements: %.0f bytes each, %.0f a second\n", count, bytes,
               (double)count / seconds);
    ck_assert_double_lt(bytes, 200);
    int n = 0;
    start = time_mono();
    ck_assert_int_eq(
        store_list(s, &(struct store_filter){.max = 1000}, count_entries, &n, NULL),
        1000);
    if (env != NULL)
        printf("newest 1000 listed in %.2f ms\n", (time_mono() - start) * 1e3);
    store_close(s);
}
END_TEST

STORE_MAIN("store", lists_newest_first, keeps_every_field, tells_about_one_job,
           makes_up_event_logs, keeps_environments_and_attributes, counts,
           finds_what_is_pending, survives_a_kill, lives_in_memory, stays_small)
