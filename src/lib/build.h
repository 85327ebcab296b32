/* SPDX-License-Identifier: BSD-3-Clause */
/* build: the inside of struct hbatch_jobspec: what jobspec_build.c collects, jobspec_encode.c
 * makes the specification of (jobspec_instance.c where the job is an instance), and build_parse.c
 * understands of single options. */
#ifndef HBATCH_LIB_BUILD_H
#define HBATCH_LIB_BUILD_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/common/error.h"
#include "src/job/count.h"
#include "src/lib/hbatch.h"

/* A program after the first one.  What it does not say of its slots is as the job has it. */
struct build_program {
    json_object *command;
    unsigned ntasks, cores, gpus;
    uint64_t mem_per_core;
    bool have_cores, have_gpus, have_mem;
    char *cwd;              /* or NULL: the job's */
    json_object *env_rules; /* on top of the job's, or NULL */
};

struct hbatch_jobspec {
    json_object *command;
    struct count nodes;
    unsigned ntasks, cores_per_task, gpus_per_task;
    unsigned cores, tasks_per_node, tasks_per_core, gpus_per_node;
    bool have_nodes, have_ntasks, have_cores_per_task, have_gpus_per_task;
    bool have_cores, have_tasks_per_node, have_tasks_per_core, have_gpus_per_node;
    uint64_t mem, mem_per_core; /* bytes; 0: not asked for */
    bool exclusive, contiguous, label_io, unbuffered;
    double duration;
    char *name, *queue, *bank, *placement, *cwd, *input, *output, *error;
    json_object *resources;                    /* of --resources, or NULL */
    json_object *shell;                        /* shell options that are known already */
    json_object *dependencies;                 /* RFC 26 array, or NULL */
    json_object *requires;                     /* array of RFC 31 constraints, or NULL */
    json_object *rlimits;                      /* NULL: the default ones */
    json_object *env_rules, *setopt, *setattr; /* arrays of texts, or NULL */
    struct build_program *programs;            /* of an MPMD job but the first */
    size_t nprograms;
    json_object *instance; /* hbatch-instance and its options, or NULL: no sub-instance */
    json_object *
        script; /* its program, an RFC 37 file in place of the command's first word, or NULL */
    json_object *files; /* that go along: RFC 37, by name; or NULL */
    json_object *unfit; /* names of variables left out: they are not UTF-8; or NULL */
};

/* As the functions of hbatch.h. */
int build_set(struct hbatch_jobspec *b, const char *option, const char *value,
              struct error *err);
int build_add_program(struct hbatch_jobspec *b, int argc, const char *const *argv,
                      unsigned ntasks, const char *const *env_rules, const char *cwd,
                      struct error *err);
int build_set_program(struct hbatch_jobspec *b, const char *option, const char *value,
                      struct error *err);
int build_set_instance(struct hbatch_jobspec *b, int noptions, const char *const *options,
                       const char *script, struct error *err);
/* The specification as a new object. */
json_object *build_encode(struct hbatch_jobspec *b, struct error *err);

#define BUILD_SCRIPT_MAX (1u << 20) /* bytes: the script is in the job's specification */
/* Whether the LEN bytes of TEXT can be run as a script: "#!" and an interpreter, UTF-8, no byte 0.  The error's code
 * is ENOEXEC when "#!" alone is missing. */
int build_check_script(const char *text, size_t len, struct error *err);
/* For jobspec_encode.c, of a job that is an instance: the command, a new array; the rest. */
json_object *build_instance_command(const struct hbatch_jobspec *b);
void build_instance_attributes(const struct hbatch_jobspec *b, json_object *system,
                               json_object *shell);

/* The job's environment, over which programs have their own rules. */
struct build_env {
    json_object *variables, *expand; /* expand: templates by name, or NULL */
};

/* For jobspec_encode.c (jobspec_programs.c): whether the programs ask for different things, and so need slots of their
 * own; and if so, the resources (an array), and the entries of tasks. */
bool build_programs_differ(const struct hbatch_jobspec *b);
json_object *build_programs_resources(const struct hbatch_jobspec *b, struct error *err);
json_object *build_programs_tasks(const struct hbatch_jobspec *b,
                                  const struct build_env *env, struct error *err);
/* Else: the option apps, and how many tasks there are in all. */
json_object *build_programs_apps(const struct hbatch_jobspec *b,
                                 const struct build_env *env, unsigned *ntasks,
                                 struct error *err);
/* Resource vertices: OF a type, with children (an array, or NULL), which is taken over; memory. */
json_object *build_vertex(const char *type, json_object *count, json_object *with);
json_object *build_memory(uint64_t bytes);
json_object *build_slot(const char *label, unsigned count, unsigned cores, unsigned gpus,
                        uint64_t memory);
/* The job's nodes, with what is on each, an array that is taken over: slots, and memory if it was asked for. */
json_object *build_nodes(const struct hbatch_jobspec *b, bool exclusive,
                         json_object *list);
struct envrules;
int build_apply_rules(struct envrules *e, json_object *rules, struct error *err);

/* --add-file: [NAME[:PERMS]=]FILE, or NAME[:PERMS]=TEXT if that has a newline (jobspec_files.c). */
int build_add_file(struct hbatch_jobspec *b, const char *text, struct error *err);
/* For jobspec_encode.c: those files into attributes.system. */
void build_files(const struct hbatch_jobspec *b, json_object *system);

/* ROOT.a.b.c = VALUE, which is taken over; objects between are made. */
int build_path_set(json_object *root, const char *path, json_object *value,
                   struct error *err);
/* "KEY", "KEY=VALUE" or "^KEY=FILE" to a new key and value: JSON where VALUE is JSON, else a
 * string; 1 without one. */
int build_keyval(const char *text, char **key, json_object **value, struct error *err);
/* "SCHEME:VALUE?KEY=VAL&..." to RFC 26. */
json_object *build_dependency(const char *text, struct error *err);
/* "[SIG][@TIME]" to {"signum","timeleft"}. */
json_object *build_signal(const char *text, struct error *err);
/* "+DURATION", "YYYY-MM-DD[ HH:MM[:SS]]", "HH:MM[:SS]" (the next one) or seconds since the
 * epoch; NOW likewise. */
int build_begin_time(const char *text, double now, double *t, struct error *err);
/* RFC 46 shape; a slot that is given no label is "default". */
json_object *build_shape(const char *text, struct error *err);
/* The label of the first slot in RESOURCES, whose tasks a job's are; NULL: there is no slot. */
const char *build_slot_label(json_object *resources);
/* Signal number of "10", "USR1" or "SIGUSR1"; -1 with err. */
int build_signal_number(const char *text, struct error *err);

#endif
