/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/grow.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>
#include "src/comm/lines.h"
#include "src/comm/tcpaddr.h"
#include "src/common/idset.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/checks.h"
#include "src/instance/join.h"
#include "src/instance/lead.h"
#include "src/instance/turn.h"
#include "src/job/jsonutil.h"

enum {
    JOINERS_MAX = 8192, /* connections */
    SILENT_MS = 5000,   /* for one that does not say who it is */
    AGAIN_MS = 20,      /* while a turn is not possible */
    STALE_S =
        15, /* for a rank to be missed whose node the parent has given to another one */
    MERGE_PORT = 4096 /* bytes of the name of an MPI port */
};

struct joiner {
    struct joiner *next;
    struct grow *grow;
    struct lines *lines; /* NULL: the connection is over */
    double since;
    int64_t grant; /* 0: it has not said yet */
    unsigned rank, size;
    json_object *node;
    char *address; /* of its lifeline */
};

struct grow {
    struct instance *in;
    uv_poll_t poll;
    uv_timer_t timer;
    unsigned handles;
    int fd;
    char secret[33];
    char *address; /* for --join; NULL: this instance cannot take on ranks */
    struct joiner *joiners;
    int64_t current; /* grant that the turn is for, 0: none */
    char port[MERGE_PORT];
    unsigned char *store; /* for the new ranks */
    size_t store_len;
    double begun; /* when the current turn was asked for */
};

/* --- joiners ------------------------------------------------------------------------------------ */

static void free_joiner(struct joiner *j)
{
    struct joiner **p = &j->grow->joiners;
    while (*p != j)
        p = &(*p)->next;
    *p = j->next;
    lines_close(j->lines);
    json_object_put(j->node);
    free(j->address);
    free(j);
}

/* WHY: empty: nothing is said to it any more. */
static void refuse(struct joiner *j, const char *why)
{
    if (j->lines && *why) {
        cleanup_json json_object *o = json_object_new_object();
        add_str(o, "refused", why);
        lines_send_json(j->lines, o);
    }
    free_joiner(j);
}

/* All that are there of GRANT. */
static void refuse_all(struct grow *g, int64_t grant, const char *why)
{
    for (struct joiner *j = g->joiners, *next; j; j = next) {
        next = j->next;
        if (j->grant == grant)
            refuse(j, why);
    }
}

static unsigned count_of(const struct grow *g, int64_t grant)
{
    unsigned n = 0;
    for (const struct joiner *j = g->joiners; j; j = j->next)
        n += j->grant == grant && j->lines;
    return n;
}

/* Of rank RANK in its grant. */
static struct joiner *find(const struct grow *g, int64_t grant, unsigned rank)
{
    struct joiner *j = g->joiners;
    while (j && (j->grant != grant || j->rank != rank))
        j = j->next;
    return j;
}

static bool complete(const struct grow *g, int64_t grant)
{
    const struct joiner *first = find(g, grant, 0);
    if (!first || count_of(g, grant) != first->size)
        return false;
    for (unsigned i = 0; i < first->size; i++) {
        const struct joiner *j = find(g, grant, i);
        if (!j || !j->lines || j->size != first->size)
            return false;
    }
    return true;
}

/* --- the turn ------------------------------------------------------------------------------------- */

/* Those that are here and those that would be make one instance. */
static int check(const struct instance *in, const struct grow *g, int64_t grant,
                 struct error *err)
{
    unsigned n = 0, more = count_of(g, grant);
    cleanup_free json_object **all =
        xcalloc(in->size + more, sizeof(struct json_object *));
    for (unsigned i = 0; i < in->size; i++)
        if (!jsonutil_get(in->nodes[i], "left") && !transport_is_lost(in->transport, i))
            all[n++] = in->nodes[i];
    for (unsigned i = 0; i < more; i++)
        all[n++] = find(g, grant, i)->node;
    return checks_nodes(all, n, false, err);
}

/* A rank that has not been missed yet is on a node that a joiner has: the parent, which gives a node once, has seen its
 * end. */
static bool is_too_early(const struct instance *in, const struct grow *g, int64_t grant)
{
    for (const struct joiner *j = g->joiners; j; j = j->next) {
        json_object *node = j->grant == grant ? jsonutil_get(j->node, "node") : NULL;
        for (unsigned i = 0; node && i < in->size; i++)
            if (!jsonutil_get(in->nodes[i], "left") &&
                !transport_is_lost(in->transport, i) &&
                json_object_equal(jsonutil_get(in->nodes[i], "node"), node))
                return time_mono() - j->since < STALE_S;
    }
    return false;
}

static json_object *list_nodes(const struct grow *g)
{
    json_object *list = json_object_new_array();
    for (unsigned i = 0; i < find(g, g->current, 0)->size; i++)
        json_object_array_add(list, json_object_get(find(g, g->current, i)->node));
    return list;
}

static json_object *list_addresses(const struct grow *g)
{
    json_object *list = json_object_new_array();
    for (unsigned i = 0; i < find(g, g->current, 0)->size; i++)
        json_object_array_add(list,
                              json_object_new_string(find(g, g->current, i)->address));
    return list;
}

static void append(json_object *list, json_object *more)
{
    for (size_t i = 0; i < json_object_array_length(more); i++)
        json_object_array_add(list, json_object_get(json_object_array_get_idx(more, i)));
}

/* What a rank must know to join; the same for all but its number. */
static json_object *describe(const struct grow *g, json_object *nodes,
                             json_object *addresses)
{
    const struct instance *in = g->in;
    json_object *o = json_object_new_object(), *all = json_object_new_array(),
                *ids = json_object_new_array(), *members = members_describe(in->members);
    for (unsigned i = 0; i < in->size; i++) {
        json_object_array_add(all, json_object_get(in->nodes[i]));
        if (!transport_is_lost(in->transport, i))
            json_object_array_add(ids, json_object_new_int64(i));
    }
    append(all, nodes);
    for (unsigned i = 0; i < json_object_array_length(nodes); i++)
        json_object_array_add(ids, json_object_new_int64(in->size + i));
    append(jsonutil_get(members, "addresses"), addresses);
    json_object_object_add(members, "generation",
                           json_object_new_int64(members_generation(in->members) + 1));
    add_str(o, "port", g->port);
    json_object_object_add(o, "job", json_object_new_int64(in->sub.id));
    json_object_object_add(o, "no_program",
                           json_object_new_boolean(in->options.no_program));
    json_object_object_add(
        o, "epoch", json_object_new_int64((int64_t)transport_applied(in->transport) + 1));
    json_object_object_add(o, "ids", ids);
    json_object_object_add(o, "nodes", all);
    json_object_object_add(o, "info", json_object_get(in->info));
    json_object_object_add(o, "members", members);
    json_object_object_add(o, "time", json_object_new_double(time_now()));
    return o;
}

static void send_go(const struct grow *g, json_object *what)
{
    for (struct joiner *j = g->joiners; j; j = j->next) {
        if (j->grant != g->current)
            continue;
        cleanup_json json_object *o = json_object_new_object();
        json_object_object_add(what, "rank",
                               json_object_new_int64(g->in->size + j->rank));
        json_object_object_add(o, "go", json_object_get(what));
        lines_send_json(j->lines, o);
        lines_flush(j->lines);
    }
}

static int make_ready(struct grow *g, struct error *err)
{
    struct instance *in = g->in;
    if (!complete(g, g->current))
        return error_set(err, EPIPE, "another rank that was to join with it is gone");
    return leader_snapshot(in->leader, &g->store, &g->store_len, err) < 0 ||
                   transport_open_port(in->transport, g->port, sizeof(g->port), err) < 0
               ? -1
               : 0;
}

static json_object *make(struct instance *in, void *arg)
{
    struct grow *g = arg;
    struct error err;
    (void)in;
    if (make_ready(g, &err) < 0) {
        refuse_all(g, g->current, err.text);
        free(take(g->store));
        g->current = 0;
        return NULL;
    }
    json_object *nodes = list_nodes(g), *addresses = list_addresses(g);
    cleanup_json json_object *go = describe(g, nodes, addresses);
    send_go(g, go);
    json_object *grow = json_object_new_object(), *what = json_object_new_object();
    add_str(grow, "port", g->port);
    json_object_object_add(grow, "nodes", nodes);
    json_object_object_add(grow, "addresses", addresses);
    json_object_object_add(what, "grow", grow);
    return what;
}

static void give_store(struct grow *g, unsigned rank)
{
    void *copy = memcpy(xmalloc(MAX(g->store_len, (size_t)1)), g->store, g->store_len);
    transport_give(g->in->transport, rank, copy, g->store_len);
}

static void done(struct instance *in, const struct error *err, void *arg)
{
    struct grow *g = arg;
    int64_t grant = g->current;
    unsigned n = find(g, grant, 0)->size;
    if (err)
        log_error("ranks that were to join could not: %s", err->text);
    for (const struct joiner *j = g->joiners; j && !err; j = j->next)
        if (j->grant == grant)
            give_store(g, in->size - n + j->rank);
    if (!err)
        log_info("%u ranks joined within %.0f ms after they were ready", n,
                 (time_mono() - g->begun) * 1000);
    transport_close_port(in->transport, g->port);
    free(take(g->store));
    g->current = 0;
    refuse_all(g, grant,
               err ? err->text : ""); /* who has joined does not listen any more */
}

static void on_timer(uv_timer_t *h);

static void again(struct grow *g)
{
    if (!uv_is_active((uv_handle_t *)&g->timer))
        uv_timer_start(&g->timer, on_timer, AGAIN_MS, 0);
}

static void missed(struct instance *in, void *arg)
{
    struct grow *g = arg;
    (void)in;
    g->current = 0;
    again(g);
}

static const struct turn_ops turn_ops = {.make = make, .missed = missed, .done = done};

/* Begin with a grant whose ranks are all ready. */
static void look(struct grow *g)
{
    struct instance *in = g->in;
    struct error err;
    struct joiner *j = g->joiners;
    while (j && (!j->grant || j->grant == g->current || !complete(g, j->grant)))
        j = j->next;
    if (!j)
        return;
    if (leader_is_ending(in->leader)) {
        refuse_all(g, j->grant, "the instance that it was to join is shutting down");
    } else if (g->current || !turn_possible(in) || is_too_early(in, g, j->grant)) {
        again(g);
    } else if (check(in, g, j->grant, &err) < 0) {
        log_error("ranks that want to join cannot: %s", err.text);
        refuse_all(g, j->grant, err.text);
    } else {
        g->current = j->grant;
        g->begun = time_mono();
        turn_begin(in, &turn_ops, g);
    }
}

/* --- what they say -------------------------------------------------------------------------------- */

static const char *take_hello(struct joiner *j, json_object *o)
{
    struct grow *g = j->grow;
    const char *secret = jsonutil_string(jsonutil_get(o, "join"));
    const char *mpi = jsonutil_string(jsonutil_get(o, "mpi"));
    const char *address = jsonutil_string(jsonutil_get(o, "address"));
    json_object *node = jsonutil_get(o, "node");
    int64_t rank, size, grant;
    if (!secret || !join_secret_is(secret, g->secret))
        return "the secret is wrong";
    if (!json_object_is_type(jsonutil_get(node, "cores"), json_type_array) || !address ||
        !jsonutil_int(jsonutil_get(o, "grant"), 1, INT64_MAX, &grant) ||
        !jsonutil_int(jsonutil_get(o, "size"), 1, JOINERS_MAX, &size) ||
        !jsonutil_int(jsonutil_get(o, "rank"), 0, size - 1, &rank))
        return "it does not describe a rank";
    if (!mpi || strcmp(mpi, transport_name(g->in->transport)) != 0)
        return "it uses another MPI than the instance";
    if (grant == g->current || find(g, grant, (unsigned)rank))
        return "that rank of the grant is here already";
    j->grant = grant;
    j->rank = (unsigned)rank;
    j->size = (unsigned)size;
    j->node = json_object_get(node);
    j->address = xstrdup(address);
    return NULL;
}

static void on_line(struct lines *l, char *line, size_t len, void *arg)
{
    struct joiner *j = arg;
    struct grow *g = j->grow;
    struct error err;
    (void)l;
    if (j->grant)
        return;
    cleanup_json json_object *o = jsonutil_decode(line, len, &err);
    const char *fault = o ? take_hello(j, o) : err.text;
    if (!fault) {
        look(g);
        return;
    }
    log_debug("a connection that was to join is refused: %s", fault);
    refuse(j, fault);
}

/* One that has gone before its turn takes the others of its grant along: they cannot join without
 * it. */
static void on_closed(struct lines *l, int status, void *arg)
{
    struct joiner *j = arg;
    struct grow *g = j->grow;
    int64_t grant = j->grant;
    (void)status;
    lines_close(l);
    j->lines = NULL;
    if (grant && grant == g->current)
        return;
    free_joiner(j);
    if (grant)
        refuse_all(g, grant, "another rank that was to join with it is gone");
}

static const struct lines_ops line_ops = {.line = on_line, .closed = on_closed};

static void on_connection(uv_poll_t *h, int status, int events)
{
    struct grow *g = h->data;
    unsigned n = 0;
    (void)status, (void)events;
    for (const struct joiner *j = g->joiners; j; j = j->next)
        n++;
    int fd = accept4(g->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (n >= JOINERS_MAX) {
        close(fd);
        return;
    }
    struct joiner *j = xcalloc(1, sizeof(*j));
    j->grow = g;
    j->since = time_mono();
    j->next = g->joiners;
    g->joiners = j;
    j->lines = lines_create(&g->in->loop, fd, &line_ops, j);
    again(g);
}

/* Who says nothing is sent away; who waits for a turn has it as soon as there can be one. */
static void on_timer(uv_timer_t *h)
{
    struct grow *g = h->data;
    double now = time_mono();
    for (struct joiner *j = g->joiners, *next; j; j = next) {
        next = j->next;
        if (!j->grant && now - j->since > SILENT_MS / 1000.0)
            refuse(j, "it did not say who it is");
        else if (!j->grant)
            again(g);
    }
    look(g);
}

/* --- life -------------------------------------------------------------------------------------------- */

static void make_secret(char *hex, size_t size)
{
    unsigned char bytes[16];
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        memset(bytes, 0, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes) && 2 * i + 2 < size; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
}

/* Some MPIs cannot do it at all: better known before a grant waits in the queue. */
static int try_port(struct transport *transport, struct error *err)
{
    char port[MERGE_PORT];
    if (transport_open_port(transport, port, sizeof(port), err) < 0)
        return error_prefix(err, "this instance's MPI (%s) cannot take on ranks",
                            transport_name(transport));
    transport_close_port(transport, port);
    return 0;
}

static struct grow *create(struct instance *in, struct error *err)
{
    unsigned port;
    bool ipv6;
    if (try_port(in->transport, err) < 0)
        return NULL;
    int fd = tcpaddr_listen(&port, &ipv6, err);
    if (fd < 0 || listen(fd, SOMAXCONN) < 0) {
        if (fd >= 0) {
            error_set(err, errno, "cannot listen on TCP port %u: %s", port,
                      strerror(errno));
            close(fd);
        }
        return NULL;
    }
    struct grow *g = xcalloc(1, sizeof(*g));
    g->in = in;
    g->fd = fd;
    make_secret(g->secret, sizeof(g->secret));
    cleanup_free char *where = tcpaddr_local(port, ipv6);
    g->address = join_address(g->secret, where);
    uv_poll_init(&in->loop, &g->poll, fd);
    uv_timer_init(&in->loop, &g->timer);
    g->poll.data = g->timer.data = g;
    uv_poll_start(&g->poll, UV_READABLE, on_connection);
    return g;
}

static void tell(struct instance *in, const char *address, const char *why)
{
    if (!in->parent)
        return;
    if (why)
        parent_note(in->parent, "join_error", json_object_new_string(why));
    parent_note(in->parent, "join", json_object_new_string(address));
}

static void open_door(struct instance *in)
{
    struct error err;
    if (!in->grow)
        in->grow = create(in, &err);
    if (in->grow)
        tell(in, in->grow->address, NULL);
    else
        tell(in, "", err.text);
}

void grow_tell(struct instance *in)
{
    if (!in->resized || !in->parent || !in->leader)
        return;
    cleanup_bitmap hwloc_bitmap_t nodes = hwloc_bitmap_alloc();
    for (unsigned i = 0; i < in->size; i++) {
        enum leader_use use = leader_use_of(in->leader, i);
        int64_t node;
        if (use != LEADER_GONE && use != LEADER_LOST &&
            jsonutil_int(jsonutil_get(in->nodes[i], "node"), 0, INT32_MAX, &node))
            hwloc_bitmap_set(nodes, (unsigned)node);
    }
    char *text = idset_encode(nodes, 0);
    if (!in->told_nodes || strcmp(in->told_nodes, text) != 0)
        parent_note(in->parent, "nodes", json_object_new_string(text));
    free(in->told_nodes);
    in->told_nodes = text;
}

void grow_prepare(struct instance *in, json_object *pmix)
{
    struct error err;
    if (!in->transport && lead_connect(in, pmix, &err) < 0) {
        log_error("%s", err.text);
        tell(in, "", err.text);
        return;
    }
    open_door(in);
}

static void on_handle_closed(uv_handle_t *h)
{
    struct grow *g = h->data;
    if (--g->handles > 0)
        return;
    close(g->fd);
    free(g->store);
    free(g->address);
    free(g);
}

void grow_destroy(struct instance *in)
{
    struct grow *g = take(in->grow);
    if (!g)
        return;
    while (g->joiners)
        refuse(g->joiners, "the instance that it was to join is shutting down");
    g->handles = 2;
    uv_close((uv_handle_t *)&g->poll, on_handle_closed);
    uv_close((uv_handle_t *)&g->timer, on_handle_closed);
}
