/* SPDX-License-Identifier: BSD-3-Clause */
/* lublin: loads by the model of Lublin and Feitelson.
 *
 * Sizes: a part of the jobs is serial, most of the others have a power of two; the logarithm of a size is
 * uniform in two stages.  Run times: their logarithm is a mixture of two gamma distributions, and larger jobs
 * are longer.  Arrivals: the logarithm of the time between two is of a gamma distribution at rush hour, and
 * a gamma distribution over the day says how fast time goes in each half hour. */
#include "src/sim/load.h"

#include <math.h>
#include "src/common/util.h"

static const double serial_share = 0.244, power2_share = 0.576, size_low = 0.8,
                    size_middle_below_high = 2.5, size_low_share = 0.86;
static const double run_a1 = 4.2, run_b1 = 0.94, run_a2 = 312, run_b2 = 0.03,
                    run_p_slope = -0.0054, run_p = 0.78, run_log_max = 12;
static const double gap_a = 10.2303, gap_b = 0.4871, gap_all_day = 1.0225,
                    gap_log_max = 13;
static const double day_a = 8.1737, day_b = 3.9631;
enum { HALF_HOURS = 48, HALF_HOUR = 1800, DAY_BEGINS = 11 };

struct model {
    uint64_t seed;
    double weights[HALF_HOURS]; /* how much of the arrivals comes in each, 1 on average */
    double points, reminder;    /* of the time to the next arrival */
    int half_hour;
    double time;
};

/* Above 0 and below 1: splitmix64. */
static double uniform(struct model *m)
{
    uint64_t z = (m->seed += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return ((double)((z ^ (z >> 31)) >> 12) + 0.5) / 4503599627370496.0;
}

static double normal(struct model *m)
{
    return sqrt(-2 * log(uniform(m))) * cos(2 * M_PI * uniform(m));
}

/* By Marsaglia and Tsang; A is above 1. */
static double gamma_of(struct model *m, double a, double b)
{
    double d = a - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = normal(m), v = 1 + c * x;
        if (v <= 0)
            continue;
        v = v * v * v;
        if (log(uniform(m)) < 0.5 * x * x + d - d * v + d * log(v))
            return b * d * v;
    }
}

/* The share of a gamma distribution that is below X: the series, which converges for all X. */
static double gamma_below(double x, double a, double b)
{
    x /= b;
    if (x <= 0)
        return 0;
    double term = 1 / a, sum = term;
    for (double k = a + 1; term > sum * 1e-15; k++)
        sum += term *= x / k;
    return sum * exp(a * log(x) - x - lgamma(a));
}

static void make_day(struct model *m)
{
    double sum = 0;
    for (int i = DAY_BEGINS; i < DAY_BEGINS + HALF_HOURS; i++) {
        double w =
            gamma_below(i + 0.5, day_a, day_b) - gamma_below(i - 0.5, day_a, day_b);
        m->weights[(i - 1) % HALF_HOURS] = w;
        sum += w;
    }
    for (int i = 0; i < HALF_HOURS; i++)
        m->weights[i] *= HALF_HOURS / sum;
}

static double next_arrival(struct model *m)
{
    double gap;
    do
        gap = gamma_of(m, gap_a * gap_all_day, gap_b);
    while (gap > gap_log_max);
    m->points += exp(gap) / HALF_HOUR;
    double passed = -m->reminder;
    while (m->points > m->weights[m->half_hour]) {
        m->points -= m->weights[m->half_hour];
        m->half_hour = (m->half_hour + 1) % HALF_HOURS;
        passed += 1;
    }
    m->reminder = m->points / m->weights[m->half_hour];
    m->time += HALF_HOUR * (passed + m->reminder);
    return floor(m->time);
}

static unsigned size_of_job(struct model *m, unsigned nnodes)
{
    double high = log2(nnodes), middle = fmax(high - size_middle_below_high, size_low);
    double u = uniform(m), v = uniform(m);
    if (u <= serial_share || nnodes == 1)
        return 1;
    double from = v <= size_low_share ? size_low : middle,
           to = v <= size_low_share ? middle : high;
    double log_size = from + (to - from) * uniform(m);
    if (u <= serial_share + power2_share)
        log_size = floor(log_size + 0.5);
    return (unsigned)fmin(fmax(floor(exp2(log_size) + 0.5), 1), nnodes);
}

static double time_of_job(struct model *m, unsigned size)
{
    double p = fmin(fmax(run_p_slope * size + run_p, 0), 1), log_time;
    do
        log_time =
            uniform(m) <= p ? gamma_of(m, run_a1, run_b1) : gamma_of(m, run_a2, run_b2);
    while (log_time > run_log_max);
    return floor(exp(log_time));
}

struct load *load_lublin(size_t njobs, unsigned nnodes, uint64_t seed)
{
    struct model m = {.seed = seed};
    struct load *l = xcalloc(1, sizeof(*l));
    make_day(&m);
    for (size_t i = 0; i < njobs; i++) {
        struct load_job *j = load_add(l);
        unsigned size = size_of_job(&m, nnodes);
        j->submit = next_arrival(&m);
        j->run = time_of_job(&m, size);
        j->limit = fmax(j->run, 1);
        j->line = (unsigned)i + 1;
        j->req.shape =
            (struct job_shape){.nslots = size, .cores_per_slot = 1, .tasks_per_slot = 1};
    }
    l->max_nodes = l->max_procs = nnodes;
    return l;
}
