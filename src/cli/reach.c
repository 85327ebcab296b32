/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/reach.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"

enum { AT_ONCE = 256, MAX_WORDS = 32 };

struct asked {
    pid_t pid; /* 0: not begun, or over */
    double until;
    enum reach_answer answer;
};

struct reach {
    char *command;
    char **hosts;
    double patience;
    size_t n, begun, running;
    struct asked *asked; /* [n] */
};

char *reach_fill_in(const char *word, const char *host)
{
    struct strbuf out = {0};
    strbuf_add(&out, "");
    for (; *word; word++) {
        if (word[0] == '%' && word[1] == 'h') {
            strbuf_add(&out, host);
            word++;
        } else
            strbuf_addc(&out, *word);
    }
    return strbuf_take(&out);
}

pid_t reach_spawn(const char *command, int stderr_fd)
{
    cleanup_free char *copy = xstrdup(command);
    char *words[MAX_WORDS + 1], *save = NULL;
    size_t n = 0;
    for (char *w = strtok_r(copy, " ", &save); w && n < MAX_WORDS;
         w = strtok_r(NULL, " ", &save))
        words[n++] = w;
    words[n] = NULL;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none;
    posix_spawn_file_actions_init(&actions);
    for (int fd = 0; fd < 3; fd++)
        posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    if (stderr_fd >= 0)
        posix_spawn_file_actions_adddup2(&actions, stderr_fd, 2);
    posix_spawnattr_init(&attr);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setpgroup(&attr, 0); /* a terminal's signals are not for it */
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
    pid_t pid = 0;
    if (n == 0 || posix_spawnp(&pid, words[0], &actions, &attr, words, environ) != 0)
        pid = 0;
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

static pid_t ask(const char *command, const char *host)
{
    cleanup_free char *line = reach_fill_in(command, host);
    return reach_spawn(line, -1);
}

static void begin_some(struct reach *r)
{
    for (; r->begun < r->n && r->running < AT_ONCE; r->begun++) {
        struct asked *a = &r->asked[r->begun];
        a->pid = ask(r->command, r->hosts[r->begun]);
        a->until = time_mono() + r->patience;
        a->answer = a->pid > 0 ? REACH_SILENT : REACH_UNKNOWN;
        r->running += a->pid > 0;
    }
}

struct reach *reach_start(const struct hostlist *hosts, const char *command,
                          double patience)
{
    struct reach *r = xcalloc(1, sizeof(*r));
    r->command = xstrdup(command);
    r->patience = patience;
    r->n = hostlist_count(hosts);
    r->hosts = xcalloc(r->n + 1, sizeof(*r->hosts));
    r->asked = xcalloc(r->n + 1, sizeof(*r->asked));
    for (size_t i = 0; i < r->n; i++)
        r->hosts[i] = xstrdup(hostlist_nth(hosts, i));
    begin_some(r);
    return r;
}

static void finish(struct reach *r, struct asked *a, enum reach_answer answer)
{
    a->pid = 0;
    a->answer = answer;
    r->running--;
}

/* One that is too late is killed, and collected if that takes no time. */
static void give_up(struct reach *r, struct asked *a)
{
    kill(-a->pid, SIGKILL);
    waitpid(a->pid, NULL, WNOHANG);
    finish(r, a, REACH_SILENT);
}

void reach_destroy(struct reach *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++) {
        if (r->asked[i].pid > 0)
            give_up(r, &r->asked[i]);
        free(r->hosts[i]);
    }
    free(r->hosts);
    free(r->asked);
    free(r->command);
    free(r);
}

bool reach_reaped(struct reach *r, pid_t pid, int status)
{
    for (size_t i = 0; i < r->begun; i++) {
        if (r->asked[i].pid != pid)
            continue;
        finish(r, &r->asked[i], status == 0 ? REACH_GOOD : REACH_FAILED);
        begin_some(r);
        return true;
    }
    return false;
}

bool reach_step(struct reach *r, double *wait)
{
    double now = time_mono(), first = now + r->patience;
    for (size_t i = 0; i < r->begun; i++) {
        struct asked *a = &r->asked[i];
        if (a->pid > 0 && a->until <= now)
            give_up(r, a);
        else if (a->pid > 0)
            first = MIN(first, a->until);
    }
    begin_some(r);
    *wait = first - now;
    return r->running == 0 && r->begun == r->n;
}

enum reach_answer reach_answer(const struct reach *r, size_t i)
{
    return r->asked[i].answer;
}
