/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/jobid.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "src/common/jobid_tables.h"
#include "src/common/util.h"

/* A slot is a generator's position in its own sequence of ids: an id without the generator's
 * number, that is (timestamp << SEQ_BITS | sequence).  Consecutive ids have consecutive slots. */
enum { SEQ_BITS = 10, GEN_BITS = 14, TIME_SHIFT = SEQ_BITS + GEN_BITS };
#define SEQ_MASK ((1U << SEQ_BITS) - 1)
#define GEN_MASK ((1U << GEN_BITS) - 1)

static const char f58_prefix[] = "\xc6\x92"; /* U+0192 */
static const char f58_digits[] =
    "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

/* --- reserve --------------------------------------------------------------------------------- */

static uint64_t slot_of(jobid_t id)
{
    return id >> TIME_SHIFT << SEQ_BITS | (id & SEQ_MASK);
}

static unsigned generator_of(jobid_t id)
{
    return (unsigned)(id >> SEQ_BITS) & GEN_MASK;
}

static jobid_t id_of(uint64_t slot, unsigned generator)
{
    return slot >> SEQ_BITS << TIME_SHIFT | (uint64_t)(generator & GEN_MASK) << SEQ_BITS |
           (slot & SEQ_MASK);
}

void jobid_gen_init(struct jobid_gen *gen, unsigned generator, uint64_t now_ms)
{
    /* Slot 0 is left out, so that id 0 is never given. */
    *gen = (struct jobid_gen){.epoch_ms = now_ms, .next_slot = 1, .generator = generator};
}

jobid_t jobid_gen_next(struct jobid_gen *gen, uint64_t now_ms, uint64_t count)
{
    uint64_t ms = now_ms > gen->epoch_ms ? now_ms - gen->epoch_ms : 0;
    uint64_t slot = MAX(gen->next_slot, ms << SEQ_BITS);
    gen->next_slot = slot + count;
    return id_of(slot, gen->generator);
}

jobid_t jobid_nth(jobid_t first, uint64_t i)
{
    return id_of(slot_of(first) + i, generator_of(first));
}

int64_t jobid_position(jobid_t first, uint64_t count, jobid_t id)
{
    if (generator_of(id) != generator_of(first))
        return -1;
    uint64_t at =
        slot_of(id) - slot_of(first); /* before FIRST: wraps, to a huge position */
    return at < count ? (int64_t)at : -1;
}

uint64_t jobid_timestamp_ms(jobid_t id)
{
    return id >> TIME_SHIFT;
}

/* --- encode ------------------------------------------------------------------------------------ */

static void encode_f58(jobid_t id, const char *prefix, char *out)
{
    char digits[12]; /* 58^11 > 2^64 */
    size_t i = sizeof(digits);
    digits[--i] = '\0';
    do {
        digits[--i] = f58_digits[id % 58];
        id /= 58;
    } while (id);
    sprintf(out, "%s%s", prefix, digits + i);
}

static void encode_dothex(jobid_t id, const char *prefix, char *out)
{
    sprintf(out, "%s%04x.%04x.%04x.%04x", prefix, (unsigned)(id >> 48),
            (unsigned)(id >> 32) & 0xffff, (unsigned)(id >> 16) & 0xffff,
            (unsigned)id & 0xffff);
}

/* Three words for each half, the low half and the low digits first. */
static void encode_words(jobid_t id, char *out)
{
    const char *w[6];
    for (int i = 0; i < 6; i++) {
        uint32_t half = (uint32_t)(i < 3 ? id : id >> 32);
        for (int digit = i % 3; digit; digit--)
            half /= JOBID_NWORDS;
        w[i] = jobid_words[half % JOBID_NWORDS];
    }
    sprintf(out, "%s-%s-%s--%s-%s-%s", w[0], w[1], w[2], w[3], w[4], w[5]);
}

static void emoji_bytes(uint32_t code, char *out)
{
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
}

static void encode_emoji(jobid_t id, char *out)
{
    uint32_t digits[7]; /* 576^7 > 2^64 */
    int n = 0;
    do {
        digits[n++] = jobid_emoji[id % JOBID_NEMOJI];
        id /= JOBID_NEMOJI;
    } while (id);
    for (; n; n--, out += 4)
        emoji_bytes(digits[n - 1], out);
    *out = '\0';
}

char *jobid_encode(jobid_t id, enum jobid_form form, char *buf, size_t size)
{
    char out[JOBID_BUFSIZE] = "";
    switch (form) {
    case JOBID_F58:
        encode_f58(id, f58_prefix, out);
        break;
    case JOBID_F58_PLAIN:
        encode_f58(id, "f", out);
        break;
    case JOBID_DEC:
        sprintf(out, "%" PRIu64, id);
        break;
    case JOBID_HEX:
        sprintf(out, "0x%" PRIx64, id);
        break;
    case JOBID_DOTHEX:
        encode_dothex(id, "", out);
        break;
    case JOBID_KVS:
        encode_dothex(id, "job.", out);
        break;
    case JOBID_WORDS:
        encode_words(id, out);
        break;
    case JOBID_EMOJI:
        encode_emoji(id, out);
        break;
    }
    size_t len = strlen(out);
    if (len == 0 || len >= size)
        return NULL;
    return memcpy(buf, out, len + 1);
}

/* --- decode ------------------------------------------------------------------------------------ */

/* A text without blanks around it: P up to END. Each decoder below returns NULL, or what is
 * wrong with the text. */
struct span {
    const char *p;
    const char *end;
};

static const char too_large[] = "it does not fit 64 bits";

static size_t span_len(struct span s)
{
    return (size_t)(s.end - s.p);
}

static bool starts_with(struct span s, const char *prefix)
{
    size_t n = strlen(prefix);
    return span_len(s) >= n && !memcmp(s.p, prefix, n);
}

static bool contains(struct span s, char c)
{
    return memchr(s.p, c, span_len(s)) != NULL;
}

/* *ID = *ID * BASE + DIGIT, or return false. */
static bool shift_in(jobid_t *id, unsigned base, unsigned digit)
{
    return !__builtin_mul_overflow(*id, base, id) &&
           !__builtin_add_overflow(*id, digit, id);
}

static int digit_value(char c, unsigned base)
{
    static const char hex[] = "0123456789abcdef";
    const char *digits = base == 58 ? f58_digits : hex;
    const char *at =
        c ? strchr(digits, base == 16 ? tolower((unsigned char)c) : c) : NULL;
    return at && at - digits < (ptrdiff_t)base ? (int)(at - digits) : -1;
}

static const char *decode_number(struct span s, unsigned base, jobid_t *id)
{
    if (s.p == s.end)
        return "it has no digits";
    for (; s.p < s.end; s.p++) {
        int digit = digit_value(*s.p, base);
        if (digit < 0)
            return base == 58 ? "not an F58 digit"
                   : base == 16
                       ? "not a hexadecimal digit"
                       : "expected a decimal number, or F58 (f...), 0x..., words "
                         "or the dotted form";
        if (!shift_in(id, base, (unsigned)digit))
            return too_large;
    }
    return NULL;
}

static const char *decode_dothex(struct span s, jobid_t *id)
{
    static const char wrong[] = "expected four groups of up to four hexadecimal digits";
    if (starts_with(s, "job."))
        s.p += 4;
    for (int i = 0; i < 4; i++) {
        const char *dot = i < 3 ? memchr(s.p, '.', span_len(s)) : s.end;
        jobid_t group = 0;
        if (!dot || dot - s.p > 4 || decode_number((struct span){s.p, dot}, 16, &group))
            return wrong;
        *id = *id << 16 | group;
        s.p = i < 3 ? dot + 1 : dot;
    }
    return NULL;
}

static int word_value(const char *p, size_t n)
{
    for (int i = 0; i < JOBID_NWORDS; i++)
        if (!strncasecmp(jobid_words[i], p, n) && !jobid_words[i][n])
            return i;
    return -1;
}

static const char *decode_words(struct span s, jobid_t *id)
{
    int w[6];
    for (int i = 0; i < 6; i++) {
        const char *end = i < 5 ? memchr(s.p, '-', span_len(s)) : s.end;
        if (!end)
            return "expected six words";
        w[i] = word_value(s.p, (size_t)(end - s.p));
        if (w[i] < 0)
            return "a word is not in the list of words";
        for (s.p = end; s.p < s.end && *s.p == '-';)
            s.p++;
    }
    jobid_t half[2];
    for (int i = 0; i < 2; i++) {
        const int *d = w + 3 * i;
        half[i] = ((uint64_t)d[2] * JOBID_NWORDS + (uint64_t)d[1]) * JOBID_NWORDS +
                  (uint64_t)d[0];
        if (half[i] > UINT32_MAX)
            return too_large;
    }
    *id = half[1] << 32 | half[0];
    return NULL;
}

static int emoji_value(const char *p)
{
    for (int i = 0; i < JOBID_NEMOJI; i++) {
        char bytes[4];
        emoji_bytes(jobid_emoji[i], bytes);
        if (!memcmp(bytes, p, sizeof(bytes)))
            return i;
    }
    return -1;
}

static const char *decode_emoji(struct span s, jobid_t *id)
{
    for (; s.p < s.end; s.p += 4) {
        int digit = span_len(s) < 4 ? -1 : emoji_value(s.p);
        if (digit < 0)
            return "not in the emoji alphabet";
        if (!shift_in(id, JOBID_NEMOJI, (unsigned)digit))
            return too_large;
    }
    return NULL;
}

/* The order is RFC 19's, and what makes the forms unambiguous. */
static const char *decode_any(struct span s, jobid_t *id)
{
    if (contains(s, '.'))
        return decode_dothex(s, id);
    if (contains(s, '-'))
        return decode_words(s, id);
    if (starts_with(s, f58_prefix))
        return decode_number((struct span){s.p + strlen(f58_prefix), s.end}, 58, id);
    if (starts_with(s, "f"))
        return decode_number((struct span){s.p + 1, s.end}, 58, id);
    if (starts_with(s, "\xf0\x9f"))
        return decode_emoji(s, id);
    if (starts_with(s, "0x"))
        return decode_number((struct span){s.p + 2, s.end}, 16, id);
    return decode_number(s, 10, id);
}

int jobid_decode(const char *text, jobid_t *id, struct error *err)
{
    struct span s = {text, text + strlen(text)};
    while (s.p < s.end && isspace((unsigned char)*s.p))
        s.p++;
    while (s.p < s.end && isspace((unsigned char)s.end[-1]))
        s.end--;
    jobid_t got = 0;
    const char *wrong = decode_any(s, &got);
    if (wrong)
        return error_set(err, wrong == too_large ? ERANGE : EINVAL, "job id '%.100s': %s",
                         text, wrong);
    *id = got;
    return 0;
}

int jobid_form_decode(const char *name)
{
    static const char *const names[] = {
        [JOBID_F58] = "f58",     [JOBID_F58_PLAIN] = "f58plain", [JOBID_DEC] = "dec",
        [JOBID_HEX] = "hex",     [JOBID_DOTHEX] = "dothex",      [JOBID_KVS] = "kvs",
        [JOBID_WORDS] = "words", [JOBID_EMOJI] = "emoji",
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (!strcmp(names[i], name))
            return (int)i;
    return -1;
}
