/* SPDX-License-Identifier: BSD-3-Clause */
/* ids: job ids as operands: any RFC 19 form, "last", ranges "A-B" of the active jobs whose ids lie between, and elements of
 * arrays by their indices, as hbatch jobs shows them: "ID_7", "ID_[1-5,9]". */
#ifndef HBATCH_CLI_IDS_H
#define HBATCH_CLI_IDS_H

#include "src/cli/cli.h"

struct ids {
    uint64_t *v;
    size_t n;
};

/* WORD is a range "A-B": its ends. */
bool ids_range(struct cli *cli, const char *word, uint64_t *first, uint64_t *last);
/* WORD has the form of "ID_7" or "ID_[SET]". */
bool ids_is_elements(const char *word);
/* WORD is such: the ids of those elements that there are, one at least, are appended. */
bool ids_elements(struct ids *ids, struct cli *cli, const char *word);
/* WORD is a range, or a set of elements in brackets: new, [[FIRST,LAST],...] of ids; else NULL. */
json_object *ids_ranges(struct cli *cli, const char *word);
/* Append what WORD means. */
void ids_add(struct ids *ids, struct cli *cli, const char *word);
/* Append all jobs in STATES (RFC 21 mask), newest first. */
void ids_add_states(struct ids *ids, struct cli *cli, int states);
/* In ascending order. */
void ids_sort(struct ids *ids);
/* ... and each once. */
void ids_unique(struct ids *ids);
/* In this order: whether ID is among them. */
bool ids_have(const struct ids *ids, uint64_t id);
/* In this order: how many, from number I on, follow each other as those of one array or submission do; at least 1. */
size_t ids_neighbours(const struct ids *ids, size_t i);
/* Ask for --force rather than do WHAT to N jobs. Whether to go on. */
bool ids_confirm(const struct cli *cli, size_t n, bool force, const char *what);
void ids_fini(struct ids *ids);

#endif
