/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/canvas.h"

#include <stdarg.h>
#include <string.h>
#include <wchar.h>
#include "src/common/utf8.h"
#include "src/common/util.h"

void canvas_init(struct canvas *c, int rows, int cols)
{
    c->rows = MAX(rows, 0);
    c->cols = MAX(cols, 0);
    c->cells = xcalloc((size_t)c->rows * (size_t)c->cols + 1, sizeof(*c->cells));
}

void canvas_fini(struct canvas *c)
{
    free(take(c->cells));
    c->rows = c->cols = 0;
}

/* The length of the character at S, which is at most 4 bytes; 1 for what is none. */
static size_t char_length(const char *s)
{
    unsigned char b = (unsigned char)*s;
    size_t n = b < 0xc0 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
    return strnlen(s, n) == n && utf8_valid(s, n) ? n : 1;
}

static wchar_t decode(const char *s, size_t n)
{
    static const unsigned char first[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    wchar_t w = (unsigned char)*s & first[n];
    for (size_t i = 1; i < n; i++)
        w = (w << 6) | ((unsigned char)s[i] & 0x3f);
    return w;
}

int canvas_put(struct canvas *c, int y, int x, unsigned style, const char *text)
{
    if (y < 0 || y >= c->rows || x < 0)
        return x;
    for (size_t n; *text; text += n) {
        n = char_length(text);
        const char *shown = text;
        size_t bytes = n;
        int width = (unsigned char)*text < 0x20 || *text == 0x7f ? -1
                    : n == 1 && (unsigned char)*text >= 0x80     ? -1
                    : n == 1                                     ? 1
                             : wcwidth(decode(text, n));
        if (width == 0) /* it would combine with the one before */
            continue;
        if (width < 0)
            shown = "?", bytes = 1, width = 1;
        if (x + width > c->cols)
            break;
        struct canvas_cell *cell = canvas_at(c, y, x);
        memcpy(cell->text, shown, bytes);
        cell->text[bytes] = '\0';
        for (int i = 0; i < width; i++) {
            cell[i].style = (unsigned char)style;
            cell[i].half = i > 0;
        }
        x += width;
    }
    return x;
}

int canvas_printf(struct canvas *c, int y, int x, unsigned style, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return canvas_put(c, y, x, style, text);
}

void canvas_style_line(struct canvas *c, int y, unsigned style)
{
    for (int x = 0; y >= 0 && y < c->rows && x < c->cols; x++)
        canvas_at(c, y, x)->style = (unsigned char)style;
}

void canvas_print(const struct canvas *c, FILE *to)
{
    for (int y = 0; y < c->rows; y++) {
        int end = c->cols;
        while (end > 0 && (!*canvas_at(c, y, end - 1)->text ||
                           *canvas_at(c, y, end - 1)->text == ' '))
            end--;
        for (int x = 0; x < end; x++) {
            const struct canvas_cell *cell = canvas_at(c, y, x);
            if (!cell->half)
                fputs(*cell->text ? cell->text : " ", to);
        }
        putc('\n', to);
    }
}
