/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/shrink.h"

#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/turn.h"
#include "src/job/jsonutil.h"

#define GIVEN_BACK "it is given back to the parent instance"

enum { AGAIN_MS = 20 }; /* while a turn is not possible */

struct shrink {
    struct instance *in;
    hwloc_bitmap_t leaving; /* ranks that are to, and are still there */
    hwloc_bitmap_t going;   /* those of the turn that is under way */
    double *idle_since;     /* [idle_size] monotonic, 0: it is not */
    unsigned idle_size;
    uv_timer_t timer;
};

static struct shrink *get(struct instance *in)
{
    if (!in->shrink) {
        in->shrink = xcalloc(1, sizeof(*in->shrink));
        in->shrink->in = in;
        in->shrink->leaving = hwloc_bitmap_alloc();
        in->shrink->going = hwloc_bitmap_alloc();
        uv_timer_init(&in->loop, &in->shrink->timer);
        in->shrink->timer.data = in->shrink;
    }
    return in->shrink;
}

static void on_timer_closed(uv_handle_t *h)
{
    struct shrink *s = h->data;
    hwloc_bitmap_free(s->leaving);
    hwloc_bitmap_free(s->going);
    free(s->idle_since);
    free(s);
}

void shrink_destroy(struct instance *in)
{
    struct shrink *s = take(in->shrink);
    if (s)
        uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}

/* --- who is to leave ----------------------------------------------------------------------------- */

static bool may_leave(const struct instance *in, unsigned rank)
{
    enum leader_use use = leader_use_of(in->leader, rank);
    return rank != in->rank && (use == LEADER_BUSY || use == LEADER_IDLE);
}

static bool let_leave(struct instance *in, unsigned rank, const char *why)
{
    struct shrink *s = get(in);
    if (hwloc_bitmap_isset(s->leaving, rank))
        return true;
    if (!may_leave(in, rank))
        return false;
    hwloc_bitmap_set(s->leaving, rank);
    leader_drain(in->leader, rank, true, why);
    return true;
}

unsigned shrink_ranks(struct instance *in, hwloc_const_bitmap_t ranks, const char *why)
{
    int rank;
    unsigned n = 0;
    hwloc_bitmap_foreach_begin(rank, ranks)
    {
        n += let_leave(in, (unsigned)rank, why ? why : GIVEN_BACK);
    }
    hwloc_bitmap_foreach_end();
    shrink_look(in);
    return n;
}

/* Ranks that have left are not to any more. */
static void forget_gone(struct instance *in)
{
    struct shrink *s = get(in);
    int rank;
    hwloc_bitmap_foreach_begin(rank, s->leaving)
    {
        if (leader_use_of(in->leader, (unsigned)rank) == LEADER_GONE)
            hwloc_bitmap_clr(s->leaving, (unsigned)rank);
    }
    hwloc_bitmap_foreach_end();
}

unsigned shrink_count(struct instance *in, unsigned count)
{
    unsigned left = 0;
    forget_gone(in);
    for (int busy = 0; busy < 2; busy++)
        for (unsigned i = in->size; i-- > 0 && left < count;)
            if (!hwloc_bitmap_isset(in->shrink->leaving, i) && may_leave(in, i) &&
                (busy || leader_use_of(in->leader, i) == LEADER_IDLE)) {
                let_leave(in, i, GIVEN_BACK);
                left++;
            }
    shrink_look(in);
    return left;
}

void shrink_recall(void *arg, unsigned rank)
{
    struct instance *in = arg;
    static const char why[] = "its node was taken back by the parent instance";
    if (!in->leader || rank == in->rank || leader_use_of(in->leader, rank) == LEADER_GONE)
        return;
    if (!let_leave(in, rank, why)) { /* it has just joined: when its executor was heard */
        hwloc_bitmap_set(get(in)->leaving, rank);
        leader_drain(in->leader, rank, true, why);
    }
    leader_clear(in->leader, rank, "the parent instance took the node back");
    shrink_look(in);
}

static void on_timer(uv_timer_t *h);

/* --- leaving --------------------------------------------------------------------------------------- */

static json_object *make(struct instance *in, void *arg)
{
    struct shrink *s = arg;
    int rank;
    hwloc_bitmap_zero(s->going);
    hwloc_bitmap_foreach_begin(rank, s->leaving)
    {
        if (leader_use_of(in->leader, (unsigned)rank) == LEADER_IDLE)
            hwloc_bitmap_set(s->going, (unsigned)rank);
    }
    hwloc_bitmap_foreach_end();
    if (hwloc_bitmap_iszero(s->going))
        return NULL;
    cleanup_free char *text = idset_encode(s->going, 0);
    json_object *o = json_object_new_object();
    json_object_object_add(o, "shrink", json_object_new_string(text));
    return o;
}

/* The parent's ranks of those nodes that this instance's own job has; grants end with their ranks. */
static void tell_parent(struct instance *in, hwloc_const_bitmap_t ranks)
{
    cleanup_bitmap hwloc_bitmap_t nodes = hwloc_bitmap_alloc();
    int rank;
    hwloc_bitmap_foreach_begin(rank, ranks)
    {
        int64_t job = 0, node = -1;
        jsonutil_int(jsonutil_get(in->nodes[rank], "job"), 0, INT64_MAX, &job);
        jsonutil_int(jsonutil_get(in->nodes[rank], "node"), 0, INT32_MAX, &node);
        if (in->parent && job == in->sub.id && node >= 0)
            hwloc_bitmap_set(nodes, (unsigned)node);
    }
    hwloc_bitmap_foreach_end();
    if (!hwloc_bitmap_iszero(nodes))
        parent_return(in->parent, nodes);
}

static void done(struct instance *in, const struct error *err, void *arg)
{
    struct shrink *s = arg;
    if (err) {
        log_warning("nodes are not given back yet: %s", err->text);
    } else {
        hwloc_bitmap_andnot(s->leaving, s->leaving, s->going);
        tell_parent(in, s->going);
    }
    hwloc_bitmap_zero(s->going);
}

static const struct turn_ops turn_ops = {.make = make, .done = done};

static bool any_idle(struct instance *in)
{
    int rank;
    bool any = false;
    hwloc_bitmap_foreach_begin(rank, in->shrink->leaving)
    {
        any = any || leader_use_of(in->leader, (unsigned)rank) == LEADER_IDLE;
    }
    hwloc_bitmap_foreach_end();
    return any;
}

void shrink_look(struct instance *in)
{
    if (!in->shrink || !in->leader || hwloc_bitmap_iszero(in->shrink->leaving) ||
        !any_idle(in))
        return;
    if (turn_possible(in))
        turn_begin(in, &turn_ops, in->shrink);
    else if (!uv_is_active((uv_handle_t *)&in->shrink->timer))
        uv_timer_start(&in->shrink->timer, on_timer, AGAIN_MS, 0);
}

/* --- lost ones -------------------------------------------------------------------------------------- */

static bool is_granted(const struct instance *in, unsigned rank)
{
    int64_t job = in->sub.id;
    jsonutil_int(jsonutil_get(in->nodes[rank], "job"), 1, INT64_MAX, &job);
    return job != in->sub.id;
}

void shrink_lost(struct instance *in)
{
    if (!in->lost)
        return;
    bool again = false, any = false;
    for (unsigned i = 0; i < in->size; i++) {
        if (!is_granted(in, i) || jsonutil_get(in->nodes[i], "left") ||
            !transport_is_lost(in->transport, i))
            continue;
        if (!leader_forget(in->leader, i)) {
            again = true;
            continue;
        }
        json_object_object_add(in->nodes[i], "left", json_object_new_boolean(true));
        any = true;
    }
    in->lost = again;
    if (any)
        turn_count(in);
}

/* --- idle nodes -------------------------------------------------------------------------------------- */

static void look_for_idle(struct shrink *s, double now)
{
    struct instance *in = s->in;
    bool queue = leader_has_queue(in->leader);
    if (s->idle_size < in->size) {
        s->idle_since = xrealloc(s->idle_since, in->size * sizeof(*s->idle_since));
        for (unsigned i = s->idle_size; i < in->size; i++)
            s->idle_since[i] = 0;
        s->idle_size = in->size;
    }
    for (unsigned i = 0; i < in->size; i++) {
        if (queue || leader_use_of(in->leader, i) != LEADER_IDLE)
            s->idle_since[i] = 0;
        else if (s->idle_since[i] == 0)
            s->idle_since[i] = now;
        else if (now - s->idle_since[i] >= in->options.idle_return)
            let_leave(in, i, "it was idle: " GIVEN_BACK);
    }
}

static void on_timer(uv_timer_t *h)
{
    struct shrink *s = h->data;
    if (!s->in->leader)
        return;
    if (s->in->options.idle_return > 0)
        look_for_idle(s, time_mono());
    shrink_look(s->in);
}

void shrink_watch(struct instance *in)
{
    double ms = in->options.idle_return * 1000 / 4;
    uint64_t every = (uint64_t)MAX(MIN(ms, 1000.0), 20.0);
    if (in->options.idle_return > 0)
        uv_timer_start(&get(in)->timer, on_timer, every, every);
}
