/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define NO_SANITIZE __attribute__((no_sanitize("address", "undefined")))
#else
#define NO_SANITIZE
#endif

/* In the child, on the parent's stack and memory, while the parent's thread sleeps: system calls
 * only, no locks, no allocation, nothing left changed but the results. */
static void NO_SANITIZE fail(struct launch *l, enum launch_step step)
{
    l->error = errno;
    l->step = step;
    _exit(127);
}

static void NO_SANITIZE put_fd(struct launch *l, int from, int to)
{
    if (from >= 0 && dup2(from, to) < 0)
        fail(l, LAUNCH_FDS);
}

static void __attribute__((noinline)) NO_SANITIZE child(struct launch *l, pid_t parent)
{
    if (setsid() < 0)
        fail(l, LAUNCH_SESSION);
    /* Die with the executor; if it died before this call, the signal will never come. */
    if ((!l->survives && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0) || getppid() != parent)
        fail(l, LAUNCH_SESSION);
    if (l->group >= 0 && write(l->group, "0", 1) != 1)
        fail(l, LAUNCH_MEMORY);
    if (l->cwd && chdir(l->cwd) < 0)
        fail(l, LAUNCH_CWD);
    put_fd(l, l->in, STDIN_FILENO);
    put_fd(l, l->out, STDOUT_FILENO);
    put_fd(l, l->err, STDERR_FILENO);
    if (l->pass >= 0 && fcntl(l->pass, F_SETFD, 0) < 0)
        fail(l, LAUNCH_FDS);
    if (l->mask && syscall(SYS_sched_setaffinity, 0, l->mask_size, l->mask) < 0)
        fail(l, LAUNCH_AFFINITY);
    if (l->limits)
        for (unsigned i = 0; i < l->limits->n; i++)
            if (setrlimit((__rlimit_resource_t)l->limits->v[i].resource,
                          &l->limits->v[i].limit) < 0)
                fail(l, LAUNCH_LIMIT);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(l->path, l->argv, l->envp);
    if (errno == ENOEXEC) { /* as execvp and shells do: a script without #! */
        static char shell[] = "/bin/sh";
        char **argv = l->argv - 1;
        argv[0] = shell;
        argv[1] = (char *)(size_t)l->path;
        execve(shell, argv, l->envp);
        errno = ENOEXEC;
    }
    fail(l, LAUNCH_EXEC);
}

pid_t launch(struct launch *l)
{
    l->error = 0;
    static pid_t parent; /* one call less for each task */
    if (!parent)
        parent = getpid();
    char *volatile word =
        l->argv[0]; /* the child may change it, and the memory is ours */
    pid_t pid = vfork();
    if (pid == 0)
        child(l, parent);
    l->argv[0] = word;
    if (pid < 0) {
        l->error = errno;
        l->step = LAUNCH_FORK;
        return -1;
    }
    volatile int *error = &l->error;
    if (*error != 0) {
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
        return -1;
    }
    return pid;
}

const char *launch_step_name(enum launch_step step)
{
    static const char *const names[] = {[LAUNCH_FORK] = "new process",
                                        [LAUNCH_SESSION] = "new session",
                                        [LAUNCH_MEMORY] = "control group for memory",
                                        [LAUNCH_CWD] = "working directory",
                                        [LAUNCH_LIMIT] = "resource limit",
                                        [LAUNCH_AFFINITY] = "cpu affinity",
                                        [LAUNCH_FDS] = "file descriptors",
                                        [LAUNCH_EXEC] = "program"};
    return names[step];
}
