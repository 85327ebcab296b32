/* SPDX-License-Identifier: BSD-3-Clause */
/* archive: files to all nodes.  An archive is a tar file: tar makes and reads it, the instance carries it to all ranks. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/printbuf.h>
#include <math.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "src/cli/gauge.h"
#include "src/cli/verbs.h"
#include "src/common/base64.h"
#include "src/common/duration.h"

enum { PIECE = 1 << 19, IN_FLIGHT = 16, ARGS = 16 };

/* --- tar --------------------------------------------------------------------------------------- */

/* Start tar with ARGV; IN and OUT are its standard input and output, or -1: as ours. */
static pid_t start_tar(const struct cli *cli, const char *const *argv, int in, int out)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid < 0)
        cli_die(cli, "cannot start tar: %s", strerror(errno));
    if (pid > 0)
        return pid;
    if ((in >= 0 && dup2(in, STDIN_FILENO) < 0) ||
        (out >= 0 && dup2(out, STDOUT_FILENO) < 0))
        _exit(126);
    char *copy[64 + ARGS];
    size_t n = 0;
    for (; argv[n] && n + 1 < ARRAY_SIZE(copy); n++)
        copy[n] = xstrdup(argv[n]);
    copy[n] = NULL;
    execvp(copy[0], copy);
    _exit(127);
}

/* 0, or 1: tar has said why. */
static int wait_tar(const struct cli *cli, pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
        cli_error(cli, "there is no program tar");
    return status ? 1 : 0;
}

/* --- create ------------------------------------------------------------------------------------ */

enum {
    NAME,
    OVERWRITE,
    APPEND,
    DIRECTORY,
    VERBOSE,
    LONG,
    LIST_ONLY,
    WAIT_CREATE,
    FORCE,
    JSON,
    IGNORED /* of Flux: about the store that it has for archives */
};

#define NAME_OPT                                                                         \
    {                                                                                    \
        NAME, 'n', "name", "NAME", "The archive's name (default: main)"                  \
    }

#define IGNORED_OPT                                                                      \
    {                                                                                    \
        IGNORED, 0, "no-force-primary", NULL, NULL                                       \
    }

static const struct opt create_opts[] = {
    NAME_OPT,
    {OVERWRITE, 0, "overwrite", NULL, "In place of one of that name"},
    {APPEND, 0, "append", NULL, "Add to the one of that name"},
    {DIRECTORY, 'C', "directory", "DIR", "PATHs are in DIR"},
    {VERBOSE, 'v', "verbose", NULL, "List the files on stderr"},
    IGNORED_OPT,
    {IGNORED, 0, "preserve", NULL, NULL},
    {IGNORED, 0, "mmap", NULL, NULL},
    {IGNORED, 0, "chunksize", "N", NULL},
    {IGNORED, 0, "small-file-threshold", "N", NULL},
};
static const struct opt_group create_groups[] = {OPTS(NULL, create_opts), OPTS_END};

struct sending {
    struct cli *cli;
    struct gauge gauge;
    unsigned left; /* requests without an answer */
    struct error err;
    bool failed;
};

static void on_answer(json_object *result, const struct error *err, void *arg)
{
    struct sending *s = arg;
    (void)result;
    s->left--;
    if (err && !s->failed) {
        s->failed = true;
        s->err = *err;
    }
}

/* Until at most N requests are without an answer. */
static void wait_for(struct sending *s, unsigned n)
{
    struct error err;
    while (s->left > n)
        if (client_process(s->cli->h, -1, &err) < 0) {
            gauge_hide(&s->gauge);
            cli_die(s->cli, "%s", err.text);
        }
}

/* Text of base64 needs no quoting, and it is most of what is sent: json-c would look at each character. */
static int write_plain(json_object *o, struct printbuf *b, int level, int flags)
{
    (void)level;
    (void)flags;
    printbuf_strappend(b, "\"");
    printbuf_memappend(b, json_object_get_string(o), json_object_get_string_len(o));
    return printbuf_strappend(b, "\"");
}

/* All that can be read from FD. */
static void send_pieces(struct sending *s, int fd, const char *key)
{
    static char buf[PIECE];
    uint64_t at = 0;
    for (ssize_t n; !s->failed && (n = read_all(fd, buf, sizeof(buf))) > 0;) {
        cleanup_free char *data = base64_encode(buf, (size_t)n);
        json_object *params = json_object_new_object();
        json_object_object_add(params, "key", json_object_new_string(key));
        json_object_object_add(params, "at", json_object_new_uint64(at));
        json_object *text = json_object_new_string(data);
        json_object_set_serializer(text, write_plain, NULL, NULL);
        json_object_object_add(params, "data", text);
        client_send(s->cli->h, "archive.put", params, on_answer, NULL, s);
        s->left++;
        at += (uint64_t)n;
        wait_for(s, IN_FLIGHT - 1);
        gauge_show(&s->gauge, (double)at, 0);
    }
    wait_for(s, 0);
    gauge_hide(&s->gauge);
}

static void end(struct sending *s, const char *key, const char *name, int how)
{
    json_object *params = json_object_new_object();
    json_object_object_add(params, "key", json_object_new_string(key));
    if (name)
        json_object_object_add(params, "name", json_object_new_string(name));
    if (how == APPEND)
        json_object_object_add(params, "append", json_object_new_boolean(true));
    if (how == OVERWRITE)
        json_object_object_add(params, "overwrite", json_object_new_boolean(true));
    client_send(s->cli->h, "archive.end", params, on_answer, NULL, s);
    s->left++;
    wait_for(s, 0);
}

static bool exists(struct cli *cli, const char *name, uint64_t *bytes)
{
    cleanup_json json_object *result = cli_call(cli, "archive.list", NULL);
    json_object *list = cli_list(cli, result, "archives");
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        json_object *one = json_object_array_get_idx(list, i);
        if (strcmp(cli_get_string(one, "name", ""), name) != 0)
            continue;
        *bytes = json_object_get_uint64(cli_get(one, "bytes"));
        return true;
    }
    return false;
}

static int create(struct cli *cli, const char *const *argv, const char *name, int how,
                  bool verbose)
{
    char key[CLIENT_KEY_SIZE];
    uint64_t bytes;
    int fds[2];
    struct sending s = {.cli = cli};
    gauge_init(&s.gauge, cli, NULL);
    s.gauge.on &= !verbose;                /* tar writes there */
    if (!how && exists(cli, name, &bytes)) /* before tar works for nothing */
        cli_die(cli, "there is an archive '%s' already: --overwrite or --append", name);
    if (pipe2(fds, O_CLOEXEC) < 0)
        cli_die(cli, "cannot make a pipe: %s", strerror(errno));
    pid_t pid = start_tar(cli, argv, -1, fds[1]);
    close(fds[1]);
    client_key(key);
    send_pieces(&s, fds[0], key);
    close(fds[0]); /* where sending failed, tar ends by that */
    int rc = wait_tar(cli, pid);
    if (rc == 0 && !s.failed)
        end(&s, key, name, how);
    if (rc != 0 || s.failed)
        end(&s, key, NULL, 0);
    if (s.failed)
        cli_die(cli, "%s", s.err.text);
    return rc;
}

static int create_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    const char *name = "main", *dir = NULL;
    int how = 0;
    bool verbose = false;
    struct optparse p;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (o->id == NAME)
            name = p.value;
        else if (o->id == DIRECTORY)
            dir = p.value;
        else if (o->id == VERBOSE)
            verbose = true;
        else if (o->id == IGNORED)
            continue;
        else if (how && how != o->id)
            cli_die(cli, "--overwrite and --append exclude each other");
        else
            how = o->id;
    }
    if (p.nargs == 0)
        cli_die(cli, "which files? Give their PATHs");
    cli_connect(cli);
    const char **tar = xcalloc((size_t)p.nargs + ARGS, sizeof(*tar));
    size_t n = 0;
    tar[n++] = "tar";
    tar[n++] = verbose ? "-cvSf" : "-cSf";
    tar[n++] = "-";
    if (dir) {
        tar[n++] = "-C";
        tar[n++] = dir;
    }
    tar[n++] = "--";
    for (int i = 0; i < p.nargs; i++)
        tar[n++] = p.args[i];
    if (n + 1 >= 64 + ARGS)
        cli_die(cli, "at most 64 PATHs at a time: name a directory");
    int rc = create(cli, tar, name, how, verbose);
    free(tar);
    return rc;
}

static const struct cmd archive_create = {
    .name = "create",
    .args = "PATH...",
    .help = "Copy files to all nodes",
    .groups = create_groups,
    .run = create_run,
};

/* --- list and extract -------------------------------------------------------------------------- */

static const struct opt list_opts[] = {
    NAME_OPT,
    {LONG, 'l', "long", NULL, "With type, mode and size"},
    {JSON, 0, "json", NULL, "Of 'all': the archives as JSON"},
    IGNORED_OPT,
};
static const struct opt_group list_groups[] = {OPTS(NULL, list_opts), OPTS_END};

static const struct opt extract_opts[] = {
    NAME_OPT,
    {DIRECTORY, 'C', "directory", "DIR", "Into DIR (default: here)"},
    {LIST_ONLY, 't', "list-only", NULL, "List the files, and extract none"},
    {OVERWRITE, 0, "overwrite", NULL, "Also files that are there already"},
    {WAIT_CREATE, 0, "waitcreate", "[DURATION]",
     "Wait until there is an archive of that name"},
    {VERBOSE, 'v', "verbose", NULL, "List the files on stderr"},
    IGNORED_OPT,
};
static const struct opt_group extract_groups[] = {OPTS(NULL, extract_opts), OPTS_END};

/* The file that the rank here has, beside its socket, if it has all BYTES of it. */
static int open_local(const struct cli *cli, const char *name, uint64_t bytes)
{
    static const char scheme[] = "local://";
    const char *uri = client_uri(cli->h);
    struct stat st;
    if (strncmp(uri, scheme, strlen(scheme)) != 0 || strchr(uri, '!'))
        return -1;
    const char *path = uri + strlen(scheme), *rank = strrchr(path, '-'),
               *slash = strrchr(path, '/');
    if (!rank || !slash || rank < slash)
        return -1;
    cleanup_free char *file =
        xasprintf("%.*s/archive%s-%s", (int)(slash - path), path, rank, name);
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && (uint64_t)st.st_size == bytes)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* From the leader, piece by piece, into FD, until nobody reads it. */
static void fetch(struct cli *cli, const char *name, uint64_t bytes, int fd)
{
    struct gauge gauge;
    gauge_init(&gauge, cli, NULL);
    for (uint64_t at = 0; at < bytes;) {
        struct error err;
        size_t len;
        json_object *params = json_object_new_object();
        json_object_object_add(params, "name", json_object_new_string(name));
        json_object_object_add(params, "at", json_object_new_uint64(at));
        cleanup_json json_object *result = cli_call(cli, "archive.read", params);
        const char *text = cli_get_string(result, "data", "");
        cleanup_free void *data = base64_decode(text, strlen(text), &len, &err);
        if (!data || len == 0)
            cli_die(cli, "archive '%s' ends after %ju of %ju bytes", name, (uintmax_t)at,
                    (uintmax_t)bytes);
        if (write_all(fd, data, len) < 0)
            break;
        at += len;
        gauge_show(&gauge, (double)at, (double)bytes);
    }
    gauge_hide(&gauge);
}

/* tar reads NAME. */
static int read_archive(struct cli *cli, const char *const *argv, int out,
                        const char *name, double patience)
{
    static const struct timespec pause = {.tv_nsec = 20000000};
    uint64_t bytes;
    int fds[2];
    double until = time_mono() + patience;
    while (!exists(cli, name, &bytes)) {
        if (time_mono() >= until)
            cli_die(cli, "there is no archive '%s'%s", name,
                    patience > 0 ? " within the time given" : "");
        nanosleep(&pause, NULL);
    }
    int fd = -1; /* the rank here may be some milliseconds behind the leader */
    for (int i = 0; i < 50 && (fd = open_local(cli, name, bytes)) < 0; i++)
        nanosleep(&pause, NULL);
    if (fd >= 0) {
        pid_t pid = start_tar(cli, argv, fd, out);
        close(fd);
        return wait_tar(cli, pid);
    }
    if (pipe2(fds, O_CLOEXEC) < 0)
        cli_die(cli, "cannot make a pipe: %s", strerror(errno));
    signal(SIGPIPE, SIG_IGN);
    pid_t pid = start_tar(cli, argv, fds[0], out);
    close(fds[0]);
    fetch(cli, name, bytes, fds[1]);
    close(fds[1]);
    return wait_tar(cli, pid);
}

static void print_archives(struct cli *cli, bool json)
{
    cleanup_json json_object *result = cli_call(cli, "archive.list", NULL);
    json_object *list = cli_list(cli, result, "archives");
    if (json)
        puts(json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN));
    for (size_t i = 0; !json && i < json_object_array_length(list); i++)
        puts(cli_get_string(json_object_array_get_idx(list, i), "name", ""));
}

struct reading {
    const char *name, *dir;
    bool list, verbose, overwrite;
    double patience;
};

static int read_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct reading r = {.name = "main", .list = strcmp(cmd->name, "list") == 0};
    struct optparse p;
    struct error err;
    bool only_list = r.list, all = false, json = false;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (o->id == NAME)
            r.name = p.value;
        else if (o->id == DIRECTORY)
            r.dir = p.value;
        else if (o->id == LIST_ONLY)
            r.list = true;
        else if (o->id == OVERWRITE)
            r.overwrite = true;
        else if (o->id == JSON)
            json = true;
        else if (o->id == VERBOSE || o->id == LONG)
            r.verbose = true;
        else if (o->id == IGNORED)
            continue;
        else if (!p.value)
            r.patience = INFINITY;
        else if (duration_decode(p.value, &r.patience, &err) < 0)
            cli_die(cli, "--waitcreate: %s", err.text);
    }
    const char *pattern = cli_operand(cli, &p, "", true);
    all = only_list && strcmp(r.name, "all") == 0 && !pattern;
    if (json && !all)
        cli_die(cli, "--json is for the list of archives: hbatch archive list -n all");
    cli_connect(cli);
    if (all) {
        print_archives(cli, json);
        return 0;
    }
    const char *tar[ARGS];
    size_t n = 0;
    tar[n++] = "tar";
    tar[n++] = r.list ? (r.verbose ? "-tvif" : "-tif") : (r.verbose ? "-xvif" : "-xif");
    tar[n++] = "-";
    if (!r.list)
        tar[n++] = r.overwrite ? "--overwrite" : "--keep-old-files";
    if (r.dir) {
        tar[n++] = "-C";
        tar[n++] = r.dir;
    }
    if (pattern) {
        tar[n++] = "--wildcards";
        tar[n++] = "--";
        tar[n++] = pattern;
    }
    tar[n] = NULL;
    /* tar names what it extracts on its standard output */
    return read_archive(cli, tar, r.list ? -1 : STDERR_FILENO, r.name, r.patience);
}

static const struct cmd archive_list = {
    .name = "list",
    .args = "[PATTERN]",
    .help = "List the files of an archive; of 'all', the archives",
    .groups = list_groups,
    .run = read_run,
};

static const struct cmd archive_extract = {
    .name = "extract",
    .args = "[PATTERN]",
    .help = "Extract files of an archive",
    .groups = extract_groups,
    .run = read_run,
};

/* --- remove ------------------------------------------------------------------------------------ */

static const struct opt remove_opts[] = {
    NAME_OPT,
    {FORCE, 'f', "force", NULL, "It is no error if there is none"},
    IGNORED_OPT,
};
static const struct opt_group remove_groups[] = {OPTS(NULL, remove_opts), OPTS_END};

static int remove_run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    const char *name = "main";
    bool force = false;
    struct optparse p;
    struct error err;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        if (o->id == NAME)
            name = p.value;
        else if (o->id == FORCE)
            force = true;
    }
    json_object *params = json_object_new_object();
    json_object_object_add(params, "name", json_object_new_string(name));
    json_object *result = client_call(cli_connect(cli), "archive.remove", params, &err);
    if (!result && !(force && err.code == ENOENT))
        cli_die(cli, "%s", err.text);
    json_object_put(result);
    return 0;
}

static const struct cmd archive_remove = {
    .name = "remove",
    .args = "",
    .help = "Remove an archive from all nodes",
    .groups = remove_groups,
    .run = remove_run,
};

/* --- the verb ---------------------------------------------------------------------------------- */

static const struct cmd *const verbs[] = {&archive_create, &archive_list,
                                          &archive_extract, &archive_remove};

const struct cmd cmd_archive = {
    .name = "archive",
    .args = "VERB",
    .help = "Copy files to all nodes: create, list, extract, remove",
    .verbs = verbs,
    .nverbs = ARRAY_SIZE(verbs),
    .run = cli_group,
};
