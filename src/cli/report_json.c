/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/report.h"
#include "src/common/util.h"

static void add_number(json_object *o, const char *key, double value)
{
    json_object_object_add(o, key, json_object_new_double(value));
}

static void add_count(json_object *o, const char *key, uint64_t n)
{
    json_object_object_add(o, key, json_object_new_uint64(n));
}

static void add_text(json_object *o, const char *key, const char *text)
{
    json_object_object_add(o, key, json_object_new_string(text));
}

static json_object *results(const size_t *count)
{
    json_object *o = json_object_new_object();
    for (int i = 0; i < REPORT_RESULTS; i++)
        add_count(o, report_results[i], count[i]);
    return o;
}

static json_object *quantiles(const double *v)
{
    json_object *o = json_object_new_object();
    add_number(o, "median", v[0]);
    add_number(o, "p90", v[1]);
    add_number(o, "longest", v[2]);
    return o;
}

static json_object *failures(const struct report *r)
{
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < r->ngroups; i++) {
        const struct report_group *g = &r->groups[i];
        json_object *o = json_object_new_object();
        add_count(o, "njobs", g->n);
        add_text(o, "result", report_results[g->result]);
        add_text(o, "name", report_text(r, g->name));
        add_text(o, "reason", report_text(r, g->reason));
        add_count(o, "last", g->last);
        json_object_array_add(list, o);
    }
    return list;
}

static json_object *names(const struct report *r)
{
    json_object *list = json_object_new_array();
    for (size_t i = 0; i < r->nnames; i++) {
        const struct report_name *n = &r->names[i];
        json_object *o = json_object_new_object();
        add_text(o, "name", report_text(r, n->name));
        add_count(o, "njobs", n->n);
        json_object_object_add(o, "results", results(n->count));
        add_number(o, "core_seconds", n->busy);
        add_number(o, "runtime", n->total);
        add_number(o, "longest", n->longest);
        json_object_array_add(list, o);
    }
    return list;
}

/* What goes on over the time: in each part of it the cores used, the jobs that waited and those that ended. */
static json_object *series(const struct report *r)
{
    double width = (r->end - r->begin) / REPORT_BINS;
    json_object *o = json_object_new_object(), *cores = json_object_new_array(),
                *waiting = json_object_new_array(), *ended = json_object_new_array();
    add_number(o, "width", width);
    for (int i = 0; width > 0 && i < REPORT_BINS; i++) {
        const struct report_bin *b = &r->bins[i];
        uint64_t n = 0;
        for (int k = 0; k < REPORT_RESULTS; k++)
            n += b->ended[k];
        json_object_array_add(cores, json_object_new_double(b->busy / width));
        json_object_array_add(waiting, json_object_new_double(b->waiting / width));
        json_object_array_add(ended, json_object_new_uint64(n));
    }
    json_object_object_add(o, "cores", cores);
    json_object_object_add(o, "waiting", waiting);
    json_object_object_add(o, "ended", ended);
    return o;
}

json_object *report_to_json(const struct report *r, const char *title)
{
    json_object *o = json_object_new_object();
    add_text(o, "title", title);
    add_number(o, "begin", r->njobs ? r->begin : r->now);
    add_number(o, "end", r->njobs ? r->end : r->now);
    add_count(o, "njobs", r->njobs);
    json_object_object_add(o, "results", results(r->count));
    add_count(o, "nnodes", r->nnodes);
    add_count(o, "ncores", r->ncores);
    add_number(o, "core_seconds", r->busy);
    add_number(o, "utilization", r->utilization);
    add_number(o, "rate", r->rate);
    add_number(o, "peak_rate", r->peak_rate);
    json_object_object_add(o, "wait", quantiles(r->wait));
    json_object_object_add(o, "runtime", quantiles(r->runtime));
    json_object_object_add(o, "names", names(r));
    json_object_object_add(o, "failures", failures(r));
    if (r->njobs)
        json_object_object_add(o, "series", series(r));
    return o;
}
