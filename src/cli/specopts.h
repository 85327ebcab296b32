/* SPDX-License-Identifier: BSD-3-Clause */
/* specopts: the options of run, submit, batch and alloc that describe the job, and from them and the
 * command line's "COMMAND [: OPTIONS COMMAND]..." the job specification. */
#ifndef HBATCH_CLI_SPECOPTS_H
#define HBATCH_CLI_SPECOPTS_H

#include "src/cli/cli.h"

enum {              /* ids of the options here; a verb's own start at SPECOPT_END */
       SPECOPT_JOB, /* any that hbatch_jobspec_set knows by its long name */
       SPECOPT_DRY_RUN,
       SPECOPT_URGENCY,
       SPECOPT_FLAGS,
       SPECOPT_DEBUG,
       SPECOPT_VERBOSE,
       SPECOPT_QUIET,
       SPECOPT_LABEL_IO,
       SPECOPT_INSTANCE_OPT,
       SPECOPT_IDLE_RETURN,
       SPECOPT_CONF,
       SPECOPT_DUMP,
       SPECOPT_FLUX, /* means nothing here */
       SPECOPT_END,
};

/* For a verb's .groups. */
extern const struct opt specopts_common[9], specopts_per_task[4],
    specopts_per_resource[4], specopts_job[17], specopts_env[4], specopts_io[5],
    specopts_other[4];
#define SPECOPTS_GROUPS                                                                  \
    OPTS("Resources", specopts_common), OPTS("Per task", specopts_per_task),             \
        OPTS("Per resource (instead of per task)", specopts_per_resource),               \
        OPTS("Job", specopts_job), OPTS("Environment and limits", specopts_env),         \
        OPTS("Input and output", specopts_io), OPTS("Other", specopts_other)
extern const char specopts_more[];
/* Of jobs that are instances, in place of those per task and per resource. */
extern const struct opt specopts_per_slot[6], specopts_per_resource_slots[2],
    specopts_instance[5];

struct specopts {
    const char **names, **values; /* of the options that describe the job, in order */
    size_t n;
    bool dry_run, quiet, label_io;
    int verbose;
    int urgency;       /* -1: default */
    char *flags;       /* comma separated, or NULL */
    const char *input; /* --input, or NULL */
    int argc;          /* the command */
    char **argv;
    bool literal; /* a ':' among these is a word as any, since "--" was before them */
    /* The job is an instance, and the command its program, with SCRIPT (or NULL) for the first word, and the
     * options of --instance-opt: see hbatch_jobspec_set_instance. */
    bool instance;
    const char *script;
    const char **instance_opts;
    size_t ninstance_opts;
    json_object **confs; /* whose texts are some of these */
    size_t nconfs;
    char *dump;        /* another one of these, or NULL */
    char *idle_return; /* another one of these, or NULL */
};

/* Take option O with VALUE if it is one of these. */
bool specopts_take(struct specopts *s, const struct cli *cli, const struct opt *o,
                   const char *value);
/* For jobs that nobody is attached to, die of --input that names tasks. */
void specopts_check_input(const struct specopts *s, const struct cli *cli);
void specopts_fini(struct specopts *s);
/* The job specification, or NULL with err set; as specopts_encode. */
json_object *specopts_build(const struct specopts *s, struct cli *cli,
                            const struct cmd *cmd, const char *cc, struct error *err);
/* The job specification; "{cc}" in values and command is replaced by CC unless it is NULL. */
json_object *specopts_encode(const struct specopts *s, struct cli *cli,
                             const struct cmd *cmd, const char *cc);
/* Whether "{cc}" in it must be replaced before it is submitted: executors do so in arguments of the command, in
 * values of the environment, and in names of output files (template.h), so that these may be of one array. */
bool specopts_needs_cc(const struct specopts *s);
bool specopts_text_has_cc(const char *text);
/* TEXT with "{cc}" (but not "{{cc}}") replaced; new. */
char *specopts_replace_cc(const char *text, const char *cc);

#endif
