/* SPDX-License-Identifier: BSD-3-Clause */
/* detect: does a program want PMIx, or PMI, to start?  Asked of the file, so that plain programs
 * cost nothing: which libraries an ELF file needs, which interpreter a script names. */
#ifndef HBATCH_EXEC_DETECT_H
#define HBATCH_EXEC_DETECT_H

#include <stdbool.h>

struct detect_result {
    unsigned kinds; /* mask of enum pmi_kind that the program surely wants */
    bool maybe; /* it may load or start an MPI program: scripts, interpreters, wrappers */
};

struct detect; /* what was found, by file identity */

struct detect *detect_create(void);
void detect_destroy(struct detect *d); /* NULL is allowed */

/* Which bootstraps to offer the program PATH with words ARGV, in a job of NTASKS tasks: for one
 * task what it surely wants; for several, everything where it may want something.  PATH_LIST is
 * the PATH along which a wrapper's program is looked for (may be NULL), CWD its directory. */
unsigned detect_kinds(struct detect *d, const char *path, char *const *argv,
                      unsigned ntasks, const char *path_list, const char *cwd);

/* One file, cached by device, inode, size and time of change. */
struct detect_result detect_file(struct detect *d, const char *path);

/* What a library's name (DT_NEEDED, or its path) says: a mask, or -1: unknown, look further. */
int detect_library(const char *name);

#endif
