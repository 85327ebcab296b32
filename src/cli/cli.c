/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include "src/cli/cli.h"
#include "src/cli/ids.h"
#include "src/cli/nearest.h"
#include "src/cli/verbs.h"
#include "src/common/strbuf.h"
#include "src/common/idset.h"
#include "src/common/jobid.h"

/* The leader does not know how ids are shown here, and has a plain f: those that were asked for are made as the others. */
static void style_ids(const struct cli *cli, char *text, size_t size)
{
    unsigned n = MIN(cli->nids, (unsigned)ARRAY_SIZE(cli->ids));
    for (unsigned i = 0; i < n && !cli->ascii; i++) {
        char plain[CLI_ID_SIZE], styled[CLI_ID_SIZE];
        jobid_encode(cli->ids[i], JOBID_F58_PLAIN, plain, sizeof(plain));
        jobid_encode(cli->ids[i], JOBID_F58, styled, sizeof(styled));
        size_t len = strlen(plain), more = strlen(styled) - len;
        for (char *at = text; (at = strstr(at, plain)); at += len) {
            bool word = (at == text || !isalnum((unsigned char)at[-1])) &&
                        !isalnum((unsigned char)at[len]);
            if (!word || strlen(text) + more >= size)
                continue;
            memmove(at + len + more, at + len, strlen(at + len) + 1);
            memcpy(at, styled, len + more);
            at += more;
        }
    }
}

static void print_error(const struct cli *cli, const char *fmt, va_list ap)
{
    fflush(stdout);
    char text[2048]; /* one write, so that lines of several processes do not mix */
    const char *verb = cli->one_verb ? "" : cli->verb;
    int n = snprintf(text, sizeof(text), "%s%s%s: %s%s",
                     cli->program ? cli->program : "hbatch", *verb ? " " : "", verb,
                     cli->where ? cli->where : "", cli->where ? ": " : "");
    n = MIN(n, (int)sizeof(text) - 256);
    vsnprintf(text + n, sizeof(text) - (size_t)n - 1, fmt, ap);
    style_ids(cli, text, sizeof(text) - 1);
    size_t len = strlen(text);
    text[len++] = '\n';
    fwrite(text, 1, len, stderr);
    fflush(stderr);
}

void cli_error(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_error(cli, fmt, ap);
    va_end(ap);
}

void cli_die(const struct cli *cli, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    print_error(cli, fmt, ap);
    va_end(ap);
    exit(EXIT_USAGE);
}

struct hbatch *cli_connect(struct cli *cli)
{
    struct error err;
    if (!cli->h && !(cli->h = client_open(NULL, &err)))
        cli_die(cli, "%s", err.text);
    return cli->h;
}

json_object *cli_call(struct cli *cli, const char *method, json_object *params)
{
    struct error err;
    json_object *result = client_call(cli_connect(cli), method, params, &err);
    if (!result)
        cli_die(cli, "%s", err.text);
    if (!json_object_is_type(result, json_type_object))
        cli_die(cli,
                "the instance's answer to %s is not an object: is it of another version?",
                method);
    return result;
}

/* --- job ids ----------------------------------------------------------------------------- */

static uint64_t last_job(struct cli *cli)
{
    json_object *params = json_object_new_object();
    json_object_object_add(params, "max", json_object_new_int(1));
    json_object_object_add(params, "states", json_object_new_int(127));
    cleanup_json json_object *result = cli_call(cli, "job.list", params);
    json_object *jobs = cli_list(cli, result, "jobs");
    if (json_object_array_length(jobs) == 0)
        cli_die(cli, "this instance has had no job yet");
    return json_object_get_uint64(cli_get(json_object_array_get_idx(jobs, 0), "id"));
}

uint64_t cli_jobid(struct cli *cli, const char *text)
{
    jobid_t id;
    struct error err;
    if (strcmp(text, "last") == 0)
        return last_job(cli);
    struct ids elements = {0};
    if (ids_elements(&elements, cli, text)) {
        if (elements.n != 1)
            cli_die(cli, "'%s' is %zu jobs; one is wanted here", text, elements.n);
        id = elements.v[0];
        ids_fini(&elements);
    } else if (jobid_decode(text, &id, &err) < 0) {
        cli_die(cli, "%s", err.text);
    }
    if (id == 0 || id > INT64_MAX)
        cli_die(cli, "no such job: %s", text);
    cli->ids[cli->nids++ % ARRAY_SIZE(cli->ids)] = id;
    return id;
}

const char *cli_id(const struct cli *cli, uint64_t id, char *buf)
{
    return jobid_encode(id, cli->ascii ? JOBID_F58_PLAIN : JOBID_F58, buf, CLI_ID_SIZE);
}

void cli_job_error(const struct cli *cli, uint64_t id, const char *text)
{
    char buf[CLI_ID_SIZE], plain[CLI_ID_SIZE];
    if (strstr(text, jobid_encode(id, JOBID_F58_PLAIN, plain, sizeof(plain))) ||
        strstr(text, cli_id(cli, id, buf)))
        cli_error(cli, "%s", text);
    else
        cli_error(cli, "%s: %s", cli_id(cli, id, buf), text);
}

void cli_check_end(const struct cli *cli, const struct hbatch_result *result)
{
    if (!*result->result && result->exception_note)
        cli_die(cli, "%s", result->exception_note);
}

json_object *cli_id_params(uint64_t id)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "id", json_object_new_uint64(id));
    return o;
}

/* --- arguments --------------------------------------------------------------------------- */

long cli_number(const struct cli *cli, const char *what, const char *text, long least,
                long most)
{
    char *end;
    errno = 0;
    long v = strtol(text, &end, 10);
    if (errno || end == text || *end || v < least || v > most)
        cli_die(cli, "%s: '%s' is not a whole number from %ld to %ld", what, text, least,
                most);
    return v;
}

char *cli_join(char *const *words, int n)
{
    struct strbuf b = {0};
    for (int i = 0; i < n; i++)
        strbuf_addf(&b, "%s%s", i ? " " : "", words[i]);
    return b.s ? b.s : xstrdup("");
}

const char *cli_operand(const struct cli *cli, const struct optparse *p, const char *what,
                        bool may_be_missing)
{
    if (p->nargs > 1)
        cli_die(cli, "unexpected argument '%s'", p->args[1]);
    if (p->nargs == 0 && !may_be_missing)
        cli_die(cli, "%s is missing; see hbatch %s --help", what, cli->verb);
    return p->nargs ? p->args[0] : NULL;
}

int cli_finish(const struct cli *cli, int exit_code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        if (errno != EPIPE)
            cli_error(cli, "cannot write the output: %s", strerror(errno));
        return EXIT_USAGE;
    }
    return exit_code;
}

/* --- JSON -------------------------------------------------------------------------------- */

json_object *cli_get(json_object *o, const char *key)
{
    json_object *value = NULL;
    if (json_object_is_type(o, json_type_object))
        json_object_object_get_ex(o, key, &value);
    return value;
}

json_object *cli_list(const struct cli *cli, json_object *o, const char *key)
{
    json_object *value = cli_get(o, key);
    if (!json_object_is_type(value, json_type_array))
        cli_die(cli,
                "the instance answered without a list of %s: is it of another version?",
                key);
    return value;
}

const char *cli_get_string(json_object *o, const char *key, const char *absent)
{
    json_object *value = cli_get(o, key);
    return value ? json_object_get_string(value) : absent;
}

double cli_get_number(json_object *o, const char *key, double absent)
{
    json_object *value = cli_get(o, key);
    return value ? json_object_get_double(value) : absent;
}

unsigned cli_get_count(json_object *o, const char *key)
{
    json_object *value = cli_get(o, key);
    if (!json_object_is_type(value, json_type_string))
        return value ? (unsigned)json_object_get_int(value) : 0;
    cleanup_bitmap hwloc_bitmap_t set = idset_decode(json_object_get_string(value), NULL);
    int n = set ? hwloc_bitmap_weight(set) : 0;
    return n < 0 ? 0 : (unsigned)n;
}

/* --- verbs ------------------------------------------------------------------------------- */

void cli_list_verbs(const struct cmd *const *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(table[i]->flags & CMD_HIDDEN))
            printf("  %-12s %s\n", table[i]->name, table[i]->help);
}

int cli_group(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    if (argc < 2)
        cli_die(cli, "a verb is missing; see hbatch %s --help", cmd->name);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        printf("Usage: hbatch %s VERB [OPTIONS] [ARGUMENTS]\n%s\n\nVerbs:\n", cmd->name,
               cmd->help);
        cli_list_verbs(cmd->verbs, cmd->nverbs);
        return 0;
    }
    return cli_dispatch(cli, cmd->verbs, cmd->nverbs, cmd->name, argc - 1, argv + 1);
}

static bool is_named(const struct cmd *cmd, const char *name)
{
    return strcmp(cmd->name, name) == 0 || (cmd->alias && strcmp(cmd->alias, name) == 0);
}

void cli_offer_verbs(const struct cmd *group,
                     void (*f)(const void *arg, const char *name), const void *arg)
{
    group = group ? group : &cmd_all;
    for (size_t i = 0; i < group->nverbs; i++)
        if (!(group->verbs[i]->flags & CMD_HIDDEN))
            f(arg, group->verbs[i]->name);
}

const struct cmd *cli_find_verb(const struct cmd *group, const char *name)
{
    group = group ? group : &cmd_all;
    for (size_t i = 0; i < group->nverbs; i++)
        if (is_named(group->verbs[i], name))
            return group->verbs[i];
    return NULL;
}

int cli_dispatch(struct cli *cli, const struct cmd *const *table, size_t n,
                 const char *prefix, int argc, char **argv)
{
    for (size_t i = 0; i < n; i++) {
        const struct cmd *cmd = table[i];
        if (!is_named(cmd, argv[0]))
            continue;
        cleanup_free char *verb = prefix ? xasprintf("%s %s", prefix, cmd->name) : NULL;
        cli->verb = verb ? verb : cmd->name;
        int rc = cmd->run(cli, cmd, argc, argv);
        cli->verb = prefix ? prefix : "";
        return rc;
    }
    const char *names[128];
    size_t known = 0;
    for (size_t i = 0; i < n && known < ARRAY_SIZE(names); i++)
        if (!(table[i]->flags & CMD_HIDDEN))
            names[known++] = table[i]->name;
    const char *near = nearest_name(argv[0], names, known);
    const char *space = prefix ? " " : "";
    if (near)
        cli_die(cli, "there is no verb '%s'; did you mean '%s'?", argv[0], near);
    cli_die(cli, "there is no %s '%s'; see hbatch%s%s --help",
            *argv[0] == '-' ? "option" : "verb", argv[0], space, prefix ? prefix : "");
}
