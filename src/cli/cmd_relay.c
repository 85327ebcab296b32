/* SPDX-License-Identifier: BSD-3-Clause */
/* For src/lib/tunnel.h: the other end of a connection by ssh. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/verbs.h"
#include "src/lib/link.h"
#include "src/lib/tunnel.h"

enum {
    ROOM = 65536,
    PIECE = 4096 /* a pipe that can be written to at all takes as much without blocking */
};

struct way {
    int from, to;
    size_t len, done;
    char data[ROOM];
};

static void say(const char *key, json_object *value)
{
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, key, value);
    printf(TUNNEL_MARK "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    fflush(stdout);
}

static bool is_passing(void)
{
    return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK;
}

/* What poll said of its two ends. False: one of them is closed. */
static bool carry(struct way *w, const struct pollfd *from, const struct pollfd *to)
{
    if (w->done < w->len && (to->revents & (POLLOUT | POLLERR))) {
        size_t n = MIN(w->len - w->done, (size_t)PIECE);
        ssize_t put = write(w->to, w->data + w->done, n);
        if (put < 0 && !is_passing())
            return false;
        w->done += put > 0 ? (size_t)put : 0;
    }
    if (w->done == w->len && (from->revents & (POLLIN | POLLHUP | POLLERR))) {
        ssize_t got = read(w->from, w->data, ROOM);
        if (got == 0 || (got < 0 && !is_passing()))
            return false;
        w->done = 0;
        w->len = got > 0 ? (size_t)got : 0;
    }
    return true;
}

static short wanted(const struct way *in, const struct way *out)
{
    return (short)((in->done == in->len ? POLLIN : 0) |
                   (out->done < out->len ? POLLOUT : 0));
}

/* Until either side closes. */
static void relay(int fd)
{
    static struct way there, back;
    there = (struct way){.from = STDIN_FILENO, .to = fd};
    back = (struct way){.from = fd, .to = STDOUT_FILENO};
    for (;;) {
        struct pollfd fds[] = {
            {.fd = STDIN_FILENO, .events = there.done == there.len ? POLLIN : 0},
            {.fd = back.done < back.len ? STDOUT_FILENO : -1, .events = POLLOUT},
            {.fd = fd, .events = wanted(&back, &there)}};
        if (poll(fds, ARRAY_SIZE(fds), -1) < 0)
            continue;
        if (!carry(&there, &fds[0], &fds[2]) || !carry(&back, &fds[2], &fds[1]))
            return;
    }
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct link l;
    struct error err;
    (void)cli, (void)cmd;
    if (argc != 2)
        return EXIT_USAGE;
    cleanup_free char *uri = xasprintf("local://%s", argv[1]);
    if (link_open(&l, uri, &err) < 0) {
        json_object *error = json_object_new_object();
        json_object_object_add(error, "code", json_object_new_int(err.code));
        json_object_object_add(error, "message", json_object_new_string(err.text));
        say("error", error);
        return 0;
    }
    json_object *result = json_object_new_object();
    json_object_object_add(result, "recoverable",
                           json_object_new_boolean(link_returns(&l)));
    say("result", result);
    relay(l.fd);
    link_close(&l);
    return 0;
}

const struct cmd cmd_relay = {
    .name = "__relay",
    .args = "PATH",
    .help = "Hand on what comes between standard input and output and a socket",
    .flags = CMD_HIDDEN | CMD_POSIX,
    .run = run,
};
