/* SPDX-License-Identifier: BSD-3-Clause */
/* usage: how busy the nodes are: measured on each, reduced to rank 0 by a collective. */
#ifndef HBATCH_INSTANCE_USAGE_H
#define HBATCH_INSTANCE_USAGE_H

#include <json-c/json.h>

enum {
    USAGE_NUMBERS = 8
}; /* of the reduction: the first half summed, the second maxima */

struct usage {
    double load;       /* sum of the nodes' load averages of the last minute */
    double memory;     /* bytes, all nodes */
    double available;  /* bytes of it that programs could still take */
    double nodes;      /* that took part */
    double load_max;   /* of the busiest node */
    double memory_max; /* share of its memory that the fullest node uses, 0..1 */
};

/* Measure this node (/proc/loadavg, /proc/meminfo) into what is reduced. */
void usage_measure(double numbers[USAGE_NUMBERS]);
/* The result of the reduction. */
struct usage usage_decode(const double numbers[USAGE_NUMBERS]);
/* As instance.info tells it: {"load","load_max","memory","memory_available","memory_max",
 * "nodes"}, a new object. */
json_object *usage_to_json(const struct usage *u);

#endif
