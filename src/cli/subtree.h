/* SPDX-License-Identifier: BSD-3-Clause */
/* subtree: the instances that run as jobs, asked one after another: jobs -R, pstree. */
#ifndef HBATCH_CLI_SUBTREE_H
#define HBATCH_CLI_SUBTREE_H

#include "src/cli/cli.h"
#include "src/common/strbuf.h"

/* Which could not be asked. */
struct subtree {
    struct strbuf hosts; /* of those on other hosts, with commas */
    struct strbuf silent;
};

/* Whether JOB (of job.list) is an instance that runs. */
bool subtree_is_instance(json_object *job);
/* Connect to it; VIA: the URI of the instance that has JOB.  NULL: it ended meanwhile, or cannot be asked from
 * here. */
struct hbatch *subtree_open(struct subtree *s, const char *via, json_object *job);
/* The same; NULL with err set. */
struct hbatch *subtree_connect(const char *via, json_object *job, struct error *err);
/* A request's result, a new reference; NULL: there is no (useful) answer. H is of JOB. */
json_object *subtree_call(struct subtree *s, const struct cli *cli, struct hbatch *h,
                          json_object *job, const char *method, json_object *params);
/* Say on stderr, once for all, which could not be asked; and forget them. */
void subtree_tell(struct subtree *s, const struct cli *cli);

#endif
