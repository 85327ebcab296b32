/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/specs.h"

#include <stdio.h>
#include "src/common/util.h"
#include "tests/unit/unit.h"

enum { KEEP = 256 }; /* unused texts that specs.c keeps */

static unsigned dropped;
static char last[32]; /* content of the last one */

static void on_drop(const struct text *t, void *arg)
{
    ck_assert_ptr_eq(arg, &dropped);
    ck_assert_uint_eq(t->refs, 0);
    cleanup_free char *text = text_get(t);
    snprintf(last, sizeof(last), "%.31s", text);
    dropped++;
}

static struct specs *make(void)
{
    dropped = 0;
    last[0] = '\0';
    return specs_create(on_drop, &dropped);
}

static struct text *get(struct specs *s, enum text_kind kind, unsigned i)
{
    char data[32];
    snprintf(data, sizeof(data), "{\"text\":%u}", i);
    return specs_get(s, kind, data, strlen(data));
}

START_TEST(equal_texts_of_a_kind_are_one)
{
    struct specs *s = make();
    struct text *t = get(s, TEXT_ENV, 1);
    ck_assert_ptr_eq(get(s, TEXT_ENV, 1), t);
    ck_assert_ptr_ne(get(s, TEXT_ENV, 2), t);
    ck_assert_ptr_ne(get(s, TEXT_JOBSPEC, 1), t);
    ck_assert_uint_eq(t->refs, 2);
    specs_put(s, t);
    specs_put(s, t);
    ck_assert_ptr_eq(get(s, TEXT_ENV, 1), t);
    ck_assert_uint_eq(dropped, 0);
    specs_destroy(s);
}
END_TEST

START_TEST(texts_are_found_by_name)
{
    static const char *const none[] = {
        "", "e", "s0", "e0000000000000000", "nonsense", "effffffffffffffffffffffffffff"};
    struct specs *s = make();
    struct text *t[1000];
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
        t[i] = get(s, i % 2 ? TEXT_ENV : TEXT_JOBSPEC, i);
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
        ck_assert_ptr_eq(specs_find(s, t[i]->name), t[i]);
    for (unsigned i = 0; i < ARRAY_SIZE(none); i++)
        ck_assert_ptr_null(specs_find(s, none[i]));
    specs_destroy(s);
}
END_TEST

/* Those in use stay, however many; of the others, the ones that were used last. */
START_TEST(unused_texts_go_in_order)
{
    struct specs *s = make();
    struct text *t[3 * KEEP];
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++)
        t[i] = get(s, TEXT_ENV, i);
    ck_assert_uint_eq(dropped, 0);
    for (unsigned i = KEEP; i < 2 * KEEP; i++)
        specs_put(s, t[i]);
    ck_assert_uint_eq(dropped, 0);
    specs_put(s, get(s, TEXT_ENV, KEEP)); /* used again: goes last */
    specs_put(s, t[2 * KEEP]);
    ck_assert_uint_eq(dropped, 1);
    ck_assert_str_eq(last, "{\"text\":257}");
    specs_put(s, t[2 * KEEP + 1]);
    ck_assert_uint_eq(dropped, 2);
    ck_assert_str_eq(last, "{\"text\":258}");
    for (unsigned i = 0; i < KEEP; i++)
        ck_assert_ptr_eq(specs_find(s, t[i]->name), t[i]);
    ck_assert_ptr_eq(get(s, TEXT_ENV, KEEP), t[KEEP]);
    specs_destroy(s);
}
END_TEST

static struct text *get_long(struct specs *s, const char *kind, unsigned i)
{
    cleanup_free char *data = xasprintf(
        "{\"version\":1,\"resources\":[{\"type\":\"slot\",\"count\":1,\"with\":[{"
        "\"type\":"
        "\"core\",\"count\":1}],\"label\":\"%s\"}],\"tasks\":[{\"command\":[\"x%u\"],"
        "\"slot\":\"%s\",\"count\":{\"per_slot\":1}}],\"attributes\":{\"system\":{"
        "\"duration\":0,\"shell\":{\"options\":{\"%s\":%u}}}}}",
        kind, i, kind, kind, i % 2);
    struct text *t = specs_get(s, TEXT_JOBSPEC, data, strlen(data));
    cleanup_free char *again = text_get(t);
    ck_assert_str_eq(again, data);
    ck_assert_ptr_eq(specs_get(s, TEXT_JOBSPEC, data, strlen(data)), t);
    specs_put(s, t);
    return t;
}

/* Of texts that are alike, and come in turns with others, each takes little; they last longer than what they are
 * like. */
START_TEST(alike_texts_take_little)
{
    static const char *const kinds[] = {"a", "bb", "something else", "d"};
    struct specs *s = make();
    struct text *t[4000];
    size_t held = 0, all = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(t); i++) {
        t[i] = get_long(s, kinds[i % ARRAY_SIZE(kinds)], i);
        held += text_held(t[i]);
        all += t[i]->len;
    }
    ck_assert_uint_lt(held, all / 3);
    for (unsigned i = 0; i + 1 < ARRAY_SIZE(t); i++)
        specs_put(s, t[i]);
    ck_assert_uint_gt(dropped, 3000);
    cleanup_free char *text = text_get(t[ARRAY_SIZE(t) - 1]);
    ck_assert_ptr_nonnull(strstr(text, "\"x3999\""));
    for (unsigned i = 0; i < 1000; i++)
        specs_put(s, get_long(s, "a", i));
    specs_destroy(s);
}
END_TEST

START_TEST(a_new_executor_knows_nothing)
{
    struct specs *s = make();
    struct text *used = get(s, TEXT_ENV, 1), *kept = get(s, TEXT_ENV, 2);
    specs_put(s, kept);
    for (unsigned rank = 0; rank < 3; rank++) {
        text_set_known(used, rank);
        text_set_known(kept, rank);
    }
    specs_forget_rank(s, 1);
    ck_assert(text_known(used, 0) && !text_known(used, 1));
    ck_assert(text_known(kept, 2) && !text_known(kept, 1));
    specs_destroy(s);
}
END_TEST

UNIT_MAIN("specs", equal_texts_of_a_kind_are_one, texts_are_found_by_name,
          unused_texts_go_in_order, alike_texts_take_little, a_new_executor_knows_nothing)
