/* SPDX-License-Identifier: BSD-3-Clause */
/* output: tasks' output to this program's stdout and stderr, as it is or with a label before
 * each line; gathered, and written by output_flush. */
#ifndef HBATCH_CLI_OUTPUT_H
#define HBATCH_CLI_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>
#include "src/common/strbuf.h"

struct output_line;

struct output {
    bool label;            /* "TASK: " before each line */
    bool label_jobs;       /* "JOBID: " before that */
    bool ascii;            /* ids with a plain f */
    const unsigned *names; /* what tasks are called in labels, NULL: by their ranks */
    int fd;                /* what buf is for */
    struct strbuf buf;
    struct output_line *lines; /* begun, not ended, labelled lines */
    int failed; /* errno of a write that failed; what comes after is dropped */
};

void output_init(struct output *out, bool label);
void output_fini(struct output *out);
/* STREAM: "stdout" or "stderr". */
void output_data(struct output *out, uint64_t id, const char *stream, unsigned task,
                 const char *data, size_t len, bool eof);
/* Write what is gathered; with ALL also labelled lines that have not ended. */
void output_flush(struct output *out, bool all);

#endif
