/* SPDX-License-Identifier: BSD-3-Clause */
/* remember: the jobs that have ended here and of which the rank has not yet said that it knows
 * their finish event: a request to read their output may be on its way, and another leader may
 * ask for their start again. */
#ifndef HBATCH_EXEC_REMEMBER_H
#define HBATCH_EXEC_REMEMBER_H

#include <stdbool.h>
#include <stdint.h>

struct exec;
struct strbuf;

/* Run RUN of job ID has ended, its output begins at FIRST (0: none); its finish event is being
 * written. */
void remember_ended(struct exec *x, uint64_t id, int64_t run, uint64_t first);
bool remember_has(const struct exec *x, uint64_t id, int64_t run);
/* Where its output begins; 0: there is none, or the job is not known. */
uint64_t remember_output(const struct exec *x, uint64_t id);
/* Add their ids to B, which is a list of ids and may have some; those that run again are left out. */
void remember_list(const struct exec *x, struct strbuf *b, bool *first);
/* ... "ID":RUN to B, an object, for those that are not their job's first run. */
void remember_runs(const struct exec *x, struct strbuf *b, bool *first);
/* Events up to SEQ are known to the rank. */
void remember_forget(struct exec *x, uint64_t seq);

#endif
