/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/conf.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/common/strbuf.h"
#include "src/common/utf8.h"
#include "src/common/util.h"

/* --- TOML ----------------------------------------------------------------------------------- */

enum { DEPTH_MAX = 32 };

struct scan {
    const char *at;     /* in a line, whose end is '\0' */
    struct strbuf path; /* of the key, from the table that it is in */
    unsigned depth;     /* of lists and inline tables */
};

static void skip_blanks(struct scan *s)
{
    s->at += strspn(s->at, " \t\r\n");
}

/* The rest of the line is blank or a comment. */
static bool is_end(struct scan *s)
{
    skip_blanks(s);
    return *s->at == '\0' || *s->at == '#';
}

/* The quotes that a text begins with at AT: one, or three of a text that may be on several lines. */
static size_t quotes(const char *at)
{
    return at[1] == at[0] && at[2] == at[0] ? 3 : 1;
}

/* A backslash at the end of a line takes all that is blank after it along: how much that is, 0: it is none. */
static size_t line_end(const char *at)
{
    size_t n = *at == '\\' ? 1 + strspn(at + 1, " \t\r") : 0;
    return n && at[n] == '\n' ? n + strspn(at + n, " \t\r\n") : 0;
}

/* A text in quotes, new; NULL: it has no end, or an escape that is not known. */
static char *scan_quoted(struct scan *s)
{
    static const char escapes[] = "\"\\nrtbf", meant[] = "\"\\\n\r\t\b\f";
    struct strbuf b = {0};
    char quote = *s->at;
    const size_t n = quotes(s->at);
    s->at += n;
    if (n == 3)
        s->at += strspn(s->at, "\r") + (s->at[strspn(s->at, "\r")] == '\n');
    for (; *s->at && (n == 3 ? *s->at != quote || quotes(s->at) < 3 : *s->at != quote);
         s->at++) {
        size_t skip = n == 3 && quote == '"' ? line_end(s->at) : 0;
        if (skip) {
            s->at += skip - 1;
            continue;
        }
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
    s->at += n;
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
        if (s->path.len)
            strbuf_addc(&s->path, '.');
        strbuf_add(&s->path, part);
        skip_blanks(s);
        if (*s->at != '.')
            return o;
        s->at++;
    }
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

/* One KEY = VALUE of an inline table. */
static bool scan_pair(struct scan *s, json_object *table)
{
    cleanup_free char *name = NULL;
    json_object *o = scan_key(s, table, &name), *there;
    if (!o || *s->at != '=' || json_object_object_get_ex(o, name, &there))
        return false;
    s->at++;
    json_object *value = scan_value(s);
    if (value)
        json_object_object_add(o, name, value);
    return value != NULL;
}

static json_object *scan_table(struct scan *s)
{
    json_object *table = json_object_new_object();
    for (s->at++;; s->at++) {
        skip_blanks(s);
        if (*s->at == '}')
            break;
        bool ok = scan_pair(s, table);
        skip_blanks(s);
        if (ok && *s->at == '}')
            break;
        if (!ok || *s->at != ',') {
            json_object_put(table);
            return NULL;
        }
    }
    s->at++;
    return table;
}

/* A number keeps how it was written, as it may become a text again. */
static json_object *scan_number(const char *word)
{
    char *end;
    errno = 0;
    long long i = strtoll(word, &end, 10);
    if (*word && !*end && !errno && (word[0] != '0' || !word[1]) && *word != '+')
        return json_object_new_int64(i);
    double d = strtod(word, &end);
    return *word && !*end ? json_object_new_double_s(d, word) : NULL;
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
    if (*s->at == '[' || *s->at == '{') {
        if (++s->depth > DEPTH_MAX)
            return NULL;
        json_object *o = *s->at == '[' ? scan_array(s) : scan_table(s);
        s->depth--;
        return o;
    }
    size_t n = strcspn(s->at, " \t\r\n,]}#");
    cleanup_free char *word = xstrndup(s->at, n);
    s->at += n;
    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0)
        return json_object_new_boolean(*word == 't');
    return scan_number(word);
}

struct toml {
    json_object *root, *table; /* the one that keys belong to */
    struct strbuf prefix;      /* its path */
    json_object *lines;        /* or NULL */
    unsigned number;           /* of the line */
};

/* The line of PREFIX and PATH, and of what they are the first to make. */
static void note_line(json_object *lines, const char *prefix, const char *path,
                      unsigned number)
{
    cleanup_free char *all = xasprintf("%s%s%s", prefix, *prefix ? "." : "", path);
    for (char *dot = strchr(all, '.'); lines; dot = strchr(dot + 1, '.')) {
        if (dot)
            *dot = '\0';
        if (!json_object_object_get_ex(lines, all, NULL))
            json_object_object_add(lines, all, json_object_new_int64(number));
        if (!dot)
            break;
        *dot = '.';
    }
}

static int add_line(struct toml *t, struct scan *s, char **name, struct error *err)
{
    const char *prefix = t->prefix.len ? t->prefix.s : "";
    bool heading = *s->at == '[';
    if (heading)
        s->at++;
    json_object *o = scan_key(s, heading ? t->root : t->table, name);
    if (!o || *s->at != (heading ? ']' : '='))
        return error_set(err, EINVAL, "must be KEY = VALUE, [TABLE] or a # comment");
    note_line(t->lines, heading ? "" : prefix, s->path.s ? s->path.s : "", t->number);
    s->at++;
    cleanup_json json_object *value = heading ? NULL : scan_value(s);
    if ((!heading && !value) || !is_end(s))
        return error_set(err, EINVAL,
                         "the value of %s must be a text in quotes, a number, true or "
                         "false, a list [...] or a table {...} of these",
                         *name);
    json_object *there = NULL;
    bool known = json_object_object_get_ex(o, *name, &there);
    if (known && (!heading || !json_object_is_type(there, json_type_object)))
        return error_set(err, EINVAL, "%s is set twice", *name);
    if (!known)
        json_object_object_add(o, *name,
                               value ? take(value) : (there = json_object_new_object()));
    if (heading) {
        t->table = there;
        t->prefix.len = 0;
        strbuf_add(&t->prefix, s->path.s ? s->path.s : "");
    }
    return 0;
}

static int read_line(struct toml *t, const char *line, struct error *err)
{
    struct scan s = {.at = line};
    cleanup_free char *name = NULL;
    int rc = is_end(&s) ? 0 : add_line(t, &s, &name, err);
    strbuf_cleanup(&s.path);
    return rc;
}

struct nest {   /* what goes on in the next line */
    int open;   /* brackets */
    char quote; /* of a text in three of them, or 0 */
};

/* Where the text in three QUOTEs that AT is in ends: after it; NULL: not in this line. */
static char *text_end(char *at, char quote)
{
    for (; *at; at++) {
        if (quote == '"' && *at == '\\' && at[1])
            at++;
        else if (*at == quote && quotes(at) == 3)
            return at + 3;
    }
    return NULL;
}

/* Look through LINE, whose comment is cut off. */
static void look_through(char *line, struct nest *nest)
{
    char *p = line;
    while (*p && *p != '#') {
        if (!nest->quote && (*p == '"' || *p == '\'') && quotes(p) == 3) {
            nest->quote = *p;
            p += 3;
        }
        if (nest->quote) {
            if (!(p = text_end(p, nest->quote)))
                return;
            nest->quote = '\0';
            continue;
        }
        char quote = *p == '"' || *p == '\'' ? *p : '\0';
        nest->open += (*p == '[' || *p == '{') - (*p == ']' || *p == '}');
        for (p++; quote && *p && *p != quote; p++)
            p += quote == '"' && *p == '\\' && p[1];
        p += quote && *p;
    }
    *p = '\0';
}

/* A line, and those after it that its value goes on in; *N: how many, *AT: what comes then. */
static char *whole_line(const char **at, unsigned *n)
{
    struct strbuf b = {0};
    struct nest nest = {0};
    *n = 0;
    do {
        size_t len = strcspn(*at, "\n");
        cleanup_free char *line = xstrndup(*at, len);
        look_through(line, &nest);
        strbuf_add(&b, line);
        strbuf_addc(&b, '\n');
        *at += len + ((*at)[len] == '\n');
        ++*n;
    } while ((nest.open > 0 || nest.quote) && **at);
    return b.s;
}

static json_object *read_toml(const char *text, json_object *lines, struct error *err)
{
    struct toml t = {.root = json_object_new_object(), .lines = lines, .number = 1};
    unsigned n;
    t.table = t.root;
    for (const char *at = text; *at; t.number += n) {
        cleanup_free char *line = whole_line(&at, &n);
        if (read_line(&t, line, err) < 0) {
            error_prefix(err, "line %u", t.number);
            json_object_put(take(t.root));
            break;
        }
    }
    strbuf_cleanup(&t.prefix);
    return t.root;
}

/* --- JSON ------------------------------------------------------------------------------------ */

/* Of a text that is known to be JSON. */
struct walk {
    const char *at;
    unsigned number;
    json_object *lines;
};

static void skip_lines(struct walk *w)
{
    for (; *w->at && strchr(" \t\r\n", *w->at); w->at++)
        w->number += *w->at == '\n';
}

static char *walk_string(struct walk *w)
{
    const char *begin = ++w->at;
    while (*w->at && *w->at != '"')
        w->at += *w->at == '\\' && w->at[1] ? 2 : 1;
    char *text = xstrndup(begin, (size_t)(w->at - begin));
    w->at += *w->at == '"';
    return text;
}

static void walk_value(struct walk *w, const char *path)
{
    skip_lines(w);
    char open = *w->at;
    if (open == '"') {
        free(walk_string(w));
        return;
    }
    if (open != '{' && open != '[') {
        w->at += strcspn(w->at, " \t\r\n,]}");
        return;
    }
    char close = open == '{' ? '}' : ']';
    for (w->at++; skip_lines(w), *w->at && *w->at != close;) {
        cleanup_free char *name =
            open == '{' && *w->at == '"' ? walk_string(w) : xstrdup("");
        cleanup_free char *below = xasprintf("%s%s%s", path, *path ? "." : "", name);
        if (open == '{') {
            json_object_object_add(w->lines, below, json_object_new_int64(w->number));
            skip_lines(w);
            w->at += *w->at == ':';
        }
        const char *before = w->at;
        walk_value(w, open == '{' ? below : path);
        skip_lines(w);
        w->at += *w->at == ',';
        if (w->at == before)
            return;
    }
    w->at += *w->at == close;
}

static json_object *read_json(const char *text, json_object *lines, struct error *err)
{
    json_tokener *tok = json_tokener_new();
    size_t len = strlen(text), end;
    json_object *o = json_tokener_parse_ex(tok, text, (int)len + 1);
    enum json_tokener_error code = json_tokener_get_error(tok);
    end = json_tokener_get_parse_end(tok);
    json_tokener_free(tok);
    bool rest = o && end < len && text[end + strspn(text + end, " \t\r\n")];
    if (json_object_is_type(o, json_type_object) && !rest) {
        struct walk w = {.at = text, .number = 1, .lines = lines};
        if (lines)
            walk_value(&w, "");
        return o;
    }
    unsigned number = 1;
    for (size_t i = 0; i < end && i < len; i++)
        number += text[i] == '\n';
    json_object_put(o);
    return error_null(err, EINVAL, "line %u: is not a JSON object: %s", number,
                      rest ? "something comes after it" : json_tokener_error_desc(code));
}

/* --- both ------------------------------------------------------------------------------------- */

json_object *conf_decode(const char *text, json_object *lines, struct error *err)
{
    return text[strspn(text, " \t\r\n")] == '{' ? read_json(text, lines, err)
                                                : read_toml(text, lines, err);
}

json_object *conf_setting(const char *text, struct error *err)
{
    const char *eq = strchr(text, '=');
    struct scan s = {.at = text};
    cleanup_free char *name = NULL;
    json_object *root = json_object_new_object(), *o = scan_key(&s, root, &name);
    strbuf_cleanup(&s.path);
    if (!o || s.at != eq) {
        json_object_put(root);
        return error_null(err, EINVAL, "'%s': must be KEY=VALUE", text);
    }
    s = (struct scan){.at = eq + 1};
    json_object *value = scan_value(&s);
    if (value && !is_end(&s))
        json_object_put(take(value));
    strbuf_cleanup(&s.path);
    json_object_object_add(o, name, value ? value : json_object_new_string(eq + 1));
    return root;
}

char *conf_read(const char *path, struct error *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_null(err, errno, "cannot read %s: %s", path, strerror(errno));
    char *text = xmalloc(CONF_MAX_BYTES + 2);
    ssize_t n = read_all(fd, text, CONF_MAX_BYTES + 1);
    int code = errno;
    if (n >= 0 && n <= CONF_MAX_BYTES && utf8_valid(text, (size_t)n) &&
        !memchr(text, '\0', (size_t)n)) {
        text[n] = '\0';
        return text;
    }
    free(text);
    if (n < 0)
        return error_null(err, code, "cannot read %s: %s", path, strerror(code));
    return error_null(err, EINVAL, "%s is no text in UTF-8 of at most %d KiB", path,
                      CONF_MAX_BYTES >> 10);
}

unsigned conf_line(json_object *lines, const char *path)
{
    cleanup_free char *at = xstrdup(path);
    for (json_object *o;;) {
        if (lines && json_object_object_get_ex(lines, at, &o))
            return (unsigned)json_object_get_int64(o);
        char *dot = strrchr(at, '.');
        if (!dot)
            return 0;
        *dot = '\0';
    }
}
