/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/cli.h"
#include "src/cli/nearest.h"
#include "src/cli/optparse.h"

static const struct opt help_opt = {-1, 0, "help", NULL, "Show this help and exit"};

void optparse_init(struct optparse *p, struct cli *cli, const struct cmd *cmd, int argc,
                   char **argv)
{
    *p = (struct optparse){.cli = cli, .cmd = cmd, .argc = argc, .at = 1, .argv = argv};
    p->args = argv + 1; /* operands are moved down to here */
}

/* --- finding ----------------------------------------------------------------------------- */

static const struct opt *find_long(const struct optparse *p, const char *name, size_t len)
{
    for (const struct opt_group *g = p->cmd->groups; g && g->opts; g++) {
        for (size_t i = 0; i < g->n; i++) {
            const struct opt *o = &g->opts[i];
            if (o->name && strlen(o->name) == len && strncmp(o->name, name, len) == 0)
                return o;
        }
    }
    return len == 4 && strncmp(name, "help", 4) == 0 ? &help_opt : NULL;
}

static const struct opt *find_short(const struct optparse *p, char key)
{
    for (const struct opt_group *g = p->cmd->groups; g && g->opts; g++) {
        for (size_t i = 0; i < g->n; i++) {
            if (g->opts[i].key == key)
                return &g->opts[i];
        }
    }
    return key == 'h' ? &help_opt : NULL;
}

static void unknown_long(const struct optparse *p, const char *name, size_t len)
{
    const char *names[128];
    size_t n = 0;
    for (const struct opt_group *g = p->cmd->groups; g && g->opts; g++) {
        for (size_t i = 0; i < g->n && n < ARRAY_SIZE(names); i++) {
            if (g->opts[i].name && g->opts[i].help)
                names[n++] = g->opts[i].name;
        }
    }
    if (n < ARRAY_SIZE(names))
        names[n++] = help_opt.name;
    cleanup_free char *word = xstrndup(name, len);
    const char *near = nearest_name(word, names, n);
    if (near)
        cli_die(p->cli, "unknown option --%s; did you mean --%s?", word, near);
    cli_die(p->cli, "unknown option --%s; see hbatch %s --help", word, p->cli->verb);
}

static void print_help(const struct cmd *cmd, const char *verb);

static void show_help(const struct optparse *p)
{
    print_help(p->cmd, p->cli->verb);
    exit(cli_finish(p->cli, 0));
}

static const struct opt *give(struct optparse *p, const struct opt *o)
{
    if (o == &help_opt)
        show_help(p);
    return o;
}

/* "[WHAT]": the value may be left out. "[SIG][@TIME]" has optional parts, and must be there. */
static bool value_is_optional(const struct opt *o)
{
    const char *close = *o->arg == '[' ? strchr(o->arg, ']') : NULL;
    return close && !close[1];
}

static const struct opt *next_long(struct optparse *p, const char *word)
{
    size_t len = strcspn(word, "=");
    const struct opt *o = find_long(p, word, len);
    if (!o)
        unknown_long(p, word, len);
    if (word[len] == '=') {
        if (!o->arg)
            cli_die(p->cli, "option --%s takes no value", o->name);
        p->value = word + len + 1;
    } else if (o->arg && !value_is_optional(o)) {
        if (p->at >= p->argc)
            cli_die(p->cli, "option --%s needs a value: --%s=%s", o->name, o->name,
                    o->arg);
        p->value = p->argv[p->at++];
    }
    return give(p, o);
}

static const struct opt *next_short(struct optparse *p)
{
    char key = *p->cluster++;
    const struct opt *o = find_short(p, key);
    if (!o) { /* with all bytes of the character */
        size_t more = 0;
        while (((unsigned char)p->cluster[more] & 0xc0) == 0x80)
            more++;
        cli_die(p->cli, "unknown option -%c%.*s; see hbatch %s --help", key, (int)more,
                p->cluster, p->cli->verb);
    }
    if (!o->arg)
        return give(p, o);
    if (*p->cluster) {
        p->value = p->cluster + (*p->cluster == '=');
        p->cluster = "";
    } else if (!value_is_optional(o)) {
        if (p->at >= p->argc)
            cli_die(p->cli, "option -%c needs a value: -%c %s", key, key, o->arg);
        p->value = p->argv[p->at++];
    }
    return give(p, o);
}

static bool all_digits(const char *s)
{
    return *s && !s[strspn(s, "0123456789")];
}

const struct opt *optparse_next(struct optparse *p)
{
    p->value = NULL;
    if (p->cluster && *p->cluster)
        return next_short(p);
    while (!p->over && p->at < p->argc) {
        char *word = p->argv[p->at++];
        if (strcmp(word, "--") == 0) {
            p->over = p->dashes = true;
        } else if (strncmp(word, "--", 2) == 0) {
            return next_long(p, word + 2);
        } else if (word[0] == '-' && word[1] &&
                   !(all_digits(word + 1) && !find_short(p, word[1]))) {
            p->cluster = word + 1;
            return next_short(p);
        } else {
            p->args[p->nargs++] = word;
            p->over = p->cmd->flags & CMD_POSIX;
        }
    }
    while (p->at < p->argc)
        p->args[p->nargs++] = p->argv[p->at++];
    if (!*p->cmd->args && p->nargs > 0)
        cli_die(p->cli, "unexpected argument '%s'", p->args[0]);
    return NULL;
}

/* --- help -------------------------------------------------------------------------------- */

#define HELP_COLUMN 30
#define HELP_WIDTH 80

void optparse_print_wrapped(const char *text, int column)
{
    int at = column;
    for (const char *s = text; *s;) {
        int n = (int)strcspn(s, " \n");
        if (at > column && at + 1 + n > HELP_WIDTH) {
            printf("\n%*s", column, "");
            at = column;
        } else if (at > column) {
            putchar(' ');
            at++;
        }
        printf("%.*s", n, s);
        at += n;
        s += n;
        if (*s == '\n') {
            printf("\n%*s", column, "");
            at = column;
        }
        s += *s != '\0';
    }
    putchar('\n');
}

static void print_opt(const struct opt *o)
{
    char left[128];
    const char *arg = o->arg ? o->arg : "", *eq = o->arg ? "=" : "";
    if (o->arg && value_is_optional(o)) {
        eq = "[=";
        arg++; /* its own ']' closes */
    }
    if (o->name && o->key)
        snprintf(left, sizeof(left), "  -%c, --%s%s%s", o->key, o->name, eq, arg);
    else if (o->name)
        snprintf(left, sizeof(left), "      --%s%s%s", o->name, eq, arg);
    else
        snprintf(left, sizeof(left), "  -%c%s%s", o->key, *arg ? " " : "", arg);
    if (strlen(left) + 2 > HELP_COLUMN)
        printf("%s\n%*s", left, HELP_COLUMN, "");
    else
        printf("%-*s", HELP_COLUMN, left);
    optparse_print_wrapped(o->help, HELP_COLUMN);
}

/* All of --help. */
static void print_help(const struct cmd *cmd, const char *verb)
{
    printf("Usage: hbatch %s [OPTIONS]%s%s\n", verb, *cmd->args ? " " : "", cmd->args);
    optparse_print_wrapped(cmd->help, 0);
    for (const struct opt_group *g = cmd->groups; g && g->opts; g++) {
        printf("\n%s:\n", g->heading ? g->heading : "Options");
        for (size_t i = 0; i < g->n; i++) {
            if (g->opts[i].help)
                print_opt(&g->opts[i]);
        }
    }
    if (!cmd->groups)
        printf("\nOptions:\n");
    print_opt(&help_opt);
    if (cmd->more) {
        putchar('\n');
        optparse_print_wrapped(cmd->more, 0);
    }
}
