/* SPDX-License-Identifier: BSD-3-Clause */
/* launch_options: the job's shell options (attributes.system.shell.options) that the executor obeys:
 * decoded there once per jobspec, and checked by the leader before a job is accepted. */
#ifndef HBATCH_JOB_LAUNCH_OPTIONS_H
#define HBATCH_JOB_LAUNCH_OPTIONS_H

#include <stdbool.h>
#include <hwloc/bitmap.h>
#include "src/common/error.h"
#include "src/job/rlimit.h"
#include "src/job/template.h"
#include "src/job/jobspec.h"

enum affinity { AFFINITY_ON, AFFINITY_OFF, AFFINITY_PER_TASK, AFFINITY_MAP };
enum input_type { INPUT_NONE, INPUT_SERVICE, INPUT_FILE };

/* Which bootstraps tasks are offered: a mask, as enum pmi_kind (pmi/pmi.h). */
enum { LAUNCH_PMI_AUTO = -1, LAUNCH_PMI_NONE = 0, LAUNCH_PMIX = 1, LAUNCH_PMI_WIRE = 2 };

struct output_option {
    bool to_file; /* else: to the spool */
    char *path;   /* template */
    enum template_scope scope;
    bool label, append, unbuffered;
};

struct launch_options {
    struct output_option out[2]; /* stdout, stderr */
    enum input_type input;
    char *input_path;           /* template */
    hwloc_bitmap_t input_ranks; /* NULL: all */
    double exit_timeout;        /* seconds; < 0: none */
    bool exit_timeout_set;      /* it was asked for */
    bool exit_on_error;
    bool instance;       /* the tasks are the ranks of a sub-instance */
    double kill_timeout; /* from SIGALRM or SIGTERM to SIGKILL */
    int warn_signal;     /* 0: none */
    double warn_left;    /* seconds before the expiration */
    enum affinity cpus, gpus;
    char *cpu_map, *gpu_map; /* of AFFINITY_MAP: "LIST;LIST;..." */
    int pmi;                 /* mask, or LAUNCH_PMI_AUTO */
    struct rlimits rlimits;
    json_object *env_expand; /* borrowed: {"NAME":"TEMPLATE"} or NULL */
};

/* Decode the options of JS into *O; on failure *O is to be finished as well. */
int launch_options_decode(const struct jobspec *js, struct launch_options *o,
                          struct error *err);
/* Can they be decoded?  Limits of the node are not looked at. */
int launch_options_check(const struct jobspec *js, struct error *err);
void launch_options_fini(struct launch_options *o);

/* Entry INDEX of the MAP "LIST;LIST;..." of AFFINITY_MAP, of as many as there are in turn; a list is ids
 * or, from 0x on, a mask.  NULL: that one names nothing.  The caller frees. */
hwloc_bitmap_t launch_options_map(const char *map, unsigned index);

#endif
