/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static const char *program = "hbatch";
static enum log_level shown = LOG_L_WARNING;
static void (*hook)(enum log_level, const char *, void *);
static void *hook_arg;
static enum log_level hook_most;

void log_init(const char *name, enum log_level most)
{
    program = name;
    shown = most;
}

void log_hook(void (*f)(enum log_level level, const char *text, void *arg), void *arg,
              enum log_level most)
{
    hook_most = most;
    hook = f;
    hook_arg = arg;
}

static void say(enum log_level level, const char *fmt, va_list ap)
{
    static const char *const names[] = {"", "warning: ", "", "debug: "};
    bool is_shown = level <= shown;
    if (!is_shown && (!hook || level > hook_most))
        return;
    char text[2048];
    vsnprintf(text, sizeof(text), fmt, ap);
    if (is_shown)
        fprintf(stderr, "%s: %s%s\n", program, names[level], text);
    if (hook)
        hook(level, text, hook_arg);
}

#define SAY(level)                                                                       \
    do {                                                                                 \
        va_list ap;                                                                      \
        va_start(ap, fmt);                                                               \
        say(level, fmt, ap);                                                             \
        va_end(ap);                                                                      \
    } while (0)

void log_error(const char *fmt, ...)
{
    SAY(LOG_L_ERROR);
}

void log_warning(const char *fmt, ...)
{
    SAY(LOG_L_WARNING);
}

void log_info(const char *fmt, ...)
{
    SAY(LOG_L_INFO);
}

void log_debug(const char *fmt, ...)
{
    SAY(LOG_L_DEBUG);
}

void log_exit(int status, const char *fmt, ...)
{
    SAY(LOG_L_ERROR);
    exit(status);
}
