/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/launchenv.h"
#include "src/common/util.h"

extern char **environ;

/* The terminal that the shell was given, while it runs, and who had it before. */
static struct {
    int fd;
    pid_t owner;
} terminal = {.fd = -1};

/* mpirun gives its ranks a pipe for stdin.  When it runs on a terminal itself, and in the
 * foreground, the shell that the user waits for gets the terminal. */
static void take_terminal(void)
{
    char path[64], link[128];
    if (isatty(STDIN_FILENO) || !getenv("OMPI_COMM_WORLD_SIZE"))
        return;
    snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)getppid());
    ssize_t n = readlink(path, link, sizeof(link) - 1);
    if (n <= 0)
        return;
    link[n] = '\0';
    if (strncmp(link, "/dev/pts/", 9) != 0 && strncmp(link, "/dev/tty", 8) != 0)
        return;
    int fd = open(link, O_RDWR | O_CLOEXEC | O_NOCTTY);
    pid_t owner = fd >= 0 ? tcgetpgrp(fd) : -1; /* fails unless it is our terminal, too */
    if (fd < 0 || owner != getpgid(getppid())) {
        if (fd >= 0)
            close(fd);
        return;
    }
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(fd, getpgrp());
    terminal.fd = fd;
    terminal.owner = owner;
}

void program_ended(void)
{
    if (terminal.fd < 0)
        return;
    tcsetpgrp(terminal.fd, terminal.owner);
    close(terminal.fd);
    terminal.fd = -1;
}

/* hbatch lies beside hbatch-instance: it is found by the program whatever PATH was. */
static char *path_with_ourselves(void)
{
    char self[4096];
    const char *path = getenv("PATH");
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        return NULL;
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    size_t len = strlen(self);
    for (const char *p = path; p && *p; p = strchr(p, ':') ? strchr(p, ':') + 1 : "")
        if (strncmp(p, self, len) == 0 && (p[len] == ':' || p[len] == '\0'))
            return NULL;
    return xasprintf("PATH=%s%s%s", self, path ? ":" : "", path ? path : "");
}

pid_t program_start(char **argv, const char *uri, int level, struct error *err)
{
    char *shell[] = {getenv("SHELL") ? getenv("SHELL") : NULL, NULL};
    char sh[] = "/bin/sh";
    if (!shell[0] || access(shell[0], X_OK) != 0)
        shell[0] = sh;
    if (!argv) {
        argv = shell;
        take_terminal();
    }

    cleanup_free char *uri_var = xasprintf("HBATCH_URI=%s", uri);
    cleanup_free char *level_var = xasprintf("HBATCH_INSTANCE_LEVEL=%d", level);
    cleanup_free char *path_var = path_with_ourselves();
    size_t n = 0, k = 0;
    while (environ[n])
        n++;
    cleanup_free char **env = xcalloc(n + 4, sizeof(*env));
    for (size_t i = 0; i < n; i++)
        if (!launchenv_is_left(environ[i]) &&
            strncmp(environ[i], "HBATCH_URI=", 11) != 0 &&
            strncmp(environ[i], "HBATCH_INSTANCE_LEVEL=", 22) != 0 &&
            !(path_var && strncmp(environ[i], "PATH=", 5) == 0))
            env[k++] = environ[i];
    env[k++] = uri_var;
    env[k++] = level_var;
    if (path_var) {
        env[k++] = path_var;
        setenv("PATH", path_var + strlen("PATH="), 1); /* posix_spawnp looks there */
    }

    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    for (int fd = 0; fd < 3 && terminal.fd >= 0; fd++)
        posix_spawn_file_actions_adddup2(&actions, terminal.fd, fd);
    sigset_t none, defaults;
    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t pid;
    int rc = posix_spawnp(&pid, argv[0], &actions, &attr, argv, env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    if (rc != 0)
        program_ended();
    if (rc != 0)
        return error_set(err, rc, "cannot run %s: %s", argv[0], strerror(rc));
    return pid;
}
