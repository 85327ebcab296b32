/* SPDX-License-Identifier: BSD-3-Clause */
/* depend_lookup: what the dependencies of a jobspec mean, as far as the jobs that they name go: which are met, and
 * which can never be. */
#include "src/instance/depend_impl.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include "src/common/util.h"
#include "src/instance/element.h"
#include "src/instance/singles.h"
#include "src/job/jsonutil.h"

static const struct {
    const char *scheme;
    enum depend_kind kind;
} schemes[] = {
    {"after", AFTER},           {"afterstart", AFTER},      {"afterany", AFTERANY},
    {"afterok", AFTEROK},       {"afternotok", AFTERNOTOK}, {"afterexcept", AFTEREXCEPT},
    {"begin-time", BEGIN_TIME}, {"singleton", SINGLETON},
};

void depend_wishes_free(struct depend_wish *wishes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(wishes[i].text);
    free(wishes);
}

const char *depend_judge(enum depend_kind kind, const struct depend_outcome *o)
{
    bool ok = o->result == JOB_COMPLETED;
    if (kind == AFTERANY || (kind == AFTEROK && ok))
        return NULL;
    if (!o->ran)
        return o->result == JOB_CANCELED ? "was canceled before it started"
                                         : "ended without having started";
    if (kind == AFTER || (kind == AFTERNOTOK && !ok) ||
        (kind == AFTEREXCEPT && o->excepted))
        return NULL;
    if (ok)
        return "ended with success";
    if (kind == AFTEREXCEPT)
        return "failed without an exception";
    return o->result == JOB_CANCELED  ? "was canceled"
           : o->result == JOB_TIMEOUT ? "reached its time limit"
                                      : "failed";
}

static int on_entry(void *arg, const struct store_entry *entry)
{
    struct depend_outcome *o = arg;
    if (!entry->run)
        return 0;
    o->ran = entry->run->t_run > 0;
    o->excepted = entry->run->exception_type && entry->run->exception_severity == 0;
    o->result = (enum job_result)entry->run->result;
    return 0;
}

/* It may be over and forgotten.  Of a job that waits since another leader's time it was not then, and had it ended so that
 * this can never be met, that job would be over as well: so it is met. */
static bool is_met_before(const struct leader *ld)
{
    return ld->adopting;
}

static int outcome_stored(struct leader *ld, jobid_t id, struct depend_outcome *o,
                          struct error *err)
{
    /* before: not the later ones of the array that it may be the first of */
    struct store_filter filter = {
        .ids = &id, .nids = 1, .states = JOB_INACTIVE, .max = 1, .before = id + 1};
    memset(o, 0, sizeof(*o));
    if (store_list(ld->store, &filter, on_entry, o, err) < 0)
        return -1;
    if (o->result != JOB_NO_RESULT || is_met_before(ld))
        return 0;
    char text[JOBID_BUFSIZE];
    return error_set(err, ENOENT, "there is no job %s to depend on",
                     jobid_encode(id, JOBID_F58_PLAIN, text, sizeof(text)));
}

/* --- from the jobspec ---------------------------------------------------------------------- */

static int look_up_time(struct depend_wish *w, const char *value, struct error *err)
{
    char *end, text[64];
    struct tm tm;
    w->when = strtod(value, &end);
    if (end == value || *end || !(w->when >= 0) || w->when > 1e15)
        return error_set(err, EINVAL,
                         "dependency begin-time:%s: must be seconds since the epoch",
                         value);
    time_t t = (time_t)w->when;
    localtime_r(&t, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    w->text = xasprintf("begin-time:%s", text);
    w->met = w->when <= time_now();
    return 0;
}

static int look_up_job(struct leader *ld, struct depend_wish *w, const char *scheme,
                       const char *value, struct error *err)
{
    char text[JOBID_BUFSIZE];
    struct depend_outcome o;
    if (jobid_decode(value, &w->id, err) < 0)
        return -1;
    w->text = xasprintf("%s:%s", scheme,
                        jobid_encode(w->id, JOBID_F58_PLAIN, text, sizeof(text)));
    const struct job *job = elements_job(ld, w->id);
    if (job) {
        w->met = w->kind == AFTER && job->started;
        return 0;
    }
    if (outcome_stored(ld, w->id, &o, err) < 0)
        return -1;
    w->why = o.result == JOB_NO_RESULT ? NULL : depend_judge(w->kind, &o);
    w->met = !w->why;
    return 0;
}

struct range_look {
    struct depend_wish *w;
    uint64_t n;
};

static int on_ranged(void *arg, const struct store_entry *entry)
{
    struct range_look *look = arg;
    if (!entry->run)
        return 0;
    if (entry->run->id < look->w->id)
        return 1;
    struct depend_outcome o = {0};
    on_entry(&o, entry);
    const char *why = depend_judge(look->w->kind, &o);
    look->w->why = why ? why : look->w->why;
    look->n++;
    return 0;
}

/* Elements of SUB in RUN that are not over. */
static uint64_t count_left(const struct submission *sub, struct array_run run)
{
    uint64_t n = 0, end = run.first + run.n;
    for (struct array_run r = array_find(sub->array, ARRAY_LEFT, run.first);
         r.n && r.first < end; r = array_find(sub->array, ARRAY_LEFT, r.first + r.n))
        n += MIN(r.n, end - r.first);
    return n;
}

/* What is over of it is in the store, the rest in the table. */
static int look_up_range(struct leader *ld, struct depend_wish *w, const char *scheme,
                         struct error *err)
{
    char first[JOBID_BUFSIZE], last[JOBID_BUFSIZE];
    uint64_t position;
    struct range_look look = {.w = w};
    struct store_filter filter = {.states = JOB_INACTIVE, .before = w->last + 1};
    jobid_encode(w->id, JOBID_F58_PLAIN, first, sizeof(first));
    jobid_encode(w->last, JOBID_F58_PLAIN, last, sizeof(last));
    w->text = xasprintf("%s:%s-%s", scheme, first, last);
    if (w->kind == AFTER)
        return error_set(err, ENOTSUP,
                         "only the ends of the jobs of a range can be "
                         "waited for: take afterany or afterok");
    const struct submission *sub = jobtable_array_of(ld->jobs, w->id, &position);
    if (sub && jobid_position(sub->first, sub->count, w->last) < (int64_t)position)
        return error_set(err, EINVAL, "the range must be of elements of one array");
    for (const struct job *job = jobtable_first(ld->jobs); !sub && job; job = job->next)
        if (job->sj.id >= w->id && job->sj.id <= w->last)
            return error_set(err, EINVAL, "the range must be of elements of one array");
    if (sub)
        w->left = count_left(sub, element_between(sub, w->id, w->last));
    if (store_list(ld->store, &filter, on_ranged, &look, err) < 0)
        return -1;
    if (look.n + w->left == 0 && !is_met_before(ld))
        return error_set(err, ENOENT, "there is no job in it to depend on");
    w->met = !w->why && w->left == 0;
    return 0;
}

/* VALUE is "A-B": some forms of ids have '-' inside. */
static bool is_range(const char *value, struct depend_wish *w)
{
    jobid_t only;
    if (jobid_decode(value, &only, NULL) == 0)
        return false;
    for (const char *dash = value; (dash = strchr(dash, '-')); dash++) {
        cleanup_free char *before = xstrndup(value, (size_t)(dash - value));
        if (jobid_decode(before, &w->id, NULL) == 0 &&
            jobid_decode(dash + 1, &w->last, NULL) == 0 && w->id <= w->last)
            return true;
    }
    w->last = 0;
    return false;
}

/* Whoever is active is counted from now on. */
static void count_names(struct leader *ld)
{
    struct singles *s = ld->depends->singles = singles_create();
    for (const struct job *job = jobtable_first(ld->jobs); job; job = job->next)
        if (job->sub->count == 1)
            singles_count(s, jobspec_name(job->sub->spec), job->sub->first);
    for (size_t i = 0; i < jobtable_narrays(ld->jobs); i++) {
        const struct submission *sub = jobtable_array(ld->jobs, i);
        singles_count(s, jobspec_name(sub->spec), sub->first);
    }
}

static int look_up_name(struct leader *ld, struct depend_wish *w,
                        const struct submission *sub, const char *value,
                        struct error *err)
{
    if (*value)
        return error_set(err, EINVAL, "a singleton has no value; its name is the job's");
    if (!ld->depends->singles)
        count_names(ld);
    w->text = xstrdup("singleton");
    w->met = singles_is_first(ld->depends->singles, jobspec_name(sub->spec), sub->first);
    return 0;
}

static int look_up(struct leader *ld, struct depend_wish *w, json_object *o,
                   const struct submission *sub, struct error *err)
{
    const char *scheme = jsonutil_string(jsonutil_get(o, "scheme"));
    const char *value = jsonutil_string(jsonutil_get(o, "value"));
    for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
        if (strcmp(schemes[i].scheme, scheme) != 0)
            continue;
        w->kind = schemes[i].kind;
        int rc = w->kind == BEGIN_TIME  ? look_up_time(w, value, err)
                 : w->kind == SINGLETON ? look_up_name(ld, w, sub, value, err)
                 : is_range(value, w)   ? look_up_range(ld, w, scheme, err)
                                        : look_up_job(ld, w, scheme, value, err);
        return rc < 0 ? error_prefix(err, "dependency %s:%s", scheme, value) : 0;
    }
    return error_set(err, ENOTSUP,
                     "dependency %s%s%s: there is no such scheme; there are after, "
                     "afterstart, afterany, afterok, afternotok, afterexcept, begin-time "
                     "and singleton",
                     scheme, *value ? ":" : "", value);
}

int depend_lookup(struct leader *ld, struct submission *sub, struct error *err)
{
    if (!jobspec_dependencies(sub->spec)) /* which does not say what they are: forms.h */
        return 0;
    cleanup_json json_object *o = text_json(sub->jobspec_text);
    json_object *deps = jsonutil_at(o, "attributes.system.dependencies");
    size_t n = deps ? json_object_array_length(deps) : 0;
    if (n == 0)
        return 0;
    sub->wishes = xcalloc(n, sizeof(*sub->wishes));
    sub->nwishes = n;
    for (size_t i = 0; i < n; i++)
        if (look_up(ld, &sub->wishes[i], json_object_array_get_idx(deps, i), sub, err) <
            0) {
            depend_wishes_free(take(sub->wishes), n);
            sub->nwishes = 0;
            return -1;
        }
    return 0;
}
