/* SPDX-License-Identifier: BSD-3-Clause */
/* jobspec_impl: what the files that decode a jobspec share. */
#ifndef HBATCH_JOB_JOBSPEC_IMPL_H
#define HBATCH_JOB_JOBSPEC_IMPL_H

#include "src/job/jobspec.h"

struct jobspec_slot {
    const char *label;
    struct job_part part;
};

struct jobspec {
    unsigned refs;
    json_object *json; /* a reference of its own; all below points into it */
    struct job_shape shape;
    const char *name, *cwd;
    struct jobspec
        *like;         /* of a variant, which has but the two above: who has all else */
    const char *label; /* of the slot; tasks name it */
    struct jobspec_slot *slots; /* of several; while it is decoded */
    unsigned nslots;
    struct job_part *parts; /* the shape's */
    json_object *programs;  /* of several entries in tasks, or NULL */
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

/* tasks, where resources has several slots. */
int jobspec_decode_programs(struct jobspec *js, json_object *tasks, struct error *err);
/* What a program may have of its own: the members environment, cwd and path of the object O. */
int jobspec_check_overlay(struct error *err, const char *path, json_object *o);

/* The number of tasks in all, or 0 when it depends on how many nodes the job gets. */
unsigned jobspec_fixed_ntasks(const struct job_shape *shape);

#endif
