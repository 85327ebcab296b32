/* SPDX-License-Identifier: BSD-3-Clause */
/* config get, set, unset, load, reload, check. */
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/verbs.h"
#include "src/common/duration.h"
#include "src/job/conf.h"
#include "src/sched/config.h"
#include "src/job/jsonutil.h"

/* --- files ------------------------------------------------------------------------------- */

static char *text_of(struct cli *cli, const char *path)
{
    struct error err;
    char *text = conf_read(strcmp(path, "-") == 0 ? "/dev/stdin" : path, &err);
    if (!text)
        cli_die(cli, "%s", err.text);
    return text;
}

/* --- get --------------------------------------------------------------------------------- */

enum { JSON, DEFAULT, QUIET, TYPE, CONFIG_PATH };

static const struct opt get_opts[] = {
    {JSON, 0, "json", NULL, "Print JSON on one line"},
    {DEFAULT, 'd', "default", "VALUE", "Print VALUE if KEY is not set"},
    {QUIET, 'q', "quiet", NULL, "Say nothing if KEY is not set"},
    {TYPE, 't', "type", "TYPE",
     "It is an error if it is not a: string, integer, real, boolean, object, array, fsd "
     "(a duration), fsd-integer, fsd-real (the same as seconds), any"},
    {CONFIG_PATH, 'c', "config-path", "FILE", "Of FILE, and not of an instance"},
};
static const struct opt_group get_groups[] = {OPTS(NULL, get_opts), OPTS_END};

static const struct {
    const char *name;
    enum json_type type;
} types[] = {
    {"string", json_type_string},   {"integer", json_type_int},
    {"real", json_type_double},     {"boolean", json_type_boolean},
    {"object", json_type_object},   {"array", json_type_array},
    {"fsd", json_type_string},      {"fsd-integer", json_type_string},
    {"fsd-real", json_type_string}, {"any", json_type_null},
};

static size_t type_number(const struct cli *cli, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (strcmp(types[i].name, name) == 0)
            return i;
    cli_die(cli,
            "--type: there is no type '%s': it must be string, integer, real, boolean, "
            "object, array, fsd, fsd-integer, fsd-real or any",
            name);
}

/* O, of KEY, as TYPE, a new reference; what is not of that type is the end. */
static json_object *as_type(const struct cli *cli, json_object *o, const char *key,
                            const char *type)
{
    size_t i = type ? type_number(cli, type) : ARRAY_SIZE(types) - 1;
    struct error err;
    double seconds;
    bool number =
        types[i].type == json_type_double && json_object_is_type(o, json_type_int);
    if (types[i].type != json_type_null && !number &&
        !json_object_is_type(o, types[i].type))
        cli_die(cli, "%s is not of type %s: %s", key, type,
                json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    if (!type || strncmp(type, "fsd", 3) != 0)
        return json_object_get(o);
    if (duration_decode(json_object_get_string(o), &seconds, &err) < 0)
        cli_die(cli, "%s: %s", key, err.text);
    return strcmp(type, "fsd-integer") == 0 ? json_object_new_int64((int64_t)seconds)
           : strcmp(type, "fsd-real") == 0  ? json_object_new_double(seconds)
                                            : json_object_get(o);
}

static json_object *get_config(struct cli *cli)
{
    cleanup_json json_object *result = cli_call(cli, "config.get", NULL);
    json_object *o = json_object_get(cli_get(result, "config"));
    return o ? o : json_object_new_object();
}

static void print_value(json_object *o, bool json)
{
    if (json_object_is_type(o, json_type_string) && !json)
        puts(json_object_get_string(o));
    else
        puts(json_object_to_json_string_ext(
            o, JSON_C_TO_STRING_NOSLASHESCAPE |
                   (json ? JSON_C_TO_STRING_PLAIN
                         : JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED)));
}

static int get_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    struct error err;
    bool json = false, quiet = false;
    const char *absent = NULL, *type = NULL, *path = NULL;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case JSON:
            json = true;
            break;
        case DEFAULT:
            absent = p.value;
            break;
        case QUIET:
            quiet = true;
            break;
        case TYPE:
            type = p.value;
            type_number(cli, type);
            break;
        case CONFIG_PATH:
            path = p.value;
            break;
        }
    }
    const char *key = cli_operand(cli, &p, "KEY", true);
    cleanup_free char *text = path ? text_of(cli, path) : NULL;
    cleanup_json json_object *config =
        path ? conf_decode(text, NULL, &err) : get_config(cli);
    if (!config)
        cli_die(cli, "%s: %s", path, err.text);
    json_object *o = key ? jsonutil_at(config, key) : config;
    if (!o && absent) {
        puts(absent);
        return 0;
    }
    if (!o) {
        if (!quiet)
            cli_error(cli, "%s is not set in the configuration", key);
        return 1;
    }
    cleanup_json json_object *value =
        as_type(cli, o, key ? key : "the configuration", type);
    print_value(value, json);
    return 0;
}

static const struct cmd config_get = {
    .name = "get",
    .args = "[KEY]",
    .help = "Print the configuration, or what KEY is set to: queues.debug.requires",
    .groups = get_groups,
    .run = get_run,
};

/* --- set, unset -------------------------------------------------------------------------- */

static const struct opt set_opts[] = {
    {TYPE, 't', "type", "TYPE",
     "It is an error if VALUE is not of this type, as for get"},
};
static const struct opt_group set_groups[] = {OPTS(NULL, set_opts), OPTS_END};

/* The object that has the last part of KEY, *NAME, as its member; those on the way are made.  NULL: there is
 * something else on the way. */
static json_object *parent_of(json_object *o, const char *key, const char **name)
{
    for (const char *dot; (dot = strchr(key, '.')); key = dot + 1) {
        cleanup_free char *part = xstrndup(key, (size_t)(dot - key));
        json_object *inner = cli_get(o, part);
        if (!inner)
            json_object_object_add(o, part, inner = json_object_new_object());
        if (!json_object_is_type(inner, json_type_object))
            return NULL;
        o = inner;
    }
    *name = key;
    return o;
}

/* CONFIG in place of what the instance has. */
static void put_config(struct cli *cli, json_object *config)
{
    json_object *params = json_object_new_object();
    json_object_object_add(params, "text",
                           json_object_new_string(json_object_to_json_string_ext(
                               config, JSON_C_TO_STRING_PLAIN)));
    cleanup_json json_object *before = cli_call(cli, "config.get", NULL);
    if (cli_get(before, "path")) /* that reload reads again */
        json_object_object_add(params, "path", json_object_get(cli_get(before, "path")));
    json_object_put(cli_call(cli, "config.load", params));
}

static int set_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    const char *type = NULL, *name;
    bool unset = strcmp(cmd->name, "unset") == 0;
    optparse_init(&p, cli, cmd, argc, argv);
    while (optparse_next(&p)) {
        type = p.value;
        type_number(cli, type);
    }
    if (p.nargs != (unset ? 1 : 2))
        cli_die(cli, "needs a KEY%s; see hbatch %s --help", unset ? "" : " and a VALUE",
                cli->verb);
    cleanup_json json_object *config = get_config(cli);
    if (unset && !jsonutil_at(config, p.args[0]))
        cli_die(cli, "%s is not set in the configuration", p.args[0]);
    json_object *o = parent_of(config, p.args[0], &name);
    if (!o || !*name)
        cli_die(cli, "'%s' cannot be set: a part of it is no table", p.args[0]);
    if (unset) {
        json_object_object_del(o, name);
    } else {
        json_object *value = type && strcmp(type, "string") == 0
                                 ? NULL
                                 : jsonutil_decode(p.args[1], strlen(p.args[1]), NULL);
        if (!value) /* what is no JSON is a text */
            value = json_object_new_string(p.args[1]);
        json_object_object_add(o, name, as_type(cli, value, p.args[0], type));
        json_object_put(value);
    }
    put_config(cli, config);
    return 0;
}

static const struct cmd config_set = {
    .name = "set",
    .args = "KEY VALUE",
    .help = "Set KEY to VALUE, until the instance ends or is configured anew",
    .groups = set_groups,
    .run = set_run,
};

static const struct cmd config_unset = {
    .name = "unset",
    .args = "KEY",
    .help = "Take KEY out of the configuration",
    .run = set_run,
};

/* --- load, check, reload ------------------------------------------------------------------ */

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
    const char *given = cli_operand(cli, &p, "FILE", true), *path = given ? given : "-";
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
    .args = "[FILE]",
    .help = "Configure the instance by FILE (default, and -: standard input) from now on",
    .run = load_run,
};

static const struct cmd config_check = {
    .name = "check",
    .args = "[FILE]",
    .help = "Tell what is wrong with FILE, and change nothing",
    .run = load_run,
};

static const struct opt reload_opts[] = {
    {0, 0, "follower-noop", NULL, NULL}, /* Flux's: here all ranks ask the leader */
};
static const struct opt_group reload_groups[] = {OPTS(NULL, reload_opts), OPTS_END};

static int reload_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    while (optparse_next(&p))
        ;
    cli_operand(cli, &p, "", true);
    json_object_put(cli_call(cli, "config.reload", NULL));
    return 0;
}

static const struct cmd config_reload = {
    .name = "reload",
    .args = "",
    .help = "Read the file again that the configuration is from",
    .groups = reload_groups,
    .run = reload_run,
};

/* --- the verb ---------------------------------------------------------------------------- */

static const struct cmd *const verbs[] = {&config_get,  &config_set,    &config_unset,
                                          &config_load, &config_reload, &config_check};

const struct cmd cmd_config = {
    .name = "config",
    .args = "VERB",
    .help = "The instance's configuration: get, set, unset, load, reload, check",
    .verbs = verbs,
    .nverbs = ARRAY_SIZE(verbs),
    .run = cli_group,
};
