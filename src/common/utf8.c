/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "src/common/util.h"

/* What may follow a lead byte: the number of further bytes and the range of the first of
 * them (the others are 80..BF): RFC 3629, section 4. */
struct lead {
    unsigned char first, last, more, low, high;
};

static const struct lead leads[] = {
    {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf}, {0xe1, 0xec, 2, 0x80, 0xbf},
    {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf},
    {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

/* Length of the character at S (not ASCII) of which at most LEFT bytes exist; 0: invalid. */
static size_t character(const unsigned char *s, size_t left)
{
    for (size_t i = 0; i < sizeof(leads) / sizeof(leads[0]); i++) {
        const struct lead *lead = &leads[i];
        if (s[0] < lead->first || s[0] > lead->last)
            continue;
        if (left <= lead->more || s[1] < lead->low || s[1] > lead->high)
            return 0;
        for (size_t k = 2; k <= lead->more; k++)
            if ((s[k] & 0xc0) != 0x80)
                return 0;
        return (size_t)lead->more + 1;
    }
    return 0;
}

bool utf8_valid(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t i = 0;
    while (i < len) {
        /* Most output is ASCII: eight bytes at a time. */
        uint64_t word;
        while (len - i >= sizeof(word)) {
            memcpy(&word, s + i, sizeof(word));
            if (word & UINT64_C(0x8080808080808080))
                break;
            i += sizeof(word);
        }
        while (i < len && s[i] < 0x80)
            i++;
        while (i < len && s[i] >= 0x80) {
            size_t n = character(s + i, len - i);
            if (n == 0)
                return false;
            i += n;
        }
    }
    return true;
}

const char *utf8_getenv(const void *env, const char *name)
{
    (void)env;
    return getenv(name);
}

bool utf8_locale(utf8_variable_f get, const void *env)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *value = get(env, names[i]);
        if (!value || !*value)
            continue;
        return strcasestr(value, "UTF-8") || strcasestr(value, "UTF8");
    }
    return false;
}

bool utf8_ascii_ids(utf8_variable_f get, const void *env)
{
    const char *force = get(env, "HBATCH_F58_FORCE_ASCII");
    return (force && *force && strcmp(force, "0") != 0) || !utf8_locale(get, env);
}
