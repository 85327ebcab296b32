/* SPDX-License-Identifier: BSD-3-Clause */
/* jobspec_impl: what the files that decode a jobspec share. */
#ifndef HBATCH_JOB_JOBSPEC_IMPL_H
#define HBATCH_JOB_JOBSPEC_IMPL_H

#include "src/job/jobspec.h"

struct jobspec {
    unsigned refs;
    json_object *json; /* a reference of its own; all below points into it */
    struct job_shape shape;
    const char *name;
    char *own_name;    /* or NULL: it is in the JSON */
    const char *label; /* of the slot; tasks name it */
    json_object *command;
    json_object *system; /* attributes.system, or NULL */
    const char *placement;
};

/* Where in the jobspec: jobspec_at("%s.with[%zu]", path, i).text, within one expression. */
struct jobspec_path {
    char text[160];
};
struct jobspec_path jobspec_at(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));

/* "jobspec: PATH: must be MUST, not VALUE", or "... is missing ..." when VALUE is NULL. -1. */
int jobspec_bad(struct error *err, const char *path, const char *must,
                json_object *value);
/* VALUE must be an object that has no keys but ALLOWED (NULL: any). */
int jobspec_check_keys(struct error *err, const char *path, json_object *value,
                       const char *const *allowed);
/* VALUE must be a positive integer that fits an int; it goes to *N. */
int jobspec_check_positive(struct error *err, const char *path, json_object *value,
                           unsigned *n);
/* VALUE must be an array of one or more strings, the first not empty. */
int jobspec_check_command(struct error *err, const char *path, json_object *value);

/* Decode one top-level key each into JS. Attributes come last: they are checked against the
 * number of tasks. */
int jobspec_decode_resources(struct jobspec *js, json_object *resources,
                             struct error *err);
int jobspec_decode_attributes(struct jobspec *js, json_object *attributes,
                              struct error *err);

/* The number of tasks in all, or 0 when it depends on how many nodes the job gets. */
unsigned jobspec_fixed_ntasks(const struct job_shape *shape);

#endif
