/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/spawn.h"

#include <errno.h>
#include <stdbool.h>
#include "src/common/util.h"
#include "tests/unit/unit.h"

enum { MAX = 16 };

static json_object *sent[MAX];
static unsigned nsent;
static struct {
    int status;
    uint64_t id;
    char nspace[64], error[128];
    unsigned count;
} answered;

static void on_send(void *arg, int rank, json_object *msg)
{
    (void)arg;
    ck_assert_int_lt(rank, 0); /* the leader */
    ck_assert_uint_lt(nsent, MAX);
    sent[nsent++] = msg;
}

static void on_answer(int status, uint64_t id, const char *nspace, const char *error,
                      void *arg)
{
    (void)arg;
    answered.status = status;
    answered.id = id;
    strncpy(answered.nspace, nspace ? nspace : "", sizeof(answered.nspace) - 1);
    strncpy(answered.error, error ? error : "", sizeof(answered.error) - 1);
    answered.count++;
}

static struct spawner *begin(uv_loop_t *loop)
{
    uv_loop_init(loop);
    nsent = 0;
    memset(&answered, 0, sizeof(answered));
    return spawner_create(loop, 3, on_send, NULL);
}

static void end(struct spawner *s, uv_loop_t *loop)
{
    spawner_destroy(s);
    uv_run(loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(loop), 0);
    while (nsent > 0)
        json_object_put(sent[--nsent]);
}

static void ask(struct spawner *s, const char *nspace, double timeout)
{
    spawner_request(s, 11, nspace, 2, json_object_new_array(), NULL, timeout, on_answer,
                    NULL);
}

static int64_t number(json_object *o, const char *key)
{
    return json_object_get_int64(json_object_object_get(o, key));
}

static const char *kind(json_object *o)
{
    return json_object_get_string(json_object_object_get(o, "pmi"));
}

static void deliver(struct spawner *s, const char *fmt, int64_t token)
{
    cleanup_free char *text = xasprintf(fmt, (long long)token);
    cleanup_json json_object *msg = json_tokener_parse(text);
    spawner_deliver(s, msg);
}

START_TEST(one_answer)
{
    uv_loop_t loop;
    struct spawner *s = begin(&loop);
    ask(s, "hbatch.x.11", 0);
    ask(s, "hbatch.x.12", 0);
    ck_assert_uint_eq(nsent, 2);
    ck_assert_str_eq(kind(sent[0]), "spawn");
    ck_assert_int_eq(number(sent[0], "from"), 3);
    ck_assert_int_eq(number(sent[0], "parent"), 11);
    ck_assert_int_eq(number(sent[0], "parent_rank"), 2);
    ck_assert_int_ne(number(sent[0], "token"), number(sent[1], "token"));
    int64_t token = number(sent[0], "token");
    for (int i = 0; i < 2; i++) /* the second one is nobody's */
        deliver(s, "{\"pmi\":\"spawned\",\"token\":%lld,\"status\":0,\"id\":99}", token);
    ck_assert_uint_eq(answered.count, 1);
    ck_assert_uint_eq(answered.id, 99);
    ck_assert_str_eq(answered.nspace, "hbatch.x.99");
    deliver(s, "{\"pmi\":\"spawned\",\"token\":%lld,\"status\":28,\"error\":\"no room\"}",
            number(sent[1], "token"));
    ck_assert_int_eq(answered.status, ENOSPC);
    ck_assert_str_eq(answered.error, "no room");
    end(s, &loop);
}
END_TEST

START_TEST(another_leader_is_asked_again)
{
    uv_loop_t loop;
    struct spawner *s = begin(&loop);
    for (int i = 0; i < 3; i++)
        ask(s, i == 2 ? "hbatch.x.12" : "hbatch.x.11", 0);
    deliver(s, "{\"pmi\":\"spawned\",\"token\":%lld,\"status\":0,\"id\":99}",
            number(sent[0], "token"));
    spawner_ask_again(s);
    ck_assert_uint_eq(nsent, 5);
    for (unsigned i = 3; i < 5; i++) { /* in any order, as they were */
        json_object *first =
            number(sent[i], "token") == number(sent[1], "token") ? sent[1] : sent[2];
        ck_assert(json_object_equal(sent[i], first));
    }
    spawner_job_ended(s, "hbatch.x.11");
    spawner_ask_again(s);
    ck_assert_uint_eq(nsent, 6);
    ck_assert_int_eq(number(sent[5], "token"), number(sent[2], "token"));
    spawner_job_ended(s, "hbatch.x.12");
    spawner_ask_again(s);
    ck_assert_uint_eq(nsent, 6);
    ck_assert_uint_eq(answered.count, 1);
    ask(s, "hbatch.x.13", 0); /* never answered */
    end(s, &loop);
}
END_TEST

START_TEST(no_answer_in_time)
{
    uv_loop_t loop;
    struct spawner *s = begin(&loop);
    ask(s, "hbatch.x.11", 0.01);
    while (answered.count == 0)
        uv_run(&loop, UV_RUN_ONCE);
    ck_assert_int_eq(answered.status, ETIMEDOUT);
    ck_assert_ptr_nonnull(strstr(answered.error, "within the time"));
    ck_assert_uint_eq(nsent, 2);
    ck_assert_str_eq(kind(sent[1]), "unspawn");
    ck_assert_int_eq(number(sent[1], "token"), number(sent[0], "token"));
    spawner_ask_again(s);
    ck_assert_uint_eq(nsent, 2);
    end(s, &loop);
    spawner_destroy(NULL);
}
END_TEST

UNIT_MAIN("spawner", one_answer, another_leader_is_asked_again, no_answer_in_time)
