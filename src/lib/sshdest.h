/* SPDX-License-Identifier: BSD-3-Clause */
/* sshdest: an instance on another host: ssh://[USER@]HOST[:PORT]/PATH, and how ssh goes there. */
#ifndef HBATCH_LIB_SSHDEST_H
#define HBATCH_LIB_SSHDEST_H

#include <stdbool.h>
#include "src/common/error.h"

#define SSHDEST_SCHEME "ssh://"

struct sshdest {
    char
        *name; /* [USER@]HOST, as ssh takes it: without the brackets of an IPv6 address */
    char *host; /* HOST alone; points into name */
    char *port; /* NULL: not given */
    char *path; /* of the socket, and what may follow it */
};

/* -1 with err set: it is none, or one that ssh would take for something else. */
int sshdest_decode(const char *uri, struct sshdest *d, struct error *err);
void sshdest_fini(struct sshdest *d);
/* Whether this is the place: neither another user nor a port was named, and the host is this one. */
bool sshdest_is_here(const struct sshdest *d);
/* Whether HOST is this one, with or without its domain. */
bool sshdest_is_this_host(const char *host);

/* The words that run COMMAND, for a shell, there: a new array with NULL at its end, in one piece.  TERMINAL: the command
 * gets a terminal.  The program is that of HBATCH_SSH, else ssh. */
char **sshdest_words(const struct sshdest *d, bool terminal, const char *command);
/* The hbatch there, new: HBATCH_SSH_RCMD, else the path of the one here. */
char *sshdest_hbatch(void);

#endif
