/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <regex.h>
#include <string.h>
#include "src/common/strbuf.h"
#include "src/common/utf8.h"
#include "src/common/util.h"
#include "src/lib/envrules.h"

#define DEPTH_MAX 16 /* rule files that include each other */

/* The name is to be shown: what is not ASCII in it would not be readable. */
static void add_unfit(struct envrules *e, char *name)
{
    for (char *c = name; *c; c++)
        if (!isprint((unsigned char)*c))
            *c = '?';
    json_object_object_add(e->unfit, name, NULL);
}

void envrules_init(struct envrules *e, char *const *environ_)
{
    e->env = json_object_new_object();
    e->expand = json_object_new_object();
    e->from = json_object_new_object();
    e->unfit = json_object_new_object();
    for (; *environ_; environ_++) {
        const char *eq = strchr(*environ_, '=');
        if (!eq || eq == *environ_)
            continue;
        cleanup_free char *name = xstrndup(*environ_, (size_t)(eq - *environ_));
        if (!utf8_valid(*environ_, strlen(*environ_))) {
            add_unfit(e, name);
            continue;
        }
        json_object *value = json_object_new_string(eq + 1);
        json_object_object_add(e->env, name, value);
        json_object_object_add(e->from, name, json_object_get(value));
    }
}

static void copy_all(json_object *to, json_object *from)
{
    json_object_object_foreach(from, name, value)
    {
        json_object_object_add(to, name, json_object_get(value));
    }
}

void envrules_init_json(struct envrules *e, json_object *env, json_object *expand)
{
    e->env = json_object_new_object();
    e->expand = json_object_new_object();
    e->from = json_object_get(env);
    e->unfit = json_object_new_object();
    copy_all(e->env, env);
    if (expand)
        copy_all(e->expand, expand);
}

void envrules_fini(struct envrules *e)
{
    json_object_put(e->env);
    json_object_put(e->expand);
    json_object_put(e->from);
    json_object_put(e->unfit);
    memset(e, 0, sizeof(*e));
}

/* --- patterns ---------------------------------------------------------------------------- */

struct pattern {
    const char *glob; /* NULL: regex */
    regex_t regex;
};

static int pattern_init(struct pattern *p, const char *text, struct error *err)
{
    p->glob = NULL;
    if (*text != '/') {
        p->glob = text;
        return 0;
    }
    size_t len = strlen(++text);
    while (len && text[len - 1] == '/')
        len--;
    cleanup_free char *re = xasprintf("^(%.*s)", (int)len, text);
    int rc = regcomp(&p->regex, re, REG_EXTENDED | REG_NOSUB);
    if (rc == 0)
        return 0;
    char why[128];
    regerror(rc, &p->regex, why, sizeof(why));
    return error_set(err, EINVAL, "pattern '/%.*s': %s", (int)len, text, why);
}

static bool pattern_match(const struct pattern *p, const char *name)
{
    return p->glob ? fnmatch(p->glob, name, 0) == 0
                   : regexec(&p->regex, name, 0, NULL, 0) == 0;
}

static void pattern_fini(struct pattern *p)
{
    if (!p->glob)
        regfree(&p->regex);
}

int envrules_match(const char *pattern, const char *name, struct error *err)
{
    struct pattern p;
    if (pattern_init(&p, pattern, err) < 0)
        return -1;
    bool match = pattern_match(&p, name);
    pattern_fini(&p);
    return match;
}

/* --- rules ------------------------------------------------------------------------------- */

static int apply(struct envrules *e, const char *rule, int depth, struct error *err);

/* *O without the names that match. */
static void drop_matching(json_object **o, const struct pattern *p)
{
    json_object *kept = json_object_new_object();
    json_object_object_foreach(*o, name, value)
    {
        if (!pattern_match(p, name))
            json_object_object_add(kept, name, json_object_get(value));
    }
    json_object_put(*o);
    *o = kept;
}

static int remove_matching(struct envrules *e, const char *text, struct error *err)
{
    struct pattern p;
    if (pattern_init(&p, text, err) < 0)
        return -1;
    drop_matching(&e->env, &p);
    drop_matching(&e->expand, &p);
    drop_matching(&e->unfit, &p);
    pattern_fini(&p);
    return 0;
}

static int take_matching(struct envrules *e, const char *text, struct error *err)
{
    struct pattern p;
    if (pattern_init(&p, text, err) < 0)
        return -1;
    json_object_object_foreach(e->from, name, value)
    {
        if (pattern_match(&p, name) && !json_object_object_get_ex(e->env, name, NULL))
            json_object_object_add(e->env, name, json_object_get(value));
    }
    pattern_fini(&p);
    return 0;
}

static int read_rules(struct envrules *e, const char *path, int depth, struct error *err)
{
    if (depth >= DEPTH_MAX)
        return error_set(err, ELOOP, "%s: files of rules are nested too deeply", path);
    const char *home = getenv("HOME");
    cleanup_free char *real = path[0] == '~' && (path[1] == '/' || !path[1]) && home
                                  ? xasprintf("%s%s", home, path + 1)
                                  : xstrdup(path);
    size_t len;
    cleanup_free char *text = read_file(real, &len);
    if (!text)
        return error_set(err, errno, "cannot read the rules in %s: %s", real,
                         strerror(errno));
    if (strlen(text) != len)
        return error_set(err, EINVAL, "%s is not a file of rules: it contains a 0 byte",
                         real);
    int number = 0;
    for (char *line = text, *next; line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        number++;
        while (isspace((unsigned char)*line))
            line++;
        size_t n = strlen(line);
        while (n && isspace((unsigned char)line[n - 1]))
            line[--n] = '\0';
        if (!*line || *line == '#' || apply(e, line, depth + 1, err) == 0)
            continue;
        if (err && err->code == ELOOP) /* once is enough */
            return -1;
        return error_prefix(err, "%s:%d", real, number);
    }
    return 0;
}

static int substitute(struct envrules *e, const char *rule, const char *value,
                      struct strbuf *out, struct error *err)
{
    for (const char *s = value; *s;) {
        if (*s != '$') {
            strbuf_addc(out, *s++);
            continue;
        }
        if (s[1] == '$') {
            strbuf_addc(out, '$');
            s += 2;
            continue;
        }
        bool brace = s[1] == '{';
        const char *start = s + 1 + brace, *end = start;
        while (*end == '_' || isalpha((unsigned char)*end) ||
               (end > start && isdigit((unsigned char)*end)))
            end++;
        if (end == start || (brace && *end != '}'))
            return error_set(
                err, EINVAL,
                "'%s': '%s' is not $NAME or ${NAME}; write $$ for a dollar sign", rule,
                s);
        cleanup_free char *name = xstrndup(start, (size_t)(end - start));
        json_object *o;
        if (!json_object_object_get_ex(e->env, name, &o) &&
            !json_object_object_get_ex(e->from, name, &o))
            return error_set(err, ENOENT, "'%s': the variable %s is not set", rule, name);
        strbuf_addn(out, json_object_get_string(o),
                    (size_t)json_object_get_string_len(o));
        s = end + brace;
    }
    return 0;
}

static int set_variable(struct envrules *e, const char *rule, const char *eq,
                        struct error *err)
{
    if (eq == rule)
        return error_set(err, EINVAL, "'%s': there is no variable's name before '='",
                         rule);
    if (!utf8_valid(rule, strlen(rule)))
        return error_set(err, EINVAL, "'%.*s': the value is not UTF-8", (int)(eq - rule),
                         rule);
    cleanup_free char *name = xstrndup(rule, (size_t)(eq - rule));
    json_object_object_del(e->unfit, name);
    if (strstr(eq + 1, "{{")) {
        json_object_object_add(e->expand, name, json_object_new_string(eq + 1));
        return 0;
    }
    cleanup_strbuf struct strbuf value = {0};
    if (substitute(e, rule, eq + 1, &value, err) < 0)
        return -1;
    json_object_object_add(e->env, name, json_object_new_string(value.s ? value.s : ""));
    json_object_object_del(e->expand, name); /* of an earlier rule */
    return 0;
}

static int apply(struct envrules *e, const char *rule, int depth, struct error *err)
{
    if (*rule == '-')
        return remove_matching(e, rule + 1, err);
    if (*rule == '^')
        return read_rules(e, rule + 1, depth, err);
    const char *eq = *rule == '/' ? NULL : strchr(rule, '=');
    if (eq)
        return set_variable(e, rule, eq, err);
    if (!*rule)
        return error_set(err, EINVAL, "an empty rule");
    return take_matching(e, rule, err);
}

int envrules_apply(struct envrules *e, const char *rule, struct error *err)
{
    return apply(e, rule, 0, err);
}
