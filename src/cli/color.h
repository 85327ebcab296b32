/* SPDX-License-Identifier: BSD-3-Clause */
/* color: --color[=WHEN] of verbs that print for people. */
#ifndef HBATCH_CLI_COLOR_H
#define HBATCH_CLI_COLOR_H

#include "src/cli/cli.h"

#define COLOR_RESET "\033[0m"
#define COLOR_HELP "always, never or auto (default): where the output is a terminal"

enum color_when { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

/* The value of the option, NULL: none was given with it. A wrong one is the end. */
enum color_when color_parse(const struct cli *cli, const char *value);
/* Whether to color standard output. $NO_COLOR turns "auto" off. */
bool color_wanted(enum color_when when);

#endif
