/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/sources.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <unistd.h>

#define WORDS_MAX 64

/* Words of LINE; the caller frees *COPY. */
static int split(const char *line, char **copy, char *argv[WORDS_MAX])
{
    int n = 0;
    *copy = xstrdup(line);
    char *save = NULL;
    for (char *w = strtok_r(*copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
        argv[n++] = w;
    return n;
}

/* All tuples as "a,1 a,2". */
static char *all(struct sources *s)
{
    struct strbuf b = {0};
    const char *const *tuple;
    struct error err;
    uint64_t number;
    int rc;
    strbuf_addn(&b, "", 0);
    for (uint64_t i = 0; (rc = sources_next(s, &tuple, &number, &err)) == 1; i++) {
        ck_assert_uint_eq(number, i);
        for (size_t k = 0; k < sources_width(s); k++)
            strbuf_addf(&b, "%s%s", k ? "," : i ? " " : "", tuple[k]);
    }
    ck_assert_msg(rc == 0, "%s", err.text);
    return strbuf_take(&b);
}

static const struct {
    const char *line, *tuples;
} combinations[] = {
    {"::: a b c", "a b c"},
    {"::: a b ::: 1 2", "a,1 a,2 b,1 b,2"},
    {"::: a b :::+ 1 2", "a,1 b,2"},
    {"::: a b c :::+ 1 2", "a,1 b,2 c,1"},
    {"::: a :::+ 1 2", "a,1"},
    {"::: a b :::+ x y ::: 1 2", "a,x,1 a,x,2 b,y,1 b,y,2"},
    {"::: a b ::: 1 2 :::+ x y", "a,1,x a,2,y b,1,x b,2,y"},
    {"::: a b :::+ x y :::+ p q", "a,x,p b,y,q"},
    {"::: a b ::: 1 ::: x y", "a,1,x a,1,y b,1,x b,1,y"},
};

START_TEST(combines)
{
    for (size_t i = 0; i < ARRAY_SIZE(combinations); i++) {
        char *argv[WORDS_MAX];
        cleanup_free char *copy = NULL;
        struct error err;
        int n = split(combinations[i].line, &copy, argv);
        struct sources *s = sources_create(n, argv, NULL, &err);
        ck_assert_msg(s != NULL, "%s: %s", combinations[i].line, err.text);
        cleanup_free char *got = all(s);
        ck_assert_str_eq(got, combinations[i].tuples);
        sources_destroy(s);
    }
}
END_TEST

static const struct {
    const char *sep, *data;
    size_t len; /* 0: a string */
    const char *tuples;
} files[] = {
    {"\\n", "a b\nc\n\nd", 0, "a b|c|d"},
    {"none", " a b\tc\n\nd ", 0, "a|b|c|d"},
    {"NONE", "a b", 0, "a|b"},
    {",", "a,b,,c\n", 0, "a|b|c\n"},
    {"--", "a--b-c---", 0, "a|b-c|-"},
    {"\\0", "a\0b\0\0c", 7, "a|b|c"},
    {"\\x2c", "a,b", 0, "a|b"},
    {"\\t\\\\", "a\t\\b", 0, "a|b"},
    {"/[,;] */", "a, b;c;", 0, "a|b|c"},
    {"/\n+/", "a\n\nb\n", 0, "a|b"},
    {"/", "a/b", 0, "a|b"},
    {"\\n", "", 0, ""},
    {"\\n", "\n\n", 0, ""},
};

/* DATA in a file, or in a pipe that is written to byte by byte. */
static void check_file(size_t i, const char *path)
{
    char *argv[WORDS_MAX];
    struct error err;
    struct strbuf b = {0};
    const char *const *tuple;
    uint64_t number;
    cleanup_free char *line = xasprintf(":::: %s", path), *copy = NULL;
    struct separator *sep = separator_create(files[i].sep, &err);
    ck_assert_msg(sep != NULL, "%s", err.text);
    size_t len = files[i].len ? files[i].len : strlen(files[i].data);
    FILE *f = fopen(path, "w");
    ck_assert(f && fwrite(files[i].data, 1, len, f) == len && fclose(f) == 0);
    struct sources *s = sources_create(split(line, &copy, argv), argv, sep, &err);
    ck_assert_msg(s != NULL, "%s", err.text);
    strbuf_addn(&b, "", 0);
    while (sources_next(s, &tuple, &number, &err) == 1)
        strbuf_addf(&b, "%s%s", number ? "|" : "", tuple[0]);
    ck_assert_str_eq(b.s, files[i].tuples);
    free(b.s);
    sources_destroy(s);
    separator_destroy(sep);
}

START_TEST(reads_files)
{
    char path[] = "/tmp/t_sources.XXXXXX";
    int fd = mkstemp(path);
    ck_assert(fd >= 0 && close(fd) == 0);
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        check_file(i, path);
    unlink(path);
}
END_TEST

/* What is in a pipe is given before its end, and each record when it is whole. */
START_TEST(reads_as_it_comes)
{
    int fds[2];
    const char *const *tuple;
    uint64_t number;
    struct error err;
    struct separator *sep = separator_create("\\n", &err);
    ck_assert(pipe(fds) == 0 && dup2(fds[0], STDIN_FILENO) == STDIN_FILENO);
    close(fds[0]);
    struct sources *s = sources_create(0, NULL, sep, &err);
    ck_assert_msg(s != NULL, "%s", err.text);
    ck_assert_int_eq(sources_next(s, &tuple, &number, &err), 2);
    ck_assert_int_eq(sources_fd(s), STDIN_FILENO);
    ck_assert(write(fds[1], "a\nb", 3) == 3);
    ck_assert_int_eq(sources_next(s, &tuple, &number, &err), 1);
    ck_assert_str_eq(tuple[0], "a");
    ck_assert_int_eq(sources_next(s, &tuple, &number, &err), 2);
    ck_assert(write(fds[1], "c\n", 2) == 2);
    ck_assert_int_eq(sources_next(s, &tuple, &number, &err), 1);
    ck_assert_str_eq(tuple[0], "bc");
    ck_assert_uint_eq(number, 1);
    close(fds[1]);
    ck_assert_int_eq(sources_next(s, &tuple, &number, &err), 0);
    sources_destroy(s);
    separator_destroy(sep);
}
END_TEST

START_TEST(shuffles)
{
    char text[] = ":::", a[] = "a", b[] = "b", c[] = "c", one[] = "1", two[] = "2";
    char *argv[] = {text, a, b, c, text, one, two};
    const char *const *tuple;
    struct error err;
    uint64_t number;
    unsigned seen = 0, n = 0;
    struct sources *s = sources_create(ARRAY_SIZE(argv), argv, NULL, &err);
    ck_assert_int_eq(sources_load(s, &err), 6);
    ck_assert_int_eq(sources_shuffle(s, &err), 0);
    while (sources_next(s, &tuple, &number, &err) == 1) {
        ck_assert_uint_eq(number, (uint64_t)(tuple[0][0] - 'a') * 2 +
                                      (uint64_t)(tuple[1][0] - '1'));
        seen |= 1u << number;
        n++;
    }
    ck_assert_uint_eq(n, 6);
    ck_assert_uint_eq(seen, 63);
    sources_destroy(s);
}
END_TEST

START_TEST(rejects)
{
    static const struct {
        const char *line, *part;
    } bad[] = {
        {":::", "after ':::'"},
        {"::: a :::", "after ':::'"},
        {"::::", "no file after '::::'"},
        {":::+ a", "':::+'"},
        {":::x a", "':::x'"},
        {"::::: a", "':::::'"},
        {"::: a ::::+", "after '::::+'"},
        {":::: /nonexistent/x", "/nonexistent/x"},
        {":::: /tmp ", "standard input or a file"},
        {":::: - :::: -", "once only"},
        {"::: a :::: /dev/null", "/dev/null"},
    };
    struct error err;
    struct separator *sep = separator_create("\\n", &err);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        char *argv[WORDS_MAX];
        cleanup_free char *copy = NULL;
        int n = split(bad[i].line, &copy, argv);
        struct sources *s = sources_create(n, argv, sep, &err);
        if (s) { /* it is only read later */
            const char *const *tuple;
            uint64_t number;
            ck_assert_int_eq(sources_next(s, &tuple, &number, &err), -1);
            ck_error_names(err, "/tmp");
        } else {
            ck_error_names(err, bad[i].part);
        }
        sources_destroy(s);
    }
    separator_destroy(sep);
}
END_TEST

START_TEST(rejects_too_many)
{
    char *argv[4 * 102];
    char sep[] = ":::", x[] = "x";
    int n = 0;
    struct error err;
    for (int i = 0; i < 4; i++) {
        argv[n++] = sep;
        for (int k = 0; k < 101; k++)
            argv[n++] = x;
    }
    struct sources *s = sources_create(n, argv, NULL, &err);
    ck_assert(s != NULL); /* of the first source it is not known how long it is */
    ck_assert_int_eq(sources_load(s, &err), -1);
    ck_error_names(err, "104060401");
    sources_destroy(s);
}
END_TEST

START_TEST(rejects_separators)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"", "empty"},        {"\\q", "'\\q'"},
        {"/(/", "'(' is no"}, {"/x*/", "nothing at all"},
        {"\\x1", "\\x"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct error err;
        ck_assert_ptr_null(separator_create(bad[i].text, &err));
        if (i != 2)
            ck_error_names(err, bad[i].part);
        else
            ck_error_names(err, "/(/");
    }
}
END_TEST

UNIT_MAIN("sources", combines, reads_files, reads_as_it_comes, shuffles, rejects,
          rejects_too_many, rejects_separators)
