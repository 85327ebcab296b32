/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/enclosed.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "src/comm/lines.h"
#include "src/comm/linebuf.h"
#include "src/common/idset.h"
#include "src/common/jobid.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

#define PATIENCE_S 10.0
#define SOCKET_NAME "sock-" /* and the rank */

/* Connected to PATH, or where that is another node's to the socket beside it; *RANK is whose it is. */
static int connect_to(const char *path, long *rank, struct error *err)
{
    const char *name = strrchr(path, '/') + 1;
    if (strncmp(name, SOCKET_NAME, strlen(SOCKET_NAME)) != 0)
        return error_set(err, EINVAL, "%s is no instance's socket", path);
    *rank = strtol(name + strlen(SOCKET_NAME), NULL, 10);
    int fd = lines_connect(path, err);
    if (fd >= 0 || err->code != ENOENT)
        return fd;
    cleanup_free char *dir = xstrndup(path, (size_t)(name - path));
    DIR *d = opendir(dir);
    for (struct dirent *e; d && fd < 0 && (e = readdir(d));) {
        if (strncmp(e->d_name, SOCKET_NAME, strlen(SOCKET_NAME)) != 0)
            continue;
        cleanup_free char *other = xasprintf("%s%s", dir, e->d_name);
        *rank = strtol(e->d_name + strlen(SOCKET_NAME), NULL, 10);
        fd = lines_connect(other, err);
    }
    if (d)
        closedir(d);
    return fd;
}

/* The line that answers REQUEST, decoded. */
static json_object *talk(int fd, const char *request, struct error *err)
{
    struct linebuf in;
    json_object *answer = NULL;
    double end = time_mono() + PATIENCE_S, left;
    linebuf_init(&in);
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        error_set(err, errno ? errno : EIO, "it cannot be asked");
    else
        error_set(err, ETIMEDOUT, "it did not answer within %.0f s", PATIENCE_S);
    while (!answer && (left = end - time_mono()) > 0) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        size_t room, len;
        int ready = poll(&pfd, 1, (int)(left * 1000) + 1);
        char *at = linebuf_reserve(&in, &room);
        ssize_t n = ready > 0 ? read(fd, at, room) : 0;
        if (n < 0 && errno != EINTR && errno != EAGAIN)
            break;
        if (ready > 0 && n == 0)
            break;
        linebuf_commit(&in, n > 0 ? (size_t)n : 0);
        char *line = linebuf_next(&in, &len);
        if (line)
            answer = jsonutil_decode(line, len, err);
    }
    linebuf_fini(&in);
    return answer;
}

static json_object *ask(const char *path, jobid_t id, struct error *err)
{
    char host[256] = "";
    long rank = 0;
    cleanup_close int fd = connect_to(path, &rank, err);
    if (fd < 0)
        return NULL;
    gethostname(host, sizeof(host) - 1);
    host[strcspn(host, ".")] = '\0';
    cleanup_json json_object *o = json_object_new_object();
    json_object *params = json_object_new_object();
    json_object_object_add(params, "id", json_object_new_int64((int64_t)id));
    json_object_object_add(params, "rank", json_object_new_int64(rank));
    json_object_object_add(params, "machine", json_object_new_string(host));
    json_object_object_add(o, "jsonrpc", json_object_new_string("2.0"));
    json_object_object_add(o, "id", json_object_new_int(1));
    json_object_object_add(o, "method", json_object_new_string("job.share"));
    json_object_object_add(o, "params", params);
    cleanup_free char *request =
        xasprintf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    cleanup_json json_object *answer = talk(fd, request, err);
    const char *why = jsonutil_string(jsonutil_at(answer, "error.message"));
    json_object *result = jsonutil_get(answer, "result");
    if (why)
        return error_null(err, ENOENT, "%s", why);
    return json_object_is_type(result, json_type_object) ? json_object_get(result) : NULL;
}

json_object *enclosed_ask(void)
{
    static const char scheme[] = "local://";
    const char *uri = getenv("HBATCH_URI"), *job = getenv("HBATCH_JOB_ID"),
               *tmpdir = getenv("HBATCH_JOB_TMPDIR");
    struct error err;
    jobid_t id;
    if (!uri || strncmp(uri, scheme, strlen(scheme)) != 0 || uri[strlen(scheme)] != '/' ||
        !job || jobid_decode(job, &id, &err) < 0)
        return NULL;
    json_object *told = ask(uri + strlen(scheme), id, &err);
    if (!told) {
        log_info("this is no instance in job %s of the instance at %s: %s", job, uri,
                 err.text);
        return NULL;
    }
    json_object_object_add(told, "uri", json_object_new_string(uri));
    json_object_object_add(told, "plain", json_object_new_boolean(true));
    if (tmpdir && access(tmpdir, W_OK) == 0)
        json_object_object_add(told, "tmpdir", json_object_new_string(tmpdir));
    return told;
}

void enclosed_bind(json_object *told)
{
    json_object *cores = jsonutil_get(told, "cores");
    size_t n =
        json_object_is_type(cores, json_type_array) ? json_object_array_length(cores) : 0;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (!json_object_get_boolean(jsonutil_get(told, "bind")))
        return;
    for (size_t i = 0; i < n; i++) {
        const char *text = jsonutil_string(json_object_array_get_idx(cores, i));
        cleanup_bitmap hwloc_bitmap_t one = text ? idset_decode(text, NULL) : NULL;
        for (int pu = one ? hwloc_bitmap_first(one) : -1; pu >= 0 && pu < CPU_SETSIZE;
             pu = hwloc_bitmap_next(one, pu))
            CPU_SET((size_t)pu, &set);
    }
    if (CPU_COUNT(&set) > 0 && sched_setaffinity(0, sizeof(set), &set) < 0)
        log_info("cannot be bound to what the job has of this node: %s", strerror(errno));
}
