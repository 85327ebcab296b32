/* SPDX-License-Identifier: BSD-3-Clause */
/* query: ask a batch system's own command. */
#ifndef HBATCH_FOREIGN_QUERY_H
#define HBATCH_FOREIGN_QUERY_H

#include <stdbool.h>

/* Whether PROGRAM is in PATH. */
bool query_in_path(const char *program);
/* Standard output of a command (NULL-terminated words, the program is searched in PATH): new.
 * NULL: it is not there, failed, or took too long. */
char *query(const char *program, ...) __attribute__((sentinel));

#endif
