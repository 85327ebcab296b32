/* SPDX-License-Identifier: BSD-3-Clause */
/* options: option tables as Slurm's commands have them; long names may be abbreviated. */
#ifndef HBATCH_COMPAT_SLURM_OPTIONS_H
#define HBATCH_COMPAT_SLURM_OPTIONS_H

#include "compat/slurm/slurm.h"

struct sopt {
    const char *name;
    char key;       /* or 0 */
    char arg;       /* 0: none, 'r': required, 'o': optional */
    int id;         /* the caller's; OPT_IGNORE and OPT_REFUSE need no more */
    const char *to; /* the caller's; for OPT_REFUSE, the reason */
};
enum { OPT_IGNORE = -1, OPT_REFUSE = -2 };

struct sparse {
    struct slurm *s;
    const struct sopt *opts;
    size_t n;
    const char *where; /* before messages, or NULL: "job.sh: line 3" */
    int argc;
    char **argv;
    struct option *longs;
    char *shorts;
    const char *value; /* of what sparse_next returned, or NULL */
    int first;         /* at the end: index of the first operand */
};

/* OPERANDS_END: the first operand ends the options. */
void sparse_init(struct sparse *p, struct slurm *s, const struct sopt *opts, size_t n,
                 int argc, char **argv, bool operands_end);
/* The next option that is neither ignored nor refused, or NULL at the end.  One that is not known is the end. */
const struct sopt *sparse_next(struct sparse *p);

/* The words of LINE as a shell would have them, up to a comment; NULL with err set: a quote is not closed. *ARGV is
 * new, of *ARGC words behind the first, which is WORD0. */
char **slurm_split(const char *line, const char *word0, int *argc, struct error *err);
void slurm_split_free(char **argv);

#endif
