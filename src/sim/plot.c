/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/sim/plot.h"

#include <math.h>
#include <stdio.h>
#include "src/common/strbuf.h"
#include "src/common/util.h"

enum {
    WIDTH = 900,
    LEFT = 70,
    RIGHT = 20,
    TOP = 40,
    HEIGHT = 200,
    GAP = 60,
    PIECES = 400
};

static const char *const colors[] = {"#1f77b4", "#d62728", "#2ca02c",
                                     "#9467bd", "#ff7f0e", "#17becf"};

/* The mean of what is at each time, over PIECES pieces from BEGIN to END. */
static void average(const struct sim_result *r, double begin, double end, bool queue,
                    double *out)
{
    double step = (end - begin) / PIECES;
    for (int i = 0; i < PIECES; i++)
        out[i] = 0;
    for (size_t i = 0; i + 1 < r->nsamples && step > 0; i++) {
        double v = queue ? (double)r->samples[i].queued : (double)r->samples[i].busy;
        double from = (r->samples[i].time - begin) / step,
               to = fmin((r->samples[i + 1].time - begin) / step, PIECES);
        for (double at = from; at < to;) {
            int piece = MIN((int)at, PIECES - 1);
            double stop = fmin(to, piece + 1);
            out[piece] += v * (stop - at);
            if (stop <= at)
                break;
            at = stop;
        }
    }
}

static void add_frame(struct strbuf *b, int top, const char *title, double max,
                      const char *unit)
{
    int right = WIDTH - RIGHT;
    strbuf_addf(b,
                "<text x=\"%d\" y=\"%d\" font-weight=\"bold\">%s</text>\n"
                "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" "
                "stroke=\"#888\"/>\n",
                LEFT, top - 8, title, LEFT, top, right - LEFT, HEIGHT);
    for (int i = 0; i <= 4; i++) {
        int y = top + HEIGHT - i * HEIGHT / 4;
        strbuf_addf(b,
                    "<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#ddd\"/>\n"
                    "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%.4g%s</text>\n",
                    LEFT, y, right, y, LEFT - 6, y + 4, max * i / 4, unit);
    }
}

static void add_curve(struct strbuf *b, int top, const double *v, double max,
                      const char *color)
{
    strbuf_addf(b, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.2\" points=\"",
                color);
    for (int i = 0; i < PIECES; i++)
        strbuf_addf(b, "%.1f,%.1f ", LEFT + (i + 0.5) * (WIDTH - LEFT - RIGHT) / PIECES,
                    top + HEIGHT - (max > 0 ? v[i] / max : 0) * HEIGHT);
    strbuf_add(b, "\"/>\n");
}

static void add_times(struct strbuf *b, int y, double length)
{
    static const struct {
        double seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "m"}, {1, "s"}};
    size_t u = 0;
    while (u + 1 < ARRAY_SIZE(units) && length < 4 * units[u].seconds)
        u++;
    for (int i = 0; i <= 4; i++) {
        strbuf_addf(b, "<text x=\"%d\" y=\"%d\" text-anchor=\"%s\">%.3g%s</text>\n",
                    LEFT + i * (WIDTH - LEFT - RIGHT) / 4, y,
                    i == 0   ? "start"
                    : i == 4 ? "end"
                             : "middle",
                    length * i / 4 / units[u].seconds, units[u].name);
    }
}

/* A quarter of it is a number of one digit and noughts. */
static double round_up(double max)
{
    static const double digits[] = {1, 2, 3, 5, 10};
    double unit = pow(10, floor(log10(fmax(max / 4, 1))));
    for (size_t i = 0; i < ARRAY_SIZE(digits); i++)
        if (4 * digits[i] * unit >= max)
            return 4 * digits[i] * unit;
    return max;
}

char *plot_svg(const struct sim_result *const *results, const char *const *names,
               size_t n, double cores)
{
    struct strbuf b = {0};
    double begin = INFINITY, end = -INFINITY, most = 1;
    int second = TOP + HEIGHT + GAP, height = second + HEIGHT + 50;
    cleanup_free double *v = xcalloc(n * 2 * PIECES + 1, sizeof(double));
    for (size_t i = 0; i < n; i++)
        if (results[i]->nsamples > 0) {
            begin = fmin(begin, results[i]->samples[0].time);
            end = fmax(end, results[i]->samples[results[i]->nsamples - 1].time);
        }
    if (end < begin)
        begin = end = 0;
    for (size_t i = 0; i < n; i++) {
        average(results[i], begin, end, false, v + 2 * i * PIECES);
        average(results[i], begin, end, true, v + (2 * i + 1) * PIECES);
        for (int k = 0; k < PIECES; k++)
            most = fmax(most, v[(2 * i + 1) * PIECES + (size_t)k]);
    }
    most = round_up(most);
    strbuf_addf(&b,
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
                "font-family=\"sans-serif\" font-size=\"12\">\n"
                "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
                WIDTH, height);
    add_frame(&b, TOP, "Utilization", 100, "%");
    add_frame(&b, second, "Waiting jobs", most, "");
    for (size_t i = 0; i < n; i++) {
        const char *color = colors[i % ARRAY_SIZE(colors)];
        add_curve(&b, TOP, v + 2 * i * PIECES, cores, color);
        add_curve(&b, second, v + (2 * i + 1) * PIECES, most, color);
        strbuf_addf(&b, "<text x=\"%zu\" y=\"%d\" fill=\"%s\">%s</text>\n",
                    LEFT + 120 + 140 * i, TOP - 8, color, names[i]);
    }
    add_times(&b, second + HEIGHT + 18, end - begin);
    strbuf_add(&b, "</svg>\n");
    return strbuf_take(&b);
}
