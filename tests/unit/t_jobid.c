/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/jobid.h"
#include "src/common/jobid_tables.h"
#include "src/common/util.h"
#include "tests/unit/mutate.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* RFC 19's examples, and the ends of the range. NULL: any text. */
static const struct {
    jobid_t id;
    enum jobid_form form;
    const char *text;
} codec[] = {
    {6731191091817518, JOBID_DEC, "6731191091817518"},
    {6731191091817518, JOBID_F58, "ƒuZZybuNNy"},
    {6731191091817518, JOBID_F58_PLAIN, "fuZZybuNNy"},
    {6731191091817518, JOBID_HEX, "0x17e9fb8df16c2e"},
    {0xedaf97d000000, JOBID_HEX, "0xedaf97d000000"},
    {6731191091817518, JOBID_DOTHEX, "0017.e9fb.8df1.6c2e"},
    {0xedaf97d000000, JOBID_DOTHEX, "000e.daf9.7d00.0000"},
    {6731191091817518, JOBID_KVS, "job.0017.e9fb.8df1.6c2e"},
    {6731191091817518, JOBID_WORDS, "reform-remote-galileo--heart-package-academy"},
    {0, JOBID_F58, "ƒ1"},
    {1, JOBID_F58, "ƒ2"},
    {57, JOBID_F58, "ƒz"},
    {1234, JOBID_F58, "ƒNH"},
    {3363, JOBID_F58, "ƒzz"},
    {3364, JOBID_F58, "ƒ211"},
    {65535, JOBID_F58, "ƒLUv"},
    {4294967295, JOBID_F58, "ƒ7YXq9G"},
    {633528662, JOBID_F58_PLAIN, "fxyzzy"},
    {18446744073709551614U, JOBID_F58, "ƒjpXCZedGfVP"},
    {18446744073709551615U, JOBID_F58_PLAIN, "fjpXCZedGfVQ"},
    {18446744073709551615U, JOBID_DEC, "18446744073709551615"},
    {18446744073709551615U, JOBID_HEX, "0xffffffffffffffff"},
    {18446744073709551615U, JOBID_DOTHEX, "ffff.ffff.ffff.ffff"},
    {0, JOBID_DEC, "0"},
    {0, JOBID_WORDS, "academy-academy-academy--academy-academy-academy"},
    {0, JOBID_EMOJI, "😃"},
    {1, JOBID_EMOJI, "😄"},
    {1234, JOBID_EMOJI, "😁👌"},
    {65535, JOBID_EMOJI, "💁📚"},
    {12342435, JOBID_EMOJI, "😠🙇📍"},
    {2034152287593, JOBID_EMOJI, "😪🏭🐭🍑👨"},
    {21900760568561664, JOBID_EMOJI, "🎆🍧🎆🐾🕓😃"},
    {18446744073709551615U, JOBID_EMOJI, "🚹💗💧👗😷📷📚"},
};

START_TEST(encodes_and_decodes)
{
    for (size_t i = 0; i < ARRAY_SIZE(codec); i++) {
        char buf[JOBID_BUFSIZE];
        ck_assert_ptr_eq(jobid_encode(codec[i].id, codec[i].form, buf, sizeof(buf)), buf);
        ck_assert_str_eq(buf, codec[i].text);
        jobid_t id = 42;
        struct error err;
        ck_assert_msg(jobid_decode(buf, &id, &err) == 0, "%s", err.text);
        ck_assert_uint_eq(id, codec[i].id);
        /* the exact size is enough, one less is not */
        ck_assert_ptr_nonnull(
            jobid_encode(codec[i].id, codec[i].form, buf, strlen(codec[i].text) + 1));
        ck_assert_ptr_null(
            jobid_encode(codec[i].id, codec[i].form, buf, strlen(codec[i].text)));
    }
}
END_TEST

/* What is read, but not written so. */
static const struct {
    const char *text;
    jobid_t id;
} decodes[] = {
    {"ƒZemgA8Bzf", 0},
    {"ƒ278oEf7zGf", 0},
    {"random-idea-yoyo--sugar-printer-academy", 0},
    {"🚹💂🙌😳💱🏃", 0},
    {"😄😹🎇📥🏧🙉🔞", 0},
    {"🚹💂🈳💰🎩🏃", 0},
    {"f111", 0},
    {" 0xffff   ", 65535},
    {"\tƒuZZybuNNy\n", 6731191091817518},
    {"0xFFFF", 65535},
    {"0x00000000000000000001", 1},
    {"0001", 1},
    {"0.0.0.0", 0},
    {"1.2.3.4", 281483566841860},
    {"a.b.c.d", 2814797012533261},
    {"f.f.f.f", 0x000f000f000f000f},
    {"job.0.0.0.1", 1},
    {"Reform-REMOTE-galileo-heart-package-academy", 6731191091817518},
};

START_TEST(decodes_all_examples)
{
    for (size_t i = 0; i < ARRAY_SIZE(decodes); i++) {
        jobid_t id = 42;
        struct error err;
        ck_assert_msg(jobid_decode(decodes[i].text, &id, &err) == 0, "%s", err.text);
        if (decodes[i].id)
            ck_assert_uint_eq(id, decodes[i].id);
    }
}
END_TEST

START_TEST(names_the_forms)
{
    static const char *const names[] = {"f58",    "f58plain", "dec",   "hex",
                                        "dothex", "kvs",      "words", "emoji"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        ck_assert_int_eq(jobid_form_decode(names[i]), (int)i);
    ck_assert_int_eq(jobid_form_decode("emoji"), JOBID_EMOJI);
    ck_assert_int_eq(jobid_form_decode("F58"), -1);
    ck_assert_int_eq(jobid_form_decode(""), -1);
}
END_TEST

START_TEST(all_forms_of_random_ids_decode_equal)
{
    uint32_t state = 1958;
    for (int i = 0; i < 2000; i++) {
        jobid_t id = (uint64_t)mutate_random(&state) << 32 | mutate_random(&state);
        id >>= mutate_random(&state) % 64;
        for (enum jobid_form form = JOBID_F58; form <= JOBID_EMOJI; form++) {
            char buf[JOBID_BUFSIZE];
            jobid_t got = ~id;
            jobid_encode(id, form, buf, sizeof(buf));
            ck_assert_msg(jobid_decode(buf, &got, NULL) == 0 && got == id,
                          "%" PRIu64 " as '%s' is %" PRIu64, id, buf, got);
        }
    }
}
END_TEST

START_TEST(the_tables_are_whole)
{
    for (size_t i = 0; i < JOBID_NWORDS; i++)
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(jobid_words[i], jobid_words[k]);
    for (size_t i = 0; i < JOBID_NEMOJI; i++) {
        ck_assert_uint_eq(jobid_emoji[i] >> 12, 0x1f);
        for (size_t k = 0; k < i; k++)
            ck_assert_uint_ne(jobid_emoji[i], jobid_emoji[k]);
    }
}
END_TEST

START_TEST(ids_increase_whatever_the_clock_does)
{
    static const struct {
        uint64_t now, count;
    } steps[] = {
        {1000, 1}, {1000, 1}, {1000, 5000}, {1001, 1}, {400, 1},
        {1004, 1}, {1005, 3}, {9999, 1},    {0, 2000}, {9999, 1},
    };
    struct jobid_gen gen;
    jobid_gen_init(&gen, 7, 1000);
    jobid_t last = 0;
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        jobid_t first = jobid_gen_next(&gen, steps[i].now, steps[i].count);
        ck_assert_uint_gt(first, last);
        last = jobid_nth(first, steps[i].count - 1);
        ck_assert_uint_ge(last, first);
    }
    jobid_gen_init(&gen, 7, 1000);
    ck_assert_uint_ne(jobid_gen_next(&gen, 1000, 1), 0);
    jobid_gen_init(&gen, 0, 1000);
    ck_assert_uint_ne(jobid_gen_next(&gen, 1000, 1), 0);
    ck_assert_uint_eq(jobid_timestamp_ms(jobid_gen_next(&gen, 8000, 1)), 7000);
}
END_TEST

START_TEST(the_fields_are_where_the_rfc_says)
{
    struct jobid_gen gen;
    jobid_gen_init(&gen, 16383, 50);
    ck_assert_uint_eq(jobid_gen_next(&gen, 51, 1), (1U << 24 | 16383U << 10));
    ck_assert_uint_eq(jobid_gen_next(&gen, 51, 1), (1U << 24 | 16383U << 10 | 1));
}
END_TEST

START_TEST(a_block_needs_only_its_first_id)
{
    struct jobid_gen gen;
    jobid_gen_init(&gen, 3, 0);
    jobid_gen_next(&gen, 77, 1000);
    const uint64_t count = 1000000;
    jobid_t first = jobid_gen_next(&gen, 77, count);
    jobid_t after = jobid_gen_next(&gen, 77, 1);
    ck_assert_uint_eq(jobid_nth(first, 0), first);
    ck_assert_uint_eq(jobid_nth(first, count), after);
    jobid_t last = 0;
    for (uint64_t i = 0; i < count; i++) {
        jobid_t id = jobid_nth(first, i);
        if (id <= last || jobid_position(first, count, id) != (int64_t)i)
            ck_abort_msg("id %" PRIu64 " of the block is %" PRIu64, i, id);
        last = id;
    }
    ck_assert_int_eq(jobid_position(first, count, after), -1);
    ck_assert_int_eq(jobid_position(first, count, first - 1), -1);
    ck_assert_int_eq(jobid_position(first, count, 0), -1);
    ck_assert_int_eq(jobid_position(first, count, UINT64_MAX), -1);
    ck_assert_int_eq(jobid_position(first, count, first ^ 1 << 10), -1);
    ck_assert_int_eq(jobid_position(first, 1, first), 0);
}
END_TEST

START_TEST(survives_spoiled_texts)
{
    uint32_t state = 1919;
    size_t accepted = 0;
    for (int i = 0; i < 6000; i++) {
        cleanup_free char *text = mutate_text(codec[i % (int)ARRAY_SIZE(codec)].text,
                                              "0123456789abcdefxzƒ😃.- job", &state);
        struct error err = {0};
        jobid_t id = 0, again = 1;
        if (jobid_decode(text, &id, &err) < 0) {
            ck_assert_int_ne(err.code, 0);
            continue;
        }
        accepted++;
        char buf[JOBID_BUFSIZE];
        jobid_encode(id, (enum jobid_form)(i % (JOBID_EMOJI + 1)), buf, sizeof(buf));
        ck_assert_int_eq(jobid_decode(buf, &again, NULL), 0);
        ck_assert_uint_eq(id, again);
    }
    ck_assert_uint_gt(accepted, 500);
}
END_TEST

static const struct {
    const char *text;
    const char *names;
    int code;
} rejects[] = {
    {"", "no digits", EINVAL},
    {"   ", "no digits", EINVAL},
    {"boo", "'boo'", EINVAL},
    {"f", "no digits", EINVAL},
    {"ƒ", "no digits", EINVAL},
    {"flux", "'flux'", EINVAL},
    {"f1230", "F58 digit", EINVAL},
    {"fO", "'fO'", EINVAL},
    {"fI", "'fI'", EINVAL},
    {"fl", "'fl'", EINVAL},
    {"x1", "'x1'", EINVAL},
    {"12 34", "'12 34'", EINVAL},
    {"+1", "'+1'", EINVAL},
    {"-1", "'-1'", EINVAL},
    {"0x", "no digits", EINVAL},
    {"0xg", "'0xg'", EINVAL},
    {"0.0.0", "four groups", EINVAL},
    {"0.0.0.0.0", "four groups", EINVAL},
    {"0.0.0.g", "'0.0.0.g'", EINVAL},
    {"0.0.0.", "four groups", EINVAL},
    {".0.0.0", "four groups", EINVAL},
    {"00000.0.0.0", "four groups", EINVAL},
    {"job.", "'job.'", EINVAL},
    {"job.0.0.0", "four groups", EINVAL},
    {"invalid-words-test", "list of words", EINVAL},
    {"reform-remote-galileo", "six words", EINVAL},
    {"foo-bar-baz--qux-quux-corge", "list of words", EINVAL},
    {"reform-remote-galileo--heart-package", "six words", EINVAL},
    {"reform-remote-galileo--heart-package-academy-academy", "list of words", EINVAL},
    {"reform-remote-galileo--heart-package-", "list of words", EINVAL},
    {"reform-remote-galileo--heart-package-ego", "list of words", EINVAL},
    {"🦄", "emoji alphabet", EINVAL},
    {"😃\xf0\x9f", "emoji alphabet", EINVAL},
    {"😃1", "emoji alphabet", EINVAL},
    {"18446744073709551616", "64 bits", ERANGE},
    {"0x10000000000000000", "64 bits", ERANGE},
    {"fjpXCZedGfVR", "64 bits", ERANGE},
    {"fzzzzzzzzzzzzzzzzzzz", "64 bits", ERANGE},
    {"🚹💗💧👗😷📷📚📚", "64 bits", ERANGE},
};

START_TEST(rejects_bad_texts)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err = {0};
        jobid_t id = 42;
        ck_assert_msg(jobid_decode(rejects[i].text, &id, &err) == -1,
                      "'%s' was accepted as %" PRIu64, rejects[i].text, id);
        ck_assert_uint_eq(id, 42);
        ck_error_names(err, rejects[i].names);
        ck_assert_msg(err.code == rejects[i].code, "%s: code %d", err.text, err.code);
    }
}
END_TEST

START_TEST(rejects_words_beyond_32_bits)
{
    char text[JOBID_BUFSIZE];
    const char *w = jobid_words[JOBID_NWORDS - 1];
    snprintf(text, sizeof(text), "%s-%s-%s--academy-academy-academy", w, w, w);
    struct error err = {0};
    jobid_t id;
    ck_assert_int_eq(jobid_decode(text, &id, &err), -1);
    ck_assert_int_eq(err.code, ERANGE);
    ck_error_names(err, w);
}
END_TEST

UNIT_MAIN("jobid", encodes_and_decodes, decodes_all_examples, names_the_forms,
          all_forms_of_random_ids_decode_equal, the_tables_are_whole,
          ids_increase_whatever_the_clock_does, the_fields_are_where_the_rfc_says,
          a_block_needs_only_its_first_id, survives_spoiled_texts, rejects_bad_texts,
          rejects_words_beyond_32_bits)
