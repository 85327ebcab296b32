/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/singles.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

/* Nothing of a dependency is looked at: numbers will do. */
static struct dependency *dep(uintptr_t i)
{
    return (struct dependency *)(i + 1);
}

START_TEST(in_turn)
{
    struct singles *s = singles_create();
    struct dependency **list;
    size_t n;
    ck_assert(singles_is_first(s, "a", 0));
    singles_count(s, "a", 1);
    ck_assert(!singles_is_first(s, "a", 0));
    ck_assert(singles_is_first(s, "b", 0));
    singles_count(s, "b", 2);
    for (jobid_t id = 3; id < 6; id++) { /* 3, 4 and 5 wait for 1 and each other */
        singles_count(s, "a", id);
        singles_add(s, "a", id, dep(id));
    }
    singles_count(s, "a", 6); /* which waits for nobody, and nobody for it */
    ck_assert(!singles_over(s, "a", 6, &list, &n));
    ck_assert(!singles_over(s, "b", 2, &list, &n));
    for (jobid_t id = 1; id < 5; id = id == 1 ? 3 : id + 1) {
        ck_assert(singles_over(s, "a", id, &list, &n));
        ck_assert_uint_eq(n, 1);
        ck_assert_ptr_eq(list[0], dep(id == 1 ? 3 : id + 1));
        free(list);
    }
    ck_assert(!singles_over(s, "a", 5, &list, &n));
    ck_assert(singles_is_first(s, "a", 0));
    ck_assert(!singles_over(s, "a", 5, &list, &n)); /* nobody knows it */
    singles_destroy(s);
    singles_destroy(NULL);
}
END_TEST

/* Tables of another leader: all are counted, and then those that wait are told. */
START_TEST(told_afterwards)
{
    struct singles *s = singles_create();
    struct dependency **list;
    size_t n;
    for (jobid_t id = 10; id <= 70; id += 10)
        singles_count(s, "a", id);
    singles_count(s, "a", 25); /* an array */
    ck_assert(singles_is_first(s, "a", 10));
    ck_assert(!singles_is_first(s, "a", 20));
    singles_add(s, "a", 20, dep(20));
    singles_add(s, "a", 50, dep(50));
    singles_add(s, "a", 50, dep(51)); /* of the same array */
    singles_add(s, "a", 60, dep(60));
    ck_assert(singles_over(s, "a", 10, &list, &n));
    ck_assert_ptr_eq(list[0], dep(20));
    free(list);
    ck_assert(!singles_over(s, "a", 20, &list, &n));
    ck_assert(!singles_over(s, "a", 25, &list, &n));
    ck_assert(!singles_over(s, "a", 40, &list, &n));
    ck_assert(singles_over(s, "a", 30, &list, &n));
    ck_assert_uint_eq(n, 2);
    free(list);
    singles_remove(s, "a", 60, dep(60)); /* canceled */
    ck_assert(!singles_over(s, "a", 60, &list, &n));
    ck_assert(!singles_over(s, "a", 50, &list, &n));
    singles_remove(s, "a", 60, dep(60)); /* not there any more */
    singles_remove(s, "z", 60, dep(60));
    ck_assert(!singles_over(s, "a", 70, &list, &n));
    singles_destroy(s);
}
END_TEST

/* Against a list that is gone through each time. */
START_TEST(agrees_with_a_model)
{
    enum { N = 400, NAMES = 3 };
    static struct {
        bool active, waits;
        int name;
    } jobs[N + 1];
    static const char *const names[NAMES] = {"x", "y", "z"};
    for (unsigned seed = 1; seed < 30; seed++) {
        struct singles *s = singles_create();
        srand(seed);
        memset(jobs, 0, sizeof(jobs));
        for (int next = 1, steps = 0; steps < 4 * N; steps++) {
            struct dependency **list;
            size_t n = 0;
            if (rand() % 2 && next <= N) {
                int name = rand() % NAMES;
                bool single = rand() % 2 && !singles_is_first(s, names[name], 0);
                singles_count(s, names[name], (jobid_t)next);
                if (single)
                    singles_add(s, names[name], (jobid_t)next, dep((uintptr_t)next));
                jobs[next].active = true;
                jobs[next].waits = single;
                jobs[next++].name = name;
                continue;
            }
            int i = 1 + rand() % N;
            if (!jobs[i].active)
                continue;
            const char *name = names[jobs[i].name];
            if (jobs[i].waits)
                singles_remove(s, name, (jobid_t)i, dep((uintptr_t)i));
            jobs[i].active = jobs[i].waits = false;
            bool met = singles_over(s, name, (jobid_t)i, &list, &n);
            int first = 0; /* of those that wait, with nobody active before it */
            for (int k = 1; k <= N && !first; k++)
                if (jobs[k].active && jobs[k].name == jobs[i].name)
                    first = jobs[k].waits ? k : -1;
            ck_assert_int_eq(met, first > 0);
            if (!met)
                continue;
            ck_assert_ptr_eq(list[0], dep((uintptr_t)first));
            jobs[first].waits = false;
            free(list);
        }
        singles_destroy(s);
    }
}
END_TEST

UNIT_MAIN("singles", in_turn, told_afterwards, agrees_with_a_model)
