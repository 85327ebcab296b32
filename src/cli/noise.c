/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/noise.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/orphans.h"
#include "src/common/util.h"

#define PATIENCE 10.0 /* s, for mpirun to end after its ranks */
#define STUBBORN 2.0  /* s, from SIGTERM to SIGKILL */

static const char border[] =
    "--------------------------------------------------------------------------\n";
enum { BORDER = sizeof(border) - 1, HELD_MAX = 4096, HELD_MS = 500 };

/* A box is noise if it has both texts. */
static const char *const boxes[][2] = {
    {"Primary job  terminated normally, but ", "a non-zero exit code"},
    {" detected that one or more processes exited with non-zero status",
     ",1],0]\n  Exit code:"},
    /* of the loss, the instance tells itself */
    {"Open MPI failed to TCP connect to a peer MPI process", "Message:"},
    {"An MPI communication peer process has unexpectedly disconnected", "Peer host:"},
};

/* These tell that mpirun could not start, at length, and not why: they are kept, for whoever asks
 * the hosts finds a better reason. */
static const char *const about_start[] = {
    "ORTE was unable to reliably start one or more daemons",
    "ORTE does not know how to route a message to the specified daemon",
    "An ORTE daemon has unexpectedly failed after launch",
    "was unable to find the specified executable file",
    "was unable to launch the specified application",
};

/* --- the filter --------------------------------------------------------------------------- */

static void hold(struct noise *n, const char *data, size_t len)
{
    if (n->used + len + 1 > n->size) {
        n->size = n->used + len + 1;
        n->held = xrealloc(n->held, n->size);
    }
    memcpy(n->held + n->used, data, len);
    n->used += len;
    n->held[n->used] = '\0';
}

void noise_flush(struct noise *n)
{
    if (n->used > 0)
        n->write(n->arg, n->held, n->used);
    free(n->held);
    n->held = NULL;
    n->used = n->size = 0;
    n->inside = false;
}

static bool is_noise(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(boxes); i++)
        if (strstr(text, boxes[i][0]) && strstr(text, boxes[i][1]))
            return true;
    return false;
}

static bool is_about_start(const char *text)
{
    for (size_t i = 0; i < ARRAY_SIZE(about_start); i++)
        if (strstr(text, about_start[i]))
            return true;
    return false;
}

static void keep(struct noise *n)
{
    char *both = xasprintf("%s%s", n->kept ? n->kept : "", n->held);
    free(n->kept);
    n->kept = both;
    n->used = 0;
}

/* Lines "[HOST:PID] HEAD ... PART ...", which mean nothing to users. */
static const struct remark {
    const char *head, *part;
} remarks[] = {
    /* mpirun's own PMIx, whenever a process ends under --enable-recovery */
    {"] PMIX ERROR: ", "pmix_event_notification.c"},
    /* the agent that mpirun had started was quicker */
    {"] plm:rsh: Warning: setpgid(", ") failed in parent with errno="},
};

/* The remark whose beginning TEXT, LEN bytes of a line, is or may become; or NULL. */
static const struct remark *may_be_remark(const char *text, size_t len)
{
    size_t name = 1;
    if (text[0] != '[')
        return NULL;
    while (name < len &&
           (isalnum((unsigned char)text[name]) || strchr(".-:_", text[name])))
        name++;
    for (size_t i = 0; i < ARRAY_SIZE(remarks); i++)
        if (memcmp(text + name, remarks[i].head,
                   MIN(len - name, strlen(remarks[i].head))) == 0)
            return &remarks[i];
    return NULL;
}

/* The line of an instance that TEXT, LEN bytes of a line, is or may become; its end: "\n" for
 * those without a rest. */
static const struct said {
    enum noise_word word;
    const char *text;
} * may_be_said(const char *text, size_t len)
{
    static const struct said all[] = {{NOISE_READY, "hbatch-instance: ready "},
                                      {NOISE_ENDED, NOISE_STATUS},
                                      {NOISE_LOST, "hbatch-instance: lost "},
                                      {NOISE_RESTART, "hbatch-instance: restart\n"}};
    for (size_t i = 0; i < ARRAY_SIZE(all); i++)
        if (memcmp(text, all[i].text, MIN(len, strlen(all[i].text))) == 0)
            return &all[i];
    return NULL;
}

/* A rank that cannot go on: all others are to leave, too, as nobody else may be left to say so.  For
 * the user as well. */
static const char rank_says[] = "hbatch-instance: ", last_words[] = ": this one ends\n";

static bool is_last_word(const char *text, size_t len)
{
    size_t head = strlen(rank_says), tail = strlen(last_words);
    return len >= head + tail && memcmp(text, rank_says, head) == 0 &&
           memcmp(text + len - tail, last_words, tail) == 0;
}

static bool may_be_border(const char *text, size_t len)
{
    return len <= BORDER && memcmp(text, border, len) == 0;
}

/* The beginning of a line that may turn out not to be for the user. */
static bool is_suspect(const char *text, size_t len)
{
    return may_be_border(text, len) || may_be_said(text, len) ||
           may_be_remark(text, len) ||
           memcmp(text, rank_says, MIN(len, strlen(rank_says))) == 0;
}

/* A whole line that is not for the user. */
static bool is_swallowed(struct noise *n, const char *text, size_t len)
{
    const struct said *s = may_be_said(text, len);
    if (s) {
        size_t words = strlen(s->text);
        cleanup_free char *rest = xstrndup(text + words, len - MIN(len, words + 1));
        if (s->word == NOISE_ENDED)
            n->status = atoi(rest);
        if (n->said)
            n->said(n->arg, s->word, rest);
        return true;
    }
    const struct remark *r = may_be_remark(text, len);
    return r && memmem(text, len, r->part, strlen(r->part));
}

/* LINE, whole or the last of what came, goes on to what is held, or out. */
static void feed_line(struct noise *n, const char *line, size_t len)
{
    size_t start = n->used; /* of this line's first part in what is held */
    while (start > 0 && n->held[start - 1] != '\n')
        start--;
    if (!n->inside && n->used == 0 && !is_suspect(line, len)) {
        n->write(n->arg, line, len);
        return;
    }
    hold(n, line, len);
    const char *whole = n->held + start;
    size_t whole_len = n->used - start;
    bool complete = whole[whole_len - 1] == '\n';
    bool is_border = whole_len == BORDER && may_be_border(whole, whole_len);
    if (complete && n->said && is_last_word(whole, whole_len))
        n->said(n->arg, NOISE_RESTART, "");
    if (complete && is_swallowed(n, whole, whole_len)) {
        n->used = start;
        n->held[start] = '\0';
        if (!n->inside)
            noise_flush(n);
    } else if (!n->inside && is_border)
        n->inside = true;
    else if (n->inside && is_border) {
        if (is_noise(n->held))
            n->used = 0;
        else if (is_about_start(n->held))
            keep(n);
        noise_flush(n);
    } else if ((!n->inside && (complete || !is_suspect(whole, whole_len))) ||
               n->used > HELD_MAX)
        noise_flush(n);
}

void noise_feed(struct noise *n, const char *data, size_t len)
{
    while (len > 0) {
        const char *newline = memchr(data, '\n', len);
        size_t part = newline ? (size_t)(newline - data) + 1 : len;
        feed_line(n, data, part);
        data += part;
        len -= part;
    }
}

/* --- mpirun -------------------------------------------------------------------------------- */

static volatile sig_atomic_t child, told_to_end; /* by which signal */

/* What the terminal sends, mpirun gets as well: only what a process sent is passed on.  A
 * hang-up would end MPICH's mpiexec without a word to the ranks. */
static void forward(int signum, siginfo_t *info, void *context)
{
    (void)context;
    int saved = errno;
    if (signum == SIGTERM || signum == SIGHUP)
        told_to_end = signum;
    if (info->si_code <= 0 && child > 0)
        kill((pid_t)child, signum == SIGHUP ? SIGTERM : signum);
    errno = saved;
}

static void wake(int signum)
{
    (void)signum; /* ends ppoll */
}

static void to_stderr(void *arg, const char *data, size_t len)
{
    (void)arg;
    write_all(STDERR_FILENO, data, len);
}

static void handle_signals(void)
{
    static const int forwarded[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2};
    struct sigaction sa = {.sa_sigaction = forward, .sa_flags = SA_SIGINFO | SA_RESTART};
    for (size_t i = 0; i < ARRAY_SIZE(forwarded); i++)
        sigaction(forwarded[i], &sa, NULL);
    struct sigaction chld = {.sa_handler = wake};
    sigaction(SIGCHLD, &chld, NULL);
    signal(SIGPIPE, SIG_IGN);
}

/* An mpirun that lost a host may never end: what its instance has told goes for it.  Seconds until
 * the next look; negative: none is needed. */
static double hurry(const struct noise *n, double *told_at, bool *terminated)
{
    double now = time_mono();
    if (n->status < 0)
        return -1;
    if (*told_at <= 0)
        *told_at = now;
    if (now - *told_at >= PATIENCE + STUBBORN)
        orphans_kill_session((pid_t)child, NULL);
    else if (now - *told_at >= PATIENCE && !*terminated) {
        *terminated = true;
        kill((pid_t)child, SIGTERM);
    }
    return MAX(*told_at + PATIENCE + (*terminated ? STUBBORN : 0) - now, 0.1);
}

/* Pass on what comes, until the program has ended; what others still hold open is not waited for. */
static int pass_on(int fd, struct noise *n, const sigset_t *unblocked)
{
    char buf[65536];
    bool open = true, ended = false, terminated = false;
    double told_at = 0;
    int status = 0;
    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (!ended || open) {
        double wait = ended ? -1 : hurry(n, &told_at, &terminated);
        if (n->used > 0 && (wait < 0 || wait > HELD_MS / 1e3))
            wait = HELD_MS / 1e3;
        struct timespec limit = {(time_t)wait,
                                 (long)((wait - (double)(time_t)wait) * 1e9)};
        struct pollfd p = {.fd = open ? fd : -1, .events = POLLIN};
        if (!ended && ppoll(&p, 1, wait >= 0 ? &limit : NULL, unblocked) == 0)
            noise_flush(n);
        ended = ended || waitpid((pid_t)child, &status, WNOHANG) == (pid_t)child;
        ssize_t len = open ? read(fd, buf, sizeof(buf)) : 0;
        if (len > 0)
            noise_feed(n, buf, (size_t)len);
        else if (open && (len == 0 || (ended && errno != EINTR)))
            open = false;
    }
    noise_flush(n);
    if (terminated)
        return n->status;
    if (told_to_end && status == 0) /* as MPICH's mpiexec has it, now and then */
        return 128 + told_to_end;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int noise_run(char *const *argv, bool *told, char **kept, struct error *err)
{
    int fds[2], failed[2];
    if (pipe2(fds, O_CLOEXEC) < 0 || pipe2(failed, O_CLOEXEC) < 0)
        return error_set(err, errno, "pipe: %s", strerror(errno));
    sigset_t blocked, before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGCHLD); /* comes only while ppoll waits */
    sigprocmask(SIG_BLOCK, &blocked, &before);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0) {
        sigprocmask(SIG_SETMASK, &before, NULL);
        dup2(fds[1], STDERR_FILENO);
        prctl(PR_SET_PDEATHSIG, SIGTERM); /* no instance without its hbatch start */
        if (getppid() == parent)
            execvp(argv[0], argv);
        int code = errno;
        write_all(failed[1], &code, sizeof(code));
        _exit(127);
    }
    close(fds[1]);
    close(failed[1]);
    child = pid;
    if (pid > 0)
        handle_signals();
    int code = errno;
    bool bad = pid < 0 || read_all(failed[0], &code, sizeof(code)) == sizeof(code);
    close(failed[0]);
    if (bad) {
        close(fds[0]);
        if (pid > 0)
            waitpid(pid, NULL, 0);
        sigprocmask(SIG_SETMASK, &before, NULL);
        return error_set(err, code, "cannot run %s: %s", argv[0], strerror(code));
    }
    struct noise n = {.write = to_stderr, .status = -1};
    int rc = pass_on(fds[0], &n, &before);
    *told = n.status >= 0;
    *kept = n.kept;
    if (rc == 0 && n.status > 0)
        rc = n.status;
    close(fds[0]);
    return rc;
}
