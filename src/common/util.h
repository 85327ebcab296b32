/* SPDX-License-Identifier: BSD-3-Clause */
/* util: what every file wants: cleanup attributes, checked allocation, whole reads and writes.
 *
 * Cleanup attributes replace goto ladders:
 *     cleanup_free char *s = xstrdup(text);
 *     cleanup_json json_object *o = json_object_new_object();
 * take(p) gives a variable's value away, so that its cleanup finds NULL.
 *
 * The x-allocators end the process with a message when memory is out: an instance that
 * cannot allocate a few bytes cannot keep its promises either. */
#ifndef HBATCH_COMMON_UTIL_H
#define HBATCH_COMMON_UTIL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/param.h> /* MIN, MAX */
#include <sys/types.h>
#include <hwloc/bitmap.h>
#include <json-c/json.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define cleanup_free __attribute__((cleanup(util_cleanup_free)))
#define cleanup_json __attribute__((cleanup(util_cleanup_json)))
#define cleanup_bitmap __attribute__((cleanup(util_cleanup_bitmap)))
#define cleanup_close __attribute__((cleanup(util_cleanup_close)))
#define take(p)                                                                          \
    ({                                                                                   \
        __typeof__(p) taken_ = (p);                                                      \
        (p) = NULL;                                                                      \
        taken_;                                                                          \
    })

static inline void util_cleanup_free(void *p)
{
    free(*(void **)p);
}

static inline void util_cleanup_json(json_object **p)
{
    json_object_put(*p);
}

static inline void util_cleanup_bitmap(hwloc_bitmap_t *p)
{
    hwloc_bitmap_free(*p);
}

void util_cleanup_close(int *fd);

void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
/* printf into a new string, to be freed by the caller. */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

/* Read until n bytes or end of file, through EINTR; return bytes read, or -1 with errno. */
ssize_t read_all(int fd, void *buf, size_t n);
/* Write all n bytes, through EINTR and partial writes; return 0, or -1 with errno. */
int write_all(int fd, const void *buf, size_t n);
/* Whole file as a terminated string (length in *len unless NULL), NULL with errno. */
char *read_file(const char *path, size_t *len);

/* Seconds since the epoch (wall clock), and seconds of the monotonic clock. */
double time_now(void);
/* All processes of an instance speak of time by one clock, its leader's: this node's is AHEAD of it,
 * which time_now() takes off from now on. */
void time_correct(double ahead);
double time_mono(void);

#endif
