/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/unit.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "src/common/util.h"
#include "src/lib/envrules.h"
#include "src/lib/rlimits.h"

static char path_var[] = "PATH=/usr/bin", home[] = "HOME=/home/x", omp1[] = "OMP_NUM=4",
            omp2[] = "OMP_BIND=yes", foo[] = "FOO=bar", binary[] = "BIN=\xff\xfe",
            bad[] = "=x";
static char *const environment[] = {path_var, home, omp1, omp2, foo, binary, bad, NULL};

/* The names and values of E as "A=1 B=2". */
static char *show(struct envrules *e)
{
    char *all = xstrdup("");
    json_object_object_foreach(e->env, name, value)
    {
        char *more = xasprintf("%s%s%s=%s", all, *all ? " " : "", name,
                               json_object_get_string(value));
        free(all);
        all = more;
    }
    return all;
}

START_TEST(rules)
{
    static const struct {
        const char *rules[6], *result;
    } table[] = {
        {{NULL}, "PATH=/usr/bin HOME=/home/x OMP_NUM=4 OMP_BIND=yes FOO=bar"},
        {{"-OMP_*"}, "PATH=/usr/bin HOME=/home/x FOO=bar"},
        {{"-/^(OMP|FOO)/"}, "PATH=/usr/bin HOME=/home/x"},
        {{"-*", "PATH"}, "PATH=/usr/bin"},
        {{"-/.*/", "OMP*"}, "OMP_NUM=4 OMP_BIND=yes"},
        {{"-*", "PATH=/bin", "PATH=$PATH:/usr/bin"}, "PATH=/bin:/usr/bin"},
        {{"-*", "X=${FOO}/baz"}, "X=bar/baz"},
        {{"-*", "A=$$FOO"}, "A=$FOO"},
        {{"-*", "A="}, "A="},
        {{"-*", "FOO=1", "FOO"}, "FOO=1"},
        {{"-*", "NOSUCH*"}, ""},
        {{"-*", "/O/"}, "OMP_NUM=4 OMP_BIND=yes"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct envrules e;
        struct error err = {0};
        envrules_init(&e, environment);
        for (const char *const *r = table[i].rules; *r; r++)
            ck_assert_msg(envrules_apply(&e, *r, &err) == 0, "%s: %s", *r, err.text);
        cleanup_free char *got = show(&e);
        ck_assert_str_eq(got, table[i].result);
        envrules_fini(&e);
    }
}
END_TEST

/* What would be in the environment, were it UTF-8, is known by name. */
START_TEST(unfit)
{
    static const struct {
        const char *rule;
        bool there;
    } table[] = {
        {NULL, true}, {"-OMP_*", true}, {"-BIN", false}, {"-*", false}, {"BIN=x", false}};
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct envrules e;
        struct error err = {0};
        envrules_init(&e, environment);
        if (table[i].rule)
            ck_assert_int_eq(envrules_apply(&e, table[i].rule, &err), 0);
        ck_assert_int_eq(json_object_object_length(e.unfit), table[i].there);
        ck_assert_int_eq(json_object_object_get_ex(e.unfit, "BIN", NULL), table[i].there);
        envrules_fini(&e);
    }
}
END_TEST

START_TEST(files)
{
    char path[] = "/tmp/hbatch-t_envrules-XXXXXX";
    int fd = mkstemp(path);
    const char *text = "# only these\n-*\n\n  OMP*  \nFOO=bar\nBAR=${FOO}/baz\n";
    ck_assert_int_eq(write_all(fd, text, strlen(text)), 0);
    close(fd);
    struct envrules e;
    struct error err;
    envrules_init(&e, environment);
    cleanup_free char *rule = xasprintf("^%s", path);
    ck_assert_int_eq(envrules_apply(&e, rule, &err), 0);
    cleanup_free char *got = show(&e);
    ck_assert_str_eq(got, "OMP_NUM=4 OMP_BIND=yes FOO=bar BAR=bar/baz");
    envrules_fini(&e);

    fd = open(path, O_WRONLY | O_TRUNC);
    dprintf(fd, "A=1\nB=$NOPE\n");
    close(fd);
    envrules_init(&e, environment);
    ck_assert_int_eq(envrules_apply(&e, rule, &err), -1);
    ck_error_names(err, ":2");
    ck_error_names(err, "NOPE");
    fd = open(path, O_WRONLY | O_TRUNC);
    dprintf(fd, "%s\n", rule); /* itself */
    close(fd);
    ck_assert_int_eq(envrules_apply(&e, rule, &err), -1);
    ck_error_names(err, "deeply");
    envrules_fini(&e);
    unlink(path);
}
END_TEST

START_TEST(templates)
{
    struct envrules e;
    envrules_init(&e, environment);
    ck_assert_int_eq(envrules_apply(&e, "P={{tmpdir}}/$X", NULL), 0);
    ck_assert(!json_object_object_get_ex(e.env, "P", NULL));
    ck_assert_str_eq(json_object_get_string(json_object_object_get(e.expand, "P")),
                     "{{tmpdir}}/$X");
    envrules_fini(&e);
}
END_TEST

START_TEST(rejects)
{
    static const struct {
        const char *rule, *part;
    } table[] = {
        {"A=$NOSUCH", "NOSUCH"},
        {"A=${FOO:-x}", "${FOO"},
        {"A=$", "$"},
        {"=x", "name"},
        {"-/(/", "'/("},
        {"^/no/such/file", "/no/such/file"},
        {"A=\xff", "UTF-8"},
        {"", "empty"},
        {"/[/", "'/["},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct envrules e;
        struct error err = {0};
        envrules_init(&e, environment);
        ck_assert_msg(envrules_apply(&e, table[i].rule, &err) < 0, "'%s' was taken",
                      table[i].rule);
        ck_assert_int_ne(err.code, 0);
        ck_error_names(err, table[i].part);
        envrules_fini(&e);
    }
}
END_TEST

START_TEST(limits)
{
    struct error err;
    cleanup_json json_object *o = rlimits_default();
    ck_assert(json_object_object_get_ex(o, "nofile", NULL));
    ck_assert(!json_object_object_get_ex(o, "memlock", NULL));
    ck_assert_int_eq(rlimits_apply(o, "-*,core=unlimited,NOFILE=100", &err), 0);
    ck_assert_str_eq(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
                     "{\"core\":-1,\"nofile\":100}");
    ck_assert_int_eq(rlimits_apply(o, "mem*", &err), 0);
    ck_assert(json_object_object_get_ex(o, "memlock", NULL));
    static const char *const bad_rules[][2] = {{"nosuch", "nosuch"},
                                               {"core=x", "core=x"},
                                               {"nosuch=1", "nosuch"},
                                               {"core=", "core="}};
    for (size_t i = 0; i < ARRAY_SIZE(bad_rules); i++) {
        ck_assert_int_eq(rlimits_apply(o, bad_rules[i][0], &err), -1);
        ck_error_names(err, bad_rules[i][1]);
    }
}
END_TEST

UNIT_MAIN("envrules", rules, unfit, files, templates, rejects, limits)
