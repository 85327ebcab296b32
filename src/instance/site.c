/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/site.h"

#include "src/common/util.h"
#include "src/job/jsonutil.h"

struct site *site_create(struct placement *pl, struct taskmap *map, unsigned ntasks)
{
    struct site *site = xcalloc(1, sizeof(*site));
    *site = (struct site){.refs = 1, .pl = pl, .map = map, .ntasks = ntasks};
    return site;
}

struct site *site_ref(struct site *site)
{
    site->refs++;
    return site;
}

void site_texts_clear(struct site_texts *t)
{
    free(t->R);
    free(t->nodelist);
    free(t->ranks);
    free(t->taskmap);
    *t = (struct site_texts){0};
}

void site_drop(struct site *site)
{
    if (!site || --site->refs > 0)
        return;
    placement_destroy(site->pl);
    taskmap_destroy(site->map);
    if (site->texts)
        site_texts_clear(site->texts);
    free(site->texts);
    json_object_put(site->quiet);
    free(site);
}

static char *encode_rset(const struct rset *r)
{
    cleanup_json json_object *R = rset_to_json(r);
    json_object *execution = jsonutil_get(R, "execution");
    json_object_object_del(execution, "starttime");
    json_object_object_del(execution, "expiration");
    return xstrdup(json_object_to_json_string_ext(R, JSON_C_TO_STRING_PLAIN));
}

/* [[RANK, REPORT]], where REPORT is what an executor would tell: PROTOCOL, section 2, "finish". */
static json_object *make_quiet(unsigned rank)
{
    json_object *report = json_object_new_object(), *sizes = json_object_new_array_ext(2);
    json_object *entry = json_object_new_array_ext(2),
                *all = json_object_new_array_ext(1);
    json_object_object_add(report, "status", json_object_new_int(0));
    json_object_object_add(report, "tasks", json_object_new_object());
    for (int i = 0; i < 2; i++)
        json_object_array_add(sizes, json_object_new_int(0));
    json_object_object_add(report, "output", sizes);
    json_object_object_add(report, "pos", NULL);
    json_object_array_add(entry, json_object_new_int64(rank));
    json_object_array_add(entry, report);
    json_object_array_add(all, entry);
    return all;
}

json_object *site_quiet(struct site *site)
{
    if (!site->quiet) {
        site->quiet = make_quiet(site->pl->rset->nodes[0].rank);
        site->quiet_text =
            json_object_to_json_string_ext(site->quiet, JSON_C_TO_STRING_PLAIN);
    }
    return site->quiet;
}

json_object *site_quiet_report(struct site *site)
{
    json_object *entry = json_object_array_get_idx(site_quiet(site), 0);
    return json_object_array_get_idx(entry, 1);
}

struct site_texts site_describe(const struct rset *r, const struct taskmap *map)
{
    return (struct site_texts){.R = encode_rset(r),
                               .nodelist = rset_nodelist(r),
                               .ranks = rset_ranks(r),
                               .taskmap = map ? taskmap_encode(map) : NULL,
                               .nnodes = (int)r->nnodes,
                               .ncores = (int)rset_ncores(r),
                               .ngpus = (int)rset_ngpus(r)};
}

const struct site_texts *site_texts(struct site *site)
{
    if (!site->texts) {
        site->texts = xmalloc(sizeof(*site->texts));
        *site->texts = site_describe(site->pl->rset, site->map);
    }
    return site->texts;
}
