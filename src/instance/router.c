/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/router.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "src/common/log.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/instance/relay.h"
#include "src/instance/server.h"

enum { USAGE_FIRST_MS = 500, USAGE_MS = 10000 };

/* The letters. */
enum {
    TO_EXEC = '>',     /* line for the executor of the receiving rank */
    FROM_EXEC = '<',   /* line of the sending rank's executor, for the leader */
    EXEC_LOST = 'L',   /* the sending rank's executor died; "1" if a new one runs */
    CLIENT_LINE = 'C', /* "NUMBER LINE" of a client of the sending rank, for the leader */
    CLIENT_GONE = 'G', /* "NUMBER" */
    REPLY = 'R',       /* "NUMBER EPOCH LINE" for a client of the receiving rank */
    QUIT = 'Q',        /* the instance ends */
    RESTART = 'Z',     /* leave, and be started again */
    RECALL = 'V',      /* the sending rank was told to leave */
    RELAY = 'Y',       /* of the relays of the sending rank (relay.h) */
    RELAY_LOST = 'X',  /* of the leader, after that: "RANK" is gone */
};

struct remote { /* leader: a client of another rank */
    struct remote *next;
    unsigned rank;
    struct client *client;
};

/* A question asked when clients of this rank had seen what its tables do not have yet: it waits
 * for that epoch, so that whoever works on this node reads what was written there. */
struct question {
    struct question *next;
    uint64_t client, epoch;
    char *line;
    size_t len;
};

struct router {
    struct router_config config;
    struct server *server;
    struct relays *relays;
    struct remote *remotes;
    struct question *questions;
    uint64_t epoch; /* of the state stream, applied here */
    uint64_t seen;  /* published when the leader last answered a client of this rank */
    uv_timer_t usage_timer; /* leader: asks for a reduction */
};

static void send_rank(struct router *r, unsigned rank, char letter, const char *text,
                      size_t len)
{
    cleanup_free char *line = xmalloc(len + 1);
    line[0] = letter;
    memcpy(line + 1, text, len);
    transport_send(r->config.transport, rank, line, len + 1);
}

static void send_numbered(struct router *r, unsigned rank, char letter, uint64_t number,
                          const char *text, size_t len)
{
    char head[32];
    int n = snprintf(head, sizeof(head), "%llu ", (unsigned long long)number);
    cleanup_free char *line = xmalloc((size_t)n + len);
    memcpy(line, head, (size_t)n);
    memcpy(line + n, text, len);
    send_rank(r, rank, letter, line, (size_t)n + len);
}

static void send_leader(struct router *r, char letter, const char *text, size_t len)
{
    send_rank(r, transport_leader(r->config.transport), letter, text, len);
}

/* --- executors -------------------------------------------------------------------------- */

void router_to_exec(struct router *r, unsigned rank, const char *line, size_t len)
{
    if (rank == r->config.rank)
        execlink_send(r->config.exec, line, len);
    else
        send_rank(r, rank, TO_EXEC, line, len);
}

/* Fences and the like go from executor to executor: {"m":"pmi","to":RANK,...}. */
static bool passed_to_peer(struct router *r, const char *line, size_t len)
{
    static const char head[] = "{\"m\":\"pmi\",\"to\":";
    if (strncmp(line, head, sizeof(head) - 1) != 0)
        return false;
    long rank = strtol(line + sizeof(head) - 1, NULL, 10);
    if (rank < 0) /* the leader */
        return false;
    if ((unsigned)rank >= r->config.size)
        log_error("the executor sent a message to rank %ld, which does not exist", rank);
    else
        router_to_exec(r, (unsigned)rank, line, len);
    return true;
}

static void on_exec_line(char *line, size_t len, void *arg)
{
    struct router *r = arg;
    if (passed_to_peer(r, line, len))
        return;
    if (r->config.leader)
        leader_exec_line(r->config.leader, r->config.rank, line, len);
    else
        send_leader(r, FROM_EXEC, line, len);
}

static void on_exec_lost(bool restarted, void *arg)
{
    struct router *r = arg;
    if (r->config.leader)
        leader_exec_lost(r->config.leader, r->config.rank, restarted);
    else
        send_leader(r, EXEC_LOST, restarted ? "1" : "0", 1);
}

static const struct execlink_ops exec_ops = {.line = on_exec_line, .lost = on_exec_lost};

void router_log(struct router *r, double t, const char *level, const char *text)
{
    cleanup_json json_object *o = json_object_new_object();
    if (!r->config.transport || r->config.leader)
        return;
    json_object_object_add(o, "m", json_object_new_string("ranklog"));
    json_object_object_add(o, "t", json_object_new_double(t));
    json_object_object_add(o, "level", json_object_new_string(level));
    json_object_object_add(o, "text", json_object_new_string(text));
    size_t len;
    const char *line = json_object_to_json_string_length(o, JSON_C_TO_STRING_PLAIN, &len);
    send_leader(r, FROM_EXEC, line, len);
}

void router_exec_replaced(struct router *r)
{
    on_exec_lost(true, r);
}

/* --- clients ---------------------------------------------------------------------------- */

static void ask_leader(struct router *r, struct client *c, const char *line, size_t len)
{
    send_numbered(r, transport_leader(r->config.transport), CLIENT_LINE, client_number(c),
                  line, len);
}

static void answer_here(struct router *r, struct client *c, const char *line, size_t len)
{
    cleanup_json json_object *reply = replica_answer(r->config.replica, line, len);
    if (reply)
        client_send_json(c, reply);
    else
        ask_leader(r, c, line, len);
}

static void park(struct router *r, const struct client *c, const char *line, size_t len)
{
    struct question *q = xcalloc(1, sizeof(*q));
    q->client = client_number(c);
    q->epoch = r->seen;
    q->line = xstrndup(line, len);
    q->len = len;
    struct question **p = &r->questions;
    while (*p)
        p = &(*p)->next;
    *p = q;
}

static void on_client_line(struct client *c, char *line, size_t len, void *arg)
{
    struct router *r = arg;
    if (relays_line(r->relays, c, line, len))
        return;
    if (r->config.leader)
        leader_client_line(r->config.leader, c, line, len);
    else if (!replica_may_answer(line, len))
        ask_leader(r, c, line, len);
    else if (r->seen > r->epoch)
        park(r, c, line, len);
    else
        answer_here(r, c, line, len);
}

static void on_client_gone(struct client *c, void *arg)
{
    struct router *r = arg;
    relays_client_gone(r->relays, c);
    if (r->config.leader)
        leader_client_gone(r->config.leader, c, false);
    else
        send_numbered(r, transport_leader(r->config.transport), CLIENT_GONE,
                      client_number(c), "", 0);
}

static const struct server_ops server_ops = {.line = on_client_line,
                                             .gone = on_client_gone};

/* A line of the leader for a client of another rank. */
static void reply_remote(void *arg, unsigned rank, uint64_t number, const char *line,
                         size_t len)
{
    struct router *r = arg;
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b, "%llu %llu ", (unsigned long long)number,
                (unsigned long long)transport_published(r->config.transport));
    strbuf_addn(&b, line, len);
    send_rank(r, rank, REPLY, b.s, b.len);
}

static struct client *find_remote(struct router *r, unsigned rank, uint64_t number)
{
    for (struct remote *m = r->remotes; m; m = m->next)
        if (m->rank == rank && client_number(m->client) == number)
            return m->client;
    struct remote *m = xcalloc(1, sizeof(*m));
    m->rank = rank;
    m->client = client_remote(rank, number, reply_remote, r);
    m->next = r->remotes;
    r->remotes = m;
    return m->client;
}

static void drop_remote(struct router *r, struct remote **p, bool may_return)
{
    struct remote *m = *p;
    *p = m->next;
    leader_client_gone(r->config.leader, m->client, may_return);
    client_remote_free(m->client);
    free(m);
}

static void remote_gone(struct router *r, unsigned rank, uint64_t number)
{
    for (struct remote **p = &r->remotes; *p; p = &(*p)->next)
        if ((*p)->rank == rank && client_number((*p)->client) == number) {
            drop_remote(r, p, false);
            return;
        }
}

/* --- between ranks ---------------------------------------------------------------------- */

/* "NUMBER REST": the number, and in *REST what follows it. */
static uint64_t take_number(char *text, char **rest)
{
    uint64_t number = strtoull(text, rest, 10);
    if (**rest == ' ')
        ++*rest;
    return number;
}

static const char for_leader[] = {FROM_EXEC,   EXEC_LOST, CLIENT_LINE,
                                  CLIENT_GONE, RECALL,    0};

static void on_transport(unsigned src, char *line, size_t len, void *arg)
{
    struct router *r = arg;
    char *text = line + 1, *rest;
    uint64_t number, epoch;
    struct client *c;
    if (len == 0 || members_line(r->config.members, src, line, len))
        return;
    if (!r->config.leader && strchr(for_leader, line[0]))
        return; /* it has not heard yet who leads: it asks again when it has */
    switch (line[0]) {
    case TO_EXEC:
        execlink_send(r->config.exec, text, len - 1);
        break;
    case FROM_EXEC:
        leader_exec_line(r->config.leader, src, text, len - 1);
        break;
    case EXEC_LOST:
        leader_exec_lost(r->config.leader, src, text[0] == '1');
        break;
    case CLIENT_LINE:
        number = take_number(text, &rest);
        leader_client_line(r->config.leader, find_remote(r, src, number), rest,
                           len - (size_t)(rest - line));
        break;
    case CLIENT_GONE:
        remote_gone(r, src, take_number(text, &rest));
        break;
    case REPLY:
        number = take_number(text, &rest);
        epoch = take_number(rest, &rest);
        r->seen = MAX(r->seen, epoch);
        c = server_find(r->server, number);
        if (c)
            client_send(c, rest, len - (size_t)(rest - line));
        break;
    case RELAY:
        if (*text == RELAY_LOST)
            relays_rank_lost(r->relays, (unsigned)strtoul(text + 1, NULL, 10));
        else
            relays_message(r->relays, src, text, len - 1);
        break;
    case RECALL:
        r->config.recall(r->config.arg, src);
        break;
    case QUIT:
        members_stop(r->config.members);
        r->config.quit(r->config.arg);
        break;
    case RESTART:
        members_stop(r->config.members);
        r->config.restart(r->config.arg);
        break;
    default:
        log_error("rank %u sent what is no message: %.100s", src, line);
    }
}

/* --- relays ------------------------------------------------------------------------------- */

static void send_relay(void *arg, unsigned rank, const char *text, size_t len)
{
    struct router *r = arg;
    send_rank(r, rank, RELAY, text, len);
}

static bool rank_exists(void *arg, unsigned rank)
{
    const struct router *r = arg;
    return rank < r->config.size;
}

/* Nobody but the leader hears of a loss by itself. */
static void relays_tell_lost(struct router *r, unsigned rank)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%c%u", RELAY_LOST, rank);
    for (unsigned i = 0; r->config.leader && i < r->config.size; i++)
        if (i != r->config.rank && i != rank)
            send_rank(r, i, RELAY, text, (size_t)n);
}

/* --- the state stream --------------------------------------------------------------------- */

static void answer_parked(struct router *r)
{
    for (struct question **p = &r->questions; *p;) {
        struct question *q = *p;
        if (q->epoch > r->epoch) {
            p = &q->next;
            continue;
        }
        *p = q->next;
        struct client *c = server_find(r->server, q->client);
        if (c)
            answer_here(r, c, q->line, q->len);
        free(q->line);
        free(q);
    }
}

static void on_usage(const double *all, void *arg)
{
    struct router *r = arg;
    struct usage u = usage_decode(all);
    r->config.usage(r->config.arg, &u);
}

static void reduce_usage(struct router *r)
{
    double mine[USAGE_NUMBERS];
    usage_measure(mine);
    transport_reduce(r->config.transport, mine, on_usage);
}

static void on_epoch(uint64_t epoch, char *line, size_t len, void *arg)
{
    static const char ask_usage[] = "{\"c\":\"usage\"}", turn[] = "{\"c\":\"turn\"";
    struct router *r = arg;
    struct error err;
    if (!line) {
        r->epoch = epoch;
        replica_epoch(r->config.replica, members_generation(r->config.members), epoch);
        members_applied(r->config.members);
        answer_parked(r);
    } else if (strcmp(line, ask_usage) == 0) {
        if (epoch > members_since(r->config.members)) /* not one repeated after a loss */
            reduce_usage(r);
    } else if (strncmp(line, turn, sizeof(turn) - 1) == 0) {
        r->config.turn(r->config.arg, line, len);
    } else if (replica_apply(r->config.replica, line, len, &err) < 0)
        log_error("rank %u: %s", r->config.rank, err.text);
}

static void on_usage_timer(uv_timer_t *h);

/* --- loss --------------------------------------------------------------------------------- */

void router_rank_lost(struct router *r, unsigned rank)
{
    relays_rank_lost(r->relays, rank);
    relays_tell_lost(r, rank);
    for (struct remote **p = &r->remotes; *p;)
        if ((*p)->rank == rank)
            drop_remote(r, p, true);
        else
            p = &(*p)->next;
}

static void forget_questions(struct router *r)
{
    while (r->questions) {
        struct question *q = r->questions;
        r->questions = q->next;
        free(q->line);
        free(q);
    }
}

void router_new_leader(struct router *r, struct leader *leader)
{
    forget_questions(r);
    r->seen = r->epoch;
    relays_clear(r->relays);
    server_close_clients(r->server);
    if (leader) {
        r->config.leader = leader;
        r->config.replica = NULL;
        uv_timer_start(&r->usage_timer, on_usage_timer, USAGE_FIRST_MS, USAGE_MS);
    }
    execlink_renew(r->config.exec, NULL);
}

/* Add a line to the state stream. */
static void publish(struct router *r, const char *text, size_t len)
{
    transport_publish(r->config.transport, text, len);
}

static void on_usage_timer(uv_timer_t *h)
{
    static const char ask_usage[] = "{\"c\":\"usage\"}\n";
    struct router *r = h->data;
    if (transport_reducing(
            r->config.transport)) /* some rank sleeps: nobody waits for it */
        return;
    publish(r, ask_usage, sizeof(ask_usage) - 1);
    reduce_usage(r);
}

static void tell_all(struct router *r, char letter)
{
    if (!r->config.members)
        return;
    members_stop(r->config.members);
    for (unsigned i = 0; i < r->config.size; i++)
        if (i != r->config.rank && !transport_is_lost(r->config.transport, i))
            send_rank(r, i, letter, "", 0);
}

void router_quit_all(struct router *r)
{
    tell_all(r, QUIT);
    r->config.quit(r->config.arg);
}

void router_restart_all(struct router *r)
{
    tell_all(r, RESTART);
    transport_flush(r->config.transport);
    r->config.restart(r->config.arg);
}

static void start_transport(struct router *r)
{
    const struct router_config *config = &r->config;
    transport_start(config->transport, config->loop, on_transport, r);
    r->epoch = r->seen = config->epoch;
    transport_begin_at(config->transport, config->epoch);
    transport_stream(config->transport, on_epoch);
    members_start(config->members);
    uv_timer_init(config->loop, &r->usage_timer);
    r->usage_timer.data = r;
    if (config->leader)
        uv_timer_start(&r->usage_timer, on_usage_timer, USAGE_FIRST_MS, USAGE_MS);
}

void router_connect(struct router *r, struct transport *transport,
                    struct members *members)
{
    r->config.transport = transport;
    r->config.members = members;
    start_transport(r);
}

void router_grow(struct router *r, unsigned size)
{
    r->config.size = size;
}

void router_recall(struct router *r)
{
    send_leader(r, RECALL, "", 0);
}

struct router *router_create(const struct router_config *config, struct error *err)
{
    struct router *r = xcalloc(1, sizeof(*r));
    r->config = *config;
    if (execlink_connect(config->exec, config->loop, config->init, &exec_ops, r, err) <
        0) {
        free(r);
        return NULL;
    }
    const struct relay_config relays = {.loop = config->loop,
                                        .rank = config->rank,
                                        .send = send_relay,
                                        .exists = rank_exists,
                                        .arg = r};
    r->relays = relays_create(&relays);
    r->server = server_create(config->loop, config->socket, &server_ops, r, err);
    if (!r->server) {
        relays_destroy(r->relays);
        free(r);
        return NULL;
    }
    relays_serve(r->relays, r->server);
    if (config->transport)
        start_transport(r);
    return r;
}

static void on_timer_closed(uv_handle_t *h)
{
    free(h->data);
}

void router_destroy(struct router *r)
{
    if (!r)
        return;
    while (r->remotes)
        drop_remote(r, &r->remotes, true);
    forget_questions(r);
    server_destroy(r->server);
    relays_destroy(r->relays);
    if (r->config.transport)
        uv_close((uv_handle_t *)&r->usage_timer, on_timer_closed);
    else
        free(r);
}
