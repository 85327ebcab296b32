/* SPDX-License-Identifier: BSD-3-Clause */
/* PBS: pbs_tmrsh of PBS Pro starts a process on another host, as ssh does; pbsdsh of Torque, too,
 * less the shell, which hbatch-pbsdsh adds.  An mpirun that was built for PBS uses neither. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "src/common/util.h"
#include "src/foreign/kinds.h"
#include "src/foreign/query.h"

static char *recognize(const struct foreign_options *o)
{
    const char *id = getenv("PBS_JOBID");
    (void)o;
    return id && *id && getenv("PBS_NODEFILE") ? xstrdup(id) : NULL;
}

static int hosts(struct foreign *f, const struct foreign_options *o, struct error *err)
{
    (void)o;
    return foreign_add_file(f, getenv("PBS_NODEFILE"), false, err) < 0
               ? error_prefix(err, "PBS_NODEFILE")
               : 0;
}

/* What follows "KEY = " in qstat's full listing (new), or NULL. */
static char *value_of(const char *text, const char *key)
{
    size_t n = strlen(key);
    for (const char *p = text; (p = strstr(p, key)); p += n) {
        if ((p > text && !strchr(" \t\n", p[-1])) || strncmp(p + n, " = ", 3) != 0)
            continue;
        p += n + 3;
        return xstrndup(p, strcspn(p, "\r\n"));
    }
    return NULL;
}

/* "Mon Nov 23 10:00:00 2026", or seconds since the epoch; 0: neither. */
static double parse_start(const char *text)
{
    struct tm tm = {.tm_isdst = -1};
    char *rest = strptime(text, "%a %b %d %H:%M:%S %Y", &tm);
    if (rest)
        return (double)mktime(&tm);
    double t = strtod(text, &rest);
    return rest != text && !*rest ? t : 0;
}

static double end_by_qstat(const char *id)
{
    cleanup_free char *text = query("qstat", "-f", id, NULL);
    if (!text)
        return 0;
    cleanup_free char *limit = value_of(text, "Resource_List.walltime");
    cleanup_free char *remaining = value_of(text, "Walltime.Remaining");
    cleanup_free char *start = value_of(text, "stime");
    cleanup_free char *torque = value_of(text, "start_time");
    double walltime = limit ? foreign_parse_time(limit) : -1;
    double t = start ? parse_start(start) : torque ? parse_start(torque) : 0;
    if (walltime > 0 && t > 0)
        return t + walltime;
    double left = remaining ? foreign_parse_time(remaining) : -1;
    return left > 0 ? time_now() + left : 0;
}

static void end(struct foreign *f)
{
    f->end = end_by_qstat(f->id);
    f->end_source = "qstat";
    if (f->end > 0)
        return;
    /* Torque's variable; the file with the hosts is made when the job starts */
    const char *walltime = getenv("PBS_WALLTIME"), *file = getenv("PBS_NODEFILE");
    struct stat st;
    double seconds = walltime ? foreign_parse_time(walltime) : -1;
    if (seconds > 0 && file && stat(file, &st) == 0) {
        f->end = (double)st.st_mtime + seconds;
        f->end_source = "PBS_WALLTIME";
    } else
        f->end_source = "neither qstat nor PBS_WALLTIME tells it";
}

static const char *const agents[] = {"pbs_tmrsh", "pbsdsh", NULL};

const struct foreign_kind foreign_pbs = {.name = "pbs",
                                         .title = "PBS job",
                                         .recognize = recognize,
                                         .hosts = hosts,
                                         .end = end,
                                         .agents = agents};
