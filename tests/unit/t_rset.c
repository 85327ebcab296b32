/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/rset.h"
#include "src/common/idset.h"
#include "src/common/util.h"
#include "tests/unit/mutate_json.h"
#include "tests/unit/unit.h"

#include <stdio.h>

/* RFC 20's example. */
#define EXAMPLE                                                                          \
    "{'version':1,'execution':{'R_lite':[{'rank':'19-22','children':{'core':'0-47',"     \
    "'gpu':'0-7'}}],'nodelist':['node[186-189]'],'nslots':32,'starttime':1676560542,"    \
    "'expiration':1676562342}}"
#define R(lite, nodelist, more)                                                          \
    "{'version':1,'execution':{'R_lite':[" lite "],'nodelist':[" nodelist "]" more "}}"
#define NODES(rank, core) "{'rank':'" rank "','children':{'core':'" core "'}}"
#define GPUS(rank, core, gpu)                                                            \
    "{'rank':'" rank "','children':{'core':'" core "','gpu':'" gpu "'}}"

static const struct {
    const char *in;
    const char *out; /* NULL: as in */
    size_t nnodes, ncores, ngpus;
    const char *nodelist, *ranks;
} good[] = {
    {EXAMPLE,
     "{'version':1,'execution':{'R_lite':[{'rank':'19-22','children':{'core':'0-47','gpu'"
     ":'0-7'}}"
     "],'nodelist':['node[186-189]'],'nslots':32,'starttime':1676560542.0,"
     "'expiration':1676562342.0}}",
     4, 192, 32, "node[186-189]", "19-22"},
    {R(NODES("0", "0"), "'a'", ""), NULL, 1, 1, 0, "a", "0"},
    {R("", "", ""), NULL, 0, 0, 0, "", ""},
    /* entries in any order, hosts in rank order over several entries */
    {R(NODES("2", "0-1") "," GPUS("0", "0-3", "0"), "'a','b'", ""),
     R(GPUS("0", "0-3", "0") "," NODES("2", "0-1"), "'a,b'", ""), 2, 6, 1, "a,b", "0,2"},
    /* equal nodes are folded */
    {R(NODES("1", "0-1") "," NODES("0", "0") "," NODES("3", "0-1") "," NODES("2", "0"),
       "'n[0-3]'", ""),
     R(NODES("0,2", "0") "," NODES("1,3", "0-1"), "'n[0-3]'", ""), 4, 6, 0, "n[0-3]",
     "0-3"},
    /* the same host twice: virtual nodes */
    {R(NODES("0-1", "0-1"), "'h,h'", ""), NULL, 2, 4, 0, "h,h", "0-1"},
    /* memory, beside the children */
    {"{'version':1,'execution':{'R_lite':[{'rank':'0','children':{'core':'0'},'memory':"
     "2048},{'rank':'1','children':{'core':'0'},'memory':2048},{'rank':'2','children':{"
     "'core':'0'}}],'nodelist':['n[0-2]']}}",
     "{'version':1,'execution':{'R_lite':[{'rank':'0-1','children':{'core':'0'},'memory':"
     "2048},{'rank':'2','children':{'core':'0'}}],'nodelist':['n[0-2]']}}",
     3, 3, 0, "n[0-2]", "0-2"},
    /* properties and scheduling are carried; what the RFC does not know is not */
    {R(NODES("0-1", "0"), "'n[0-1]'",
       ",'properties':{'ssd':'0','amd-mi50@gpu':'0-1','+q':''}"),
     NULL, 2, 2, 0, "n[0-1]", "0-1"},
    {"{'version':1,'execution':{'R_lite':[" NODES(
         "0", "0") "],'nodelist':['n']},'x':1,"
                   "'scheduling':{'writer':'a','graph':{}}}",
     "{'version':1,'execution':{'R_lite':[" NODES(
         "0", "0") "],'nodelist':['n']},"
                   "'scheduling':{'writer':'a','graph':{}}}",
     1, 1, 0, "n", "0"},
};

static struct rset *decode(const char *quoted, struct error *err)
{
    cleanup_json json_object *o = json_quoted(quoted);
    return rset_from_json(o, err);
}

static void check_encoded(const struct rset *r, const char *quoted)
{
    cleanup_free char *want = json_quotes(quoted);
    cleanup_json json_object *o = rset_to_json(r);
    ck_assert_str_eq(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN), want);
}

START_TEST(decodes_and_encodes)
{
    for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
        struct error err = {0};
        struct rset *r = decode(good[i].in, &err);
        ck_assert_msg(r != NULL, "%s: %s", good[i].in, err.text);
        const char *out = good[i].out ? good[i].out : good[i].in;
        check_encoded(r, out);
        ck_assert_uint_eq(r->nnodes, good[i].nnodes);
        ck_assert_uint_eq(rset_ncores(r), good[i].ncores);
        ck_assert_uint_eq(rset_ngpus(r), good[i].ngpus);
        cleanup_free char *nodelist = rset_nodelist(r);
        cleanup_free char *ranks = rset_ranks(r);
        ck_assert_str_eq(nodelist, good[i].nodelist);
        ck_assert_str_eq(ranks, good[i].ranks);
        rset_destroy(r);
    }
    rset_destroy(NULL);
}
END_TEST

START_TEST(adds_and_finds)
{
    cleanup_bitmap hwloc_bitmap_t a = hwloc_bitmap_alloc(), b = hwloc_bitmap_alloc();
    hwloc_bitmap_set_range(a, 0, 3);
    hwloc_bitmap_set(b, 7);
    struct rset *r = rset_create();
    ck_assert_ptr_null(rset_find(r, 0));
    static const unsigned order[] = {5, 9, 1, 7, 3};
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        char host[16];
        snprintf(host, sizeof(host), "n%u", order[i]);
        struct rset_node *node = rset_add(r, order[i], host, a, NULL);
        ck_assert_uint_eq(node->rank, order[i]);
        ck_assert_ptr_ne(node->cores, a);
        ck_assert_uint_eq(rset_node_ngpus(node), 0);
    }
    for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
        ck_assert_uint_eq(r->nodes[i].rank, 2 * i + 1);
        ck_assert_ptr_eq(rset_find(r, order[i]), &r->nodes[order[i] / 2]);
    }
    ck_assert_ptr_null(rset_find(r, 4));
    ck_assert_ptr_null(rset_find(r, 10));
    rset_add(r, 7, "ignored", b, b); /* there already */
    ck_assert_uint_eq(r->nnodes, 5);
    cleanup_free char *cores = idset_encode(rset_find(r, 7)->cores, 0);
    cleanup_free char *gpus = idset_encode(rset_find(r, 7)->gpus, 0);
    ck_assert_str_eq(cores, "0-3,7");
    ck_assert_str_eq(gpus, "7");
    cleanup_free char *nodelist = rset_nodelist(r);
    ck_assert_str_eq(nodelist, "n[1,3,5,7,9]");
    rset_destroy(r);
}
END_TEST

START_TEST(survives_spoiled_sets)
{
    uint32_t seed = 20;
    unsigned accepted = 0, rejected = 0;
    for (int round = 0; round < 400; round++)
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
            struct error err = {0};
            cleanup_json json_object *o = json_quoted(good[i].in);
            cleanup_json json_object *bad = mutate_json(o, &seed);
            struct rset *r = rset_from_json(bad, &err);
            if (!r) {
                rejected++;
                ck_error_names(err, "R: ");
                continue;
            }
            accepted++;
            cleanup_json json_object *out = rset_to_json(r);
            struct rset *again = rset_from_json(out, &err);
            ck_assert_msg(again != NULL, "%s", err.text);
            ck_assert_uint_eq(again->nnodes, r->nnodes);
            rset_destroy(again);
            rset_destroy(r);
        }
    ck_assert_uint_gt(accepted, 100);
    ck_assert_uint_gt(rejected, 500);
}
END_TEST

#define MORE(more) R(NODES("0", "0"), "'a'", more)

static const struct {
    const char *in, *names; /* ' for " in both */
} rejects[] = {
    {"[]", "R: must be an object, not []"},
    {"{'execution':{}}", "R: version: is missing"},
    {"{'version':2,'execution':{}}", "version: must be 1, not 2"},
    {"{'version':1}", "execution: is missing"},
    {"{'version':1,'execution':{'R_lite':[{'rank':'0','children':{'core':'0'},'memory':-"
     "1}],"
     "'nodelist':['n']}}",
     "R_lite[].memory: must be a number of bytes, not -1"},
    {"{'version':1,'execution':3}", "execution: must be an object, not 3"},
    {"{'version':1,'execution':{'nodelist':[]}}", "R_lite: is missing"},
    {"{'version':1,'execution':{'R_lite':{}}}", "R_lite: must be an array, not {}"},
    {R("3", "'a'", ""), "R_lite[]: must be an object, not 3"},
    {R("{'children':{'core':'0'}}", "'a'", ""), "rank: is missing"},
    {R("{'rank':0,'children':{'core':'0'}}", "'a'", ""), "an idset in a string, not 0"},
    {R(NODES("x", "0"), "'a'", ""), "R_lite[].rank: "},
    {R("{'rank':'0'}", "'a'", ""), "children: is missing"},
    {R("{'rank':'0','children':{'gpu':'0'}}", "'a'", ""), "children.core: is missing"},
    {R(NODES("0", "3-1"), "'a'", ""), "children.core: "},
    {R(GPUS("0", "0", "z"), "'a'", ""), "children.gpu: "},
    {R(NODES("0-1", "0") "," NODES("1-2", "0"), "'n[0-2]'", ""),
     "a rank of '1-2' is in another"},
    {R(NODES("0-16777215", "0"), "'n'", ""), "at most 1048576 nodes"},
    {R(NODES("0-1048575", "16777215"), "'n'", ""), "higher ids than fit"},
    {"{'version':1,'execution':{'R_lite':[" NODES("0", "0") "]}}",
     "nodelist: is missing"},
    {R(NODES("0-3", "0"), "'n[0-2]'", ""), "['n[0-2]'] does not name as many hosts"},
    {R(NODES("0", "0"), "'n[0-2]'", ""), "as R_lite has ranks (1)"},
    {R(NODES("0", "0"), "", ""), "nodelist"},
    {R(NODES("0", "0"), "7", ""), "nodelist[]: must be a hostlist in a string, not 7"},
    {R(NODES("0", "0"), "'n[0'", ""), "nodelist: "},
    {MORE(",'properties':[]"), "properties: must be an object, not []"},
    {MORE(",'properties':{'a':3}"), "properties.a: must be an idset in a string, not 3"},
    {MORE(",'properties':{'a':'x'}"), "properties.a: "},
    {MORE(",'properties':{'a^b':'0'}"), "'a^b' is not a name"},
    {MORE(",'properties':{'':'0'}"), "is not a name"},
    {MORE(",'starttime':'x'"), "starttime: must be seconds since the epoch, not 'x'"},
    {MORE(",'expiration':-1"), "not -1"},
    {MORE(",'starttime':10,'expiration':10"), "10 must come after starttime 10"},
    {MORE(",'nslots':0"), "nslots: must be a positive integer, not 0"},
    {"{'version':1,'execution':{'R_lite':[],'nodelist':[]},'scheduling':1}",
     "scheduling: must be an object, not 1"},
};

START_TEST(rejects_bad_sets)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err = {0};
        struct rset *r = decode(rejects[i].in, &err);
        ck_assert_msg(r == NULL, "accepted: %s", rejects[i].in);
        ck_assert_int_ne(err.code, 0);
        if (!strstr(err.text, rejects[i].names)) { /* the text itself has a ' in it */
            cleanup_free char *names = json_quotes(rejects[i].names);
            ck_error_names(err, names);
        }
        ck_assert_ptr_null(decode(rejects[i].in, NULL));
    }
}
END_TEST

UNIT_MAIN("rset", decodes_and_encodes, adds_and_finds, survives_spoiled_sets,
          rejects_bad_sets)
