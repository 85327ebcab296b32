/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/base64.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

#include <errno.h>

/* RFC 4648, section 10, and some with the other characters of the alphabet. */
static const struct {
    const char *data;
    size_t len;
    const char *text;
} vectors[] = {
    {"", 0, ""},
    {"f", 1, "Zg=="},
    {"fo", 2, "Zm8="},
    {"foo", 3, "Zm9v"},
    {"foob", 4, "Zm9vYg=="},
    {"fooba", 5, "Zm9vYmE="},
    {"foobar", 6, "Zm9vYmFy"},
    {"\0", 1, "AA=="},
    {"\0\0\0", 3, "AAAA"},
    {"\xff\xff\xff", 3, "////"},
    {"\xfb\xef\xbe", 3, "++++"},
    {"\xff", 1, "/w=="},
};

START_TEST(encodes_and_decodes)
{
    for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
        cleanup_free char *text = base64_encode(vectors[i].data, vectors[i].len);
        ck_assert_str_eq(text, vectors[i].text);
        struct error err;
        size_t len = 99;
        cleanup_free char *data = base64_decode(text, strlen(text), &len, &err);
        ck_assert_ptr_nonnull(data);
        ck_assert_uint_eq(len, vectors[i].len);
        ck_assert_mem_eq(data, vectors[i].data, len);
        ck_assert_int_eq(data[len], 0);
    }
}
END_TEST

START_TEST(every_byte_at_every_place)
{
    unsigned char all[259];
    for (size_t i = 0; i < sizeof(all); i++)
        all[i] = (unsigned char)(i * 7);
    for (size_t n = 0; n <= sizeof(all); n++) {
        cleanup_free char *text = base64_encode(all, n);
        size_t len;
        cleanup_free unsigned char *data = base64_decode(text, strlen(text), &len, NULL);
        ck_assert_ptr_nonnull(data);
        ck_assert_uint_eq(len, n);
        ck_assert_mem_eq(data, all, n);
    }
}
END_TEST

static const struct {
    const char *text;
    const char *names;
} rejects[] = {
    {"Z", "length 1"},
    {"Zg=", "length 3"},
    {"Zm9vY", "length 5"},
    {"Zm9\n", "0x0a at offset 3"},
    {"Zm9-", "0x2d"},
    {"Zm_v", "0x5f at offset 2"},
    {"Zm v", "0x20"},
    {"Zg==Zm9v", "offset 2"},
    {"=Zm9", "0x3d at offset 0"},
    {"Z===", "offset 1"},
    {"====", "0x3d"},
    {"Zh==", "left over"},
    {"Zm9=", "left over"},
    {"Zm9\xc3", "0xc3"},
};

START_TEST(rejects_everything_else)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err;
        size_t len = 99;
        ck_assert_ptr_null(
            base64_decode(rejects[i].text, strlen(rejects[i].text), &len, &err));
        ck_assert_uint_eq(len, 0);
        ck_assert_int_eq(err.code, EINVAL);
        ck_error_names(err, rejects[i].names);
    }
    size_t len;
    struct error err;
    ck_assert_ptr_null(base64_decode("Zm\0v", 4, &len, &err));
    ck_error_names(err, "0x00 at offset 2");
}
END_TEST

UNIT_MAIN("base64", encodes_and_decodes, every_byte_at_every_place,
          rejects_everything_else)
