/* SPDX-License-Identifier: BSD-3-Clause */
/* outputs: where the output of a job is, for who reads what there is of it. */
#include "src/instance/leader_impl.h"

#include <errno.h>
#include <string.h>
#include "src/common/util.h"
#include "src/instance/record.h"
#include "src/instance/statedir.h"
#include "src/job/jsonutil.h"

struct found {
    int64_t cc;
    double t_run;
    json_object *reports; /* [[rank, report], ...] or NULL */
};

static int on_entry(void *arg, const struct store_entry *entry)
{
    struct found *f = arg;
    if (!entry->run)
        return 0;
    f->cc = entry->job.flags & JOB_BULK ? -1 : entry->run->cc;
    f->t_run = entry->run->t_run;
    if (entry->run->output)
        f->reports = json_tokener_parse(entry->run->output);
    return 1;
}

static void look_up(struct leader *ld, jobid_t id, struct found *f)
{
    struct store_filter filter = {
        .ids = &id, .nids = 1, .states = JOB_INACTIVE, .max = 1, .before = id + 1};
    store_list(ld->store, &filter, on_entry, f, NULL);
}

char *outputs_former(struct leader *ld, jobid_t id, unsigned rank)
{
    struct found f = {.cc = -1};
    if (ld->config.life <= 1)
        return NULL;
    look_up(ld, id, &f);
    json_object_put(f.reports);
    unsigned life = f.t_run > 0 ? record_life_at(ld->store, f.t_run) : ld->config.life;
    return life < ld->config.life ? statedir_spool(ld->config.statedir, life, rank)
                                  : NULL;
}

/* Bytes that were captured, in all. */
static int64_t count_bytes(json_object *reports)
{
    int64_t bytes = 0, n;
    size_t nreports = json_object_is_type(reports, json_type_array)
                          ? json_object_array_length(reports)
                          : 0;
    for (size_t i = 0; i < nreports; i++) {
        json_object *entry = json_object_array_get_idx(reports, i);
        json_object *sizes = jsonutil_get(json_object_array_get_idx(entry, 1), "output");
        for (size_t k = 0; json_object_is_type(sizes, json_type_array) && k < 2; k++) {
            if (jsonutil_int(json_object_array_get_idx(sizes, k), 0, INT64_MAX / 4, &n))
                bytes += n;
        }
    }
    return bytes;
}

/* Files that the user named. */
static json_object *files_of(const struct jobspec *spec)
{
    json_object *output = jobspec_option(spec, "output");
    json_object *files = json_object_new_object();
    const char *out =
        jsonutil_string(jsonutil_get(jsonutil_get(output, "stdout"), "path"));
    const char *err =
        jsonutil_string(jsonutil_get(jsonutil_get(output, "stderr"), "path"));
    jsonutil_add_string(files, "stdout", out);
    jsonutil_add_string(files, "stderr",
                        err ? err : out); /* stderr goes along, unless told otherwise */
    return files;
}

json_object *outputs_describe(struct leader *ld, jobid_t id)
{
    uint64_t position;
    const struct job *job = jobtable_find(ld->jobs, id),
                     *rest = job ? NULL : elements_waiting(ld, id, &position);
    struct found f = {.cc = job ? job_cc(job) : -1};
    if (rest && !(rest->sub->flags & JOB_BULK))
        f.cc = array_index(rest->sub->array, position);
    if (rest)
        job = rest;
    const struct text *said = job ? job->sub->jobspec_text : NULL; /* all of it */
    struct jobspec *spec = said ? submission_decode(said, NULL) : NULL;
    json_object *o = json_object_new_object();
    if (!job) {
        look_up(ld, id, &f);
        cleanup_free char *text = store_job_info(ld->store, id, "jobspec", NULL);
        spec = text ? jobspec_decode(text, strlen(text), NULL) : NULL;
        json_object_object_add(o, "bytes", json_object_new_int64(count_bytes(f.reports)));
        json_object_put(f.reports);
    }
    if (f.cc >= 0)
        json_object_object_add(o, "cc", json_object_new_int64(f.cc));
    if (spec) {
        jsonutil_add_string(o, "name", jobspec_name(spec));
        jsonutil_add_string(o, "cwd", jobspec_cwd(spec));
        json_object_object_add(o, "files", files_of(spec));
    }
    jobspec_destroy(spec);
    return o;
}
