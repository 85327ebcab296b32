/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/timer.h"

#include "src/common/util.h"

struct timer {
    uv_timer_t uv;
    struct timer **owner;
    void (*f)(void *arg);
    void *arg;
};

static void on_closed(uv_handle_t *h)
{
    free(h->data);
}

void timer_stop(struct timer **t)
{
    if (*t)
        uv_close((uv_handle_t *)&(*t)->uv, on_closed);
    *t = NULL;
}

static void on_timer(uv_timer_t *uv)
{
    struct timer *t = uv->data;
    void (*f)(void *) = t->f;
    void *arg = t->arg;
    timer_stop(t->owner);
    f(arg);
}

void timer_start(struct timer **t, uv_loop_t *loop, double seconds, void (*f)(void *arg),
                 void *arg)
{
    timer_stop(t);
    struct timer *n = xcalloc(1, sizeof(*n));
    n->f = f;
    n->arg = arg;
    n->owner = t;
    uv_timer_init(loop, &n->uv);
    n->uv.data = n;
    /* A loop that was busy has an old idea of now, which would let the timer fire early. */
    uv_update_time(loop);
    double ms = MIN(seconds, 1e9) * 1000.0;
    /* it counts whole milliseconds: one more, not to be early */
    uv_timer_start(&n->uv, on_timer, ms > 0 ? (uint64_t)ms + 1 : 0, 0);
    *t = n;
}
