/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "src/cli/format.h"
#include "src/cli/installed.h"
#include "src/cli/instconf.h"
#include "src/cli/launcher.h"
#include "src/cli/verbs.h"
#include "src/common/duration.h"
#include "src/job/property.h"

/* In the order they are tried. A foreign batch system's launcher goes before mpirun. */
static const struct launcher *const launchers[] = {&launch_standalone, &launch_srun,
                                                   &launch_mpirun};

enum {
    NODES,
    GPUS,
    TOPOLOGY,
    HOSTFILE,
    HOSTS,
    MPIRUN,
    MPI_OPTIONS,
    DRY_RUN,
    URI_FILE,
    LIMIT,
    LAUNCHER,
    FOREIGN,
    STATEDIR,
    DURABILITY,
    OUTPUT_LIMIT,
    SALVAGE,
    TAKE_LOCK,
    PROPERTY,
    POLICY,
    QUEUE_DEPTH,
    PLACEMENT,
    MEMORY,
    CONFIG
};

static const struct opt opts[] = {
    {HOSTFILE, 0, "hostfile", "FILE", "One node for each host named in FILE"},
    {HOSTS, 0, "hosts", "LIST", "One node for each of these hosts: a,b[1-4]"},
    {LIMIT, 't', "time-limit", "MIN|FSD", "End the instance after this time"},
    {PROPERTY, 0, "property", "NAME[:HOSTS]",
     "Give these nodes (default: all) a property that jobs may ask for (may be "
     "repeated)"},
    {POLICY, 0, "policy", "NAME",
     "Scheduling policy: fcfs (the default), easy or conservative"},
    {QUEUE_DEPTH, 0, "queue-depth", "N", "Jobs overtake at most the first N that wait"},
    {PLACEMENT, 0, "placement", "NAME",
     "How nodes are chosen: first (the default), best or spread"},
    {MEMORY, 0, "memory", "SIZE",
     "Memory of each node that jobs may have (default: all)"},
    {CONFIG, 0, "config", "KEY=VALUE|FILE",
     "Configure the instance: queues, limits, priorities, ...; a JSON or TOML file (may "
     "be repeated)"},
    {STATEDIR, 'S', "statedir", "DIR",
     "Keep jobs, history and output in DIR, and go on with what is there"},
    {DURABILITY, 0, "durability", "LEVEL",
     "What is accepted survives, with --statedir: full, normal or off"},
    {OUTPUT_LIMIT, 0, "output-limit", "SIZE",
     "Each node keeps so much captured output; the oldest of jobs that are over goes "
     "first"},
    {SALVAGE, 0, "salvage", NULL,
     "The store in --statedir is damaged: go on with what can be read"},
    {TAKE_LOCK, 0, "take-lock", NULL,
     "The host whose instance has locked --statedir is dead"},
    {URI_FILE, 0, "uri-file", "FILE", "Write the instance's URI to FILE"},
    {FOREIGN, 0, "foreign", "NAME",
     "The allocation to use: slurm, lsf, pbs, sge, none (default: the one it is in)"},
    {LAUNCHER, 0, "launcher", "NAME",
     "Start ranks by mpirun, srun or standalone (default: as is needed)"},
    {MPIRUN, 0, "mpirun", "PATH", "Start ranks with this mpirun"},
    {MPI_OPTIONS, 'o', "mpirun-options", "WORDS",
     "More options for mpirun (may be repeated)"},
    {DRY_RUN, 0, "dry-run", NULL,
     "Print the command line, and what was found, and do nothing"},
};
static const struct opt test_opts[] = {
    {NODES, 's', "test-nodes", "N", "N virtual nodes on this machine"},
    {TOPOLOGY, 0, "test-topology", "TEXT|FILE",
     "What a node is made of: hwloc synthetic (\"pack:2 core:8 pu:1\") or XML"},
    {GPUS, 0, "test-gpus", "N", "GPUs of a virtual node"},
    {NODES, 0, "test-size", "N", NULL}, /* as Flux has it, and so */
    {CONFIG, 0, "conf", "KEY=VALUE|FILE", NULL},
    {CONFIG, 'c', "config-path", "FILE", NULL},
    {DRY_RUN, 'X', "noexec", NULL, NULL},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS("Testing", test_opts),
                                          OPTS_END};

/* --- words ------------------------------------------------------------------------------- */

void words_add(struct words *w, const char *fmt, ...)
{
    va_list ap;
    char *word;
    va_start(ap, fmt);
    if (vasprintf(&word, fmt, ap) < 0)
        abort();
    va_end(ap);
    w->v = xrealloc(w->v, (w->n + 2) * sizeof(*w->v));
    w->v[w->n++] = word;
    w->v[w->n] = NULL;
}

void words_fini(struct words *w)
{
    for (size_t i = 0; i < w->n; i++)
        free(w->v[i]);
    free(w->v);
}

char *words_quote(const struct words *w)
{
    struct strbuf out = {0};
    for (size_t i = 0; i < w->n; i++) {
        if (i)
            strbuf_addc(&out, ' ');
        strbuf_add_shell(&out, w->v[i]);
    }
    return strbuf_take(&out);
}

/* --- the rank's command line ------------------------------------------------------------- */

void start_instance(const struct start *s, struct words *w)
{
    words_add(w, "%s", s->instance);
    if (s->test_nodes > 1)
        words_add(w, "--virtual");
    if (s->topology)
        words_add(w, "--topology=%s", s->topology);
    if (s->test_gpus)
        words_add(w, "--gpus=%u", s->test_gpus);
    for (size_t i = 0; i < s->properties.n; i++)
        words_add(w, "%s", s->properties.v[i]);
    if (s->time_limit > 0)
        words_add(w, "--time-limit=%.10gs", s->time_limit);
    if (s->foreign_named && !foreign_is_batch(s->alloc->kind))
        words_add(w, "--foreign=none");
    else if (foreign_is_batch(s->alloc->kind))
        words_add(w, "--foreign=%s:%s", s->alloc->kind->name, s->alloc->id);
    if (s->statedir)
        words_add(w, "--statedir=%s", s->statedir);
    if (s->durability)
        words_add(w, "--durability=%s", s->durability);
    if (s->salvage)
        words_add(w, "--salvage");
    if (s->take_lock)
        words_add(w, "--take-lock");
    if (s->expiration > 0)
        words_add(w, "--expiration=%.0f", s->expiration);
    if (s->rundir)
        words_add(w, "--rundir=%s", s->rundir);
    if (s->supervised)
        words_add(w, "--supervised=%s", s->supervised);
    if (s->recover)
        words_add(w, "--recover");
    if (s->tell_status)
        words_add(w, "--tell-status");
    if (s->uri_file)
        words_add(w, "--uri-file=%s", s->uri_file);
    for (int i = 0; i < s->argc; i++)
        words_add(w, "%s", s->argv[i]);
}

/* --- the verb ---------------------------------------------------------------------------- */

static double parse_limit(struct cli *cli, const char *text)
{
    struct error err;
    char *end;
    double t = strtod(text, &end);
    if (end != text && !*end && !text[strspn(text, "0123456789.")])
        return t * 60;
    if (duration_decode(text, &t, &err) < 0)
        cli_die(cli, "--time-limit: %s", err.text);
    return t > 1e10 ? 0 : t;
}

static void add_mpi_options(struct start *s, const char *text)
{
    cleanup_free char *copy = xstrdup(text);
    char *save = NULL;
    for (char *w = strtok_r(copy, " \t", &save); w; w = strtok_r(NULL, " \t", &save))
        words_add(&s->mpi_args, "%s", w);
}

static void add_property(struct start *s, const char *text)
{
    struct error err;
    if (property_check(text, &err) < 0)
        cli_die(s->cli, "--property: %s", err.text);
    words_add(&s->properties, "--property=%s", text);
}

/* Ranks may be elsewhere. */
static char *absolute(struct start *s, const char *dir)
{
    if (!*dir)
        cli_die(s->cli, "--statedir: the name of a directory is missing");
    if (strncmp(dir, "statedir=", 9) == 0) /* flux start -Sstatedir=DIR */
        dir += 9;
    cleanup_free char *here = *dir == '/' ? NULL : getcwd(NULL, 0);
    return here ? xasprintf("%s/%s", here, dir) : xstrdup(dir);
}

/* The instance reads a file itself, and again when it is told to; what only counts now are options. */
static void add_config(struct start *s, const char *text)
{
    struct error err;
    cleanup_json json_object *options = instconf_options(text, &err);
    char path[PATH_MAX];
    if (!options)
        cli_die(s->cli, "--config: %s", err.text);
    for (size_t i = 0; i < json_object_array_length(options); i++) {
        const char *word = json_object_get_string(json_object_array_get_idx(options, i));
        if (strncmp(word, "--config=", 9) == 0 && realpath(text, path))
            words_add(&s->properties, "--config=%s", path);
        else
            words_add(&s->properties, "%s", word);
    }
}

static const char *durability(struct start *s, const char *level)
{
    static const char *const levels[] = {"full", "normal", "off"};
    for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
        if (strcmp(levels[i], level) == 0)
            return level;
    cli_die(s->cli, "--durability=%s: must be full, normal or off", level);
}

struct choice { /* what decides how it is started */
    struct foreign_options foreign;
    const char *launcher;
    bool dry;
};

static void parse(struct start *s, const struct cmd *cmd, int argc, char **argv,
                  struct choice *c)
{
    struct optparse p;
    optparse_init(&p, s->cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case NODES:
            s->test_nodes =
                (unsigned)cli_number(s->cli, "--test-nodes", p.value, 1, 4096);
            break;
        case GPUS:
            s->test_gpus = (unsigned)cli_number(s->cli, "--test-gpus", p.value, 0, 4096);
            break;
        case TOPOLOGY:
            s->topology = p.value;
            break;
        case HOSTFILE:
            c->foreign.hostfile = p.value;
            break;
        case HOSTS:
            c->foreign.hosts = p.value;
            break;
        case MPIRUN:
            s->mpirun = p.value;
            break;
        case MPI_OPTIONS:
            if (*p.value == ',')
                cli_die(s->cli,
                        "--mpirun-options: '%s' is nothing that mpirun knows; options of "
                        "the instance are given as they are, without -o",
                        p.value);
            add_mpi_options(s, p.value);
            break;
        case DRY_RUN:
            c->dry = true;
            break;
        case URI_FILE:
            s->uri_file = p.value;
            break;
        case LIMIT:
            s->time_limit = parse_limit(s->cli, p.value);
            break;
        case LAUNCHER:
            c->launcher = p.value;
            break;
        case PROPERTY:
            add_property(s, p.value);
            break;
        case POLICY:
            words_add(&s->properties, "--policy=%s", p.value);
            break;
        case QUEUE_DEPTH:
            words_add(&s->properties, "--queue-depth=%s", p.value);
            break;
        case MEMORY:
            words_add(&s->properties, "--memory=%s", p.value);
            break;
        case PLACEMENT:
            words_add(&s->properties, "--placement=%s", p.value);
            break;
        case CONFIG:
            add_config(s, p.value);
            break;
        case STATEDIR:
            s->statedir = absolute(s, p.value);
            break;
        case DURABILITY:
            s->durability = durability(s, p.value);
            break;
        case OUTPUT_LIMIT:
            words_add(&s->properties, "--output-limit=%s", p.value);
            break;
        case SALVAGE:
            s->salvage = true;
            break;
        case TAKE_LOCK:
            s->take_lock = true;
            break;
        case FOREIGN:
            c->foreign.kind = p.value;
            break;
        }
    }
    if ((s->durability || s->salvage || s->take_lock) && !s->statedir)
        cli_die(s->cli, "--%s needs --statedir=DIR: without it nothing is kept",
                s->durability ? "durability"
                : s->salvage  ? "salvage"
                              : "take-lock");
    s->argc = p.nargs;
    s->argv = p.args;
    bool named = c->foreign.hosts || c->foreign.hostfile;
    if (c->foreign.hosts && c->foreign.hostfile)
        cli_die(s->cli, "--hosts and --hostfile cannot be used together");
    if (s->test_nodes && named)
        cli_die(s->cli,
                "--test-nodes are virtual, --hosts and --hostfile real: they cannot be "
                "used together");
    s->foreign_named = c->foreign.kind != NULL;
    if (c->foreign.kind && named && strcmp(c->foreign.kind, "none") == 0)
        c->foreign.kind = "hosts";
}

/* --- where it lives ---------------------------------------------------------------------- */

static void find_allocation(struct start *s, struct foreign_options *o)
{
    struct error err;
    if (s->test_nodes && !o->kind)
        o->kind = "none";
    s->alloc = foreign_find(o, &err);
    if (!s->alloc || foreign_find_hosts(s->alloc, o, &err) < 0)
        cli_die(s->cli, "%s", err.text);
    double now = time_now();
    foreign_find_end(s->alloc);
    s->expiration = foreign_deadline(s->alloc, now);
    if (s->alloc->end > 0 && s->alloc->end <= now)
        cli_die(s->cli, "%s %s has ended already, as %s tells", s->alloc->kind->title,
                s->alloc->id, s->alloc->end_source);
}

/* For people, beside the command line. */
static void describe(const struct start *s)
{
    const struct foreign *f = s->alloc;
    cleanup_free char *list = hostlist_encode(f->hosts);
    char left[64], clock[64];
    size_t n = hostlist_count(f->hosts);
    unsigned slots = 0;
    for (size_t i = 0; i < n; i++)
        slots += f->slots[i];
    if (s->test_nodes)
        fprintf(stderr, "# %u virtual nodes on this machine\n", s->test_nodes);
    else if (!foreign_is_batch(f->kind))
        fprintf(stderr, "# no batch system's allocation; %zu %s: %s\n", n,
                n == 1 ? "node" : "nodes", list);
    else {
        fprintf(stderr, "# %s %s; %zu %s: %s", f->kind->title, f->id, n,
                n == 1 ? "node" : "nodes", list);
        fprintf(stderr, slots ? "; %u slots\n" : "\n", slots);
    }
    if (f->end > 0) {
        time_t t = (time_t)f->end;
        strftime(clock, sizeof(clock), "%F %T", localtime(&t));
        fprintf(stderr, "# it ends at %s, in %s (%s)\n", clock,
                format_duration(f->end - time_now(), left, sizeof(left)), f->end_source);
    } else if (f->end_source)
        fprintf(stderr, "# its end is not known: %s\n", f->end_source);
}

static const struct launcher *choose(const struct start *s, const char *name)
{
    struct error err;
    for (size_t i = 0; i < ARRAY_SIZE(launchers); i++) {
        if (name ? strcmp(launchers[i]->name, name) != 0 : !launchers[i]->usable(s))
            continue;
        if (launchers[i]->check && launchers[i]->check(s, &err) < 0)
            cli_die(s->cli, "%s", err.text);
        return launchers[i];
    }
    cli_die(s->cli, "--launcher=%s: must be mpirun, srun or standalone", name);
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct start s = {.cli = cli};
    struct choice c = {0};
    struct words w = {0};
    struct error err;
    int rc = 0;
    parse(&s, cmd, argc, argv, &c);
    s.instance = installed_instance();
    if (!s.instance)
        cli_die(cli,
                "cannot find hbatch-instance beside hbatch, in %s or %s: is hbatch "
                "installed whole?",
                PKGLIBEXECDIR, BINDIR);
    find_allocation(&s, &c.foreign);
    const struct launcher *l = choose(&s, c.launcher);
    l->command(&s, &w);
    /* it is of the task that this is: ranks that a launcher starts are others */
    bool alone = s.foreign_named && !foreign_is_batch(s.alloc->kind);
    if (l != &launch_standalone || alone)
        unsetenv("HBATCH_SUB_INSTANCE");
    if (c.dry) {
        cleanup_free char *text = words_quote(&w);
        describe(&s);
        puts(text);
    } else if (l->run) {
        rc = l->run(&s, w.v, &err);
        if (rc < 0)
            cli_die(cli, "%s", err.text);
    } else {
        execvp(w.v[0], w.v);
        cli_die(cli, "cannot run %s: %s", w.v[0], strerror(errno));
    }
    words_fini(&s.mpi_args);
    words_fini(&s.properties);
    words_fini(&w);
    foreign_destroy(s.alloc);
    free(s.instance);
    free(s.statedir);
    return rc;
}

const struct cmd cmd_start = {
    .name = "start",
    .args = "[COMMAND [ARG...]]",
    .help = "Start an instance and run COMMAND (default: a shell) in it",
    .more =
        "The instance ends with COMMAND, and hbatch start has its exit code. Inside an "
        "allocation of Slurm, LSF, PBS or Grid Engine it has its nodes, and ends in time "
        "before it. On one node hbatch-instance is run directly, on several by mpirun.",
    .flags = CMD_POSIX,
    .groups = groups,
    .run = run,
};
