/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/directives.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"

static const char *const tags[] = {"hbatch:", "HBATCH:", "flux:", "FLUX:"};

struct span {
    const char *s;
    size_t len;
};

/* What is known after some lines. */
struct parser {
    struct directives *d;
    unsigned line;
    struct span sentinel,
        prefix;           /* of the first directive; PREFIX without blanks at its end */
    unsigned first, last; /* its line; the line after which there may be no more, or 0 */
    /* A text of several lines: what is gathered of it, as a part of the last word of OPEN. */
    struct directive open;
    char quote; /* 0: there is none */
    unsigned opened;
    struct span indent;
    struct strbuf text;
    bool has_text; /* a line */
};

/* --- lines ------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static struct span trim_end(struct span s)
{
    while (s.len && is_blank(s.s[s.len - 1]))
        s.len--;
    return s;
}

static size_t blanks(struct span s)
{
    size_t n = 0;
    while (n < s.len && is_blank(s.s[n]))
        n++;
    return n;
}

static bool starts_with(struct span s, struct span start)
{
    return s.len >= start.len && memcmp(s.s, start.s, start.len) == 0;
}

static bool is_triple(struct span s, size_t at)
{
    return at + 3 <= s.len && (s.s[at] == '"' || s.s[at] == '\'') &&
           s.s[at + 1] == s.s[at] && s.s[at + 2] == s.s[at];
}

/* The length of the sentinel that LINE begins with, and of its prefix; 0: it has none. */
static size_t find_sentinel(struct span line, size_t *prefix)
{
    size_t n = 0;
    while (n < line.len && !isalnum((unsigned char)line.s[n]) && line.s[n] != '_')
        n++;
    struct span rest = {line.s + n, line.len - n};
    *prefix = n;
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
        if (starts_with(rest, (struct span){tags[i], strlen(tags[i])}))
            return n + strlen(tags[i]);
    }
    return 0;
}

/* --- words ------------------------------------------------------------------------------- */

static void add_word(struct directive *d, char *word)
{
    d->argv = xrealloc(d->argv, (size_t)(d->argc + 2) * sizeof(*d->argv));
    d->argv[d->argc++] = word;
    d->argv[d->argc] = NULL;
}

static void clear(struct directive *d)
{
    for (int i = 0; i < d->argc; i++)
        free(d->argv[i]);
    free(d->argv);
    *d = (struct directive){0};
}

/* '...' or "..." at AT; return the place after it. */
static int add_quoted(struct strbuf *word, struct span s, size_t *at)
{
    char quote = s.s[(*at)++];
    for (; *at < s.len; (*at)++) {
        char c = s.s[*at];
        if (c == quote) {
            (*at)++;
            return 0;
        }
        if (quote == '"' && c == '\\' && *at + 1 < s.len &&
            strchr("$`\"\\", s.s[*at + 1]))
            c = s.s[++*at];
        strbuf_addc(word, c);
    }
    return -1;
}

/* Three quotes at AT: up to the next three.  1: the line ends before that, right after them. */
static int add_triple(struct strbuf *word, struct span s, size_t *at)
{
    size_t start = *at + 3;
    for (size_t end = start; end + 3 <= s.len; end++) {
        if (is_triple(s, end) && s.s[end] == s.s[*at]) {
            strbuf_addn(word, s.s + start, end - start);
            *at = end + 3;
            return 0;
        }
    }
    return start == s.len ? 1 : -1;
}

/* The line's words into p->open; a text that begins at its end is opened. */
static int split(struct parser *p, struct span s, struct error *err)
{
    size_t at = 0;
    for (;;) {
        cleanup_strbuf struct strbuf word = {0};
        while (at < s.len && is_blank(s.s[at]))
            at++;
        if (at == s.len || s.s[at] == '#')
            return 0;
        size_t start = at;
        strbuf_add(&word, "");
        while (at < s.len && !is_blank(s.s[at])) {
            char c = s.s[at];
            int rc = 0;
            if (is_triple(s, at)) {
                rc = add_triple(&word, s, &at);
            } else if (c == '"' || c == '\'') {
                rc = add_quoted(&word, s, &at);
            } else if (c == '\\' && at + 1 == s.len) {
                return error_set(err, EINVAL,
                                 "line %u: there is nothing after the backslash that "
                                 "ends the line",
                                 p->line);
            } else {
                at += c == '\\';
                strbuf_addc(&word, s.s[at++]);
            }
            if (rc < 0)
                return error_set(
                    err, EINVAL, "line %u: the quote in '%.*s' is not closed%s", p->line,
                    (int)(s.len - start), s.s + start,
                    is_triple(s, at) ? " (three quotes open a text of several lines "
                                       "at the end of a line only)"
                                     : "");
            if (rc > 0) {
                p->quote = c;
                p->opened = p->line;
                p->indent = (struct span){s.s, blanks(s)};
                p->has_text = false;
                break;
            }
        }
        add_word(&p->open, strbuf_take(&word));
        if (p->quote)
            return 0;
    }
}

/* --- directives -------------------------------------------------------------------------- */

/* p->open is complete. */
static int finish(struct parser *p, struct error *err)
{
    struct directive *new = &p->open;
    if (new->argc == 0)
        return 0;
    if (new->argv[0][0] != '-')
        return error_set(err, EINVAL,
                         "line %u: '%s' is not an option, and directives are options: "
                         "-N2, --job-name=test",
                         new->line, new->argv[0]);
    p->d->list = xrealloc(p->d->list, (p->d->n + 1) * sizeof(*p->d->list));
    p->d->list[p->d->n++] = *new;
    *new = (struct directive){0};
    return 0;
}

static void add_text(struct parser *p, struct span s)
{
    if (starts_with(s, p->indent)) {
        s.s += p->indent.len;
        s.len -= p->indent.len;
    }
    if (p->has_text)
        strbuf_addc(&p->text, '\n');
    p->has_text = true;
    strbuf_addn(&p->text, s.s, s.len);
}

/* A line of an open text; the last one completes the word. */
static int continue_text(struct parser *p, struct span s, struct error *err)
{
    struct span trimmed = trim_end(s);
    bool ends = trimmed.len >= 3 && is_triple(trimmed, trimmed.len - 3) &&
                trimmed.s[trimmed.len - 1] == p->quote;
    struct span content = ends ? (struct span){s.s, trimmed.len - 3} : s;
    for (size_t i = 0; i + 3 <= content.len; i++) {
        if (is_triple(content, i) && content.s[i] == p->quote)
            return error_set(err, EINVAL,
                             "line %u: the three quotes that close the text of line %u "
                             "must be at the end of the line",
                             p->line, p->opened);
    }
    /* Only '\r' is of the line's end; other blanks are the text's. */
    if (!ends && content.len && content.s[content.len - 1] == '\r')
        content.len--;
    add_text(p, content);
    if (!ends)
        return 0;
    char **last = &p->open.argv[p->open.argc - 1];
    cleanup_free char *text = strbuf_take(&p->text), *before = *last;
    *last = xasprintf("%s%s", before, text);
    p->quote = 0;
    return finish(p, err);
}

static int take_directive(struct parser *p, struct span line, size_t prefix,
                          size_t sentinel, struct error *err)
{
    struct span own = {line.s, sentinel};
    if (!p->first) {
        p->first = p->line;
        p->sentinel = own;
        p->prefix = trim_end((struct span){line.s, prefix});
    } else if (own.len != p->sentinel.len || memcmp(own.s, p->sentinel.s, own.len) != 0) {
        return error_set(err, EINVAL,
                         "line %u: the directive begins with '%.*s', but those before it "
                         "with '%.*s' (line %u): all must begin the same; to disable "
                         "one, put a # after that",
                         p->line, (int)own.len, own.s, (int)p->sentinel.len,
                         p->sentinel.s, p->first);
    }
    struct span value = {line.s + sentinel, line.len - sentinel};
    if (p->quote)
        return continue_text(p, value, err);
    p->open.line = p->line;
    if (split(p, trim_end(value), err) < 0)
        return -1;
    return p->quote ? 0 : finish(p, err);
}

static int take_line(struct parser *p, struct span line, struct error *err)
{
    size_t prefix, sentinel = find_sentinel(line, &prefix);
    if (sentinel && p->last)
        return error_set(err, EINVAL,
                         "line %u: the directive '%.*s' comes too late: directives ended "
                         "with line %u",
                         p->line, (int)(sentinel - prefix), line.s + prefix, p->last);
    if (sentinel)
        return take_directive(p, line, prefix, sentinel, err);
    if (p->quote)
        return error_set(err, EINVAL,
                         "line %u: the text that three quotes open in line %u is not "
                         "closed: its lines, and that of the quotes that close it, must "
                         "begin with '%.*s'",
                         p->line, p->opened, (int)p->sentinel.len, p->sentinel.s);
    if (p->first && !p->last && trim_end(line).len > 0 && !starts_with(line, p->prefix))
        p->last = p->line - 1;
    return 0;
}

int directives_parse(const char *script, size_t len, struct directives *d,
                     struct error *err)
{
    struct parser p = {.d = d};
    int rc = 0;
    *d = (struct directives){0};
    for (size_t at = 0; at < len && rc == 0;) {
        const char *end = memchr(script + at, '\n', len - at);
        size_t n = end ? (size_t)(end - script) - at : len - at;
        p.line++;
        rc = take_line(&p, (struct span){script + at, n}, err);
        at += n + 1;
    }
    if (rc == 0 && p.quote)
        rc = error_set(err, EINVAL,
                       "line %u: the script ends in the text that three quotes open in "
                       "line %u",
                       p.line, p.opened);
    clear(&p.open);
    free(p.text.s);
    return rc;
}

void directives_clear(struct directives *d)
{
    for (size_t i = 0; i < d->n; i++)
        clear(&d->list[i]);
    free(d->list);
    *d = (struct directives){0};
}
