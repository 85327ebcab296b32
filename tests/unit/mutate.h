/* SPDX-License-Identifier: BSD-3-Clause */
/* mutate: spoiled copies of valid texts, the same ones in each run, for tests that say: a
 * decoder never crashes, and what it accepts re-encodes to something that decodes equal. */
#ifndef HBATCH_TESTS_MUTATE_H
#define HBATCH_TESTS_MUTATE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* xorshift: the state is the fixed seed at first, and never 0. */
static inline uint32_t mutate_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* A new string: TEXT with one to four changes, each of them a byte from ALPHABET (rarely any
 * byte) put in or over another, a byte or the tail removed, or a piece repeated. */
static inline char *mutate_text(const char *text, const char *alphabet, uint32_t *state)
{
    size_t len = strlen(text);
    char *s = malloc(len * 16 + 64);
    strcpy(s, text);
    for (uint32_t changes = 1 + mutate_random(state) % 4; changes; changes--) {
        size_t at = mutate_random(state) % (len + 1);
        char c = alphabet[mutate_random(state) % strlen(alphabet)];
        if (mutate_random(state) % 16 == 0)
            c = (char)(1 + mutate_random(state) % 255);
        uint32_t what = mutate_random(state) % 8;
        if (what < 3) { /* put in */
            memmove(s + at + 1, s + at, len + 1 - at);
            s[at] = c;
        } else if (what < 5 && at < len) { /* put over */
            s[at] = c;
        } else if (what < 6 && at < len) { /* remove */
            memmove(s + at, s + at + 1, len - at);
        } else if (what < 7) { /* repeat a piece from the start of the text */
            memmove(s + 2 * at, s + at, len + 1 - at);
            memcpy(s + at, s, at);
        } else { /* cut */
            s[at] = '\0';
        }
        len = strlen(s);
    }
    return s;
}

#endif
