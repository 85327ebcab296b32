/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/inside.h"

#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/program.h"
#include "src/common/signals.h"
#include "src/lib/link.h"

#define PATIENCE 5.0 /* seconds between SIGHUP and SIGKILL */

char *inside_self(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    return n > 0 ? xstrndup(self, (size_t)n) : xstrdup("hbatch");
}

int inside_open(struct inside *in, const char *uri, struct error *err)
{
    *in = (struct inside){.signal_fd = -1};
    in->h = client_open(uri, err);
    cleanup_json json_object *info =
        in->h ? client_call(in->h, "instance.info", NULL, err) : NULL;
    if (!info) {
        client_close(take(in->h));
        return -1;
    }
    const char *parent = cli_get_string(info, "parent_uri", NULL);
    in->parent_uri = parent ? link_uri_from(client_uri(in->h), parent) : NULL;
    const char *job = cli_get_string(info, "jobid", NULL);
    in->job = job ? xstrdup(job) : NULL;
    in->level = (int)cli_get_number(info, "level", 0);
    return 0;
}

/* Before the program is there, so that none is lost. */
static void catch_signals(struct inside *in)
{
    static const int caught[] = {SIGCHLD, SIGINT,  SIGQUIT, SIGTERM,
                                 SIGHUP,  SIGUSR1, SIGUSR2};
    in->signal_fd = signals_open(caught, ARRAY_SIZE(caught));
}

int inside_start(struct inside *in, char **argv, struct error *err)
{
    const struct program_where where = {.uri = client_uri(in->h),
                                        .parent_uri = in->parent_uri,
                                        .level = in->level,
                                        .enclosing = in->job};
    fflush(NULL);
    catch_signals(in);
    pid_t pid = program_start_below(argv, &where, err);
    if (pid < 0)
        return -1;
    in->pid = pid;
    in->shell = !argv;
    return 0;
}

void inside_hang_up(struct inside *in)
{
    if (in->pid <= 0 || in->killing > 0)
        return;
    kill(in->pid, SIGHUP);
    kill(in->pid, SIGCONT);
    in->killing = time_mono() + PATIENCE;
}

int inside_patience(const struct inside *in)
{
    if (in->pid <= 0 || in->killing <= 0)
        return -1;
    double left = in->killing - time_mono();
    return left > 0 ? (int)(left * 1000) + 1 : 0;
}

bool inside_signals(struct inside *in, int *code)
{
    for (int sig; (sig = signals_next(in->signal_fd));)
        if (sig != SIGCHLD && sig != SIGINT && sig != SIGQUIT)
            kill(in->pid, sig);
    if (in->killing > 0 && time_mono() >= in->killing) {
        kill(in->pid, SIGKILL);
        in->killing += PATIENCE;
    }
    int status;
    if (waitpid(in->pid, &status, WNOHANG) != in->pid)
        return false;
    program_ended();
    in->pid = 0;
    *code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return true;
}

bool inside_late_signals(struct inside *in)
{
    bool any = false;
    for (int sig; (sig = signals_next(in->signal_fd));)
        any = any || sig != SIGCHLD;
    return any;
}

int inside_wait(struct inside *in, struct cli *cli)
{
    int code = 1;
    bool lost = false;
    struct error err;
    for (;;) {
        struct pollfd fds[] = {{.fd = lost ? -1 : client_fd(in->h), .events = POLLIN},
                               {.fd = in->signal_fd, .events = POLLIN}};
        poll(fds, ARRAY_SIZE(fds), inside_patience(in));
        if (inside_signals(in, &code))
            return code;
        if (fds[0].revents && client_process(in->h, 0, &err) < 0) {
            lost = true;
            if (!in->shell) /* a command may have ended the instance, and have more to do */
                continue;
            cli_error(cli, "%s", err.text);
            inside_hang_up(in);
        }
    }
}

void inside_close(struct inside *in)
{
    client_close(take(in->h));
    free(take(in->parent_uri));
    free(take(in->job));
    if (in->signal_fd >= 0)
        close(in->signal_fd);
    in->signal_fd = -1;
}
