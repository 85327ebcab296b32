/* SPDX-License-Identifier: BSD-3-Clause */
#include "compat/slurm/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "src/common/util.h"

enum { LONGS = 1000 }; /* beyond characters */

static const char *const helps[] = {"help", "usage"}; /* all commands have them */

/* Of the kind KIND: 0, those that mean something; OPT_IGNORE; OPT_REFUSE, with the reasons. */
static void print_options(const struct sopt *opts, size_t n, int kind)
{
    size_t column = 4;
    printf("   ");
    for (size_t i = 0; i < n; i++) {
        char key[8] = "";
        if (MIN(opts[i].id, 0) != kind)
            continue;
        if (kind == OPT_REFUSE) {
            printf("%s--%s: %s", column > 4 ? "\n    " : " ", opts[i].name, opts[i].to);
            column = 5;
            continue;
        }
        if (opts[i].key)
            snprintf(key, sizeof(key), "-%c%s", opts[i].key, opts[i].name ? "," : "");
        cleanup_free char *text = xasprintf(
            " %s%s%s%s", key, opts[i].name ? "--" : "", opts[i].name ? opts[i].name : "",
            opts[i].name && opts[i].arg ? opts[i].arg == 'o' ? "[=]" : "=" : "");
        if (column + strlen(text) > 78) {
            printf("\n   ");
            column = 4;
        }
        column += (size_t)printf("%s", text);
    }
    printf("\n");
}

static void print_help(const struct slurm *s, const struct sopt *opts, size_t n)
{
    printf("Usage: %s [OPTIONS] ..., as of Slurm 22.05, in an instance of hbatch: see "
           "hbatch-compat(7)\n\nOptions:\n",
           s->me);
    print_options(opts, n, 0);
    for (size_t i = 0; i < n; i++)
        if (opts[i].id == OPT_IGNORE) {
            printf("\nAccepted, and without a meaning here:\n");
            print_options(opts, n, OPT_IGNORE);
            break;
        }
    for (size_t i = 0; i < n; i++)
        if (opts[i].id == OPT_REFUSE) {
            printf("\nRefused:\n");
            print_options(opts, n, OPT_REFUSE);
            break;
        }
    exit(slurm_finish(s, 0));
}

void sparse_init(struct sparse *p, struct slurm *s, const struct sopt *opts, size_t n,
                 int argc, char **argv, bool operands_end)
{
    *p = (struct sparse){.s = s, .opts = opts, .n = n, .argc = argc, .argv = argv};
    cleanup_strbuf struct strbuf keys = {0};
    strbuf_add(&keys, operands_end ? "+:" : ":");
    p->longs = xcalloc(n + ARRAY_SIZE(helps) + 1, sizeof(*p->longs));
    for (size_t i = 0; i < ARRAY_SIZE(helps); i++)
        p->longs[n + i] =
            (struct option){helps[i], no_argument, NULL, LONGS + (int)(n + i)};
    for (size_t i = 0; i < n; i++) {
        int arg = !opts[i].arg         ? no_argument
                  : opts[i].arg == 'r' ? required_argument
                                       : optional_argument;
        p->longs[i] =
            (struct option){opts[i].name ? opts[i].name : "", arg, NULL, LONGS + (int)i};
        if (!opts[i].key)
            continue;
        strbuf_addc(&keys, opts[i].key);
        strbuf_add(&keys, arg == no_argument         ? ""
                          : arg == required_argument ? ":"
                                                     : "::");
    }
    p->shorts = strbuf_take(&keys);
    opterr = 0;
    optind = 0;
}

static void unknown(const struct sparse *p, int c)
{
    const char *word = optind > 0 ? p->argv[optind - 1] : "";
    const char *where = p->where ? p->where : "", *sep = p->where ? ": " : "";
    if (c == ':')
        slurm_die(p->s, "%s%sthe option %s needs a value", where, sep, word);
    if (optopt > 0 && optopt < LONGS && strncmp(word, "--", 2) != 0)
        slurm_die(p->s, "%s%shbatch's %s has no option -%c", where, sep, p->s->me,
                  optopt);
    slurm_die(p->s,
              "%s%shbatch's %s has no option %s, or it is ambiguous or takes no value",
              where, sep, p->s->me, word);
}

static const struct sopt *find(const struct sparse *p, int c)
{
    if (c >= LONGS)
        return &p->opts[c - LONGS];
    for (size_t i = 0; i < p->n; i++)
        if (p->opts[i].key == c)
            return &p->opts[i];
    return NULL;
}

const struct sopt *sparse_next(struct sparse *p)
{
    int c;
    while ((c = getopt_long(p->argc, p->argv, p->shorts, p->longs, NULL)) >= 0) {
        if (c >= LONGS + (int)p->n)
            print_help(p->s, p->opts, p->n);
        const struct sopt *o = c == '?' || c == ':' ? NULL : find(p, c);
        if (!o)
            unknown(p, c);
        p->value = optarg;
        if (o->id == OPT_REFUSE)
            slurm_die(p->s, "%s%soption --%s: %s", p->where ? p->where : "",
                      p->where ? ": " : "", o->name, o->to);
        if (o->id != OPT_IGNORE)
            return o;
    }
    p->first = optind;
    free(p->longs);
    free(p->shorts);
    p->longs = NULL;
    p->shorts = NULL;
    return NULL;
}

/* One word at *AT; false: there is none. */
static bool take_word(const char **at, struct strbuf *word, struct error *err)
{
    const char *p = *at + strspn(*at, " \t\r");
    char quote = 0;
    if (!*p || *p == '#' || *p == '\n')
        return false;
    for (; *p && (quote || !strchr(" \t\r\n", *p)); p++) {
        if (quote ? *p == quote : (*p == '\'' || *p == '"'))
            quote = quote ? 0 : *p;
        else if (*p == '\\' && quote != '\'' && p[1] && p[1] != '\n')
            strbuf_addc(word, *++p);
        else
            strbuf_addc(word, *p);
    }
    if (quote)
        error_set(err, EINVAL, "the quote %c is not closed", quote);
    *at = p;
    return !quote;
}

char **slurm_split(const char *line, const char *word0, int *argc, struct error *err)
{
    char **argv = xcalloc(2, sizeof(*argv));
    argv[0] = xstrdup(word0);
    *argc = 1;
    err->code = 0;
    for (;;) {
        cleanup_strbuf struct strbuf word = {0};
        if (!take_word(&line, &word, err))
            break;
        argv = xrealloc(argv, (size_t)(*argc + 2) * sizeof(*argv));
        argv[(*argc)++] = strbuf_take(&word);
        argv[*argc] = NULL;
    }
    if (!err->code)
        return argv;
    slurm_split_free(argv);
    return NULL;
}

void slurm_split_free(char **argv)
{
    for (char **p = argv; p && *p; p++)
        free(*p);
    free(argv);
}
