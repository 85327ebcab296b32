/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/shebang.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/util.h"

bool shebang_failed(const char *path, int error, char *name, size_t size)
{
    if (error != ENOENT && (error != EACCES || access(path, X_OK) < 0))
        return false;
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    char head[256];
    ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof(head) - 1);
    if (n < 3 || head[0] != '#' || head[1] != '!')
        return false;
    head[n] = '\0';
    const char *p = head + 2 + strspn(head + 2, " \t");
    size_t len = strcspn(p, " \t\n\r");
    snprintf(name, size, "%.*s%s", (int)len, p,
             p[len] == '\r'
                 ? "\\r (a carriage return: convert the line ends of the script)"
                 : "");
    return true;
}
