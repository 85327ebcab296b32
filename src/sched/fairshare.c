/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/fairshare.h"

#include <math.h>
#include <string.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

const char *const account_kinds[ACCOUNT_KINDS] = {"banks", "queues", "users"};

#define HALF_LIFE 604800.0

struct accounts *accounts_create(void)
{
    struct accounts *a = xcalloc(1, sizeof(*a));
    a->half_life = HALF_LIFE;
    return a;
}

void accounts_destroy(struct accounts *a)
{
    if (!a)
        return;
    for (int k = 0; k < ACCOUNT_KINDS; k++) {
        for (size_t i = 0; i < a->n[k]; i++) {
            free(a->v[k][i]->name);
            free(a->v[k][i]);
        }
        free(a->v[k]);
    }
    free(a);
}

struct account *accounts_get(struct accounts *a, enum account_kind kind, const char *name)
{
    for (size_t i = 0; i < a->n[kind]; i++)
        if (strcmp(a->v[kind][i]->name, name) == 0)
            return a->v[kind][i];
    struct account *account = xcalloc(1, sizeof(*account));
    *account = (struct account){.name = xstrdup(name), .shares = 1, .factor = 1};
    a->v[kind] = xrealloc(a->v[kind], (a->n[kind] + 1) * sizeof(struct account *));
    a->v[kind][a->n[kind]++] = account;
    return account;
}

void accounts_configure(struct accounts *a, const struct config *c)
{
    a->half_life = c->half_life;
    for (size_t i = 0; i < a->n[ACCOUNT_BANK]; i++)
        a->v[ACCOUNT_BANK][i]->shares = c->nbanks > 0 ? 0 : 1;
    for (size_t i = 0; i < c->nbanks; i++)
        accounts_get(a, ACCOUNT_BANK, c->banks[i].name)->shares = c->banks[i].shares;
}

double account_usage(const struct accounts *a, const struct account *account, double now)
{
    double dt = now - account->at;
    if (!(dt > 0))
        return account->usage;
    double kept = exp2(-dt / a->half_life);
    /* what is used meanwhile is forgotten meanwhile */
    return account->usage * kept + account->ncores * a->half_life / M_LN2 * (1 - kept);
}

void account_use(const struct accounts *a, struct account *account, double ncores,
                 double now)
{
    account->usage = account_usage(a, account, now);
    account->at = fmax(account->at, now);
    account->ncores = fmax(account->ncores + ncores, 0);
}

double account_share(const struct accounts *a, const struct account *bank)
{
    double all = 0;
    for (size_t i = 0; i < a->n[ACCOUNT_BANK]; i++)
        all += a->v[ACCOUNT_BANK][i]->shares;
    return all > 0 ? bank->shares / all : 0;
}

double account_used(const struct accounts *a, const struct account *bank, double now)
{
    double all = 0;
    for (size_t i = 0; i < a->n[ACCOUNT_BANK]; i++)
        all += account_usage(a, a->v[ACCOUNT_BANK][i], now);
    return all > 0 ? account_usage(a, bank, now) / all : 0;
}

double account_fairshare(const struct accounts *a, const struct account *bank, double now)
{
    double share = account_share(a, bank);
    return share > 0 ? exp2(-account_used(a, bank, now) / share) : 0;
}

json_object *accounts_to_json(const struct accounts *a, double now)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "t", json_object_new_double(now));
    for (int k = 0; k < ACCOUNT_KINDS; k++) {
        json_object *kind = json_object_new_object();
        for (size_t i = 0; i < a->n[k]; i++) {
            json_object *pair = json_object_new_array_ext(2);
            json_object_array_add(
                pair, json_object_new_double(account_usage(a, a->v[k][i], now)));
            json_object_array_add(pair, json_object_new_double(a->v[k][i]->factor));
            json_object_object_add(kind, a->v[k][i]->name, pair);
        }
        json_object_object_add(o, account_kinds[k], kind);
    }
    return o;
}

static void take_account(struct account *account, json_object *pair, double at)
{
    double usage, factor;
    if (!json_object_is_type(pair, json_type_array) ||
        !jsonutil_number(json_object_array_get_idx(pair, 0), &usage) || !(usage >= 0) ||
        !jsonutil_number(json_object_array_get_idx(pair, 1), &factor) ||
        !(factor >= 0 && factor <= 1))
        return;
    account->usage = usage;
    account->factor = factor;
    account->at = at;
    account->ncores = 0;
}

void accounts_from_json(struct accounts *a, json_object *o)
{
    double at = 0;
    if (!jsonutil_number(jsonutil_get(o, "t"), &at))
        return;
    for (int k = 0; k < ACCOUNT_KINDS; k++) {
        json_object *kind = jsonutil_get(o, account_kinds[k]);
        if (!json_object_is_type(kind, json_type_object))
            continue;
        json_object_object_foreach(kind, name, pair)
        {
            take_account(accounts_get(a, (enum account_kind)k, name), pair, at);
        }
    }
}
