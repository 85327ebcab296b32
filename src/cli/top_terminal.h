/* SPDX-License-Identifier: BSD-3-Clause */
/* top_terminal: what 'hbatch top' wants of a terminal.  It is in a plugin, hbatch_top.so, the only part that links
 * ncurses: all other verbs start without it. */
#ifndef HBATCH_CLI_TOP_TERMINAL_H
#define HBATCH_CLI_TOP_TERMINAL_H

#include <stddef.h>
#include "src/cli/canvas.h"

enum { TOP_TERMINAL_VERSION = 1 };
#define TOP_TERMINAL_SYMBOL "hbatch_top_terminal"

enum top_key { /* beside characters, as bytes */
               TOP_NO_KEY = 0,
               TOP_KEY_UP = 256,
               TOP_KEY_DOWN,
               TOP_KEY_LEFT,
               TOP_KEY_RIGHT,
               TOP_KEY_PAGE_UP,
               TOP_KEY_PAGE_DOWN,
               TOP_KEY_HOME,
               TOP_KEY_END,
               TOP_KEY_ENTER,
               TOP_KEY_BACKSPACE,
               TOP_KEY_ESCAPE,
               TOP_KEY_RESIZE,
               TOP_KEY_OTHER,
};

struct top_terminal {
    int version;
    /* -1: WHY (SIZE bytes) tells. */
    int (*open)(bool color, char *why, size_t size);
    void (*close)(void); /* the terminal is as before; may be called again */
    void (*size)(int *rows, int *cols);
    /* CURSOR: the column in the last line where somebody types, -1: nowhere. */
    void (*show)(const struct canvas *c, int cursor);
    void (*redraw)(
        void);        /* all of it, at the next show: something else has written there */
    int (*key)(void); /* the next one that was pressed, TOP_NO_KEY: none */
};

#endif
