/* SPDX-License-Identifier: BSD-3-Clause */
/* Grid Engine: qrsh -inherit starts a process on another host of a parallel job. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/util.h"
#include "src/foreign/kinds.h"
#include "src/foreign/query.h"

/* JOB_ID is not a name that only Grid Engine would use. */
static char *recognize(const struct foreign_options *o)
{
    const char *id = getenv("JOB_ID"), *task = getenv("SGE_TASK_ID");
    (void)o;
    if (!id || !*id || (!getenv("PE_HOSTFILE") && !getenv("SGE_JOB_SPOOL_DIR")))
        return NULL;
    return task && strcmp(task, "undefined") != 0 && *task ? xasprintf("%s.%s", id, task)
                                                           : xstrdup(id);
}

/* Lines "host slots queue processors".  A job that is not parallel has no such file. */
static int hosts(struct foreign *f, const struct foreign_options *o, struct error *err)
{
    const char *file = getenv("PE_HOSTFILE"), *slots = getenv("NSLOTS");
    char host[256] = "localhost";
    (void)o;
    if (file && *file)
        return foreign_add_file(f, file, true, err) < 0 ? error_prefix(err, "PE_HOSTFILE")
                                                        : 0;
    gethostname(host, sizeof(host) - 1);
    foreign_add_host(f, host, slots ? (unsigned)strtoul(slots, NULL, 10) : 1);
    return 0;
}

/* Seconds of KEY=VALUE in qstat's "hard resource_list: h_rt=3600,h_vmem=2G". */
static double limit_of(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = text; (p = strstr(p, key)); p += n) {
        if ((p > text && !strchr(" \t,", p[-1])) || p[n] != '=')
            continue;
        cleanup_free char *value = xstrndup(p + n + 1, strcspn(p + n + 1, ",\r\n \t"));
        return foreign_parse_time(value);
    }
    return -1;
}

/* Seconds of the line "KEY  VALUE[,[HOST=VALUE]...]" of qconf's description of a queue. */
static double limit_of_queue(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = text; p; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, key, n) != 0 || p[n] != ' ')
            continue;
        p += n + strspn(p + n, " ");
        cleanup_free char *value = xstrndup(p, strcspn(p, ",\r\n \t"));
        return foreign_parse_time(value);
    }
    return -1;
}

static double sooner(double a, double b)
{
    return a > 0 && b > 0 ? MIN(a, b) : MAX(a, b);
}

/* What is made when the job starts tells when it did. */
static double started(void)
{
    const char *paths[] = {getenv("PE_HOSTFILE"), getenv("SGE_JOB_SPOOL_DIR")};
    struct stat st;
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
        if (paths[i] && stat(paths[i], &st) == 0)
            return (double)st.st_mtime;
    return 0;
}

static void end(struct foreign *f)
{
    cleanup_free char *id = xstrndup(f->id, strcspn(f->id, "."));
    const char *queue = getenv("QUEUE");
    cleanup_free char *text = query("qstat", "-j", id, NULL);
    cleanup_free char *about =
        queue && *queue && *queue != '-' ? query("qconf", "-sq", queue, NULL) : NULL;
    double own = text ? sooner(limit_of(text, "h_rt"), limit_of(text, "s_rt")) : -1;
    double of_queue =
        about ? sooner(limit_of_queue(about, "h_rt"), limit_of_queue(about, "s_rt")) : -1;
    double limit = sooner(own, of_queue), start = started();
    f->end = limit > 0 && start > 0 ? start + limit : 0;
    f->end_source = f->end > 0 ? (limit == own ? "qstat" : "qconf: its queue's limit")
                    : text     ? "qstat: it has no h_rt"
                               : "qstat does not tell it";
}

static const char *const agents[] = {"qrsh", NULL};

const struct foreign_kind foreign_sge = {.name = "sge",
                                         .title = "Grid Engine job",
                                         .recognize = recognize,
                                         .hosts = hosts,
                                         .end = end,
                                         .agents = agents,
                                         .hydra = "sge"};
