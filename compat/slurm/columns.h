/* SPDX-License-Identifier: BSD-3-Clause */
/* columns: tables of jobs, by the letters and names of squeue and sacct. */
#ifndef HBATCH_COMPAT_SLURM_COLUMNS_H
#define HBATCH_COMPAT_SLURM_COLUMNS_H

#include "compat/slurm/fields.h"

/* A column of a table. */
struct column {
    enum field field;
    const char *title; /* of the table of names; or NULL: PREFIX alone */
    char *prefix;      /* text before it */
    int width;         /* at least, 0: as it comes */
    bool right, cut;   /* aligned to the right; what does not fit is cut */
};
struct columns {
    struct column *v;
    size_t n;
    char *suffix; /* text after the last one, or NULL */
};
void columns_add(struct columns *c, struct column column);
void columns_fini(struct columns *c);

/* "%.18i %j": the letters of squeue; "%all".  A letter that is not known is told, and has no column. */
void columns_parse_percent(struct columns *c, const struct slurm *s, const char *text);
/* What a letter stands for. */
enum field columns_letter(char letter);
/* "JobID:20,Name": the long names of squeue, in the same way. */
void columns_parse_long(struct columns *c, const struct slurm *s, const char *text);
/* "jobid%20,state": the names of sacct. */
void columns_parse_acct(struct columns *c, const struct slurm *s, const char *text);
void columns_print_names(void); /* sacct --helpformat */

/* TEXT in the form of column C. */
void column_print(const struct column *c, const char *text);

#endif
