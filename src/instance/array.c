/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/array.h"

#include <string.h>
#include "src/common/idranges.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"

enum { WORDS = 64, WORD_BITS = 64, PIECE = WORDS * WORD_BITS };

struct piece {
    unsigned set;
    uint64_t words[WORDS];
};

/* Of all pieces of which all bits are set; those that have none are NULL. */
static struct piece full;

struct bits {
    struct piece **pieces;
    uint64_t size, set; /* bits in all; those that are set */
    uint64_t low;       /* none before it is set */
};

struct array {
    struct idranges *ids;
    uint64_t count;
    struct bits taken, over;          /* what is over is taken, too */
    struct bits groups[ARRAY_GROUPS]; /* each one that is not taken is in one of them */
};

/* --- bits ---------------------------------------------------------------------------------- */

static size_t npieces(const struct bits *b)
{
    return (size_t)((b->size + PIECE - 1) / PIECE);
}

static void bits_init(struct bits *b, uint64_t size)
{
    b->size = b->low = size;
    b->pieces = xcalloc(npieces(b), sizeof(struct piece *));
}

static void bits_fini(struct bits *b)
{
    for (size_t i = 0; b->pieces && i < npieces(b); i++)
        if (b->pieces[i] != &full)
            free(b->pieces[i]);
    free(b->pieces);
}

/* The bits of piece I, less than PIECE for the last one. */
static unsigned piece_size(const struct bits *b, size_t i)
{
    return (unsigned)MIN(b->size - i * PIECE, (uint64_t)PIECE);
}

static bool uniform(const struct bits *b, size_t i)
{
    return !b->pieces[i] || b->pieces[i] == &full;
}

static uint64_t word_at(const struct bits *b, size_t piece, unsigned word)
{
    const struct piece *p = b->pieces[piece];
    return !p ? 0 : p == &full ? UINT64_MAX : p->words[word];
}

static bool bits_get(const struct bits *b, uint64_t at)
{
    return word_at(b, at / PIECE, at % PIECE / WORD_BITS) >> at % WORD_BITS & 1;
}

/* A piece that is all alike becomes one of its own, to be changed. */
static struct piece *own_piece(struct bits *b, size_t i)
{
    if (!uniform(b, i))
        return b->pieces[i];
    struct piece *p = xcalloc(1, sizeof(*p));
    if (b->pieces[i] == &full) {
        p->set = piece_size(b, i);
        memset(p->words, 0xff, sizeof(p->words));
    }
    return b->pieces[i] = p;
}

static void make_uniform(struct bits *b, size_t i, bool value)
{
    if (b->pieces[i] != &full)
        free(b->pieces[i]);
    b->pieces[i] = value ? &full : NULL;
}

/* The bits FROM to TO (not included) of piece I are VALUE. Return how many were not. */
static unsigned piece_fill(struct bits *b, size_t i, unsigned from, unsigned to,
                           bool value)
{
    if (uniform(b, i) && (b->pieces[i] == &full) == value)
        return 0;
    struct piece *p = own_piece(b, i);
    unsigned changed = 0;
    for (unsigned w = from / WORD_BITS; w * WORD_BITS < to; w++) {
        unsigned base = w * WORD_BITS;
        unsigned lo = from > base ? from - base : 0,
                 hi = MIN(to - base, (unsigned)WORD_BITS);
        uint64_t mask = (hi < WORD_BITS ? (UINT64_C(1) << hi) - 1 : UINT64_MAX) &
                        ~((UINT64_C(1) << lo) - 1);
        uint64_t old = p->words[w], new = value ? old | mask : old & ~mask;
        changed += (unsigned)__builtin_popcountll(old ^ new);
        p->words[w] = new;
    }
    p->set = value ? p->set + changed : p->set - changed;
    if (p->set == (value ? piece_size(b, i) : 0))
        make_uniform(b, i, value);
    return changed;
}

static uint64_t bits_fill(struct bits *b, uint64_t from, uint64_t to, bool value)
{
    uint64_t changed = 0;
    if (value && from < to)
        b->low = MIN(b->low, from);
    for (uint64_t next; from < to; from = next) {
        size_t i = from / PIECE;
        next = MIN(to, (uint64_t)(i + 1) * PIECE);
        changed += piece_fill(b, i, from % PIECE, (unsigned)(next - i * PIECE), value);
    }
    b->set = value ? b->set + changed : b->set - changed;
    return changed;
}

/* The first bit at or behind FROM that is VALUE, or the size. */
static uint64_t bits_next(const struct bits *b, uint64_t from, bool value)
{
    while (from < b->size) {
        size_t i = from / PIECE;
        if (uniform(b, i) && (b->pieces[i] == &full) != value) {
            from = (uint64_t)(i + 1) * PIECE;
            continue;
        }
        uint64_t word = word_at(b, i, from % PIECE / WORD_BITS);
        word = (value ? word : ~word) >> from % WORD_BITS;
        if (word)
            return MIN(from + (unsigned)__builtin_ctzll(word), b->size);
        from += WORD_BITS - from % WORD_BITS;
    }
    return b->size;
}

/* The first run of bits that are set, at or behind FROM and before END. */
static struct array_run bits_run(const struct bits *b, uint64_t from, uint64_t end)
{
    if (!b->pieces)
        return (struct array_run){0, 0};
    uint64_t first = bits_next(b, MAX(from, b->low), true);
    if (first >= end)
        return (struct array_run){0, 0};
    return (struct array_run){first, MIN(bits_next(b, first, false), end) - first};
}

/* Bits of a group that had no element yet are made. */
static struct bits *own_group(struct array *a, int group)
{
    if (!a->groups[group].pieces)
        bits_init(&a->groups[group], a->count);
    return &a->groups[group];
}

/* --- the elements ------------------------------------------------------------------------ */

struct array *array_create(const char *cc, int group, uint64_t max, struct error *err)
{
    struct idranges *ids = idranges_decode(cc, max, err);
    if (!ids)
        return NULL;
    struct array *a = xcalloc(1, sizeof(*a));
    a->ids = ids;
    a->count = idranges_count(ids);
    bits_init(&a->taken, a->count);
    bits_init(&a->over, a->count);
    bits_fill(own_group(a, group), 0, a->count, true);
    return a;
}

void array_destroy(struct array *a)
{
    if (!a)
        return;
    bits_fini(&a->taken);
    bits_fini(&a->over);
    for (int g = 0; g < ARRAY_GROUPS; g++)
        bits_fini(&a->groups[g]);
    idranges_destroy(a->ids);
    free(a);
}

uint64_t array_count(const struct array *a)
{
    return a->count;
}

unsigned array_index(const struct array *a, uint64_t position)
{
    return idranges_nth(a->ids, position);
}

int64_t array_position(const struct array *a, uint64_t index)
{
    return idranges_position(a->ids, index);
}

/* --- questions ---------------------------------------------------------------------------- */

enum array_state array_state(const struct array *a, uint64_t position)
{
    return bits_get(&a->over, position)    ? ARRAY_OVER
           : bits_get(&a->taken, position) ? ARRAY_TAKEN
                                           : ARRAY_REST;
}

uint64_t array_number(const struct array *a, int states)
{
    return (states & ARRAY_REST ? a->count - a->taken.set : 0) +
           (states & ARRAY_TAKEN ? a->taken.set - a->over.set : 0) +
           (states & ARRAY_OVER ? a->over.set : 0);
}

/* The bits of the elements in STATES. */
static uint64_t states_word(const struct array *a, int states, size_t piece,
                            unsigned word)
{
    uint64_t taken = word_at(&a->taken, piece, word),
             over = word_at(&a->over, piece, word);
    return (states & ARRAY_REST ? ~taken : 0) |
           (states & ARRAY_TAKEN ? taken & ~over : 0) | (states & ARRAY_OVER ? over : 0);
}

/* None of a piece is in STATES, which costs no look at its words. */
static bool is_without(const struct array *a, int states, size_t piece)
{
    return uniform(&a->taken, piece) && uniform(&a->over, piece) &&
           states_word(a, states, piece, 0) == 0;
}

/* The first element in STATES at or behind FROM, or COUNT. */
static uint64_t first_in(const struct array *a, int states, uint64_t from)
{
    while (from < a->count) {
        size_t piece = from / PIECE;
        if (is_without(a, states, piece)) {
            from = (uint64_t)(piece + 1) * PIECE;
            continue;
        }
        uint64_t word =
            states_word(a, states, piece, from % PIECE / WORD_BITS) >> from % WORD_BITS;
        if (word)
            return MIN(from + (unsigned)__builtin_ctzll(word), a->count);
        from += WORD_BITS - from % WORD_BITS;
    }
    return a->count;
}

struct array_run array_find(const struct array *a, int states, uint64_t from)
{
    uint64_t first = first_in(a, states, from);
    uint64_t end = first_in(a, ~states & (ARRAY_LEFT | ARRAY_OVER), first);
    return (struct array_run){first, end - first};
}

int64_t array_find_below(const struct array *a, int states, uint64_t below)
{
    for (uint64_t end = MIN(below, a->count); end > 0;) {
        uint64_t at = end - 1; /* the last one to look at */
        size_t piece = at / PIECE;
        if (is_without(a, states, piece)) {
            end = (uint64_t)piece * PIECE;
            continue;
        }
        uint64_t word = states_word(a, states, piece, at % PIECE / WORD_BITS)
                        << (WORD_BITS - 1 - at % WORD_BITS);
        if (word)
            return (int64_t)(at - (unsigned)__builtin_clzll(word));
        end = at - at % WORD_BITS;
    }
    return -1;
}

void array_encode_run(const struct array *a, struct array_run run, struct strbuf *b)
{
    idranges_encode(a->ids, run.first, run.first + run.n, b);
}

/* --- groups ------------------------------------------------------------------------------- */

int array_group(const struct array *a, uint64_t position)
{
    for (int g = 0; g < ARRAY_GROUPS; g++)
        if (a->groups[g].set > 0 && bits_get(&a->groups[g], position))
            return g;
    return -1;
}

uint64_t array_group_number(const struct array *a, int group)
{
    return a->groups[group].set;
}

struct array_run array_group_find(const struct array *a, int group, uint64_t from)
{
    return bits_run(&a->groups[group], from, a->count);
}

/* Move what FROM has of RUN to the bits TO. */
static uint64_t move(struct bits *from, struct bits *to, struct array_run run)
{
    uint64_t n = 0, end = MIN(run.first + run.n, from->size);
    for (struct array_run r; (r = bits_run(from, run.first, end)).n;) {
        bits_fill(from, r.first, r.first + r.n, false);
        n += bits_fill(to, r.first, r.first + r.n, true);
        run.first = r.first + r.n;
    }
    return n;
}

uint64_t array_move(struct array *a, struct array_run run, int group)
{
    uint64_t n = 0;
    for (int g = 0; g < ARRAY_GROUPS; g++)
        if (g != group && a->groups[g].set > 0)
            n += move(&a->groups[g], own_group(a, group), run);
    return n;
}

/* --- steps -------------------------------------------------------------------------------- */

struct array_run array_take_next(struct array *a, int group, uint64_t max)
{
    struct bits *b = &a->groups[group];
    struct array_run r = bits_run(b, 0, a->count);
    r.n = MIN(r.n, max);
    if (r.n == 0)
        return r;
    bits_fill(b, r.first, r.first + r.n, false);
    bits_fill(&a->taken, r.first, r.first + r.n, true);
    b->low = r.first + r.n;
    return r;
}

int array_take(struct array *a, uint64_t position)
{
    int group = array_group(a, position);
    if (group >= 0) {
        bits_fill(&a->groups[group], position, position + 1, false);
        bits_fill(&a->taken, position, position + 1, true);
    }
    return group;
}

uint64_t array_put_back(struct array *a, struct array_run run, int group)
{
    uint64_t n = 0, end = MIN(run.first + run.n, a->count);
    for (struct array_run r = array_find(a, ARRAY_TAKEN, run.first); r.n && r.first < end;
         r = array_find(a, ARRAY_TAKEN, r.first + r.n)) {
        uint64_t to = MIN(r.first + r.n, end);
        bits_fill(&a->taken, r.first, to, false);
        n += bits_fill(own_group(a, group), r.first, to, true);
    }
    return n;
}

uint64_t array_end(struct array *a, struct array_run run)
{
    uint64_t end = MIN(run.first + run.n, a->count);
    for (int g = 0; g < ARRAY_GROUPS; g++)
        if (a->groups[g].set > 0)
            bits_fill(&a->groups[g], run.first, end, false);
    bits_fill(&a->taken, run.first, end, true);
    return bits_fill(&a->over, run.first, end, true);
}

uint64_t array_end_one(struct array *a, uint64_t position)
{
    return array_end(a, (struct array_run){position, 1});
}
