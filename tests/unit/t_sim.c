/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulator: reading traces, the model's statistics, and what comes of FCFS and EASY on equal
 * processors against a program of a few lines that only counts them. */
#include "src/sim/sim.h"

#include <math.h>
#include <string.h>
#include "src/common/util.h"
#include "src/sim/plot.h"
#include "tests/unit/unit.h"

START_TEST(swf)
{
    struct load *l = load_swf("; MaxNodes: 8\n;MaxProcs:\t16\n\n"
                              "1 50 3 10 2 -1 -1 4 20 -1 1 1 1 1 1 1 -1 -1\n"
                              "2 40 -1 10 2 -1 -1 -1 -1 -1 1 1 1 1 1 1 -1 -1\r\n"
                              "3 60 -1 30 1 -1 -1 1 20 -1 1 1 1 1 1 1 -1 -1\n"
                              "4 60 -1 -1 1 -1 -1 1 20 -1 5 1 1 1 1 1 -1 -1");
    ck_assert_uint_eq(l->max_nodes, 8);
    ck_assert_uint_eq(l->max_procs, 16);
    ck_assert_uint_eq(l->njobs, 3);
    ck_assert_uint_eq(l->unused, 1);
    ck_assert_uint_eq(l->overran, 1);
    ck_assert_uint_eq(l->nbroken, 0);
    ck_assert_uint_eq(l->jobs[0].line, 5); /* in order of submission */
    ck_assert_uint_eq(l->jobs[0].req.shape.nslots, 2);
    ck_assert(l->jobs[0].limit == 10 && l->jobs[1].limit == 20 && l->jobs[2].limit == 30);
    ck_assert_uint_eq(l->jobs[1].req.shape.nslots, 4);
    load_destroy(l);
    load_destroy(NULL);
}
END_TEST

START_TEST(rejects)
{
    static const struct {
        const char *line, *why;
    } table[] = {
        {"1 2 3", "3 fields"},
        {"1 0 -1 10 2 -1 -1 4 20 -1 1 1 1 1 1 1 -1 -1 7", "19 fields"},
        {"1 0 -1 x 2 -1 -1 4 20 -1 1 1 1 1 1 1 -1 -1", "'x'"},
        {"1 0 -1 nan 2 -1 -1 4 20 -1 1 1 1 1 1 1 -1 -1", "'nan'"},
        {"1 -5 -1 1 2 -1 -1 4 20 -1 1 1 1 1 1 1 -1 -1", "time"},
        {"1 5 -1 1 2 -1 -1 4 2e20 -1 1 1 1 1 1 1 -1 -1", "time"},
        {"1 5 -1 1 2 -1 -1 4e10 20 -1 1 1 1 1 1 1 -1 -1", "4e+10 processors"},
        {"{\"submit\":0}", "jobspec"},
        {"{\"submit\":-1,\"jobspec\":{}}", "submit"},
        {"{\"submit\":0,\"runtime\":\"a\",\"jobspec\":{}}", "runtime"},
        {"{\"submit\":0,\"urgency\":99,\"jobspec\":{}}", "urgency"},
        {"{", "not a JSON object"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct load *l = load_text(table[i].line);
        ck_assert_uint_eq(l->njobs, 0);
        ck_assert_uint_eq(l->nbroken, 1);
        ck_assert_uint_eq(l->broken[0].line, 1);
        ck_assert_msg(strstr(l->broken[0].why, table[i].why), "%s: %s", table[i].line,
                      l->broken[0].why);
        load_destroy(l);
    }
}
END_TEST

/* The shares and means that the model's parameters say, within what 20,000 samples allow. */
START_TEST(lublin)
{
    enum { N = 20000, NODES = 256 };
    struct load *l = load_lublin(N, NODES, 3), *same = load_lublin(100, NODES, 3),
                *other = load_lublin(100, NODES, 4);
    size_t serial = 0, power2 = 0, differ = 0;
    for (size_t i = 0; i < N; i++) {
        unsigned n = l->jobs[i].req.shape.nslots;
        ck_assert(n >= 1 && n <= NODES);
        ck_assert(l->jobs[i].run >= 0 && l->jobs[i].run <= exp(12));
        ck_assert(i == 0 || l->jobs[i].submit >= l->jobs[i - 1].submit);
        serial += n == 1;
        power2 += n > 1 && (n & (n - 1)) == 0;
    }
    ck_assert_double_eq_tol((double)serial / N, 0.245, 0.02); /* a few round to one */
    ck_assert_double_ge((double)power2 / N, 0.55);
    for (size_t i = 0; i < 100; i++) {
        ck_assert(same->jobs[i].run == l->jobs[i].run);
        ck_assert(same->jobs[i].submit == l->jobs[i].submit);
        differ += other->jobs[i].run != l->jobs[i].run;
    }
    ck_assert_uint_gt(differ, 90);
    load_destroy(l);
    load_destroy(same);
    load_destroy(other);
}
END_TEST

/* --- counting processors -------------------------------------------------------------------- */

struct plain {
    const struct load_job *job;
    double end, limit_end;
    bool queued, runs;
};

static bool runs_until(const struct plain *p, double t)
{
    return p->runs && p->limit_end <= t;
}

static double plain_wait(const struct load *l, unsigned procs, bool easy)
{
    struct plain *p = xcalloc(l->njobs, sizeof(*p));
    double waits = 0, now = 0;
    size_t next = 0, left = l->njobs;
    unsigned unused = procs;
    while (left > 0) {
        double t = next < l->njobs ? l->jobs[next].submit : INFINITY;
        for (size_t i = 0; i < next; i++)
            if (p[i].runs)
                t = fmin(t, p[i].end);
        now = t;
        for (size_t i = 0; i < next; i++)
            if (p[i].runs && p[i].end <= now) {
                p[i].runs = false;
                unused += p[i].job->req.shape.nslots;
                left--;
            }
        for (; next < l->njobs && l->jobs[next].submit <= now; next++)
            p[next] = (struct plain){.job = &l->jobs[next], .queued = true};
        double shadow = NAN;
        unsigned extra = 0;
        for (size_t i = 0; i < next; i++) {
            unsigned want = p[i].queued ? p[i].job->req.shape.nslots : 0;
            bool in_time = isnan(shadow) || now + p[i].job->limit <= shadow;
            if (!p[i].queued)
                continue;
            if (want <= unused && (in_time || want <= extra)) {
                extra -= in_time ? 0 : want;
                unused -= want;
                p[i].queued = false;
                p[i].runs = true;
                p[i].end = now + p[i].job->run;
                p[i].limit_end = now + p[i].job->limit;
                waits += now - p[i].job->submit;
                continue;
            }
            if (!easy)
                break;
            for (size_t k = 0; k < next && isnan(shadow);
                 k++) { /* any end, the first that will do */
                double best = INFINITY;
                for (size_t e = 0; e < next; e++) {
                    unsigned sum = unused;
                    for (size_t r = 0; p[e].runs && r < next; r++)
                        sum += runs_until(&p[r], p[e].limit_end)
                                   ? p[r].job->req.shape.nslots
                                   : 0;
                    if (p[e].runs && sum >= want && p[e].limit_end < best) {
                        best = p[e].limit_end;
                        extra = sum - want;
                    }
                }
                shadow = best;
            }
        }
    }
    free(p);
    return waits / (double)l->njobs;
}

START_TEST(agrees_with_counting)
{
    const struct sim_machine machine = {.nodes = 32, .cores = 1};
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct load *l = load_lublin(250, 32, seed);
        for (size_t i = 0; i < l->njobs;
             i++) /* many at once, and limits that are too long */
            l->jobs[i].submit = floor(l->jobs[i].submit / 8);
        for (size_t i = 0; seed > 1 && i < l->njobs; i++)
            l->jobs[i].limit = floor(l->jobs[i].limit * (1 + (double)(i % 5)));
        const char *const names[] = {"fcfs", "easy"};
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            struct sched_setup setup = {.policy = sched_policy_find(names[i])};
            struct sim_result *r = sim_run(l, &machine, &setup);
            ck_assert_uint_eq(r->njobs, l->njobs);
            ck_assert_double_eq_tol(r->wait_mean, plain_wait(l, 32, i == 1), 1e-6);
            ck_assert(r->utilization > 0 && r->utilization <= 1);
            ck_assert(r->fragmentation == 0); /* nodes of one core */
            sim_result_destroy(r);
        }
        load_destroy(l);
    }
}
END_TEST

/* Nodes of several cores and GPUs; a job that is too large; nothing at all. */
START_TEST(machines)
{
    const struct sim_machine machine = {.nodes = 4, .cores = 8, .gpus = 1};
    struct load *l = load_lublin(300, 32, 5), *none = load_swf("");
    l->jobs[7].req.shape.nslots = 33;
    for (size_t i = 0; sched_policies[i]; i++) {
        struct sched_setup setup = {.policy = sched_policies[i]};
        struct sim_result *r = sim_run(l, &machine, &setup),
                          *empty = sim_run(none, &machine, &setup);
        ck_assert_uint_eq(r->njobs, 299);
        ck_assert_uint_eq(r->too_large, 1);
        ck_assert_uint_eq(r->first_too_large, 8);
        ck_assert(r->fragmentation > 0 && r->fragmentation < 1);
        ck_assert_uint_eq(empty->njobs, 0);
        const struct sim_result *const both[] = {r, empty};
        const char *const names[] = {"a", "b"};
        cleanup_free char *svg = plot_svg(both, names, 2, 32),
                          *blank = plot_svg(both + 1, names, 1, 32);
        ck_assert(strstr(svg, "</svg>") && strstr(blank, "</svg>"));
        ck_assert(!strstr(svg, "nan") && !strstr(blank, "nan"));
        sim_result_destroy(r);
        sim_result_destroy(empty);
    }
    sim_result_destroy(NULL);
    load_destroy(l);
    load_destroy(none);
}
END_TEST

START_TEST(setups)
{
    static const char *const bad[] = {"",
                                      "none",
                                      "easy,",
                                      "easy,x=1",
                                      "easy,placement",
                                      "easy,placement=",
                                      "easy,placement=worst",
                                      "easy,depth",
                                      "easy,depth=",
                                      "easy,depth=-1",
                                      "easy,depth=1x",
                                      "fcfs depth=3"};
    struct sched_setup setup;
    struct error err;
    ck_assert_int_eq(sched_setup_parse(&setup, "easy,depth=12", &err), 0);
    ck_assert_ptr_eq(setup.policy, sched_policy_find("easy"));
    ck_assert_uint_eq(setup.depth, 12);
    ck_assert_ptr_eq(setup.place, &place_first);
    ck_assert_int_eq(sched_setup_parse(&setup, "easy,placement=best,depth=3", &err), 0);
    ck_assert_ptr_eq(setup.place, &place_best);
    ck_assert_uint_eq(setup.depth, 3);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        ck_assert_int_eq(sched_setup_parse(&setup, bad[i], &err), -1);
}
END_TEST

UNIT_MAIN("sim", swf, rejects, lublin, agrees_with_counting, machines, setups)
