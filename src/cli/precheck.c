/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/precheck.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/cli/installed.h"
#include "src/job/template.h"

extern char **environ;

/* --- options ----------------------------------------------------------------------------------- */

/* What hbatch-instance says on standard error with these WORDS, new; NULL: it takes them, or cannot be asked here. */
static char *complaint(char **words)
{
    char text[1024];
    int p[2], status = 0;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    if (pipe2(p, O_CLOEXEC) < 0)
        return NULL;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, p[1], STDERR_FILENO);
    int rc = posix_spawn(&pid, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(p[1]);
    ssize_t n = rc == 0 ? read_all(p[0], text, sizeof(text) - 1) : 0;
    close(p[0]);
    while (rc == 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (rc != 0 || !WIFEXITED(status) || WEXITSTATUS(status) == 0 || n <= 0)
        return NULL;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return xstrdup(text);
}

static void check_options(struct cli *cli, const struct specopts *s)
{
    static const char prefix[] = "hbatch-instance: ";
    char check[] = "--check";
    cleanup_free char *program = s->ninstance_opts ? installed_instance() : NULL;
    if (!program)
        return;
    size_t n = 0;
    cleanup_free char **words = xcalloc(s->ninstance_opts + 3, sizeof(*words));
    words[n++] = program;
    words[n++] = check;
    for (size_t i = 0; i < s->ninstance_opts; i++)
        words[n++] = (char *)(uintptr_t)s->instance_opts[i];
    cleanup_free char *why = complaint(words);
    if (!why)
        return;
    bool known = strncmp(why, prefix, strlen(prefix)) == 0;
    cli_die(cli, "the instance would not start: %s", why + (known ? strlen(prefix) : 0));
}

/* --- files ------------------------------------------------------------------------------------- */

struct look {
    struct cli *cli;
    const char *dir; /* of the job */
    bool may_come;   /* what is missing now */
};

static void die_of(const struct look *l, const char *option, const char *value,
                   const char *path, const char *what)
{
    cli_die(l->cli, "--%s=%s: %s %s", option, value, path, what);
}

static void check_dir(const struct look *l, const char *option, const char *value,
                      const char *dir, bool write)
{
    struct stat st;
    if (stat(dir, &st) < 0) {
        bool missing = errno == ENOENT;
        if (errno == ENOTDIR)
            die_of(l, option, value, dir, "is not a directory");
        if (missing && !l->may_come)
            die_of(l, option, value, dir, "does not exist: make that directory first");
        return;
    }
    if (!S_ISDIR(st.st_mode))
        die_of(l, option, value, dir, "is not a directory");
    if (access(dir, write ? W_OK | X_OK : X_OK) < 0 && errno != EROFS)
        die_of(l, option, value, dir,
               write ? "is a directory that you may not write in"
                     : "is a directory that you may not enter");
}

static void note_unknown(const struct look *l, const char *option, const char *value)
{
    const char *end;
    for (const char *at = value; (at = strstr(at, "{{")) && (end = strstr(at, "}}"));
         at = end) {
        cleanup_free char *tag = xstrndup(at, (size_t)(end + 2 - at));
        if (template_scope(tag) == TEMPLATE_NONE)
            cli_error(l->cli, "--%s=%s: %s is no tag, and stays as it is", option, value,
                      tag);
    }
}

/* VALUE may be a template: what is before its first tag is looked at, as far as that is a directory. */
static void check_written(const struct look *l, const char *option, const char *value)
{
    struct stat st;
    if (strcmp(value, "none") == 0 || !*value)
        return;
    note_unknown(l, option, value);
    cleanup_free char *path =
        *value == '/' ? xstrdup(value) : xasprintf("%s/%s", l->dir, value);
    bool whole = template_scope(path) == TEMPLATE_NONE && !strstr(path, "{{");
    if (whole && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        die_of(l, option, value, path, "is a directory, not a file to write to");
    if (!whole)
        path[strcspn(path, "{")] = '\0';
    char *slash = strrchr(path, '/');
    if (slash == path)
        slash++;
    *slash = '\0';
    check_dir(l, option, value, path, true);
}

static void check_read(const struct look *l, const char *option, const char *value)
{
    cleanup_free char *path =
        *value == '/' ? xstrdup(value) : xasprintf("%s/%s", l->dir, value);
    if (strstr(path, "{{") || access(path, R_OK) == 0 || (errno == ENOENT && l->may_come))
        return;
    cleanup_free char *why = xasprintf("cannot be read: %s", strerror(errno));
    die_of(l, option, value, path, why);
}

static const char *value_of(const struct specopts *s, const char *name)
{
    const char *value = NULL;
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->names[i], name) == 0)
            value = s->values[i];
    return value;
}

static void check_files(struct cli *cli, const struct specopts *s)
{
    static const char *const written[] = {"output", "error"};
    const char *cwd = value_of(s, "cwd"), *input = value_of(s, "input"), *value;
    cleanup_free char *here = getcwd(NULL, 0);
    cleanup_free char *dir = cwd && *cwd != '/' && here ? xasprintf("%s/%s", here, cwd)
                                                        : xstrdup(cwd    ? cwd
                                                                  : here ? here
                                                                         : "/");
    const struct look l = {cli, dir,
                           value_of(s, "dependency") || value_of(s, "begin-time")};
    if (strstr(dir, "{{"))
        return;
    if (cwd)
        check_dir(&l, "cwd", cwd, dir, false);
    for (size_t i = 0; i < ARRAY_SIZE(written); i++)
        if ((value = value_of(s, written[i])))
            check_written(&l, written[i], value);
    if (s->dump)
        check_written(&l, "dump", s->dump + strlen("--dump="));
    if (input && *input)
        check_read(&l, "input", input);
}

void precheck_instance(struct cli *cli, const struct specopts *s)
{
    const char *uri = getenv("HBATCH_URI");
    check_options(cli, s);
    if (uri && strncmp(uri, "local://", 8) == 0 && !strchr(uri, '!'))
        check_files(cli, s);
}
