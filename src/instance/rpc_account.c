/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_account: requests about who has used how much. */
#include "src/instance/leader_impl.h"

#include "src/common/util.h"
#include "src/job/jsonutil.h"

static void put_number(json_object *o, const char *key, double v)
{
    json_object_object_add(o, key, json_object_new_double(v));
}

static json_object *describe(const struct accounts *a, enum account_kind kind,
                             const struct account *account, double now)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "name", json_object_new_string(account->name));
    put_number(o, "usage", account_usage(a, account, now));
    put_number(o, "ncores", account->ncores);
    json_object_object_add(o, "active", json_object_new_int64((int64_t)account->active));
    json_object_object_add(o, "running",
                           json_object_new_int64((int64_t)account->running));
    if (kind != ACCOUNT_BANK)
        return o;
    put_number(o, "shares", account->shares);
    put_number(o, "share", account_share(a, account));
    put_number(o, "used", account_used(a, account, now));
    put_number(o, "factor", account_fairshare(a, account, now));
    return o;
}

static json_object *describe_weights(const struct config *c)
{
    json_object *o = json_object_new_object();
    put_number(o, "urgency", c->weights.urgency);
    put_number(o, "age", c->weights.age);
    put_number(o, "age-max", c->weights.age_max);
    put_number(o, "size", c->weights.size);
    put_number(o, "fairshare", c->weights.fairshare);
    json_object_object_add(o, "small-first",
                           json_object_new_boolean(c->weights.small_first));
    return o;
}

static int rpc_account_list(struct leader *ld, const struct request *rq,
                            json_object *params, struct error *err)
{
    (void)params, (void)err;
    const struct accounts *a = ld->queues->accounts;
    double now = time_now();
    json_object *result = json_object_new_object();
    for (int k = 0; k < ACCOUNT_KINDS; k++) {
        json_object *list = json_object_new_array();
        for (size_t i = 0; i < a->n[k]; i++)
            json_object_array_add(list,
                                  describe(a, (enum account_kind)k, a->v[k][i], now));
        json_object_object_add(result, account_kinds[k], list);
    }
    put_number(result, "half_life", a->half_life);
    if (ld->queues->config->multifactor)
        json_object_object_add(result, "weights", describe_weights(ld->queues->config));
    reply_result(ld, rq, result);
    return 0;
}

const struct rpc rpc_account_table[] = {
    {"account.list", rpc_account_list},
    {NULL, NULL},
};
