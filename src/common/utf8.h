/* SPDX-License-Identifier: BSD-3-Clause */
/* utf8: is this text?  Decides whether output goes into JSON as it is or as base64 (RFC 24). */
#ifndef HBATCH_COMMON_UTF8_H
#define HBATCH_COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* True when the LEN bytes are whole, valid UTF-8 characters (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF).  ASCII control characters and 0 are valid. */
bool utf8_valid(const char *s, size_t len);

/* A variable of ENV (NULL: of this process), or NULL. */
typedef const char *(*utf8_variable_f)(const void *env, const char *name);
/* Without the cost of setlocale: whether the locale's character set is UTF-8, by its name. */
bool utf8_locale(utf8_variable_f get, const void *env);
/* Whether job ids begin with a plain f there: in other locales, or because HBATCH_F58_FORCE_ASCII says so. */
bool utf8_ascii_ids(utf8_variable_f get, const void *env);
/* Of this process; ENV is not used. */
const char *utf8_getenv(const void *env, const char *name);

#endif
