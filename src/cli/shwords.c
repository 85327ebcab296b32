/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/shwords.h"

#include <errno.h>
#include <string.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"

static void add(struct shwords *w, char *word)
{
    w->v = xrealloc(w->v, (w->n + 2) * sizeof(*w->v));
    w->v[w->n++] = word;
    w->v[w->n] = NULL;
}

/* What is between the quotes, the first of which is at *S, which is moved to the second. -1: there is none. */
static int take_quoted(struct strbuf *word, const char **s)
{
    char quote = *(*s)++;
    for (; **s && **s != quote; (*s)++) {
        if (quote == '"' && **s == '\\' && strchr("\"\\$`", (*s)[1]) && (*s)[1])
            (*s)++;
        strbuf_addc(word, **s);
    }
    return **s ? 0 : -1;
}

int shwords_split(struct shwords *w, const char *line, struct error *err)
{
    const char *s = line;
    *w = (struct shwords){0};
    for (;;) {
        s += strspn(s, " \t\r\n");
        if (!*s || *s == '#')
            return 0;
        cleanup_strbuf struct strbuf word = {0};
        for (; *s && !strchr(" \t\r\n", *s); s++) {
            const char *open = s;
            if (*s == '\\' && s[1]) {
                strbuf_addc(&word, *++s);
            } else if (*s != '\'' && *s != '"') {
                strbuf_addc(&word, *s);
            } else if (take_quoted(&word, &s) < 0) {
                shwords_fini(w);
                return error_set(err, EINVAL, "the quote at '%s' is not closed", open);
            }
        }
        add(w, strbuf_take(&word));
    }
}

void shwords_fini(struct shwords *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->v[i]);
    free(w->v);
    *w = (struct shwords){0};
}

char *shwords_quote(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789@%_-+=:,./";
    struct strbuf out = {0};
    if (*word && !word[strspn(word, plain)])
        return xstrdup(word);
    strbuf_addc(&out, '\'');
    for (; *word; word++)
        if (*word == '\'')
            strbuf_add(&out, "'\"'\"'");
        else
            strbuf_addc(&out, *word);
    strbuf_addc(&out, '\'');
    return strbuf_take(&out);
}
