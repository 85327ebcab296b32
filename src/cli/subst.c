/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <regex.h>
#include <string.h>
#include "src/cli/subst.h"
#include "src/common/util.h"

#define GROUPS 10
#define WIDTH_MAX 20

enum part_kind { LITERAL, INPUT, SEQ };
enum method { WHOLE, STEM, BASE, DIR, DIR_OR_DOT, BASE_STEM, DEFINED };

struct part {
    enum part_kind kind;
    char *text; /* LITERAL */
    size_t index;
    enum method method;
    const struct subst_methods *defined;
    unsigned first, width; /* SEQ */
};

struct subst {
    struct part *parts;
    size_t n;
};

struct subst_methods {
    struct subst_methods *next; /* those that were defined before */
    char *name;
    struct subst *template; /* or */
    regex_t regex;
    char *replacement;
    bool all; /* places, not the first one alone */
};

/* --- names of files ---------------------------------------------------------------------- */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* Where the extension of NAME begins: at its end if it has none; dots that a name begins with begin none. */
static const char *extension_of(const char *name)
{
    const char *base = base_of(name);
    base += strspn(base, ".");
    const char *dot = strrchr(base, '.');
    return dot ? dot : name + strlen(name);
}

static void add_dir(const char *path, bool dot, struct strbuf *out)
{
    size_t n = (size_t)(base_of(path) - path), end = n;
    while (end > 0 && path[end - 1] == '/')
        end--;
    if (n == 0)
        strbuf_add(out, dot ? "." : "");
    else
        strbuf_addn(out, path, end ? end : n); /* only slashes: they stay */
}

/* --- what --define makes ----------------------------------------------------------------- */

static void add_replacement(const char *text, const char *subject, const regmatch_t *m,
                            struct strbuf *out)
{
    for (; *text; text++) {
        int group = *text == '&' ? 0 : -1;
        if (*text == '\\' && text[1]) {
            text++;
            group = isdigit((unsigned char)*text) ? *text - '0' : -1;
        }
        if (group < 0)
            strbuf_addc(out, *text);
        else if (m[group].rm_so >= 0)
            strbuf_addn(out, subject + m[group].rm_so,
                        (size_t)(m[group].rm_eo - m[group].rm_so));
    }
}

static void add_substituted(const struct subst_methods *d, const char *at,
                            struct strbuf *out)
{
    regmatch_t m[GROUPS];
    int flags = 0;
    while (regexec(&d->regex, at, GROUPS, m, flags) == 0) {
        strbuf_addn(out, at, (size_t)m[0].rm_so);
        add_replacement(d->replacement, at, m, out);
        at += m[0].rm_eo;
        flags = REG_NOTBOL;
        if (!d->all || !*at)
            break;
        if (m[0].rm_eo == m[0].rm_so) /* an empty match: go on behind the next byte */
            strbuf_addc(out, *at++);
    }
    strbuf_add(out, at);
}

static void add_input(const struct part *p, const char *text, uint64_t seq,
                      struct strbuf *out)
{
    const char *base = base_of(text);
    switch (p->method) {
    case WHOLE:
        strbuf_add(out, text);
        break;
    case STEM:
        strbuf_addn(out, text, (size_t)(extension_of(text) - text));
        break;
    case BASE:
        strbuf_add(out, base);
        break;
    case DIR:
    case DIR_OR_DOT:
        add_dir(text, p->method == DIR_OR_DOT, out);
        break;
    case BASE_STEM:
        strbuf_addn(out, base, (size_t)(extension_of(base) - base));
        break;
    case DEFINED:
        if (p->defined->template)
            subst_render(p->defined->template, &text, seq, out);
        else
            add_substituted(p->defined, text, out);
        break;
    }
}

void subst_render(const struct subst *s, const char *const *inputs, uint64_t seq,
                  struct strbuf *out)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct part *p = &s->parts[i];
        if (p->kind == LITERAL)
            strbuf_add(out, p->text);
        else if (p->kind == INPUT)
            add_input(p, inputs[p->index], seq, out);
        else
            strbuf_addf(out, "%0*ju", (int)p->width, (uintmax_t)(seq + p->first));
    }
    if (!out->s) /* never NULL */
        strbuf_addn(out, "", 0);
}

/* --- compiling --------------------------------------------------------------------------- */

struct compiler {
    const char *text;
    size_t ninputs;
    const struct subst_methods *methods;
    size_t automatic; /* inputs that {} has had */
    struct subst *s;
    struct strbuf literal;
};

static struct part *add_part(struct subst *s, enum part_kind kind)
{
    s->parts = xrealloc(s->parts, (s->n + 1) * sizeof(*s->parts));
    s->parts[s->n] = (struct part){.kind = kind};
    return &s->parts[s->n++];
}

static void end_literal(struct compiler *c)
{
    if (c->literal.len)
        add_part(c->s, LITERAL)->text = strbuf_take(&c->literal);
}

static bool find_method(const struct compiler *c, const char *name, size_t len,
                        struct part *p)
{
    static const struct {
        const char *name;
        enum method method;
    } known[] = {
        {"", WHOLE},        {".%", STEM},       {".", STEM},
        {"./", BASE},       {"/", BASE},        {".//", DIR},
        {"//", DIR_OR_DOT}, {"./%", BASE_STEM}, {"/.", BASE_STEM},
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strlen(known[i].name) == len && strncmp(known[i].name, name, len) == 0) {
            p->method = known[i].method;
            return true;
        }
    }
    for (const struct subst_methods *d = c->methods; d && *name == '.'; d = d->next) {
        if (strlen(d->name) == len - 1 && strncmp(d->name, name + 1, len - 1) == 0) {
            p->method = DEFINED;
            p->defined = d;
            return true;
        }
    }
    return false;
}

/* "{seq}", "{seq1:04d}", "{#}"... without its braces. */
static bool parse_seq(const char *at, size_t len, unsigned *first, unsigned *width)
{
    const char *end = at + len;
    *width = 0;
    if (*at == '#') {
        *first = 1;
        at++;
    } else if (len >= 3 && strncmp(at, "seq", 3) == 0) {
        at += 3;
        *first = at < end && *at == '1';
        at += *first;
    } else {
        return false;
    }
    if (at < end && *at == ':') {
        for (at++; at < end && isdigit((unsigned char)*at); at++)
            *width = MIN(*width * 10 + (unsigned)(*at - '0'), 1000u);
        at += at < end && *at == 'd';
        if (*width < 1 || *width > WIDTH_MAX)
            return false;
    }
    return at == end;
}

static int bad_index(const struct compiler *c, const char *at, size_t len, size_t index,
                     struct error *err)
{
    if (c->ninputs == 1)
        return error_set(err, EINVAL,
                         "{%.*s} in '%s' is input %zu, and there is only one for each "
                         "job: {} or {0}",
                         (int)len, at, c->text, index);
    return error_set(err, EINVAL,
                     "{%.*s} in '%s' is input %zu, and each job has %zu: {0} to {%zu}",
                     (int)len, at, c->text, index, c->ninputs, c->ninputs - 1);
}

/* LEN bytes at AT, between braces. */
static int parse_field(struct compiler *c, const char *at, size_t len, struct error *err)
{
    struct part p = {.kind = INPUT};
    size_t digits = strspn(at, "0123456789");
    end_literal(c);
    if (parse_seq(at, len, &p.first, &p.width)) {
        p.kind = SEQ;
        *add_part(c->s, SEQ) = p;
        return 0;
    }
    if (!find_method(c, at + digits, len - digits, &p)) {
        bool named = at[digits] == '.' && len > digits + 1 &&
                     isalpha((unsigned char)at[digits + 1]);
        if (named)
            return error_set(err, EINVAL,
                             "{%.*s} in '%s': nothing is defined as '%.*s'; "
                             "--define=%.*s=TEMPLATE does it",
                             (int)len, at, c->text, (int)(len - digits - 1),
                             at + digits + 1, (int)(len - digits - 1), at + digits + 1);
        return error_set(err, EINVAL,
                         "{%.*s} in '%s' is no replacement string; there are {}, {0}, "
                         "{.%%}, {./}, {seq} and others, and \\{ is a plain brace",
                         (int)len, at, c->text);
    }
    p.index = digits > 6       ? 1000000
              : digits         ? (size_t)strtoul(at, NULL, 10)
              : c->ninputs > 1 ? c->automatic++
                               : 0;
    if (p.index >= c->ninputs)
        return bad_index(c, at, len, p.index, err);
    *add_part(c->s, INPUT) = p;
    return 0;
}

static int compile(struct compiler *c, struct error *err)
{
    for (const char *at = c->text; *at;) {
        size_t n = strcspn(at, "{\\");
        strbuf_addn(&c->literal, at, n);
        at += n;
        if (!*at)
            break;
        if (*at == '\\') {
            bool brace = at[1] == '{';
            strbuf_addc(&c->literal, brace ? '{' : '\\');
            at += 1 + brace;
            continue;
        }
        if (at[1] == '{') { /* of the job's own templates: all up to the }} */
            const char *end = strstr(at, "}}");
            n = end ? (size_t)(end + 2 - at) : 2;
            strbuf_addn(&c->literal, at, n);
            at += n;
            continue;
        }
        const char *end = strchr(at, '}');
        if (!end)
            return error_set(err, EINVAL,
                             "'%s' has a { without its }; \\{ is a plain brace", c->text);
        n = (size_t)(end - at - 1);
        if (n == 2 && strncmp(at + 1, "cc", 2) == 0)
            strbuf_add(&c->literal, "{cc}");
        else if (parse_field(c, at + 1, n, err) < 0)
            return -1;
        at = end + 1;
    }
    end_literal(c);
    return 0;
}

struct subst *subst_compile(const char *text, size_t ninputs,
                            const struct subst_methods *methods, struct error *err)
{
    struct compiler c = {.text = text,
                         .ninputs = ninputs,
                         .methods = methods,
                         .s = xcalloc(1, sizeof(*c.s))};
    int rc = compile(&c, err);
    free(c.literal.s);
    if (rc == 0)
        return c.s;
    subst_destroy(c.s);
    return NULL;
}

void subst_destroy(struct subst *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++)
        free(s->parts[i].text);
    free(s->parts);
    free(s);
}

bool subst_is_fixed(const struct subst *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (s->parts[i].kind != LITERAL)
            return false;
    }
    return true;
}

/* --- --define ---------------------------------------------------------------------------- */

/* Of "s/REGEX/TEXT/g": the part up to the next '/' that has no backslash before it and is not in
 * brackets of the REGEX, with \t and \n for a tab and a newline; *AT goes behind it. NULL: there is none. */
static char *until_slash(const char **at, bool regex)
{
    struct strbuf b = {0};
    const char *s = *at, *bracket = NULL; /* the first byte that is in it */
    for (; *s && (*s != '/' || bracket); s++) {
        if (*s == '\\' && (s[1] == 't' || s[1] == 'n')) {
            strbuf_addc(&b, *++s == 't' ? '\t' : '\n');
            continue;
        }
        if (*s == '\\' && s[1] == '/' && !bracket)
            s++;
        else if (*s == '\\' && s[1] && !bracket)
            strbuf_addc(&b, *s++);
        else if (bracket && *s == ']' && s > bracket)
            bracket = NULL;
        else if (regex && !bracket && *s == '[')
            bracket = s + 1 + (s[1] == '^');
        strbuf_addc(&b, *s);
    }
    if (*s != '/') {
        free(b.s);
        return NULL;
    }
    *at = s + 1;
    return strbuf_take(&b);
}

static int define_regex(struct subst_methods *d, const char *text, struct error *err)
{
    const char *at = text + 2;
    cleanup_free char *regex = until_slash(&at, true);
    cleanup_free char *replacement = regex ? until_slash(&at, false) : NULL;
    d->all = replacement && *at == 'g';
    if (!replacement || at[d->all])
        return error_set(err, EINVAL, "'%s' must be s/REGEX/TEXT/ or s/REGEX/TEXT/g",
                         text);
    int rc = regcomp(&d->regex, regex, REG_EXTENDED);
    if (rc != 0) {
        char why[128];
        regerror(rc, &d->regex, why, sizeof(why));
        return error_set(err, EINVAL, "'%s' is no regular expression: %s", regex, why);
    }
    d->replacement = take(replacement);
    return 0;
}

static int define(struct subst_methods *d, const char *text, struct error *err)
{
    if (strncmp(text, "s/", 2) == 0)
        return define_regex(d, text, err);
    d->template = subst_compile(text, 1, d->next, err);
    if (!d->template)
        return -1;
    if (subst_is_fixed(d->template))
        return error_set(err, EINVAL,
                         "'%s' has no replacement string: it must be a template like "
                         "'{/.}.out', or s/REGEX/TEXT/; no code is run here",
                         text);
    return 0;
}

struct subst_methods *subst_define(struct subst_methods *list, const char *definition,
                                   struct error *err)
{
    size_t len = strcspn(definition, "=");
    if (!definition[len])
        return error_null(err, EINVAL, "'%s' must be NAME=TEMPLATE", definition);
    if (!isalpha((unsigned char)*definition))
        return error_null(err, EINVAL, "'%.*s': a name begins with a letter", (int)len,
                          definition);
    for (size_t i = 0; i < len; i++) {
        if (!isalnum((unsigned char)definition[i]) && definition[i] != '_')
            return error_null(err, EINVAL,
                              "'%.*s': a name has letters, digits and '_' only", (int)len,
                              definition);
    }
    struct subst_methods *d = xcalloc(1, sizeof(*d));
    d->next = list;
    d->name = xstrndup(definition, len);
    if (define(d, definition + len + 1, err) == 0)
        return d;
    d->next = NULL; /* the list is still the caller's */
    subst_methods_destroy(d);
    return NULL;
}

void subst_methods_destroy(struct subst_methods *list)
{
    while (list) {
        struct subst_methods *next = list->next;
        if (list->replacement)
            regfree(&list->regex);
        subst_destroy(list->template);
        free(list->replacement);
        free(list->name);
        free(list);
        list = next;
    }
}
