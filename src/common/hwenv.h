/* SPDX-License-Identifier: BSD-3-Clause */
/* hwenv: what this node has not, told to MPI libraries (of tasks, and of ranks), so that each of them
 * need not look for it again.
 *
 * The greatest part of an MPI program's start on one node is hwloc's search for I/O devices
 * in each task: reading the PCI configuration (slow in virtual machines), asking for X
 * displays and OpenCL platforms, and loading the libraries for that.  On a node without GPUs
 * and high-speed network that finds nothing that an MPI library makes use of. */
#ifndef HBATCH_COMMON_HWENV_H
#define HBATCH_COMMON_HWENV_H

#include <stdbool.h>

struct hwenv { /* {0}: the node was not looked at yet */
    bool looked, gpu, fabric;
};

/* Is there a device that MPI's network transports (psm, psm2, ofi, ucx) could use? */
bool hwenv_has_fabric(void);

/* Add HWLOC_* variables: defaults, what the user has set goes over them. */
void hwenv_add(struct hwenv *hw, void (*envadd)(void *arg, char *kv), void *arg);

#endif
