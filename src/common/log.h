/* SPDX-License-Identifier: BSD-3-Clause */
/* log: what a program says on stderr: "PROGRAM: LEVEL: text", or to a function that takes it. */
#ifndef HBATCH_COMMON_LOG_H
#define HBATCH_COMMON_LOG_H

enum log_level { LOG_L_ERROR, LOG_L_WARNING, LOG_L_INFO, LOG_L_DEBUG };

/* Program name that starts each line (kept by reference), and the most detailed level that is
 * shown (default: LOG_L_WARNING). */
void log_init(const char *program, enum log_level most);
/* Give each shown line (without program and newline) to F too, and others up to level MOST. NULL: no more. */
void log_hook(void (*f)(enum log_level level, const char *text, void *arg), void *arg,
              enum log_level most);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* log_error, then exit(STATUS). */
void log_exit(int status, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

#endif
