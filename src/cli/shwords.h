/* SPDX-License-Identifier: BSD-3-Clause */
/* shwords: a line split into words as the shell does it: blanks, '...', "...", \X, and # at the start of a word
 * for the rest of the line; nothing is expanded. */
#ifndef HBATCH_CLI_SHWORDS_H
#define HBATCH_CLI_SHWORDS_H

#include <stddef.h>
#include "src/common/error.h"

struct shwords {
    char **v; /* [n], and NULL */
    size_t n;
};

/* -1 with err set: a quote is not closed. */
int shwords_split(struct shwords *w, const char *line, struct error *err);
void shwords_fini(struct shwords *w);
/* WORD so that the shell reads it as it is; a new string. */
char *shwords_quote(const char *word);

#endif
