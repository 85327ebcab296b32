/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "src/common/room.h"
#include "src/common/util.h"
#include "src/instance/checks.h"
#include "tests/unit/unit.h"

enum { MAX_NODES = 8 };

/* "HOST VERSION ERROR" of each rank: '|' between them, '-' for no error. */
static unsigned make(const char *text, json_object **nodes)
{
    cleanup_free char *copy = xstrdup(text);
    char *save = NULL, host[32], version[32], error[64];
    unsigned n = 0;
    for (char *p = strtok_r(copy, "|", &save); p; p = strtok_r(NULL, "|", &save)) {
        ck_assert_int_eq(sscanf(p, "%31s %31s %63[^|]", host, version, error), 3);
        json_object *o = nodes[n++] = json_object_new_object();
        json_object_object_add(o, "host", json_object_new_string(host));
        json_object_object_add(o, "version", json_object_new_string(version));
        if (strcmp(error, "-") != 0)
            json_object_object_add(o, "error", json_object_new_string(error));
    }
    return n;
}

static void drop(json_object **nodes, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        json_object_put(nodes[i]);
}

static const struct {
    const char *nodes;
    bool srun;
    const char *error; /* the beginning; NULL: none */
} table[] = {
    {"a 1 -", false, NULL},
    {"a 1 -|b 1 -|c 1 -", false, NULL},
    {"n1 1.0 -|n2 1.1 -|n3 1.0 -", false,
     "hbatch 1.0 on n[1,3], hbatch 1.1 on n2: install one version on all nodes"},
    {"n1 1.1 -|n2 1.0 -|n3 1.0 -", false, "hbatch 1.1 on n1, hbatch 1.0 on n[2-3]: "},
    {"n1 1 -|n2 2 -|n3 3 -", false, "hbatch 1 on n1, hbatch 2 on n2, hbatch 3 on n3: "},
    {"n1 1 -|n2 1 -|n1 1 -", false,
     "ranks 0 and 2 are both on n1: start one rank per node"},
    {"n1 1 -|n1 1 -|n1 1 -", true,
     "ranks 0 and 1 are both on n1: start one rank per node (srun --ntasks-per-node=1)"},
    {"n1 1 -|n2 1 disk full|n3 1 -", false, "on n2: disk full"},
    {"n1 1 disk full|n2 1 -|n3 1 disk full", false, "on n[1,3]: disk full"},
    {"n1 1 one|n2 1 two|n3 1 one", false, "on n[1,3]: one; on n2: two"},
    /* what is the cause of more goes first */
    {"n1 1 no|n1 2 no", false, "hbatch 1 on n1, hbatch 2 on n1: "},
    {"n1 1 no|n1 1 no", false, "ranks 0 and 1 are both on n1: "},
};

START_TEST(nodes)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        json_object *n[MAX_NODES];
        struct error err = {0};
        unsigned size = make(table[i].nodes, n);
        int rc = checks_nodes(n, size, table[i].srun, &err);
        ck_assert_msg(rc == (table[i].error ? -1 : 0), "%s: %s", table[i].nodes,
                      err.text);
        const char *wanted = table[i].error ? table[i].error : "";
        ck_assert_msg(strncmp(err.text, wanted, strlen(wanted)) == 0, "%s: %s",
                      table[i].nodes, err.text);
        drop(n, size);
    }
}
END_TEST

START_TEST(nodes_that_tell_nothing)
{
    json_object *n[] = {json_object_new_object(), NULL, json_tokener_parse("[1]")};
    struct error err;
    ck_assert_int_eq(checks_nodes(n, 3, false, &err), -1);
    ck_assert_ptr_null(checks_skew(n, 1, 0));
    drop(n, 3);
}
END_TEST

static const struct {
    const char *times[4];
    unsigned leader;
    double ahead[3];
    const char *skew;
} clocks[] = {
    {{"100", "100.2", "99.1"}, 0, {0, 0, 0}, NULL},
    {{"100", "101.5", "98.2"}, 0, {0, 1.5, -1.8}, NULL},
    {{"100", "103.5", "100"},
     0,
     {0, 3.5, 0},
     "the clock of n2 is 3.5 s ahead of that of n1: "},
    {{"100", "100", "40.25"},
     0,
     {0, 0, -59.75},
     "the clock of n3 is 59.8 s behind that of n1: synchronize"},
    {{"100", "1000", "40.25"},
     0,
     {0, 900, -59.75},
     "the clock of n2 is 15.0 min ahead of that of n1, of n3 59.8 s behind: "},
    {{"10000", "0", "0"},
     2,
     {10000, 0, 0},
     "the clock of n1 is 2.8 h ahead of that of n3: "},
    {{"1000000", "0", "1000000"},
     0,
     {0, -1000000, 0},
     "the clock of n2 is 11.6 days behind that of n1: "},
    {{"1700000000.5", "nan", ""},
     0,
     {0, 0, -1700000000.5},
     "the clock of n3 is 19675.9 days"},
};

START_TEST(skew)
{
    for (size_t i = 0; i < ARRAY_SIZE(clocks); i++) {
        json_object *n[MAX_NODES];
        unsigned size = make("n1 1 -|n2 1 -|n3 1 -", n);
        checks_set_clocks(n, size, clocks[i].leader,
                          (char *const *)(uintptr_t)clocks[i].times);
        for (unsigned k = 0; k < size; k++)
            ck_assert_double_eq_tol(checks_clock(n[k]), clocks[i].ahead[k], 1e-6);
        cleanup_free char *text = checks_skew(n, size, clocks[i].leader);
        if (clocks[i].skew) {
            ck_assert_ptr_nonnull(text);
            ck_assert_msg(strncmp(text, clocks[i].skew, strlen(clocks[i].skew)) == 0,
                          "%s", text);
        } else
            ck_assert_msg(!text, "%s", text);
        drop(n, size);
    }
}
END_TEST

START_TEST(the_corrected_clock)
{
    double before = time_now();
    time_correct(1000);
    ck_assert_double_eq_tol(time_now(), before - 1000, 5);
    time_correct(0);
    ck_assert_double_eq_tol(time_now(), before, 5);
}
END_TEST

START_TEST(run_directories)
{
    struct error err;
    char dir[] = "/tmp/hbatch-t_checks-XXXXXX";
    ck_assert_ptr_nonnull(mkdtemp(dir));
    ck_assert_int_eq(checks_rundir(dir, &err), 0);
    ck_assert_int_eq(rmdir(dir), 0); /* nothing is left there */
    ck_assert_int_eq(checks_rundir(dir, &err), -1);
    ck_assert_int_eq(err.code, ENOENT);
    ck_error_names(err, dir);
    ck_error_names(err, "--rundir");
    ck_assert_int_eq(room_check("/proc", "TMPDIR", "set TMPDIR", &err), -1);
    ck_error_names(err, "/proc");
    ck_error_names(err, "TMPDIR");
    char name[200];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    ck_assert_int_eq(checks_rundir(name, &err), -1);
    ck_error_names(err, "199 bytes of at most 91");
}
END_TEST

UNIT_MAIN("checks", nodes, nodes_that_tell_nothing, skew, the_corrected_clock,
          run_directories)
