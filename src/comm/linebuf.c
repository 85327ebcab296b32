/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/comm/linebuf.h"

#include <string.h>
#include "src/common/util.h"

enum { ROOM = 16384, ROOM_MIN = 4096 };

void linebuf_init(struct linebuf *lb)
{
    memset(lb, 0, sizeof(*lb));
}

void linebuf_fini(struct linebuf *lb)
{
    free(lb->data);
    memset(lb, 0, sizeof(*lb));
}

char *linebuf_reserve(struct linebuf *lb, size_t *room)
{
    if (lb->start == lb->end) {
        lb->start = lb->end = lb->scanned = 0;
        if (lb->size > 16 * ROOM) { /* do not keep what one long line needed */
            free(lb->data);
            lb->data = NULL;
            lb->size = 0;
        }
    }
    if (lb->size - lb->end < ROOM_MIN && lb->start > 0) {
        memmove(lb->data, lb->data + lb->start, lb->end - lb->start);
        lb->end -= lb->start;
        lb->scanned -= lb->start;
        lb->start = 0;
    }
    if (lb->size - lb->end < ROOM_MIN) {
        lb->size = lb->size ? lb->size * 2 : ROOM;
        lb->data = xrealloc(lb->data, lb->size);
    }
    *room = lb->size - lb->end;
    return lb->data + lb->end;
}

void linebuf_commit(struct linebuf *lb, size_t n)
{
    lb->end += n;
}

char *linebuf_next(struct linebuf *lb, size_t *len)
{
    if (lb->scanned == lb->end)
        return NULL;
    char *newline = memchr(lb->data + lb->scanned, '\n', lb->end - lb->scanned);
    if (!newline) {
        lb->scanned = lb->end;
        return NULL;
    }
    char *line = lb->data + lb->start;
    *newline = '\0';
    *len = (size_t)(newline - line);
    lb->start = lb->scanned = (size_t)(newline - lb->data) + 1;
    return line;
}

bool linebuf_overflow(const struct linebuf *lb)
{
    return lb->end - lb->start > LINEBUF_MAX;
}
