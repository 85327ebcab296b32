/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/members.h"

#include <stdio.h>
#include <string.h>
#include "src/common/duration.h"
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"

enum { BEAT_MS = 1000 };

/* The letters (PROTOCOL, section 3). */
enum {
    BEAT = TRANSPORT_QUIET, /* "EPOCH": alive, and this far in the state stream */
    PING = 'P',             /* "GENERATION": are you there? */
    PONG = 'A',
    REFORM = 'F', /* "GENERATION EPOCH LOST": re-form without these ranks */
    EXPEL = 'X',  /* you were given up */
};

struct members {
    uv_timer_t timer;
    struct transport *transport;
    const struct members_ops *ops;
    void *arg;
    unsigned rank, size;
    double timeout;
    double *heard; /* [size] monotonic time of the last message */
    int generation;
    bool *awaited; /* leader: whose PONG of this generation has not come */
    unsigned nawaited;
    uint64_t since;
};

static void tell(struct members *m, unsigned rank, char letter, const char *text)
{
    cleanup_free char *line = xasprintf("%c%s", letter, text);
    transport_send(m->transport, rank, line, strlen(line));
}

static bool alive(const struct members *m, unsigned rank)
{
    return !transport_is_lost(m->transport, rank);
}

static void reform(struct members *m, int generation, uint64_t epoch)
{
    m->generation = generation;
    m->since = epoch;
    transport_flush(m->transport);
    transport_reform(m->transport, generation);
    /* the call took time in which nobody could be heard */
    for (unsigned i = 0; i < m->size; i++)
        m->heard[i] = time_mono();
}

/* All living ranks have answered: they are told to re-form, and so does the leader. */
static void order_reform(struct members *m)
{
    cleanup_bitmap hwloc_bitmap_t lost = hwloc_bitmap_alloc();
    for (unsigned i = 0; i < m->size; i++)
        if (!alive(m, i))
            hwloc_bitmap_set(lost, i);
    cleanup_free char *text = idset_encode(lost, 0);
    uint64_t epoch = transport_published(m->transport);
    cleanup_free char *order =
        xasprintf("%d %llu %s", m->generation, (unsigned long long)epoch, text);
    for (unsigned i = 1; i < m->size; i++)
        if (alive(m, i))
            tell(m, i, REFORM, order);
    reform(m, m->generation, epoch);
}

static void ask_all(struct members *m)
{
    char text[16];
    snprintf(text, sizeof(text), "%d", ++m->generation);
    m->nawaited = 0;
    for (unsigned i = 1; i < m->size; i++) {
        m->awaited[i] = alive(m, i);
        if (m->awaited[i]) {
            m->nawaited++;
            tell(m, i, PING, text);
        }
    }
    if (m->nawaited == 0)
        order_reform(m);
}

static void watch_ranks(struct members *m, double now)
{
    bool any = false;
    for (unsigned i = 1; i < m->size; i++) {
        if (!alive(m, i) || now - m->heard[i] < m->timeout)
            continue;
        log_error("rank %u has been silent for %.0f s: it is given up", i,
                  now - m->heard[i]);
        tell(m, i, EXPEL, ""); /* should it be alive after all */
        transport_flush(m->transport);
        transport_lost(m->transport, i);
        m->ops->lost(i, m->arg);
        any = true;
    }
    if (any)
        ask_all(m);
}

static void on_timer(uv_timer_t *h)
{
    struct members *m = h->data;
    double now = time_mono();
    char text[24];
    if (m->rank == 0) {
        for (unsigned i = 1; i < m->size; i++)
            if (alive(m, i))
                tell(m, i, BEAT, "");
        watch_ranks(m, now);
        return;
    }
    snprintf(text, sizeof(text), "%llu",
             (unsigned long long)transport_applied(m->transport));
    tell(m, 0, BEAT, text);
    if (now - m->heard[0] > 3 * m->timeout) {
        uv_timer_stop(&m->timer);
        m->ops->leader_lost(m->arg);
    }
}

struct members *members_create(uv_loop_t *loop, struct transport *transport,
                               const struct members_ops *ops, void *arg)
{
    struct members *m = xcalloc(1, sizeof(*m));
    struct error err;
    const char *limit = getenv("HBATCH_LOSS_TIMEOUT");
    m->transport = transport;
    m->ops = ops;
    m->arg = arg;
    m->rank = transport_rank(transport);
    m->size = transport_size(transport);
    m->timeout = MEMBERS_TIMEOUT;
    if (limit && duration_decode(limit, &m->timeout, &err) < 0)
        log_warning("HBATCH_LOSS_TIMEOUT: %s", err.text);
    m->heard = xcalloc(m->size, sizeof(*m->heard));
    m->awaited = xcalloc(m->size, sizeof(*m->awaited));
    for (unsigned i = 0; i < m->size; i++)
        m->heard[i] = time_mono();
    uv_timer_init(loop, &m->timer);
    m->timer.data = m;
    uv_timer_start(&m->timer, on_timer, BEAT_MS, BEAT_MS);
    return m;
}

static void on_closed(uv_handle_t *h)
{
    struct members *m = h->data;
    free(m->heard);
    free(m->awaited);
    free(m);
}

void members_destroy(struct members *m)
{
    if (m)
        uv_close((uv_handle_t *)&m->timer, on_closed);
}

uint64_t members_since(const struct members *m)
{
    return m->since;
}

static void on_pong(struct members *m, unsigned src, const char *text)
{
    if (atoi(text) != m->generation || !m->awaited[src])
        return;
    m->awaited[src] = false;
    if (--m->nawaited == 0)
        order_reform(m);
}

static void on_reform(struct members *m, char *text)
{
    char *rest;
    struct error err;
    int generation = (int)strtol(text, &rest, 10);
    uint64_t epoch = strtoull(rest, &rest, 10);
    cleanup_bitmap hwloc_bitmap_t lost = idset_decode(rest + (*rest == ' '), &err);
    unsigned rank;
    if (!lost) {
        log_error("order to re-form: %s", err.text);
        return;
    }
    hwloc_bitmap_foreach_begin(rank, lost)
    {
        if (rank < m->size && alive(m, rank))
            transport_lost(m->transport, rank);
    }
    hwloc_bitmap_foreach_end();
    reform(m, generation, epoch);
}

bool members_line(struct members *m, unsigned src, char *line, size_t len)
{
    m->heard[src] = time_mono();
    if (len == 0)
        return true;
    switch (line[0]) {
    case BEAT:
        if (m->rank == 0)
            transport_confirm(m->transport, src, strtoull(line + 1, NULL, 10));
        return true;
    case PING:
        tell(m, 0, PONG, line + 1);
        return true;
    case PONG:
        on_pong(m, src, line + 1);
        return true;
    case REFORM:
        on_reform(m, line + 1);
        return true;
    case EXPEL:
        m->ops->expelled(m->arg);
        return true;
    default:
        return false;
    }
}
