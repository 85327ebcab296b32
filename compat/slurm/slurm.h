/* SPDX-License-Identifier: BSD-3-Clause */
/* slurm: what the commands of Slurm have in common.  Each is a function of main.c's table, which makes requests of an
 * instance of hbatch, or becomes hbatch, and prints what Slurm 22.05 would.
 *
 * Which instance: that of HBATCH_URI, but in a job that sbatch or salloc made, which is an instance itself, the one
 * that it was submitted to, as Slurm knows one cluster; srun alone means the job's own. */
#ifndef HBATCH_COMPAT_SLURM_H
#define HBATCH_COMPAT_SLURM_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>
#include "src/common/error.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/lib/client.h"

#define SLURM_PARTITION "hbatch" /* of jobs without a queue */
#define SLURM_CLUSTER "hbatch"
/* HBATCH_INSTANCE_LEVEL of the job that our SLURM_* variables are about. */
#define SLURM_LEVEL_NAME "HBATCH_SLURM_LEVEL"

struct slurm {
    const char *me; /* "squeue" */
    struct hbatch *h;
};

/* "squeue: error: TEXT" on stderr. */
void slurm_error(const struct slurm *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* slurm_error, and the end with exit code 1. */
void slurm_die(const struct slurm *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* Whether this process is in a job of sbatch or salloc. */
bool slurm_in_job(void);
/* The connection to the cluster; the first call makes it. */
struct hbatch *slurm_connect(struct slurm *s);
/* A request's result, a new reference, or NULL with err set. PARAMS is taken over. */
json_object *slurm_ask(struct slurm *s, const char *method, json_object *params,
                       struct error *err);
/* The same; an error is the end. */
json_object *slurm_call(struct slurm *s, const char *method, json_object *params);

/* Members of JSON objects, and what is said if they are not there. */
const char *slurm_text(json_object *o, const char *key, const char *absent);
double slurm_number(json_object *o, const char *key, double absent);
/* {"KEY":N} */
json_object *slurm_params(const char *key, uint64_t n);

/* A whole number, or the end with a message about OPTION. */
long slurm_parse(const struct slurm *s, const char *option, const char *text, long least);
/* Whether TEXT is one of LIST, "A,B". */
bool slurm_listed(const char *list, const char *text);
/* Flush stdout, so that a full disk is noticed; EXIT. */
int slurm_finish(const struct slurm *s, int exit_code);

/* The commands. */
int cmd_sbatch(struct slurm *s, int argc, char **argv);
int cmd_srun(struct slurm *s, int argc, char **argv);
int cmd_salloc(struct slurm *s, int argc, char **argv);
int cmd_squeue(struct slurm *s, int argc, char **argv);
int cmd_scancel(struct slurm *s, int argc, char **argv);
int cmd_sacct(struct slurm *s, int argc, char **argv);
int cmd_scontrol(struct slurm *s, int argc, char **argv);
int cmd_sinfo(struct slurm *s, int argc, char **argv);
int cmd_sacctmgr(struct slurm *s, int argc, char **argv);
int cmd_sstat(struct slurm *s, int argc, char **argv);
/* In a job: make Slurm's environment, and become the program.  ARGV: output, error, input, mode of opening ("-": none),
 * the program and its words. */
int slurm_inside(struct slurm *s, int argc, char **argv);

#endif
