/* SPDX-License-Identifier: BSD-3-Clause */
/* wirenet: nodes with PMI wire servers in one process and one loop, for the unit tests: task
 * sockets are read and written by the test, spawn requests are answered by it. */
#ifndef HBATCH_TESTS_WIRENET_H
#define HBATCH_TESTS_WIRENET_H

#include "pmi/wire.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NET_NODES = 3, NET_TASKS = 8, NET_QUEUE = 1024 };

struct net;
struct net_node {
    struct net *net;
    unsigned rank;
    struct exchange *x;
    struct nameserv *ns;
    struct spawner *spawner;
    struct wire *wire;
    struct wire_job *job;
};

struct net {
    uv_loop_t loop;
    struct net_node nodes[NET_NODES];
    unsigned nnodes, size;
    unsigned task_node[NET_TASKS];
    int fd[NET_TASKS]; /* the task's end, -1: closed */
    struct strbuf env[NET_TASKS];
    struct {
        int to;
        json_object *msg;
    } queue[NET_QUEUE];
    unsigned head, tail;
    json_object *spawn; /* the last request */
    bool no_spawn;      /* leave it unanswered */
    /* what the ops were told */
    struct strbuf log;
    unsigned aborts, abort_task;
    int abort_status;
    char abort_text[512];
};

static void net_send(void *arg, int rank, json_object *msg)
{
    struct net *net = ((struct net_node *)arg)->net;
    ck_assert_uint_lt(net->tail, NET_QUEUE);
    net->queue[net->tail].to = rank;
    net->queue[net->tail++].msg = msg;
}

static void net_abort(void *arg, uint64_t id, unsigned task, int status, const char *text)
{
    struct net *net = ((struct net_node *)arg)->net;
    ck_assert_uint_eq(id, 7);
    net->aborts++;
    net->abort_task = task;
    net->abort_status = status;
    snprintf(net->abort_text, sizeof(net->abort_text), "%s", text);
}

static void net_log(void *arg, uint64_t id, unsigned task, int stream, const char *text,
                    size_t len)
{
    struct net *net = ((struct net_node *)arg)->net;
    ck_assert_uint_eq(id, 7);
    ck_assert_uint_lt(task, net->size);
    ck_assert_int_eq(stream, 2);
    strbuf_addn(&net->log, text, len);
}

static const struct pmi_ops net_ops = {
    .send = net_send, .abort = net_abort, .log = net_log};

static void net_env(void *arg, char *kv)
{
    strbuf_addf(arg, "%s\n", kv);
    free(kv);
}

/* SIZE tasks, round robin over NNODES nodes; CHILD: the job was spawned, with a preput. */
static struct net *net_create(unsigned nnodes, unsigned size, bool child)
{
    static const unsigned ranks[NET_NODES] = {0, 1, 2};
    static const char *const hosts[NET_NODES] = {"n0", "n1", "n2"};
    struct net *net = xcalloc(1, sizeof(*net));
    uv_loop_init(&net->loop);
    net->nnodes = nnodes;
    net->size = size;
    for (unsigned i = 0; i < size; i++)
        net->task_node[i] = i % nnodes;
    unsigned app_sizes[2] = {1, size - 1};
    cleanup_json json_object *preput = json_tokener_parse("{\"PARENT\":\"port 1\"}");
    for (unsigned i = 0; i < nnodes; i++) {
        struct net_node *node = &net->nodes[i];
        *node = (struct net_node){.net = net, .rank = i};
        node->x = exchange_create(&net->loop, i, net_send, node);
        node->ns = nameserv_create(&net->loop, i, net_send, node);
        node->spawner = spawner_create(&net->loop, i, net_send, node);
        struct pmi_config config = {
            .loop = &net->loop, .rank = i, .size = nnodes, .ops = &net_ops, .arg = node};
        node->wire = wire_create(&config, node->x, node->ns, node->spawner);
        struct pmi_job_spec spec = {.id = 7,
                                    .nspace = "hbatch.t.7",
                                    .size = size,
                                    .nnodes = nnodes,
                                    .hosts = hosts,
                                    .node_ranks = ranks,
                                    .task_node = net->task_node,
                                    .node = i,
                                    .taskmap_pmi = "(vector,(0,2,1))",
                                    .universe_size = 16,
                                    .napps = size > 1 ? 2 : 1,
                                    .app_sizes = size > 1 ? app_sizes : NULL,
                                    .parent_nspace = child ? "hbatch.t.1" : NULL,
                                    .preput = child ? preput : NULL,
                                    .kinds = PMI_WIRE};
        node->job = wire_job_create(node->wire, &spec, NULL);
        ck_assert_ptr_nonnull(node->job);
    }
    for (unsigned i = 0; i < size; i++) {
        ck_assert_int_eq(wire_task_prepare(net->nodes[i % nnodes].job, i, net_env,
                                           &net->env[i], &net->fd[i], NULL),
                         0);
        wire_task_started(net->nodes[i % nnodes].job, i, getpid());
    }
    return net;
}

static void net_step(struct net *net)
{
    while (net->head < net->tail) {
        cleanup_json json_object *msg = net->queue[net->head].msg;
        int to = net->queue[net->head++].to;
        const char *kind = json_object_get_string(json_object_object_get(msg, "pmi"));
        if (to < 0 && strcmp(kind, "spawn") == 0) {
            json_object_put(net->spawn);
            net->spawn = json_object_get(msg);
            if (net->no_spawn)
                continue;
            json_object *answer = json_object_new_object();
            json_object_object_add(answer, "token",
                                   json_object_get(json_object_object_get(msg, "token")));
            json_object *app =
                json_object_array_get_idx(json_object_object_get(msg, "apps"), 0);
            const char *exe = json_object_get_string(
                json_object_array_get_idx(json_object_object_get(app, "argv"), 0));
            bool bad = strcmp(exe, "./missing") == 0;
            json_object_object_add(answer, "status",
                                   json_object_new_int(bad ? ENOENT : 0));
            json_object_object_add(answer, "error",
                                   json_object_new_string("./missing: no such program"));
            json_object_object_add(answer, "id", json_object_new_int64(8));
            spawner_deliver(net->nodes[0].spawner, answer);
            json_object_put(answer);
        } else if (strcmp(kind, "x") == 0)
            exchange_deliver(net->nodes[to].x, msg);
        else if (to >= 0)
            nameserv_deliver(net->nodes[to].ns, msg);
    }
}

/* Run until nothing is left to do. */
static void net_run(struct net *net)
{
    for (int idle = 0; idle < 3; idle++) {
        unsigned before = net->tail;
        uv_run(&net->loop, UV_RUN_NOWAIT);
        net_step(net);
        if (net->tail != before)
            idle = 0;
    }
}

static void net_write(struct net *net, unsigned task, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(net->fd[task], text, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno != EAGAIN)
            return; /* the server closed it */
        if (n > 0) {
            text += n;
            len -= (size_t)n;
        }
        uv_run(&net->loop, UV_RUN_NOWAIT);
    }
}

/* What the server said since the last time, in a static buffer. */
static const char *net_read(struct net *net, unsigned task)
{
    static char text[1 << 16];
    ssize_t n = recv(net->fd[task], text, sizeof(text) - 1, MSG_DONTWAIT);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

static inline void net_close(struct net *net, unsigned task)
{
    close(net->fd[task]);
    net->fd[task] = -1;
}

static void net_destroy(struct net *net)
{
    for (unsigned i = 0; i < net->size; i++) {
        if (net->fd[i] >= 0)
            close(net->fd[i]);
        free(net->env[i].s);
    }
    for (unsigned i = 0; i < net->nnodes; i++) {
        wire_job_destroy(net->nodes[i].job);
        net_run(net);
    }
    for (unsigned i = 0; i < net->nnodes; i++) {
        wire_destroy(net->nodes[i].wire);
        exchange_destroy(net->nodes[i].x);
        nameserv_destroy(net->nodes[i].ns);
        spawner_destroy(net->nodes[i].spawner);
    }
    uv_run(&net->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&net->loop), 0);
    while (net->head < net->tail)
        json_object_put(net->queue[net->head++].msg);
    json_object_put(net->spawn);
    free(net->log.s);
    free(net);
}

/* A scripted conversation: WANT NULL: read nothing yet; "": nothing must have come. */
struct line {
    unsigned task;
    const char *say, *want;
};

#define LAST                                                                             \
    {                                                                                    \
        0, NULL, NULL                                                                    \
    }

#endif
