/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/keys.h"

#include <stdio.h>
#include <string.h>
#include "src/common/util.h"
#include "tests/unit/unit.h"

static void add(struct keys *k, unsigned i)
{
    char key[KEY_SIZE];
    snprintf(key, sizeof(key), "%016x", i * 2654435761u);
    keys_add(k, key, 1000 + i, i + 1);
}

static bool has(struct keys *k, unsigned i)
{
    char key[KEY_SIZE];
    jobid_t first = 0;
    uint64_t count = 0;
    snprintf(key, sizeof(key), "%016x", i * 2654435761u);
    if (!keys_find(k, key, &first, &count))
        return false;
    ck_assert_uint_eq(first, 1000 + i);
    ck_assert_uint_eq(count, i + 1);
    return true;
}

START_TEST(the_latest_are_known)
{
    struct keys *k = keys_create();
    for (unsigned i = 0; i < 3 * KEYS_MAX + 5; i++) {
        ck_assert(!has(k, i));
        add(k, i);
        ck_assert(has(k, i));
        if (i >= KEYS_MAX) {
            ck_assert(has(k, i - KEYS_MAX + 1));
            ck_assert(!has(k, i - KEYS_MAX));
        }
    }
    for (unsigned i = 0; i < 3 * KEYS_MAX + 5; i++)
        ck_assert_int_eq(has(k, i), i >= 2 * KEYS_MAX + 5);
    keys_destroy(k);
    keys_destroy(NULL);
}
END_TEST

START_TEST(a_key_is_there_once)
{
    struct keys *k = keys_create();
    jobid_t first;
    uint64_t count;
    for (unsigned i = 0; i < 2 * KEYS_MAX; i++)
        keys_add(k, "same", i, 7);
    ck_assert(keys_find(k, "same", &first, &count));
    ck_assert_uint_eq(first, 2 * KEYS_MAX - 1);
    ck_assert_uint_eq(count, 7);
    add(k, 1);
    ck_assert(keys_find(k, "same", &first, &count) && has(k, 1));
    keys_destroy(k);
}
END_TEST

START_TEST(what_is_no_key)
{
    static const struct {
        const char *key, *part;
    } bad[] = {
        {"", "''"},
        {"a b", "'a b'"},
        {"a\"", "'a\"'"},
        {"a\n", "letters, digits"},
        {"123456789012345678901234567890123", "1 to 32"},
        {"\xc3\xa4", "\xc3\xa4"},
    };
    struct keys *k = keys_create();
    struct error err;
    jobid_t first;
    uint64_t count;
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        ck_assert_int_eq(key_check(bad[i].key, &err), -1);
        ck_error_names(err, bad[i].part);
        keys_add(k, bad[i].key, 1, 1);
        ck_assert(!keys_find(k, bad[i].key, &first, &count));
    }
    ck_assert_int_eq(key_check("12345678901234567890123456789012", &err), 0);
    ck_assert_int_eq(key_check("aZ09-_", &err), 0);
    keys_destroy(k);
}
END_TEST

UNIT_MAIN("keys", the_latest_are_known, a_key_is_there_once, what_is_no_key)
