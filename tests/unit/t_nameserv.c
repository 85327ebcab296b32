/* SPDX-License-Identifier: BSD-3-Clause */
/* The name service and the spawn client, on three nodes whose messages are queued here. */
#include "pmi/nameserv.h"
#include "pmi/pmi.h"
#include "pmi/spawn.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

#include <errno.h>

enum { NODES = 3, MAX_STEPS = 32, PARKED = -1 };

struct net {
    uv_loop_t loop;
    struct node {
        struct net *net;
        unsigned rank;
        struct nameserv *ns;
        struct spawner *spawner;
    } nodes[NODES];
    struct queued {
        struct queued *next;
        int to;
        json_object *msg;
    } * head, **tail;
    json_object *to_leader; /* the last message */
};

static void net_send(void *arg, int rank, json_object *msg)
{
    struct net *net = ((struct node *)arg)->net;
    if (rank == PMI_LEADER) {
        json_object_put(net->to_leader);
        net->to_leader = msg;
        return;
    }
    struct queued *q = xcalloc(1, sizeof(*q));
    q->to = rank;
    q->msg = msg;
    *net->tail = q;
    net->tail = &q->next;
}

static void net_start(struct net *net)
{
    *net = (struct net){0};
    net->tail = &net->head;
    uv_loop_init(&net->loop);
    for (unsigned i = 0; i < NODES; i++) {
        struct node *node = &net->nodes[i];
        node->net = net;
        node->rank = i;
        node->ns = nameserv_create(&net->loop, i, net_send, node);
        node->spawner = spawner_create(&net->loop, i, net_send, node);
    }
}

static void net_settle(struct net *net)
{
    while (net->head) {
        struct queued *q = net->head;
        net->head = q->next;
        if (!net->head)
            net->tail = &net->head;
        nameserv_deliver(net->nodes[q->to].ns, q->msg);
        json_object_put(q->msg);
        free(q);
    }
}

static void net_end(struct net *net)
{
    net_settle(net);
    for (unsigned i = 0; i < NODES; i++) {
        nameserv_destroy(net->nodes[i].ns);
        spawner_destroy(net->nodes[i].spawner);
    }
    json_object_put(net->to_leader);
    uv_run(&net->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&net->loop), 0);
}

struct result {
    int status;
    char value[32];
    bool set;
};

static void on_result(int status, json_object *found, void *arg)
{
    struct result *r = arg;
    ck_assert_msg(!r->set, "a callback was called twice");
    r->set = true;
    r->status = status;
    if (status == 0 && found) {
        json_object_object_foreach(found, key, hit)
        {
            (void)key;
            snprintf(r->value, sizeof(r->value), "%s",
                     json_object_get_string(json_object_object_get(hit, "value")));
        }
    }
}

static json_object *key_list(const char *key)
{
    json_object *a = json_object_new_array();
    json_object_array_add(a, json_object_new_string(key));
    return a;
}

struct step {
    enum { END, PUB, LOOK, WAIT, UNPUB, TASK_ENDS, JOB_ENDS, NOW } op;
    unsigned node;
    const char *nspace;
    unsigned rank;
    const char *key;   /* NOW: unused */
    const char *value; /* published, or wanted */
    enum nameserv_range range;
    enum nameserv_persist persist;
    int status;  /* wanted; PARKED: no answer yet */
    unsigned of; /* NOW: the result of this earlier step (from 0) is wanted now */
};

static const struct story {
    const char *name;
    struct step steps[MAX_STEPS];
} stories[] = {
    {"publish, look up, unpublish",
     {{LOOK, 1, "b", 0, "k", NULL, 0, 0, ENOENT, 0},
      {PUB, 2, "a", 3, "k", "v", 0, 0, 0, 0},
      {LOOK, 1, "b", 0, "k", "v", 0, 0, 0, 0},
      {LOOK, 0, "a", 0, "k", "v", 0, 0, 0, 0},
      {PUB, 1, "b", 0, "k", "w", 0, 0, EEXIST, 0},
      {UNPUB, 1, "b", 0, "k", NULL, 0, 0, ENOENT, 0}, /* only who published may */
      {UNPUB, 2, "a", 2, "k", NULL, 0, 0, ENOENT, 0},
      {UNPUB, 2, "a", 3, "k", NULL, 0, 0, 0, 0},
      {LOOK, 1, "b", 0, "k", NULL, 0, 0, ENOENT, 0}}},
    {"a lookup waits",
     {{WAIT, 1, "b", 0, "k", NULL, 0, 0, PARKED, 0},
      {WAIT, 0, "c", 0, "k", NULL, 0, 0, PARKED, 0},
      {PUB, 2, "a", 0, "other", "x", 0, 0, 0, 0},
      {NOW, 0, NULL, 0, NULL, NULL, 0, 0, PARKED, 0},
      {PUB, 2, "a", 0, "k", "v", 0, 0, 0, 0},
      {NOW, 0, NULL, 0, NULL, "v", 0, 0, 0, 0},
      {NOW, 0, NULL, 0, NULL, "v", 0, 0, 0, 1}}},
    {"one of those that wait gets what is read once",
     {{WAIT, 1, "b", 0, "k", NULL, 0, 0, PARKED, 0},
      {PUB, 2, "a", 0, "k", "v", 0, NAMESERV_ONCE, 0, 0},
      {NOW, 0, NULL, 0, NULL, "v", 0, 0, 0, 0},
      {LOOK, 1, "b", 0, "k", NULL, 0, 0, ENOENT, 0}}},
    {"who waits and ends is forgotten",
     {{WAIT, 1, "b", 0, "k", NULL, 0, 0, PARKED, 0},
      {TASK_ENDS, 1, "b", 0, NULL, NULL, 0, 0, 0, 0},
      {PUB, 2, "a", 0, "k", "v", 0, NAMESERV_ONCE, 0, 0},
      {NOW, 0, NULL, 0, NULL, NULL, 0, 0, PARKED, 0},
      {LOOK, 1, "c", 0, "k", "v", 0, 0, 0, 0}}},
    {"the range of a job",
     {{PUB, 0, "a", 0, "k", "of a", NAMESERV_JOB, 0, 0, 0},
      {PUB, 0, "b", 0, "k", "of b", NAMESERV_JOB, 0, 0, 0},
      {PUB, 1, "b", 1, "k", "again", NAMESERV_JOB, 0, EEXIST, 0},
      {LOOK, 2, "a", 5, "k", "of a", 0, 0, 0, 0},
      {LOOK, 2, "b", 5, "k", "of b", 0, 0, 0, 0},
      {LOOK, 2, "c", 5, "k", NULL, 0, 0, ENOENT, 0}}},
    {"the range of a node and of a task",
     {{PUB, 1, "a", 0, "n", "v", NAMESERV_NODE, 0, 0, 0},
      {LOOK, 1, "b", 0, "n", "v", 0, 0, 0, 0},
      {LOOK, 2, "a", 1, "n", NULL, 0, 0, ENOENT, 0},
      {PUB, 1, "a", 0, "t", "v", NAMESERV_TASK, 0, 0, 0},
      {LOOK, 1, "a", 0, "t", "v", 0, 0, 0, 0},
      {LOOK, 1, "a", 1, "t", NULL, 0, 0, ENOENT, 0}}},
    {"a lookup within a range",
     {{PUB, 0, "a", 0, "k", "v", 0, 0, 0, 0},
      {LOOK, 0, "a", 1, "k", "v", NAMESERV_JOB, 0, 0, 0},
      {LOOK, 0, "b", 1, "k", NULL, NAMESERV_JOB, 0, ENOENT, 0}}},
    {"names that end with the task",
     {{PUB, 1, "a", 0, "k", "v", 0, NAMESERV_WHILE_TASK, 0, 0},
      {TASK_ENDS, 1, "a", 1, NULL, NULL, 0, 0, 0, 0},
      {LOOK, 2, "b", 0, "k", "v", 0, 0, 0, 0},
      {TASK_ENDS, 1, "a", 0, NULL, NULL, 0, 0, 0, 0},
      {LOOK, 2, "b", 0, "k", NULL, 0, 0, ENOENT, 0}}},
    {"names that end with the job",
     {{PUB, 1, "a", 0, "j", "v", 0, NAMESERV_WHILE_JOB, 0, 0},
      {PUB, 1, "a", 0, "o", "v", 0, NAMESERV_ONCE, 0, 0},
      {PUB, 1, "a", 0, "i", "v", 0, NAMESERV_INSTANCE, 0, 0},
      {TASK_ENDS, 1, "a", 0, NULL, NULL, 0, 0, 0, 0},
      {LOOK, 2, "b", 0, "j", "v", 0, 0, 0, 0},
      {JOB_ENDS, 1, "a", 0, NULL, NULL, 0, 0, 0, 0},
      {LOOK, 2, "b", 0, "j", NULL, 0, 0, ENOENT, 0},
      {LOOK, 2, "b", 0, "o", NULL, 0, 0, ENOENT, 0},
      {LOOK, 2, "b", 0, "i", "v", 0, 0, 0, 0},
      /* nobody is left who could unpublish it: it may be replaced */
      {PUB, 2, "b", 0, "i", "w", 0, 0, 0, 0},
      {LOOK, 2, "b", 0, "i", "w", 0, 0, 0, 0},
      {PUB, 2, "c", 0, "i", "x", 0, 0, EEXIST, 0}}},
};

static void run_step(struct net *net, const struct step *s, struct result *r)
{
    struct nameserv *ns = net->nodes[s->node].ns;
    json_object *data;
    switch (s->op) {
    case PUB:
        data = json_object_new_object();
        json_object_object_add(data, s->key, json_object_new_string(s->value));
        nameserv_publish(ns, s->nspace, s->rank, data, s->range, s->persist, on_result,
                         r);
        break;
    case LOOK:
    case WAIT:
        nameserv_lookup(ns, s->nspace, s->rank, key_list(s->key), s->range, s->op == WAIT,
                        0, on_result, r);
        break;
    case UNPUB:
        nameserv_unpublish(ns, s->nspace, s->rank, key_list(s->key), on_result, r);
        break;
    case TASK_ENDS:
        nameserv_task_ended(ns, s->nspace, s->rank);
        break;
    case JOB_ENDS:
        nameserv_job_ended(ns, s->nspace);
        break;
    default:
        break;
    }
    ck_assert_msg(!r->set, "answered from within the call");
    net_settle(net);
}

START_TEST(test_stories)
{
    for (size_t i = 0; i < ARRAY_SIZE(stories); i++) {
        struct net net;
        struct result results[MAX_STEPS] = {0};
        net_start(&net);
        for (unsigned k = 0; stories[i].steps[k].op != END; k++) {
            const struct step *s = &stories[i].steps[k];
            run_step(&net, s, &results[k]);
            if (s->op == TASK_ENDS || s->op == JOB_ENDS)
                continue;
            const struct result *r = &results[s->op == NOW ? s->of : k];
            int status = r->set ? r->status : PARKED;
            ck_assert_msg(status == s->status, "%s: step %u: status %d, not %d",
                          stories[i].name, k, status, s->status);
            if (s->op != PUB && s->value)
                ck_assert_msg(strcmp(r->value, s->value) == 0,
                              "%s: step %u: '%s', not '%s'", stories[i].name, k, r->value,
                              s->value);
        }
        net_end(&net);
    }
}
END_TEST

/* A spawned job that ended before it had published its port. */
START_TEST(test_close)
{
    struct net net;
    struct result waits = {0}, other = {0}, late = {0}, there = {0}, published = {0};
    json_object *data = json_object_new_object();
    net_start(&net);
    json_object_object_add(data, "port:7:accept", json_object_new_string("v"));
    nameserv_publish(net.nodes[2].ns, "c", 0, data, NAMESERV_ALL, NAMESERV_INSTANCE,
                     on_result, &published);
    nameserv_lookup(net.nodes[1].ns, "a", 0, key_list("port:7:connect"), NAMESERV_ALL, 1,
                    0, on_result, &waits);
    nameserv_lookup(net.nodes[1].ns, "a", 1, key_list("port:8:connect"), NAMESERV_ALL, 1,
                    0, on_result, &other);
    net_settle(&net);
    ck_assert(!waits.set && !other.set);
    for (int i = 0; i < 100; i++) /* more than are remembered */
        nameserv_close(net.nodes[2].ns, i < 99 ? "another" : "port:7:");
    nameserv_close(net.nodes[2].ns, "");
    net_settle(&net);
    ck_assert_int_eq(waits.status, ECONNABORTED);
    ck_assert(!other.set);
    nameserv_lookup(net.nodes[0].ns, "b", 0, key_list("port:7:connect"), NAMESERV_ALL, 1,
                    0, on_result, &late);
    nameserv_lookup(net.nodes[0].ns, "b", 0, key_list("port:7:accept"), NAMESERV_ALL, 1,
                    0, on_result, &there);
    net_settle(&net);
    ck_assert_int_eq(late.status, ECONNABORTED);
    ck_assert_str_eq(there.value, "v");
    net_end(&net);
}
END_TEST

START_TEST(test_timeout)
{
    struct net net;
    struct result r = {0};
    net_start(&net);
    nameserv_lookup(net.nodes[1].ns, "a", 0, key_list("k"), NAMESERV_ALL, 1, 0.01,
                    on_result, &r);
    net_settle(&net);
    ck_assert(!r.set);
    while (!r.set)
        uv_run(&net.loop, UV_RUN_ONCE);
    ck_assert_int_eq(r.status, ETIMEDOUT);
    net_end(&net);
}
END_TEST

/* What does not make sense is answered, or dropped, and harms nothing. */
START_TEST(test_rejects)
{
    static const char *const messages[] = {
        "{}",
        "{\"pmi\":\"ns\"}",
        "{\"pmi\":\"ns\",\"op\":\"publish\"}",
        "{\"pmi\":\"ns\",\"op\":\"publish\",\"from\":1,\"nspace\":\"a\",\"data\":[]}",
        "{\"pmi\":\"ns\",\"op\":\"lookup\",\"from\":1,\"nspace\":\"a\",\"keys\":{}}",
        "{\"pmi\":\"ns\",\"op\":\"lookup\",\"from\":1,\"nspace\":\"a\"}",
        "{\"pmi\":\"ns\",\"op\":\"lookup\",\"from\":1,\"nspace\":\"a\",\"keys\":[1,null],"
        "\"need\":9}",
        "{\"pmi\":\"ns\",\"op\":\"lookup\",\"from\":1,\"nspace\":\"a\",\"keys\":[1,null],"
        "\"need\":-1}",
        "{\"pmi\":\"ns\",\"op\":\"lookup\",\"from\":-5,\"nspace\":\"a\",\"keys\":[]}",
        "{\"pmi\":\"ns\",\"op\":\"unpublish\",\"from\":1,\"nspace\":\"a\",\"keys\":3}",
        "{\"pmi\":\"ns\",\"op\":\"reply\",\"token\":99,\"status\":0}",
        "{\"pmi\":\"ns\",\"op\":\"dance\",\"from\":1,\"nspace\":\"a\"}",
        "{\"pmi\":\"end\",\"from\":1}",
        "{\"pmi\":\"ns\",\"op\":\"close\",\"from\":1}",
        "{\"pmi\":\"ns\",\"op\":\"close\",\"from\":1,\"prefix\":7}",
    };
    struct net net;
    struct result r = {0};
    net_start(&net);
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        cleanup_json json_object *msg = json_tokener_parse(messages[i]);
        ck_assert_ptr_nonnull(msg);
        nameserv_deliver(net.nodes[0].ns, msg);
        net_settle(&net);
    }
    nameserv_lookup(net.nodes[0].ns, "a", 0, key_list("k"), NAMESERV_ALL, 0, 0, on_result,
                    &r);
    net_settle(&net);
    ck_assert_int_eq(r.status, ENOENT);
    net_end(&net);
}
END_TEST

/* --- spawn */

struct spawned {
    unsigned calls;
    int status;
    char nspace[64], error[128];
};

static void on_spawned(int status, uint64_t id, const char *nspace, const char *error,
                       void *arg)
{
    struct spawned *r = arg;
    (void)id;
    r->calls++;
    r->status = status;
    snprintf(r->nspace, sizeof(r->nspace), "%s", nspace ? nspace : "");
    snprintf(r->error, sizeof(r->error), "%s", error ? error : "");
}

static uint64_t request(struct net *net, double timeout, struct spawned *r)
{
    spawner_request(net->nodes[2].spawner, 7, "hbatch.x.7", 1, json_object_new_array(),
                    NULL, timeout, on_spawned, r);
    ck_assert_str_eq(
        json_object_get_string(json_object_object_get(net->to_leader, "pmi")), "spawn");
    ck_assert_int_eq(json_object_get_int(json_object_object_get(net->to_leader, "from")),
                     2);
    ck_assert_int_eq(
        json_object_get_int(json_object_object_get(net->to_leader, "parent")), 7);
    return json_object_get_uint64(json_object_object_get(net->to_leader, "token"));
}

static void spawn_answer(struct net *net, const char *fmt, uint64_t token)
{
    cleanup_free char *text = xasprintf(fmt, (unsigned long long)token);
    cleanup_json json_object *msg = json_tokener_parse(text);
    spawner_deliver(net->nodes[2].spawner, msg);
}

START_TEST(test_spawn)
{
    struct net net;
    struct spawned first = {0}, second = {0}, late = {0}, dropped = {0};
    net_start(&net);
    uint64_t a = request(&net, 0, &first), b = request(&net, 0, &second);
    spawn_answer(
        &net, "{\"pmi\":\"spawned\",\"token\":%llu,\"status\":2,\"error\":\"no such\"}",
        b);
    ck_assert_int_eq(second.status, ENOENT);
    ck_assert_str_eq(second.error, "no such");
    ck_assert_uint_eq(first.calls, 0);
    spawn_answer(&net, "{\"pmi\":\"spawned\",\"token\":%llu,\"status\":0,\"id\":12}", a);
    ck_assert_int_eq(first.status, 0);
    ck_assert_str_eq(first.nspace, "hbatch.x.12");
    spawn_answer(&net, "{\"pmi\":\"spawned\",\"token\":%llu,\"status\":0,\"id\":12}", a);
    ck_assert_uint_eq(first.calls, 1);

    request(&net, 0.01, &late);
    while (late.calls == 0)
        uv_run(&net.loop, UV_RUN_ONCE);
    ck_assert_int_eq(late.status, ETIMEDOUT);
    ck_assert_str_eq(json_object_get_string(json_object_object_get(net.to_leader, "pmi")),
                     "unspawn");

    uint64_t d = request(&net, 0, &dropped);
    spawner_job_ended(net.nodes[2].spawner, "hbatch.x.7");
    spawn_answer(&net, "{\"pmi\":\"spawned\",\"token\":%llu,\"status\":0,\"id\":12}", d);
    ck_assert_uint_eq(dropped.calls, 0);
    net_end(&net);
}
END_TEST

UNIT_MAIN("nameserv", test_stories, test_close, test_timeout, test_rejects, test_spawn)
