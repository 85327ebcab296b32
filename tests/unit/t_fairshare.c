/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sched/fairshare.h"
#include <math.h>
#include "src/common/util.h"
#include "tests/unit/unit.h"

#define near(a, b) ck_assert_double_eq_tol(a, b, 1e-6 * (1 + fabs((double)(b))))

static struct accounts *configured(const char *text)
{
    struct error err;
    struct accounts *a = accounts_create();
    struct config *c = config_decode(text, &err);
    ck_assert_msg(c != NULL, "%s", err.text);
    accounts_configure(a, c);
    config_destroy(c);
    return a;
}

/* Steps of a thousandth of what the closed form says at once. */
static double by_steps(double usage, double ncores, double dt, double half_life)
{
    enum { STEPS = 20000 };
    for (int i = 0; i < STEPS; i++)
        usage = usage * exp2(-dt / STEPS / half_life) + ncores * dt / STEPS;
    return usage;
}

START_TEST(usage)
{
    struct accounts *a = configured("priority.half-life = 100");
    struct account *x = accounts_get(a, ACCOUNT_BANK, "x");
    ck_assert_ptr_eq(x, accounts_get(a, ACCOUNT_BANK, "x"));
    near(account_usage(a, x, 1000), 0);
    account_use(a, x, 4, 1000);
    near(account_usage(a, x, 1000), 0);
    ck_assert_double_eq_tol(account_usage(a, x, 1050), by_steps(0, 4, 50, 100), 0.02);
    account_use(a, x, -4, 1050);
    double used = account_usage(a, x, 1050);
    near(account_usage(a, x, 1150), used / 2);
    near(account_usage(a, x, 1250), used / 4);
    near(account_usage(a, x, 1000), used); /* late news */
    account_use(a, x, 2, 1150);
    ck_assert_double_eq_tol(account_usage(a, x, 1350), by_steps(used / 2, 2, 200, 100),
                            0.02);
    account_use(a, x, -5, 1350); /* more than there was */
    ck_assert(x->ncores == 0);
    accounts_destroy(a);
    accounts_destroy(NULL);
}
END_TEST

START_TEST(shares)
{
    struct accounts *a = configured("banks.x = 3\nbanks.y.shares = 1\nbanks.z = 4");
    struct account *x = accounts_get(a, ACCOUNT_BANK, "x"),
                   *y = accounts_get(a, ACCOUNT_BANK, "y"),
                   *z = accounts_get(a, ACCOUNT_BANK, "z");
    near(account_share(a, x), 0.375);
    near(account_fairshare(a, x, 0), 1);
    account_use(a, x, 1, 1);
    account_use(a, y, 1, 1);
    near(account_used(a, x, 10), 0.5);
    near(account_used(a, z, 10), 0);
    near(account_fairshare(a, x, 10), exp2(-0.5 / 0.375));
    near(account_fairshare(a, y, 10), exp2(-0.5 / 0.125));
    near(account_fairshare(a, z, 10), 1);
    /* one that is not configured has no share */
    struct account *w = accounts_get(a, ACCOUNT_BANK, "w");
    struct config *c = config_decode("banks.x = 1", NULL);
    accounts_configure(a, c);
    near(account_share(a, x), 1);
    near(account_fairshare(a, w, 10), 0);
    config_destroy(c);
    c = config_decode("", NULL);
    accounts_configure(a, c);
    near(account_share(a, w), 0.25); /* all the same */
    config_destroy(c);
    accounts_destroy(a);
}
END_TEST

START_TEST(as_json)
{
    struct accounts *a = configured(""), *b = configured("");
    account_use(a, accounts_get(a, ACCOUNT_BANK, "x"), 3, 1000);
    account_use(a, accounts_get(a, ACCOUNT_USER, "me"), 2, 1000);
    accounts_get(a, ACCOUNT_BANK, "x")->factor = 0.25;
    cleanup_json json_object *o = accounts_to_json(a, 1100);
    accounts_from_json(b, o);
    struct account *x = accounts_get(b, ACCOUNT_BANK, "x");
    near(account_usage(b, x, 1100),
         account_usage(a, accounts_get(a, ACCOUNT_BANK, "x"), 1100));
    ck_assert(x->factor == 0.25 && x->ncores == 0);
    near(accounts_get(b, ACCOUNT_USER, "me")->usage,
         account_usage(a, accounts_get(a, ACCOUNT_USER, "me"), 1100));
    static const char *const rejects[] = {
        "null",
        "{}",
        "{\"t\":\"x\"}",
        "{\"t\":1,\"banks\":[]}",
        "{\"t\":1,\"banks\":{\"x\":3}}",
        "{\"t\":1,\"banks\":{\"x\":[-1,0]}}",
        "{\"t\":1,\"banks\":{\"x\":[1,2]}}",
        "{\"t\":1,\"banks\":{\"x\":[1]}}",
    };
    double before = x->usage;
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        cleanup_json json_object *bad = json_tokener_parse(rejects[i]);
        accounts_from_json(b, bad);
        ck_assert(x->usage == before);
    }
    accounts_destroy(a);
    accounts_destroy(b);
}
END_TEST

UNIT_MAIN("fairshare", usage, shares, as_json)
