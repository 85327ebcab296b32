/* SPDX-License-Identifier: BSD-3-Clause */
/* query: ask a batch system's own command. */
#ifndef HBATCH_FOREIGN_QUERY_H
#define HBATCH_FOREIGN_QUERY_H

#include <stdbool.h>
#include "src/common/util.h"

/* The path of PROGRAM, which is searched in PATH (new), or NULL. */
char *query_find(const char *program);
static inline bool query_in_path(const char *program)
{
    cleanup_free char *path = query_find(program);
    return path != NULL;
}
/* Standard output of a command (NULL-terminated words, the program is searched in PATH): new.
 * NULL: it is not there, failed, or took too long. */
char *query(const char *program, ...) __attribute__((sentinel));

#endif
