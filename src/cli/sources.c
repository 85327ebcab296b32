/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include "src/cli/records.h"
#include "src/cli/sources.h"
#include "src/common/util.h"

#define TUPLES_MAX 10000000u

struct source {
    bool linked; /* to the one before */
    char **v;
    size_t n, size;
    struct records *records; /* of the first one, as long as it is read bit by bit */
    const char *current;     /* its record */
};

struct sources {
    struct source *v;
    size_t n;
    const struct separator *sep;
    const char **tuple;
    uint64_t first;   /* records of the first source that were used, or its index */
    uint64_t rest;    /* combinations of the others for each of the first */
    uint64_t at_rest; /* the next of these; == rest: the next of the first */
    uint64_t number;  /* of the next tuple */
    uint64_t total;   /* once loaded */
    uint32_t *shuffled;
    bool stdin_used;
};

static bool is_separator(const char *word)
{
    return strncmp(word, ":::", 3) == 0;
}

int sources_command_length(int argc, char **argv)
{
    int n = 0;
    while (n < argc && !is_separator(argv[n]))
        n++;
    return n;
}

/* --- making ------------------------------------------------------------------------------ */

static struct source *add_source(struct sources *s, bool linked)
{
    s->v = xrealloc(s->v, (s->n + 1) * sizeof(*s->v));
    s->v[s->n] = (struct source){.linked = linked};
    return &s->v[s->n++];
}

static void add_value(struct source *src, const char *text)
{
    if (src->n == src->size) {
        src->size = src->size ? 2 * src->size : 16;
        src->v = xrealloc(src->v, src->size * sizeof(*src->v));
    }
    src->v[src->n++] = xstrdup(text);
}

/* All of a source's records into memory. */
static int load(struct source *src, struct error *err)
{
    const char *text;
    int rc = 0;
    while (src->records && (rc = records_next(src->records, &text, true, err)) == 1)
        add_value(src, text);
    if (rc < 0)
        return -1;
    records_close(take(src->records));
    return 0;
}

static int add_file(struct sources *s, const char *path, bool linked, struct error *err)
{
    bool is_stdin = strcmp(path, "-") == 0;
    if (is_stdin && s->stdin_used)
        return error_set(err, EINVAL, "standard input can be read once only");
    s->stdin_used |= is_stdin;
    struct source *src = add_source(s, linked);
    src->records = records_open(path, s->sep, err);
    if (!src->records)
        return -1;
    if (s->n == 1) /* read as it is asked for */
        return 0;
    if (load(src, err) < 0)
        return -1;
    return src->n ? 0 : error_set(err, ENODATA, "there are no inputs in '%s'", path);
}

/* One separator and its words. */
static int add_words(struct sources *s, const char *separator, int n, char **words,
                     struct error *err)
{
    bool files = strncmp(separator, "::::", 4) == 0;
    const char *plus = separator + (files ? 4 : 3);
    bool linked = strcmp(plus, "+") == 0;
    if (*plus && !linked)
        return error_set(err, EINVAL,
                         "'%s' is no separator; there are :::, :::+, :::: and ::::+",
                         separator);
    if (linked && s->n == 0)
        return error_set(err, EINVAL,
                         "'%s' links inputs to those before, and there are none",
                         separator);
    if (n == 0)
        return error_set(err, EINVAL,
                         files ? "there is no file after '%s'"
                               : "there are no inputs after '%s'",
                         separator);
    for (int i = 0; files && i < n; i++) {
        if (add_file(s, words[i], linked, err) < 0)
            return -1;
    }
    struct source *src = files ? NULL : add_source(s, linked);
    for (int i = 0; src && i < n; i++)
        add_value(src, words[i]);
    return 0;
}

/* Combinations of all sources but the first one and those linked to it. */
static int count_rest(struct sources *s, struct error *err)
{
    s->rest = 1;
    for (size_t i = 1; i < s->n; i++) {
        if (s->v[i].linked)
            continue;
        s->rest *= s->v[i].n;
        if (s->rest > TUPLES_MAX)
            return error_set(err, E2BIG,
                             "the inputs make more than %u combinations: "
                             "hbatch submit --cc submits arrays",
                             TUPLES_MAX);
    }
    s->at_rest = s->rest;
    return 0;
}

struct sources *sources_create(int argc, char **argv, const struct separator *sep,
                               struct error *err)
{
    struct sources *s = xcalloc(1, sizeof(*s));
    s->sep = sep;
    int rc = argc ? 0 : add_file(s, "-", false, err);
    for (int i = 0; i < argc && rc == 0;) {
        int n = sources_command_length(argc - i - 1, argv + i + 1);
        rc = add_words(s, argv[i], n, argv + i + 1, err);
        i += n + 1;
    }
    if (rc == 0)
        rc = count_rest(s, err);
    if (rc == 0) {
        s->tuple = xcalloc(s->n, sizeof(*s->tuple));
        return s;
    }
    sources_destroy(s);
    return NULL;
}

void sources_destroy(struct sources *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n; i++) {
        for (size_t k = 0; k < s->v[i].n; k++)
            free(s->v[i].v[k]);
        free(s->v[i].v);
        records_close(s->v[i].records);
    }
    free(s->v);
    free(s->tuple);
    free(s->shuffled);
    free(s);
}

size_t sources_width(const struct sources *s)
{
    return s->n;
}

int64_t sources_load(struct sources *s, struct error *err)
{
    if (load(&s->v[0], err) < 0)
        return -1;
    s->total = s->v[0].n * s->rest;
    if (s->total > TUPLES_MAX)
        return error_set(err, E2BIG,
                         "the inputs make %ju combinations, more than %u: "
                         "hbatch submit --cc submits arrays",
                         (uintmax_t)s->total, TUPLES_MAX);
    return (int64_t)s->total;
}

int sources_shuffle(struct sources *s, struct error *err)
{
    uint64_t seed = 0;
    if (sources_load(s, err) < 0)
        return -1;
    if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
        seed = (uint64_t)(time_now() * 1e6);
    s->shuffled = xmalloc((s->total + 1) * sizeof(*s->shuffled));
    for (uint32_t i = 0; i < s->total; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint32_t k = (uint32_t)((seed >> 33) % (i + 1));
        s->shuffled[i] = s->shuffled[k];
        s->shuffled[k] = i;
    }
    return 0;
}

/* --- tuples ------------------------------------------------------------------------------ */

/* Fill the tuple: FIRST of the first source, REST of the others. */
static void fill(struct sources *s, uint64_t first, uint64_t rest)
{
    uint64_t index = 0;
    for (size_t i = s->n; i-- > 0;) { /* the last one changes fastest */
        size_t base = i;
        while (s->v[base].linked)
            base--;
        const struct source *src = &s->v[base];
        if (base == 0) {
            index = first;
        } else {
            index = rest % src->n;
            rest /= src->n;
        }
        for (size_t k = base; k <= i; k++) {
            const struct source *with = &s->v[k];
            s->tuple[k] =
                k == 0 && with->records ? with->current : with->v[index % with->n];
        }
        i = base;
    }
}

/* The next of the first source: as sources_next. */
static int advance(struct sources *s, struct error *err)
{
    struct source *src = &s->v[0];
    if (src->records) {
        int rc = records_next(src->records, &src->current, false, err);
        s->first += rc == 1 && s->number > 0;
        return rc;
    }
    s->first += s->number > 0;
    return s->first < src->n;
}

int sources_next(struct sources *s, const char *const **tuple, uint64_t *number,
                 struct error *err)
{
    if (s->shuffled) {
        if (s->number >= s->total)
            return 0;
        uint64_t n = s->shuffled[s->number];
        fill(s, n / s->rest, n % s->rest);
        s->number++;
        *number = n;
        *tuple = s->tuple;
        return 1;
    }
    if (s->at_rest == s->rest) {
        int rc = advance(s, err);
        if (rc != 1)
            return rc;
        s->at_rest = 0;
    }
    fill(s, s->first, s->at_rest++);
    *number = s->number++;
    *tuple = s->tuple;
    return 1;
}

int sources_fd(const struct sources *s)
{
    return s->v[0].records ? records_fd(s->v[0].records) : -1;
}
