/* SPDX-License-Identifier: BSD-3-Clause */
/* options: the job's shell options (attributes.system.shell.options) that the executor obeys,
 * decoded once per jobspec. */
#ifndef HBATCH_EXEC_OPTIONS_H
#define HBATCH_EXEC_OPTIONS_H

#include <stdbool.h>
#include <hwloc/bitmap.h>
#include "src/common/error.h"
#include "src/exec/rlimit.h"
#include "src/exec/template.h"
#include "src/job/jobspec.h"

enum affinity { AFFINITY_ON, AFFINITY_OFF, AFFINITY_PER_TASK, AFFINITY_MAP };
enum input_type { INPUT_NONE, INPUT_SERVICE, INPUT_FILE };

#define PMI_AUTO (-1)

struct output_option {
    bool to_file; /* else: to the spool */
    char *path;   /* template */
    enum template_scope scope;
    bool label, append, unbuffered;
};

struct options {
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
    int pmi;                 /* mask of enum pmi_kind, or PMI_AUTO */
    struct rlimits rlimits;
    json_object *env_expand; /* borrowed: {"NAME":"TEMPLATE"} or NULL */
};

/* Decode the options of JS into *O; on failure *O is to be finished as well. */
int options_decode(const struct jobspec *js, struct options *o, struct error *err);
void options_fini(struct options *o);

#endif
