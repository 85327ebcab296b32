/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void util_cleanup_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static void *check(void *p)
{
    if (!p) {
        static const char text[] = "hbatch: out of memory\n";
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
        abort();
    }
    return p;
}

void *xmalloc(size_t size)
{
    return check(malloc(size ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
    return check(calloc(count ? count : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t size)
{
    return check(realloc(p, size ? size : 1));
}

char *xstrdup(const char *s)
{
    return check(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
    return check(strndup(s, n));
}

char *xvasprintf(const char *fmt, va_list ap)
{
    char *s = NULL;
    if (vasprintf(&s, fmt, ap) < 0)
        s = NULL;
    return check(s);
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *s = xvasprintf(fmt, ap);
    va_end(ap);
    return s;
}

ssize_t read_all(int fd, void *buf, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = read(fd, (char *)buf + done, n - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        done += (size_t)got;
    }
    return (ssize_t)done;
}

int write_all(int fd, const void *buf, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t put = write(fd, (const char *)buf + done, n - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        done += (size_t)put;
    }
    return 0;
}

char *read_file(const char *path, size_t *len)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    size_t size = 4096, used = 0;
    cleanup_free char *buf = xmalloc(size);
    for (;;) {
        ssize_t got = read_all(fd, buf + used, size - used - 1);
        if (got < 0)
            return NULL;
        used += (size_t)got;
        if (used < size - 1)
            break;
        buf = xrealloc(buf, size *= 2);
    }
    buf[used] = '\0';
    if (len)
        *len = used;
    return take(buf);
}

static double seconds(clockid_t clock)
{
    struct timespec ts;
    clock_gettime(clock, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

static double
    clock_ahead; /* of the instance's clock: there is one of each in a process */

double time_now(void)
{
    return seconds(CLOCK_REALTIME) - clock_ahead;
}

void time_correct(double ahead)
{
    clock_ahead = ahead;
}

double time_mono(void)
{
    return seconds(CLOCK_MONOTONIC);
}
