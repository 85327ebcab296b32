/* SPDX-License-Identifier: BSD-3-Clause */
/* spectext: texts of job specifications that differ in the words of their command only, told apart without being parsed.
 * Pure. */
#ifndef HBATCH_LIB_SPECTEXT_H
#define HBATCH_LIB_SPECTEXT_H

#include <stdbool.h>
#include <stddef.h>

/* What a text has in common with others: all but the words behind the first one of tasks[0].command. */
struct spectext {
    char *text;
    size_t len, head,
        tail; /* its bytes up to the first word's end, and from behind the last word on */
};

/* Of TEXT, which is JSON of an object; taken apart again by spectext_fini.  False: it has no such command. */
bool spectext_init(struct spectext *s, const char *text);
void spectext_fini(struct spectext *s);
/* Where in TEXT of LEN bytes the words are that S does not have: "" or ,"WORD","WORD"...; NULL: it is no text like S. */
const char *spectext_match(const struct spectext *s, const char *text, size_t len,
                           size_t *words_len);

#endif
