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
};

void feed_init(struct feed *f, struct cli *cli, struct jobset *set,
               void (*told)(struct feed_item *item, void *arg), void *arg)
{
    *f = (struct feed){.cli = cli, .set = set, .told = told, .arg = arg};
    f->items = xcalloc(FEED_WINDOW, sizeof(*f->items));
}

void feed_fini(struct feed *f)
{
    free(f->items);
    json_object_put(f->env);
    free(f->env_name);
}

static struct feed_item *item_at(const struct feed *f, uint64_t number)
{
    return &f->items[number % FEED_WINDOW];
}

static void tell(struct feed *f)
{
    while (f->over < f->sent && item_at(f, f->over)->done) {
        struct feed_item *item = item_at(f, f->over++);
        f->told(item, f->arg);
        free(item->label);
        free(item->log);
        free(item->log_stderr);
        *item = (struct feed_item){0};
    }
}

static void on_reply(json_object *result, const struct error *err, void *arg)
{
    struct ticket *t = arg;
    struct feed *f = t->feed;
    struct feed_item *item = item_at(f, t->number);
    const char *env = cli_get_string(result, "env", NULL);
    if (env && !f->env_name && t->number == f->env_sent)
        f->env_name = xstrdup(env);
    item->first = json_object_get_uint64(cli_get(result, "id"));
    item->count = (uint64_t)cli_get_number(result, "count", 1);
    if (err)
        item->err = *err;
    item->done = true;
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

void feed_add(struct feed *f, json_object *spec, const struct hbatch_submit *submit,
              const struct feed_item *what)
{
    struct hbatch *h = cli_connect(f->cli);
    wait_below(f, FEED_WINDOW - 1);
    share_environment(f, spec);
    struct ticket *t = xmalloc(sizeof(*t));
    *t = (struct ticket){f, f->sent};
    *item_at(f, f->sent++) = what ? *what : (struct feed_item){0};
    if (f->set)
        jobset_send(f->set, spec, submit, on_reply, t);
    else
        client_send(h, "job.submit", submit_params(spec, submit, NULL), on_reply, NULL,
                    t);
    if (f->sent % FLUSH_EVERY == 0)
        process(f, 0);
}

void feed_wait_fd(struct feed *f, int fd)
{
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
    wait_below(f, 0);
}
