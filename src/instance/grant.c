/* SPDX-License-Identifier: BSD-3-Clause */
/* grant: jobs whose tasks join an instance that runs as another job, its *base*: more nodes for
 * it.  A grant is never on a node that its base, or another grant of that, is on; it ends no later
 * than the base, and when that is over. */
#include "src/instance/leader_impl.h"

#include <sys/wait.h>
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

/* s after its base is over: its tasks leave by themselves when the base ends in order */
#define WIDOW_S 5.0

/* --- nodes ------------------------------------------------------------------------------------ */

static void add_ranks(hwloc_bitmap_t set, const struct job *job)
{
    const struct rset *r = job_held(job);
    for (size_t i = 0; r && i < r->nnodes; i++)
        hwloc_bitmap_set(set, r->nodes[i].rank);
}

hwloc_bitmap_t grant_nodes(const struct leader *ld, const struct job *base)
{
    hwloc_bitmap_t set = hwloc_bitmap_alloc();
    add_ranks(set, base);
    for (struct job *g = base->ngrants ? jobtable_first(ld->jobs) : NULL; g; g = g->next)
        if (g->sub->grant == base->sj.id)
            add_ranks(set, g);
    return set;
}

unsigned grant_pending_nodes(const struct leader *ld, const struct job *base)
{
    unsigned n = 0;
    for (struct job *g = base->ngrants ? jobtable_first(ld->jobs) : NULL; g; g = g->next)
        if (g->sub->grant == base->sj.id && g->state < JOB_RUN)
            n += job_shape_of(g)->nnodes_min;
    return n;
}

/* {"and":[WANTED, {"not":[{"ranks":[IDS]}]}]} */
static json_object *without(json_object *wanted, hwloc_const_bitmap_t nodes)
{
    static const char *const around[] = {"ranks", "not"};
    json_object *o = json_object_new_array();
    cleanup_json json_object *text = json_object_new_object();
    jsonutil_add_idset(text, "ids", nodes);
    json_object_array_add(o, json_object_get(jsonutil_get(text, "ids")));
    for (size_t i = 0; i < ARRAY_SIZE(around); i++) {
        json_object *op = json_object_new_object(), *list = json_object_new_array();
        json_object_object_add(op, around[i], o);
        json_object_array_add(list, op);
        o = list;
    }
    if (wanted)
        json_object_array_add(o, json_object_get(wanted));
    json_object *all = json_object_new_object();
    json_object_object_add(all, "and", o);
    return all;
}

/* Pending grants of BASE are not to be placed where it is now. */
static void keep_apart(struct leader *ld, const struct job *base)
{
    struct error err;
    cleanup_bitmap hwloc_bitmap_t nodes = NULL;
    for (struct job *g = base->ngrants ? jobtable_first(ld->jobs) : NULL; g;
         g = g->next) {
        if (g->sub->grant != base->sj.id || g->state >= JOB_RUN)
            continue;
        if (!nodes)
            nodes = grant_nodes(ld, base);
        cleanup_json json_object *o = without(jobspec_constraints(g->sub->spec), nodes);
        struct constraint *c = constraint_from_json(o, &err);
        if (!c)
            continue;
        bool queued = g->sj.queued;
        sched_remove(ld->sched, &g->sj);
        constraint_destroy(g->sub->constraint);
        g->sj.req.constraint = g->sub->constraint = c;
        if (queued)
            queues_enqueue(ld, g);
    }
}

/* --- a grant's life --------------------------------------------------------------------------- */

struct job *grant_base(const struct leader *ld, const struct job *job)
{
    return job->sub->grant ? jobtable_find(ld->jobs, job->sub->grant) : NULL;
}

static void event(struct leader *ld, struct job *base, const char *name,
                  const struct job *g, const struct rset *r)
{
    cleanup_free char *ranks = r ? rset_ranks(r) : NULL;
    cleanup_free char *context =
        ranks ? xasprintf("{\"id\":%llu,\"ranks\":\"%s\"}", (unsigned long long)g->sj.id,
                          ranks)
              : xasprintf("{\"id\":%llu,\"nnodes\":%u}", (unsigned long long)g->sj.id,
                          job_shape_of(g)->nnodes_min);
    job_event(ld, base, time_now(), name, context);
}

void grant_queued(struct leader *ld, struct job *g)
{
    struct job *base = grant_base(ld, g);
    if (!base)
        return;
    base->ngrants++;
    event(ld, base, "grant", g, NULL);
    keep_apart(ld, base);
}

void grant_placed(struct leader *ld, struct job *g)
{
    struct job *base = grant_base(ld, g);
    if (!base)
        return;
    event(ld, base, "grow", g, job_held(g));
    keep_apart(ld, base);
}

void grant_released(struct leader *ld, struct job *job, const struct rset *r)
{
    struct job *base = grant_base(ld, job);
    if (base)
        event(ld, base, "shrink", job, r);
    keep_apart(ld, base ? base : job);
}

static void widow(struct leader *ld, struct job *g)
{
    if (g->widowed > 0)
        return;
    g->widowed = time_now() + WIDOW_S;
    ld->nwidows++;
}

void grant_over(struct leader *ld, struct job *g)
{
    struct job *base = grant_base(ld, g);
    if (g->widowed > 0)
        ld->nwidows--;
    if (!base)
        return;
    if (base->ngrants > 0)
        base->ngrants--;
    if (g->pl)
        event(ld, base, "shrink", g, job_held(g));
    keep_apart(ld, base);
}

/* There is no instance any more that could end in order. */
static void end_widow(struct leader *ld, struct job *g)
{
    manager_exception(ld, g, "cancel", 0, "the job that it was granted to is over");
    if (g->nodes_running > 0)
        launch_end(ld, g, 0, NULL);
}

void grant_base_ends(struct leader *ld, const struct job *base, bool over)
{
    char text[JOBID_BUFSIZE];
    jobid_encode(base->sj.id, JOBID_F58_PLAIN, text, sizeof(text));
    cleanup_free char *why = xasprintf("job %s, which it was granted to, is over", text);
    for (struct job *g = base->ngrants ? jobtable_first(ld->jobs) : NULL, *next; g;
         g = next) {
        next = g->next;
        if (g->sub->grant != base->sj.id)
            continue;
        if (g->state < JOB_RUN)
            manager_exception(ld, g, "cancel", 0, why);
        else if (over &&
                 WIFSIGNALED(base->status)) /* who is left has nobody to end with */
            end_widow(ld, g);
        else if (over)
            widow(ld, g);
    }
}

void grant_run(struct leader *ld, double now)
{
    for (struct job *g = ld->nwidows ? jobtable_first(ld->jobs) : NULL, *next; g;
         g = next) {
        next = g->next;
        if (g->widowed > 0 && g->widowed <= now && !g->ending) {
            ld->nwidows--;
            g->widowed = 0;
            end_widow(ld, g);
        }
    }
}

double grant_next(const struct leader *ld)
{
    double first = 0;
    for (struct job *g = ld->nwidows ? jobtable_first(ld->jobs) : NULL; g; g = g->next)
        if (g->widowed > 0 && (first == 0 || g->widowed < first))
            first = g->widowed;
    return first;
}

void grant_adopt(struct leader *ld)
{
    for (struct job *g = jobtable_first(ld->jobs); g; g = g->next) {
        struct job *base = grant_base(ld, g);
        if (base)
            base->ngrants++;
        else if (g->sub->grant)
            widow(ld, g);
    }
    for (struct job *job = jobtable_first(ld->jobs); job; job = job->next)
        keep_apart(ld, job);
}

/* The ranks of those that have joined, as the base's leader tells it. */
void grant_noted(struct leader *ld, struct job *base)
{
    const char *text = jsonutil_string(jsonutil_get(base->memo, "nodes"));
    cleanup_bitmap hwloc_bitmap_t in = text ? idset_decode(text, NULL) : NULL;
    for (struct job *g = in && base->ngrants ? jobtable_first(ld->jobs) : NULL; g;
         g = g->next) {
        if (g->sub->grant != base->sj.id || !g->pl || jsonutil_get(g->memo, "joined"))
            continue;
        cleanup_bitmap hwloc_bitmap_t own = hwloc_bitmap_alloc();
        add_ranks(own, g);
        if (!hwloc_bitmap_isincluded(own, in))
            continue;
        cleanup_json json_object *memo = json_object_new_object();
        json_object_object_add(memo, "joined", json_object_new_boolean(true));
        manager_memo(ld, g, memo, true);
    }
}
