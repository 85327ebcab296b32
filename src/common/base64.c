/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/base64.h"
#include "src/common/util.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* Value of each character plus one; 0: not in the alphabet. */
static const uint8_t values[256] = {
    ['A'] = 1,  ['B'] = 2,  ['C'] = 3,  ['D'] = 4,  ['E'] = 5,  ['F'] = 6,  ['G'] = 7,
    ['H'] = 8,  ['I'] = 9,  ['J'] = 10, ['K'] = 11, ['L'] = 12, ['M'] = 13, ['N'] = 14,
    ['O'] = 15, ['P'] = 16, ['Q'] = 17, ['R'] = 18, ['S'] = 19, ['T'] = 20, ['U'] = 21,
    ['V'] = 22, ['W'] = 23, ['X'] = 24, ['Y'] = 25, ['Z'] = 26, ['a'] = 27, ['b'] = 28,
    ['c'] = 29, ['d'] = 30, ['e'] = 31, ['f'] = 32, ['g'] = 33, ['h'] = 34, ['i'] = 35,
    ['j'] = 36, ['k'] = 37, ['l'] = 38, ['m'] = 39, ['n'] = 40, ['o'] = 41, ['p'] = 42,
    ['q'] = 43, ['r'] = 44, ['s'] = 45, ['t'] = 46, ['u'] = 47, ['v'] = 48, ['w'] = 49,
    ['x'] = 50, ['y'] = 51, ['z'] = 52, ['0'] = 53, ['1'] = 54, ['2'] = 55, ['3'] = 56,
    ['4'] = 57, ['5'] = 58, ['6'] = 59, ['7'] = 60, ['8'] = 61, ['9'] = 62, ['+'] = 63,
    ['/'] = 64,
};

char *base64_encode(const void *data, size_t len)
{
    const unsigned char *in = data;
    char *text = xmalloc((len + 2) / 3 * 4 + 1), *out = text;
    for (; len >= 3; len -= 3, in += 3) {
        uint32_t v = (uint32_t)in[0] << 16 | (uint32_t)in[1] << 8 | in[2];
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        *out++ = alphabet[v >> 6 & 63];
        *out++ = alphabet[v & 63];
    }
    if (len > 0) {
        uint32_t v = (uint32_t)in[0] << 16 | (len > 1 ? (uint32_t)in[1] << 8 : 0);
        *out++ = alphabet[v >> 18];
        *out++ = alphabet[v >> 12 & 63];
        *out++ = len > 1 ? alphabet[v >> 6 & 63] : '=';
        *out++ = '=';
    }
    *out = '\0';
    return text;
}

void *base64_decode(const char *text, size_t len, size_t *out_len, struct error *err)
{
    *out_len = 0;
    if (len % 4 != 0)
        return error_null(err, EINVAL, "base64: length %zu is not a multiple of 4", len);
    size_t pad = 0;
    while (pad < 2 && len > pad && text[len - 1 - pad] == '=')
        pad++;
    size_t digits = len - pad, n = len / 4 * 3 - pad;
    cleanup_free unsigned char *data = xmalloc(n + 1);
    unsigned char *out = data;
    uint32_t v = 0;
    size_t i = 0;
    for (; i + 4 <= digits; i += 4) {
        const unsigned char *t = (const unsigned char *)text + i;
        uint32_t a = values[t[0]] - 1u, b = values[t[1]] - 1u, c = values[t[2]] - 1u,
                 d = values[t[3]] - 1u;
        if ((a | b | c | d) > 63)
            break; /* which one is told below */
        v = a << 18 | b << 12 | c << 6 | d;
        *out++ = (unsigned char)(v >> 16);
        *out++ = (unsigned char)(v >> 8);
        *out++ = (unsigned char)v;
    }
    for (v = 0; i < digits; i++) {
        uint8_t value = values[(unsigned char)text[i]];
        if (value == 0)
            return error_null(err, EINVAL,
                              "base64: byte 0x%02x at offset %zu is not in the alphabet",
                              (unsigned char)text[i], i);
        v = v << 6 | (uint32_t)(value - 1);
    }
    /* The bits that the padding leaves over must be zero: one text for each data. */
    if ((pad == 1 && (v & 3) != 0) || (pad == 2 && (v & 15) != 0))
        return error_null(err, EINVAL, "base64: bits left over before '=' at offset %zu",
                          digits);
    if (pad == 1) {
        *out++ = (unsigned char)(v >> 10);
        *out++ = (unsigned char)(v >> 2);
    } else if (pad == 2) {
        *out++ = (unsigned char)(v >> 4);
    }
    *out = '\0';
    *out_len = n;
    return take(data);
}
