/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/job.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/instance/array.h"
#include "src/instance/depend.h"
#include "src/instance/site.h"
#include "src/job/jsonutil.h"

struct jobtable {
    struct job **buckets;
    size_t nbuckets, count; /* nbuckets: a power of 2 */
    struct job *first, *last, *newest;
    struct submission **arrays; /* by id */
    size_t narrays, arrays_size;
};

struct jobtable *jobtable_create(void)
{
    struct jobtable *t = xcalloc(1, sizeof(*t));
    t->nbuckets = 256;
    t->buckets = xcalloc(t->nbuckets, sizeof(*t->buckets));
    return t;
}

void jobtable_destroy(struct jobtable *t)
{
    if (!t)
        return;
    while (t->first) {
        struct job *job = t->first;
        jobtable_remove(t, job);
        job_free(job);
    }
    for (size_t i = 0; i < t->narrays; i++)
        submission_drop(t->arrays[i]);
    free(t->arrays);
    free(t->buckets);
    free(t);
}

/* Ids of one array are consecutive in their low bits, or nearly so: fold the time in. */
static size_t bucket(const struct jobtable *t, jobid_t id)
{
    return (size_t)((id ^ (id >> 20)) * 0x9e3779b97f4a7c15u >> 20) & (t->nbuckets - 1);
}

static void grow(struct jobtable *t)
{
    free(t->buckets);
    t->nbuckets *= 2;
    t->buckets = xcalloc(t->nbuckets, sizeof(*t->buckets));
    for (struct job *job = t->first; job; job = job->next) {
        size_t b = bucket(t, job->sj.id);
        job->chain = t->buckets[b];
        t->buckets[b] = job;
    }
}

void jobtable_add(struct jobtable *t, struct job *job)
{
    size_t b = bucket(t, job->sj.id);
    job->chain = t->buckets[b];
    t->buckets[b] = job;
    job->prev = t->last;
    job->next = NULL;
    if (t->last)
        t->last->next = job;
    else
        t->first = job;
    t->last = job;
    if (job->sub->count == 1) {
        job->older = t->newest;
        if (t->newest)
            t->newest->newer = job;
        t->newest = job;
    }
    if (++t->count > t->nbuckets)
        grow(t);
}

struct job *jobtable_find(const struct jobtable *t, jobid_t id)
{
    struct job *job = t->buckets[bucket(t, id)];
    while (job && job->sj.id != id)
        job = job->chain;
    return job;
}

void jobtable_remove(struct jobtable *t, struct job *job)
{
    struct job **p = &t->buckets[bucket(t, job->sj.id)];
    while (*p != job)
        p = &(*p)->chain;
    *p = job->chain;
    if (job->prev)
        job->prev->next = job->next;
    else
        t->first = job->next;
    if (job->next)
        job->next->prev = job->prev;
    else
        t->last = job->prev;
    if (job->sub->count == 1) {
        if (job->older)
            job->older->newer = job->newer;
        if (job->newer)
            job->newer->older = job->older;
        else
            t->newest = job->older;
    }
    t->count--;
}

size_t jobtable_count(const struct jobtable *t)
{
    return t->count;
}

struct job *jobtable_first(const struct jobtable *t)
{
    return t->first;
}

struct job *jobtable_newest(const struct jobtable *t)
{
    return t->newest;
}

/* The place of the first array whose first id is greater than ID. */
static size_t place_after(const struct jobtable *t, jobid_t id)
{
    size_t low = 0, high = t->narrays;
    while (low < high) {
        size_t mid = (low + high) / 2;
        if (t->arrays[mid]->first <= id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

void jobtable_add_array(struct jobtable *t, struct submission *sub)
{
    size_t at = place_after(t, sub->first);
    if (t->narrays == t->arrays_size) {
        t->arrays_size = MAX(2 * t->arrays_size, (size_t)16);
        t->arrays = xrealloc(t->arrays, t->arrays_size * sizeof(struct submission *));
    }
    memmove(&t->arrays[at + 1], &t->arrays[at],
            (t->narrays - at) * sizeof(struct submission *));
    t->arrays[at] = sub;
    t->narrays++;
    sub->refs++;
}

void jobtable_remove_array(struct jobtable *t, struct submission *sub)
{
    size_t at = place_after(t, sub->first) - 1;
    t->narrays--;
    memmove(&t->arrays[at], &t->arrays[at + 1],
            (t->narrays - at) * sizeof(struct submission *));
    submission_drop(sub);
}

size_t jobtable_narrays(const struct jobtable *t)
{
    return t->narrays;
}

struct submission *jobtable_array(const struct jobtable *t, size_t i)
{
    return t->arrays[i];
}

struct submission *jobtable_array_of(const struct jobtable *t, jobid_t id,
                                     uint64_t *position)
{
    size_t after = place_after(t, id);
    struct submission *sub = after > 0 ? t->arrays[after - 1] : NULL;
    int64_t at = sub ? jobid_position(sub->first, sub->count, id) : -1;
    *position = (uint64_t)at;
    return at >= 0 ? sub : NULL;
}

uint64_t jobtable_rest(const struct jobtable *t)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t->narrays; i++)
        n += array_number(t->arrays[i]->array, ARRAY_REST);
    return n;
}

bool jobtable_is_empty(const struct jobtable *t)
{
    return t->count == 0 && t->narrays == 0;
}

void submission_drop(struct submission *sub)
{
    if (!sub || --sub->refs > 0)
        return;
    for (int i = 0; sub->rests && i < ARRAY_GROUPS; i++)
        job_free(sub->rests[i]);
    free(sub->rests);
    array_destroy(sub->array);
    jobspec_destroy(sub->spec);
    constraint_destroy(sub->constraint);
    json_object_put(sub->preput);
    free(sub->cc);
    free(sub->key);
    depend_wishes_free(sub->wishes, sub->nwishes);
    free(sub);
}

static void add_line(struct job *job, double when, const char *name, const char *context)
{
    strbuf_add(&job->log, "{\"timestamp\":");
    strbuf_add_time(&job->log, when);
    strbuf_addf(&job->log, ",\"name\":\"%s\"", name);
    if (context)
        strbuf_addf(&job->log, ",\"context\":%s", context);
    strbuf_add(&job->log, "}\n");
}

bool job_event_is_plain(const char *name)
{
    static const char *const plain[] = {"alloc", "start",  "finish", "release", "free",
                                        "clean", "submit", "depend", "priority"};
    for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
        if (strcmp(plain[i], name) == 0)
            return true;
    return false;
}

const struct strbuf *job_log(struct job *job)
{
    char context[96];
    if (job->log.len > 0 || job->stored)
        return &job->log;
    snprintf(context, sizeof(context),
             "{\"userid\":%u,\"urgency\":%d,\"flags\":%u,\"version\":1}", geteuid(),
             job->urgency, job->sub->flags);
    add_line(job, job->t_submit, "submit", context);
    if (job->state == JOB_DEPEND)
        return &job->log;
    add_line(job, job->t_depend, "depend", NULL);
    snprintf(context, sizeof(context), "{\"priority\":%llu}",
             (unsigned long long)job_priority(job->urgency));
    add_line(job, job->t_depend, "priority", context);
    if (job->state < JOB_RUN)
        return &job->log;
    add_line(job, job->t_run, "alloc", NULL);
    if (job->started)
        add_line(job, job->t_run, "start", NULL);
    return &job->log;
}

void job_log_stored(struct job *job)
{
    free(job->log.s);
    job->log = (struct strbuf){0};
    job->stored = true;
}

void job_note(struct job *job, json_object *memo)
{
    if (!job->memo)
        job->memo = json_object_new_object();
    json_object_object_foreach(memo, key, value)
    {
        if (value)
            json_object_object_add(job->memo, key, json_object_get(value));
        else
            json_object_object_del(job->memo, key);
    }
}

uint64_t job_priority(int urgency)
{
    enum { URGENCY_MAX = 31 };
    return urgency == URGENCY_MAX ? UINT32_MAX : (uint64_t)urgency;
}

struct job *job_create(struct submission *sub, uint64_t i, int64_t cc, int urgency,
                       double when)
{
    struct job *job = xcalloc(1, sizeof(*job));
    job->sub = sub;
    sub->refs++;
    job->cc = cc;
    job->ahead = -1;
    job->urgency = urgency;
    job->status = -1;
    job->t_submit = job->t_depend = when;
    job->sj.id = jobid_nth(sub->first, i);
    job->sj.priority = job_priority(urgency);
    job->sj.req.shape = *jobspec_shape(sub->spec);
    job->sj.req.constraint = sub->constraint;
    job->sj.req.place = place_strategy_find(jobspec_placement(sub->spec));
    job->sj.duration = job->sj.req.shape.duration;
    job->sj.count = 1;
    job->state = JOB_SCHED;
    return job;
}

void job_except(struct job *job, const char *type, int severity, const char *note)
{
    if (job->exception && severity >= job->exception->severity)
        return;
    if (!job->exception)
        job->exception = xcalloc(1, sizeof(*job->exception));
    free(job->exception->note);
    snprintf(job->exception->type, sizeof(job->exception->type), "%s", type);
    job->exception->severity = severity;
    job->exception->note = xstrdup(note ? note : "");
}

static void drop_nodes(struct job *job)
{
    if (job->nodes != &job->one_node)
        free(job->nodes);
    job->nodes = NULL;
}

static void drop_placement(struct job *job)
{
    if (!job->site) {
        placement_destroy(job->pl);
        taskmap_destroy(job->map);
    }
    site_drop(take(job->site));
    job->pl = NULL;
    job->map = NULL;
    rset_destroy(take(job->held));
    drop_nodes(job);
    free(take(job->input_taken));
}

void job_run_told(struct job *job)
{
    if (job->run_untold)
        LIST_REMOVE(job, run_entry);
    job->run_untold = false;
}

void job_reset(struct job *job)
{
    job_run_told(job);
    drop_placement(job);
    if (job->exception)
        free(job->exception->note);
    free(take(job->exception));
    json_object_put(take(job->output));
    json_object_put(take(job->memo));
    job->handed = false;
    job->requeue = job->ending = job->expired = job->started = job->failed = job->former =
        false;
    job->run++;
    job->state = JOB_SCHED;
    job->status = -1;
    job->t_run = job->t_cleanup = job->expiration = 0;
    job->ntasks = job->nodes_starting = job->nodes_running = 0;
    job->sj.count = 1;
}

bool job_check(struct job *job, struct pool *pool)
{
    struct error err;
    if (job->state != JOB_SCHED)
        return true;
    free(take(job->reason));
    if (pool_satisfiable(pool, &job->sj.req, &err) == 0)
        return true;
    job->reason = xasprintf("can never run here: %s", err.text);
    return false;
}

void job_await_nodes(struct job *job)
{
    job->nodes_starting = job->nodes_running = (unsigned)job->pl->rset->nnodes;
    drop_nodes(job);
    job->one_node = (struct job_node){0};
    job->nodes = job->nodes_running == 1
                     ? &job->one_node
                     : xcalloc(job->nodes_running, sizeof(*job->nodes));
}

void job_node_done(struct job *job, unsigned index, int status, json_object *report)
{
    job->nodes[index].done = true;
    job->nodes_running--;
    /* what failed by itself counts for more than what was ended because of it */
    bool failed = status != 0 && !json_object_get_boolean(jsonutil_get(report, "ended"));
    if (failed == job->failed)
        job->status = MAX(job->status, status);
    else if (failed)
        job->status = status;
    job->failed |= failed;
    if (!report)
        return;
    if (job->site && job->site->quiet && report == site_quiet_report(job->site)) {
        job->output = json_object_get(job->site->quiet);
        return;
    }
    json_object *entry = json_object_new_array_ext(2);
    unsigned rank = job->pl->rset->nodes[index].rank;
    json_object_array_add(entry, json_object_new_int64(rank));
    json_object_array_add(entry, json_object_get(report));
    if (!job->output)
        job->output = json_object_new_array_ext(1);
    json_object_array_add(job->output, entry);
}

struct site *job_site(struct job *job)
{
    if (!job->site && job->pl && job->map)
        job->site = site_create(job->pl, job->map, job->ntasks);
    return job->site;
}

bool job_take_over(struct job *job, struct job *prev)
{
    struct site *site = prev->held ? NULL : job_site(prev);
    if (!site)
        return false;
    job->site = site_ref(site);
    job->pl = site->pl;
    return true;
}

const struct rset *job_held(const struct job *job)
{
    return job->held ? job->held : job->pl ? job->pl->rset : NULL;
}

static void add_node(struct rset *r, const struct rset_node *node)
{
    rset_add(r, node->rank, node->host, node->cores, node->gpus)->memory = node->memory;
}

struct rset *job_release(struct job *job, hwloc_const_bitmap_t ranks)
{
    const struct rset *all = job->pl ? job->pl->rset : NULL;
    struct rset *gone = rset_create(), *held = rset_create();
    for (size_t i = 0; all && job->nodes && i < all->nnodes; i++) {
        struct job_node *node = &job->nodes[i];
        if (node->done && !node->released &&
            hwloc_bitmap_isset(ranks, all->nodes[i].rank)) {
            node->released = true;
            add_node(gone, &all->nodes[i]);
        } else if (!node->released) {
            add_node(held, &all->nodes[i]);
            held->nslots += job->pl->nslots[i];
        }
    }
    if (gone->nnodes == 0) {
        rset_destroy(gone);
        rset_destroy(held);
        return NULL;
    }
    held->starttime = all->starttime;
    held->expiration = all->expiration;
    rset_destroy(job->held);
    job->held = held;
    return gone;
}

hwloc_bitmap_t job_returned(const struct job *job)
{
    const char *text = jsonutil_string(jsonutil_get(job->memo, "returned"));
    hwloc_bitmap_t ranks = text ? idset_decode(text, NULL) : NULL;
    return ranks ? ranks : hwloc_bitmap_alloc();
}

jobid_t job_grant_of(const struct jobspec *spec)
{
    int64_t id = 0;
    jsonutil_int(jobspec_attr(spec, "system.grant"), 1, INT64_MAX, &id);
    return (jobid_t)id;
}

int job_node_index(const struct job *job, unsigned rank)
{
    if (!job->pl)
        return -1;
    for (size_t i = 0; i < job->pl->rset->nnodes; i++)
        if (job->pl->rset->nodes[i].rank == rank)
            return (int)i;
    return -1;
}

int job_node_open(const struct job *job, unsigned rank)
{
    int index = job->nodes ? job_node_index(job, rank) : -1;
    return index >= 0 && !job->nodes[index].done ? index : -1;
}

enum job_result job_result_of(const struct job *job)
{
    if (job->state != JOB_INACTIVE)
        return JOB_NO_RESULT;
    const struct job_exception *e = job->exception;
    if (e && e->severity == 0) {
        if (strcmp(e->type, "cancel") == 0)
            return JOB_CANCELED;
        return strcmp(e->type, "timeout") == 0 ? JOB_TIMEOUT : JOB_FAILED;
    }
    return job->status == 0 ? JOB_COMPLETED : JOB_FAILED;
}

void job_free(struct job *job)
{
    if (!job)
        return;
    job_run_told(job);
    drop_placement(job);
    if (job->exception)
        free(job->exception->note);
    free(job->exception);
    free(job->unmapped);
    free(job->deps);
    free(job->reason);
    json_object_put(job->output);
    json_object_put(job->memo);
    free(job->log.s);
    if (!job->rest) /* which has no reference, but is its submission's */
        submission_drop(job->sub);
    free(job);
}
