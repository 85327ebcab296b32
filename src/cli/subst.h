/* SPDX-License-Identifier: BSD-3-Clause */
/* subst: texts with replacement strings, as bulksubmit has them in its command and options.
 *
 *   {}  {0} {1} ...   the input, or of several in turn; the first one, the second one, ...
 *   {0.%} {.%} {.}    without the extension          {0./} {./} {/}     the last part of the path
 *   {0.//} {.//} {//} the path up to there           {0./%} {./%} {/.}  the last part without the extension
 *   {0.NAME} {.NAME}  what --define=NAME=... makes of it
 *   {seq} {seq1} {#}  number of the job from 0 on; from 1 on;  {seq:04} with at least 4 digits
 *   {cc} {{...}}      stay as they are, for what comes after;  \{ is a brace
 *
 * Those with a dot first are Flux's, without those of GNU parallel; {.//} of a name without a "/" is empty,
 * {//} is ".". Pure. */
#ifndef HBATCH_CLI_SUBST_H
#define HBATCH_CLI_SUBST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "src/common/error.h"
#include "src/common/strbuf.h"

struct subst;         /* a text that was compiled */
struct subst_methods; /* those of --define; NULL: none */

/* "NAME=TEMPLATE": a text with replacement strings for one input; or "NAME=s/REGEX/TEXT/" (or g after it), an
 * extended regular expression and what goes in its place, in which \1 to \9 are its groups and & is all. Return
 * the list with it, or NULL with err set. */
struct subst_methods *subst_define(struct subst_methods *list, const char *definition,
                                   struct error *err);
void subst_methods_destroy(struct subst_methods *list); /* NULL is allowed */

/* Compile TEXT for tuples of NINPUTS inputs; NULL with err set: names what is wrong.  METHODS must outlive it. */
struct subst *subst_compile(const char *text, size_t ninputs,
                            const struct subst_methods *methods, struct error *err);
void subst_destroy(struct subst *s); /* NULL is allowed */
/* Whether it is the same for all jobs. */
bool subst_is_fixed(const struct subst *s);
/* Append the text for job number SEQ, whose inputs these are. */
void subst_render(const struct subst *s, const char *const *inputs, uint64_t seq,
                  struct strbuf *out);

#endif
