/* SPDX-License-Identifier: BSD-3-Clause */
/* feed: many submissions over one connection, FEED_WINDOW of them without an answer yet, told of in their
 * order. What they share is sent once: an environment goes along with the first submission that has it, and by
 * name with the others. */
#ifndef HBATCH_CLI_FEED_H
#define HBATCH_CLI_FEED_H

#include "src/cli/cli.h"
#include "src/cli/jobset.h"

enum { FEED_WINDOW = 1024 };

struct feed_item {
    char *label;            /* what errors are about; or NULL */
    char *log, *log_stderr; /* the feed's user's own; or NULL */
    uint64_t first, count;  /* of an accepted one */
    struct error err;       /* of a refused one: code is not 0 */
    bool done;
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
};

void feed_init(struct feed *f, struct cli *cli, struct jobset *set,
               void (*told)(struct feed_item *item, void *arg), void *arg);
void feed_fini(struct feed *f);
/* Queue SPEC (taken over).  The first members of WHAT, which may be NULL, are taken over.  Waits while the window
 * is full. */
void feed_add(struct feed *f, json_object *spec, const struct hbatch_submit *submit,
              const struct feed_item *what);
/* Wait until descriptor FD can be read, and take what answers there are. */
void feed_wait_fd(struct feed *f, int fd);
/* Wait until all is answered. */
void feed_finish(struct feed *f);

#endif
