/* SPDX-License-Identifier: BSD-3-Clause */
/* strbuf: a string that grows.  Start with {0}; strbuf_take gives the string away (never
 * NULL), and a strbuf declared cleanup_strbuf frees what was not taken. */
#ifndef HBATCH_COMMON_STRBUF_H
#define HBATCH_COMMON_STRBUF_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

struct strbuf {
    char *s;    /* terminated once anything was added */
    size_t len; /* without the terminator */
    size_t size;
};

#define cleanup_strbuf __attribute__((cleanup(strbuf_cleanup)))

static inline void strbuf_cleanup(struct strbuf *b)
{
    free(b->s);
}

void strbuf_add(struct strbuf *b, const char *s);
void strbuf_addn(struct strbuf *b, const char *s, size_t n);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_addf(struct strbuf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Faster than strbuf_addf, for what is added often: N in decimal; T, seconds, with six decimals ("%.6f"). */
void strbuf_addu(struct strbuf *b, uint64_t n);
void strbuf_add_time(struct strbuf *b, double t);
/* S, which is UTF-8, as a JSON string: quoted. */
void strbuf_add_json(struct strbuf *b, const char *s);
/* S as one word of a shell: quoted where it must be. */
void strbuf_add_shell(struct strbuf *b, const char *s);
/* No more memory than it needs now. */
void strbuf_fit(struct strbuf *b);
/* The string, to be freed by the caller; the buffer is empty again. */
char *strbuf_take(struct strbuf *b);

#endif
