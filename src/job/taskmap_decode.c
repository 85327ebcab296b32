/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"
#include "src/job/taskmap_impl.h"

/* The node of each rank, as it grows. */
struct builder {
    unsigned *node;
    unsigned ntasks, nnodes;
    size_t size;
};

/* Append a block; -1 with a text that does not name the map when a limit is passed. */
static int add_block(struct builder *b, const struct taskmap_block_item *item,
                     struct error *err)
{
    uint64_t per_round = (uint64_t)item->nnodes * item->ppn; /* 2^24 * 2^24 at most */
    if (item->nodeid + item->nnodes > TASKMAP_NNODES_MAX)
        return error_set(err, E2BIG, "block [%u,%u,%u,%u] has more nodes than %u",
                         item->nodeid, item->nnodes, item->ppn, item->repeat,
                         TASKMAP_NNODES_MAX);
    if (per_round > TASKMAP_NTASKS_MAX ||
        per_round * item->repeat + b->ntasks > TASKMAP_NTASKS_MAX)
        return error_set(err, E2BIG, "block [%u,%u,%u,%u] brings more tasks than %u",
                         item->nodeid, item->nnodes, item->ppn, item->repeat,
                         TASKMAP_NTASKS_MAX);
    size_t need = b->ntasks + (size_t)per_round * item->repeat;
    if (need > b->size) {
        b->size = MAX(need, 2 * b->size);
        b->node = xrealloc(b->node, b->size * sizeof(*b->node));
    }
    for (unsigned round = 0; round < item->repeat; round++)
        for (unsigned i = 0; i < item->nnodes; i++)
            for (unsigned n = 0; n < item->ppn; n++)
                b->node[b->ntasks++] = item->nodeid + i;
    b->nnodes = MAX(b->nnodes, item->nodeid + item->nnodes);
    return 0;
}

static int decode_json(struct builder *b, const char *text, struct error *err)
{
    cleanup_json json_object *o = jsonutil_decode(text, strlen(text), err);
    if (!o)
        return -1;
    json_object *blocks = o;
    if (json_object_is_type(o, json_type_object)) {
        json_object *version = jsonutil_get(o, "version");
        if (!jsonutil_int(version, 1, 1, NULL))
            return error_set(err, EINVAL, "version must be 1, not %s",
                             jsonutil_show(version).text);
        blocks = jsonutil_get(o, "map");
    }
    if (!json_object_is_type(blocks, json_type_array))
        return error_set(err, EINVAL, "there is no array of blocks");
    for (size_t i = 0; i < json_object_array_length(blocks); i++) {
        json_object *block = json_object_array_get_idx(blocks, i);
        int64_t v[4];
        bool good = json_object_is_type(block, json_type_array) &&
                    json_object_array_length(block) == 4;
        for (size_t k = 0; good && k < 4; k++)
            good = jsonutil_int(json_object_array_get_idx(block, k), k > 0,
                                TASKMAP_NTASKS_MAX, &v[k]);
        if (!good)
            return error_set(
                err, EINVAL,
                "block %zu must be [NODEID,NNODES,PPN,REPEAT], each of the last "
                "three 1 to %u, not %s",
                i, TASKMAP_NTASKS_MAX, jsonutil_show(block).text);
        struct taskmap_block_item item = {(unsigned)v[0], (unsigned)v[1], (unsigned)v[2],
                                          (unsigned)v[3]};
        if (add_block(b, &item, err) < 0)
            return -1;
    }
    return 0;
}

static const char *skip_blanks(const char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    return s;
}

/* Blanks, then WORD: what follows it, or NULL. */
static const char *expect(const char *s, const char *word)
{
    s = skip_blanks(s);
    size_t len = strlen(word);
    return strncmp(s, word, len) == 0 ? s + len : NULL;
}

/* "(N,N,N)": what follows, or NULL. */
static const char *scan_triple(const char *s, struct taskmap_block_item *item)
{
    unsigned v[3];
    s = expect(s, "(");
    for (int i = 0; s && i < 3; i++) {
        s = skip_blanks(s);
        if (!isdigit((unsigned char)*s))
            return NULL;
        char *end;
        errno = 0;
        unsigned long n = strtoul(s, &end, 10);
        if (errno || n > TASKMAP_NTASKS_MAX || (n == 0 && i > 0))
            return NULL;
        v[i] = (unsigned)n;
        s = expect(end, i < 2 ? "," : ")");
    }
    if (s)
        *item = (struct taskmap_block_item){v[0], v[1], v[2], 1};
    return s;
}

/* RFC 13's PMI_process_mapping; a comma at the end of the list does no harm. */
static int decode_pmi(struct builder *b, const char *text, struct error *err)
{
    const char *s = expect(text, "(");
    if (s)
        s = expect(s, "vector");
    if (!s)
        return error_set(err, EINVAL, "it must start with \"(vector,\"");
    while (!expect(s, ")")) {
        struct taskmap_block_item item;
        const char *comma = expect(s, ",");
        if (comma && expect(comma, ")")) {
            s = comma;
            break;
        }
        const char *end = comma ? scan_triple(comma, &item) : NULL;
        if (!end)
            return error_set(
                err, EINVAL,
                "\"(NODEID,NNODES,PPN)\" or the end is expected, not \"%.40s\"",
                comma ? comma : s);
        if (add_block(b, &item, err) < 0)
            return -1;
        s = end;
    }
    s = skip_blanks(expect(s, ")"));
    if (*s)
        return error_set(err, EINVAL, "\"%.40s\" follows the end", s);
    return 0;
}

/* Give the ranks of SET the node that is next. */
static int add_ranks(struct builder *b, hwloc_const_bitmap_t set, struct error *err)
{
    size_t need = (size_t)(hwloc_bitmap_last(set) + 1);
    if (b->nnodes == TASKMAP_NNODES_MAX)
        return error_set(err, E2BIG, "there are more nodes than %u", TASKMAP_NNODES_MAX);
    if (need > b->size) {
        size_t size = MAX(need, 2 * b->size);
        b->node = xrealloc(b->node, size * sizeof(*b->node));
        memset(b->node + b->size, 0xff,
               (size - b->size) * sizeof(*b->node)); /* nowhere */
        b->size = size;
    }
    unsigned rank, twice = UINT_MAX;
    hwloc_bitmap_foreach_begin(rank, set)
    {
        if (b->node[rank] != UINT_MAX)
            twice = rank;
        b->node[rank] = b->nnodes;
        b->ntasks++;
    }
    hwloc_bitmap_foreach_end();
    if (twice != UINT_MAX)
        return error_set(err, EINVAL, "rank %u is on two nodes", twice);
    b->nnodes++;
    return 0;
}

/* One idset of ranks a node.  All ranks must be there, each once. */
static int decode_raw(struct builder *b, const char *s, struct error *err)
{
    for (;; s++) {
        size_t len = strcspn(s, ";");
        cleanup_free char *part = xstrndup(s, len);
        cleanup_bitmap hwloc_bitmap_t set = idset_decode(part, err);
        if (!set || add_ranks(b, set, err) < 0)
            return -1;
        s += len;
        if (*s == '\0')
            break;
    }
    for (unsigned rank = 0; rank < b->ntasks; rank++)
        if (b->node[rank] == UINT_MAX)
            return error_set(
                err, EINVAL,
                "rank %u is on no node: the ranks must be 0 to %u, each once", rank,
                b->ntasks - 1);
    return 0;
}

struct taskmap *taskmap_decode(const char *text, struct error *err)
{
    struct builder b = {0};
    const char *start = skip_blanks(text);
    int rc = 0;
    if (*start == '[' || *start == '{')
        rc = decode_json(&b, start, err);
    else if (*start == '(')
        rc = decode_pmi(&b, start, err);
    else if (*start != '\0')
        rc = decode_raw(&b, start, err);
    if (rc < 0) {
        free(b.node);
        error_prefix(err, "task map '%.80s'", text);
        return NULL;
    }
    return taskmap_from_nodes(b.node, b.ntasks, b.nnodes);
}
