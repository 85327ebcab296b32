/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/instconf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/common/duration.h"
#include "src/common/strbuf.h"
#include "src/common/utf8.h"
#include "src/common/util.h"

enum { FILE_MAX_BYTES = 1 << 20 };
#define ATTRIBUTES "attributes"

/* --- TOML ----------------------------------------------------------------------------------- */

struct scan {
    const char *at; /* in a line, whose end is '\0' */
};

static void skip_blanks(struct scan *s)
{
    s->at += strspn(s->at, " \t\r");
}

/* The rest of the line is blank or a comment. */
static bool is_end(struct scan *s)
{
    skip_blanks(s);
    return *s->at == '\0' || *s->at == '#';
}

/* A text in quotes, new; NULL: it has no end, or an escape that is not known. */
static char *scan_quoted(struct scan *s)
{
    static const char escapes[] = "\"\\nrtbf", meant[] = "\"\\\n\r\t\b\f";
    struct strbuf b = {0};
    char quote = *s->at++;
    for (; *s->at && *s->at != quote; s->at++) {
        const char *known =
            quote == '"' && *s->at == '\\' && s->at[1] ? strchr(escapes, s->at[1]) : NULL;
        if (quote == '"' && *s->at == '\\' && !known) {
            free(b.s);
            return NULL;
        }
        strbuf_addc(&b, known ? meant[known - escapes] : *s->at);
        s->at += known != NULL;
    }
    if (*s->at != quote) {
        free(b.s);
        return NULL;
    }
    s->at++;
    return b.s ? b.s : xstrdup("");
}

/* A part of a key, new. */
static char *scan_name(struct scan *s)
{
    skip_blanks(s);
    if (*s->at == '"' || *s->at == '\'')
        return scan_quoted(s);
    size_t n = 0;
    while (isalnum((unsigned char)s->at[n]) || s->at[n] == '-' || s->at[n] == '_')
        n++;
    char *name = n ? xstrndup(s->at, n) : NULL;
    s->at += n;
    return name;
}

static json_object *scan_value(struct scan *s);

static json_object *scan_array(struct scan *s)
{
    json_object *list = json_object_new_array();
    for (s->at++;; s->at++) {
        skip_blanks(s);
        if (*s->at == ']')
            break;
        json_object *value = scan_value(s);
        if (value)
            json_object_array_add(list, value);
        skip_blanks(s);
        if (value && *s->at == ']')
            break;
        if (!value || *s->at != ',') {
            json_object_put(list);
            return NULL;
        }
    }
    s->at++;
    return list;
}

/* NULL: it is none. */
static json_object *scan_value(struct scan *s)
{
    skip_blanks(s);
    if (*s->at == '"' || *s->at == '\'') {
        cleanup_free char *text = scan_quoted(s);
        return text && utf8_valid(text, strlen(text)) ? json_object_new_string(text)
                                                      : NULL;
    }
    if (*s->at == '[')
        return scan_array(s);
    size_t n = strcspn(s->at, " \t\r,]#");
    cleanup_free char *word = xstrndup(s->at, n);
    char *end;
    s->at += n;
    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)
        return json_object_new_boolean(*word == 't');
    strtod(word, &end);
    /* as it is written: it becomes a text again */
    return n && !*end ? json_object_new_string(word) : NULL;
}

/* The object that the key in S leads to from O; *NAME: its last part, new.  NULL: it is no key. */
static json_object *scan_key(struct scan *s, json_object *o, char **name)
{
    *name = NULL;
    for (;;) {
        char *part = scan_name(s);
        if (*name) { /* the part before is a table */
            json_object *below = NULL;
            if (!json_object_object_get_ex(o, *name, &below))
                json_object_object_add(o, *name, below = json_object_new_object());
            free(take(*name));
            o = json_object_is_type(below, json_type_object) ? below : NULL;
        }
        *name = part;
        if (!part || !o) {
            free(take(*name));
            return NULL;
        }
        skip_blanks(s);
        if (*s->at != '.')
            return o;
        s->at++;
    }
}

/* A line; *TABLE: the one that keys belong to. */
static int read_line(const char *line, json_object *root, json_object **table,
                     struct error *err)
{
    struct scan s = {line};
    cleanup_free char *name = NULL;
    if (is_end(&s))
        return 0;
    bool heading = *s.at == '[';
    if (heading)
        s.at++;
    json_object *o = scan_key(&s, heading ? root : *table, &name);
    if (!o || *s.at != (heading ? ']' : '='))
        return error_set(err, EINVAL, "must be KEY = VALUE, [TABLE] or a # comment");
    s.at++;
    json_object *value = heading ? NULL : scan_value(&s);
    if ((!heading && !value) || !is_end(&s)) {
        json_object_put(value);
        return error_set(err, EINVAL,
                         "the value of %s must be a text in quotes, a number, true or "
                         "false, or a list of these, on one line",
                         name);
    }
    json_object *there = NULL;
    bool known = json_object_object_get_ex(o, name, &there);
    if (known && (!heading || !json_object_is_type(there, json_type_object))) {
        json_object_put(value);
        return error_set(err, EINVAL, "%s is set twice", name);
    }
    if (!known)
        json_object_object_add(o, name,
                               value ? value : (there = json_object_new_object()));
    if (heading)
        *table = there;
    return 0;
}

static json_object *read_toml(const char *text, struct error *err)
{
    json_object *root = json_object_new_object(), *table = root;
    unsigned number = 1;
    for (const char *at = text; *at; number++) {
        size_t n = strcspn(at, "\n");
        cleanup_free char *line = xstrndup(at, n);
        if (read_line(line, root, &table, err) < 0) {
            struct error why = *err;
            json_object_put(root);
            return error_null(err, why.code, "line %u: %s", number, why.text);
        }
        at += n + (at[n] == '\n');
    }
    return root;
}

static json_object *read_json(const char *text, struct error *err)
{
    json_tokener *tok = json_tokener_new();
    json_object *o = json_tokener_parse_ex(tok, text, (int)strlen(text) + 1);
    enum json_tokener_error code = json_tokener_get_error(tok);
    json_tokener_free(tok);
    if (json_object_is_type(o, json_type_object))
        return o;
    json_object_put(o);
    return error_null(err, EINVAL, "is not a JSON object: %s",
                      json_tokener_error_desc(code));
}

/* --- options --------------------------------------------------------------------------------- */

static const struct key {
    const char *name;
    enum { TEXT, TIME, FLAG, LIST } kind;
} keys[] = {{"policy", TEXT},    {"queue-depth", TEXT}, {"idle-return", TIME},
            {"placement", TEXT}, {"time-limit", TIME},  {"property", LIST},
            {"verbose", FLAG},   {"statedir", TEXT},    {"durability", TEXT}};

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

static int add_all(json_object *options, json_object *conf, struct error *err)
{
    json_object_object_foreach(conf, name, value)
    {
        size_t i = 0;
        while (i < ARRAY_SIZE(keys) && strcmp(keys[i].name, name) != 0)
            i++;
        bool attributes =
            strcmp(name, ATTRIBUTES) == 0 && json_object_is_type(value, json_type_object);
        if (i == ARRAY_SIZE(keys) && !attributes)
            return error_set(err, EINVAL,
                             "there is no setting '%s' here; there are policy, "
                             "queue-depth, placement, idle-return, time-limit, property, "
                             "verbose, statedir, "
                             "durability and " ATTRIBUTES ".NAME",
                             name);
        int rc = attributes ? add_attributes(options, "", value, err)
                            : add_setting(options, &keys[i], value, err);
        if (rc < 0)
            return -1;
    }
    return 0;
}

/* --- where it comes from ------------------------------------------------------------------------ */

static char *read_path(const char *path, struct error *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_null(err, errno,
                          "'%s' is neither KEY=VALUE nor a file that can be read: %s",
                          path, strerror(errno));
    char *text = xmalloc(FILE_MAX_BYTES + 2);
    ssize_t n = read_all(fd, text, FILE_MAX_BYTES + 1);
    int code = errno;
    if (n >= 0 && n <= FILE_MAX_BYTES && utf8_valid(text, (size_t)n) &&
        !memchr(text, '\0', (size_t)n)) {
        text[n] = '\0';
        return text;
    }
    free(text);
    if (n < 0)
        return error_null(err, code, "cannot read %s: %s", path, strerror(code));
    return error_null(err, EINVAL, "%s is no text in UTF-8 of at most %d KiB", path,
                      FILE_MAX_BYTES >> 10);
}

static json_object *read_conf(const char *text, struct error *err)
{
    return text[strspn(text, " \t\r\n")] == '{' ? read_json(text, err)
                                                : read_toml(text, err);
}

/* KEY=VALUE, with a value that is JSON or a text without quotes. */
static json_object *read_setting(const char *text, struct error *err)
{
    const char *eq = strchr(text, '=');
    struct scan s = {text};
    cleanup_free char *name = NULL;
    json_object *root = json_object_new_object(), *o = scan_key(&s, root, &name);
    if (!o || s.at != eq) {
        json_object_put(root);
        return error_null(err, EINVAL, "'%s': must be KEY=VALUE", text);
    }
    s.at++;
    json_object *value = scan_value(&s);
    if (value && !is_end(&s))
        json_object_put(take(value));
    json_object_object_add(o, name, value ? value : json_object_new_string(eq + 1));
    return root;
}

json_object *instconf_options(const char *text, struct error *err)
{
    struct error why;
    bool lines = strchr(text, '\n') || text[strspn(text, " \t")] == '{';
    bool setting = !lines && strchr(text, '=');
    cleanup_free char *file = lines || setting ? NULL : read_path(text, err);
    if (!lines && !setting && !file)
        return NULL;
    cleanup_json json_object *conf =
        setting ? read_setting(text, &why) : read_conf(file ? file : text, &why);
    json_object *options = json_object_new_array();
    if (conf && add_all(options, conf, &why) == 0)
        return options;
    json_object_put(options);
    return error_null(err, why.code, "%s%s%s", file ? text : "", file ? ": " : "",
                      why.text);
}
