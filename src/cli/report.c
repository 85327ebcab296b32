/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/report.h"

#include <math.h>
#include <string.h>
#include "src/cli/cli.h"
#include "src/cli/format.h"
#include "src/cli/jobfields.h"
#include "src/common/idset.h"
#include "src/common/util.h"

const char *const report_results[REPORT_RESULTS] = {"completed", "failed", "canceled",
                                                    "timeout", "running"};

/* --- jobs ------------------------------------------------------------------------------------ */

static unsigned number_of(struct report *r, const char *text)
{
    json_object *known;
    if (json_object_object_get_ex(r->numbers, text, &known))
        return (unsigned)json_object_get_int(known);
    r->texts = xrealloc(r->texts, (r->ntexts + 1) * sizeof(*r->texts));
    r->texts[r->ntexts] = xstrdup(text);
    json_object_object_add(r->numbers, text, json_object_new_int((int)r->ntexts));
    return (unsigned)r->ntexts++;
}

const char *report_text(const struct report *r, unsigned number)
{
    return r->texts[number];
}

static int result_of(json_object *job)
{
    const char *result = cli_get_string(job, "result", "");
    for (int i = 0; i < REPORT_RESULTS; i++)
        if (strcasecmp(report_results[i], result) == 0)
            return i;
    return REPORT_RESULTS - 1;
}

/* Why it did not complete, in the words of hbatch jobs -o endreason. */
static unsigned reason_of(struct report *r, json_object *job)
{
    struct jobitem item = {job, true, r->now};
    for (size_t i = 0; i < jobfields_n; i++) {
        struct format_value v = {0};
        if (strcmp(jobfields[i].name, "inactive_reason") != 0)
            continue;
        jobfields[i].get(&item, &jobfields[i], &v);
        unsigned n = number_of(r, v.text ? v.text : "");
        free(v.made);
        return n;
    }
    return number_of(r, "");
}

json_object *report_keys(void)
{
    static const char *const keys[] = {
        "id",         "name",   "state",  "result", "t_submit", "t_run",    "t_cleanup",
        "t_inactive", "ncores", "nnodes", "ranks",  "status",   "exception"};
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
        json_object_array_add(list, json_object_new_string(keys[i]));
    return list;
}

void report_add(struct report *r, json_object *job)
{
    int result = result_of(job);
    double run = cli_get_number(job, "t_run", 0);
    bool over = strcmp(cli_get_string(job, "state", ""), "INACTIVE") == 0;
    if (!over && run <= 0)
        return; /* it waits */
    if (r->njobs == r->room) {
        r->room = MAX(r->room * 2, 1024u);
        r->jobs = xrealloc(r->jobs, r->room * sizeof(*r->jobs));
    }
    double end = cli_get_number(job, "t_cleanup", 0);
    if (over && (end <= 0 || end < run))
        end = MAX(cli_get_number(job, "t_inactive", 0), run);
    r->jobs[r->njobs++] = (struct report_job){
        .id = json_object_get_uint64(cli_get(job, "id")),
        .submit = cli_get_number(job, "t_submit", 0),
        .run = run,
        .end = over ? end : 0,
        .ncores = run > 0 ? (unsigned)cli_get_number(job, "ncores", 0) : 0,
        .nnodes = (unsigned)cli_get_number(job, "nnodes", 0),
        .name = number_of(r, cli_get_string(job, "name", "")),
        .reason = result > 0 && over ? reason_of(r, job) : number_of(r, ""),
        .ranks = number_of(r, cli_get_string(job, "ranks", "")),
        .result = over ? result : REPORT_RESULTS - 1,
    };
}

double report_end(const struct report *r, const struct report_job *job)
{
    return job->end > 0 ? job->end : r->now;
}

char *report_number(double value, char *buf, size_t size)
{
    snprintf(buf, size, value >= 100 ? "%.0f" : "%.3g", value);
    return buf;
}

char *report_core_time(double seconds, char *buf, size_t size)
{
    char number[32];
    if (seconds < 3600)
        return format_duration(seconds, buf, size);
    snprintf(buf, size, "%s h", report_number(seconds / 3600, number, sizeof(number)));
    return buf;
}

/* --- nodes ----------------------------------------------------------------------------------- */

int report_row(const struct report *r, unsigned rank)
{
    if (rank < r->nnodes &&
        r->nodes[rank].rank == rank) /* as it is, but after nodes have left */
        return (int)rank;
    for (size_t i = 0; i < r->nnodes; i++)
        if (r->nodes[i].rank == rank)
            return (int)i;
    return -1;
}

struct report *report_create(json_object *resources, double now)
{
    struct report *r = xcalloc(1, sizeof(*r));
    json_object *nodes = cli_get(resources, "nodes");
    r->now = now;
    r->numbers = json_object_new_object();
    r->nnodes =
        json_object_is_type(nodes, json_type_array) ? json_object_array_length(nodes) : 0;
    r->nodes = xcalloc(r->nnodes + 1, sizeof(*r->nodes));
    for (size_t i = 0; i < r->nnodes; i++) {
        json_object *node = json_object_array_get_idx(nodes, i);
        r->nodes[i] = (struct report_node){(unsigned)cli_get_number(node, "rank", 0),
                                           cli_get_count(node, "cores"),
                                           xstrdup(cli_get_string(node, "host", ""))};
        r->ncores += r->nodes[i].ncores;
    }
    return r;
}

void report_destroy(struct report *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->ntexts; i++)
        free(r->texts[i]);
    for (size_t i = 0; i < r->nnodes; i++)
        free(r->nodes[i].host);
    for (size_t i = 0; i < r->njobs; i++)
        rset_destroy(r->jobs[i].r);
    json_object_put(r->numbers);
    free(r->texts);
    free(r->nodes);
    free(r->jobs);
    free(r->bins);
    free(r->heat);
    free(r->groups);
    free(r->names);
    free(r);
}

/* --- bins ------------------------------------------------------------------------------------ */

struct stretch {        /* of bins */
    double first, last; /* in bins, not whole */
};

static struct stretch stretch_of(const struct report *r, double from, double to)
{
    double scale = REPORT_BINS / (r->end - r->begin);
    return (struct stretch){MAX((from - r->begin) * scale, 0.0),
                            MIN((to - r->begin) * scale, (double)REPORT_BINS)};
}

/* How much of bin I is in S. */
static double share(struct stretch s, int i)
{
    return MAX(MIN(s.last, i + 1.0) - MAX(s.first, (double)i), 0.0);
}

static int bin_at(const struct report *r, double t)
{
    int i = (int)((t - r->begin) / (r->end - r->begin) * REPORT_BINS);
    return MIN(MAX(i, 0), REPORT_BINS - 1);
}

/* A job's part of its nodes' cores, as if all of its nodes had equally many. */
static void heat(struct report *r, const struct report_job *job,
                 hwloc_const_bitmap_t ranks, struct stretch s)
{
    int rank, n = hwloc_bitmap_weight(ranks);
    hwloc_bitmap_foreach_begin(rank, ranks)
    {
        int row = report_row(r, (unsigned)rank);
        if (row < 0 || r->nodes[row].ncores == 0)
            continue;
        double part = (double)job->ncores / n / r->nodes[row].ncores;
        for (int i = (int)s.first; i < REPORT_BINS && i < s.last; i++)
            r->heat[(size_t)row * REPORT_BINS + (size_t)i] += (float)(part * share(s, i));
    }
    hwloc_bitmap_foreach_end();
}

static void fill_bins(struct report *r, hwloc_bitmap_t *sets)
{
    double width = (r->end - r->begin) / REPORT_BINS;
    for (size_t k = 0; k < r->njobs; k++) {
        const struct report_job *job = &r->jobs[k];
        struct stretch w =
            stretch_of(r, job->submit, job->run > 0 ? job->run : report_end(r, job));
        for (int i = (int)w.first; i < REPORT_BINS && i < w.last; i++)
            r->bins[i].waiting += share(w, i) * width;
        if (job->end > 0)
            r->bins[bin_at(r, job->end)].ended[job->result]++;
        if (job->run <= 0)
            continue;
        struct stretch s = stretch_of(r, job->run, report_end(r, job));
        for (int i = (int)s.first; i < REPORT_BINS && i < s.last; i++)
            r->bins[i].busy += share(s, i) * width * job->ncores;
        r->busy += (report_end(r, job) - job->run) * job->ncores;
        if (!sets[job->ranks])
            sets[job->ranks] = idset_decode(r->texts[job->ranks], NULL);
        if (sets[job->ranks])
            heat(r, job, sets[job->ranks], s);
    }
}

static void find_extent(struct report *r)
{
    r->begin = INFINITY;
    r->end = -INFINITY;
    for (size_t i = 0; i < r->njobs; i++) {
        r->begin = MIN(r->begin, r->jobs[i].submit);
        r->end = MAX(r->end, report_end(r, &r->jobs[i]));
    }
    if (r->njobs == 0)
        r->begin = r->end = r->now;
    if (r->end - r->begin < 1e-3)
        r->end = r->begin + 1e-3;
}

/* --- groups and quantiles -------------------------------------------------------------------- */

static int compare_numbers(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void quantiles(double *values, size_t n, double *out)
{
    qsort(values, n, sizeof(*values), compare_numbers);
    for (int i = 0; i < 3; i++)
        out[i] = n ? values[MIN((size_t)((double)n * (i == 0   ? 0.5
                                                      : i == 1 ? 0.9
                                                               : 1)),
                                n - 1)]
                   : 0;
}

static void find_quantiles(struct report *r)
{
    cleanup_free double *waits = xcalloc(r->njobs + 1, sizeof(*waits)),
                        *times = xcalloc(r->njobs + 1, sizeof(*times));
    size_t n = 0, m = 0;
    for (size_t i = 0; i < r->njobs; i++) {
        const struct report_job *job = &r->jobs[i];
        if (job->run <= 0)
            continue;
        waits[n++] = MAX(job->run - job->submit, 0.0);
        if (job->end > 0)
            times[m++] = MAX(job->end - job->run, 0.0);
    }
    quantiles(waits, n, r->wait);
    quantiles(times, m, r->runtime);
}

static int compare_jobs(const void *a, const void *b)
{
    const struct report_job *x = *(struct report_job *const *)a,
                            *y = *(struct report_job *const *)b;
    if (x->result != y->result)
        return x->result - y->result;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    if (x->reason != y->reason)
        return x->reason < y->reason ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static int compare_groups(const void *a, const void *b)
{
    const struct report_group *x = a, *y = b;
    return (x->n < y->n) - (x->n > y->n);
}

static void find_groups(struct report *r)
{
    cleanup_free struct report_job **list =
        xcalloc(r->njobs + 1, sizeof(struct report_job *));
    size_t n = 0;
    for (size_t i = 0; i < r->njobs; i++)
        if (r->jobs[i].result > 0 && r->jobs[i].result < REPORT_RESULTS - 1)
            list[n++] = &r->jobs[i];
    qsort(list, n, sizeof(*list), compare_jobs);
    for (size_t i = 0; i < n; i++) {
        struct report_group *g = r->ngroups ? &r->groups[r->ngroups - 1] : NULL;
        if (!g || g->name != list[i]->name || g->reason != list[i]->reason ||
            g->result != list[i]->result) {
            r->groups = xrealloc(r->groups, (r->ngroups + 1) * sizeof(*r->groups));
            g = &r->groups[r->ngroups++];
            *g = (struct report_group){list[i]->name, list[i]->reason, list[i]->result, 0,
                                       0};
        }
        g->n++;
        g->last = list[i]->id;
    }
    if (r->ngroups)
        qsort(r->groups, r->ngroups, sizeof(*r->groups), compare_groups);
}

static int compare_names(const void *a, const void *b)
{
    const struct report_name *x = a, *y = b;
    if (x->busy != y->busy)
        return x->busy < y->busy ? 1 : -1;
    return (x->n < y->n) - (x->n > y->n);
}

static void find_names(struct report *r)
{
    cleanup_free size_t *where = xcalloc(r->ntexts + 1, sizeof(*where)); /* + 1 */
    for (size_t i = 0; i < r->njobs; i++) {
        const struct report_job *job = &r->jobs[i];
        if (where[job->name] == 0) {
            if ((r->nnames & (r->nnames - 1)) == 0) /* full */
                r->names =
                    xrealloc(r->names, MAX(2 * r->nnames, (size_t)1) * sizeof(*r->names));
            r->names[r->nnames++] = (struct report_name){.name = job->name};
            where[job->name] = r->nnames;
        }
        struct report_name *name = &r->names[where[job->name] - 1];
        double ran = job->run > 0 ? report_end(r, job) - job->run : 0;
        name->n++;
        name->count[job->result]++;
        name->busy += ran * job->ncores;
        if (job->end > 0) {
            name->total += ran;
            name->longest = MAX(name->longest, ran);
        }
    }
    if (r->nnames)
        qsort(r->names, r->nnames, sizeof(*r->names), compare_names);
}

/* Sums over a second (or a tenth of all, if that is less) about each bin, as far as there is one: a bin alone may be
 * less than the time between two jobs. */
static void find_rates(struct report *r, double width)
{
    int n = MIN(MAX((int)ceil(1 / width), 1), REPORT_BINS / 10);
    unsigned sum[REPORT_RESULTS] = {0};
    for (int i = 0; i < REPORT_BINS; i++) { /* the last bin of a window */
        unsigned all = 0;
        int from = i + 1 == n ? 0 : i - n / 2, /* the bins that it is about */
            to = i + 1 == REPORT_BINS ? REPORT_BINS : i - n / 2 + 1;
        for (int k = 0; k < REPORT_RESULTS; k++) {
            sum[k] += r->bins[i].ended[k];
            sum[k] -= i >= n ? r->bins[i - n].ended[k] : 0;
            all += sum[k];
            for (int at = from; i + 1 >= n && at < to; at++)
                r->bins[at].rate[k] = sum[k] / (n * width);
        }
        if (i + 1 >= n)
            r->peak_rate = MAX(r->peak_rate, all / (n * width));
    }
}

void report_finish(struct report *r)
{
    find_extent(r);
    r->bins = xcalloc(REPORT_BINS, sizeof(*r->bins));
    r->heat = xcalloc((r->nnodes + 1) * REPORT_BINS, sizeof(*r->heat));
    cleanup_free hwloc_bitmap_t *sets = xcalloc(r->ntexts + 1, sizeof(*sets));
    fill_bins(r, sets);
    for (size_t i = 0; i < r->ntexts; i++)
        hwloc_bitmap_free(sets[i]);
    double span = r->end - r->begin, width = span / REPORT_BINS;
    for (size_t i = 0; i < r->njobs; i++)
        r->count[r->jobs[i].result]++;
    size_t ended = r->njobs - r->count[REPORT_RESULTS - 1];
    r->rate = (double)ended / span;
    r->utilization = r->ncores ? r->busy / span / r->ncores : 0;
    find_rates(r, width);
    find_quantiles(r);
    find_groups(r);
    find_names(r);
}
