/* SPDX-License-Identifier: BSD-3-Clause */
/* shebang: a script whose interpreter is missing, or cannot be run, gives the same error as a script that is. */
#ifndef HBATCH_COMMON_SHEBANG_H
#define HBATCH_COMMON_SHEBANG_H

#include <stdbool.h>
#include <stddef.h>

/* exec of PATH failed with ERROR: is it the interpreter that its first line names?  That one is then in NAME,
 * with a word on the carriage return behind it, if there is one: nobody would see it. */
bool shebang_failed(const char *path, int error, char *name, size_t size);

#endif
