/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "src/comm/lines.h"
#include "src/common/util.h"

static int open_socket(const char *path, int flags, struct sockaddr_un *addr,
                       struct error *err)
{
    memset(addr, 0, sizeof(*addr));
    addr->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(addr->sun_path))
        return error_set(err, ENAMETOOLONG,
                         "socket path %s is too long: %zu bytes of at most %zu", path,
                         strlen(path), sizeof(addr->sun_path) - 1);
    memcpy(addr->sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        return error_set(err, errno, "socket: %s", strerror(errno));
    return fd;
}

int lines_listen(const char *path, struct error *err)
{
    struct sockaddr_un addr;
    cleanup_close int fd = open_socket(path, 0, &addr, err);
    if (fd < 0)
        return -1;
    unlink(path);
    if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || chmod(path, 0700) < 0 ||
        listen(fd, 128) < 0)
        return error_set(err, errno, "cannot listen at %s: %s", path, strerror(errno));
    int result = fd;
    fd = -1;
    return result;
}

static int connect_to(const char *path, int flags, struct error *err)
{
    struct sockaddr_un addr;
    cleanup_close int fd = open_socket(path, flags, &addr, err);
    if (fd < 0)
        return -1;
    while (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        if (errno != EINTR)
            return error_set(err, errno, "cannot connect to %s: %s", path,
                             strerror(errno));
    }
    int result = fd;
    fd = -1;
    return result;
}

int lines_connect(const char *path, struct error *err)
{
    return connect_to(path, 0, err);
}

int lines_connect_now(const char *path, struct error *err)
{
    return connect_to(path, SOCK_NONBLOCK, err);
}
