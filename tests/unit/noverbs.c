/* SPDX-License-Identifier: BSD-3-Clause */
/* What the command line's main program has: here, there is no verb. */
#include "src/cli/verbs.h"

const struct cmd cmd_all = {.name = ""};
