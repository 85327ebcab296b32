/* SPDX-License-Identifier: BSD-3-Clause */
/* The page is whole by itself: charts are SVG in it, and without its script only zooming is missing. */
#include <math.h>
#include <string.h>
#include <time.h>
#include "src/cli/format.h"
#include "src/cli/report.h"
#include "src/common/jobid.h"
#include "src/common/util.h"

enum { WIDTH = 1000, TICKS = 6, LANES = 128, GROUPS = 200, LEVELS = 10 };

struct page {
    const struct report *r;
    bool ascii;
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
                        const char *note, double height)
{
    fprintf(p->f, "<section id=\"%s\"><h2>%s</h2><p class=\"note\">", id, title);
    put(p, note);
    fprintf(p->f,
            "</p><div class=\"chart\"><svg class=\"plot\" viewBox=\"0 0 %d %.1f\" "
            "preserveAspectRatio=\"none\" style=\"height:%.0fpx\" role=\"img\" "
            "aria-label=\"%s\">\n",
            WIDTH, height, height, title);
}

static void end_chart(const struct page *p)
{
    const struct report *r = p->r;
    char text[64];
    fprintf(p->f, "</svg><div class=\"axis\">");
    for (int i = 0; i <= TICKS; i++) {
        double t = r->begin + (r->end - r->begin) * i / TICKS;
        time_t seconds = (time_t)t;
        struct tm tm;
        localtime_r(&seconds, &tm);
        strftime(text, sizeof(text),
                 r->end - r->begin > 86400 ? "%b %d %H:%M" : "%H:%M:%S", &tm);
        if (r->end - r->begin < 60)
            snprintf(text, sizeof(text), "+%.3gs", t - r->begin);
        fprintf(p->f, "<span>%s</span>", text);
    }
    fprintf(p->f, "</div></div></section>\n");
}

/* --- jobs over cores ------------------------------------------------------------------------- */

static void job_title(const struct page *p, const struct report_job *job)
{
    char id[32], run[32], wait[32];
    jobid_encode(job->id, p->ascii ? JOBID_F58_PLAIN : JOBID_F58, id, sizeof(id));
    fprintf(p->f, "<title>%s ", id);
    put(p, report_text(p->r, job->name));
    fprintf(p->f, "\n%s, %u cores on %u nodes, ran %s, waited %s",
            report_results[job->result], job->ncores, job->nnodes,
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
            "<rect class=\"r%d\" x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\">",
            job->result, x, top + first * h, MAX(end - x, 0.3), n * h);
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
                "first node's first core at the top.",
                MAX(total, h));
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

static void gantt_of_nodes(const struct page *p)
{
    const struct report *r = p->r;
    size_t lanes = MIN(r->nnodes, (size_t)LANES);
    double h = MIN(MAX(480.0 / (double)MAX(lanes, 1u), 4.0), 60.0);
    begin_chart(
        p, "gantt", "Jobs over nodes",
        "A lane is a node, or several; the darker, the more of its cores were used. With "
        "fewer jobs, single ones are shown.",
        h * (double)MAX(lanes, 1u));
    for (size_t i = 0; i < lanes; i++) {
        size_t from = i * r->nnodes / lanes, to = (i + 1) * r->nnodes / lanes;
        fprintf(p->f,
                "<rect class=\"band%zu\" x=\"0\" y=\"%.2f\" width=\"%d\" "
                "height=\"%.2f\"><title>",
                i % 2, (double)i * h, WIDTH, h);
        put(p, r->nodes[from].host);
        if (to > from + 1) {
            fprintf(p->f, " ... ");
            put(p, r->nodes[to - 1].host);
        }
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
    fprintf(p->f, "<path class=\"%s\" d=\"M0 %d", class, CURVE);
    for (int i = 0; i < REPORT_BINS; i++) {
        double y = most > 0 ? CURVE * (1 - values[i] / most) : CURVE;
        double x = (double)i * WIDTH / REPORT_BINS;
        fprintf(p->f, "L%.2f %.2fH%.2f", x, y, x + (double)WIDTH / REPORT_BINS);
    }
    fprintf(p->f, "V%dZ\"/>\n", CURVE);
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
    begin_chart(p, "utilization", "Utilization", note, CURVE);
    area(p, values, r->ncores, "used");
    end_chart(p);
}

static void throughput(const struct page *p)
{
    const struct report *r = p->r;
    double sums[REPORT_RESULTS][REPORT_BINS], width = (r->end - r->begin) / REPORT_BINS;
    char note[128];
    snprintf(note, sizeof(note),
             "Jobs that ended in a second, by result; %.4g on average, %.4g at most.",
             r->rate, r->peak_rate);
    for (int i = 0; i < REPORT_BINS; i++)
        for (int k = 0; k < REPORT_RESULTS; k++)
            sums[k][i] = r->bins[i].ended[k] / width + (k ? sums[k - 1][i] : 0);
    begin_chart(p, "throughput", "Throughput", note, CURVE);
    for (int k = REPORT_RESULTS - 2; k >= 0; k--) {
        char class[16];
        snprintf(class, sizeof(class), "r%d", k);
        area(p, sums[k], r->bin_rate, class);
    }
    end_chart(p);
}

static void waiting(const struct page *p)
{
    const struct report *r = p->r;
    double values[REPORT_BINS], most = 0, width = (r->end - r->begin) / REPORT_BINS;
    char note[128];
    for (int i = 0; i < REPORT_BINS; i++)
        most = MAX(most, values[i] = r->bins[i].waiting / width);
    snprintf(note, sizeof(note), "Jobs that waited; at most %.4g at a time.", most);
    begin_chart(p, "waiting", "Queue", note, CURVE);
    area(p, values, most, "wait");
    end_chart(p);
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
    snprintf(text, sizeof(text), "%.3g", r->busy / 3600);
    tile(p, "core-hours", text);
    snprintf(text, sizeof(text), "%.3g%%", 100 * r->utilization);
    tile(p, "of the cores used", text);
    snprintf(text, sizeof(text), "%.4g/s", r->rate);
    tile(p, "jobs ended", text);
    static const char *const names[2][3] = {
        {"median wait", "90% waited less", "longest wait"},
        {"median run time", "90% ran less", "longest run time"}};
    for (int i = 0; i < 3; i++)
        tile(p, names[0][i], format_duration(r->wait[i], a, sizeof(a)));
    for (int i = 0; i < 3; i++)
        tile(p, names[1][i], format_duration(r->runtime[i], a, sizeof(a)));
    fprintf(p->f, "</div>\n");
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
    fprintf(p->f, "<table><tr><th>Jobs</th><th>Result</th><th>Name</th><th>Reason</th>"
                  "<th>The last one</th></tr>\n");
    for (size_t i = 0; i < MIN(r->ngroups, (size_t)GROUPS); i++) {
        const struct report_group *g = &r->groups[i];
        jobid_encode(g->last, p->ascii ? JOBID_F58_PLAIN : JOBID_F58, id, sizeof(id));
        fprintf(p->f, "<tr><td>%zu</td><td><i class=\"key r%d\"></i>%s</td><td>", g->n,
                g->result, report_results[g->result]);
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

static const char style[] =
    ":root{color-scheme:light "
    "dark;--bg:#fff;--fg:#1a1a1a;--dim:#666;--line:#ddd;--band0:#f4f4f4;"
    "--band1:#ececec;--r0:#2b8a5e;--r1:#d0392b;--r2:#8a8a8a;--r3:#d98a1c;--r4:#2f6fb7}"
    "@media(prefers-color-scheme:dark){:root{--bg:#16181b;--fg:#e4e4e4;--dim:#999;--line:"
    "#333;"
    "--band0:#1e2125;--band1:#24282c;--r0:#4cb484;--r1:#ef6a5c;--r3:#e8ab4e;--r4:#6aa5e6}"
    "}"
    "body{font:14px/1.4 "
    "system-ui,sans-serif;background:var(--bg);color:var(--fg);margin:2em auto;"
    "max-width:1100px;padding:0 "
    "1em}h1{font-size:1.5em;margin:0}h2{font-size:1.1em;margin:1.6em 0 0}"
    ".note{color:var(--dim);margin:.1em 0 "
    ".4em}.tiles{display:flex;flex-wrap:wrap;gap:.6em;margin:1em 0}"
    ".tile{border:1px solid var(--line);border-radius:4px;padding:.4em "
    ".8em;min-width:6em}"
    ".tile b{display:block;font-size:1.25em}.tile span{color:var(--dim)}"
    ".key{display:inline-block;width:.7em;height:.7em;margin-right:.35em;border-radius:"
    "2px}"
    ".plot{display:block;width:100%;border:1px solid var(--line);box-sizing:border-box}"
    ".axis{display:flex;justify-content:space-between;color:var(--dim);font-size:.85em}"
    ".band0{fill:var(--band0)}.band1{fill:var(--band1)}.heat,.used{fill:var(--r4)}.wait{"
    "fill:var(--r2)}"
    ".r0{fill:var(--r0);background:var(--r0)}.r1{fill:var(--r1);background:var(--r1)}"
    ".r2{fill:var(--r2);background:var(--r2)}.r3{fill:var(--r3);background:var(--r3)}"
    ".r4{fill:var(--r4);background:var(--r4)}#gantt "
    "rect:not([class^=band]):hover{stroke:var(--fg);"
    "vector-effect:non-scaling-stroke}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.25em .6em;border-bottom:1px solid "
    "var(--line);vertical-align:top}";

/* The wheel zooms in time, dragging moves, a double click shows all: in all charts together. */
static const char script[] =
    "(function(){'use strict';var "
    "W=1000,x=0,w=W,plots=[].slice.call(document.querySelectorAll('.plot')),"
    "axes=[].slice.call(document.querySelectorAll('.axis')),"
    "t0=+document.body.dataset.begin,t1=+document.body.dataset.end;"
    "function two(n){return(n<10?'0':'')+n}"
    "function label(t){var s=(t1-t0)*w/W;if(s<60)return'+'+(t-t0).toPrecision(4)+'s';"
    "var d=new "
    "Date(t*1e3),c=two(d.getHours())+':'+two(d.getMinutes())+':'+two(d.getSeconds());"
    "return s>86400?(d.getMonth()+1)+'-'+d.getDate()+' '+c:c}"
    "function show(){w=Math.min(Math.max(w,W/1e5),W);x=Math.min(Math.max(x,0),W-w);"
    "plots.forEach(function(p){var v=p.getAttribute('viewBox').split(' ');"
    "p.setAttribute('viewBox',x+' 0 '+w+' '+v[3])});"
    "axes.forEach(function(a){var n=a.children.length-1;for(var i=0;i<=n;i++)"
    "a.children[i].textContent=label(t0+(t1-t0)*(x+w*i/n)/W)})}"
    "plots.forEach(function(p){var from=null;"
    "p.addEventListener('wheel',function(e){e.preventDefault();var "
    "b=p.getBoundingClientRect(),"
    "f=(e.clientX-b.left)/"
    "b.width,at=x+f*w;w*=e.deltaY<0?0.8:1.25;w=Math.min(w,W);x=at-f*w;show()},"
    "{passive:false});"
    "p.addEventListener('pointerdown',function(e){from={at:e.clientX,x:x};p."
    "setPointerCapture(e.pointerId)});"
    "p.addEventListener('pointermove',function(e){if(from){x=from.x-(e.clientX-from.at)/"
    "p.getBoundingClientRect()"
    ".width*w;show()}});p.addEventListener('pointerup',function(){from=null});"
    "p.addEventListener('dblclick',function(){x=0;w=W;show()})});"
    "document.body.dataset.ready='yes'})();";

void report_html(const struct report *r, const char *title, const char *about, bool ascii,
                 FILE *f)
{
    const struct page p = {r, ascii, f};
    bool single = false;
    for (size_t i = 0; i < r->njobs; i++)
        single |= r->jobs[i].r != NULL;
    fprintf(f, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
               "<meta name=\"viewport\" content=\"width=device-width\"><title>");
    put(&p, title);
    fprintf(f, "</title>\n<style>%s</style></head>\n", style);
    fprintf(f, "<body data-begin=\"%.6f\" data-end=\"%.6f\">\n<h1>", r->begin, r->end);
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
    failures(&p);
    fprintf(f,
            "<p class=\"note\">Wheel: zoom in time. Drag: move. Double click: all.</p>\n"
            "<script>%s</script></body></html>\n",
            script);
}
