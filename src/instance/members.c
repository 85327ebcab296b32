/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/members_impl.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "src/common/duration.h"
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

void members_tell(struct members *m, unsigned rank, char letter, const char *text)
{
    cleanup_free char *line = xasprintf("%c%s", letter, text);
    transport_send(m->transport, rank, line, strlen(line));
}

void members_tell_number(struct members *m, unsigned rank, char letter, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)n);
    members_tell(m, rank, letter, text);
}

bool members_alive(const struct members *m, unsigned rank)
{
    return !transport_is_lost(m->transport, rank) && !m->gone[rank];
}

unsigned members_leader(const struct members *m)
{
    return transport_leader(m->transport);
}

void members_alone(struct members *m, const char *why)
{
    m->stopped = true;
    m->ops->alone(why, m->arg);
}

static void on_lost(unsigned rank, void *arg)
{
    struct members *m = arg;
    bool leads = members_leader(m) == m->rank || m->phase != SETTLED;
    if (rank >= m->size || rank == m->rank || m->stopped ||
        (!leads && rank != members_leader(m)))
        return;
    bool known = m->gone[rank] && m->sure[rank];
    succession_give_up(m, rank, true);
    if (m->gone[rank] && !known)
        succession_react(m);
}

static void on_wake(void *arg)
{
    struct members *m = arg;
    if (!m->stopped)
        transport_poke(m->transport);
}

static const struct lifeline_ops lifeline_ops = {.wake = on_wake, .lost = on_lost};

static void on_ask_timer(uv_timer_t *h)
{
    struct members *m = h->data;
    if (m->phase == ASKING && m->nawaited == 0)
        succession_answered(m);
    else
        succession_ask_again(m);
}

static void on_timer(uv_timer_t *h)
{
    struct members *m = h->data;
    double now = time_mono();
    unsigned leader = members_leader(m);
    if (m->stopped)
        return;
    if (leader == m->rank) {
        uint64_t least = transport_least(m->transport);
        for (unsigned i = 0; i < m->size; i++)
            if (i != m->rank && members_alive(m, i))
                members_tell_number(m, i, BEAT, least);
    } else if (members_alive(m, leader))
        members_tell_number(m, leader, BEAT, transport_applied(m->transport));
    succession_look(m, now);
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

/* All know how to reach whom. */
static void know(struct members *m)
{
    struct error err;
    if (lifeline_peers(m->lifeline, m->addresses, m->size, m->secret, &err) < 0)
        log_warning("%s", err.text);
}

static void exchange(struct members *m)
{
    make_secret(m->secret, sizeof(m->secret));
    cleanup_free char *mine = lifeline_address(m->lifeline);
    char **parts = transport_allgather(m->transport, mine);
    cleanup_free char *shared = transport_bcast(m->transport, m->secret, 0);
    snprintf(m->secret, sizeof(m->secret), "%s", shared);
    for (unsigned i = 0, n = 0; i < m->size; i++)
        if (!transport_is_lost(m->transport, i))
            m->addresses[i] = xstrdup(parts[n++]);
    transport_free_all(parts);
    know(m);
}

static void wake_others(void *arg)
{
    struct members *m = arg;
    lifeline_wake_all(m->lifeline);
}

static void make_room(struct members *m, unsigned size)
{
    m->heard = xrealloc(m->heard, size * sizeof(*m->heard));
    m->gone = xrealloc(m->gone, size * sizeof(*m->gone));
    m->sure = xrealloc(m->sure, size * sizeof(*m->sure));
    m->awaited = xrealloc(m->awaited, size * sizeof(*m->awaited));
    m->epoch = xrealloc(m->epoch, size * sizeof(*m->epoch));
    m->addresses = xrealloc(m->addresses, size * sizeof(*m->addresses));
    for (unsigned i = m->size; i < size; i++) {
        m->heard[i] = time_mono();
        m->gone[i] = m->sure[i] = m->awaited[i] = false;
        m->epoch[i] = 0;
        m->addresses[i] = NULL;
    }
    m->size = size;
}

struct members *members_listen(uv_loop_t *loop)
{
    struct members *m = xcalloc(1, sizeof(*m));
    struct error err;
    const char *limit = getenv("HBATCH_LOSS_TIMEOUT");
    m->home = -1;
    m->timeout = MEMBERS_TIMEOUT;
    if (limit && duration_decode(limit, &m->timeout, &err) < 0)
        log_warning("HBATCH_LOSS_TIMEOUT: %s", err.text);
    m->lifeline = lifeline_create(loop, 0, &lifeline_ops, m, &err);
    if (!m->lifeline)
        log_warning("%s: a dead rank is noticed later", err.text);
    uv_timer_init(loop, &m->timer);
    uv_timer_init(loop, &m->ask_timer);
    m->ask_timer.timer_cb = on_ask_timer;
    m->timer.data = m->ask_timer.data = m;
    return m;
}

static void take_part(struct members *m, struct transport *transport, unsigned generation,
                      const struct members_ops *ops, void *arg)
{
    m->transport = transport;
    m->ops = ops;
    m->arg = arg;
    m->rank = transport_rank(transport);
    m->generation = generation;
    make_room(m, transport_size(transport));
    lifeline_number(m->lifeline, m->rank);
}

struct members *members_create(uv_loop_t *loop, struct transport *transport,
                               unsigned generation, int home,
                               const struct members_ops *ops, void *arg)
{
    struct members *m = members_listen(loop);
    m->home = home;
    take_part(m, transport, generation, ops, arg);
    exchange(m);
    return m;
}

/* --- in order: PROTOCOL, section 6 -------------------------------------------------------------- */

char *members_address(const struct members *m)
{
    return lifeline_address(m->lifeline);
}

json_object *members_describe(const struct members *m)
{
    json_object *o = json_object_new_object(), *all = json_object_new_array();
    for (unsigned i = 0; i < m->size; i++)
        json_object_array_add(
            all, json_object_new_string(
                     m->addresses[i] && members_alive(m, i) ? m->addresses[i] : ""));
    json_object_object_add(o, "secret", json_object_new_string(m->secret));
    json_object_object_add(o, "generation", json_object_new_int64(m->generation));
    json_object_object_add(o, "addresses", all);
    return o;
}

static void learn(struct members *m, json_object *addresses, unsigned from)
{
    for (size_t i = 0; addresses && i < json_object_array_length(addresses); i++)
        if (from + i < m->size)
            m->addresses[from + i] =
                xstrdup(json_object_get_string(json_object_array_get_idx(addresses, i)));
    know(m);
}

void members_join(struct members *m, struct transport *transport, json_object *described,
                  const struct members_ops *ops, void *arg)
{
    const char *secret = jsonutil_string(jsonutil_get(described, "secret"));
    int64_t generation = 0;
    jsonutil_int(jsonutil_get(described, "generation"), 0, INT32_MAX, &generation);
    take_part(m, transport, (unsigned)generation, ops, arg);
    snprintf(m->secret, sizeof(m->secret), "%s", secret ? secret : "");
    learn(m, jsonutil_get(described, "addresses"), 0);
}

void members_grow(struct members *m, json_object *addresses)
{
    unsigned from = m->size;
    make_room(m, transport_size(m->transport));
    learn(m, addresses, from);
}

void members_leave(struct members *m, hwloc_const_bitmap_t ranks)
{
    int rank;
    hwloc_bitmap_foreach_begin(rank, ranks)
    {
        lifeline_forget(m->lifeline, (unsigned)rank);
        free(take(m->addresses[rank]));
    }
    hwloc_bitmap_foreach_end();
}

bool members_settled(const struct members *m)
{
    if (m->stopped || m->phase != SETTLED)
        return false;
    for (unsigned i = 0; i < m->size; i++)
        if (m->gone[i])
            return false;
    return true;
}

void members_turned(struct members *m, unsigned generation)
{
    m->generation = generation;
    m->since = transport_applied(m->transport);
    members_heard_all(m);
}

void members_heard_all(struct members *m)
{
    for (unsigned i = 0; i < m->size; i++)
        m->heard[i] = time_mono();
}

/* --- life, on -------------------------------------------------------------------------------- */

void members_start(struct members *m)
{
    for (unsigned i = 0; i < m->size; i++)
        m->heard[i] = time_mono();
    transport_set_wake(m->transport, wake_others, m);
    lifeline_follow(m->lifeline, members_leader(m));
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
    for (unsigned i = 0; i < m->size; i++)
        free(m->addresses[i]);
    free(m->addresses);
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
    if (members_leader(m) == m->rank) {
        transport_confirm(m->transport, src, epoch);
        m->ops->confirmed(m->arg);
    } else if (src == members_leader(m))
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
    if (generation <= m->generation && m->phase != WAITING && src != members_leader(m))
        return;     /* an old question */
    if (m->stopped) /* it is about to end: who counted on it would wait for it in MPI */
        return;
    /* who waits for one that is dead, too, believes after a while who asks instead */
    bool lost = src == members_leader(m) ||
                (!members_alive(m, members_leader(m)) &&
                 (succession_candidate(m) >= src || (m->phase == WAITING && patient(m))));
    if (!lost) {
        members_tell_number(m, src, NOT_LOST, generation);
        return;
    }
    if (m->phase == WAITING)
        m->waiting_since = time_mono();
    if (src != members_leader(m))
        transport_hold(m->transport); /* no further than this answer says */
    members_tell(m, src, PONG, yes);
}

static void on_pong(struct members *m, unsigned src, char *text)
{
    char *rest;
    uint64_t generation = strtoull(text, &rest, 10);
    if (m->phase != ASKING || generation != m->generation || !m->awaited[src])
        return;
    m->epoch[src] = strtoull(rest, NULL, 10);
    m->awaited[src] = false;
    m->nawaited--; /* the timer goes on */
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
    members_tell_number(m, asker->rank, TAIL_END, epoch);
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
    succession_pulled(m);
}

static void on_reform(struct members *m, unsigned src, char *text)
{
    char *rest;
    struct error err;
    unsigned generation = (unsigned)strtoul(text, &rest, 10), rank;
    uint64_t epoch = strtoull(rest, &rest, 10);
    bool changes = src != members_leader(m);
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
    succession_reform(m, generation, epoch);
    lifeline_follow(m->lifeline, members_leader(m));
    if (changes)
        m->ops->led(members_leader(m), m->arg);
}

void members_applied(struct members *m)
{
    /* the leader waits for the one that would succeed it */
    if (transport_second(m->transport) == m->rank && members_alive(m, members_leader(m)))
        members_tell_number(m, members_leader(m), BEAT, transport_applied(m->transport));
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
        if (!m->stopped)
            members_tell(m, src, HERE, m->phase == SETTLED ? "0" : "1");
        return true;
    case HERE:
        if (src == succession_candidate(m))
            m->waits_too = line[1] == '1';
        return true;
    case ENDED:
        on_lost((unsigned)strtoul(line + 1, NULL, 10), m);
        return true;
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
        members_alone(m, "the others have given up this rank: it was not heard");
        return true;
    default:
        return false;
    }
}
