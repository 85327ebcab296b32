/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/array.h"

#include <errno.h>
#include <string.h>
#include "src/common/idset.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"

/* N indices from FIRST on, each STEP after the one before; the first is at POSITION. */
struct range {
    unsigned first, step;
    uint64_t position, n;
};

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
};

struct array {
    struct range *ranges;
    size_t nranges;
    uint64_t count;
    struct bits taken, over; /* what is over is taken, too */
    uint64_t low;            /* there is no rest before it */
};

/* --- bits ---------------------------------------------------------------------------------- */

static size_t npieces(const struct bits *b)
{
    return (size_t)((b->size + PIECE - 1) / PIECE);
}

static void bits_init(struct bits *b, uint64_t size)
{
    b->size = size;
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
    for (uint64_t next; from < to; from = next) {
        size_t i = from / PIECE;
        next = MIN(to, (uint64_t)(i + 1) * PIECE);
        changed += piece_fill(b, i, from % PIECE, (unsigned)(next - i * PIECE), value);
    }
    b->set = value ? b->set + changed : b->set - changed;
    return changed;
}

/* --- the index set ------------------------------------------------------------------------ */

struct parse {
    struct array *a;
    uint64_t max;
    size_t size; /* of a->ranges */
};

static struct range *add_range(struct parse *ps)
{
    struct array *a = ps->a;
    if (a->nranges == ps->size) {
        ps->size = MAX(2 * ps->size, (size_t)4);
        a->ranges = xrealloc(a->ranges, ps->size * sizeof(*a->ranges));
    }
    return &a->ranges[a->nranges++];
}

static int on_range(unsigned lo, unsigned hi, void *arg)
{
    struct parse *ps = arg;
    struct array *a = ps->a;
    uint64_t n = (uint64_t)hi - lo + 1;
    struct range *last = a->nranges > 0 ? &a->ranges[a->nranges - 1] : NULL;
    if (n > ps->max - a->count) { /* for the error, no matter how many more there are */
        a->count += n;
        return 1;
    }
    /* single indices at equal distances are one range, as others are */
    if (last && n == 1 && last->n == 1)
        last->step = lo - last->first;
    if (last && n == 1 && lo == last->first + last->n * last->step)
        last->n++;
    else
        *add_range(ps) =
            (struct range){.first = lo, .step = 1, .position = a->count, .n = n};
    a->count += n;
    return 0;
}

struct array *array_create(const char *cc, uint64_t max, struct error *err)
{
    struct array *a = xcalloc(1, sizeof(*a));
    struct parse ps = {.a = a, .max = max};
    int rc = idset_walk(cc, on_range, &ps, err);
    if (rc > 0)
        error_set(err, EINVAL,
                  "'%.200s': has more than %llu elements; submit several smaller arrays",
                  cc, (unsigned long long)max);
    else if (rc == 0 && a->count == 0)
        rc = error_set(err, EINVAL, "'%.200s': the set is empty", cc);
    if (rc != 0) {
        free(a->ranges);
        free(a);
        return NULL;
    }
    a->ranges = xrealloc(a->ranges, a->nranges * sizeof(*a->ranges));
    bits_init(&a->taken, a->count);
    bits_init(&a->over, a->count);
    return a;
}

void array_destroy(struct array *a)
{
    if (!a)
        return;
    bits_fini(&a->taken);
    bits_fini(&a->over);
    free(a->ranges);
    free(a);
}

uint64_t array_count(const struct array *a)
{
    return a->count;
}

unsigned array_index(const struct array *a, uint64_t position)
{
    size_t low = 0, high = a->nranges;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (a->ranges[mid].position <= position)
            low = mid;
        else
            high = mid;
    }
    const struct range *r = &a->ranges[low];
    return r->first + (unsigned)(position - r->position) * r->step;
}

int64_t array_position(const struct array *a, uint64_t index)
{
    size_t low = 0, high = a->nranges;
    while (high - low > 1) {
        size_t mid = (low + high) / 2;
        if (a->ranges[mid].first <= index)
            low = mid;
        else
            high = mid;
    }
    const struct range *r = &a->ranges[low];
    if (index < r->first || (index - r->first) % r->step)
        return -1;
    uint64_t i = (index - r->first) / r->step;
    return i < r->n ? (int64_t)(r->position + i) : -1;
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
    if ((states & ARRAY_REST) && !(states & ~ARRAY_REST))
        from = MAX(from, a->low);
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

/* The elements at FIRST to END (not included), in the form of RFC 22. */
static void add_indices(const struct array *a, struct strbuf *b, uint64_t first,
                        uint64_t end)
{
    while (first < end) {
        unsigned lo = array_index(a, first), hi = lo;
        while (++first < end && array_index(a, first) == hi + 1)
            hi++;
        strbuf_addf(b, hi > lo ? "%s%u-%u" : "%s%u", b->len ? "," : "", lo, hi);
    }
}

char *array_encode(const struct array *a, int states, struct array_run run)
{
    struct strbuf b = {0};
    uint64_t end = MIN(run.first + run.n, a->count);
    for (struct array_run r = array_find(a, states, run.first); r.n && r.first < end;
         r = array_find(a, states, r.first + r.n))
        add_indices(a, &b, r.first, MIN(r.first + r.n, end));
    return strbuf_take(&b);
}

/* --- steps -------------------------------------------------------------------------------- */

struct array_run array_take_next(struct array *a, uint64_t max)
{
    struct array_run r = array_find(a, ARRAY_REST, 0);
    r.n = MIN(r.n, max);
    bits_fill(&a->taken, r.first, r.first + r.n, true);
    a->low = r.first + r.n;
    return r;
}

bool array_take(struct array *a, uint64_t position)
{
    return bits_fill(&a->taken, position, position + 1, true) > 0;
}

uint64_t array_put_back(struct array *a, struct array_run run)
{
    uint64_t n = 0, end = MIN(run.first + run.n, a->count);
    for (struct array_run r = array_find(a, ARRAY_TAKEN, run.first); r.n && r.first < end;
         r = array_find(a, ARRAY_TAKEN, r.first + r.n)) {
        n += bits_fill(&a->taken, r.first, MIN(r.first + r.n, end), false);
        a->low = MIN(a->low, r.first);
    }
    return n;
}

uint64_t array_end(struct array *a, struct array_run run)
{
    uint64_t end = MIN(run.first + run.n, a->count);
    bits_fill(&a->taken, run.first, end, true);
    return bits_fill(&a->over, run.first, end, true);
}

uint64_t array_end_one(struct array *a, uint64_t position)
{
    return array_end(a, (struct array_run){position, 1});
}
