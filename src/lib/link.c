/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/lib/link.h"

#include <dirent.h>
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include "src/comm/lines.h"
#include "src/common/duration.h"
#include "src/common/util.h"
#include "src/lib/sshdest.h"
#include "src/lib/tunnel.h"

#define TIMEOUT_VARIABLE "HBATCH_RECONNECT_TIMEOUT"
#define SOCKET_NAME "sock-" /* and the rank */
#define TIMEOUT_DEFAULT 60.0
#define RELAY_S 10.0    /* for the answer of another node */
#define TUNNEL_MS 10000 /* for a lost one to be made again */
#define LASTED 1.0 /* s: a connection that was good for so long ends what was before it */

/* The path of the socket here, new. */
static char *uri_path(const char *uri, struct error *err)
{
    if (strncmp(uri, "local://", 8) != 0 || uri[8] != '/')
        return error_null(err, EINVAL,
                          "'%s' is not an instance's URI: it must be local:// and the "
                          "absolute path of a socket, or "
                          "ssh://[USER@]HOST[:PORT]/PATH",
                          uri);
    return xstrndup(uri + 8, strcspn(uri + 8, (const char[]){LINK_HOP, 0}));
}

/* What comes after that path: from the first LINK_HOP on, or nothing. */
static const char *uri_hops(const char *uri)
{
    const char *hop = strchr(uri, LINK_HOP);
    return hop ? hop : "";
}

/* Whether the instance at PATH means to come back. */
static bool recoverable(const char *path)
{
    cleanup_free char *mark =
        xasprintf("%.*s/recoverable", (int)(strrchr(path, '/') - path), path);
    return access(mark, F_OK) == 0;
}

static int read_timeout(double *timeout, struct error *err)
{
    const char *text = getenv(TIMEOUT_VARIABLE);
    *timeout = TIMEOUT_DEFAULT;
    if (!text || !*text)
        return 0;
    return duration_decode(text, timeout, err) < 0 ? error_prefix(err, TIMEOUT_VARIABLE)
                                                   : 0;
}

/* There is nobody at the socket now. */
static bool nobody(int code)
{
    return code == ECONNREFUSED || code == ENOENT;
}

static int delay(unsigned tries)
{
    return tries < LINK_SOON_TRIES ? LINK_SOON : LINK_LATER;
}

static int gone(const char *uri, const struct error *why, struct error *err)
{
    if (!nobody(why->code))
        return error_set(err, why->code, "instance %s: %s", uri, why->text);
    return error_set(err, why->code, "the instance at %s is gone (%s); %s", uri,
                     why->code == ENOENT ? "its socket does not exist"
                                         : "its socket refuses connections",
                     LINK_HOW_TO_START);
}

static int too_late(double timeout, const char *what, struct error *err)
{
    char text[DURATION_BUFSIZE];
    return error_set(err, ECONNRESET,
                     "%s: it was lost and did not come back within %s; set "
                     "" TIMEOUT_VARIABLE " to wait longer",
                     what, duration_encode(timeout, text));
}

/* PATH is of another node's rank: the one on this node has its socket in a directory of the same
 * name.  Its connection, with *uri its own; or -1. */
static int connect_sibling(const char *path, char **uri)
{
    const char *name = strrchr(path, '/') + 1;
    int fd = -1;
    if (strncmp(name, SOCKET_NAME, strlen(SOCKET_NAME)) != 0)
        return -1;
    cleanup_free char *dir = xstrndup(path, (size_t)(name - path));
    DIR *d = opendir(dir);
    for (struct dirent *e; d && fd < 0 && (e = readdir(d));) {
        struct error ignored;
        if (strncmp(e->d_name, SOCKET_NAME, strlen(SOCKET_NAME)) != 0)
            continue;
        cleanup_free char *other = xasprintf("%s%s", dir, e->d_name);
        if ((fd = lines_connect(other, &ignored)) >= 0)
            *uri = xasprintf("local://%s", other);
    }
    if (d)
        closedir(d);
    return fd;
}

static int connect_any(const char *path, char **uri, struct error *why)
{
    int fd = lines_connect(path, why);
    if (fd < 0 && why->code == ENOENT)
        fd = connect_sibling(path, uri);
    return fd;
}

/* --- by other instances --------------------------------------------------------------------- */

/* A line of the other side, without its newline; it says no more before it is asked.  -1: none came. */
static int read_answer(int fd, char *line, size_t size, double end)
{
    for (size_t n = 0; n + 1 < size;) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        double left = end - time_mono();
        int rc = left > 0 ? poll(&pfd, 1, (int)(left * 1000) + 1) : 0;
        if (rc < 0 && errno == EINTR)
            continue;
        ssize_t got = rc > 0 ? read(fd, line + n, size - 1 - n) : 0;
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got <= 0)
            return -1;
        n += (size_t)got;
        line[n] = '\0';
        if (line[n - 1] == '\n')
            return 0;
    }
    return -1;
}

/* "!RANK:PATH", LEN bytes: from the instance that FD is connected to, to the socket PATH on that node. */
static int relay(int fd, const char *hop, size_t len, struct error *why)
{
    char answer[4096], *colon;
    cleanup_free char *text = xstrndup(hop + 1, len - 1);
    long rank = strtol(text, &colon, 10);
    if (colon == text || *colon != ':' || rank < 0)
        return error_set(why, EINVAL, "'!%s' in a URI must be !RANK:PATH", text);
    cleanup_json json_object *o = NULL, *params = json_object_new_object();
    json_object_object_add(params, "rank", json_object_new_int64(rank));
    json_object_object_add(params, "path", json_object_new_string(colon + 1));
    cleanup_free char *request = xasprintf(
        "{\"jsonrpc\":\"2.0\",\"id\":0,\"method\":\"instance.relay\",\"params\":%s}\n",
        json_object_to_json_string_ext(params, JSON_C_TO_STRING_PLAIN));
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request) ||
        read_answer(fd, answer, sizeof(answer), time_mono() + RELAY_S) < 0)
        return error_set(why, ETIMEDOUT, "it did not connect to rank %ld's node", rank);
    o = json_tokener_parse(answer);
    json_object *error = NULL, *code = NULL, *message = NULL;
    if (!json_object_object_get_ex(o, "error", &error))
        return json_object_object_get_ex(o, "result", NULL)
                   ? 0
                   : error_set(why, EPROTO, "it did not understand instance.relay");
    json_object_object_get_ex(error, "code", &code);
    json_object_object_get_ex(error, "message", &message);
    return error_set(why, code ? json_object_get_int(code) : EIO,
                     "on the node of rank %ld: %s", rank,
                     message ? json_object_get_string(message) : "?");
}

/* All of HOPS, from FD on, which is closed when one fails. */
static int relay_all(int fd, const char *hops, struct error *why)
{
    while (fd >= 0 && *hops) {
        size_t len = 1 + strcspn(hops + 1, (const char[]){LINK_HOP, 0});
        if (relay(fd, hops, len, why) < 0) {
            close(fd);
            return -1;
        }
        hops += len;
    }
    return fd;
}

/* --- by ssh ----------------------------------------------------------------------------------- */

static bool is_ssh(const char *uri)
{
    return strncmp(uri, SSHDEST_SCHEME, strlen(SSHDEST_SCHEME)) == 0;
}

/* The first hop of it: the others come after. */
static int first_hop(const char *uri, struct sshdest *d, struct error *err)
{
    cleanup_free char *first = xstrndup(uri, strcspn(uri, (const char[]){LINK_HOP, 0}));
    return sshdest_decode(first, d, err);
}

static int connect_tunnel(struct link *l, const char *uri, int patience_ms,
                          struct error *why)
{
    struct sshdest d;
    if (first_hop(uri, &d, why) < 0)
        return -1;
    int fd = tunnel_open(&d, d.path, patience_ms, &l->returns, why);
    sshdest_fini(&d);
    return relay_all(fd, uri_hops(uri), why);
}

static int open_by_ssh(struct link *l, const char *uri, struct error *err)
{
    struct sshdest d;
    struct error why;
    if (first_hop(uri, &d, err) < 0)
        return -1;
    cleanup_free char *local =
        sshdest_is_here(&d) ? xasprintf("local://%s%s", d.path, uri_hops(uri)) : NULL;
    sshdest_fini(&d);
    if (local)
        return link_open(l, local, err);
    l->fd = connect_tunnel(l, uri, -1, &why);
    if (l->fd < 0)
        return error_set(err, why.code, "the instance at %s: %s", uri, why.text);
    l->tunnel = true;
    l->connected = time_mono();
    l->uri = xstrdup(uri);
    return 0;
}

char *link_uri_from(const char *via, const char *uri)
{
    if (!is_ssh(via) || strncmp(uri, "local:///", 9) != 0)
        return xstrdup(uri);
    size_t host = strlen(SSHDEST_SCHEME);
    host += strcspn(via + host, "/");
    return xasprintf("%.*s%s", (int)host, via, uri + 8);
}

int link_open(struct link *l, const char *uri, struct error *err)
{
    struct error why;
    double timeout = -1, start = 0;
    *l = (struct link){.fd = -1, .watch = -1, .watched = -1};
    if (is_ssh(uri))
        return open_by_ssh(l, uri, err);
    cleanup_free char *path = uri_path(uri, err);
    if (!path)
        return -1;
    while ((l->fd = connect_any(path, &l->uri, &why)) < 0) {
        if (!nobody(why.code) || !recoverable(path))
            return gone(uri, &why, err);
        if (timeout < 0) {
            start = time_mono();
            if (read_timeout(&timeout, err) < 0)
                return -1;
        }
        if (timeout <= 0)
            return gone(uri, &why, err);
        if (time_mono() - start >= timeout) {
            cleanup_free char *what = xasprintf("the instance at %s", uri);
            return too_late(timeout, what, err);
        }
        poll(NULL, 0, delay(l->tries++));
    }
    l->fd = relay_all(l->fd, uri_hops(uri), &why);
    if (l->fd < 0) {
        free(take(l->uri));
        return error_set(err, why.code, "the instance at %s: %s", uri, why.text);
    }
    l->tries = 0;
    l->connected = time_mono();
    char *sibling = take(l->uri); /* the rank here is another one than was named */
    l->uri = xasprintf("%s%s", sibling ? sibling : uri, sibling ? uri_hops(uri) : "");
    free(sibling);
    return 0;
}

void link_open_carrier(struct link *l, const struct hbatch_carrier *carrier, void *arg,
                       const char *name)
{
    *l = (struct link){.carrier = carrier,
                       .arg = arg,
                       .fd = -1,
                       .watch = -1,
                       .watched = -1,
                       .uri = xstrdup(name),
                       .connected = time_mono()};
}

ssize_t link_send(struct link *l, const void *data, size_t len)
{
    if (l->carrier)
        return l->carrier->send(l->arg, data, len);
    return send(l->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

ssize_t link_recv(struct link *l, void *data, size_t size)
{
    if (l->carrier)
        return l->carrier->recv(l->arg, data, size);
    return recv(l->fd, data, size, MSG_DONTWAIT);
}

int link_wait(struct link *l, bool room, int timeout_ms)
{
    if (l->carrier)
        return l->carrier->wait(l->arg, room, timeout_ms) ? POLLIN | (room ? POLLOUT : 0)
                                                          : 0;
    struct pollfd pfd = {.fd = l->fd, .events = (short)(POLLIN | (room ? POLLOUT : 0))};
    return poll(&pfd, 1, timeout_ms) > 0 ? pfd.revents : 0;
}

void link_close(struct link *l)
{
    if (l->carrier)
        l->carrier->close(l->arg);
    else
        close(l->fd);
    if (l->watch >= 0)
        close(l->watch);
    free(l->uri);
}

void link_heard(struct link *l)
{
    l->heard = true;
}

int link_watch(struct link *l, bool room)
{
    if (l->carrier)
        return l->carrier->fd(l->arg);
    if (l->watch < 0 && (l->watch = epoll_create1(EPOLL_CLOEXEC)) < 0)
        return l->fd;
    struct epoll_event e = {.events = EPOLLIN | (room ? (unsigned)EPOLLOUT : 0)};
    if (l->watched != l->fd)
        epoll_ctl(l->watch, EPOLL_CTL_ADD, l->fd, &e);
    else if (l->watched_for_room != room)
        epoll_ctl(l->watch, EPOLL_CTL_MOD, l->fd, &e);
    l->watched = l->fd;
    l->watched_for_room = room;
    return l->watch;
}

/* FD instead of the descriptor that was. */
static void set_fd(struct link *l, int fd)
{
    if (l->watched >= 0)
        epoll_ctl(l->watch, EPOLL_CTL_DEL, l->watched, NULL);
    l->watched = -1;
    close(l->fd);
    l->fd = fd;
    if (l->watch >= 0)
        link_watch(l, false);
}

static void schedule(struct link *l, double now, int ms)
{
    struct itimerspec when = {
        .it_value = {.tv_sec = ms / 1000, .tv_nsec = MAX(ms % 1000 * 1000000L, 1)}};
    l->next = now + ms / 1e3;
    timerfd_settime(l->fd, 0, &when, NULL);
}

static char *describe(const struct link *l)
{
    return xasprintf("the connection to the instance at %s", l->uri);
}

/* Whether the instance means to come back. */
bool link_returns(const struct link *l)
{
    cleanup_free char *path = l->tunnel ? NULL : uri_path(l->uri, NULL);
    return l->tunnel ? l->returns : recoverable(path);
}

int link_lost(struct link *l, int code, const char *why, struct error *err)
{
    double timeout = 0, now = time_mono();
    struct error e;
    cleanup_free char *what = describe(l);
    if (l->carrier)
        return error_set(err, code, "%s is lost: %s", what, l->carrier->why(l->arg));
    if (l->heard || l->tries == 0 || now - l->connected > LASTED) {
        l->since = now;
        l->tries = 0;
    }
    if (link_returns(l) && read_timeout(&timeout, &e) < 0)
        return error_set(err, code, "%s is lost: %s; %s", what, why, e.text);
    if (timeout > 0 && now - l->since >= timeout)
        return too_late(timeout, what, err);
    int fd =
        timeout > 0 ? timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK) : -1;
    if (fd < 0)
        return error_set(err, code, "%s is lost: %s", what, why);
    set_fd(l, fd);
    l->away = true;
    schedule(l, now, l->tries == 0 ? 0 : delay(l->tries));
    return 0;
}

static int connect_again(struct link *l, struct error *why)
{
    if (l->tunnel)
        return connect_tunnel(l, l->uri, TUNNEL_MS, why);
    cleanup_free char *path = uri_path(l->uri, NULL);
    return relay_all(lines_connect_now(path, why), uri_hops(l->uri), why);
}

/* Not yet: it may be otherwise at the next try. */
static bool is_passing(const struct link *l, int code)
{
    return nobody(code) || code == EAGAIN ||
           (l->tunnel && (code == EHOSTUNREACH || code == ETIMEDOUT));
}

int link_retry(struct link *l, struct error *err)
{
    struct error why;
    double timeout, now = time_mono();
    if (now < l->next)
        return 0;
    l->tries++;
    int fd = connect_again(l, &why);
    if (fd >= 0) {
        set_fd(l, fd);
        l->away = l->heard = false;
        l->connected = now;
        return 1;
    }
    cleanup_free char *what = describe(l);
    if (!is_passing(l, why.code))
        return error_set(err, why.code, "%s is lost: %s", what, why.text);
    if (!link_returns(l) || ((l->tunnel || *uri_hops(l->uri)) && nobody(why.code)))
        return error_set(err, ECONNRESET, "%s is lost: the instance has ended", what);
    if (read_timeout(&timeout, err) < 0)
        return -1;
    if (now - l->since >= timeout)
        return too_late(timeout, what, err);
    schedule(l, now, delay(l->tries));
    return 0;
}
