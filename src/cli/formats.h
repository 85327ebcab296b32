/* SPDX-License-Identifier: BSD-3-Clause */
/* formats: formats (format.h) that have names: a verb's own, and the user's, of the files hbatch/FILE.json and FILE.toml
 * in $XDG_CONFIG_HOME and $XDG_CONFIG_DIRS (for the command flux of compat, also flux/flux-FILE of these), which are read only when one of them is asked for. */
#ifndef HBATCH_CLI_FORMATS_H
#define HBATCH_CLI_FORMATS_H

#include "src/cli/cli.h"
#include "src/cli/format.h"

struct formats_own {
    const char *name, *help; /* help NULL: its text says it */
    const char *text;
};

struct formats {
    const char *file; /* "jobs"; NULL: users have none of this kind */
    const char *
        table; /* that the file has them in, beside others, or NULL: it is for this kind alone */
    const char *env;               /* the variable with the default, or NULL */
    const struct formats_own *own; /* [n], the first is the default */
    size_t n;
};

extern const struct formats formats_of_jobs;

/* What is shown if nothing is asked for. */
const char *formats_default(const struct formats *kind);
/* Whether KIND, or a file of it, has NAME. */
bool formats_have(const struct cli *cli, const struct formats *kind, const char *name);
/* The format NAME, or NAME itself if it has a field; a new string. An unknown one is the end. */
char *formats_find(const struct cli *cli, const struct formats *kind, const char *name);
/* Whether TEXT, of --format, asks about formats: help, or get-config=NAME, for a file of formats in TOML. */
bool formats_asks(const char *text);
/* If it does, that is told. */
bool formats_told(const struct cli *cli, const struct formats *kind, const char *text,
                  const struct format_field *fields, size_t nfields);
/* F with ARG for the name of each. */
void formats_each(const struct cli *cli, const struct formats *kind,
                  void (*f)(const void *arg, const char *name), const void *arg);

#endif
