/* SPDX-License-Identifier: BSD-3-Clause */
/* pmixd_impl: what the files of the PMIx server share.  Everything runs on the loop's
 * thread, except the functions of struct pmix_server_module_t (named up_*), which only copy
 * their arguments into a struct call and queue it. */
#ifndef HBATCH_PMI_PMIXD_IMPL_H
#define HBATCH_PMI_PMIXD_IMPL_H

#include <hwloc/bitmap.h>
#include <pmix_server.h>
#include "pmi/pmixd.h"

struct call;
typedef void (*call_f)(struct pmixd *d, struct call *c);

/* A call of the library, or an answer to one of ours, on its way to the loop's thread. */
struct call {
    struct call *next;
    struct call **pprev; /* in pmixd.calls, once it is the loop's */
    call_f handle;       /* owns the call: frees it with call_free, at once or later */
    pmix_proc_t proc;
    pmix_proc_t *procs;
    size_t nprocs;
    pmix_info_t *info;
    size_t ninfo;
    pmix_info_t *dirs;
    size_t ndirs;
    char **keys; /* NULL terminated, or NULL */
    char *text;
    char *data;
    size_t ndata;
    int status; /* pmix_status_t or another number */
    int op;
    union { /* how to answer */
        pmix_op_cbfunc_t done;
        pmix_modex_cbfunc_t modex;
        pmix_lookup_cbfunc_t lookup;
        pmix_spawn_cbfunc_t spawn;
        pmix_info_cbfunc_t info;
    } cb;
    void *cbdata;
    void *ours;        /* of the handler */
    json_object *json; /* of the handler; put by call_free */
};

enum task_state { TASK_NEW, TASK_CONNECTED, TASK_FINALIZED, TASK_ENDED };

struct local_task {
    unsigned rank;
    pid_t pid; /* 0: not started or ended */
    enum task_state state;
};

/* A job this server knows: one with tasks here (local), or one of other nodes that a local
 * task has to do with (foreign). */
struct pmixd_job {
    struct pmixd_job *next;
    struct pmixd *d;
    char *nspace;
    uint64_t id;
    uint64_t
        serial; /* local: order of creation; foreign: that of the newest job at its last use */
    bool local;
    bool ending;
    unsigned size, nnodes, node, universe, napps;
    char **hosts;
    unsigned *node_ranks, *task_node;
    unsigned *app_sizes; /* [napps] */
    char **app_cmds;     /* [napps] or NULL */
    char **cpusets;      /* [size] or NULL */
    char *tmpdir;        /* NULL: foreign */
    uint64_t parent_id;
    char *parent_nspace;
    unsigned parent_rank;
    struct local_task *tasks; /* [ntasks], ascending */
    unsigned ntasks;
    hwloc_bitmap_t gone; /* tasks that died without finalizing */
    hwloc_bitmap_t tell; /* at the job's first node: tasks whose death is to be told */
    hwloc_bitmap_t
        askers; /* at the node that answers for the job: executors that use its map */
};

struct infos;
struct coll;  /* pmixd_fence.c */
struct modex; /* pmixd_modex.c */
struct ack;   /* pmixd_ack.c */
struct leaving;
struct topo; /* pmixd_topo.c */
struct want; /* pmixd_map.c */

struct pmixd {
    const struct pmi_config *config;
    struct exchange *x;
    struct nameserv *ns;
    struct spawner *spawner;
    uv_async_t wake;
    uv_timer_t tell; /* deaths are told in batches */
    uv_mutex_t lock;
    struct call *head, **tail; /* queued by the library's thread, under the lock */
    struct call *calls;        /* handled, not answered yet */
    bool started;
    unsigned closing;
    struct pmixd_job *jobs;
    uint64_t serial;
    struct coll *colls;
    uint64_t groups; /* counts group context ids */
    struct modex *modexes;
    uint64_t tokens;
    struct want *wants;
    struct ack *ack;
    struct topo *topo;
    struct leaving *leaving; /* pmixd_leave.c */
    bool new_clients;        /* in this turn */
    unsigned env_missing;    /* pmixd_env.c: hardware this node lacks, once looked for */
    pmix_proc_t self;
};

/* --- pmixd_server.c */
struct call *call_new(call_f handle); /* on any thread */
void call_push(struct call *c);       /* on any thread */
void call_free(struct call *c);
void call_procs(struct call *c, const pmix_proc_t *procs, size_t n);
void call_info(struct call *c, const pmix_info_t *info, size_t n);
void call_dirs(struct call *c, const pmix_info_t *info, size_t n);
void call_keys(struct call *c, char **keys);
void call_data(struct call *c, const char *data, size_t n);
/* Answer with c->cb.done, and free it. */
void call_done(struct call *c, pmix_status_t status);
/* A callback for calls of ours whose end does not matter. */
void pmixd_ignore(pmix_status_t status, void *cbdata);
/* Send MSG (taken over) to the executor of RANK. */
void pmixd_send(struct pmixd *d, unsigned rank, json_object *msg);
void pmixd_trace(struct pmixd *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* --- pmixd_nspace.c */
struct pmixd_job *pmixd_job_find(struct pmixd *d, const char *nspace);
struct local_task *pmixd_task_find(struct pmixd_job *job, unsigned rank);
/* Register a job with the library and link it; a foreign one has no task here. */
int pmixd_job_register(struct pmixd_job *job, struct error *err);
void pmixd_job_free(struct pmixd_job *job);    /* unlinks it, deregisters it */
void pmixd_job_discard(struct pmixd_job *job); /* one that is not registered */
/* Executors that have tasks of PROCS, ascending: *RANKS (the caller frees); the number, or 0
 * when one of the namespaces is not known or a rank is out of range. */
unsigned pmixd_nodes(struct pmixd *d, const pmix_proc_t *procs, size_t nprocs,
                     unsigned **ranks);

/* --- pmixd_map.c */
typedef void (*pmixd_known_f)(struct pmixd *d, bool all, void *arg);
/* Make the namespaces of PROCS known, then call F (possibly at once): ALL is false when one
 * of them does not exist. */
void pmixd_know(struct pmixd *d, const pmix_proc_t *procs, size_t nprocs, pmixd_known_f f,
                void *arg);
void pmixd_map_deliver(struct pmixd *d, json_object *msg);
void pmixd_map_destroy(struct pmixd *d);

/* --- pmixd_fence.c */
pmix_status_t up_fence(const pmix_proc_t procs[], size_t nprocs, const pmix_info_t info[],
                       size_t ninfo, char *data, size_t ndata, pmix_modex_cbfunc_t cb,
                       void *cbdata);
pmix_status_t up_connect(const pmix_proc_t procs[], size_t nprocs,
                         const pmix_info_t info[], size_t ninfo, pmix_op_cbfunc_t cb,
                         void *cbdata);
pmix_status_t up_disconnect(const pmix_proc_t procs[], size_t nprocs,
                            const pmix_info_t info[], size_t ninfo, pmix_op_cbfunc_t cb,
                            void *cbdata);
pmix_status_t up_group(pmix_group_operation_t op, char grp[], const pmix_proc_t procs[],
                       size_t nprocs, const pmix_info_t directives[], size_t ndirs,
                       pmix_info_cbfunc_t cb, void *cbdata);
/* Fail the collectives in which dead tasks of JOB take part (ALL: in which any does). */
void pmixd_fence_gone(struct pmixd *d, struct pmixd_job *job, bool all);
void pmixd_fence_destroy(struct pmixd *d);

/* --- pmixd_modex.c */
pmix_status_t up_modex(const pmix_proc_t *proc, const pmix_info_t info[], size_t ninfo,
                       pmix_modex_cbfunc_t cb, void *cbdata);
void pmixd_modex_deliver(struct pmixd *d, json_object *msg);
void pmixd_modex_gone(struct pmixd *d, const char *nspace, int rank); /* -1: all */
void pmixd_modex_destroy(struct pmixd *d);

/* --- pmixd_names.c */
pmix_status_t up_publish(const pmix_proc_t *proc, const pmix_info_t info[], size_t ninfo,
                         pmix_op_cbfunc_t cb, void *cbdata);
pmix_status_t up_lookup(const pmix_proc_t *proc, char **keys, const pmix_info_t info[],
                        size_t ninfo, pmix_lookup_cbfunc_t cb, void *cbdata);
pmix_status_t up_unpublish(const pmix_proc_t *proc, char **keys, const pmix_info_t info[],
                           size_t ninfo, pmix_op_cbfunc_t cb, void *cbdata);

/* --- pmixd_spawn.c */
pmix_status_t up_spawn(const pmix_proc_t *proc, const pmix_info_t job_info[],
                       size_t ninfo, const pmix_app_t apps[], size_t napps,
                       pmix_spawn_cbfunc_t cb, void *cbdata);
pmix_status_t up_abort(const pmix_proc_t *proc, void *object, int status,
                       const char msg[], pmix_proc_t procs[], size_t nprocs,
                       pmix_op_cbfunc_t cb, void *cbdata);

/* --- pmixd_events.c */
pmix_status_t up_register_events(pmix_status_t *codes, size_t ncodes,
                                 const pmix_info_t info[], size_t ninfo,
                                 pmix_op_cbfunc_t cb, void *cbdata);
pmix_status_t up_deregister_events(pmix_status_t *codes, size_t ncodes,
                                   pmix_op_cbfunc_t cb, void *cbdata);
pmix_status_t up_notify(pmix_status_t code, const pmix_proc_t *source,
                        pmix_data_range_t range, pmix_info_t info[], size_t ninfo,
                        pmix_op_cbfunc_t cb, void *cbdata);
void pmixd_event_deliver(struct pmixd *d, json_object *msg);
/* A local task died: tell those who may be waiting for it. */
void pmixd_gone(struct pmixd_job *job, unsigned rank);
/* The job leaves this node: tell what is still to be told. */
void pmixd_gone_flush(struct pmixd_job *job, bool ended);
void pmixd_gone_deliver(struct pmixd *d, json_object *msg);
void pmixd_gone_timer(uv_timer_t *timer);

/* --- pmixd_query.c */
pmix_status_t up_query(pmix_proc_t *proc, pmix_query_t *queries, size_t nqueries,
                       pmix_info_cbfunc_t cb, void *cbdata);
void up_log(const pmix_proc_t *client, const pmix_info_t data[], size_t ndata,
            const pmix_info_t directives[], size_t ndirs, pmix_op_cbfunc_t cb,
            void *cbdata);

/* --- pmixd_control.c */
pmix_status_t up_control(const pmix_proc_t *requestor, const pmix_proc_t targets[],
                         size_t ntargets, const pmix_info_t directives[], size_t ndirs,
                         pmix_info_cbfunc_t cb, void *cbdata);
void pmixd_signal_deliver(struct pmixd *d, json_object *msg);

/* --- pmixd_value.c */
/* A growing array of infos. */
struct infos {
    pmix_info_t *v;
    size_t n, size;
};
void infos_add(struct infos *l, const char *key, const void *value,
               pmix_data_type_t type);
void infos_u32(struct infos *l, const char *key, uint32_t value);
/* Add SUB as the array KEY, and empty it. */
void infos_array(struct infos *l, const char *key, struct infos *sub);
void infos_free(struct infos *l);
/* For answers: ARG is a struct infos from the heap, which the library has read. */
void pmixd_infos_release(void *arg);
/* The info KEY of V, or NULL. */
const pmix_info_t *info_find(const pmix_info_t *v, size_t n, const char *key);
/* Its value as a number or truth, DEFLT where it is absent or no number. */
double info_number(const pmix_info_t *v, size_t n, const char *key, double deflt);
bool info_true(const pmix_info_t *v, size_t n, const char *key);
/* A value as text where it has one (strings, numbers, truth values): new, or NULL. */
char *value_text(const pmix_value_t *v);
/* A value as JSON (strings as they are, others packed) and back; NULL, -1 when it can't be. */
json_object *value_to_json(const pmix_value_t *v);
int value_from_json(json_object *o, pmix_value_t *v);
/* Infos packed into base64 text and back (PMIX_INFO_FREE them). */
json_object *infos_to_json(pmix_info_t *v, size_t n);
int infos_from_json(json_object *o, pmix_info_t **v, size_t *n);
pmix_status_t status_from_errno(int e);

/* --- pmixd_ack.c */
/* URI: a server URI of a client's environment. Once. */
void pmixd_ack_start(struct pmixd *d, const char *uri);
void pmixd_ack_clients(struct pmixd *d); /* clients have connected */
void pmixd_ack_destroy(struct pmixd *d);

/* --- pmixd_topo.c */
void pmixd_topo_start(struct pmixd *d, struct infos *l); /* infos of PMIx_server_init */
void pmixd_topo_job(struct pmixd *d, struct infos *l);   /* infos of a local job */
void pmixd_topo_destroy(struct pmixd *d);                /* after the library's end */

/* --- pmixd_leave.c */
/* Answer C, a client's "finalized", once the processes of task PID are quiet. */
void pmixd_leave(struct pmixd *d, struct call *c, pid_t pid);
void pmixd_leave_destroy(struct pmixd *d);

/* --- pmixd_env.c */
/* Has this node an adapter that MPI's matching transports can use? Looked for once. */
bool pmixd_has_fabric(struct pmixd *d);
/* Append to the environment what spares Open MPI from looking for what this node lacks. */
void pmixd_env(struct pmixd *d, const struct pmixd_job *job,
               void (*envadd)(void *arg, char *kv), void *arg);

#endif
