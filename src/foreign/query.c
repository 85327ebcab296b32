/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/foreign/query.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/strbuf.h"

#define PATIENCE 10.0 /* s; a scheduler under load may need some */

enum { MAX_WORDS = 16, MAX_OUTPUT = 1 << 20 };

char *query_find(const char *program)
{
    const char *path = getenv("PATH");
    cleanup_free char *copy = xstrdup(path ? path : "/usr/local/bin:/usr/bin:/bin");
    char *save = NULL;
    if (strchr(program, '/'))
        return access(program, X_OK) == 0 ? xstrdup(program) : NULL;
    for (char *dir = strtok_r(copy, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
        char *file = xasprintf("%s/%s", dir, program);
        if (access(file, X_OK) == 0)
            return file;
        free(file);
    }
    return NULL;
}

static pid_t start(char *const *words, int out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    pid_t pid;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    int rc = posix_spawnp(&pid, words[0], &actions, &attr, words, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return rc == 0 ? pid : -1;
}

/* All that comes until the end of file; false: the time is over, or it is too much. */
static bool read_output(int fd, struct strbuf *out)
{
    char buf[4096];
    double end = time_mono() + PATIENCE;
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        double left = end - time_mono();
        int n = poll(&p, 1, left > 0 ? (int)(left * 1000) + 1 : 0);
        if (n == 0 || (n < 0 && errno != EINTR) || out->len > MAX_OUTPUT)
            return false;
        ssize_t len = n > 0 ? read(fd, buf, sizeof(buf)) : -1;
        if (len == 0)
            return true;
        if (len > 0)
            strbuf_addn(out, buf, (size_t)len);
    }
}

char *query(const char *program, ...)
{
    cleanup_free char *name = xstrdup(program);
    char *words[MAX_WORDS + 1] = {name};
    va_list ap;
    va_start(ap, program);
    for (size_t i = 1; i < MAX_WORDS && (words[i] = va_arg(ap, char *)); i++)
        ;
    va_end(ap);
    int fds[2];
    if (!query_in_path(program) || pipe2(fds, O_CLOEXEC) < 0)
        return NULL;
    pid_t pid = start(words, fds[1]);
    close(fds[1]);
    cleanup_strbuf struct strbuf out = {0};
    bool whole = pid > 0 && read_output(fds[0], &out);
    close(fds[0]);
    int status = -1;
    if (pid > 0 && !whole)
        kill(pid, SIGKILL);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return whole && status == 0 ? strbuf_take(&out) : NULL;
}
