/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/diagnose.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/cli/reach.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/foreign/query.h"

#define PATIENCE 10.0 /* s, for all hosts */

enum { MAX_HOSTS = 512, MAX_WHY = 300 };

struct asked {
    const char *host;
    pid_t pid;
    int fd, said; /* of the process, -1: it has ended; what it wrote on stderr */
    int status;
};

static char *first_word(const char *text)
{
    text += strspn(text, " ");
    return xstrndup(text, strcspn(text, " "));
}

int diagnose_agent(const char *ask, struct error *err)
{
    cleanup_free char *agent = first_word(ask);
    if (query_in_path(agent))
        return 0;
    bool ssh = strcmp(agent, "ssh") == 0, srun = strcmp(agent, "srun") == 0;
    return error_set(err, ENOENT,
                     "%s, which starts ranks on other hosts, is not in PATH%s", agent,
                     ssh    ? ": install the Debian package openssh-client, or name "
                              "another program in OMPI_MCA_plm_rsh_agent"
                     : srun ? ": add the directory of Slurm's programs to it"
                            : "");
}

/* ASK for HOST, with the WHAT words in place of its last one; new. */
static char *command_line(const char *ask, const char *host, const char *what)
{
    const char *last = strrchr(ask, ' ');
    cleanup_free char *agent = xstrndup(ask, last ? (size_t)(last - ask) : strlen(ask));
    cleanup_free char *filled = reach_fill_in(agent, host);
    return xasprintf("%s %s", filled, what);
}

static void begin(struct asked *a, const char *line)
{
    a->said = memfd_create("stderr", MFD_CLOEXEC);
    a->pid = reach_spawn(line, a->said);
    a->fd = a->pid > 0 ? pidfd_open(a->pid, 0) : -1;
}

/* Until all have ended or the time is over. */
static void wait_for(struct asked *all, size_t n)
{
    cleanup_free struct pollfd *fds = xcalloc(n + 1, sizeof(*fds));
    double end = time_mono() + PATIENCE;
    for (size_t i = 0; i < n; i++)
        fds[i] = (struct pollfd){.fd = all[i].fd, .events = POLLIN};
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
                fds[i].fd = all[i].fd = -1;
            }
    }
}

/* The last line that it wrote, as a part of a sentence; new, or NULL. */
static char *last_words(const struct asked *a)
{
    char buf[4096];
    off_t size = lseek(a->said, 0, SEEK_END);
    off_t from = MAX(size - (off_t)sizeof(buf) + 1, (off_t)0);
    ssize_t n = size > 0 ? pread(a->said, buf, sizeof(buf) - 1, from) : 0;
    while (n > 0 && strchr(" \r\n\t", buf[n - 1]))
        n--;
    if (n <= 0)
        return NULL;
    buf[n] = '\0';
    char *line = strrchr(buf, '\n');
    line = line ? line + 1 : buf;
    for (char *p = line; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    return xstrndup(line, MAX_WHY);
}

static void tell_unreachable(FILE *out, const struct asked *a, const char *line)
{
    cleanup_free char *why = last_words(a);
    fprintf(out, "hbatch start: cannot reach %s: ", a->host);
    if (a->status < 0)
        fprintf(out, "'%s' had no answer in %g s\n", line, PATIENCE);
    else if (why)
        fprintf(out, "%s\n", why);
    else
        fprintf(out, "'%s' failed (%s %d)\n", line,
                WIFSIGNALED(a->status) ? "signal" : "exit code",
                WIFSIGNALED(a->status) ? WTERMSIG(a->status) : WEXITSTATUS(a->status));
}

/* Run WHAT on all hosts: status 0, another one, or -1: no answer. */
static void ask_all(struct asked *all, size_t n, const char *ask, const char *what)
{
    for (size_t i = 0; i < n; i++) {
        cleanup_free char *line = command_line(ask, all[i].host, what);
        begin(&all[i], line);
    }
    wait_for(all, n);
    for (size_t i = 0; i < n; i++) {
        struct asked *a = &all[i];
        a->status = a->pid > 0 ? -1 : 0; /* nothing is known: nothing is told */
        if (a->fd >= 0) {
            kill(-a->pid, SIGKILL);
            waitpid(a->pid, NULL, 0);
            close(a->fd);
        } else if (a->pid > 0)
            waitpid(a->pid, &a->status, 0);
    }
}

static void forget(struct asked *all, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (all[i].said >= 0)
            close(all[i].said);
}

enum step { REACHED, INSTANCE, DAEMON };

size_t diagnose_hosts(FILE *out, const struct hostlist *hosts, const char *ask,
                      const char *instance, const char *daemon)
{
    size_t n = MIN(hostlist_count(hosts), (size_t)MAX_HOSTS), told = 0;
    cleanup_free struct asked *all = xcalloc(n + 1, sizeof(*all));
    cleanup_free char *test = xasprintf("test -x %s", instance);
    cleanup_free char *run = xasprintf("which %s", daemon ? daemon : "");
    const char *const what[] = {"true", test, daemon ? run : NULL};
    for (size_t i = 0; i < n; i++)
        all[i].host = hostlist_nth(hosts, i);
    for (int step = REACHED; step <= DAEMON && told == 0 && what[step]; step++) {
        ask_all(all, n, ask, what[step]);
        for (size_t i = 0; i < n; i++) {
            if (all[i].status == 0)
                continue;
            cleanup_free char *line = command_line(ask, all[i].host, what[step]);
            told++;
            if (step == REACHED || all[i].status < 0)
                tell_unreachable(out, &all[i], line);
            else if (step == INSTANCE)
                fprintf(out,
                        "hbatch start: there is no %s on %s: install hbatch at the same "
                        "path on all nodes\n",
                        instance, all[i].host);
            else
                fprintf(out,
                        "hbatch start: mpirun's %s was not found on %s ('%s' failed): "
                        "install the same MPI there, and have it in the PATH of such "
                        "logins\n",
                        daemon, all[i].host, line);
        }
        forget(all, n);
    }
    return told;
}
