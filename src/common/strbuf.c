/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "src/common/util.h"

/* Make room for N more bytes and the terminator. */
static void reserve(struct strbuf *b, size_t n)
{
    if (b->size - b->len > n)
        return;
    b->size = MAX(b->size * 2, b->len + n + 32);
    b->s = xrealloc(b->s, b->size);
}

void strbuf_addn(struct strbuf *b, const char *s, size_t n)
{
    reserve(b, n);
    if (n > 0) /* else S may be NULL: another one's text that is empty */
        memcpy(b->s + b->len, s, n);
    b->len += n;
    b->s[b->len] = '\0';
}

void strbuf_add(struct strbuf *b, const char *s)
{
    strbuf_addn(b, s, strlen(s));
}

void strbuf_addc(struct strbuf *b, char c)
{
    strbuf_addn(b, &c, 1);
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n <= 0)
        return;
    reserve(b, (size_t)n);
    va_start(ap, fmt);
    vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

char *strbuf_take(struct strbuf *b)
{
    char *s = b->s ? b->s : xstrdup("");
    *b = (struct strbuf){0};
    return s;
}
