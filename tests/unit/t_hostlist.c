/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/hostlist.h"
#include "src/common/util.h"
#include "tests/unit/mutate.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

/* RFC 29's test vectors: both texts are the same list. */
static const struct {
    const char *folded;
    const char *spread;
} vectors[] = {
    {"", ""},
    {"foox,fooy,fooz", "foox,fooy,fooz"},
    {"[1-3,5-6]", "1,2,3,5,6"},
    {"foo[1-5]", "foo1,foo2,foo3,foo4,foo5"},
    {"foo[0-4]-eth2", "foo0-eth2,foo1-eth2,foo2-eth2,foo3-eth2,foo4-eth2"},
    {"foo1,foo1,foo1", "foo1,foo1,foo1"},
    {"[00-02]", "00,01,02"},
    {"[00-2]", "00,01,02"},
    {"foo[1,1,2,1]", "foo1,foo1,foo2,foo1"},
    /* from its prose */
    {"[5,4,10,11,12,13]", "5,4,10,11,12,13"},
    {"[5,4,11-13]", "5,4,11,12,13"},
    {"[005,4,11-13]", "005,004,011,012,013"},
    {"[2,2,2]", "2,2,2"},
    {"host[0-10,12]",
     "host0,host1,host2,host3,host4,host5,host6,host7,host8,host9,host10,"
     "host12"},
    /* and what follows from it */
    {"a,,b,", "a,b"},
    {"n[9,010]", "n9,n010"},
    {"n[098-101]x", "n098x,n099x,n100x,n101x"},
    {"node[0-3,7],login", "node0,node1,node2,node3,node7,login"},
};

static void same_list(const struct hostlist *a, const struct hostlist *b,
                      const char *text)
{
    ck_assert_msg(hostlist_count(a) == hostlist_count(b), "%s: %zu and %zu hosts", text,
                  hostlist_count(a), hostlist_count(b));
    for (size_t i = 0; i < hostlist_count(a); i++)
        ck_assert_str_eq(hostlist_nth(a, i), hostlist_nth(b, i));
}

START_TEST(decodes_the_test_vectors)
{
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        struct error err;
        struct hostlist *hl = hostlist_decode(vectors[i].folded, &err);
        ck_assert_msg(hl != NULL, "%s", err.text);
        struct hostlist *want = hostlist_create();
        cleanup_free char *copy = xstrdup(vectors[i].spread);
        for (char *save, *name = strtok_r(copy, ",", &save); name;
             name = strtok_r(NULL, ",", &save))
            hostlist_append_name(want, name);
        same_list(hl, want, vectors[i].folded);
        hostlist_destroy(hl);
        hostlist_destroy(want);
    }
}
END_TEST

static const struct {
    const char *in;
    const char *out;
    size_t count;
} codec[] = {
    {"", "", 0},
    {"foo-1a-2,foo-1a-3", "foo-1a-[2-3]", 2},
    {"foo1,foo2,foo3,fooi", "foo[1-3],fooi", 4},
    {"foo1,fooi,foo2,foo3", "foo1,fooi,foo[2-3]", 4},
    {"fooi,foo1,foo2,foo3,foo5,foo7,foo8", "fooi,foo[1-3,5,7-8]", 7},
    {"1,2,3,4,5,9", "[1-5,9]", 6},
    {",1,2,3,4,5,9,", "[1-5,9]", 6},
    {"foo[1,3]-bar", "foo1-bar,foo3-bar", 2},
    {"p[00-3]p", "p00p,p01p,p02p,p03p", 4},
    {"14636", "14636", 1},
    {"foo1,foo1,foo1", "foo[1,1,1]", 3},
    {"n008,n009,n010,n011", "n[008-011]", 4},
    {"n[8-11]", "n[8-11]", 4},
    {"n[98-101]", "n[98-101]", 4},
    {"n[098-1001]", "n[098-1001]", 904},
    {"n9,n010", "n9,n010", 2},
    {"n10,n09", "n10,n09", 2},
    {"n1,n01,n001", "n1,n01,n001", 3},
    {"n3,n2,n1", "n[3,2,1]", 3},
    {"n0000000000000000000000001,n0000000000000000000000002",
     "n0000000[000000000000000001-000000000000000002]", 2},
};

START_TEST(encodes)
{
    for (size_t i = 0; i < ARRAY_SIZE(codec); i++) {
        struct error err;
        struct hostlist *hl = hostlist_decode(codec[i].in, &err);
        ck_assert_msg(hl != NULL, "%s", err.text);
        ck_assert_uint_eq(hostlist_count(hl), codec[i].count);
        cleanup_free char *out = hostlist_encode(hl);
        ck_assert_str_eq(out, codec[i].out);
        struct hostlist *again = hostlist_decode(out, &err);
        ck_assert_msg(again != NULL, "%s", err.text);
        same_list(hl, again, codec[i].in);
        hostlist_destroy(hl);
        hostlist_destroy(again);
    }
}
END_TEST

START_TEST(appends_whole_or_not_at_all)
{
    struct error err;
    struct hostlist *hl = hostlist_create();
    ck_assert_int_eq(hostlist_append(hl, "", &err), 0);
    ck_assert_int_eq(hostlist_append(hl, "foo12", &err), 1);
    ck_assert_int_eq(hostlist_append(hl, "foo[4,1-2]", &err), 3);
    ck_assert_int_eq(hostlist_append(hl, "foo[5-9],bar]", &err), -1);
    ck_assert_uint_eq(hostlist_count(hl), 4);
    ck_assert_int_eq(hostlist_append(hl, "bar[26-30]", &err), 5);
    cleanup_free char *out = hostlist_encode(hl);
    ck_assert_str_eq(out, "foo[12,4,1-2],bar[26-30]");
    ck_assert_str_eq(hostlist_nth(hl, 3), "foo2");
    ck_assert_ptr_null(hostlist_nth(hl, 9));
    hostlist_destroy(hl);
    hostlist_destroy(NULL);
}
END_TEST

static const struct {
    const char *in;
    const char *name;
    ptrdiff_t at;
} finds[] = {
    {"tst0", "tst", -1},
    {"tst0,tst", "tst", 1},
    {"tst,tst0", "tst", 0},
    {"foo[1-5]-eth0", "foo3-eth0", 2},
    {"foo[1-5]", "foo3-eth0", -1},
    {"[0-5]", "3", 3},
    {"i[0-5]", "i00", -1},
    {"i[00-05]", "i04", 4},
    {"f00[7-8,10]", "f0010", 2},
    {"a,b,a", "a", 0},
    {"", "a", -1},
};

START_TEST(finds_names)
{
    for (size_t i = 0; i < ARRAY_SIZE(finds); i++) {
        struct hostlist *hl = hostlist_decode(finds[i].in, NULL);
        ck_assert_int_eq(hostlist_find(hl, finds[i].name), finds[i].at);
        hostlist_destroy(hl);
    }
}
END_TEST

static const struct {
    const char *in;
    const char *sorted;
    const char *uniq;
} orders[] = {
    {"", "", ""},
    {"foo,f,bar,baz", "bar,baz,f,foo", "bar,baz,f,foo"},
    {"[5-6],[3-4],[1-2,0]", "[0-6]", "[0-6]"},
    {"[0-20],12,15", "[0-12,12-15,15-20]", "[0-20]"},
    {"[0-20],45,12,015", "[0-12,12-15],015,[16-20,45]", "[0-15],015,[16-20,45]"},
    {"bar1,bar2,foo1,foo,foo", "bar[1-2],foo,foo,foo1", "bar[1-2],foo,foo1"},
    {"foo[5-6],foo[4-7]", "foo[4-5,5-6,6-7]", "foo[4-7]"},
    {"foo[0-2],foo[0-2],foo[0-2]", "foo[0,0,0-1,1,1-2,2,2]", "foo[0-2]"},
    {"n10,n9,n2", "n[2,9-10]", "n[2,9-10]"},
    {"n10,m,n", "m,n,n10", "m,n,n10"},
};

START_TEST(sorts_and_removes_duplicates)
{
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        struct hostlist *hl = hostlist_decode(orders[i].in, NULL);
        hostlist_sort(hl);
        cleanup_free char *sorted = hostlist_encode(hl);
        ck_assert_str_eq(sorted, orders[i].sorted);
        hostlist_uniq(hl);
        cleanup_free char *uniq = hostlist_encode(hl);
        ck_assert_str_eq(uniq, orders[i].uniq);
        hostlist_destroy(hl);
    }
}
END_TEST

START_TEST(survives_spoiled_texts)
{
    static const char *const seeds[] = {"node[0-3,7],login", "n[008-011]-eth[0]",
                                        "a1,a2,b", "foo[0-4]-eth2", "[005,4,11-13]"};
    uint32_t state = 2929;
    size_t accepted = 0;
    for (int i = 0; i < 6000; i++) {
        cleanup_free char *text =
            mutate_text(seeds[i % (int)ARRAY_SIZE(seeds)], "0123789,,-[]ab", &state);
        /* A range of a million names is fine, but not thousands of times. */
        if (strlen(text) > 64)
            continue;
        struct error err = {0};
        struct hostlist *hl = hostlist_decode(text, &err);
        if (!hl) {
            ck_assert_int_ne(err.code, 0);
            continue;
        }
        accepted++;
        cleanup_free char *out = hostlist_encode(hl);
        struct hostlist *again = hostlist_decode(out, &err);
        ck_assert_msg(again != NULL, "'%s' became '%s': %s", text, out, err.text);
        same_list(hl, again, text);
        hostlist_destroy(hl);
        hostlist_destroy(again);
    }
    ck_assert_uint_gt(accepted, 500);
}
END_TEST

static const struct {
    const char *in;
    const char *names;
    int code;
} rejects[] = {
    {"[]", "']'", EINVAL},
    {"foo[]", "character 5", EINVAL},
    {"foo[", "not closed", EINVAL},
    {"foo[1,3", "'[1,3'", EINVAL},
    {"foo[[1,3]", "'[[1,3]'", EINVAL},
    {"foo]", "']'", EINVAL},
    {"foo[x-y]", "'x-y]'", EINVAL},
    {"foo[0-1,2--5]", "'-5]'", EINVAL},
    {"foo[5-1]", "'5-1]'", EINVAL},
    {"foo[1,]", "']'", EINVAL},
    {"foo[1-]", "']'", EINVAL},
    {"foo[-1]", "'-1]'", EINVAL},
    {"foo[1-2x]", "'x]'", EINVAL},
    {"foo[1-2][3-4]", "'[3-4]'", EINVAL},
    {"foo[1]a[2]", "'[2]'", EINVAL},
    {"foo bar", "' bar'", EINVAL},
    {"foo,\tbar", "'\tbar'", EINVAL},
    {"caf\xc3\xa9", "character 4", EINVAL},
    {"[1234567890123456789]", "digits", EINVAL},
    {"foo[0-1048576]", "1048576", ERANGE},
    {"foo[0-1048575],bar", "1048576", ERANGE},
    {"foo[0-999999999999999999]", "character 5", ERANGE},
};

START_TEST(rejects_bad_texts)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err = {0};
        struct hostlist *hl = hostlist_decode(rejects[i].in, &err);
        ck_assert_msg(hl == NULL, "'%s' was accepted", rejects[i].in);
        ck_assert_int_eq(err.code, rejects[i].code);
        ck_error_names(err, rejects[i].names);
    }
    char name[HOSTLIST_NAME_MAX + 2];
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct error err = {0};
    ck_assert_ptr_null(hostlist_decode(name, &err));
    ck_error_names(err, "too long");
    struct hostlist *hl = hostlist_decode(name + 1, &err);
    ck_assert_uint_eq(hostlist_count(hl), 1);
    hostlist_destroy(hl);
}
END_TEST

UNIT_MAIN("hostlist", decodes_the_test_vectors, encodes, appends_whole_or_not_at_all,
          finds_names, sorts_and_removes_duplicates, survives_spoiled_texts,
          rejects_bad_texts)
