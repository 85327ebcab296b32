/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/statedir.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/log.h"
#include "src/common/netlock.h"
#include "src/common/procid.h"
#include "src/common/util.h"

/* For one that is just leaving. */
#define LOCK_PATIENCE_S 1.0

struct statedir {
    struct statedir_options options;
    char *dir, *lock_path, *store_path;
    int lock;
    bool was_left;
    bool stolen;
    double last_seen;
};

struct holder {
    char host[256], instance[96], rundir[512];
    int pid;
    unsigned long long start;
    int rank;
};

/* --- the lock ------------------------------------------------------------------------------- */

static bool read_holder(const char *path, struct holder *h)
{
    cleanup_free char *text = read_file(path, NULL);
    *h = (struct holder){.rank = -1};
    return text && sscanf(text, "%255s %d %llu %d %95s %511[^\n]", h->host, &h->pid,
                          &h->start, &h->rank, h->instance, h->rundir) == 6;
}

int statedir_last_rank(const char *dir, const char *rundir)
{
    struct holder h;
    cleanup_free char *path = xasprintf("%s/lock", dir);
    return read_holder(path, &h) && strcmp(h.rundir, rundir) == 0 ? h.rank : -1;
}

static int make_dir(const char *dir, struct error *err)
{
    struct stat st;
    cleanup_free char *path = xstrdup(dir);
    for (char *p = path + 1; *p; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        mkdir(path, 0777); /* what fails is told by the last one */
        *p = '/';
    }
    if (mkdir(dir, 0700) < 0 && errno != EEXIST)
        return error_set(err, errno, "cannot make the state directory %s: %s", dir,
                         strerror(errno));
    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
        return error_set(err, ENOTDIR, "state directory %s: it is no directory", dir);
    if (st.st_uid != geteuid())
        return error_set(
            err, EPERM, "state directory %s: it belongs to user %u: name one of your own",
            dir, (unsigned)st.st_uid);
    if (access(dir, W_OK) < 0)
        return error_set(err, errno, "cannot write in the state directory %s: %s", dir,
                         strerror(errno));
    return 0;
}

static int lock_file(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &lock);
}

static int tell_holder(const struct statedir *sd, struct error *err)
{
    struct holder h;
    char host[256] = "";
    if (!read_holder(sd->lock_path, &h))
        return error_set(err, EBUSY,
                         "state directory %s: another instance is just starting with it",
                         sd->dir);
    gethostname(host, sizeof(host) - 1);
    struct procid id = {.pid = h.pid, .start = h.start};
    bool here = strcmp(host, h.host) == 0;
    return error_set(err, EBUSY,
                     "state directory %s: process %d on %s has it, of instance %s%s",
                     sd->dir, h.pid, h.host, h.instance,
                     here && procid_alive(&id)
                         ? ": end that one (hbatch shutdown), or use another directory"
                         : ": end that one, or use another directory; if that host is "
                           "dead, its lock ends when the file server forgets it, or with "
                           "--take-lock");
}

/* Another file in its place, which nobody can have locked. */
static int replace_lock(struct statedir *sd, struct error *err)
{
    cleanup_free char *fresh = xasprintf("%s.%d", sd->lock_path, (int)getpid());
    int fd = open(fresh, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || lock_file(fd) < 0 || rename(fresh, sd->lock_path) < 0) {
        error_set(err, errno, "state directory %s: cannot take its lock: %s", sd->dir,
                  strerror(errno));
        if (fd >= 0)
            close(fd);
        unlink(fresh);
        return -1;
    }
    close(sd->lock);
    sd->lock = fd;
    sd->stolen = true;
    return 0;
}

/* The file of that name is the one that is open: nobody has replaced it. */
static bool is_current(const struct statedir *sd)
{
    struct stat a, b;
    return fstat(sd->lock, &a) == 0 && stat(sd->lock_path, &b) == 0 &&
           a.st_ino == b.st_ino && a.st_dev == b.st_dev;
}

static int take_lock(struct statedir *sd, struct error *err)
{
    double until = time_mono() + LOCK_PATIENCE_S;
    for (;; poll(NULL, 0, 20)) {
        if (sd->lock >= 0)
            close(sd->lock);
        sd->lock = open(sd->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (sd->lock < 0)
            return error_set(err, errno, "state directory %s: cannot open its lock: %s",
                             sd->dir, strerror(errno));
        if (lock_file(sd->lock) == 0) {
            if (is_current(sd))
                return 0;
        } else if (errno != EAGAIN && errno != EACCES) {
            return error_set(
                err, errno,
                "state directory %s: its file system has no locks (%s): use a "
                "directory on another one, or have it mounted with locks",
                sd->dir, strerror(errno));
        } else if (sd->options.steal) {
            return replace_lock(sd, err);
        } else if (time_mono() > until) {
            return tell_holder(sd, err);
        }
    }
}

/* The store's own lock goes with the file: the same content in a file that nobody has open. */
static int replace_store(const struct statedir *sd, struct error *err)
{
    return access(sd->store_path, F_OK) == 0 ? store_detach(sd->store_path, err) : 0;
}

static double last_change(const struct statedir *sd)
{
    struct stat st;
    double last = 0;
    cleanup_free char *wal = xasprintf("%s-wal", sd->store_path);
    const char *const paths[] = {sd->lock_path, sd->store_path, wal};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        if (stat(paths[i], &st) == 0)
            last =
                MAX(last, (double)st.st_mtim.tv_sec + (double)st.st_mtim.tv_nsec / 1e9);
    return last;
}

struct statedir *statedir_take(const struct statedir_options *o, struct error *err)
{
    struct holder h;
    if (make_dir(o->dir, err) < 0)
        return NULL;
    struct statedir *sd = xcalloc(1, sizeof(*sd));
    sd->options = *o;
    sd->lock = -1;
    sd->dir = realpath(o->dir, NULL);
    if (!sd->dir)
        sd->dir = xstrdup(o->dir);
    sd->lock_path = xasprintf("%s/lock", sd->dir);
    sd->store_path = xasprintf("%s/store.sqlite", sd->dir);
    sd->last_seen = last_change(sd);
    bool begun = access(sd->store_path, F_OK) == 0;
    if (take_lock(sd, err) < 0 || (sd->stolen && replace_store(sd, err) < 0)) {
        statedir_drop(sd);
        return NULL;
    }
    cleanup_free char *doubt = netlock_doubt_of(sd->dir);
    if (doubt)
        log_warning("state directory %s: %s, so its lock is not seen on other hosts: see "
                    "that no instance there uses it",
                    sd->dir, doubt);
    sd->was_left = !begun || !read_holder(sd->lock_path, &h);
    return sd;
}

void statedir_sign(struct statedir *sd, const char *instance, unsigned rank,
                   const char *rundir)
{
    char host[256] = "localhost";
    struct procid id = {.pid = getpid()};
    procid_get(&id, getpid());
    gethostname(host, sizeof(host) - 1);
    cleanup_free char *text = xasprintf("%s %d %llu %u %s %s\n", host, (int)id.pid,
                                        id.start, rank, instance, rundir);
    if (ftruncate(sd->lock, 0) < 0 ||
        pwrite(sd->lock, text, strlen(text), 0) != (ssize_t)strlen(text))
        log_error("cannot write %s: %s", sd->lock_path, strerror(errno));
}

bool statedir_was_left(const struct statedir *sd)
{
    return sd->was_left;
}

double statedir_last_seen(const struct statedir *sd)
{
    return sd->last_seen;
}

void statedir_leave(struct statedir *sd)
{
    if (sd && ftruncate(sd->lock, 0) < 0)
        log_error("cannot write %s: %s", sd->lock_path, strerror(errno));
    statedir_drop(sd);
}

void statedir_drop(struct statedir *sd)
{
    if (!sd)
        return;
    if (sd->lock >= 0)
        close(sd->lock);
    free(sd->dir);
    free(sd->lock_path);
    free(sd->store_path);
    free(sd);
}

/* --- the store ------------------------------------------------------------------------------ */

static int salvage(const struct statedir *sd, struct error *err)
{
    struct store_salvaged found;
    if (access(sd->store_path, F_OK) < 0)
        return error_set(err, ENOENT, "--salvage: there is no store in %s", sd->dir);
    if (store_salvage(sd->store_path, &found, err) < 0)
        return -1;
    cleanup_free char *lost =
        found.lost
            ? xasprintf("; %zu jobs that had not ended are lost with their "
                        "specification, and parts of it (%zu) could not be read",
                        found.lost, found.unread)
            : xasprintf(found.unread ? "; parts of it (%zu) could not be read"
                                     : "; nothing is missing, as far as one can see",
                        found.unread);
    fprintf(
        stderr,
        "hbatch-instance: salvaged from %s: %zu submissions (%zu of them not over), %zu "
        "jobs with a history, %zu event logs%s; the damaged file is kept as %s\n",
        sd->store_path, found.jobs, found.active, found.runs, found.logs, lost,
        found.kept);
    free(found.kept);
    return 0;
}

struct store *statedir_open_store(struct statedir *sd, struct error *err)
{
    struct store_options options = {.sync = sd->options.sync};
    if (sd->options.salvage && salvage(sd, err) < 0)
        return NULL;
    struct error why;
    struct store *store = store_open(sd->store_path, &options, &why);
    if (store)
        return store;
    return error_null(
        err, why.code, "%s%s%s%s", why.text,
        why.code == EBADMSG ? "; or have what can be read of it put in a new "
                              "one: --statedir="
                            : "",
        why.code == EBADMSG ? sd->dir : "", why.code == EBADMSG ? " --salvage" : "");
}

int statedir_bring_store(struct statedir *sd, struct store **store, struct error *err)
{
    struct store_options options = {.sync = sd->options.sync};
    if (store_copy_to(*store, sd->store_path, err) < 0)
        return -1;
    struct store *fresh = store_open(sd->store_path, &options, err);
    if (!fresh)
        return -1;
    store_close(*store);
    *store = fresh;
    return 0;
}

char *statedir_spool(const char *dir, unsigned life, unsigned rank)
{
    return xasprintf("%s/output-%u-%u.spool", dir, life, rank);
}
