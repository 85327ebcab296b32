/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/lead.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/path.h"
#include "src/common/util.h"
#include "src/instance/front.h"
#include "src/job/jsonutil.h"
#include "src/job/subend.h"
#include "src/instance/grow.h"
#include "src/instance/obey.h"
#include "src/instance/shrink.h"
#include "src/instance/spawner.h"

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
    transport_publish(in->transport, text, len); /* there may be no router yet */
}

void lead_usage(void *arg, const struct usage *u)
{
    struct instance *in = arg;
    json_object_object_add(in->info, "usage", usage_to_json(u));
}

static void on_parent_gone(void *arg, const char *why)
{
    struct instance *in = arg;
    log_error("%s: this instance ends", why);
    in->status = 1;
    front_tell(in, SIGHUP);
    leader_hurry(in->leader, ALONE_GRACE_S);
    leader_shutdown(in->leader, why);
}

static void on_changed(void *arg)
{
    struct instance *in = arg;
    parent_touch(in->parent);
    shrink_lost(in);
    shrink_look(in);
    grow_tell(in);
}

static json_object *on_stats(void *arg)
{
    struct instance *in = arg;
    return leader_summary(in->leader);
}

static const struct parent_ops parent_ops = {
    .stats = on_stats, .gone = on_parent_gone, .order = obey_order};

void lead_tell_parent(struct instance *in)
{
    if (!in->sub.told)
        return;
    in->parent = parent_create(&in->loop, &in->sub, in->uri, &parent_ops, in);
    shrink_watch(in);
}

/* --- the program that spawned this instance ------------------------------------------------------ */

static void on_spawner_line(struct client *c, char *line, size_t len, void *arg)
{
    struct instance *in = arg;
    leader_client_line(in->leader, c, line, len);
}

static void on_spawner_gone(struct client *c, void *arg)
{
    struct instance *in = arg;
    leader_client_gone(in->leader, c, false);
}

/* The parent is not to end this instance with the program's job. */
static void on_let_go(void *arg)
{
    struct instance *in = arg;
    if (in->parent)
        parent_note(in->parent, "detached", json_object_new_boolean(true));
}

static void on_spawner_end(const char *reason, void *arg)
{
    struct instance *in = arg;
    on_let_go(in);
    front_tell(in, SIGHUP);
    leader_hurry(in->leader, ALONE_GRACE_S);
    leader_shutdown(in->leader, reason);
}

static const struct spawner_ops spawner_ops = {.line = on_spawner_line,
                                               .gone = on_spawner_gone,
                                               .end = on_spawner_end,
                                               .let_go = on_let_go};

void lead_serve_spawner(struct instance *in)
{
    if (in->transport && in->rank == 0 && transport_spawners(in->transport) > 0)
        in->spawner = spawner_create(&in->loop, in->transport, &spawner_ops, in);
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

/* It was another rank's: of the one that led before. */
static void bring_store(struct instance *in)
{
    struct error err;
    struct store **store = replica_store_of(in->replica);
    replica_flush(in->replica);
    const struct statedir_options options = {
        .dir = in->options.statedir, .sync = in->options.durability, .steal = true};
    const char *rundir = jsonutil_string(jsonutil_get(in->info, "rundir"));
    /* another life may have begun elsewhere, of which this one did not hear */
    bool ours = statedir_last_rank(options.dir, rundir ? rundir : "") >= 0;
    if (ours)
        in->statedir = statedir_take(&options, &err);
    else
        error_set(&err, ENOENT,
                  "state directory %s: it is not there on this host, or another "
                  "instance has gone on with it",
                  options.dir);
    if (!in->statedir || statedir_bring_store(in->statedir, store, &err) < 0) {
        log_error("%s: what happens from now on is not kept there", err.text);
        statedir_drop(take(in->statedir));
        return;
    }
    statedir_sign(in->statedir, jsonutil_string(jsonutil_get(in->info, "instance")),
                  in->rank, rundir);
}

static void begin_journal(const struct instance *in)
{
    journal_begin(in->journal, time_now(), in->nodes, in->size,
                  in->sub.told ? "job-info" : "dynamic-discovery");
}

int lead_start(struct instance *in, struct error *err)
{
    cleanup_free char *store = xasprintf("%s/store-0.sqlite", in->rundir);
    double epoch = json_object_get_double(json_object_object_get(in->info, "starttime"));
    jsonutil_number(jsonutil_get(in->info, "epoch"), &epoch);
    if (in->options.statedir && in->replica && !in->statedir)
        bring_store(in);
    struct leader_config config = {
        .loop = &in->loop,
        .info = in->info,
        .nodes = in->nodes,
        .size = in->size,
        .policy = in->options.policy,
        .store = store,
        .own_store = take(in->store),
        .replica = take(in->replica),
        .generation = in->members ? members_generation(in->members) : 0,
        .starttime =
            json_object_get_double(json_object_object_get(in->info, "starttime")),
        .epoch = epoch,
        .keeps = in->statedir != NULL,
        .statedir = in->options.statedir,
        .life = in->life,
        .expiration =
            json_object_get_double(json_object_object_get(in->info, "expiration")),
        .level = in->sub.level,
        .grace = in->sub.told ? in->sub.grace : SUBEND_GRACE,
        .to_exec = to_exec,
        .publish = in->transport ? publish : NULL,
        .published = in->transport ? published : NULL,
        .safe = in->transport ? safe : NULL,
        .describe = in->transport ? describe : NULL,
        .log = in->log,
        .journal = in->journal,
        .archives = in->archives,
        .restart = in->transport && in->options.supervised ? restart_all : NULL,
        .changed = in->sub.told ? on_changed : NULL,
        .quiet = on_quiet,
        .arg = in,
    };
    begin_journal(in);
    in->leader = leader_create(&config, err);
    return in->leader ? 0 : -1;
}

/* --- loss ------------------------------------------------------------------------------------ */

static const char *host_of(const struct instance *in, unsigned rank)
{
    return json_object_get_string(json_object_object_get(in->nodes[rank], "host"));
}

/* What the lost rank's executor has is ended by then. */
static double until_ended(const struct instance *in)
{
    if (in->sub.told) /* by the parent's, with the rank's own task */
        return SUB_LOST_S;
    return in->options.supervised ? ORPHAN_S + EXEC_END_S : EXEC_END_S;
}

static struct node_name on_name(unsigned rank, void *arg)
{
    const struct instance *in = arg;
    return node_name(in->nodes, rank);
}

static void on_lost(unsigned rank, bool sure, void *arg)
{
    struct instance *in = arg;
    in->lost = true;
    router_rank_lost(in->router, rank);
    leader_set_generation(in->leader, members_generation(in->members));
    leader_rank_lost(in->leader, rank,
                     sure ? until_ended(in) : members_fence(in->members));
    if (in->options.supervised)
        fprintf(stderr, "hbatch-instance: lost %s\n", host_of(in, rank));
    /* hbatch start speaks to the rank on its own host: it cannot ask for that one's return */
    if ((int)rank == front_home(in))
        restart_all(in, "the rank on the host of hbatch start was lost");
}

const int lead_warnings[] = {SIGUSR1, SIGUSR2, SIGALRM,   SIGQUIT,
                             SIGXCPU, SIGPWR,  SIGVTALRM, 0};

bool lead_is_warning(int signum)
{
    const int *p = lead_warnings;
    while (*p && *p != signum)
        p++;
    return *p != 0;
}

void lead_end(struct instance *in, int signum, bool in_a_hurry)
{
    if (in->program <= 0) /* else what it makes of the signal is the exit code */
        in->status = 128 + signum;
    front_tell(in, signum);
    if (in_a_hurry)
        leader_hurry(in->leader, 0.3);
    if (in->sub.told && signum == SIGTERM && leader_expire(in->leader))
        return;
    leader_shutdown(in->leader, signum == SIGHUP ? "the instance was hung up"
                                                 : "the instance was terminated");
}

/* This rank succeeds the one that led. */
static void on_lead(void *arg)
{
    struct instance *in = arg;
    struct error err;
    char host[256] = "localhost";
    log_warning("%s leads the instance now", node_name(in->nodes, in->rank).text);
    gethostname(host, sizeof(host) - 1);
    add_str(in->info, "uri", in->uri);
    add_str(in->info, "hostname", host);
    json_object_object_add(in->info, "pid", json_object_new_int64(getpid()));
    if (lead_start(in, &err) < 0) {
        log_error("%s", err.text);
        _exit(1);
    }
    in->lost = true;
    router_new_leader(in->router, in->leader);
    lead_tell_parent(in);
    if (in->told_to_leave)
        lead_end(in, in->told_to_leave, false);
    else if (front_home(in) < 0 && !in->options.no_program)
        front_lost(in);
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
    log_error("%s: %s ends", why, node_name(in->nodes, in->rank).text);
    if (in->exec)
        execlink_quit(in->exec, on_exec_gone_alone, in);
}

static const struct members_ops members_ops = {.lost = on_lost,
                                               .lead = on_lead,
                                               .led = on_led,
                                               .confirmed = on_confirmed,
                                               .name = on_name,
                                               .alone = on_alone};

/* Who is not here, and who is and has not told what it has. */
void lead_await_ranks(struct instance *in)
{
    for (unsigned i = 0; i < in->size; i++) {
        const char *refused = jsonutil_string(jsonutil_get(in->nodes[i], "refused"));
        if (!transport_is_lost(in->transport, i)) {
            leader_await(in->leader, i);
            if (refused)
                leader_refuse(in->leader, i, refused);
            continue;
        }
        leader_rank_lost(in->leader, i, 0);
        fprintf(stderr, "hbatch-instance: lost %s\n", host_of(in, i));
    }
}

int lead_tables(struct instance *in, struct error *err)
{
    bool anew = !in->options.recover && in->life > 1;
    in->replica = replica_create(in->nodes, in->size, in->info, take(in->store));
    replica_set_archives(in->replica, in->archives);
    replica_set_journal(in->replica, in->journal);
    int rc = in->options.recover || anew ? replica_restore(in->replica, anew, err) : 0;
    begin_journal(in);
    return rc;
}

int lead_join(struct instance *in, struct error *err)
{
    if (lead_tables(in, err) < 0)
        return -1;
    int home = in->options.isvirtual ? -1 : front_home(in);
    in->members =
        members_create(&in->loop, in->transport, in->generation, home, &members_ops, in);
    return 0;
}

int lead_joined(struct instance *in, json_object *described, struct error *err)
{
    in->replica = replica_create(in->nodes, in->size, in->info, take(in->store));
    replica_set_archives(in->replica, in->archives);
    replica_set_journal(in->replica, in->journal);
    if (replica_restore(in->replica, false, err) < 0)
        return -1;
    begin_journal(in);
    members_join(in->members, in->transport, described, &members_ops, in);
    return 0;
}

static struct transport *load_mpi(json_object *pmix, struct error *err)
{
    if (pmix) {
        json_object_object_foreach(pmix, name, value)
        {
            setenv(name, json_object_get_string(value), 1);
        }
    }
    return transport_create(err);
}

int lead_connect(struct instance *in, json_object *pmix, struct error *err)
{
    static const unsigned ids[] = {0};
    struct leader_config config = {
        .publish = publish, .published = published, .safe = safe, .describe = describe};
    struct transport *transport = load_mpi(pmix, err);
    if (!transport)
        return -1;
    if (transport_size(transport) != 1)
        return error_set(err, EINVAL, "MPI has %u ranks, the instance has one",
                         transport_size(transport));
    transport_number(transport, ids, 1);
    in->transport = transport;
    in->members =
        members_create(&in->loop, transport, in->generation, -1, &members_ops, in);
    add_str(in->info, "mpi", transport_name(transport));
    router_connect(in->router, transport, in->members);
    leader_connect(in->leader, &config);
    gather_sign(in);
    return 0;
}
