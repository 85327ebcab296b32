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
#include "src/common/program.h"
#include "src/common/util.h"
#include "src/instance/checks.h"
#include "src/instance/early.h"
#include "src/instance/node.h"
#include "src/instance/instance.h"
#include "src/instance/surroundings.h"
#include "src/job/jsonutil.h"

/* Exit code: the time limit came before the program had ended (as timeout(1) says it). */
#define EXIT_EXPIRED 124

/* How long an executor waits for a new rank: where hbatch start sees to it that there will be one,
 * and where nobody does. */
#define ORPHAN_S 20.0
#define ORPHAN_ALONE_S 0.5
/* From SIGTERM to SIGKILL for the jobs of a sub-instance that ends. */
#define SUB_GRACE_S 2.0
/* What it takes an executor to end its tasks. */
#define EXEC_END_S 6.0

static void find_rank(struct instance *in)
{
    struct launched l = surroundings_launcher();
    if (in->sub.told)
        l = (struct launched){.rank = in->sub.rank, .size = in->sub.size};
    in->rank = in->world = l.rank;
    in->size = in->world_size = l.size;
    in->by_mpirun = l.launched && !l.by_srun;
    in->by_srun = l.by_srun;
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
    json_object_object_add(o, "level", json_object_new_int64(in->sub.level));
    add_str(o, "parent_uri", in->sub.uri);
    add_str(o, "rundir", in->rundir);
    if (in->transport)
        json_object_object_add(
            o, "orphan",
            json_object_new_double(in->options.supervised ? ORPHAN_S : ORPHAN_ALONE_S));
    json_object_object_add(
        o, "own_rundir",
        json_object_new_boolean(in->own_rundir || in->options.supervised));
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

/* It ran beside the rank that started it, and nobody knows how it ends. */
static void lose_program(struct instance *in)
{
    in->status = 1;
    leader_finish(in->leader,
                  "the initial program was lost with the rank that it was started by");
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
    if ((in->options.supervised && !remote) || in->options.no_program)
        return;
    if (in->options.recover) {
        lose_program(in);
        return;
    }
    const struct program_where where = {
        .uri = in->uri, .parent_uri = in->sub.uri, .level = (int)in->sub.level};
    in->program = program_start(in->options.program, &where, &err);
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

/* The executor goes on with its tasks, and what is left is in the store. */
static _Noreturn void leave_for_restart(struct instance *in)
{
    if (in->leader)
        leader_settle(in->leader);
    else if (in->replica)
        replica_flush(in->replica);
    execlink_leave(in->exec);
    transport_drain(in->transport, 0.5);
    _exit(0);
}

static void on_restart(void *arg)
{
    struct instance *in = arg;
    if (in->leader)
        fprintf(stderr, "hbatch-instance: restart\n");
    leave_for_restart(in);
}

/* hbatch start ends the instance by a request.  SIGTERM is from mpirun or one of its daemons, when
 * they die or are killed: the instance is to live on.  When hbatch start itself is killed, mpirun
 * passes SIGUSR2 on. */
static bool is_for_restart(const struct instance *in, int *signum)
{
    bool remote;
    if (*signum == SIGUSR2) {
        *signum = SIGTERM;
        return false;
    }
    front_rank(in, &remote);
    return *signum == SIGTERM && in->options.supervised && in->transport && !remote;
}

static void on_signal(uv_signal_t *h, int signum)
{
    struct instance *in = h->data;
    if (signum == SIGCHLD) {
        execlink_reap(in->exec);
        if (in->leader)
            reap_program(in);
        orphans_reap(json_object_get_string(json_object_object_get(in->info, "instance")),
                     execlink_pid(in->exec), in->program);
    } else if (is_for_restart(in, &signum)) {
        on_restart(in);
    } else if (signum != SIGINT && in->leader) { /* SIGINT is for the program */
        in->status = 128 + signum;
        tell_to_end(in, signum);
        if (in_a_hurry(in) && h->signum != SIGUSR2)
            leader_hurry(in->leader, 0.3);
        else if (in->sub.told) /* the parent kills what has not ended after 5 s */
            leader_hurry(in->leader, SUB_GRACE_S);
        leader_shutdown(in->leader, signum == SIGHUP ? "the instance was hung up"
                                                     : "the instance was terminated");
    }
}

static void start_signals(struct instance *in)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGUSR2};
    for (size_t i = 0; i < ARRAY_SIZE(numbers) - !in->options.supervised; i++) {
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

/* A rank that is alone leaves without the others. */
static void on_exec_gone_alone(void *arg)
{
    struct instance *in = arg;
    if ((in->own_rundir || in->options.supervised) && !in->options.isvirtual)
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

static void on_parent_gone(void *arg, const char *why)
{
    struct instance *in = arg;
    log_error("%s: this instance ends", why);
    in->status = 1;
    tell_to_end(in, SIGHUP);
    leader_hurry(in->leader, SUB_GRACE_S);
    leader_shutdown(in->leader, why);
}

static void on_changed(void *arg)
{
    struct instance *in = arg;
    parent_touch(in->parent);
}

static json_object *on_stats(void *arg)
{
    struct instance *in = arg;
    return leader_stats(in->leader);
}

static const struct parent_ops parent_ops = {.stats = on_stats, .gone = on_parent_gone};

static void tell_parent(struct instance *in)
{
    if (in->sub.told)
        in->parent = parent_create(&in->loop, &in->sub, in->uri, &parent_ops, in);
}

static uint64_t published(void *arg)
{
    struct instance *in = arg;
    return transport_published(in->transport);
}

static uint64_t safe(void *arg)
{
    struct instance *in = arg;
    return transport_safe(in->transport);
}

static void describe(void *arg)
{
    struct instance *in = arg;
    json_object_object_add(in->info, "traffic",
                           traffic_to_json(transport_traffic(in->transport)));
}

/* The instance goes on by itself: hbatch start is to start ranks again. */
static void restart_all(void *arg, const char *reason)
{
    struct instance *in = arg;
    log_info("all ranks leave, and are started again: %s", reason);
    router_restart_all(in->router);
}

static int start_leader(struct instance *in, struct error *err)
{
    cleanup_free char *store = xasprintf("%s/store-0.sqlite", in->rundir);
    struct leader_config config = {
        .loop = &in->loop,
        .info = in->info,
        .nodes = in->nodes,
        .size = in->size,
        .policy = in->options.policy,
        .store = store,
        .replica = take(in->replica),
        .generation = in->members ? members_generation(in->members) : 0,
        .starttime =
            json_object_get_double(json_object_object_get(in->info, "starttime")),
        .expiration =
            json_object_get_double(json_object_object_get(in->info, "expiration")),
        .to_exec = to_exec,
        .publish = in->transport ? publish : NULL,
        .published = in->transport ? published : NULL,
        .safe = in->transport ? safe : NULL,
        .describe = in->transport ? describe : NULL,
        .restart = in->transport && in->options.supervised ? restart_all : NULL,
        .changed = in->sub.told ? on_changed : NULL,
        .quiet = on_quiet,
        .arg = in,
    };
    in->leader = leader_create(&config, err);
    return in->leader ? 0 : -1;
}

/* --- loss ------------------------------------------------------------------------------------ */

static const char *host_of(const struct instance *in, unsigned rank)
{
    return json_object_get_string(json_object_object_get(in->nodes[rank], "host"));
}

static void on_lost(unsigned rank, bool sure, void *arg)
{
    struct instance *in = arg;
    router_rank_lost(in->router, rank);
    leader_rank_lost(in->leader, rank,
                     sure ? in->options.supervised ? ORPHAN_S + EXEC_END_S : EXEC_END_S
                          : members_fence(in->members));
    if (in->options.supervised)
        fprintf(stderr, "hbatch-instance: lost %s\n", host_of(in, rank));
    /* hbatch start speaks to the rank on its own host: it cannot ask for that one's return */
    bool remote;
    if (in->options.supervised && rank == front_rank(in, &remote) && !remote)
        restart_all(in, "the rank on the host of hbatch start was lost");
}

/* This rank succeeds the one that led. */
static void on_lead(void *arg)
{
    struct instance *in = arg;
    struct error err;
    char host[256] = "localhost";
    log_warning("rank %u leads the instance now", in->rank);
    gethostname(host, sizeof(host) - 1);
    add_str(in->info, "uri", in->uri);
    add_str(in->info, "hostname", host);
    json_object_object_add(in->info, "pid", json_object_new_int64(getpid()));
    if (start_leader(in, &err) < 0) {
        log_error("%s", err.text);
        _exit(1);
    }
    router_new_leader(in->router, in->leader);
    tell_parent(in);
    bool remote;
    front_rank(in, &remote);
    if (!in->options.supervised || remote)
        lose_program(in);
}

static void on_led(unsigned rank, void *arg)
{
    struct instance *in = arg;
    (void)rank;
    router_new_leader(in->router, NULL);
}

static void on_confirmed(void *arg)
{
    struct instance *in = arg;
    if (in->leader)
        leader_confirmed(in->leader);
}

/* Nobody to agree with on an orderly end: this rank's tasks are killed, and it leaves. */
static void on_alone(const char *why, void *arg)
{
    struct instance *in = arg;
    log_error("%s: rank %u ends", why, in->rank);
    if (in->exec)
        execlink_quit(in->exec, on_exec_gone_alone, in);
}

static const struct members_ops members_ops = {.lost = on_lost,
                                               .lead = on_lead,
                                               .led = on_led,
                                               .confirmed = on_confirmed,
                                               .alone = on_alone};

/* Who is not here, and who is and has not told what it has. */
static void await_ranks(struct instance *in)
{
    for (unsigned i = 0; i < in->size; i++) {
        if (!transport_is_lost(in->transport, i)) {
            leader_await(in->leader, i);
            continue;
        }
        leader_rank_lost(in->leader, i, 0);
        fprintf(stderr, "hbatch-instance: lost %s\n", host_of(in, i));
    }
}

/* The rank on the host of hbatch start, or -1. */
static int home_rank(const struct instance *in)
{
    bool remote;
    unsigned rank = front_rank(in, &remote);
    return in->options.supervised && !in->options.isvirtual && !remote ? (int)rank : -1;
}

static int join(struct instance *in, struct error *err)
{
    in->replica = replica_create(in->nodes, in->size, in->info, take(in->store));
    if (in->options.recover && replica_restore(in->replica, err) < 0)
        return -1;
    in->members = members_create(&in->loop, in->transport, in->generation, home_rank(in),
                                 &members_ops, in);
    return 0;
}

/* The files are nobody's yet: there is no instance. */
static bool is_unused(const struct instance *in)
{
    return in->own_rundir || (in->options.supervised && !in->options.recover);
}

/* Told to end before it came up (early.h). */
static void end_early(void *arg)
{
    struct instance *in = arg;
    pid_t pid = in->exec ? execlink_pid(in->exec) : 0;
    if (pid > 0 && !in->options.recover)
        kill(pid, SIGKILL);
    if (is_unused(in) && in->rundir)
        path_remove_tree(in->rundir);
}

static int bring_up(struct instance *in, struct error *err)
{
    struct early *early = NULL;
    if (sub_read(&in->sub, err) < 0)
        return -1;
    in->options.isvirtual |= in->sub.isvirtual;
    find_rank(in);
    orphans_adopt();
    json_object *node = gather_prepare(in, err);
    if (!node && in->size == 1)
        return -1;
    if (in->size > 1 || in->options.recover) {
        early = early_start(end_early, in);
        in->transport = transport_create(err);
        if (!in->transport)
            return -1;
        in->agreed = transport_rank(in->transport) != in->world ||
                     transport_size(in->transport) != in->world_size;
        if (in->agreed) /* each rank sees that */
            return error_set(err, EINVAL,
                             "MPI has %u ranks, its launcher said %u: hbatch was built "
                             "for %s; use its mpirun",
                             transport_size(in->transport), in->size,
                             transport_name(in->transport));
    }
    if (node && in->exec && checks_executor(execlink_pid(in->exec), err) < 0)
        json_object_put(take(node));
    if (!node)
        node = node_unusable(&in->options, in->world, err->text);
    if (gather(in, node, err) < 0 || (in->transport && join(in, err) < 0))
        return -1;
    early_stop(early);
    start_signals(in);
    bool leads = !in->transport || transport_leader(in->transport) == in->rank;
    if (leads && start_leader(in, err) < 0)
        return -1;
    struct router_config config = {
        .loop = &in->loop,
        .rank = in->rank,
        .size = in->size,
        .transport = in->transport,
        .exec = in->exec,
        .leader = in->leader,
        .replica = in->replica,
        .members = in->members,
        .epoch = in->epoch,
        .usage = on_usage,
        .socket = in->uri + strlen("local://"),
        .init = exec_init(in),
        .quit = on_quit,
        .restart = on_restart,
        .arg = in,
    };
    in->router = router_create(&config, err);
    if (!in->router)
        return -1;
    if (in->transport)
        gather_sign(in);
    if (leads)
        tell_parent(in);
    if (in->options.recover && leads)
        await_ranks(in);
    if (in->options.recover && !execlink_attached(in->exec))
        router_exec_replaced(in->router);
    return 0;
}

static void tear_down(struct instance *in)
{
    if (in->options.tell_status && in->leader)
        fprintf(stderr, "hbatch-instance: ended with exit code %d\n", in->status);
    if (in->transport)
        gather_sign_off(in);
    parent_farewell(in->parent);
    parent_destroy(in->parent);
    router_destroy(in->router);
    members_destroy(in->members);
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
    if (in->options.recover && in->exec)
        execlink_leave(in->exec); /* its tasks wait for the next try */
    else
        execlink_destroy(in->exec);
    if (is_unused(in) && in->rundir)
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
