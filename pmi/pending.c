/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/pending.h"

#include <stdlib.h>

static void on_timer(uv_timer_t *timer)
{
    struct pending *p = timer->data;
    p->expired(p);
}

static void on_close(uv_handle_t *handle)
{
    free(handle->data);
}

void pending_add(struct pending_list *list, struct pending *p, double timeout,
                 void (*expired)(struct pending *p))
{
    p->token = ++list->tokens;
    p->expired = expired;
    p->next = list->first;
    p->pprev = &list->first;
    if (p->next)
        p->next->pprev = &p->next;
    list->first = p;
    uv_timer_init(list->loop, &p->timer);
    p->timer.data = p;
    if (timeout > 0)
        uv_timer_start(&p->timer, on_timer, (uint64_t)(timeout * 1000), 0);
}

struct pending *pending_find(const struct pending_list *list, uint64_t token)
{
    struct pending *p = list->first;
    while (p && p->token != token)
        p = p->next;
    return p;
}

void pending_remove(struct pending *p)
{
    *p->pprev = p->next;
    if (p->next)
        p->next->pprev = p->pprev;
    uv_close((uv_handle_t *)&p->timer, on_close);
}
