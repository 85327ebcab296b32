/* SPDX-License-Identifier: BSD-3-Clause */
/* sources: the inputs of bulksubmit as GNU parallel and Flux write them, and their combinations.
 *
 *   ::: A B C       these                      :::: FILE...    the records of each file; -: standard input
 *   :::+ A B C      these, the Nth one with the Nth of the source before;      ::::+ FILE...
 *
 * Every combination is a tuple, with one input of each source in their order; the last source changes fastest.
 * Linked ones begin anew where they are shorter.  Without any separator, standard input is the only source.
 *
 * The first source is read as tuples are asked for, if it is a file or standard input; all others are kept in
 * memory. */
#ifndef HBATCH_CLI_SOURCES_H
#define HBATCH_CLI_SOURCES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "src/common/error.h"

struct sources;
struct separator;

/* What divides the records of a file: a text (with \n, \t, \0, \xHH...), "none" for white space, or "/REGEX/".
 * Records that are empty do not count.  NULL with err set. */
struct separator *separator_create(const char *text, struct error *err);
void separator_destroy(struct separator *sep); /* NULL is allowed */

/* The number of words in ARGV before the first separator: the command. */
int sources_command_length(int argc, char **argv);
/* From the words after the command. SEP must outlive it. NULL with err set. */
struct sources *sources_create(int argc, char **argv, const struct separator *sep,
                               struct error *err);
void sources_destroy(struct sources *s); /* NULL is allowed */
/* Inputs of a tuple. */
size_t sources_width(const struct sources *s);
/* Read all there is; the number of tuples, or -1 with err set: none, or too many. */
int64_t sources_load(struct sources *s, struct error *err);
/* Load, and give tuples in random order. */
int sources_shuffle(struct sources *s, struct error *err);
/* The next tuple in *TUPLE, valid until the next call, and its number from 0 on.  1; 0 at the end; -1 with err
 * set; 2: sources_fd has to become readable first. */
int sources_next(struct sources *s, const char *const **tuple, uint64_t *number,
                 struct error *err);
int sources_fd(const struct sources *s);

#endif
