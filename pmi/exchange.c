/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/exchange.h"
#include "src/common/base64.h"
#include "src/common/log.h"
#include "src/common/util.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { ENDED_MAX = 1024, NODES_MAX = 1 << 20 };

struct part { /* at the home: what one node gave */
    bool got;
    bool waits; /* gave data: wants the result */
    unsigned rank;
    char *data;
    size_t len;
};

struct round {
    struct round *next;
    unsigned number;

    exchange_f cb; /* of this node, until it was called */
    void *cbarg;
    double deadline; /* 0: none */
    bool ready;      /* CB is to be called from the loop: status, result, len */
    int status;      /* at the home: not 0 once the round failed */
    char *result;
    size_t len;

    struct part *parts; /* at the home: [n] */
    unsigned n, ngot;
};

struct key {
    struct key *next;
    char *name;
    unsigned started; /* number of the next round of this node */
    int home;         /* -1: not known, not used here yet */
    bool left;        /* the last that this node did was exchange_fail */
    struct round *rounds;
};

struct exchange {
    uv_loop_t *loop;
    uv_timer_t timer; /* the next deadline, or 0 for rounds that are ready */
    unsigned self;
    void (*send)(void *arg, int rank, json_object *msg);
    void *arg;
    struct key *keys;
    char *ended[ENDED_MAX]; /* ring of the prefixes that ended here */
    unsigned next_ended;
};

static void on_timer(uv_timer_t *timer);

struct exchange *exchange_create(uv_loop_t *loop, unsigned self,
                                 void (*send)(void *arg, int rank, json_object *msg),
                                 void *arg)
{
    struct exchange *x = xcalloc(1, sizeof(*x));
    x->loop = loop;
    x->self = self;
    x->send = send;
    x->arg = arg;
    uv_timer_init(loop, &x->timer);
    x->timer.data = x;
    return x;
}

static void round_free(struct round *r)
{
    for (unsigned i = 0; r->parts && i < r->n; i++)
        free(r->parts[i].data);
    free(r->parts);
    free(r->result);
    free(r);
}

static void key_free(struct key *key)
{
    while (key->rounds) {
        struct round *r = key->rounds;
        key->rounds = r->next;
        round_free(r);
    }
    free(key->name);
    free(key);
}

static void on_close(uv_handle_t *handle)
{
    free(handle->data);
}

void exchange_destroy(struct exchange *x)
{
    if (!x)
        return;
    while (x->keys) {
        struct key *key = x->keys;
        x->keys = key->next;
        key_free(key);
    }
    for (unsigned i = 0; i < ENDED_MAX; i++)
        free(x->ended[i]);
    uv_close((uv_handle_t *)&x->timer, on_close);
}

static struct key *key_find(struct exchange *x, const char *name)
{
    struct key *key = x->keys;
    while (key && strcmp(key->name, name) != 0)
        key = key->next;
    return key;
}

static struct key *key_get(struct exchange *x, const char *name)
{
    struct key *key = key_find(x, name);
    if (!key) {
        key = xcalloc(1, sizeof(*key));
        key->name = xstrdup(name);
        key->home = -1;
        key->next = x->keys;
        x->keys = key;
    }
    return key;
}

static struct round *round_find(struct key *key, unsigned number)
{
    struct round *r = key->rounds;
    while (r && r->number != number)
        r = r->next;
    return r;
}

static struct round *round_get(struct key *key, unsigned number)
{
    struct round *r = round_find(key, number);
    if (!r) {
        r = xcalloc(1, sizeof(*r));
        r->number = number;
        r->next = key->rounds;
        key->rounds = r;
    }
    return r;
}

/* Forget R unless this node still waits for it or other nodes may still ask for it. */
static void round_release(struct key *key, struct round *r)
{
    if (r->cb || (r->parts && r->ngot < r->n))
        return;
    struct round **p = &key->rounds;
    while (*p != r)
        p = &(*p)->next;
    *p = r->next;
    round_free(r);
}

/* --- the timer ---------------------------------------------------------------------------- */

static void arm(struct exchange *x)
{
    double first = 0;
    for (struct key *key = x->keys; key; key = key->next)
        for (struct round *r = key->rounds; r; r = r->next) {
            if (r->ready) {
                uv_timer_start(&x->timer, on_timer, 0, 0);
                return;
            }
            if (r->cb && r->deadline > 0 && (first == 0 || r->deadline < first))
                first = r->deadline;
        }
    if (first == 0) {
        uv_timer_stop(&x->timer);
        return;
    }
    double left = first - time_mono();
    uv_update_time(x->loop);
    uv_timer_start(&x->timer, on_timer, left > 0 ? (uint64_t)(left * 1000) + 1 : 0, 0);
}

/* Call this node's callback.  KEY and R may be gone afterwards. */
static void fire(struct key *key, struct round *r, int status, const char *data,
                 size_t len)
{
    exchange_f cb = take(r->cb);
    void *arg = r->cbarg;
    r->ready = false;
    cleanup_free char *result = take(r->result); /* DATA may be this */
    round_release(key, r);
    cb(status, data, len, arg);
}

/* --- messages ----------------------------------------------------------------------------- */

static json_object *message(const struct key *key, unsigned number, const char *op)
{
    json_object *msg = json_object_new_object();
    json_object_object_add(msg, "pmi", json_object_new_string("x"));
    json_object_object_add(msg, "k", json_object_new_string(key->name));
    json_object_object_add(msg, "r", json_object_new_int64(number));
    json_object_object_add(msg, "op", json_object_new_string(op));
    return msg;
}

static json_object *encoded(const void *data, size_t len)
{
    cleanup_free char *text = base64_encode(data, len);
    return json_object_new_string(text);
}

static void send_failed_result(struct exchange *x, struct key *key, unsigned number,
                               unsigned rank, int status)
{
    json_object *msg = message(key, number, "result");
    json_object_object_add(msg, "s", json_object_new_int(status));
    x->send(x->arg, (int)rank, msg);
}

static void send_fail(struct exchange *x, struct key *key, unsigned number, int status)
{
    json_object *msg = message(key, number, "fail");
    json_object_object_add(msg, "from", json_object_new_int64(x->self));
    json_object_object_add(msg, "s", json_object_new_int(status));
    x->send(x->arg, key->home, msg);
}

static void send_give(struct exchange *x, struct key *key, unsigned number, unsigned i,
                      unsigned n, json_object *data, int status)
{
    json_object *msg = message(key, number, "give");
    json_object_object_add(msg, "from", json_object_new_int64(x->self));
    json_object_object_add(msg, "i", json_object_new_int64(i));
    json_object_object_add(msg, "n", json_object_new_int64(n));
    if (data)
        json_object_object_add(msg, "d", data);
    else
        json_object_object_add(msg, "s", json_object_new_int(status));
    x->send(x->arg, key->home, msg);
}

/* --- at the home -------------------------------------------------------------------------- */

/* Tell those who gave; who gives later is told then. This node's callback is left ready. */
static void home_fail(struct exchange *x, struct key *key, struct round *r, int status)
{
    if (r->status != 0 || r->result)
        return; /* decided already */
    r->status = status;
    for (unsigned i = 0; i < r->n; i++) {
        struct part *part = &r->parts[i];
        free(take(part->data));
        if (part->waits && part->rank != x->self)
            send_failed_result(x, key, r->number, part->rank, status);
    }
    r->ready = r->cb != NULL;
}

static void home_complete(struct exchange *x, struct key *key, struct round *r)
{
    for (unsigned i = 0; i < r->n; i++)
        r->len += r->parts[i].len;
    r->result = xmalloc(r->len + 1);
    char *p = r->result;
    for (unsigned i = 0; i < r->n; i++) {
        if (r->parts[i].len > 0)
            memcpy(p, r->parts[i].data, r->parts[i].len);
        p += r->parts[i].len;
        free(take(r->parts[i].data));
    }
    *p = '\0';
    cleanup_json json_object *data = r->n > 1 ? encoded(r->result, r->len) : NULL;
    for (unsigned i = 0; i < r->n; i++) {
        if (r->parts[i].rank == x->self)
            continue;
        json_object *msg = message(key, r->number, "result");
        json_object_object_add(msg, "d", json_object_get(data));
        x->send(x->arg, (int)r->parts[i].rank, msg);
    }
    r->ready = r->cb != NULL;
}

/* Node I of N gave DATA (taken over) or, when STATUS is not 0, a failure. */
static void home_give(struct exchange *x, struct key *key, struct round *r, unsigned rank,
                      unsigned i, unsigned n, char *data, size_t len, int status)
{
    cleanup_free char *mine = data;
    if (!r->parts) {
        r->parts = xcalloc(n, sizeof(*r->parts));
        r->n = n;
    }
    if (n != r->n || i >= n || r->parts[i].got) {
        log_warning("exchange %s, round %u: contribution %u of %u from rank %u does not "
                    "fit: %s",
                    key->name, r->number, i, n, rank,
                    n != r->n ? "nodes disagree on who takes part" : "it came before");
        home_fail(x, key, r, EPROTO);
        if (rank != x->self)
            send_failed_result(x, key, r->number, rank, EPROTO);
        return;
    }
    r->parts[i].got = true;
    r->parts[i].waits = status == 0;
    r->parts[i].rank = rank;
    r->ngot++;
    if (r->status != 0) { /* failed before */
        if (rank != x->self && status == 0)
            send_failed_result(x, key, r->number, rank, r->status);
        r->ready = r->cb != NULL;
    } else if (status != 0) {
        home_fail(x, key, r, status);
    } else {
        r->parts[i].data = take(mine);
        r->parts[i].len = len;
        if (r->ngot == r->n)
            home_complete(x, key, r);
    }
}

/* --- calls -------------------------------------------------------------------------------- */

static void ended_clear(struct exchange *x, const char *name)
{
    for (unsigned i = 0; i < ENDED_MAX; i++)
        if (x->ended[i] && strncmp(name, x->ended[i], strlen(x->ended[i])) == 0)
            free(take(x->ended[i]));
}

static bool has_ended(const struct exchange *x, const char *name)
{
    for (unsigned i = 0; i < ENDED_MAX; i++)
        if (x->ended[i] && strncmp(name, x->ended[i], strlen(x->ended[i])) == 0)
            return true;
    return false;
}

/* The key and this node's place in its list, for the next round of this node. */
static struct key *key_enter(struct exchange *x, const char *name, const unsigned *ranks,
                             unsigned n, unsigned *index)
{
    struct key *key = key_find(x, name);
    if (!key) {
        ended_clear(x, name);
        key = key_get(x, name);
    }
    key->home = (int)ranks[0];
    key->left = false;
    *index = 0;
    while (*index < n && ranks[*index] != x->self)
        ++*index;
    return key;
}

void exchange_start(struct exchange *x, const char *name, const unsigned *ranks,
                    unsigned n, const void *data, size_t len, double timeout,
                    exchange_f cb, void *cbarg)
{
    unsigned i;
    struct key *key = key_enter(x, name, ranks, n, &i);
    struct round *r = round_get(key, key->started++);
    r->cb = cb;
    r->cbarg = cbarg;
    r->deadline = timeout > 0 ? time_mono() + timeout : 0;
    if (i == n) {
        log_warning("exchange %s: rank %u is not one of its %u nodes", name, x->self, n);
        r->status = EINVAL;
        r->ready = true;
    } else if (ranks[0] == x->self) {
        char *copy = xmalloc(len + 1);
        if (len > 0)
            memcpy(copy, data, len);
        home_give(x, key, r, x->self, i, n, copy, len, 0);
    } else {
        send_give(x, key, r->number, i, n, encoded(data, len), 0);
    }
    arm(x);
}

void exchange_fail(struct exchange *x, const char *name, const unsigned *ranks,
                   unsigned n, int status)
{
    unsigned i;
    struct key *key = key_enter(x, name, ranks, n, &i);
    unsigned number = key->started++;
    key->left = true;
    if (i == n)
        return;
    if (ranks[0] != x->self) {
        send_give(x, key, number, i, n, NULL, status);
        return;
    }
    struct round *r = round_get(key, number);
    home_give(x, key, r, x->self, i, n, NULL, 0, status);
    round_release(key, r);
    arm(x);
}

static void give_up(struct exchange *x, struct key *key, struct round *r, int status)
{
    if (key->home == (int)x->self)
        home_fail(x, key, r, status);
    else if (!r->ready)
        send_fail(x, key, r->number, status);
}

static void on_timer(uv_timer_t *timer)
{
    struct exchange *x = timer->data;
    double now = time_mono();
again:
    for (struct key *key = x->keys; key; key = key->next)
        for (struct round *r = key->rounds; r; r = r->next) {
            if (r->cb && !r->ready && r->deadline > 0 && r->deadline <= now) {
                give_up(x, key, r, ETIMEDOUT);
                r->status = ETIMEDOUT;
                r->ready = true;
            }
            if (r->ready) {
                fire(key, r, r->status, r->result, r->len);
                goto again; /* the callback may have changed anything */
            }
        }
    arm(x);
}

void exchange_abort(struct exchange *x, const char *prefix, int status)
{
    /* Out of the table first: a callback may start or abort something else. */
    struct key *gone = NULL;
    for (struct key **p = &x->keys; *p;) {
        struct key *key = *p;
        if (strncmp(key->name, prefix, strlen(prefix)) != 0) {
            p = &key->next;
            continue;
        }
        *p = key->next;
        key->next = gone;
        gone = key;
    }
    free(x->ended[x->next_ended]);
    x->ended[x->next_ended] = xstrdup(prefix);
    x->next_ended = (x->next_ended + 1) % ENDED_MAX;

    while (gone) {
        struct key *key = gone;
        gone = key->next;
        bool told = key->left;
        for (struct round *r = key->rounds; r; r = r->next) {
            if (r->parts && r->ngot < r->n)
                home_fail(x, key, r, status);
            else if (r->cb && !r->parts && !r->ready) {
                send_fail(x, key, r->number, status);
                told = true;
            }
        }
        /* Others may be about to begin a round that this node will never join. */
        if (!told && key->home >= 0 && key->home != (int)x->self)
            send_fail(x, key, key->started, status);
        for (struct round *r = key->rounds; r; r = r->next)
            if (r->cb) {
                exchange_f cb = take(r->cb);
                cb(status, NULL, 0, r->cbarg);
            }
        key_free(key);
    }
    arm(x);
}

/* --- deliver ------------------------------------------------------------------------------ */

static bool get_uint(json_object *msg, const char *name, int64_t max, unsigned *value)
{
    json_object *o;
    if (!json_object_object_get_ex(msg, name, &o) ||
        !json_object_is_type(o, json_type_int))
        return false;
    int64_t v = json_object_get_int64(o);
    if (v < 0 || v > max)
        return false;
    *value = (unsigned)v;
    return true;
}

static const char *get_string(json_object *msg, const char *name)
{
    json_object *o;
    if (!json_object_object_get_ex(msg, name, &o) ||
        !json_object_is_type(o, json_type_string))
        return NULL;
    return json_object_get_string(o);
}

/* "d" or "s": 0, or -1 when there is neither. */
static int get_data(json_object *msg, char **data, size_t *len, unsigned *status)
{
    json_object *o;
    *data = NULL;
    *len = 0;
    *status = 0;
    if (get_uint(msg, "s", INT16_MAX, status) && *status != 0)
        return 0;
    const char *text = get_string(msg, "d");
    if (!text)
        return -1;
    json_object_object_get_ex(msg, "d", &o);
    struct error err;
    *data = base64_decode(text, (size_t)json_object_get_string_len(o), len, &err);
    return *data ? 0 : -1;
}

static int deliver_give(struct exchange *x, const char *name, unsigned number,
                        json_object *msg)
{
    unsigned from, i, n, status;
    size_t len;
    char *data;
    if (!get_uint(msg, "from", INT32_MAX, &from) || !get_uint(msg, "i", NODES_MAX, &i) ||
        !get_uint(msg, "n", NODES_MAX, &n) || n == 0 ||
        get_data(msg, &data, &len, &status) < 0)
        return -1;
    if (!key_find(x, name) && has_ended(x, name)) {
        struct key key = {.name = xstrdup(name)};
        send_failed_result(x, &key, number, from, ECONNABORTED);
        free(key.name);
        free(data);
        return 0;
    }
    struct key *key = key_get(x, name);
    struct round *r = round_find(key, number);
    if (!r && number < key->started && key->home == (int)x->self) {
        free(data); /* all took part in that one already */
        return -1;
    }
    if (!r)
        r = round_get(key, number);
    home_give(x, key, r, from, i, n, data, len, (int)status);
    if (r->ready)
        fire(key, r, r->status, r->result, r->len);
    else
        round_release(key, r);
    return 0;
}

static int deliver_fail(struct exchange *x, const char *name, unsigned number,
                        json_object *msg)
{
    unsigned status;
    if (!get_uint(msg, "s", INT16_MAX, &status) || status == 0)
        return -1;
    struct key *key = key_find(x, name);
    if (!key && has_ended(x, name))
        return 0;
    key = key_get(x, name);
    struct round *r = round_find(key, number);
    if (!r) {
        if (number < key->started)
            return 0; /* over */
        r = round_get(key, number);
    }
    home_fail(x, key, r, (int)status);
    if (r->ready)
        fire(key, r, r->status, r->result, r->len);
    return 0;
}

static int deliver_result(struct exchange *x, const char *name, unsigned number,
                          json_object *msg)
{
    unsigned status;
    size_t len;
    char *data;
    if (get_data(msg, &data, &len, &status) < 0)
        return -1;
    cleanup_free char *mine = data;
    struct key *key = key_find(x, name);
    struct round *r = key ? round_find(key, number) : NULL;
    if (r && r->cb && !r->ready && !r->parts)
        fire(key, r, (int)status, mine, len);
    return 0; /* else: timed out or ended here before */
}

void exchange_deliver(struct exchange *x, json_object *msg)
{
    static const struct {
        const char *op;
        int (*deliver)(struct exchange *x, const char *name, unsigned number,
                       json_object *msg);
    } ops[] = {
        {"give", deliver_give},
        {"fail", deliver_fail},
        {"result", deliver_result},
    };
    const char *name = get_string(msg, "k"), *op = get_string(msg, "op");
    unsigned number;
    int rc = -1;
    if (name && op && get_uint(msg, "r", UINT32_MAX, &number))
        for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
            if (strcmp(op, ops[i].op) == 0)
                rc = ops[i].deliver(x, name, number, msg);
    if (rc < 0)
        log_warning("exchange: message ignored: %.200s",
                    json_object_to_json_string_ext(msg, JSON_C_TO_STRING_PLAIN));
    arm(x);
}
