/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/lib/spectext.h"

#include "src/common/util.h"
#include "tests/unit/unit.h"

#define REST ",\"slot\":\"task\"}],\"version\":1}"
#define OTHER(words) "{\"attributes\":{},\"tasks\":[{\"command\":[\"a\"" words "]" REST

static const struct {
    const char *text;
    const char *words; /* NULL: it is not one like the others */
} table[] = {
    {OTHER(""), ""},
    {OTHER(",\"1\""), ",\"1\""},
    {OTHER(",\"1\",\"two words\", \"\\\"]\\\\\\u00e9\""),
     ",\"1\",\"two words\", \"\\\"]\\\\\\u00e9\""},
    {OTHER(",\"\303\251\""), ",\"\303\251\""},
    {OTHER(",\"\",\"\""), ",\"\",\"\""},
    /* not words */
    {OTHER(",1"), NULL},
    {OTHER(",[\"1\"]"), NULL},
    {OTHER(",\"1\",\"slot\":\"x\""), NULL},
    {OTHER(",\"1\"],\"x\":[\"y\""), NULL},
    {OTHER(",\"1"), NULL},
    {OTHER(","), NULL},
    {OTHER(",\"1\","), NULL},
    {OTHER(" \"1\""), NULL},
    {OTHER(",\"\\x\""), NULL},
    {OTHER(",\"\\u12\""), NULL},
    {OTHER(",\"\\u0000\""), NULL},
    {OTHER(",\"\\ud83d\""), NULL},
    {OTHER(",\"\\ud83d\\ude00\""), NULL}, /* right, but not looked at */
    {OTHER(",\"tab\t\""), NULL},
    {OTHER(",\"\377\""), NULL},
    /* other things differ */
    {"{\"attributes\":{},\"tasks\":[{\"command\":[\"b\",\"1\"]" REST, NULL},
    {"{\"attributes\":{\"x\":1},\"tasks\":[{\"command\":[\"a\",\"1\"]" REST, NULL},
    {"{\"attributes\":{},\"tasks\":[{\"command\":[\"a\",\"1\"],\"slot\":\"x\"}],"
     "\"version\":1}",
     NULL},
    {"{\"attributes\":{},\"tasks\":[{\"command\":[\"a\"", NULL},
    {"", NULL},
};

START_TEST(tells_words_apart)
{
    struct spectext s;
    ck_assert(spectext_init(&s, OTHER(",\"any\"")));
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        size_t len = 0;
        const char *words =
            spectext_match(&s, table[i].text, strlen(table[i].text), &len);
        ck_assert_msg(!words == !table[i].words, "%s", table[i].text);
        if (!words)
            continue;
        ck_assert_uint_eq(len, strlen(table[i].words));
        ck_assert(memcmp(words, table[i].words, len) == 0);
    }
    spectext_fini(&s);
}
END_TEST

START_TEST(finds_the_command_that_counts)
{
    static const char *const texts[] = {
        " { \"tasks\" : [ { \"slot\" : \"\\\"]}\" , \"command\" : [ \"a\" , \"1\" ] } ] "
        "} ",
        "{\"x\":{\"tasks\":[{\"command\":[\"n\"]}]},\"tasks\":[{\"command\":[\"a\",\"1\"]"
        "}]}",
        "{\"n\":-1.5e3,\"t\":true,\"tasks\":[{\"count\":{\"total\":1},\"command\":[\"a\","
        "\"1\"]}]}",
        /* the last one of several is that which counts */
        "{\"tasks\":[{\"command\":[\"z\"],\"command\":[\"a\",\"1\"]}]}",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct spectext s;
        size_t len;
        ck_assert_msg(spectext_init(&s, texts[i]), "%s", texts[i]);
        const char *words = spectext_match(&s, texts[i], strlen(texts[i]), &len);
        ck_assert_ptr_nonnull(words);
        ck_assert_ptr_eq(words + len, texts[i] + s.len - s.tail);
        ck_assert_ptr_nonnull(memmem(words, len, "\"1\"", 3));
        ck_assert(memcmp(texts[i] + s.head - 3, "\"a\"", 3) == 0);
        spectext_fini(&s);
    }
}
END_TEST

START_TEST(rejects_what_has_no_command)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "1",
        "",
        "{\"tasks\":[]}",
        "{\"tasks\":{}}",
        "{\"tasks\":[{}]}",
        "{\"tasks\":[{\"command\":[]}]}",
        "{\"tasks\":[{\"command\":\"a\"}]}",
        "{\"tasks\":[{\"command\":[1]}]}",
        "{\"tasks\":[{\"command\":[\"a\",1]}]}",
        "{\"tasks\":[{\"command\":[\"a\"",
        "{\"tasks",
        "{\"tasks\":",
        "{\"x\":[[[",
        "{\"x\":\"",
        "{\"x\":\"\\",
    };
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct spectext s;
        ck_assert_msg(!spectext_init(&s, texts[i]), "%s", texts[i]);
    }
}
END_TEST

/* Cut anywhere, nothing is read beyond the end. */
START_TEST(survives_cuts)
{
    const char *text = OTHER(",\"1\",\"\\u00e9\\\"\"");
    for (size_t n = 0; n < strlen(text); n++) {
        struct spectext s;
        cleanup_free char *cut = xstrndup(text, n);
        if (spectext_init(&s, cut))
            spectext_fini(&s);
    }
}
END_TEST

UNIT_MAIN("spectext", tells_words_apart, finds_the_command_that_counts,
          rejects_what_has_no_command, survives_cuts)
