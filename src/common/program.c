/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/compatenv.h"
#include "src/common/launchenv.h"
#include "src/common/shebang.h"
#include "src/common/util.h"

/* The terminal that the shell was given, while it runs, and who had it before. */
static struct {
    int fd;
    pid_t owner;
} terminal = {.fd = -1};

/* mpirun gives its ranks a pipe for stdin.  When it runs on a terminal itself, and in the
 * foreground, the shell that the user waits for gets the terminal. */
static void take_terminal(void)
{
    char path[64], link[128];
    if (isatty(STDIN_FILENO) || !getenv("OMPI_COMM_WORLD_SIZE"))
        return;
    snprintf(path, sizeof(path), "/proc/%d/fd/0", (int)getppid());
    ssize_t n = readlink(path, link, sizeof(link) - 1);
    if (n <= 0)
        return;
    link[n] = '\0';
    if (strncmp(link, "/dev/pts/", 9) != 0 && strncmp(link, "/dev/tty", 8) != 0)
        return;
    int fd = open(link, O_RDWR | O_CLOEXEC | O_NOCTTY);
    pid_t owner = fd >= 0 ? tcgetpgrp(fd) : -1; /* fails unless it is our terminal, too */
    if (fd < 0 || owner != getpgid(getppid())) {
        if (fd >= 0)
            close(fd);
        return;
    }
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(fd, getpgrp());
    terminal.fd = fd;
    terminal.owner = owner;
}

void program_ended(void)
{
    if (terminal.fd < 0)
        return;
    tcsetpgrp(terminal.fd, terminal.owner);
    close(terminal.fd);
    terminal.fd = -1;
}

/* hbatch lies beside hbatch-instance: it is found by the program whatever PATH was. */
static char *path_with_ourselves(void)
{
    char self[4096];
    const char *path = getenv("PATH");
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        return NULL;
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    size_t len = strlen(self);
    for (const char *p = path; p && *p; p = strchr(p, ':') ? strchr(p, ':') + 1 : "")
        if (strncmp(p, self, len) == 0 && (p[len] == ':' || p[len] == '\0'))
            return NULL;
    return xasprintf("PATH=%s%s%s", self, path ? ":" : "", path ? path : "");
}

/* Marks by which all processes of an outer job are found, whatever runs in it. */
static bool is_mark(const char *variable)
{
    return strncmp(variable, "HBATCH_JOB_PATH=", 16) == 0 ||
           strncmp(variable, "HBATCH_NODE_PATH=", 17) == 0;
}

/* What is run, and in which environment. */
struct prepared {
    char *shell[2];
    char **argv, **env;
    char *uri, *parent, *level, *path, *foreign;
};

/* The name that another system has for HBATCH_URI, if a program for it is to find its way; else NULL. */
static const char *foreign_uri(void)
{
    size_t n;
    const struct compat_variable *v = compatenv_variables(getenv(COMPATENV_NAME), &n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].ours, "HBATCH_URI") == 0)
            return v[i].theirs;
    return NULL;
}

static bool is_named(const char *variable, const char *name)
{
    size_t n = name ? strlen(name) : 0;
    return n && strncmp(variable, name, n) == 0 && variable[n] == '=';
}

static void prepare(struct prepared *p, char **argv, const struct program_where *where)
{
    static char sh[] = "/bin/sh";
    char *shell = getenv("SHELL");
    p->shell[0] = shell && access(shell, X_OK) == 0 ? shell : sh;
    p->shell[1] = NULL;
    p->argv = argv ? argv : p->shell;
    p->uri = xasprintf("HBATCH_URI=%s", where->uri);
    p->level = xasprintf("HBATCH_INSTANCE_LEVEL=%d", where->level);
    p->parent =
        where->parent_uri ? xasprintf("HBATCH_PARENT_URI=%s", where->parent_uri) : NULL;
    p->path = path_with_ourselves();
    const char *foreign = foreign_uri();
    p->foreign = foreign ? xasprintf("%s=%s", foreign, where->uri) : NULL;
    size_t n = 0, k = 0;
    while (environ[n])
        n++;
    p->env = xcalloc(n + 6, sizeof(*p->env));
    for (size_t i = 0; i < n; i++)
        if ((!launchenv_is_left(environ[i]) || is_mark(environ[i])) &&
            !(p->path && is_named(environ[i], "PATH")) && !is_named(environ[i], foreign))
            p->env[k++] = environ[i];
    p->env[k++] = p->uri;
    p->env[k++] = p->level;
    if (p->parent)
        p->env[k++] = p->parent;
    if (p->foreign)
        p->env[k++] = p->foreign;
    if (p->path) {
        p->env[k++] = p->path;
        setenv("PATH", p->path + strlen("PATH="), 1); /* where it is looked for */
    }
}

static void prepared_fini(struct prepared *p)
{
    free(p->env);
    free(p->uri);
    free(p->parent);
    free(p->level);
    free(p->path);
    free(p->foreign);
}

static pid_t cannot_run(const char *name, int code, struct error *err)
{
    char interpreter[256];
    if (strchr(name, '/') && shebang_failed(name, code, interpreter, sizeof(interpreter)))
        return error_set(err, code, "cannot run %s: its interpreter %s: %s", name,
                         interpreter, strerror(code));
    return error_set(err, code, "cannot run %s: %s", name, strerror(code));
}

pid_t program_start(char **argv, const struct program_where *where, struct error *err)
{
    struct prepared p;
    if (!argv)
        take_terminal();
    prepare(&p, argv, where);
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attr);
    for (int fd = 0; fd < 3 && terminal.fd >= 0; fd++)
        posix_spawn_file_actions_adddup2(&actions, terminal.fd, fd);
    sigset_t none, defaults;
    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &defaults);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    pid_t pid;
    int rc = posix_spawnp(&pid, p.argv[0], &actions, &attr, p.argv, p.env);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attr);
    if (rc != 0) {
        program_ended();
        pid = cannot_run(p.argv[0], rc, err);
    }
    prepared_fini(&p);
    return pid;
}

static void become(const struct prepared *p, pid_t parent, int failed)
{
    sigset_t none;
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGHUP);
    if (getppid() == parent)
        execvpe(p->argv[0], p->argv, p->env);
    int code = errno;
    write_all(failed, &code, sizeof(code));
    _exit(127);
}

pid_t program_start_below(char **argv, const struct program_where *where,
                          struct error *err)
{
    struct prepared p;
    int failed[2], code = 0;
    if (pipe2(failed, O_CLOEXEC) < 0)
        return error_set(err, errno, "pipe: %s", strerror(errno));
    prepare(&p, argv, where);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(&p, parent, failed[1]);
    if (pid < 0)
        code = errno;
    close(failed[1]);
    if (pid > 0 && read_all(failed[0], &code, sizeof(code)) == sizeof(code))
        waitpid(pid, NULL, 0);
    close(failed[0]);
    if (code != 0)
        pid = cannot_run(p.argv[0], code, err);
    prepared_fini(&p);
    return pid;
}
