/* SPDX-License-Identifier: BSD-3-Clause */
/* spawn_info: what a request of MPI_Comm_spawn says of the job beside its programs: the keys of its MPI_Info,
 * hbatch-spawn(7).
 *
 * They come as keys of the request or of a program ("hbatch_nodes", "soft", ...), and, from MPIs that drop keys
 * which they do not know, as variables of a program's environment ("HBATCH_SPAWN_NODES"). */
#ifndef HBATCH_INSTANCE_SPAWN_INFO_H
#define HBATCH_INSTANCE_SPAWN_INFO_H

#include <stdbool.h>
#include <hwloc/bitmap.h>
#include <json-c/json.h>
#include "src/common/error.h"

#define SPAWN_PREFIX "HBATCH_SPAWN_"

struct spawn_info {
    unsigned nodes;       /* 0: as many as it takes */
    unsigned cores, gpus; /* of each task */
    bool exclusive;
    double time_limit;   /* seconds, 0: none */
    int urgency;         /* -1: not said */
    json_object *name;   /* strings, or NULL */
    json_object *output; /* files */
    json_object *error;
    json_object *requires; /* RFC 31, or NULL */
    json_object *hosts;    /* array of names, or NULL */
    unsigned per_node;     /* tasks, 0: not said */
};

/* Of one program. */
struct spawn_program {
    json_object *path; /* where it is looked for; a string, or NULL */
    hwloc_bitmap_t
        soft; /* numbers of tasks that will do, at most maxprocs; NULL: that number */
};

/* Add what the keys in INFO (an object, or NULL) say, and what the variables SPAWN_PREFIX* in ENV (or NULL) do; these
 * are taken out of it.  P: of a program of at most MAXPROCS tasks, or NULL: keys of the whole request.  -1 with err
 * set: names the key and the value. */
int spawn_info_add(struct spawn_info *s, struct spawn_program *p, json_object *info,
                   json_object *env, unsigned maxprocs, struct error *err);
void spawn_info_fini(struct spawn_info *s);
void spawn_program_fini(struct spawn_program *p);

/* Numbers of tasks: MPI's "1:8", "2:16:2", "1,2,4" or RFC 14's "1-8", "2-16:2:*", of those up to MAXPROCS.  NULL with
 * err set. */
hwloc_bitmap_t spawn_soft_decode(const char *text, unsigned maxprocs, struct error *err);

#endif
