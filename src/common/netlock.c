/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/netlock.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "src/common/util.h"

/* OPTION NULL: whatever it is mounted with. */
static const struct {
    const char *type, *option;
} local[] = {
    {"nfs", "nolock"},        {"nfs", "local_lock=all"},  {"nfs", "local_lock=posix"},
    {"nfs4", "nolock"},       {"nfs4", "local_lock=all"}, {"nfs4", "local_lock=posix"},
    {"lustre", "localflock"}, {"cifs", "nobrl"},          {"smb3", "nobrl"},
    {"fuse.sshfs", NULL},
};

/* Whether one of OPTIONS, which commas separate, is OPTION. */
static bool has_option(const char *options, const char *option)
{
    size_t len = strlen(option);
    for (const char *p = options; p; p = strchr(p, ','), p += p != NULL)
        if (strncmp(p, option, len) == 0 && (p[len] == ',' || !p[len]))
            return true;
    return false;
}

static char *doubt(const char *type, const char *options)
{
    for (size_t i = 0; i < ARRAY_SIZE(local); i++) {
        if (strcmp(type, local[i].type) != 0)
            continue;
        if (!local[i].option)
            return xasprintf("it is on %s", type);
        if (has_option(options, local[i].option))
            return xasprintf("it is on %s, mounted with %s", type, local[i].option);
    }
    return NULL;
}

/* ID PARENT MAJOR:MINOR ROOT PLACE OPTIONS [FIELD...] - TYPE SOURCE OPTIONS */
static bool read_line(const char *line, dev_t dev, char *type, size_t size,
                      const char **options)
{
    unsigned major, minor;
    if (sscanf(line, "%*d %*d %u:%u", &major, &minor) != 2 ||
        makedev(major, minor) != dev)
        return false;
    const char *at = strstr(line, " - ");
    if (!at)
        return false;
    at += 3;
    size_t len = strcspn(at, " ");
    snprintf(type, size, "%.*s", (int)len, at);
    at += len;
    at += *at == ' ';
    at += strcspn(at, " ");
    *options = *at ? at + 1 : at;
    return true;
}

char *netlock_doubt(const char *mountinfo, dev_t dev)
{
    cleanup_free char *copy = xstrdup(mountinfo);
    for (char *rest = copy, *line; (line = strsep(&rest, "\n"));) {
        char type[64];
        const char *options;
        if (read_line(line, dev, type, sizeof(type), &options))
            return doubt(type, options); /* all mounts of a device are of one kind */
    }
    return NULL;
}

char *netlock_doubt_of(const char *path)
{
    struct stat st;
    cleanup_free char *text = read_file("/proc/self/mountinfo", NULL);
    return text && stat(path, &st) == 0 ? netlock_doubt(text, st.st_dev) : NULL;
}
