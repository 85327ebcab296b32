/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/members.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "src/comm/lifeline.h"
#include "src/common/duration.h"
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"

enum { BEAT_MS = 1000, ASK_MS = 100 };

/* How long a rank without a leader waits for others, in timeouts. */
#define SECOND_WAIT 0.75
/* What it takes an executor to kill its tasks, and a leader's rank to say so. */
#define KILL_S 1.0

/* The letters (PROTOCOL, section 3). */
enum {
    BEAT =
        TRANSPORT_QUIET, /* "EPOCH": alive; this far in the state stream; leader: all are */
    PING = 'P',          /* "GENERATION": are you there, and is the leader gone? */
    PONG = 'A',          /* "GENERATION EPOCH": it is, and this far */
    NOT_LOST = 'N',      /* "GENERATION": the leader is there */
    TAIL = 'T',          /* "EPOCH": tell the epochs after that */
    TAIL_LINE = 'e',     /* a line of one of them */
    TAIL_END = 'E',      /* "EPOCH": its end */
    REFORM = 'F',        /* "GENERATION EPOCH LOST": re-form without these ranks */
    EXPEL = 'X',         /* you were given up */
    PROBE = 'K',         /* are you there? */
    HERE = 'k',          /* yes */
};

enum phase {
    SETTLED, /* a leader leads, nothing is asked */
    ASKING,  /* this rank leads, or will: some PONG has not come */
    PULLING, /* it will lead, and is behind another rank */
    WAITING, /* the leader is lost, and a lower rank than this one should say so */
};

struct members {
    uv_timer_t timer, ask_timer;
    unsigned handles; /* that are not closed */
    struct transport *transport;
    struct lifeline *lifeline; /* NULL: none could be had */
    const struct members_ops *ops;
    void *arg;
    unsigned rank, size;
    int home;
    double timeout;
    double *heard;   /* [size] monotonic time of the last message */
    bool *gone;      /* [size] given up by this rank, not yet by all */
    bool *sure;      /* [size] its process is gone */
    bool *awaited;   /* whose PONG of this generation has not come */
    uint64_t *epoch; /* [size] as the PONGs told */
    unsigned nawaited, generation;
    enum phase phase;
    double waiting_since;
    double looked;      /* when heard was last looked at */
    struct strbuf tail; /* of the epoch that is being pulled */
    unsigned tail_from;
    uint64_t since;
    bool stopped;
};

static void tell(struct members *m, unsigned rank, char letter, const char *text)
{
    cleanup_free char *line = xasprintf("%c%s", letter, text);
    transport_send(m->transport, rank, line, strlen(line));
}

static void tell_number(struct members *m, unsigned rank, char letter, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
    tell(m, rank, letter, text);
}

static bool alive(const struct members *m, unsigned rank)
{
    return !transport_is_lost(m->transport, rank) && !m->gone[rank];
}

static unsigned leader_of(const struct members *m)
{
    return transport_leader(m->transport);
}

/* Who should lead, as far as this rank knows: at the end of the list, itself. */
static unsigned candidate(const struct members *m)
{
    unsigned i = 0;
    while (i < m->rank && !alive(m, i))
        i++;
    return i;
}

static void alone(struct members *m, const char *why)
{
    m->stopped = true;
    m->ops->alone(why, m->arg);
}

/* --- the collectives anew -------------------------------------------------------------------- */

/* All of this rank's dead are dead to the transport. */
static void bury(struct members *m)
{
    for (unsigned i = 0; i < m->size; i++)
        if (m->gone[i] && !m->sure[i])
            tell(m, i, EXPEL, ""); /* should it be alive after all */
    transport_flush(m->transport);
    for (unsigned i = 0; i < m->size; i++)
        if (m->gone[i]) {
            m->gone[i] = false;
            lifeline_forget(m->lifeline, i);
            transport_lost(m->transport, i);
        }
}

static void reform(struct members *m, unsigned generation, uint64_t epoch)
{
    m->generation = generation;
    m->since = epoch;
    m->phase = SETTLED;
    uv_timer_stop(&m->ask_timer);
    transport_flush(m->transport);
    transport_reform(m->transport, (int)generation);
    /* the call took time in which nobody could be heard */
    for (unsigned i = 0; i < m->size; i++)
        m->heard[i] = time_mono();
}

/* All living ranks have answered, and this one is as far as any: they are told to re-form. */
static void order_reform(struct members *m)
{
    unsigned before = leader_of(m);
    cleanup_bitmap hwloc_bitmap_t lost = hwloc_bitmap_alloc();
    for (unsigned i = 0; i < m->size; i++)
        if (!alive(m, i))
            hwloc_bitmap_set(lost, i);
    bool *sure = xcalloc(m->size, sizeof(*sure));
    memcpy(sure, m->sure, m->size * sizeof(*sure));
    bool *fresh = xcalloc(m->size, sizeof(*fresh));
    memcpy(fresh, m->gone, m->size * sizeof(*fresh));
    bury(m);
    cleanup_free char *text = idset_encode(lost, 0);
    uint64_t epoch = transport_published(m->transport);
    cleanup_free char *order =
        xasprintf("%u %llu %s", m->generation, (unsigned long long)epoch, text);
    for (unsigned i = 0; i < m->size; i++)
        if (i != m->rank && alive(m, i)) {
            tell(m, i, REFORM, order);
            transport_confirm(m->transport, i, m->epoch[i]);
        }
    reform(m, m->generation, epoch);
    if (before != m->rank) {
        lifeline_follow(m->lifeline, m->rank);
        m->ops->lead(m->arg);
    }
    for (unsigned i = 0; i < m->size; i++)
        if (fresh[i])
            m->ops->lost(i, sure[i], m->arg);
    free(sure);
    free(fresh);
    m->ops->confirmed(m->arg);
}

static unsigned furthest(const struct members *m)
{
    unsigned best = m->rank;
    uint64_t most = transport_applied(m->transport);
    for (unsigned i = 0; i < m->size; i++)
        if (i != m->rank && alive(m, i) && m->epoch[i] > most) {
            most = m->epoch[i];
            best = i;
        }
    return best;
}

static void answered(struct members *m)
{
    unsigned best = furthest(m);
    if (leader_of(m) == m->rank || best == m->rank) {
        order_reform(m);
        return;
    }
    m->phase = PULLING;
    m->tail_from = best;
    free(strbuf_take(&m->tail));
    tell_number(m, best, TAIL, transport_applied(m->transport));
}

static void ask_all(struct members *m)
{
    m->phase = ASKING;
    m->generation++;
    m->nawaited = 0;
    for (unsigned i = 0; i < m->size; i++) {
        m->awaited[i] = i != m->rank && alive(m, i);
        if (m->awaited[i]) {
            m->nawaited++;
            tell_number(m, i, PING, m->generation);
        }
    }
    uv_timer_start(&m->ask_timer, m->ask_timer.timer_cb, ASK_MS, ASK_MS);
    if (m->nawaited == 0)
        answered(m);
}

/* Some did not agree, or could not; the answers of the others tell that they live. */
static void ask_again(struct members *m)
{
    for (unsigned i = 0; i < m->size; i++)
        if (i != m->rank && alive(m, i))
            tell_number(m, i, PING, m->generation);
}

/* --- loss ----------------------------------------------------------------------------------- */

/* Whether those who are left may go on without those who fell silent. */
static bool may_go_on(const struct members *m)
{
    unsigned here = 0, silent = 0;
    for (unsigned i = 0; i < m->size; i++) {
        if (transport_is_lost(m->transport, i) || m->sure[i])
            continue;
        if (m->gone[i])
            silent++;
        else
            here++;
    }
    if (silent == 0)
        return true;
    if (m->home >= 0)
        return !m->gone[m->home] || m->sure[m->home];
    return here > silent || (here == silent && leader_of(m) == m->rank);
}

/* RANK is gone, as this rank sees it. */
static void give_up(struct members *m, unsigned rank, bool sure)
{
    if (transport_is_lost(m->transport, rank) || m->stopped)
        return;
    m->sure[rank] |= sure;
    if (m->gone[rank])
        return;
    if (sure)
        log_error("rank %u is gone", rank);
    else
        log_error("rank %u has been silent for %.0f s: it is given up", rank,
                  time_mono() - m->heard[rank]);
    m->gone[rank] = true;
}

/* After one or several were given up. */
static void react(struct members *m)
{
    if (m->stopped)
        return;
    if (!may_go_on(m)) {
        alone(m, m->home >= 0 ? "the host of hbatch start is not heard any more"
                              : "most of the other ranks are not heard any more");
        return;
    }
    unsigned next = candidate(m);
    if (next == m->rank) {
        for (unsigned i = 0; i < m->size && m->phase != ASKING; i++)
            m->heard[i] = time_mono(); /* nobody had to tell it that he lives */
        ask_all(m);
        return;
    }
    if (next == leader_of(m)) /* a loss that only the leader is to tell */
        return;
    m->phase = WAITING;
    m->waiting_since = m->heard[next] = time_mono();
    lifeline_follow(m->lifeline, next);
}

static void on_lost(unsigned rank, void *arg)
{
    struct members *m = arg;
    bool leads = leader_of(m) == m->rank || m->phase != SETTLED;
    if (rank >= m->size || m->stopped || (!leads && rank != leader_of(m)))
        return;
    give_up(m, rank, true);
    if (m->gone[rank])
        react(m);
}

static void on_wake(void *arg)
{
    struct members *m = arg;
    if (!m->stopped)
        transport_poke(m->transport);
}

static const struct lifeline_ops lifeline_ops = {.wake = on_wake, .lost = on_lost};

/* Those whom this rank must hear: the leader or who is to be it all others, the others that one. */
static bool find_silent(struct members *m, double now)
{
    bool any = false;
    unsigned next = candidate(m);
    bool leads = leader_of(m) == m->rank || m->phase == SETTLED;
    double limit = leads ? m->timeout : m->timeout * SECOND_WAIT;
    for (unsigned i = 0; i < m->size; i++) {
        if (i == m->rank || !alive(m, i) || now - m->heard[i] < limit)
            continue;
        if (next != m->rank && i != next)
            continue;
        if (m->phase == WAITING) /* it waits by another clock: wait_on */
            continue;
        give_up(m, i, false);
        any = true;
    }
    return any;
}

/* Whether this process was stopped: what the others have said meanwhile is yet to be read. */
static bool was_asleep(struct members *m, double now)
{
    bool asleep = m->looked > 0 && now - m->looked > 2.5 * BEAT_MS / 1000;
    m->looked = now;
    if (!asleep)
        return false;
    for (unsigned i = 0; i < m->size; i++)
        m->heard[i] = MAX(m->heard[i], now - m->timeout + 1.5 * BEAT_MS / 1000);
    m->waiting_since = now;
    return true;
}

/* The one that should lead next says nothing: it may have died, too, or it is this rank that nobody
 * hears.  All are asked; who does not answer is given up. */
static void wait_on(struct members *m, double now)
{
    bool any = false;
    bool over = now - m->waiting_since > m->timeout * SECOND_WAIT;
    for (unsigned i = 0; i < m->size; i++) {
        if (i == m->rank || !alive(m, i))
            continue;
        if (!over)
            tell(m, i, PROBE, "");
        else if (m->heard[i] <= m->waiting_since) {
            give_up(m, i, false);
            any = true;
        }
    }
    if (any)
        react(m);
    else if (over)
        alone(m, "the leader is not heard any more, and no other one leads");
}

static void on_ask_timer(uv_timer_t *h)
{
    ask_again(h->data);
}

static void on_timer(uv_timer_t *h)
{
    struct members *m = h->data;
    double now = time_mono();
    unsigned leader = leader_of(m);
    if (m->stopped)
        return;
    if (leader == m->rank) {
        uint64_t least = transport_least(m->transport);
        for (unsigned i = 0; i < m->size; i++)
            if (i != m->rank && alive(m, i))
                tell_number(m, i, BEAT, least);
    } else if (alive(m, leader))
        tell_number(m, leader, BEAT, transport_applied(m->transport));
    if (was_asleep(m, now))
        return;
    if (find_silent(m, now))
        react(m);
    else if (m->phase == WAITING)
        wait_on(m, now);
}

/* --- life ----------------------------------------------------------------------------------- */

static void make_secret(char *hex, size_t size)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        memset(bytes, 0, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes) && 2 * i + 2 < size; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

/* All know how to reach all. */
static void exchange(struct members *m)
{
    struct error err;
    char secret[33];
    make_secret(secret, sizeof(secret));
    cleanup_free char *mine = lifeline_address(m->lifeline);
    char **parts = transport_allgather(m->transport, mine);
    cleanup_free char *shared = transport_bcast(m->transport, secret, 0);
    cleanup_free char **all = xcalloc(m->size, sizeof(*all));
    for (unsigned i = 0, n = 0; i < m->size; i++)
        if (!transport_is_lost(m->transport, i))
            all[i] = parts[n++];
    if (lifeline_peers(m->lifeline, all, m->size, shared, &err) < 0)
        log_warning("%s", err.text);
    transport_free_all(parts);
}

static void wake_others(void *arg)
{
    struct members *m = arg;
    lifeline_wake_all(m->lifeline);
}

struct members *members_create(uv_loop_t *loop, struct transport *transport,
                               unsigned generation, int home,
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
    m->generation = generation;
    m->home = home;
    m->timeout = MEMBERS_TIMEOUT;
    if (limit && duration_decode(limit, &m->timeout, &err) < 0)
        log_warning("HBATCH_LOSS_TIMEOUT: %s", err.text);
    m->heard = xcalloc(m->size, sizeof(*m->heard));
    m->gone = xcalloc(m->size, sizeof(*m->gone));
    m->sure = xcalloc(m->size, sizeof(*m->sure));
    m->awaited = xcalloc(m->size, sizeof(*m->awaited));
    m->epoch = xcalloc(m->size, sizeof(*m->epoch));
    m->lifeline = lifeline_create(loop, m->rank, &lifeline_ops, m, &err);
    if (!m->lifeline)
        log_warning("%s: a dead rank is noticed later", err.text);
    exchange(m);
    uv_timer_init(loop, &m->timer);
    uv_timer_init(loop, &m->ask_timer);
    m->ask_timer.timer_cb = on_ask_timer;
    m->timer.data = m->ask_timer.data = m;
    return m;
}

void members_start(struct members *m)
{
    for (unsigned i = 0; i < m->size; i++)
        m->heard[i] = time_mono();
    transport_set_wake(m->transport, wake_others, m);
    lifeline_follow(m->lifeline, leader_of(m));
    uv_timer_start(&m->timer, on_timer, BEAT_MS, BEAT_MS);
}

void members_stop(struct members *m)
{
    m->stopped = true;
    transport_set_wake(m->transport, NULL, NULL);
    lifeline_close(take(m->lifeline)); /* with a farewell */
}

static void on_closed(uv_handle_t *h)
{
    struct members *m = h->data;
    if (--m->handles > 0)
        return;
    free(m->heard);
    free(m->gone);
    free(m->sure);
    free(m->awaited);
    free(m->epoch);
    free(m->tail.s);
    free(m);
}

void members_destroy(struct members *m)
{
    if (!m)
        return;
    members_stop(m);
    m->handles = 2;
    uv_close((uv_handle_t *)&m->timer, on_closed);
    uv_close((uv_handle_t *)&m->ask_timer, on_closed);
}

uint64_t members_since(const struct members *m)
{
    return m->since;
}

unsigned members_generation(const struct members *m)
{
    return m->generation;
}

double members_fence(const struct members *m)
{
    /* Whom nobody hears gives up the leader a timeout and a beat after it heard it last, and itself
     * a second wait and a beat later; this rank may have heard of it for the last time a beat
     * before that. */
    return m->timeout * SECOND_WAIT + 3.0 * BEAT_MS / 1000 + KILL_S;
}

/* --- what others say ------------------------------------------------------------------------ */

static void on_beat(struct members *m, unsigned src, uint64_t epoch)
{
    if (leader_of(m) == m->rank) {
        transport_confirm(m->transport, src, epoch);
        m->ops->confirmed(m->arg);
    } else if (src == leader_of(m))
        transport_release(m->transport, epoch);
}

static bool patient(const struct members *m)
{
    return time_mono() - m->waiting_since > m->timeout / 8;
}

/* From the leader, or from one that wants to lead because the leader is gone. */
static void on_ping(struct members *m, unsigned src, uint64_t generation)
{
    cleanup_free char *yes =
        xasprintf("%llu %llu", (unsigned long long)generation,
                  (unsigned long long)transport_applied(m->transport));
    if (generation <= m->generation && m->phase != WAITING && src != leader_of(m))
        return; /* an old question */
    /* who waits for one that is dead, too, believes after a while who asks instead */
    bool lost = src == leader_of(m) ||
                (!alive(m, leader_of(m)) &&
                 (candidate(m) >= src || (m->phase == WAITING && patient(m))));
    if (!lost) {
        tell_number(m, src, NOT_LOST, generation);
        return;
    }
    if (m->phase == WAITING)
        m->waiting_since = time_mono();
    if (src != leader_of(m))
        transport_hold(m->transport); /* no further than this answer says */
    tell(m, src, PONG, yes);
}

static void on_pong(struct members *m, unsigned src, char *text)
{
    char *rest;
    uint64_t generation = strtoull(text, &rest, 10);
    if (m->phase != ASKING || generation != m->generation || !m->awaited[src])
        return;
    m->epoch[src] = strtoull(rest, NULL, 10);
    m->awaited[src] = false;
    if (--m->nawaited == 0)
        answered(m);
}

struct asker {
    struct members *m;
    unsigned rank;
};

static void send_epoch(uint64_t epoch, const char *data, size_t len, void *arg)
{
    const struct asker *asker = arg;
    struct members *m = asker->m;
    const char *end = data + len;
    for (const char *nl; data < end && (nl = memchr(data, '\n', (size_t)(end - data)));
         data = nl + 1) {
        cleanup_free char *line = xasprintf("%c%.*s", TAIL_LINE, (int)(nl - data), data);
        transport_send(m->transport, asker->rank, line, (size_t)(nl - data) + 1);
    }
    tell_number(m, asker->rank, TAIL_END, epoch);
}

static void on_tail_line(struct members *m, const char *text, size_t len)
{
    strbuf_addn(&m->tail, text, len);
    strbuf_addc(&m->tail, '\n');
}

static void on_tail_end(struct members *m, uint64_t epoch)
{
    size_t len = m->tail.len;
    cleanup_free char *data = strbuf_take(&m->tail);
    if (m->phase != PULLING)
        return;
    transport_apply(m->transport, epoch, data, len);
    if (furthest(m) == m->rank)
        order_reform(m);
}

static void on_reform(struct members *m, unsigned src, char *text)
{
    char *rest;
    struct error err;
    unsigned generation = (unsigned)strtoul(text, &rest, 10), rank;
    uint64_t epoch = strtoull(rest, &rest, 10);
    bool changes = src != leader_of(m);
    cleanup_bitmap hwloc_bitmap_t lost = idset_decode(rest + (*rest == ' '), &err);
    if (!lost) {
        log_error("order to re-form: %s", err.text);
        return;
    }
    memset(m->gone, 0, m->size * sizeof(*m->gone));
    hwloc_bitmap_foreach_begin(rank, lost)
    {
        if (rank < m->size && !transport_is_lost(m->transport, rank)) {
            lifeline_forget(m->lifeline, rank);
            transport_lost(m->transport, rank);
        }
    }
    hwloc_bitmap_foreach_end();
    reform(m, generation, epoch);
    lifeline_follow(m->lifeline, leader_of(m));
    if (changes)
        m->ops->led(leader_of(m), m->arg);
}

void members_applied(struct members *m)
{
    /* the leader waits for the one that would succeed it */
    if (transport_second(m->transport) == m->rank && alive(m, leader_of(m)))
        tell_number(m, leader_of(m), BEAT, transport_applied(m->transport));
}

bool members_line(struct members *m, unsigned src, char *line, size_t len)
{
    m->heard[src] = time_mono();
    if (len == 0)
        return true;
    switch (line[0]) {
    case BEAT:
        on_beat(m, src, strtoull(line + 1, NULL, 10));
        return true;
    case PING:
        on_ping(m, src, strtoull(line + 1, NULL, 10));
        return true;
    case PONG:
        on_pong(m, src, line + 1);
        return true;
    case PROBE:
        tell(m, src, HERE, "");
        return true;
    case HERE:     /* it was heard */
    case NOT_LOST: /* asked again, until one of us sees that he is wrong */
        return true;
    case TAIL:
        transport_tail(m->transport, strtoull(line + 1, NULL, 10), send_epoch,
                       &(struct asker){m, src});
        return true;
    case TAIL_LINE:
        if (src == m->tail_from)
            on_tail_line(m, line + 1, len - 1);
        return true;
    case TAIL_END:
        if (src == m->tail_from)
            on_tail_end(m, strtoull(line + 1, NULL, 10));
        return true;
    case REFORM:
        on_reform(m, src, line + 1);
        return true;
    case EXPEL:
        alone(m, "the others have given up this rank: it was not heard");
        return true;
    default:
        return false;
    }
}
