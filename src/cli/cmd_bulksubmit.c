/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include "src/cli/sources.h"
#include "src/cli/submitting.h"
#include "src/cli/subst.h"
#include "src/cli/verbs.h"
#include "src/common/utf8.h"

enum { SEP = SUBMITTING_END, DEFINE, SHUFFLE };

static const struct opt own[] = {
    {SEP, 0, "sep", "TEXT",
     "What divides inputs that are read: a text (default '\\n'), /REGEX/, or 'none' for "
     "white space"},
    {DEFINE, 0, "define", "NAME=TEMPLATE",
     "{.NAME} is TEMPLATE with the input for {}, as in out='{/.}.out'; or "
     "NAME=s/REGEX/TEXT/ (may be repeated)"},
    {SHUFFLE, 0, "shuffle", NULL, "Submit in random order"},
};

static const struct opt_group groups[] = {
    OPTS("Inputs", own),
    SPECOPTS_GROUPS,
    OPTS("Submitting", submitting_opts),
    OPTS_END,
};

static const char more[] =
    "Inputs: after ':::', or of the files after '::::' ('-' is standard input), or of "
    "standard input alone. Of several, all combinations; ':::+' and '::::+' link the Nth "
    "with the Nth of those before. Replaced in the command and in the values of options: "
    "{} {0} {1} the inputs, {0.%} without extension, {0./} the last part of a path, "
    "{0.//} the part before, {0./%} the last part without extension; {.} {/} {//} {/.} "
    "likewise; {seq} and {seq1} number the jobs, {seq:04} with 4 digits; \\{ is a plain "
    "brace. The command is '{}' if there is none.";

/* An option as it was given. */
struct given {
    const struct opt *opt;
    const char *value;
    struct subst *subst; /* of a value that differs between jobs, or NULL */
};

struct bulk {
    struct cli *cli;
    const struct cmd *cmd;
    struct given *given;
    size_t ngiven;
    int argc; /* the command */
    char **argv;
    struct subst **words;
    struct subst_methods *methods;
    struct separator *sep;
    struct sources *sources;
    bool shuffle;
    struct specopts fixed; /* of the options that are the same for all */
    bool uniform;          /* jobs differ in their command only */
    int fixed_words; /* uniform: so many of its words, from the first on, are the same for all */
    json_object
        *spec; /* uniform: that of the first job; with fixed words: with these alone */
    struct submitting out;
};

/* --- the command line -------------------------------------------------------------------- */

static bool may_differ(const struct opt *o)
{
    return o->arg && o->id != SEP && o->id != DEFINE;
}

static void take_option(struct bulk *b, const struct opt *o, const char *value)
{
    struct error err;
    switch (o->id) {
    case SEP:
        separator_destroy(b->sep);
        b->sep = separator_create(value, &err);
        if (!b->sep)
            cli_die(b->cli, "--sep: %s", err.text);
        return;
    case DEFINE: {
        struct subst_methods *list = subst_define(b->methods, value, &err);
        if (!list)
            cli_die(b->cli, "--define: %s", err.text);
        b->methods = list;
        return;
    }
    case SHUFFLE:
        b->shuffle = true;
        return;
    }
    b->given = xrealloc(b->given, (b->ngiven + 1) * sizeof(*b->given));
    b->given[b->ngiven++] = (struct given){.opt = o, .value = value};
}

/* Options that are not the same for all jobs are compiled; the others are taken for all. */
static void sort_options(struct bulk *b)
{
    struct error err;
    b->uniform = true;
    for (size_t i = 0; i < b->ngiven; i++) {
        struct given *g = &b->given[i];
        if (g->value && may_differ(g->opt) && strpbrk(g->value, "{\\")) {
            g->subst =
                subst_compile(g->value, sources_width(b->sources), b->methods, &err);
            if (!g->subst)
                cli_die(b->cli, "--%s: %s", g->opt->name, err.text);
            b->uniform = false;
        } else if (!specopts_take(&b->fixed, b->cli, g->opt, g->value)) {
            submitting_take(&b->out, g->opt, g->value);
        }
        if (g->opt->id == SUBMITTING_WAIT_EVENT && g->subst)
            cli_die(b->cli, "--wait-event is the same for all jobs");
    }
    if (b->out.texts.cc || b->out.texts.bcc)
        b->uniform = false;
}

static void compile_command(struct bulk *b)
{
    static char all[] = "{}", *alone[] = {all, NULL};
    struct error err;
    if (b->argc == 0) {
        b->argc = 1;
        b->argv = alone;
    }
    b->words = xcalloc((size_t)b->argc, sizeof(*b->words));
    for (int i = 0; i < b->argc; i++) {
        b->words[i] =
            subst_compile(b->argv[i], sources_width(b->sources), b->methods, &err);
        if (!b->words[i])
            cli_die(b->cli, "%s", err.text);
        if (strcmp(b->argv[i], ":") == 0)
            b->uniform = false;
    }
    while (b->fixed_words < b->argc && subst_is_fixed(b->words[b->fixed_words]))
        b->fixed_words++;
}

static void parse(struct bulk *b, int argc, char **argv)
{
    struct optparse p;
    struct error err;
    optparse_init(&p, b->cli, b->cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));)
        take_option(b, o, p.value);
    if (!b->sep)
        b->sep = separator_create("\\n", &err);
    b->argv = p.args;
    b->argc = sources_command_length(p.nargs, p.args);
    b->sources = sources_create(p.nargs - b->argc, p.args + b->argc, b->sep, &err);
    if (!b->sources)
        cli_die(b->cli, "%s", err.text);
    sort_options(b);
    compile_command(b);
    if (b->out.texts.cc && b->out.texts.bcc)
        cli_die(b->cli, "--cc and --bcc cannot be used together");
}

static void fini(struct bulk *b)
{
    for (size_t i = 0; i < b->ngiven; i++)
        subst_destroy(b->given[i].subst);
    for (int i = 0; i < b->argc; i++)
        subst_destroy(b->words[i]);
    free(b->given);
    free(b->words);
    subst_methods_destroy(b->methods);
    sources_destroy(b->sources);
    separator_destroy(b->sep);
    specopts_fini(&b->fixed);
    json_object_put(b->spec);
}

/* --- one job ----------------------------------------------------------------------------- */

/* A job's texts: all are freed together. */
struct texts {
    char **v;
    size_t n;
};

static char *render(struct texts *t, const struct subst *s, const char *const *tuple,
                    uint64_t number)
{
    struct strbuf b = {0};
    subst_render(s, tuple, number, &b);
    t->v = xrealloc(t->v, (t->n + 1) * sizeof(*t->v));
    return t->v[t->n++] = strbuf_take(&b);
}

static void free_texts(struct texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->v[i]);
    free(t->v);
}

/* "input 'a'", "inputs 'a', 'b'": what errors are about. */
static char *label_of(const struct bulk *b, const char *const *tuple)
{
    struct strbuf s = {0};
    size_t n = sources_width(b->sources);
    strbuf_add(&s, n > 1 ? "inputs " : "input ");
    for (size_t i = 0; i < n; i++)
        strbuf_addf(&s, "%s'%.80s'", i ? ", " : "", tuple[i]);
    return strbuf_take(&s);
}

static void add_quoted(struct strbuf *b, const char *word)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./-_";
    if (*word && !word[strspn(word, plain)]) {
        strbuf_add(b, word);
        return;
    }
    strbuf_addc(b, '\'');
    for (; *word; word++) {
        if (*word == '\'')
            strbuf_add(b, "'\\''");
        else
            strbuf_addc(b, *word);
    }
    strbuf_addc(b, '\'');
}

/* "bulksubmit: submit -n2 ./task a": what differs between jobs. */
static void print_command(const struct bulk *b, FILE *f, const char *const *tuple,
                          uint64_t number)
{
    struct texts t = {0};
    struct strbuf s = {0};
    strbuf_add(&s, "bulksubmit: submit");
    for (size_t i = 0; i < b->ngiven; i++) {
        const struct given *g = &b->given[i];
        bool cc = g->opt->id == SUBMITTING_CC || g->opt->id == SUBMITTING_BCC;
        if (!g->subst && !cc)
            continue;
        if (g->opt->key)
            strbuf_addf(&s, " -%c", g->opt->key);
        else
            strbuf_addf(&s, " --%s=", g->opt->name);
        add_quoted(&s, g->subst ? render(&t, g->subst, tuple, number) : g->value);
    }
    for (int i = 0; i < b->argc; i++) {
        strbuf_addc(&s, ' ');
        add_quoted(&s, render(&t, b->words[i], tuple, number));
    }
    fprintf(f, "%s\n", s.s);
    free(s.s);
    free_texts(&t);
}

/* The command's words, terminated by NULL. */
static char **render_command(const struct bulk *b, struct texts *t,
                             const char *const *tuple, uint64_t number)
{
    char **argv = xcalloc((size_t)b->argc + 1, sizeof(*argv));
    for (int i = 0; i < b->argc; i++)
        argv[i] = render(t, b->words[i], tuple, number);
    return argv;
}

static void set_command(struct bulk *b, char **argv, int argc)
{
    json_object *task = json_object_array_get_idx(cli_get(b->spec, "tasks"), 0);
    json_object *command = json_object_new_array_ext(argc);
    for (int i = 0; i < argc; i++)
        json_object_array_add(command, json_object_new_string(argv[i]));
    json_object_object_add(task, "command", command);
}

static int check_command(const struct bulk *b, char **argv, struct error *err)
{
    for (int i = 0; i < b->argc; i++) {
        if (!utf8_valid(argv[i], strlen(argv[i])))
            return error_set(err, EILSEQ,
                             "argument %d of the command is not UTF-8, which job "
                             "specifications are written in",
                             i);
    }
    return *argv[0] ? 0 : error_set(err, EINVAL, "the name of the program is empty");
}

static void add_uniform(struct bulk *b, char **argv, const char *label)
{
    struct error err;
    int n = b->fixed_words;
    if (!b->spec) {
        b->fixed.argc = b->argc;
        b->fixed.argv = argv;
        b->spec = specopts_build(&b->fixed, b->cli, b->cmd, NULL, &err);
        b->fixed.argc = 0;
        if (!b->spec) {
            submitting_refuse(&b->out, label, &err);
            return;
        }
        if (n > 0)
            set_command(b, argv, n);
    }
    if (check_command(b, argv, &err) < 0) {
        submitting_refuse(&b->out, label, &err);
        return;
    }
    if (n == 0)
        set_command(b, argv, b->argc);
    if (n > 0)
        submitting_add_row(&b->out, b->spec, &b->fixed, &b->out.texts, argv + n,
                           (size_t)(b->argc - n), label);
    else
        submitting_add_spec(&b->out, json_object_get(b->spec), &b->fixed, &b->out.texts,
                            label);
}

/* Option G of one job. */
static void take_rendered(struct bulk *b, const struct given *g, const char *value,
                          struct specopts *spec, struct submitting_texts *texts)
{
    switch (g->opt->id) {
    case SUBMITTING_CC:
        texts->cc = value;
        break;
    case SUBMITTING_BCC:
        texts->bcc = value;
        break;
    case SUBMITTING_LOG:
        texts->log = value;
        break;
    case SUBMITTING_LOG_STDERR:
        texts->log_stderr = value;
        break;
    default:
        specopts_take(spec, b->cli, g->opt, value);
    }
}

static void add_different(struct bulk *b, struct texts *t, char **argv,
                          const char *const *tuple, uint64_t number, const char *label)
{
    struct specopts spec = {.urgency = -1};
    struct submitting_texts texts = {0};
    b->cli->where = label; /* of values that are wrong at first sight */
    for (size_t i = 0; i < b->ngiven; i++) {
        const struct given *g = &b->given[i];
        take_rendered(b, g, g->subst ? render(t, g->subst, tuple, number) : g->value,
                      &spec, &texts);
    }
    b->cli->where = NULL;
    spec.argc = b->argc;
    spec.argv = argv;
    submitting_add(&b->out, &spec, &texts, label);
    specopts_fini(&spec);
}

static void add_job(struct bulk *b, const char *const *tuple, uint64_t number)
{
    struct texts t = {0};
    if (b->fixed.dry_run || b->fixed.verbose)
        print_command(b, b->fixed.dry_run ? stdout : stderr, tuple, number);
    if (b->fixed.dry_run)
        return;
    cleanup_free char *label = label_of(b, tuple);
    cleanup_free char **argv = render_command(b, &t, tuple, number);
    if (b->uniform)
        add_uniform(b, argv, label);
    else
        add_different(b, &t, argv, tuple, number, label);
    free_texts(&t);
}

/* --- all of them ------------------------------------------------------------------------- */

/* Count them before, where that is asked for. */
static void prepare(struct bulk *b)
{
    struct error err;
    if (b->shuffle && sources_shuffle(b->sources, &err) < 0)
        cli_die(b->cli, "%s", err.text);
    if (!b->out.progress)
        return;
    int64_t jobs = sources_load(b->sources, &err), each = 1;
    if (jobs < 0)
        cli_die(b->cli, "%s", err.text);
    bool different = false;
    for (size_t i = 0; i < b->ngiven; i++) {
        int id = b->given[i].opt->id;
        different |= b->given[i].subst && (id == SUBMITTING_CC || id == SUBMITTING_BCC);
    }
    if (!different && (each = submitting_count(&b->out.texts, &err)) < 0)
        cli_die(b->cli, "%s", err.text);
    if (b->fixed.dry_run && !different)
        printf("bulksubmit: submitting a total of %jd jobs\n", (intmax_t)(jobs * each));
    if (!different)
        submitting_expect(&b->out, (uint64_t)(jobs * each));
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct bulk b = {.cli = cli,
                     .cmd = cmd,
                     .fixed = {.urgency = -1},
                     .out = {.cli = cli, .cmd = cmd}};
    const char *const *tuple;
    struct error err;
    uint64_t number, jobs = 0;
    int rc;
    parse(&b, argc, argv);
    submitting_begin(&b.out, &b.fixed, true);
    prepare(&b);
    while ((rc = sources_next(b.sources, &tuple, &number, &err)) != 0) {
        if (rc < 0)
            break;
        if (rc == 2) {
            feed_wait_fd(&b.out.feed, sources_fd(b.sources));
            continue;
        }
        add_job(&b, tuple, number);
        jobs++;
    }
    if (rc < 0)
        submitting_refuse(&b.out, NULL, &err);
    else if (jobs == 0)
        cli_die(cli, "there are no inputs, and nothing to submit");
    rc = submitting_finish(&b.out);
    fini(&b);
    return rc;
}

const struct cmd cmd_bulksubmit = {
    .name = "bulksubmit",
    .args = "[COMMAND [ARG...]] [::: INPUT...]...",
    .help = "Submit a job for each of many inputs and print their ids",
    .more = more,
    .flags = CMD_POSIX,
    .groups = groups,
    .run = run,
};
