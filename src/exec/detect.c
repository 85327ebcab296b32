/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/detect.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "pmi/pmi.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/exec/elf.h"

#define SLOTS 1024         /* of the cache: a newer file takes an older one's slot */
#define LOADER_SECONDS 5.0 /* for the dynamic loader to list libraries */
#define LOADER_MAX (1u << 20)
#define WRAPPER_DEPTH 4

#define BOTH (PMI_PMIX | PMI_WIRE)

struct slot {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec mtime;
    bool used;
    struct detect_result result;
};

struct detect {
    struct slot slots[SLOTS];
};

struct detect *detect_create(void)
{
    return xcalloc(1, sizeof(struct detect));
}

void detect_destroy(struct detect *d)
{
    free(d);
}

/* --- libraries -------------------------------------------------------------------------------- */

/* By name without version; the first that matches decides, "*" at the end: a prefix. */
static const struct library {
    const char *name;
    int kinds;
} libraries[] = {
    {"libpmix", PMI_PMIX},
    {"libmpich*", PMI_WIRE},
    {"libmpicxx", PMI_WIRE},
    {"libfmpich", PMI_WIRE},
    {"libpmi", BOTH}, /* PMIx comes with one, too */
    {"libpmi2", BOTH},
    {"liboshmem", PMI_PMIX},
    {"libc", 0},
    {"libm", 0},
    {"libpthread", 0},
    {"libdl", 0},
    {"librt", 0},
    {"libutil", 0},
    {"libresolv", 0},
    {"libcrypt", 0},
    {"libgcc_s", 0},
    {"libstdc++", 0},
    {"libgfortran", 0},
    {"libquadmath", 0},
    {"libgomp", 0},
    {"libatomic", 0},
    {"libmvec", 0},
    {"ld-linux*", 0},
    {"linux-vdso", 0},
    {"libselinux", 0},
    {"libpcre*", 0},
    {"libacl", 0},
    {"libattr", 0},
    {"libcap", 0},
    {"libtinfo", 0},
    {"libncurses*", 0},
    {"libreadline", 0},
    {"libgmp", 0},
    {"libmpfr", 0},
    {"libz", 0},
    {"liblzma", 0},
    {"libbz2", 0},
    {"libzstd", 0},
    {"liblz4", 0},
    {"libcrypto", 0},
    {"libssl", 0},
    {"libexpat", 0},
    {"libhwloc", 0},
    {"libnuma", 0},
    {"libjson-c", 0},
    {"libuv", 0},
    {"libsqlite3", 0},
};

/* libmpi and its language bindings: both families use the name, the version tells them apart. */
static int mpi_version(const char *suffix)
{
    if (strncmp(suffix, ".so.", 4) != 0)
        return BOTH;
    long v = strtol(suffix + 4, NULL, 10);
    return v >= 20 ? PMI_PMIX : v == 12 ? PMI_WIRE : BOTH;
}

int detect_library(const char *name)
{
    const char *slash = strrchr(name, '/');
    if (slash)
        name = slash + 1;
    const char *so = strstr(name, ".so");
    size_t len = so ? (size_t)(so - name) : strlen(name);
    if (len >= 6 && strncmp(name, "libmpi", 6) == 0 && (len == 6 || name[6] == '_'))
        return mpi_version(name + len);
    for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
        const char *known = libraries[i].name;
        size_t n = strlen(known);
        if (known[n - 1] == '*' ? strncmp(name, known, n - 1) == 0
                                : n == len && memcmp(name, known, n) == 0)
            return libraries[i].kinds;
    }
    return -1;
}

/* What `LOADER --list PATH` prints; NULL: it failed. */
static char *list_libraries(char *loader, const char *path)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) < 0)
        return NULL;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, p[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    char list[] = "--list";
    char *argv[] = {loader, list, (char *)(uintptr_t)path, NULL};
    pid_t pid;
    int rc = posix_spawn(&pid, loader, &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(p[1]);
    cleanup_close int fd = p[0];
    if (rc != 0)
        return NULL;
    cleanup_strbuf struct strbuf b = {0};
    double until = time_mono() + LOADER_SECONDS;
    for (char buf[4096]; b.len < LOADER_MAX;) {
        struct pollfd pfd = {.fd = fd, .events = POLLIN};
        double left = until - time_mono();
        int n = left > 0 ? poll(&pfd, 1, (int)(left * 1000) + 1) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        ssize_t got = n > 0 ? read(fd, buf, sizeof(buf)) : -1;
        if (got <= 0) {
            if (got < 0)
                kill(pid, SIGKILL);
            break;
        }
        strbuf_addn(&b, buf, (size_t)got);
    }
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return status == 0 && b.s ? strbuf_take(&b) : NULL;
}

/* The kinds of all libraries, those of libraries included. */
static unsigned library_kinds(const struct elf_info *info, const char *path)
{
    int kinds = 0;
    bool unknown = false;
    for (size_t i = 0; i < info->n; i++) {
        int k = detect_library(info->needed[i]);
        if (k < 0)
            unknown = true;
        else
            kinds |= k;
    }
    if (kinds || !unknown || !info->interpreter)
        return (unsigned)kinds;
    cleanup_free char *text = list_libraries(info->interpreter, path);
    char *save = NULL;
    for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save)) {
        line += strspn(line, " \t");
        line[strcspn(line, " \t")] = '\0';
        int k = detect_library(line);
        kinds |= k > 0 ? k : 0;
    }
    return (unsigned)kinds;
}

/* --- files ------------------------------------------------------------------------------------ */

enum role { ROLE_PLAIN, ROLE_LAUNCHER, ROLE_PYTHON, ROLE_INTERPRETER, ROLE_WRAPPER };

/* Programs known by name; "*" at the end: a prefix. */
static const struct {
    const char *name;
    enum role role;
} programs[] = {
    /* they start MPI programs with servers of their own */
    {"mpirun*", ROLE_LAUNCHER},
    {"mpiexec*", ROLE_LAUNCHER},
    {"orterun", ROLE_LAUNCHER},
    {"prterun", ROLE_LAUNCHER},
    {"prte", ROLE_LAUNCHER},
    {"prun", ROLE_LAUNCHER},
    {"srun", ROLE_LAUNCHER},
    {"oshrun", ROLE_LAUNCHER},
    {"hydra_*", ROLE_LAUNCHER},
    /* mpi4py is loaded at run time */
    {"python*", ROLE_PYTHON},
    {"ipython*", ROLE_PYTHON},
    {"pypy*", ROLE_PYTHON},
    {"julia", ROLE_INTERPRETER},
    {"R", ROLE_INTERPRETER},
    {"Rscript", ROLE_INTERPRETER},
    {"octave*", ROLE_INTERPRETER},
    {"java", ROLE_INTERPRETER},
    {"perl*", ROLE_INTERPRETER},
    {"ruby*", ROLE_INTERPRETER},
    {"lua*", ROLE_INTERPRETER},
    {"tclsh*", ROLE_INTERPRETER},
    {"sh", ROLE_INTERPRETER},
    {"bash", ROLE_INTERPRETER},
    {"dash", ROLE_INTERPRETER},
    {"ksh*", ROLE_INTERPRETER},
    {"zsh", ROLE_INTERPRETER},
    {"csh", ROLE_INTERPRETER},
    {"tcsh", ROLE_INTERPRETER},
    {"fish", ROLE_INTERPRETER},
    {"busybox", ROLE_INTERPRETER},
    /* who knows what is inside */
    {"singularity", ROLE_INTERPRETER},
    {"apptainer", ROLE_INTERPRETER},
    {"podman", ROLE_INTERPRETER},
    /* the program that matters is among their words */
    {"env", ROLE_WRAPPER},
    {"nice", ROLE_WRAPPER},
    {"ionice", ROLE_WRAPPER},
    {"chrt", ROLE_WRAPPER},
    {"nohup", ROLE_WRAPPER},
    {"setsid", ROLE_WRAPPER},
    {"time", ROLE_WRAPPER},
    {"timeout", ROLE_WRAPPER},
    {"stdbuf", ROLE_WRAPPER},
    {"taskset", ROLE_WRAPPER},
    {"numactl", ROLE_WRAPPER},
    {"hwloc-bind", ROLE_WRAPPER},
    {"setarch", ROLE_WRAPPER},
    {"prlimit", ROLE_WRAPPER},
    {"strace", ROLE_WRAPPER},
    {"ltrace", ROLE_WRAPPER},
    {"gdb", ROLE_WRAPPER},
    {"valgrind*", ROLE_WRAPPER},
    {"perf", ROLE_WRAPPER},
};

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static enum role role_of(const char *path)
{
    const char *name = base_name(path);
    for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
        size_t n = strlen(programs[i].name);
        if (programs[i].name[n - 1] == '*' ? strncmp(name, programs[i].name, n - 1) == 0
                                           : strcmp(name, programs[i].name) == 0)
            return programs[i].role;
    }
    return ROLE_PLAIN;
}

/* What "#!/usr/bin/env -S python3 -u" or "#!/bin/sh -e" names. */
static enum role script_role(char *line)
{
    char *save = NULL;
    for (char *word = strtok_r(line, " \t", &save); word;
         word = strtok_r(NULL, " \t", &save)) {
        if (word[0] == '-' || strchr(word, '='))
            continue;
        enum role role = role_of(word);
        if (role != ROLE_WRAPPER)
            return role;
    }
    return ROLE_INTERPRETER;
}

static struct detect_result look(const char *path)
{
    struct detect_result r = {0};
    struct elf_info info;
    bool sound = elf_read(path, &info);
    if (info.kind == ELF_SCRIPT) {
        r.maybe = true;
        if (script_role(info.interpreter) == ROLE_PYTHON)
            r.kinds = PMI_PMIX;
    } else if (info.kind == ELF_PROGRAM) {
        r.kinds = library_kinds(&info, path);
        /* One that is linked statically tells nothing; one that can load libraries may. */
        r.maybe = !r.kinds && (!sound || info.n == 0 || info.dlopens);
    } else {
        r.maybe = true;
    }
    elf_free(&info);
    return r;
}

struct detect_result detect_file(struct detect *d, const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
        return (struct detect_result){0}; /* it will not start */
    uint64_t h = ((uint64_t)st.st_ino * 31 + st.st_dev) * 0x9e3779b97f4a7c15ULL;
    struct slot *s = &d->slots[(h >> 32) % SLOTS];
    if (s->used && s->dev == st.st_dev && s->ino == st.st_ino && s->size == st.st_size &&
        s->mtime.tv_sec == st.st_mtim.tv_sec && s->mtime.tv_nsec == st.st_mtim.tv_nsec)
        return s->result;
    *s = (struct slot){st.st_dev, st.st_ino, st.st_size, st.st_mtim, true, look(path)};
    return s->result;
}

/* --- commands --------------------------------------------------------------------------------- */

static bool is_program(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* WORD as a program's path, or NULL. */
static char *find_program(const char *word, const char *path_list, const char *cwd)
{
    if (strchr(word, '/')) {
        cleanup_free char *path =
            word[0] == '/' ? xstrdup(word) : xasprintf("%s/%s", cwd ? cwd : "/", word);
        return is_program(path) ? take(path) : NULL;
    }
    for (const char *p = path_list ? path_list : ""; *p;) {
        size_t len = strcspn(p, ":");
        cleanup_free char *path = xasprintf("%.*s/%s", (int)len, p, word);
        if (len > 0 && is_program(path))
            return take(path);
        p += len + (p[len] == ':');
    }
    return NULL;
}

static struct detect_result look_command(struct detect *d, const char *path,
                                         char *const *argv, const char *path_list,
                                         const char *cwd, int depth)
{
    enum role role = role_of(path);
    if (role == ROLE_LAUNCHER)
        return (struct detect_result){0};
    if (role == ROLE_WRAPPER && depth < WRAPPER_DEPTH) {
        for (argv++; *argv; argv++) {
            if (!**argv || (*argv)[0] == '-' || strchr(*argv, '='))
                continue;
            cleanup_free char *inner = find_program(*argv, path_list, cwd);
            if (inner)
                return look_command(d, inner, argv, path_list, cwd, depth + 1);
        }
        return (struct detect_result){0};
    }
    struct detect_result r = detect_file(d, path);
    r.maybe |= role != ROLE_PLAIN;
    if (role == ROLE_PYTHON)
        r.kinds |= PMI_PMIX;
    return r;
}

unsigned detect_kinds(struct detect *d, const char *path, char *const *argv,
                      unsigned ntasks, const char *path_list, const char *cwd)
{
    struct detect_result r = look_command(d, path, argv, path_list, cwd, 0);
    return ntasks > 1 && r.maybe ? (unsigned)BOTH : r.kinds;
}
