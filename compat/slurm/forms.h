/* SPDX-License-Identifier: BSD-3-Clause */
/* forms: how Slurm writes times, ids, file names. */
#ifndef HBATCH_COMPAT_SLURM_FORMS_H
#define HBATCH_COMPAT_SLURM_FORMS_H

#include "compat/slurm/slurm.h"

/* A time limit: M, M:S, H:M:S, D-H, D-H:M, D-H:M:S to seconds; UNLIMITED and INFINITE: 0. -1 with err set. */
double form_limit(const char *text, struct error *err);
/* A point in time: HH:MM[:SS], now[+N[minutes...]], YYYY-MM-DD[THH:MM[:SS]], MMDD, MM/DD, midnight, noon, today,
 * tomorrow to seconds since the epoch. -1 with err set. */
double form_time(const char *text, struct error *err);
/* [D-]HH:MM:SS; SHORT: [D-][H:]M:SS as squeue has it. */
void form_duration(struct strbuf *out, double seconds, bool brief);
/* YYYY-MM-DDTHH:MM:SS, or ABSENT for 0. */
void form_date(struct strbuf *out, double t, const char *absent);

/* The width of a column at TEXT, -1000 to 1000; END: behind it. */
int form_width(const char *text, char **end);

/* ID[_TASKS][.STEP]; TASKS: a number, or a set in brackets. */
struct form_id {
    uint64_t id;
    char *tasks;   /* an id set, or NULL */
    char step[32]; /* or "" */
};
int form_id(const char *text, struct form_id *id, struct error *err);
void form_id_fini(struct form_id *id);

/* What %-tags of file names mean; NULL: the tag stays. */
struct form_names {
    const char *job, *array_job, *array_task, *name, *user, *host, *node, *task, *step;
};
/* The file name of PATTERN; new. */
char *form_path(const char *pattern, const struct form_names *names);

#endif
