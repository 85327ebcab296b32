/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/instconf.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "src/common/duration.h"
#include "src/common/util.h"
#include "src/job/conf.h"
#include "src/sched/config.h"

#define ATTRIBUTES "attributes"

/* --- options --------------------------------------------------------------------------------- */

static const struct key {
    const char *name;
    enum { TEXT, TIME, FLAG, LIST } kind;
} keys[] = {{"policy", TEXT},      {"queue-depth", TEXT}, {"idle-return", TIME},
            {"placement", TEXT},   {"time-limit", TIME},  {"property", LIST},
            {"verbose", FLAG},     {"statedir", TEXT},    {"durability", TEXT},
            {"output-limit", TEXT}};

static bool is_scalar(json_object *value)
{
    return value && !json_object_is_type(value, json_type_array) &&
           !json_object_is_type(value, json_type_object);
}

static void add_option(json_object *options, const char *name, const char *value)
{
    cleanup_free char *word =
        xasprintf("--%s%s%s", name, value ? "=" : "", value ? value : "");
    json_object_array_add(options, json_object_new_string(word));
}

static int add_list(json_object *options, const struct key *key, json_object *value,
                    struct error *err)
{
    bool list = json_object_is_type(value, json_type_array);
    size_t n = list ? json_object_array_length(value) : 1;
    for (size_t i = 0; i < n; i++) {
        json_object *one = list ? json_object_array_get_idx(value, i) : value;
        if (!is_scalar(one))
            return error_set(err, EINVAL, "%s must be a text or a list of texts",
                             key->name);
        add_option(options, key->name, json_object_get_string(one));
    }
    return 0;
}

static int add_setting(json_object *options, const struct key *key, json_object *value,
                       struct error *err)
{
    double seconds;
    struct error why;
    const char *text = value ? json_object_get_string(value) : "";
    if (key->kind == LIST)
        return add_list(options, key, value, err);
    if (!is_scalar(value))
        return error_set(err, EINVAL, "%s must be a single value, not %s", key->name,
                         text);
    if (key->kind == TIME && duration_decode(text, &seconds, &why) < 0)
        return error_set(err, EINVAL, "%s: %s", key->name, why.text);
    if (key->kind != FLAG)
        add_option(options, key->name, text);
    else if (strcmp(text, "true") == 0)
        add_option(options, key->name, NULL);
    else if (strcmp(text, "false") != 0)
        return error_set(err, EINVAL, "%s must be true or false, not %s", key->name,
                         text);
    return 0;
}

static int add_attributes(json_object *options, const char *prefix, json_object *o,
                          struct error *err)
{
    json_object_object_foreach(o, name, value)
    {
        cleanup_free char *whole = xasprintf("%s%s%s", prefix, *prefix ? "." : "", name);
        if (json_object_is_type(value, json_type_object)) {
            if (add_attributes(options, whole, value, err) < 0)
                return -1;
            continue;
        }
        if (!is_scalar(value))
            return error_set(err, EINVAL, ATTRIBUTES ".%s must be a single value", whole);
        cleanup_free char *setting =
            xasprintf("%s=%s", whole, json_object_get_string(value));
        add_option(options, "setattr", setting);
    }
    return 0;
}

/* What the instance itself reads: it may be changed while it runs. */
static bool is_config(const char *name, json_object *value)
{
    static const char *const tables[] = {"policy", "queues",     "priority",
                                         "banks",  "preemption", "job-manager"};
    for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
        if (strcmp(tables[i], name) == 0)
            return json_object_is_type(value, json_type_object);
    return false;
}

static int add_all(json_object *options, json_object *conf, struct error *err)
{
    cleanup_json json_object *config = json_object_new_object();
    json_object_object_foreach(conf, name, value)
    {
        size_t i = 0;
        if (is_config(name, value)) {
            json_object_object_add(config, name, json_object_get(value));
            continue;
        }
        while (i < ARRAY_SIZE(keys) && strcmp(keys[i].name, name) != 0)
            i++;
        bool attributes =
            strcmp(name, ATTRIBUTES) == 0 && json_object_is_type(value, json_type_object);
        if (i == ARRAY_SIZE(keys) && !attributes)
            return error_set(err, EINVAL,
                             "there is no setting '%s' here; there are policy, "
                             "queue-depth, placement, idle-return, time-limit, property, "
                             "verbose, statedir, "
                             "durability, " ATTRIBUTES
                             ".NAME, and the tables policy, queues, "
                             "priority, banks and preemption",
                             name);
        int rc = attributes ? add_attributes(options, "", value, err)
                            : add_setting(options, &keys[i], value, err);
        if (rc < 0)
            return -1;
    }
    if (json_object_object_length(config) > 0)
        add_option(options, "config",
                   json_object_to_json_string_ext(config, JSON_C_TO_STRING_PLAIN));
    return 0;
}

/* --- where it comes from ------------------------------------------------------------------------ */

/* One setting may need others, which come by themselves; a file has all of it. */
static int check_config(json_object *conf, json_object *numbers, struct error *err)
{
    struct config *c = config_from_json(conf, numbers, err);
    config_destroy(c);
    return c ? 0 : -1;
}

json_object *instconf_options(const char *text, struct error *err)
{
    struct error why;
    bool lines = strchr(text, '\n') || text[strspn(text, " \t")] == '{';
    bool setting = !lines && strchr(text, '=');
    cleanup_free char *file = lines || setting ? NULL : conf_read(text, &why);
    if (!lines && !setting && !file)
        return error_null(err, why.code, "'%s' is not KEY=VALUE, and %s", text, why.text);
    cleanup_json json_object *numbers = json_object_new_object();
    cleanup_json json_object *conf = setting
                                         ? conf_setting(text, &why)
                                         : conf_decode(file ? file : text, numbers, &why);
    json_object *options = json_object_new_array();
    if (conf && add_all(options, conf, &why) == 0 &&
        (setting || check_config(conf, numbers, &why) == 0))
        return options;
    json_object_put(options);
    return error_null(err, why.code, "%s%s%s", file ? text : "", file ? ": " : "",
                      why.text);
}
