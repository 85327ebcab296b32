/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/path.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/util.h"

char *path_find_sibling(const char *name, struct error *err)
{
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n < 0)
        return error_null(err, errno, "cannot read /proc/self/exe: %s", strerror(errno));
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    char *places[] = {
        xasprintf("%s/%s", self, name),
        xasprintf("%s/.libs/%s", self, name),
        xasprintf("%s/../libexec/hbatch/%s", self, name),
        xasprintf("%s/../../bin/%s", self, name),
        xasprintf(PKGLIBEXECDIR "/%s", name),
    };
    char *found = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (!found && access(places[i], R_OK) == 0)
            found = take(places[i]);
        free(places[i]);
    }
    if (!found)
        return error_null(err, ENOENT,
                          "%s was found neither in %s nor in %s: is hbatch installed "
                          "completely?",
                          name, self, PKGLIBEXECDIR);
    return found;
}

char *path_make_tmpdir(const char *prefix, struct error *err)
{
    const char *base = getenv("TMPDIR");
    return path_make_below(base && *base ? base : "/tmp", prefix, err);
}

char *path_make_below(const char *base, const char *prefix, struct error *err)
{
    char *dir = xasprintf("%s/%sXXXXXX", base, prefix);
    if (!mkdtemp(dir)) {
        error_set(err, errno, "cannot make the directory %s: %s", dir, strerror(errno));
        free(dir);
        return NULL;
    }
    return dir;
}

int path_make_private(const char *dir, struct error *err)
{
    struct stat st;
    if (mkdir(dir, 0700) == 0)
        return 0;
    if (errno != EEXIST || lstat(dir, &st) < 0)
        return error_set(
            err, errno,
            "cannot make the directory %s: %s; set TMPDIR to a directory that "
            "each host has",
            dir, strerror(errno));
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
        return error_set(err, EPERM,
                         "%s is %s: it must be a directory of this user, with mode 0700",
                         dir,
                         S_ISLNK(st.st_mode)      ? "a symbolic link"
                         : !S_ISDIR(st.st_mode)   ? "no directory"
                         : st.st_uid != geteuid() ? "another user's"
                                                  : "open to others");
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    remove(path);
    return 0;
}

void path_remove_tree(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
