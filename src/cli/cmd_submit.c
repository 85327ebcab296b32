/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/jobset.h"
#include "src/cli/specopts.h"
#include "src/cli/verbs.h"
#include "src/common/idset.h"
#include "src/common/jobid.h"
#include "src/lib/submit.h"

enum { CC = SPECOPT_END, BCC, WAIT, WAIT_EVENT, WATCH, PROGRESS, JPS, LOG, LOG_STDERR };

static const struct opt own[] = {
    {CC, 0, "cc", "IDSET",
     "One job for each id; HBATCH_JOB_CC is the id, and {cc} in options and command is "
     "replaced by it"},
    {BCC, 0, "bcc", "IDSET", "The same without HBATCH_JOB_CC"},
    {WAIT, 0, "wait", NULL,
     "Wait until all jobs have ended; exit with the greatest exit code"},
    {WAIT_EVENT, 0, "wait-event", "NAME", "Wait until all jobs had this event"},
    {WATCH, 0, "watch", NULL, "Show the output of all jobs (and wait for them)"},
    {PROGRESS, 0, "progress", NULL, "With --wait, show a progress bar"},
    {JPS, 0, "jps", NULL, "With --progress, show jobs per second"},
    {LOG, 0, "log", "FILE", "Write what is printed here to FILE; may contain {cc}"},
    {LOG_STDERR, 0, "log-stderr", "FILE",
     "Write error messages to FILE; may contain {cc}"},
};

static const struct opt_group groups[] = {
    OPTS("Resources", specopts_common),
    OPTS("Per task", specopts_per_task),
    OPTS("Per resource (instead of per task)", specopts_per_resource),
    OPTS("Job", specopts_job),
    OPTS("Environment and limits", specopts_env),
    OPTS("Input and output", specopts_io),
    OPTS("Other", specopts_other),
    OPTS("Submitting", own),
    OPTS_END,
};

struct submit {
    struct cli *cli;
    const struct cmd *cmd;
    struct specopts spec;
    const char *cc, *bcc, *log, *log_stderr, *wait_event;
    bool wait, watch, progress, jps;
    struct jobset set;
    int exit_code;
};

static void parse(struct submit *s, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, s->cli, s->cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (specopts_take(&s->spec, s->cli, o, p.value))
            continue;
        switch (o->id) {
        case CC:
            s->cc = p.value;
            break;
        case BCC:
            s->bcc = p.value;
            break;
        case WAIT:
            s->wait = true;
            break;
        case WAIT_EVENT:
            s->wait = true;
            s->wait_event = strcmp(p.value, "clean") == 0 ? NULL : p.value;
            break;
        case WATCH:
            s->watch = true;
            break;
        case PROGRESS:
            s->progress = true;
            break;
        case JPS:
            s->jps = true;
            break;
        case LOG:
            s->log = p.value;
            break;
        case LOG_STDERR:
            s->log_stderr = p.value;
            break;
        }
    }
    s->spec.argc = p.nargs;
    s->spec.argv = p.args;
    if (s->cc && s->bcc)
        cli_die(s->cli, "--cc and --bcc cannot be used together");
    if (s->progress && !isatty(STDOUT_FILENO)) {
        cli_error(s->cli, "stdout is not a terminal: --progress is ignored");
        s->progress = false;
    }
}

/* stdout or stderr go to another file from now on. */
static void redirect(struct submit *s, FILE *stream, int fd, const char *template,
                     const char *cc, bool append)
{
    cleanup_free char *path = specopts_replace_cc(template, cc);
    fflush(stream);
    FILE *f = fopen(path, append ? "a" : "w");
    if (!f || dup2(fileno(f), fd) < 0)
        cli_die(s->cli, "cannot write to %s: %s", path, strerror(errno));
    fclose(f);
}

static void redirect_all(struct submit *s, const char *cc)
{
    static bool again = false;
    bool fixed = again && !strstr(s->log ? s->log : s->log_stderr, "{cc}");
    again = true;
    if (fixed)
        return;
    if (s->log) {
        redirect(s, stdout, STDOUT_FILENO, s->log, cc, false);
        if (!s->log_stderr)
            redirect(s, stderr, STDERR_FILENO, s->log, cc, true);
    }
    if (s->log_stderr)
        redirect(s, stderr, STDERR_FILENO, s->log_stderr, cc, false);
}

static void print_ids(struct submit *s, uint64_t first, uint64_t count)
{
    char buf[CLI_ID_SIZE];
    for (uint64_t i = 0; i < count && !s->spec.quiet; i++)
        puts(cli_id(s->cli, jobid_nth(first, i), buf));
    if (s->wait || s->watch || s->log)
        fflush(stdout);
}

/* One message: one job, or with CC_SET an array of jobs. CC: the element, when one by one. */
static void submit_one(struct submit *s, const char *cc_set, const char *cc)
{
    struct error err;
    uint64_t id, count = 1;
    json_object *spec = specopts_encode(&s->spec, s->cli, s->cmd, cc);
    if (s->log || s->log_stderr)
        redirect_all(s, cc);
    if (s->spec.dry_run) {
        puts(json_object_to_json_string_ext(spec, JSON_C_TO_STRING_PLAIN |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(spec);
        return;
    }
    struct hbatch_submit submit = {.urgency = s->spec.urgency,
                                   .flags = s->spec.flags,
                                   .cc = cc_set,
                                   .count = &count};
    int rc = s->wait || s->watch
                 ? jobset_submit(&s->set, spec, &submit, &id, &err)
                 : submit_job(cli_connect(s->cli), spec, &submit, &id, NULL, NULL, &err);
    if (rc < 0) {
        cli_error(s->cli, "%s%s%s%s", cc ? "cc=" : "", cc ? cc : "", cc ? ": " : "",
                  err.text);
        if (!cc || err.code == ECONNRESET || err.code == EPROTO)
            exit(EXIT_USAGE);
        s->exit_code = 1;
        return;
    }
    print_ids(s, id, count);
}

/* An array is one message, unless its jobs differ in more than HBATCH_JOB_CC. */
static void submit_all(struct submit *s)
{
    struct error err;
    const char *text = s->cc ? s->cc : s->bcc;
    if (!text) {
        submit_one(s, NULL, NULL);
        return;
    }
    cleanup_bitmap hwloc_bitmap_t set = idset_decode(text, &err);
    if (!set || hwloc_bitmap_iszero(set))
        cli_die(s->cli, "--%s: %s", s->cc ? "cc" : "bcc",
                set ? "an empty set" : err.text);
    if (s->cc && !specopts_has_cc(&s->spec) && !s->log && !s->log_stderr &&
        !s->spec.dry_run) {
        submit_one(s, text, NULL);
        return;
    }
    unsigned i;
    hwloc_bitmap_foreach_begin(i, set)
    {
        char cc[16];
        snprintf(cc, sizeof(cc), "%u", i);
        submit_one(s, s->cc ? cc : NULL, cc); /* an array of one has HBATCH_JOB_CC */
    }
    hwloc_bitmap_foreach_end();
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct submit s = {.cli = cli, .cmd = cmd, .spec = {.urgency = -1}};
    parse(&s, argc, argv);
    specopts_check_input(&s.spec, cli);
    jobset_init(&s.set, cli, s.watch, s.spec.label_io);
    s.set.wait_event = s.wait_event;
    s.set.progress = s.progress;
    s.set.jps = s.jps;
    s.set.verbose = s.spec.verbose;
    submit_all(&s);
    int rc = s.wait || s.watch ? jobset_wait(&s.set) : 0;
    jobset_fini(&s.set);
    specopts_fini(&s.spec);
    return MAX(rc, s.exit_code);
}

const struct cmd cmd_submit = {
    .name = "submit",
    .args = "COMMAND [ARG...] [: [OPTIONS] COMMAND [ARG...]]...",
    .help = "Submit jobs and print their ids",
    .more = specopts_more,
    .flags = CMD_POSIX,
    .groups = groups,
    .run = run,
};
