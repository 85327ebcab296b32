/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/installed.h"

/* The directory that this program is in. */
static char *own_dir(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    return xstrdup(self);
}

char *installed_dir(const char *name, const char *file, const char *installed)
{
    cleanup_free char *self = own_dir();
    cleanup_free char *built = xasprintf("%s/../%s", self, name);
    const char *const dirs[] = {built, installed};
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        cleanup_free char *path = xasprintf("%s/%s", dirs[i], file);
        if (access(path, R_OK) == 0)
            return realpath(dirs[i], NULL);
    }
    return NULL;
}

char *installed_instance(void)
{
    cleanup_free char *self = own_dir();
    const char *const dirs[] = {self, PKGLIBEXECDIR, BINDIR};
    for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
        char *path = xasprintf("%s/hbatch-instance", dirs[i]);
        if (*dirs[i] && access(path, X_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

void installed_prepend(const char *name, const char *dir)
{
    const char *old = getenv(name);
    size_t len = strlen(dir);
    if (old && strncmp(old, dir, len) == 0 && (old[len] == ':' || !old[len]))
        return;
    cleanup_free char *joined = old && *old ? xasprintf("%s:%s", dir, old) : xstrdup(dir);
    setenv(name, joined, 1);
}

void installed_environment(struct cli *cli)
{
    cleanup_free char *self = own_dir();
    cleanup_free char *package = installed_dir("python", "hbatch/__init__.py", PYTHONDIR);
    if (!package)
        cli_die(cli,
                "the Python package hbatch is neither in %s/../python nor in %s: is "
                "hbatch installed whole?",
                self, PYTHONDIR);
    installed_prepend("PATH", self);
    installed_prepend("PYTHONPATH", package);
}

int installed_exec(struct cli *cli, char *const *argv, const char *remedy)
{
    execvp(argv[0], argv);
    int code = errno == ENOENT ? 127 : 126;
    cli_error(cli, "cannot run %s: %s%s", argv[0], strerror(errno), remedy);
    return code;
}
