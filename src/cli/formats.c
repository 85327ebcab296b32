/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/formats.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/common/util.h"
#include "src/job/conf.h"
#include "src/job/jsonutil.h"

#define BEGIN "+:{id.f58:>12} ?:{queue:<8.8} +:{username:<8} {name:<10.10+} "

static const struct formats_own of_jobs[] = {
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

const struct formats formats_of_jobs = {"jobs", NULL, "HBATCH_JOBS_FORMAT_DEFAULT",
                                        of_jobs, ARRAY_SIZE(of_jobs)};

/* --- the user's ------------------------------------------------------------------------------ */

static const struct formats_own *find_own(const struct formats *kind, const char *name)
{
    for (size_t i = 0; i < kind->n; i++)
        if (strcmp(kind->own[i].name, name) == 0)
            return &kind->own[i];
    return NULL;
}

/* What the file PATH has is added to ALL, {NAME:{"format","description"?}}. A file that is not there has nothing.  FOREIGN:
 * it is Flux's, whose own names may be others. */
static void load_file(const struct cli *cli, const struct formats *kind, const char *path,
                      bool foreign, json_object *all)
{
    struct error err;
    if (access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR))
        return;
    cleanup_free char *text = conf_read(path, &err);
    if (!text)
        cli_die(cli, "%s", err.text);
    cleanup_json json_object *o = conf_decode(text, NULL, &err);
    if (!o)
        cli_die(cli, "%s: %s", path, err.text);
    json_object *table = kind->table ? cli_get(o, kind->table) : o;
    json_object *formats = cli_get(table, "formats");
    if (!formats && (kind->table || json_object_object_length(o) == 0))
        return; /* it is of other kinds, or just made by a shell: >>jobs.toml */
    if (!json_object_is_type(formats, json_type_object))
        cli_die(cli, "%s: must have a table \"formats\" with a table for each name",
                path);
    json_object_object_foreach(formats, name, value)
    {
        if (!json_object_is_type(cli_get(value, "format"), json_type_string))
            cli_die(cli, "%s: format '%s' has no text \"format\"", path, name);
        if (find_own(kind, name) && foreign)
            continue;
        if (find_own(kind, name))
            cli_die(cli, "%s: format '%s' is one of hbatch: take another name", path,
                    name);
        json_object_object_add(all, name, json_object_get(value));
    }
}

static void load(const struct cli *cli, const struct formats *kind, const char *dir,
                 json_object *all)
{
    static const char *const types[] = {"json", "toml"};
    bool as_flux = cli->program && strcmp(cli->program, "flux") == 0;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        cleanup_free char *path = xasprintf("%s/hbatch/%s.%s", dir, kind->file, types[i]),
                          *flux =
                              xasprintf("%s/flux/flux-%s.%s", dir, kind->file, types[i]);
        load_file(cli, kind, path, false, all);
        if (as_flux)
            load_file(cli, kind, flux, true, all);
    }
}

/* $XDG_CONFIG_DIRS from its end to its begin, then $XDG_CONFIG_HOME: what comes later counts. */
static json_object *load_all(const struct cli *cli, const struct formats *kind)
{
    const char *dirs = getenv("XDG_CONFIG_DIRS"), *own = getenv("XDG_CONFIG_HOME"),
               *home = getenv("HOME");
    json_object *all = json_object_new_object();
    if (!kind->file)
        return all;
    cleanup_free char *copy = xstrdup(dirs && *dirs ? dirs : "/etc/xdg");
    for (char *colon; (colon = strrchr(copy, ':')); *colon = '\0')
        load(cli, kind, colon + 1, all);
    load(cli, kind, copy, all);
    cleanup_free char *dir =
        own && *own ? xstrdup(own) : xasprintf("%s/.config", home ? home : "");
    if (*dir == '/' && strcmp(dir, "/.config") != 0)
        load(cli, kind, dir, all);
    return all;
}

/* --- all ------------------------------------------------------------------------------------- */

const char *formats_default(const struct formats *kind)
{
    const char *name = kind->env ? getenv(kind->env) : NULL;
    return name && *name ? name : kind->own[0].name;
}

bool formats_have(const struct cli *cli, const struct formats *kind, const char *name)
{
    if (find_own(kind, name))
        return true;
    cleanup_json json_object *all = load_all(cli, kind);
    return json_object_object_get_ex(all, name, NULL);
}

char *formats_find(const struct cli *cli, const struct formats *kind, const char *name)
{
    const struct formats_own *own = find_own(kind, name);
    if (own || strchr(name, '{'))
        return xstrdup(own ? own->text : name);
    cleanup_json json_object *all = load_all(cli, kind);
    json_object *mine = cli_get(all, name);
    if (!mine)
        cli_die(cli, "--format: there is no format named '%s'; see --format=help", name);
    return xstrdup(json_object_get_string(cli_get(mine, "format")));
}

static void print_help(const struct cli *cli, const struct formats *kind,
                       const struct format_field *fields, size_t nfields)
{
    printf("Formats:\n");
    for (size_t i = 0; i < kind->n; i++)
        printf("  %-10s %s\n", kind->own[i].name,
               kind->own[i].help ? kind->own[i].help : kind->own[i].text);
    cleanup_json json_object *all = load_all(cli, kind);
    json_object_object_foreach(all, name, value)
    {
        printf("  %-10s %s\n", name, cli_get_string(value, "description", ""));
    }
    printf("\nFields:\n");
    for (size_t i = 0; i < nfields; i++)
        printf("  %-20s %s\n", fields[i].name, fields[i].heading);
}

/* TEXT as a JSON string is one of TOML, too. */
static void print_setting(const char *key, const char *text)
{
    cleanup_json json_object *o = json_object_new_string(text);
    printf("%s = %s\n", key,
           json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void print_config(const struct cli *cli, const struct formats *kind,
                         const char *name)
{
    const struct formats_own *own = find_own(kind, name);
    cleanup_free char *text = formats_find(cli, kind, name);
    printf("[%s%sformats.%s]\n", kind->table ? kind->table : "", kind->table ? "." : "",
           strchr(name, '{') ? "mine" : name);
    if (own && own->help)
        print_setting("description", own->help);
    print_setting("format", text);
}

/* The NAME of get-config=NAME, or NULL. */
static const char *config_asked(const char *text)
{
    static const char config[] = "get-config=";
    return strncmp(text, config, strlen(config)) == 0 ? text + strlen(config) : NULL;
}

bool formats_asks(const char *text)
{
    return strcmp(text, "help") == 0 || config_asked(text);
}

bool formats_told(const struct cli *cli, const struct formats *kind, const char *text,
                  const struct format_field *fields, size_t nfields)
{
    if (strcmp(text, "help") == 0)
        print_help(cli, kind, fields, nfields);
    else if (config_asked(text))
        print_config(cli, kind, config_asked(text));
    else
        return false;
    return true;
}

void formats_each(const struct cli *cli, const struct formats *kind,
                  void (*f)(const void *arg, const char *name), const void *arg)
{
    for (size_t i = 0; i < kind->n; i++)
        f(arg, kind->own[i].name);
    cleanup_json json_object *all = load_all(cli, kind);
    json_object_object_foreach(all, name, value)
    {
        (void)value;
        f(arg, name);
    }
}
