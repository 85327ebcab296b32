/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/ranks.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/orphans.h"
#include "src/common/util.h"

#define HELD 0.5     /* s: what may be noise is not held back for longer */
#define STUBBORN 2.0 /* s from SIGTERM to SIGKILL */
/* The same for one whose ranks have left, which ends at once or not at all; and before it. */
#define IDLE 0.3

struct ranks {
    pid_t pid;
    int fd, status;
    bool ended, terminated, idle;
    double end_at, flush_at; /* monotonic; 0: never */
    const char *spare;
    struct noise noise;
};

static void to_stderr(void *arg, const char *data, size_t len)
{
    (void)arg;
    write_all(STDERR_FILENO, data, len);
}

static void become(char *const *argv, const char *mark, pid_t parent, int err, int failed)
{
    sigset_t none;
    sigemptyset(&none);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    dup2(null, STDIN_FILENO); /* the program has ours */
    dup2(err, STDERR_FILENO);
    cleanup_free char *entry = xstrdup(mark);
    putenv(entry);
    /* no instance without its hbatch start: mpirun passes that on, and the ranks know it */
    prctl(PR_SET_PDEATHSIG, SIGUSR2);
    if (getppid() == parent)
        execvp(argv[0], argv);
    int code = errno;
    write_all(failed, &code, sizeof(code));
    _exit(127);
}

struct ranks *ranks_start(char *const *argv, const char *mark, const char *spare,
                          void (*said)(void *arg, enum noise_word word, const char *rest),
                          void *arg, struct error *err)
{
    int fds[2], failed[2], code = 0;
    if (pipe2(fds, O_CLOEXEC) < 0)
        return error_null(err, errno, "pipe: %s", strerror(errno));
    if (pipe2(failed, O_CLOEXEC) < 0) {
        error_set(err, errno, "pipe: %s", strerror(errno));
        close(fds[0]);
        close(fds[1]);
        return NULL;
    }
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(argv, mark, parent, fds[1], failed[1]);
    if (pid < 0)
        code = errno;
    close(fds[1]);
    close(failed[1]);
    if (pid > 0 && read_all(failed[0], &code, sizeof(code)) == sizeof(code))
        waitpid(pid, NULL, 0);
    close(failed[0]);
    if (code != 0) {
        close(fds[0]);
        return error_null(err, code, "cannot run %s: %s", argv[0], strerror(code));
    }
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    struct ranks *r = xcalloc(1, sizeof(*r));
    *r = (struct ranks){
        .pid = pid,
        .fd = fds[0],
        .spare = spare,
        .noise = {.status = -1, .write = to_stderr, .said = said, .arg = arg}};
    return r;
}

static void close_fd(struct ranks *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    noise_flush(&r->noise);
    r->flush_at = 0;
}

void ranks_destroy(struct ranks *r)
{
    if (!r)
        return;
    close_fd(r);
    free(r->noise.kept);
    free(r);
}

int ranks_fd(const struct ranks *r)
{
    return r->fd;
}

double ranks_wait(const struct ranks *r)
{
    double at = r->end_at > 0 && r->flush_at > 0 ? MIN(r->end_at, r->flush_at)
                                                 : MAX(r->end_at, r->flush_at);
    return at > 0 ? MAX(at - time_mono(), 0) : -1;
}

/* False: nothing more at the moment. */
static bool read_some(struct ranks *r)
{
    char buf[65536];
    if (r->fd < 0)
        return false;
    ssize_t n = read(r->fd, buf, sizeof(buf));
    if (n < 0)
        return errno == EINTR;
    if (n == 0) {
        close_fd(r);
        return false;
    }
    noise_feed(&r->noise, buf, (size_t)n);
    r->flush_at = r->noise.used > 0 ? time_mono() + HELD : 0;
    return true;
}

void ranks_step(struct ranks *r)
{
    read_some(r);
    double now = time_mono();
    if (r->flush_at > 0 && now >= r->flush_at) {
        noise_flush(&r->noise);
        r->flush_at = 0;
    }
    if (r->ended || r->end_at <= 0 || now < r->end_at)
        return;
    if (r->terminated) {
        orphans_kill_session(r->pid, r->spare);
        r->end_at = 0;
        return;
    }
    r->terminated = true;
    r->end_at = now + (r->idle ? IDLE : STUBBORN);
    ranks_signal(r, SIGTERM);
    ranks_signal(r, SIGCONT);
}

void ranks_end(struct ranks *r, double seconds)
{
    double at = time_mono() + seconds;
    if (!r->terminated && (r->end_at <= 0 || at < r->end_at))
        r->end_at = at;
}

void ranks_leave(struct ranks *r)
{
    r->idle = true;
    ranks_end(r, IDLE);
}

void ranks_signal(const struct ranks *r, int signum)
{
    if (!r->ended)
        kill(r->pid, signum);
}

bool ranks_reaped(struct ranks *r, pid_t pid, int status)
{
    if (r->ended || pid != r->pid)
        return false;
    while (read_some(r)) /* what others still hold open is not waited for */
        ;
    close_fd(r);
    r->ended = true;
    r->status = status;
    r->end_at = 0;
    return true;
}

char *ranks_kept(struct ranks *r)
{
    return take(r->noise.kept);
}

bool ranks_ended(const struct ranks *r, int *status)
{
    *status = r->status;
    return r->ended;
}
