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
    const char *first = list ? hostlist_nth(list, 0) : NULL;
    strbuf_add(out, first ? first : "");
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

static void add_tres(struct strbuf *out, const struct sjob *j)
{
    unsigned cores = (unsigned)slurm_number(j->o, "ncores", 0),
             gpus = (unsigned)slurm_number(j->o, "ngpus", 0),
             nodes = (unsigned)slurm_number(j->o, "nnodes", 1);
    strbuf_addf(out, "billing=%u,cpu=%u,", cores, cores);
    if (gpus)
        strbuf_addf(out, "gres/gpu=%u,", gpus);
    strbuf_addf(out, "node=%u", nodes);
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
        add_tres(out, j);
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

/* --- their names --------------------------------------------------------------------------- */

static const struct {
    char letter;
    enum field field;
    const char *title;
} letters[] = {
    {'a', F_ACCOUNT, "ACCOUNT"},
    {'A', F_ID_RAW, "JOBID"},
    {'b', F_NA, "TRES_PER_NODE"},
    {'B', F_FIRST_NODE, "EXEC_HOST"},
    {'c', F_ZERO, "MIN_CPUS"},
    {'C', F_CPUS, "CPUS"},
    {'d', F_ZERO, "MIN_TMP_DISK"},
    {'D', F_NODES, "NODES"},
    {'e', F_END, "END_TIME"},
    {'E', F_NULL, "DEPENDENCY"},
    {'f', F_NULL, "FEATURES"},
    {'F', F_ARRAY_JOB, "ARRAY_JOB_ID"},
    {'g', F_GROUP, "GROUP"},
    {'G', F_GID, "GROUP"},
    {'h', F_NA, "OVER_SUBSCRIBE"},
    {'i', F_ID, "JOBID"},
    {'j', F_NAME, "NAME"},
    {'k', F_NULL, "COMMENT"},
    {'K', F_ARRAY_TASK, "ARRAY_TASK_ID"},
    {'l', F_LIMIT, "TIME_LIMIT"},
    {'L', F_LEFT, "TIME_LEFT"},
    {'m', F_ZERO, "MIN_MEMORY"},
    {'M', F_TIME, "TIME"},
    {'n', F_NONE, "REQ_NODES"},
    {'N', F_NODELIST, "NODELIST"},
    {'o', F_COMMAND, "COMMAND"},
    {'O', F_NA, "CONTIGUOUS"},
    {'p', F_PRIORITY, "PRIORITY"},
    {'P', F_PARTITION, "PARTITION"},
    {'q', F_QOS, "QOS"},
    {'Q', F_PRIORITY, "PRIORITY"},
    {'r', F_REASON, "REASON"},
    {'R', F_PLACE, "NODELIST(REASON)"},
    {'S', F_START, "START_TIME"},
    {'t', F_STATE_COMPACT, "ST"},
    {'T', F_STATE, "STATE"},
    {'u', F_USER, "USER"},
    {'U', F_UID, "USER"},
    {'v', F_NULL, "RESERVATION"},
    {'V', F_SUBMIT, "SUBMIT_TIME"},
    {'w', F_NULL, "WCKEY"},
    {'x', F_NONE, "EXC_NODES"},
    {'y', F_ZERO, "NICE"},
    {'Y', F_NONE, "SCHEDNODES"},
    {'z', F_NA, "S:C:T"},
    {'Z', F_WORKDIR, "WORK_DIR"},
};

struct field_name {
    const char *name, *title;
    enum field field;
};

static const struct field_name longs[] = {
    {"Account", "ACCOUNT", F_ACCOUNT},
    {"ArrayJobID", "ARRAY_JOB_ID", F_ARRAY_JOB},
    {"ArrayTaskID", "ARRAY_TASK_ID", F_ARRAY_TASK},
    {"BatchHost", "EXEC_HOST", F_FIRST_NODE},
    {"Cluster", "CLUSTER", F_CLUSTER},
    {"Command", "COMMAND", F_COMMAND},
    {"Comment", "COMMENT", F_NULL},
    {"Dependency", "DEPENDENCY", F_NULL},
    {"EndTime", "END_TIME", F_END},
    {"Exit_Code", "EXIT_CODE", F_EXIT},
    {"Feature", "FEATURES", F_NULL},
    {"GroupID", "GROUP", F_GID},
    {"GroupName", "GROUP", F_GROUP},
    {"JobArrayID", "JOBID", F_ID},
    {"JobID", "JOBID", F_ID_RAW},
    {"MinMemory", "MIN_MEMORY", F_ZERO},
    {"Name", "NAME", F_NAME},
    {"NodeList", "NODELIST", F_NODELIST},
    {"NumCPUs", "CPUS", F_CPUS},
    {"NumNodes", "NODES", F_NODES},
    {"NumTasks", "TASKS", F_TASKS},
    {"Partition", "PARTITION", F_PARTITION},
    {"Priority", "PRIORITY", F_PRIORITY},
    {"PriorityLong", "PRIORITY", F_PRIORITY},
    {"QOS", "QOS", F_QOS},
    {"Reason", "REASON", F_REASON},
    {"ReasonList", "NODELIST(REASON)", F_PLACE},
    {"StartTime", "START_TIME", F_START},
    {"State", "STATE", F_STATE},
    {"StateCompact", "ST", F_STATE_COMPACT},
    {"SubmitTime", "SUBMIT_TIME", F_SUBMIT},
    {"TimeLeft", "TIME_LEFT", F_LEFT},
    {"TimeLimit", "TIME_LIMIT", F_LIMIT},
    {"TimeUsed", "TIME", F_TIME},
    {"tres-alloc", "TRES_ALLOC", F_TRES},
    {"UserID", "USER", F_UID},
    {"UserName", "USER", F_USER},
    {"WCKey", "WCKEY", F_NULL},
    {"WorkDir", "WORK_DIR", F_WORKDIR},
};

/* In the order of sacct --helpformat; widths are those of Slurm. */
static const struct {
    struct field_name n;
    int width;
} accts[] = {
    {{"Account", "Account", F_ACCOUNT}, 10},
    {{"AdminComment", "AdminComment", F_NONE}, 19},
    {{"AllocCPUS", "AllocCPUS", F_CPUS}, 10},
    {{"AllocNodes", "AllocNodes", F_NODES}, 10},
    {{"AllocTRES", "AllocTRES", F_TRES}, 10},
    {{"AssocID", "AssocID", F_NONE}, 7},
    {{"AveCPU", "AveCPU", F_NONE}, 10},
    {{"AveCPUFreq", "AveCPUFreq", F_NONE}, 10},
    {{"AveDiskRead", "AveDiskRead", F_NONE}, 14},
    {{"AveDiskWrite", "AveDiskWrite", F_NONE}, 14},
    {{"AvePages", "AvePages", F_NONE}, 10},
    {{"AveRSS", "AveRSS", F_NONE}, 10},
    {{"AveVMSize", "AveVMSize", F_NONE}, 10},
    {{"Cluster", "Cluster", F_CLUSTER}, 10},
    {{"Comment", "Comment", F_NONE}, 14},
    {{"Constraints", "Constraints", F_NONE}, 14},
    {{"ConsumedEnergy", "ConsumedEnergy", F_NONE}, 14},
    {{"ConsumedEnergyRaw", "ConsumedEnergyRaw", F_NONE}, 17},
    {{"CPUTime", "CPUTime", F_CPUTIME}, 10},
    {{"CPUTimeRAW", "CPUTimeRAW", F_CPUTIME_RAW}, 10},
    {{"DerivedExitCode", "DerivedExitCode", F_EXIT_DERIVED}, 15},
    {{"Elapsed", "Elapsed", F_ELAPSED}, 10},
    {{"ElapsedRaw", "ElapsedRaw", F_ELAPSED_RAW}, 10},
    {{"Eligible", "Eligible", F_SUBMIT}, 19},
    {{"End", "End", F_END}, 19},
    {{"ExitCode", "ExitCode", F_EXIT}, 8},
    {{"Flags", "Flags", F_NONE}, 20},
    {{"GID", "GID", F_GID}, 6},
    {{"Group", "Group", F_GROUP}, 9},
    {{"JobID", "JobID", F_ID}, 20},
    {{"JobIDRaw", "JobIDRaw", F_ID_RAW}, 20},
    {{"JobName", "JobName", F_NAME}, 10},
    {{"Layout", "Layout", F_NONE}, 9},
    {{"MaxDiskRead", "MaxDiskRead", F_NONE}, 12},
    {{"MaxDiskWrite", "MaxDiskWrite", F_NONE}, 12},
    {{"MaxPages", "MaxPages", F_NONE}, 8},
    {{"MaxRSS", "MaxRSS", F_NONE}, 10},
    {{"MaxRSSNode", "MaxRSSNode", F_NONE}, 10},
    {{"MaxRSSTask", "MaxRSSTask", F_NONE}, 10},
    {{"MaxVMSize", "MaxVMSize", F_NONE}, 10},
    {{"MinCPU", "MinCPU", F_NONE}, 10},
    {{"NCPUS", "NCPUS", F_CPUS}, 10},
    {{"NNodes", "NNodes", F_NODES}, 8},
    {{"NodeList", "NodeList", F_NODELIST}, 15},
    {{"NTasks", "NTasks", F_TASKS}, 8},
    {{"Partition", "Partition", F_PARTITION}, 10},
    {{"Planned", "Planned", F_NONE}, 10},
    {{"Priority", "Priority", F_PRIORITY}, 10},
    {{"QOS", "QOS", F_QOS}, 10},
    {{"Reason", "Reason", F_REASON}, 22},
    {{"ReqCPUS", "ReqCPUS", F_CPUS}, 8},
    {{"ReqMem", "ReqMem", F_NONE}, 10},
    {{"ReqNodes", "ReqNodes", F_NODES}, 8},
    {{"ReqTRES", "ReqTRES", F_TRES}, 10},
    {{"Reservation", "Reservation", F_NONE}, 20},
    {{"Start", "Start", F_START}, 19},
    {{"State", "State", F_STATE}, 10},
    {{"Submit", "Submit", F_SUBMIT}, 19},
    {{"SubmitLine", "SubmitLine", F_NONE}, 20},
    {{"Suspended", "Suspended", F_NONE}, 10},
    {{"SystemCPU", "SystemCPU", F_NONE}, 10},
    {{"Timelimit", "Timelimit", F_LIMIT}, 10},
    {{"TimelimitRaw", "TimelimitRaw", F_LIMIT_RAW}, 12},
    {{"TotalCPU", "TotalCPU", F_NONE}, 10},
    {{"UID", "UID", F_UID}, 6},
    {{"User", "User", F_USER}, 9},
    {{"UserCPU", "UserCPU", F_NONE}, 10},
    {{"WCKey", "WCKey", F_NONE}, 10},
    {{"WorkDir", "WorkDir", F_WORKDIR}, 20},
};

/* --- columns ------------------------------------------------------------------------------- */

void columns_add(struct columns *c, struct column column)
{
    c->v = xrealloc(c->v, (c->n + 1) * sizeof(*c->v));
    c->v[c->n++] = column;
}

void columns_fini(struct columns *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->v[i].prefix);
    free(c->v);
    free(c->suffix);
    *c = (struct columns){0};
}

void columns_parse_percent(struct columns *c, const struct slurm *s, const char *text)
{
    struct strbuf prefix = {0};
    const char *p = text;
    if (*p == '"') /* quoted once too often, as scripts do */
        p++;
    for (; *p; p++) {
        if (*p != '%') {
            if (*p != '"' || p[1])
                strbuf_addc(&prefix, *p);
            continue;
        }
        struct column column = {0};
        char *end = (char *)(uintptr_t)p + 1;
        column.right = *end == '.';
        column.width = form_width(end + column.right, &end);
        column.cut = column.width > 0;
        size_t i = 0;
        while (i < ARRAY_SIZE(letters) && letters[i].letter != *end)
            i++;
        if (i == ARRAY_SIZE(letters))
            slurm_die(s, "Invalid job format specification: %s", *end ? end : "%");
        column.field = letters[i].field;
        column.title = letters[i].title;
        column.prefix = strbuf_take(&prefix);
        columns_add(c, column);
        p = end;
    }
    c->suffix = strbuf_take(&prefix);
}

void columns_parse_long(struct columns *c, const struct slurm *s, const char *text)
{
    for (const char *p = text; *p; p += *p == ',') {
        size_t n = strcspn(p, ","), len = strcspn(p, ",:"), i = 0;
        while (i < ARRAY_SIZE(longs) &&
               (strlen(longs[i].name) != len || strncasecmp(longs[i].name, p, len) != 0))
            i++;
        if (i == ARRAY_SIZE(longs))
            slurm_die(s, "Invalid job format specification: %.*s", (int)n, p);
        struct column column = {
            .field = longs[i].field, .title = longs[i].title, .width = 20, .cut = true};
        const char *width = len < n ? p + len + 1 : "";
        if (*width == '.')
            column.right = true, width++;
        if (isdigit((unsigned char)*width))
            column.width = form_width(width, NULL);
        columns_add(c, column);
        p += n;
    }
}

void columns_parse_acct(struct columns *c, const struct slurm *s, const char *text)
{
    for (const char *p = text; *p; p += *p == ',') {
        size_t n = strcspn(p, ","), len = strcspn(p, ",%"), i = 0;
        if (n == 0)
            continue;
        /* names may be abbreviated */
        while (i < ARRAY_SIZE(accts) && (strlen(accts[i].n.name) != len ||
                                         strncasecmp(accts[i].n.name, p, len) != 0))
            i++;
        if (i == ARRAY_SIZE(accts))
            for (i = 0;
                 i < ARRAY_SIZE(accts) && strncasecmp(accts[i].n.name, p, len) != 0;)
                i++;
        if (i == ARRAY_SIZE(accts))
            slurm_die(s, "Invalid field requested: \"%.*s\"", (int)len, p);
        struct column column = {.field = accts[i].n.field,
                                .title = accts[i].n.title,
                                .width = accts[i].width,
                                .right = true,
                                .cut = true};
        if (len < n) {
            int width = form_width(p + len + 1, NULL);
            column.right = width >= 0;
            column.width = abs(width);
        }
        columns_add(c, column);
        p += n;
    }
}

void columns_print_names(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(accts); i++)
        printf("%-19s%s", accts[i].n.name,
               i % 4 == 3 || i + 1 == ARRAY_SIZE(accts) ? "\n" : " ");
}

void column_print(const struct column *c, const char *text)
{
    int precision = c->cut ? c->width : -1;
    printf(c->right ? "%*.*s" : "%-*.*s", c->width, precision, text);
}
