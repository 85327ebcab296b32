/* SPDX-License-Identifier: BSD-3-Clause */
/* A client that finalizes is let go once its other threads have nothing left to do.
 *
 * Open MPI 4 hands the removal of its event handlers over to its progress thread, does not wait
 * for that, finalizes PMIx, and unloads the component whose code the thread was given: where
 * the thread comes too late, the process crashes at the very end of MPI_Finalize.  Under a
 * server that takes 40 ms to answer (see pmixd_ack) it hardly ever does; under this one it
 * was one process in some thousands on a busy node.  A thread that has been handed something
 * is runnable until it has done it.  So the answer waits while there are runnable threads in
 * the task's processes; for programs that compute or spin in other threads, as long as it would have taken
 * otherwise. */
#include "pmi/pmixd_impl.h"
#include "src/common/util.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CHECK_MS = 1, LONGEST_CHECKS = 40, MAX_PROCESSES = 64 };

struct leaving {
    struct leaving *next, **pprev;
    struct call *c;
    pid_t pid;
    unsigned checks;
    uv_timer_t timer;
};

/* A small file of /proc, terminated; the length, 0 when it cannot be read. */
static size_t read_small(const char *path, char *buf, size_t size)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read_all(fd, buf, size - 1);
    buf[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

/* Is this thread on a processor, or waiting for one? */
static bool is_runnable(int pid, const char *tid)
{
    char path[64], text[512];
    snprintf(path, sizeof(path), "/proc/%d/task/%.16s/stat", pid, tid);
    if (read_small(path, text, sizeof(text)) == 0)
        return false;
    const char *state = strrchr(text, ')'); /* the name before it may hold anything */
    return state && state[1] == ' ' && state[2] == 'R';
}

/* Any runnable thread in PID; its children are added to PIDS. */
static bool is_busy(int pid, int *pids, unsigned *n)
{
    char path[64], text[4096];
    bool busy = false;
    snprintf(path, sizeof(path), "/proc/%d/task", pid);
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && !busy && (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        busy = is_runnable(pid, e->d_name);
        snprintf(path, sizeof(path), "/proc/%d/task/%.16s/children", pid, e->d_name);
        read_small(path, text, sizeof(text));
        for (char *save, *word = strtok_r(text, " ", &save); word && *n < MAX_PROCESSES;
             word = strtok_r(NULL, " ", &save))
            pids[(*n)++] = atoi(word);
    }
    if (dir)
        closedir(dir);
    return busy;
}

/* The task itself may be a script: its children are looked at too. */
static bool tree_is_busy(pid_t pid)
{
    int pids[MAX_PROCESSES] = {pid};
    unsigned n = 1;
    for (unsigned i = 0; i < n; i++)
        if (is_busy(pids[i], pids, &n))
            return true;
    return false;
}

static void on_close(uv_handle_t *handle)
{
    free(handle->data);
}

static void leaving_free(struct leaving *l)
{
    *l->pprev = l->next;
    if (l->next)
        l->next->pprev = l->pprev;
    uv_close((uv_handle_t *)&l->timer, on_close);
}

static void on_timer(uv_timer_t *timer)
{
    struct leaving *l = timer->data;
    if (++l->checks < LONGEST_CHECKS && tree_is_busy(l->pid))
        return;
    call_done(l->c, PMIX_SUCCESS);
    leaving_free(l);
}

void pmixd_leave(struct pmixd *d, struct call *c, pid_t pid)
{
    if (pid <= 0 || !tree_is_busy(pid)) {
        call_done(c, PMIX_SUCCESS);
        return;
    }
    struct leaving *l = xcalloc(1, sizeof(*l));
    l->c = c;
    l->pid = pid;
    l->next = d->leaving;
    l->pprev = &d->leaving;
    if (l->next)
        l->next->pprev = &l->next;
    d->leaving = l;
    uv_timer_init(d->config->loop, &l->timer);
    l->timer.data = l;
    uv_timer_start(&l->timer, on_timer, CHECK_MS, CHECK_MS);
}

void pmixd_leave_destroy(struct pmixd *d)
{
    while (d->leaving)
        leaving_free(d->leaving);
}
