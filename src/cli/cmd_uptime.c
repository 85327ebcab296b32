/* SPDX-License-Identifier: BSD-3-Clause */
#include <pwd.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "src/cli/format.h"
#include "src/cli/verbs.h"

/* Of all nodes together, as they last measured it; an instance that has just begun has not. */
static void print_usage(json_object *usage)
{
    double memory = cli_get_number(usage, "memory", 0);
    if (!usage)
        return;
    printf(",  load %.2f", cli_get_number(usage, "load", 0));
    if (memory > 0)
        printf(",  memory %.0f%% used",
               100 * (1 - cli_get_number(usage, "memory_available", memory) / memory));
}

/* What it lives in, and when it ends. */
static void print_limits(json_object *info, double now)
{
    static const struct {
        const char *name, *title;
    } titles[] = {{"slurm", "Slurm job"},
                  {"lsf", "LSF job"},
                  {"pbs", "PBS job"},
                  {"sge", "Grid Engine job"}};
    const char *foreign = cli_get_string(info, "foreign", "none");
    double end = cli_get_number(info, "expiration", 0);
    char left[64];
    for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
        if (strcmp(titles[i].name, foreign) == 0)
            printf(",  in %s %s", titles[i].title,
                   cli_get_string(info, "foreign_id", ""));
    if (end > 0) {
        format_duration(end > now ? end - now : 0, left, sizeof(left));
        printf(",  ends in %s", left);
    }
}

static const struct opt opts[] = {
    {0, 0, "json", NULL, "Print JSON"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

static void print_json(json_object *info, int drained, int down, double now)
{
    static const char *const keys[] = {"owner",   "level",      "size",       "starttime",
                                       "foreign", "foreign_id", "expiration", "usage"};
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "now", json_object_new_double(now));
    json_object_object_add(
        o, "uptime",
        json_object_new_double(now - cli_get_number(info, "starttime", now)));
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        if (cli_get(info, keys[i]))
            json_object_object_add(o, keys[i], json_object_get(cli_get(info, keys[i])));
    json_object_object_add(o, "drained", json_object_new_int(drained));
    json_object_object_add(o, "offline", json_object_new_int(down));
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    char clock[16], age[64], owner[64];
    bool json = false;
    optparse_init(&p, cli, cmd, argc, argv);
    while (optparse_next(&p))
        json = true;
    cleanup_json json_object *info = cli_call(cli, "instance.info", NULL);
    cleanup_json json_object *resources = cli_call(cli, "resource.list", NULL);
    json_object *nodes = cli_list(cli, resources, "nodes");
    int drained = 0, down = 0;
    for (size_t i = 0; i < json_object_array_length(nodes); i++) {
        const char *state =
            cli_get_string(json_object_array_get_idx(nodes, i), "state", "up");
        drained += *state == 'd' && state[1] == 'r';
        down += *state == 'd' && state[1] == 'o';
    }
    double now = time_now();
    if (json) {
        print_json(info, drained, down, now);
        return 0;
    }
    time_t t = (time_t)now;
    strftime(clock, sizeof(clock), "%T", localtime(&t));
    uid_t uid = (uid_t)cli_get_number(info, "owner", 0);
    struct passwd *pw = uid == getuid() && getenv("USER") ? NULL : getpwuid(uid);
    snprintf(owner, sizeof(owner), "%u", uid);
    format_duration(now - cli_get_number(info, "starttime", now), age, sizeof(age));
    printf(" %s run %s,  owner %s,  depth %d,  size %d", clock, age,
           pw                                  ? pw->pw_name
           : uid == getuid() && getenv("USER") ? getenv("USER")
                                               : owner,
           (int)cli_get_number(info, "level", 0), (int)cli_get_number(info, "size", 1));
    if (drained)
        printf(",  %d drained", drained);
    if (down)
        printf(",  %d offline", down);
    print_limits(info, now);
    print_usage(cli_get(info, "usage"));
    putchar('\n');
    return 0;
}

const struct cmd cmd_uptime = {
    .name = "uptime",
    .args = "",
    .help = "Show how long the instance has run, its owner, size, load and end",
    .groups = groups,
    .run = run,
};
