/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void set_text(struct error *err, int code, const char *fmt, va_list ap)
{
    if (!err)
        return;
    err->code = code ? code : EINVAL;
    int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
    if (n >= (int)sizeof(err->text))
        memcpy(err->text + sizeof(err->text) - 4, "...", 4);
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_text(err, code, fmt, ap);
    va_end(ap);
    return -1;
}

void *error_null(struct error *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    set_text(err, code, fmt, ap);
    va_end(ap);
    return NULL;
}

int error_prefix(struct error *err, const char *fmt, ...)
{
    if (!err)
        return -1;
    struct error old = *err;
    char prefix[sizeof(old.text)];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(prefix, sizeof(prefix), fmt, ap);
    va_end(ap);
    return error_set(err, old.code, "%s: %s", prefix, old.text);
}
