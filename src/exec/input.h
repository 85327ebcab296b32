/* SPDX-License-Identifier: BSD-3-Clause */
/* input: stdin of tasks that comes as messages, with bounded memory: the sender keeps at most
 * INPUT_CREDIT bytes in flight, and is told (stdinack) how much was taken.  A chunk counts as
 * taken when every task it is for has taken it, or is gone. */
#ifndef HBATCH_EXEC_INPUT_H
#define HBATCH_EXEC_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <json-c/json.h>
#include "src/common/error.h"

#define INPUT_CREDIT (1u << 20)
#define INPUT_MAX (16u << 20) /* what is kept of a sender that ignores the credit */

struct input;
struct job;
struct task;

/* stdin of TASK as its job's options say: *FD to be given to the task and closed, -1: /dev/null. */
int input_for_task(struct job *job, const struct task *task, int *fd, struct error *err);
/* The task is gone. */
void input_task_ended(struct job *job, const struct task *task);
void input_destroy(struct job *job);

/* A stdin message for JOB. */
void input_message(struct job *job, json_object *msg);

#endif
