/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/depend.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include "src/common/util.h"
#include "src/instance/change.h"
#include "src/instance/element.h"
#include "src/instance/leader_impl.h"
#include "src/instance/singles.h"
#include "src/job/jsonutil.h"

/* So many jobs are released, or ended, in one turn of the loop: a job may have 100,000 dependents. */
enum { TURN_MAX = 1000 };

enum kind { AFTER, AFTERANY, AFTEROK, AFTERNOTOK, AFTEREXCEPT, BEGIN_TIME, SINGLETON };

static const struct {
    const char *scheme;
    enum kind kind;
} schemes[] = {
    {"after", AFTER},           {"afterstart", AFTER},      {"afterany", AFTERANY},
    {"afterok", AFTEROK},       {"afternotok", AFTERNOTOK}, {"afterexcept", AFTEREXCEPT},
    {"begin-time", BEGIN_TIME}, {"singleton", SINGLETON},
};

/* One dependency of a submission; all its jobs have the same. */
struct depend_wish {
    enum kind kind;
    jobid_t id;      /* the other job, or the first of a range */
    jobid_t last;    /* of the range; 0: there is none */
    uint64_t left;   /* jobs of the range that were not over when it was submitted */
    double when;     /* BEGIN_TIME */
    char *text;      /* "afterok:f1": in events and lists */
    bool met;        /* when it was submitted */
    const char *why; /* it can never be met; NULL: it can */
};

/* One dependency of a job that is not met. */
struct dependency {
    const struct depend_wish *wish;
    struct job *job;
    struct dependency *next, **back; /* of the list it is in; BACK NULL: in none */
    size_t place;                    /* in the heap, from 1; 0: not there */
    const char *why;                 /* it can never be met */
    jobid_t culprit;                 /* because of that job */
    uint64_t left;                   /* jobs of a range that are not over */
    bool met, due;                   /* due: it is in that list, to be met */
};

struct depends {
    struct dependency **heap; /* by time, the first to come at 1 */
    size_t n, size;
    struct dependency *due;   /* those that are to be met */
    struct dependency *never; /* those that can never be met */
    struct singles *singles;  /* from the first singleton on; NULL: there was none */
};

struct depends *depends_create(void)
{
    return xcalloc(1, sizeof(struct depends));
}

void depends_destroy(struct depends *ds)
{
    if (ds) {
        free(ds->heap);
        singles_destroy(ds->singles);
    }
    free(ds);
}

void depend_wishes_free(struct depend_wish *wishes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(wishes[i].text);
    free(wishes);
}

/* --- lists and the heap -------------------------------------------------------------------- */

static void list_add(struct dependency **list, struct dependency *d)
{
    d->next = *list;
    d->back = list;
    if (d->next)
        d->next->back = &d->next;
    *list = d;
}

static void list_remove(struct dependency *d)
{
    if (!d->back)
        return;
    *d->back = d->next;
    if (d->next)
        d->next->back = d->back;
    d->back = NULL;
}

static void heap_put(struct depends *ds, size_t place, struct dependency *d)
{
    ds->heap[place] = d;
    d->place = place;
}

static void heap_up(struct depends *ds, size_t i, struct dependency *d)
{
    for (; i > 1 && d->wish->when < ds->heap[i / 2]->wish->when; i /= 2)
        heap_put(ds, i, ds->heap[i / 2]);
    heap_put(ds, i, d);
}

static void heap_down(struct depends *ds, size_t i, struct dependency *d)
{
    for (size_t child; (child = 2 * i) <= ds->n; i = child) {
        if (child < ds->n &&
            ds->heap[child + 1]->wish->when < ds->heap[child]->wish->when)
            child++;
        if (d->wish->when <= ds->heap[child]->wish->when)
            break;
        heap_put(ds, i, ds->heap[child]);
    }
    heap_put(ds, i, d);
}

static void heap_add(struct depends *ds, struct dependency *d)
{
    if (ds->n + 1 >= ds->size) {
        ds->size = MAX(2 * ds->size, (size_t)64);
        ds->heap = xrealloc(ds->heap, ds->size * sizeof(struct dependency *));
    }
    heap_up(ds, ++ds->n, d);
}

static void heap_remove(struct depends *ds, struct dependency *d)
{
    size_t i = d->place;
    if (i == 0)
        return;
    d->place = 0;
    struct dependency *last = ds->heap[ds->n--];
    if (last == d)
        return;
    if (i > 1 && last->wish->when < ds->heap[i / 2]->wish->when)
        heap_up(ds, i, last);
    else
        heap_down(ds, i, last);
}

/* --- what a job's end means ---------------------------------------------------------------- */

/* How a job ended, as far as others depend on it. */
struct outcome {
    bool ran, excepted;
    enum job_result result;
};

/* NULL: met; else why it can never be. */
static const char *judge(enum kind kind, const struct outcome *o)
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

static struct outcome outcome_of(const struct job *job)
{
    return (struct outcome){
        .ran = job->t_run > 0,
        .excepted = job->exception && job->exception->severity == 0,
        .result = job_result_of(job),
    };
}

static int on_entry(void *arg, const struct store_entry *entry)
{
    struct outcome *o = arg;
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

static int outcome_stored(struct leader *ld, jobid_t id, struct outcome *o,
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
    struct outcome o;
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
    w->why = o.result == JOB_NO_RESULT ? NULL : judge(w->kind, &o);
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
    struct outcome o = {0};
    on_entry(&o, entry);
    const char *why = judge(look->w->kind, &o);
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

/* --- waiting ------------------------------------------------------------------------------- */

static void log_event(struct leader *ld, const struct dependency *d, const char *name)
{
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "description", json_object_new_string(d->wish->text));
    job_event(ld, d->job, time_now(), name,
              json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                    JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* What lists show: the first dependency that is not met, and how many others there are. */
static void tell_reason(struct job *job)
{
    while (job->deps_met_first < job->ndeps && job->deps[job->deps_met_first].met)
        job->deps_met_first++;
    free(job->reason);
    const char *first = job->deps[job->deps_met_first].wish->text;
    size_t others = job->ndeps_left - 1;
    job->reason = others ? xasprintf("depends on %s and %zu more", first, others)
                         : xasprintf("depends on %s", first);
}

/* The job ends at the end of the turn. */
static void doom(struct leader *ld, struct dependency *d, const char *why)
{
    d->why = why;
    list_add(&ld->depends->never, d);
    leader_wake(ld);
}

/* The job is released at the end of the turn. */
static void make_due(struct leader *ld, struct dependency *d)
{
    d->due = true;
    list_add(&ld->depends->due, d);
    leader_wake(ld);
}

/* WHY: it can never be met.  LEFT: of a range. */
static void enlist(struct leader *ld, struct dependency *d, const char *why,
                   uint64_t left)
{
    uint64_t position;
    d->left = left;
    d->culprit = d->wish->id;
    if (why)
        doom(ld, d, why);
    else if (d->wish->kind == SINGLETON)
        singles_add(ld->depends->singles, jobspec_name(d->job->sub->spec),
                    d->job->sub->first, d);
    else if (d->wish->last)
        list_add(&jobtable_array_of(ld->jobs, d->wish->id, &position)->dependents, d);
    else if (d->wish->kind == BEGIN_TIME)
        heap_add(ld->depends, d);
    else
        list_add(&elements_job(ld, d->wish->id)->dependents, d);
}

void depend_inherit(struct leader *ld, const struct job *like, struct job *job)
{
    job->deps = xcalloc(like->ndeps_left, sizeof(*job->deps));
    for (size_t i = 0; i < like->ndeps; i++) {
        const struct dependency *theirs = &like->deps[i];
        if (theirs->met)
            continue;
        struct dependency *d = &job->deps[job->ndeps++];
        d->wish = theirs->wish;
        d->job = job;
        if (theirs->due)
            make_due(ld, d);
        else
            enlist(ld, d, theirs->why, theirs->left);
        d->culprit = theirs->culprit;
    }
    job->ndeps_left = job->ndeps;
    tell_reason(job);
}

bool depend_wait(struct leader *ld, struct job *job)
{
    const struct submission *sub = job->sub;
    size_t n = 0;
    for (size_t i = 0; i < sub->nwishes; i++)
        n += !sub->wishes[i].met;
    if (n == 0)
        return false;
    job->state = JOB_DEPEND;
    job->deps = xcalloc(n, sizeof(*job->deps));
    for (size_t i = 0; i < sub->nwishes; i++) {
        const struct depend_wish *w = &sub->wishes[i];
        if (w->met)
            continue;
        struct dependency *d = &job->deps[job->ndeps++];
        d->wish = w;
        d->job = job;
        enlist(ld, d, w->why, w->left);
        log_event(ld, d, "dependency-add");
    }
    job->ndeps_left = n;
    tell_reason(job);
    leader_wake(ld);
    return true;
}

static void met(struct leader *ld, struct dependency *d)
{
    struct job *job = d->job;
    d->met = true;
    log_event(ld, d, "dependency-remove");
    if (--job->ndeps_left > 0) {
        tell_reason(job);
        change_depends(ld, job);
    } else
        manager_release(ld, job);
}

void depend_started(struct leader *ld, struct job *job)
{
    for (struct dependency *d = job->dependents, *next; d; d = next) {
        next = d->next;
        if (d->wish->kind != AFTER)
            continue;
        list_remove(d);
        make_due(ld, d);
    }
}

static void range_over(struct leader *ld, struct submission *sub, struct array_run run,
                       const struct outcome *o)
{
    for (struct dependency *d = sub->dependents, *next; d; d = next) {
        next = d->next;
        struct array_run in = element_between(sub, d->wish->id, d->wish->last);
        uint64_t first = MAX(in.first, run.first);
        uint64_t end = MIN(in.first + in.n, run.first + run.n);
        if (end <= first)
            continue;
        const char *why = judge(d->wish->kind, o);
        d->left -= MIN(d->left, end - first);
        if (!why && d->left > 0)
            continue;
        list_remove(d);
        d->culprit = jobid_nth(sub->first, first);
        if (why)
            doom(ld, d, why);
        else
            make_due(ld, d);
    }
}

void depend_elements_over(struct leader *ld, struct submission *sub, struct array_run run,
                          enum job_result result)
{
    const struct outcome o = {.excepted = true, .result = result};
    range_over(ld, sub, run, &o);
}

static void single_over(struct leader *ld, const char *name, jobid_t id)
{
    struct dependency **list;
    size_t n;
    if (!ld->depends->singles || !singles_over(ld->depends->singles, name, id, &list, &n))
        return;
    for (size_t i = 0; i < n; i++)
        make_due(ld, list[i]);
    free(list);
}

void depend_submitted(struct leader *ld, const struct submission *sub)
{
    if (ld->depends->singles)
        singles_count(ld->depends->singles, jobspec_name(sub->spec), sub->first);
}

void depend_renamed(struct leader *ld, const struct submission *sub, const char *old)
{
    single_over(ld, old, sub->first);
    depend_submitted(ld, sub);
}

void depend_array_over(struct leader *ld, struct submission *sub)
{
    single_over(ld, jobspec_name(sub->spec), sub->first);
    for (struct dependency *d; (d = sub->dependents);) {
        list_remove(d);
        make_due(ld, d);
    }
}

void depend_over(struct leader *ld, struct job *job)
{
    struct outcome o = outcome_of(job);
    if (job->sub->count == 1)
        single_over(ld, jobspec_name(job->sub->spec), job->sub->first);
    if (job->sub->dependents)
        range_over(ld, job->sub, (struct array_run){element_position(job), 1}, &o);
    for (struct dependency *d; (d = job->dependents);) {
        list_remove(d);
        const char *why = judge(d->wish->kind, &o);
        if (why)
            doom(ld, d, why);
        else
            make_due(ld, d);
    }
}

void depend_forget(struct leader *ld, struct job *job)
{
    for (size_t i = 0; i < job->ndeps; i++) {
        struct dependency *d = &job->deps[i];
        list_remove(d);
        heap_remove(ld->depends, d);
        if (d->wish->kind == SINGLETON && !d->met && !d->due)
            singles_remove(ld->depends->singles, jobspec_name(job->sub->spec),
                           job->sub->first, d);
    }
}

void depend_run(struct leader *ld, double now)
{
    struct depends *ds = ld->depends;
    unsigned n = 0;
    for (; n < TURN_MAX && ds->n > 0 && ds->heap[1]->wish->when <= now; n++) {
        struct dependency *d = ds->heap[1];
        heap_remove(ds, d);
        met(ld, d);
    }
    for (struct dependency *d; n < TURN_MAX && (d = ds->due); n++) {
        list_remove(d);
        met(ld, d);
    }
    for (struct dependency *d; n < TURN_MAX && (d = ds->never); n++) {
        char text[JOBID_BUFSIZE]; /* the job's end takes it out */
        jobid_encode(d->culprit, JOBID_F58_PLAIN, text, sizeof(text));
        cleanup_free char *note = xasprintf("dependency %s can never be met: job %s %s",
                                            d->wish->text, text, d->why);
        manager_exception(ld, d->job, "dependency", 0, note);
    }
    if (n == TURN_MAX)
        leader_wake(ld);
}

double depend_next(const struct leader *ld)
{
    return ld->depends->n > 0 ? ld->depends->heap[1]->wish->when : 0;
}
