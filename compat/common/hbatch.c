/* SPDX-License-Identifier: BSD-3-Clause */
#include "compat/common/hbatch.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/util.h"

char *compat_self(void)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    return xstrndup(self, n > 0 ? (size_t)n : 0);
}

/* In the build tree, from compat/SYSTEM/bin/PROGRAM to bin/hbatch. */
char *compat_hbatch(void)
{
    cleanup_free char *self = compat_self();
    for (int up = 0; up < 4; up++) {
        char *slash = strrchr(self, '/');
        if (slash)
            *slash = '\0';
    }
    char *built = xasprintf("%s/bin/hbatch", self);
    if (access(built, X_OK) == 0)
        return built;
    free(built);
    return xstrdup(BINDIR "/hbatch");
}

void words_add(struct words *w, const char *word)
{
    w->v = xrealloc(w->v, (size_t)(w->n + 2) * sizeof(*w->v));
    w->v[w->n++] = xstrdup(word);
    w->v[w->n] = NULL;
}

void words_addf(struct words *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    cleanup_free char *text = xvasprintf(fmt, ap);
    va_end(ap);
    words_add(w, text);
}

void words_fini(struct words *w)
{
    for (int i = 0; i < w->n; i++)
        free(w->v[i]);
    free(w->v);
    *w = (struct words){0};
}

int compat_become_hbatch(const char *me, const struct words *w)
{
    cleanup_free char *path = compat_hbatch();
    cleanup_free char *name = xstrdup(me); /* hbatch names it in its messages */
    cleanup_free char **argv = xcalloc((size_t)w->n + 2, sizeof(*argv));
    argv[0] = name;
    if (w->n > 0)
        memcpy(argv + 1, w->v, (size_t)w->n * sizeof(*argv));
    execv(path, argv);
    int code = errno;
    fprintf(stderr, "%s: cannot run %s: %s\n", me, path, strerror(code));
    return code == ENOENT ? 127 : 126;
}
