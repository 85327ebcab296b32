/* SPDX-License-Identifier: BSD-3-Clause */
/* array: the elements of an array of jobs, and how far each of them is, in a few bits.  Pure: it knows
 * neither jobs nor ids.
 *
 * An element has a *position*, 0 to count - 1, which its job id is computed from (jobid_nth), and an
 * *index*, the id of --cc that its tasks see as HBATCH_JOB_CC.  At first all elements are the *rest* of the
 * array: nothing is known of them but what is known of all.  One that begins to run, or becomes different
 * from the others, is *taken* out of the rest, and whoever took it keeps what is to be known of it: a job
 * table, a lease.  It may be put back, or is *over* at last, also without ever having been taken.
 *
 * The rest is in *groups*, in which elements are alike: they have the number of the group in common (their
 * urgency).  All begin in one of them, and cost nothing more when they move to another.
 *
 * Elements are taken in order, so what is used up is at the beginning; but any may be, in any order.  The
 * bits are in pieces of 4096, which cost nothing while all of a piece are alike, and the indices in ranges:
 * an array of a million has 4 KB when it is used up in order, and a few bits for each element at most. */
#ifndef HBATCH_INSTANCE_ARRAY_H
#define HBATCH_INSTANCE_ARRAY_H

#include <stdbool.h>
#include <stdint.h>
#include "src/common/error.h"
#include "src/common/strbuf.h"

struct array;

/* Positions FIRST to FIRST + N - 1; N 0: none. */
struct array_run {
    uint64_t first, n;
};

enum array_state { /* bits, so that masks work */
                   ARRAY_REST = 1,
                   ARRAY_TAKEN = 2,
                   ARRAY_OVER = 4,
};
enum { ARRAY_GROUPS = 32 };
#define ARRAY_LEFT (ARRAY_REST | ARRAY_TAKEN)

/* --- the elements ------------------------------------------------------------------------- */
/* The array of the index set CC (RFC 22), of 1 to MAX elements, all of them in GROUP of the rest. NULL with
 * err set: CC is none, or has more. */
struct array *array_create(const char *cc, int group, uint64_t max, struct error *err);
void array_destroy(struct array *a); /* NULL is allowed */
uint64_t array_count(const struct array *a);
/* The index of the element at POSITION, which exists. */
unsigned array_index(const struct array *a, uint64_t position);
/* The position of the element with INDEX, or -1. */
int64_t array_position(const struct array *a, uint64_t index);

/* --- what is known of them ---------------------------------------------------------------- */
enum array_state array_state(const struct array *a, uint64_t position);
/* The elements in STATES, a mask. */
uint64_t array_number(const struct array *a, int states);
/* The first run of elements in STATES at or behind FROM, as long as it goes; N 0: there is none. */
struct array_run array_find(const struct array *a, int states, uint64_t from);
/* The last element in STATES before position BELOW, or -1. */
int64_t array_find_below(const struct array *a, int states, uint64_t below);
/* The indices of RUN are added to the index set B. */
void array_encode_run(const struct array *a, struct array_run run, struct strbuf *b);

/* The group of the element at POSITION, or -1: it is not in the rest. */
int array_group(const struct array *a, uint64_t position);
uint64_t array_group_number(const struct array *a, int group);
/* The first run of elements of GROUP at or behind FROM, as long as it goes; N 0: there is none. */
struct array_run array_group_find(const struct array *a, int group, uint64_t from);

/* --- steps -------------------------------------------------------------------------------- */
/* Take the first elements of GROUP: at most MAX of them, and only neighbours; so who wants more asks
 * again.  N 0: it has none. */
struct array_run array_take_next(struct array *a, int group, uint64_t max);
/* Take one. Return the group that it was in, or -1: it is not in the rest. */
int array_take(struct array *a, uint64_t position);
/* Those of RUN that are taken are in the rest again, in GROUP. Return their number. */
uint64_t array_put_back(struct array *a, struct array_run run, int group);
/* Those of RUN that are in the rest move to GROUP. Return the number of those that were not there. */
uint64_t array_move(struct array *a, struct array_run run, int group);
/* Those of RUN that are not over are so now. Return their number. */
uint64_t array_end(struct array *a, struct array_run run);
uint64_t array_end_one(struct array *a, uint64_t position);

#endif
