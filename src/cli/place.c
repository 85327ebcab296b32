/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/place.h"

#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "src/cli/cli.h"
#include "src/common/hostlist.h"
#include "src/common/idset.h"
#include "src/lib/link.h"
#include "src/lib/sshdest.h"

static void this_host(char *buf, size_t size)
{
    if (gethostname(buf, size) < 0)
        snprintf(buf, size, "localhost");
    buf[size - 1] = '\0';
}

bool place_is_here(const char *host)
{
    return sshdest_is_this_host(host);
}

void place_fini(struct place *p)
{
    free(p->host);
    free(p->path);
    free(p->relay);
    *p = (struct place){0};
}

/* Of an ssh:// URI: what is between its slashes, new. */
static char *authority(const char *uri)
{
    uri += strlen(SSHDEST_SCHEME);
    return xstrndup(uri, strcspn(uri, "/"));
}

int place_decode(const char *uri, struct place *p, struct error *err)
{
    *p = (struct place){0};
    if (strncmp(uri, "local:///", 9) == 0) {
        p->path = xstrdup(uri + 8);
        return 0;
    }
    struct sshdest d;
    if (sshdest_decode(uri, &d, NULL) == 0) {
        p->host = sshdest_is_here(&d) ? NULL : authority(uri);
        p->path = take(d.path);
        sshdest_fini(&d);
        return 0;
    }
    return error_set(
        err, EINVAL,
        "'%s' is not an instance's URI: it must be local:// and the absolute "
        "path of a socket, or ssh://[USER@]HOST[:PORT]/PATH",
        uri);
}

/* The socket of whichever rank of the same instance is on this host. */
static char *beside(const char *path)
{
    glob_t found;
    char *one = NULL;
    const char *slash = strrchr(path, '/');
    cleanup_free char *pattern = xasprintf("%.*s/sock-*", (int)(slash - path), path);
    if (glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc > 0)
        one = xstrdup(found.gl_pathv[0]);
    globfree(&found);
    return one;
}

bool place_of_job(json_object *job, struct place *p)
{
    const char *uri = cli_get_string(job, "uri", NULL),
               *nodes = cli_get_string(job, "nodelist", NULL);
    *p = (struct place){0};
    if (!uri || place_decode(uri, p, NULL) < 0)
        return false;
    if (p->host || access(p->path, F_OK) == 0)
        return true;
    char *other = beside(p->path);
    if (other) {
        free(p->path);
        p->path = other;
        return true;
    }
    struct hostlist *hosts = nodes ? hostlist_decode(nodes, NULL) : NULL;
    const char *first = hosts ? hostlist_nth(hosts, 0) : NULL;
    if (first && !place_is_here(first))
        p->host = xstrdup(first);
    hostlist_destroy(hosts);
    return true;
}

void place_relay(struct place *p, const char *via, json_object *job)
{
    const char *ranks = cli_get_string(job, "ranks", "");
    cleanup_bitmap hwloc_bitmap_t set = idset_decode(ranks, NULL);
    int first = set ? hwloc_bitmap_first(set) : -1;
    bool far = strncmp(via, SSHDEST_SCHEME, strlen(SSHDEST_SCHEME)) == 0;
    free(take(p->relay));
    if (far && !p->host) /* the path that is here, too, is another one's */
        p->host = authority(via);
    if (p->host && first >= 0 && !strchr(p->path, LINK_HOP))
        p->relay = xasprintf("%s%c%d:%s", via, LINK_HOP, first, p->path);
}

char *place_uri(const struct place *p, bool remote)
{
    char own[HOST_NAME_MAX + 1];
    if (!remote)
        return xasprintf("local://%s", p->path);
    this_host(own, sizeof(own));
    return xasprintf("ssh://%s%s", p->host ? p->host : own, p->path);
}
