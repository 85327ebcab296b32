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

static void clear_row(struct row *r)
{
    hwloc_bitmap_free(r->ranks);
    hostlist_destroy(r->hosts);
    strbuf_cleanup(&r->reasons);
    strbuf_cleanup(&r->properties);
    strbuf_cleanup(&r->queues);
    strbuf_cleanup(&r->propertiesx);
}

void resource_rows_fini(struct rows *rows)
{
    for (size_t i = 0; i < rows->n; i++)
        clear_row(&rows->v[i]);
    free(rows->v);
}

void resource_drop_row(struct rows *rows, size_t i)
{
    clear_row(&rows->v[i]);
    rows->n--;
    memmove(rows->v + i, rows->v + i + 1, (rows->n - i) * sizeof(*rows->v));
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

static void add_names(struct strbuf *list, json_object *node, const char *key)
{
    json_object *names = NULL;
    if (!json_object_object_get_ex(node, key, &names) ||
        !json_object_is_type(names, json_type_array))
        return;
    for (size_t i = 0; i < json_object_array_length(names); i++)
        add_part(list, json_object_get_string(json_object_array_get_idx(names, i)), ",");
}

void resource_add_node(struct row *r, json_object *node, unsigned ncores, unsigned ngpus,
                       uint64_t memory)
{
    const char *drained = cli_get_string(node, "drained", NULL);
    r->memory += memory;
    hwloc_bitmap_set(r->ranks, (unsigned)cli_get_number(node, "rank", 0));
    hostlist_append_name(r->hosts, cli_get_string(node, "host", "?"));
    r->ncores += ncores;
    r->ngpus += ngpus;
    r->offline = strcmp(cli_get_string(node, "state", "up"), "down") == 0;
    r->since = cli_get_number(node, "since", 0);
    add_part(&r->reasons, drained ? drained : cli_get_string(node, "reason", NULL), "; ");
    add_names(&r->properties, node, "properties");
    add_names(&r->queues, node, "queues");
    add_names(&r->propertiesx, node, "propertiesx");
}

/* --- lines that are alike ------------------------------------------------------------------ */

struct keys {
    bool (*counts)(const char *field);
    const struct format_field *v[RESOURCE_FIELDS];
    size_t n;
};

static void note_key(const struct format_field *field, void *arg)
{
    struct keys *k = arg;
    if (k->n < ARRAY_SIZE(k->v) && k->counts(field->name))
        k->v[k->n++] = field;
}

/* Texts of rows are made for it (get_field). */
static char *text_of(const struct row *r, const struct format_field *f)
{
    struct format_value v = {0};
    f->get(r, f, &v);
    return v.type == FORMAT_TEXT     ? take(v.made)
           : v.type == FORMAT_NUMBER ? xasprintf("%.6f", v.number)
                                     : xasprintf("%lld", v.i);
}

static bool is_like(const struct row *a, const struct row *b, const struct keys *k)
{
    for (size_t i = 0; i < k->n; i++) {
        cleanup_free char *left = text_of(a, k->v[i]), *right = text_of(b, k->v[i]);
        if (strcmp(left, right) != 0)
            return false;
    }
    return true;
}

static void add_row(struct row *to, const struct row *r)
{
    hwloc_bitmap_or(to->ranks, to->ranks, r->ranks);
    for (size_t i = 0; i < hostlist_count(r->hosts); i++)
        hostlist_append_name(to->hosts, hostlist_nth(r->hosts, i));
    to->ncores += r->ncores;
    to->ngpus += r->ngpus;
    to->memory += r->memory;
    add_part(&to->reasons, r->reasons.s, "; ");
    struct strbuf *const lists[] = {&to->properties, &to->queues, &to->propertiesx};
    const struct strbuf *const others[] = {&r->properties, &r->queues, &r->propertiesx};
    for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
        cleanup_free char *copy = xstrdup(others[i]->len ? others[i]->s : "");
        char *rest = copy;
        for (char *word; (word = strsep(&rest, ","));)
            add_part(lists[i], word, ",");
    }
}

void resource_combine(struct rows *rows, const struct format *f,
                      bool (*counts)(const char *field))
{
    struct keys k = {.counts = counts};
    format_each_field(f, note_key, &k);
    size_t kept = 0;
    for (size_t i = 0; i < rows->n; i++) {
        size_t j = 0;
        while (j < kept && !is_like(&rows->v[j], &rows->v[i], &k))
            j++;
        if (j < kept) {
            add_row(&rows->v[j], &rows->v[i]);
            clear_row(&rows->v[i]);
        } else {
            rows->v[kept++] = rows->v[i];
        }
    }
    rows->n = kept;
}

struct search {
    const char *name;
    bool found;
};

static void look_for(const struct format_field *field, void *arg)
{
    struct search *s = arg;
    s->found |= strcmp(field->name, s->name) == 0;
}

bool resource_shows(const struct format *f, const char *name)
{
    struct search s = {.name = name};
    format_each_field(f, look_for, &s);
    return s.found;
}

/* --- queues -------------------------------------------------------------------------------- */

static bool has_rank(json_object *queue, int64_t rank)
{
    json_object *ranks = cli_get(cli_get(queue, "resources"), "ranks");
    size_t n =
        json_object_is_type(ranks, json_type_array) ? json_object_array_length(ranks) : 0;
    for (size_t i = 0; i < n; i++)
        if (json_object_get_int64(json_object_array_get_idx(ranks, i)) == rank)
            return true;
    return false;
}

void resource_name_queues(json_object *nodes, json_object *queues, const char *only)
{
    for (size_t i = 0; i < json_object_array_length(nodes); i++) {
        json_object *node = json_object_array_get_idx(nodes, i),
                    *properties = cli_get(node, "properties"),
                    *names = json_object_new_array(), *others = json_object_new_array();
        size_t n = json_object_is_type(properties, json_type_array)
                       ? json_object_array_length(properties)
                       : 0;
        cleanup_strbuf struct strbuf all = {0};
        for (size_t k = 0; k < json_object_array_length(queues); k++) {
            json_object *queue = json_object_array_get_idx(queues, k);
            const char *name = cli_get_string(queue, "queue", "");
            strbuf_addf(&all, "%s%s", all.len ? "," : "", name);
            if (*name &&
                (only ? resource_has(only, name, ",") : !cli_get(queue, "parent")) &&
                has_rank(queue, (int64_t)cli_get_number(node, "rank", -1)))
                json_object_array_add(names, json_object_new_string(name));
        }
        for (size_t k = 0; k < n; k++) {
            json_object *name = json_object_array_get_idx(properties, k);
            if (!all.len || !resource_has(all.s, json_object_get_string(name), ","))
                json_object_array_add(others, json_object_get(name));
        }
        json_object_object_add(node, "queues", names);
        json_object_object_add(node, "propertiesx", others);
    }
}

/* --- fields ------------------------------------------------------------------------------ */

enum {
    STATE,
    STATEX,
    STATUS,
    NNODES,
    NCORES,
    NGPUS,
    MEMORY,
    NODELIST,
    RANKS,
    REASON,
    SINCE,
    UP,
    UP_ASCII,
    PROPERTIES,
    PROPERTIESX,
    QUEUE
};

static char *text(const struct row *r, int id)
{
    const struct strbuf *list = id == REASON        ? &r->reasons
                                : id == PROPERTIES  ? &r->properties
                                : id == PROPERTIESX ? &r->propertiesx
                                                    : &r->queues;
    switch (id) {
    case MEMORY:
        return xstrdup(bytes_encode(r->memory).s);
    case STATE:
        return xasprintf("%s%s", r->state, r->offline ? "*" : "");
    case STATEX:
        return xstrdup(r->state);
    case STATUS:
        return xstrdup(r->offline ? "offline" : "online");
    case NODELIST:
        return hostlist_encode(r->hosts);
    case RANKS:
        return idset_encode(r->ranks, 0);
    case UP:
        return xstrdup(r->offline ? r->ascii ? "n" : "✗" : r->ascii ? "y" : "✔");
    case UP_ASCII:
        return xstrdup(r->offline ? "n" : "y");
    }
    return xstrdup(list->len ? list->s : "");
}

static void get_field(const void *item, const struct format_field *f,
                      struct format_value *v)
{
    const struct row *r = item;
    int id = (int)(intptr_t)f->arg;
    v->type = FORMAT_INT;
    if (id == NNODES) {
        v->i = hwloc_bitmap_weight(r->ranks);
    } else if (id == NCORES) {
        v->i = r->ncores;
    } else if (id == NGPUS) {
        v->i = r->ngpus;
    } else if (id == SINCE) {
        v->type = r->since > 0 ? FORMAT_NUMBER : FORMAT_NONE;
        v->number = r->since;
    } else {
        v->type = FORMAT_TEXT;
        v->text = v->made = text(r, id);
    }
}

#define FIELD(NAME, HEADING, ID)                                                         \
    {                                                                                    \
        NAME, HEADING, get_field, (const void *)(intptr_t)(ID)                           \
    }
const struct format_field resource_fields[RESOURCE_FIELDS] = {
    FIELD("state", "STATE", STATE),
    FIELD("statex", "STATE", STATEX),
    FIELD("status", "STATUS", STATUS),
    FIELD("nnodes", "NNODES", NNODES),
    FIELD("ncores", "NCORES", NCORES),
    FIELD("ngpus", "NGPUS", NGPUS),
    FIELD("memory", "MEMORY", MEMORY),
    FIELD("nodelist", "NODELIST", NODELIST),
    FIELD("ranks", "RANKS", RANKS),
    FIELD("reason", "REASON", REASON),
    FIELD("timestamp", "TIME", SINCE),
    FIELD("up", "UP", UP),
    FIELD("up.ascii", "UP", UP_ASCII),
    FIELD("properties", "PROPERTIES", PROPERTIES),
    FIELD("propertiesx", "PROPERTIES", PROPERTIESX),
    FIELD("queue", "QUEUE", QUEUE),
};
