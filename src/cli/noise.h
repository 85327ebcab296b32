/* SPDX-License-Identifier: BSD-3-Clause */
/* noise: run mpirun, less what it says at length when a program merely has an exit code.
 *
 * Open MPI's mpirun explains an exit code other than 0 of an instance in two boxes between dashed
 * lines.  Its option -q would silence them, and with them every error (an unknown host, a missing
 * program).  So mpirun's stderr goes through here: those two boxes are left out, all else passes
 * as it comes.
 *
 * With --enable-recovery, which keeps ranks alive when one dies, mpirun's own exit code is 0
 * whatever theirs were: the instance then writes its own on stderr (hbatch-instance
 * --tell-status), and that line is taken here, as are the others that it writes for hbatch start.
 * It counts, too, where mpirun itself does not end after it: with a host lost it may never. */
#ifndef HBATCH_CLI_NOISE_H
#define HBATCH_CLI_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include "src/common/error.h"

/* What an instance tells hbatch start: lines that begin so, and what follows there. */
enum noise_word {
    NOISE_READY, /* "hbatch-instance: ready URI"; URI may be "remote": rank 0 runs the program */
    NOISE_ENDED,  /* "...: ended with exit code N": in order, as nothing else is */
    NOISE_LOST,   /* "...: lost HOST": the rank there */
    NOISE_RESTART /* "...: restart": all ranks leave, to be started again; or a line that
                   * ends with ": this one ends", which is for the user as well */
};
#define NOISE_STATUS "hbatch-instance: ended with exit code "

/* Run ARGV and wait for it; signals sent to this process go to it.  Its exit code (128 and the
 * signal's number after a signal), or -1 with err set when it could not be run.  TOLD: whether
 * the instance told its own.  KEPT: what mpirun said of its start's failure (struct noise). */
int noise_run(char *const *argv, bool *told, char **kept, struct error *err);

/* The filter itself: feed DATA, emit to WRITE what is not noise. */
struct noise {
    char *held; /* a box whose end did not come yet */
    size_t used, size;
    char *
        kept; /* boxes about why mpirun could not start what it was to, or NULL: for its owner */
    bool inside; /* of a box */
    int status;  /* what --tell-status told; set it to -1 first */
    void (*write)(void *arg, const char *data, size_t len);
    /* One of those lines has come: what follows its words; or NULL. */
    void (*said)(void *arg, enum noise_word word, const char *rest);
    void *arg;
};
void noise_feed(struct noise *n, const char *data, size_t len);
void noise_flush(struct noise *n); /* emit what is held: no end will come */

#endif
