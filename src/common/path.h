/* SPDX-License-Identifier: BSD-3-Clause */
/* path: where the parts of hbatch lie, and directories of its own. */
#ifndef HBATCH_COMMON_PATH_H
#define HBATCH_COMMON_PATH_H

#include "src/common/error.h"

/* The path of the part NAME ("hbatch-exec", "hbatch_mpi.so"): beside the running program (the
 * build tree; libtool keeps modules in .libs there), else where it was installed.  The caller
 * frees; NULL with err set names the places that were looked at. */
char *path_find_sibling(const char *name, struct error *err);

/* Make a directory PREFIXXXXXXX in $TMPDIR or /tmp, mode 0700; its path, the caller frees. */
char *path_make_tmpdir(const char *prefix, struct error *err);
/* The same in the directory BASE. */
char *path_make_below(const char *base, const char *prefix, struct error *err);

/* DIR, mode 0700: made, or there already and this user's own; a symbolic link is refused.
 * -1 with err set. */
int path_make_private(const char *dir, struct error *err);

/* Remove DIR and everything below it; of symbolic links those of path_make_away alone are followed. */
void path_remove_tree(const char *dir);
/* A new directory in TMPDIR for what belongs into OWNER, whose path is too long; a link there tells
 * path_remove_tree of it.  To be freed. */
char *path_make_away(const char *owner, struct error *err);

#endif
