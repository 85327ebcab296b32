/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/reach.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/util.h"

#define PATIENCE 10.0 /* s, for all */

enum { MAX_HOSTS = 512, MAX_WORDS = 16 };

static pid_t ask(const char *agent, const char *host)
{
    cleanup_free char *copy = xstrdup(agent), *name = xstrdup(host);
    char *words[MAX_WORDS + 3], *save = NULL, last[] = "true";
    size_t n = 0;
    for (char *w = strtok_r(copy, " ", &save); w && n < MAX_WORDS;
         w = strtok_r(NULL, " ", &save))
        words[n++] = w;
    if (n == 0)
        return -1;
    words[n++] = name;
    words[n++] = last;
    words[n] = NULL;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    pid_t pid;
    int rc = posix_spawnp(&pid, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    return rc == 0 ? pid : -1;
}

/* Until all have ended or the time is over. */
static void wait_for(struct pollfd *fds, size_t n)
{
    double end = time_mono() + PATIENCE;
    for (;;) {
        double left = end - time_mono();
        size_t open = 0;
        for (size_t i = 0; i < n; i++)
            open += fds[i].fd >= 0;
        if (open == 0 || left <= 0)
            return;
        if (poll(fds, n, (int)(left * 1000) + 1) <= 0)
            continue;
        for (size_t i = 0; i < n; i++)
            if (fds[i].fd >= 0 && fds[i].revents) {
                close(fds[i].fd);
                fds[i].fd = -1;
            }
    }
}

size_t reach_check(const struct hostlist *hosts, const char *agent)
{
    size_t n = MIN(hostlist_count(hosts), (size_t)MAX_HOSTS), missing = 0;
    cleanup_free pid_t *pids = xcalloc(n + 1, sizeof(*pids));
    cleanup_free struct pollfd *fds = xcalloc(n + 1, sizeof(*fds));
    for (size_t i = 0; i < n; i++) {
        pids[i] = ask(agent, hostlist_nth(hosts, i));
        fds[i] = (struct pollfd){.fd = pids[i] > 0 ? pidfd_open(pids[i], 0) : -1,
                                 .events = POLLIN};
    }
    wait_for(fds, n);
    for (size_t i = 0; i < n; i++) {
        int status = 0;
        if (pids[i] <= 0)
            continue; /* nothing is known */
        bool silent = fds[i].fd >= 0;
        if (silent) {
            kill(pids[i], SIGKILL);
            close(fds[i].fd);
        }
        waitpid(pids[i], &status, 0);
        if (silent)
            fprintf(stderr, "hbatch start: cannot reach %s: %s had no answer in %g s\n",
                    hostlist_nth(hosts, i), agent, PATIENCE);
        else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fprintf(stderr, "hbatch start: cannot reach %s: '%s %s true' failed\n",
                    hostlist_nth(hosts, i), agent, hostlist_nth(hosts, i));
        else
            continue;
        missing++;
    }
    return missing;
}
