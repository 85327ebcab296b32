/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include "src/cli/format.h"
#include "src/cli/report.h"
#include "src/common/util.h"

enum { COLUMNS = 60, GROUPS = 10 };

/* VALUES, [REPORT_BINS], as COLUMNS bars of a line; the highest is MOST. */
static void print_bars(const char *name, const double *values, double most,
                       const char *unit, bool utf8, FILE *f)
{
    static const char *const bars[2][9] = {{" ", ".", ".", ":", ":", "=", "=", "#", "#"},
                                           {" ", "\u2581", "\u2582", "\u2583", "\u2584",
                                            "\u2585", "\u2586", "\u2587", "\u2588"}};
    fprintf(f, "%-12s|", name);
    for (int i = 0; i < COLUMNS; i++) {
        int from = i * REPORT_BINS / COLUMNS, to = (i + 1) * REPORT_BINS / COLUMNS;
        double sum = 0;
        for (int k = from; k < to; k++)
            sum += values[k];
        double level = most > 0 ? sum / (to - from) / most * 8 : 0;
        int bar = sum > 0 ? MIN(MAX((int)(level + 0.5), 1), 8) : 0;
        fputs(bars[utf8][bar], f);
    }
    fprintf(f, "| %.4g%s\n", most, unit);
}

void report_print(const struct report *r, const char *title, bool utf8, FILE *f)
{
    char a[32], b[32], c[32];
    double values[REPORT_BINS], most = 0, width = (r->end - r->begin) / REPORT_BINS;
    fprintf(f, "%s\n%zu jobs in %s:", title, r->njobs,
            format_duration(r->njobs ? r->end - r->begin : 0, a, sizeof(a)));
    for (int i = 0; i < REPORT_RESULTS; i++)
        fprintf(f, "%s %zu %s", i ? "," : "", r->count[i], report_results[i]);
    fprintf(f, "\nnodes %zu, cores %u, used %.3g core-hours, %.3g%% of what there was\n",
            r->nnodes, r->ncores, r->busy / 3600, 100 * r->utilization);
    fprintf(f, "%.4g jobs/s, at most %.4g\n", r->rate, r->peak_rate);
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
            values[i] += r->bins[i].ended[k] / width;
        most = MAX(most, values[i]);
    }
    print_bars("jobs ended", values, most, "/s", utf8, f);
    most = 0;
    for (int i = 0; i < REPORT_BINS; i++)
        most = MAX(most, values[i] = r->bins[i].waiting / width);
    print_bars("jobs waiting", values, most, "", utf8, f);
    for (size_t i = 0; i < MIN(r->ngroups, (size_t)GROUPS); i++)
        fprintf(f, "%s%7zu %-9s %-20.20s %s\n", i ? "" : "\nNot completed:\n",
                r->groups[i].n, report_results[r->groups[i].result],
                report_text(r, r->groups[i].name), report_text(r, r->groups[i].reason));
    if (r->ngroups > GROUPS)
        fprintf(f, "        and %zu kinds more\n", r->ngroups - GROUPS);
}
