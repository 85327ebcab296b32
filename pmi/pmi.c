/* SPDX-License-Identifier: BSD-3-Clause */
#include "pmi/pmi.h"
#include "pmi/exchange.h"
#include "src/common/hwenv.h"
#include "pmi/nameserv.h"
#include "pmi/pmixd.h"
#include "pmi/spawn.h"
#include "pmi/wire.h"
#include "src/common/util.h"

#include <string.h>

struct pmi {
    struct pmi_config config; /* copied, with its strings */
    struct exchange *x;
    struct nameserv *ns;
    struct spawner *spawner;
    struct pmixd *pmix;
    struct wire *wire;
    struct hwenv hw;
};

struct pmi_job {
    struct pmi *pmi;
    struct pmixd_job *pmix; /* NULL: not offered */
    struct wire_job *wire;
};

struct pmi *pmi_create(const struct pmi_config *config, struct error *err)
{
    (void)err; /* what can fail is put off until the first job */
    struct pmi *pmi = xcalloc(1, sizeof(*pmi));
    pmi->config = *config;
    pmi->config.hostname = xstrdup(config->hostname);
    pmi->config.rundir = xstrdup(config->rundir);
    config = &pmi->config;
    pmi->x = exchange_create(config->loop, config->rank, config->ops->send, config->arg);
    pmi->ns = nameserv_create(config->loop, config->rank, config->ops->send, config->arg);
    pmi->spawner =
        spawner_create(config->loop, config->rank, config->ops->send, config->arg);
    pmi->pmix = pmixd_create(config, pmi->x, pmi->ns, pmi->spawner);
    pmi->wire = wire_create(config, pmi->x, pmi->ns, pmi->spawner);
    return pmi;
}

void pmi_destroy(struct pmi *pmi)
{
    if (!pmi)
        return;
    wire_destroy(pmi->wire);
    pmixd_destroy(pmi->pmix);
    spawner_destroy(pmi->spawner);
    nameserv_destroy(pmi->ns);
    exchange_destroy(pmi->x);
    free((char *)(uintptr_t)pmi->config.hostname);
    free((char *)(uintptr_t)pmi->config.rundir);
    free(pmi);
}

int pmi_warm(struct pmi *pmi, struct error *err)
{
    return pmixd_start(pmi->pmix, err);
}

void pmi_resize(struct pmi *pmi, unsigned size)
{
    pmi->config.size = size;
}

struct pmi_job *pmi_job_create(struct pmi *pmi, const struct pmi_job_spec *spec,
                               struct error *err)
{
    struct pmi_job *job = xcalloc(1, sizeof(*job));
    job->pmi = pmi;
    if (spec->kinds & PMI_PMIX)
        job->pmix = pmixd_job_create(pmi->pmix, spec, err);
    bool good = job->pmix || !(spec->kinds & PMI_PMIX);
    if (good && (spec->kinds & PMI_WIRE)) {
        job->wire = wire_job_create(pmi->wire, spec, err);
        good = job->wire != NULL;
    }
    if (!good) {
        pmi_job_destroy(job);
        return NULL;
    }
    return job;
}

void pmi_job_destroy(struct pmi_job *job)
{
    if (!job)
        return;
    wire_job_destroy(job->wire);
    pmixd_job_destroy(job->pmix);
    free(job);
}

int pmi_task_prepare(struct pmi_job *job, unsigned rank,
                     void (*envadd)(void *arg, char *kv), void *arg, int *child_fd,
                     struct error *err)
{
    *child_fd = -1;
    hwenv_add(&job->pmi->hw, envadd, arg);
    if (job->pmix && pmixd_task_prepare(job->pmix, rank, envadd, arg, err) < 0)
        return -1;
    if (job->wire && wire_task_prepare(job->wire, rank, envadd, arg, child_fd, err) < 0)
        return -1;
    return 0;
}

void pmi_task_started(struct pmi_job *job, unsigned rank, pid_t pid)
{
    if (job->pmix)
        pmixd_task_started(job->pmix, rank, pid);
    if (job->wire)
        wire_task_started(job->wire, rank, pid);
}

void pmi_task_exited(struct pmi_job *job, unsigned rank, bool *unclean)
{
    bool pmix = false, wire = false;
    if (job->pmix)
        pmixd_task_exited(job->pmix, rank, &pmix);
    if (job->wire)
        wire_task_exited(job->wire, rank, &wire);
    *unclean = pmix || wire;
}

void pmi_ask_again(struct pmi *pmi)
{
    spawner_ask_again(pmi->spawner);
}

void pmi_deliver(struct pmi *pmi, json_object *msg)
{
    static const struct {
        const char *kind;
        enum { X, NS, SPAWNED } to;
    } kinds[] = {{"x", X}, {"ns", NS}, {"end", NS}, {"spawned", SPAWNED}};
    const char *kind = json_object_get_string(json_object_object_get(msg, "pmi"));
    for (size_t i = 0; kind && i < ARRAY_SIZE(kinds); i++) {
        if (strcmp(kind, kinds[i].kind) != 0)
            continue;
        if (kinds[i].to == X)
            exchange_deliver(pmi->x, msg);
        else if (kinds[i].to == NS)
            nameserv_deliver(pmi->ns, msg);
        else
            spawner_deliver(pmi->spawner, msg);
        return;
    }
    pmixd_deliver(pmi->pmix, msg);
}
