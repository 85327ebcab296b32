/* SPDX-License-Identifier: BSD-3-Clause */
/* directives: options of the submitting command inside of a script (RFC 36):
 *
 *     #!/bin/sh
 *     #hbatch: -N4                     # a comment
 *     #hbatch: --job-name="my job"
 *
 * A directive's line begins with a prefix without letters, digits, underscores (any, as the script's language
 * has comments), and a tag: "hbatch:", "HBATCH:", or Flux's "flux:", "FLUX:".  Prefix and tag, the sentinel, are the
 * same in all of a script.  Directives end at the first line that is not blank and does not begin with the
 * prefix (white space at the prefix's end does not count); a sentinel after that is an error.
 *
 * What follows is split into words as the shell does it: blanks, '...', "...", \X, and # at the start
 * of a word for the rest of the line; nothing is expanded.  Three quotes of either kind quote all up to the next
 * three.  Three quotes at the end of a line begin a text of several lines, each behind the sentinel, up
 * to a line that ends in three quotes: without the first line's indentation, and without the newline
 * after the quotes that open it. */
#ifndef HBATCH_JOB_DIRECTIVES_H
#define HBATCH_JOB_DIRECTIVES_H

#include <stddef.h>
#include "src/common/error.h"

struct directive {
    unsigned line; /* of the script, from 1; the first one, if there are several */
    int argc;      /* > 0 */
    char **argv;   /* NULL ended; argv[0] begins with '-' */
};

struct directives {
    struct directive *list;
    size_t n;
};

/* The directives of SCRIPT (LEN bytes).  -1 with err set, which names the line; D needs to be cleared then, too. */
int directives_parse(const char *script, size_t len, struct directives *d,
                     struct error *err);
void directives_clear(struct directives *d);

#endif
