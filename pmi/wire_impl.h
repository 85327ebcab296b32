/* SPDX-License-Identifier: BSD-3-Clause */
/* wire_impl: what wire.c, wire_ops.c, pmi1.c and pmi2.c share. */
#ifndef HBATCH_PMI_WIRE_IMPL_H
#define HBATCH_PMI_WIRE_IMPL_H

#include <stdarg.h>
#include <uv.h>
#include "pmi/kvs.h"
#include "pmi/wire.h"
#include "src/common/strbuf.h"

/* What clients are told, and reserve room for; with them a PMI-1 "put" fits the line of 1024
 * bytes of MPICH's simple client, which takes from the value what is missing. */
enum { WIRE_NAME_MAX = 64, WIRE_KEY_MAX = 64, WIRE_VALUE_MAX = 1024 };

enum wire_op { /* operations that are answered later */
               WIRE_BARRIER,
               WIRE_PUBLISH,
               WIRE_LOOKUP,
               WIRE_UNPUBLISH,
               WIRE_SPAWN,
               WIRE_NODEATTR,
};

enum conn_state {
    CONN_NEW,       /* nothing was said */
    CONN_STARTED,   /* the version is agreed; PMI-2: fullinit is to come */
    CONN_READY,     /* anything may come */
    CONN_FINALIZED, /* only the end may come */
};

/* The answer to OP: STATUS 0 and VALUE (a port, a job, an attribute), or an errno value and
 * WHY, a phrase. TOKEN is what the protocol gave with the request. */
struct wire_answer {
    enum wire_op op;
    const char *token;
    int status;
    const char *value;
    size_t len;
    const char *why;
};

struct conn;

struct wire_protocol {
    const char *name;
    /* Take one message from the LEN > 0 bytes of DATA (which may be changed): the number of
     * bytes used, or 0 when more are needed first. */
    size_t (*consume)(struct conn *c, char *data, size_t len);
    void (*answer)(struct conn *c, const struct wire_answer *a);
};

extern const struct wire_protocol wire_pmi1, wire_pmi2;

struct conn { /* the socket of one local task */
    struct wire_job *job;
    unsigned rank;
    pid_t pid;
    int fd;          /* -1: closed */
    uv_poll_t *poll; /* NULL: closed */
    enum conn_state state;
    const struct wire_protocol *protocol;
    struct strbuf in, out;
    bool gone;          /* cannot join a barrier any more */
    bool in_barrier;    /* waits for one */
    char *token;        /* of the barrier */
    unsigned pending;   /* operations not answered yet */
    double left;        /* closed without finalize at this time, to be told; 0: no */
    struct strbuf mcmd; /* PMI-1: spawn commands so far */
};

struct attr_wait { /* PMI-2 info-getnodeattr with wait */
    struct attr_wait *next;
    struct conn *c;
    char *key, *token;
};

struct wire_job {
    struct wire *wire;
    struct wire_job *next;
    uint64_t id;
    char *nspace, *parent_nspace, *key; /* KEY: of the exchange */
    unsigned size, nnodes, universe_size;
    unsigned *node_ranks;       /* [nnodes] */
    unsigned napps, *app_sizes; /* [napps] */
    unsigned nlocal, *ranks;    /* [nlocal], ascending */
    struct conn **conns;        /* [nlocal], NULL: not prepared yet */
    struct kvs *kvs, *attrs;    /* of the job, of the job on this node */
    struct attr_wait *attr_waits;
    unsigned waiting; /* tasks in the barrier */
    bool exchanging;  /* this node's part of the barrier was given */
    int broken;       /* no barrier can succeed any more: errno value */
    char *why;
};

struct wire_request { /* asked of the name service or the spawner */
    struct wire_request *next, **prev;
    struct wire *wire;
    struct conn *c;
    enum wire_op op;
    char *token, *key;
};

struct wire {
    struct pmi_config config;
    struct exchange *x;
    struct nameserv *ns;
    struct spawner *spawner;
    struct wire_job *jobs;
    struct wire_request *requests;
    uv_timer_t *timer; /* tells of tasks that closed their socket and live on */
};

/* --- wire.c */
void conn_send(struct conn *c, const char *data, size_t len);
void conn_close(struct conn *c);
void conn_finalized(struct conn *c); /* the task said so; no more barriers */
/* The task broke the protocol: close, end the job with this sentence on its stderr. */
void conn_error(struct conn *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* A line on the job's stderr. */
void conn_log(struct conn *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void conn_answer(struct conn *c, const struct wire_answer *a); /* one pending less */
struct wire_job *wire_job_find(struct wire *wire, const char *nspace);
unsigned conn_appnum(const struct conn *c);

/* --- wire_ops.c: what both protocols can ask for; TOKEN is copied and may be NULL */
void op_barrier(struct conn *c, const char *token);
/* C cannot join a barrier any more, since it WHAT ("has ended"); QUIET: the user knows. */
void op_gone(struct conn *c, const char *what, bool quiet);
void op_abort(struct conn *c, int status, const char *text); /* TEXT may be NULL */
void op_publish(struct conn *c, const char *token, const char *name, const char *port,
                size_t len);
void op_lookup(struct conn *c, const char *token, const char *name);
void op_unpublish(struct conn *c, const char *token, const char *name);
/* APPS is an array as in pmi.h (taken over), INFO an object or NULL (taken over). */
void op_spawn(struct conn *c, const char *token, json_object *apps, json_object *info);
/* Note what an info key of a spawned APP asks for; INFO is of the whole request. */
void op_spawn_info(json_object *app, json_object *info, const char *key,
                   const char *value);
void op_put_attr(struct conn *c, const char *key, const char *value, size_t len);
void op_get_attr(struct conn *c, const char *token, const char *key, bool wait);
void op_conn_freed(struct conn *c); /* forget it in what waits */
void op_job_ended(struct wire_job *job);
void op_destroy(struct wire *wire);

#endif
