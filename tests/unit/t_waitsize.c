/* SPDX-License-Identifier: BSD-3-Clause */
/* What a separate job that waits takes of a leader's memory, however much it says for itself: of the leader that it was
 * submitted to, of its successor, and of that of the next life, which has read it from the store. */
#include "tests/unit/leaderkit.h"

#include <malloc.h>
#include <sqlite3.h>
#include "tests/unit/unit.h"

enum { JOBS = 3000 };

/* Without what SQLite takes for its cache, which is bounded. */
static size_t in_use(void)
{
    struct mallinfo2 m = mallinfo2();
    size_t all = m.uordblks + m.hblkhd, cache = (size_t)sqlite3_memory_used();
    return all > cache ? all - cache : 0; /* a sanitizer's malloc tells nothing */
}

/* What jobs say for themselves. */
struct own {
    const char *title;
    size_t most; /* bytes */
    bool name, dir, limit, environment, user, dependency;
};

static int64_t submit(struct kit *k, const struct own *own, unsigned i, int64_t before)
{
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(
        &b,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.submit\",\"params\":{"
        "\"jobspec\":{\"version\":1,\"resources\":[{\"type\":\"slot\",\"count\":1,"
        "\"label\":\"task\",\"with\":[{\"type\":\"core\",\"count\":1}]}],\"tasks\":[{"
        "\"command\":[\"./simulate\",\"--seed\",\"%u\"],\"slot\":\"task\","
        "\"count\":{\"per_slot\":1}}],\"attributes\":{",
        i);
    if (own->user)
        strbuf_addf(&b, "\"user\":{\"row\":%u},", i);
    strbuf_addf(
        &b,
        "\"system\":{\"shell\":{\"options\":{\"rlimit\":{\"core\":0,\"nofile\":1024,"
        "\"stack\":8388608},\"output\":{\"stdout\":{\"type\":\"file\",\"path\":\"out.%"
        "u\"}"
        "}}},\"duration\":%u,\"cwd\":\"/home/user/campaign/%u\",\"environment\":{"
        "\"PATH\":\"/usr/bin:/bin\",\"SEED\":\"%u\"}",
        i, own->limit ? 60 + i : 60, own->dir ? i : 0, own->environment ? i : 0);
    if (own->name)
        strbuf_addf(&b, ",\"job\":{\"name\":\"row%u\"}", i);
    if (own->dependency && before)
        strbuf_addf(&b, ",\"dependencies\":[{\"scheme\":\"afterok\",\"value\":\"%lld\"}]",
                    (long long)before);
    strbuf_add(&b, "}}}}}");
    leader_client_line(k->ld, k->client, b.s, b.len);
    kit_run(k, false);
    json_object *id = jsonutil_at(kit_reply(k, 1), "result.id");
    ck_assert_ptr_nonnull(id);
    int64_t result = json_object_get_int64(id);
    kit_forget(k);
    return result;
}

/* Since there were BEFORE, when all is in the stores.  N: leaders and copies. */
static void check(struct kit *k, const struct own *own, const char *whose, size_t before,
                  unsigned n)
{
    leader_settle(k->ld);
    if (k->replica)
        replica_flush(k->replica);
    size_t now = in_use(), bytes = now > before ? now - before : 0;
    printf("a job that waits, with %s, %s: %zu bytes\n", own->title, whose, bytes / JOBS);
    ck_assert_msg(bytes / JOBS < (size_t)n * own->most,
                  "%zu bytes for each job with %s, %s", bytes / JOBS, own->title, whose);
}

/* The next life, from a copy of the store. */
static void begin_again(struct kit *k)
{
    static const struct store_options options = {.sync = STORE_SYNC_OFF};
    struct error err;
    cleanup_free char *path = xasprintf("%s/next.sqlite", k->dir);
    ck_assert_msg(leader_dump(k->ld, path, &err) == 0, "%s", err.text);
    kit_drop_leader(k);
    struct store *store = store_open(path, &options, &err);
    ck_assert_msg(store != NULL, "%s", err.text);
    struct replica *rp = replica_create(k->nodes, KIT_NODES, k->info, store);
    ck_assert_msg(replica_restore(rp, true, &err) == 0, "%s", err.text);
    kit_lead(k, rp);
    kit_run(k, false);
}

static void wait_with(const struct own *own)
{
    struct kit k;
    size_t empty = in_use();
    kit_open(&k);
    for (unsigned i = 0; i < 3; i++) /* there is no core for others */
        kit_submit(&k, 1, "{\"x\":1}", "none");
    for (unsigned i = 0; i < KIT_NODES; i++)
        leader_rank_lost(k.ld, i, 0);
    kit_forget(&k);
    int64_t first = submit(&k, own, 0, 0), id = first;
    size_t before = in_use();
    for (unsigned i = 1; i <= JOBS; i++)
        id = submit(&k, own, i, id);
    check(&k, own, "leader and copy", before, 2);
    kit_succeed(&k);
    check(&k, own, "successor", empty, 1);
    cleanup_free char *log = store_job_info(k.ld->store, (jobid_t)id, "eventlog", NULL);
    ck_assert_ptr_nonnull(log);
    begin_again(&k);
    check(&k, own, "next life", empty, 1);
    struct job *job = jobtable_find(k.ld->jobs, (jobid_t)id);
    ck_assert_ptr_nonnull(job);
    cleanup_free char *after = joblog_get(k.ld->store, job);
    ck_assert_int_eq(strncmp(after, log, strlen(log)), 0);
    ck_assert_ptr_nonnull(strstr(after + strlen(log), "flux-restart"));
    kit_close(&k);
}

START_TEST(a_job_that_waits)
{
    static const struct own kinds[] = {
        {.title = "words", .most = 1700},
        {.title = "a name and a directory", .most = 2300, .name = true, .dir = true},
        {.title = "a limit and an environment",
         .most = 2300,
         .limit = true,
         .environment = true},
        {.title = "an attribute", .most = 1700, .user = true},
        {.title = "a dependency", .most = 2300, .dependency = true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        wait_with(&kinds[i]);
}
END_TEST

UNIT_MAIN("waitsize", a_job_that_waits)
