/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/format.h"
#include "src/cli/report.h"
#include "src/common/util.h"

enum { COLUMNS = 60, GROUPS = 10 };

/* VALUES, [REPORT_BINS], as COLUMNS bars of a line; MOST is a full one, 0: the highest of them is. */
static void print_bars(const char *name, const double *values, double most,
                       const char *unit, bool utf8, FILE *f)
{
    static const char *const bars[2][9] = {{" ", ".", ".", ":", ":", "=", "=", "#", "#"},
                                           {" ", "\u2581", "\u2582", "\u2583", "\u2584",
                                            "\u2585", "\u2586", "\u2587", "\u2588"}};
    double columns[COLUMNS] = {0}, highest = 0;
    char number[32];
    for (int i = 0; i < COLUMNS; i++) {
        int from = i * REPORT_BINS / COLUMNS, to = (i + 1) * REPORT_BINS / COLUMNS;
        for (int k = from; k < to; k++)
            columns[i] += values[k] / (to - from);
        highest = MAX(highest, columns[i]);
    }
    most = most > 0 ? most : highest;
    fprintf(f, "%-12s|", name);
    for (int i = 0; i < COLUMNS; i++) {
        double level = most > 0 ? columns[i] / most * 8 : 0;
        int bar = columns[i] > 0 ? MIN(MAX((int)(level + 0.5), 1), 8) : 0;
        fputs(bars[utf8][bar], f);
    }
    fprintf(f, "| %s%s\n", report_number(most, number, sizeof(number)), unit);
}

void report_print(const struct report *r, const char *title, bool utf8, FILE *f)
{
    char a[32], b[32], c[32];
    double values[REPORT_BINS], width = (r->end - r->begin) / REPORT_BINS;
    fprintf(f, "%s\n%zu jobs in %s:", title, r->njobs,
            format_duration(r->njobs ? r->end - r->begin : 0, a, sizeof(a)));
    for (int i = 0; i < REPORT_RESULTS; i++)
        fprintf(f, "%s %zu %s", i ? "," : "", r->count[i], report_results[i]);
    fprintf(f, "\nnodes %zu, cores %u, used %s of core time, %.3g%% of what there was\n",
            r->nnodes, r->ncores, report_core_time(r->busy, a, sizeof(a)),
            100 * r->utilization);
    fprintf(f, "%s jobs/s, at most %s\n", report_number(r->rate, a, sizeof(a)),
            report_number(r->peak_rate, b, sizeof(b)));
    fprintf(f, "waited: median %s, 90%% %s, longest %s\n",
            format_duration(r->wait[0], a, sizeof(a)),
            format_duration(r->wait[1], b, sizeof(b)),
            format_duration(r->wait[2], c, sizeof(c)));
    fprintf(f, "ran:    median %s, 90%% %s, longest %s\n",
            format_duration(r->runtime[0], a, sizeof(a)),
            format_duration(r->runtime[1], b, sizeof(b)),
            format_duration(r->runtime[2], c, sizeof(c)));
    if (r->njobs == 0)
        return;
    for (int i = 0; i < REPORT_BINS; i++)
        values[i] = r->bins[i].busy / width;
    print_bars("cores used", values, MAX(r->ncores, 1u), "", utf8, f);
    for (int i = 0; i < REPORT_BINS; i++) {
        values[i] = 0;
        for (int k = 0; k < REPORT_RESULTS; k++)
            values[i] += r->bins[i].rate[k];
    }
    print_bars("jobs ended", values, 0, "/s", utf8, f);
    for (int i = 0; i < REPORT_BINS; i++)
        values[i] = r->bins[i].waiting / width;
    print_bars("jobs waiting", values, 0, "", utf8, f);
    for (size_t i = 0; i < MIN(r->ngroups, (size_t)GROUPS); i++)
        fprintf(f, "%s%7zu %-9s %-20.20s %s\n", i ? "" : "\nNot completed:\n",
                r->groups[i].n, report_results[r->groups[i].result],
                report_text(r, r->groups[i].name), report_text(r, r->groups[i].reason));
    if (r->ngroups > GROUPS)
        fprintf(f, "        and %zu kinds more\n", r->ngroups - GROUPS);
}
