/* SPDX-License-Identifier: BSD-3-Clause */
/* supervise_impl: what the files of the supervisor share.  supervise.c: the program, signals, requests,
 * and the loop; starts.c: the ranks are started, end, and are started again. */
#ifndef HBATCH_CLI_SUPERVISE_IMPL_H
#define HBATCH_CLI_SUPERVISE_IMPL_H

#include "src/cli/noise.h"
#include "src/cli/supervise.h"

enum { MAX_STARTS = 20 /* in a minute */ };

enum phase {
    STARTING, /* mpirun runs; not ready */
    READY,
    PAUSING, /* before the next try */
    ASKING,  /* which hosts answer */
    OVER     /* there are no ranks any more, nor will there be */
};

struct supervisor {
    struct supervise *config;
    char self[256];
    char *rundir, *mark;
    enum phase phase;
    double until;              /* of this phase; 0: no end */
    struct ranks *ranks;       /* NULL: none run */
    double began;              /* time_now() of the first start */
    double starts[MAX_STARTS]; /* of the last ones, in turn */
    unsigned nstarts, failures;
    double patience;    /* s, with this start, before something is done about it */
    double took;        /* s, the first start, until all were ready */
    char *uri;          /* NULL: they were never ready */
    bool remote;        /* rank 0 runs the program */
    int ended;          /* the instance ended with this exit code; -1: it has not */
    bool lost, leaving; /* a host, ever; the ranks leave for a restart */
    char *why;          /* of the next start */
    struct reach *asked;
    struct hostlist *others; /* hosts but this one: those that are asked */
    struct absent *absent;
    struct request *request;
    bool restarting;    /* that is the request; else it is to shut down */
    const char *reason; /* to shut down; NULL: it is not to */
    bool acknowledged, hurried;
    double force_at; /* monotonic, 0: never */
    bool forced;
    pid_t program;  /* 0: none (yet, or any more) */
    pid_t doctor;   /* asks the hosts what is wrong */
    bool diagnosed; /* and has told it */
    bool examined;  /* and has found nothing */
    bool late;      /* ranks were not ready in time, and are ended */
    int status;     /* its exit code */
    double told_at; /* it was told to end */
    int told_by;    /* the signal that ends all */
    bool given_up;
    int terminal; /* descriptor, or -1 */
};

/* --- supervise.c */
void __attribute__((format(printf, 1, 2))) supervisor_say(const char *fmt, ...);
void supervisor_phase(struct supervisor *sv, enum phase phase, double seconds);
/* A new run directory, and the mark of what is started there. */
int supervisor_make_rundir(struct supervisor *sv, struct error *err);
void supervisor_why(struct supervisor *sv, char *why); /* taken over */
void supervisor_drop_request(struct supervisor *sv);
bool supervisor_is_here(const struct supervisor *sv, const char *host);
/* What a rank said to us, on mpirun's stderr. */
void supervisor_said(void *arg, enum noise_word word, const char *rest);

/* --- starts.c */
/* On HOSTS (NULL: all). */
int starts_begin(struct supervisor *sv, struct hostlist *hosts, struct error *err);
/* They have ended: what comes now. */
void starts_over(struct supervisor *sv, int status);
/* Which hosts answer?  Then start_again. */
void starts_ask_hosts(struct supervisor *sv);
void starts_again(struct supervisor *sv);
/* Ranks are not ready for too long: they are ended, and started anew. */
void starts_late(struct supervisor *sv);
/* The first ranks are long not ready: mpirun waits for a host, or for a rank that cannot start. */
void starts_ask_doctor(struct supervisor *sv);
void starts_doctor_over(struct supervisor *sv, int status);

#endif
