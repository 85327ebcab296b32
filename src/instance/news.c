/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/news.h"

#include <stdio.h>
#include <string.h>
#include "src/common/util.h"
#include "src/instance/leader_impl.h"
#include "src/job/jsonutil.h"

/* What tells of jobs that run, or is for those only. */
static const char *const questions[] = {
    "job.attach", "job.info",  "job.kill",  "job.list",
    "job.memo",   "job.stats", "job.stdin", "job.update",
};

struct held {
    struct held *next;
    struct client *client;
    json_object *o;
    uint64_t round; /* it waits for the answers of this one */
    double since;   /* monotonic */
};

struct news {
    struct held *first, **end; /* in the order in which they came */
    uint64_t round;            /* the latest in which executors were asked */
    bool due;                  /* somebody waits for the next one */
};

struct news *news_create(void)
{
    struct news *n = xcalloc(1, sizeof(*n));
    n->end = &n->first;
    return n;
}

static void held_free(struct held *h)
{
    json_object_put(h->o);
    free(h);
}

void news_destroy(struct news *n)
{
    for (struct held *h; n && (h = n->first);) {
        n->first = h->next;
        held_free(h);
    }
    free(n);
}

static bool has_held(const struct news *n, const struct client *c)
{
    for (const struct held *h = n->first; h; h = h->next)
        if (h->client == c)
            return true;
    return false;
}

/* Its executor has jobs ahead, of which some may have begun. */
static bool is_to_be_asked(const struct leader_node *node)
{
    return node->lease->n > node->lease->unsent && !node->lost;
}

static bool may_know_more(const struct leader *ld)
{
    for (unsigned i = 0; i < ld->config.size; i++)
        if (is_to_be_asked(&ld->nodes[i]))
            return true;
    return false;
}

static bool is_question(json_object *o)
{
    const char *method = jsonutil_string(jsonutil_get(o, "method"));
    for (size_t i = 0; method && i < ARRAY_SIZE(questions); i++)
        if (strcmp(questions[i], method) == 0)
            return true;
    return false;
}

bool news_hold(struct leader *ld, struct client *c, json_object *o)
{
    struct news *n = ld->news;
    if (!has_held(n, c) && !(may_know_more(ld) && is_question(o)))
        return false;
    struct held *h = xcalloc(1, sizeof(*h));
    h->client = c;
    h->o = json_object_get(o);
    h->round = n->round + 1;
    h->since = time_mono();
    *n->end = h;
    n->end = &h->next;
    n->due = true;
    leader_wake(ld);
    return true;
}

static void ask(struct leader *ld)
{
    uint64_t round = ++ld->news->round;
    ld->news->due = false;
    for (unsigned i = 0; i < ld->config.size; i++) {
        if (!is_to_be_asked(&ld->nodes[i]))
            continue;
        ld->nodes[i].news_asked = round;
        /* it changes nothing, so it need not wait for what was decided before (gate.c) */
        char text[64];
        int n = snprintf(text, sizeof(text), "{\"m\":\"news\",\"n\":%llu}",
                         (unsigned long long)round);
        ld->config.to_exec(ld->config.arg, i, text, (size_t)n);
    }
}

static bool is_answered(const struct leader *ld, uint64_t round)
{
    for (unsigned i = 0; i < ld->config.size; i++)
        if (!ld->nodes[i].lost &&
            ld->nodes[i].news_told < MIN(ld->nodes[i].news_asked, round))
            return false;
    return true;
}

void news_turn(struct leader *ld)
{
    struct news *n = ld->news;
    if (!n->first)
        return;
    if (n->due)
        ask(ld);
    double patience = time_mono() - NEWS_PATIENCE;
    /* what an answer does may end a client, and so take others out of the list */
    for (struct held *h; (h = n->first);) {
        if (!is_answered(ld, h->round) && h->since > patience)
            break;
        n->first = h->next;
        if (!n->first)
            n->end = &n->first;
        leader_answer(ld, h->client, h->o);
        held_free(h);
    }
}

double news_next(const struct leader *ld)
{
    const struct held *h = ld->news->first;
    return h ? time_now() + MAX(h->since + NEWS_PATIENCE - time_mono(), 0.001) : 0;
}

void news_told(struct leader *ld, unsigned rank, json_object *msg)
{
    int64_t round;
    if (!jsonutil_int(jsonutil_get(msg, "n"), 0, INT64_MAX, &round))
        return;
    ld->nodes[rank].news_told = MAX(ld->nodes[rank].news_told, (uint64_t)round);
    if (ld->news->first)
        leader_wake(ld);
}

void news_lost(struct leader *ld, unsigned rank)
{
    ld->nodes[rank].news_told = ld->nodes[rank].news_asked;
    if (ld->news->first)
        leader_wake(ld);
}

void news_client_gone(struct leader *ld, const struct client *c)
{
    struct news *n = ld->news;
    n->end = &n->first;
    for (struct held **p = &n->first, *h; (h = *p);) {
        if (h->client != c) {
            p = &h->next;
            n->end = p;
            continue;
        }
        *p = h->next;
        held_free(h);
    }
}
