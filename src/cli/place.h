/* SPDX-License-Identifier: BSD-3-Clause */
/* place: where an instance's socket is: on which host, and at which path. */
#ifndef HBATCH_CLI_PLACE_H
#define HBATCH_CLI_PLACE_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/common/error.h"

struct place {
    char *host; /* [USER@]HOST[:PORT]; NULL: this one */
    char *path;
    char *relay; /* elsewhere: the URI by which it may be asked from here, or NULL */
};

void place_fini(struct place *p);
/* From local://PATH or ssh://[USER@]HOST[:PORT]/PATH; ssh:// and this host alone is local. -1 with err set: it is
 * neither. */
int place_decode(const char *uri, struct place *p, struct error *err);
/* Of the instance that JOB (of job.list) runs, which has told its URI (false: it has not).  It is here
 * if the socket that it told of is, or that of another of its ranks beside it; else on the first
 * of the job's nodes. */
bool place_of_job(json_object *job, struct place *p);
/* That has JOB is the instance at VIA, which is connected to: one on another host may be reached by it. */
void place_relay(struct place *p, const char *via, json_object *job);
/* New text: local://PATH; REMOTE: ssh://HOST/PATH, with this host's name for one that is here. */
char *place_uri(const struct place *p, bool remote);
/* Whether HOST is this one, with or without its domain. */
bool place_is_here(const char *host);

#endif
