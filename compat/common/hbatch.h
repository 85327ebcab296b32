/* SPDX-License-Identifier: BSD-3-Clause */
/* hbatch: the command line that the commands here stand before. */
#ifndef HBATCH_COMPAT_HBATCH_H
#define HBATCH_COMPAT_HBATCH_H

/* This program's own file. The caller frees. */
char *compat_self(void);
/* The hbatch of the same build or installation.  The caller frees. */
char *compat_hbatch(void);

/* Words of a command line that grow. */
struct words {
    char **v; /* ends with NULL */
    int n;
};
/* Append a copy of WORD; of what the format gives. */
void words_add(struct words *w, const char *word);
void words_addf(struct words *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void words_fini(struct words *w);

/* Become hbatch with W after its name.  It returns, with an exit code, only if that failed; ME is the name of the
 * command in the error. */
int compat_become_hbatch(const char *me, const struct words *w);

#endif
