/* SPDX-License-Identifier: BSD-3-Clause */
/* fields: what squeue and sacct print of jobs. */
#ifndef HBATCH_COMPAT_SLURM_FIELDS_H
#define HBATCH_COMPAT_SLURM_FIELDS_H

#include "compat/slurm/jobs.h"

enum field {
    F_NONE, /* hbatch does not know it */
    F_ACCOUNT,
    F_ARRAY_JOB,
    F_ARRAY_TASK,
    F_CLUSTER,
    F_COMMAND,
    F_CPUS,
    F_CPUTIME,
    F_CPUTIME_RAW,
    F_ELAPSED,
    F_ELAPSED_RAW,
    F_END,
    F_EXIT,
    F_EXIT_DERIVED,
    F_FIRST_NODE,
    F_GROUP,
    F_GID,
    F_ID,     /* 12_3 */
    F_ID_RAW, /* 15 */
    F_LEFT,
    F_LIMIT,
    F_LIMIT_RAW,
    F_MINUTES_LEFT,
    F_NAME,
    F_NODELIST,
    F_NODES,
    F_NULL, /* (null), N/A: what a job of hbatch never has */
    F_NA,
    F_PARTITION,
    F_PLACE, /* nodes, or the reason in parentheses */
    F_PRIORITY,
    F_QOS,
    F_REASON,
    F_START,
    F_STATE,
    F_STATE_COMPACT,
    F_SUBMIT,
    F_TASKS,
    F_TIME,
    F_TRES,
    F_UID,
    F_USER,
    F_WORKDIR,
    F_ZERO,
};

/* What J has there. ACCOUNTING: as sacct puts it. */
void field_add(struct strbuf *out, const struct sjob *j, enum field f, bool accounting);

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

/* "%.18i %j": the letters of squeue. The end with a message if a letter is not known. */
void columns_parse_percent(struct columns *c, const struct slurm *s, const char *text);
/* "JobID:20,Name": the long names of squeue. */
void columns_parse_long(struct columns *c, const struct slurm *s, const char *text);
/* "jobid%20,state": the names of sacct. */
void columns_parse_acct(struct columns *c, const struct slurm *s, const char *text);
void columns_print_names(void); /* sacct --helpformat */

/* TEXT in the form of column C. */
void column_print(const struct column *c, const char *text);

#endif
