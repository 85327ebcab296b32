/* SPDX-License-Identifier: BSD-3-Clause */
/* feed: many submissions over one connection, FEED_WINDOW of them without an answer yet, told of in their
 * order. What they share is sent once: an environment goes along with the first submission that has it, and by
 * name with the others; jobs that differ in their words only go together, as rows of one specification (bulk.h).  Where
 * the instance refuses them, they are submitted one by one, as each may have its own reason. */
#ifndef HBATCH_CLI_FEED_H
#define HBATCH_CLI_FEED_H

#include "src/cli/cli.h"
#include "src/cli/jobset.h"

enum {
    FEED_WINDOW = 1024,
    FEED_ROWS = 1024, /* that go together at most */
    FEED_ROWS_FIRST =
        16, /* the first ones: jobs are to start soon; then twice as many, and so on */
    FEED_ROWS_BYTES = 1 << 18,
    FEED_ROWS_WINDOW = 8, /* submissions of rows without an answer */
};

struct feed_rows {     /* jobs that differ in their words */
    json_object *spec; /* of all of them */
    int urgency;
    const char *flags;
    struct strbuf text;   /* JSON, without the last bracket */
    struct strbuf labels; /* of each, with its NUL */
    unsigned n;
    json_object *list; /* refused: the text's rows */
};

struct feed_item {
    char *label;            /* what errors are about; or NULL */
    char *log, *log_stderr; /* the feed's user's own; or NULL */
    uint64_t first, count;  /* of an accepted one */
    struct error err;       /* of a refused one: code is not 0 */
    bool done;
    struct feed_rows *rows; /* that it is of, or NULL */
    unsigned next;          /* refused: of them, the one that is tried by itself */
};

struct feed {
    struct cli *cli;
    struct jobset *set; /* that the jobs are added to, or NULL */
    /* ITEM has its answer: called in the order of submission. */
    void (*told)(struct feed_item *item, void *arg);
    void *arg;
    struct feed_item *items; /* ring of FEED_WINDOW */
    uint64_t sent, over;     /* submissions, and those that were told of */
    json_object *env;        /* of the latest submission that had another one */
    char *env_name;          /* once it is known */
    uint64_t env_sent;       /* its submission */
    struct feed_rows *rows;  /* that were not sent yet, or NULL */
    struct feed_item rows_what;
    unsigned rows_limit; /* so many go together next */
};

void feed_init(struct feed *f, struct cli *cli, struct jobset *set,
               void (*told)(struct feed_item *item, void *arg), void *arg);
void feed_fini(struct feed *f);
/* Queue SPEC (taken over).  The first members of WHAT, which may be NULL, are taken over.  Waits while the window
 * is full. */
void feed_add(struct feed *f, json_object *spec, const struct hbatch_submit *submit,
              const struct feed_item *what);
/* Queue a job of SPEC, which may go together with the next ones of SPEC: its own words are the N of WORDS.  Of WHAT the
 * label is taken over, and the others are copied. */
void feed_add_row(struct feed *f, json_object *spec, const struct hbatch_submit *submit,
                  char *const *words, size_t n, const struct feed_item *what);
/* Wait until descriptor FD can be read, and take what answers there are. */
void feed_wait_fd(struct feed *f, int fd);
/* Wait until all is answered. */
void feed_finish(struct feed *f);

#endif
