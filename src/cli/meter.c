/* SPDX-License-Identifier: BSD-3-Clause */
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "src/cli/meter.h"
#include "src/common/strbuf.h"

#define REDRAW_EVERY 0.1 /* seconds */
#define LINES_EVERY 5.0
#define RATE_OVER 5.0 /* the rate is that of about the last so many seconds */

void meter_init(struct meter *m, const struct cli *cli, bool jps)
{
    double now = time_mono();
    int fd = isatty(STDERR_FILENO)   ? STDERR_FILENO
             : isatty(STDOUT_FILENO) ? STDOUT_FILENO
                                     : -1;
    *m = (struct meter){
        .cli = cli, .on = true, .jps = jps, .fd = fd, .start = now, .sampled = now};
    if (fd < 0) /* the first line after a while */
        m->drawn = now;
}

const char *meter_time(double seconds, char buf[METER_TIME_SIZE])
{
    uint64_t s = seconds < 1e9 ? (uint64_t)ceil(MAX(seconds, 0.0)) : 1000000000u;
    if (s < 60)
        snprintf(buf, METER_TIME_SIZE, "%" PRIu64 "s", s);
    else if (s < 3600)
        snprintf(buf, METER_TIME_SIZE, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
    else if (s < 86400)
        snprintf(buf, METER_TIME_SIZE, "%" PRIu64 "h%02" PRIu64 "m", s / 3600,
                 s / 60 % 60);
    else
        snprintf(buf, METER_TIME_SIZE, "%" PRIu64 "d%02" PRIu64 "h", s / 86400,
                 s / 3600 % 24);
    return buf;
}

static void sample(struct meter *m, double now)
{
    double elapsed = now - m->sampled;
    if (elapsed < REDRAW_EVERY)
        return;
    double late = (double)(m->done - m->at_sample) / elapsed;
    double weight = m->at_sample ? 1 - exp(-elapsed / RATE_OVER) : 1;
    m->rate += weight * (late - m->rate);
    m->sampled = now;
    m->at_sample = m->done;
}

static double average(const struct meter *m, double now)
{
    return now > m->start ? (double)m->done / (now - m->start) : 0;
}

/* "" when nobody can say. */
static const char *remaining(const struct meter *m, char buf[METER_TIME_SIZE])
{
    if (!m->total || m->done >= m->total || m->rate <= 0)
        return "";
    return meter_time((double)(m->total - m->done) / m->rate, buf);
}

static void draw_bar(struct meter *m, double now, bool last)
{
    struct winsize ws = {0};
    char left[128], right[96], buf[METER_TIME_SIZE];
    int width = ioctl(m->fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col ? ws.ws_col : 80;
    double share = m->total ? (double)m->done / (double)m->total : 0;
    const char *eta = remaining(m, buf);
    int n = 0;
    snprintf(left, sizeof(left), "PD:%-4ju CD:%-4ju F:%-4ju ",
             (uintmax_t)(m->total > m->done ? m->total - m->done : 0),
             (uintmax_t)(m->done - m->failed), (uintmax_t)m->failed);
    if (m->total)
        n = snprintf(right, sizeof(right), " %5.1f%%", 100 * share);
    if (m->jps)
        n += snprintf(right + n, sizeof(right) - (size_t)n, " %6.1f job/s",
                      average(m, now));
    if (last || !*eta)
        snprintf(right + n, sizeof(right) - (size_t)n, " %s",
                 meter_time(floor(now - m->start), buf));
    else
        snprintf(right + n, sizeof(right) - (size_t)n, " %s left", eta);
    int room = width - (int)strlen(left) - (int)strlen(right) - 3;
    int full = room > 0 ? (int)(MIN(share, 1.0) * room) : 0;
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b, "\r%s[", left);
    for (int i = 0; i < room; i++)
        strbuf_addc(&b, i < full ? '=' : ' ');
    strbuf_addf(&b, "]%s\033[K%s", right, last ? "\n" : "");
    fflush(stdout);
    write_all(m->fd, b.s, b.len);
    m->shown = !last;
}

static void print_line(const struct meter *m, double now, bool last)
{
    char buf[METER_TIME_SIZE], of[48] = "", rate[48] = "", time[METER_TIME_SIZE];
    const char *eta = remaining(m, buf);
    if (m->total)
        snprintf(of, sizeof(of), " of %ju", (uintmax_t)m->total);
    if (m->jps)
        snprintf(rate, sizeof(rate), ", %.1f job/s", average(m, now));
    if (last || !*eta)
        cli_error(m->cli, "%ju%s jobs, %ju failed%s, after %s", (uintmax_t)m->done, of,
                  (uintmax_t)m->failed, rate, meter_time(floor(now - m->start), time));
    else
        cli_error(m->cli, "%ju%s jobs, %ju failed%s, %s left", (uintmax_t)m->done, of,
                  (uintmax_t)m->failed, rate, eta);
}

static void draw(struct meter *m, bool last)
{
    double now = time_mono();
    sample(m, now);
    if (!last && now - m->drawn < (m->fd < 0 ? LINES_EVERY : REDRAW_EVERY))
        return;
    m->drawn = now;
    if (m->fd < 0)
        print_line(m, now, last);
    else
        draw_bar(m, now, last);
}

void meter_draw(struct meter *m)
{
    if (m->on)
        draw(m, false);
}

void meter_hide(struct meter *m)
{
    if (!m->on || !m->shown)
        return;
    write_all(m->fd, "\r\033[K", 4);
    m->shown = false;
    m->drawn = 0;
}

void meter_end(struct meter *m)
{
    if (m->on)
        draw(m, true);
}
