/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/kvs.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>

static void put(struct kvs *kvs, const char *key, const char *value)
{
    kvs_put(kvs, key, value, strlen(value));
}

START_TEST(puts_and_gets)
{
    struct kvs *kvs = kvs_create();
    size_t len = 9;
    ck_assert_ptr_null(kvs_get(kvs, "a", &len));
    put(kvs, "a", "1");
    put(kvs, "b", "");
    kvs_put(kvs, "c", "x\0y", 3);
    ck_assert_str_eq(kvs_get(kvs, "a", NULL), "1");
    ck_assert_str_eq(kvs_get(kvs, "b", &len), "");
    ck_assert_uint_eq(len, 0);
    ck_assert_mem_eq(kvs_get(kvs, "c", &len), "x\0y", 4);
    ck_assert_uint_eq(len, 3);
    put(kvs, "a", "replaced");
    ck_assert_str_eq(kvs_get(kvs, "a", NULL), "replaced");
    ck_assert_ptr_null(kvs_get(kvs, "", NULL));
    const char *value;
    ck_assert_str_eq(kvs_nth(kvs, 0, &value, NULL), "a");
    ck_assert_str_eq(value, "replaced");
    ck_assert_str_eq(kvs_nth(kvs, 2, &value, &len), "c");
    ck_assert_ptr_null(kvs_nth(kvs, 3, &value, NULL));
    kvs_destroy(kvs);
    kvs_destroy(NULL);
}
END_TEST

START_TEST(many_keys)
{
    struct kvs *kvs = kvs_create();
    char key[32], value[32];
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof(key), "P%d-businesscard", i);
        snprintf(value, sizeof(value), "%d", i * 3);
        put(kvs, key, value);
    }
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof(key), "P%d-businesscard", i);
        snprintf(value, sizeof(value), "%d", i * 3);
        ck_assert_str_eq(kvs_get(kvs, key, NULL), value);
    }
    ck_assert_ptr_null(kvs_get(kvs, "P20000-businesscard", NULL));
    kvs_destroy(kvs);
}
END_TEST

START_TEST(changes_reach_another)
{
    struct kvs *a = kvs_create(), *b = kvs_create(), *c = kvs_create();
    kvs_put_known(a, "mapping", "(vector,(0,2,1))", 16);
    put(a, "k", "old");
    put(a, "k", "from a");
    kvs_put(b, "bin", "\0\xff;\n", 4);
    size_t la, lb;
    cleanup_free char *da = kvs_changes(a, &la), *db = kvs_changes(b, &lb);
    cleanup_free char *both = xmalloc(la + lb);
    memcpy(both, da, la);
    memcpy(both + la, db, lb);
    ck_assert_int_eq(kvs_merge(c, both, la + lb, NULL), 0);
    size_t len;
    ck_assert_str_eq(kvs_get(c, "k", NULL), "from a");
    ck_assert_mem_eq(kvs_get(c, "bin", &len), "\0\xff;\n", 4);
    ck_assert_uint_eq(len, 4);
    ck_assert_ptr_null(kvs_get(c, "mapping", NULL)); /* is no change */
    cleanup_free char *nothing = kvs_changes(c, &len);
    ck_assert_uint_eq(len, 0); /* merged is known */
    cleanup_free char *again = kvs_changes(a, &len);
    ck_assert_uint_eq(len, 0);
    put(a, "k", "later");
    cleanup_free char *later = kvs_changes(a, &len);
    ck_assert_int_eq(kvs_merge(c, later, len, NULL), 0);
    ck_assert_str_eq(kvs_get(c, "k", NULL), "later");
    kvs_destroy(a);
    kvs_destroy(b);
    kvs_destroy(c);
}
END_TEST

static const struct {
    const char *data;
    size_t len;
    const char *names;
} rejects[] = {
    {"\0", 1, "byte 0"},
    {"\0\0\0\1\0\0\0", 7, "byte 0"},
    {"\0\0\0\1\0\0\0\1k", 9, "byte 0"},
    {"\0\0\0\1\0\0\0\1kv\0", 11, "byte 10"},
    {"\xff\xff\xff\xff\0\0\0\1kv", 10, "byte 0"},
    {"\0\0\0\1\xff\xff\xff\xffkv", 10, "byte 0"},
    {"\0\0\0\2\0\0\0\0k\0", 10, "bad key"},
};

START_TEST(rejects_what_is_no_change)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct kvs *kvs = kvs_create();
        struct error err;
        char *copy = xmalloc(rejects[i].len); /* so that a read beyond is seen */
        memcpy(copy, rejects[i].data, rejects[i].len);
        ck_assert_int_eq(kvs_merge(kvs, copy, rejects[i].len, &err), -1);
        ck_assert_int_eq(err.code, EPROTO);
        ck_error_names(err, rejects[i].names);
        free(copy);
        kvs_destroy(kvs);
    }
}
END_TEST

UNIT_MAIN("kvs", puts_and_gets, many_keys, changes_reach_another,
          rejects_what_is_no_change)
