/* SPDX-License-Identifier: BSD-3-Clause */
/* room: whether files can be made in a directory. */
#ifndef HBATCH_COMMON_ROOM_H
#define HBATCH_COMMON_ROOM_H

#include "src/common/error.h"

/* Less than this is a full disk, KiB and files. */
#define ROOM_KIB 1024
#define ROOM_FILES 16

/* Something can be written in DIR, and its disk is not full.  WHAT tells in the error what the
 * directory is ("the run directory"), REMEDY what to do. */
int room_check(const char *dir, const char *what, const char *remedy, struct error *err);
/* The same of the directory for temporary files: TMPDIR, or /tmp. */
int room_check_tmpdir(struct error *err);

#endif
