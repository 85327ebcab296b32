/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include "src/cli/feed.h"
#include "src/lib/submit.h"

enum { FLUSH_EVERY = 64 }; /* submissions that go out together */

/* The argument of a reply. */
struct ticket {
    struct feed *feed;
    uint64_t number;
    bool again; /* of one row of what was refused */
};

void feed_init(struct feed *f, struct cli *cli, struct jobset *set,
               void (*told)(struct feed_item *item, void *arg), void *arg)
{
    *f = (struct feed){.cli = cli, .set = set, .told = told, .arg = arg};
    f->items = xcalloc(FEED_WINDOW, sizeof(*f->items));
    f->rows_limit = FEED_ROWS_FIRST;
}

static void rows_free(struct feed_rows *r)
{
    if (!r)
        return;
    json_object_put(r->spec);
    json_object_put(r->list);
    free(r->text.s);
    free(r->labels.s);
    free(r);
}

void feed_fini(struct feed *f)
{
    free(f->items);
    rows_free(f->rows);
    json_object_put(f->env);
    free(f->env_name);
}

static struct feed_item *item_at(const struct feed *f, uint64_t number)
{
    return &f->items[number % FEED_WINDOW];
}

static void item_over(struct feed *f)
{
    struct feed_item *item = item_at(f, f->over++);
    free(item->label);
    free(item->log);
    free(item->log_stderr);
    rows_free(item->rows);
    *item = (struct feed_item){0};
}

static void send(struct feed *f, json_object *spec, const struct hbatch_submit *submit,
                 client_reply_f reply, void *arg)
{
    if (f->set)
        jobset_send(f->set, spec, submit, reply, arg);
    else
        client_send(cli_connect(f->cli), "job.submit", submit_params(spec, submit, NULL),
                    reply, NULL, arg);
}

static void on_reply(json_object *result, const struct error *err, void *arg);

/* SPEC is to go with ROWS, JSON text that is taken over. */
static void put_rows(json_object *spec, char *rows)
{
    json_object *o = json_object_new_int(0); /* which is written as the text */
    json_object_set_serializer(o, json_object_userdata_to_json_string, rows,
                               json_object_free_userdata);
    json_object_object_add(submit_system(spec), "bulk", o);
}

static void send_rows(struct feed *f, const struct feed_rows *r, char *rows,
                      struct ticket *t)
{
    struct hbatch_submit submit = {.urgency = r->urgency, .flags = r->flags};
    put_rows(r->spec, rows);
    send(f, json_object_get(r->spec), &submit, on_reply, t);
    json_object_object_del(submit_system(r->spec), "bulk");
}

/* The next row of what was refused as a whole. */
static void try_row(struct feed *f, struct feed_item *item)
{
    struct ticket *t = xmalloc(sizeof(*t));
    struct feed_rows *r = item->rows;
    if (!r->list) {
        strbuf_addc(&r->text, ']');
        r->list = json_tokener_parse(r->text.s);
    }
    json_object *row = json_object_array_get_idx(r->list, item->next);
    *t = (struct ticket){f, f->over, true};
    send_rows(
        f, r,
        xasprintf("[%s]", json_object_to_json_string_ext(row, JSON_C_TO_STRING_PLAIN)),
        t);
}

static const char *row_label(const struct feed_item *item)
{
    const char *label = item->rows->labels.s;
    for (unsigned i = 0; i < item->next; i++)
        label += strlen(label) + 1;
    return label;
}

static void tell(struct feed *f)
{
    while (f->over < f->sent && item_at(f, f->over)->done) {
        struct feed_item *item = item_at(f, f->over);
        if (item->err.code && item->rows && item->rows->n > 1) {
            item->done = false;
            try_row(f, item);
            return;
        }
        if (item->rows && !item->label)
            item->label = xstrdup(row_label(item));
        f->told(item, f->arg);
        item_over(f);
    }
}

static void take_answer(struct feed_item *item, json_object *result,
                        const struct error *err)
{
    item->first = json_object_get_uint64(cli_get(result, "id"));
    item->count = (uint64_t)cli_get_number(result, "count", 1);
    item->err = err ? *err : (struct error){0};
}

static void on_reply(json_object *result, const struct error *err, void *arg)
{
    struct ticket *t = arg;
    struct feed *f = t->feed;
    struct feed_item *item = item_at(f, t->number);
    const char *env = cli_get_string(result, "env", NULL);
    if (env && !f->env_name && t->number == f->env_sent)
        f->env_name = xstrdup(env);
    take_answer(item, result, err);
    if (t->again) {
        item->label = xstrdup(row_label(item));
        f->told(item, f->arg);
        free(take(item->label));
        if (++item->next < item->rows->n)
            try_row(f, item);
        else
            item_over(f);
    } else {
        item->done = true;
    }
    free(t);
    tell(f);
}

static void process(struct feed *f, int timeout_ms)
{
    struct error err;
    uint64_t left = f->sent - f->over;
    if (client_process(cli_connect(f->cli), timeout_ms, &err) < 0 && f->over < f->sent)
        cli_die(f->cli, "%s; of %ju submissions it is not known whether they came to be",
                err.text, (uintmax_t)left);
    if (f->set)
        jobset_flush(f->set);
}

static void wait_below(struct feed *f, uint64_t n)
{
    bool ticks = f->set && f->set->meter.on;
    while (f->sent - f->over > n)
        process(f, ticks ? METER_TICK_MS : -1);
}

/* Give SPEC the environment by name, if it is one that the instance has. */
static void share_environment(struct feed *f, json_object *spec)
{
    json_object *system = cli_get(cli_get(spec, "attributes"), "system");
    json_object *env = cli_get(system, "environment");
    if (!json_object_is_type(env, json_type_object))
        return;
    if (f->env != env && (!f->env || !json_object_equal(f->env, env))) {
        json_object_put(f->env);
        free(take(f->env_name));
        f->env = json_object_get(env);
        f->env_sent = f->sent;
        return;
    }
    if (!f->env_name) /* the first one's answer tells it */
        wait_below(f, 0);
    if (f->env_name)
        json_object_object_add(system, "environment",
                               json_object_new_string(f->env_name));
    else /* that one was refused */
        f->env_sent = f->sent;
}

static struct ticket *next_ticket(struct feed *f, const struct feed_item *what)
{
    struct ticket *t = xmalloc(sizeof(*t));
    *t = (struct ticket){f, f->sent, false};
    *item_at(f, f->sent++) = what ? *what : (struct feed_item){0};
    return t;
}

static void flush_rows(struct feed *f)
{
    struct feed_rows *r = take(f->rows);
    if (!r)
        return;
    wait_below(f, FEED_ROWS_WINDOW - 1);
    share_environment(f, r->spec);
    f->rows_what.rows = r;
    struct ticket *t = next_ticket(f, &f->rows_what);
    f->rows_what = (struct feed_item){0};
    send_rows(f, r, xasprintf("%s]", r->text.s), t);
    f->rows_limit = MIN(2 * f->rows_limit, (unsigned)FEED_ROWS);
    process(f, 0);
}

void feed_add(struct feed *f, json_object *spec, const struct hbatch_submit *submit,
              const struct feed_item *what)
{
    cli_connect(f->cli);
    flush_rows(f);
    wait_below(f, FEED_WINDOW - 1);
    share_environment(f, spec);
    struct ticket *t = next_ticket(f, what);
    send(f, spec, submit, on_reply, t);
    if (f->sent % FLUSH_EVERY == 0)
        process(f, 0);
}

static bool same_log(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool goes_with(const struct feed *f, json_object *spec,
                      const struct hbatch_submit *submit, const struct feed_item *what)
{
    const struct feed_rows *r = f->rows;
    return r && r->spec == spec && r->urgency == submit->urgency &&
           r->flags == submit->flags && same_log(f->rows_what.log, what->log) &&
           same_log(f->rows_what.log_stderr, what->log_stderr);
}

void feed_add_row(struct feed *f, json_object *spec, const struct hbatch_submit *submit,
                  char *const *words, size_t n, const struct feed_item *what)
{
    cli_connect(f->cli);
    if (!goes_with(f, spec, submit, what)) {
        flush_rows(f);
        f->rows = xcalloc(1, sizeof(*f->rows));
        *f->rows = (struct feed_rows){.spec = json_object_get(spec),
                                      .urgency = submit->urgency,
                                      .flags = submit->flags};
        f->rows_what.log = what->log ? xstrdup(what->log) : NULL;
        f->rows_what.log_stderr = what->log_stderr ? xstrdup(what->log_stderr) : NULL;
    }
    struct feed_rows *r = f->rows;
    strbuf_add(&r->text, r->n++ ? ",[" : "[[");
    for (size_t i = 0; i < n; i++) {
        if (i)
            strbuf_addc(&r->text, ',');
        strbuf_add_json(&r->text, words[i]);
    }
    strbuf_addc(&r->text, ']');
    strbuf_addn(&r->labels, what->label ? what->label : "",
                what->label ? strlen(what->label) + 1 : 1);
    free(what->label);
    if (r->n >= f->rows_limit || r->text.len >= FEED_ROWS_BYTES)
        flush_rows(f);
}

void feed_wait_fd(struct feed *f, int fd)
{
    flush_rows(f);
    process(f, 0);
    for (;;) {
        struct hbatch *h = cli_connect(f->cli);
        short room = client_unsent(h) ? POLLOUT : 0;
        struct pollfd pfd[] = {{.fd = fd, .events = POLLIN},
                               {.fd = client_fd(h), .events = (short)(POLLIN | room)}};
        bool ticks = f->set && f->set->meter.on;
        int rc = poll(pfd, 2, ticks ? METER_TICK_MS : -1);
        if (rc < 0 && errno != EINTR)
            cli_die(f->cli, "cannot wait for input: %s", strerror(errno));
        if (rc > 0 && pfd[0].revents)
            return;
        process(f, 0);
    }
}

void feed_finish(struct feed *f)
{
    flush_rows(f);
    wait_below(f, 0);
}
