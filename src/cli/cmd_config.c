/* SPDX-License-Identifier: BSD-3-Clause */
/* config get, load, reload, check. */
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/verbs.h"
#include "src/job/conf.h"
#include "src/sched/config.h"
#include "src/job/jsonutil.h"

/* --- get --------------------------------------------------------------------------------- */

enum { JSON };

static const struct opt get_opts[] = {
    {JSON, 0, "json", NULL, "Print JSON on one line"},
};
static const struct opt_group get_groups[] = {OPTS(NULL, get_opts), OPTS_END};

static int get_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    bool json = false;
    optparse_init(&p, cli, cmd, argc, argv);
    while (optparse_next(&p))
        json = true;
    const char *key = cli_operand(cli, &p, "KEY", true);
    cleanup_json json_object *result = cli_call(cli, "config.get", NULL);
    json_object *o = cli_get(result, "config");
    if (key)
        o = jsonutil_at(o, key);
    if (!o) {
        cli_error(cli, "%s is not set in the configuration", key);
        return 1;
    }
    if (json_object_is_type(o, json_type_string) && !json)
        puts(json_object_get_string(o));
    else
        puts(json_object_to_json_string_ext(
            o, JSON_C_TO_STRING_NOSLASHESCAPE |
                   (json ? JSON_C_TO_STRING_PLAIN
                         : JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED)));
    return 0;
}

static const struct cmd config_get = {
    .name = "get",
    .args = "[KEY]",
    .help = "Print the configuration, or what KEY is set to: queues.debug.requires",
    .groups = get_groups,
    .run = get_run,
};

/* --- load, check, reload ------------------------------------------------------------------ */

static char *text_of(struct cli *cli, const char *path)
{
    struct error err;
    char *text = conf_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path, &err);
    if (!text)
        cli_die(cli, "%s", err.text);
    return text;
}

/* What is wrong with it is told before the instance is asked. */
static void check(struct cli *cli, const char *path, const char *text)
{
    struct error err;
    struct config *c = config_decode(text, &err);
    if (!c)
        cli_die(cli, "%s: %s", path, err.text);
    config_destroy(c);
}

static int load_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    char resolved[PATH_MAX];
    optparse_init(&p, cli, cmd, argc, argv);
    optparse_next(&p);
    const char *path = cli_operand(cli, &p, "FILE", false);
    cleanup_free char *text = text_of(cli, path);
    check(cli, path, text);
    if (strcmp(cmd->name, "check") == 0)
        return 0;
    json_object *params = json_object_new_object();
    json_object_object_add(params, "text", json_object_new_string(text));
    if (strcmp(path, "-") != 0 && realpath(path, resolved))
        json_object_object_add(params, "path", json_object_new_string(resolved));
    json_object_put(cli_call(cli, "config.load", params));
    return 0;
}

static const struct cmd config_load = {
    .name = "load",
    .args = "FILE",
    .help = "Configure the instance by FILE (-: standard input) from now on",
    .run = load_run,
};

static const struct cmd config_check = {
    .name = "check",
    .args = "FILE",
    .help = "Tell what is wrong with FILE, and change nothing",
    .run = load_run,
};

static int reload_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    optparse_next(&p);
    cli_operand(cli, &p, "", true);
    json_object_put(cli_call(cli, "config.reload", NULL));
    return 0;
}

static const struct cmd config_reload = {
    .name = "reload",
    .args = "",
    .help = "Read the file again that the configuration is from",
    .run = reload_run,
};

/* --- the verb ---------------------------------------------------------------------------- */

static const struct cmd *const verbs[] = {&config_get, &config_load, &config_reload,
                                          &config_check};

const struct cmd cmd_config = {
    .name = "config",
    .args = "VERB",
    .help = "The instance's configuration: get, load, reload, check",
    .verbs = verbs,
    .nverbs = ARRAY_SIZE(verbs),
    .run = cli_group,
};
