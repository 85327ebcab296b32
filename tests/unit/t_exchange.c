/* SPDX-License-Identifier: BSD-3-Clause */
/* Several exchange objects in one process, joined by a router that keeps the order between
 * two ranks and nothing else. */
#include "pmi/exchange.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

enum { RANKS = 5, QUEUE = 1024 };

struct net;
struct node {
    struct net *net;
    unsigned rank;
    struct exchange *x;
};

struct net {
    uv_loop_t loop;
    struct node nodes[RANKS];
    char *queue[RANKS][RANKS][QUEUE]; /* from, to */
    unsigned head[RANKS][RANKS], tail[RANKS][RANKS];
    bool hold[RANKS]; /* deliver nothing from this rank */
    unsigned seed, sent;
};

static void on_send(void *arg, int rank, json_object *msg)
{
    struct node *node = arg;
    struct net *net = node->net;
    ck_assert_int_ge(rank, 0);
    ck_assert_int_lt(rank, RANKS);
    unsigned *tail = &net->tail[node->rank][rank];
    ck_assert_uint_lt(*tail, QUEUE);
    net->queue[node->rank][rank][(*tail)++] =
        xstrdup(json_object_to_json_string_ext(msg, JSON_C_TO_STRING_PLAIN));
    net->sent++;
    json_object_put(msg);
}

static struct net *net_create(unsigned seed)
{
    struct net *net = xcalloc(1, sizeof(*net));
    uv_loop_init(&net->loop);
    net->seed = seed;
    for (unsigned i = 0; i < RANKS; i++) {
        net->nodes[i] = (struct node){.net = net, .rank = i};
        net->nodes[i].x = exchange_create(&net->loop, i, on_send, &net->nodes[i]);
    }
    return net;
}

static void net_destroy(struct net *net)
{
    for (unsigned i = 0; i < RANKS; i++)
        exchange_destroy(net->nodes[i].x);
    uv_run(&net->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&net->loop), 0);
    for (unsigned i = 0; i < RANKS; i++)
        for (unsigned j = 0; j < RANKS; j++)
            for (unsigned k = net->head[i][j]; k < net->tail[i][j]; k++)
                free(net->queue[i][j][k]);
    free(net);
}

/* Deliver one message of a pair chosen by chance; false: there is none. */
static bool net_step(struct net *net)
{
    struct {
        unsigned from, to;
    } pairs[RANKS * RANKS];
    unsigned n = 0;
    for (unsigned i = 0; i < RANKS; i++)
        for (unsigned j = 0; j < RANKS; j++)
            if (!net->hold[i] && net->head[i][j] < net->tail[i][j]) {
                pairs[n].from = i;
                pairs[n++].to = j;
            }
    if (n == 0)
        return false;
    unsigned k = (unsigned)rand_r(&net->seed) % n, from = pairs[k].from, to = pairs[k].to;
    cleanup_free char *text = net->queue[from][to][net->head[from][to]++];
    cleanup_json json_object *msg = json_tokener_parse(text);
    ck_assert_ptr_nonnull(msg);
    exchange_deliver(net->nodes[to].x, msg);
    return true;
}

static void net_run(struct net *net)
{
    do
        uv_run(&net->loop, UV_RUN_NOWAIT);
    while (net_step(net));
    uv_run(&net->loop, UV_RUN_NOWAIT);
}

struct result {
    int calls, status;
    char *data;
    size_t len;
};

static void on_result(int status, const char *data, size_t len, void *arg)
{
    struct result *result = arg;
    result->calls++;
    result->status = status;
    free(result->data);
    result->data = xmalloc(len + 1);
    if (len > 0)
        memcpy(result->data, data, len);
    result->data[len] = '\0';
    result->len = len;
}

#define ck_result(r, text)                                                               \
    do {                                                                                 \
        ck_assert_int_eq((r)->calls, 1);                                                 \
        ck_assert_int_eq((r)->status, 0);                                                \
        ck_assert_uint_eq((r)->len, strlen(text));                                       \
        ck_assert_str_eq((r)->data, text);                                               \
        free((r)->data);                                                                 \
        *(r) = (struct result){0};                                                       \
    } while (0)

#define ck_failed(r, what)                                                               \
    do {                                                                                 \
        ck_assert_int_eq((r)->calls, 1);                                                 \
        ck_assert_int_eq((r)->status, what);                                             \
        ck_assert_uint_eq((r)->len, 0);                                                  \
        free((r)->data);                                                                 \
        *(r) = (struct result){0};                                                       \
    } while (0)

static void start(struct net *net, unsigned rank, const char *key, const unsigned *ranks,
                  unsigned n, const char *text, double timeout, struct result *result)
{
    exchange_start(net->nodes[rank].x, key, ranks, n, text, strlen(text), timeout,
                   on_result, result);
    ck_assert_int_eq(result->calls, 0); /* never from within the call */
}

static const unsigned all[RANKS] = {2, 0, 1, 4, 3}; /* the home is rank 2 */

START_TEST(one_node_completes_from_the_loop)
{
    struct net *net = net_create(1);
    struct result r = {0};
    unsigned self = 3;
    start(net, 3, "job.1/b", &self, 1, "alone", 0, &r);
    uv_run(&net->loop, UV_RUN_DEFAULT);
    ck_result(&r, "alone");
    start(net, 3, "job.1/b", &self, 1, "", 5, &r);
    uv_run(&net->loop, UV_RUN_NOWAIT);
    ck_result(&r, "");
    ck_assert_uint_eq(net->sent, 0);
    net_destroy(net);
}
END_TEST

START_TEST(gathers_in_the_order_of_the_list)
{
    for (unsigned seed = 0; seed < 50; seed++) {
        struct net *net = net_create(seed);
        struct result r[RANKS] = {0};
        for (int round = 0; round < 3; round++) {
            for (unsigned k = 0; k < RANKS; k++) {
                unsigned rank = (k + seed) % RANKS;
                char text[2] = {(char)('a' + rank), '\0'};
                start(net, rank, "job.1/b", all, RANKS, text, 0, &r[rank]);
            }
            net_run(net);
            for (unsigned i = 0; i < RANKS; i++)
                ck_result(&r[i], "cabed");
        }
        net_destroy(net);
    }
}
END_TEST

/* Each node goes on by itself, two keys with different nodes at once: results must be those
 * of the same round everywhere. */
struct walker {
    struct net *net;
    unsigned rank, n, round, rounds;
    const unsigned *ranks;
    const char *key;
};

static void walk(struct walker *w);

static void on_walk(int status, const char *data, size_t len, void *arg)
{
    struct walker *w = arg;
    ck_assert_int_eq(status, 0);
    const char *p = data;
    for (unsigned i = 0; i < w->n; i++) {
        char want[64];
        snprintf(want, sizeof(want), "%s:%u:%u;", w->key, w->ranks[i], w->round);
        ck_assert_mem_eq(p, want, strlen(want));
        p += strlen(want);
    }
    ck_assert_uint_eq((size_t)(p - data), len);
    w->round++;
    walk(w);
}

static void walk(struct walker *w)
{
    if (w->round == w->rounds)
        return;
    char text[64];
    snprintf(text, sizeof(text), "%s:%u:%u;", w->key, w->rank, w->round);
    exchange_start(w->net->nodes[w->rank].x, w->key, w->ranks, w->n, text, strlen(text),
                   60, on_walk, w);
}

START_TEST(rounds_and_keys_keep_apart)
{
    static const unsigned some[] = {1, 4};
    for (unsigned seed = 0; seed < 30; seed++) {
        struct net *net = net_create(seed);
        struct walker w[RANKS + 2];
        for (unsigned i = 0; i < RANKS; i++)
            w[i] = (struct walker){net, i, RANKS, 0, 20, all, "job.1/b"};
        w[RANKS] = (struct walker){net, 1, 2, 0, 30, some, "job.1/c"};
        w[RANKS + 1] = (struct walker){net, 4, 2, 0, 30, some, "job.1/c"};
        for (unsigned i = 0; i < RANKS + 2; i++) {
            walk(&w[i]);
            if (seed % 2)
                net_step(net);
        }
        net_run(net);
        for (unsigned i = 0; i < RANKS + 2; i++)
            ck_assert_uint_eq(w[i].round, w[i].rounds);
        net_destroy(net);
    }
}
END_TEST

START_TEST(a_fast_node_may_be_rounds_ahead)
{
    static const unsigned two[] = {0, 1};
    struct net *net = net_create(1);
    struct result home[3] = {0}, other[3] = {0};
    start(net, 1, "k", two, 2, "x", 0, &other[0]);
    start(net, 1, "k", two, 2, "y", 0, &other[1]);
    start(net, 1, "k", two, 2, "z", 0, &other[2]);
    net_run(net);
    ck_assert_int_eq(other[0].calls, 0);
    start(net, 0, "k", two, 2, "A", 0, &home[0]);
    net_run(net);
    ck_result(&home[0], "Ax");
    ck_result(&other[0], "Ax");
    ck_assert_int_eq(other[1].calls, 0);
    start(net, 0, "k", two, 2, "B", 0, &home[1]);
    start(net, 0, "k", two, 2, "C", 0, &home[2]);
    net_run(net);
    ck_result(&home[1], "By");
    ck_result(&other[1], "By");
    ck_result(&home[2], "Cz");
    ck_result(&other[2], "Cz");
    net_destroy(net);
}
END_TEST

START_TEST(carries_any_bytes)
{
    static const unsigned two[] = {0, 1};
    struct net *net = net_create(1);
    struct result r[2] = {0};
    unsigned char data[2][4096];
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i / 4096][i % 4096] = (unsigned char)(i * 31 >> 3);
    for (unsigned i = 0; i < 2; i++)
        exchange_start(net->nodes[i].x, "k", two, 2, data[i], sizeof(data[i]), 0,
                       on_result, &r[i]);
    net_run(net);
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(r[i].status, 0);
        ck_assert_uint_eq(r[i].len, sizeof(data));
        ck_assert_mem_eq(r[i].data, data, sizeof(data));
        free(r[i].data);
    }
    net_destroy(net);
}
END_TEST

/* Rank 4 comes too late; PATIENT of the others has the time limit. */
static void check_timeout(unsigned patient)
{
    struct net *net = net_create(patient);
    struct result r[RANKS] = {0};
    for (unsigned i = 0; i < RANKS; i++)
        if (i != 4)
            start(net, i, "k", all, RANKS, "x", i == patient ? 0.02 : 0, &r[i]);
    net_run(net);
    ck_assert_int_eq(r[patient].calls, 0);
    while (r[patient].calls == 0)
        uv_run(&net->loop, UV_RUN_ONCE);
    net_run(net);
    for (unsigned i = 0; i < RANKS; i++)
        if (i != 4)
            ck_failed(&r[i], ETIMEDOUT);
    start(net, 4, "k", all, RANKS, "late", 0, &r[4]);
    net_run(net);
    ck_failed(&r[4], ETIMEDOUT);
    for (unsigned i = 0; i < RANKS; i++) /* and the next round is whole */
        start(net, i, "k", all, RANKS, "n", 60, &r[i]);
    net_run(net);
    for (unsigned i = 0; i < RANKS; i++)
        ck_result(&r[i], "nnnnn");
    net_destroy(net);
}

START_TEST(times_out_on_all)
{
    for (unsigned patient = 0; patient < 4; patient++)
        check_timeout(patient);
}
END_TEST

START_TEST(a_failed_part_fails_the_round)
{
    for (unsigned bad = 0; bad < RANKS; bad++)
        for (unsigned when = 0; when < RANKS; when++) {
            struct net *net = net_create(bad * RANKS + when);
            struct result r[RANKS] = {0};
            unsigned turn = 0;
            for (unsigned i = 0; i < RANKS; i++) {
                if (turn++ == when)
                    exchange_fail(net->nodes[bad].x, "k", all, RANKS, ESRCH);
                if (i != bad)
                    start(net, i, "k", all, RANKS, "x", 0, &r[i]);
                if (bad % 2)
                    net_run(net);
            }
            net_run(net);
            for (unsigned i = 0; i < RANKS; i++)
                if (i != bad)
                    ck_failed(&r[i], ESRCH);
            for (unsigned i = 0; i < RANKS; i++)
                start(net, i, "k", all, RANKS, "n", 0, &r[i]);
            net_run(net);
            for (unsigned i = 0; i < RANKS; i++)
                ck_result(&r[i], "nnnnn");
            net_destroy(net);
        }
}
END_TEST

START_TEST(abort_fails_the_others_rounds)
{
    for (unsigned gone = 0; gone < RANKS; gone++) {
        struct net *net = net_create(gone);
        struct result r[RANKS] = {0}, other = {0};
        static const unsigned two[] = {0, 1};
        for (unsigned i = 0; i < RANKS; i++) /* all know the key */
            start(net, i, "job.1/b", all, RANKS, "x", 0, &r[i]);
        start(net, 0, "job.10/b", two, 2, "x", 0, &other);
        net_run(net);
        for (unsigned i = 0; i < RANKS; i++)
            ck_result(&r[i], "xxxxx");
        for (unsigned i = 0; i < RANKS; i++)
            if (i != 3)
                start(net, i, "job.1/b", all, RANKS, "x", 0, &r[i]);
        if (gone != 3)
            net_run(net);
        exchange_abort(net->nodes[gone].x, "job.1/", ECANCELED);
        if (gone != 3)
            ck_failed(&r[gone], ECANCELED); /* before the call returns */
        net_run(net);
        for (unsigned i = 0; i < RANKS; i++)
            if (i != 3 && i != gone)
                ck_failed(&r[i], ECANCELED);
        if (gone != 3) { /* who comes later is told as well */
            start(net, 3, "job.1/b", all, RANKS, "x", 0, &r[3]);
            net_run(net);
            ck_failed(&r[3], gone == 2 ? ECONNABORTED : ECANCELED);
        }
        ck_assert_int_eq(other.calls, 0); /* another job's */
        struct result last = {0};
        start(net, 1, "job.10/b", two, 2, "y", 0, &last);
        net_run(net);
        ck_result(&other, "xy");
        ck_result(&last, "xy");
        net_destroy(net);
    }
}
END_TEST

static void on_abort_again(int status, const char *data, size_t len, void *arg)
{
    (void)data, (void)len;
    struct net *net = arg;
    ck_assert_int_eq(status, EINTR);
    net->hold[0] = true;
    exchange_abort(net->nodes[0].x, "a", ECANCELED);
}

START_TEST(callbacks_may_abort)
{
    static const unsigned two[] = {0, 1};
    struct net *net = net_create(1);
    struct result r = {0};
    exchange_start(net->nodes[0].x, "b/1", two, 2, "x", 1, 0, on_abort_again, net);
    start(net, 0, "a/1", two, 2, "y", 0, &r);
    exchange_abort(net->nodes[0].x, "b/", EINTR);
    ck_assert(net->hold[0]);
    ck_failed(&r, ECANCELED);
    net_destroy(net);
}
END_TEST

START_TEST(disagreement_is_an_error)
{
    static const unsigned two[] = {0, 1}, three[] = {0, 1, 2};
    log_init("t_exchange", LOG_L_ERROR);
    struct net *net = net_create(1);
    struct result r[3] = {0};
    start(net, 0, "k", two, 2, "x", 0, &r[0]);
    start(net, 2, "k", three, 3, "x", 0, &r[2]);
    net_run(net);
    ck_failed(&r[0], EPROTO);
    ck_failed(&r[2], EPROTO);
    start(net, 1, "k", two, 2, "x", 0, &r[1]);
    net_run(net);
    ck_failed(&r[1], EPROTO);
    start(net, 4, "k", two, 2, "x", 0, &r[0]); /* not in the list */
    net_run(net);
    ck_failed(&r[0], EINVAL);
    net_destroy(net);
}
END_TEST

static void on_log(enum log_level level, const char *text, void *arg)
{
    (void)level, (void)text;
    ++*(int *)arg;
}

static const char *const rejects[] = {
    "{}",
    "{\"pmi\":\"x\"}",
    "{\"k\":5,\"r\":0,\"op\":\"give\"}",
    "{\"k\":\"k\",\"r\":0,\"op\":\"take\"}",
    "{\"k\":\"k\",\"r\":-1,\"op\":\"give\",\"from\":1,\"i\":1,\"n\":2,\"d\":\"\"}",
    "{\"k\":\"k\",\"r\":0,\"op\":\"give\"}",
    "{\"k\":\"k\",\"r\":0,\"op\":\"give\",\"from\":1,\"i\":1,\"n\":2}",
    "{\"k\":\"k\",\"r\":0,\"op\":\"give\",\"from\":1,\"i\":1,\"n\":0,\"d\":\"\"}",
    "{\"k\":\"k\",\"r\":0,\"op\":\"give\",\"from\":1,\"i\":1,\"n\":4000000000,\"d\":"
    "\"\"}",
    "{\"k\":\"k\",\"r\":0,\"op\":\"give\",\"from\":1,\"i\":1,\"n\":2,\"d\":\"!!!!\"}",
    "{\"k\":\"k\",\"r\":0,\"op\":\"give\",\"from\":\"1\",\"i\":1,\"n\":2,\"d\":\"\"}",
    "{\"k\":\"k\",\"r\":0,\"op\":\"give\",\"from\":1,\"i\":2,\"n\":2,\"d\":\"\"}",
    "{\"k\":\"k\",\"r\":0,\"op\":\"fail\",\"from\":1}",
    "{\"k\":\"k\",\"r\":0,\"op\":\"fail\",\"from\":1,\"s\":0}",
    "{\"k\":\"k\",\"r\":0,\"op\":\"result\"}",
    "{\"k\":\"k\",\"r\":0,\"op\":\"result\",\"d\":7}",
};

START_TEST(bad_messages_are_ignored)
{
    struct net *net = net_create(1);
    int said = 0;
    log_init("t_exchange", LOG_L_WARNING);
    log_hook(on_log, &said, LOG_L_ERROR);
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        cleanup_json json_object *msg = json_tokener_parse(rejects[i]);
        ck_assert_ptr_nonnull(msg);
        exchange_deliver(net->nodes[0].x, msg);
        ck_assert_msg(said == (int)i + 1, "row %zu was taken", i);
    }
    log_hook(NULL, NULL, LOG_L_ERROR);
    net_destroy(net);
}
END_TEST

START_TEST(destroy_drops_what_waits)
{
    struct net *net = net_create(1);
    struct result r[2] = {0};
    unsigned self = 0;
    start(net, 0, "k", &self, 1, "x", 0, &r[0]);
    start(net, 1, "l", all, RANKS, "x", 100, &r[1]);
    net_destroy(net);
    ck_assert_int_eq(r[0].calls + r[1].calls, 0);
    exchange_destroy(NULL);
}
END_TEST

UNIT_MAIN("exchange", one_node_completes_from_the_loop, gathers_in_the_order_of_the_list,
          rounds_and_keys_keep_apart, a_fast_node_may_be_rounds_ahead, carries_any_bytes,
          times_out_on_all, a_failed_part_fails_the_round, abort_fails_the_others_rounds,
          callbacks_may_abort, disagreement_is_an_error, bad_messages_are_ignored,
          destroy_drops_what_waits)
