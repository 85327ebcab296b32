/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h"
#include "src/instance/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/common/bytes.h"
#include "src/common/duration.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/foreign/foreign.h"
#include "src/job/property.h"
#include "src/sched/setup.h"

enum {
    O_TOPOLOGY = 256,
    O_VIRTUAL,
    O_GPUS,
    O_MEMORY,
    O_URI_FILE,
    O_RUNDIR,
    O_POLICY,
    O_QUEUE_DEPTH,
    O_PLACEMENT,
    O_CONFIG,
    O_SETATTR,
    O_PROPERTY,
    O_TELL_STATUS,
    O_EXPIRATION,
    O_SUPERVISED,
    O_RECOVER,
    O_NO_PROGRAM,
    O_CHECK,
    O_DUMP,
    O_JOIN,
    O_IDLE_RETURN,
    O_STATEDIR,
    O_DURABILITY,
    O_OUTPUT_LIMIT,
    O_SALVAGE,
    O_TAKE_LOCK,
    O_FOREIGN
};

#define OUTPUT_LIMIT_LEAST (UINT64_C(1) << 20)

/* One table gives the parser its options and --help its text. */
static const struct {
    struct option option;
    const char *arg, *help;
} table[] = {
    {{"topology", required_argument, NULL, O_TOPOLOGY},
     "TEXT|FILE",
     "hwloc synthetic description (\"pack:2 core:8 pu:1\") or XML file\n"
     "instead of this machine's own; tasks are then not bound"},
    {{"virtual", no_argument, NULL, O_VIRTUAL},
     NULL,
     "each rank is a node of its own, several on one machine (testing)"},
    {{"gpus", required_argument, NULL, O_GPUS}, "N", "a virtual node has N GPUs"},
    {{"memory", required_argument, NULL, O_MEMORY},
     "SIZE",
     "jobs may have so much memory of each node: 64G (default: all of it)"},
    {{"time-limit", required_argument, NULL, 't'},
     "DURATION",
     "end the instance after this time (RFC 23: 30m, 1.5h)"},
    {{"expiration", required_argument, NULL, O_EXPIRATION},
     "TIME",
     "end the instance at this time, in seconds since 1970"},
    {{"foreign", required_argument, NULL, O_FOREIGN},
     "NAME[:ID]",
     "it lives in this allocation: slurm:123 (default: what the\n"
     "environment tells); its end is that of --expiration"},
    {{"policy", required_argument, NULL, O_POLICY},
     "NAME",
     "scheduling policy: fcfs (the default), easy or conservative"},
    {{"queue-depth", required_argument, NULL, O_QUEUE_DEPTH},
     "N",
     "jobs overtake at most the first N that wait"},
    {{"placement", required_argument, NULL, O_PLACEMENT},
     "NAME",
     "how nodes are chosen: first (the default), best or spread"},
    {{"config", required_argument, NULL, O_CONFIG},
     "FILE|JSON",
     "queues, limits, priorities, ...: hbatch-config(5); may be repeated"},
    {{"setattr", required_argument, NULL, O_SETATTR}, "KEY=VALUE", "set an attribute"},
    {{"property", required_argument, NULL, O_PROPERTY},
     "NAME[:HOSTS]",
     "give these nodes (default: all) a property that jobs may ask for;\nmay be "
     "repeated"},
    {{"uri-file", required_argument, NULL, O_URI_FILE},
     "FILE",
     "write the instance's URI to FILE"},
    {{"rundir", required_argument, NULL, O_RUNDIR},
     "DIR",
     "directory for sockets and captured output (default: a new one\n"
     "in $TMPDIR, removed at the end)"},
    {{"statedir", required_argument, NULL, O_STATEDIR},
     "DIR",
     "keep jobs, history and output in DIR, and go on with what is there;\n"
     "pending jobs are kept at the end"},
    {{"durability", required_argument, NULL, O_DURABILITY},
     "LEVEL",
     "what is accepted survives, with --statedir: normal (default): the\n"
     "death of all processes; full: of the machine; off: no more than\nnormal, and a "
     "dead machine may damage the store"},
    {{"output-limit", required_argument, NULL, O_OUTPUT_LIMIT},
     "SIZE",
     "each node keeps so much captured output; the oldest of jobs that\n"
     "are over goes first (default: all is kept)"},
    {{"salvage", no_argument, NULL, O_SALVAGE},
     NULL,
     "the store in --statedir is damaged: go on with what can be read"},
    {{"take-lock", no_argument, NULL, O_TAKE_LOCK},
     NULL,
     "the host whose instance has locked --statedir is dead"},
    {{"tell-status", no_argument, NULL, O_TELL_STATUS},
     NULL,
     "say the exit code on stderr at the end (mpirun --enable-recovery\n"
     "hides it; hbatch start reads it there)"},
    {{"supervised", required_argument, NULL, O_SUPERVISED},
     "HOST",
     "hbatch start on HOST runs the program and starts ranks again;\n"
     "the run directory is the instance's and removed at the end"},
    {{"recover", no_argument, NULL, O_RECOVER},
     NULL,
     "go on with the instance whose run directory this is"},
    {{"dump", required_argument, NULL, O_DUMP},
     "FILE",
     "at the end, write what is known of all jobs to FILE (SQLite)"},
    {{"no-program", no_argument, NULL, O_NO_PROGRAM},
     NULL,
     "run no program; the instance lives until it is told to end"},
    {{"join", required_argument, NULL, O_JOIN},
     "ADDRESS",
     "join the instance whose leader is there, as more ranks of it\n(what hbatch "
     "resource grow starts)"},
    {{"idle-return", required_argument, NULL, O_IDLE_RETURN},
     "DURATION",
     "a sub-instance gives nodes back that had no work for so long"},
    {{"check", no_argument, NULL, O_CHECK},
     NULL,
     "read these options and the configuration, and do nothing"},
    {{"verbose", no_argument, NULL, 'v'}, NULL, "say more on stderr"},
    {{"version", no_argument, NULL, 'V'}, NULL, "print the version"},
    {{"help", no_argument, NULL, 'h'}, NULL, "print this"},
};

static void help(void)
{
    printf(
        "Usage: [mpirun -N 1] hbatch-instance [OPTIONS] [PROGRAM [ARGS...]]\n\n"
        "Make an instance of hbatch, one rank per node, and run PROGRAM in it (default: "
        "a shell).\nThe instance ends with the program, and with its exit code.\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        char left[64];
        bool letter = table[i].option.val < 256;
        snprintf(left, sizeof(left), "%s%c%s--%s%s%s", letter ? "-" : " ",
                 letter ? table[i].option.val : ' ', letter ? ", " : "  ",
                 table[i].option.name, table[i].arg ? "=" : "",
                 table[i].arg ? table[i].arg : "");
        printf("  %-28s ", left);
        for (const char *p = table[i].help; *p; p++) {
            putchar(*p);
            if (*p == '\n')
                printf("%31s", "");
        }
        printf("\n");
    }
}

static unsigned parse_count(const char *name, const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (*end || end == text || n > 4096)
        log_exit(1, "--%s=%s: must be a number from 0 to 4096", name, text);
    return (unsigned)n;
}

static double parse_expiration(const char *text)
{
    char *end;
    double t = strtod(text, &end);
    if (*end || end == text || !(t >= 0 && t < 1e11))
        log_exit(1, "--expiration=%s: must be seconds since 1970", text);
    return t;
}

static const char *check_foreign(const char *text)
{
    cleanup_free char *name = xstrndup(text, strcspn(text, ":"));
    if (!foreign_kind_find(name))
        log_exit(1, "--foreign=%s: there is no such kind of allocation", text);
    return text;
}

static enum store_sync parse_durability(const char *text)
{
    static const char *const names[] = {[STORE_SYNC_NORMAL] = "normal",
                                        [STORE_SYNC_FULL] = "full",
                                        [STORE_SYNC_OFF] = "off"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(names[i], text) == 0)
            return (enum store_sync)i;
    log_exit(1, "--durability=%s: must be full, normal or off", text);
}

/* Ranks, executors and the next instance may be elsewhere. */
static char *absolute(const char *path)
{
    cleanup_free char *here = *path == '/' || !*path ? NULL : getcwd(NULL, 0);
    return here ? xasprintf("%s/%s", here, path) : xstrdup(path);
}

static void check_state(const struct options *o, bool durability)
{
    const char *which = durability     ? "durability"
                        : o->salvage   ? "salvage"
                        : o->take_lock ? "take-lock"
                                       : NULL;
    if (which && !o->statedir)
        log_exit(1, "--%s needs --statedir=DIR: without it nothing is kept", which);
    if (o->statedir && !*o->statedir)
        log_exit(1, "--statedir: the name of a directory is missing");
    if (o->statedir && o->join)
        log_exit(1,
                 "--statedir is an affair of the instance, not of a rank that joins it");
}

static void set_attr(json_object *attrs, const char *text)
{
    const char *eq = strchr(text, '=');
    if (!eq || eq == text)
        log_exit(1, "--setattr=%s: must be KEY=VALUE", text);
    cleanup_free char *key = xstrndup(text, (size_t)(eq - text));
    json_object_object_add(attrs, key, json_object_new_string(eq + 1));
}

/* A file's path becomes absolute. */
static json_object *config_word(const char *text)
{
    cleanup_free char *path = text[strspn(text, " \t\n")] == '{' ? NULL : absolute(text);
    return json_object_new_string(path ? path : text);
}

static void set_policy(struct options *o, const char *depth, const char *placement)
{
    struct sched_setup setup;
    struct error err;
    if (depth) /* kept as long as the process lives */
        o->policy = xasprintf("%s,depth=%s", o->policy, depth);
    if (placement)
        o->policy = xasprintf("%s,placement=%s", o->policy, placement);
    if (sched_setup_parse(&setup, o->policy, &err) < 0)
        log_exit(1, "--policy=%s: %s", o->policy, err.text);
}

void options_parse(struct options *o, int argc, char **argv)
{
    struct option longs[ARRAY_SIZE(table) + 1];
    struct error err;
    memset(longs, 0, sizeof(longs));
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        longs[i] = table[i].option;
    *o = (struct options){.policy = "fcfs",
                          .attrs = json_object_new_object(),
                          .properties = json_object_new_array(),
                          .configs = json_object_new_array()};
    opterr = 0;
    const char *depth = NULL, *placement = NULL;
    int c;
    bool durability = false;
    while ((c = getopt_long(argc, argv, "+:t:vVh", longs, NULL)) != -1) {
        switch (c) {
        case O_TOPOLOGY:
            o->topology = optarg;
            break;
        case O_VIRTUAL:
            o->isvirtual = true;
            break;
        case O_GPUS:
            o->gpus = parse_count("gpus", optarg);
            break;
        case O_MEMORY:
            if (bytes_decode(optarg, 1 << 20, &o->memory, &err) < 0 || !o->memory)
                log_exit(1, "--memory=%s: must be an amount of memory, as in 64G",
                         optarg);
            break;
        case O_OUTPUT_LIMIT:
            if (bytes_decode(optarg, 1 << 20, &o->output_limit, &err) < 0 ||
                o->output_limit < OUTPUT_LIMIT_LEAST)
                log_exit(1,
                         "--output-limit=%s: must be an amount of at least 1M, as in 10G",
                         optarg);
            break;
        case O_URI_FILE:
            o->uri_file = optarg;
            break;
        case O_EXPIRATION:
            o->expiration = parse_expiration(optarg);
            break;
        case O_FOREIGN:
            o->foreign = check_foreign(optarg);
            break;
        case O_RUNDIR:
            o->rundir = optarg;
            break;
        case O_SUPERVISED:
            o->supervised = optarg;
            break;
        case O_RECOVER:
            o->recover = true;
            break;
        case O_DUMP:
            o->dump = optarg;
            break;
        case O_CHECK:
            o->check = true;
            break;
        case O_NO_PROGRAM:
            o->no_program = true;
            break;
        case O_JOIN:
            o->join = optarg;
            break;
        case O_IDLE_RETURN:
            if (duration_decode(optarg, &o->idle_return, &err) < 0)
                log_exit(1, "--idle-return: %s", err.text);
            break;
        case O_STATEDIR:
            o->statedir = absolute(optarg);
            break;
        case O_DURABILITY:
            o->durability = parse_durability(optarg);
            durability = true;
            break;
        case O_SALVAGE:
            o->salvage = true;
            break;
        case O_TAKE_LOCK:
            o->take_lock = true;
            break;
        case O_POLICY:
            o->policy = optarg;
            break;
        case O_QUEUE_DEPTH:
            depth = optarg;
            break;
        case O_PLACEMENT:
            placement = optarg;
            break;
        case O_PROPERTY:
            if (property_check(optarg, &err) < 0)
                log_exit(1, "--property: %s", err.text);
            json_object_array_add(o->properties, json_object_new_string(optarg));
            break;
        case O_CONFIG:
            json_object_array_add(o->configs, config_word(optarg));
            break;
        case O_SETATTR:
            set_attr(o->attrs, optarg);
            break;
        case 't':
            if (duration_decode(optarg, &o->time_limit, &err) < 0)
                log_exit(1, "--time-limit: %s", err.text);
            break;
        case O_TELL_STATUS:
            o->tell_status = true;
            break;
        case 'v':
            o->verbose = true;
            break;
        case 'V':
            printf("hbatch-instance %s\n", VERSION);
            exit(0);
        case 'h':
            help();
            exit(0);
        case ':':
            log_exit(1, "%s needs a value; see hbatch-instance --help", argv[optind - 1]);
        default:
            log_exit(1, "%s: no such option; see hbatch-instance --help",
                     argv[optind - 1]);
        }
    }
    set_policy(o, depth, placement);
    if ((o->supervised || o->recover) && !o->rundir)
        log_exit(1, "--%s needs --rundir=DIR, which all ranks know",
                 o->supervised ? "supervised" : "recover");
    check_state(o, durability);
    if (optind < argc)
        o->program = argv + optind;
}
