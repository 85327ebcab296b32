/* SPDX-License-Identifier: BSD-3-Clause */
/* resource_rows: what nodes have in one state, as the lines of resource list and status. */
#ifndef HBATCH_CLI_RESOURCE_ROWS_H
#define HBATCH_CLI_RESOURCE_ROWS_H

#include <hwloc/bitmap.h>
#include "src/cli/format.h"
#include "src/cli/cli.h"
#include "src/common/hostlist.h"
#include "src/common/strbuf.h"

struct row {
    const char *state;
    bool offline;
    bool ascii; /* marks of ASCII characters */
    double since;
    hwloc_bitmap_t ranks;
    struct hostlist *hosts;
    unsigned ncores, ngpus;
    uint64_t memory;
    struct strbuf reasons;     /* of any of the nodes, with semicolons */
    struct strbuf properties;  /* the same, with commas */
    struct strbuf queues;      /* the same */
    struct strbuf propertiesx; /* the properties that are no queue's name */
};

struct rows {
    struct row *v;
    size_t n;
};

/* Of a line, a struct row. */
enum { RESOURCE_FIELDS = 16 };
extern const struct format_field resource_fields[RESOURCE_FIELDS];

/* Another one, without a node; STATE is kept. */
struct row *resource_add_row(struct rows *rows, const char *state);
void resource_rows_fini(struct rows *rows);
/* Without the row I. */
void resource_drop_row(struct rows *rows, size_t i);
/* NODE, of resource.list, with so much of what it has. */
void resource_add_node(struct row *r, json_object *node, unsigned ncores, unsigned ngpus,
                       uint64_t memory);
/* Rows that have the same in all fields of F that COUNT are one. */
void resource_combine(struct rows *rows, const struct format *f,
                      bool (*counts)(const char *field));
/* Whether F has the field NAME. */
bool resource_shows(const struct format *f, const char *name);
/* NODES get the names of their queues, "queues", and the properties that are none, "propertiesx".  QUEUES: of
 * queue.list; ONLY: these ("A,B"), NULL: all that are no other name for another one. */
void resource_name_queues(json_object *nodes, json_object *queues, const char *only);
/* Whether PART is in a LIST with SEPARATORs. */
bool resource_has(const char *list, const char *part, const char *separator);

#endif
