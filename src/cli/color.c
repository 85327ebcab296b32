/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/color.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum color_when color_parse(const struct cli *cli, const char *value)
{
    static const char *const names[] = {"auto", "always", "never"};
    if (!value)
        return COLOR_ALWAYS;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(names[i], value) == 0)
            return (enum color_when)i;
    cli_die(cli, "--color=%s: must be always, never or auto", value);
}

/* mpirun gives a rank a terminal of its own to write to, wherever its own output goes; what it reads and its errors
 * go through pipes. */
static bool is_for_eyes(void)
{
    return isatty(STDOUT_FILENO) && (isatty(STDIN_FILENO) || isatty(STDERR_FILENO));
}

bool color_wanted(enum color_when when)
{
    const char *no = getenv("NO_COLOR");
    if (when == COLOR_AUTO)
        return !(no && *no) && is_for_eyes();
    return when == COLOR_ALWAYS;
}
