/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/array.h"

#include <errno.h>
#include <string.h>
#include "src/common/idset.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

enum { MAX_ELEMENTS = 10000000 };

static struct array *make(const char *cc)
{
    struct error err;
    struct array *a = array_create(cc, 1, MAX_ELEMENTS, &err);
    ck_assert_msg(a != NULL, "%s: %s", cc, err.text);
    return a;
}

static void is_encoded(const struct array *a, int states, const char *wanted)
{
    cleanup_strbuf struct strbuf b = {0};
    for (struct array_run r = array_find(a, states, 0); r.n;
         r = array_find(a, states, r.first + r.n))
        array_encode_run(a, r, &b);
    ck_assert_str_eq(b.s ? b.s : "", wanted);
}

START_TEST(indices)
{
    static const struct {
        const char *cc;
        uint64_t count;
    } table[] = {
        {"0", 1},
        {"7", 1},
        {"2,5-7", 4},
        {"1-1000000", 1000000},
        {"0-9999999", 10000000},
        {"0,2,4,6,8", 5},
        {"0,2,4,6,8-10,12,14,16777215", 10},
        {"1,3-4,5,7,9,11,13", 8},
        {"[0-3,7]", 5},
        {"3,6,9,12,13,14,15,18", 8},
        {"0-1,2-3,4,6,8", 7},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct array *a = make(table[i].cc);
        cleanup_bitmap hwloc_bitmap_t set = idset_decode(table[i].cc, NULL);
        ck_assert_uint_eq(array_count(a), table[i].count);
        uint64_t at = 0;
        unsigned id;
        bool ok = true; /* ck_assert takes its time */
        hwloc_bitmap_foreach_begin(id, set)
        {
            ok &= array_index(a, at) == id && array_position(a, id) == (int64_t)at &&
                  (hwloc_bitmap_isset(set, id + 1) || array_position(a, id + 1) == -1);
            at++;
        }
        hwloc_bitmap_foreach_end();
        ck_assert(ok);
        ck_assert_uint_eq(at, table[i].count);
        ck_assert_int_eq(array_position(a, UINT64_MAX), -1);
        cleanup_free char *text = idset_encode(set, 0);
        is_encoded(a, ARRAY_REST, text);
        array_destroy(a);
    }
    array_destroy(NULL);
}
END_TEST

START_TEST(the_life_of_an_array)
{
    struct array *a = make("10-19,30");
    struct array_run r = array_take_next(a, 1, 3);
    ck_assert(r.first == 0 && r.n == 3);
    ck_assert(array_take(a, 5) == 1 && array_take(a, 5) == -1 && array_take(a, 0) == -1);
    r = array_take_next(a, 1, 100); /* as far as its neighbours go */
    ck_assert(r.first == 3 && r.n == 2);
    is_encoded(a, ARRAY_TAKEN, "10-15");
    ck_assert_uint_eq(array_end_one(a, 1), 1);
    ck_assert_uint_eq(array_end_one(a, 1), 0);
    ck_assert_uint_eq(array_put_back(a, (struct array_run){0, 3}, 1),
                      2); /* over is over */
    is_encoded(a, ARRAY_REST, "10,12,16-19,30");
    r = array_take_next(a, 1, 100);
    ck_assert(r.first == 0 && r.n == 1);
    r = array_take_next(a, 1, 100);
    ck_assert(r.first == 2 && r.n == 1);
    ck_assert_uint_eq(array_end(a, (struct array_run){4, 4}), 4); /* a cancel */
    is_encoded(a, ARRAY_OVER, "11,14-17");
    is_encoded(a, ARRAY_TAKEN, "10,12-13");
    is_encoded(a, ARRAY_REST, "18-19,30");
    ck_assert_int_eq(array_find_below(a, ARRAY_LEFT, 100), 10);
    ck_assert_int_eq(array_find_below(a, ARRAY_LEFT, 8), 3);
    ck_assert_int_eq(array_find_below(a, ARRAY_REST, 8), -1);
    ck_assert_uint_eq(array_end(a, (struct array_run){0, 1000}), 6);
    ck_assert_uint_eq(array_number(a, ARRAY_LEFT), 0);
    ck_assert_uint_eq(array_take_next(a, 1, 5).n, 0);
    ck_assert_uint_eq(array_find(a, ARRAY_LEFT, 0).n, 0);
    array_destroy(a);
}
END_TEST

/* --- against a model, which has a byte for each ------------------------------------------- */

static uint64_t seed;

static uint64_t dice(uint64_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (seed >> 33) % n;
}

struct model {
    unsigned char *state, *group; /* group: of those in the rest */
    uint64_t n;
};

static struct array_run some_run(uint64_t n)
{
    uint64_t first = dice(n), lengths[] = {1, 2, 63, 64, 65, 4096, 4097, n};
    return (struct array_run){first, 1 + dice(lengths[dice(ARRAY_SIZE(lengths))])};
}

static uint64_t change(struct model *m, struct array_run r, int from, int to)
{
    uint64_t n = 0;
    for (uint64_t i = r.first; i < MIN(r.first + r.n, m->n); i++)
        if (m->state[i] & from) {
            m->state[i] = (unsigned char)to;
            n++;
        }
    return n;
}

static void set_group(struct model *m, struct array_run r, int group)
{
    for (uint64_t i = r.first; i < MIN(r.first + r.n, m->n); i++)
        m->group[i] = (unsigned char)group;
}

static bool is_in(const struct model *m, uint64_t i, int group)
{
    return m->state[i] == ARRAY_REST && m->group[i] == group;
}

static void take_next(struct array *a, struct model *m, uint64_t max)
{
    int g = (int)dice(4);
    struct array_run got = array_take_next(a, g, max);
    bool ok = got.n <= max;
    for (uint64_t i = 0; i < (got.n ? got.first : m->n); i++)
        ok &= !is_in(m, i, g);
    for (uint64_t i = 0; i < got.n; i++)
        ok &= is_in(m, got.first + i, g);
    ck_assert(ok);
    if (got.n && got.n < max && got.first + got.n < m->n)
        ck_assert(!is_in(m, got.first + got.n, g));
    change(m, got, ARRAY_REST, ARRAY_TAKEN);
}

static void put_back(struct array *a, struct model *m, struct array_run r)
{
    int g = (int)dice(4);
    for (uint64_t i = r.first; i < MIN(r.first + r.n, m->n); i++)
        if (m->state[i] == ARRAY_TAKEN)
            m->group[i] = (unsigned char)g;
    ck_assert_uint_eq(array_put_back(a, r, g), change(m, r, ARRAY_TAKEN, ARRAY_REST));
}

static void move(struct array *a, struct model *m, struct array_run r)
{
    int g = (int)dice(4);
    uint64_t n = 0;
    for (uint64_t i = r.first; i < MIN(r.first + r.n, m->n); i++)
        n += m->state[i] == ARRAY_REST && m->group[i] != g;
    ck_assert_uint_eq(array_move(a, r, g), n);
    set_group(m, r, g);
}

static void step(struct array *a, struct model *m)
{
    struct array_run r = some_run(m->n);
    switch (dice(7)) {
    case 0:
    case 1:
        take_next(a, m, r.n);
        break;
    case 2:
        ck_assert_int_eq(array_take(a, r.first),
                         m->state[r.first] == ARRAY_REST ? m->group[r.first] : -1);
        change(m, (struct array_run){r.first, 1}, ARRAY_REST, ARRAY_TAKEN);
        break;
    case 3:
        put_back(a, m, r);
        break;
    case 4:
        r.n = dice(4) ? 1 : MIN(r.n, 1 + dice(m->n)); /* or all would be over soon */
        ck_assert_uint_eq(array_end(a, r), change(m, r, ARRAY_LEFT, ARRAY_OVER));
        break;
    case 5:
        move(a, m, r);
        break;
    default:
        for (int k = 0; k < 8; k++) {
            uint64_t at = dice(m->n);
            ck_assert_int_eq(array_state(a, at), (int)m->state[at]);
            ck_assert_int_eq(array_group(a, at),
                             m->state[at] == ARRAY_REST ? m->group[at] : -1);
        }
    }
}

static void compare_group(const struct array *a, const struct model *m, int g)
{
    uint64_t n = 0, from = dice(m->n), at = from;
    for (uint64_t i = 0; i < m->n; i++)
        n += is_in(m, i, g);
    ck_assert_uint_eq(array_group_number(a, g), n);
    while (at < m->n && !is_in(m, at, g))
        at++;
    struct array_run r = array_group_find(a, g, from);
    if (r.n)
        ck_assert_uint_eq(r.first, at);
    while (at < m->n && is_in(m, at, g))
        at++, r.n--;
    ck_assert_uint_eq(r.n, 0);
}

static void compare(const struct array *a, const struct model *m)
{
    uint64_t number[8] = {0};
    for (uint64_t i = 0; i < m->n; i++)
        number[m->state[i]]++;
    for (int g = 0; g < 4; g++)
        compare_group(a, m, g);
    for (int states = 1; states < 8; states++) {
        ck_assert_uint_eq(array_number(a, states),
                          (states & ARRAY_REST ? number[ARRAY_REST] : 0) +
                              (states & ARRAY_TAKEN ? number[ARRAY_TAKEN] : 0) +
                              (states & ARRAY_OVER ? number[ARRAY_OVER] : 0));
        uint64_t from = dice(m->n), at = from;
        struct array_run r = array_find(a, states, from);
        while (at < m->n && !(m->state[at] & states))
            at++;
        uint64_t end = at;
        while (end < m->n && (m->state[end] & states))
            end++;
        ck_assert_uint_eq(r.n, end - at);
        if (r.n)
            ck_assert_uint_eq(r.first, at);
        int64_t below = (int64_t)from - 1;
        while (below >= 0 && !(m->state[below] & states))
            below--;
        ck_assert_int_eq(array_find_below(a, states, from), below);
    }
}

START_TEST(random_steps)
{
    static const char *const sets[] = {"0",      "5-68",    "1-4096",        "0-4096",
                                       "1-9000", "3-12000", "1-10,20-20000", "0-130"};
    for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
        for (int round = 0; round < 4; round++) {
            seed = i * 10 + (uint64_t)round + 1;
            struct array *a = make(sets[i]);
            struct model m = {.n = array_count(a)};
            m.state = xmalloc(m.n);
            m.group = xmalloc(m.n);
            memset(m.state, ARRAY_REST, m.n);
            memset(m.group, 1, m.n);
            for (int k = 0; k < 400; k++) {
                step(a, &m);
                if (k % 4 == 0)
                    compare(a, &m);
            }
            free(m.state);
            free(m.group);
            array_destroy(a);
        }
}
END_TEST

START_TEST(refuses)
{
    static const struct {
        const char *cc, *names;
    } table[] = {
        {"", "empty"},
        {"1-1000000000", "has 1000000000 elements, more than the 10000000"},
        {"0-999999999", "has 1000000000 elements, more than the 10000000"},
        {"0-10000000", "has 10000001 elements"},
        {"0-9999999,10000000", "10000001"},
        {"0-99999999999999", "at least 4294967296 elements"},
        {"20000000", "the limit is 16777215"},
        {"5,16777216", "16777215"},
        {"a", "'a'"},
        {"5-1", "ascend"},
        {"1,1", "duplicates"},
        {"1-", "missing"},
        {"1,,2", "character 3"},
        {"-1", "-1"},
        {"1-3,x", "character 5"},
        {"0-3:2", "':2'"},
        {"[1-3", "]"},
        {"01", "may not start with 0"},
        {"1 2", "' 2'"},
        {"99999999999999999999", "the limit is 16777215"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        struct error err = {0};
        ck_assert_ptr_null(array_create(table[i].cc, 0, MAX_ELEMENTS, &err));
        ck_error_names(err, table[i].names);
    }
}
END_TEST

UNIT_MAIN("array", indices, the_life_of_an_array, random_steps, refuses)
