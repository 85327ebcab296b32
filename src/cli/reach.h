/* SPDX-License-Identifier: BSD-3-Clause */
/* reach: which hosts cannot be reached, asked when mpirun has failed, which names the first at
 * best. */
#ifndef HBATCH_CLI_REACH_H
#define HBATCH_CLI_REACH_H

#include "src/common/hostlist.h"

/* Run "AGENT HOST true" for all HOSTS at once (AGENT may have options, separated by blanks), and
 * tell, on stderr, a line for each that does not answer in time.  Return how many. */
size_t reach_check(const struct hostlist *hosts, const char *agent);

#endif
