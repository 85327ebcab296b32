/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/pmixd_impl.h"
#include "src/common/duration.h"
#include "src/common/log.h"
#include "src/common/utf8.h"
#include "src/common/util.h"

#include <errno.h>
#include <pmix.h>
#include <string.h>

/* Text from a client as JSON: what is no text cannot be passed on. */
static json_object *text_to_json(const char *s)
{
    return utf8_valid(s, strlen(s)) ? json_object_new_string(s) : NULL;
}

static json_object *infos_to_strings(const pmix_info_t *v, size_t n)
{
    json_object *o = json_object_new_object();
    for (size_t i = 0; i < n; i++) {
        cleanup_free char *text = value_text(&v[i].value);
        json_object *value = text ? text_to_json(text) : NULL;
        if (value)
            json_object_object_add(o, v[i].key, value);
    }
    return o;
}

static json_object *env_to_json(char **env)
{
    json_object *o = json_object_new_object();
    for (size_t i = 0; env && env[i]; i++) {
        const char *equals = strchr(env[i], '=');
        json_object *value = equals ? text_to_json(equals + 1) : NULL;
        if (!value)
            continue;
        cleanup_free char *name = xstrndup(env[i], (size_t)(equals - env[i]));
        json_object_object_add(o, name, value);
    }
    return o;
}

/* Open MPI and PMIx make argv[0] the program's base name: what is run is the command. */
static json_object *app_to_json(const pmix_app_t *app, const pmix_info_t *info,
                                size_t ninfo)
{
    json_object *o = json_object_new_object();
    json_object *argv = json_object_new_array();
    const char *cmd = app->cmd ? app->cmd : app->argv[0];
    const char *cwd = app->cwd;
    json_object_array_add(argv, text_to_json(cmd));
    for (size_t i = 1; app->argv && app->argv[0] && app->argv[i]; i++)
        json_object_array_add(argv, text_to_json(app->argv[i]));
    const pmix_info_t *wdir = info_find(app->info, app->ninfo, PMIX_WDIR);
    if (!wdir)
        wdir = info_find(info, ninfo, PMIX_WDIR);
    if (wdir && wdir->value.type == PMIX_STRING)
        cwd = wdir->value.data.string;
    json_object_object_add(o, "argv", argv);
    json_object_object_add(o, "env", env_to_json(app->env));
    json_object_object_add(o, "cwd", cwd ? text_to_json(cwd) : NULL);
    json_object_object_add(o, "maxprocs", json_object_new_int64(app->maxprocs));
    json_object_object_add(o, "info", infos_to_strings(app->info, app->ninfo));
    return o;
}

static void answer(struct call *c, pmix_status_t status, const char *nspace)
{
    pmix_nspace_t name = {0};
    if (nspace)
        PMIX_LOAD_NSPACE(name, nspace);
    c->cb.spawn(status, name, c->cbdata);
    call_free(c);
}

static void on_known(struct pmixd *d, bool all, void *arg)
{
    struct call *c = arg;
    (void)d;
    if (!all)
        log_warning("the spawned job '%s' is not known to any node", c->procs[0].nspace);
    answer(c, all ? PMIX_SUCCESS : PMIX_ERR_PROC_FAILED_TO_START, c->procs[0].nspace);
}

static void on_spawned(int status, uint64_t id, const char *nspace, const char *error,
                       void *arg)
{
    struct call *c = arg;
    (void)id;
    struct pmixd *d = c->ours;
    if (status) {
        struct pmixd_job *job = pmixd_job_find(d, c->proc.nspace);
        cleanup_free char *text =
            xasprintf("hbatch: spawn: %s\n", error ? error : "failed");
        if (job)
            d->config->ops->log(d->config->arg, job->id, c->proc.rank, 2, text,
                                strlen(text));
        pmix_status_t rc = status_from_errno(status);
        answer(c, rc == PMIX_ERROR ? PMIX_ERR_PROC_FAILED_TO_START : rc, NULL);
        return;
    }
    /* the parent will ask about the child's tasks: have their map here */
    pmix_proc_t child;
    PMIX_LOAD_PROCID(&child, nspace, PMIX_RANK_WILDCARD);
    free(c->procs);
    call_procs(c, &child, 1);
    pmixd_know(d, c->procs, 1, on_known, c);
}

/* Open MPI hands its own variables on to its children; one that pmixd_env gave the parent is for
 * the parent's node and job alone. */
static void forget_directory(json_object *apps, const char *tmpdir)
{
    static const char name[] = "OMPI_MCA_btl_vader_backing_directory";
    for (size_t i = 0; i < json_object_array_length(apps); i++) {
        json_object *env, *value;
        if (json_object_object_get_ex(json_object_array_get_idx(apps, i), "env", &env) &&
            json_object_object_get_ex(env, name, &value) &&
            strcmp(json_object_get_string(value), tmpdir) == 0)
            json_object_object_del(env, name);
    }
}

/* How long the request may wait, from MPIs that pass keys on as variables (hbatch-spawn(7)); a value that makes
 * no sense is the leader's to refuse. */
static double timeout_of(json_object *apps)
{
    json_object *env, *value;
    double seconds = 0;
    json_object *app = json_object_array_get_idx(apps, 0);
    if (json_object_object_get_ex(app, "env", &env) &&
        (json_object_object_get_ex(env, "HBATCH_SPAWN_TIMEOUT", &value)) &&
        duration_decode(json_object_get_string(value), &seconds, NULL) == 0 &&
        seconds < 1e9)
        return seconds;
    return 0;
}

static void on_spawn(struct pmixd *d, struct call *c)
{
    struct pmixd_job *job = pmixd_job_find(d, c->proc.nspace);
    if (!job) {
        answer(c, PMIX_ERR_NOT_FOUND, NULL);
        return;
    }
    c->ours = d;
    forget_directory(c->json, job->tmpdir);
    double timeout = info_number(c->info, c->ninfo, PMIX_SPAWN_TIMEOUT,
                                 info_number(c->info, c->ninfo, PMIX_TIMEOUT, 0));
    if (timeout <= 0)
        timeout = timeout_of(c->json);
    pmixd_trace(d, "%s.%u spawns %s", c->proc.nspace, c->proc.rank,
                json_object_to_json_string_ext(c->json, JSON_C_TO_STRING_PLAIN));
    spawner_request(d->spawner, job->id, job->nspace, c->proc.rank, take(c->json),
                    infos_to_strings(c->info, c->ninfo), timeout, on_spawned, c);
}

pmix_status_t up_spawn(const pmix_proc_t *proc, const pmix_info_t job_info[],
                       size_t ninfo, const pmix_app_t apps[], size_t napps,
                       pmix_spawn_cbfunc_t cb, void *cbdata)
{
    if (napps == 0)
        return PMIX_ERR_BAD_PARAM;
    for (size_t i = 0; i < napps; i++)
        if ((!apps[i].cmd && (!apps[i].argv || !apps[i].argv[0])) || apps[i].maxprocs < 1)
            return PMIX_ERR_BAD_PARAM;
    struct call *c = call_new(on_spawn);
    c->proc = *proc;
    call_info(c, job_info, ninfo);
    c->json = json_object_new_array();
    for (size_t i = 0; i < napps; i++)
        json_object_array_add(c->json, app_to_json(&apps[i], job_info, ninfo));
    c->cb.spawn = cb;
    c->cbdata = cbdata;
    call_push(c);
    return PMIX_SUCCESS;
}

/* --- abort */

static void on_abort(struct pmixd *d, struct call *c)
{
    /* "N/A" is what Open MPI says when it has nothing to say. */
    const char *text = c->text && strcmp(c->text, "N/A") != 0 ? c->text : "";
    const char *last = c->proc.nspace;
    if (c->nprocs == 0) {
        struct pmixd_job *job = pmixd_job_find(d, c->proc.nspace);
        if (job)
            d->config->ops->abort(d->config->arg, job->id, c->proc.rank, c->status, text);
    }
    for (size_t i = 0; i < c->nprocs; i++) {
        struct pmixd_job *job = pmixd_job_find(d, c->procs[i].nspace);
        if (job && (i == 0 || strcmp(last, c->procs[i].nspace) != 0))
            d->config->ops->abort(d->config->arg, job->id, c->proc.rank, c->status, text);
        last = c->procs[i].nspace;
    }
    call_done(c, PMIX_SUCCESS);
}

pmix_status_t up_abort(const pmix_proc_t *proc, void *object, int status,
                       const char msg[], pmix_proc_t procs[], size_t nprocs,
                       pmix_op_cbfunc_t cb, void *cbdata)
{
    (void)object;
    struct call *c = call_new(on_abort);
    c->proc = *proc;
    c->status = status;
    c->text = msg ? xstrdup(msg) : NULL;
    call_procs(c, procs, procs ? nprocs : 0);
    c->cb.done = cb;
    c->cbdata = cbdata;
    call_push(c);
    return PMIX_SUCCESS;
}
