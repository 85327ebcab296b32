/* SPDX-License-Identifier: BSD-3-Clause */
/* prepare: what a rank has before it meets the others: its run directory, the traces of the rank that
 * was there before it, its store, its executor. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/instance/archives.h"
#include "src/common/log.h"
#include "src/common/path.h"
#include "src/common/procid.h"
#include "src/common/room.h"
#include "src/common/util.h"
#include "src/instance/checks.h"
#include "src/instance/gather_impl.h"
#include "src/instance/node.h"
#include "src/instance/record.h"
#include "src/job/conf.h"
#include "src/job/jsonutil.h"
#include "src/sched/config.h"

enum { FORMER_MS = 5000 }; /* for a killed process to be gone */

/* --- what this rank has -------------------------------------------------------------------- */

static int make_rundir(struct instance *in, struct error *err)
{
    if (!in->options.rundir) {
        if (in->sub.rundir) { /* it goes with the job */
            in->rundir = path_make_below(in->sub.rundir, "hbatch-", err);
            in->own_rundir = true;
            return in->rundir ? 0 : -1;
        }
        if (room_check_tmpdir(err) < 0)
            return -1;
        in->rundir = in->sub.tmpdir ? path_make_away(in->sub.tmpdir, err)
                                    : path_make_tmpdir("hbatch-", err);
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

/* Which rank this node had, as gather_sign left it; virtual nodes keep their order.  -1: none. */
static int former_rank(const struct instance *in)
{
    unsigned rank;
    if (!in->options.recover)
        return (int)in->world;
    if (in->options.isvirtual)
        return (int)in->world;
    cleanup_free char *path = xasprintf("%s/rank", in->rundir);
    FILE *f = fopen(path, "re");
    bool known = f && fscanf(f, "%u", &rank) == 1 && rank < INT32_MAX;
    if (f)
        fclose(f);
    return known ? (int)rank : -1;
}

static char *pid_path(const struct instance *in, unsigned rank)
{
    return xasprintf("%s/rank-%u.pid", in->rundir, rank);
}

/* Who it is, for a successor that must not run beside it. */
static void sign_pid(const struct instance *in)
{
    struct procid id;
    cleanup_free char *path = pid_path(in, in->rank);
    FILE *f = fopen(path, "we");
    if (f && procid_get(&id, getpid()))
        fprintf(f, "%d %llu\n", (int)id.pid, id.start);
    if (!f || fclose(f) != 0)
        log_error("cannot write %s: %s", path, strerror(errno));
}

/* The rank before this one may still be there: its mpirun is dead, and the daemon that was to end it
 * has not done so yet. */
static void end_former(const struct instance *in, unsigned rank)
{
    struct procid id = {0};
    int pid = 0;
    cleanup_free char *path = pid_path(in, rank);
    FILE *f = fopen(path, "re");
    if (f && fscanf(f, "%d %llu", &pid, &id.start) == 2 && pid > 1) {
        id.pid = pid;
        procid_kill(&id, SIGKILL);
        for (int ms = 0; procid_alive(&id) && ms < FORMER_MS; ms++)
            usleep(1000);
    }
    if (f)
        fclose(f);
}

void gather_sign(const struct instance *in)
{
    sign_pid(in);
    cleanup_free char *path = xasprintf("%s/rank", in->rundir);
    cleanup_free char *mark = xasprintf("%s/recoverable", in->rundir);
    FILE *f = in->options.isvirtual ? NULL : fopen(path, "we");
    if (f && (fprintf(f, "%u\n", in->rank) < 0 || fclose(f) != 0))
        log_error("cannot write %s: %s", path, strerror(errno));
    f = fopen(mark, "we"); /* for clients: who loses its connection may have it again */
    if (!f || fclose(f) != 0)
        log_error("cannot write %s: %s", mark, strerror(errno));
}

void gather_sign_off(const struct instance *in)
{
    cleanup_free char *mark = xasprintf("%s/recoverable", in->rundir);
    unlink(mark);
}

char *gather_store_path(const struct instance *in, unsigned rank)
{
    return xasprintf("%s/store-%u.sqlite", in->rundir, rank);
}

int gather_open_store(struct instance *in, unsigned rank, bool anew, struct error *err)
{
    static const struct store_options options = {.sync = STORE_SYNC_OFF};
    cleanup_free char *path = gather_store_path(in, rank);
    if (anew) {
        static const char *const ends[] = {"", "-wal", "-shm"};
        for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
            cleanup_free char *file = xasprintf("%s%s", path, ends[i]);
            unlink(file);
        }
    }
    in->store = store_open(path, &options, err);
    return in->store ? 0 : -1;
}

/* What it remembers of the instance, for the others to compare. */
static void tell_past(struct instance *in, json_object *node, int rank)
{
    json_object_object_add(node, "was", json_object_new_int(rank));
    cleanup_free char *info = in->store ? store_attr_get(in->store, "info", NULL) : NULL;
    cleanup_json json_object *o = info ? json_tokener_parse(info) : NULL;
    if (!o)
        return;
    unsigned generation;
    uint64_t epoch;
    record_state_last(in->store, &generation, &epoch);
    add_str(node, "instance", jsonutil_string(jsonutil_get(o, "instance")));
    json_object_object_add(node, "generation", json_object_new_int64(generation));
    json_object_object_add(node, "epoch", json_object_new_int64((int64_t)epoch));
}

/* --- a directory that outlives the instance ---------------------------------------------------- */

bool gather_has_state(const struct instance *in)
{
    return in->options.statedir != NULL && !in->options.join;
}

/* The store in it is the leader's: at the start that of the first rank; when ranks are started again, that of
 * the one that had it. */
static bool takes_statedir(const struct instance *in, int rank)
{
    if (!gather_has_state(in))
        return false;
    return in->options.recover
               ? rank >= 0 && statedir_last_rank(in->options.statedir, in->rundir) == rank
               : in->world == 0;
}

static int open_statedir(struct instance *in, struct error *err)
{
    const struct statedir_options options = {
        .dir = in->options.statedir,
        .sync = in->options.durability,
        .salvage = in->options.salvage && !in->options.recover,
        .steal = in->options.take_lock || in->options.recover};
    in->statedir = statedir_take(&options, err);
    in->store = in->statedir ? statedir_open_store(in->statedir, err) : NULL;
    return in->store ? 0 : -1;
}

int gather_be_rank(struct instance *in, unsigned rank, struct error *err)
{
    in->rank = rank;
    free(in->uri);
    in->uri = xasprintf("local://%s/sock-%u", in->rundir, rank);
    in->archives = archives_create(in->rundir, rank);
    in->exec =
        execlink_start(rank, in->rundir, in->options.verbose, in->options.recover, err);
    return in->exec ? 0 : -1;
}

int gather_read_config(struct instance *in, struct error *err)
{
    size_t n = json_object_array_length(in->options.configs);
    cleanup_json json_object *all = json_object_new_object();
    for (size_t i = 0; i < n; i++) {
        const char *word =
            json_object_get_string(json_object_array_get_idx(in->options.configs, i));
        bool is_file = *word == '/';
        cleanup_free char *text = is_file ? conf_read(word, err) : xstrdup(word);
        cleanup_json json_object *lines = json_object_new_object();
        cleanup_json json_object *o = text ? conf_decode(text, lines, err) : NULL;
        struct config *c = o && n == 1 ? config_from_json(o, lines, err) : NULL;
        config_destroy(c);
        if (!o || (n == 1 && !c))
            return is_file && text ? error_prefix(err, "configuration %s", word)
                                   : error_prefix(err, "configuration");
        config_merge(all, o);
    }
    struct config *c = config_from_json(all, NULL, err);
    if (!c)
        return error_prefix(err, "configuration");
    config_destroy(c);
    in->config = n > 0 ? take(all) : NULL;
    return 0;
}

json_object *gather_prepare(struct instance *in, struct error *err)
{
    if (make_rundir(in, err) < 0 || (in->world == 0 && gather_read_config(in, err) < 0))
        return NULL;
    int rank = former_rank(in);
    if (in->options.recover && rank >= 0)
        end_former(in, (unsigned)rank);
    cleanup_json json_object *node =
        in->sub.told && !in->own_node
            ? node_told(sub_node(&in->sub))
            : node_discover(&in->options, in->world, in->by_mpirun, err);
    if (!node || (rank >= 0 && gather_be_rank(in, (unsigned)rank, err) < 0))
        return NULL;
    if (in->sub.told) {
        json_object_object_add(node, "job", json_object_new_int64(in->sub.id));
        json_object_object_add(node, "node", json_object_new_int64(in->sub.node));
    }
    bool several = (in->world_size > 1 || in->options.recover || in->sub.spawned) &&
                   !in->options.join;
    bool anew = !in->options.recover && in->world > 0;
    if (takes_statedir(in, rank)) {
        if (open_statedir(in, err) < 0)
            return NULL;
    } else if (several && rank >= 0 &&
               gather_open_store(in, (unsigned)rank, anew, err) < 0)
        return NULL;
    if (in->options.recover)
        tell_past(in, node, rank);
    return take(node);
}
