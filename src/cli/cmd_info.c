/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/verbs.h"

static const struct opt opts[] = {{0, 0, "json", NULL, "Print JSON"}};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct optparse p;
    bool json = false;
    optparse_init(&p, cli, cmd, argc, argv);
    while (optparse_next(&p))
        json = true;
    cleanup_json json_object *info = cli_call(cli, "instance.info", NULL);
    if (json) {
        puts(json_object_to_json_string_ext(info, JSON_C_TO_STRING_PLAIN |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
        return 0;
    }
    json_object_object_foreach(info, key, value)
    {
        if (json_object_is_type(value, json_type_double))
            printf("%-12s %.3f\n", key, json_object_get_double(value));
        else if (!json_object_is_type(value, json_type_object))
            printf("%-12s %s\n", key, json_object_get_string(value));
    }
    json_object *attrs = cli_get(info, "attrs");
    if (json_object_is_type(attrs, json_type_object)) {
        json_object_object_foreach(attrs, name, attr)
        {
            printf("%-12s %s\n", name, json_object_get_string(attr));
        }
    }
    return 0;
}

const struct cmd cmd_info = {
    .name = "info",
    .args = "",
    .help = "Show what the instance says of itself",
    .groups = groups,
    .run = run,
};
