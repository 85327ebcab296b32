/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/gauge.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "src/cli/meter.h"
#include "src/common/strbuf.h"

#define SHOWN_AFTER 1.0 /* seconds */
#define REDRAW_EVERY 0.2

void gauge_init(struct gauge *g, const struct cli *cli, const char *unit)
{
    *g = (struct gauge){.cli = cli, .unit = unit, .start = time_mono()};
    g->on = isatty(STDERR_FILENO) && tcgetpgrp(STDERR_FILENO) == getpgrp();
}

static void add_amount(struct strbuf *b, const struct gauge *g, double n)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    size_t i = 0;
    if (g->unit) {
        strbuf_addf(b, "%.0f", n);
        return;
    }
    for (n /= 1000; n >= 1000 && i + 1 < ARRAY_SIZE(units); n /= 1000)
        i++;
    strbuf_addf(b, n < 10 && i ? "%.1f %s" : "%.0f %s", n, units[i]);
}

void gauge_show(struct gauge *g, double done, double total)
{
    struct winsize ws = {0};
    char left[METER_TIME_SIZE];
    double now = g->on ? time_mono() : 0, rate = done / MAX(now - g->start, 1e-3);
    if (!g->on || now - g->start < SHOWN_AFTER || now - g->drawn < REDRAW_EVERY)
        return;
    g->drawn = now;
    cleanup_strbuf struct strbuf b = {0};
    add_amount(&b, g, done);
    if (total > 0) {
        strbuf_add(&b, " of ");
        add_amount(&b, g, total);
    }
    strbuf_addf(&b, "%s%s, ", g->unit ? " " : "", g->unit ? g->unit : "");
    if (total > 0)
        strbuf_addf(&b, "%.0f%%, ", floor(100 * MIN(done / total, 1.0)));
    add_amount(&b, g, rate);
    strbuf_add(&b, "/s");
    if (total > done && rate > 0)
        strbuf_addf(&b, ", %s left", meter_time((total - done) / rate, left));
    int width = ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col ? ws.ws_col : 80;
    fflush(stdout);
    cleanup_free char *line =
        xasprintf("\r%.*s\033[K", width - 1, b.s); /* all of it is ASCII */
    write_all(STDERR_FILENO, line, strlen(line));
    g->shown = true;
}

void gauge_hide(struct gauge *g)
{
    if (!g->shown)
        return;
    write_all(STDERR_FILENO, "\r\033[K", 4);
    g->shown = false;
    g->drawn = 0;
}

int gauge_tick(const struct gauge *g)
{
    return g->on ? GAUGE_TICK_MS : -1;
}
