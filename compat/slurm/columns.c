/* SPDX-License-Identifier: BSD-3-Clause */
#include "compat/slurm/columns.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "compat/slurm/forms.h"

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
    {'c', F_ONE, "MIN_CPUS"},
    {'C', F_CPUS, "CPUS"},
    {'d', F_ZERO, "MIN_TMP_DISK"},
    {'D', F_NODES, "NODES"},
    {'e', F_END, "END_TIME"},
    {'E', F_NULL, "DEPENDENCY"},
    {'f', F_NULL, "FEATURES"},
    {'F', F_ARRAY_JOB, "ARRAY_JOB_ID"},
    {'g', F_GROUP, "GROUP"},
    {'G', F_GID, "GROUP"},
    {'h', F_SHARED, "OVER_SUBSCRIBE"},
    {'H', F_ANY, "SOCKETS_PER_NODE"},
    {'i', F_ID, "JOBID"},
    {'I', F_ANY, "CORES_PER_SOCKET"},
    {'j', F_NAME, "NAME"},
    {'J', F_ANY, "THREADS_PER_CORE"},
    {'k', F_NULL, "COMMENT"},
    {'K', F_ARRAY_TASK, "ARRAY_TASK_ID"},
    {'l', F_LIMIT, "TIME_LIMIT"},
    {'L', F_LEFT, "TIME_LEFT"},
    {'m', F_ZERO, "MIN_MEMORY"},
    {'M', F_TIME, "TIME"},
    {'n', F_NONE, "REQ_NODES"},
    {'N', F_NODELIST, "NODELIST"},
    {'o', F_COMMAND, "COMMAND"},
    {'O', F_ZERO, "CONTIGUOUS"},
    {'p', F_PRIORITY, "PRIORITY"},
    {'P', F_PARTITION, "PARTITION"},
    {'q', F_QOS, "QOS"},
    {'Q', F_PRIORITY, "PRIORITY"},
    {'r', F_REASON, "REASON"},
    {'R', F_PLACE, "NODELIST(REASON)"},
    {'s', F_NONE, "SELECT_JOBINFO"},
    {'S', F_START, "START_TIME"},
    {'t', F_STATE_COMPACT, "ST"},
    {'T', F_STATE, "STATE"},
    {'u', F_USER, "USER"},
    {'U', F_UID, "USER"},
    {'v', F_NULL, "RESERVATION"},
    {'V', F_SUBMIT, "SUBMIT_TIME"},
    {'w', F_NULL, "WCKEY"},
    {'W', F_NULL, "LICENSES"},
    {'x', F_NONE, "EXC_NODES"},
    {'X', F_NA, "CORE_SPEC"},
    {'y', F_ZERO, "NICE"},
    {'Y', F_NULL, "SCHEDNODES"},
    {'z', F_ANY3, "S:C:T"},
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
    {"BatchFlag", "BATCH_FLAG", F_ONE},
    {"BatchHost", "EXEC_HOST", F_FIRST_NODE},
    {"Cluster", "CLUSTER", F_CLUSTER},
    {"Command", "COMMAND", F_COMMAND},
    {"Comment", "COMMENT", F_NULL},
    {"Contiguous", "CONTIGUOUS", F_ZERO},
    {"Cores", "CORES_PER_SOCKET", F_ANY},
    {"cpus-per-task", "CPUS_PER_TASK", F_NA},
    {"Dependency", "DEPENDENCY", F_NULL},
    {"EligibleTime", "ELIGIBLE_TIME", F_SUBMIT},
    {"EndTime", "END_TIME", F_END},
    {"Exit_Code", "EXIT_CODE", F_EXIT},
    {"Feature", "FEATURES", F_NULL},
    {"Gres", "TRES_PER_NODE", F_NA},
    {"GroupID", "GROUP", F_GID},
    {"GroupName", "GROUP", F_GROUP},
    {"JobArrayID", "JOBID", F_ID},
    {"JobID", "JOBID", F_ID_RAW},
    {"Licenses", "LICENSES", F_NULL},
    {"MaxCPUs", "MAX_CPUS", F_ZERO},
    {"MaxNodes", "MAX_NODES", F_ZERO},
    {"MinCPUs", "MIN_CPUS", F_ONE},
    {"MinMemory", "MIN_MEMORY", F_ZERO},
    {"MinTmpDisk", "MIN_TMP_DISK", F_ZERO},
    {"Name", "NAME", F_NAME},
    {"Nice", "NICE", F_ZERO},
    {"NodeList", "NODELIST", F_NODELIST},
    {"NumCPUs", "CPUS", F_CPUS},
    {"NumNodes", "NODES", F_NODES},
    {"NumTasks", "TASKS", F_TASKS},
    {"OverSubscribe", "OVER_SUBSCRIBE", F_SHARED},
    {"Partition", "PARTITION", F_PARTITION},
    {"Priority", "PRIORITY", F_PRIORITY},
    {"PriorityLong", "PRIORITY", F_PRIORITY},
    {"QOS", "QOS", F_QOS},
    {"Reason", "REASON", F_REASON},
    {"ReasonList", "NODELIST(REASON)", F_PLACE},
    {"Reboot", "REBOOT", F_ZERO},
    {"ReqNodes", "REQ_NODES", F_NONE},
    {"Requeue", "REQUEUE", F_ONE},
    {"Reservation", "RESERVATION", F_NULL},
    {"RestartCnt", "RESTART_COUNT", F_ZERO},
    {"SchedNodes", "SCHEDNODES", F_NULL},
    {"SCT", "S:C:T", F_ANY3},
    {"StartTime", "START_TIME", F_START},
    {"State", "STATE", F_STATE},
    {"StateCompact", "ST", F_STATE_COMPACT},
    {"SubmitTime", "SUBMIT_TIME", F_SUBMIT},
    {"Threads", "THREADS_PER_CORE", F_ANY},
    {"TimeLeft", "TIME_LEFT", F_LEFT},
    {"TimeLimit", "TIME_LIMIT", F_LIMIT},
    {"TimeUsed", "TIME", F_TIME},
    {"tres", "TRES_ALLOC", F_TRES},
    {"tres-alloc", "TRES_ALLOC", F_TRES},
    {"tres-per-job", "TRES_PER_JOB", F_NA},
    {"tres-per-node", "TRES_PER_NODE", F_NA},
    {"tres-per-task", "TRES_PER_TASK", F_NA},
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

/* As Slurm: of what is not known there is no column, and all else is shown. */
static void complain(const struct slurm *s, const char *text, size_t len)
{
    slurm_error(s, "Invalid job format specification: %.*s", (int)len, text);
}

/* An id that is cut is that of another job. */
static bool may_cut(enum field f)
{
    return f != F_ID && f != F_ID_RAW && f != F_ARRAY_JOB;
}

enum field columns_letter(char letter)
{
    for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
        if (letters[i].letter == letter)
            return letters[i].field;
    return F_NONE;
}

void columns_parse_percent(struct columns *c, const struct slurm *s, const char *text)
{
    static const char all[] =
        "%a|%b|%c|%d|%e|%f|%g|%h|%i|%j|%k|%l|%m|%n|%o|%p|%q|%r|%s|%t|"
        "%u|%v|%w|%x|%y|%z|%A|%B|%C|%D|%E|%F|%G|%H|%I|%J|%K|%L|%M|%N|"
        "%O|%P|%Q|%R|%S|%T|%U|%V|%W|%X|%Y|%Z";
    struct strbuf prefix = {0};
    const char *p = strcmp(text, "%all") == 0 ? all : text;
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
        size_t i = 0;
        while (i < ARRAY_SIZE(letters) && letters[i].letter != *end)
            i++;
        if (i == ARRAY_SIZE(letters)) {
            complain(s, *end ? end : "%", 1);
            strbuf_addn(&prefix, p, (size_t)(end - p) + (*end != '\0'));
            p = *end ? end : end - 1;
            continue;
        }
        column.field = letters[i].field;
        column.title = letters[i].title;
        column.cut = column.width > 0 && may_cut(column.field);
        column.prefix = strbuf_take(&prefix);
        columns_add(c, column);
        p = end;
    }
    c->suffix = strbuf_take(&prefix);
}

/* NAME[:[.][WIDTH][SUFFIX]] */
void columns_parse_long(struct columns *c, const struct slurm *s, const char *text)
{
    cleanup_strbuf struct strbuf suffix = {0};
    for (const char *p = text; *p; p += *p == ',') {
        size_t n = strcspn(p, ","), len = strcspn(p, ",:"), i = 0;
        const char *end = p + n;
        while (i < ARRAY_SIZE(longs) &&
               (strlen(longs[i].name) != len || strncasecmp(longs[i].name, p, len) != 0))
            i++;
        if (i == ARRAY_SIZE(longs)) {
            complain(s, p, len);
            p = end;
            continue;
        }
        struct column column = {.field = longs[i].field,
                                .title = longs[i].title,
                                .width = len < n ? 0 : 20,
                                .prefix = xstrdup(suffix.s ? suffix.s : "")};
        const char *width = len < n ? p + len + 1 : end;
        suffix.len = 0;
        if (suffix.s)
            *suffix.s = '\0';
        if (*width == '.')
            column.right = true, width++;
        if (isdigit((unsigned char)*width)) {
            column.width = form_width(width, NULL);
            width += strspn(width, "0123456789");
        }
        strbuf_addn(&suffix, width, (size_t)(end - width));
        column.cut = column.width > 0 && may_cut(column.field);
        columns_add(c, column);
        p = end;
    }
    c->suffix = strbuf_take(&suffix);
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
    bool runs_on = !c->cut && !c->right && c->width > 0 && (int)strlen(text) >= c->width;
    printf(c->right ? "%*.*s" : "%-*.*s", c->width, precision, text);
    if (runs_on) /* into the next one */
        putchar(' ');
}
