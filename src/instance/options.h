/* SPDX-License-Identifier: BSD-3-Clause */
/* options: the command line of hbatch-instance. */
#ifndef HBATCH_INSTANCE_OPTIONS_H
#define HBATCH_INSTANCE_OPTIONS_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/store/store.h"

struct options {
    const char
        *topology; /* hwloc synthetic description or XML file; NULL: this machine */
    const char *uri_file; /* where the leader writes its URI, or NULL */
    const char *rundir;   /* made if it does not exist; NULL: a new one in $TMPDIR */
    /* The host of hbatch start, which runs the program where that is a node; or NULL. */
    const char *supervised;
    const char *dump; /* where all jobs are written at the end, or NULL */
    bool no_program;  /* it lives until it is told to end */
    bool recover;     /* the instance lives on in the run directory */
    char *join;       /* the address of an instance that this rank is to join, or NULL */
    double
        idle_return; /* s; nodes that are idle for that long are given back; 0: never */
    const char *statedir; /* what outlives the instance; NULL: nothing does */
    enum store_sync durability;
    bool salvage, take_lock; /* statedir.h */
    bool have_durability;    /* it was given */
    const char
        *policy; /* scheduling policy (src/sched/setup.h), with the next two in it */
    const char *queue_depth, *placement; /* or NULL */
    unsigned gpus;                       /* GPUs of a virtual node */
    uint64_t memory;                     /* bytes of the node; 0: as it says itself */
    uint64_t output_limit; /* bytes of captured output that a node keeps; 0: all */
    bool isvirtual;        /* several ranks on one machine are nodes of their own */
    bool verbose;
    bool tell_status;        /* say the exit code on stderr */
    double time_limit;       /* seconds, 0: none */
    double expiration;       /* seconds since the epoch, 0: none */
    bool check;              /* read options and configuration, and do nothing */
    const char *foreign;     /* "NAME[:ID]": the allocation it lives in; NULL: find out */
    json_object *attrs;      /* --setattr, an object */
    json_object *configs;    /* --config, an array of files and JSON texts */
    json_object *properties; /* --property, an array of texts (property.h) */
    char **program;          /* NULL: the user's shell */
};

/* Parse; prints and exits for --help, --version and mistakes. */
void options_parse(struct options *o, int argc, char **argv);

#endif
