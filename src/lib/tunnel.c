/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/lib/tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"

enum { LINE_MAX_SIZE = 4096 };

/* --- ssh ------------------------------------------------------------------------------------- */

/* What ctrl-C does to this program is its own affair; ssh ends with the socket. */
static void set_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* In a grandchild, so that neither this program nor who waits for its children has one more. */
static _Noreturn void become(char **words, int fd, int failed)
{
    pid_t pid = fork();
    if (pid != 0)
        _exit(pid < 0);
    set_signals();
    if (dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0)
        execvp(words[0], words);
    int code = errno;
    if (write(failed, &code, sizeof(code)) < 0)
        _exit(126);
    _exit(127);
}

/* WORDS, with the other end of the socket that is returned; or -1 with errno. */
static int run(char **words)
{
    int ends[2], p[2], status = 0, code = 0;
    ssize_t n;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return -1;
    if (pipe2(p, O_CLOEXEC) < 0) {
        close(ends[0]);
        close(ends[1]);
        return -1;
    }
    pid_t pid = fork();
    if (pid == 0)
        become(words, ends[1], p[1]);
    int why = pid < 0 ? errno : 0;
    close(ends[1]);
    close(p[1]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    do
        n = read(p[0], &code, sizeof(code));
    while (n < 0 && errno == EINTR);
    close(p[0]);
    if (why == 0 && n != sizeof(code))
        return ends[0];
    close(ends[0]);
    errno = why ? why : code;
    return -1;
}

/* --- the relay's line ------------------------------------------------------------------------ */

/* Read a line into LINE; what does not fit is dropped.  1: there is one; 0: time is over; -1: nothing more comes.  Byte
 * by byte, as what follows is the instance's. */
static int read_line(int fd, char *line, double end)
{
    for (size_t n = 0;;) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        double left = end - time_mono();
        int rc = poll(&pfd, 1, end <= 0 ? -1 : left > 0 ? (int)(left * 1000) + 1 : 0);
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc <= 0)
            return 0;
        char c;
        ssize_t got = read(fd, &c, 1);
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return -1;
        line[n] = '\0';
        if (c == '\n')
            return 1;
        if (n + 1 < LINE_MAX_SIZE)
            line[n++] = c;
    }
}

/* TEXT: what follows the mark. */
static int take_answer(const char *text, const char *host, bool *returns,
                       struct error *err)
{
    json_object *result = NULL, *error = NULL, *o = NULL;
    cleanup_json json_object *all = json_tokener_parse(text);
    if (json_object_object_get_ex(all, "result", &result)) {
        *returns = json_object_object_get_ex(result, "recoverable", &o) &&
                   json_object_get_boolean(o);
        return 0;
    }
    if (!json_object_object_get_ex(all, "error", &error))
        return error_set(err, EPROTO, "hbatch on host %s said what is not understood: %s",
                         host, text);
    int code = json_object_object_get_ex(error, "code", &o) ? json_object_get_int(o) : 0;
    json_object_object_get_ex(error, "message", &o);
    return error_set(err, code > 0 ? code : EPROTO, "on host %s: %s", host,
                     o ? json_object_get_string(o) : "?");
}

static int shake_hands(int fd, const struct sshdest *d, const char *ssh, int patience_ms,
                       bool *returns, struct error *err)
{
    char line[LINE_MAX_SIZE];
    double end = patience_ms < 0 ? 0 : time_mono() + patience_ms / 1e3;
    int rc;
    while ((rc = read_line(fd, line, end)) > 0) {
        if (strncmp(line, TUNNEL_MARK, strlen(TUNNEL_MARK)) == 0)
            return take_answer(line + strlen(TUNNEL_MARK), d->host, returns, err);
    }
    if (rc == 0)
        return error_set(err, ETIMEDOUT, "host %s did not answer in time", d->host);
    return error_set(err, EHOSTUNREACH,
                     "%s ended without having reached it on host %s (its own message may "
                     "say why)",
                     ssh, d->host);
}

int tunnel_open(const struct sshdest *d, const char *path, int patience_ms, bool *returns,
                struct error *err)
{
    cleanup_free char *hbatch = sshdest_hbatch();
    cleanup_strbuf struct strbuf command = {0};
    strbuf_add(&command, "exec ");
    strbuf_add_shell(&command, hbatch);
    strbuf_add(&command, " __relay ");
    strbuf_add_shell(&command, path);
    cleanup_free char **words = sshdest_words(d, false, command.s);
    int fd = run(words);
    if (fd < 0)
        return error_set(err, EHOSTUNREACH,
                         "%s, which would go to host %s, cannot be run: %s", words[0],
                         d->host, strerror(errno));
    *returns = false;
    if (shake_hands(fd, d, words[0], patience_ms, returns, err) == 0)
        return fd;
    close(fd);
    return -1;
}
