/* SPDX-License-Identifier: BSD-3-Clause */
/* nearest: what a mistyped word was probably meant to be. */
#ifndef HBATCH_CLI_NEAREST_H
#define HBATCH_CLI_NEAREST_H

#include <stddef.h>

/* The one of N names that WORD most probably means, or NULL. */
const char *nearest_name(const char *word, const char *const *names, size_t n);

#endif
