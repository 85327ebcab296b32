/* SPDX-License-Identifier: BSD-3-Clause */
/* netlock: whether locks on files are seen by other hosts.  Most network file systems have them, but may be mounted so that
 * they are this host's affair alone; then two hosts could take the same file. */
#ifndef HBATCH_COMMON_NETLOCK_H
#define HBATCH_COMMON_NETLOCK_H

#include <sys/types.h>

/* Why locks on files of device DEV are not, by the text of a mountinfo file (proc(5)): "it is on nfs, mounted with nolock";
 * new, or NULL: they are, or that is not known. */
char *netlock_doubt(const char *mountinfo, dev_t dev);
/* The same of the file system that PATH is on. */
char *netlock_doubt_of(const char *path);

#endif
