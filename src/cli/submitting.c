/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/submitting.h"
#include "src/common/idranges.h"
#include "src/common/idset.h"
#include "src/common/jobid.h"
#include "src/job/state.h"

enum { REFUSED_SHOWN = 20 }; /* of a hundred thousand alike, nobody reads the rest */

const struct opt submitting_opts[9] = {
    {SUBMITTING_CC, 0, "cc", "IDSET",
     "One job for each id, as in 0-9 or 0-98:2; HBATCH_JOB_CC is the id, and {cc} in "
     "options and command is replaced by it"},
    {SUBMITTING_BCC, 0, "bcc", "IDSET", "The same without HBATCH_JOB_CC"},
    {SUBMITTING_WAIT, 0, "wait", NULL,
     "Wait until all jobs have ended; exit with the greatest exit code"},
    {SUBMITTING_WAIT_EVENT, 0, "wait-event", "NAME",
     "Wait until all jobs had this event"},
    {SUBMITTING_WATCH, 0, "watch", NULL,
     "Show the output of all jobs (and wait for them)"},
    {SUBMITTING_PROGRESS, 0, "progress", NULL,
     "Show how many jobs are submitted, or with --wait or --watch done: a bar on a "
     "terminal, else lines on stderr"},
    {SUBMITTING_JPS, 0, "jps", NULL, "With --progress, show jobs per second"},
    {SUBMITTING_LOG, 0, "log", "FILE",
     "Write what is printed here to FILE; may contain {cc}"},
    {SUBMITTING_LOG_STDERR, 0, "log-stderr", "FILE",
     "Write error messages to FILE; may contain {cc}"},
};

bool submitting_take(struct submitting *s, const struct opt *o, const char *value)
{
    switch (o->id) {
    case SUBMITTING_CC:
        s->texts.cc = value;
        return true;
    case SUBMITTING_BCC:
        s->texts.bcc = value;
        return true;
    case SUBMITTING_WAIT:
        s->wait = true;
        return true;
    case SUBMITTING_WAIT_EVENT:
        s->wait = true;
        s->wait_event = strcmp(value, "clean") == 0 ? NULL : value;
        return true;
    case SUBMITTING_WATCH:
        s->wait = s->watch = true;
        return true;
    case SUBMITTING_PROGRESS:
        s->progress = true;
        return true;
    case SUBMITTING_JPS:
        s->jps = true;
        return true;
    case SUBMITTING_LOG:
        s->texts.log = value;
        return true;
    case SUBMITTING_LOG_STDERR:
        s->texts.log_stderr = value;
        return true;
    }
    return false;
}

/* --- where ids and messages go ----------------------------------------------------------- */

/* STREAM goes to PATH from now on. */
static void redirect(struct submitting *s, FILE *stream, int fd, const char *path,
                     bool append)
{
    fflush(stream);
    FILE *f = fopen(path, append ? "a" : "w");
    if (!f || dup2(fileno(f), fd) < 0)
        cli_die(s->cli, "cannot write to %s: %s", path, strerror(errno));
    fclose(f);
}

static bool is_new(char **now, const char *path)
{
    if (!path || (*now && strcmp(*now, path) == 0))
        return false;
    free(*now);
    *now = xstrdup(path);
    return true;
}

/* Either may be NULL: as it is. Messages go where ids go, unless told otherwise. */
static void log_to(struct submitting *s, const char *log, const char *log_stderr)
{
    if (is_new(&s->log, log)) {
        redirect(s, stdout, STDOUT_FILENO, log, false);
        if (!log_stderr)
            redirect(s, stderr, STDERR_FILENO, log, true);
    }
    if (is_new(&s->log_stderr, log_stderr))
        redirect(s, stderr, STDERR_FILENO, log_stderr, false);
}

/* --- what came of them ------------------------------------------------------------------- */

static struct meter *meter_of(struct submitting *s)
{
    return s->wait ? &s->set.meter : &s->meter;
}

void submitting_refuse(struct submitting *s, const char *label, const struct error *err)
{
    s->exit_code = 1;
    meter_hide(meter_of(s));
    if (++s->refused <= REFUSED_SHOWN)
        cli_error(s->cli, "%s%s%s", label ? label : "", label ? ": " : "", err->text);
}

static void on_told(struct feed_item *item, void *arg)
{
    struct submitting *s = arg;
    char buf[CLI_ID_SIZE];
    log_to(s, item->log, item->log_stderr);
    if (item->err.code)
        submitting_refuse(s, item->label, &item->err);
    if (!s->wait) {
        s->meter.done += item->err.code ? 1 : item->count;
        s->meter.failed += item->err.code != 0;
    } else if (item->err.code && s->meter.total) {
        s->set.meter.done++; /* it was expected */
        s->set.meter.failed++;
    }
    if (!item->err.code && !s->quiet) {
        meter_hide(meter_of(s));
        for (uint64_t i = 0; i < item->count; i++)
            puts(cli_id(s->cli, jobid_nth(item->first, i), buf));
        if (s->wait || s->log || s->meter.on)
            fflush(stdout);
    }
    meter_draw(&s->meter);
}

/* --- submitting -------------------------------------------------------------------------- */

void submitting_begin(struct submitting *s, const struct specopts *spec, bool many)
{
    if (s->texts.cc && s->texts.bcc)
        cli_die(s->cli, "--cc and --bcc cannot be used together");
    specopts_check_input(spec, s->cli);
    s->quiet = spec->quiet;
    s->dry_run = spec->dry_run;
    jobset_init(&s->set, s->cli, s->watch, spec->label_io);
    s->set.wait_event = s->wait_event;
    s->set.verbose = spec->verbose;
    s->set.many = many;
    feed_init(&s->feed, s->cli, s->wait ? &s->set : NULL, on_told, s);
    if (s->progress && !s->dry_run)
        meter_init(meter_of(s), s->cli, s->jps);
}

void submitting_expect(struct submitting *s, uint64_t jobs)
{
    s->meter.total = s->set.meter.total = jobs;
}

static int too_many(const char *text, struct error *err)
{
    return error_set(err, ERANGE,
                     "'%.200s' has more than the %d elements that are possible: take "
                     "several sets",
                     text, JOB_ARRAY_MAX);
}

struct bounds {
    bool any;
    unsigned first, last;
};

static int on_bounds(unsigned lo, unsigned hi, void *arg)
{
    struct bounds *b = arg;
    *b = (struct bounds){true, lo, hi};
    return 0;
}

/* One of "A-B:STEP", "A-B", "A", which are added to SET. */
static int add_steps(const char *text, hwloc_bitmap_t set, struct error *err)
{
    struct bounds b = {0};
    const char *colon = strchr(text, ':');
    cleanup_free char *range =
        xstrndup(text, colon ? (size_t)(colon - text) : strlen(text));
    char *end = NULL;
    unsigned long step = colon ? strtoul(colon + 1, &end, 10) : 1;
    if (idset_walk(range, UINT_MAX, on_bounds, &b, err) < 0)
        return -1;
    if (!b.any)
        return error_set(err, EINVAL, "an id is missing before '%.200s'", text);
    if (colon && (!strchr(range, '-') || !strchr("0123456789", colon[1]) || !colon[1] ||
                  *end || step < 1))
        return error_set(err, EINVAL,
                         "'%.200s': a range with a step is FIRST-LAST:STEP, as in 0-98:2",
                         text);
    if ((b.last - b.first) / step >= JOB_ARRAY_MAX)
        return too_many(text, err);
    if (b.last > IDSET_MAX)
        return error_set(err, ERANGE, "'%.200s': an id is too large: the limit is %u",
                         text, IDSET_MAX);
    for (unsigned long i = b.first; i <= b.last; i += MIN(step, (unsigned long)INT_MAX))
        hwloc_bitmap_set(set, (unsigned)i);
    return 0;
}

/* An index set in which ranges may have steps. */
static hwloc_bitmap_t decode_steps(const char *text, struct error *err)
{
    cleanup_bitmap hwloc_bitmap_t set = hwloc_bitmap_alloc();
    cleanup_free char *copy = xstrdup(text);
    for (char *rest = copy, *part; (part = strsep(&rest, ","));)
        if (add_steps(part, set, err) < 0)
            return NULL;
    return take(set);
}

static hwloc_bitmap_t decode_ids(const struct submitting_texts *t, struct error *err)
{
    const char *option = t->cc ? "cc" : "bcc", *text = t->cc ? t->cc : t->bcc;
    bool steps = strchr(text, ':') != NULL;
    struct idranges *plain = steps ? NULL : idranges_decode(text, JOB_ARRAY_MAX, err);
    hwloc_bitmap_t set = steps   ? decode_steps(text, err)
                         : plain ? idset_decode(text, err)
                                 : NULL;
    idranges_destroy(plain);
    if (set && hwloc_bitmap_weight(set) > JOB_ARRAY_MAX) {
        hwloc_bitmap_free(take(set));
        too_many(text, err);
    }
    if (!set) {
        error_prefix(err, "--%s", option);
        return NULL;
    }
    return set;
}

int64_t submitting_count(const struct submitting_texts *t, struct error *err)
{
    if (!t->cc && !t->bcc)
        return 1;
    cleanup_bitmap hwloc_bitmap_t set = decode_ids(t, err);
    return set ? hwloc_bitmap_weight(set) : -1;
}

/* SPEC is taken over. CC_SET: that of an array; CC: the element, when they go one by one. */
static void add_one(struct submitting *s, json_object *spec,
                    const struct specopts *options, const struct submitting_texts *t,
                    const char *cc_set, const char *cc, const char *label)
{
    if (s->dry_run) {
        puts(json_object_to_json_string_ext(spec, JSON_C_TO_STRING_PLAIN |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
        json_object_put(spec);
        return;
    }
    struct feed_item what = {0};
    if (label || cc)
        what.label = xasprintf("%s%s%s%s", label ? label : "", label && cc ? ", " : "",
                               cc ? "cc=" : "", cc ? cc : "");
    if (t->log)
        what.log = specopts_replace_cc(t->log, cc);
    if (t->log_stderr)
        what.log_stderr = specopts_replace_cc(t->log_stderr, cc);
    struct hbatch_submit submit = {
        .urgency = options->urgency, .flags = options->flags, .cc = cc_set};
    feed_add(&s->feed, spec, &submit, &what);
}

static void build_one(struct submitting *s, const struct specopts *options,
                      const struct submitting_texts *t, const char *cc_set,
                      const char *cc, const char *label)
{
    struct error err;
    json_object *spec = specopts_build(options, s->cli, s->cmd, cc, &err);
    if (spec)
        add_one(s, spec, options, t, cc_set, cc, label);
    else
        submitting_refuse(s, label, &err);
}

/* Whether the jobs of --cc differ in more than HBATCH_JOB_CC. */
static bool differ(const struct submitting *s, const struct specopts *options,
                   const struct submitting_texts *t)
{
    return s->dry_run || (options && specopts_needs_cc(options)) ||
           (t->log && specopts_text_has_cc(t->log)) ||
           (t->log_stderr && specopts_text_has_cc(t->log_stderr));
}

void submitting_add(struct submitting *s, const struct specopts *spec,
                    const struct submitting_texts *t, const char *label)
{
    struct error err;
    if (!t->cc && !t->bcc) {
        build_one(s, spec, t, NULL, NULL, label);
        return;
    }
    cleanup_bitmap hwloc_bitmap_t set = decode_ids(t, &err);
    if (!set) {
        submitting_refuse(s, label, &err);
        return;
    }
    if (t->cc && !differ(s, spec, t)) {
        cleanup_free char *ids =
            strchr(t->cc, ':') ? idset_encode(set, 0) : xstrdup(t->cc);
        build_one(s, spec, t, ids, NULL, label);
        return;
    }
    unsigned i;
    hwloc_bitmap_foreach_begin(i, set)
    {
        char cc[16];
        snprintf(cc, sizeof(cc), "%u", i);
        build_one(s, spec, t, t->cc ? cc : NULL, cc,
                  label); /* an array of one has HBATCH_JOB_CC */
    }
    hwloc_bitmap_foreach_end();
}

void submitting_add_spec(struct submitting *s, json_object *spec,
                         const struct specopts *options, const struct submitting_texts *t,
                         const char *label)
{
    add_one(s, spec, options, t, t->cc, NULL, label);
}

void submitting_add_row(struct submitting *s, json_object *spec,
                        const struct specopts *options, const struct submitting_texts *t,
                        char *const *words, size_t n, const char *label)
{
    struct hbatch_submit submit = {.urgency = options->urgency, .flags = options->flags};
    struct feed_item what = {.label = xstrdup(label),
                             .log = (char *)(uintptr_t)t->log,
                             .log_stderr = (char *)(uintptr_t)t->log_stderr};
    feed_add_row(&s->feed, spec, &submit, words, n, &what);
}

int submitting_finish(struct submitting *s)
{
    feed_finish(&s->feed);
    meter_hide(meter_of(s));
    if (s->refused > REFUSED_SHOWN)
        cli_error(s->cli, "%ju more submissions were refused",
                  (uintmax_t)(s->refused - REFUSED_SHOWN));
    meter_end(&s->meter);
    if (!s->set.meter.total)
        s->set.meter.total = s->set.total;
    int rc = s->wait && !s->dry_run ? jobset_wait(&s->set) : 0;
    jobset_fini(&s->set);
    feed_fini(&s->feed);
    free(s->log);
    free(s->log_stderr);
    return MAX(rc, s->exit_code);
}
