/* SPDX-License-Identifier: BSD-3-Clause */
/* canvas: a page of characters with styles, which a terminal shows (top_terminal.h) or a file gets. */
#ifndef HBATCH_CLI_CANVAS_H
#define HBATCH_CLI_CANVAS_H

#include <stdbool.h>
#include <stdio.h>

enum canvas_style { /* one colour, and any of the others */
                    CANVAS_PLAIN = 0,
                    CANVAS_GREEN = 1,
                    CANVAS_RED = 2,
                    CANVAS_YELLOW = 3,
                    CANVAS_BLUE = 4,
                    CANVAS_COLOR = 7, /* mask */
                    CANVAS_BOLD = 8,
                    CANVAS_DIM = 16,
                    CANVAS_REVERSE = 32,
};

struct canvas_cell {
    char text[5]; /* one character; empty: blank, or the second half of a wide one */
    bool half;
    unsigned char style;
};

struct canvas {
    int rows, cols;
    struct canvas_cell *cells;
};

/* Blank. */
void canvas_init(struct canvas *c, int rows, int cols);
void canvas_fini(struct canvas *c);
/* TEXT (UTF-8) from X on, cut at the right edge; what a terminal would not show, or would obey, becomes '?'.
 * Wide characters are told by the locale's.  Return the column after it. */
int canvas_put(struct canvas *c, int y, int x, unsigned style, const char *text);
int canvas_printf(struct canvas *c, int y, int x, unsigned style, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* STYLE for the whole line Y, also where it is blank. */
void canvas_style_line(struct canvas *c, int y, unsigned style);
/* As lines without blanks at their ends. */
void canvas_print(const struct canvas *c, FILE *to);
static inline struct canvas_cell *canvas_at(const struct canvas *c, int y, int x)
{
    return &c->cells[y * c->cols + x];
}

#endif
