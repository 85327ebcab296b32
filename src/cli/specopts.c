/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/nearest.h"
#include "src/cli/instconf.h"
#include "src/cli/specopts.h"
#include "src/common/idset.h"
#include "src/common/duration.h"
#include "src/lib/build.h"

#define J SPECOPT_JOB

const struct opt specopts_common[9] = {
    {J, 'N', "nodes", "N[-M]", "Number of nodes, or a range of numbers: 2-4, 2+"},
    {J, 'x', "exclusive", NULL, "With -N, take whole nodes"},
    {J, 0, "mem", "SIZE",
     "Memory on each of the job's nodes: 512M, 4G (a bare number is MiB)"},
    {J, 0, "mem-per-core", "SIZE", "Memory for each of the job's cores"},
    {J, 0, "resources", "SHAPE",
     "Resources as an RFC 46 shape: node=2/slot=4/[core=2;gpu]"},
    {J, 't', "time-limit", "MIN|FSD",
     "Time limit in minutes, or with a unit: 30s, 1.5h, 2d"},
    {J, 'q', "queue", "NAME", "Its queue; hbatch queue list shows them"},
    {J, 'B', "bank", "NAME", "Account the job to this bank"},
    {J, 0, "requires", "CONSTRAINT",
     "Constraint on nodes in RFC 35 syntax: 'host:n[1-4] and -gpu' (may be repeated)"},
};

const struct opt specopts_per_task[4] = {
    {J, 'n', "ntasks", "N", "Number of tasks (default 1, or one a node with -N)"},
    {J, 'c', "cores-per-task", "N", "Cores for each task (default 1)"},
    {J, 'g', "gpus-per-task", "N", "GPUs for each task (default none)"},
    {J, 0, "taskmap", "SCHEME[:VALUE]",
     "How tasks are put on nodes: block, cyclic, cyclic:N, manual:TASKMAP"},
};

const struct opt specopts_per_slot[6] = {
    {J, 'n', "nslots", "N", "Number of slots (default 1, or one a node with -N)"},
    {J, 'c', "cores-per-slot", "N", "Cores for each slot (default 1)"},
    {J, 'g', "gpus-per-slot", "N", "GPUs for each slot (default none)"},
    {J, 0, "ntasks", "N", NULL},
    {J, 0, "cores-per-task", "N", NULL},
    {J, 0, "gpus-per-task", "N", NULL},
};

const struct opt specopts_per_resource_slots[2] = {
    {J, 0, "cores", "N", "Cores in all"},
    {J, 0, "gpus-per-node", "N", "With -N, GPUs on each node"},
};

const struct opt specopts_instance[5] = {
    {SPECOPT_INSTANCE_OPT, 0, "instance-opt", "OPTION",
     "Give OPTION to hbatch-instance, as in --instance-opt=--policy=fcfs (may be "
     "repeated)"},
    {SPECOPT_IDLE_RETURN, 0, "idle-return", "FSD",
     "Give back nodes that had no work for so long, all but the leader's"},
    {SPECOPT_CONF, 0, "conf", "KEY=VALUE|FILE",
     "Configure the instance: policy, idle-return, ...; a JSON or TOML file (may be "
     "repeated)"},
    {SPECOPT_DUMP, 0, "dump", "[FILE]",
     "At the end, write what is known of all its jobs to FILE (default: "
     "hbatch-{{id}}-dump.sqlite)"},
    {SPECOPT_FLUX, 0, "broker-opts", "OPTIONS", NULL},
};

const struct opt specopts_per_resource[4] = {
    {J, 0, "cores", "N", "Cores in all"},
    {J, 0, "tasks-per-node", "N", "Tasks on each node"},
    {J, 0, "tasks-per-core", "N", "Tasks on each core"},
    {J, 0, "gpus-per-node", "N", "With -N, GPUs on each node"},
};

const struct opt specopts_job[17] = {
    {J, 0, "job-name", "NAME", "Name of the job (default: of the program)"},
    {J, 0, "dependency", "URI", "Dependency, as in afterok:JOBID (may be repeated)"},
    {J, 0, "begin-time", "+FSD|TIME", "Not before: +1h, 14:30, 2026-01-31 08:00"},
    {J, 0, "placement", "NAME",
     "How its nodes are chosen: first, best (few and full ones) or spread"},
    {J, 0, "contiguous", NULL, "Only on nodes of adjacent ranks"},
    {J, 0, "cwd", "DIRECTORY", "Working directory (default: this one)"},
    {J, 0, "signal", "[SIG][@TIME]",
     "Send SIG (default USR1) TIME (default 60s) before the time limit"},
    {J, 'o', "setopt", "KEY[=VAL]", "Set a launch option (may be repeated)"},
    {J, 'S', "setattr", "KEY[=VAL]",
     "Set a job attribute; ^KEY=FILE reads JSON from a file (may be repeated)"},
    {J, 0, "add-file", "[NAME[:PERMS]=]FILE",
     "Take a small file along: {{tmpdir}}/NAME on each node (may be repeated)"},
    {J, 0, "requeue", NULL, "Queue it again when it loses tasks with a node: -o requeue"},
    {J, 0, "retry", "N", "Run it again, up to N times, when its tasks fail"},
    {J, 0, "preemptible", "[FSD]",
     "Make room for more urgent jobs: end within FSD of a SIGTERM, and be queued again"},
    {SPECOPT_URGENCY, 0, "urgency", "N", "0 (hold) to 31 (expedite); default 16"},
    {SPECOPT_FLAGS, 0, "flags", "FLAGS", "Comma separated: debug, waitable, novalidate"},
    {SPECOPT_DEBUG, 0, "debug", NULL, NULL},
    {J, 0, "require", "CONSTRAINT", NULL},
};

const struct opt specopts_env[4] = {
    {J, 0, "env", "RULE",
     "VAR=VAL sets, PATTERN takes from here, -PATTERN removes, ^FILE reads rules (may be "
     "repeated; rules apply in their order)"},
    {J, 0, "env-remove", "PATTERN", "The same as --env=-PATTERN; /REGEX or a glob"},
    {J, 0, "env-file", "FILE", "The same as --env=^FILE"},
    {J, 0, "rlimit", "RULE",
     "Resource limits to take along: NAME, NAME=VALUE, -PATTERN (may be repeated)"},
};

const struct opt specopts_io[5] = {
    {J, 0, "input", "FILE|TASKS",
     "Standard input from FILE; run: to these TASKS (0 or 0-3)"},
    {J, 0, "output", "TEMPLATE", "Standard output to a file, as in job_{{id}}.out"},
    {J, 0, "error", "TEMPLATE", "Standard error to a file"},
    {J, 'u', "unbuffered", NULL, "Do not gather output"},
    {SPECOPT_LABEL_IO, 'l', "label-io", NULL, "Put the task's rank before each line"},
};

const struct opt specopts_other[4] = {
    {SPECOPT_DRY_RUN, 0, "dry-run", NULL,
     "Print the job specification and do not submit"},
    {SPECOPT_DRY_RUN, 0, "dry", NULL, NULL},
    {SPECOPT_QUIET, 0, "quiet", NULL, "Do not print job ids"},
    {SPECOPT_VERBOSE, 'v', "verbose", NULL, "Say more on stderr (may be repeated)"},
};

#undef J

const char specopts_more[] =
    "Options end at the command; all after it belongs to the command. A ':' between "
    "commands "
    "starts several programs as one job: 'hbatch run -n1 ./a : -n2 -g1 ./b'; each has "
    "its own "
    "-n, -c, -g and --mem-per-core, and after a ':' --env, --env-remove, --env-file and "
    "--cwd are for "
    "that program alone. After '--' a ':' is a word like any other.";

static int parse_urgency(const struct cli *cli, const char *text)
{
    static const struct {
        const char *name;
        int value;
    } names[] = {{"hold", 0}, {"default", 16}, {"expedite", 31}};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (strcmp(names[i].name, text) == 0)
            return names[i].value;
    }
    return (int)cli_number(cli, "--urgency", text, 0, 31);
}

static void add_flags(struct specopts *s, const struct cli *cli, const char *text)
{
    static const char *const known[] = {"debug", "waitable", "novalidate"};
    for (const char *at = text; *at; at += *at == ',') {
        size_t n = strcspn(at, ","), i = 0;
        while (i < ARRAY_SIZE(known) &&
               (strlen(known[i]) != n || strncmp(at, known[i], n) != 0))
            i++;
        if (n && i == ARRAY_SIZE(known))
            cli_die(cli,
                    "--flags: '%.*s' is not a flag; there are debug, waitable and "
                    "novalidate",
                    (int)n, at);
        at += n;
    }
    if (strcmp(text, "novalidate") == 0) /* a jobspec is always checked */
        return;
    char *all = s->flags ? xasprintf("%s,%s", s->flags, text) : xstrdup(text);
    free(s->flags);
    s->flags = all;
}

/* A launch option that neither src/job/launch_options.c nor the leader reads does nothing.  It is no error, as
 * scripts for Flux may set what is not needed here, but it may be a slip. */
static void check_setopt(const struct cli *cli, const char *text)
{
    static const char *const known[] = {
        "apps",         "cpu-affinity", "env-expand",  "exit-on-error", "exit-timeout",
        "gpu-affinity", "input",        "instance",    "kill-timeout",  "output",
        "per-resource", "pmi",          "preemptible", "requeue",       "retry",
        "rlimit",       "signal",       "taskmap",     "unbuffered",
    };
    cleanup_free char *name = xstrndup(text, strcspn(text, ".="));
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (strcmp(name, known[i]) == 0)
            return;
    }
    const char *near = nearest_name(name, known, ARRAY_SIZE(known));
    cli_error(cli, "there is no launch option '%s': it is ignored%s%s%s", name,
              near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static void add_instance_opt(struct specopts *s, const char *value)
{
    s->instance_opts =
        xrealloc(s->instance_opts, (s->ninstance_opts + 1) * sizeof(*s->instance_opts));
    s->instance_opts[s->ninstance_opts++] = value;
}

static void add_conf(struct specopts *s, const struct cli *cli, const char *text)
{
    struct error err;
    json_object *options = instconf_options(text, &err);
    if (!options)
        cli_die(cli, "--conf: %s", err.text);
    s->confs = xrealloc(s->confs, (s->nconfs + 1) * sizeof(*s->confs));
    s->confs[s->nconfs++] = options;
    for (size_t i = 0; i < json_object_array_length(options); i++)
        add_instance_opt(s,
                         json_object_get_string(json_object_array_get_idx(options, i)));
}

/* OPTION, new, in place of *OLD, which is freed: the last one counts. */
static void replace_instance_opt(struct specopts *s, char **old, char *option)
{
    size_t i = 0;
    cleanup_free char *before = *old;
    while (i < s->ninstance_opts && s->instance_opts[i] != before)
        i++;
    *old = option;
    if (i < s->ninstance_opts)
        s->instance_opts[i] = option;
    else
        add_instance_opt(s, option);
}

static void set_idle_return(struct specopts *s, const struct cli *cli, const char *value)
{
    struct error err;
    double seconds;
    if (duration_decode(value, &seconds, &err) < 0 || seconds <= 0)
        cli_die(cli, "--idle-return: '%s' must be a duration above 0, as in 5m", value);
    replace_instance_opt(s, &s->idle_return, xasprintf("--idle-return=%s", value));
}

bool specopts_take(struct specopts *s, const struct cli *cli, const struct opt *o,
                   const char *value)
{
    const char *name = o->name;
    if (o->id == SPECOPT_JOB && strcmp(name, "retry") == 0)
        cli_number(cli, "--retry", value, 0, 1000);
    switch (o->id) {
    case SPECOPT_DRY_RUN:
        s->dry_run = true;
        return true;
    case SPECOPT_QUIET:
        s->quiet = true;
        return true;
    case SPECOPT_VERBOSE:
        s->verbose++;
        return true;
    case SPECOPT_URGENCY:
        s->urgency = parse_urgency(cli, value);
        return true;
    case SPECOPT_FLAGS:
        add_flags(s, cli, value);
        return true;
    case SPECOPT_DEBUG:
        add_flags(s, cli, "debug");
        return true;
    case SPECOPT_INSTANCE_OPT:
        add_instance_opt(s, value);
        return true;
    case SPECOPT_IDLE_RETURN:
        set_idle_return(s, cli, value);
        return true;
    case SPECOPT_CONF:
        add_conf(s, cli, value);
        return true;
    case SPECOPT_DUMP:
        replace_instance_opt(s, &s->dump,
                             xasprintf("--dump=%s", value && *value
                                                        ? value
                                                        : "hbatch-{{id}}-dump.sqlite"));
        return true;
    case SPECOPT_FLUX: /* scripts for Flux may set it for its own broker */
        cli_error(cli,
                  "--%s=%s is ignored: it is for Flux's broker; --instance-opt gives "
                  "options to hbatch-instance",
                  name, value);
        return true;
    case SPECOPT_LABEL_IO:
        s->label_io = true;
        break;
    case SPECOPT_JOB:
        break;
    default:
        return false;
    }
    if (strcmp(name, "setopt") == 0)
        check_setopt(cli, value);
    if (strcmp(name, "requeue") == 0)
        name = "setopt", value = "requeue";
    if (strcmp(name, "require") == 0)
        name = "requires";
    if (strcmp(name, "input") == 0)
        s->input = value;
    s->names = xrealloc(s->names, (s->n + 1) * sizeof(*s->names));
    s->values = xrealloc(s->values, (s->n + 1) * sizeof(*s->values));
    s->names[s->n] = name;
    s->values[s->n++] = value;
    return true;
}

void specopts_check_input(const struct specopts *s, const struct cli *cli)
{
    if (!s->input || !*s->input)
        return;
    cleanup_bitmap hwloc_bitmap_t set = idset_decode(s->input, NULL);
    if (set)
        cli_die(cli,
                "--input=%s: input to some tasks is for hbatch run: a job that nobody "
                "is attached to can only read a file",
                s->input);
}

void specopts_fini(struct specopts *s)
{
    free(s->names);
    free(s->values);
    free(s->flags);
    free(s->instance_opts);
    free(s->idle_return);
    free(s->dump);
    for (size_t i = 0; i < s->nconfs; i++)
        json_object_put(s->confs[i]);
    free(s->confs);
}

/* --- {cc} -------------------------------------------------------------------------------- */

static const char *find_cc(const char *text)
{
    for (const char *at = text; (at = strstr(at, "{cc}")); at += 4) {
        if (at == text || at[-1] != '{')
            return at;
    }
    return NULL;
}

char *specopts_replace_cc(const char *text, const char *cc)
{
    const char *at = cc ? find_cc(text) : NULL;
    if (!at)
        return xstrdup(text);
    cleanup_free char *rest = specopts_replace_cc(at + 4, cc);
    return xasprintf("%.*s%s%s", (int)(at - text), text, cc, rest);
}

bool specopts_text_has_cc(const char *text)
{
    return find_cc(text) != NULL;
}

/* CC: where it is in VALUE. */
static bool left_to_executors(const char *name, const char *value, const char *cc)
{
    const char *is = strchr(value, '=');
    return strcmp(name, "output") == 0 || strcmp(name, "error") == 0 ||
           (strcmp(name, "env") == 0 && is && is < cc);
}

bool specopts_needs_cc(const struct specopts *s)
{
    bool several = false; /* programs, with options of their own */
    for (size_t i = 0; i < s->n; i++) {
        const char *cc = s->values[i] ? find_cc(s->values[i]) : NULL;
        if (cc && !left_to_executors(s->names[i], s->values[i], cc))
            return true;
    }
    for (int i = 0; i < s->argc && !s->literal; i++)
        several |= strcmp(s->argv[i], ":") == 0;
    for (int i = 0; i < s->argc; i++) {
        if (find_cc(s->argv[i]) && (i == 0 || several || s->instance))
            return true;
    }
    return false;
}

/* --- the specification ------------------------------------------------------------------- */

static int words_until_colon(int argc, char **argv)
{
    int n = 0;
    while (n < argc && strcmp(argv[n], ":") != 0)
        n++;
    return n;
}

/* Of what a job's programs differ in, each says its own: it is not passed on from one to the next. */
static const struct {
    const char *name, *value;
} defaults[] = {{"cores-per-task", "1"}, {"gpus-per-task", "0"}, {"mem-per-core", "0"}};

static bool has_option(const struct specopts *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->names[i], name) == 0)
            return true;
    return false;
}

/* "NAME=VALUE: ..." to "--NAME=VALUE: ...". */
static int option_error(struct error *err)
{
    struct error e = *err;
    return error_set(err, e.code, "--%s", e.text);
}

/* Its options: they follow the colon at ARGV[0]. */
static int set_program(struct hbatch_jobspec *js, const struct specopts *s,
                       struct optparse *p, struct error *err)
{
    if (!has_option(s, "resources"))
        for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
            build_set_program(js, defaults[i].name, defaults[i].value, err);
    for (const struct opt *o; (o = optparse_next(p));) {
        const char *name = o->name ? o->name : "";
        bool whole = o->id != SPECOPT_JOB;
        if (whole)
            return error_set(err, EINVAL,
                             "--%s is of the whole job and cannot differ between its "
                             "programs: give it before "
                             "the first one",
                             name);
        if (build_set_program(js, name, p->value, err) < 0)
            return option_error(err);
    }
    return 0;
}

/* One more program: ARGV[0] is the ':' before it.  Return how many words it was, with that; -1: an error. */
static int add_program(struct hbatch_jobspec *js, const struct specopts *s,
                       struct cli *cli, const struct cmd *cmd, int argc, char **argv,
                       struct error *err)
{
    struct optparse p;
    /* The parser moves words about; a job of several elements comes here several times.  It begins with the options,
     * but they are for a program that is not known before they end. */
    cleanup_free char **words = xmalloc((size_t)(argc + 1) * sizeof(*words));
    cleanup_free char **again = xmalloc((size_t)(argc + 1) * sizeof(*again));
    memcpy(words, argv, (size_t)argc * sizeof(*words));
    words[argc] = NULL;
    memcpy(again, words, (size_t)(argc + 1) * sizeof(*words));
    optparse_init(&p, cli, cmd, argc, words);
    while (optparse_next(&p))
        ;
    int n = p.dashes ? p.nargs : words_until_colon(p.nargs, p.args);
    if (n == 0)
        cli_die(cli, "there is no program after ':'");
    int length = argc - p.nargs + n;
    if (build_add_program(js, n, (const char *const *)p.args, 1, NULL, NULL, err) < 0)
        return -1;
    optparse_init(&p, cli, cmd, length, again);
    return set_program(js, s, &p, err) < 0 ? -1 : length;
}

/* Once: all jobs of this command have the same environment. */
static void tell_unfit(const struct cli *cli, const struct hbatch_jobspec *js)
{
    static bool told = false;
    if (told || !js->unfit)
        return;
    told = true;
    json_object_object_foreach(js->unfit, name, value)
    {
        (void)value;
        cli_error(cli,
                  "the variable %s is not UTF-8 and is left out of the job's environment "
                  "(--env=-%s leaves it out without this note)",
                  name, name);
    }
}

/* Options and programs of S into JS. */
static int fill(struct hbatch_jobspec *js, const struct specopts *s, struct cli *cli,
                const struct cmd *cmd, const char *cc, char **words, int first,
                struct error *err)
{
    for (size_t i = 0; i < s->n; i++) {
        cleanup_free char *value =
            s->values[i] ? specopts_replace_cc(s->values[i], cc) : NULL;
        if (build_set(js, s->names[i], value, err) < 0)
            return option_error(err);
    }
    if (s->instance && build_set_instance(js, (int)s->ninstance_opts, s->instance_opts,
                                          s->script, err) < 0)
        return -1;
    for (int at = first; at < s->argc;) {
        int n = add_program(js, s, cli, cmd, s->argc - at, words + at, err);
        if (n < 0)
            return -1;
        at += n;
    }
    return 0;
}

json_object *specopts_build(const struct specopts *s, struct cli *cli,
                            const struct cmd *cmd, const char *cc, struct error *err)
{
    char **words = xmalloc((size_t)(s->argc + 1) * sizeof(*words));
    for (int i = 0; i < s->argc; i++)
        words[i] = specopts_replace_cc(s->argv[i], cc);
    words[s->argc] = NULL;
    int n = words_until_colon(s->argc, words);
    if (s->instance || s->literal)
        n = s->argc; /* its own words, all of them */
    if (n == 0 && !s->instance)
        cli_die(cli, "there is no command to run; see hbatch %s --help", cli->verb);
    struct hbatch_jobspec *js = hbatch_jobspec_create(n, (const char *const *)words);
    int rc = fill(js, s, cli, cmd, cc, words, n, err);
    json_object *spec = rc == 0 ? build_encode(js, err) : NULL;
    if (spec)
        tell_unfit(cli, js);
    hbatch_jobspec_destroy(js);
    for (int i = 0; i < s->argc; i++)
        free(words[i]);
    free(words);
    return spec;
}

json_object *specopts_encode(const struct specopts *s, struct cli *cli,
                             const struct cmd *cmd, const char *cc)
{
    struct error err;
    json_object *spec = specopts_build(s, cli, cmd, cc, &err);
    if (!spec)
        cli_die(cli, "%s", err.text);
    return spec;
}
