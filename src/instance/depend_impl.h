/* SPDX-License-Identifier: BSD-3-Clause */
/* depend_impl: what dependencies consist of, for depend.c and depend_lookup.c. */
#ifndef HBATCH_INSTANCE_DEPEND_IMPL_H
#define HBATCH_INSTANCE_DEPEND_IMPL_H

#include "src/instance/depend.h"
#include "src/instance/leader_impl.h"

enum depend_kind {
    AFTER,
    AFTERANY,
    AFTEROK,
    AFTERNOTOK,
    AFTEREXCEPT,
    BEGIN_TIME,
    SINGLETON
};

/* One dependency of a submission; all its jobs have the same. */
struct depend_wish {
    enum depend_kind kind;
    jobid_t id;      /* the other job, or the first of a range */
    jobid_t last;    /* of the range; 0: there is none */
    uint64_t left;   /* jobs of the range that were not over when it was submitted */
    double when;     /* BEGIN_TIME */
    char *text;      /* "afterok:f1": in events and lists */
    bool met;        /* when it was submitted */
    const char *why; /* it can never be met; NULL: it can */
};

struct depends {
    struct dependency **heap; /* by time, the first to come at 1 */
    size_t n, size;
    struct dependency *due;   /* those that are to be met */
    struct dependency *never; /* those that can never be met */
    struct singles *singles;  /* from the first singleton on; NULL: there was none */
};

/* How a job ended, as far as others depend on it. */
struct depend_outcome {
    bool ran, excepted;
    enum job_result result;
};

/* What that means to a dependency of KIND.  NULL: it is met; else why it can never be. */
const char *depend_judge(enum depend_kind kind, const struct depend_outcome *o);

#endif
