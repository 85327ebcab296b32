/* SPDX-License-Identifier: BSD-3-Clause */
/* compatenv: variables by which programs that were written for another system know where they are.
 *
 * Who asked for them (hbatch env --compat=NAME) has HBATCH_COMPAT=NAME,... in the environment, and so have the
 * jobs that are submitted there.  Their tasks, and the programs of instances, then find what hbatch says of them
 * under the other system's names, too. */
#ifndef HBATCH_COMMON_COMPATENV_H
#define HBATCH_COMMON_COMPATENV_H

#include <stdbool.h>
#include <stddef.h>

#define COMPATENV_NAME "HBATCH_COMPAT"

struct compat_variable {
    const char *theirs, *ours;
};

/* Whether SYSTEM is one of the names in COMPAT, the value of HBATCH_COMPAT (NULL: it is not set). */
bool compatenv_has(const char *compat, const char *system);
/* The variables that COMPAT asks for, *N of them. */
const struct compat_variable *compatenv_variables(const char *compat, size_t *n);

#endif
