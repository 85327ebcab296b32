/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "compat/slurm/jobs.h"
#include "compat/slurm/options.h"
#include "src/common/hostlist.h"
#include "src/job/state.h"
#include "src/lib/build.h"

enum { NAME = 1, PARTITION, SIGNAL, STATE, USER, ME, VERBOSE, NODELIST };

static const struct sopt opts[] = {
    {"account", 'A', 'r', OPT_REFUSE,
     "jobs are chosen by id, name, partition, state or user"},
    {"batch", 'b', 0, OPT_IGNORE, NULL},
    {"clusters", 'M', 'r', OPT_IGNORE, NULL},
    {"ctld", 0, 0, OPT_IGNORE, NULL},
    {"full", 'f', 0, OPT_IGNORE, NULL},
    {"hurry", 'H', 0, OPT_IGNORE, NULL},
    {"interactive", 'i', 0, OPT_REFUSE,
     "hbatch does not ask; hbatch cancel --dry-run shows what would be canceled"},
    {"jobname", 0, 'r', NAME, NULL},
    {"me", 0, 0, ME, NULL},
    {"name", 'n', 'r', NAME, NULL},
    {"nodelist", 'w', 'r', NODELIST, NULL},
    {"partition", 'p', 'r', PARTITION, NULL},
    {"qos", 'q', 'r', OPT_REFUSE, "hbatch has no qualities of service"},
    {"quiet", 'Q', 0, OPT_IGNORE, NULL},
    {"reservation", 'R', 'r', OPT_REFUSE, "hbatch has no reservations"},
    {"signal", 's', 'r', SIGNAL, NULL},
    {"state", 't', 'r', STATE, NULL},
    {"user", 'u', 'r', USER, NULL},
    {"verbose", 'v', 0, VERBOSE, NULL},
    {"wckey", 0, 'r', OPT_REFUSE, "hbatch has no wckeys"},
};

struct scancel {
    struct slurm *s;
    const char *name, *partition, *user;
    unsigned states;
    int signum;
    bool verbose;
    struct hostlist *nodes; /* NULL: any */
    struct sjobs jobs;
};

static bool selects(const struct scancel *c, const struct sjob *j)
{
    char uid[32];
    snprintf(uid, sizeof(uid), "%.0f", slurm_number(j->o, "userid", 0));
    return (!c->states || c->states & 1U << job_sstate(j)) &&
           (!c->name || slurm_listed(c->name, slurm_text(j->o, "name", ""))) &&
           (!c->partition ||
            slurm_listed(c->partition, slurm_text(j->o, "queue", SLURM_PARTITION))) &&
           (!c->user || strcmp(c->user, slurm_text(j->o, "username", "")) == 0 ||
            strcmp(c->user, uid) == 0) &&
           (!c->nodes || job_is_on(j, c->nodes));
}

static int fetch(struct scancel *c, int n, char **ids)
{
    struct error err;
    int rc = 0;
    if (n == 0)
        jobs_fetch(c->s, &c->jobs, &(struct jobs_query){.states = JOB_ACTIVE});
    for (int i = 0; i < n; i++) {
        if (strchr(ids[i], '.'))
            slurm_die(c->s,
                      "%s: a step is a job of the job's own instance, and is canceled "
                      "there: hbatch --uri=JOB cancel",
                      ids[i]);
        if (jobs_fetch_id(c->s, &c->jobs, ids[i], &err) == 0)
            continue;
        if (!isdigit((unsigned char)*ids[i])) {
            slurm_error(c->s, "Invalid job id %s", ids[i]);
            rc = 1;
        } else if (c->verbose) { /* as Slurm: what is not there needs no cancel */
            slurm_error(c->s, "Kill job error on job id %s: %s", ids[i], err.text);
        }
    }
    return rc;
}

/* One request for all. */
static int cancel(struct scancel *c)
{
    json_object *params = json_object_new_object(), *ids = json_object_new_array();
    for (size_t i = 0; i < c->jobs.n; i++)
        if (selects(c, &c->jobs.v[i]) && job_sstate(&c->jobs.v[i]) <= S_COMPLETING)
            json_object_array_add(ids, json_object_new_uint64(c->jobs.v[i].id));
    json_object_object_add(params, "ids", ids);
    if (json_object_array_length(ids) == 0) {
        json_object_put(params);
        return 0;
    }
    cleanup_json json_object *answer = slurm_call(c->s, "job.cancel", params);
    json_object *errors = json_object_object_get(answer, "errors");
    size_t n = errors ? json_object_array_length(errors) : 0;
    for (size_t i = 0; i < n; i++) {
        json_object *e = json_object_array_get_idx(errors, i);
        slurm_error(c->s, "Kill job error on job id %.0f: %s", slurm_number(e, "id", 0),
                    slurm_text(e, "message", ""));
    }
    return n > 0;
}

static int send_signal(struct scancel *c)
{
    struct error err;
    int rc = 0;
    for (size_t i = 0; i < c->jobs.n; i++) {
        const struct sjob *j = &c->jobs.v[i];
        if (!selects(c, j) || job_sstate(j) != S_RUNNING)
            continue;
        json_object *params = slurm_params("id", j->id);
        json_object_object_add(params, "signal", json_object_new_int(c->signum));
        json_object *answer = slurm_ask(c->s, "job.kill", params, &err);
        if (!answer) {
            slurm_error(c->s, "Kill job error on job id %llu: %s",
                        (unsigned long long)j->id, err.text);
            rc = 1;
        }
        json_object_put(answer);
    }
    return rc;
}

int cmd_scancel(struct slurm *s, int argc, char **argv)
{
    struct scancel c = {.s = s};
    struct sparse p;
    struct error err;
    struct passwd *pw = getpwuid(getuid());
    sparse_init(&p, s, opts, ARRAY_SIZE(opts), argc, argv, false);
    for (const struct sopt *o; (o = sparse_next(&p));) {
        switch (o->id) {
        case NAME:
            c.name = p.value;
            break;
        case PARTITION:
            c.partition = p.value;
            break;
        case SIGNAL:
            c.signum = build_signal_number(p.value, &err);
            if (c.signum < 0)
                slurm_die(s, "Unknown job signal: %s", p.value);
            break;
        case STATE:
            c.states = sstate_mask(s, p.value);
            break;
        case USER:
            c.user = p.value;
            break;
        case ME:
            c.user = pw ? pw->pw_name : "";
            break;
        case VERBOSE:
            c.verbose = true;
            break;
        case NODELIST:
            c.nodes = hostlist_decode(p.value, &err);
            if (!c.nodes)
                slurm_die(s, "Invalid node name specification: %s", err.text);
            break;
        default:
            break;
        }
    }
    if (p.first == argc && !c.name && !c.partition && !c.user && !c.states && !c.nodes)
        slurm_die(s, "No job identification provided");
    int rc = fetch(&c, argc - p.first, argv + p.first);
    rc |= c.signum && c.signum != SIGKILL ? send_signal(&c) : cancel(&c);
    jobs_fini(&c.jobs);
    hostlist_destroy(c.nodes);
    return rc;
}
