/* SPDX-License-Identifier: BSD-3-Clause */
/* load: the jobs of a simulation, in the order in which they are submitted.
 *
 * A trace may have lines that make no sense; they are left out, and counted with their numbers. */
#ifndef HBATCH_SIM_LOAD_H
#define HBATCH_SIM_LOAD_H

#include <stddef.h>
#include <stdint.h>
#include "src/common/error.h"
#include "src/job/jobspec.h"
#include "src/sched/pool.h"

struct load_job {
    double submit; /* seconds, since the beginning of the trace */
    double run;    /* how long it really takes */
    double limit;  /* how long it may, which policies know; 0: any time; else >= run */
    struct pool_request req;
    int urgency;          /* 1 - 31 */
    unsigned line;        /* where it is from; 0: from nowhere */
    struct jobspec *spec; /* of a list of jobspecs, or NULL */
    struct constraint *constraint;
};

enum { LOAD_BROKEN_SHOWN = 10 };

struct load {
    struct load_job *jobs;
    size_t njobs, room;
    unsigned max_nodes, max_procs; /* what the trace says of its machine; 0: nothing */
    size_t unused; /* records of jobs that never ran, which are no mistakes */
    size_t
        overran; /* whose run was longer than their limit: the limit is that long, then */
    size_t nbroken;
    struct load_broken {
        unsigned line;
        char *why;
    } broken[LOAD_BROKEN_SHOWN]; /* the first ones */
};

/* Read a whole file of the Standard Workload Format: 18 numbers a line, comments after ';', of which
 * MaxNodes and MaxProcs are noted.  A job asks for as many slots of one core as it had processors. */
struct load *load_swf(const char *text);

/* Read a list of jobspecs: each line a JSON object {"submit":SECONDS, "jobspec":{...}} and, if it is to
 * take less than the jobspec's duration, "runtime":SECONDS; "urgency":N is optional, too. */
struct load *load_speclist(const char *text);

/* Whatever of these the text is. */
struct load *load_text(const char *text);

/* NJOBS jobs for a machine of NNODES nodes, by the model of Lublin and Feitelson ("The workload on parallel
 * supercomputers: modeling the characteristics of rigid jobs", JPDC 63(11), 2003), with its parameters
 * for all jobs together, batch and interactive ones. */
struct load *load_lublin(size_t njobs, unsigned nnodes, uint64_t seed);

void load_destroy(struct load *l); /* NULL is allowed */

/* The file, as SWF, of jobs that ask for slots of one core alone. The caller frees. */
char *load_to_swf(const struct load *l);

/* For readers. */
struct load_job *load_add(struct load *l);
void load_break(struct load *l, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Sort by time of submission; those of one time stay in order. */
void load_sort(struct load *l);

#endif
