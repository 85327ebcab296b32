/* SPDX-License-Identifier: BSD-3-Clause */
/* hbatch-instance: one rank of an instance: pools its node with the others, serves clients, and
 * carries messages between the leader and its executor.  Rank 0 is the leader, too. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/orphans.h"
#include "src/common/path.h"
#include "src/common/room.h"
#include "src/common/program.h"
#include "src/common/util.h"
#include "src/instance/checks.h"
#include "src/instance/execlink.h"
#include "src/instance/leader.h"
#include "src/instance/node.h"
#include "src/instance/options.h"
#include "src/instance/router.h"
#include "src/instance/surroundings.h"
#include "src/job/jsonutil.h"

/* Exit code: the time limit came before the program had ended (as timeout(1) says it). */
#define EXIT_EXPIRED 124

struct instance {
    struct options options;
    uv_loop_t loop;
    uv_signal_t signals[4];
    unsigned rank, size;
    bool by_mpirun; /* or mpiexec; not by srun, nor alone */
    bool by_srun;
    char *rundir;
    bool own_rundir;
    char *uri;
    json_object *info;           /* instance.info's result */
    json_object **nodes;         /* [size] */
    struct transport *transport; /* NULL: one rank */
    struct execlink *exec;
    struct server *server;
    struct leader *leader;   /* rank 0 */
    struct replica *replica; /* other ranks: the leader's tables */
    struct router *router;
    pid_t program;    /* 0: none (yet, or any more) */
    int status;       /* exit code */
    bool told_to_end; /* the program was, and did not end by itself */
    bool exec_gone;
    uv_timer_t patience; /* with a program that was told to end */
    bool leaving;
    bool agreed; /* all ranks know why they cannot go on */
};

static void find_rank(struct instance *in)
{
    struct launched l = surroundings_launcher();
    in->rank = l.rank;
    in->size = l.size;
    in->by_mpirun = l.launched && !l.by_srun;
    in->by_srun = l.by_srun;
}

static int make_rundir(struct instance *in, struct error *err)
{
    if (!in->options.rundir) {
        if (room_check_tmpdir(err) < 0)
            return -1;
        in->rundir = path_make_tmpdir("hbatch-", err);
        in->own_rundir = true;
        return in->rundir ? 0 : -1;
    }
    if (in->options.supervised) {
        if (path_make_private(in->options.rundir, err) < 0)
            return error_prefix(err, "run directory");
    } else if (mkdir(in->options.rundir, 0700) < 0 && errno != EEXIST)
        return error_set(err, errno, "cannot make the run directory %s: %s",
                         in->options.rundir, strerror(errno));
    in->rundir = realpath(in->options.rundir, NULL);
    if (!in->rundir)
        return error_set(err, errno, "run directory %s: %s", in->options.rundir,
                         strerror(errno));
    return checks_rundir(in->rundir, err);
}

/* All ranks come to the same verdict, which the leader tells. */
static int agree(struct instance *in, struct error *err)
{
    if (checks_nodes(in->nodes, in->size, in->by_srun, err) == 0)
        return 0;
    in->agreed = true;
    return -1;
}

/* Collectives: each rank's node to all, the leader's description of the instance to all. */
static int pool_nodes(struct instance *in, json_object *node, struct error *err)
{
    in->nodes = xcalloc(in->size, sizeof(*in->nodes));
    if (!in->transport) {
        in->nodes[0] = node;
        return agree(in, err);
    }
    char now[32];
    char **all = transport_allgather(in->transport, json_object_to_json_string(node));
    snprintf(now, sizeof(now), "%.6f", time_now()); /* all come out of it together */
    json_object_put(node);
    for (unsigned i = 0; i < in->size; i++)
        in->nodes[i] = json_tokener_parse(all[i]);
    transport_free_all(all);
    if (agree(in, err) < 0)
        return -1;
    all = transport_allgather(in->transport, now);
    checks_set_clocks(in->nodes, in->size, 0, all);
    transport_free_all(all);
    time_correct(checks_clock(in->nodes[in->rank]));
    cleanup_free char *skew = in->rank == 0 ? checks_skew(in->nodes, in->size, 0) : NULL;
    if (skew)
        log_warning("%s", skew);
    return 0;
}

static void add_str(json_object *o, const char *key, const char *s)
{
    if (s)
        json_object_object_add(o, key, json_object_new_string(s));
}

static json_object *describe(const struct instance *in)
{
    char host[256] = "localhost", id[64];
    gethostname(host, sizeof(host) - 1);
    double now = time_now();
    snprintf(id, sizeof(id), "%llx%x", (unsigned long long)(now * 1000),
             (unsigned)getpid());
    json_object *o = json_object_new_object();
    add_str(o, "instance", id);
    json_object_object_add(o, "level", json_object_new_int(0));
    json_object_object_add(o, "size", json_object_new_int64(in->size));
    add_str(o, "uri", in->uri);
    add_str(o, "rundir", in->rundir);
    add_str(o, "version", VERSION);
    json_object_object_add(o, "owner", json_object_new_int64(geteuid()));
    add_str(o, "hostname", host);
    json_object_object_add(o, "pid", json_object_new_int64(getpid()));
    json_object_object_add(o, "starttime", json_object_new_double(now));
    surroundings_describe(&in->options, o, now);
    add_str(o, "mpi", in->transport ? transport_name(in->transport) : "none");
    add_str(o, "policy", in->options.policy);
    json_object_object_add(o, "attrs", json_object_get(in->options.attrs));
    return o;
}

/* First message to the executor. */
static json_object *exec_init(const struct instance *in)
{
    json_object *node = in->nodes[in->rank];
    size_t universe = 0;
    for (unsigned i = 0; i < in->size; i++)
        universe +=
            json_object_array_length(json_object_object_get(in->nodes[i], "cores"));
    json_object *o = json_object_new_object();
    add_str(o, "m", "init");
    json_object_object_add(o, "instance",
                           json_object_get(json_object_object_get(in->info, "instance")));
    json_object_object_add(o, "rank", json_object_new_int64(in->rank));
    json_object_object_add(o, "size", json_object_new_int64(in->size));
    json_object_object_add(o, "host",
                           json_object_get(json_object_object_get(node, "host")));
    json_object_object_add(o, "clock", json_object_new_double(checks_clock(node)));
    add_str(o, "uri", in->uri);
    json_object_object_add(o, "level", json_object_new_int(0));
    add_str(o, "rundir", in->rundir);
    json_object_object_add(o, "bind",
                           json_object_get(json_object_object_get(node, "bind")));
    json_object_object_add(o, "virtual",
                           json_object_get(json_object_object_get(node, "virtual")));
    json_object_object_add(o, "universe", json_object_new_int64((int64_t)universe));
    json_object_object_add(o, "cores",
                           json_object_get(json_object_object_get(node, "cores")));
    json_object_object_add(o, "gpus",
                           json_object_get(json_object_object_get(node, "gpus")));
    return o;
}

static void leave(struct instance *in)
{
    if (in->leaving)
        return;
    in->leaving = true;
    uv_stop(&in->loop);
}

/* --- the initial program ---------------------------------------------------------------- */

static void write_uri(const struct instance *in)
{
    FILE *f = fopen(in->options.uri_file, "we");
    if (!f || fprintf(f, "%s\n", in->uri) < 0 || fclose(f) != 0)
        log_error("cannot write %s: %s", in->options.uri_file, strerror(errno));
}

/* Which rank has to do with the program: the one on the host of hbatch start, which it tells that
 * all is ready, and which then runs the program.  Else rank 0, which runs it itself (REMOTE). */
static unsigned front_rank(const struct instance *in, bool *remote)
{
    *remote = false;
    if (!in->options.supervised || in->options.isvirtual)
        return 0;
    for (unsigned i = 0; i < in->size; i++) {
        json_object *host = json_object_object_get(in->nodes[i], "host");
        if (strcmp(json_object_get_string(host), in->options.supervised) == 0)
            return i;
    }
    *remote = true;
    return 0;
}

static void start_program(struct instance *in)
{
    struct error err;
    bool remote;
    if (in->rank != front_rank(in, &remote))
        return;
    if (in->options.uri_file)
        write_uri(in);
    if (in->options.supervised)
        fprintf(stderr, "hbatch-instance: ready %s\n", remote ? "remote" : in->uri);
    if (in->options.supervised && !remote)
        return;
    in->program = program_start(in->options.program, in->uri, 0, &err);
    if (in->program > 0)
        return;
    log_error("%s", err.text);
    in->program = 0;
    in->status = err.code == ENOENT ? 127 : 126;
    leader_shutdown(in->leader, "the initial program could not be started");
}

static void tell_to_end(struct instance *in, int signum)
{
    if (in->program <= 0)
        return;
    in->told_to_end = true;
    orphans_signal(in->program, signum);
}

/* Whether mpirun started us, which sends SIGKILL to its ranks a second after SIGTERM. */
static bool in_a_hurry(const struct instance *in)
{
    return in->by_mpirun;
}

static void on_patience(uv_timer_t *h)
{
    struct instance *in = h->data;
    orphans_kill(1);
    leave(in);
}

/* The last thing: an initial program that was told to end is given time, then killed with all
 * that it started; one that ended by itself may leave processes behind. */
static void leave_with_program(struct instance *in)
{
    if (!in->exec_gone)
        return;
    if (in->told_to_end && in->program > 0) {
        uv_timer_init(&in->loop, &in->patience);
        in->patience.data = in;
        uv_timer_start(&in->patience, on_patience,
                       in_a_hurry(in) && !leader_expired(in->leader) ? 100 : 5000, 0);
        return;
    }
    if (in->told_to_end)
        orphans_kill(1);
    leave(in);
}

static void reap_program(struct instance *in)
{
    int status;
    if (in->program <= 0 || waitpid(in->program, &status, WNOHANG) != in->program)
        return;
    in->program = 0;
    program_ended();
    if (leader_expired(in->leader))
        in->status = EXIT_EXPIRED;
    else if (in->status == 0)
        in->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    leader_shutdown(in->leader, "the instance's program has ended");
    leave_with_program(in);
}

static void on_signal(uv_signal_t *h, int signum)
{
    struct instance *in = h->data;
    if (signum == SIGCHLD) {
        execlink_reap(in->exec);
        if (in->rank == 0)
            reap_program(in);
        orphans_reap(json_object_get_string(json_object_object_get(in->info, "instance")),
                     execlink_pid(in->exec), in->program);
    } else if (signum != SIGINT && in->rank == 0) { /* SIGINT is for the program */
        in->status = 128 + signum;
        tell_to_end(in, signum);
        if (in_a_hurry(in))
            leader_hurry(in->leader, 0.3);
        leader_shutdown(in->leader, signum == SIGHUP ? "the instance was hung up"
                                                     : "the instance was terminated");
    }
}

static void start_signals(struct instance *in)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGHUP, SIGINT};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        uv_signal_init(&in->loop, &in->signals[i]);
        in->signals[i].data = in;
        uv_signal_start(&in->signals[i], on_signal, numbers[i]);
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* the store says so, and its writes are tried again */
}

/* --- quiet, and the end ----------------------------------------------------------------- */

static void on_exec_gone(void *arg)
{
    struct instance *in = arg;
    in->exec_gone = true;
    leave_with_program(in);
}

/* The router says so on each rank when the leader has no more work. */
static void on_quit(void *arg)
{
    struct instance *in = arg;
    if (in->leader && leader_expired(in->leader))
        in->status = EXIT_EXPIRED;
    tell_to_end(in, SIGHUP);
    execlink_quit(in->exec, on_exec_gone, in);
}

/* Nobody to agree with on an orderly end: this rank's tasks are killed, and it leaves. */
static void on_alone(void *arg, const char *why)
{
    struct instance *in = arg;
    log_error("%s: rank %u ends", why, in->rank);
    execlink_destroy(in->exec);
    if (in->own_rundir)
        path_remove_tree(in->rundir);
    _exit(1);
}

static void on_quiet(void *arg)
{
    struct instance *in = arg;
    router_quit_all(in->router);
}

static void to_exec(void *arg, unsigned rank, const char *line, size_t len)
{
    struct instance *in = arg;
    router_to_exec(in->router, rank, line, len);
}

static void publish(void *arg, const char *text, size_t len)
{
    struct instance *in = arg;
    router_publish(in->router, text, len);
}

static void on_usage(void *arg, const struct usage *u)
{
    struct instance *in = arg;
    json_object_object_add(in->info, "usage", usage_to_json(u));
}

static int start_leader(struct instance *in, struct error *err)
{
    cleanup_free char *store = xasprintf("%s/store.sqlite", in->rundir);
    struct leader_config config = {
        .loop = &in->loop,
        .info = in->info,
        .nodes = in->nodes,
        .size = in->size,
        .policy = in->options.policy,
        .store = store,
        .starttime =
            json_object_get_double(json_object_object_get(in->info, "starttime")),
        .expiration =
            json_object_get_double(json_object_object_get(in->info, "expiration")),
        .to_exec = to_exec,
        .publish = in->transport ? publish : NULL,
        .quiet = on_quiet,
        .arg = in,
    };
    in->leader = leader_create(&config, err);
    return in->leader ? 0 : -1;
}

/* The leader's description of the instance to all; without one, it cannot lead. */
static int share_description(struct instance *in, struct error *err)
{
    const char *mine = "";
    int rc = 0;
    if (in->rank == 0) {
        in->info = describe(in);
        rc = start_leader(in, err);
        mine = rc == 0 ? json_object_to_json_string(in->info) : "";
    }
    if (!in->transport)
        return rc;
    cleanup_free char *text = transport_bcast(in->transport, mine, 0);
    in->agreed = !*text;
    if (in->agreed)
        return rc < 0 ? rc : error_set(err, ECANCELED, "the leader could not start");
    if (in->rank > 0)
        in->info = json_tokener_parse(text);
    return 0;
}

/* What this rank itself needs. */
static json_object *prepare(struct instance *in, struct error *err)
{
    if (make_rundir(in, err) < 0)
        return NULL;
    in->uri = xasprintf("local://%s/sock-%u", in->rundir, in->rank);
    json_object *node = node_discover(&in->options, in->rank, in->by_mpirun, err);
    if (node)
        in->exec = execlink_start(in->rank, in->rundir, in->options.verbose, false, err);
    if (in->exec)
        return node;
    json_object_put(node);
    return NULL;
}

static int bring_up(struct instance *in, struct error *err)
{
    find_rank(in);
    orphans_adopt();
    json_object *node = prepare(in, err);
    if (!node && in->size == 1)
        return -1;
    if (in->size > 1) {
        in->transport = transport_create(err);
        if (!in->transport)
            return -1;
        in->agreed = transport_rank(in->transport) != in->rank ||
                     transport_size(in->transport) != in->size;
        if (in->agreed) /* each rank sees that */
            return error_set(err, EINVAL,
                             "MPI has %u ranks, its launcher said %u: hbatch was built "
                             "for %s; use its mpirun",
                             transport_size(in->transport), in->size,
                             transport_name(in->transport));
    }
    if (node && checks_executor(execlink_pid(in->exec), err) < 0)
        json_object_put(take(node));
    if (!node)
        node = node_unusable(&in->options, in->rank, err->text);
    if (pool_nodes(in, node, err) < 0 || share_description(in, err) < 0)
        return -1;
    start_signals(in);
    if (in->rank > 0)
        in->replica = replica_create(in->nodes, in->size, in->info);
    struct router_config config = {
        .loop = &in->loop,
        .rank = in->rank,
        .size = in->size,
        .transport = in->transport,
        .exec = in->exec,
        .leader = in->leader,
        .replica = in->replica,
        .usage = on_usage,
        .socket = in->uri + strlen("local://"),
        .init = exec_init(in),
        .quit = on_quit,
        .alone = on_alone,
        .arg = in,
    };
    in->router = router_create(&config, err);
    return in->router ? 0 : -1;
}

static void tear_down(struct instance *in)
{
    if (in->options.tell_status && in->rank == 0)
        fprintf(stderr, "hbatch-instance: ended with exit code %d\n", in->status);
    router_destroy(in->router);
    leader_destroy(in->leader);
    replica_destroy(in->replica);
    for (size_t i = 0; i < ARRAY_SIZE(in->signals); i++)
        if (in->signals[i].data)
            uv_close((uv_handle_t *)&in->signals[i], NULL);
    if (in->patience.data)
        uv_close((uv_handle_t *)&in->patience, NULL);
    execlink_destroy(in->exec);
    if (in->transport)
        transport_stop(in->transport);
    uv_run(&in->loop, UV_RUN_DEFAULT); /* the handles' close callbacks */
    uv_loop_close(&in->loop);
    if (in->own_rundir || in->options.supervised)
        path_remove_tree(in->rundir);
    transport_destroy(in->transport, in->status);
    for (unsigned i = 0; in->nodes && i < in->size; i++)
        json_object_put(in->nodes[i]);
    free(in->nodes);
    json_object_put(in->info);
    json_object_put(in->options.attrs);
    free(in->rundir);
    free(in->uri);
}

/* It did not come up.  Where all ranks know why, they leave in good order and the leader alone
 * fails: the launcher has no more to explain.  Else they may be anywhere in their start, and the
 * first that leaves takes the others along. */
static _Noreturn void give_up(struct instance *in, const struct error *err)
{
    bool tells = !in->agreed || in->rank == 0;
    char host[256] = "?";
    gethostname(host, sizeof(host) - 1);
    if (tells && !in->agreed && in->size > 1)
        log_error("on %s: %s", host, err->text);
    else if (tells)
        log_error("%s", err->text);
    if (in->options.tell_status && tells && !in->options.recover)
        fprintf(stderr, "hbatch-instance: ended with exit code 1\n");
    execlink_destroy(in->exec);
    bool unused = in->own_rundir || (in->options.supervised && !in->options.recover);
    if (unused && in->rundir)
        path_remove_tree(in->rundir);
    if (in->agreed)
        transport_destroy(in->transport, 1);
    _exit(tells ? 1 : 0);
}

int main(int argc, char **argv)
{
    static struct instance in;
    struct error err;
    log_init("hbatch-instance", LOG_L_WARNING);
    options_parse(&in.options, argc, argv);
    if (in.options.verbose)
        log_init("hbatch-instance", LOG_L_DEBUG);
    uv_loop_init(&in.loop);
    if (bring_up(&in, &err) < 0)
        give_up(&in, &err);
    start_program(&in);
    if (!in.leaving)
        uv_run(&in.loop, UV_RUN_DEFAULT);
    tear_down(&in);
    return in.status;
}
