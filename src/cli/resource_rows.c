/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/resource_rows.h"

#include <string.h>
#include "src/common/bytes.h"
#include "src/common/idset.h"

struct row *resource_add_row(struct rows *rows, const char *state)
{
    rows->v = xrealloc(rows->v, (rows->n + 1) * sizeof(*rows->v));
    struct row *r = &rows->v[rows->n++];
    *r = (struct row){
        .state = state, .ranks = hwloc_bitmap_alloc(), .hosts = hostlist_create()};
    return r;
}

void resource_rows_fini(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++) {
        hwloc_bitmap_free(rows->v[i].ranks);
        hostlist_destroy(rows->v[i].hosts);
        strbuf_cleanup(&rows->v[i].reasons);
        strbuf_cleanup(&rows->v[i].properties);
    }
    free(rows->v);
}

/* In a LIST with SEPARATORs. */
bool resource_has(const char *list, const char *part, const char *separator)
{
    size_t n = strlen(part), m = strlen(separator);
    for (const char *at = list; (at = strstr(at, part)); at++) {
        bool begins = at == list ||
                      ((size_t)(at - list) >= m && strncmp(at - m, separator, m) == 0);
        if (begins && (!at[n] || strncmp(at + n, separator, m) == 0))
            return true;
    }
    return false;
}

static void add_part(struct strbuf *list, const char *part, const char *separator)
{
    if (!part || !*part || (list->len && resource_has(list->s, part, separator)))
        return;
    if (list->len)
        strbuf_add(list, separator);
    strbuf_add(list, part);
}

static void add_properties(struct row *r, json_object *node)
{
    json_object *names = NULL;
    if (!json_object_object_get_ex(node, "properties", &names) ||
        !json_object_is_type(names, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(names); i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        add_part(&r->properties, name, ",");
    }
}

void resource_add_node(struct row *r, json_object *node, unsigned ncores, unsigned ngpus,
                       uint64_t memory)
{
    r->memory += memory;
    hwloc_bitmap_set(r->ranks, (unsigned)cli_get_number(node, "rank", 0));
    hostlist_append_name(r->hosts, cli_get_string(node, "host", "?"));
    r->ncores += ncores;
    r->ngpus += ngpus;
    add_part(&r->reasons, cli_get_string(node, "reason", NULL), "; ");
    add_properties(r, node);
}

/* --- fields ------------------------------------------------------------------------------ */

enum { STATE, NNODES, NCORES, NGPUS, MEMORY, NODELIST, RANKS, REASON, UP, PROPERTIES };

static void get_field(const void *item, const struct format_field *f,
                      struct format_value *v)
{
    const struct row *r = item;
    static char text[64 << 10]; /* one value at a time */
    cleanup_free char *s = NULL;
    v->type = FORMAT_INT;
    switch ((int)(intptr_t)f->arg) {
    case NNODES:
        v->i = hwloc_bitmap_weight(r->ranks);
        return;
    case NCORES:
        v->i = r->ncores;
        return;
    case NGPUS:
        v->i = r->ngpus;
        return;
    case MEMORY:
        s = xstrdup(bytes_encode(r->memory).s);
        break;
    case STATE:
        s = xstrdup(r->state);
        break;
    case NODELIST:
        s = hostlist_encode(r->hosts);
        break;
    case RANKS:
        s = idset_encode(r->ranks, 0);
        break;
    case REASON:
        s = xstrdup(r->reasons.len ? r->reasons.s : "");
        break;
    case PROPERTIES:
        s = xstrdup(r->properties.len ? r->properties.s : "");
        break;
    default:
        s = xstrdup(strcmp(r->state, "avail") == 0 ? "+" : "-");
        break;
    }
    snprintf(text, sizeof(text), "%s", s);
    v->type = FORMAT_TEXT;
    v->text = text;
}

#define FIELD(NAME, HEADING, ID)                                                         \
    {                                                                                    \
        NAME, HEADING, get_field, (const void *)(intptr_t)(ID)                           \
    }
const struct format_field resource_fields[RESOURCE_FIELDS] = {
    FIELD("state", "STATE", STATE),
    FIELD("nnodes", "NNODES", NNODES),
    FIELD("ncores", "NCORES", NCORES),
    FIELD("ngpus", "NGPUS", NGPUS),
    FIELD("memory", "MEMORY", MEMORY),
    FIELD("nodelist", "NODELIST", NODELIST),
    FIELD("ranks", "RANKS", RANKS),
    FIELD("reason", "REASON", REASON),
    FIELD("up", "UP", UP),
    FIELD("properties", "PROPERTIES", PROPERTIES),
};
