/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/compatenv.h"

#include <string.h>
#include "src/common/util.h"

static const struct compat_variable flux[] = {
    {"FLUX_URI", "HBATCH_URI"},
    {"FLUX_ENCLOSING_ID", "HBATCH_ENCLOSING_ID"},
    {"FLUX_JOB_ID", "HBATCH_JOB_ID"},
    {"FLUX_JOB_SIZE", "HBATCH_JOB_SIZE"},
    {"FLUX_JOB_NNODES", "HBATCH_JOB_NNODES"},
    {"FLUX_JOB_TMPDIR", "HBATCH_JOB_TMPDIR"},
    {"FLUX_JOB_CC", "HBATCH_JOB_CC"},
    {"FLUX_TASK_RANK", "HBATCH_TASK_RANK"},
    {"FLUX_TASK_LOCAL_ID", "HBATCH_TASK_LOCAL_ID"},
};

bool compatenv_has(const char *compat, const char *system)
{
    size_t n = strlen(system);
    for (const char *p = compat; p && *p; p += *p == ',') {
        size_t len = strcspn(p, ",");
        if (len == n && memcmp(p, system, n) == 0)
            return true;
        p += len;
    }
    return false;
}

const struct compat_variable *compatenv_variables(const char *compat, size_t *n)
{
    *n = compatenv_has(compat, "flux") ? ARRAY_SIZE(flux) : 0;
    return flux;
}
