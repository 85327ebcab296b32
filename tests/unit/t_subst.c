/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/subst.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

/* For the inputs "dir/sub/name.tar.gz" and "b c", job number 41. */
static const char *const inputs[] = {"dir/sub/name.tar.gz", "b c", ".rc"};

static const struct {
    const char *text, *wanted;
} cases[] = {
    {"", ""},
    {"plain", "plain"},
    {"{}", "dir/sub/name.tar.gz"},
    {"{}-{}", "dir/sub/name.tar.gz-b c"},
    {"{1} {0}", "b c dir/sub/name.tar.gz"},
    /* Flux's */
    {"{0.%}", "dir/sub/name.tar"},
    {"{.%}", "dir/sub/name.tar"},
    {"{0./}", "name.tar.gz"},
    {"{.//}", "dir/sub"},
    {"{1.//}", ""},
    {"{./%}", "name.tar"},
    {"{2.%}", ".rc"},
    {"{2./%}", ".rc"},
    {"{seq} {seq1} {#}", "41 42 42"},
    /* GNU parallel's */
    {"{.}", "dir/sub/name.tar"},
    {"{/}", "name.tar.gz"},
    {"{//}", "dir/sub"},
    {"{1//}", "."},
    {"{/.}", "name.tar"},
    {"{0/.}", "name.tar"},
    {"{seq:04}", "0041"},
    {"{seq1:4d}", "0042"},
    /* what is left for others */
    {"{cc} {{id}} {{node.id}}", "{cc} {{id}} {{node.id}}"},
    {"{{{}}}", "{{{}}}"},
    {"{{ {}", "{{ dir/sub/name.tar.gz"},
    {"\\{a} \\n }", "{a} \\n }"},
    /* those of --define */
    {"{.out}", "name.tar.out"},
    {"{1.out}", "b c.out"},
    {"{.twice}{1.twice}", "name.tar.out2b c.out2"},
    {"{.first}", "dir_sub/name.tar.gz"},
    {"{.all}", "dir_sub_name.tar.gz"},
    {"{.swap}", "sub/dir/name.tar.gz"},
    {"{.empty}", "-d-i-r-/-s-u-b-/-n-a-m-e-.-t-a-r-.-g-z-"},
    {"{1.none}", "b c"},
    {"{1.amp}", "[b] c"},
    {"{1.lit}", "&/ c"},
    {"{1.tab}", "b\tc"},
    {"{1.untab}", "b_c"},
    {"{0.tee}", "dir/sub/name.tar.gz"},
};

static const char *const defined[] = {
    "out={/.}.out",
    "twice={.out}2",
    "first=s/\\//_/",
    "all=s/\\//_/g",
    "swap=s/^([^/]*)\\/([^]/]*)/\\2\\/\\1/",
    "empty=s/x*/-/g",
    "none=s/q/r/",
    "amp=s/b/[&]/",
    "lit=s/b/\\&\\//",
    "tab=s/ /\\t/",
    "untab=s/[\\t ]/_/",
    "tee=s/\\t/_/",
};

static struct subst_methods *define_all(void)
{
    struct subst_methods *list = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(defined); i++) {
        struct error err;
        list = subst_define(list, defined[i], &err);
        ck_assert_msg(list != NULL, "%s: %s", defined[i], err.text);
    }
    return list;
}

START_TEST(replaces)
{
    struct subst_methods *methods = define_all();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct error err;
        cleanup_strbuf struct strbuf b = {0};
        struct subst *s = subst_compile(cases[i].text, ARRAY_SIZE(inputs), methods, &err);
        ck_assert_msg(s != NULL, "%s: %s", cases[i].text, err.text);
        subst_render(s, inputs, 41, &b);
        ck_assert_str_eq(b.s, cases[i].wanted);
        subst_destroy(s);
    }
    subst_methods_destroy(methods);
}
END_TEST

START_TEST(paths)
{
    static const struct {
        const char *in, *stem, *base, *dir, *base_stem;
    } names[] = {
        {"a.b", "a", "a.b", "", "a"},         {"/a", "/a", "a", "/", "a"},
        {"//a.x", "//a", "a.x", "//", "a"},   {"d.d/a", "d.d/a", "a", "d.d", "a"},
        {"d//a.b", "d//a", "a.b", "d", "a"},  {"d/", "d/", "", "d", ""},
        {"..a.b", "..a", "..a.b", "", "..a"}, {"", "", "", "", ""},
        {"a.", "a", "a.", "", "a"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct error err;
        cleanup_strbuf struct strbuf b = {0};
        struct subst *s = subst_compile("{0.%}|{0./}|{0.//}|{0./%}", 1, NULL, &err);
        ck_assert_msg(s != NULL, "%s", err.text);
        subst_render(s, &names[i].in, 0, &b);
        cleanup_free char *wanted = xasprintf("%s|%s|%s|%s", names[i].stem, names[i].base,
                                              names[i].dir, names[i].base_stem);
        ck_assert_str_eq(b.s, wanted);
        subst_destroy(s);
    }
}
END_TEST

START_TEST(knows_what_is_fixed)
{
    struct error err;
    struct subst *a = subst_compile("x{{id}}{cc}", 1, NULL, &err);
    struct subst *b = subst_compile("x{}", 1, NULL, &err);
    ck_assert(subst_is_fixed(a) && !subst_is_fixed(b));
    subst_destroy(a);
    subst_destroy(b);
}
END_TEST

START_TEST(rejects)
{
    static const struct {
        const char *text;
        size_t ninputs;
        const char *part;
    } bad[] = {
        {"x{", 1, "'x{'"},
        {"{1}", 1, "input 1"},
        {"{}{}{}", 2, "input 2"},
        {"{3}", 2, "{0} to {1}"},
        {"{99999999999999999999}", 2, "has 2"},
        {"{-1}", 2, "{-1}"},
        {"{x}", 1, "{x}"},
        {"{print $1}", 1, "{print $1}"},
        {"{.nodef}", 1, "nodef"},
        {"{0.nodef}", 1, "--define=nodef"},
        {"{0.}.}", 1, NULL}, /* {0.} and ".}" */
        {"{seq:}", 1, "{seq:}"},
        {"{seq:99}", 1, "{seq:99}"},
        {"{seq2}", 1, "{seq2}"},
        {"{0:>5}", 1, "{0:>5}"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error err = {0};
        struct subst *s = subst_compile(bad[i].text, bad[i].ninputs, NULL, &err);
        if (bad[i].part) {
            ck_assert_msg(s == NULL, "%s is taken", bad[i].text);
            ck_error_names(err, bad[i].part);
        }
        subst_destroy(s);
    }
}
END_TEST

START_TEST(rejects_definitions)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"x", "NAME=TEMPLATE"},     {"=x{}", "begins with a letter"},
        {"1=x{}", "'1'"},           {"a-b=x{}", "'a-b'"},
        {"x=", "no replacement"},   {"x=2**int(x)", "no code"},
        {"x=s/a", "s/REGEX/TEXT/"}, {"x=s/a/b", "'s/a/b'"},
        {"x=s/a/b/q", "'s/a/b/q'"}, {"x=s/(/b/", "'('"},
        {"x={1}", "only one"},      {"x={.x}", "nothing is defined"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error err = {0};
        struct subst_methods *list = subst_define(NULL, bad[i].text, &err);
        ck_assert_msg(list == NULL, "%s is taken", bad[i].text);
        ck_error_names(err, bad[i].part);
    }
}
END_TEST

UNIT_MAIN("subst", replaces, paths, knows_what_is_fixed, rejects, rejects_definitions)
