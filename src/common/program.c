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
    char *set[16]; /* the variables that are ours */
    size_t n;
};

static void set_variable(struct prepared *p, const char *name, const char *value)
{
    if (p->n + 1 < ARRAY_SIZE(p->set)) /* one is PATH */
        p->set[p->n++] = xasprintf("%s=%s", name, value);
}

/* NAME, and the name that another system has for it, if a program for that one is to find its way. */
static void set_both(struct prepared *p, const char *name, const char *value)
{
    size_t n;
    const struct compat_variable *v = compatenv_variables(getenv(COMPATENV_NAME), &n);
    if (!value)
        return;
    set_variable(p, name, value);
    for (size_t i = 0; i < n; i++)
        if (strcmp(v[i].ours, name) == 0)
            set_variable(p, v[i].theirs, value);
}

static bool same_name(const char *a, const char *b)
{
    size_t n = strcspn(a, "=");
    return strcspn(b, "=") == n && memcmp(a, b, n) == 0;
}

static bool is_set(const struct prepared *p, const char *variable)
{
    for (size_t i = 0; i < p->n; i++)
        if (same_name(p->set[i], variable))
            return true;
    return false;
}

/* Of the instance around, which is another one now. */
static bool is_outer(const char *variable)
{
    return same_name(variable, PROGRAM_ENCLOSING) ||
           (launchenv_is_left(variable) && !is_mark(variable));
}

static void prepare(struct prepared *p, char **argv, const struct program_where *where)
{
    static char sh[] = "/bin/sh";
    char *shell = getenv("SHELL"), level[16];
    *p = (struct prepared){.argv = argv};
    p->shell[0] = shell && access(shell, X_OK) == 0 ? shell : sh;
    if (!argv)
        p->argv = p->shell;
    snprintf(level, sizeof(level), "%d", where->level);
    set_both(p, "HBATCH_URI", where->uri);
    set_both(p, "HBATCH_INSTANCE_LEVEL", level);
    set_both(p, "HBATCH_PARENT_URI", where->parent_uri);
    set_both(p, PROGRAM_ENCLOSING, where->enclosing);
    set_both(p, "HBATCH_JOB_TMPDIR", where->tmpdir);
    char *path = path_with_ourselves();
    if (path) {
        p->set[p->n++] = path;
        setenv("PATH", path + strlen("PATH="), 1); /* where it is looked for */
    }
    size_t n = 0, k = 0;
    while (environ[n])
        n++;
    p->env = xcalloc(n + p->n + 1, sizeof(*p->env));
    for (size_t i = 0; i < n; i++)
        if (!is_outer(environ[i]) && !is_set(p, environ[i]))
            p->env[k++] = environ[i];
    memcpy(p->env + k, p->set, p->n * sizeof(*p->env));
}

static void prepared_fini(struct prepared *p)
{
    free(p->env);
    while (p->n > 0)
        free(p->set[--p->n]);
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
