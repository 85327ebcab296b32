/* SPDX-License-Identifier: BSD-3-Clause */
/* envrules: the environment that a job gets, made from rules in the order they are given:
 *
 *   -PATTERN   remove the variables that match
 *   ^FILE      read rules from FILE, one per line ("~" is the home directory)
 *   VAR=VAL    set; $VAR and ${VAR} in VAL are what was built so far, else the process's
 *              environment; $$ is $.  A VAL with "{{" is left to be expanded on the node.
 *   PATTERN    take what matches from the process's environment, where it is not set yet
 *
 * PATTERN is a glob, or after "/" an extended regular expression (a "/" at its end is dropped)
 * that matches from the start of the name. */
#ifndef HBATCH_LIB_ENVRULES_H
#define HBATCH_LIB_ENVRULES_H

#include <stdbool.h>
#include <json-c/json.h>
#include "src/common/error.h"

struct envrules {
    json_object *env;    /* name: value */
    json_object *expand; /* name: template, for the shell option env-expand */
    json_object *from;   /* the process's environment */
    json_object *unfit;  /* names of variables that would be there, but are not UTF-8 */
};

/* Start from ENVIRON_ ("NAME=VALUE" strings, NULL terminated).  What is not UTF-8 cannot be
 * carried in a job specification: it is left out, and its name noted in UNFIT unless a rule removes
 * or sets it. */
void envrules_init(struct envrules *e, char *const *environ_);
/* Start from objects of names and values, and of templates (or NULL), instead (copied). */
void envrules_init_json(struct envrules *e, json_object *env, json_object *expand);
void envrules_fini(struct envrules *e);
int envrules_apply(struct envrules *e, const char *rule, struct error *err);

/* Whether NAME matches PATTERN as above; -1 with err set for a bad pattern. */
int envrules_match(const char *pattern, const char *name, struct error *err);

#endif
