/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/common/util.h"
#include "src/instance/site.h"
#include "src/instance/specs.h"
#include "src/job/jsonutil.h"

void record_submission(struct store *store, const struct submission *sub, double now,
                       int urgency)
{
    const struct job_shape *shape = jobspec_shape(sub->spec);
    unsigned nodes = shape->nnodes_min;
    unsigned slots = shape->nslots * MAX(nodes, 1u);
    cleanup_free char *jobspec = text_get(sub->jobspec_text);
    struct store_job sj = {
        .id = sub->first,
        .count = sub->count,
        .cc = sub->cc,
        .userid = geteuid(),
        .t_submit = now,
        .urgency = urgency,
        .priority = (int64_t)job_priority(urgency),
        .flags = sub->flags,
        .ntasks = (int)(shape->ntasks ? shape->ntasks : slots * shape->tasks_per_slot),
        .nnodes = (int)nodes,
        .ncores = (int)(slots * shape->cores_per_slot),
        .ngpus = (int)(slots * shape->gpus_per_slot),
        .duration = shape->duration,
        .name = jobspec_name(sub->spec),
        .cwd = jobspec_cwd(sub->spec),
        .queue = jobspec_queue(sub->spec),
        .jobspec = jobspec,
        .key = sub->key,
        .parent = sub->parent,
        .parent_rank = sub->parent_rank,
    };
    if (sub->env_text) {
        cleanup_free char *env = text_get(sub->env_text);
        store_env(store, sub->env_text->name, env);
    }
    store_job_submit(store, &sj);
}

/* The texts of a job that has not all that it had, or no task map. */
static struct site_texts describe_part(const struct job *job, bool over)
{
    struct site_texts t = site_describe(job_held(job), job->map);
    if (over || !job->held)
        return t;
    /* R of a job that runs is all of its placement, which its task map is for: the log tells what
     * was released of it. */
    struct site_texts all = site_describe(job->pl->rset, NULL);
    char *R = take(all.R);
    all.R = t.R;
    t.R = R;
    site_texts_clear(&all);
    return t;
}

static const char *describe_output(const struct job *job)
{
    if (job->site && job->output == job->site->quiet)
        return job->site->quiet_text;
    return job->output
               ? json_object_to_json_string_ext(job->output, JSON_C_TO_STRING_PLAIN)
               : NULL;
}

/* Everything about JOB's run that is known by now. */
static void put_run(struct store *store, struct job *job, bool over)
{
    /* what runs keeps no texts, unless those before it in its place left them: it may be one of many */
    struct site *site = job->held ? NULL : over ? job_site(job) : job->site;
    struct site_texts part = {0};
    if (!site && job->pl)
        part = describe_part(job, over);
    const struct site_texts *t = site ? site_texts(site) : &part;
    struct store_run run = {
        .id = job->sj.id,
        .job = job->sub->first,
        .cc = job->cc,
        .t_depend = job->t_depend,
        .t_run = job->t_run,
        .t_cleanup = job->t_cleanup,
        .t_inactive = job->t_inactive,
        .expiration = job->expiration,
        .status = job->status,
        .result = (int)job_result_of(job),
        .nnodes = t->nnodes,
        .ncores = t->ncores,
        .ngpus = t->ngpus,
        .exception_type = job->exception ? job->exception->type : NULL,
        .exception_severity = job->exception ? job->exception->severity : 0,
        .exception_note = job->exception ? job->exception->note : NULL,
        .R = t->R,
        .nodelist = t->nodelist,
        .ranks = t->ranks,
        .taskmap = t->taskmap,
        .output = describe_output(job),
    };
    if (over)
        store_job_end(store, &run, job->sub->left == 0);
    else
        store_job_update(store, &run);
    site_texts_clear(&part);
}

void record_run(struct store *store, struct job *job)
{
    job_run_told(job);
    put_run(store, job, false);
}

void record_run_later(struct run_jobs *jobs, struct job *job)
{
    if (job->run_untold)
        return;
    LIST_INSERT_HEAD(jobs, job, run_entry);
    job->run_untold = true;
}

void record_runs(struct store *store, struct run_jobs *jobs)
{
    while (!LIST_EMPTY(jobs))
        record_run(store, LIST_FIRST(jobs));
}

void record_end(struct store *store, struct job *job)
{
    job_run_told(job);
    put_run(store, job, true);
}

void record_elements_end(struct store *store, const struct submission *sub,
                         struct array_run run, const struct element_end *end)
{
    const struct store_run first = {
        .id = jobid_nth(sub->first, run.first),
        .job = sub->first,
        .cc = array_index(sub->array, run.first),
        .t_depend = end->t_depend,
        .t_inactive = end->when,
        .status = -1,
        .result = (int)element_result(end),
        .exception_type = end->type,
        .exception_note = end->note,
    };
    store_elements_end(store, &first, run.n, sub->left == 0);
}

static void put_attr(struct store *store, const char *what, unsigned rank,
                     const char *line)
{
    char name[32];
    snprintf(name, sizeof(name), "%s-%u", what, rank);
    store_attr_set(store, name, line);
}

static char *get_attr(struct store *store, const char *what, unsigned rank)
{
    char name[32];
    snprintf(name, sizeof(name), "%s-%u", what, rank);
    return store_attr_get(store, name, NULL);
}

void record_node(struct store *store, unsigned rank, const char *line)
{
    put_attr(store, "node", rank, line);
}

char *record_node_last(struct store *store, unsigned rank)
{
    return get_attr(store, "node", rank);
}

void record_lease(struct store *store, unsigned rank, const struct ahead_jobs *jobs)
{
    cleanup_strbuf struct strbuf b = {0};
    const struct job *job;
    strbuf_addc(&b, '[');
    TAILQ_FOREACH(job, jobs, ahead_entry)
    {
        if (b.len > 1)
            strbuf_addc(&b, ',');
        strbuf_addu(&b, job->sj.id);
    }
    strbuf_addc(&b, ']');
    put_attr(store, "lease", rank, b.s);
}

json_object *record_lease_last(struct store *store, unsigned rank)
{
    cleanup_free char *text = get_attr(store, "lease", rank);
    return text ? jsonutil_decode(text, strlen(text), NULL) : NULL;
}

void record_exec(struct store *store, unsigned rank, const char *line)
{
    put_attr(store, "exec", rank, line);
}

char *record_exec_last(struct store *store, unsigned rank)
{
    return get_attr(store, "exec", rank);
}

static json_object *lives(struct store *store)
{
    cleanup_free char *text = store_attr_get(store, "lives", NULL);
    json_object *list = text ? json_tokener_parse(text) : NULL;
    if (json_object_is_type(list, json_type_array))
        return list;
    json_object_put(list);
    return json_object_new_array();
}

void record_life(struct store *store, double when)
{
    cleanup_json json_object *list = lives(store);
    json_object_array_add(list, json_object_new_double(when));
    store_attr_set(store, "lives",
                   json_object_to_json_string_ext(list, JSON_C_TO_STRING_PLAIN));
}

unsigned record_life_at(struct store *store, double when)
{
    cleanup_json json_object *list = lives(store);
    size_t n = json_object_array_length(list);
    while (n > 1 && json_object_get_double(json_object_array_get_idx(list, n - 1)) > when)
        n--;
    return (unsigned)n;
}

void record_state(struct store *store, unsigned generation, uint64_t epoch)
{
    char state[64];
    snprintf(state, sizeof(state), "%u %llu", generation, (unsigned long long)epoch);
    store_attr_set(store, "state", state);
}

void record_state_last(struct store *store, unsigned *generation, uint64_t *epoch)
{
    cleanup_free char *state = store_attr_get(store, "state", NULL);
    char *rest = NULL;
    *generation = state ? (unsigned)strtoul(state, &rest, 10) : 0;
    *epoch = state ? strtoull(rest, NULL, 10) : 0;
}
