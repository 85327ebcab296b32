/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/foreign/foreign.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/common/util.h"
#include "src/foreign/kinds.h"
#include "src/foreign/query.h"

/* Jobs have 5 s from SIGTERM to SIGKILL, then the instance's program has; and a little more. */
#define MARGIN 15.0 /* s; of a short allocation, its tenth part */

/* In the order they are tried. */
/* Ended by NULL; the last one always recognizes itself. */
static const struct foreign_kind *const kinds[] = {
    &foreign_slurm, &foreign_lsf,        &foreign_pbs, &foreign_sge,
    &foreign_hosts, &foreign_standalone, NULL};

const struct foreign_kind *foreign_kind_find(const char *name)
{
    for (size_t i = 0; name && kinds[i]; i++)
        if (strcmp(kinds[i]->name, name) == 0)
            return kinds[i];
    return NULL;
}

bool foreign_is_batch(const struct foreign_kind *k)
{
    return k != &foreign_hosts && k != &foreign_standalone;
}

static char *kind_names(void)
{
    char *all = xstrdup("");
    for (size_t i = 0; kinds[i]; i++) {
        char *more = xasprintf("%s%s%s", all,
                               i == 0         ? ""
                               : kinds[i + 1] ? ", "
                                              : " or ",
                               kinds[i]->name);
        free(all);
        all = more;
    }
    return all;
}

struct foreign *foreign_find(const struct foreign_options *o, struct error *err)
{
    bool inside = getenv("HBATCH_URI") && !o->kind;
    if (o->kind && !foreign_kind_find(o->kind)) {
        cleanup_free char *names = kind_names();
        return error_null(err, EINVAL, "'%s' is no kind of allocation; there is %s",
                          o->kind, names);
    }
    for (size_t i = 0; kinds[i]; i++) {
        const struct foreign_kind *k = kinds[i];
        if ((o->kind && strcmp(o->kind, k->name) != 0) || (inside && foreign_is_batch(k)))
            continue;
        char *id = k->recognize(o);
        if (!id)
            continue;
        struct foreign *f = xcalloc(1, sizeof(*f));
        f->kind = k;
        f->id = id;
        f->hosts = hostlist_create();
        return f;
    }
    return error_null(err, ENOENT,
                      "this is no %s: its variables are not in the environment",
                      foreign_kind_find(o->kind)->title);
}

void foreign_destroy(struct foreign *f)
{
    if (!f)
        return;
    hostlist_destroy(f->hosts);
    free(f->slots);
    free(f->id);
    free(f);
}

/* --- hosts -------------------------------------------------------------------------------- */

void foreign_add_host(struct foreign *f, const char *name, unsigned slots)
{
    ptrdiff_t i = hostlist_find(f->hosts, name);
    if (i < 0) {
        i = (ptrdiff_t)hostlist_count(f->hosts);
        hostlist_append_name(f->hosts, name);
        f->slots = xrealloc(f->slots, ((size_t)i + 1) * sizeof(*f->slots));
        f->slots[i] = 0;
    }
    f->slots[i] += slots;
}

int foreign_add_file(struct foreign *f, const char *path, bool slots, struct error *err)
{
    cleanup_free char *text = read_file(path, NULL);
    if (!text)
        return error_set(err, errno, "cannot read the host file %s: %s", path,
                         strerror(errno));
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        char *rest, *name;
        line[strcspn(line, "#")] = '\0';
        name = strtok_r(line, " \t\r", &rest);
        if (!name)
            continue;
        const char *n = slots ? strtok_r(NULL, " \t\r", &rest) : "1";
        foreign_add_host(f, name, n ? (unsigned)strtoul(n, NULL, 10) : 0);
    }
    return 0;
}

bool foreign_same_host(const char *a, const char *b)
{
    size_t n = strcspn(a, ".");
    return n == strcspn(b, ".") && memcmp(a, b, n) == 0;
}

/* The user named some of a batch system's hosts: keep those, as the batch system calls them. */
static int select_hosts(struct foreign *f, const struct foreign_options *o,
                        struct error *err)
{
    struct foreign named = {.hosts = hostlist_create()};
    struct foreign kept = {.hosts = hostlist_create()};
    int rc = foreign_hosts.hosts(&named, o, err);
    for (size_t i = 0; rc == 0 && i < hostlist_count(named.hosts); i++) {
        const char *name = hostlist_nth(named.hosts, i);
        size_t k = 0, n = hostlist_count(f->hosts);
        while (k < n && !foreign_same_host(name, hostlist_nth(f->hosts, k)))
            k++;
        if (k < n)
            foreign_add_host(&kept, hostlist_nth(f->hosts, k), f->slots[k]);
        else {
            cleanup_free char *all = hostlist_encode(f->hosts);
            rc = error_set(err, ENOENT,
                           "host %s is not in the allocation of %s %s, which has %s",
                           name, f->kind->title, f->id, all);
        }
    }
    hostlist_destroy(named.hosts);
    free(named.slots);
    if (rc == 0) {
        hostlist_destroy(f->hosts);
        free(f->slots);
        f->hosts = kept.hosts;
        f->slots = kept.slots;
        return 0;
    }
    hostlist_destroy(kept.hosts);
    free(kept.slots);
    return -1;
}

int foreign_find_hosts(struct foreign *f, const struct foreign_options *o,
                       struct error *err)
{
    if (f->kind->hosts(f, o, err) < 0)
        return -1;
    if (hostlist_count(f->hosts) == 0)
        return error_set(err, ENOENT, "%s %s names no host", f->kind->title, f->id);
    if (foreign_is_batch(f->kind) && (o->hosts || o->hostfile))
        return select_hosts(f, o, err);
    return 0;
}

bool foreign_has_this(const struct foreign *f)
{
    char host[256];
    const char *var = f->kind->host_var ? getenv(f->kind->host_var) : NULL;
    if (gethostname(host, sizeof(host)) < 0)
        host[0] = '\0';
    host[sizeof(host) - 1] = '\0';
    for (size_t i = 0; i < hostlist_count(f->hosts); i++) {
        const char *name = hostlist_nth(f->hosts, i);
        if ((var && strcmp(var, name) == 0) || (*host && foreign_same_host(host, name)))
            return true;
    }
    return false;
}

bool foreign_is_here(const struct foreign *f)
{
    return hostlist_count(f->hosts) == 1 && foreign_has_this(f);
}

char *foreign_agent(const struct foreign *f)
{
    char *path = NULL;
    for (size_t i = 0; !path && f->kind->agents && f->kind->agents[i]; i++)
        path = query_find(f->kind->agents[i]);
    return path;
}

/* --- end ---------------------------------------------------------------------------------- */

void foreign_find_end(struct foreign *f)
{
    f->end = 0;
    f->end_source = NULL;
    if (f->kind->end)
        f->kind->end(f);
}

double foreign_deadline(const struct foreign *f, double now)
{
    if (f->end <= 0)
        return 0;
    return f->end - MIN(MARGIN, MAX(f->end - now, 0) / 10);
}

double foreign_parse_time(const char *text)
{
    double days = 0, t = 0;
    char *end;
    text += strspn(text, " \t");
    for (int i = 0; i < 4; i++) {
        if (*text < '0' || *text > '9')
            return -1;
        double n = (double)strtoul(text, &end, 10);
        if (*end == '-' && i == 0)
            days = n;
        else
            t = t * 60 + n;
        if (*end != ':' && !(*end == '-' && i == 0))
            break;
        text = end + 1;
    }
    end += strspn(end, " \t\r\n");
    return *end ? -1 : days * 86400 + t;
}
