/* SPDX-License-Identifier: BSD-3-Clause */
/* submitting: what submit and bulksubmit do with many jobs: --cc and --bcc, ids and errors in their order,
 * --log, --wait, --watch and --progress. */
#ifndef HBATCH_CLI_SUBMITTING_H
#define HBATCH_CLI_SUBMITTING_H

#include "src/cli/feed.h"
#include "src/cli/jobset.h"
#include "src/cli/specopts.h"

enum { /* ids of the options here; a verb's own start at SUBMITTING_END */
       SUBMITTING_CC = SPECOPT_END,
       SUBMITTING_BCC,
       SUBMITTING_WAIT,
       SUBMITTING_WAIT_EVENT,
       SUBMITTING_WATCH,
       SUBMITTING_PROGRESS,
       SUBMITTING_JPS,
       SUBMITTING_LOG,
       SUBMITTING_LOG_STDERR,
       SUBMITTING_END,
};

/* For a verb's .groups. */
extern const struct opt submitting_opts[9];

/* Options that may be another text for each submission. */
struct submitting_texts {
    const char *cc, *bcc, *log, *log_stderr;
};

struct submitting {
    struct cli *cli;
    const struct cmd *cmd;
    struct submitting_texts texts;
    const char *wait_event;
    bool wait, watch, progress, jps;
    bool quiet, dry_run;
    struct jobset set;
    struct meter meter; /* of submissions, where nobody waits for their ends */
    struct feed feed;
    char *log, *log_stderr; /* where stdout and stderr go, if not where they went */
    uint64_t refused;
    int exit_code;
};

/* Take option O with VALUE if it is one of these. */
bool submitting_take(struct submitting *s, const struct opt *o, const char *value);
/* All options were taken, those of SPEC too.  MANY: submissions of one job each are to come. */
void submitting_begin(struct submitting *s, const struct specopts *spec, bool many);
/* So many jobs are to come, in all. */
void submitting_expect(struct submitting *s, uint64_t jobs);
/* The number of jobs that TEXTS make of a submission, or -1 with err set. */
int64_t submitting_count(const struct submitting_texts *texts, struct error *err);
/* Submit the job or jobs of SPEC.  LABEL, unless NULL, names it in errors. */
void submitting_add(struct submitting *s, const struct specopts *spec,
                    const struct submitting_texts *texts, const char *label);
/* The same, of a specification (taken over) that has no {cc}: one submission. */
void submitting_add_spec(struct submitting *s, json_object *spec,
                         const struct specopts *options,
                         const struct submitting_texts *texts, const char *label);
/* A job of SPEC, whose own words are the N of WORDS. */
void submitting_add_row(struct submitting *s, json_object *spec,
                        const struct specopts *options,
                        const struct submitting_texts *texts, char *const *words,
                        size_t n, const char *label);
/* A submission that could not even be made. */
void submitting_refuse(struct submitting *s, const char *label, const struct error *err);
/* Wait for what is to be waited for; the exit code. */
int submitting_finish(struct submitting *s);

#endif
