/* SPDX-License-Identifier: BSD-3-Clause */
/* fairshare: who has used how much, and has which share: the accounts of an instance.  Usage is in core-seconds, of which
 * half is forgotten in each half-life.  No clock: times come in, and may come late.
 *
 * Fair share of a bank: 2^-(its part of all banks' usage / its part of all banks' shares): 1 for who has used nothing,
 * 0.5 for who has used what it is entitled to. */
#ifndef HBATCH_SCHED_FAIRSHARE_H
#define HBATCH_SCHED_FAIRSHARE_H

#include <stdint.h>
#include <json-c/json.h>
#include "src/sched/config.h"

enum account_kind { ACCOUNT_BANK, ACCOUNT_QUEUE, ACCOUNT_USER, ACCOUNT_KINDS };
extern const char *const account_kinds[ACCOUNT_KINDS]; /* "banks", ... */

struct account {
    char *name;
    double shares; /* of a bank; 0: it has none */
    double usage;  /* core-seconds, at the time AT */
    double ncores; /* that are used now */
    double at;
    uint64_t active, running; /* jobs */
    double factor;            /* of a bank: the one that priorities are made with */
};

struct accounts {
    struct account *
        *v[ACCOUNT_KINDS]; /* [n] in the order in which they came; they stay */
    size_t n[ACCOUNT_KINDS];
    double half_life;
    double ncores; /* of the instance */
};

struct accounts *accounts_create(void);
void accounts_destroy(struct accounts *a); /* NULL is allowed */
/* Half-life and shares are those of C. */
void accounts_configure(struct accounts *a, const struct config *c);
/* The account NAME, made if there is none. */
struct account *accounts_get(struct accounts *a, enum account_kind kind,
                             const char *name);
/* So many more cores are used from NOW on. */
void account_use(const struct accounts *a, struct account *account, double ncores,
                 double now);
/* Core-seconds, forgotten ones not counted. */
double account_usage(const struct accounts *a, const struct account *account, double now);
/* The bank's part of all shares, of all usage; its fair share. */
double account_share(const struct accounts *a, const struct account *bank);
double account_used(const struct accounts *a, const struct account *bank, double now);
double account_fairshare(const struct accounts *a, const struct account *bank,
                         double now);

/* {"t":NOW,"banks":{NAME:[USAGE,FACTOR],...},...}, a new object; and back, with no cores in use. */
json_object *accounts_to_json(const struct accounts *a, double now);
void accounts_from_json(struct accounts *a, json_object *o);

#endif
