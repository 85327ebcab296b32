/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/idset.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "tests/unit/mutate.h"
#include "tests/unit/unit.h"

#include <errno.h>

static const struct {
    const char *in;
    int flags;
    const char *out;
    int weight;
} codec[] = {
    /* RFC 22 */
    {"1,2,3,5,6,42", IDSET_SPREAD, "1,2,3,5,6,42", 6},
    {"1,2,3,5,6,42", 0, "1-3,5-6,42", 6},
    {"1-3,5-6,42", 0, "1-3,5-6,42", 6},
    {"[1-3,5-6,42]", 0, "1-3,5-6,42", 6},
    {"[1-3,5-6,42]", IDSET_BRACKETS, "[1-3,5-6,42]", 6},
    {"[1-3,5-6,42]", IDSET_BRACKETS | IDSET_SPREAD, "[1,2,3,5,6,42]", 6},
    /* the corners */
    {"", 0, "", 0},
    {"[]", 0, "", 0},
    {"", IDSET_BRACKETS | IDSET_SPREAD, "", 0},
    {"0", 0, "0", 1},
    {"[0]", IDSET_BRACKETS, "0", 1},
    {"2", IDSET_BRACKETS, "2", 1},
    {"2-3", IDSET_BRACKETS, "[2-3]", 2},
    {"5-5", 0, "5", 1},
    {"0-3,4-7", 0, "0-7", 8},
    {"7-9", IDSET_SPREAD, "7,8,9", 3},
    {"0-5000", 0, "0-5000", 5001},
    {"62,63,64,65", 0, "62-65", 4},
    {"1048576", 0, "1048576", 1},
    {"0,16777215", 0, "0,16777215", 2},
    {"16777214-16777215", IDSET_SPREAD, "16777214,16777215", 2},
};

START_TEST(decodes_and_encodes)
{
    for (size_t i = 0; i < ARRAY_SIZE(codec); i++) {
        struct error err;
        cleanup_bitmap hwloc_bitmap_t set = idset_decode(codec[i].in, &err);
        ck_assert_msg(set != NULL, "'%s': %s", codec[i].in, err.text);
        ck_assert_int_eq(hwloc_bitmap_weight(set), codec[i].weight);
        cleanup_free char *out = idset_encode(set, codec[i].flags);
        ck_assert_str_eq(out, codec[i].out);
    }
}
END_TEST

START_TEST(encodes_an_infinite_set_up_to_the_limit)
{
    cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_alloc_full();
    hwloc_bitmap_clr(set, 1);
    cleanup_free char *out = idset_encode(set, 0);
    ck_assert_str_eq(out, "0,2-16777215");
}
END_TEST

START_TEST(encodes_what_hwloc_built)
{
    cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_alloc();
    for (unsigned i = 0; i < 3000; i += 3)
        hwloc_bitmap_set(set, i);
    cleanup_free char *out = idset_encode(set, 0);
    cleanup_bitmap hwloc_bitmap_t again = idset_decode(out, NULL);
    ck_assert(hwloc_bitmap_isequal(set, again));
}
END_TEST

START_TEST(survives_spoiled_texts)
{
    static const char *const seeds[] = {"1-3,5-6,42", "[1-3,5-6,42]", "0", "0-5000,65536",
                                        ""};
    uint32_t state = 20220;
    size_t accepted = 0;
    for (int i = 0; i < 6000; i++) {
        cleanup_free char *text =
            mutate_text(seeds[i % (int)ARRAY_SIZE(seeds)], "0123456789,-[]", &state);
        struct error err = {0};
        cleanup_bitmap hwloc_bitmap_t set = idset_decode(text, &err);
        if (!set) {
            ck_assert_int_ne(err.code, 0);
            continue;
        }
        accepted++;
        cleanup_free char *out = idset_encode(set, i % 2 ? IDSET_BRACKETS : 0);
        cleanup_bitmap hwloc_bitmap_t again = idset_decode(out, &err);
        ck_assert_msg(again != NULL, "'%s' became '%s': %s", text, out, err.text);
        ck_assert(hwloc_bitmap_isequal(set, again));
    }
    ck_assert_uint_gt(accepted, 500);
}
END_TEST

static const struct {
    const char *in;
    const char *names;
    int code;
} rejects[] = {
    {"4.2", "'.2'", EINVAL},
    {"x", "'x'", EINVAL},
    {"1-2x", "'x'", EINVAL},
    {"1,x", "character 3", EINVAL},
    {"01,2", "'01,2'", EINVAL},
    {"00", "start with 0", EINVAL},
    {"3,2", "'2'", EINVAL},
    {"3-0", "'0'", EINVAL},
    {"2,2,2,2", "ascend", EINVAL},
    {"1-5,5", "character 5", EINVAL},
    {"[0", "']'", EINVAL},
    {"[", "missing", EINVAL},
    {"0]", "']'", EINVAL},
    {"[[0]]", "'[0]]'", EINVAL},
    {"[0,2]]", "']'", EINVAL},
    {"0,[2", "'[2'", EINVAL},
    {"[0]2", "'2'", EINVAL},
    {"0-", "missing", EINVAL},
    {"[0-]", "']'", EINVAL},
    {"-5", "'-5'", EINVAL},
    {",1", "',1'", EINVAL},
    {"1,", "missing", EINVAL},
    {"1,,2", "',2'", EINVAL},
    {" 1", "' 1'", EINVAL},
    {"1 ", "' '", EINVAL},
    {"+1", "'+1'", EINVAL},
    {"1--3", "'-3'", EINVAL},
    {"16777216", "16777215", ERANGE},
    {"0-4294967296", "4294967296", ERANGE},
    {"99999999999999999999999", "too large", ERANGE},
};

START_TEST(rejects_bad_texts)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err = {0};
        hwloc_bitmap_t set = idset_decode(rejects[i].in, &err);
        ck_assert_msg(set == NULL, "'%s' was accepted", rejects[i].in);
        ck_assert_int_eq(err.code, rejects[i].code);
        ck_error_names(err, rejects[i].names);
        ck_assert_ptr_null(idset_decode(rejects[i].in, NULL));
    }
}
END_TEST

START_TEST(no_set_is_the_empty_set)
{
    char *text = idset_encode(NULL, IDSET_BRACKETS);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

UNIT_MAIN("idset", decodes_and_encodes, encodes_an_infinite_set_up_to_the_limit,
          encodes_what_hwloc_built, survives_spoiled_texts, rejects_bad_texts,
          no_set_is_the_empty_set)
