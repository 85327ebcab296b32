/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/pending.h"

#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct {
    const char *event, *what; /* NULL: it waits no more */
} steps[] = {
    {"submit", "waiting for dependencies"},
    {"depend", "waiting for priority assignment"},
    {"priority", "waiting for resources"},
    {"requeue", "waiting for resources"},
    {"alloc", "starting"},
    {"start", NULL},
    {"finish", NULL},
    {"clean", NULL},
};

static bool is_interactive(void)
{
    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO) &&
           !getenv("HBATCH_ATTACH_NONINTERACTIVE");
}

void pending_init(struct pending *p, const struct cli *cli, uint64_t id,
                  const struct attach_options *options)
{
    *p = (struct pending){.cli = cli, .id = id};
    if (options->show_events || options->quiet)
        return;
    p->on = options->show_status || is_interactive();
    p->due = time_mono() + (options->show_status ? 0 : 1);
}

static void draw(struct pending *p)
{
    struct winsize ws;
    char id[CLI_ID_SIZE];
    int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col ? ws.ws_col : 80;
    int seconds = (int)MAX(time_now() - p->since, 0.0);
    cli_id(p->cli, p->id, id);
    int room = MAX(width - (int)strlen(id) - 20, 1);
    fprintf(stderr, "\rhbatch: %s %-*s %02d:%02d:%02d\r", id, room, p->what,
            seconds / 3600, seconds / 60 % 60, seconds % 60);
    p->drawn = true;
}

void pending_event(struct pending *p, double time, const char *name)
{
    if (!p->on)
        return;
    if (p->since <= 0)
        p->since = time;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        if (strcmp(steps[i].event, name) != 0)
            continue;
        p->what = steps[i].what;
        if (p->what && time_mono() >= p->due)
            draw(p);
        if (!p->what)
            pending_end(p);
    }
}

int pending_patience(const struct pending *p)
{
    if (!p->on || !p->what)
        return -1;
    double left = p->due - time_mono();
    return left > 0 ? (int)(left * 1000) + 1 : 0;
}

void pending_tick(struct pending *p)
{
    if (pending_patience(p) != 0)
        return;
    p->due = time_mono() + 1;
    draw(p);
}

void pending_clear(struct pending *p)
{
    if (p->drawn)
        fputs("\r\033[K", stderr);
    p->drawn = false;
}

void pending_end(struct pending *p)
{
    pending_clear(p);
    p->on = false;
    p->what = NULL;
}
