/* SPDX-License-Identifier: BSD-3-Clause */
/* The ranks of a supervised instance are started, end, and are started again. */
#include "src/cli/supervise_impl.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/cli/absent.h"
#include "src/cli/ranks.h"
#include "src/cli/reach.h"
#include "src/common/duration.h"
#include "src/common/orphans.h"
#include "src/common/path.h"
#include "src/common/util.h"

#define FIRST_VARIABLE "HBATCH_START_TIMEOUT"
/* s, for the first ranks, before hosts are asked what is wrong */
#define FIRST_PATIENCE 20.0
#define EXAMINED_TIMES 2 /* that long again, when nothing was wrong with them */
/* s, for ranks that are started again, beyond some times of what the first ones took; more with each failure.
 * One that dies before all have met leaves the others waiting for it in MPI, for good. */
#define START_PATIENCE 15.0
#define START_TIMES 5
#define START_GROWTH 4
#define HOST_PATIENCE 5.0 /* s, for a host's answer before that */

enum { MAX_FAILURES = 3 };

static double earliest(double a, double b)
{
    return a > 0 && b > 0 ? MIN(a, b) : MAX(a, b);
}

static double growing(const struct supervisor *sv, double seconds)
{
    for (unsigned i = 0; i < sv->failures; i++)
        seconds *= START_GROWTH;
    return seconds;
}

static double first_patience(const struct supervisor *sv)
{
    double seconds = FIRST_PATIENCE;
    const char *text = getenv(FIRST_VARIABLE);
    struct error err;
    if (text && duration_decode(text, &seconds, &err) < 0) {
        supervisor_say("%s: %s", FIRST_VARIABLE, err.text);
        seconds = FIRST_PATIENCE;
    }
    return growing(sv, seconds);
}

static double start_patience(const struct supervisor *sv)
{
    return growing(sv, START_PATIENCE + START_TIMES * sv->took);
}

/* On HOSTS (NULL: all). */
int starts_begin(struct supervisor *sv, struct hostlist *hosts, struct error *err)
{
    struct start s = *sv->config->start;
    struct foreign alloc = *s.alloc;
    struct words w = {0};
    s.rundir = sv->rundir;
    s.supervised = sv->self;
    s.recover = sv->uri != NULL;
    if (hosts)
        alloc.hosts = hosts;
    s.alloc = &alloc;
    if (s.recover && s.time_limit > 0) { /* it has begun already */
        s.expiration = earliest(s.expiration, sv->began + s.time_limit);
        s.time_limit = 0;
    }
    sv->config->command(&s, &w);
    sv->leaving = sv->acknowledged = sv->late = sv->examined = false;
    sv->starts[sv->nstarts++ % MAX_STARTS] = time_mono();
    sv->patience = s.recover ? start_patience(sv) : first_patience(sv);
    supervisor_phase(sv, STARTING, sv->patience);
    sv->ranks = ranks_start(w.v, sv->mark, sv->config->spare, supervisor_said, sv, err);
    words_fini(&w);
    return sv->ranks ? 0 : -1;
}

static bool too_often(const struct supervisor *sv)
{
    return sv->nstarts >= MAX_STARTS &&
           time_mono() - sv->starts[sv->nstarts % MAX_STARTS] < 60;
}

static void fail_again(struct supervisor *sv, char *why);

/* The hosts that answer, this one among them; the others become absent. */
static struct hostlist *choose_hosts(struct supervisor *sv, struct hostlist *silent)
{
    const struct hostlist *all = sv->config->start->alloc->hosts;
    struct hostlist *hosts = hostlist_create();
    for (size_t i = 0, k = 0; i < hostlist_count(all); i++) {
        const char *name = hostlist_nth(all, i);
        bool asked = sv->asked && !supervisor_is_here(sv, name);
        bool good = !asked || reach_answer(sv->asked, k) == REACH_GOOD;
        k += asked;
        hostlist_append_name(good ? hosts : silent, name);
        if (good)
            absent_remove(sv->absent, name);
        else
            absent_add(sv->absent, name, false);
    }
    return hosts;
}

void starts_again(struct supervisor *sv)
{
    struct error err;
    struct hostlist *silent = hostlist_create(), *hosts = NULL;
    const struct start *s = sv->config->start;
    if (sv->config->hosts) {
        hosts = choose_hosts(sv, silent);
        cleanup_free char *list = hostlist_encode(hosts), *rest = hostlist_encode(silent);
        size_t n = hostlist_count(silent);
        supervisor_say("%s: starting the ranks again on %s%s%s%s", sv->why, list,
                       n ? "; " : "", rest,
                       n == 0   ? ""
                       : n == 1 ? " does not answer"
                                : " do not answer");
    } else {
        absent_remove(sv->absent, NULL);
        supervisor_say("%s: starting the ranks again on %u virtual nodes", sv->why,
                       MAX(s->test_nodes, 1));
    }
    supervisor_why(sv, NULL);
    reach_destroy(take(sv->asked));
    if (starts_begin(sv, hosts, &err) < 0)
        fail_again(sv, xasprintf("%s", err.text));
    hostlist_destroy(hosts);
    hostlist_destroy(silent);
}

void starts_ask_hosts(struct supervisor *sv)
{
    if (!sv->config->hosts || !sv->config->ask || hostlist_count(sv->others) == 0) {
        starts_again(sv);
        return;
    }
    supervisor_phase(sv, ASKING, 0);
    sv->asked = reach_start(sv->others, sv->config->ask, HOST_PATIENCE);
}

static void give_up(struct supervisor *sv)
{
    supervisor_say("%s: the instance is given up, after %u starts", sv->why, sv->nstarts);
    sv->given_up = true;
    supervisor_phase(sv, OVER, 0);
}

/* A start has failed. */
static void fail_again(struct supervisor *sv, char *why)
{
    supervisor_why(sv, why);
    if (++sv->failures >= MAX_FAILURES || too_often(sv))
        give_up(sv);
    else
        supervisor_phase(sv, PAUSING, sv->failures);
}

void starts_late(struct supervisor *sv)
{
    double seconds = sv->patience * (sv->examined ? 1 + EXAMINED_TIMES : 1);
    supervisor_why(sv, xasprintf("the ranks were not ready within %.0f s", seconds));
    sv->late = true;
    ranks_end(sv->ranks, 0);
}

/* The first ones, with nothing of those before. */
static void begin_afresh(struct supervisor *sv)
{
    struct error err;
    supervisor_say("%s: they are started anew", sv->why);
    supervisor_why(sv, NULL);
    sv->lost = false;
    path_remove_tree(sv->rundir);
    if (supervisor_make_rundir(sv, &err) == 0 && starts_begin(sv, NULL, &err) == 0)
        return;
    supervisor_say("%s", err.text);
    sv->status = 1;
    supervisor_phase(sv, OVER, 0);
}

static char *describe(int status)
{
    if (WIFSIGNALED(status))
        return xasprintf("mpirun was killed (signal %d)", WTERMSIG(status));
    return xasprintf("mpirun ended with exit code %d", WEXITSTATUS(status));
}

/* The exit code of an instance that never was. */
static void never_ready(struct supervisor *sv, int status)
{
    sv->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (sv->ended > 0)
        sv->status = sv->ended;
    if (sv->diagnosed)
        sv->status = 1;
    sv->config->failed = sv->ended < 0 && !sv->told_by && !sv->diagnosed && !sv->late;
    if (sv->late && !sv->told_by) {
        supervisor_say("%s: the instance is given up, after %u starts", sv->why,
                       sv->nstarts);
        sv->status = 1;
    }
    if (!sv->config->failed || sv->remote)
        return;
    if (sv->status == 0) {
        cleanup_free char *text = describe(status);
        supervisor_say("%s before the instance was ready", text);
        sv->status = 1;
    }
}

/* The first ranks are long not ready: mpirun waits for a host, or for a rank that cannot start. */
void starts_ask_doctor(struct supervisor *sv)
{
    if (sv->doctor > 0)
        return;
    sv->doctor = fork();
    if (sv->doctor != 0)
        return;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    _exit(sv->config->diagnose(sv->config->start) > 0);
}

void starts_doctor_over(struct supervisor *sv, int status)
{
    sv->doctor = 0;
    if (sv->phase != STARTING || sv->uri || !sv->ranks)
        return;
    if (status == 0) {
        sv->examined = true;
        sv->until = time_mono() + sv->patience * EXAMINED_TIMES;
        return;
    }
    sv->diagnosed = true;
    ranks_end(sv->ranks, 0);
}

void starts_over(struct supervisor *sv, int status)
{
    bool ready = sv->phase == READY;
    if (!sv->uri) {
        free(sv->config->kept);
        sv->config->kept = ranks_kept(sv->ranks);
    }
    ranks_destroy(take(sv->ranks));
    supervisor_drop_request(sv);
    orphans_kill_marked(sv->mark, sv->config->spare, 2);
    if (!sv->uri && sv->late && !sv->forced && ++sv->failures < MAX_FAILURES) {
        begin_afresh(sv);
        return;
    }
    if (!sv->uri)
        never_ready(sv, status);
    if (!sv->uri || sv->ended >= 0 || sv->forced) {
        supervisor_phase(sv, OVER, 0);
        return;
    }
    if (!ready && (!sv->leaving || sv->late)) {
        fail_again(sv, sv->why ? take(sv->why) : describe(status));
        return;
    }
    if (!sv->leaving || !sv->why)
        supervisor_why(sv,
                       sv->leaving ? xstrdup("the ranks have left") : describe(status));
    if (too_often(sv))
        give_up(sv);
    else
        starts_ask_hosts(sv);
}
