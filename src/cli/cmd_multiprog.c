/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/installed.h"
#include "src/cli/shwords.h"
#include "src/cli/verbs.h"
#include "src/common/idset.h"
#include "src/common/strbuf.h"

static const struct opt opts[] = {
    {0, 'n', "dry-run", "RANKS", "Print what these tasks would run, and run nothing"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

/* One line of the file. */
struct program {
    unsigned line;
    hwloc_bitmap_t ranks; /* NULL: of "*" */
    struct shwords words; /* the ranks, and the command */
};

struct programs {
    struct cli *cli;
    const char *path;
    struct program *v;
    size_t n;
};

static void take_line(struct programs *p, const char *text, unsigned line)
{
    struct error err;
    struct program one = {.line = line};
    if (shwords_split(&one.words, text, &err) < 0)
        cli_die(p->cli, "%s: line %u: %s", p->path, line, err.text);
    if (one.words.n == 0)
        return;
    if (one.words.n == 1)
        cli_die(p->cli, "%s: line %u: there is no command after '%s'", p->path, line,
                one.words.v[0]);
    if (strcmp(one.words.v[0], "*") != 0 &&
        !(one.ranks = idset_decode(one.words.v[0], &err)))
        cli_die(p->cli, "%s: line %u: must begin with a set of task ranks or *: %s",
                p->path, line, err.text);
    for (size_t i = 0; i < p->n; i++) {
        const struct program *other = &p->v[i];
        if (one.ranks && other->ranks ? hwloc_bitmap_intersects(one.ranks, other->ranks)
                                      : !one.ranks && !other->ranks)
            cli_die(p->cli, "%s: lines %u and %u are for the same tasks", p->path,
                    other->line, line);
    }
    p->v = xrealloc(p->v, (p->n + 1) * sizeof(*p->v));
    p->v[p->n++] = one;
}

static void load(struct programs *p)
{
    size_t len;
    cleanup_free char *text = read_file(p->path, &len);
    if (!text)
        cli_die(p->cli, "cannot read %s: %s", p->path, strerror(errno));
    if (strlen(text) != len)
        cli_die(p->cli, "%s: is not a text", p->path);
    unsigned line = 0;
    for (char *next, *s = text; s; s = next) {
        if ((next = strchr(s, '\n')))
            *next++ = '\0';
        take_line(p, s, ++line);
    }
}

static const struct program *find(const struct programs *p, unsigned rank)
{
    const struct program *any = NULL;
    for (size_t i = 0; i < p->n; i++) {
        if (p->v[i].ranks && hwloc_bitmap_isset(p->v[i].ranks, rank))
            return &p->v[i];
        if (!p->v[i].ranks)
            any = &p->v[i];
    }
    if (!any)
        cli_die(p->cli, "%s: there is no line for task %u", p->path, rank);
    return any;
}

/* How many of the line's tasks come before RANK; of a line "*", none. */
static unsigned offset(const struct program *one, unsigned rank)
{
    unsigned n = 0;
    int id;
    if (!one->ranks)
        return 0;
    hwloc_bitmap_foreach_begin(id, one->ranks) n += (unsigned)id < rank;
    hwloc_bitmap_foreach_end();
    return n;
}

/* %t is the task's rank, %o its offset in the line's ranks. */
static char *substitute(const char *word, unsigned rank, unsigned at)
{
    struct strbuf out = {0};
    for (; *word; word++) {
        if (word[0] == '%' && (word[1] == 't' || word[1] == 'o'))
            strbuf_addf(&out, "%u", *++word == 't' ? rank : at);
        else
            strbuf_addc(&out, *word);
    }
    return strbuf_take(&out);
}

static char **arguments(const struct program *one, unsigned rank)
{
    size_t n = one->words.n - 1;
    char **argv = xcalloc(n + 1, sizeof(*argv));
    for (size_t i = 0; i < n; i++)
        argv[i] = substitute(one->words.v[i + 1], rank, offset(one, rank));
    return argv;
}

static void print_commands(const struct programs *p, const char *text)
{
    struct error err;
    int rank;
    cleanup_bitmap hwloc_bitmap_t ranks = idset_decode(text, &err);
    if (!ranks)
        cli_die(p->cli, "--dry-run: %s", err.text);
    hwloc_bitmap_foreach_begin(rank, ranks)
    {
        char **argv = arguments(find(p, (unsigned)rank), (unsigned)rank);
        printf("%d:", rank);
        for (char **arg = argv; *arg; arg++) {
            cleanup_free char *quoted = shwords_quote(*arg);
            printf(" %s", quoted);
            free(*arg);
        }
        putchar('\n');
        free(argv);
    }
    hwloc_bitmap_foreach_end();
}

static void fini(struct programs *p)
{
    for (size_t i = 0; i < p->n; i++) {
        shwords_fini(&p->v[i].words);
        hwloc_bitmap_free(p->v[i].ranks);
    }
    free(p->v);
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct programs all = {.cli = cli};
    struct optparse p;
    const char *dry = NULL;
    optparse_init(&p, cli, cmd, argc, argv);
    while (optparse_next(&p))
        dry = p.value;
    all.path = cli_operand(cli, &p, "the FILE", false);
    load(&all);
    if (dry) {
        print_commands(&all, dry);
        fini(&all);
        return 0;
    }
    const char *text = getenv("HBATCH_TASK_RANK");
    if (!text)
        cli_die(cli, "this is no task of a job: as in hbatch run -n4 hbatch multi-prog "
                     "FILE, or with --dry-run=RANKS");
    unsigned rank = (unsigned)cli_number(cli, "HBATCH_TASK_RANK", text, 0, INT_MAX);
    return installed_exec(cli, arguments(find(&all, rank), rank), "");
}

const struct cmd cmd_multiprog = {
    .name = "multi-prog",
    .args = "FILE",
    .help = "Be the program that FILE names for this task of a job",
    .more = "A line of FILE is RANKS COMMAND [ARG...], as in '0-3 ./worker %t'. RANKS "
            "are an id set, or * for "
            "all others; %t is the task's rank, %o its place among RANKS.",
    .groups = groups,
    .run = run,
};
