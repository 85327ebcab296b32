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

/* --- arrays --------------------------------------------------------------------------------- */

enum { ELEMENTS = 60 };

static uint64_t seed;

static unsigned dice(unsigned n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((seed >> 33) % n);
}

static int64_t submit_array(struct kit *k, const char *dependencies, int urgency)
{
    kit_forget(k);
    kit_ask(
        k,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.submit\",\"params\":{"
        "\"cc\":\"1-%d\",\"urgency\":%d,\"jobspec\":{\"version\":1,\"resources\":[{"
        "\"type\":\"slot\","
        "\"count\":1,\"label\":\"t\",\"with\":[{\"type\":\"core\",\"count\":1}]}],"
        "\"tasks\":[{\"command\":[\"true\"],\"slot\":\"t\",\"count\":{\"per_slot\":1}}],"
        "\"attributes\":{\"system\":{\"duration\":0,\"dependencies\":[%s]}}}}}",
        ELEMENTS, urgency, dependencies);
    kit_run(k, false);
    json_object *result = jsonutil_get(kit_reply(k, 1), "result");
    ck_assert_msg(result != NULL, "%.300s", json_object_to_json_string(kit_reply(k, 1)));
    return json_object_get_int64(jsonutil_get(result, "id"));
}

static const char list_line[] =
    "{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"job.list\",\"params\":{\"states\":62,"
    "\"max\":0}}";

/* The urgency of what runs means nothing any more. */
static const char *text_of(json_object *job, const char *key)
{
    bool runs = jsonutil_get(job, "ranks") != NULL;
    if (runs && strcmp(key, "urgency") == 0)
        return "";
    return json_object_to_json_string(jsonutil_get(job, key));
}

/* Which jobs there are, in which state, with which urgency; new. */
static char *outline(json_object *reply)
{
    struct strbuf b = {0};
    json_object *jobs = jsonutil_get(jsonutil_get(reply, "result"), "jobs");
    ck_assert_msg(jobs != NULL, "%.300s", json_object_to_json_string(reply));
    for (size_t i = 0; i < json_object_array_length(jobs); i++) {
        static const char *const keys[] = {"id", "cc", "state", "urgency", "ranks"};
        for (size_t j = 0; j < ARRAY_SIZE(keys); j++)
            strbuf_addf(&b, "%s%c", text_of(json_object_array_get_idx(jobs, i), keys[j]),
                        j + 1 < ARRAY_SIZE(keys) ? ' ' : '\n');
    }
    return strbuf_take(&b);
}

static char *outline_leader(struct kit *k)
{
    char *text = outline(kit_answer(k, list_line));
    json_object_put(k->replies[--k->nreplies]);
    return text;
}

static char *outline_replica(struct replica *rp)
{
    unsigned nahead = rp->nahead; /* else it leaves the answer to the leader */
    rp->nahead = 0;
    json_object *reply = replica_answer(rp, list_line, strlen(list_line));
    rp->nahead = nahead;
    char *text = outline(reply);
    json_object_put(reply);
    return text;
}

/* What a restart would find in the leader's store. */
static struct replica *restored(struct kit *k)
{
    static const struct store_options options = {.sync = STORE_SYNC_OFF};
    struct error err;
    unsigned char *data;
    size_t len;
    cleanup_free char *path = xasprintf("%s/copy-%u.sqlite", k->dir, k->stores++);
    ck_assert_int_eq(leader_snapshot(k->ld, &data, &len, &err), 0);
    ck_assert_int_eq(store_copy_in(path, data, len, &err), 0);
    free(data);
    struct replica *rp =
        replica_create(k->nodes, KIT_NODES, k->info, store_open(path, &options, &err));
    int rc = replica_restore(rp, false, &err);
    ck_assert_msg(rc == 0, "%s", err.text);
    return rp;
}

/* Check has no room for all of it in a message. */
static void same_lines(const char *a, const char *b, const char *where)
{
    while (*a && *a == *b)
        a++, b++;
    ck_assert_msg(*a == *b, "%s: '%.40s' at the leader, '%.40s' there", where, a, b);
}

static void same_everywhere(struct kit *k)
{
    struct replica *again = restored(k);
    cleanup_free char *leader = outline_leader(k);
    cleanup_free char *stored = outline_replica(again);
    if (k->replica) {
        cleanup_free char *copy = outline_replica(k->replica);
        same_lines(leader, copy, "in the copy");
    }
    same_lines(leader, stored, "in the store");
    replica_destroy(again);
}

static void finish(struct kit *k, int64_t first, unsigned i)
{
    for (unsigned rank = 0; rank < KIT_NODES; rank++)
        kit_exec(k, rank,
                 "{\"m\":\"ev\",\"seq\":1,\"e\":[[%lld,\"start\",2e9,{\"pids\":{}}],"
                 "[%lld,\"finish\",2e9,{\"status\":%u}]]}",
                 (long long)jobid_nth((jobid_t)first, i),
                 (long long)jobid_nth((jobid_t)first, i), 256 * dice(2));
}

static void array_step(struct kit *k, int64_t first)
{
    unsigned a = dice(ELEMENTS), b = a + dice(ELEMENTS - a);
    if (dice(3)) /* mostly small ranges */
        b = MIN(b, a + 4);
    long long low = (long long)jobid_nth((jobid_t)first, a),
              high = (long long)jobid_nth((jobid_t)first, b);
    static const int urgencies[] = {0, 0, 16, 17, 31};
    int urgency = urgencies[dice(ARRAY_SIZE(urgencies))];
    switch (dice(8)) {
    case 0:
        kit_ask(k, "{\"id\":2,\"method\":\"job.cancel\",\"params\":{\"ids\":[%lld]}}",
                low);
        break;
    case 1:
        b = MIN(b, a + 3);
        high = (long long)jobid_nth((jobid_t)first, b);
        kit_ask(
            k,
            "{\"id\":2,\"method\":\"job.cancel\",\"params\":{\"ranges\":[[%lld,%lld]]}}",
            low, high);
        break;
    case 2:
        kit_ask(k,
                "{\"id\":2,\"method\":\"job.urgency\",\"params\":{\"id\":%lld,"
                "\"urgency\":%d}}",
                low, urgency);
        break;
    case 3:
        kit_ask(
            k,
            "{\"id\":2,\"method\":\"job.urgency\",\"params\":{\"ranges\":[[%lld,%lld]],"
            "\"urgency\":%d}}",
            low, high, urgency);
        break;
    case 4:
        kit_ask(k, "{\"id\":2,\"method\":\"job.wait\",\"params\":{\"id\":%lld}}", low);
        break;
    default:
        for (unsigned i = a; i < a + 6; i++)
            finish(k, first, i % ELEMENTS);
    }
    kit_run(k, false);
    kit_forget(k);
}

/* Whatever is done to elements of an array, the other ranks' copy, and what would be read after a restart, know
 * the same of them. */
START_TEST(an_array_is_the_same_everywhere)
{
    for (unsigned round = 1; round <= 8; round++) {
        struct kit k;
        seed = round;
        kit_open(&k);
        int64_t first = submit_array(&k, "", 16);
        kit_forget(&k);
        for (unsigned i = 0; i < 30; i++) {
            array_step(&k, first);
            same_everywhere(&k);
        }
        cleanup_free char *before = outline_leader(&k);
        kit_succeed(&k);
        cleanup_free char *after = outline_leader(&k);
        same_lines(before, after, "after the succession");
        kit_greet(&k);
        kit_run(&k, false);
        for (unsigned i = 0; i < 10; i++) {
            array_step(&k, first);
            same_everywhere(&k);
        }
        kit_close(&k);
    }
}
END_TEST

/* One that waits does so as a whole, also in the eyes of others. */
START_TEST(an_array_that_depends)
{
    for (unsigned round = 0; round < 2; round++) {
        struct kit k;
        kit_open(&k);
        int64_t other = kit_submit(&k, 1, "{}", "none");
        cleanup_free char *dependency =
            xasprintf("{\"scheme\":\"afterok\",\"value\":\"%lld\"}", (long long)other);
        int64_t first = submit_array(&k, dependency, 16);
        same_everywhere(&k);
        kit_ask(&k,
                "{\"id\":2,\"method\":\"job.urgency\",\"params\":{\"id\":%lld,"
                "\"urgency\":0}}",
                (long long)jobid_nth((jobid_t)first, 7));
        kit_ask(&k, "{\"id\":2,\"method\":\"job.wait\",\"params\":{\"id\":%lld}}",
                (long long)jobid_nth((jobid_t)first, 9));
        kit_run(&k, false);
        same_everywhere(&k);
        ck_assert_str_eq(kit_state(&k, (int64_t)jobid_nth((jobid_t)first, 9)), "DEPEND");
        kit_forget(&k);
        kit_exec(&k, 0,
                 "{\"m\":\"ev\",\"seq\":1,\"e\":[[%lld,\"start\",2e9,{\"pids\":{}}],"
                 "[%lld,\"finish\",2e9,{\"status\":%u}]]}",
                 (long long)other, (long long)other, 256 * round);
        kit_run(&k, false);
        ck_assert_str_eq(kit_state(&k, (int64_t)jobid_nth((jobid_t)first, 1)),
                         round ? "INACTIVE" : "RUN");
        ck_assert_str_eq(kit_state(&k, (int64_t)jobid_nth((jobid_t)first, 7)),
                         round ? "INACTIVE" : "SCHED");
        ck_assert_str_eq(kit_state(&k, (int64_t)jobid_nth((jobid_t)first, 9)),
                         round ? "INACTIVE" : "RUN");
        cleanup_free char *leader = outline_leader(&k);
        cleanup_free char *copy = outline_replica(k.replica);
        same_lines(leader, copy, "in the copy");
        kit_close(&k);
    }
}
END_TEST

/* Readers are told that there is nothing to be read. */
static void end_reading(struct kit *k)
{
    for (unsigned i = 0; i < k->nsent; i++)
        if (strcmp(json_object_get_string(jsonutil_get(k->sent[i], "m")), "read") == 0)
            kit_exec(k, k->sent_to[i], "{\"m\":\"outend\",\"sub\":%lld}",
                     (long long)json_object_get_int64(jsonutil_get(k->sent[i], "sub")));
    kit_run(k, false);
}

static unsigned count_jobs(const struct kit *k)
{
    unsigned n = 0;
    for (const struct job *job = jobtable_first(k->ld->jobs); job; job = job->next)
        n++;
    return n;
}

/* How many ends the client was told of; *LEFT: by the last one. */
static unsigned count_ends(const struct kit *k, int64_t *left)
{
    unsigned n = 0;
    for (unsigned i = 0; i < k->nreplies; i++) {
        const char *m = jsonutil_string(jsonutil_get(k->replies[i], "method"));
        json_object *params = jsonutil_get(k->replies[i], "params"),
                    *ends = jsonutil_get(params, "ends");
        if (!m || strncmp(m, "job.end", 7) != 0)
            continue;
        *left = json_object_get_int64(jsonutil_get(params, "left"));
        if (!ends)
            n++;
        for (size_t e = 0; ends && e < json_object_array_length(ends); e++) {
            json_object *number =
                json_object_array_get_idx(json_object_array_get_idx(ends, e), 4);
            n += number ? (unsigned)json_object_get_int(number) : 1;
        }
    }
    return n;
}

static void set_urgency(struct kit *k, int64_t first, unsigned from, unsigned to,
                        int urgency)
{
    kit_ask(k,
            "{\"id\":2,\"method\":\"job.urgency\",\"params\":{\"ranges\":[[%lld,%lld]],"
            "\"urgency\":%d}}",
            (long long)jobid_nth((jobid_t)first, from),
            (long long)jobid_nth((jobid_t)first, to), urgency);
    kit_run(k, false);
}

static void cancel_between(struct kit *k, int64_t first, unsigned from, unsigned to)
{
    kit_ask(k,
            "{\"id\":2,\"method\":\"job.cancel\",\"params\":{\"ranges\":[[%lld,%lld]]}}",
            (long long)jobid_nth((jobid_t)first, from),
            (long long)jobid_nth((jobid_t)first, to));
    kit_run(k, false);
}

/* Who attaches to a part of an array makes no jobs of elements that wait, and hears of each one once. */
START_TEST(a_part_of_an_array)
{
    enum { FROM = 3, BEGUN = 6, LAST = ELEMENTS - 1 };
    struct kit k;
    int64_t left = -1;
    kit_open(&k);
    int64_t first = submit_array(&k, "", 0);
    set_urgency(&k, first, 0, BEGUN - 1, 16);
    finish(&k, first, FROM);
    cancel_between(&k, first, 20, 20);
    kit_forget(&k);
    ck_assert_uint_eq(count_jobs(&k), BEGUN - 1);
    kit_ask(&k,
            "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"job.attach\",\"params\":{"
            "\"id\":%lld,\"count\":%d}}",
            (long long)jobid_nth((jobid_t)first, FROM), ELEMENTS - FROM);
    kit_run(&k, false);
    ck_assert_ptr_nonnull(jsonutil_get(kit_reply(&k, 3), "result"));
    ck_assert_uint_eq(count_jobs(&k), BEGUN - 1);
    end_reading(&k);
    ck_assert_uint_eq(count_ends(&k, &left), 2);
    ck_assert_int_eq(left, ELEMENTS - FROM - 2);
    cancel_between(&k, first, LAST - 5, LAST);
    unsigned told = count_ends(&k, &left);
    ck_assert_uint_eq(told, 8);
    for (unsigned i = 0; i <= LAST; i++) {
        kit_forget(&k);
        set_urgency(&k, first, i, i, 16); /* few run, so none is ahead of another */
        finish(&k, first, i);
        kit_run(&k, false);
        end_reading(&k);
        told += count_ends(&k, &left);
    }
    ck_assert_uint_eq(told, ELEMENTS - FROM);
    ck_assert_int_eq(left, 0);
    ck_assert_ptr_null(k.ld->follows);
    ck_assert_ptr_null(k.ld->streams);
    kit_close(&k);
}
END_TEST

static void follow_one(struct kit *k, int request, int64_t first, unsigned position)
{
    kit_ask(k,
            "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"job.follow\",\"params\":{"
            "\"first\":%lld,"
            "\"count\":1}}",
            request, (long long)jobid_nth((jobid_t)first, position));
}

/* Elements that wait, and are followed one by one, are not looked at when others end. */
START_TEST(elements_one_by_one)
{
    struct kit k;
    int64_t left = -1;
    kit_open(&k);
    int64_t first = submit_array(&k, "", 0);
    static const unsigned positions[] = {1, 1, 4, 5, 30};
    for (unsigned i = 0; i < ARRAY_SIZE(positions); i++)
        follow_one(&k, 10 + (int)i, first, positions[i]);
    kit_run(&k, false);
    kit_forget(&k);
    ck_assert_ptr_null(k.ld->follows);
    ck_assert_uint_eq(k.ld->ones.used, 4);
    cancel_between(&k, first, 3, 6);
    ck_assert_uint_eq(count_ends(&k, &left), 2);
    ck_assert_int_eq(left, 0);
    ck_assert_uint_eq(k.ld->ones.used, 2);
    kit_forget(&k);
    for (unsigned i = 0; i < 3; i++) { /* before, itself, and after */
        set_urgency(&k, first, i, i, 16);
        finish(&k, first, i);
        kit_run(&k, false);
        ck_assert_uint_eq(count_ends(&k, &left), i >= 1 ? 2 : 0);
    }
    ck_assert_uint_eq(k.ld->ones.used, 1);
    follow_one(&k, 20, first, 1); /* which is over */
    kit_forget(&k);
    kit_run(&k, false);
    ck_assert_uint_eq(count_ends(&k, &left), 1);
    stream_client_gone(k.ld, k.client, false);
    ck_assert_uint_eq(k.ld->ones.used, 0);
    kit_close(&k);
}
END_TEST

/* Of jobs that differ in their words, their names and where their output goes, the rest is in memory once. */
START_TEST(words_alone_are_kept)
{
    static const char *const names[] = {"one", "two", "two"};
    const struct job *jobs[ARRAY_SIZE(names)];
    struct kit k;
    kit_open(&k);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        cleanup_free char *line = xasprintf(
            "{\"jsonrpc\":\"2.0\",\"id\":%zu,\"method\":\"job.submit\",\"params\":{"
            "\"urgency\":0,\"jobspec\":{\"version\":1,\"resources\":[{\"type\":\"slot\","
            "\"count\":1,\"label\":\"t\",\"with\":[{\"type\":\"core\",\"count\":1}]}],"
            "\"tasks\":[{\"command\":[\"./p%zu\",\"%zu\"],\"slot\":\"t\",\"count\":"
            "{\"per_slot\":1}}],\"attributes\":{\"system\":{\"duration\":0,\"job\":{"
            "\"name\":\"%s\"},\"shell\":{\"options\":{\"output\":{\"stdout\":{"
            "\"type\":\"file\",\"path\":\"o.%zu\"}}}}}}}}}",
            i + 1, i, i, names[i], i);
        kit_ask(&k, "%s", line);
        kit_run(&k, false);
        json_object *result = jsonutil_get(kit_reply(&k, (int64_t)i + 1), "result");
        ck_assert_ptr_nonnull(result);
        jobs[i] = jobtable_find(
            k.ld->jobs, (jobid_t)json_object_get_int64(jsonutil_get(result, "id")));
        ck_assert_ptr_nonnull(jobs[i]);
    }
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const struct submission *sub = jobs[i]->sub;
        cleanup_free char *text = text_get(sub->jobspec_text);
        char path[16];
        snprintf(path, sizeof(path), "\"o.%zu\"", i);
        ck_assert_str_eq(jobspec_name(sub->spec), names[i]);
        ck_assert_ptr_eq(jobspec_json(sub->spec), jobspec_json(jobs[0]->sub->spec));
        ck_assert_ptr_nonnull(strstr(text, path));
        ck_assert_ptr_nonnull(strstr(text, names[i]));
    }
    ck_assert_ptr_eq(jobs[1]->sub->spec, jobs[2]->sub->spec);
    kit_close(&k);
}
END_TEST

UNIT_MAIN("leader", words_alone_are_kept, events_of_an_earlier_run,
          a_run_that_was_not_started, ends_are_told_when_they_are_safe,
          a_spawn_outlives_the_leader, an_array_is_the_same_everywhere,
          an_array_that_depends, a_part_of_an_array, elements_one_by_one)
