/* SPDX-License-Identifier: BSD-3-Clause */
/* top: what 'hbatch top' knows of an instance and shows: the model, without a screen.
 *
 * The instance tells when something has changed (instance.watch); then it is asked for what is shown, at most
 * once in TOP_ASK_S.  Where nothing happens, nothing is asked. */
#ifndef HBATCH_CLI_TOP_H
#define HBATCH_CLI_TOP_H

#include "src/cli/canvas.h"
#include "src/cli/cli.h"
#include "src/cli/format.h"
#include "src/cli/jobfields.h"

#define TOP_ASK_S 1.0
#define TOP_RATE_S 10.0 /* over which rates are averages */

enum { TOP_LIST_MAX = 1000, TOP_SAMPLES = 32 };

enum top_which { TOP_ACTIVE, TOP_RUNNING, TOP_ALL, TOP_WHICH };
extern const char *const top_which_names[TOP_WHICH];
/* Ways to sort; the first is that of the instance. */
extern const struct top_order {
    const char *name, *keys;
} top_orders[];
extern const size_t top_norders;

/* What was asked for, and its answer. */
enum { TOP_INFO, TOP_NODES, TOP_RUN, TOP_WAIT, TOP_OVER, TOP_ANSWERS };

struct top_level {
    char *uri, *title;
    uint64_t job;      /* that the instance is, in the one before; 0: the first level */
    uint64_t selected; /* job, 0: none */
};

struct top_rates {
    struct {
        double t, submitted, ended;
    } samples[TOP_SAMPLES];
    unsigned n;
};

struct top {
    struct cli *cli;
    struct hbatch *h; /* the last level's */
    struct top_level *levels;
    size_t nlevels;
    /* of that level */
    json_object *answers[TOP_ANSWERS], *stats;
    unsigned awaited; /* answers that have not come */
    bool complete;    /* all have, once */
    bool changed;     /* since they were asked for */
    double asked_at;
    struct top_rates rates;
    /* of all */
    enum top_which which;
    size_t order;
    char filter[64];          /* of the list: a part of what a line shows; "" shows all */
    const char *queue, *name; /* only jobs of these, or NULL */
    struct format *format;
    char *header;
    struct top_row {
        struct jobitem item;
        uint64_t id;
        char *line;
        bool instance;
    } * rows;
    size_t nrows, selected, scroll;
    bool more; /* jobs than TOP_LIST_MAX */
    char message[320];
    bool stale; /* there is something new to show */
};

/* Show the instance of H (taken over), by TITLE, inside of the one shown (JOB: which job it is). */
void top_enter(struct top *t, struct hbatch *h, const char *title, uint64_t job);
/* The nearest one of the instances around the last one that can be asked; -1 with err set: there is none, and all is
 * as it was. */
int top_leave(struct top *t, struct error *err);
void top_fini(struct top *t);
/* What has come on the connection.  -1 with err set: it is lost. */
int top_process(struct top *t, struct error *err);
/* Ask, if it is time to.  Return the milliseconds until the next time, -1: when something has come. */
int top_ask(struct top *t);
/* Something else is to be shown: all of it is asked for. */
void top_want(struct top *t);
/* Put the rows together anew: for another filter, order, or time. */
void top_arrange(struct top *t);
void top_move(struct top *t, long by);
struct top_row *top_selected(struct top *t); /* or NULL */
/* Submitted and ended jobs, in a second. */
void top_rates_now(const struct top *t, double *submitted, double *ended);
/* Something that is shown changes with the time. */
bool top_moves(const struct top *t);
__attribute__((format(printf, 2, 3))) void top_say(struct top *t, const char *fmt, ...);

/* --- top_page.c */
/* All of it, with what somebody types (PROMPT, or NULL) in the last line.  Return the column after that. */
int top_draw(struct top *t, struct canvas *c, const char *prompt);
/* The lines beside those of jobs, of a page of ROWS. */
int top_lines(int rows);
void top_draw_help(struct canvas *c);

#endif
