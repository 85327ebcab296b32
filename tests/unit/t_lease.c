/* SPDX-License-Identifier: BSD-3-Clause */
/* The leader's side of leases; the executor's is tests/system/execlease.t. */
#include "tests/unit/leaderkit.h"

#include "tests/unit/unit.h"

enum { CORES = 4 }; /* of each node of the kit */

static double limit; /* time limit of jobs */
static const char *queue;

/* An array of N jobs of one core, or (N 0) a job by itself; its first id. */
static int64_t submit(struct kit *k, unsigned n, unsigned cores, int urgency)
{
    char cc[32] = "", in[32] = "";
    if (queue)
        snprintf(in, sizeof(in), ",\"queue\":\"%s\"", queue);
    if (n > 0)
        snprintf(cc, sizeof(cc), "\"cc\":\"0-%u\",", n - 1);
    kit_ask(
        k,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.submit\",\"params\":{%s"
        "\"urgency\":%d,\"jobspec\":{\"version\":1,\"resources\":[{\"type\":\"slot\","
        "\"count\":1,\"label\":\"t\",\"with\":[{\"type\":\"core\",\"count\":%u}]}],"
        "\"tasks\":[{\"command\":[\"true\"],\"slot\":\"t\",\"count\":{\"per_slot\":1}}],"
        "\"attributes\":{\"system\":{\"duration\":%g%s}}}}}",
        cc, urgency, cores, limit, in);
    kit_run(k, false);
    json_object *reply = kit_reply(k, 1);
    int64_t id = json_object_get_int64(jsonutil_get(jsonutil_get(reply, "result"), "id"));
    ck_assert_int_gt(id, 0);
    while (k->nreplies > 0)
        json_object_put(k->replies[--k->nreplies]);
    return id;
}

/* The jobs of the last lease of RANK: IDS, at most MAX; their number. */
static unsigned leased(const struct kit *k, unsigned rank, int64_t *ids, unsigned max)
{
    unsigned n = 0;
    json_object *groups = jsonutil_get(kit_sent(k, rank, "lease"), "jobs");
    for (size_t i = 0; groups && i < json_object_array_length(groups); i++) {
        json_object *jobs =
            json_object_array_get_idx(json_object_array_get_idx(groups, i), 1);
        for (size_t j = 0; j < json_object_array_length(jobs) && n < max; j++)
            ids[n++] = json_object_get_int64(
                json_object_array_get_idx(json_object_array_get_idx(jobs, j), 0));
    }
    return n;
}

/* A job of RANK ends; NEXT (0: none) takes its place, on CORE. */
static void finish(struct kit *k, unsigned rank, int64_t id, int64_t next, unsigned core)
{
    char text[96] = "";
    if (next)
        snprintf(text, sizeof(text), ",\"next\":[%lld,\"%u\",\"\"]", (long long)next,
                 core);
    kit_exec(k, rank,
             "{\"m\":\"ev\",\"seq\":1,\"e\":[[%lld,\"finish\",2e9,{\"status\":0%s}]]}",
             (long long)id, text);
}

/* An array that fills the kit, and has N elements ahead on rank 0, IDS.  One that runs there, on core 1 (the id of
 * the first one would stand for the whole array). */
static int64_t fill(struct kit *k, int64_t *ids, unsigned n)
{
    kit_open(k);
    int64_t first = submit(k, 100, 1, 16) + 1;
    json_object *entry = kit_start_of(k, 0, first);
    ck_assert_ptr_nonnull(entry);
    ck_assert_str_eq(jsonutil_string(jsonutil_get(entry, "cores")), "1");
    ck_assert_ptr_nonnull(jsonutil_get(entry, "class"));
    ck_assert_uint_eq(leased(k, 0, ids, n), n);
    ck_assert_int_eq(
        json_object_get_int64(jsonutil_get(entry, "class")),
        json_object_get_int64(jsonutil_get(kit_sent(k, 0, "lease"), "class")));
    ck_assert_int_eq(ids[0], first - 1 + (int64_t)KIT_NODES * CORES);
    return first;
}

START_TEST(one_takes_the_place_of_another)
{
    struct kit k;
    int64_t ids[4], first = fill(&k, ids, 4);
    ck_assert_str_eq(kit_state(&k, ids[0]), "SCHED");
    finish(&k, 0, first, ids[0], 0);
    ck_assert_str_eq(kit_state(&k, first), "INACTIVE");
    ck_assert_str_eq(kit_state(&k, ids[0]), "RUN");
    finish(&k, 0, ids[0], ids[1], 0); /* it began and ended: no start event comes */
    ck_assert_str_eq(kit_state(&k, ids[0]), "INACTIVE");
    ck_assert_str_eq(kit_state(&k, ids[1]), "RUN");
    ck_assert_str_eq(kit_state(&k, ids[2]), "SCHED");
    finish(&k, 0, ids[1], 0, 0); /* its core is free again: the queue goes on */
    kit_run(&k, false);
    ck_assert_str_eq(kit_state(&k, ids[1]), "INACTIVE");
    kit_close(&k);
}
END_TEST

/* More and more are ahead while they take next to no time, within bounds. */
START_TEST(leases_grow_with_what_is_done)
{
    struct kit k;
    int64_t ids[64], at, first = fill(&k, ids, 4);
    unsigned most = 0, i = 0, n = 4;
    at = first;
    for (unsigned ended = 0; ended < 40; ended++) {
        if (i == n)
            break;
        finish(&k, 0, at, ids[i], 0);
        at = ids[i++];
        kit_forget(&k);
        kit_run(&k, false);
        n += leased(&k, 0, ids + n, 64 - n);
        most = MAX(most, n - i);
    }
    ck_assert_uint_gt(most, 8);
    ck_assert_uint_lt(most, 50); /* others are to have their share of 100 */
    kit_close(&k);
}
END_TEST

START_TEST(who_should_go_first_does)
{
    struct kit k;
    int64_t ids[4], first = fill(&k, ids, 4);
    kit_forget(&k);
    int64_t urgent = submit(&k, 0, CORES, 20);
    ck_assert_ptr_nonnull(kit_sent(&k, 0, "recall"));
    ck_assert_ptr_null(kit_sent(&k, 0, "lease"));
    /* one has begun meanwhile */
    kit_exec(&k, 0,
             "{\"m\":\"ev\",\"seq\":1,\"e\":[[%lld,\"finish\",2e9,{\"status\":0,\"next\":"
             "[%lld,\"0\","
             "\"\"]}],[0,\"returned\",2e9,{\"recall\":true,\"ids\":[%lld,%lld,%lld]}]]}",
             (long long)first, (long long)ids[0], (long long)ids[1], (long long)ids[2],
             (long long)ids[3]);
    kit_run(&k, false);
    ck_assert_str_eq(kit_state(&k, ids[0]), "RUN");
    ck_assert_str_eq(kit_state(&k, ids[1]), "SCHED");
    ck_assert_ptr_null(kit_sent(&k, 0, "lease")); /* it waits for the whole node */
    const int64_t running[] = {ids[0], first - 1, first + 1, first + 2};
    for (unsigned i = 0; i < CORES; i++)
        finish(&k, 0, running[i], 0, 0);
    kit_run(&k, false);
    ck_assert_str_eq(kit_state(&k, urgent), "RUN");
    ck_assert_ptr_nonnull(kit_start_of(&k, 0, urgent));
    finish(&k, 0, urgent, 0, 0);
    kit_run(&k, false);
    ck_assert_str_eq(kit_state(&k, ids[1]), "RUN");
    kit_close(&k);
}
END_TEST

START_TEST(canceled_ones_are_over_when_it_is_known_that_they_did_not_begin)
{
    struct kit k;
    int64_t ids[4], first = fill(&k, ids, 4);
    kit_ask(&k,
            "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"job.cancel\",\"params\":{\"ids\":"
            "[%lld,%lld]}}",
            (long long)ids[0], (long long)ids[1]);
    kit_run(&k, false);
    ck_assert_ptr_nonnull(kit_sent(&k, 0, "recall"));
    ck_assert_str_eq(kit_state(&k, ids[1]), "SCHED");
    kit_exec(&k, 0,
             "{\"m\":\"ev\",\"seq\":1,\"e\":[[%lld,\"finish\",2e9,{\"status\":0,\"next\":"
             "[%lld,\"0\","
             "\"\"]}],[0,\"returned\",2e9,{\"recall\":true,\"ids\":[%lld,%lld,%lld]}]]}",
             (long long)first, (long long)ids[0], (long long)ids[1], (long long)ids[2],
             (long long)ids[3]);
    kit_run(&k, false);
    ck_assert_str_eq(kit_state(&k, ids[0]), "RUN"); /* too late, it is told to end */
    ck_assert_int_eq(json_object_get_int64(jsonutil_get(kit_sent(&k, 0, "end"), "id")),
                     ids[0]);
    ck_assert_str_eq(kit_state(&k, ids[1]), "INACTIVE");
    ck_assert_str_eq(kit_state(&k, ids[2]), "SCHED");
    kit_close(&k);
}
END_TEST

START_TEST(drained_nodes_give_back)
{
    struct kit k;
    int64_t ids[4];
    fill(&k, ids, 4);
    kit_ask(&k, "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"resource.drain\",\"params\":{"
                "\"ranks\":\"0\"}}");
    kit_run(&k, false);
    ck_assert_ptr_nonnull(kit_sent(&k, 0, "recall"));
    ck_assert_ptr_null(kit_sent(&k, 1, "recall"));
    kit_close(&k);
}
END_TEST

/* One of another node's lease need not wait when there is room. */
START_TEST(nobody_waits_while_a_core_is_idle)
{
    struct kit k;
    int64_t ids[4], other[4];
    kit_open(&k);
    int64_t first = submit(&k, KIT_NODES * CORES + 5, 1, 16);
    ck_assert_uint_gt(leased(&k, 0, ids, 4), 0);
    unsigned n = leased(&k, 1, other, 4);
    ck_assert_uint_gt(n, 0);
    kit_forget(&k);
    kit_exec(&k, 2, "{\"m\":\"ev\",\"seq\":1,\"e\":[[0,\"returned\",2e9,{\"ids\":[]}]]}");
    finish(&k, 2, first + 2 * CORES, 0, 0);
    kit_run(&k, false);
    /* what was left of the queue runs there, or what the others give back */
    bool recalled = kit_sent(&k, 0, "recall") || kit_sent(&k, 1, "recall");
    ck_assert(recalled || kit_sent(&k, 2, "start"));
    for (unsigned i = 0; i < 3; i++) {
        json_object *start = kit_sent(&k, 2, "start");
        if (!start)
            break;
        int64_t id = json_object_get_int64(jsonutil_get(
            json_object_array_get_idx(jsonutil_get(start, "jobs"), 0), "id"));
        kit_forget(&k);
        finish(&k, 2, id, 0, 0);
        kit_run(&k, false);
        recalled |= kit_sent(&k, 0, "recall") || kit_sent(&k, 1, "recall");
    }
    ck_assert(recalled);
    kit_close(&k);
}
END_TEST

START_TEST(a_lost_executor_s_jobs_are_queued_again)
{
    struct kit k;
    int64_t ids[4], first = fill(&k, ids, 4);
    leader_exec_lost(k.ld, 0, true);
    kit_run(&k, false);
    for (unsigned i = 0; i < 4; i++)
        ck_assert_str_ne(kit_state(&k, ids[i]), "INACTIVE");
    ck_assert_str_ne(kit_state(&k, first), "INACTIVE");
    kit_close(&k);
}
END_TEST

/* Of jobs that must not run twice few are ahead, and nobody knows whether they did when the executor dies. */
START_TEST(jobs_that_must_not_run_twice)
{
    struct kit k;
    int64_t ids[4], last = 0;
    kit_open(&k);
    for (unsigned i = 0; i < KIT_NODES * CORES + 9; i++)
        last = submit(&k, 0, 1, 16);
    ck_assert_uint_gt(leased(&k, 0, ids, 4), 0);
    leader_exec_lost(k.ld, 0, true);
    kit_run(&k, false);
    ck_assert_str_eq(kit_state(&k, ids[0]), "INACTIVE");
    ck_assert_str_ne(kit_state(&k, last), "INACTIVE");
    kit_close(&k);
}
END_TEST

/* The next leader knows what was ahead; executors say what has begun. */
START_TEST(another_leader)
{
    struct kit k;
    int64_t ids[4], first = fill(&k, ids, 4);
    kit_succeed(&k);
    kit_run(&k, false);
    ck_assert_ptr_null(kit_sent(&k, 0, "start"));
    /* two have begun, and the first of them has ended; the other two are queued again */
    kit_exec(&k, 0,
             "{\"m\":\"hello\",\"pid\":100,\"since\":1,\"jobs\":[%lld,%lld,%lld,%lld,%"
             "lld,%lld],\"started\":[%lld],"
             "\"greet\":2,\"seq\":0}",
             (long long)first, (long long)first - 1, (long long)first + 1,
             (long long)first + 2, (long long)ids[0], (long long)ids[1],
             (long long)first);
    kit_run(&k, false);
    ck_assert_ptr_null(kit_sent(&k, 0, "end"));
    ck_assert_str_eq(kit_state(&k, ids[1]), "SCHED");
    kit_exec(&k, 0,
             "{\"m\":\"ev\",\"seq\":1,\"e\":[[%lld,\"finish\",2e9,{\"status\":0,\"next\":"
             "[%lld,\"0\",\"\"]}],"
             "[%lld,\"finish\",2e9,{\"status\":0,\"next\":[%lld,\"0\",\"\"]}],"
             "[%lld,\"start\",2e9,{\"pids\":{\"0\":7}}]]}",
             (long long)first, (long long)ids[0], (long long)ids[0], (long long)ids[1],
             (long long)ids[1]);
    kit_run(&k, false);
    ck_assert_str_eq(kit_state(&k, first), "INACTIVE");
    ck_assert_str_eq(kit_state(&k, ids[0]), "INACTIVE");
    ck_assert_str_eq(kit_state(&k, ids[1]), "RUN");
    ck_assert_str_eq(kit_state(&k, ids[2]), "SCHED");
    finish(&k, 0, ids[1], 0, 0);
    kit_run(&k, false);
    ck_assert_str_eq(kit_state(&k, ids[1]), "INACTIVE");
    ck_assert_str_eq(kit_state(&k, ids[2]), "RUN");
    kit_close(&k);
}
END_TEST

/* It knows of the end, but not yet of who came next: that is told again. */
START_TEST(an_end_that_is_told_again)
{
    struct kit k;
    int64_t ids[4], first = fill(&k, ids, 4);
    finish(&k, 0, first, 0, 0);
    kit_succeed(&k);
    kit_exec(&k, 0,
             "{\"m\":\"hello\",\"pid\":100,\"since\":1,\"jobs\":[%lld,%lld,%lld,%lld],"
             "\"started\":[],"
             "\"greet\":2,\"seq\":0}",
             (long long)first - 1, (long long)first + 1, (long long)first + 2,
             (long long)ids[0]);
    finish(&k, 0, first, ids[0], 1);
    ck_assert_str_eq(kit_state(&k, ids[0]), "RUN");
    kit_run(&k, false);
    ck_assert_str_eq(kit_state(&k, ids[0]), "RUN");
    kit_close(&k);
}
END_TEST

/* A hello may come twice on its way to another leader. */
START_TEST(a_hello_that_comes_twice)
{
    struct kit k;
    int64_t ids[4];
    static const char hello[] = "{\"m\":\"hello\",\"pid\":100,\"since\":1,\"jobs\":[],"
                                "\"started\":[],\"greet\":2,\"seq\":0}";
    fill(&k, ids, 4);
    kit_exec(&k, 0, "%s", hello);
    kit_run(&k, false);
    ck_assert_uint_gt(leased(&k, 0, ids, 4), 0);
    kit_forget(&k);
    kit_exec(&k, 0, "%s", hello);
    kit_run(&k, false);
    ck_assert_ptr_null(kit_sent(&k, 0, "lease"));
    kit_close(&k);
}
END_TEST

static void ask_for(struct kit *k, int request, const char *method, int64_t id)
{
    kit_ask(
        k,
        "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":{\"ids\":[%lld]}}",
        request, method, (long long)id);
    kit_run(k, false);
}

static void tell_news(struct kit *k, unsigned rank)
{
    kit_exec(k, rank, "%s", json_object_to_json_string(kit_sent(k, rank, "news")));
    kit_run(k, false);
}

START_TEST(questions_wait_for_news)
{
    struct kit k;
    int64_t ids[4], first = fill(&k, ids, 4);
    k.mute = true;
    ask_for(&k, 50, "job.list", ids[0]);
    ask_for(&k, 51, "resource.list", 0); /* nothing overtakes */
    ask_for(&k, 52, "job.list", ids[0]);
    ck_assert_uint_eq(k.nreplies, 0);
    finish(&k, 0, first, ids[0], 0); /* what comes meanwhile is no answer */
    kit_run(&k, false);
    ck_assert_uint_eq(k.nreplies, 0);
    for (unsigned i = 0; i < KIT_NODES; i++)
        tell_news(&k, i);
    ck_assert_uint_eq(k.nreplies, 3);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(json_object_get_int(jsonutil_get(k.replies[i], "id")),
                         50 + (int)i);
    json_object *jobs = jsonutil_get(jsonutil_get(k.replies[0], "result"), "jobs");
    ck_assert_str_eq(
        json_object_get_string(jsonutil_get(json_object_array_get_idx(jobs, 0), "state")),
        "RUN");
    kit_close(&k);
}
END_TEST

/* An answer to an earlier question is none to a later one. */
START_TEST(news_are_newer_than_the_question)
{
    struct kit k;
    int64_t ids[4];
    fill(&k, ids, 4);
    k.mute = true;
    ask_for(&k, 50, "job.list", ids[0]);
    cleanup_free char *old = xstrdup(json_object_to_json_string(kit_sent(&k, 0, "news")));
    ask_for(&k, 51, "job.list", ids[0]);
    for (unsigned i = 1; i < KIT_NODES; i++)
        tell_news(&k, i);
    kit_exec(&k, 0, "%s", old);
    kit_run(&k, false);
    ck_assert_uint_eq(k.nreplies, 1);
    tell_news(&k, 0);
    ck_assert_uint_eq(k.nreplies, 2);
    kit_close(&k);
}
END_TEST

START_TEST(who_cannot_answer_is_not_waited_for)
{
    struct kit k;
    int64_t ids[4];
    fill(&k, ids, 4);
    k.mute = true;
    ask_for(&k, 50, "job.list", ids[0]);
    tell_news(&k, 1);
    leader_exec_lost(
        k.ld, 0,
        true); /* its executor; a rank; one that says hello; one that is silent */
    kit_run(&k, false);
    ck_assert_uint_eq(k.nreplies, 0);
    leader_rank_lost(k.ld, 2, 0);
    kit_run(&k, false);
    ck_assert_uint_eq(k.nreplies, 1);
    ask_for(&k, 51, "job.list", ids[0]);
    ck_assert_uint_eq(k.nreplies, 1);
    for (double since = time_mono(); k.nreplies == 1 && time_mono() - since < 20;)
        uv_run(&k.loop, UV_RUN_ONCE);
    ck_assert_uint_eq(k.nreplies, 2);
    kit_close(&k);
}
END_TEST

START_TEST(who_is_gone_gets_no_answer)
{
    struct kit k;
    int64_t ids[4];
    fill(&k, ids, 4);
    k.mute = true;
    ask_for(&k, 50, "job.list", ids[0]);
    leader_client_gone(k.ld, k.client, false);
    for (unsigned i = 0; i < KIT_NODES; i++)
        tell_news(&k, i);
    ck_assert_uint_eq(k.nreplies, 0);
    ask_for(&k, 51, "job.list", ids[0]); /* and a leader that leaves answers none */
    kit_close(&k);
}
END_TEST

/* Each has its own, from its own begin on; near the end of the instance nothing is given ahead. */
START_TEST(time_limits_go_along)
{
    struct kit k;
    int64_t ids[4];
    limit = 60;
    int64_t first = fill(&k, ids, 4);
    json_object *lease = kit_sent(&k, 0, "lease");
    ck_assert(json_object_get_double(jsonutil_get(lease, "duration")) == 60);
    ck_assert(json_object_get_double(jsonutil_get(lease, "end")) == 0);
    finish(&k, 0, first, ids[0], 0);
    struct job *job = jobtable_find(k.ld->jobs, (jobid_t)ids[0]);
    ck_assert_ptr_nonnull(job);
    ck_assert(job->t_run > 0 && job->expiration == job->t_run + 60);
    kit_forget(&k);
    leader_expire_at(k.ld, time_now() + 3600);
    kit_run(&k, false);
    ck_assert_ptr_nonnull(kit_sent(&k, 0, "recall"));
    kit_exec(&k, 0,
             "{\"m\":\"ev\",\"seq\":2,\"e\":[[0,\"returned\",2e9,{\"recall\":true,"
             "\"ids\":[%lld,%lld,%lld]}]]}",
             (long long)ids[1], (long long)ids[2], (long long)ids[3]);
    kit_run(&k, false);
    lease = kit_sent(&k, 0, "lease");
    ck_assert(json_object_get_double(jsonutil_get(lease, "end")) > time_now() + 3000);
    kit_close(&k);
    limit = 0;
}
END_TEST

START_TEST(limits_that_meet_the_end)
{
    struct kit k;
    limit = 60;
    kit_open(&k);
    leader_expire_at(k.ld, time_now() + 65);
    submit(&k, 100, 1, 16);
    ck_assert_ptr_nonnull(kit_sent(&k, 0, "start"));
    ck_assert_ptr_null(kit_sent(&k, 0, "lease"));
    kit_close(&k);
    limit = 0;
}
END_TEST

START_TEST(nonsense_changes_nothing)
{
    struct kit k;
    int64_t ids[4], first = fill(&k, ids, 4);
    static const char *const lines[] = {
        "[[0,\"returned\",2e9,{\"ids\":[1,-1,\"x\",null]}]]",
        "[[0,\"returned\"]]",
        "[[0,\"returned\",2e9,{\"ids\":7}]]",
        "[[17,\"finish\",2e9,{\"status\":0,\"next\":[18,\"0\",\"\"]}]]",
        "[[17,\"finish\",2e9,{\"status\":0,\"next\":{}}]]",
        "[[17,\"finish\",2e9,{\"status\":0,\"next\":[]}]]",
    };
    for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
        kit_exec(&k, 0, "{\"m\":\"ev\",\"seq\":1,\"e\":%s}", lines[i]);
    kit_exec(&k, 0,
             "{\"m\":\"ev\",\"seq\":1,\"e\":[[17,\"finish\",2e9,{\"next\":[%lld,\"0-99\","
             "3]}]]}",
             (long long)ids[3]);
    kit_run(&k, false);
    ck_assert_str_eq(kit_state(&k, ids[0]), "SCHED");
    finish(&k, 0, first, ids[0], 0);
    ck_assert_str_eq(kit_state(&k, ids[0]), "RUN");
    kit_close(&k);
}
END_TEST

static void limit_queue(struct kit *k, int most)
{
    kit_ask(k,
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"config.load\",\"params\":{"
            "\"text\":\"[queues.few]\\npolicy.limits.max-running=%d\\n[queues.all]\"}}",
            most);
    kit_run(k, false);
    ck_assert_ptr_nonnull(jsonutil_get(kit_reply(k, 1), "result"));
    while (k->nreplies > 0)
        json_object_put(k->replies[--k->nreplies]);
}

/* Those of a queue of which so many may run follow each other: on rank 0 four, and on rank 1 one. */
START_TEST(a_limit_of_running_jobs_is_kept)
{
    struct kit k;
    int64_t ids[8], other[8];
    kit_open(&k);
    limit_queue(&k, 5);
    queue = "few";
    int64_t first = submit(&k, 100, 1, 16);
    ck_assert_uint_eq(k.ld->queues->v[0].running, 5);
    ck_assert_uint_ge(leased(&k, 0, ids, 8), 4);
    ck_assert_uint_ge(leased(&k, 1, other, 8), 1);
    ck_assert_ptr_null(kit_sent(&k, 2, "lease"));
    kit_forget(&k);
    queue = "all"; /* there is room for this one, and others stay where they are */
    int64_t beside = submit(&k, 0, 1, 16);
    ck_assert_str_eq(kit_state(&k, beside), "RUN");
    finish(&k, 0, first + 1, ids[0], 1);
    ck_assert_str_eq(kit_state(&k, ids[0]), "RUN");
    ck_assert_uint_eq(k.ld->queues->v[0].running, 5);
    ck_assert_ptr_null(kit_sent(&k, 0, "recall"));
    finish(&k, 0, first + 2, 0, 0); /* nobody took its place: one of the queue does */
    kit_run(&k, false);
    ck_assert_uint_eq(k.ld->queues->v[0].running, 5);
    kit_forget(&k);
    queue =
        "few"; /* ahead of those that are ahead, though the scheduler is not shown it */
    int64_t urgent = submit(&k, 0, 1, 20);
    ck_assert_str_eq(kit_state(&k, urgent), "SCHED");
    ck_assert_ptr_nonnull(kit_sent(&k, 0, "recall"));
    ck_assert_ptr_nonnull(kit_sent(&k, 1, "recall"));
    kit_exec(&k, 0,
             "{\"m\":\"ev\",\"seq\":1,\"e\":[[0,\"returned\",2e9,{\"ids\":[],\"recall\":"
             "true}]]}");
    limit_queue(&k, 3); /* more of them run: none follows */
    kit_forget(&k);
    finish(&k, 0, first + 3, 0, 0);
    kit_run(&k, false);
    ck_assert_uint_eq(k.ld->queues->v[0].running, 4);
    ck_assert_ptr_null(kit_sent(&k, 0, "lease"));
    ck_assert_ptr_null(kit_sent(&k, 0, "start"));
    queue = NULL;
    kit_close(&k);
}
END_TEST

UNIT_MAIN("lease", a_limit_of_running_jobs_is_kept, one_takes_the_place_of_another,
          leases_grow_with_what_is_done, who_should_go_first_does,
          canceled_ones_are_over_when_it_is_known_that_they_did_not_begin,
          drained_nodes_give_back, nobody_waits_while_a_core_is_idle,
          a_lost_executor_s_jobs_are_queued_again, jobs_that_must_not_run_twice,
          another_leader, an_end_that_is_told_again, a_hello_that_comes_twice,
          questions_wait_for_news, news_are_newer_than_the_question,
          who_cannot_answer_is_not_waited_for, who_is_gone_gets_no_answer,
          time_limits_go_along, limits_that_meet_the_end, nonsense_changes_nothing)
