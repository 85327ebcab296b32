/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/memcg.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/util.h"

struct memcg {
    char *path;
    bool v2;
};

struct memcg_group {
    char *path, *leaf; /* leaf: where the processes are */
    int procs;
    bool v2;
    unsigned killed;
};

/* --- files ---------------------------------------------------------------------------------- */

static int write_text(const char *dir, const char *file, const char *text)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, file);
    cleanup_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd < 0 ? -1 : write_all(fd, text, strlen(text));
}

static char *read_text(const char *dir, const char *file)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, file);
    return read_file(path, NULL);
}

static bool is_there(const char *dir, const char *file)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, file);
    return access(path, W_OK) == 0;
}

/* --- our own group -------------------------------------------------------------------------- */

/* The path of this process's group in the hierarchy that has CONTROLLER ("memory"), or of v2 (""); new, or NULL. */
static char *find_membership(const char *text, const char *controller)
{
    size_t len = strlen(controller);
    for (const char *line = text; line && *line;
         line = strchr(line, '\n'), line += line != NULL) {
        const char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
        if (!path)
            continue;
        list++;
        size_t n = (size_t)(path - list);
        bool found = n == 0 && len == 0;
        for (const char *at = list; len > 0 && !found && at < path;
             at += strcspn(at, ",:") + 1)
            found = strncmp(at, controller, len) == 0 && strcspn(at, ",:") == len;
        if (found)
            return xstrndup(path + 1, strcspn(path + 1, "\n"));
    }
    return NULL;
}

/* v2: a group in DIR with a memory controller; the reason in errno. */
static char *make_in(const char *dir, const char *name)
{
    cleanup_free char *path = xasprintf("%s/%s", dir, name);
    if (mkdir(path, 0755) < 0 && errno != EEXIST)
        return NULL;
    if (!is_there(path, "memory.max") &&
        write_text(dir, "cgroup.subtree_control", "+memory") == 0)
        errno = 0;
    if (is_there(path, "memory.max") &&
        write_text(path, "cgroup.subtree_control", "+memory") == 0)
        return take(path);
    int error = errno;
    rmdir(path);
    errno = error;
    return NULL;
}

static bool is_limited(const char *dir)
{
    cleanup_free char *max = read_text(dir, "memory.max");
    return max && strncmp(max, "max", 3) != 0;
}

/* In DIR, or the nearest above it up to TOP, but not beyond one that is limited. */
static char *make_above(char *dir, size_t top, const char *name)
{
    for (;;) {
        char *path = make_in(dir, name);
        char *slash = strrchr(dir, '/');
        if (path || is_limited(dir) || !slash || (size_t)(slash - dir) < top)
            return path;
        *slash = '\0';
    }
}

static struct memcg *create(char *path, bool v2)
{
    struct memcg *m = xcalloc(1, sizeof(*m));
    m->path = path;
    m->v2 = v2;
    return m;
}

struct memcg *memcg_create(const char *membership, const char *mount, const char *name,
                           struct error *err)
{
    cleanup_free char *text = read_file(membership, NULL);
    if (!text)
        return error_null(err, errno, "%s: %s", membership, strerror(errno));
    cleanup_free char *v1 = find_membership(text, "memory");
    if (v1) {
        cleanup_free char *own = xasprintf("%s/memory%s/%s", mount, v1, name);
        if (mkdir(own, 0755) == 0 || errno == EEXIST)
            return create(take(own), false);
        return error_null(err, errno, "%s cannot be made: %s", own, strerror(errno));
    }
    cleanup_free char *v2 = find_membership(text, "");
    if (!v2)
        return error_null(err, ENOENT, "%s names no group", membership);
    cleanup_free char *dir = xasprintf("%s%s", mount, strcmp(v2, "/") == 0 ? "" : v2);
    char *path = make_above(dir, strlen(mount), name);
    if (!path)
        return error_null(err, errno ? errno : ENOENT,
                          "no group with a memory controller can be made in %s%s: %s",
                          mount, v2, strerror(errno ? errno : ENOENT));
    return create(path, true);
}

void memcg_destroy(struct memcg *m)
{
    if (!m)
        return;
    DIR *d = opendir(m->path);
    for (struct dirent *e; d && (e = readdir(d));) {
        cleanup_free char *path = xasprintf("%s/%s", m->path, e->d_name);
        if (e->d_type == DT_DIR && e->d_name[0] != '.')
            rmdir(path); /* one that a process was in when its job ended */
    }
    if (d)
        closedir(d);
    rmdir(m->path);
    free(m->path);
    free(m);
}

/* --- those of jobs -------------------------------------------------------------------------- */

static void cleanup_group(struct memcg_group **g)
{
    memcg_remove(*g);
}

struct memcg_group *memcg_add(struct memcg *m, uint64_t id, uint64_t limit, bool host,
                              struct error *err)
{
    char number[32];
    __attribute__((cleanup(cleanup_group))) struct memcg_group *g =
        xcalloc(1, sizeof(*g));
    g->procs = -1;
    g->v2 = m->v2;
    g->path = xasprintf("%s/%" PRIu64, m->path, id);
    snprintf(number, sizeof(number), "%" PRIu64, limit);
    if (mkdir(g->path, 0755) < 0 && errno != EEXIST)
        return error_null(err, errno, "%s: %s", g->path, strerror(errno));
    if (write_text(g->path, m->v2 ? "memory.max" : "memory.limit_in_bytes", number) < 0)
        return error_null(err, errno, "%s: a limit of %s bytes: %s", g->path, number,
                          strerror(errno));
    /* Swap does not count as memory that was asked for; not every kernel counts it. */
    if (m->v2)
        (void)write_text(g->path, "memory.swap.max", "0");
    else
        (void)write_text(g->path, "memory.memsw.limit_in_bytes", number);
    /* v2: a group that has processes cannot have groups with controllers */
    g->leaf = xasprintf("%s%s", g->path, m->v2 && host ? "/tasks" : "");
    if (m->v2 && host &&
        (write_text(g->path, "cgroup.subtree_control", "+memory") < 0 ||
         (mkdir(g->leaf, 0755) < 0 && errno != EEXIST)))
        return error_null(err, errno, "%s: %s", g->leaf, strerror(errno));
    cleanup_free char *procs = xasprintf("%s/cgroup.procs", g->leaf);
    g->procs = open(procs, O_WRONLY | O_CLOEXEC);
    if (g->procs < 0)
        return error_null(err, errno, "%s: %s", procs, strerror(errno));
    return take(g);
}

void memcg_remove(struct memcg_group *g)
{
    if (!g)
        return;
    if (g->procs >= 0)
        close(g->procs);
    if (g->leaf && strcmp(g->leaf, g->path) != 0)
        rmdir(g->leaf);
    rmdir(g->path);
    free(g->path);
    free(g->leaf);
    free(g);
}

int memcg_procs(const struct memcg_group *g)
{
    return g->procs;
}

unsigned memcg_killed(struct memcg_group *g)
{
    cleanup_free char *text =
        read_text(g->path, g->v2 ? "memory.events" : "memory.oom_control");
    unsigned long n = 0;
    for (const char *line = text; line && *line;
         line = strchr(line, '\n'), line += line != NULL)
        if (strncmp(line, "oom_kill ", 9) == 0)
            n = strtoul(line + 9, NULL, 10);
    unsigned more = (unsigned)n - MIN(g->killed, (unsigned)n);
    g->killed = (unsigned)n;
    return more;
}
