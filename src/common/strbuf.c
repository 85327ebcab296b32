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
    reserve(b, 64); /* mostly enough, so that most is formatted once */
    va_start(ap, fmt);
    int n = vsnprintf(b->s + b->len, b->size - b->len, fmt, ap);
    va_end(ap);
    if (n > 0 && (size_t)n >= b->size - b->len) {
        reserve(b, (size_t)n);
        va_start(ap, fmt);
        vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);
        va_end(ap);
    }
    if (n > 0)
        b->len += (size_t)n;
    b->s[b->len] = '\0';
}

void strbuf_addu(struct strbuf *b, uint64_t n)
{
    char digits[20];
    size_t at = sizeof(digits);
    do
        digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    strbuf_addn(b, digits + at, sizeof(digits) - at);
}

void strbuf_add_time(struct strbuf *b, double t)
{
    if (!(t >= 0 &&
          t < 1e9 * 1e4)) { /* nobody's time: printf's way, exact for all doubles */
        strbuf_addf(b, "%.6f", t);
        return;
    }
    uint64_t seconds = (uint64_t)t;
    /* rounded as printf does, a half to the even one: beyond 2^52 a double has no fraction */
    uint64_t micros = (uint64_t)((t - (double)seconds) * 1e6 + 0x1p52 - 0x1p52);
    if (micros >= 1000000) {
        seconds++;
        micros -= 1000000;
    }
    strbuf_addu(b, seconds);
    char fraction[7] = {'.'};
    for (int i = 6; i > 0; i--, micros /= 10)
        fraction[i] = (char)('0' + micros % 10);
    strbuf_addn(b, fraction, sizeof(fraction));
}

void strbuf_add_json(struct strbuf *b, const char *s)
{
    strbuf_addc(b, '"');
    for (;;) {
        size_t n = 0;
        while ((unsigned char)s[n] >= ' ' && s[n] != '"' && s[n] != '\\')
            n++;
        strbuf_addn(b, s, n);
        s += n;
        if (!*s)
            break;
        if (*s == '"' || *s == '\\')
            strbuf_addf(b, "\\%c", *s);
        else
            strbuf_addf(b, "\\u%04x", (unsigned char)*s);
        s++;
    }
    strbuf_addc(b, '"');
}

void strbuf_add_shell(struct strbuf *b, const char *s)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789-_=+./:,@%^";
    if (*s && !s[strspn(s, plain)]) {
        strbuf_add(b, s);
        return;
    }
    strbuf_addc(b, '\'');
    for (; *s; s++) {
        if (*s == '\'')
            strbuf_add(b, "'\\''");
        else
            strbuf_addc(b, *s);
    }
    strbuf_addc(b, '\'');
}

void strbuf_fit(struct strbuf *b)
{
    if (b->size > b->len + 1)
        b->s = xrealloc(b->s, b->size = b->len + 1);
}

char *strbuf_take(struct strbuf *b)
{
    char *s = b->s ? b->s : xstrdup("");
    *b = (struct strbuf){0};
    return s;
}
