/* SPDX-License-Identifier: BSD-3-Clause */
/* linebuf: bytes in, lines out.  Pure buffer, no I/O:
 *
 *     size_t room;
 *     char *p = linebuf_reserve(&lb, &room);
 *     ssize_t n = read(fd, p, room);
 *     linebuf_commit(&lb, n);
 *     while ((line = linebuf_next(&lb, &len))) ...
 *     if (linebuf_overflow(&lb)) ...  a line longer than the limit
 */
#ifndef HBATCH_COMM_LINEBUF_H
#define HBATCH_COMM_LINEBUF_H

#include <stdbool.h>
#include <stddef.h>

#define LINEBUF_MAX (64u << 20) /* longest line of the protocol, bytes */

struct linebuf {
    char *data;
    size_t size, start, end, scanned;
};

void linebuf_init(struct linebuf *lb);
void linebuf_fini(struct linebuf *lb);
/* Where to read to, and how much room there is (at least 4 KiB). Invalidates lines. */
char *linebuf_reserve(struct linebuf *lb, size_t *room);
void linebuf_commit(struct linebuf *lb, size_t n);
/* The next whole line without its newline, terminated, valid until the next reserve; its length
 * in *len. NULL: no whole line. */
char *linebuf_next(struct linebuf *lb, size_t *len);
/* Whether what is buffered without a newline exceeds LINEBUF_MAX: the stream is hopeless. */
bool linebuf_overflow(const struct linebuf *lb);

#endif
