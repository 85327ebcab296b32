/* SPDX-License-Identifier: BSD-3-Clause */
/* utf8: is this text?  Decides whether output goes into JSON as it is or as base64 (RFC 24). */
#ifndef HBATCH_COMMON_UTF8_H
#define HBATCH_COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* True when the LEN bytes are whole, valid UTF-8 characters (RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF).  ASCII control characters and 0 are valid. */
bool utf8_valid(const char *s, size_t len);

#endif
