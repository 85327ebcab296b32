/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/jobset.h"
#include "src/cli/precheck.h"
#include "src/cli/specopts.h"
#include "src/cli/verbs.h"
#include "src/common/compatenv.h"
#include "src/common/strbuf.h"
#include "src/job/directives.h"
#include "src/lib/build.h"
#include "src/lib/submit.h"

enum { WRAP = SPECOPT_END, WAIT };

static const struct opt own[] = {
    {WRAP, 0, "wrap", NULL,
     "The words, or standard input, are commands for /bin/sh, not a script's name"},
    {WAIT, 0, "wait", NULL, "Wait until the job has ended; exit with its exit code"},
};

static const struct opt_group groups[] = {
    OPTS("Batch", own),
    OPTS("The instance", specopts_instance),
    OPTS("Resources", specopts_common),
    OPTS("Per slot", specopts_per_slot),
    OPTS("Per resource (instead of per slot)", specopts_per_resource_slots),
    OPTS("Job", specopts_job),
    OPTS("Environment and limits", specopts_env),
    OPTS("Input and output", specopts_io),
    OPTS("Other", specopts_other),
    OPTS_END,
};

struct given { /* an option of the command line */
    const struct opt *opt;
    const char *value;
};

struct batch {
    struct cli *cli;
    const struct cmd *cmd;
    struct specopts spec;
    struct given *given;
    size_t ngiven;
    bool wrap, wait;
    const char *source; /* of the script: a file's name, "stdin", "--wrap" */
    char *script;
    size_t len;
    char *name, *word[2]; /* of a script that has no file: the command in its place */
    struct directives directives;
};

static void apply(struct batch *b, const struct opt *o, const char *value)
{
    if (specopts_take(&b->spec, b->cli, o, value))
        return;
    if (o->id == WRAP)
        b->wrap = true;
    else if (o->id == WAIT)
        b->wait = true;
}

/* Options are kept for later: those of directives come before them. */
static void parse(struct batch *b, int argc, char **argv)
{
    struct optparse p;
    optparse_init(&p, b->cli, b->cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        b->given = xrealloc(b->given, (b->ngiven + 1) * sizeof(*b->given));
        b->given[b->ngiven++] = (struct given){o, p.value};
        b->wrap |= o->id == WRAP;
    }
    b->spec.argc = p.nargs;
    b->spec.argv = p.args;
}

/* --- the script -------------------------------------------------------------------------- */

static void read_script(struct batch *b, const char *path)
{
    cleanup_close int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (path && file < 0)
        cli_die(b->cli, "cannot read the script %s: %s", path, strerror(errno));
    b->source = path ? path : "stdin";
    b->script = xmalloc(BUILD_SCRIPT_MAX + 2); /* one more than may be, and its end */
    ssize_t n = read_all(path ? file : STDIN_FILENO, b->script, BUILD_SCRIPT_MAX + 1);
    if (n < 0)
        cli_die(b->cli, "cannot read the script %s: %s", b->source, strerror(errno));
    b->len = (size_t)n;
    b->script[b->len] = '\0';
}

/* As the shell's eval would have it. */
static void join_words(struct batch *b)
{
    cleanup_strbuf struct strbuf text = {0};
    for (int i = 0; i < b->spec.argc; i++) {
        strbuf_add(&text, i ? " " : "");
        strbuf_add(&text, b->spec.argv[i]);
    }
    strbuf_addc(&text, '\n');
    b->source = "--wrap";
    b->len = text.len;
    b->script = strbuf_take(&text);
}

static void add_shebang(struct batch *b)
{
    if (b->len >= 2 && strncmp(b->script, "#!", 2) == 0)
        return;
    char *whole = xasprintf("#!/bin/sh\n%s", b->script);
    free(b->script);
    b->script = whole;
    b->len = strlen(whole);
}

static void get_script(struct batch *b)
{
    struct error err;
    bool words = b->spec.argc > 0;
    const char *first = words ? b->spec.argv[0] : "batch";
    if (words && b->wrap) {
        join_words(b);
    } else {
        read_script(b, words ? first : NULL);
    }
    if (b->wrap || !words) {
        first += strspn(first, " \t\n;&|(");
        if (!*first)
            cli_die(b->cli, "--wrap: there is no command in '%s'", b->spec.argv[0]);
        b->name = b->word[0] = xstrndup(first, strcspn(first, " \t\n;&|)"));
        b->spec.argv = b->word;
        b->spec.argc = 1;
    }
    /* A directive may ask for --wrap, too. */
    if (build_check_script(b->script, b->len, &err) < 0 && err.code != ENOEXEC)
        cli_die(b->cli, "%s: %s", b->source, err.text);
}

/* --- directives -------------------------------------------------------------------------- */

/* What can be told of the values while the line is known. */
static void check_values(struct batch *b, size_t first)
{
    struct error err;
    struct hbatch_jobspec *js = hbatch_jobspec_create(0, NULL);
    for (size_t i = first; i < b->spec.n; i++) {
        if (build_set(js, b->spec.names[i], b->spec.values[i], &err) < 0)
            cli_die(b->cli, "--%s", err.text);
    }
    hbatch_jobspec_destroy(js);
}

static void apply_directive(struct batch *b, const struct directive *d)
{
    struct optparse p;
    size_t before = b->spec.n;
    cleanup_free char *where = xasprintf("%s: line %u", b->source, d->line);
    char verb[] = "batch";
    cleanup_free char **words = xmalloc((size_t)(d->argc + 2) * sizeof(*words));
    words[0] = verb;
    memcpy(words + 1, d->argv, (size_t)(d->argc + 1) * sizeof(*words));
    b->cli->where = where;
    optparse_init(&p, b->cli, b->cmd, d->argc + 1, words);
    for (const struct opt *o; (o = optparse_next(&p));)
        apply(b, o, p.value);
    if (p.nargs)
        cli_die(b->cli, "'%s' is not an option, and directives are options", p.args[0]);
    check_values(b, before);
    b->cli->where = NULL;
}

/* What looks like a directive, and is a comment: #hbatch without its colon, and those of others where there are none
 * for us. */
static void note_slips(struct batch *b)
{
    enum { FOREIGN = 4 };
    static const char *const tags[] = {"hbatch", "HBATCH", "flux", "FLUX",
                                       "SBATCH", "PBS",    "BSUB"};
    unsigned number = 0;
    const char *next;
    for (const char *line = b->script; line; line = next) {
        next = strchr(line, '\n');
        next = next ? next + 1 : NULL;
        number++;
        if (*line != '#')
            continue;
        const char *word = line + 1 + strspn(line + 1, " \t");
        for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
            size_t n = strlen(tags[i]);
            if (strncmp(word, tags[i], n) != 0 || !strchr(" \t", word[n]) ||
                word[n + strspn(word + n, " \t")] != '-' ||
                (i >= FOREIGN && b->directives.n))
                continue;
            cli_error(b->cli,
                      "%s: line %u: '%.*s' begins no directive, and is ignored: those "
                      "of hbatch begin with '#hbatch:'",
                      b->source, number, (int)(word + n - line), line);
            return;
        }
    }
}

static void apply_directives(struct batch *b)
{
    struct error err;
    if (directives_parse(b->script, b->len, &b->directives, &err) < 0)
        cli_die(b->cli, "%s: %s", b->source, err.text);
    note_slips(b);
    for (size_t i = 0; i < b->directives.n; i++)
        apply_directive(b, &b->directives.list[i]);
}

/* --- the job ----------------------------------------------------------------------------- */

static bool is_set(const struct specopts *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->names[i], name) == 0)
            return true;
    }
    return false;
}

static json_object *encode(struct batch *b)
{
    static const struct opt output = {SPECOPT_JOB, 0, "output", "TEMPLATE", NULL};
    struct error err;
    if (b->wrap)
        add_shebang(b);
    if (build_check_script(b->script, b->len, &err) < 0)
        cli_die(b->cli, "%s: %s", b->source, err.text);
    if (!is_set(&b->spec, "output"))
        specopts_take(&b->spec, b->cli, &output,
                      compatenv_has(getenv(COMPATENV_NAME), "flux")
                          ? "flux-{{id}}.out"
                          : "hbatch-{{id}}.out");
    specopts_check_input(&b->spec, b->cli);
    b->spec.instance = true;
    b->spec.script = b->script;
    return specopts_encode(&b->spec, b->cli, b->cmd, NULL);
}

static int submit(struct batch *b, json_object *spec)
{
    struct error err;
    struct jobset set;
    uint64_t id;
    char buf[CLI_ID_SIZE];
    const struct hbatch_submit how = {.urgency = b->spec.urgency, .flags = b->spec.flags};
    jobset_init(&set, b->cli, false, false);
    set.verbose = b->spec.verbose;
    int rc = b->wait ? jobset_submit(&set, spec, &how, &id, &err)
                     : submit_job(cli_connect(b->cli), spec, &how, &id, NULL, NULL, &err);
    if (rc < 0)
        cli_die(b->cli, "%s", err.text);
    if (!b->spec.quiet)
        puts(cli_id(b->cli, id, buf));
    if (b->wait)
        fflush(stdout);
    rc = b->wait ? jobset_wait(&set) : 0;
    jobset_fini(&set);
    return rc;
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct batch b = {.cli = cli, .cmd = cmd, .spec = {.urgency = -1}};
    int rc = 0;
    parse(&b, argc, argv);
    get_script(&b);
    apply_directives(&b);
    for (size_t i = 0; i < b.ngiven; i++)
        apply(&b, b.given[i].opt, b.given[i].value);
    json_object *spec = encode(&b);
    if (b.spec.dry_run) {
        puts(json_object_to_json_string_ext(spec, JSON_C_TO_STRING_PLAIN |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(spec);
    } else {
        precheck_instance(cli, &b.spec);
        rc = submit(&b, spec);
    }
    specopts_fini(&b.spec);
    directives_clear(&b.directives);
    free(b.given);
    free(b.script);
    free(b.name);
    return rc;
}

const struct cmd cmd_batch = {
    .name = "batch",
    .args = "[SCRIPT [ARG...]]",
    .help = "Submit a script that runs in an instance of its own",
    .more =
        "Without SCRIPT it is read from standard input. Lines of it that begin with "
        "'#hbatch:' or '#flux:' hold options; those of the command line go over them. "
        "Output goes to hbatch-{{id}}.out unless --output is given (none: it is kept "
        "with the job).",
    .flags = CMD_POSIX,
    .groups = groups,
    .run = run,
};
