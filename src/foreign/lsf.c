/* SPDX-License-Identifier: BSD-3-Clause */
/* LSF: blaunch starts a process on another host, as ssh does. */
#include <errno.h>
#include <string.h>
#include "src/common/util.h"
#include "src/foreign/kinds.h"
#include "src/foreign/query.h"

/* An element of an array is "ID[INDEX]"; index 0 is a job by itself. */
static char *recognize(const struct foreign_options *o)
{
    const char *id = getenv("LSB_JOBID"), *index = getenv("LSB_JOBINDEX");
    (void)o;
    if (!id || !*id)
        return NULL;
    return index && *index && strcmp(index, "0") != 0 ? xasprintf("%s[%s]", id, index)
                                                      : xstrdup(id);
}

/* "host 4 host 2", or "host host host": one slot each. */
static void add_words(struct foreign *f, const char *text, bool counts)
{
    cleanup_free char *copy = xstrdup(text);
    char *save = NULL;
    for (char *name = strtok_r(copy, " ", &save); name;
         name = strtok_r(NULL, " ", &save)) {
        const char *n = counts ? strtok_r(NULL, " ", &save) : "1";
        foreign_add_host(f, name, n ? (unsigned)strtoul(n, NULL, 10) : 1);
    }
}

static int hosts(struct foreign *f, const struct foreign_options *o, struct error *err)
{
    const char *file = getenv("LSB_DJOB_HOSTFILE"), *mcpu = getenv("LSB_MCPU_HOSTS"),
               *list = getenv("LSB_HOSTS");
    (void)o;
    if (file && *file)
        return foreign_add_file(f, file, false, err) < 0
                   ? error_prefix(err, "LSB_DJOB_HOSTFILE")
                   : 0;
    if (mcpu && *mcpu)
        add_words(f, mcpu, true);
    else if (list && *list)
        add_words(f, list, false);
    else
        return error_set(err, ENOENT,
                         "LSF job %s: none of LSB_DJOB_HOSTFILE, LSB_MCPU_HOSTS and "
                         "LSB_HOSTS is in the environment; name the hosts with --hosts",
                         f->id);
    return 0;
}

/* "1:30 L": hours and minutes, of the limit (L) or an estimate (E, of which nothing follows);
 * "-": there is no limit. */
static void end(struct foreign *f)
{
    cleanup_free char *text = query("bjobs", "-noheader", "-o", "time_left", f->id, NULL);
    f->end_source = "bjobs does not tell it";
    if (!text)
        return;
    char *save = NULL;
    const char *t = strtok_r(text, " \t\n", &save);
    const char *kind = t ? strtok_r(NULL, " \t\n", &save) : NULL;
    if (t && strcmp(t, "-") == 0)
        f->end_source = "bjobs: it is unlimited";
    double left = t && (!kind || strcmp(kind, "L") == 0) ? foreign_parse_time(t) : -1;
    if (left < 0)
        return;
    f->end = time_now() + left * 60;
    f->end_source = "bjobs";
}

static const char *const agents[] = {"blaunch", NULL};

const struct foreign_kind foreign_lsf = {.name = "lsf",
                                         .title = "LSF job",
                                         .recognize = recognize,
                                         .hosts = hosts,
                                         .end = end,
                                         .agents = agents,
                                         .hydra = "lsf"};
