/* SPDX-License-Identifier: BSD-3-Clause */
/* report: what an instance did, in numbers: of any number of jobs, in some 64 bytes for each.
 *
 * Jobs are added, then report_finish puts them into REPORT_BINS bins of time.  A page is made of that by report_html.c,
 * lines for the terminal by report_text.c, and JSON by report_json.c. */
#ifndef HBATCH_CLI_REPORT_H
#define HBATCH_CLI_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <json-c/json.h>
#include "src/job/rset.h"

enum { REPORT_BINS = 400, REPORT_RESULTS = 5 };

/* Results as they are counted; the last one is of jobs that still run. */
extern const char *const report_results[REPORT_RESULTS];

struct report_job {
    uint64_t id;
    double submit, run, end; /* run 0: it never ran; end 0: it runs */
    unsigned ncores, nnodes;
    unsigned name, reason, ranks; /* numbers of texts */
    int result;                   /* of report_results */
    struct rset *r;               /* which cores, if that was asked for; or NULL */
};

struct report_node {
    unsigned rank, ncores;
    char *host;
};

struct report_bin {
    double busy;                    /* core-seconds */
    double waiting;                 /* job-seconds */
    unsigned ended[REPORT_RESULTS]; /* jobs */
    double rate[REPORT_RESULTS];    /* jobs ended a second, of a second about it */
};

struct report_group { /* of jobs that did not complete */
    unsigned name, reason;
    int result;
    size_t n;
    uint64_t last; /* id */
};

struct report_name { /* jobs of one name */
    unsigned name;
    size_t n, count[REPORT_RESULTS];
    double busy;           /* core-seconds */
    double total, longest; /* of run times of those that are over; s */
};

struct report {
    double now; /* at which jobs that run are cut */
    struct report_job *jobs;
    size_t njobs, room;
    char **texts; /* [ntexts], each once */
    size_t ntexts;
    json_object *numbers; /* of texts */
    struct report_node *nodes;
    size_t nnodes;
    unsigned ncores; /* in all */

    /* since report_finish */
    double begin, end;
    size_t count[REPORT_RESULTS];
    double busy;        /* core-seconds, of all */
    double utilization; /* share of the cores from begin to end */
    double
        rate; /* jobs that ended, per second; and in the fullest second (a tenth of all, if that is less): */
    double peak_rate;
    double wait[3], runtime[3];  /* median, 90 %, the longest; s */
    struct report_bin *bins;     /* [REPORT_BINS] */
    float *heat;                 /* [nnodes][REPORT_BINS] share of the node's cores */
    struct report_group *groups; /* most frequent first */
    size_t ngroups;
    struct report_name *names; /* that used most first */
    size_t nnames;
};

/* RESOURCES: the result of resource.list. */
struct report *report_create(json_object *resources, double now);
void report_destroy(struct report *r); /* NULL is allowed */
/* The keys of job.list that are made use of, a new array. */
json_object *report_keys(void);
/* Add JOB of job.list. */
void report_add(struct report *r, json_object *job);
void report_finish(struct report *r);
const char *report_text(const struct report *r, unsigned number);
/* VALUE with three digits, and all before the point; core-seconds as a time. */
char *report_number(double value, char *buf, size_t size);
char *report_core_time(double seconds, char *buf, size_t size);
/* Where JOB's end is on the time axis. */
double report_end(const struct report *r, const struct report_job *job);
/* The row of node RANK, or -1. */
int report_row(const struct report *r, unsigned rank);

/* Of the page, lines, the last of which is NULL: report.css and report.js. */
extern const char *const report_style[], *const report_script[];
/* The page: TITLE, and where the jobs are of. */
void report_html(const struct report *r, const char *title, const char *about, bool ascii,
                 FILE *f);
void report_print(const struct report *r, const char *title, bool utf8, FILE *f);
/* All numbers, a new object. */
json_object *report_to_json(const struct report *r, const char *title);

#endif
