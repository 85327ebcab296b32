/* SPDX-License-Identifier: BSD-3-Clause */
#include "compat/slurm/fields.h"

#include <ctype.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "compat/slurm/forms.h"
#include "src/common/hostlist.h"

/* --- values -------------------------------------------------------------------------------- */

static double now(void)
{
    return time_now();
}

static double elapsed(const struct sjob *j)
{
    double start = slurm_number(j->o, "t_run", 0),
           end = slurm_number(j->o, "t_cleanup", 0);
    if (end <= 0)
        end = slurm_number(j->o, "t_inactive", 0);
    return start > 0 ? (end > start ? end : now()) - start : 0;
}

static void add_id(struct strbuf *out, const struct sjob *j)
{
    strbuf_addu(out, j->array ? j->array : j->id);
    if (j->tasks)
        strbuf_addf(out, "_[%s]", j->tasks);
    else if (j->array)
        strbuf_addf(out, "_%lld", (long long)j->task);
}

static void add_first_node(struct strbuf *out, const char *nodes)
{
    struct error ignored;
    struct hostlist *list = hostlist_decode(nodes, &ignored);
    const char *first = list && hostlist_count(list) > 0 ? hostlist_nth(list, 0) : NULL;
    strbuf_add(out, first ? first : "n/a");
    hostlist_destroy(list);
}

static void add_group(struct strbuf *out, bool name)
{
    struct group *g = name ? getgrgid(getgid()) : NULL;
    if (g)
        strbuf_add(out, g->gr_name);
    else
        strbuf_addf(out, "%u", getgid());
}

static void add_limit(struct strbuf *out, const struct sjob *j, bool accounting)
{
    double limit = slurm_number(j->o, "duration", 0);
    if (limit <= 0)
        strbuf_add(out, "UNLIMITED");
    else
        form_duration(out, limit, !accounting);
}

static void add_left(struct strbuf *out, const struct sjob *j, bool minutes)
{
    double limit = slurm_number(j->o, "duration", 0), left = limit - elapsed(j);
    if (limit <= 0)
        strbuf_add(out, "UNLIMITED");
    else if (minutes)
        strbuf_addf(out, "%d", (int)(left > 0 ? left / 60 : 0));
    else
        form_duration(out, left, true);
}

static void add_tres(struct strbuf *out, const struct sjob *j, bool accounting)
{
    unsigned cores = (unsigned)slurm_number(j->o, "ncores", 0),
             gpus = (unsigned)slurm_number(j->o, "ngpus", 0),
             nodes = (unsigned)slurm_number(j->o, "nnodes", 1);
    if (accounting)
        strbuf_addf(out, "billing=%u,", cores);
    strbuf_addf(out, "cpu=%u,", cores);
    if (accounting && gpus)
        strbuf_addf(out, "gres/gpu=%u,", gpus);
    strbuf_addf(out, "node=%u", nodes);
    if (!accounting)
        strbuf_addf(out, ",billing=%u", cores);
    if (!accounting && gpus)
        strbuf_addf(out, ",gres/gpu=%u", gpus);
}

/* When it ends: what is known, or the limit. */
static double end_time(const struct sjob *j, bool accounting)
{
    double t = slurm_number(j->o, "t_inactive", 0);
    return t > 0 || accounting ? t : slurm_number(j->o, "expiration", 0);
}

static void add_times(struct strbuf *out, const struct sjob *j, enum field f,
                      bool accounting)
{
    const char *absent = accounting ? "Unknown" : "N/A";
    double t = elapsed(j), cores = slurm_number(j->o, "ncores", 0);
    switch (f) {
    case F_CPUTIME:
        form_duration(out, (double)(uint64_t)t * cores, false);
        break;
    case F_CPUTIME_RAW:
        strbuf_addf(out, "%.0f", (double)(uint64_t)t * cores);
        break;
    case F_ELAPSED:
        form_duration(out, t, false);
        break;
    case F_ELAPSED_RAW:
        strbuf_addf(out, "%llu", (unsigned long long)t);
        break;
    case F_END:
        form_date(out, end_time(j, accounting), absent);
        break;
    case F_START:
        form_date(out, slurm_number(j->o, "t_run", 0), absent);
        break;
    case F_SUBMIT:
        form_date(out, slurm_number(j->o, "t_submit", 0), absent);
        break;
    default:
        form_duration(out, t, true);
    }
}

static void add_numbers(struct strbuf *out, const struct sjob *j, enum field f)
{
    int code, signum;
    switch (f) {
    case F_CPUS:
        strbuf_addf(out, "%.0f", slurm_number(j->o, "ncores", 0));
        break;
    case F_EXIT:
        job_exit(j, &code, &signum);
        strbuf_addf(out, "%d:%d", code, signum);
        break;
    case F_LIMIT_RAW:
        if (slurm_number(j->o, "duration", 0) > 0)
            strbuf_addf(out, "%.0f", slurm_number(j->o, "duration", 0) / 60);
        break;
    case F_NODES:
        strbuf_addf(out, "%.0f", slurm_number(j->o, "nnodes", 1));
        break;
    case F_PRIORITY:
        strbuf_addf(out, "%.0f", slurm_number(j->o, "priority", 0));
        break;
    case F_TASKS:
        strbuf_addf(out, "%.0f", slurm_number(j->o, "ntasks", 1));
        break;
    default:
        strbuf_addf(out, "%.0f", slurm_number(j->o, "userid", 0));
    }
}

static void add_texts(struct strbuf *out, const struct sjob *j, enum field f,
                      bool accounting)
{
    const char *nodes = slurm_text(j->o, "nodelist", "");
    switch (f) {
    case F_ACCOUNT:
        strbuf_add(out, slurm_text(j->o, "bank", accounting ? "" : "(null)"));
        break;
    case F_COMMAND:
    case F_NAME:
        strbuf_add(out, slurm_text(j->o, "name", ""));
        break;
    case F_FIRST_NODE:
        add_first_node(out, nodes);
        break;
    case F_NODELIST:
        strbuf_add(out, !*nodes && accounting ? "None assigned" : nodes);
        break;
    case F_PARTITION:
        strbuf_add(out, slurm_text(j->o, "queue", SLURM_PARTITION));
        break;
    case F_PLACE:
        if (job_sstate(j) == S_PENDING || !*nodes)
            strbuf_addf(out, "(%s)", job_reason(j));
        else
            strbuf_add(out, nodes);
        break;
    case F_USER:
        strbuf_add(out, slurm_text(j->o, "username", "?"));
        break;
    default:
        strbuf_add(out, slurm_text(j->o, "cwd", ""));
    }
}

void field_add(struct strbuf *out, const struct sjob *j, enum field f, bool accounting)
{
    enum sstate state = job_sstate(j);
    switch (f) {
    case F_NONE:
        break;
    case F_ARRAY_JOB:
        strbuf_addu(out, j->array ? j->array : j->id);
        break;
    case F_ARRAY_TASK:
        if (j->tasks)
            strbuf_add(out, j->tasks);
        else if (j->array)
            strbuf_addf(out, "%lld", (long long)j->task);
        else
            strbuf_add(out, "N/A");
        break;
    case F_CLUSTER:
        strbuf_add(out, SLURM_CLUSTER);
        break;
    case F_EXIT_DERIVED:
        strbuf_add(out, "0:0");
        break;
    case F_GROUP:
    case F_GID:
        add_group(out, f == F_GROUP);
        break;
    case F_ID:
        add_id(out, j);
        break;
    case F_ID_RAW:
        strbuf_addu(out, j->id);
        break;
    case F_LEFT:
    case F_MINUTES_LEFT:
        add_left(out, j, f == F_MINUTES_LEFT);
        break;
    case F_LIMIT:
        add_limit(out, j, accounting);
        break;
    case F_NA:
        strbuf_add(out, "N/A");
        break;
    case F_SHARED:
        strbuf_add(out, "OK");
        break;
    case F_ONE:
        strbuf_add(out, "1");
        break;
    case F_ANY:
        strbuf_add(out, "*");
        break;
    case F_ANY3:
        strbuf_add(out, "*:*:*");
        break;
    case F_NULL:
        strbuf_add(out, "(null)");
        break;
    case F_QOS:
        strbuf_add(out, "normal");
        break;
    case F_REASON:
        strbuf_add(out, job_reason(j));
        break;
    case F_STATE:
        strbuf_add(
            out,
            sstate_name(accounting && state == S_COMPLETING ? S_RUNNING : state, false));
        break;
    case F_STATE_COMPACT:
        strbuf_add(out, sstate_name(state, true));
        break;
    case F_TRES:
        add_tres(out, j, accounting);
        break;
    case F_ZERO:
        strbuf_add(out, "0");
        break;
    case F_CPUTIME:
    case F_CPUTIME_RAW:
    case F_ELAPSED:
    case F_ELAPSED_RAW:
    case F_END:
    case F_START:
    case F_SUBMIT:
    case F_TIME:
        add_times(out, j, f, accounting);
        break;
    case F_CPUS:
    case F_EXIT:
    case F_LIMIT_RAW:
    case F_NODES:
    case F_PRIORITY:
    case F_TASKS:
    case F_UID:
        add_numbers(out, j, f);
        break;
    default:
        add_texts(out, j, f, accounting);
    }
}
