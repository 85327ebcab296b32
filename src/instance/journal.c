/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/journal.h"

#include <hwloc/bitmap.h>
#include <string.h>
#include "src/common/hostlist.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

/* Nodes that come up one after another are one event, if nobody has seen it yet. */
#define MERGE_S 0.1

struct event {
    double t;
    const char *name;
    hwloc_bitmap_t ranks; /* NULL: it is not about nodes, and all it tells is .text */
    struct hostlist *hosts;
    char *text; /* the reason, or the context in JSON; or NULL */
    int overwrite;
};

struct standing { /* of a node */
    bool up;
    char *drained;
    double since;
};

struct journal {
    size_t max, n;
    uint64_t last; /* its number; numbers begin with 1 */
    uint64_t told; /* events up to this one were asked for */
    double dropped;
    struct event *events; /* [max], number N in N % max */
    unsigned size;
    struct standing *nodes; /* [size] */
    bool begun;
};

static void clear_event(struct event *e)
{
    hwloc_bitmap_free(e->ranks);
    hostlist_destroy(e->hosts);
    free(e->text);
    *e = (struct event){0};
}

struct journal *journal_create(size_t max)
{
    struct journal *j = xcalloc(1, sizeof(*j));
    j->max = max;
    j->events = xcalloc(max, sizeof(*j->events));
    return j;
}

void journal_destroy(struct journal *j)
{
    if (!j)
        return;
    for (size_t i = 0; i < j->max; i++)
        clear_event(&j->events[i]);
    for (unsigned i = 0; i < j->size; i++)
        free(j->nodes[i].drained);
    free(j->nodes);
    free(j->events);
    free(j);
}

static struct event *add(struct journal *j, double t, const char *name)
{
    struct event *e = &j->events[++j->last % j->max];
    if (e->name)
        j->dropped = e->t;
    clear_event(e);
    j->n = MIN(j->n + 1, j->max);
    e->t = t;
    e->name = name;
    return e;
}

/* The last event, if this one is the same of another node. */
static struct event *like_last(struct journal *j, double t, const char *name,
                               const char *reason, int overwrite)
{
    struct event *e = &j->events[j->last % j->max];
    if (j->n == 0 || j->told >= j->last || e->name != name || !e->ranks ||
        t - e->t > MERGE_S || e->overwrite != overwrite)
        return NULL;
    return strcmp(e->text ? e->text : "", reason ? reason : "") == 0 ? e : NULL;
}

static void add_node(struct journal *j, double t, const char *name,
                     const struct journal_node *node, const char *reason, int overwrite)
{
    struct event *e = like_last(j, t, name, reason, overwrite);
    if (!e) {
        e = add(j, t, name);
        e->ranks = hwloc_bitmap_alloc();
        e->hosts = hostlist_create();
        e->text = reason && *reason ? xstrdup(reason) : NULL;
        e->overwrite = overwrite;
    }
    hwloc_bitmap_set(e->ranks, node->rank);
    hostlist_append_name(e->hosts, node->host);
}

static struct standing *standing_of(struct journal *j, unsigned rank)
{
    if (rank >= j->size) {
        j->nodes = xrealloc(j->nodes, (rank + 1) * sizeof(*j->nodes));
        memset(j->nodes + j->size, 0, (rank + 1 - j->size) * sizeof(*j->nodes));
        j->size = rank + 1;
    }
    return &j->nodes[rank];
}

void journal_begin(struct journal *j, double t, json_object *const *nodes, unsigned size,
                   const char *method)
{
    if (!j || j->begun)
        return;
    j->begun = true;
    cleanup_bitmap hwloc_bitmap_t all = hwloc_bitmap_alloc();
    struct hostlist *hosts = hostlist_create();
    for (unsigned i = 0; i < size; i++) {
        const char *host = jsonutil_string(jsonutil_get(nodes[i], "host"));
        hwloc_bitmap_set(all, i);
        hostlist_append_name(hosts, host ? host : "?");
        standing_of(j, i)->up = true;
    }
    cleanup_free char *list = hostlist_encode(hosts);
    cleanup_json json_object *context = json_object_new_object();
    jsonutil_add_idset(context, "ranks", all);
    json_object_object_add(context, "online", json_object_new_string(""));
    json_object_object_add(context, "nodelist", json_object_new_string(list));
    add(j, t, "restart")->text = xstrdup(json_object_to_json_string(context));
    add(j, t, "resource-define")->text = xasprintf("{\"method\":\"%s\"}", method);
    struct event *e = add(j, t, "online");
    e->ranks = take(all);
    e->hosts = hosts;
}

static void note_drain(struct journal *j, double t, const struct journal_node *node)
{
    static const char drain[] = "drain", undrain[] = "undrain";
    struct standing *s = standing_of(j, node->rank);
    if (!node->drained && s->drained)
        add_node(j, t, undrain, node, node->reason, 0);
    else if (node->drained && !s->drained)
        add_node(j, node->since > 0 ? node->since : t, drain, node, node->drained, 0);
    else if (node->drained &&
             (strcmp(node->drained, s->drained) != 0 || node->since != s->since))
        add_node(j, t, drain, node, node->drained, node->since != s->since ? 2 : 1);
    free(s->drained);
    s->drained = node->drained ? xstrdup(node->drained) : NULL;
    s->since = node->drained ? node->since : 0;
}

void journal_note(struct journal *j, double t, const struct journal_node *node)
{
    static const char online[] = "online", offline[] = "offline";
    if (!j)
        return;
    struct standing *s = standing_of(j, node->rank);
    if (j->begun && node->up != s->up)
        add_node(j, t, node->up ? online : offline, node, NULL, 0);
    if (j->begun)
        s->up = node->up;
    note_drain(j, t, node);
}

void journal_gone(struct journal *j, double t, unsigned rank)
{
    if (!j || rank >= j->size)
        return;
    if (j->nodes[rank].up) {
        struct event *e = add(j, t, "offline");
        e->ranks = hwloc_bitmap_alloc();
        e->hosts = hostlist_create();
        hwloc_bitmap_set(e->ranks, rank);
    }
    free(j->nodes[rank].drained);
    j->nodes[rank] = (struct standing){0};
}

const char *journal_drained(const struct journal *j, unsigned rank, double *since)
{
    if (!j || rank >= j->size || !j->nodes[rank].drained)
        return NULL;
    *since = j->nodes[rank].since;
    return j->nodes[rank].drained;
}

static json_object *context_of(const struct event *e)
{
    if (!e->ranks)
        return e->text ? json_tokener_parse(e->text) : NULL;
    json_object *o = json_object_new_object();
    cleanup_free char *hosts = hostlist_encode(e->hosts);
    jsonutil_add_idset(o, "idset", e->ranks);
    if (*hosts)
        json_object_object_add(o, "nodelist", json_object_new_string(hosts));
    if (e->text)
        json_object_object_add(o, "reason", json_object_new_string(e->text));
    if (strstr(e->name, "drain"))
        json_object_object_add(o, "overwrite", json_object_new_int(e->overwrite));
    return o;
}

static void tell(json_object *list, uint64_t seq, const struct event *e)
{
    json_object *o = json_object_new_object(), *context = context_of(e);
    json_object_object_add(o, "seq", json_object_new_uint64(seq));
    json_object_object_add(o, "timestamp", json_object_new_double(e->t));
    json_object_object_add(o, "name", json_object_new_string(e->name));
    if (context)
        json_object_object_add(o, "context", context);
    json_object_array_add(list, o);
}

json_object *journal_to_json(struct journal *j, uint64_t since)
{
    json_object *o = json_object_new_object(), *list = json_object_new_array();
    uint64_t last = j ? j->last : 0, first = j ? last - j->n + 1 : 1;
    if (j && since + 1 < first) {
        const struct event gap = {.t = j->dropped, .name = "truncate"};
        tell(list, first - 1, &gap);
    }
    for (uint64_t i = MAX(first, since + 1); i <= last; i++)
        tell(list, i, &j->events[i % j->max]);
    json_object_object_add(o, "events", list);
    json_object_object_add(o, "seq", json_object_new_uint64(last));
    if (j)
        j->told = last;
    return o;
}
