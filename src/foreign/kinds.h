/* SPDX-License-Identifier: BSD-3-Clause */
/* kinds: the descriptions, each in its own file, for foreign.c's table. */
#ifndef HBATCH_FOREIGN_KINDS_H
#define HBATCH_FOREIGN_KINDS_H

#include "src/foreign/foreign.h"

extern const struct foreign_kind foreign_slurm, foreign_lsf, foreign_pbs, foreign_sge,
    foreign_hosts, foreign_standalone;

#endif
