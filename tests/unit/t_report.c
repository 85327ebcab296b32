/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include <stdio.h>
#include <string.h>
#include "src/cli/report.h"
#include "src/common/util.h"

static json_object *parse(const char *text)
{
    json_object *o = json_tokener_parse(text);
    ck_assert_msg(o != NULL, "%s", text);
    return o;
}

/* RANKS nodes of CORES cores each. */
static struct report *make(unsigned nodes, unsigned cores, double now)
{
    json_object *list = json_object_new_array();
    for (unsigned i = 0; i < nodes; i++) {
        cleanup_free char *text = xasprintf(
            "{\"rank\":%u,\"host\":\"n%u\",\"cores\":\"0-%u\",\"state\":\"up\"}", i, i,
            cores - 1);
        json_object_array_add(list, parse(text));
    }
    cleanup_json json_object *resources = json_object_new_object();
    json_object_object_add(resources, "nodes", list);
    return report_create(resources, now);
}

static void add(struct report *r, const char *text)
{
    cleanup_json json_object *job = parse(text);
    report_add(r, job);
}

static char *page_of(const struct report *r)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    report_html(r, "A <title> & more", "about", true, f);
    ck_assert_int_eq(fclose(f), 0);
    return text;
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        n++;
    return n;
}

static struct report *small(void)
{
    struct report *r = make(2, 4, 200);
    add(r, "{\"id\":1,\"name\":\"a\",\"state\":\"INACTIVE\",\"result\":\"COMPLETED\","
           "\"ncores\":4,\"nnodes\":1,"
           "\"ranks\":\"0\",\"t_submit\":100,\"t_run\":100,\"t_cleanup\":150,\"t_"
           "inactive\":150,\"status\":0}");
    add(r, "{\"id\":2,\"name\":\"b\",\"state\":\"INACTIVE\",\"result\":\"FAILED\","
           "\"ncores\":8,\"nnodes\":2,"
           "\"ranks\":\"0-1\",\"t_submit\":110,\"t_run\":150,\"t_cleanup\":175,\"t_"
           "inactive\":175,\"status\":768}");
    add(r, "{\"id\":3,\"name\":\"c\",\"state\":\"INACTIVE\",\"result\":\"CANCELED\","
           "\"ncores\":1,\"nnodes\":1,"
           "\"t_submit\":120,\"t_cleanup\":0,\"t_inactive\":140,"
           "\"exception\":{\"type\":\"cancel\",\"severity\":0,\"note\":\"not now\"}}");
    add(r, "{\"id\":4,\"name\":\"d\",\"state\":\"RUN\",\"ncores\":2,\"nnodes\":1,"
           "\"ranks\":\"1\",\"t_submit\":150,"
           "\"t_run\":175}");
    add(r,
        "{\"id\":5,\"name\":\"waits\",\"state\":\"SCHED\",\"ncores\":2,\"t_submit\":1}");
    report_finish(r);
    return r;
}

START_TEST(numbers)
{
    struct report *r = small();
    static const size_t counts[] = {1, 1, 1, 0, 1};
    ck_assert_uint_eq(r->njobs, 4);
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
        ck_assert_uint_eq(r->count[i], counts[i]);
    ck_assert_double_eq(r->begin, 100);
    ck_assert_double_eq(r->end, 200);
    ck_assert_double_eq(r->busy, 4 * 50 + 8 * 25 + 2 * 25);
    ck_assert_double_eq_tol(r->utilization, 450.0 / 800, 1e-9);
    ck_assert_double_eq(r->rate, 0.03);
    ck_assert_double_eq(r->peak_rate, 1);
    ck_assert_double_eq(r->wait[2], 40);
    ck_assert_double_eq(r->runtime[2], 50);
    double sum = 0, waited = 0;
    for (int i = 0; i < REPORT_BINS; i++) {
        sum += r->bins[i].busy;
        waited += r->bins[i].waiting;
    }
    ck_assert_double_eq_tol(sum, 450, 1e-6);
    ck_assert_double_eq_tol(waited, 40 + 20 + 25, 1e-6);
    ck_assert_float_eq_tol(r->heat[10], 1, 1e-6);                  /* node 0 at 102.5 s */
    ck_assert_float_eq_tol(r->heat[REPORT_BINS + 10], 0, 1e-6);    /* node 1 */
    ck_assert_float_eq_tol(r->heat[REPORT_BINS + 399], 0.5, 1e-6); /* at the end */
    ck_assert_uint_eq(r->ngroups, 2);
    for (size_t i = 0; i < r->ngroups; i++)
        ck_assert_str_eq(report_text(r, r->groups[i].reason),
                         r->groups[i].result == 1 ? "Exit 3" : "Canceled: not now");
    report_destroy(r);
}
END_TEST

START_TEST(lines)
{
    struct report *r = small();
    char *out = NULL;
    size_t size;
    FILE *f = open_memstream(&out, &size);
    report_print(r, "T", false, f);
    fclose(f);
    ck_assert_msg(
        strstr(
            out,
            "4 jobs in 1.667m: 1 completed, 1 failed, 1 canceled, 0 timeout, 1 running"),
        "%s", out);
    ck_assert_msg(strstr(out, "56.2% of what there was"), "%s", out);
    ck_assert_msg(strstr(out, "1 failed    b                    Exit 3"), "%s", out);
    free(out);
    report_destroy(r);
}
END_TEST

START_TEST(single_jobs)
{
    struct report *r = small();
    struct error err;
    cleanup_json json_object *o =
        parse("{\"version\":1,\"execution\":{\"R_lite\":[{\"rank\":\"0\",\"children\":{"
              "\"core\":\"0,2-3\"}}],"
              "\"starttime\":0,\"expiration\":0,\"nodelist\":[\"n0\"]}}");
    r->jobs[0].r = rset_from_json(o, &err);
    ck_assert_ptr_nonnull(r->jobs[0].r);
    cleanup_free char *page = page_of(r);
    ck_assert_uint_eq(count(page, "<rect class=\"r0\""), 2); /* cores 0, and 2 and 3 */
    ck_assert_ptr_nonnull(strstr(page, "Jobs over cores"));
    ck_assert_ptr_nonnull(strstr(page, "A &lt;title&gt; &amp; more"));
    ck_assert_ptr_null(strstr(page, "A <title>"));
    report_destroy(r);
}
END_TEST

START_TEST(nothing)
{
    struct report *r = make(1, 2, 100);
    report_finish(r);
    cleanup_free char *page = page_of(r);
    ck_assert_ptr_nonnull(strstr(page, "None."));
    ck_assert_ptr_null(strstr(page, "nan"));
    ck_assert_ptr_null(strstr(page, "inf"));
    report_destroy(r);
}
END_TEST

/* 100,000 jobs on 300 nodes: the page stays small, and the sums are right. */
START_TEST(many)
{
    enum { JOBS = 100000 };
    struct report *r = make(300, 16, 1e6);
    for (int i = 0; i < JOBS; i++) {
        char text[512];
        snprintf(text, sizeof(text),
                 "{\"id\":%d,\"name\":\"job%d\",\"state\":\"INACTIVE\",\"result\":\"%s\","
                 "\"ncores\":8,"
                 "\"nnodes\":1,\"ranks\":\"%d\",\"t_submit\":%d,\"t_run\":%d,\"t_"
                 "cleanup\":%d,\"t_inactive\":%d,"
                 "\"status\":%d}",
                 i + 1, i % 10, i % 100 ? "COMPLETED" : "FAILED", i % 300, i / 100,
                 i / 100 + 1, i / 100 + 3, i / 100 + 3, i % 100 ? 0 : 256);
        add(r, text);
    }
    report_finish(r);
    ck_assert_double_eq_tol(r->busy, JOBS * 8.0 * 2, 1);
    ck_assert_uint_eq(r->count[1], 1000);
    ck_assert_uint_eq(r->ngroups, 1);
    cleanup_free char *page = page_of(r);
    ck_assert_uint_lt(strlen(page), 8000000);
    ck_assert_uint_eq(count(page, "<rect class=\"band"), 128);
    ck_assert_ptr_nonnull(strstr(page, "Jobs over nodes"));
    report_destroy(r);
}
END_TEST

UNIT_MAIN("report", numbers, lines, single_jobs, nothing, many)
