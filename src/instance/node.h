/* SPDX-License-Identifier: BSD-3-Clause */
/* node: what this node has, by hwloc: the part of R that a rank brings along. */
#ifndef HBATCH_INSTANCE_NODE_H
#define HBATCH_INSTANCE_NODE_H

#include <json-c/json.h>
#include "src/common/error.h"
#include "src/instance/options.h"
#include "src/job/rset.h"

/* Look at this node.  Cores are those that this process may use: of the node's allowed set,
 * less what a binding excludes; the binding that an MPI launcher put on its rank is undone
 * first (UNBIND), which leaves that of the launcher itself.  With --topology the description is taken instead.
 *
 * Return {"host":S, "cores":[CPUSET of each logical core], "gpus":[{"id","vendor","env","value","cpus"?}],
 * "numa":[CPUSET]?,
 * "memory":BYTES,
 * "properties":[S], "bind":bool, "version":S} (a new reference), or NULL with err set. */
json_object *node_discover(const struct options *options, unsigned rank, bool unbind,
                           struct error *err);
/* The same for a rank of a sub-instance, whose share of the node was told: TOLD has host, cores, gpus, bind
 * and virtual, and is taken over. */
json_object *node_told(json_object *told);

/* In its place on a rank that cannot take part: {"host", "version", "error":WHY}. */
json_object *node_unusable(const struct options *options, unsigned rank, const char *why);

/* R of the instance: every node with all its cores, GPUs and properties, by logical id.  NODES: what
 * node_discover gave on each of the SIZE ranks. */
struct rset *node_resources(json_object **nodes, unsigned size);

/* "rank RANK (HOST)", for messages. */
struct node_name {
    char text[280];
};
struct node_name node_name(json_object **nodes, unsigned rank);

#endif
