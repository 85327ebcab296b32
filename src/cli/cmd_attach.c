/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/attach.h"
#include "src/cli/verbs.h"
#include "src/common/idset.h"

enum {
    EVENTS,
    EXEC,
    STATUS,
    EVENT,
    LABEL,
    VERBOSE,
    QUIET,
    READ_ONLY,
    UNBUFFERED,
    STDIN_RANKS,
    TAIL
};
enum { TAIL_LINES = 10, TAIL_MOST = 1000000 };

static const struct opt opts[] = {
    {EVENTS, 'E', "show-events", NULL, "Show the job's events on stderr"},
    {EXEC, 'X', "show-exec", NULL, "Show, of these, when its tasks started and ended"},
    {STATUS, 0, "show-status", NULL,
     "Show at once what the job waits for (on a terminal: after a second)"},
    {EVENT, 'w', "wait-event", "NAME", "Return after this event of the job"},
    {LABEL, 'l', "label-io", NULL, "Put the task's rank before each line"},
    {QUIET, 'q', "quiet", NULL, "Do not say how the job ended"},
    {READ_ONLY, 'r', "read-only", NULL, "Read no standard input, pass no signals on"},
    {UNBUFFERED, 'u', "unbuffered", NULL, "Do not gather standard input (it never is)"},
    {TAIL, 0, "tail", "[N]",
     "Of the output that there is, only the last N lines (default 10)"},
    {VERBOSE, 'v', "verbose", NULL, "Print the job's id on stderr"},
    {STDIN_RANKS, 'i', "stdin-ranks", "TASKS", "Standard input goes to these tasks"},
};

static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct attach_options a = {0};
    struct optparse p;
    struct error err;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case EVENTS:
            a.show_events = true;
            break;
        case EXEC:
            a.show_exec = true;
            break;
        case STATUS:
            a.show_status = true;
            break;
        case VERBOSE:
            a.show_id = true;
            break;
        case TAIL:
            a.tail = p.value ? (size_t)cli_number(cli, "--tail", p.value, 1, TAIL_MOST)
                             : TAIL_LINES;
            break;
        case EVENT:
            a.wait_event = p.value;
            break;
        case LABEL:
            a.label = true;
            break;
        case QUIET:
            a.quiet = true;
            break;
        case READ_ONLY:
            a.read_only = true;
            break;
        case STDIN_RANKS:
            a.stdin_tasks = p.value;
            break;
        }
    }
    if (a.stdin_tasks && a.read_only)
        cli_die(cli, "--stdin-ranks and --read-only cannot be used together");
    if (a.stdin_tasks && strcmp(a.stdin_tasks, "all") != 0) {
        cleanup_bitmap hwloc_bitmap_t set = idset_decode(a.stdin_tasks, &err);
        if (!set)
            cli_die(cli, "--stdin-ranks: %s", err.text);
    }
    uint64_t id = cli_jobid(cli, cli_operand(cli, &p, "the JOBID", false));
    return attach_job(cli, &a, id);
}

const struct cmd cmd_attach = {
    .name = "attach",
    .args = "JOBID",
    .help = "Show a job's output, pass input and signals on, leave with its exit code",
    .groups = groups,
    .run = run,
};
