/* SPDX-License-Identifier: BSD-3-Clause */
/* hbatch-instance: one rank of an instance: pools its node with the others, serves clients, and
 * carries messages between the leader and its executor.  One of them leads (lead.h). */
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
#include "src/instance/archives.h"
#include "src/instance/checks.h"
#include "src/instance/early.h"
#include "src/instance/node.h"
#include "src/instance/front.h"
#include "src/instance/grow.h"
#include "src/instance/instance.h"
#include "src/instance/join.h"
#include "src/instance/lead.h"
#include "src/instance/shrink.h"
#include "src/instance/spawner.h"
#include "src/instance/surroundings.h"
#include "src/instance/turn.h"
#include "src/job/jsonutil.h"
#include "src/job/subend.h"

static void find_rank(struct instance *in)
{
    struct launched l = surroundings_launcher();
    if (in->sub.told && !in->sub.plain)
        l = (struct launched){.rank = in->sub.rank, .size = in->sub.size};
    in->rank = in->world = l.rank;
    in->size = in->world_size = l.size;
    in->by_mpirun = l.launched && !l.by_srun;
    in->by_srun = l.by_srun;
}

json_object *instance_describe(const struct instance *in)
{
    json_object *node = in->nodes[in->rank];
    size_t universe = 0;
    for (unsigned i = 0; i < in->size; i++)
        if (!json_object_object_get(in->nodes[i], "left"))
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
    if (in->life > 0) {
        cleanup_free char *spool =
            statedir_spool(in->options.statedir, in->life, in->rank);
        add_str(o, "spool", spool);
    }
    if (in->options.output_limit)
        json_object_object_add(o, "output_limit",
                               json_object_new_uint64(in->options.output_limit));
    json_object_object_add(o, "bind",
                           json_object_get(json_object_object_get(node, "bind")));
    json_object_object_add(o, "virtual",
                           json_object_get(json_object_object_get(node, "virtual")));
    json_object_object_add(o, "universe", json_object_new_int64((int64_t)universe));
    json_object_object_add(o, "cores",
                           json_object_get(json_object_object_get(node, "cores")));
    if (jsonutil_get(node, "numa"))
        json_object_object_add(o, "numa", json_object_get(jsonutil_get(node, "numa")));
    json_object_object_add(o, "memory",
                           json_object_get(json_object_object_get(node, "memory")));
    json_object_object_add(o, "gpus",
                           json_object_get(json_object_object_get(node, "gpus")));
    return o;
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
    if (*signum == SIGUSR2) {
        *signum = SIGTERM;
        return false;
    }
    return *signum == SIGTERM && in->transport && front_home(in) >= 0;
}

static void on_signal(uv_signal_t *h, int signum)
{
    struct instance *in = h->data;
    if (signum == SIGCHLD) {
        execlink_reap(in->exec);
        if (in->leader)
            front_reap(in);
        orphans_reap(json_object_get_string(json_object_object_get(in->info, "instance")),
                     execlink_pid(in->exec), in->program);
    } else if (in->sub.plain && signum == SIGALRM) {
        if (in->leader) /* the job's time is over */
            lead_end(in, SIGTERM, false);
    } else if (in->sub.told && lead_is_warning(signum)) {
        if (in->leader) /* the program is in the same process group, and has it from the parent */
            leader_warn(in->leader, signum);
    } else if (is_for_restart(in, &signum)) {
        on_restart(in);
    } else if (signum == SIGTERM && in->options.join && !in->leader) {
        router_recall(in->router); /* its grant was canceled, the instance goes on */
    } else if (signum != SIGINT && in->leader) { /* SIGINT is for the program */
        lead_end(in, signum, front_in_a_hurry(in) && h->signum != SIGUSR2);
    } else if (signum != SIGINT && in->sub.told)
        in->told_to_leave = signum; /* the leader was told, too, if it still lives */
}

static void catch_signal(struct instance *in, uv_signal_t *h, int signum)
{
    uv_signal_init(&in->loop, h);
    h->data = in;
    uv_signal_start(h, on_signal, signum);
}

static void start_signals(struct instance *in)
{
    static const int numbers[] = {SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGUSR2};
    size_t n = ARRAY_SIZE(numbers) - !in->options.supervised;
    for (size_t i = 0; i < n; i++)
        catch_signal(in, &in->signals[i], numbers[i]);
    for (const int *p = lead_warnings; in->sub.told && *p; p++)
        catch_signal(in, &in->signals[n++], *p);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* the store says so, and its writes are tried again */
}

static void on_late_signal(uv_signal_t *h, int signum)
{
    (void)h, (void)signum;
}

/* They are caught to the last, by a loop that is never closed: a rank that dies of one now leaves
 * the others in the barrier at the end. */
static void stop_signals(struct instance *in)
{
    for (size_t i = 0; i < ARRAY_SIZE(in->signals); i++)
        if (in->signals[i].data) {
            uv_signal_start(&in->signals[i], on_late_signal, in->signals[i].signum);
            uv_unref((uv_handle_t *)&in->signals[i]);
        }
}

enum { LOG_LINES = 1000, JOURNAL_EVENTS = 4096 };

/* --- quiet, and the end ----------------------------------------------------------------- */

static void on_exec_gone(void *arg)
{
    struct instance *in = arg;
    in->exec_gone = true;
    front_leave(in);
}

/* The router says so on each rank when the leader has no more work. */
void instance_quit(void *arg)
{
    struct instance *in = arg;
    if (in->leader && leader_expired(in->leader))
        in->status = EXIT_EXPIRED;
    else if (in->leader && leader_exit_code(in->leader) >= 0)
        in->status = leader_exit_code(in->leader);
    /* a sub-instance has no terminal: its program may use its parent's grace to put things in order */
    if (!in->sub.told)
        front_tell(in, SIGHUP);
    else if (!in->told_to_end)
        front_tell(in, in->leader && leader_expired(in->leader) ? SIGTERM : SIGHUP);
    execlink_quit(in->exec, on_exec_gone, in);
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

/* MPI, where there are others, or may come to be. */
static int connect_ranks(struct instance *in, struct error *err)
{
    if (in->size <= 1 && !in->options.recover && !in->options.join && !in->sub.spawned)
        return 0;
    in->early = early_start(end_early, in);
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
    return 0;
}

static int start_router(struct instance *in, struct error *err)
{
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
        .usage = lead_usage,
        .socket = in->uri + strlen("local://"),
        .init = instance_describe(in),
        .quit = instance_quit,
        .restart = on_restart,
        .turn = turn_told,
        .recall = shrink_recall,
        .arg = in,
    };
    in->router = router_create(&config, err);
    return in->router ? 0 : -1;
}

static int bring_up(struct instance *in, struct error *err)
{
    bool alone = in->options.foreign && strcmp(in->options.foreign, "none") == 0;
    if (sub_read(&in->sub, !alone && !in->options.join, err) < 0)
        return -1;
    /* Open MPI's mpirun has started it for a program that would wait for its MPI_Init */
    if ((!in->sub.told || in->sub.plain) && getenv("OMPI_PARENT_PORT"))
        return error_set(
            err, ENOTSUP,
            "the program that spawned this by MPI_Comm_spawn is no job of an "
            "instance: start it by 'hbatch run', in 'hbatch start'");
    in->own_node = in->options.topology || in->options.isvirtual;
    in->options.isvirtual |= in->sub.isvirtual && !in->own_node;
    /* who spawned it has no use for a shell */
    in->options.no_program |= in->sub.spawned && !in->options.program;
    find_rank(in);
    orphans_adopt();
    json_object *node = gather_prepare(in, err);
    if (!node && in->size == 1)
        return -1;
    if (connect_ranks(in, err) < 0)
        return -1;
    if (node && in->exec && checks_executor(execlink_pid(in->exec), err) < 0)
        json_object_put(take(node));
    if (!node)
        node = node_unusable(&in->options, in->world, err->text);
    if (in->options.join ? join_instance(in, node, err) < 0 : gather(in, node, err) < 0)
        return -1;
    early_hold(in->early); /* all have come: from now on they leave together */
    if (!in->options.join && in->transport && lead_join(in, err) < 0)
        return -1;
    start_signals(in); /* before: one that came since early_hold is not lost */
    early_stop(take(in->early));
    bool leads = !in->transport || transport_leader(in->transport) == in->rank;
    if (!in->transport && in->life > 1 && lead_tables(in, err) < 0)
        return -1;
    if (leads && lead_start(in, err) < 0)
        return -1;
    if (start_router(in, err) < 0)
        return -1;
    if (in->transport)
        gather_sign(in);
    if (leads) {
        lead_tell_parent(in);
        lead_serve_spawner(in);
    }
    if (in->options.recover && leads)
        lead_await_ranks(in);
    if (in->options.recover && !execlink_attached(in->exec))
        router_exec_replaced(in->router);
    return 0;
}

static void dump(struct instance *in)
{
    struct error err;
    if (leader_dump(in->leader, in->options.dump, &err) < 0)
        log_error("--dump: %s", err.text);
}

static void tear_down(struct instance *in)
{
    if (in->options.tell_status && in->leader)
        fprintf(stderr, "hbatch-instance: ended with exit code %d\n", in->status);
    if (in->transport)
        gather_sign_off(in);
    grow_destroy(in);
    shrink_destroy(in);
    parent_farewell(in->parent);
    if (in->options.dump && in->leader)
        dump(in);
    parent_destroy(in->parent);
    spawner_destroy(in->spawner);
    router_destroy(take(in->router));
    members_destroy(in->members);
    size_t kept = in->leader ? leader_kept(in->leader) : 0;
    leader_destroy(in->leader);
    replica_destroy(in->replica);
    stop_signals(in);
    statedir_leave(in->statedir);
    if (kept > 0 && in->options.statedir)
        fprintf(
            stderr,
            "hbatch-instance: %zu jobs wait in %s for the next instance: hbatch start "
            "--statedir=%s\n",
            kept, in->options.statedir, in->options.statedir);
    if (in->patience.data)
        uv_close((uv_handle_t *)&in->patience, NULL);
    execlink_destroy(in->exec);
    if (in->transport)
        transport_stop(in->transport);
    uv_run(&in->loop, UV_RUN_DEFAULT); /* the handles' close callbacks */
    if (in->transport && in->rank == 0)
        spawner_farewell(in->transport, "the instance has ended");
    if (in->own_rundir || in->options.supervised)
        path_remove_tree(in->rundir);
    transport_destroy(in->transport, in->status,
                      in->sub.told && !in->sub.spawned && !in->sub.plain);
    for (unsigned i = 0; in->nodes && i < in->size; i++)
        json_object_put(in->nodes[i]);
    free(in->nodes);
    json_object_put(in->info);
    json_object_put(in->options.attrs);
    log_hook(NULL, NULL, LOG_L_ERROR);
    logring_destroy(in->log);
    journal_destroy(in->journal);
    archives_clear(in->archives);
    archives_destroy(in->archives);
    free(in->told_nodes);
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
    if (in->agreed && in->transport && in->rank == 0)
        spawner_farewell(in->transport, err->text);
    if (in->agreed)
        transport_destroy(in->transport, 1, false);
    _exit(tells ? 1 : 0);
}

/* The leader has the lines of all ranks. */
static void on_log(enum log_level level, const char *text, void *arg)
{
    struct instance *in = arg;
    if (in->logging) /* what carries a line to the leader has something to say */
        return;
    in->logging = true;
    logring_add(in->log, time_now(), level, in->rank, text);
    if (in->router && !in->leader)
        router_log(in->router, time_now(), logring_level_name(level), text);
    in->logging = false;
}

int main(int argc, char **argv)
{
    static struct instance in;
    struct error err;
    log_init("hbatch-instance", LOG_L_WARNING);
    in.log = logring_create(LOG_LINES);
    in.journal = journal_create(JOURNAL_EVENTS);
    log_hook(on_log, &in, LOG_L_INFO);
    options_parse(&in.options, argc, argv);
    if (in.options.verbose)
        log_init("hbatch-instance", LOG_L_DEBUG);
    if (in.options.check) {
        if (gather_read_config(&in, &err) < 0)
            log_exit(1, "%s", err.text);
        return 0;
    }
    uv_loop_init(&in.loop);
    if (bring_up(&in, &err) < 0)
        give_up(&in, &err);
    front_start(&in);
    if (!in.leaving)
        uv_run(&in.loop, UV_RUN_DEFAULT);
    tear_down(&in);
    return in.status;
}
