/* SPDX-License-Identifier: BSD-3-Clause */
/* scontrol: what the files of scontrol share. */
#ifndef HBATCH_COMPAT_SLURM_SCONTROL_H
#define HBATCH_COMPAT_SLURM_SCONTROL_H

#include <stdbool.h>
#include "compat/slurm/slurm.h"

struct scontrol {
    struct slurm *s;
    bool oneliner; /* -o */
};

/* Whether WORD is NAME or the beginning of it. */
bool scontrol_is(const char *word, const char *name);
/* "scontrol show WORDS": the exit code. */
int scontrol_show(struct scontrol *c, int argc, char **argv);

#endif
