/* SPDX-License-Identifier: BSD-3-Clause */
/* template: mustache tags in command words, output paths and values of the environment.
 *
 *   {{id}} {{jobid}}             job id, F58; {{id.FORM}} with FORM f58, f58plain, dec, hex,
 *                                dothex, kvs, words, emoji
 *   {{name}}                     the job's name
 *   {{size}} {{ntasks}}          tasks in all
 *   {{nnodes}} {{nodelist}}      nodes of the job, their names as a hostlist
 *   {{cc}} {cc}                  the element's value in an array of jobs
 *   {{tmpdir}}                   the job's directory on this node
 *   {{node.id}} {{node.name}}    index of this node in the job, its name
 *   {{node.broker_rank}} {{node.rank}}  this node's rank in the instance
 *   {{node.cores}} {{node.gpus}} {{node.ncores}}  what the job has on this node
 *   {{taskid}} {{task.id}} {{task.rank}}  task rank
 *   {{task.index}} {{task.localid}}       index among the job's tasks on this node
 *
 * A tag that is unknown, or has no value here, stays as it is. */
#ifndef HBATCH_JOB_TEMPLATE_H
#define HBATCH_JOB_TEMPLATE_H

#include <stdbool.h>
#include <stdint.h>

struct template_vars {
    uint64_t id;
    bool ascii_ids; /* F58 with a plain f */
    const char *name, *nodelist, *cc, *tmpdir, *host, *cores, *gpus; /* NULL: no value */
    unsigned size, nnodes, node, node_rank, ncores;
    bool has_task;
    unsigned task, local;
};

/* How often the text of a template differs. */
enum template_scope { TEMPLATE_NONE, TEMPLATE_JOB, TEMPLATE_NODE, TEMPLATE_TASK };

/* The narrowest scope of the tags in TEXT; TEMPLATE_NONE: no known tag at all. */
enum template_scope template_scope(const char *text);

/* TEXT with its tags replaced; the caller frees. */
char *template_render(const char *text, const struct template_vars *vars);

#endif
