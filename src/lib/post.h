/* SPDX-License-Identifier: BSD-3-Clause */
/* post: requests that nobody waits for, and what they and their streams tell, gathered as one JSON text: the inside of
 * hbatch_post, hbatch_post_submit, hbatch_post_follow and hbatch_take (hbatch.h).
 *
 * Submissions leave in their order, POST_WINDOW of them without an answer; what they share is sent once: an
 * environment goes along with the first submission that has it, whose answer names it, and by that name with the
 * others, which wait for the answer; and those that follow each other and differ in the words of their command only
 * go together (job.submit with attributes.system.bulk), unless the instance refuses them so. */
#ifndef HBATCH_LIB_POST_H
#define HBATCH_LIB_POST_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/common/error.h"
#include "src/lib/hbatch.h"

enum { POST_WINDOW = 2048 }; /* jobs */

struct posts;

struct posts *posts_create(struct hbatch *h);
void posts_destroy(struct posts *p); /* NULL is allowed */

/* PARAMS is taken over. */
void posts_call(struct posts *p, uint64_t tag, const char *method, json_object *params);
/* -1 with err set: JOBSPEC or OPTIONS->environment is no JSON object. */
int posts_submit(struct posts *p, uint64_t tag, const char *jobspec,
                 const struct hbatch_submit *options, int tell, struct error *err);
void posts_follow(struct posts *p, uint64_t tag, hbatch_jobid first, uint64_t count,
                  int tell);
/* What was posted is to leave: called before anything is sent. */
void posts_gathered(struct posts *p);
/* Nothing more is told under TAG.  A submission that was not sent yet is not sent. */
void posts_forget(struct posts *p, uint64_t tag);
/* Whether the submission TAG was not sent yet: then it is forgotten. */
bool posts_take_back(struct posts *p, uint64_t tag);
const char *posts_take(struct posts *p, size_t *len);

#endif
