/* SPDX-License-Identifier: BSD-3-Clause */
/* error: why a call failed, in one sentence.
 *
 * A function that can fail for a reason that a user should read takes a struct error
 * as its last argument, returns -1 or NULL, and leaves there a code (an errno value) and a
 * text: one clear sentence, without a newline, that names the thing, the value and, where
 * there is one, the remedy.  The argument may be NULL where the caller does not care. */
#ifndef HBATCH_COMMON_ERROR_H
#define HBATCH_COMMON_ERROR_H

struct error {
    int code;       /* errno value, never 0 after a failure */
    char text[512]; /* always terminated; cut with "..." when longer */
};

/* Set code and text (printf style).  Return -1, so that a failing call fits one line:
 *     return error_set(err, EINVAL, "task map '%s': level %d is not an array", s, i); */
int error_set(struct error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* As error_set, but return NULL: for functions that return pointers. */
void *error_null(struct error *err, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Put "PREFIX: " before the text of an error that is already set; the code stays. Return -1. */
int error_prefix(struct error *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
