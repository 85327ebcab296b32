/* SPDX-License-Identifier: BSD-3-Clause */
/* Slurm: its mpirun starts ranks by srun, as does Open MPI's inside an allocation by itself. */
#include <errno.h>
#include <string.h>
#include "src/common/util.h"
#include "src/foreign/kinds.h"
#include "src/foreign/query.h"

static char *recognize(const struct foreign_options *o)
{
    const char *id = getenv("SLURM_JOB_ID");
    (void)o;
    return id && *id && getenv("SLURM_JOB_NODELIST") ? xstrdup(id) : NULL;
}

/* The next of "4(x3),2": 4, 4, 4, 2, and then 0. */
static unsigned next_count(const char **text, unsigned *left, unsigned *value)
{
    if (*left == 0) {
        char *end;
        *value = (unsigned)strtoul(*text, &end, 10);
        *left = strncmp(end, "(x", 2) == 0 ? (unsigned)strtoul(end + 2, &end, 10) : 1;
        end += *end == ')';
        *text = end + (*end == ',');
    }
    if (*left > 0)
        --*left;
    return *value;
}

static int hosts(struct foreign *f, const struct foreign_options *o, struct error *err)
{
    const char *list = getenv("SLURM_JOB_NODELIST");
    const char *cpus = getenv("SLURM_JOB_CPUS_PER_NODE");
    unsigned left = 0, value = 0;
    (void)o;
    if (!cpus)
        cpus = "";
    struct hostlist *hl = hostlist_decode(list, err);
    if (!hl) { /* Slurm's own form allows more, as in r[0-1]n[0-7] */
        cleanup_free char *names = query("scontrol", "show", "hostnames", list, NULL);
        if (!names)
            return error_prefix(err, "SLURM_JOB_NODELIST");
        for (char *p = names; *p; p++)
            if (*p == '\n')
                *p = ',';
        hl = hostlist_decode(names, err);
        if (!hl)
            return error_prefix(err, "scontrol show hostnames %s", list);
    }
    for (size_t i = 0; i < hostlist_count(hl); i++)
        foreign_add_host(f, hostlist_nth(hl, i), next_count(&cpus, &left, &value));
    hostlist_destroy(hl);
    return 0;
}

static void end(struct foreign *f)
{
    const char *var = getenv("SLURM_JOB_END_TIME");
    double told = var ? strtod(var, NULL) : 0;
    if (told > 0) {
        f->end = told;
        f->end_source = "SLURM_JOB_END_TIME";
        return;
    }
    cleanup_free char *text = query("squeue", "-h", "-j", f->id, "-o", "%L", NULL);
    double left = text ? foreign_parse_time(text) : -1;
    f->end = left >= 0 ? time_now() + left : 0;
    f->end_source =
        left >= 0 ? "squeue" : "neither SLURM_JOB_END_TIME nor squeue tells it";
    if (text && strstr(text, "UNLIMITED"))
        f->end_source = "squeue: it is unlimited";
}

const struct foreign_kind foreign_slurm = {.name = "slurm",
                                           .title = "Slurm job",
                                           .recognize = recognize,
                                           .hosts = hosts,
                                           .end = end,
                                           .hydra = "slurm",
                                           .host_var = "SLURMD_NODENAME"};
