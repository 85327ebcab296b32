/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/sub.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/comm/lines.h"
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/enclosed.h"
#include "src/job/jsonutil.h"

#define VARIABLE "HBATCH_SUB_INSTANCE"
#define STATS_S 1.0 /* from one telling to the next */

enum {
    AGAIN_MS = 250,
    RETURN_MS = 60000, /* for a parent that means to come back */
    TMPDIR_MAX = 56    /* a socket's path has at most 107 bytes, and deeper levels come */
};

int sub_read(struct sub *sub, bool ask, struct error *err)
{
    const char *text = getenv(VARIABLE);
    const char *rank = getenv("HBATCH_TASK_RANK"), *size = getenv("HBATCH_JOB_SIZE");
    int64_t level = 1, node = 0;
    *sub = (struct sub){.size = 1};
    if (!text && !(ask && (sub->told = enclosed_ask())))
        return 0;
    if (text)
        sub->told = jsonutil_decode(text, strlen(text), err);
    if (!sub->told)
        return error_prefix(err, VARIABLE);
    sub->plain = json_object_get_boolean(jsonutil_get(sub->told, "plain"));
    if (sub->plain)
        rank = size = "0"; /* of its launcher, if there is one */
    sub->name = jsonutil_string(jsonutil_get(sub->told, "name"));
    jsonutil_int(jsonutil_get(sub->told, "id"), 1, INT64_MAX, &sub->id);
    sub->uri = jsonutil_string(jsonutil_get(sub->told, "uri"));
    if (!sub->id || !sub->name || !sub->uri || !rank || !size ||
        !json_object_is_type(jsonutil_get(sub->told, "cores"), json_type_array))
        return error_set(err, EINVAL,
                         VARIABLE " does not describe a job: it is left from another "
                                  "process; unset it");
    jsonutil_int(jsonutil_get(sub->told, "level"), 1, 1000, &level);
    jsonutil_int(jsonutil_get(sub->told, "node"), 0, UINT_MAX, &node);
    sub->level = (unsigned)level;
    sub->node = (unsigned)node;
    sub->rank = (unsigned)strtoul(rank, NULL, 10);
    sub->size = (unsigned)strtoul(size, NULL, 10);
    sub->spawned = json_object_get_boolean(jsonutil_get(sub->told, "spawned"));
    sub->isvirtual = json_object_get_boolean(jsonutil_get(sub->told, "virtual"));
    jsonutil_number(jsonutil_get(sub->told, "expiration"), &sub->expiration);
    sub->grace = INFINITY;
    jsonutil_number(jsonutil_get(sub->told, "grace"), &sub->grace);
    const char *dir = jsonutil_string(jsonutil_get(sub->told, "tmpdir"));
    sub->tmpdir = dir;
    sub->rundir = dir && strlen(dir) <= TMPDIR_MAX ? dir : NULL;
    if (sub->plain)
        enclosed_bind(sub->told);
    unsetenv(VARIABLE);
    return 0;
}

json_object *sub_node(const struct sub *sub)
{
    static const char *const keys[] = {"host", "virtual", "cores", "gpus",
                                       "numa", "memory",  "bind"};
    json_object *node = json_object_new_object();
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        json_object_object_add(node, keys[i],
                               json_object_get(jsonutil_get(sub->told, keys[i])));
    return node;
}

/* --- the parent ------------------------------------------------------------------------------ */

struct parent {
    uv_loop_t *loop;
    uv_timer_t timer;
    struct lines *lines; /* NULL: not connected */
    char *path;
    int64_t id;
    bool plain; /* the job goes on without this instance */
    json_object
        *notes; /* what a new connection tells: uri, and what parent_note was given */
    hwloc_bitmap_t
        returned; /* nodes that were given back, and the parent may not know it */
    hwloc_bitmap_t drained; /* by the parent, as far as it said so */
    int return_request;     /* that tells all of them; 0: none */
    bool touched;           /* jobs changed since they were told */
    json_object *last;      /* that were told, or NULL */
    double told_at;
    double lost_since; /* monotonic; 0: connected */
    int requests;
    const struct parent_ops *ops;
    void *arg;
};

static void on_timer(uv_timer_t *h);

/* PARAMS is taken over, and gets the job's id.  Return the request's id. */
static int request(struct parent *p, const char *method, json_object *params)
{
    json_object_object_add(params, "id", json_object_new_int64(p->id));
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "jsonrpc", json_object_new_string("2.0"));
    json_object_object_add(o, "id", json_object_new_int(++p->requests));
    json_object_object_add(o, "method", json_object_new_string(method));
    json_object_object_add(o, "params", params);
    lines_send_json(p->lines, o);
    return p->requests;
}

/* MEMO and FLEETING are taken over and may be NULL: the latter leaves no trace in the job's event log. */
static void tell(struct parent *p, json_object *memo, json_object *fleeting)
{
    json_object *params = json_object_new_object();
    if (memo)
        json_object_object_add(params, "memo", memo);
    if (fleeting)
        json_object_object_add(params, "volatile", fleeting);
    request(p, "job.memo", params);
}

static void tell_returned(struct parent *p)
{
    json_object *params = json_object_new_object();
    jsonutil_add_idset(params, "nodes", p->returned);
    p->return_request = request(p, "job.return", params);
}

static void ask_for_orders(struct parent *p)
{
    json_object *params = json_object_new_object();
    if (!hwloc_bitmap_iszero(p->drained))
        jsonutil_add_idset(params, "drained", p->drained);
    request(p, "job.orders", params);
}

static void take_order(struct parent *p, json_object *order)
{
    const char *what = jsonutil_string(jsonutil_get(order, "order"));
    const char *text = jsonutil_string(jsonutil_get(order, "nodes"));
    cleanup_bitmap hwloc_bitmap_t nodes = text ? idset_decode(text, NULL) : NULL;
    if (what && nodes && strcmp(what, "drain") == 0)
        hwloc_bitmap_or(p->drained, p->drained, nodes);
    else if (what && nodes && strcmp(what, "undrain") == 0)
        hwloc_bitmap_andnot(p->drained, p->drained, nodes);
    p->ops->order(p->arg, order);
}

static void on_reply(struct parent *p, json_object *o)
{
    int64_t id = 0;
    json_object *error = jsonutil_get(o, "error");
    if (error)
        log_warning("the parent instance: %s", jsonutil_show(error).text);
    if (jsonutil_int(jsonutil_get(o, "id"), 1, INT_MAX, &id) && id == p->return_request) {
        hwloc_bitmap_zero(p->returned);
        p->return_request = 0;
    }
}

static void on_line(struct lines *l, char *line, size_t len, void *arg)
{
    struct parent *p = arg;
    struct error err;
    (void)l;
    cleanup_json json_object *o = jsonutil_decode(line, len, &err);
    const char *method = jsonutil_string(jsonutil_get(o, "method"));
    if (!method)
        on_reply(p, o);
    else if (p->ops->order && strcmp(method, "job.order") == 0)
        take_order(p, jsonutil_get(o, "params"));
}

static void on_closed(struct lines *l, int status, void *arg)
{
    struct parent *p = arg;
    (void)status;
    lines_close(l);
    p->lines = NULL;
    p->lost_since = time_mono();
    uv_timer_start(&p->timer, on_timer, 0, 0);
}

static const struct lines_ops line_ops = {.line = on_line, .closed = on_closed};

/* {"stats":STATS} */
static json_object *wrap_stats(json_object *stats)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "stats", json_object_get(stats));
    return o;
}

static bool connect_parent(struct parent *p, struct error *err)
{
    int fd = lines_connect(p->path, err);
    if (fd < 0)
        return false;
    p->lines = lines_create(p->loop, fd, &line_ops, p);
    p->lost_since = 0;
    json_object_put(p->last);
    p->last = p->ops->stats(p->arg);
    p->told_at = time_mono();
    p->touched = false;
    tell(p, json_object_get(p->notes), wrap_stats(p->last));
    if (p->ops->order)
        ask_for_orders(p);
    if (!hwloc_bitmap_iszero(p->returned))
        tell_returned(p);
    return true;
}

/* Beside its socket: it may have its ranks started again. */
static bool may_return(const struct parent *p)
{
    cleanup_free char *mark =
        xasprintf("%.*s/recoverable", (int)(strrchr(p->path, '/') - p->path), p->path);
    return access(mark, F_OK) == 0 && time_mono() - p->lost_since < RETURN_MS / 1000.0;
}

static void tell_stats(struct parent *p)
{
    json_object *stats = p->ops->stats(p->arg);
    p->touched = false;
    if (p->last && json_object_equal(p->last, stats)) {
        json_object_put(stats);
        return;
    }
    json_object_put(p->last);
    p->last = stats;
    p->told_at = time_mono();
    tell(p, NULL, wrap_stats(stats));
}

static void on_timer(uv_timer_t *h)
{
    struct parent *p = h->data;
    struct error err;
    if (p->lines && p->touched) {
        tell_stats(p);
    } else if (!p->lines && !connect_parent(p, &err)) {
        if (may_return(p))
            uv_timer_start(&p->timer, on_timer, AGAIN_MS, 0);
        else
            p->ops->gone(p->arg, "the parent instance is gone");
    }
}

struct parent *parent_create(uv_loop_t *loop, const struct sub *sub, const char *uri,
                             const struct parent_ops *ops, void *arg)
{
    static const char scheme[] = "local://";
    struct parent *p = xcalloc(1, sizeof(*p));
    bool local = strncmp(sub->uri, scheme, sizeof(scheme) - 1) == 0;
    p->loop = loop;
    p->path = xstrdup(local ? sub->uri + sizeof(scheme) - 1 : sub->uri);
    p->id = sub->id;
    p->plain = sub->plain;
    p->notes = json_object_new_object();
    json_object_object_add(p->notes, "uri", json_object_new_string(uri));
    p->returned = hwloc_bitmap_alloc();
    p->drained = hwloc_bitmap_alloc();
    p->ops = ops;
    p->arg = arg;
    uv_timer_init(loop, &p->timer);
    p->timer.data = p;
    p->lost_since = time_mono();
    uv_timer_start(&p->timer, on_timer, 0, 0);
    return p;
}

void parent_touch(struct parent *p)
{
    if (!p || p->touched)
        return;
    p->touched = true;
    double wait = p->told_at + STATS_S - time_mono();
    if (p->lines)
        uv_timer_start(&p->timer, on_timer, wait > 0 ? (uint64_t)(wait * 1000) : 0, 0);
}

void parent_note(struct parent *p, const char *key, json_object *value)
{
    json_object_object_add(p->notes, key, json_object_get(value));
    json_object *memo = json_object_new_object();
    json_object_object_add(memo, key, value);
    if (p->lines)
        tell(p, memo, NULL);
    else
        json_object_put(memo);
}

void parent_return(struct parent *p, hwloc_const_bitmap_t nodes)
{
    hwloc_bitmap_or(p->returned, p->returned, nodes);
    if (p->lines)
        tell_returned(p);
}

void parent_farewell(struct parent *p)
{
    if (!p || !p->lines)
        return;
    json_object_put(p->last);
    p->last = p->ops->stats(p->arg);
    json_object_object_del(p->last, "resources"); /* which nobody can have any more */
    json_object *memo = wrap_stats(p->last);
    if (p->plain)
        json_object_object_add(memo, "uri", NULL);
    tell(p, memo, NULL);
    lines_flush(p->lines);
}

static void on_timer_closed(uv_handle_t *h)
{
    struct parent *p = h->data;
    json_object_put(p->last);
    free(p->path);
    json_object_put(p->notes);
    hwloc_bitmap_free(p->returned);
    hwloc_bitmap_free(p->drained);
    free(p);
}

void parent_destroy(struct parent *p)
{
    if (!p)
        return;
    lines_close(take(p->lines));
    uv_close((uv_handle_t *)&p->timer, on_timer_closed);
}
