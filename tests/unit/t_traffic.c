/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/comm/traffic.h"

#include <string.h>
#include "src/common/util.h"
#include "tests/unit/unit.h"

static const struct {
    const char *data;
    uint64_t lines;
} messages[] = {
    {"", 0},          {"\n", 1},         {">{}\n", 1},
    {"a\nb\nc\n", 3}, {"a\n\n\nb\n", 4}, {"no end", 0}, /* never sent, never counted */
};

START_TEST(lines_and_bytes_are_counted)
{
    struct traffic_count c = {0};
    uint64_t lines = 0, bytes = 0;
    for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
        traffic_add(&c, messages[i].data, strlen(messages[i].data));
        lines += messages[i].lines;
        bytes += strlen(messages[i].data);
        ck_assert_uint_eq(c.messages, i + 1);
        ck_assert_uint_eq(c.lines, lines);
        ck_assert_uint_eq(c.bytes, bytes);
    }
    traffic_add(&c, NULL, 0); /* an epoch without lines: the last one */
    ck_assert_uint_eq(c.messages, ARRAY_SIZE(messages) + 1);
    ck_assert_uint_eq(c.bytes, bytes);
}
END_TEST

START_TEST(only_the_message_itself_is_read)
{
    struct traffic_count c = {0};
    traffic_add(&c, "a\nb\nc\n", 3); /* "a\nb" */
    ck_assert_uint_eq(c.lines, 1);
    ck_assert_uint_eq(c.bytes, 3);
}
END_TEST

START_TEST(each_count_has_its_name)
{
    const struct traffic t = {.sent = {1, 2, 3},
                              .received = {4, 5, 6},
                              .beats = {7, 8, 9},
                              .epochs = {10, 11, UINT64_MAX}};
    cleanup_json json_object *o = traffic_to_json(&t);
    ck_assert_str_eq(
        json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN),
        "{\"sent\":{\"messages\":1,\"lines\":2,\"bytes\":3},"
        "\"received\":{\"messages\":4,\"lines\":5,\"bytes\":6},"
        "\"beats\":{\"messages\":7,\"lines\":8,\"bytes\":9},"
        "\"epochs\":{\"epochs\":10,\"lines\":11,\"bytes\":18446744073709551615}}");
}
END_TEST

UNIT_MAIN("traffic", lines_and_bytes_are_counted, only_the_message_itself_is_read,
          each_count_has_its_name)
