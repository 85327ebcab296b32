/* SPDX-License-Identifier: BSD-3-Clause */
/* The page is whole by itself: charts are SVG in it.  What its script (report.js) adds is zooming, what is under the
 * pointer, and names on the bars. */
#include <math.h>
#include <string.h>
#include <time.h>
#include "src/cli/format.h"
#include "src/cli/report.h"
#include "src/common/jobid.h"
#include "src/common/util.h"

enum { WIDTH = 1000, LANES = 128, GROUPS = 200, NAMES = 20, LEVELS = 10 };

struct page {
    const struct report *r;
    bool ascii;
    long zone; /* seconds east of UTC */
    FILE *f;
};

/* TEXT as HTML. */
static void put(const struct page *p, const char *text)
{
    for (; *text; text++)
        if (*text == '<')
            fputs("&lt;", p->f);
        else if (*text == '>')
            fputs("&gt;", p->f);
        else if (*text == '&')
            fputs("&amp;", p->f);
        else if (*text == '"')
            fputs("&quot;", p->f);
        else if ((unsigned char)*text >= ' ' || *text == '\t')
            fputc(*text, p->f);
        else
            fputc('?', p->f);
}

static double x_of(const struct report *r, double t)
{
    return (t - r->begin) / (r->end - r->begin) * WIDTH;
}

/* --- frames ---------------------------------------------------------------------------------- */

static void begin_chart(const struct page *p, const char *id, const char *title,
                        const char *note)
{
    fprintf(p->f, "<section id=\"%s\"><h2>%s</h2><p class=\"note\">", id, title);
    put(p, note);
    fprintf(p->f, "</p>\n");
}

/* What stands left of the chart follows: spans. */
static void begin_gutter(const struct page *p)
{
    fprintf(p->f, "<div class=\"chart\"><div class=\"gutter\" aria-hidden=\"true\">");
}

static void begin_plot(const struct page *p, const char *label, double height)
{
    fprintf(p->f,
            "</div><div class=\"frame\"><svg class=\"plot\" viewBox=\"0 0 %d %.1f\" "
            "preserveAspectRatio=\"none\" style=\"height:%.1fpx\" role=\"img\" "
            "aria-label=\"",
            WIDTH, height, height);
    put(p, label);
    fprintf(p->f, "\">\n");
}

/* Seconds between two marks of an axis of SPAN seconds, so that there are some seven; the script has the same. */
static double step_of(double span)
{
    static const double steps[] = {60,   120,  300,   600,   900,   1800,
                                   3600, 7200, 10800, 21600, 43200, 86400};
    double least = span / 7;
    for (size_t i = 0; least > 30 && i < ARRAY_SIZE(steps); i++)
        if (steps[i] >= least)
            return steps[i];
    if (least > 30)
        return ceil(least / 86400) * 86400;
    double power = pow(10, floor(log10(least))), over = least / power * 0.999999;
    return power * (over <= 1 ? 1 : over <= 2 ? 2 : over <= 5 ? 5 : 10);
}

static void mark(const struct page *p, double t, double step)
{
    const struct report *r = p->r;
    char text[64];
    time_t seconds = (time_t)floor(t + 0.5) + p->zone;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    if (r->end - r->begin < 60)
        snprintf(text, sizeof(text), "+%.*fs", (int)MAX(0.0, -floor(log10(step) + 1e-9)),
                 t - r->begin);
    else if (r->end - r->begin > 86400)
        strftime(text, sizeof(text), "%b %d %H:%M", &tm);
    else
        strftime(text, sizeof(text), step < 60 ? "%H:%M:%S" : "%H:%M", &tm);
    fprintf(p->f, "<span style=\"left:%.3f%%\">%s</span>", x_of(r, t) * 100 / WIDTH,
            text);
}

static void end_chart(const struct page *p)
{
    const struct report *r = p->r;
    double span = r->end - r->begin, step = step_of(span),
           base = span < 60 ? r->begin : -(double)p->zone;
    fprintf(p->f, "</svg></div><div class=\"axis\">");
    for (double i = ceil((r->begin - base) / step - 1e-6);
         base + i * step <= r->begin + span * 1.000001; i++)
        mark(p, base + i * step, step);
    fprintf(p->f, "</div></div></section>\n");
}

/* The results that there are, by colour. */
static void legend(const struct page *p)
{
    fprintf(p->f, "<p class=\"legend\">");
    for (int i = 0; i < REPORT_RESULTS; i++)
        if (p->r->count[i])
            fprintf(p->f, "<span><i class=\"key r%d\"></i>%s</span>", i,
                    report_results[i]);
    fprintf(p->f, "</p>\n");
}

/* --- jobs over cores ------------------------------------------------------------------------- */

static void job_title(const struct page *p, const struct report_job *job)
{
    char id[32], run[32], wait[32];
    jobid_encode(job->id, p->ascii ? JOBID_F58_PLAIN : JOBID_F58, id, sizeof(id));
    fprintf(p->f, "<title>%s ", id);
    put(p, report_text(p->r, job->name));
    fprintf(p->f, "\n%s, %u core%s on %u node%s, ran %s, waited %s",
            report_results[job->result], job->ncores, job->ncores == 1 ? "" : "s",
            job->nnodes, job->nnodes == 1 ? "" : "s",
            format_duration(report_end(p->r, job) - job->run, run, sizeof(run)),
            format_duration(MAX(job->run - job->submit, 0.0), wait, sizeof(wait)));
    if (*report_text(p->r, job->reason)) {
        fputc('\n', p->f);
        put(p, report_text(p->r, job->reason));
    }
    fprintf(p->f, "</title>");
}

/* JOB's cores from FIRST on, N of them, of the node whose first core is at row TOP. */
static void job_bar(const struct page *p, const struct report_job *job, double top,
                    unsigned first, unsigned n, double h)
{
    double x = x_of(p->r, job->run), end = x_of(p->r, report_end(p->r, job));
    fprintf(p->f,
            "<rect class=\"r%d\" data-j=\"%zu\" data-k=\"%u\" x=\"%.2f\" y=\"%.2f\" "
            "width=\"%.2f\" height=\"%.2f\">",
            job->result, (size_t)(job - p->r->jobs), job->name, x, top + first * h,
            MAX(end - x, 0.3), n * h);
    job_title(p, job);
    fprintf(p->f, "</rect>\n");
}

static void job_bars(const struct page *p, const struct report_job *job,
                     const double *tops, double h)
{
    for (size_t i = 0; job->r && i < job->r->nnodes; i++) {
        const struct rset_node *node = &job->r->nodes[i];
        int row = report_row(p->r, node->rank), first = hwloc_bitmap_first(node->cores);
        while (row >= 0 && first >= 0) {
            int end = hwloc_bitmap_next_unset(node->cores, first);
            end = end < 0 ? first + 1 : end;
            job_bar(p, job, tops[row], (unsigned)first, (unsigned)(end - first), h);
            first = hwloc_bitmap_next(node->cores, end - 1);
        }
    }
}

/* The names of the nodes, where they are not too close to each other. */
static void hosts(const struct page *p, const double *tops, double total)
{
    double last = -100;
    for (size_t i = 0; i < p->r->nnodes; i++) {
        double bottom = i + 1 < p->r->nnodes ? tops[i + 1] : total;
        double middle = (tops[i] + bottom) / 2;
        if (middle - last < 15)
            continue;
        last = middle;
        fprintf(p->f, "<span style=\"top:%.1fpx\">", middle);
        put(p, p->r->nodes[i].host);
        fprintf(p->f, "</span>");
    }
}

static void bands(const struct page *p, const double *tops, double total)
{
    for (size_t i = 0; i < p->r->nnodes; i++) {
        double bottom = i + 1 < p->r->nnodes ? tops[i + 1] : total;
        fprintf(p->f,
                "<rect class=\"band%zu\" x=\"0\" y=\"%.2f\" width=\"%d\" "
                "height=\"%.2f\"><title>",
                i % 2, tops[i], WIDTH, bottom - tops[i]);
        put(p, p->r->nodes[i].host);
        fprintf(p->f, ", %u cores</title></rect>\n", p->r->nodes[i].ncores);
    }
}

static void gantt_of_jobs(const struct page *p)
{
    const struct report *r = p->r;
    double h = MIN(MAX(640.0 / MAX(r->ncores, 1u), 1.5), 18.0), total = 0;
    cleanup_free double *tops = xcalloc(r->nnodes + 1, sizeof(*tops));
    for (size_t i = 0; i < r->nnodes; i++) {
        tops[i] = total;
        total += r->nodes[i].ncores * h;
    }
    begin_chart(p, "gantt", "Jobs over cores",
                "A bar is a job on the cores that it had, from the "
                "first node's first core at the top.");
    legend(p);
    begin_gutter(p);
    hosts(p, tops, total);
    begin_plot(p, "Jobs over cores and time; hbatch jobs -a lists them", MAX(total, h));
    bands(p, tops, total);
    for (size_t i = 0; i < r->njobs; i++)
        job_bars(p, &r->jobs[i], tops, h);
    end_chart(p);
}

/* Rows FROM to TO as one lane: how much of their cores is used, in LEVELS. */
static void heat_lane(const struct page *p, size_t from, size_t to, double y, double h)
{
    const struct report *r = p->r;
    int before = 0, start = 0;
    for (int i = 0; i <= REPORT_BINS; i++) {
        double used = 0, all = 0;
        for (size_t k = from; i < REPORT_BINS && k < to; k++) {
            used += (double)r->heat[k * REPORT_BINS + (size_t)i] * r->nodes[k].ncores;
            all += r->nodes[k].ncores;
        }
        int level = used > 0 ? MIN(MAX((int)lround(used / all * LEVELS), 1), LEVELS) : 0;
        if (i < REPORT_BINS && level == before)
            continue;
        if (before)
            fprintf(p->f,
                    "<rect class=\"heat\" fill-opacity=\"%.1f\" x=\"%.2f\" y=\"%.2f\" "
                    "width=\"%.2f\" height=\"%.2f\"/>\n",
                    (double)before / LEVELS, (double)start * WIDTH / REPORT_BINS, y,
                    (double)(i - start) * WIDTH / REPORT_BINS, h);
        before = level;
        start = i;
    }
}

static void lane_hosts(const struct page *p, size_t from, size_t to)
{
    put(p, p->r->nodes[from].host);
    if (to > from + 1) {
        fprintf(p->f, " ... ");
        put(p, p->r->nodes[to - 1].host);
    }
}

static void gantt_of_nodes(const struct page *p)
{
    const struct report *r = p->r;
    size_t lanes = MIN(r->nnodes, (size_t)LANES);
    double h = MIN(MAX(480.0 / (double)MAX(lanes, 1u), 4.0), 60.0), last = -100;
    begin_chart(
        p, "gantt", "Jobs over nodes",
        "A lane is a node, or several; the darker, the more of its cores were "
        "used. With fewer jobs, or a higher --single-jobs, single ones are shown.");
    begin_gutter(p);
    for (size_t i = 0; i < lanes; i++) {
        double middle = ((double)i + 0.5) * h;
        if (middle - last < 15)
            continue;
        last = middle;
        fprintf(p->f, "<span style=\"top:%.1fpx\">", middle);
        lane_hosts(p, i * r->nnodes / lanes, (i + 1) * r->nnodes / lanes);
        fprintf(p->f, "</span>");
    }
    begin_plot(p, "How much of each node's cores was used over time",
               h * (double)MAX(lanes, 1u));
    for (size_t i = 0; i < lanes; i++) {
        size_t from = i * r->nnodes / lanes, to = (i + 1) * r->nnodes / lanes;
        fprintf(p->f,
                "<rect class=\"band%zu\" x=\"0\" y=\"%.2f\" width=\"%d\" "
                "height=\"%.2f\"><title>",
                i % 2, (double)i * h, WIDTH, h);
        lane_hosts(p, from, to);
        fprintf(p->f, "</title></rect>\n");
        heat_lane(p, from, to, (double)i * h, h);
    }
    end_chart(p);
}

/* --- curves ---------------------------------------------------------------------------------- */

enum { CURVE = 120 };

/* The area below VALUES, [REPORT_BINS], between 0 and MOST. */
static void area(const struct page *p, const double *values, double most,
                 const char *class)
{
    double before = -1;
    fprintf(p->f, "<path class=\"%s\" d=\"M0 %d", class, CURVE);
    for (int i = 0; i < REPORT_BINS; i++) {
        double y = most > 0 ? CURVE * (1 - values[i] / most) : CURVE;
        if (fabs(y - before) >= 0.01)
            fprintf(p->f, "H%.1fV%.2f", (double)i * WIDTH / REPORT_BINS, y);
        before = y;
    }
    fprintf(p->f, "H%dV%dZ\"/>\n", WIDTH, CURVE);
}

/* A chart of curves from 0 to MOST UNITs; they follow. */
static void begin_curves(const struct page *p, const char *id, const char *title,
                         const char *note, double most, const char *unit)
{
    char a[32], b[32];
    begin_chart(p, id, title, note);
    begin_gutter(p);
    fprintf(
        p->f,
        "<span class=\"top\" style=\"top:0\">%s%s</span>"
        "<span style=\"top:50%%\">%s</span><span class=\"bottom\" style=\"top:100%%\">"
        "0</span>",
        report_number(most, a, sizeof(a)), unit, report_number(most / 2, b, sizeof(b)));
    cleanup_free char *label = xasprintf("%s over time. %s", title, note);
    begin_plot(p, label, CURVE);
}

static void end_curves(const struct page *p)
{
    fprintf(p->f, "<path class=\"grid\" d=\"M0 %dH%dM0 %dH%dM0 %dH%d\"/>", CURVE / 4,
            WIDTH, CURVE / 2, WIDTH, CURVE * 3 / 4, WIDTH);
    end_chart(p);
}

static void utilization(const struct page *p)
{
    const struct report *r = p->r;
    double values[REPORT_BINS], width = (r->end - r->begin) / REPORT_BINS;
    char note[128];
    snprintf(note, sizeof(note), "Cores that jobs had, of %u; %.3g%% of all time.",
             r->ncores, 100 * r->utilization);
    for (int i = 0; i < REPORT_BINS; i++)
        values[i] = MIN(r->bins[i].busy / width, (double)r->ncores);
    begin_curves(p, "utilization", "Utilization", note, r->ncores,
                 r->ncores == 1 ? " core" : " cores");
    area(p, values, r->ncores, "used");
    end_curves(p);
}

static void throughput(const struct page *p)
{
    const struct report *r = p->r;
    double sums[REPORT_RESULTS][REPORT_BINS];
    char note[160], a[32], b[32];
    snprintf(note, sizeof(note),
             "Jobs that ended in a second, by result; %s on average, %s at most.",
             report_number(r->rate, a, sizeof(a)),
             report_number(r->peak_rate, b, sizeof(b)));
    for (int i = 0; i < REPORT_BINS; i++)
        for (int k = 0; k < REPORT_RESULTS; k++)
            sums[k][i] = r->bins[i].rate[k] + (k ? sums[k - 1][i] : 0);
    begin_curves(p, "throughput", "Throughput", note, r->peak_rate, " /s");
    for (int k = REPORT_RESULTS - 2; k >= 0; k--) {
        char class[16];
        snprintf(class, sizeof(class), "r%d", k);
        if (r->count[k])
            area(p, sums[k], r->peak_rate, class);
    }
    end_curves(p);
}

static void waiting(const struct page *p)
{
    const struct report *r = p->r;
    double values[REPORT_BINS], most = 0, width = (r->end - r->begin) / REPORT_BINS;
    char note[128], a[32];
    for (int i = 0; i < REPORT_BINS; i++)
        most = MAX(most, values[i] = r->bins[i].waiting / width);
    snprintf(note, sizeof(note), "Jobs that waited; at most %s at a time.",
             report_number(most, a, sizeof(a)));
    begin_curves(p, "waiting", "Queue", note, most, most == 1 ? " job" : " jobs");
    area(p, values, most, "wait");
    end_curves(p);
}

/* The curves in numbers, for the script. */
static void data(const struct page *p)
{
    const struct report *r = p->r;
    static const char *const keys[] = {"used", "ended", "waiting"};
    double width = (r->end - r->begin) / REPORT_BINS;
    fprintf(p->f, "<script type=\"application/json\" id=\"data\">{\"cores\":%u",
            r->ncores);
    for (int k = 0; k < 3; k++) {
        fprintf(p->f, ",\n\"%s\":[", keys[k]);
        for (int i = 0; i < REPORT_BINS; i++) {
            const struct report_bin *bin = &r->bins[i];
            double rate = 0;
            for (int j = 0; j < REPORT_RESULTS; j++)
                rate += bin->rate[j];
            fprintf(p->f, "%s%.4g", i ? "," : "",
                    k == 0   ? MIN(bin->busy / width, (double)r->ncores)
                    : k == 1 ? rate
                             : bin->waiting / width);
        }
        fputc(']', p->f);
    }
    fprintf(p->f, "}</script>\n");
}

/* --- numbers --------------------------------------------------------------------------------- */

static void tile(const struct page *p, const char *name, const char *value)
{
    fprintf(p->f, "<div class=\"tile\"><b>%s</b><span>%s</span></div>\n", value, name);
}

static void tiles(const struct page *p)
{
    const struct report *r = p->r;
    char text[64], a[32];
    fprintf(p->f, "<div class=\"tiles\">\n");
    snprintf(text, sizeof(text), "%zu", r->njobs);
    tile(p, "jobs", text);
    for (int i = 0; i < REPORT_RESULTS; i++) {
        if (r->count[i] == 0)
            continue;
        snprintf(text, sizeof(text), "<i class=\"key r%d\"></i>%zu", i, r->count[i]);
        tile(p, report_results[i], text);
    }
    tile(p, "core time", report_core_time(r->busy, a, sizeof(a)));
    snprintf(text, sizeof(text), "%.3g%%", 100 * r->utilization);
    tile(p, "utilization", text);
    snprintf(text, sizeof(text), "%s /s", report_number(r->rate, a, sizeof(a)));
    tile(p, "jobs ended", text);
    static const char *const names[2][3] = {
        {"median wait", "wait of 90%", "longest wait"},
        {"median run", "run of 90%", "longest run"}};
    for (int i = 0; i < 3; i++)
        tile(p, names[0][i], format_duration(r->wait[i], a, sizeof(a)));
    for (int i = 0; i < 3; i++)
        tile(p, names[1][i], format_duration(r->runtime[i], a, sizeof(a)));
    fprintf(p->f, "</div>\n");
}

static void names(const struct page *p)
{
    const struct report *r = p->r;
    char busy[32], mean[32], longest[32];
    if (r->nnames == 0)
        return;
    fprintf(p->f, "<section id=\"names\"><h2>Jobs by name</h2>\n<table><tr><th>Name</th>"
                  "<th class=\"n\">Jobs</th><th class=\"n\">Completed</th><th "
                  "class=\"n\">Core time"
                  "</th><th class=\"n\">Share</th><th class=\"n\">Ran on average</th><th "
                  "class=\"n\">At most</th></tr>\n");
    for (size_t i = 0; i < MIN(r->nnames, (size_t)NAMES); i++) {
        const struct report_name *n = &r->names[i];
        size_t over = n->n - n->count[REPORT_RESULTS - 1];
        fprintf(p->f, "<tr><td>");
        put(p, report_text(r, n->name));
        fprintf(p->f,
                "</td><td class=\"n\">%zu</td><td class=\"n\">%zu</td><td "
                "class=\"n\">%s</td>"
                "<td class=\"n\">%.1f%%</td><td class=\"n\">%s</td><td "
                "class=\"n\">%s</td></tr>\n",
                n->n, n->count[0], report_core_time(n->busy, busy, sizeof(busy)),
                r->busy > 0 ? 100 * n->busy / r->busy : 0,
                over ? format_duration(n->total / (double)over, mean, sizeof(mean)) : "-",
                over ? format_duration(n->longest, longest, sizeof(longest)) : "-");
    }
    fprintf(p->f, "</table>");
    if (r->nnames > NAMES)
        fprintf(p->f, "<p class=\"note\">and %zu names more</p>", r->nnames - NAMES);
    fprintf(p->f, "</section>\n");
}

static void failures(const struct page *p)
{
    const struct report *r = p->r;
    char id[32];
    fprintf(p->f, "<section id=\"failures\"><h2>Jobs that did not complete</h2>\n");
    if (r->ngroups == 0) {
        fprintf(p->f, "<p class=\"note\">None.</p></section>\n");
        return;
    }
    fprintf(
        p->f,
        "<table><tr><th class=\"n\">Jobs</th><th>Result</th><th>Name</th><th>Reason</th>"
        "<th>The last one</th></tr>\n");
    for (size_t i = 0; i < MIN(r->ngroups, (size_t)GROUPS); i++) {
        const struct report_group *g = &r->groups[i];
        jobid_encode(g->last, p->ascii ? JOBID_F58_PLAIN : JOBID_F58, id, sizeof(id));
        fprintf(p->f,
                "<tr><td class=\"n\">%zu</td><td><i class=\"key r%d\"></i>%s</td><td>",
                g->n, g->result, report_results[g->result]);
        put(p, report_text(r, g->name));
        fprintf(p->f, "</td><td>");
        put(p, report_text(r, g->reason));
        fprintf(p->f, "</td><td>%s</td></tr>\n", id);
    }
    fprintf(p->f, "</table>");
    if (r->ngroups > GROUPS)
        fprintf(p->f, "<p class=\"note\">and %zu kinds more</p>", r->ngroups - GROUPS);
    fprintf(p->f, "</section>\n");
}

/* --- the page -------------------------------------------------------------------------------- */

static void put_lines(const struct page *p, const char *const *lines)
{
    for (; *lines; lines++)
        fputs(*lines, p->f);
}

/* The time zone of the middle: the clocks of a page do not change within it. */
static long zone_of(const struct report *r)
{
    time_t t = (time_t)((r->begin + r->end) / 2);
    struct tm tm;
    localtime_r(&t, &tm);
    return tm.tm_gmtoff;
}

void report_html(const struct report *r, const char *title, const char *about, bool ascii,
                 FILE *f)
{
    const struct page p = {r, ascii, zone_of(r), f};
    bool single = false;
    for (size_t i = 0; i < r->njobs; i++)
        single |= r->jobs[i].r != NULL;
    fprintf(f, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
               "<meta name=\"viewport\" content=\"width=device-width\"><title>");
    put(&p, title);
    fprintf(f, "</title>\n<style>\n");
    put_lines(&p, report_style);
    fprintf(f,
            "</style></head>\n<body data-begin=\"%.6f\" data-end=\"%.6f\" "
            "data-zone=\"%ld\">\n<h1>",
            r->begin, r->end, p.zone);
    put(&p, title);
    fprintf(f, "</h1><p class=\"note\">");
    put(&p, about);
    fprintf(f, "</p>\n");
    tiles(&p);
    if (single || r->njobs == 0)
        gantt_of_jobs(&p);
    else
        gantt_of_nodes(&p);
    utilization(&p);
    throughput(&p);
    waiting(&p);
    names(&p);
    failures(&p);
    data(&p);
    fprintf(f, "<script>\n");
    put_lines(&p, report_script);
    fprintf(f, "</script></body></html>\n");
}
