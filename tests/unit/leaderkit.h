/* SPDX-License-Identifier: BSD-3-Clause */
/* leaderkit: a leader without ranks: what it sends to executors and to one client is gathered, and
 * lines of these are made up.  The state stream is applied to a replica, which may succeed it. */
#ifndef HBATCH_TESTS_LEADERKIT_H
#define HBATCH_TESTS_LEADERKIT_H

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/path.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/instance/leader_impl.h"
#include "src/instance/replica.h"
#include "src/instance/replica_impl.h"
#include "src/job/jsonutil.h"
#include "src/store/store.h"

enum { KIT_NODES = 3, KIT_LINES = 256 };

struct kit {
    uv_loop_t loop;
    struct leader *ld;
    struct replica *replica; /* of the rank that would succeed it, or NULL */
    struct client *client;
    json_object *info, *nodes[KIT_NODES];
    char *dir;
    unsigned stores, generation;
    json_object *sent[KIT_LINES]; /* messages to executors, in order */
    unsigned sent_to[KIT_LINES], nsent;
    json_object *replies[KIT_LINES]; /* to the client: replies and notifications */
    unsigned nreplies;
    uint64_t published, safe; /* epochs: each line is one */
    bool quiet, mute;
};

/* Questions for news are answered at once, unless MUTE: all that is made up was told. */
static void kit_to_exec(void *arg, unsigned rank, const char *line, size_t len)
{
    static const char news[] = "{\"m\":\"news\"";
    struct kit *k = arg;
    struct error err;
    if (!k->mute && strncmp(line, news, sizeof(news) - 1) == 0) {
        leader_exec_line(k->ld, rank, strndupa(line, len), len);
        return;
    }
    ck_assert_uint_lt(k->nsent, KIT_LINES);
    k->sent_to[k->nsent] = rank;
    k->sent[k->nsent++] = jsonutil_decode(line, len, &err);
}

static void kit_to_client(void *arg, unsigned rank, uint64_t number, const char *line,
                          size_t len)
{
    struct kit *k = arg;
    struct error err;
    (void)rank, (void)number;
    ck_assert_uint_lt(k->nreplies, KIT_LINES);
    k->replies[k->nreplies++] = jsonutil_decode(line, len, &err);
}

static void kit_publish(void *arg, const char *text, size_t len)
{
    struct kit *k = arg;
    struct error err;
    k->published++;
    if (!k->replica)
        return;
    for (const char *end = text + len; text < end;) {
        const char *nl = memchr(text, '\n', (size_t)(end - text));
        ck_assert_ptr_nonnull(nl);
        int rc = replica_apply(k->replica, text, (size_t)(nl - text), &err);
        ck_assert_msg(rc == 0, "%s", err.text);
        text = nl + 1;
    }
    replica_epoch(k->replica, k->generation, k->published);
}

static uint64_t kit_published(void *arg)
{
    return ((struct kit *)arg)->published;
}

static uint64_t kit_safe(void *arg)
{
    return ((struct kit *)arg)->safe;
}

static void kit_quiet(void *arg)
{
    ((struct kit *)arg)->quiet = true;
}

static struct replica *kit_replica(struct kit *k)
{
    static const struct store_options options = {.sync = STORE_SYNC_OFF};
    struct error err;
    cleanup_free char *path = xasprintf("%s/store-%u.sqlite", k->dir, k->stores++);
    struct store *store = store_open(path, &options, &err);
    ck_assert_ptr_nonnull(store);
    return replica_create(k->nodes, KIT_NODES, k->info, store);
}

/* What it has decided so far has happened; all epochs are confirmed unless HOLD. */
static void kit_run(struct kit *k, bool hold)
{
    for (int i = 0; i < 5; i++) {
        uv_run(&k->loop, UV_RUN_NOWAIT);
        if (!hold) {
            k->safe = k->published;
            leader_confirmed(k->ld);
        }
    }
}

static void kit_lead(struct kit *k, struct replica *from)
{
    struct error err;
    struct leader_config config = {
        .loop = &k->loop,
        .info = k->info,
        .nodes = k->nodes,
        .size = KIT_NODES,
        .policy = "fcfs",
        .replica = from,
        .starttime = time_now(),
        .generation = ++k->generation,
        .to_exec = kit_to_exec,
        .publish = kit_publish,
        .published = kit_published,
        .safe = kit_safe,
        .quiet = kit_quiet,
        .arg = k,
    };
    k->client = client_remote(0, k->generation, kit_to_client, k);
    k->ld = leader_create(&config, &err);
    ck_assert_msg(k->ld != NULL, "%s", err.text);
}

static void kit_forget(struct kit *k)
{
    while (k->nsent > 0)
        json_object_put(k->sent[--k->nsent]);
    while (k->nreplies > 0)
        json_object_put(k->replies[--k->nreplies]);
}

static void kit_drop_leader(struct kit *k)
{
    leader_client_gone(k->ld, k->client, false);
    leader_destroy(k->ld);
    client_remote_free(k->client);
    uv_run(&k->loop, UV_RUN_NOWAIT);
}

/* The leader is lost; the rank with the replica leads on, and nobody is behind it. */
static inline void kit_succeed(struct kit *k)
{
    struct replica *tables = k->replica;
    kit_drop_leader(k);
    kit_forget(k);
    k->replica = NULL;
    kit_lead(k, tables);
}

static void __attribute__((format(printf, 3, 4)))
kit_exec(struct kit *k, unsigned rank, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *line = NULL;
    int len = vasprintf(&line, fmt, ap);
    va_end(ap);
    leader_exec_line(k->ld, rank, line, (size_t)len);
    free(line);
}

static void __attribute__((format(printf, 2, 3)))
kit_ask(struct kit *k, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *line = NULL;
    int len = vasprintf(&line, fmt, ap);
    va_end(ap);
    leader_client_line(k->ld, k->client, line, (size_t)len);
    free(line);
}

/* All executors are there, with nothing. */
static void kit_greet(struct kit *k)
{
    for (unsigned i = 0; i < KIT_NODES; i++)
        kit_exec(k, i, "{\"m\":\"hello\",\"pid\":%u,\"since\":1,\"jobs\":[],\"seq\":0}",
                 100 + i);
    kit_run(k, false);
}

/* KIT_NODES nodes with four cores each. */
static void kit_open(struct kit *k)
{
    struct error err;
    memset(k, 0, sizeof(*k));
    uv_loop_init(&k->loop);
    k->dir = path_make_tmpdir("t_leader-", &err);
    ck_assert_ptr_nonnull(k->dir);
    k->info = json_tokener_parse("{\"instance\":\"kit\"}");
    for (unsigned i = 0; i < KIT_NODES; i++) {
        cleanup_free char *text = xasprintf(
            "{\"host\":\"host%u\",\"cores\":[\"0\",\"1\",\"2\",\"3\"],\"gpus\":[]}", i);
        k->nodes[i] = json_tokener_parse(text);
    }
    k->replica = kit_replica(k);
    kit_lead(k, kit_replica(k));
    kit_greet(k);
}

static void kit_close(struct kit *k)
{
    kit_drop_leader(k);
    kit_forget(k);
    replica_destroy(k->replica);
    for (unsigned i = 0; i < KIT_NODES; i++)
        json_object_put(k->nodes[i]);
    json_object_put(k->info);
    uv_run(&k->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&k->loop), 0);
    path_remove_tree(k->dir);
    free(k->dir);
}

/* The last message M to the executor of RANK, or NULL. */
static json_object *kit_sent(const struct kit *k, unsigned rank, const char *m)
{
    for (unsigned i = k->nsent; i-- > 0;)
        if (k->sent_to[i] == rank &&
            strcmp(json_object_get_string(jsonutil_get(k->sent[i], "m")), m) == 0)
            return k->sent[i];
    return NULL;
}

/* The entry of job ID in the last start message to RANK, or NULL. */
static inline json_object *kit_start_of(const struct kit *k, unsigned rank, int64_t id)
{
    json_object *jobs = jsonutil_get(kit_sent(k, rank, "start"), "jobs");
    for (size_t i = 0; jobs && i < json_object_array_length(jobs); i++) {
        json_object *o = json_object_array_get_idx(jobs, i);
        if (json_object_get_int64(jsonutil_get(o, "id")) == id)
            return o;
    }
    return NULL;
}

/* The reply to request ID, or NULL; the last notification METHOD, or NULL. */
static json_object *kit_reply(const struct kit *k, int64_t id)
{
    for (unsigned i = 0; i < k->nreplies; i++)
        if (jsonutil_get(k->replies[i], "id") &&
            json_object_get_int64(jsonutil_get(k->replies[i], "id")) == id)
            return k->replies[i];
    return NULL;
}

static inline json_object *kit_told(const struct kit *k, const char *method)
{
    for (unsigned i = k->nreplies; i-- > 0;) {
        const char *m = jsonutil_string(jsonutil_get(k->replies[i], "method"));
        if (m && strcmp(m, method) == 0)
            return jsonutil_get(k->replies[i], "params");
    }
    return NULL;
}

/* Submit a job of NNODES nodes with a task of one core on each, and have it placed.  OPTIONS: shell
 * options, as JSON; FOLLOW: of job.submit.  Its id. */
static inline int64_t kit_submit(struct kit *k, unsigned nnodes, const char *options,
                                 const char *follow)
{
    kit_ask(
        k,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"job.submit\",\"params\":{"
        "\"follow\":\"%s\",\"jobspec\":{\"version\":1,\"resources\":[{\"type\":\"node\","
        "\"count\":%u,\"with\":[{\"type\":\"slot\",\"count\":1,\"label\":\"t\",\"with\":["
        "{"
        "\"type\":\"core\",\"count\":1}]}]}],\"tasks\":[{\"command\":[\"true\"],"
        "\"slot\":\"t\",\"count\":{\"per_slot\":1}}],\"attributes\":{\"system\":{"
        "\"duration\":0,\"shell\":{\"options\":%s}}}}}}",
        follow, nnodes, options);
    kit_run(k, false);
    json_object *reply = kit_reply(k, 1);
    ck_assert_ptr_nonnull(reply);
    json_object *result = jsonutil_get(reply, "result");
    ck_assert_msg(result != NULL, "%.300s", json_object_to_json_string(reply));
    return json_object_get_int64(jsonutil_get(result, "id"));
}

/* The answer to a request, without a turn in which executors are asked for news first. */
static json_object *kit_answer(struct kit *k, const char *line)
{
    unsigned before = k->nreplies;
    cleanup_json json_object *o = json_tokener_parse(line);
    leader_answer(k->ld, k->client, o);
    ck_assert_uint_eq(k->nreplies, before + 1);
    return k->replies[before];
}

/* The state of job ID, as job.list tells it: "INACTIVE" of one that is over. */
static inline const char *kit_state(struct kit *k, int64_t id)
{
    static char state[32];
    cleanup_free char *line =
        xasprintf("{\"jsonrpc\":\"2.0\",\"id\":77,\"method\":\"job.list\",\"params\":{"
                  "\"ids\":[%lld]}}",
                  (long long)id);
    json_object *reply = kit_answer(k, line);
    json_object *jobs = jsonutil_get(jsonutil_get(reply, "result"), "jobs");
    ck_assert_msg(jobs && json_object_array_length(jobs) == 1, "job %lld: %.300s",
                  (long long)id, json_object_to_json_string(reply));
    snprintf(state, sizeof(state), "%s",
             json_object_get_string(
                 jsonutil_get(json_object_array_get_idx(jobs, 0), "state")));
    json_object_put(k->replies[--k->nreplies]);
    return state;
}

#endif
