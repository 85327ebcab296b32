/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/leaderkit.h"

#include "tests/unit/unit.h"

static int64_t run_of(json_object *start)
{
    return json_object_get_int64(jsonutil_get(start, "run"));
}

/* A job on two nodes, of which the first has ended its task and the second was lost: it was queued
 * again, and has begun anew. */
static int64_t begin_anew(struct kit *k)
{
    int64_t id = kit_submit(k, 2, "{\"requeue\":true}", "none");
    ck_assert_ptr_nonnull(kit_start_of(k, 0, id));
    ck_assert_int_eq(run_of(kit_start_of(k, 0, id)), 0);
    kit_exec(k, 0,
             "{\"m\":\"ev\",\"seq\":1,\"e\":[[%lld,\"start\",2e9,{\"pids\":{}}],"
             "[%lld,\"finish\",2e9,{\"status\":0}]]}",
             (long long)id, (long long)id);
    kit_run(k, false);
    kit_forget(k);
    leader_rank_lost(k->ld, 1, 0);
    kit_run(k, false);
    ck_assert_str_eq(kit_state(k, id), "RUN");
    ck_assert_int_eq(run_of(kit_start_of(k, 0, id)), 1);
    ck_assert_int_eq(run_of(kit_start_of(k, 2, id)), 1);
    return id;
}

static void end_both(struct kit *k, int64_t id)
{
    static const unsigned ranks[] = {0, 2};
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_str_eq(kit_state(k, id), "RUN");
        kit_exec(k, ranks[i],
                 "{\"m\":\"ev\",\"seq\":9,\"e\":[[%lld,\"finish\",2e9,{\"run\":1,"
                 "\"status\":0}]]}",
                 (long long)id);
        kit_run(k, false);
    }
    ck_assert_str_eq(kit_state(k, id), "INACTIVE");
}

/* Events of the first run, which nobody had acknowledged, are told again to the next leader. */
START_TEST(events_of_an_earlier_run)
{
    struct kit k;
    kit_open(&k);
    int64_t id = begin_anew(&k);
    kit_succeed(&k);
    kit_exec(&k, 0,
             "{\"m\":\"hello\",\"pid\":100,\"since\":1,\"jobs\":[%lld],\"started\":[],"
             "\"runs\":{\"%lld\":1},\"seq\":0}",
             (long long)id, (long long)id);
    kit_exec(
        &k, 0,
        "{\"m\":\"ev\",\"seq\":1,\"e\":[[%lld,\"start\",2e9,{\"pids\":{}}],"
        "[%lld,\"exception\",2e9,{\"type\":\"exec\",\"severity\":0,\"note\":\"old\"}],"
        "[%lld,\"finish\",2e9,{\"status\":0}],"
        "[%lld,\"start\",2e9,{\"run\":1,\"pids\":{}}]]}",
        (long long)id, (long long)id, (long long)id, (long long)id);
    kit_run(&k, false);
    ck_assert_ptr_null(kit_start_of(&k, 0, id));
    ck_assert_ptr_null(kit_sent(&k, 0, "end"));
    end_both(&k, id);
    kit_close(&k);
}
END_TEST

/* The order to start it anew never came, but the former end is still told. */
START_TEST(a_run_that_was_not_started)
{
    struct kit k;
    kit_open(&k);
    int64_t id = begin_anew(&k);
    kit_succeed(&k);
    kit_exec(
        &k, 0,
        "{\"m\":\"hello\",\"pid\":100,\"since\":1,\"jobs\":[%lld],\"started\":[%lld],"
        "\"seq\":0}",
        (long long)id, (long long)id);
    kit_run(&k, false);
    ck_assert_int_eq(run_of(kit_start_of(&k, 0, id)), 1);
    end_both(&k, id);
    kit_close(&k);
}
END_TEST

/* What was told of an end holds whoever leads next. */
START_TEST(ends_are_told_when_they_are_safe)
{
    static const char *const follows[] = {"attach", "status"};
    static const char *const methods[] = {"job.end", "job.ends"};
    for (unsigned i = 0; i < ARRAY_SIZE(follows); i++) {
        struct kit k;
        kit_open(&k);
        int64_t id = kit_submit(&k, 1, "{}", follows[i]);
        kit_ask(&k,
                "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"job.wait\",\"params\":{"
                "\"id\":%lld}}",
                (long long)id);
        kit_exec(&k, 0,
                 "{\"m\":\"ev\",\"seq\":1,\"e\":[[%lld,\"start\",2e9,{\"pids\":{}}],"
                 "[%lld,\"finish\",2e9,{\"status\":0}]]}",
                 (long long)id, (long long)id);
        json_object *read = kit_sent(&k, 0, "read");
        if (read)
            kit_exec(&k, 0, "{\"m\":\"outend\",\"id\":%lld,\"sub\":%lld}", (long long)id,
                     (long long)json_object_get_int64(jsonutil_get(read, "sub")));
        kit_run(&k, true);
        kit_ask(&k,
                "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"job.wait\",\"params\":{"
                "\"id\":%lld}}",
                (long long)id);
        kit_run(&k, true);
        ck_assert_ptr_null(kit_told(&k, methods[i]));
        ck_assert_ptr_null(kit_reply(&k, 2));
        ck_assert_ptr_null(kit_reply(&k, 3));
        leader_shutdown(k.ld, "the end");
        kit_run(&k, true);
        ck_assert(!k.quiet); /* not before all were told */
        kit_run(&k, false);
        ck_assert(k.quiet);
        json_object *end = kit_told(&k, methods[i]);
        ck_assert_ptr_nonnull(end);
        ck_assert_int_eq(json_object_get_int64(jsonutil_get(end, "left")), 0);
        ck_assert_ptr_nonnull(kit_reply(&k, 2));
        ck_assert_ptr_nonnull(kit_reply(&k, 3));
        kit_close(&k);
    }
}
END_TEST

static void ask_spawn(struct kit *k, int64_t parent)
{
    kit_exec(
        k, 0,
        "{\"m\":\"pmi\",\"to\":-1,\"msg\":{\"pmi\":\"spawn\",\"token\":7,\"parent\":%lld,"
        "\"parent_rank\":0,\"apps\":[{\"argv\":[\"true\"],\"maxprocs\":1}]}}",
        (long long)parent);
    kit_run(k, false);
}

/* The id of the only job but PARENT in the last start message, or 0. */
static int64_t spawned(const struct kit *k, int64_t parent)
{
    for (unsigned rank = 0; rank < KIT_NODES; rank++) {
        json_object *jobs = jsonutil_get(kit_sent(k, rank, "start"), "jobs");
        for (size_t i = 0; jobs && i < json_object_array_length(jobs); i++) {
            json_object *o = json_object_array_get_idx(jobs, i);
            int64_t id = json_object_get_int64(jsonutil_get(o, "id"));
            if (id != parent)
                return id;
        }
    }
    return 0;
}

static void tell_events(struct kit *k, int64_t id, const char *kind)
{
    kit_exec(k, 0, "{\"m\":\"ev\",\"seq\":5,\"e\":[[%lld,\"%s\",2e9,{\"status\":0}]]}",
             (long long)id, kind);
    kit_run(k, false);
}

static void meet_again(struct kit *k, const char *ids)
{
    kit_succeed(k);
    kit_exec(k, 0,
             "{\"m\":\"hello\",\"pid\":100,\"since\":1,\"jobs\":[%s],\"started\":[],"
             "\"seq\":5}",
             ids);
    kit_run(k, false);
}

/* A task that asked for a job is answered whoever leads by then. */
START_TEST(a_spawn_outlives_the_leader)
{
    enum { BEFORE, ACCEPTED, STARTED, ENDED };
    for (int lost = BEFORE; lost <= ENDED; lost++) {
        struct kit k;
        kit_open(&k);
        int64_t parent = kit_submit(&k, 1, "{}", "none"), id = 0;
        tell_events(&k, parent, "start");
        if (lost > BEFORE) {
            ask_spawn(&k, parent);
            ck_assert_int_ne(id = spawned(&k, parent), 0);
        }
        if (lost >= STARTED) {
            tell_events(&k, id, "start");
            ck_assert_ptr_nonnull(kit_sent(&k, 0, "pmi")); /* and is lost */
        }
        if (lost == ENDED)
            tell_events(&k, id, "finish");
        cleanup_free char *ids =
            id && lost != ENDED ? xasprintf("%lld,%lld", (long long)parent, (long long)id)
                                : xasprintf("%lld", (long long)parent);
        meet_again(&k, ids);
        ask_spawn(&k, parent);
        if (lost == BEFORE)
            ck_assert_int_ne(id = spawned(&k, parent), 0);
        else
            ck_assert_int_eq(spawned(&k, parent), 0); /* not a second time */
        if (lost <= ACCEPTED) {
            ck_assert_ptr_null(kit_sent(&k, 0, "pmi"));
            tell_events(&k, id, "start");
        }
        json_object *told = jsonutil_get(kit_sent(&k, 0, "pmi"), "msg");
        ck_assert_ptr_nonnull(told);
        ck_assert_int_eq(json_object_get_int64(jsonutil_get(told, "token")), 7);
        if (lost == ENDED)
            ck_assert_int_ne(json_object_get_int(jsonutil_get(told, "status")), 0);
        else
            ck_assert_int_eq(json_object_get_int64(jsonutil_get(told, "id")), id);
        kit_close(&k);
    }
}
END_TEST

UNIT_MAIN("leader", events_of_an_earlier_run, a_run_that_was_not_started,
          ends_are_told_when_they_are_safe, a_spawn_outlives_the_leader)
