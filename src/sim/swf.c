/* SPDX-License-Identifier: BSD-3-Clause */
/* swf: the Standard Workload Format, version 2, of the Parallel Workloads Archive. */
#include "src/sim/load.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <string.h>
#include "src/common/util.h"

enum { NUMBER, SUBMIT, WAIT, RUN, PROCS, REQ_PROCS = 7, REQ_TIME = 8, FIELDS = 18 };

/* As far as is needed here, times are below 10,000 years. */
#define TIME_MAX 3.2e11

static void read_comment(struct load *l, const char *line)
{
    static const char nodes[] = "MaxNodes:", procs[] = "MaxProcs:";
    const char *at = line + strspn(line, "; \t");
    unsigned *to = strncmp(at, nodes, strlen(nodes)) == 0   ? &l->max_nodes
                   : strncmp(at, procs, strlen(procs)) == 0 ? &l->max_procs
                                                            : NULL;
    if (!to)
        return;
    long n = strtol(strchr(at, ':') + 1, NULL, 10);
    if (n > 0 && n <= INT_MAX)
        *to = (unsigned)n;
}

/* Return how many numbers there are, or -1 with *BAD at what is none. */
static int read_fields(char *line, double *fields, const char **bad)
{
    int n = 0;
    char *save = NULL;
    for (char *w = strtok_r(line, " \t\r", &save); w;
         w = strtok_r(NULL, " \t\r", &save)) {
        char *end;
        double v = strtod(w, &end);
        *bad = w;
        if (*end || !isfinite(v))
            return -1;
        if (n < FIELDS)
            fields[n] = v;
        n++;
    }
    return n;
}

static void read_record(struct load *l, char *line, unsigned number)
{
    double f[FIELDS];
    const char *bad = "";
    int n = read_fields(line, f, &bad);
    if (n == 0)
        return;
    if (n < 0) {
        load_break(l, number, "'%.40s' is not a number", bad);
        return;
    }
    if (n != FIELDS) {
        load_break(l, number, "%d fields; a record has %d", n, FIELDS);
        return;
    }
    double procs = f[REQ_PROCS] > 0 ? f[REQ_PROCS] : f[PROCS];
    if (f[SUBMIT] < 0 || f[SUBMIT] > TIME_MAX || f[RUN] > TIME_MAX ||
        f[REQ_TIME] > TIME_MAX) {
        load_break(l, number, "a time is not possible: submitted at %.0f, run for %.0f",
                   f[SUBMIT], f[RUN]);
        return;
    }
    if (procs > INT_MAX || procs != floor(procs)) {
        load_break(l, number, "%g processors are not possible", procs);
        return;
    }
    if (f[RUN] < 0 || procs <= 0) {
        l->unused++;
        return;
    }
    struct load_job *j = load_add(l);
    j->submit = f[SUBMIT];
    j->run = f[RUN];
    j->limit = f[REQ_TIME] > 0 ? f[REQ_TIME] : j->run;
    l->overran += j->run > j->limit;
    j->limit = fmax(fmax(j->limit, j->run), 1);
    j->line = number;
    j->req.shape = (struct job_shape){
        .nslots = (unsigned)procs, .cores_per_slot = 1, .tasks_per_slot = 1};
}

struct load *load_swf(const char *text)
{
    struct load *l = xcalloc(1, sizeof(*l));
    unsigned number = 1;
    for (const char *at = text; *at; number++) {
        size_t n = strcspn(at, "\n");
        cleanup_free char *line = xstrndup(at, n);
        if (line[strspn(line, " \t")] == ';')
            read_comment(l, line);
        else
            read_record(l, line, number);
        at += n + (at[n] == '\n');
    }
    load_sort(l);
    return l;
}
