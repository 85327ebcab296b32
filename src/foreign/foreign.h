/* SPDX-License-Identifier: BSD-3-Clause */
/* foreign: the allocation that an instance lives in: another batch system's, a list of hosts, or
 * just this machine.
 *
 * A *kind* describes one batch system: how it is recognized by the environment, which hosts it
 * gave, when it takes them back, and what starts a process on another of its hosts.  The first of
 * the table that recognizes itself is the one.  A new kind is one file and one line of the table.
 *
 * Inside an instance of hbatch (HBATCH_URI is set) no batch system is recognized: what its
 * variables describe is the outer instance's already. */
#ifndef HBATCH_FOREIGN_FOREIGN_H
#define HBATCH_FOREIGN_FOREIGN_H

#include <stdbool.h>
#include "src/common/error.h"
#include "src/common/hostlist.h"

struct foreign_options {
    const char *kind;             /* by name, NULL: whichever recognizes itself */
    const char *hosts, *hostfile; /* named by the user, or NULL */
};

struct foreign {
    const struct foreign_kind *kind;
    char *id; /* of the allocation, as its batch system names it; may be empty */
    struct hostlist *hosts; /* each once, in the batch system's order */
    unsigned *slots;        /* of each host; 0: not known */
    double end;             /* seconds since the epoch, 0: no end that is known */
    const char *end_source; /* what told, or why it is not known; for people */
};

struct foreign_kind {
    const char *name;  /* as in --foreign and instance.info: "slurm" */
    const char *title; /* for people: "Slurm job" */
    /* The allocation's id if this is one (new), else NULL. */
    char *(*recognize)(const struct foreign_options *o);
    /* Fill in hosts and slots, by foreign_add_host. -1 with err set. */
    int (*hosts)(struct foreign *f, const struct foreign_options *o, struct error *err);
    /* Fill in end and end_source; NULL: it never ends. */
    void (*end)(struct foreign *f);
    /* Commands that start a process on another host, as ssh does: AGENT HOST COMMAND...  The
     * first one that is in PATH is for mpirun; NULL, or none there: mpirun knows by itself. */
    const char *const *agents;
    const char *hydra;    /* MPICH's name of the launcher, NULL: its default */
    const char *host_var; /* variable with this host's name in the list, or NULL */
};

const struct foreign_kind *foreign_kind_find(const char *name); /* or NULL */

/* Whether the kind is a batch system's, whose environment tells. */
bool foreign_is_batch(const struct foreign_kind *k);

/* What this process lives in, with its id alone.  NULL with err set: o->kind is not there. */
struct foreign *foreign_find(const struct foreign_options *o, struct error *err);
void foreign_destroy(struct foreign *f); /* NULL is allowed */

/* Fill in the hosts: with o->hosts or o->hostfile those that were named, which must be in the
 * allocation. -1 with err set. */
int foreign_find_hosts(struct foreign *f, const struct foreign_options *o,
                       struct error *err);
/* Fill in the end.  It may run the batch system's own command, for seconds at worst. */
void foreign_find_end(struct foreign *f);
/* When an instance should have ended, so that its jobs and programs end in order before the batch
 * system kills them: somewhat before f->end.  0: never. */
double foreign_deadline(const struct foreign *f, double now);

/* "node1.cluster" and "node1" are the same host. */
bool foreign_same_host(const char *a, const char *b);
/* This machine is one of the hosts. */
bool foreign_has_this(const struct foreign *f);
/* The one host of the allocation is this machine. */
bool foreign_is_here(const struct foreign *f);
/* The kind's agent that is in PATH: by its path (new), since the other hosts, which may be told of
 * it, too, do not have the same PATH.  Or NULL. */
char *foreign_agent(const struct foreign *f);

/* For kinds. Add a host with SLOTS; one that is there gets SLOTS more. */
void foreign_add_host(struct foreign *f, const char *name, unsigned slots);
/* A file with a host on each line, a number of slots after it if SLOTS (else each line is one
 * slot more); what follows and comments (#) are ignored. */
int foreign_add_file(struct foreign *f, const char *path, bool slots, struct error *err);
/* Seconds of "[[D-]HH:]MM:SS", "SS"; -1: it is none. */
double foreign_parse_time(const char *text);

#endif
