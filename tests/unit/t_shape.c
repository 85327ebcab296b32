/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/shape.h"
#include "tests/unit/mutate.h"
#include "tests/unit/unit.h"

#include <errno.h>

/* OUT in JSON with ' for "; TEXT: what it encodes to, NULL: IN. */
static const struct {
    const char *in;
    const char *out;
    const char *text;
} codec[] = {
    /* RFC 46's examples */
    {"slot=4/node",
     "[{'type':'slot','count':4,'label':'default','with':[{'type':'node','count':1}]}]",
     NULL},
    {"slot=3-30/node",
     "[{'type':'slot','count':{'min':3,'max':30,'operator':'+','operand':1},"
     "'label':'default','with':[{'type':'node','count':1}]}]",
     NULL},
    {"slot=4{nodelevel}/node{-x}/socket=2+/core=4+",
     "[{'type':'slot','count':4,'label':'nodelevel','with':[{'type':'node','count':1,"
     "'exclusive':false,'with':[{'type':'socket','count':{'min':2},'with':[{'type':'core'"
     ","
     "'count':{'min':4}}]}]}]}]",
     NULL},
    {"slot=4{nodelevel}/node/socket=2/core=4",
     "[{'type':'slot','count':4,'label':'nodelevel','with':[{'type':'node','count':1,"
     "'with':[{'type':'socket','count':2,'with':[{'type':'core','count':4}]}]}]}]",
     NULL},
    {"[cluster/slot=2{ib}/node/[memory=4{unit:GB};ib10g];switch/slot=2{bicore}/node/"
     "core=2]",
     "[{'type':'cluster','count':1,'with':[{'type':'slot','count':2,'label':'ib','with':["
     "{'type':'node','count':1,'with':[{'type':'memory','count':4,'unit':'GB'},"
     "{'type':'ib10g','count':1}]}]}]},{'type':'switch','count':1,'with':[{'type':'slot',"
     "'count':2,'label':'bicore','with':[{'type':'node','count':1,'with':[{'type':'core',"
     "'count':2}]}]}]}]",
     NULL},
    {"cluster=2/slot/node=1+{-x}/core=30",
     "[{'type':'cluster','count':2,'with':[{'type':'slot','count':1,'label':'default',"
     "'with':[{'type':'node','count':{'min':1},'exclusive':false,'with':[{'type':'core',"
     "'count':30}]}]}]}]",
     NULL},
    {"switch=3/slot/node=1+{-x}/core",
     "[{'type':'switch','count':3,'with':[{'type':'slot','count':1,'label':'default',"
     "'with':[{'type':'node','count':{'min':1},'exclusive':false,'with':[{'type':'core',"
     "'count':1}]}]}]}]",
     NULL},
    {"slot=4,9,16,25/node",
     "[{'type':'slot','count':'4,9,16,25','label':'default','with':[{'type':'node',"
     "'count':1}]}]",
     NULL},
    {"slot=10/core=2",
     "[{'type':'slot','count':10,'label':'default','with':[{'type':'core','count':2}]}]",
     NULL},
    {"node/[slot=10{read-db}/[core;memory=4{unit:GB}];slot{db}/"
     "[core=6;memory=24{unit:GB}]]",
     "[{'type':'node','count':1,'with':[{'type':'slot','count':10,'label':'read-db','"
     "with':["
     "{'type':'core','count':1},{'type':'memory','count':4,'unit':'GB'}]},{'type':'slot',"
     "'count':1,'label':'db','with':[{'type':'core','count':6},{'type':'memory','count':"
     "24,"
     "'unit':'GB'}]}]}]",
     NULL},
    {"slot=10/[memory=2+{unit:GB};core]",
     "[{'type':'slot','count':10,'label':'default','with':[{'type':'memory','count':"
     "{'min':2},'unit':'GB'},{'type':'core','count':1}]}]",
     NULL},
    {"slot=2{4GB-node}/node/memory=4+{unit:GB}",
     "[{'type':'slot','count':2,'label':'4GB-node','with':[{'type':'node','count':1,"
     "'with':[{'type':'memory','count':{'min':4},'unit':'GB'}]}]}]",
     NULL},
    {"slot/node",
     "[{'type':'slot','count':1,'label':'default','with':[{'type':'node','count':1}]}]",
     NULL},
    /* the rest of the grammar */
    {"node=4/slot=2/[core=2;gpu]",
     "[{'type':'node','count':4,'with':[{'type':'slot','count':2,'label':'default','with'"
     ":["
     "{'type':'core','count':2},{'type':'gpu','count':1}]}]}]",
     NULL},
    {"[core]", "[{'type':'core','count':1}]", "core"},
    {"core{}", "[{'type':'core','count':1}]", "core"},
    {" [ core = [2-4] ; node { x , -a , +b , c : 1 } / gpu ] ",
     "[{'type':'core','count':{'min':2,'max':4,'operator':'+','operand':1}},{'type':'"
     "node',"
     "'count':1,'exclusive':true,'a':false,'b':true,'c':1,'with':[{'type':'gpu','count':"
     "1}]}]",
     "[core=2-4;node{x,-a,+b,c:1}/gpu]"},
    {"core=2-8:2:*",
     "[{'type':'core','count':{'min':2,'max':8,'operator':'*','operand':2}}]", NULL},
    {"slot{default}/core",
     "[{'type':'slot','count':1,'label':'default','with':[{'type':'core',"
     "'count':1}]}]",
     "slot/core"},
    {"slot{default,-x}/core",
     "[{'type':'slot','count':1,'label':'default','exclusive':false,"
     "'with':[{'type':'core','count':1}]}]",
     NULL},
    {"'slot'{'a b'}/\"co;re\"",
     "[{'type':'slot','count':1,'label':'a b','with':[{'type':'co;re','count':1}]}]",
     "slot{a b}/\"co;re\""},
    {"a{k:v w,n:-1.5e3,z:null,t:TRUE,f:false,s:\"1\",e:\"\",u:\"\\u00e9\\n\"}",
     "[{'type':'a','count':1,'k':'v w','n':-1500.0,'z':null,'t':true,'f':false,'s':'1',"
     "'e':'','u':'\xc3\xa9\\n'}]",
     "a{k:v w,n:-1.5e3,z:null,+t,-f,s:\"1\",e:\"\",u:\"\xc3\xa9\\n\"}"},
    {"a{o:{p:q,+r,-s,t,u:{}},l:[1,two,[],{'a':[x]}]}",
     "[{'type':'a','count':1,'o':{'p':'q','r':true,'s':false,'t':true,'u':{}},"
     "'l':[1,'two',[],{'a':['x']}]}]",
     "a{o:{p:q,+r,-s,+t,u:{}},l:[1,two,[],{a:[x]}]}"},
    {"a{o:{x:1},'x':2,\"+y\"}", "[{'type':'a','count':1,'o':{'x':1},'x':2,'+y':true}]",
     "a{o:{\"x\":1},\"x\":2,+\"+y\"}"},
    {"a{id:01,v:1.2.3,w:-,y:1.,big:123456789012345678901234567890}",
     "[{'type':'a','count':1,'id':'01','v':'1.2.3','w':'-','y':'1.',"
     "'big':123456789012345678901234567890e0}]",
     "a{id:01,v:1.2.3,w:-,y:1.,big:123456789012345678901234567890e0}"},
    {"a{url:http://h/p?q=1;r}", "[{'type':'a','count':1,'url':'http://h/p?q=1;r'}]",
     NULL},
};

static json_object *unquote(const char *json)
{
    cleanup_free char *text = xstrdup(json);
    for (char *p = text; *p; p++)
        if (*p == '\'')
            *p = '"';
    json_object *o = json_tokener_parse(text);
    ck_assert_msg(o != NULL, "bad JSON in the test: %s", text);
    return o;
}

START_TEST(decodes_and_encodes)
{
    for (size_t i = 0; i < ARRAY_SIZE(codec); i++) {
        struct error err;
        cleanup_json json_object *want = unquote(codec[i].out);
        cleanup_json json_object *got = shape_decode(codec[i].in, &err);
        ck_assert_msg(got != NULL, "%s", err.text);
        ck_assert_msg(json_object_equal(got, want), "%s: %s", codec[i].in,
                      json_object_to_json_string(got));
        cleanup_free char *text = shape_encode(got, &err);
        ck_assert_msg(text != NULL, "%s: %s", codec[i].in, err.text);
        ck_assert_str_eq(text, codec[i].text ? codec[i].text : codec[i].in);
        cleanup_json json_object *again = shape_decode(text, &err);
        ck_assert_msg(again != NULL, "%s", err.text);
        ck_assert(json_object_equal(got, again));
    }
}
END_TEST

/* "a/a/.../a", N times, or with pieces of one's own. */
static char *nest(const char *open, int n, const char *close)
{
    struct strbuf b = {0};
    for (int i = 0; i < n; i++)
        strbuf_add(&b, open);
    strbuf_add(&b, "a");
    for (int i = 0; i < n; i++)
        strbuf_add(&b, close);
    return strbuf_take(&b);
}

START_TEST(nesting_is_bounded)
{
    struct error err;
    cleanup_free char *fits = nest("a/", SHAPE_DEPTH_MAX - 1, "");
    cleanup_json json_object *o = shape_decode(fits, &err);
    ck_assert_msg(o != NULL, "%s", err.text);
    cleanup_free char *text = shape_encode(o, &err);
    ck_assert_str_eq(text, fits);

    static const char *const deep[][2] = {
        {"a/", ""}, {"a/[", "]"}, {"a{b:{", "}}"}, {"a{b:[", "]}"}, {"[", "]"}};
    for (size_t i = 0; i < ARRAY_SIZE(deep); i++) {
        cleanup_free char *over = nest(deep[i][0], 100000, deep[i][1]);
        ck_assert_ptr_null(shape_decode(over, &err));
    }
    cleanup_free char *over = nest("a/", SHAPE_DEPTH_MAX, "");
    ck_assert_ptr_null(shape_decode(over, &err));
    ck_error_names(err, "deep");

    cleanup_json json_object *outer = json_object_new_array();
    json_object_array_add(outer, json_object_new_object());
    json_object *vertex = json_object_array_get_idx(outer, 0);
    json_object_object_add(vertex, "type", json_object_new_string("a"));
    json_object_object_add(vertex, "count", json_object_new_int(1));
    json_object_object_add(vertex, "with", json_object_get(o));
    ck_assert_ptr_null(shape_encode(outer, &err));
    ck_error_names(err, "deep");
}
END_TEST

START_TEST(survives_spoiled_texts)
{
    uint32_t state = 4646;
    size_t accepted = 0;
    for (int i = 0; i < 8000; i++) {
        cleanup_free char *in = mutate_text(codec[i % (int)ARRAY_SIZE(codec)].in,
                                            "{}[]/=;:,+-\"'x 12aslot\\", &state);
        struct error err = {0};
        cleanup_json json_object *o = shape_decode(in, &err);
        if (!o) {
            ck_assert_int_ne(err.code, 0);
            continue;
        }
        accepted++;
        cleanup_free char *text = shape_encode(o, &err);
        ck_assert_msg(text != NULL, "'%s': %s", in, err.text);
        cleanup_json json_object *again = shape_decode(text, &err);
        ck_assert_msg(again != NULL, "'%s' became '%s': %s", in, text, err.text);
        ck_assert_msg(json_object_equal(o, again), "'%s' became '%s'", in, text);
    }
    ck_assert_uint_gt(accepted, 500);
}
END_TEST

static const struct {
    const char *in;
    const char *names;
} rejects[] = {
    {"", "resource type"},
    {"  ", "resource type"},
    {"[]", "resource type"},
    {"[core", "character 1, '[core'"},
    {"[core;", "resource type"},
    {"[core;]", "']'"},
    {"[[core]]", "'[core]]'"},
    {"core]", "']'"},
    {"core;gpu", "brackets"},
    {"core gpu", "'gpu'"},
    {"core/", "resource type"},
    {"/core", "'/core'"},
    {"core=", "count"},
    {"core=x", "'x'"},
    {"core=0", "'0'"},
    {"core=-1", "'-1'"},
    {"core=2x", "'x'"},
    {"core=4-2", "'4-2'"},
    {"core=3,2", "'3,2'"},
    {"core=[2", "'[2'"},
    {"core=2]", "']'"},
    {"core=2-8:1:*", "operand"},
    {"core{", "character 5, '{'"},
    {"core{x", "character 5, '{x'"},
    {"core{x}}", "'}'"},
    {"core{x,}", "'}'"},
    {"core{,}", "',}'"},
    {"core{x:}", "'}'"},
    {"core{a:1,a:2}", "'a:2}'"},
    {"core{x,exclusive:true}", "twice"},
    {"core{type:gpu}", "'type:gpu}'"},
    {"core{count:2}", "'count:2}'"},
    {"core{with:[]}", "'with:[]}'"},
    {"core{a:[1}", "'}'"},
    {"core{a:[1", "'[1'"},
    {"core{a:{b:1}", "character 5"},
    {"core{a:\"b}", "'\"b}'"},
    {"core{a:\"\\q\"}", "JSON string"},
    {"core{a:\"\\u0000\"}", "JSON string"},
    {"core{'a}", "quote"},
    {"''", "empty"},
    {"core{+}", "'}'"},
    {"slot", "'/'"},
    {"slot=2", "'/'"},
    {"slot/", "resource type"},
    {"slot=2{blah", "'{blah'"},
    {"slot=2{bla}}", "'}'"},
    {"slot{}/core", "label"},
    {"slot{-x}/core", "'-x}/core'"},
    {"slot{label:a}/core", "':a}/core'"},
    {"slot{a,label:b}/core", "twice"},
    {"[slot/core;slot{b}/core]", "character 2, 'slot/core;"},
    {"[slot{a}/core;slot/core]", "'slot/core]'"},
    {"slot/slot/core", "label"},
    {"node/[slot=10{read-db}/[core;memory=4{unit:GB}];slot{db}/[blah", "'[blah'"},
    {"node/[slot=10{read-db}/[core;memory=4{unit:GB}]]]", "']'"},
    {"co\xff", "UTF-8"},
};

START_TEST(rejects_bad_texts)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err = {0};
        cleanup_json json_object *o = shape_decode(rejects[i].in, &err);
        ck_assert_msg(o == NULL, "'%s' was accepted: %s", rejects[i].in,
                      json_object_to_json_string(o));
        ck_assert_int_eq(err.code, EINVAL);
        ck_error_names(err, rejects[i].names);
        ck_assert_ptr_null(shape_decode(rejects[i].in, NULL));
    }
}
END_TEST

static const struct {
    const char *json;
    const char *names;
} json_rejects[] = {
    {"{}", "{}"},
    {"[]", "[]"},
    {"'core'", "core"},
    {"[7]", "7"},
    {"[{'count':1}]", "type"},
    {"[{'type':3,'count':1}]", "3"},
    {"[{'type':'','count':1}]", "type"},
    {"[{'type':'core'}]", "core"},
    {"[{'type':'core','count':0}]", "0"},
    {"[{'type':'core','count':'x'}]", "'x'"},
    {"[{'type':'core','count':1,'with':[]}]", "[]"},
    {"[{'type':'core','count':1,'with':{}}]", "{}"},
    {"[{'type':'core','count':1,'a':'b\\u0000'}]", "NUL"},
    {"[{'type':'slot','count':1,'with':[{'type':'core','count':1}]}]", "label"},
    {"[{'type':'slot','count':1,'label':5,'with':[{'type':'core','count':1}]}]", "5"},
    {"[{'type':'slot','count':1,'label':'a'}]", "with"},
};

START_TEST(rejects_bad_json)
{
    struct error err = {0};
    ck_assert_ptr_null(shape_encode(NULL, &err));
    for (size_t i = 0; i < ARRAY_SIZE(json_rejects); i++) {
        cleanup_json json_object *o = unquote(json_rejects[i].json);
        cleanup_free char *text = shape_encode(o, &err);
        ck_assert_msg(text == NULL, "%s was accepted: %s", json_rejects[i].json, text);
        ck_error_names(err, json_rejects[i].names);
    }
}
END_TEST

UNIT_MAIN("shape", decodes_and_encodes, nesting_is_bounded, survives_spoiled_texts,
          rejects_bad_texts, rejects_bad_json)
