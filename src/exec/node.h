/* SPDX-License-Identifier: BSD-3-Clause */
/* node: what the rank's "init" message tells the executor of its instance and its node. */
#ifndef HBATCH_EXEC_NODE_H
#define HBATCH_EXEC_NODE_H

#include <stdbool.h>
#include <hwloc/bitmap.h>
#include <json-c/json.h>
#include "src/common/error.h"

struct node_gpu {
    char *env;           /* variable that makes it visible: CUDA_VISIBLE_DEVICES */
    char *value;         /* what goes there */
    hwloc_bitmap_t near; /* PUs, or NULL */
};

struct node {
    char *instance, *host, *uri, *parent_uri; /* parent_uri may be NULL */
    char *rundir;
    uint64_t output_limit; /* bytes that are kept of it (spool.h); 0: all */
    char *spool; /* where output is to be captured, NULL: in the run directory */
    unsigned rank, size, level, universe;
    bool bind, own_rundir;
    double orphan; /* seconds that the executor waits for a rank; NAN: not told */
    unsigned ncores;
    hwloc_bitmap_t *pus; /* [ncores] PUs of each logical core */
    unsigned ngpus;
    struct node_gpu *gpus; /* [ngpus], by logical id */
    json_object *init;
};

/* NULL with err set when the message is not valid. */
struct node *node_decode(json_object *init, struct error *err);
void node_destroy(struct node *node); /* NULL is allowed */

#endif
