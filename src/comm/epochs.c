/* SPDX-License-Identifier: BSD-3-Clause */
/* epochs: the state stream: what the leader publishes, and what is kept of it until all have it. */
#include "src/comm/transport_impl.h"

#include <string.h>
#include "src/common/util.h"

static void send_epoch(struct transport *t, uint64_t number, char *data, size_t len,
                       bool last)
{
    traffic_add(&t->traffic.epochs, data, len);
    t->mpi->stream_send(number, data, len, last);
}

static void keep(struct transport *t, uint64_t number, const char *data, size_t len)
{
    struct epoch *e = xmalloc(sizeof(*e) + len);
    e->next = NULL;
    e->number = number;
    e->len = len;
    if (len > 0)
        memcpy(e->data, data, len);
    *t->kept_end = e;
    t->kept_end = &e->next;
}

void transport_apply(struct transport *t, uint64_t epoch, char *data, size_t len)
{
    const char *end = data + len;
    size_t n;
    if (!t->started || epoch <= t->applied) /* repeated for others after a loss */
        return;
    keep(t, epoch, data, len);
    t->applied = epoch;
    t->last = time_mono();
    for (char *line; (line = transport_next_line(&data, end, &n));)
        t->epoch(epoch, line, n, t->arg);
    t->epoch(epoch, NULL, 0, t->arg);
}

void epochs_came(unsigned long long epoch, char *data, size_t len, void *arg)
{
    struct transport *t = arg;
    if (!t->held)
        transport_apply(t, epoch, data, len);
}

/* What the next epoch is made of. */
static struct batch take_batch(struct transport *t)
{
    struct batch b = t->full ? t->full->batch : t->next;
    struct full *f = t->full;
    if (!f) {
        memset(&t->next, 0, sizeof(t->next));
        return b;
    }
    t->full = f->next;
    if (!t->full)
        t->full_end = &t->full;
    t->nfull--;
    free(f);
    return b;
}

/* What is published after this is for an epoch after that. */
static void close_batch(struct transport *t)
{
    struct full *f = xmalloc(sizeof(*f));
    *f = (struct full){NULL, t->next};
    memset(&t->next, 0, sizeof(t->next));
    *t->full_end = f;
    t->full_end = &f->next;
    t->nfull++;
}

void epochs_drop(struct transport *t)
{
    while (t->full)
        free(take_batch(t).data);
    free(t->next.data);
}

/* Start the next epoch when there is something to tell and the last one is through. */
void epochs_next(struct transport *t, bool last)
{
    if (!t->streaming || t->rank != t->leader || t->turn.due || t->mpi->stream_busy())
        return;
    cleanup_free char *close = t->resend || t->full ? NULL : turn_line(t);
    if (close)
        transport_append(&t->next, close, strlen(close));
    if (t->resend) {
        struct epoch *e = t->resend;
        char *copy = xmalloc(e->len + 1);
        memcpy(copy, e->data, e->len);
        t->resend = e->next;
        send_epoch(t, e->number, copy, e->len, false);
    } else if (t->full || t->next.len > 0 || last) {
        bool end = (last || close) && !t->full;
        struct batch b = take_batch(t);
        t->applied++;
        keep(t, t->applied, b.data, b.len);
        send_epoch(t, t->applied, b.data, b.len, end);
        if (transport_next_living(t, t->leader) ==
            t->size) /* nobody will ever confirm it */
            transport_release(t, t->applied);
    }
}

void transport_stream(struct transport *t, transport_epoch_f epoch)
{
    t->epoch = epoch;
    t->streaming = true;
    t->mpi->stream_open();
}

void transport_publish(struct transport *t, const char *text, size_t len)
{
    if (t->next.len > 0 && t->next.len + len > EPOCH_MAX)
        close_batch(t);
    transport_append(&t->next, text, len);
    transport_wake_others(t);
    transport_flush_soon(t);
    if (t->started)
        transport_set_pace(t, 0);
}

uint64_t transport_applied(const struct transport *t)
{
    return t->applied;
}

uint64_t transport_least(const struct transport *t)
{
    uint64_t least = t->applied;
    for (unsigned i = 0; i < t->size; i++)
        if (!t->lost[i] && i != t->rank)
            least = MIN(least, t->confirmed[i]);
    return least;
}

void transport_release(struct transport *t, uint64_t epoch)
{
    while (t->kept && t->kept->number <= epoch && t->kept != t->resend) {
        struct epoch *e = t->kept;
        t->kept = e->next;
        if (!t->kept)
            t->kept_end = &t->kept;
        free(e);
    }
}

void transport_hold(struct transport *t)
{
    t->held = true;
}

void transport_confirm(struct transport *t, unsigned rank, uint64_t epoch)
{
    t->confirmed[rank] = MAX(t->confirmed[rank], epoch);
    transport_release(t, transport_least(t));
}

uint64_t transport_safe(const struct transport *t)
{
    unsigned second = transport_second(t);
    return second < t->size ? t->confirmed[second] : UINT64_MAX;
}

void transport_tail(const struct transport *t, uint64_t since,
                    void (*each)(uint64_t epoch, const char *data, size_t len, void *arg),
                    void *arg)
{
    for (const struct epoch *e = t->kept; e; e = e->next)
        if (e->number > since)
            each(e->number, e->data, e->len, arg);
}

void transport_begin_at(struct transport *t, uint64_t epoch)
{
    t->applied = epoch;
    for (unsigned i = 0; i < t->size; i++)
        t->confirmed[i] = epoch;
}

uint64_t transport_published(const struct transport *t)
{
    return t->applied + t->nfull + (t->next.len > 0);
}
