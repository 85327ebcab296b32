/* SPDX-License-Identifier: BSD-3-Clause */
/* specs: texts that go to an executor once and are referred to by name after that: jobspecs
 * and environments.  Equal texts share one name.  One that is much like another is kept as what it has in its
 * middle: many jobs that wait differ in a few words. */
#ifndef HBATCH_INSTANCE_SPECS_H
#define HBATCH_INSTANCE_SPECS_H

#include <stdbool.h>
#include <stddef.h>
#include <hwloc/bitmap.h>
#include <json-c/json.h>
#include "src/common/strbuf.h"

struct specs;

enum text_kind { TEXT_JOBSPEC, TEXT_ENV };

struct text {
    enum text_kind kind;
    char name[24];       /* unique among all texts of this instance's life and store */
    size_t len;          /* of the text: JSON, one line; see text_get */
    char *middle;        /* all of it, or what is between the ends that it has of LIKE */
    unsigned head, tail; /* bytes of LIKE before and behind it */
    struct text *like;   /* another text, all of it, that has a reference; or NULL */
    unsigned refs;
    bool streamed;        /* the other ranks have it (change.c) */
    hwloc_bitmap_t known; /* ranks whose executor has it, NULL: none */
    unsigned long long hash;
    struct text *chain, *prev, *next; /* bucket; the unused ones */
};

/* DROP is called when a text is forgotten, for the ranks that know it. */
struct specs *specs_create(void (*drop)(const struct text *t, void *arg), void *arg);
void specs_destroy(struct specs *s); /* NULL is allowed; without drop calls */

/* The text with this content, a reference for the caller: specs_put drops it. */
struct text *specs_get(struct specs *s, enum text_kind kind, const char *data,
                       size_t len);
/* Another reference to T. */
struct text *specs_hold(struct specs *s, struct text *t);
/* Unused texts are kept for a while: the next job is often like the last. */
void specs_put(struct specs *s, struct text *t); /* NULL is allowed */
/* The text, new; or added to B. */
char *text_get(const struct text *t);
void text_add(const struct text *t, struct strbuf *b);
json_object *text_json(const struct text *t); /* of a text or NULL; new */
/* The bytes that it takes by itself. */
size_t text_held(const struct text *t);
/* The text NAME that is in use or still kept, or NULL. */
struct text *specs_find(const struct specs *s, const char *name);
/* The texts go on in a leader's hands: references of the stream (t->streamed) are dropped, as the
 * former leader had none for them, and no executor is known to have any. */
void specs_adopt(struct specs *s, void (*drop)(const struct text *t, void *arg),
                 void *arg);
/* Ranks join, who have no text but those of active jobs: all forget what the others have.  HELD: the
 * stream's references are dropped, as by a copy of the leader's tables. */
void specs_unstream(struct specs *s, bool held);
/* Whether the executor of RANK has T; it has. */
bool text_known(const struct text *t, unsigned rank);
void text_set_known(struct text *t, unsigned rank);
/* The executor of RANK is a new one: it knows nothing. */
void specs_forget_rank(struct specs *s, unsigned rank);

#endif
