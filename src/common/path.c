/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/path.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
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

/* --- trees ------------------------------------------------------------------------------------ */

/* Names of a directory that is away, and of the link to it: with the same end. */
#define LINK_PREFIX ".hbatch-away-"
#define AWAY_PREFIX "hbatch-"
enum { TRIES = 100, END_LEN = 6 };

/* Six letters and digits, hardly used before. */
static void make_end(char end[END_LEN + 1])
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    unsigned char bytes[END_LEN];
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (unsigned char)rand();
    for (size_t i = 0; i < END_LEN; i++)
        end[i] = letters[bytes[i] % (sizeof(letters) - 1)];
    end[END_LEN] = '\0';
}

/* The link comes first: at no time is there a directory of which nothing tells. */
char *path_make_away(const char *owner, struct error *err)
{
    const char *base = getenv("TMPDIR");
    if (!base || !*base)
        base = "/tmp";
    for (int i = 0; i < TRIES; i++) {
        char end[END_LEN + 1];
        make_end(end);
        cleanup_free char *link = xasprintf("%s/" LINK_PREFIX "%s", owner, end);
        cleanup_free char *dir = xasprintf("%s/" AWAY_PREFIX "%s", base, end);
        if (symlink(dir, link) < 0 && errno != EEXIST)
            return error_null(err, errno, "cannot make the link %s: %s", link,
                              strerror(errno));
        if (mkdir(dir, 0700) == 0) {
            if (access(link, F_OK) == 0)
                return take(dir);
            rmdir(dir);
            return error_null(err, ENOENT, "the directory %s was removed meanwhile",
                              owner);
        }
        int error = errno;
        unlink(link);
        if (error != EEXIST)
            return error_null(err, error, "cannot make the directory %s: %s", dir,
                              strerror(error));
    }
    return error_null(err, EEXIST, "cannot find a new name for a directory in %s", base);
}

/* PATH is a link to a directory that is away: remove that. */
static void remove_away(const char *path, const char *name)
{
    char dir[4096];
    struct stat st;
    ssize_t n = readlink(path, dir, sizeof(dir) - 1);
    if (n <= 0)
        return;
    dir[n] = '\0';
    const char *base = strrchr(dir, '/'), *end = name + sizeof(LINK_PREFIX) - 1;
    if (dir[0] == '/' && strncmp(base + 1, AWAY_PREFIX, sizeof(AWAY_PREFIX) - 1) == 0 &&
        strcmp(base + sizeof(AWAY_PREFIX), end) == 0 && strlen(end) == END_LEN &&
        lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid())
        path_remove_tree(dir);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    const char *name = path + ftw->base;
    (void)st;
    if (type == FTW_SL && strncmp(name, LINK_PREFIX, sizeof(LINK_PREFIX) - 1) == 0) {
        remove_away(path, name);
        if (access(path, F_OK) == 0) /* something is left, which the next try will find */
            return 0;
    }
    remove(path);
    return 0;
}

void path_remove_tree(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}
