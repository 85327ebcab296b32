/* SPDX-License-Identifier: BSD-3-Clause */
/* A client of the library would wait by itself for an instance to come back (link.h); here the one
 * who brings it back asks, and must not wait. */
#include "src/cli/request.h"

#include <errno.h>
#include <glob.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "src/comm/linebuf.h"
#include "src/comm/lines.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

#define PAUSE 0.1 /* s between two tries */

struct request {
    char *path; /* of the socket */
    char *line;
    int fd; /* -1: not connected */
    struct linebuf in;
    double next;  /* monotonic: the next try */
    double since; /* when the last connection was lost, or the first try; 0: connected */
};

struct request *request_create(const char *uri, const char *method, json_object *params)
{
    struct request *r = xcalloc(1, sizeof(*r));
    json_object *o = json_object_new_object();
    json_object_object_add(o, "jsonrpc", json_object_new_string("2.0"));
    json_object_object_add(o, "id", json_object_new_int(1));
    json_object_object_add(o, "method", json_object_new_string(method));
    json_object_object_add(o, "params", params);
    r->line =
        xasprintf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    json_object_put(o);
    r->path = xstrdup(uri + strlen("local://"));
    r->fd = -1;
    linebuf_init(&r->in);
    r->since = time_mono();
    return r;
}

static void disconnect(struct request *r)
{
    if (r->fd < 0)
        return;
    close(r->fd);
    r->fd = -1;
    linebuf_fini(&r->in);
    linebuf_init(&r->in);
    r->since = time_mono();
}

void request_destroy(struct request *r)
{
    if (!r)
        return;
    disconnect(r);
    linebuf_fini(&r->in);
    free(r->line);
    free(r->path);
    free(r);
}

int request_fd(const struct request *r)
{
    return r->fd;
}

double request_deaf(const struct request *r)
{
    return r->since > 0 ? time_mono() - r->since : 0;
}

/* Another rank on this machine: virtual nodes have their sockets side by side. */
static int connect_neighbour(const char *path)
{
    struct error err;
    glob_t found;
    int fd = -1;
    cleanup_free char *pattern =
        xasprintf("%.*s/sock-*", (int)(strrchr(path, '/') - path), path);
    if (glob(pattern, 0, NULL, &found) != 0)
        return -1;
    for (size_t i = 0; fd < 0 && i < found.gl_pathc; i++)
        fd = lines_connect_now(found.gl_pathv[i], &err);
    globfree(&found);
    return fd;
}

static void try(struct request *r)
{
    struct error err;
    r->fd = lines_connect_now(r->path, &err);
    if (r->fd < 0)
        r->fd = connect_neighbour(r->path);
    if (r->fd < 0)
        return;
    /* it is short, and the socket empty */
    if (send(r->fd, r->line, strlen(r->line), MSG_NOSIGNAL) != (ssize_t)strlen(r->line))
        disconnect(r);
    else
        r->since = 0;
}

/* A whole line, or NULL. */
static const char *receive(struct request *r)
{
    size_t room, len;
    char *to = linebuf_reserve(&r->in, &room);
    ssize_t n = recv(r->fd, to, room, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        disconnect(r);
        return NULL;
    }
    linebuf_commit(&r->in, n > 0 ? (size_t)n : 0);
    return linebuf_next(&r->in, &len);
}

static enum request_state judge(const char *line, struct error *err)
{
    cleanup_json json_object *o = json_tokener_parse(line);
    json_object *error = jsonutil_get(o, "error");
    if (!error)
        return REQUEST_DONE;
    const char *text = jsonutil_string(jsonutil_get(error, "message"));
    error_set(err, EPROTO, "%s", text ? text : "it told an error");
    return REQUEST_REFUSED;
}

enum request_state request_step(struct request *r, double *wait, struct error *err)
{
    double now = time_mono();
    *wait = -1;
    if (r->fd < 0 && now >= r->next)
        try(r);
    const char *line = r->fd >= 0 ? receive(r) : NULL;
    if (line)
        return judge(line, err);
    if (r->fd < 0) {
        r->next = now + PAUSE;
        *wait = PAUSE;
    }
    return REQUEST_WAITS;
}
