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
    hwloc_bitmap_t ranks;
    struct hostlist *hosts;
    unsigned ncores, ngpus;
    uint64_t memory;
    const char *cores, *gpus; /* of one node */
    struct strbuf reasons;    /* of any of the nodes, with semicolons */
    struct strbuf properties; /* the same, with commas */
};

struct rows {
    struct row *v;
    size_t n;
};

/* Of a line, a struct row. */
enum { RESOURCE_FIELDS = 10 };
extern const struct format_field resource_fields[RESOURCE_FIELDS];

/* Another one, without a node; STATE is kept. */
struct row *resource_add_row(struct rows *rows, const char *state);
void resource_rows_fini(struct rows *rows);
/* NODE, of resource.list, with so much of what it has. */
void resource_add_node(struct row *r, json_object *node, unsigned ncores, unsigned ngpus,
                       uint64_t memory);
/* Whether PART is in a LIST with SEPARATORs. */
bool resource_has(const char *list, const char *part, const char *separator);

#endif
