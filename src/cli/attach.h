/* SPDX-License-Identifier: BSD-3-Clause */
/* attach: be a job's terminal: its output comes here, standard input and signals go there.
 *
 * SIGTERM, SIGHUP, SIGALRM, SIGUSR1 and SIGUSR2 are passed on to the job.  Two SIGINT within 2
 * seconds cancel it; SIGINT and then SIGTSTP within 2 seconds leave it alone and return. */
#ifndef HBATCH_CLI_ATTACH_H
#define HBATCH_CLI_ATTACH_H

#include "src/cli/cli.h"

struct attach_options {
    bool label;       /* of tasks */
    bool show_events; /* on stderr */
    bool show_exec;   /* of these, what executors tell */
    bool
        show_status; /* at once, and if nobody sits at a terminal, what a job waits for */
    bool show_id;    /* on stderr */
    bool no_stdin;   /* the job gets its input from elsewhere, or none */
    bool read_only;  /* no standard input, no signals */
    bool quiet;      /* say nothing of how the job ended */
    bool owner;      /* cancel the job when nobody reads its output any more */
    bool
        pass_interrupt; /* SIGINT is passed on, too; the second within 2 seconds cancels the job */
    const unsigned *names;   /* labels of tasks, NULL: their ranks */
    const char *stdin_tasks; /* NULL: as the job says */
    size_t tail;             /* of what there is, only so many lines; 0: all of it */
    const char *wait_event;  /* return after this event; NULL: at the job's end */
};

/* Attach to job ID. Return the exit code to leave with. */
int attach_job(struct cli *cli, const struct attach_options *options, uint64_t id);
/* Submit SPEC (taken over) and attach to it, in one message. */
int attach_submit(struct cli *cli, const struct attach_options *options,
                  json_object *spec, const struct hbatch_submit *submit);
/* Whether standard input has nothing to read, now or later. */
bool attach_stdin_is_empty(void);
/* Have SPEC's tasks get what comes from standard input here, unless there is none or SPEC says
 * otherwise.  Whether they do; the others have /dev/null. */
bool attach_add_stdin(json_object *spec);
/* "0.123s: job.NAME CONTEXT" and for exceptions "0.123s: job.exception ID type=..." */
void attach_print_event(const struct cli *cli, uint64_t id, double since_start,
                        const char *name, const char *context);

#endif
