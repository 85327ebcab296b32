/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/turn.h"

#include <errno.h>
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

struct turn {
    json_object *what; /* NULL: not made yet */
    const struct turn_ops *ops;
    void *arg;
};

/* --- on all ranks ------------------------------------------------------------------------------ */

void turn_count(struct instance *in)
{
    int64_t n = 0;
    for (unsigned i = 0; i < in->size; i++)
        n += !jsonutil_get(in->nodes[i], "left");
    json_object_object_add(in->info, "size", json_object_new_int64(n));
}

static int grow(struct instance *in, json_object *what, struct error *err)
{
    json_object *nodes = jsonutil_get(what, "nodes");
    const char *port = jsonutil_string(jsonutil_get(what, "port"));
    unsigned n = (unsigned)json_object_array_length(nodes);
    double begin = time_mono();
    if (transport_grow(in->transport, port ? port : "", n, err) < 0)
        return -1;
    in->nodes = xrealloc(in->nodes, (in->size + n) * sizeof(struct json_object *));
    for (unsigned i = 0; i < n; i++)
        in->nodes[in->size++] = json_object_get(json_object_array_get_idx(nodes, i));
    members_grow(in->members, jsonutil_get(what, "addresses"));
    router_grow(in->router, in->size);
    if (in->leader)
        leader_grow(in->leader, in->nodes, in->size);
    else
        replica_grow(in->replica, in->nodes, in->size);
    if (in->leader)
        log_info("%u ranks have joined; all ranks stood still for %.0f ms", n,
                 (time_mono() - begin) * 1000);
    return 0;
}

static int shrink(struct instance *in, const char *text, unsigned generation,
                  struct error *err)
{
    cleanup_bitmap hwloc_bitmap_t ranks = text ? idset_decode(text, err) : NULL;
    double begin = time_mono();
    int rank;
    if (!ranks)
        return -1;
    members_leave(in->members, ranks);
    transport_shrink(in->transport, ranks, (int)generation);
    if (hwloc_bitmap_isset(ranks, in->rank)) {
        log_info("this rank leaves the instance");
        members_stop(in->members);
        instance_quit(in);
        return 0;
    }
    hwloc_bitmap_foreach_begin(rank, ranks)
    {
        json_object_object_add(in->nodes[rank], "left", json_object_new_boolean(true));
        router_rank_lost(in->router, (unsigned)rank);
        if (in->leader)
            leader_shrink(in->leader, (unsigned)rank);
        else
            replica_shrink(in->replica, (unsigned)rank);
    }
    hwloc_bitmap_foreach_end();
    if (in->leader)
        log_info("ranks %s have left; all ranks stood still for %.0f ms", text,
                 (time_mono() - begin) * 1000);
    return 0;
}

static int apply(struct instance *in, json_object *what, struct error *err)
{
    int64_t generation = 0;
    json_object *joining = jsonutil_get(what, "grow");
    jsonutil_int(jsonutil_get(what, "g"), 1, INT32_MAX, &generation);
    int rc = joining ? grow(in, joining, err)
                     : shrink(in, jsonutil_string(jsonutil_get(what, "shrink")),
                              (unsigned)generation, err);
    members_turned(in->members, (unsigned)generation);
    in->resized |= rc == 0;
    if (rc == 0) {
        turn_count(in);
        execlink_describe(in->exec, instance_describe(in));
    }
    return rc;
}

static json_object *end(struct instance *in)
{
    json_object *what = in->turn->what;
    free(take(in->turn));
    return what;
}

static int finish(struct instance *in, json_object *what, bool ok, struct error *err)
{
    if (!ok)
        return error_set(err, EAGAIN, "a rank was lost meanwhile");
    return apply(in, what, err);
}

/* --- others ------------------------------------------------------------------------------------ */

static void on_through(bool ok, void *arg)
{
    struct instance *in = arg;
    struct error err;
    cleanup_json json_object *what = end(in);
    if (finish(in, what, ok, &err) < 0)
        log_debug("the ranks do not change: %s", err.text);
}

void turn_told(void *arg, const char *line, size_t len)
{
    struct instance *in = arg;
    struct error err;
    json_object *what = jsonutil_decode(line, len, &err);
    if (!what || in->turn) {
        log_error("turn: %s", what ? "another one is not over" : err.text);
        json_object_put(what);
        return;
    }
    in->turn = xcalloc(1, sizeof(*in->turn));
    in->turn->what = what;
    transport_turn_here(in->transport, on_through, in);
}

/* --- the leader --------------------------------------------------------------------------------- */

bool turn_possible(const struct instance *in)
{
    return in->leader && in->transport && !in->turn && !leader_is_ending(in->leader) &&
           members_settled(in->members);
}

static char *make_line(void *arg)
{
    struct instance *in = arg;
    struct turn *turn = in->turn;
    bool possible = members_settled(in->members) && !leader_is_ending(in->leader);
    json_object *what = possible ? turn->ops->make(in, turn->arg) : NULL;
    if (!what) {
        if (!possible && turn->ops->missed)
            turn->ops->missed(in, turn->arg);
        free(take(in->turn));
        return NULL;
    }
    json_object *o = json_object_new_object();
    add_str(o, "c", "turn"); /* the first key: the router looks for it */
    json_object_object_add(o, "g",
                           json_object_new_int64(members_generation(in->members) + 1));
    json_object_object_foreach(what, key, value)
    {
        json_object_object_add(o, key, json_object_get(value));
    }
    json_object_put(what);
    turn->what = o;
    return xasprintf("%s\n",
                     json_object_to_json_string_ext(
                         o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void on_through_leader(bool ok, void *arg)
{
    struct instance *in = arg;
    struct error err = {0};
    const struct turn_ops *ops = in->turn->ops;
    void *ops_arg = in->turn->arg;
    cleanup_json json_object *what = end(in);
    int rc = finish(in, what, ok, &err);
    leader_set_generation(in->leader, members_generation(in->members));
    ops->done(in, rc < 0 ? &err : NULL, ops_arg);
    leader_confirmed(in->leader);
}

void turn_begin(struct instance *in, const struct turn_ops *ops, void *arg)
{
    in->turn = xcalloc(1, sizeof(*in->turn));
    in->turn->ops = ops;
    in->turn->arg = arg;
    transport_turn(in->transport, make_line, on_through_leader, in);
}
