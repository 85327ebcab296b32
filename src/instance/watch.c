/* SPDX-License-Identifier: BSD-3-Clause */
/* watch: clients that are told when something has changed (instance.watch): not what, but that it is worth
 * to ask again, and how many jobs there are.  At most every WATCH_MS, however much happens. */
#include "src/instance/leader_impl.h"

#include "src/common/util.h"

enum { WATCH_MS = 500 };

struct watcher {
    struct watcher *next;
    struct request rq;
};

static void tell(struct watcher *w, json_object *stats)
{
    json_object *params = json_object_new_object();
    json_object_object_add(params, "sub", json_object_new_int64(w->rq.id));
    json_object_object_add(params, "stats", json_object_get(stats));
    notify(w->rq.client, "instance.changed", params);
}

static void tell_all(struct leader *ld)
{
    cleanup_json json_object *stats = leader_stats(ld);
    ld->watched_at = time_mono();
    for (struct watcher *w = ld->watchers; w; w = w->next)
        tell(w, stats);
}

static void on_timer(uv_timer_t *h)
{
    tell_all(h->data);
}

void watch_add(struct leader *ld, const struct request *rq)
{
    struct watcher *w = xcalloc(1, sizeof(*w));
    w->rq = *rq;
    w->next = ld->watchers;
    ld->watchers = w;
    cleanup_json json_object *stats = leader_stats(ld);
    tell(w, stats);
}

void watch_turn(struct leader *ld)
{
    if (!ld->watchers || uv_is_active((uv_handle_t *)&ld->watch_timer))
        return;
    double wait = ld->watched_at + WATCH_MS / 1e3 - time_mono();
    if (wait > 0)
        uv_timer_start(&ld->watch_timer, on_timer, (uint64_t)(wait * 1000) + 1, 0);
    else
        tell_all(ld);
}

void watch_client_gone(struct leader *ld, const struct client *c)
{
    for (struct watcher **p = &ld->watchers; *p;) {
        struct watcher *w = *p;
        if (c && w->rq.client != c) {
            p = &w->next;
            continue;
        }
        *p = w->next;
        free(w);
    }
    if (!ld->watchers)
        uv_timer_stop(&ld->watch_timer);
}
