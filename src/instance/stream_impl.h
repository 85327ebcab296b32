/* SPDX-License-Identifier: BSD-3-Clause */
/* stream_impl: what the files of streams share.  stream.c: a stream's life, who watches what, and input;
 * stream_output.c: readers, which bring output; stream_end.c: ends, of one job and of many. */
#ifndef HBATCH_INSTANCE_STREAM_IMPL_H
#define HBATCH_INSTANCE_STREAM_IMPL_H

#include "src/instance/leader_impl.h"

#include <sys/queue.h>

/* BLOCK: many jobs, some of which have a stream of kind ATTACH, too (stream.c).  WHOLE: as FOLLOW, of all elements of an
 * array, or of one job: there may be a million, so the array or the job knows its own, an element that waits is in a
 * table, and those with something to tell are in a list. */
enum stream_kind { ATTACH, FOLLOW, WAIT, BLOCK, WHOLE };

struct run_of_ends { /* jobs whose ids follow each other, and that ended alike */
    jobid_t first;
    uint64_t n;
    int status;
    enum job_result result;
};

struct window { /* what the streams of one request share */
    unsigned refs;
    uint64_t left; /* ends to be told */
    uint64_t sent, client_acked;
    struct stream *all; /* BLOCK: their stream, or NULL */
    unsigned over;      /* streams of jobs that were over when it came to them */
};

struct reader; /* stream_output.c */

struct stream {
    struct stream *prev,
        *next; /* all, or all of kinds FOLLOW and BLOCK, or all of kind WHOLE */
    struct stream *job_next; /* those on one job */
    bool
        one; /* WHOLE: in the table of elements that wait, which they may not do any more */
    enum stream_kind kind;
    struct request rq;
    bool output;
    bool now;      /* only what there is: no events and output to come */
    bool late;     /* ATTACH: counted in its window's OVER */
    jobid_t first; /* the job, or the first of the block */
    uint64_t count, left;
    uint64_t looked_at;       /* BLOCK: so many of it, the first ones */
    struct job *job;          /* NULL: over */
    struct submission *array; /* WHOLE: it has elements left; else NULL */
    json_object *end;         /* params of job.end, when the job is over */
    uint64_t epoch;           /* that tells the other ranks of END, or of SEALED */
    bool held; /* ATTACH: END waits for that; WHOLE: there are ENDS or SEALED */
    TAILQ_ENTRY(stream) held_entry;
    json_object *sealed;     /* FOLLOW, BLOCK, WHOLE: ends that wait for it */
    json_object *ends;       /* ... and those that came since */
    uint64_t nsealed, nends; /* how many jobs they are of */
    struct run_of_ends last; /* the last of ENDS, if others may join it; n 0: none */
    struct reader *readers;
    unsigned open_readers;
    struct window *window; /* ATTACH, BLOCK */
    bool waits;            /* FOLLOW, WHOLE: who is told has waited (waitable.c) */
    bool input;            /* its client sends stdin, and hears how much was taken */
    bool holds;            /* ATTACH: the job, which is tied, ends with the client */
};

/* --- stream.c */
struct stream *stream_create(struct leader *ld, enum stream_kind kind,
                             const struct request *rq, jobid_t first);
void stream_destroy(struct leader *ld, struct stream *st);
void stream_unlink_from_job(struct stream *st);
/* On its job, which has no object of its own as yet; and off it. */
void stream_link_to_one(struct leader *ld, struct stream *st);
void stream_unlink_from_one(struct leader *ld, struct stream *st);
void stream_link_to_job(struct stream *st, struct job *job);
/* WHOLE */
void stream_link_to_array(struct stream *st, struct submission *sub);
/* BLOCK: attach to the next ones of it. Whether ST is still there. */
bool stream_look_on(struct leader *ld, struct stream *st);

/* --- stream_output.c */
/* Read the output of a job that runs, and of what its tasks have spawned so far, for ST. */
void stream_open_running(struct leader *ld, struct stream *st, const struct job *job);
/* Of a job that is over. */
void stream_open_stored(struct leader *ld, struct stream *st, jobid_t id);
/* Executors need not send what they would. */
void stream_stop_reading(struct leader *ld, const struct stream *st);
void stream_free_readers(struct leader *ld, struct stream *st);

/* --- stream_end.c */
/* BLOCK: it is found that there is no job ID, as ERR says. */
void stream_missing(struct leader *ld, struct stream *st, jobid_t id,
                    const struct error *err);
void stream_finish_if_complete(struct leader *ld, struct stream *st);
/* END, taken over, is what comes after the last output. */
void stream_end(struct leader *ld, struct stream *st, json_object *end);
/* How the active JOB is, or job ID ended, from the store: NULL with err set if there is no such
 * job. */
json_object *stream_describe_state(const struct job *job);
json_object *stream_find_end(struct leader *ld, jobid_t id, struct error *err);

#endif
