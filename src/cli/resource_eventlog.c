/* SPDX-License-Identifier: BSD-3-Clause */
/* resource eventlog: what happened to nodes (RFC 44). */
#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>
#include "src/cli/color.h"
#include "src/cli/events.h"
#include "src/cli/resource.h"
#include "src/common/duration.h"
#include "src/common/idset.h"

enum { FORMAT, TIME_FORMAT, HUMAN, COLOR, FOLLOW, WAIT, MATCH, TIMEOUT, INCLUDE };

static const struct opt opts[] = {
    {FORMAT, 'f', "format", "text|json", "How to print events"},
    {TIME_FORMAT, 'T', "time-format", "raw|iso|offset|human", "How to print times"},
    {HUMAN, 'H', "human", NULL, "The same as -T human -f text"},
    {COLOR, 'L', "color", "[WHEN]", "In color: " COLOR_HELP},
    {FOLLOW, 'F', "follow", NULL, "Then wait for more"},
    {WAIT, 'w', "wait", "EVENT",
     "Print nothing but this event: restart, resource-define, online, offline, drain or "
     "undrain; and wait for it, if there was none"},
    {MATCH, 'm', "match-context", "KEY=VALUE",
     "With -w, only events with this in their context (may be repeated)"},
    {TIMEOUT, 't', "timeout", "FSD", "With -w, wait at most so long"},
    {INCLUDE, 'i', "include", "RANKS|HOSTS", "Only events of these nodes"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

struct log {
    struct cli *cli;
    struct event_style style;
    const char *wait;
    json_object *match;
    double timeout;
    bool follow, picky, found;
    struct resource_targets targets;
};

const char *const resource_events[] = {
    "restart", "resource-define", "online", "offline",  "drain",
    "undrain", "torpid",          "lively", "truncate", NULL};

static void check_name(const struct cli *cli, const char *name)
{
    for (size_t i = 0; resource_events[i]; i++)
        if (strcmp(resource_events[i], name) == 0)
            return;
    cli_die(
        cli,
        "--wait: there is no event '%s': it must be restart, resource-define, online, "
        "offline, drain or undrain",
        name);
}

static void parse(struct log *l, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    struct error err;
    enum color_when when = COLOR_AUTO;
    optparse_init(&p, l->cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case FORMAT:
            event_parse_format(&l->style, l->cli, p.value);
            break;
        case TIME_FORMAT:
            event_parse_time(&l->style, l->cli, p.value);
            break;
        case HUMAN:
            l->style.format = EVENT_TEXT;
            l->style.time = TIME_HUMAN;
            break;
        case COLOR:
            when = color_parse(l->cli, p.value);
            break;
        case FOLLOW:
            l->follow = true;
            break;
        case WAIT:
            check_name(l->cli, p.value);
            l->wait = p.value;
            break;
        case MATCH:
            event_match_add(&l->match, l->cli, p.value);
            break;
        case TIMEOUT:
            if (duration_decode(p.value, &l->timeout, &err) < 0)
                cli_die(l->cli, "--timeout: %s", err.text);
            break;
        case INCLUDE:
            resource_targets_fini(&l->targets);
            l->targets = resource_targets(l->cli, p.value);
            l->picky = true;
            break;
        }
    }
    cli_operand(l->cli, &p, "", true);
    if (!l->wait && (l->match || !isinf(l->timeout)))
        cli_die(l->cli, "--match-context and --timeout are for --wait");
    l->style.color = l->style.format == EVENT_TEXT && color_wanted(when);
}

/* What is not about single nodes is of all. */
static bool is_there(const struct log *l, json_object *context)
{
    const char *text = cli_get_string(context, "idset", NULL);
    if (!l->picky || !text)
        return true;
    if (l->targets.ranks) {
        cleanup_bitmap hwloc_bitmap_t ranks = idset_decode(text, NULL);
        return ranks && hwloc_bitmap_intersects(ranks, l->targets.ranks);
    }
    struct hostlist *hosts =
        hostlist_decode(cli_get_string(context, "nodelist", ""), NULL);
    bool any = false;
    for (size_t i = 0; hosts && !any && i < hostlist_count(hosts); i++)
        any = hostlist_find(l->targets.hosts, hostlist_nth(hosts, i)) >= 0;
    hostlist_destroy(hosts);
    return any;
}

static void look_at(struct log *l, json_object *event)
{
    json_object *context = cli_get(event, "context");
    const char *name = cli_get_string(event, "name", "?");
    if (l->found || !is_there(l, context))
        return;
    if (l->wait && (strcmp(l->wait, name) != 0 || !event_match(l->match, context)))
        return;
    l->found = l->wait != NULL;
    event_print(
        &l->style, stdout, cli_get_number(event, "timestamp", 0), name,
        context ? json_object_to_json_string_ext(
                      context, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
                : NULL);
}

/* What came after number SINCE; return the number of the last one. */
static uint64_t show(struct log *l, uint64_t since)
{
    json_object *params = json_object_new_object();
    json_object_object_add(params, "since", json_object_new_uint64(since));
    cleanup_json json_object *result = cli_call(l->cli, "resource.journal", params);
    json_object *events = cli_list(l->cli, result, "events");
    for (size_t i = 0; i < json_object_array_length(events); i++)
        look_at(l, json_object_array_get_idx(events, i));
    if (fflush(stdout) != 0)
        cli_die(l->cli, "cannot write: %s", strerror(errno));
    return json_object_get_uint64(cli_get(result, "seq"));
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    static const struct timespec pause = {.tv_nsec = 100000000};
    struct log l = {.cli = cli, .timeout = INFINITY};
    parse(&l, cmd, argc, argv);
    double until = time_mono() + l.timeout;
    uint64_t last = show(&l, 0);
    while (l.wait ? !l.found : l.follow) {
        if (time_mono() >= until)
            cli_die(cli, "event '%s' did not come within the time given", l.wait);
        nanosleep(&pause, NULL);
        uint64_t now = show(&l, last);
        last = now < last ? 0 : now; /* of another leader, who counts anew */
    }
    resource_targets_fini(&l.targets);
    json_object_put(l.match);
    return 0;
}

const struct cmd resource_eventlog = {
    .name = "eventlog",
    .args = "",
    .help = "Print what happened to the nodes of the instance",
    .groups = groups,
    .run = run,
};
