/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/room.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include "src/common/util.h"

enum { PROBE = 4096 };

/* What statvfs cannot know of: quotas, servers that refuse. */
static int probe(const char *dir)
{
    static const char data[PROBE] = "hbatch";
    cleanup_free char *path = xasprintf("%s/.probe-XXXXXX", dir);
    cleanup_close int fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -1;
    int code = write_all(fd, data, sizeof(data)) < 0 ? errno : 0;
    unlink(path);
    errno = code;
    return code ? -1 : 0;
}

int room_check(const char *dir, const char *what, const char *remedy, struct error *err)
{
    struct statvfs fs;
    if (probe(dir) < 0)
        return error_set(err, errno, "cannot write in %s %s: %s; %s", what, dir,
                         strerror(errno), remedy);
    if (statvfs(dir, &fs) < 0)
        return 0;
    unsigned long long kib = (unsigned long long)fs.f_bavail * fs.f_frsize / 1024;
    if (fs.f_blocks > 0 && kib < ROOM_KIB)
        return error_set(err, ENOSPC,
                         "the disk of %s %s is full: %llu KiB are free, %d are needed; "
                         "free some, or %s",
                         what, dir, kib, ROOM_KIB, remedy);
    if (fs.f_files > 0 && fs.f_favail < ROOM_FILES)
        return error_set(err, ENOSPC,
                         "the disk of %s %s has room for %llu more files, %d are needed; "
                         "remove some, or %s",
                         what, dir, (unsigned long long)fs.f_favail, ROOM_FILES, remedy);
    return 0;
}

int room_check_tmpdir(struct error *err)
{
    const char *dir = getenv("TMPDIR");
    bool given = dir && *dir;
    return room_check(given ? dir : "/tmp", given ? "TMPDIR" : "the directory",
                      "set TMPDIR to a directory elsewhere", err);
}
