/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/ids.h"
#include "src/cli/verbs.h"

enum { DRY_RUN, VERBOSE, WAIT };

static const struct opt opts[] = {
    {DRY_RUN, 'n', "dry-run", NULL, "Print what would be asked for, as JSON"},
    {VERBOSE, 'v', "verbose", NULL, "Print what was changed"},
    {WAIT, 0, "wait", NULL, NULL},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

/* The attribute that KEY means. */
static char *attribute(const char *key)
{
    static const char *const tops[] = {"attributes.", "tasks.", "resources."};
    for (size_t i = 0; i < ARRAY_SIZE(tops); i++)
        if (strncmp(key, tops[i], strlen(tops[i])) == 0)
            return xstrdup(key);
    if (strcmp(key, "name") == 0)
        key = "job.name";
    return xasprintf("attributes.system.%s", key);
}

static bool is_text(const char *attribute)
{
    static const char *const texts[] = {
        "attributes.system.duration", "attributes.system.queue", "attributes.system.bank",
        "attributes.system.job.name"};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (strcmp(attribute, texts[i]) == 0)
            return true;
    return false;
}

static void add(struct cli *cli, json_object *updates, const char *word)
{
    const char *eq = strchr(word, '=');
    if (!eq || eq == word)
        cli_die(cli, "'%s': must be KEY=VALUE", word);
    cleanup_free char *key = xstrndup(word, (size_t)(eq - word));
    cleanup_free char *path = attribute(key);
    enum json_tokener_error bad = json_tokener_success;
    json_object *value = is_text(path) ? NULL : json_tokener_parse_verbose(eq + 1, &bad);
    if (is_text(path) || bad != json_tokener_success)
        value = json_object_new_string(eq + 1);
    json_object_object_add(updates, path, value);
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    bool dry = false, verbose = false;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        dry |= o->id == DRY_RUN;
        verbose |= o->id == VERBOSE;
    }
    if (p.nargs < 2)
        cli_die(cli, "needs a JOBID and one or more KEY=VALUE, as in duration=+1h");
    cleanup_json json_object *updates = json_object_new_object();
    for (int i = 1; i < p.nargs; i++)
        add(cli, updates, p.args[i]);
    if (dry) {
        puts(json_object_to_json_string_ext(updates, JSON_C_TO_STRING_PLAIN |
                                                         JSON_C_TO_STRING_NOSLASHESCAPE));
        return 0;
    }
    json_object *params = cli_id_params(cli_jobid(cli, p.args[0]));
    json_object_object_add(params, "updates", json_object_get(updates));
    json_object_put(cli_call(cli, "job.update", params));
    json_object_object_foreach(updates, key, value)
    {
        if (verbose)
            printf("updated %s to %s\n", key,
                   value ? json_object_get_string(value) : "null");
    }
    return 0;
}

const struct cmd cmd_update = {
    .name = "update",
    .args = "JOBID KEY=VALUE...",
    .help = "Change attributes of a job: its time limit, its queue, ...",
    .more =
        "Keys: duration (a time, or +TIME or -TIME: more or less), queue, bank, name; "
        "any "
        "other is that of an attribute, below attributes.system unless it begins with "
        "'attributes.'. Of a job that runs, and of an element of an array, only the "
        "duration can be changed.",
    .groups = groups,
    .run = run,
};
