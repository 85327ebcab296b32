/* SPDX-License-Identifier: BSD-3-Clause */
/* The plugin hbatch_top.so: ncurses with wide characters. */
#include "src/cli/top_terminal.h"

#include <curses.h>
#include <stdlib.h>
#include <string.h>

static SCREEN *screen;

static int on_open(bool color, char *why, size_t size)
{
    const char *term = getenv("TERM");
    screen = newterm(NULL, stdout, stdin);
    if (!screen) {
        snprintf(why, size,
                 "the terminal '%s' (TERM) is not known here: set TERM to what it is, or "
                 "use --once",
                 term ? term : "");
        return -1;
    }
    char up[] = "cup";
    const char *cap = tigetstr(up);
    if (!cap || cap == (const char *)-1) {
        endwin();
        delscreen(screen);
        screen = NULL;
        snprintf(why, size,
                 "the terminal '%s' (TERM) cannot place its cursor: use --once",
                 term ? term : "");
        return -1;
    }
    cbreak();
    noecho();
    nonl();
    nodelay(stdscr, TRUE);
    keypad(stdscr, TRUE);
    set_escdelay(50);
    curs_set(0);
    if (color && has_colors()) {
        static const short colors[] = {COLOR_GREEN, COLOR_RED, COLOR_YELLOW, COLOR_BLUE};
        start_color();
        use_default_colors();
        for (short i = 0; i < 4; i++)
            init_pair((short)(i + 1), colors[i], -1);
    }
    return 0;
}

static void on_close(void)
{
    if (!screen)
        return;
    endwin();
    delscreen(screen);
    screen = NULL;
}

static void on_size(int *rows, int *cols)
{
    getmaxyx(stdscr, *rows, *cols);
}

static attr_t attributes(unsigned style)
{
    return (style & CANVAS_BOLD ? A_BOLD : 0) | (style & CANVAS_DIM ? A_DIM : 0) |
           (style & CANVAS_REVERSE ? A_REVERSE : 0);
}

static void on_show(const struct canvas *c, int cursor)
{
    erase();
    for (int y = 0; y < c->rows; y++) {
        move(y, 0);
        for (int x = 0; x < c->cols; x++) {
            const struct canvas_cell *cell = canvas_at(c, y, x);
            if (cell->half)
                continue;
            attr_set(attributes(cell->style), (short)(cell->style & CANVAS_COLOR), NULL);
            addstr(*cell->text ? cell->text : " ");
        }
    }
    attr_set(0, 0, NULL);
    curs_set(cursor >= 0);
    if (cursor >= 0)
        move(c->rows - 1, cursor < c->cols ? cursor : c->cols - 1);
    refresh();
}

static void on_redraw(void)
{
    clearok(curscr, TRUE);
}

static int on_key(void)
{
    static const struct {
        int key, code;
    } keys[] = {
        {KEY_UP, TOP_KEY_UP},         {KEY_DOWN, TOP_KEY_DOWN},
        {KEY_LEFT, TOP_KEY_LEFT},     {KEY_RIGHT, TOP_KEY_RIGHT},
        {KEY_PPAGE, TOP_KEY_PAGE_UP}, {KEY_NPAGE, TOP_KEY_PAGE_DOWN},
        {KEY_HOME, TOP_KEY_HOME},     {KEY_END, TOP_KEY_END},
        {KEY_ENTER, TOP_KEY_ENTER},   {'\r', TOP_KEY_ENTER},
        {'\n', TOP_KEY_ENTER},        {KEY_BACKSPACE, TOP_KEY_BACKSPACE},
        {0x7f, TOP_KEY_BACKSPACE},    {'\b', TOP_KEY_BACKSPACE},
        {0x1b, TOP_KEY_ESCAPE},       {KEY_RESIZE, TOP_KEY_RESIZE},
    };
    int key = getch();
    if (key == ERR)
        return TOP_NO_KEY;
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        if (keys[i].key == key)
            return keys[i].code;
    return key > 0 && key < 256 ? key : TOP_KEY_OTHER;
}

extern const struct top_terminal hbatch_top_terminal;
const struct top_terminal hbatch_top_terminal = {
    .version = TOP_TERMINAL_VERSION,
    .open = on_open,
    .close = on_close,
    .size = on_size,
    .show = on_show,
    .redraw = on_redraw,
    .key = on_key,
};
