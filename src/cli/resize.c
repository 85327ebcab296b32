/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/resize.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/target.h"
#include "src/common/hostlist.h"
#include "src/common/idset.h"
#include "src/common/signals.h"
#include "src/job/constraint.h"
#include "src/lib/stream.h"

#define PATIENT_MS 1000 /* then it is told what is waited for */

enum { NNODES, NSLOTS, REQUIRES, NODES, BG, QUIET };

struct resize {
    struct cli *cli;
    uint64_t id;    /* of the instance's job */
    uint64_t grant; /* of the job that is more nodes for it */
    long nnodes, nslots;
    const char *requires, *nodes;
    bool bg, quiet;
    bool placed, done, over; /* what the stream told */
    long left;               /* nodes that are still to go */
    hwloc_bitmap_t which;    /* these, or NULL: any */
    char *why;               /* it failed, or NULL */
    int signal_fd;
};

/* --- which job ---------------------------------------------------------------------------- */

/* Without an id: the job that the instance asked is, and from now on its parent is asked. */
static uint64_t own_job(struct cli *cli)
{
    struct error err;
    cleanup_json json_object *info = cli_call(cli, "instance.info", NULL);
    const char *id = cli_get_string(info, "jobid", NULL);
    if (!id)
        cli_die(cli,
                "this instance is the outermost one (level %d), which has what its "
                "allocation has; name the job of an instance in it",
                (int)cli_get_number(info, "level", 0));
    cleanup_free char *uri = target_parent(cli, &err);
    if (!uri)
        cli_die(cli, "%s", err.text);
    target_use(cli, uri);
    return cli_jobid(cli, id);
}

static void find_job(struct resize *r, const struct optparse *p)
{
    const char *text = cli_operand(r->cli, p, "ID", true);
    r->id = text ? target_job(r->cli, text) : own_job(r->cli);
}

/* --- what a stream tells ------------------------------------------------------------------ */

static void fail(struct resize *r, char *why)
{
    free(r->why);
    r->why = why;
    r->done = true;
}

/* Those of the order: nodes may go for another reason at the same time. */
static long count_ranks(const struct resize *r, json_object *context)
{
    const char *text = cli_get_string(context, "ranks", "");
    cleanup_bitmap hwloc_bitmap_t ranks = idset_decode(text, NULL);
    if (ranks && r->which)
        hwloc_bitmap_and(ranks, ranks, r->which);
    int n = ranks ? hwloc_bitmap_weight(ranks) : 0;
    return n > 0 ? n : 0;
}

/* Of the grant. */
static void on_grow_event(hbatch_jobid id, double time, const char *name,
                          const char *context, void *arg)
{
    struct resize *r = arg;
    cleanup_json json_object *o = json_tokener_parse(context ? context : "{}");
    (void)id, (void)time;
    if (strcmp(name, "alloc") == 0)
        r->placed = true;
    if (strcmp(name, "memo") == 0 && json_object_get_boolean(cli_get(o, "joined")))
        r->done = true;
    if (strcmp(name, "exception") == 0 && cli_get_number(o, "severity", 0) == 0 &&
        !r->why)
        r->why = xasprintf("%s: %s", cli_get_string(o, "type", "?"),
                           cli_get_string(o, "note", ""));
}

/* Of the instance: events before the request are those of others. */
static void on_shrink_event(hbatch_jobid id, double time, const char *name,
                            const char *context, void *arg)
{
    struct resize *r = arg;
    cleanup_json json_object *o = json_tokener_parse(context ? context : "{}");
    const char *error = cli_get_string(o, "shrink_error", NULL);
    (void)id, (void)time;
    if (!r->placed)
        return;
    if (strcmp(name, "shrink") == 0 || strcmp(name, "release") == 0)
        r->left -= count_ranks(r, o);
    if (strcmp(name, "memo") == 0 && error)
        fail(r, xstrdup(error));
    if (r->left <= 0)
        r->done = true;
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    struct resize *r = arg;
    (void)left, (void)result;
    r->over = r->done = true;
}

static void process(struct resize *r, int timeout_ms)
{
    struct error err;
    if (client_process(r->cli->h, timeout_ms, &err) < 0 && !r->done)
        cli_die(r->cli, "%s", err.text);
}

static void attach(struct resize *r, uint64_t id, const struct hbatch_stream_ops *ops)
{
    struct error err;
    json_object *params = cli_id_params(id);
    json_object_object_add(params, "output", json_object_new_boolean(false));
    cleanup_json json_object *reply =
        stream_open(cli_connect(r->cli), "job.attach", params, ops, r, NULL, NULL, &err);
    if (!reply)
        cli_die(r->cli, "%s", err.text);
}

static void catch_signals(struct resize *r)
{
    static const int caught[] = {SIGINT, SIGTERM, SIGHUP};
    r->signal_fd = signals_open(caught, ARRAY_SIZE(caught));
}

/* Until it is done, a signal comes, or TIMEOUT_MS (-1: none) are over. Return the signal or 0. */
static int wait_done(struct resize *r, int timeout_ms)
{
    double end = time_mono() + timeout_ms / 1000.0;
    while (!r->done) {
        struct error err;
        int left = timeout_ms < 0 ? -1 : (int)((end - time_mono()) * 1000) + 1;
        if (timeout_ms >= 0 && left <= 0)
            break;
        if (client_flush(r->cli->h, &err) < 0)
            cli_die(r->cli, "%s", err.text);
        short out = client_unsent(r->cli->h) ? POLLOUT : 0;
        struct pollfd fds[] = {
            {.fd = client_fd(r->cli->h), .events = (short)(POLLIN | out)},
            {.fd = r->signal_fd, .events = POLLIN}};
        if (poll(fds, ARRAY_SIZE(fds), left) < 0)
            continue;
        int signum = signals_next(r->signal_fd);
        if (signum)
            return signum;
        if (fds[0].revents)
            process(r, 0);
    }
    return 0;
}

/* --- grow --------------------------------------------------------------------------------- */

static const struct opt grow_opts[] = {
    {NNODES, 'N', "nodes", "N", "How many more nodes"},
    {NSLOTS, 'n', "nslots", "N",
     "Slots on these nodes, in all (default: on each as many as the instance has)"},
    {REQUIRES, 0, "requires", "CONSTRAINT",
     "What the nodes must have (default: what the instance asked for)"},
    {BG, 0, "bg", NULL, "Do not wait until the nodes are there"},
    {QUIET, 'q', "quiet", NULL, "Print no id, and do not tell what is waited for"},
};
static const struct opt_group grow_groups[] = {OPTS(NULL, grow_opts), OPTS_END};

static json_object *grow_params(const struct resize *r)
{
    struct error err;
    char key[CLIENT_KEY_SIZE];
    json_object *params = cli_id_params(r->id);
    json_object_object_add(params, "nnodes", json_object_new_int64(r->nnodes));
    json_object_object_add(params, "key", json_object_new_string(client_key(key)));
    if (r->nslots % r->nnodes)
        cli_die(r->cli, "-n %ld: cannot be spread evenly over %ld nodes", r->nslots,
                r->nnodes);
    if (r->nslots)
        json_object_object_add(params, "nslots",
                               json_object_new_int64(r->nslots / r->nnodes));
    json_object *c = r->requires ? constraint_parse(r->requires, &err) : NULL;
    if (r->requires && !c)
        cli_die(r->cli, "--requires: %s", err.text);
    if (c)
        json_object_object_add(params, "constraints", c);
    return params;
}

static void cancel_grant(struct resize *r, int signum)
{
    char buf[CLI_ID_SIZE];
    json_object *params = json_object_new_object(), *ids = json_object_new_array();
    cleanup_free char *note =
        xasprintf("hbatch resource grow got SIG%s", sigabbrev_np(signum));
    json_object_array_add(ids, json_object_new_uint64(r->grant));
    json_object_object_add(params, "ids", ids);
    json_object_object_add(params, "note", json_object_new_string(note));
    cli_error(r->cli, "SIG%s: grant %s is canceled", sigabbrev_np(signum),
              cli_id(r->cli, r->grant, buf));
    json_object_put(cli_call(r->cli, "job.cancel", params));
}

static void tell_waiting(const struct resize *r)
{
    char buf[CLI_ID_SIZE], base[CLI_ID_SIZE];
    cli_id(r->cli, r->grant, buf);
    cli_id(r->cli, r->id, base);
    if (r->placed)
        cli_error(r->cli, "grant %s has its nodes, and waits to be taken in by job %s",
                  buf, base);
    else
        cli_error(
            r->cli,
            "grant %s waits in the queue for %ld free node%s that job %s is not on; "
            "ctrl-C cancels it",
            buf, r->nnodes, r->nnodes == 1 ? "" : "s", base);
}

static int wait_grown(struct resize *r)
{
    static const struct hbatch_stream_ops ops = {.event = on_grow_event, .end = on_end};
    char buf[CLI_ID_SIZE];
    catch_signals(r);
    attach(r, r->grant, &ops);
    int signum = wait_done(r, PATIENT_MS);
    if (!signum && !r->done && !r->quiet)
        tell_waiting(r);
    if (!signum)
        signum = wait_done(r, -1);
    if (signum) {
        cancel_grant(r, signum);
        return 128 + signum;
    }
    if (!r->over)
        return 0;
    cli_id(r->cli, r->grant, buf);
    if (r->why)
        cli_error(r->cli, "grant %s ended before its nodes were taken in (%s)", buf,
                  r->why);
    else
        cli_error(r->cli,
                  "grant %s ended before its nodes were taken in; 'hbatch output %s' "
                  "shows why",
                  buf, buf);
    return 1;
}

static int grow_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct resize r = {.cli = cli, .signal_fd = -1};
    struct optparse p;
    char buf[CLI_ID_SIZE];
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case NNODES:
            r.nnodes = cli_number(cli, "-N", p.value, 1, INT32_MAX);
            break;
        case NSLOTS:
            r.nslots = cli_number(cli, "-n", p.value, 1, INT32_MAX);
            break;
        case REQUIRES:
            r.requires
            = p.value;
            break;
        case BG:
            r.bg = true;
            break;
        default:
            r.quiet = true;
            break;
        }
    }
    if (!r.nnodes)
        cli_die(cli, "by how many nodes? Say -N N");
    find_job(&r, &p);
    cleanup_json json_object *result = cli_call(cli, "job.grow", grow_params(&r));
    r.grant = json_object_get_uint64(cli_get(result, "id"));
    if (!r.quiet) {
        puts(cli_id(cli, r.grant, buf));
        fflush(stdout);
    }
    int rc = r.bg ? 0 : wait_grown(&r);
    free(r.why);
    return cli_finish(cli, rc);
}

const struct cmd resource_grow = {
    .name = "grow",
    .args = "[ID]",
    .help = "Give more nodes to the instance that runs as job ID, or to this one",
    .more =
        "The nodes are a job of their own, a grant, whose id is printed. It waits in the "
        "queue as any other.",
    .groups = grow_groups,
    .run = grow_run,
};

/* --- shrink ------------------------------------------------------------------------------- */

static const struct opt shrink_opts[] = {
    {NNODES, 'N', "nnodes", "N", "How many nodes: idle ones first"},
    {NODES, 0, "nodes", "RANKS|HOSTS", "These nodes"},
    {BG, 0, "bg", NULL, "Do not wait until they are given back"},
    {QUIET, 'q', "quiet", NULL, "Do not tell what is waited for"},
};
static const struct opt_group shrink_groups[] = {OPTS(NULL, shrink_opts), OPTS_END};

static json_object *shrink_params(struct resize *r)
{
    json_object *params = cli_id_params(r->id);
    if (r->nodes) {
        cleanup_free char *ranks = resize_ranks(r->cli, r->nodes);
        r->which = idset_decode(ranks, NULL);
        r->nnodes = r->which ? hwloc_bitmap_weight(r->which) : 0;
        json_object_object_add(params, "nodes", json_object_new_string(ranks));
    } else {
        json_object_object_add(params, "nnodes", json_object_new_int64(r->nnodes));
    }
    r->left = r->nnodes;
    return params;
}

/* The instance has the order: what comes now is because of it. */
static void on_told(json_object *result, const struct error *err, void *arg)
{
    struct resize *r = arg;
    if (!result)
        cli_die(r->cli, "%s", err->text);
    r->placed = true;
}

static int wait_shrunk(struct resize *r)
{
    char buf[CLI_ID_SIZE];
    catch_signals(r);
    int signum = wait_done(r, PATIENT_MS);
    if (!signum && !r->done && !r->quiet)
        cli_error(r->cli,
                  "job %s has been told: %ld node%s to be given back when the jobs "
                  "there have ended",
                  cli_id(r->cli, r->id, buf), r->left, r->left == 1 ? " is" : "s are");
    if (!signum)
        signum = wait_done(r, -1);
    if (signum) {
        cli_error(r->cli, "SIG%s: not waited for any more", sigabbrev_np(signum));
        return 128 + signum;
    }
    if (!r->why)
        return 0;
    cli_error(r->cli, "%s", r->why);
    return 1;
}

static int shrink_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    static const struct hbatch_stream_ops ops = {.event = on_shrink_event, .end = on_end};
    struct resize r = {.cli = cli, .signal_fd = -1};
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case NNODES:
            r.nnodes = cli_number(cli, "-N", p.value, 1, INT32_MAX);
            break;
        case NODES:
            r.nodes = p.value;
            break;
        case BG:
            r.bg = true;
            break;
        default:
            r.quiet = true;
            break;
        }
    }
    if (r.nnodes && r.nodes)
        cli_die(cli, "-N and --nodes cannot be used together: how many nodes, or which?");
    if (!r.nnodes && !r.nodes)
        cli_die(cli, "by how many nodes, or by which? Say -N N or --nodes=HOSTS");
    find_job(&r, &p);
    json_object *params = shrink_params(&r);
    if (!r.bg)
        attach(&r, r.id, &ops);
    client_send(cli_connect(cli), "job.shrink", params, on_told, NULL, &r);
    while (!r.placed)
        process(&r, -1);
    int rc = r.bg ? 0 : wait_shrunk(&r);
    hwloc_bitmap_free(r.which);
    free(r.why);
    return rc;
}

const struct cmd resource_shrink = {
    .name = "shrink",
    .args = "[ID]",
    .help = "Take nodes from the instance that runs as job ID, or from this one",
    .more =
        "What runs there goes on to its end; the node of the instance's leader stays. "
        "RANKS are those of the instance that ID is a job of.",
    .groups = shrink_groups,
    .run = shrink_run,
};
