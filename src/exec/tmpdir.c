/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/path.h"
#include "src/common/util.h"

#define MODE 0700
#define RECENT 0.1      /* s: one job after the other needs no second look between them */
#define UNTOUCHED 86400 /* modification time, seconds since the epoch: nobody's now */

struct tmpdir {
    struct tmpdir *next;
    char *path;
    double checked; /* monotonic time of the last look */
    bool dirty;     /* something is left in it */
};

struct tmpdirs {
    char *base;
    struct tmpdir *unused;
    unsigned count;
    bool dirty; /* one of UNUSED is */
};

struct tmpdirs *tmpdirs_create(const char *rundir, unsigned rank)
{
    struct tmpdirs *t = xcalloc(1, sizeof(*t));
    t->base = xasprintf("%s/jobtmp-%u", rundir, rank);
    path_remove_tree(t->base);
    return t;
}

static void free_dir(struct tmpdir *d)
{
    free(d->path);
    free(d);
}

void tmpdirs_destroy(struct tmpdirs *t)
{
    if (!t)
        return;
    while (t->unused) {
        struct tmpdir *d = t->unused;
        t->unused = d->next;
        free_dir(d);
    }
    path_remove_tree(t->base);
    free(t->base);
    free(t);
}

static int make(struct tmpdirs *t, const char *path, struct error *err)
{
    const struct timespec times[2] = {{.tv_sec = UNTOUCHED}, {.tv_sec = UNTOUCHED}};
    if (mkdir(path, MODE) < 0 &&
        (errno != ENOENT || (mkdir(t->base, MODE) < 0 && errno != EEXIST) ||
         mkdir(path, MODE) < 0))
        return error_set(err, errno, "job directory %s: %s", path, strerror(errno));
    utimensat(AT_FDCWD, path, times, 0);
    return 0;
}

static bool untouched(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0 && st.st_mode == (S_IFDIR | MODE) &&
           st.st_mtim.tv_sec == UNTOUCHED && st.st_mtim.tv_nsec == 0;
}

struct tmpdir *tmpdir_get(struct tmpdirs *t, struct error *err)
{
    struct tmpdir *d = t->unused;
    if (d) {
        t->unused = d->next;
        d->dirty = false;
    } else {
        d = xcalloc(1, sizeof(*d));
        d->path = xasprintf("%s/%u", t->base, t->count++);
    }
    if (d->checked > 0 && time_mono() - d->checked < RECENT)
        return d;
    if (untouched(d->path))
        return d;
    path_remove_tree(d->path);
    if (make(t, d->path, err) == 0)
        return d;
    free_dir(d);
    return NULL;
}

void tmpdir_put(struct tmpdirs *t, struct tmpdir *d)
{
    if (!d)
        return;
    d->checked = time_mono();
    if (!untouched(d->path)) {
        /* what a job leaves does not stay until the next needs the place */
        path_remove_tree(d->path);
        d->checked = 0;
        d->dirty = access(d->path, F_OK) == 0;
        t->dirty |= d->dirty;
    }
    d->next = t->unused;
    t->unused = d;
}

bool tmpdirs_clean(struct tmpdirs *t)
{
    if (!t->dirty)
        return true;
    t->dirty = false;
    for (struct tmpdir *d = t->unused; d; d = d->next) {
        if (d->dirty)
            path_remove_tree(d->path);
        d->dirty = d->dirty && access(d->path, F_OK) == 0;
        t->dirty |= d->dirty;
    }
    return !t->dirty;
}

const char *tmpdir_path(const struct tmpdir *d)
{
    return d->path;
}
