/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/jobformats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "src/common/util.h"
#include "src/job/jsonutil.h"

#define BEGIN "+:{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} "

static const struct {
    const char *name, *help, *format;
} builtin[] = {
    {"default", "what hbatch jobs shows by itself",
     BEGIN "{status_abbrev:>2.2} {ntasks:>6} {nnodes:>6h} {contextual_time!F:>8h} "
           "{contextual_info}"},
    {"cute", "default with emojis",
     BEGIN "{status_emoji:>5.5} {ntasks:>6} {nnodes:>6h} {contextual_time!F:>8h} "
           "{contextual_info}"},
    {"long", "with submit time and remaining time",
     BEGIN "{status:>9.9} {ntasks:>6} {nnodes:>6h} {t_submit!d:%b%d %R::>12} "
           "{t_remaining!F:>12h} {contextual_time!F:>8h} {contextual_info}"},
    {"deps", "with urgency, priority and why it waits",
     "+:{id.f58:>12} ?:{queue:<8.8} {name:<10.10+} {urgency:<3} {priority:<12} "
     "{state:<8.8} "
     "{reason}"},
    {"instances", "what runs and waits in those that are instances",
     "+:{id.f58:>12} ?:{queue:<8.8} {name:<10.10+} {status_abbrev:>2.2} {nnodes:>6h} "
     "{ncores:>6h} {instance.utilization!P:>5h} {instance.gpu_utilization!P:>5h} "
     "{instance.stats.total:>7h} {instance.progress!P:>5h} {contextual_time!F:>8h} "
     "{instance.stats}"},
    {"endreason", "why each job ended",
     BEGIN "{status_abbrev:>2.2} {t_inactive!d:%b%d %R::>12h} {inactive_reason}"},
};

/* --- the user's ------------------------------------------------------------------------------ */

/* What FILE has is added to ALL, {NAME:{"format","description"?}}. A file that is not there has nothing. */
static void load(const struct cli *cli, const char *dir, json_object *all)
{
    struct error err;
    size_t len;
    cleanup_free char *path = xasprintf("%s/hbatch/jobs.json", dir);
    cleanup_free char *text = read_file(path, &len);
    if (!text && (errno == ENOENT || errno == ENOTDIR))
        return;
    if (!text)
        cli_die(cli, "cannot read %s: %s", path, strerror(errno));
    cleanup_json json_object *o = jsonutil_decode(text, len, &err);
    if (!o)
        cli_die(cli, "%s: %s", path, err.text);
    json_object *formats = cli_get(o, "formats");
    if (!json_object_is_type(formats, json_type_object))
        cli_die(cli, "%s: must be {\"formats\":{NAME:{\"format\":TEXT}, ...}}", path);
    json_object_object_foreach(formats, name, value)
    {
        if (!json_object_is_type(cli_get(value, "format"), json_type_string))
            cli_die(cli, "%s: format '%s' has no text \"format\"", path, name);
        for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
            if (strcmp(builtin[i].name, name) == 0)
                cli_die(cli, "%s: format '%s' is one of hbatch: take another name", path,
                        name);
        json_object_object_add(all, name, json_object_get(value));
    }
}

/* $XDG_CONFIG_DIRS from its end to its begin, then $XDG_CONFIG_HOME: what comes later counts. */
static json_object *load_all(const struct cli *cli)
{
    const char *dirs = getenv("XDG_CONFIG_DIRS"), *own = getenv("XDG_CONFIG_HOME"),
               *home = getenv("HOME");
    json_object *all = json_object_new_object();
    cleanup_free char *copy = xstrdup(dirs && *dirs ? dirs : "/etc/xdg");
    for (char *colon; (colon = strrchr(copy, ':')); *colon = '\0')
        load(cli, colon + 1, all);
    load(cli, copy, all);
    cleanup_free char *dir =
        own && *own ? xstrdup(own) : xasprintf("%s/.config", home ? home : "");
    if (*dir == '/' && strcmp(dir, "/.config") != 0)
        load(cli, dir, all);
    return all;
}

/* --- all ------------------------------------------------------------------------------------- */

const char *jobformats_default(void)
{
    const char *name = getenv("HBATCH_JOBS_FORMAT_DEFAULT");
    return name && *name ? name : "default";
}

char *jobformats_find(const struct cli *cli, const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
        if (strcmp(builtin[i].name, name) == 0)
            return xstrdup(builtin[i].format);
    if (strchr(name, '{'))
        return xstrdup(name);
    cleanup_json json_object *all = load_all(cli);
    json_object *own = cli_get(all, name);
    if (!own)
        cli_die(cli, "--format: there is no format named '%s'; see --format=help", name);
    return xstrdup(json_object_get_string(cli_get(own, "format")));
}

void jobformats_print(const struct cli *cli)
{
    for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
        printf("  %-10s %s\n", builtin[i].name, builtin[i].help);
    cleanup_json json_object *all = load_all(cli);
    json_object_object_foreach(all, name, value)
    {
        printf("  %-10s %s\n", name, cli_get_string(value, "description", ""));
    }
}

void jobformats_print_config(const struct cli *cli, const char *name)
{
    cleanup_free char *text = jobformats_find(cli, name);
    cleanup_json json_object *o = json_object_new_object();
    json_object *formats = json_object_new_object(), *one = json_object_new_object();
    json_object_object_add(one, "description", json_object_new_string(name));
    json_object_object_add(one, "format", json_object_new_string(text));
    json_object_object_add(formats, strchr(name, '{') ? "mine" : name, one);
    json_object_object_add(o, "formats", formats);
    puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
                                               JSON_C_TO_STRING_SPACED |
                                               JSON_C_TO_STRING_NOSLASHESCAPE));
}

void jobformats_each(const struct cli *cli, void (*f)(const void *arg, const char *name),
                     const void *arg)
{
    for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
        f(arg, builtin[i].name);
    cleanup_json json_object *all = load_all(cli);
    json_object_object_foreach(all, name, value)
    {
        (void)value;
        f(arg, name);
    }
}
