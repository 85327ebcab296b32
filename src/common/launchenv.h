/* SPDX-License-Identifier: BSD-3-Clause */
/* launchenv: variables that a launcher (mpirun, srun, mpiexec, an outer hbatch) left in the
 * environment of what it started.  A leak into a nested job makes its MPI fail in ways that
 * take days to find; what users set to tune MPI stays. */
#ifndef HBATCH_COMMON_LAUNCHENV_H
#define HBATCH_COMMON_LAUNCHENV_H

#include <stdbool.h>

/* Whether NAME (ends at its '=' or terminator) is such a variable. */
bool launchenv_is_left(const char *name);
/* Remove them from this process's own environment. */
void launchenv_clean(void);

#endif
