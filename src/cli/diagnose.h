/* SPDX-License-Identifier: BSD-3-Clause */
/* diagnose: why ranks did not start on other hosts, told host by host.  mpirun, which has failed,
 * names the first of them at best, on a page. */
#ifndef HBATCH_CLI_DIAGNOSE_H
#define HBATCH_CLI_DIAGNOSE_H

#include <stdio.h>
#include "src/common/error.h"
#include "src/common/hostlist.h"

/* How a host is asked: "ssh %h true": %h is the host, the last word what is run there, blanks
 * separate the words.  Its first word can be run; else an error that tells the remedy. */
int diagnose_agent(const char *ask, struct error *err);

/* Ask all HOSTS at once, and write a line on each that cannot be reached; if all can, on each
 * that lacks INSTANCE (a path); if none does, on each that lacks DAEMON, mpirun's, in its PATH
 * (NULL: that is not asked).  Return the number of lines. */
size_t diagnose_hosts(FILE *out, const struct hostlist *hosts, const char *ask,
                      const char *instance, const char *daemon);

#endif
