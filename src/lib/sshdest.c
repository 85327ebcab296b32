/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/lib/sshdest.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "src/common/util.h"

static const char *or_default(const char *value, const char *otherwise)
{
    return value && *value ? value : otherwise;
}

static bool is_port(const char *text)
{
    char *end;
    long n = strtol(text, &end, 10);
    return strspn(text, "0123456789") == strlen(text) && !*end && n > 0 && n <= 65535;
}

/* [USER@]HOST[:PORT], which is NAME. */
static bool split(char *name, struct sshdest *d)
{
    char *at = strrchr(name, '@'), *host = at ? at + 1 : name;
    char *bracket = *host == '[' ? strchr(host, ']') : NULL;
    char *colon = strchr(bracket ? bracket : host, ':');
    if (*host == '[' && (!bracket || (bracket[1] && bracket[1] != ':')))
        return false;
    if (colon) {
        *colon = '\0';
        d->port = xstrdup(colon + 1);
        if (!is_port(d->port))
            return false;
    }
    if (bracket) { /* what follows moves over it */
        *bracket = '\0';
        memmove(host, host + 1, strlen(host));
    }
    d->host = host;
    /* a word that begins with '-' would be an option of ssh */
    return *host && *host != '-' && *name != '-' && at != name;
}

int sshdest_decode(const char *uri, struct sshdest *d, struct error *err)
{
    *d = (struct sshdest){0};
    size_t scheme = strlen(SSHDEST_SCHEME);
    if (strncmp(uri, SSHDEST_SCHEME, scheme) == 0) {
        size_t n = strcspn(uri + scheme, "/");
        d->name = xstrndup(uri + scheme, n);
        d->path = xstrdup(uri + scheme + n);
        if (*d->path && split(d->name, d))
            return 0;
        sshdest_fini(d);
    }
    return error_set(err, EINVAL,
                     "'%s' is not an instance's URI: it must be "
                     "ssh://[USER@]HOST[:PORT]/PATH, with the absolute path of a socket",
                     uri);
}

void sshdest_fini(struct sshdest *d)
{
    free(d->name);
    free(d->port);
    free(d->path);
    *d = (struct sshdest){0};
}

bool sshdest_is_this_host(const char *host)
{
    char own[HOST_NAME_MAX + 1];
    if (gethostname(own, sizeof(own)) < 0)
        snprintf(own, sizeof(own), "localhost");
    own[sizeof(own) - 1] = '\0';
    if (strcasecmp(host, "localhost") == 0 || strcasecmp(host, own) == 0)
        return true;
    size_t n = strcspn(own, "."), m = strcspn(host, ".");
    return n == m && strncasecmp(host, own, n) == 0 && (!own[n] || !host[m]);
}

bool sshdest_is_here(const struct sshdest *d)
{
    return d->host == d->name && !d->port && sshdest_is_this_host(d->host);
}

char **sshdest_words(const struct sshdest *d, bool terminal, const char *command)
{
    const char *words[7];
    size_t n = 0, size = 0;
    words[n++] = or_default(getenv("HBATCH_SSH"), "ssh");
    if (terminal)
        words[n++] = "-t";
    if (d->port) {
        words[n++] = "-p";
        words[n++] = d->port;
    }
    words[n++] = d->name;
    words[n++] = command;
    for (size_t i = 0; i < n; i++)
        size += strlen(words[i]) + 1;
    char **all = xmalloc((n + 1) * sizeof(*all) + size);
    char *text = (char *)(all + n + 1);
    for (size_t i = 0; i < n; i++) {
        all[i] = text;
        text = stpcpy(text, words[i]) + 1;
    }
    all[n] = NULL;
    return all;
}

/* The first hbatch along PATH, new, or NULL. */
static char *in_path(void)
{
    cleanup_free char *path = xstrdup(or_default(getenv("PATH"), ""));
    char *save = NULL;
    for (char *dir = strtok_r(path, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
        char *file = xasprintf("%s/hbatch", dir);
        if (*dir == '/' && access(file, X_OK) == 0)
            return file;
        free(file);
    }
    return NULL;
}

char *sshdest_hbatch(void)
{
    const char *said = getenv("HBATCH_SSH_RCMD");
    char self[PATH_MAX];
    if (said && *said)
        return xstrdup(said);
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    const char *slash = strrchr(self, '/');
    if (slash && strcmp(slash, "/hbatch") ==
                     0) /* else this is another program, which uses the library */
        return xstrdup(self);
    char *found = in_path();
    return found ? found : xstrdup("hbatch");
}
