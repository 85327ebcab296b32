/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_purge: jobs that are over are forgotten: by the store of each rank, and by the spools of the executors that have
 * their output. */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/change.h"
#include "src/instance/record.h"
#include "src/instance/statedir.h"
#include "src/job/jsonutil.h"

enum {
    AT_ONCE = 10000,    /* rows that a request looks at: others wait meanwhile */
    SWEEP_MOST = 100000 /* texts are looked through if no more jobs than these are left */
};

struct purge {
    struct leader *ld;
    json_object *ranges;  /* of the line in the state stream */
    json_object *outputs; /* {"RANK":{"own":[[ID,POS],..],"former":{PATH:[..]}}} */
    struct store_purge_range *v;
    size_t n;
    uint64_t jobs;
};

static json_object *int_pair(int64_t a, int64_t b)
{
    json_object *o = json_object_new_array_ext(3);
    json_object_array_add(o, json_object_new_int64(a));
    json_object_array_add(o, json_object_new_int64(b));
    return o;
}

/* The member KEY of O, made if it is not there. */
static json_object *member(json_object *o, const char *key, json_object *(*make)(void))
{
    json_object *value = jsonutil_get(o, key);
    if (!value)
        json_object_object_add(o, key, value = make());
    return value;
}

static void add_output(struct purge *p, const struct store_run *run, json_object *report)
{
    int64_t rank, pos;
    char key[24];
    unsigned now = p->ld->config.life, life = now;
    if (!jsonutil_int(json_object_array_get_idx(report, 0), 0,
                      (int64_t)p->ld->config.size - 1, &rank) ||
        !jsonutil_int(jsonutil_get(json_object_array_get_idx(report, 1), "pos"), 1,
                      INT64_MAX, &pos))
        return; /* it wrote nothing there */
    if (now > 1 && run->t_run > 0)
        life = record_life_at(p->ld->store, run->t_run);
    snprintf(key, sizeof(key), "%u", (unsigned)rank);
    json_object *files = member(p->outputs, key, json_object_new_object);
    cleanup_free char *path =
        life < now ? statedir_spool(p->ld->config.statedir, life, (unsigned)rank) : NULL;
    json_object *list = member(files, path ? path : "", json_object_new_array);
    json_object_array_add(list, int_pair((int64_t)run->id, pos));
}

static void on_purge(void *arg, const struct store_purge_range *range,
                     const struct store_run *run)
{
    struct purge *p = arg;
    if (range) {
        p->v = xrealloc(p->v, (p->n + 1) * sizeof(*p->v));
        p->v[p->n++] = *range;
        p->jobs += range->n;
        return;
    }
    cleanup_json json_object *reports =
        run->output ? json_tokener_parse(run->output) : NULL;
    size_t n = json_object_is_type(reports, json_type_array)
                   ? json_object_array_length(reports)
                   : 0;
    for (size_t i = 0; i < n; i++) {
        json_object *report = json_object_array_get_idx(reports, i);
        if (json_object_is_type(report, json_type_array))
            add_output(p, run, report);
    }
}

/* Executors give back what the output took, once nobody can have another opinion of it. */
static void forget_outputs(struct purge *p)
{
    json_object_object_foreach(p->outputs, rank, files)
    {
        unsigned r = (unsigned)strtoul(rank, NULL, 10);
        if (p->ld->nodes[r].lost)
            continue;
        json_object_object_foreach(files, path, jobs)
        {
            cleanup_json json_object *o = json_object_new_object();
            json_object_object_add(o, "m", json_object_new_string("forget"));
            json_object_object_add(o, "jobs", json_object_get(jobs));
            if (*path)
                json_object_object_add(o, "spool", json_object_new_string(path));
            size_t len;
            const char *text = json_object_to_json_string_length(
                o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
            gate_exec(p->ld, r, text, len);
        }
    }
}

/* What was found is gone; LAST: no more comes of this request. */
static void carry_out(struct purge *p, bool last)
{
    struct store_stats st;
    p->ranges = json_object_new_array();
    for (size_t i = 0; i < p->n; i++) {
        json_object *o = int_pair((int64_t)p->v[i].first, (int64_t)p->v[i].last);
        if (p->v[i].alike)
            json_object_array_add(o, json_object_new_int(1));
        json_object_array_add(p->ranges, o);
        store_purge(p->ld->store, &p->v[i]);
    }
    store_stats(p->ld->store, &st);
    bool sweep = last && st.inactive <= SWEEP_MOST;
    if (sweep)
        store_sweep(p->ld->store);
    if (p->n > 0 || sweep)
        change_purged(p->ld, p->ranges, sweep);
    forget_outputs(p);
}

static void purge_clear(struct purge *p)
{
    json_object_put(p->ranges);
    json_object_put(p->outputs);
    free(p->v);
}

/* --- by the configuration --------------------------------------------------------------------- */

enum { TRIM_S = 2, TRIM_SHARE = 20 }; /* s between two looks; of the time, one part of */

static bool has_limits(const struct leader *ld)
{
    const struct config *c = ld->queues->config;
    return c->inactive_age > 0 || c->inactive_num >= 0;
}

double purge_next(const struct leader *ld)
{
    return has_limits(ld) ? ld->trim.at : 0;
}

/* Whether there is something to cut, or may be. */
static bool find_cut(struct leader *ld, double now)
{
    const struct config *c = ld->queues->config;
    struct leader_trim *t = &ld->trim;
    struct store_cut by_num = {0};
    struct error err;
    struct store_stats st;
    store_stats(ld->store, &st);
    bool same = st.inactive == t->seen && c->inactive_age <= 0;
    t->seen = st.inactive;
    t->cut = (struct store_cut){.t = c->inactive_age > 0 ? now - c->inactive_age : 0};
    if (st.inactive == 0 || same)
        return false;
    if (c->inactive_num >= 0 && st.inactive > (uint64_t)c->inactive_num &&
        store_cut_after(ld->store, (uint64_t)c->inactive_num, &by_num, &err) < 0)
        log_error("job-manager.inactive-num-limit: %s", err.text);
    if (by_num.t > t->cut.t)
        t->cut = by_num;
    return t->cut.t > 0;
}

void purge_run(struct leader *ld, double now)
{
    struct leader_trim *t = &ld->trim;
    struct purge p = {.ld = ld};
    struct error err;
    double begin = time_mono();
    if (!has_limits(ld) || now < t->at)
        return;
    if (leader_store_works(ld) && (t->from > 0 || find_cut(ld, now))) {
        p.outputs = json_object_new_object();
        jobid_t next = 0;
        if (store_purge_find(ld->store, &t->cut, MAX(t->from, (jobid_t)1), INT64_MAX,
                             AT_ONCE, on_purge, &p, &next, &err) < 0)
            log_error("the limits of job-manager: %s", err.text);
        else if (p.n > 0 || next == 0)
            carry_out(&p, next == 0 && p.n > 0);
        t->from = next;
        purge_clear(&p);
    }
    double took = time_mono() - begin;
    t->spent += took;
    if (t->from > 0) { /* others have their turn */
        t->at = now + 2 * took;
        return;
    }
    t->at = now + MAX((double)TRIM_S, t->spent * TRIM_SHARE);
    t->spent = 0;
}

/* --- which ------------------------------------------------------------------------------------ */

static int64_t inactive(struct leader *ld)
{
    struct store_stats st;
    store_stats(ld->store, &st);
    return (int64_t)st.inactive;
}

/* Of age, num and cut: what goes beyond one of them is taken. */
static int parse_cut(struct leader *ld, json_object *params, struct store_cut *cut,
                     struct error *err)
{
    double age;
    int64_t num, id;
    json_object *o = jsonutil_get(params, "cut");
    struct store_cut by_num = {0};
    *cut = (struct store_cut){0};
    if (o) {
        if (!json_object_is_type(o, json_type_array) ||
            !jsonutil_number(json_object_array_get_idx(o, 0), &cut->t) ||
            !jsonutil_int(json_object_array_get_idx(o, 1), 0, INT64_MAX, &id))
            return error_set(err, EINVAL, "request: cut must be [time, id], not %s",
                             jsonutil_show(o).text);
        cut->id = (jobid_t)id;
        return 0;
    }
    if ((o = jsonutil_get(params, "age"))) {
        if (!jsonutil_number(o, &age) || !(age >= 0))
            return error_set(err, EINVAL,
                             "request: age must be a number of seconds, not %s",
                             jsonutil_show(o).text);
        cut->t = time_now() - age;
    }
    if (!jsonutil_get(params, "num"))
        return 0;
    if (param_int(params, "num", 0, INT64_MAX, 0, &num, err) < 0 ||
        store_cut_after(ld->store, (uint64_t)num, &by_num, err) < 0)
        return -1;
    if (by_num.t > cut->t || (by_num.t >= cut->t && by_num.id > cut->id))
        *cut = by_num;
    return 0;
}

static void add_error(json_object *errors, jobid_t id, const struct error *e)
{
    json_object *o = json_object_new_object();
    json_object_object_add(o, "id", json_object_new_int64((int64_t)id));
    json_object_object_add(o, "code", json_object_new_int(e->code));
    json_object_object_add(o, "message", json_object_new_string(e->text));
    json_object_array_add(errors, o);
}

/* All that is over and between FIRST and LAST. */
static int find_between(struct purge *p, jobid_t first, jobid_t last, struct error *err)
{
    const struct store_cut all = {INFINITY, INT64_MAX};
    for (jobid_t next = first; next > 0; first = next)
        if (store_purge_find(p->ld->store, &all, first, last, SIZE_MAX, on_purge, p,
                             &next, err) < 0)
            return -1;
    return 0;
}

static int find_one(struct purge *p, jobid_t id, struct error *err)
{
    uint64_t before = p->jobs, position;
    char text[JOBID_BUFSIZE];
    jobid_encode(id, JOBID_F58_PLAIN, text, sizeof(text));
    if (jobtable_find(p->ld->jobs, id) || elements_waiting(p->ld, id, &position))
        return error_set(err, EINVAL,
                         "job %s is active: only jobs that are over can be purged", text);
    if (find_between(p, id, id, err) < 0)
        return -1;
    if (p->jobs > before)
        return 0;
    if (stream_is_over(p->ld, id, err))
        return error_set(err, EINVAL,
                         "job %s is of an array that is not over: its elements can be "
                         "purged together with it",
                         text);
    return -1;
}

static int find_ids(struct purge *p, json_object *ids, json_object *errors,
                    struct error *err)
{
    size_t n = json_object_array_length(ids);
    for (size_t i = 0; i < n; i++) {
        struct error e;
        int64_t id;
        json_object *o = json_object_array_get_idx(ids, i);
        if (!jsonutil_int(o, 1, INT64_MAX, &id))
            return error_set(err, EINVAL, "request: %s is not a job id",
                             jsonutil_show(o).text);
        if (find_one(p, (jobid_t)id, &e) < 0)
            add_error(errors, (jobid_t)id, &e);
    }
    return 0;
}

static int find_ranges(struct purge *p, json_object *ranges, struct error *err)
{
    size_t n = json_object_array_length(ranges);
    for (size_t i = 0; i < n; i++) {
        jobid_t first, last;
        json_object *o = json_object_array_get_idx(ranges, i);
        if (param_range(o, 1, &first, &last, err) < 0 ||
            find_between(p, first, last, err) < 0)
            return -1;
    }
    return 0;
}

static int find(struct purge *p, json_object *params, json_object *result, jobid_t *next,
                struct error *err)
{
    json_object *ids = jsonutil_get(params, "ids"),
                *ranges = jsonutil_get(params, "ranges");
    json_object *errors = json_object_new_array();
    struct store_cut cut;
    int64_t from;
    *next = 0;
    json_object_object_add(result, "errors", errors);
    if ((ids && !json_object_is_type(ids, json_type_array)) ||
        (ranges && !json_object_is_type(ranges, json_type_array)))
        return error_set(err, EINVAL, "request: ids and ranges must be lists");
    if (ids || ranges)
        return (ids && find_ids(p, ids, errors, err) < 0) ||
                       (ranges && find_ranges(p, ranges, err) < 0)
                   ? -1
                   : 0;
    if (!jsonutil_get(params, "age") && !jsonutil_get(params, "num") &&
        !jsonutil_get(params, "cut"))
        return error_set(err, EINVAL,
                         "request: job.purge needs ids, ranges, age, num or cut");
    if (parse_cut(p->ld, params, &cut, err) < 0 ||
        param_int(params, "from", 1, INT64_MAX, 1, &from, err) < 0 ||
        store_purge_find(p->ld->store, &cut, (jobid_t)from, INT64_MAX, AT_ONCE, on_purge,
                         p, next, err) < 0)
        return -1;
    if (*next == 0)
        return 0;
    json_object *o = json_object_new_array_ext(2);
    json_object_array_add(o, json_object_new_double(cut.t));
    json_object_array_add(o, json_object_new_int64((int64_t)cut.id));
    json_object_object_add(result, "cut", o);
    json_object_object_add(result, "next", json_object_new_int64((int64_t)*next));
    return 0;
}

static int rpc_purge(struct leader *ld, const struct request *rq, json_object *params,
                     struct error *err)
{
    struct purge p = {.ld = ld, .outputs = json_object_new_object()};
    json_object *result = json_object_new_object();
    jobid_t next;
    bool dry = json_object_get_boolean(jsonutil_get(params, "dry"));
    int rc = find(&p, params, result, &next, err);
    if (rc == 0) {
        if (!dry)
            carry_out(&p, next == 0);
        json_object_object_add(result, "purged", json_object_new_int64((int64_t)p.jobs));
        json_object_object_add(result, "inactive", json_object_new_int64(inactive(ld)));
        reply_when_stored(ld, rq, result);
    } else {
        json_object_put(result);
    }
    purge_clear(&p);
    return rc;
}

const struct rpc rpc_purge_table[] = {
    {"job.purge", rpc_purge},
    {NULL, NULL},
};
