/* SPDX-License-Identifier: BSD-3-Clause */
/* succession: ranks that are lost, and who leads after one: see members.h. */
#include "src/instance/members_impl.h"

#include <string.h>
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"

/* Who should lead, as far as this rank knows: at the end of the list, itself. */
unsigned succession_candidate(const struct members *m)
{
    unsigned i = 0;
    while (i < m->rank && !members_alive(m, i))
        i++;
    return i;
}

/* --- the collectives anew -------------------------------------------------------------------- */

/* All of this rank's dead are dead to the transport. */
/* All of this rank's dead are dead to the transport. */
static void bury(struct members *m)
{
    for (unsigned i = 0; i < m->size; i++)
        if (m->gone[i] && !m->sure[i])
            members_tell(m, i, EXPEL, ""); /* should it be alive after all */
    transport_flush(m->transport);
    for (unsigned i = 0; i < m->size; i++)
        if (m->gone[i]) {
            m->gone[i] = false;
            lifeline_forget(m->lifeline, i);
            transport_lost(m->transport, i);
        }
}

void succession_reform(struct members *m, unsigned generation, uint64_t epoch)
{
    m->generation = generation;
    m->since = epoch;
    m->phase = SETTLED;
    uv_timer_stop(&m->ask_timer);
    transport_flush(m->transport);
    transport_reform(m->transport, (int)generation);
    members_heard_all(m);
}

/* All living ranks have answered, and this one is as far as any: they are told to re-form. */
static void order_reform(struct members *m)
{
    unsigned before = members_leader(m);
    cleanup_bitmap hwloc_bitmap_t lost = hwloc_bitmap_alloc();
    for (unsigned i = 0; i < m->size; i++)
        if (!members_alive(m, i))
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
        if (i != m->rank && members_alive(m, i)) {
            members_tell(m, i, REFORM, order);
            transport_confirm(m->transport, i, m->epoch[i]);
        }
    succession_reform(m, m->generation, epoch);
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
        if (i != m->rank && members_alive(m, i) && m->epoch[i] > most) {
            most = m->epoch[i];
            best = i;
        }
    return best;
}

void succession_answered(struct members *m)
{
    unsigned best = furthest(m);
    if (members_leader(m) == m->rank || best == m->rank) {
        order_reform(m);
        return;
    }
    m->phase = PULLING;
    m->tail_from = best;
    free(strbuf_take(&m->tail));
    members_tell_number(m, best, TAIL, transport_applied(m->transport));
}

/* Those who die together do not do so at the same moment, and one who died within the call that
 * re-forms would leave all others waiting in it: they have until the timer to be missed. */
static void ask_all(struct members *m)
{
    m->phase = ASKING;
    m->generation++;
    m->nawaited = 0;
    for (unsigned i = 0; i < m->size; i++) {
        m->awaited[i] = i != m->rank && members_alive(m, i);
        if (m->awaited[i]) {
            m->nawaited++;
            members_tell_number(m, i, PING, m->generation);
        }
    }
    uv_timer_start(&m->ask_timer, m->ask_timer.timer_cb, ASK_MS, ASK_MS);
}

/* Some did not agree, or could not; the answers of the others tell that they live. */
void succession_ask_again(struct members *m)
{
    for (unsigned i = 0; i < m->size; i++)
        if (i != m->rank && members_alive(m, i))
            members_tell_number(m, i, PING, m->generation);
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
    return here > silent || (here == silent && members_leader(m) == m->rank);
}

/* RANK is gone, as this rank sees it. */
void succession_give_up(struct members *m, unsigned rank, bool sure)
{
    if (transport_is_lost(m->transport, rank) || m->stopped)
        return;
    m->sure[rank] |= sure;
    if (m->gone[rank])
        return;
    if (sure)
        log_error("%s is gone", m->ops->name(rank, m->arg).text);
    else
        log_error("%s has been silent for %.0f s: it is given up",
                  m->ops->name(rank, m->arg).text, time_mono() - m->heard[rank]);
    m->gone[rank] = true;
}

/* After one or several were given up. */
void succession_react(struct members *m)
{
    if (m->stopped)
        return;
    if (!may_go_on(m)) {
        members_alone(m, m->home >= 0 ? "the host of hbatch start is not heard any more"
                                      : "most of the other ranks are not heard any more");
        return;
    }
    unsigned next = succession_candidate(m);
    if (next == m->rank) {
        for (unsigned i = 0; i < m->size && m->phase != ASKING; i++)
            m->heard[i] = time_mono(); /* nobody had to tell it that he lives */
        ask_all(m);
        return;
    }
    if (next == members_leader(m)) /* a loss that only the leader is to tell */
        return;
    m->phase = WAITING;
    m->waiting_since = m->heard[next] = time_mono();
    m->waits_too = m->prolonged = false;
    lifeline_follow(m->lifeline, next);
    for (unsigned i = 0; i < next; i++) /* it may have had no connection with that one */
        if (m->gone[i] && m->sure[i])
            members_tell_number(m, next, ENDED, i);
}

/* Those whom this rank must hear: the leader or who is to be it all others, the others that one. */
static bool find_silent(struct members *m, double now)
{
    bool any = false;
    unsigned next = succession_candidate(m);
    bool leads = members_leader(m) == m->rank || m->phase == SETTLED;
    double limit = leads ? m->timeout : m->timeout * SECOND_WAIT;
    for (unsigned i = 0; i < m->size; i++) {
        if (i == m->rank || !members_alive(m, i) || now - m->heard[i] < limit)
            continue;
        if (next != m->rank && i != next)
            continue;
        if (m->phase == WAITING) /* it waits by another clock: wait_on */
            continue;
        succession_give_up(m, i, false);
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

/* The one that should lead next may wait itself, for one whose end this rank has seen. */
static bool be_patient(struct members *m, double now)
{
    if (!m->waits_too || m->prolonged)
        return false;
    m->waiting_since = now;
    return m->prolonged = true;
}

/* The one that should lead next says nothing: it may have died, too, or it is this rank that nobody
 * hears.  All are asked; who does not answer is given up. */
static void wait_on(struct members *m, double now)
{
    bool any = false;
    bool over = now - m->waiting_since > m->timeout * SECOND_WAIT;
    unsigned next = succession_candidate(m);
    for (unsigned i = 0; i < m->size; i++) {
        if (i == m->rank || !members_alive(m, i))
            continue;
        if (!over)
            members_tell(m, i, PROBE, "");
        else if (m->heard[i] <= m->waiting_since ||
                 (i == next && now - m->heard[i] > 1.5 * BEAT_MS / 1000)) {
            succession_give_up(m, i, false);
            any = true;
        }
    }
    if (any)
        succession_react(m);
    else if (over && !be_patient(m, now))
        members_alone(m, "the leader is not heard any more, and no other one leads");
}

void succession_look(struct members *m, double now)
{
    if (was_asleep(m, now))
        return;
    if (find_silent(m, now))
        succession_react(m);
    else if (m->phase == WAITING)
        wait_on(m, now);
}

void succession_pulled(struct members *m)
{
    if (furthest(m) == m->rank)
        order_reform(m);
}
