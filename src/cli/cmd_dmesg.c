/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>
#include "src/cli/color.h"
#include "src/cli/verbs.h"

enum { CLEAR, READ_CLEAR, FOLLOW, NEW, HUMAN, DELTA, COLOR, JSON };

static const struct opt opts[] = {
    {CLEAR, 'C', "clear", NULL, "Forget all lines, and print nothing"},
    {READ_CLEAR, 'c', "read-clear", NULL, "Print all lines, and forget them"},
    {FOLLOW, 'f', "follow", NULL, "Then wait for more"},
    {NEW, 'n', "new", NULL, "Only what comes from now on"},
    {HUMAN, 'H', "human", NULL, "Times for people"},
    {DELTA, 'd', "delta", NULL, "With -H, the time since the line before"},
    {COLOR, 'L', "color", "[WHEN]", "With -H, in color: " COLOR_HELP},
    {JSON, 0, "json", NULL, "As JSON, an object a line"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

struct dmesg {
    struct cli *cli;
    bool clear, silent, follow, human, delta, color, json;
    double base; /* time that offsets are of; 0: none yet */
};

static const char *color_of(const char *level)
{
    return strcmp(level, "err") == 0       ? "\033[01;31m"
           : strcmp(level, "warning") == 0 ? "\033[33m"
                                           : "";
}

/* The minute and the day, once in a minute; else what has passed since. */
static void print_human(struct dmesg *d, double t, unsigned rank, const char *level,
                        const char *text)
{
    char stamp[32];
    const char *color = d->color ? color_of(level) : "";
    bool fresh = d->base == 0 || t - d->base >= 60;
    if (fresh) {
        time_t seconds = (time_t)t;
        strftime(stamp, sizeof(stamp), "%b%d %H:%M", localtime(&seconds));
    } else {
        snprintf(stamp, sizeof(stamp), "%+11.6f", t - d->base);
    }
    if (fresh || d->delta)
        d->base = t;
    printf("%s[%s]%s %s%s.%s[%u]: %s%s\n", d->color ? "\033[32m" : "", stamp,
           d->color ? COLOR_RESET : "", color, "instance", level, rank, text,
           *color ? COLOR_RESET : "");
}

static void print_line(struct dmesg *d, json_object *line)
{
    double t = cli_get_number(line, "t", 0);
    unsigned rank = (unsigned)cli_get_number(line, "rank", 0);
    const char *level = cli_get_string(line, "level", "info"),
               *text = cli_get_string(line, "text", "");
    if (d->json) {
        puts(json_object_to_json_string_ext(line, JSON_C_TO_STRING_PLAIN |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
        return;
    }
    if (d->human) {
        print_human(d, t, rank, level, text);
        return;
    }
    char stamp[32];
    time_t seconds = (time_t)t;
    strftime(stamp, sizeof(stamp), "%FT%T", gmtime(&seconds));
    printf("%s.%06dZ instance.%s[%u]: %s\n", stamp, (int)((t - floor(t)) * 1e6), level,
           rank, text);
}

/* What came after line number SINCE; return the number of the last one. */
static uint64_t show(struct dmesg *d, uint64_t since, bool print)
{
    json_object *params = json_object_new_object();
    json_object_object_add(params, "since", json_object_new_uint64(since));
    if (d->clear)
        json_object_object_add(params, "clear", json_object_new_boolean(true));
    cleanup_json json_object *result = cli_call(d->cli, "instance.log", params);
    json_object *lines = cli_list(d->cli, result, "lines");
    for (size_t i = 0; print && i < json_object_array_length(lines); i++)
        print_line(d, json_object_array_get_idx(lines, i));
    if (fflush(stdout) != 0)
        cli_die(d->cli, "cannot write: %s", strerror(errno));
    return json_object_get_uint64(cli_get(result, "seq"));
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    static const struct timespec pause = {.tv_nsec = 300000000};
    struct dmesg d = {.cli = cli};
    struct optparse p;
    bool skip = false;
    enum color_when when = COLOR_AUTO;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (o->id == CLEAR)
            d.clear = d.silent = true;
        else if (o->id == READ_CLEAR)
            d.clear = true;
        else if (o->id == FOLLOW)
            d.follow = true;
        else if (o->id == NEW)
            skip = d.follow = true;
        else if (o->id == HUMAN)
            d.human = true;
        else if (o->id == DELTA)
            d.delta = true;
        else if (o->id == JSON)
            d.json = true;
        else
            when = color_parse(cli, p.value);
    }
    d.color = color_wanted(when);
    uint64_t last = show(&d, 0, !skip && !d.silent);
    d.clear = false;
    while (d.follow) {
        nanosleep(&pause, NULL);
        uint64_t now = show(&d, last, true);
        last = now < last ? 0 : now; /* another leader counts anew */
    }
    return 0;
}

const struct cmd cmd_dmesg = {
    .name = "dmesg",
    .args = "",
    .help = "Print the latest lines of the instance's log",
    .groups = groups,
    .run = run,
};
