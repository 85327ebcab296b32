/* SPDX-License-Identifier: BSD-3-Clause */
/* base64: binary data in JSON (RFC 4648, the standard alphabet with padding, no line breaks). */
#ifndef HBATCH_COMMON_BASE64_H
#define HBATCH_COMMON_BASE64_H

#include <stddef.h>
#include "src/common/error.h"

/* A new terminated string; the caller frees it. */
char *base64_encode(const void *data, size_t len);

/* New memory with the *out_len decoded bytes, and a 0 byte after them; the caller frees it.
 * NULL with ERR when TEXT is anything but what base64_encode makes. */
void *base64_decode(const char *text, size_t len, size_t *out_len, struct error *err);

#endif
