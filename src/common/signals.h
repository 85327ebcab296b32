/* SPDX-License-Identifier: BSD-3-Clause */
/* signals: signals that are read from a file descriptor, by loops that poll others as well. */
#ifndef HBATCH_COMMON_SIGNALS_H
#define HBATCH_COMMON_SIGNALS_H

#include <stddef.h>

/* Block the N SIGNUMS; a descriptor that is readable when one has come, or -1 with errno.  Close it in the end. */
int signals_open(const int *signums, size_t n);
/* The next one that has come, or 0: there is none. */
int signals_next(int fd);

#endif
