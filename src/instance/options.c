/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h"
#include "src/instance/options.h"

#include <getopt.h>
#include <stddef.h>
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

#define OUTPUT_LIMIT_LEAST (UINT64_C(1) << 20)

static void set_gpus(struct options *o, const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);
    if (*end || end == text || n > 4096)
        log_exit(1, "--gpus=%s: must be a number from 0 to 4096", text);
    o->gpus = (unsigned)n;
}

static void set_memory(struct options *o, const char *text)
{
    struct error err;
    if (bytes_decode(text, 1 << 20, &o->memory, &err) < 0 || !o->memory)
        log_exit(1, "--memory=%s: must be an amount of memory, as in 64G", text);
}

static void set_output_limit(struct options *o, const char *text)
{
    struct error err;
    if (bytes_decode(text, 1 << 20, &o->output_limit, &err) < 0 ||
        o->output_limit < OUTPUT_LIMIT_LEAST)
        log_exit(1, "--output-limit=%s: must be an amount of at least 1M, as in 10G",
                 text);
}

static void set_time_limit(struct options *o, const char *text)
{
    struct error err;
    if (duration_decode(text, &o->time_limit, &err) < 0)
        log_exit(1, "--time-limit: %s", err.text);
}

static void set_idle_return(struct options *o, const char *text)
{
    struct error err;
    if (duration_decode(text, &o->idle_return, &err) < 0)
        log_exit(1, "--idle-return: %s", err.text);
}

static void set_expiration(struct options *o, const char *text)
{
    char *end;
    o->expiration = strtod(text, &end);
    if (*end || end == text || !(o->expiration >= 0 && o->expiration < 1e11))
        log_exit(1, "--expiration=%s: must be seconds since 1970", text);
}

static void set_foreign(struct options *o, const char *text)
{
    cleanup_free char *name = xstrndup(text, strcspn(text, ":"));
    if (!foreign_kind_find(name))
        log_exit(1, "--foreign=%s: there is no such kind of allocation", text);
    o->foreign = text;
}

static void set_durability(struct options *o, const char *text)
{
    static const char *const names[] = {[STORE_SYNC_NORMAL] = "normal",
                                        [STORE_SYNC_FULL] = "full",
                                        [STORE_SYNC_OFF] = "off"};
    o->have_durability = true;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(names[i], text) == 0) {
            o->durability = (enum store_sync)i;
            return;
        }
    log_exit(1, "--durability=%s: must be full, normal or off", text);
}

/* Ranks, executors and the next instance may be elsewhere. */
static char *absolute(const char *path)
{
    cleanup_free char *here = *path == '/' || !*path ? NULL : getcwd(NULL, 0);
    return here ? xasprintf("%s/%s", here, path) : xstrdup(path);
}

static void check_state(const struct options *o)
{
    const char *which = o->have_durability ? "durability"
                        : o->salvage       ? "salvage"
                        : o->take_lock     ? "take-lock"
                                           : NULL;
    if (which && !o->statedir)
        log_exit(1, "--%s needs --statedir=DIR: without it nothing is kept", which);
    if (o->statedir && !*o->statedir)
        log_exit(1, "--statedir: the name of a directory is missing");
    if (o->statedir && o->join)
        log_exit(1,
                 "--statedir is an affair of the instance, not of a rank that joins it");
}

static void set_attr(struct options *o, const char *text)
{
    const char *eq = strchr(text, '=');
    if (!eq || eq == text)
        log_exit(1, "--setattr=%s: must be KEY=VALUE", text);
    cleanup_free char *key = xstrndup(text, (size_t)(eq - text));
    json_object_object_add(o->attrs, key, json_object_new_string(eq + 1));
}

/* A file's path becomes absolute. */
static void add_config(struct options *o, const char *text)
{
    cleanup_free char *path = text[strspn(text, " \t\n")] == '{' ? NULL : absolute(text);
    json_object_array_add(o->configs, json_object_new_string(path ? path : text));
}

static void add_property(struct options *o, const char *text)
{
    struct error err;
    if (property_check(text, &err) < 0)
        log_exit(1, "--property: %s", err.text);
    json_object_array_add(o->properties, json_object_new_string(text));
}

static void set_statedir(struct options *o, const char *text)
{
    o->statedir = absolute(text); /* for as long as the process lives */
}

static void set_join(struct options *o, const char *text)
{
    o->join =
        (char *)(uintptr_t)text; /* it is of argv, where its secret will be hidden */
}

static void check_policy(struct options *o)
{
    struct sched_setup setup;
    struct error err;
    if (o->queue_depth) /* kept as long as the process lives */
        o->policy = xasprintf("%s,depth=%s", o->policy, o->queue_depth);
    if (o->placement)
        o->policy = xasprintf("%s,placement=%s", o->policy, o->placement);
    if (sched_setup_parse(&setup, o->policy, &err) < 0)
        log_exit(1, "--policy=%s: %s", o->policy, err.text);
}

static void print_version(struct options *o, const char *value)
{
    (void)o, (void)value;
    printf("hbatch-instance %s\n", VERSION);
    exit(0);
}

static void print_help(struct options *o, const char *value);

#define FLAG(field) IS_FLAG, offsetof(struct options, field), NULL
#define TEXT(field) IS_TEXT, offsetof(struct options, field), NULL
#define BY(function) IS_SET, 0, function

/* One table gives the parser its options, --help its text, and tells where a value goes. */
static const struct row {
    const char *name;
    char letter;            /* or 0 */
    const char *arg, *help; /* ARG NULL: it has no value */
    enum { IS_FLAG, IS_TEXT, IS_SET } kind;
    size_t offset; /* in struct options, of a flag or a text */
    void (*set)(struct options *o, const char *value);
} table[] = {
    {"topology", 0, "TEXT|FILE",
     "hwloc synthetic description (\"pack:2 core:8 pu:1\") or XML file\n"
     "instead of this machine's own; tasks are then not bound",
     TEXT(topology)},
    {"virtual", 0, NULL,
     "each rank is a node of its own, several on one machine (testing)", FLAG(isvirtual)},
    {"gpus", 0, "N", "a virtual node has N GPUs", BY(set_gpus)},
    {"memory", 0, "SIZE",
     "jobs may have so much memory of each node: 64G (default: all of it)",
     BY(set_memory)},
    {"time-limit", 't', "DURATION",
     "end the instance after this time (RFC 23: 30m, 1.5h)", BY(set_time_limit)},
    {"expiration", 0, "TIME", "end the instance at this time, in seconds since 1970",
     BY(set_expiration)},
    {"foreign", 0, "NAME[:ID]",
     "it lives in this allocation: slurm:123 (default: what the\n"
     "environment tells); its end is that of --expiration",
     BY(set_foreign)},
    {"policy", 0, "NAME", "scheduling policy: fcfs (the default), easy or conservative",
     TEXT(policy)},
    {"queue-depth", 0, "N", "jobs overtake at most the first N that wait",
     TEXT(queue_depth)},
    {"placement", 0, "NAME", "how nodes are chosen: first (the default), best or spread",
     TEXT(placement)},
    {"config", 0, "FILE|JSON",
     "queues, limits, priorities, ...: hbatch-config(5); may be repeated",
     BY(add_config)},
    {"setattr", 0, "KEY=VALUE", "set an attribute", BY(set_attr)},
    {"property", 0, "NAME[:HOSTS]",
     "give these nodes (default: all) a property that jobs may ask for;\nmay be "
     "repeated",
     BY(add_property)},
    {"uri-file", 0, "FILE", "write the instance's URI to FILE", TEXT(uri_file)},
    {"rundir", 0, "DIR",
     "directory for sockets and captured output (default: a new one\n"
     "in $TMPDIR, removed at the end)",
     TEXT(rundir)},
    {"statedir", 0, "DIR",
     "keep jobs, history and output in DIR, and go on with what is there;\n"
     "pending jobs are kept at the end",
     BY(set_statedir)},
    {"durability", 0, "LEVEL",
     "what is accepted survives, with --statedir: normal (default): the\n"
     "death of all processes; full: of the machine; off: no more than\nnormal, and a "
     "dead machine may damage the store",
     BY(set_durability)},
    {"output-limit", 0, "SIZE",
     "each node keeps so much captured output; the oldest of jobs that\n"
     "are over goes first (default: all is kept)",
     BY(set_output_limit)},
    {"salvage", 0, NULL,
     "the store in --statedir is damaged: go on with what can be read", FLAG(salvage)},
    {"take-lock", 0, NULL, "the host whose instance has locked --statedir is dead",
     FLAG(take_lock)},
    {"tell-status", 0, NULL,
     "say the exit code on stderr at the end (mpirun --enable-recovery\n"
     "hides it; hbatch start reads it there)",
     FLAG(tell_status)},
    {"supervised", 0, "HOST",
     "hbatch start on HOST runs the program and starts ranks again;\n"
     "the run directory is the instance's and removed at the end",
     TEXT(supervised)},
    {"recover", 0, NULL, "go on with the instance whose run directory this is",
     FLAG(recover)},
    {"dump", 0, "FILE", "at the end, write what is known of all jobs to FILE (SQLite)",
     TEXT(dump)},
    {"no-program", 0, NULL, "run no program; the instance lives until it is told to end",
     FLAG(no_program)},
    {"join", 0, "ADDRESS",
     "join the instance whose leader is there, as more ranks of it\n(what hbatch "
     "resource grow starts)",
     BY(set_join)},
    {"idle-return", 0, "DURATION",
     "a sub-instance gives nodes back that had no work for so long", BY(set_idle_return)},
    {"check", 0, NULL, "read these options and the configuration, and do nothing",
     FLAG(check)},
    {"verbose", 'v', NULL, "say more on stderr", FLAG(verbose)},
    {"version", 'V', NULL, "print the version", BY(print_version)},
    {"help", 'h', NULL, "print this", BY(print_help)},
};

static void print_help(struct options *o, const char *value)
{
    (void)o, (void)value;
    printf(
        "Usage: [mpirun -N 1] hbatch-instance [OPTIONS] [PROGRAM [ARGS...]]\n\n"
        "Make an instance of hbatch, one rank per node, and run PROGRAM in it (default: "
        "a shell).\nThe instance ends with the program, and with its exit code.\n\n");
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        char left[64];
        char letter = table[i].letter;
        snprintf(left, sizeof(left), "%s%c%s--%s%s%s", letter ? "-" : " ",
                 letter ? letter : ' ', letter ? ", " : "  ", table[i].name,
                 table[i].arg ? "=" : "", table[i].arg ? table[i].arg : "");
        printf("  %-28s ", left);
        for (const char *p = table[i].help; *p; p++) {
            putchar(*p);
            if (*p == '\n')
                printf("%31s", "");
        }
        printf("\n");
    }
    exit(0);
}

static void take_value(struct options *o, const struct row *row, const char *value)
{
    void *field = (char *)o + row->offset;
    switch (row->kind) {
    case IS_FLAG:
        *(bool *)field = true;
        break;
    case IS_TEXT:
        *(const char **)field = value;
        break;
    case IS_SET:
        row->set(o, value);
    }
}

static const struct row *find_letter(int letter)
{
    const struct row *row = table;
    while (row->letter != letter)
        row++;
    return row;
}

void options_parse(struct options *o, int argc, char **argv)
{
    struct option longs[ARRAY_SIZE(table) + 1] = {0};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        longs[i] = (struct option){
            table[i].name, table[i].arg ? required_argument : no_argument, NULL, 0};
    *o = (struct options){.policy = "fcfs",
                          .attrs = json_object_new_object(),
                          .properties = json_object_new_array(),
                          .configs = json_object_new_array()};
    opterr = 0;
    for (int c, index; (c = getopt_long(argc, argv, "+:t:vVh", longs, &index)) != -1;) {
        if (c == ':')
            log_exit(1, "%s needs a value; see hbatch-instance --help", argv[optind - 1]);
        if (c == '?')
            log_exit(1, "%s: no such option; see hbatch-instance --help",
                     argv[optind - 1]);
        take_value(o, c ? find_letter(c) : &table[index], optarg);
    }
    check_policy(o);
    if ((o->supervised || o->recover) && !o->rundir)
        log_exit(1, "--%s needs --rundir=DIR, which all ranks know",
                 o->supervised ? "supervised" : "recover");
    check_state(o);
    if (optind < argc)
        o->program = argv + optind;
}
