/* SPDX-License-Identifier: BSD-3-Clause */
/* account: who uses how much of the instance, and what that means to the order of the jobs that wait.
 *
 * Fair shares change with each second that jobs run, the order in which jobs wait seldom.  So each FAIR_S, if jobs of
 * several banks wait, shares are compared with those that the priorities were made with; where one is off by FAIR_STEP,
 * priorities are made anew, WALK_JOBS in a turn of the loop.  Elements of an array that wait are one. */
#include "src/instance/change.h"
#include "src/instance/leader_impl.h"
#include "src/instance/standing.h"

#include <math.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

#define FAIR_S 5.0
#define FAIR_STEP 0.01
#define TELL_S 10.0
enum { WALK_JOBS = 2000 };

/* --- counts ----------------------------------------------------------------------------------- */

static const char *user_name(void)
{
    static char name[64];
    struct passwd *pw = name[0] ? NULL : getpwuid(geteuid());
    if (!name[0])
        snprintf(name, sizeof(name), "%s", pw ? pw->pw_name : "owner");
    return name;
}

/* Of SUB: [ACCOUNT_KINDS] */
static void find_accounts(struct leader *ld, struct submission *sub,
                          struct account **accounts)
{
    struct queues *q = ld->queues;
    struct queue_state *s = queues_of(q, sub->spec);
    if (!s->account)
        s->account =
            accounts_get(q->accounts, ACCOUNT_QUEUE, s->name ? s->name : "default");
    if (!ld->user_account)
        ld->user_account = accounts_get(q->accounts, ACCOUNT_USER, user_name());
    accounts[ACCOUNT_BANK] = standing_bank(q, sub);
    accounts[ACCOUNT_QUEUE] = s->account;
    accounts[ACCOUNT_USER] = ld->user_account;
}

void account_count(struct leader *ld, struct submission *sub, int64_t n)
{
    struct account *accounts[ACCOUNT_KINDS];
    find_accounts(ld, sub, accounts);
    for (int k = 0; k < ACCOUNT_KINDS; k++)
        accounts[k]->active += (uint64_t)n;
}

void account_running(struct leader *ld, struct submission *sub, int jobs, double ncores)
{
    struct account *accounts[ACCOUNT_KINDS];
    double now = time_now();
    find_accounts(ld, sub, accounts);
    for (int k = 0; k < ACCOUNT_KINDS; k++) {
        account_use(ld->queues->accounts, accounts[k], ncores, now);
        accounts[k]->running += (uint64_t)(int64_t)jobs;
    }
    ld->accounts_changed = true;
}

/* What ran since the accounts were told last is not lost: it is taken to have run since. */
void account_recount(struct leader *ld)
{
    struct accounts *a = ld->queues->accounts;
    double now = time_now();
    a->ncores = ld->universe;
    ld->user_account = NULL;
    for (int k = 0; k < ACCOUNT_KINDS; k++)
        for (size_t i = 0; i < a->n[k]; i++) {
            struct account *account = a->v[k][i];
            if (account->ncores > 0)
                account_use(a, account, -account->ncores, now);
            account->active = account->running = 0;
        }
    for (const struct job *job = jobtable_first(ld->jobs); job; job = job->next) {
        struct account *accounts[ACCOUNT_KINDS];
        find_accounts(ld, job->sub, accounts);
        bool running = job->state == JOB_RUN && job->pl && !job->former;
        for (int k = 0; k < ACCOUNT_KINDS; k++) {
            accounts[k]->active++;
            accounts[k]->running += running;
            accounts[k]->ncores += running ? (double)rset_ncores(job_held(job)) : 0;
            accounts[k]->at = accounts[k]->at > 0 ? accounts[k]->at : now;
        }
    }
    for (size_t i = 0; i < jobtable_narrays(ld->jobs); i++) {
        struct submission *sub = jobtable_array(ld->jobs, i);
        account_count(ld, sub, (int64_t)array_number(sub->array, ARRAY_REST));
    }
}

/* --- fair shares ------------------------------------------------------------------------------ */

static bool counts(const struct leader *ld)
{
    const struct config *c = ld->queues->config;
    return c->multifactor && c->weights.fairshare > 0;
}

/* Several banks have jobs that wait. */
static bool is_contended(const struct leader *ld)
{
    const struct accounts *a = ld->queues->accounts;
    int waiting = 0;
    for (size_t i = 0; i < a->n[ACCOUNT_BANK]; i++)
        waiting += a->v[ACCOUNT_BANK][i]->active > a->v[ACCOUNT_BANK][i]->running;
    return waiting > 1;
}

static bool shares_have_changed(struct leader *ld, double now)
{
    struct accounts *a = ld->queues->accounts;
    bool changed = false;
    for (size_t i = 0; i < a->n[ACCOUNT_BANK]; i++) {
        struct account *bank = a->v[ACCOUNT_BANK][i];
        double factor = account_fairshare(a, bank, now);
        if (fabs(factor - bank->factor) < FAIR_STEP)
            continue;
        bank->factor = factor;
        changed = true;
    }
    return changed;
}

static void reprioritize(struct leader *ld, struct job *job)
{
    if (job->sj.queued)
        sched_reprioritize(ld->sched, &job->sj, standing_priority(ld->queues, job));
}

static void walk(struct leader *ld)
{
    for (int n = 0; ld->walk && n < WALK_JOBS; n++) {
        reprioritize(ld, ld->walk);
        ld->walk = ld->walk->next;
    }
    if (ld->walk)
        leader_wake(ld);
}

void account_removed(struct leader *ld, const struct job *job)
{
    if (ld->walk == job)
        ld->walk = job->next;
}

void account_run(struct leader *ld, double now)
{
    if (ld->walk) {
        walk(ld);
        return;
    }
    if (!counts(ld) || now < ld->fair_at || !is_contended(ld))
        return;
    ld->fair_at = now + FAIR_S;
    if (!shares_have_changed(ld, now))
        return;
    for (size_t i = 0; i < jobtable_narrays(ld->jobs); i++)
        for (int g = 0; g < ARRAY_GROUPS; g++)
            if (jobtable_array(ld->jobs, i)->rests[g])
                reprioritize(ld, jobtable_array(ld->jobs, i)->rests[g]);
    ld->walk = jobtable_first(ld->jobs);
    walk(ld);
}

double account_next(const struct leader *ld)
{
    if (!counts(ld) || !is_contended(ld))
        return 0;
    return MAX(ld->fair_at, 1.0);
}

/* --- what outlives the leader ----------------------------------------------------------------- */

void account_tell(struct leader *ld, double now)
{
    if (!ld->accounts_changed || now - ld->accounts_told < TELL_S)
        return;
    ld->accounts_changed = false;
    ld->accounts_told = now;
    cleanup_json json_object *o = accounts_to_json(ld->queues->accounts, now);
    change_account(ld, o);
}

void account_store(struct leader *ld)
{
    if (!ld->accounts_changed)
        return;
    cleanup_json json_object *o = accounts_to_json(ld->queues->accounts, time_now());
    store_attr_set(ld->store, "account",
                   json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
}
