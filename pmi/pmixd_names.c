/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/pmixd_impl.h"
#include "src/common/util.h"

#include <errno.h>
#include <string.h>

static enum nameserv_range range_of(const pmix_info_t *info, size_t ninfo)
{
    switch ((int)info_number(info, ninfo, PMIX_RANGE, PMIX_RANGE_SESSION)) {
    case PMIX_RANGE_NAMESPACE:
        return NAMESERV_JOB;
    case PMIX_RANGE_LOCAL:
        return NAMESERV_NODE;
    case PMIX_RANGE_PROC_LOCAL:
        return NAMESERV_TASK;
    default:
        return NAMESERV_ALL;
    }
}

static enum nameserv_persist persist_of(const pmix_info_t *info, size_t ninfo)
{
    switch ((int)info_number(info, ninfo, PMIX_PERSISTENCE, PMIX_PERSIST_SESSION)) {
    case PMIX_PERSIST_FIRST_READ:
        return NAMESERV_ONCE;
    case PMIX_PERSIST_PROC:
        return NAMESERV_WHILE_TASK;
    case PMIX_PERSIST_APP:
        return NAMESERV_WHILE_JOB;
    default:
        return NAMESERV_INSTANCE;
    }
}

/* Infos that say how to do it, rather than being published. */
static bool is_directive(const char *key)
{
    static const char *const directives[] = {PMIX_RANGE,   PMIX_PERSISTENCE,
                                             PMIX_USERID,  PMIX_GRPID,
                                             PMIX_TIMEOUT, PMIX_ACCESS_PERMISSIONS};
    for (size_t i = 0; i < ARRAY_SIZE(directives); i++)
        if (strcmp(key, directives[i]) == 0)
            return true;
    return false;
}

static void on_op_done(int status, json_object *found, void *arg)
{
    (void)found;
    call_done(arg, status_from_errno(status));
}

static void on_publish(struct pmixd *d, struct call *c)
{
    json_object *data = json_object_new_object();
    for (size_t i = 0; i < c->ninfo; i++) {
        if (is_directive(c->info[i].key))
            continue;
        json_object *value = value_to_json(&c->info[i].value);
        if (!value) {
            json_object_put(data);
            call_done(c, PMIX_ERR_PACK_FAILURE);
            return;
        }
        json_object_object_add(data, c->info[i].key, value);
    }
    nameserv_publish(d->ns, c->proc.nspace, c->proc.rank, data,
                     range_of(c->info, c->ninfo), persist_of(c->info, c->ninfo),
                     on_op_done, c);
}

static json_object *keys_to_json(char **keys)
{
    json_object *a = json_object_new_array();
    for (size_t i = 0; keys && keys[i]; i++)
        json_object_array_add(a, json_object_new_string(keys[i]));
    return a;
}

static void on_unpublish(struct pmixd *d, struct call *c)
{
    nameserv_unpublish(d->ns, c->proc.nspace, c->proc.rank,
                       c->keys ? keys_to_json(c->keys) : NULL, on_op_done, c);
}

static void on_found(int status, json_object *found, void *arg)
{
    struct call *c = arg;
    pmix_pdata_t *v = NULL;
    size_t n = 0, wanted = 0;
    while (c->keys[wanted])
        wanted++;
    if (status == 0) {
        PMIX_PDATA_CREATE(v, wanted ? wanted : 1);
        for (size_t i = 0; i < wanted; i++) {
            json_object *hit = json_object_object_get(found, c->keys[i]);
            const char *nspace =
                json_object_get_string(json_object_object_get(hit, "nspace"));
            if (!hit || !nspace ||
                value_from_json(json_object_object_get(hit, "value"), &v[n].value) < 0)
                continue;
            PMIX_LOAD_KEY(v[n].key, c->keys[i]);
            PMIX_LOAD_PROCID(
                &v[n].proc, nspace,
                (pmix_rank_t)json_object_get_int64(json_object_object_get(hit, "rank")));
            n++;
        }
    }
    pmix_status_t rc = status_from_errno(status);
    if (rc == PMIX_SUCCESS &&
        n == 0) /* the library drops what comes with "partial success" */
        rc = PMIX_ERR_NOT_FOUND;
    c->cb.lookup(rc, v, n, c->cbdata); /* packs its answer at once */
    if (v)
        PMIX_PDATA_FREE(v, wanted ? wanted : 1);
    call_free(c);
}

static void on_lookup(struct pmixd *d, struct call *c)
{
    size_t nkeys = 0;
    const pmix_info_t *wait = info_find(c->info, c->ninfo, PMIX_WAIT);
    unsigned need = 0;
    while (c->keys && c->keys[nkeys])
        nkeys++;
    if (nkeys == 0) {
        c->cb.lookup(PMIX_ERR_BAD_PARAM, NULL, 0, c->cbdata);
        call_free(c);
        return;
    }
    if (wait) { /* a number of keys, 0: all of them; older clients say just "true" */
        double n = info_number(c->info, c->ninfo, PMIX_WAIT, 0);
        bool no = wait->value.type == PMIX_BOOL && !wait->value.data.flag;
        need = no ? 0 : n >= 1 && n < (double)nkeys ? (unsigned)n : (unsigned)nkeys;
    }
    nameserv_lookup(d->ns, c->proc.nspace, c->proc.rank, keys_to_json(c->keys),
                    range_of(c->info, c->ninfo), need,
                    info_number(c->info, c->ninfo, PMIX_TIMEOUT, 0), on_found, c);
}

static struct call *name_call(call_f handle, const pmix_proc_t *proc, char **keys,
                              const pmix_info_t info[], size_t ninfo, void *cbdata)
{
    struct call *c = call_new(handle);
    c->proc = *proc;
    call_keys(c, keys);
    call_info(c, info, ninfo);
    c->cbdata = cbdata;
    return c;
}

pmix_status_t up_publish(const pmix_proc_t *proc, const pmix_info_t info[], size_t ninfo,
                         pmix_op_cbfunc_t cb, void *cbdata)
{
    struct call *c = name_call(on_publish, proc, NULL, info, ninfo, cbdata);
    c->cb.done = cb;
    call_push(c);
    return PMIX_SUCCESS;
}

pmix_status_t up_lookup(const pmix_proc_t *proc, char **keys, const pmix_info_t info[],
                        size_t ninfo, pmix_lookup_cbfunc_t cb, void *cbdata)
{
    struct call *c = name_call(on_lookup, proc, keys, info, ninfo, cbdata);
    c->cb.lookup = cb;
    call_push(c);
    return PMIX_SUCCESS;
}

pmix_status_t up_unpublish(const pmix_proc_t *proc, char **keys, const pmix_info_t info[],
                           size_t ninfo, pmix_op_cbfunc_t cb, void *cbdata)
{
    struct call *c = name_call(on_unpublish, proc, keys, info, ninfo, cbdata);
    c->cb.done = cb;
    call_push(c);
    return PMIX_SUCCESS;
}
