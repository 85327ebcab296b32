/* SPDX-License-Identifier: BSD-3-Clause */
/* cli: what every verb is and gets.
 *
 * A verb is a const struct cmd in its own file cmd_VERB.c; main.c has the table of them.
 * Errors end the program: "hbatch VERB: sentence" on stderr, exit code 1. */
#ifndef HBATCH_CLI_CLI_H
#define HBATCH_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <json-c/json.h>
#include "src/cli/optparse.h"
#include "src/common/error.h"
#include "src/common/util.h"
#include "src/lib/client.h"
#include "src/lib/hbatch.h"

#define EXIT_USAGE 1

struct cli {
    const char *verb;    /* "run", "job attach": the prefix of messages */
    const char *program; /* before it; NULL: hbatch */
    bool one_verb;       /* the program is a verb by itself, as srun */
    const char
        *where; /* NULL, or the file and line that options come from, for messages */
    struct hbatch *h; /* once cli_connect was called */
    bool utf8;        /* the locale's character set */
    bool ascii;       /* job ids with "f" rather than the florin sign */
    uint64_t ids
        [4]; /* that were asked for, the latest: the leader's sentences have them with "f" */
    unsigned nids; /* all there were */
};

enum {
    CMD_POSIX = 1,  /* the first operand ends the options */
    CMD_HIDDEN = 2, /* in no list of verbs */
};

struct cmd {
    const char *name, *alias; /* alias may be NULL */
    const char *args;         /* after "[OPTIONS]" in the usage line */
    const char *help;         /* one line */
    const char *more;         /* paragraphs after the options, or NULL */
    int flags;
    const struct opt_group *groups; /* ends with .opts NULL; or NULL */
    int (*run)(struct cli *cli, const struct cmd *cmd, int argc, char **argv);
    const struct cmd *const *verbs; /* [nverbs] of a group of verbs, else NULL */
    size_t nverbs;
};

#define OPTS(HEADING, TABLE)                                                             \
    {                                                                                    \
        HEADING, TABLE, ARRAY_SIZE(TABLE)                                                \
    }
#define OPTS_END                                                                         \
    {                                                                                    \
        NULL, NULL, 0                                                                    \
    }

void cli_error(const struct cli *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* cli_error, then exit with EXIT_USAGE. */
void cli_die(const struct cli *cli, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));

/* The instance's connection; the first call connects. */
struct hbatch *cli_connect(struct cli *cli);
/* A request's result (a new reference). PARAMS is taken over. */
json_object *cli_call(struct cli *cli, const char *method, json_object *params);

/* A job id from any form; "last" is the newest job. */
uint64_t cli_jobid(struct cli *cli, const char *text);
#define CLI_ID_SIZE 32
/* ID as F58, in BUF of CLI_ID_SIZE bytes. */
const char *cli_id(const struct cli *cli, uint64_t id, char *buf);
/* cli_error about job ID, which is named unless TEXT does so. */
void cli_job_error(const struct cli *cli, uint64_t id, const char *text);
/* A stream that ended because it could not go on is the end. */
void cli_check_end(const struct cli *cli, const struct hbatch_result *result);
/* {"id":ID} */
json_object *cli_id_params(uint64_t id);
/* The words of a sentence that was given without quotes, e.g. a reason; new. */
char *cli_join(char *const *words, int n);
/* A whole number from LEAST to MOST, or the end with a message that names WHAT. */
long cli_number(const struct cli *cli, const char *what, const char *text, long least,
                long most);
/* Exactly one operand (or none: NULL, if it may be missing). */
const char *cli_operand(const struct cli *cli, const struct optparse *p, const char *what,
                        bool may_be_missing);
/* Flush stdout; a full disk is an error. Return EXIT. */
int cli_finish(const struct cli *cli, int exit_code);

/* Members of JSON objects, with a value for "absent". */
json_object *cli_get(json_object *o, const char *key);
const char *cli_get_string(json_object *o, const char *key, const char *absent);
double cli_get_number(json_object *o, const char *key, double absent);
/* The array KEY of an answer; an answer without one is the end. */
json_object *cli_list(const struct cli *cli, json_object *o, const char *key);
/* The number of ids in an id set's text, of JSON string or number. */
unsigned cli_get_count(json_object *o, const char *key);

/* Run the verb ARGV[0] of TABLE; PREFIX names the group in messages, or NULL. */
int cli_dispatch(struct cli *cli, const struct cmd *const *table, size_t n,
                 const char *prefix, int argc, char **argv);
/* The verbs of GROUP, or with NULL hbatch's own: F with ARG for each; the one of that name, or NULL. */
void cli_offer_verbs(const struct cmd *group,
                     void (*f)(const void *arg, const char *name), const void *arg);
const struct cmd *cli_find_verb(const struct cmd *group, const char *name);
/* .run of a group of verbs. */
int cli_group(struct cli *cli, const struct cmd *cmd, int argc, char **argv);
void cli_list_verbs(const struct cmd *const *table, size_t n);

#endif
