/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/utf8.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

static const struct {
    const char *s;
    bool valid;
} table[] = {
    {"", true},
    {"plain text, longer than one word of eight bytes\n\t\x7f", true},
    {"\xc2\x80", true}, /* first and last of each length */
    {"\xdf\xbf", true},
    {"\xe0\xa0\x80", true},
    {"\xed\x9f\xbf", true},
    {"\xee\x80\x80", true},
    {"\xef\xbf\xbf", true},
    {"\xf0\x90\x80\x80", true},
    {"\xf4\x8f\xbf\xbf", true},
    {"gr\xc3\xbc\xc3\x9f Gott \xe2\x82\xac \xf0\x9f\x98\x80 end", true},
    {"12345678\xe2\x82\xac"
     "12345678",
     true},
    {"\x80", false}, /* no lead byte */
    {"a\xbf", false},
    {"\xc0\x80", false}, /* overlong */
    {"\xc1\xbf", false},
    {"\xe0\x9f\xbf", false},
    {"\xf0\x8f\xbf\xbf", false},
    {"\xed\xa0\x80", false}, /* surrogates */
    {"\xed\xbf\xbf", false},
    {"\xf4\x90\x80\x80", false}, /* above U+10FFFF */
    {"\xf5\x80\x80\x80", false},
    {"\xff", false},
    {"\xfe", false},
    {"\xc3", false}, /* cut off */
    {"\xe2\x82", false},
    {"\xf0\x9f\x98", false},
    {"1234567\xe2\x82", false},
    {"\xc3(", false}, /* not continued */
    {"\xe2\x82(", false},
    {"\xe2(\xac", false},
    {"\xf0\x9f\x98(", false},
    {"\xc3\xc3\xbc", false},
};

START_TEST(tells_text)
{
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        size_t len = strlen(table[i].s);
        /* on the heap without the terminator, so that a read beyond the end is seen */
        cleanup_free char *s = xmalloc(len);
        memcpy(s, table[i].s, len);
        ck_assert_msg(utf8_valid(s, len) == table[i].valid, "row %zu", i);
    }
    ck_assert(utf8_valid("a\0b", 3));
}
END_TEST

START_TEST(bad_byte_at_any_offset)
{
    char s[40];
    for (size_t i = 0; i < sizeof(s); i++) {
        memset(s, 'x', sizeof(s));
        ck_assert(utf8_valid(s, sizeof(s)));
        s[i] = (char)0xe2;
        ck_assert(!utf8_valid(s, sizeof(s)));
    }
}
END_TEST

/* LC_ALL, LC_CTYPE, LANG, HBATCH_F58_FORCE_ASCII */
static const struct {
    const char *values[4];
    bool utf8, ascii;
} locales[] = {
    {{NULL, NULL, NULL, NULL}, false, true},
    {{NULL, NULL, "C.UTF-8", NULL}, true, false},
    {{NULL, NULL, "de_DE.utf8", NULL}, true, false},
    {{"C", NULL, "C.UTF-8", NULL}, false, true},
    {{"", "", "C.UTF-8", ""}, true, false},
    {{NULL, "C.UTF-8", "C", NULL}, true, false},
    {{NULL, NULL, "de_DE", NULL}, false, true},
    {{NULL, NULL, "C.UTF-8", "1"}, true, true},
    {{NULL, NULL, "C.UTF-8", "0"}, true, false},
};

static const char *get_value(const void *env, const char *name)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG",
                                        "HBATCH_F58_FORCE_ASCII"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(name, names[i]) == 0)
            return ((const char *const *)env)[i];
    ck_abort_msg("asks for %s", name);
}

START_TEST(locale_by_name)
{
    for (size_t i = 0; i < ARRAY_SIZE(locales); i++) {
        ck_assert_msg(utf8_locale(get_value, locales[i].values) == locales[i].utf8,
                      "row %zu", i);
        ck_assert_msg(utf8_ascii_ids(get_value, locales[i].values) == locales[i].ascii,
                      "row %zu", i);
    }
}
END_TEST

UNIT_MAIN("utf8", tells_text, bad_byte_at_any_offset, locale_by_name)
