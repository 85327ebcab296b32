/* SPDX-License-Identifier: BSD-3-Clause */
/* complete: what may come next on a command line, for the shell (src/cli/hbatch.bash).
 *
 *     hbatch __complete INDEX WORD...
 *
 * The WORDs are the line, split as bash does it (an '=' is a word of its own), and INDEX is that of the word which
 * is typed.  Each line of output is a word it may become; a first line ":files", ":dirs" or ":commands" asks the shell
 * for its own.  What needs the instance is left out where there is none: completion says nothing. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/formats.h"
#include "src/cli/resource.h"
#include "src/cli/verbs.h"
#include "src/job/state.h"

struct line {
    struct cli *cli;
    char **words; /* [n] before the one that is typed, without options before the verb */
    int n;
    const char *prefix; /* of the one that is typed */
    bool tried;         /* to reach the instance */
    char **made;        /* [nmade] words that were put together */
    size_t nmade;
};

static void offer(const void *arg, const char *word)
{
    const struct line *l = arg;
    if (strncmp(word, l->prefix, strlen(l->prefix)) == 0)
        puts(word);
}

/* --- what the instance knows ------------------------------------------------------------------ */

/* The result, or NULL. */
static json_object *ask(struct line *l, const char *method, json_object *params)
{
    struct error err;
    if (!l->tried)
        l->cli->h = client_open(NULL, &err);
    l->tried = true;
    if (l->cli->h)
        return client_call(l->cli->h, method, params, &err);
    json_object_put(params);
    return NULL;
}

/* Of jobs in STATES, newest first. */
static void offer_ids(struct line *l, int states)
{
    char buf[CLI_ID_SIZE];
    struct cli ascii = *l->cli;
    json_object *params = json_object_new_object();
    json_object_object_add(params, "states", json_object_new_int(states));
    json_object_object_add(params, "max", json_object_new_int(100));
    cleanup_json json_object *result = ask(l, "job.list", params);
    json_object *jobs = cli_get(result, "jobs");
    ascii.ascii |= *l->prefix == 'f'; /* who types that cannot type the other one */
    offer(l, "last");
    for (size_t i = 0; jobs && i < json_object_array_length(jobs); i++) {
        json_object *job = json_object_array_get_idx(jobs, i);
        offer(l, cli_id(&ascii, json_object_get_uint64(cli_get(job, "id")), buf));
    }
}

/* KEY of each member of the array LIST of METHOD's result, once each. */
static void offer_members(struct line *l, const char *method, const char *list,
                          const char *key)
{
    cleanup_json json_object *result = ask(l, method, NULL),
                             *seen = json_object_new_object();
    json_object *array = cli_get(result, list);
    for (size_t i = 0; array && i < json_object_array_length(array); i++) {
        const char *name = cli_get_string(json_object_array_get_idx(array, i), key, NULL);
        if (!name || cli_get(seen, name))
            continue;
        json_object_object_add(seen, name, json_object_new_boolean(true));
        offer(l, name);
    }
}

/* --- words of a kind -------------------------------------------------------------------------- */

static void offer_list(const struct line *l, const char *const *words)
{
    for (; *words; words++)
        offer(l, *words);
}

/* "raw|iso|offset": whether it is one of such words, which were offered. */
static bool offer_choice(const struct line *l, const char *arg)
{
    if (!strchr(arg, '|') || arg[strspn(arg, "abcdefghijklmnopqrstuvwxyz0123456789|-[]")])
        return false;
    cleanup_free char *copy = xstrdup(arg);
    for (char *save = NULL, *w = strtok_r(copy, "|[]", &save); w;
         w = strtok_r(NULL, "|[]", &save))
        offer(l, w);
    return true;
}

static const char *const states[] = {
    "pending", "running",   "inactive", "depend",   "priority", "sched",  "run",
    "cleanup", "completed", "failed",   "canceled", "timeout",  "active", NULL};
static const char *const results[] = {"completed", "failed", "canceled", "timeout", NULL};
static const char *const signals[] = {"TERM", "KILL", "INT",  "HUP",  "USR1",
                                      "USR2", "STOP", "CONT", "ALRM", NULL};
static const char *const whens[] = {"always", "never", "auto", NULL};
static const char *const forms[] = {"dec",      "hex",   "dothex", "kvs", "f58",
                                    "f58plain", "words", "emoji",  NULL};
static const char *const maps[] = {"raw", "pmi", "multiline", "hosts", NULL};
static const char *const compats[] = {"flux", "slurm", NULL};
static const char *const keys[] = {
    "jobspec", "R", "eventlog", "taskmap", "guest.exec.eventlog", "guest.output", NULL};
static const char *const logs[] = {"eventlog", "exec", "output", NULL};
static const char *const types[] = {"string", "integer", "real", "boolean", "object",
                                    "array",  "fsd",     "any",  NULL};
static const char *const nodes[] = {"free", "allocated", "drained", "down",
                                    "up",   "all",       NULL};
static const char *const statuses[] = {"avail",     "draining", "drained",
                                       "drain",     "offline",  "online",
                                       "allocated", "all",      NULL};
static const char *const events[] = {"submit", "depend",    "priority", "alloc",
                                     "start",  "finish",    "release",  "free",
                                     "clean",  "exception", NULL};
static const char *const urgencies[] = {"hold", "default", "expedite", NULL};
static const char *const sources[] = {"instance", "avail", "local", "stdin", NULL};

/* By what an option's value is called, or the option's name. */
static const struct kind {
    const char *option, *arg;
    const char *const *words; /* NULL: */
    const char *shell;        /* what the shell is asked for, or NULL */
} kinds[] = {
    {"filter", "RESULT", results, NULL},
    {"filter", NULL, states, NULL},
    {"states", NULL, states, NULL},
    {"signal", NULL, signals, NULL},
    {"path", "LOG", logs, NULL},
    {"type", "TYPE", types, NULL},
    {"color", NULL, whens, NULL},
    {"to", "FORM", forms, NULL},
    {"compat", NULL, compats, NULL},
    {"wait-event", NULL, events, NULL},
    {"urgency", NULL, urgencies, NULL},
    {NULL, "FILE", NULL, ":files"},
    {NULL, "PATH", NULL, ":files"},
    {NULL, "[FILE]", NULL, ":files"},
    {NULL, "DIR", NULL, ":dirs"},
    {NULL, "DIRECTORY", NULL, ":dirs"},
    {NULL, "FILE|TASKS", NULL, ":files"},
    {NULL, "TEMPLATE", NULL, ":files"},
    {NULL, "KEY=VALUE|FILE", NULL, ":files"},
    {NULL, "TEXT|FILE", NULL, ":files"},
};

static const struct formats *formats_of(const struct cmd *cmd)
{
    const struct listing_kind *kind = cmd == &resource_list     ? &resource_list_kind
                                      : cmd == &resource_status ? &resource_status_kind
                                      : cmd == &resource_drain  ? &resource_drain_kind
                                                                : NULL;
    return kind ? &kind->formats : NULL;
}

static void offer_value(struct line *l, const struct cmd *cmd, const struct opt *o)
{
    const char *name = o->name ? o->name : "";
    if (strcmp(name, "queue") == 0 || strstr(o->arg, "QUEUE")) {
        offer_members(l, "queue.list", "queues", "queue");
    } else if (strstr(o->arg, "JOBID")) {
        offer_ids(l, JOB_ACTIVE);
    } else if (strcmp(name, "states") == 0 && strstr(o->help ? o->help : "", "drained")) {
        offer_list(l, strstr(o->help, "offline") ? statuses : nodes);
    } else if (strstr(o->arg, "HOSTS")) {
        offer_members(l, "resource.list", "nodes", "host");
    } else if (strcmp(o->arg, "FORMAT") == 0 &&
               (cmd == &cmd_jobs || cmd == &job_list || cmd == &cmd_pgrep)) {
        formats_each(l->cli, &formats_of_jobs, offer, l);
        offer(l, "help");
    } else if (strcmp(o->arg, "FORMAT") == 0 && formats_of(cmd)) {
        formats_each(l->cli, formats_of(cmd), offer, l);
        offer(l, "help");
    } else if (cmd == &resource_eventlog && strcmp(name, "wait") == 0) {
        offer_list(l, resource_events);
    } else if (strcmp(name, "to") == 0 && cmd == &job_taskmap) {
        offer_list(l, maps);
    } else if (!offer_choice(l, o->arg)) {
        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
            const struct kind *k = &kinds[i];
            if ((k->option && strcmp(k->option, name) != 0) ||
                (k->arg && strcmp(k->arg, o->arg) != 0))
                continue;
            if (k->words)
                offer_list(l, k->words);
            else
                puts(k->shell);
            return;
        }
    }
}

/* --- operands --------------------------------------------------------------------------------- */

/* The operands of a verb by the words in its usage; INDEX: how many there are before. */
static void offer_operand(struct line *l, const struct cmd *cmd, int index)
{
    const char *args = cmd->args;
    bool past = cmd == &cmd_attach || cmd == &cmd_output || cmd == &job_info ||
                cmd == &job_eventlog || cmd == &cmd_jobs || cmd == &job_list ||
                cmd == &job_status || cmd == &job_taskmap || cmd == &cmd_watch ||
                cmd == &job_resubmit;
    if (cmd == &cmd_hostlist)
        offer_list(l, sources);
    if (strstr(args, "JOBID") && (index == 0 || strstr(args, "JOBID..")))
        offer_ids(l, cmd == &job_purge ? JOB_INACTIVE : past ? 127 : JOB_ACTIVE);
    else if (strcmp(args, "JOBID EVENT") == 0)
        offer_list(l, events);
    else if (strcmp(args, "JOBID KEY...") == 0)
        offer_list(l, keys);
    else if (strncmp(args, "JOBID N|", 8) == 0)
        offer_list(l, urgencies);
    else if (strstr(args, "RANKS|HOSTS"))
        offer_members(l, "resource.list", "nodes", index ? "none" : "host");
    else if (strstr(args, "QUEUE"))
        offer_members(l, "queue.list", "queues", "queue");
    else if (cmd == &cmd_help)
        cli_offer_verbs(NULL, offer, l);
    else if (strstr(args, "COMMAND"))
        puts(index == 0 && strncmp(args, "TARGET", 6) != 0 ? ":commands" : ":files");
    else if (strstr(args, "SCRIPT") || strstr(args, "FILE") || strstr(args, "PATH") ||
             strstr(args, "TRACE") || strstr(args, "[ARG...]"))
        puts(":files");
}

/* --- options ---------------------------------------------------------------------------------- */

static void offer_options(const struct line *l, const struct cmd *cmd)
{
    char text[128];
    for (const struct opt_group *g = cmd->groups; g && g->opts; g++)
        for (size_t i = 0; i < g->n; i++) {
            const struct opt *o = &g->opts[i];
            if (!o->name || !o->help)
                continue;
            snprintf(text, sizeof(text), "--%s%s", o->name,
                     o->arg && *o->arg != '[' ? "=" : "");
            offer(l, text);
        }
    offer(l, "--help");
}

static const struct opt *find(const struct cmd *cmd, const char *name, size_t len,
                              char key)
{
    for (const struct opt_group *g = cmd->groups; g && g->opts; g++)
        for (size_t i = 0; i < g->n; i++) {
            const struct opt *o = &g->opts[i];
            if (key ? o->key == key
                    : o->name && strlen(o->name) == len &&
                          strncmp(o->name, name, len) == 0)
                return o;
        }
    return NULL;
}

/* The option whose value comes after WORD, or NULL. */
static const struct opt *wants_value(const struct cmd *cmd, const char *word)
{
    const struct opt *o = NULL;
    if (strncmp(word, "--", 2) == 0 && word[2])
        o = strchr(word, '=') ? NULL : find(cmd, word + 2, strlen(word + 2), 0);
    else if (word[0] == '-' && word[1])
        for (const char *c = word + 1; *c; c++) { /* of -xn, n's; of -n4, none's */
            o = find(cmd, NULL, 0, *c);
            if (o && o->arg && c[1])
                return NULL;
        }
    return o && o->arg && *o->arg != '[' ? o : NULL;
}

/* The word that is typed, after those of verb CMD, the first of which is number FROM. */
static void complete_verb(struct line *l, const struct cmd *cmd, int from)
{
    int operands = 0;
    bool only_operands = false;
    for (int i = from; i < l->n; i++) {
        const char *word = l->words[i];
        const struct opt *o = only_operands ? NULL : wants_value(cmd, word);
        if (o && i + 1 == l->n) {
            offer_value(l, cmd, o);
            return;
        }
        if (o)
            i++;
        else if (only_operands || *word != '-')
            operands++;
        only_operands |= strcmp(word, "--") == 0 || (operands && cmd->flags & CMD_POSIX);
    }
    if (only_operands || *l->prefix != '-') {
        offer_operand(l, cmd, operands);
        return;
    }
    const char *eq = strchr(l->prefix, '=');
    const struct opt *o =
        eq ? find(cmd, l->prefix + 2, (size_t)(eq - l->prefix - 2), 0) : NULL;
    if (o && o->arg) {
        l->prefix = eq + 1;
        offer_value(l, cmd, o);
    } else {
        offer_options(l, cmd);
    }
}

/* --- the line --------------------------------------------------------------------------------- */

/* A=B, until the end. */
static char *join(struct line *l, const char *a, const char *b)
{
    l->made = xrealloc(l->made, (l->nmade + 1) * sizeof(*l->made));
    return l->made[l->nmade++] = xasprintf("%s=%s", a, b);
}

/* "--queue", "=", "x" is one word; the one that is typed may be its end. */
static void join_values(struct line *l)
{
    int n = 0;
    for (int i = 0; i < l->n; i++) {
        bool eq = strcmp(l->words[i], "=") == 0 && n > 0 &&
                  strncmp(l->words[n - 1], "--", 2) == 0;
        if (!eq) {
            l->words[n++] = l->words[i];
        } else if (i + 1 < l->n) {
            l->words[n - 1] = join(l, l->words[n - 1], l->words[i + 1]);
            i++;
        } else {
            l->prefix = join(l, l->words[--n], l->prefix);
        }
    }
    l->n = n;
    if (strcmp(l->prefix, "=") == 0 && n > 0 && strncmp(l->words[n - 1], "--", 2) == 0)
        l->prefix = join(l, l->words[--l->n], "");
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    static const char *const before[] = {
        "--parent", "--root", "--uri=", "--help", "--version", NULL};
    struct line l = {.cli = cli, .prefix = ""};
    int at = 1;
    (void)cmd;
    if (argc < 3)
        return EXIT_USAGE;
    long index = cli_number(cli, "INDEX", argv[1], 1, INT_MAX);
    l.words = argv + 2;
    l.n = (int)MIN(index, argc - 2);
    if (l.n < argc - 2)
        l.prefix = l.words[l.n];
    join_values(&l);
    while (at < l.n && *l.words[at] == '-') /* options before the verb */
        at += strcmp(l.words[at], "--uri") == 0 ? 2 : 1;
    const struct cmd *verb = at < l.n ? cli_find_verb(NULL, l.words[at]) : NULL;
    if (verb && verb->verbs && at + 1 < l.n)
        verb = cli_find_verb(verb, l.words[++at]);
    if (at >= l.n && *l.prefix == '-')
        offer_list(&l, before);
    else if (at >= l.n)
        cli_offer_verbs(NULL, offer, &l);
    else if (verb && verb->verbs)
        cli_offer_verbs(verb, offer, &l);
    else if (verb)
        complete_verb(&l, verb, at + 1);
    for (size_t i = 0; i < l.nmade; i++)
        free(l.made[i]);
    free(l.made);
    return 0;
}

const struct cmd cmd_complete = {
    .name = "__complete",
    .args = "INDEX WORD...",
    .help = "Print what may come next on a command line",
    .flags = CMD_POSIX | CMD_HIDDEN,
    .run = run,
};
