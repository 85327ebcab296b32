/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/launchenv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "src/common/util.h"

/* The first entry that matches decides.  A name ending in '*' is a prefix. */
static const struct rule {
    const char *name;
    bool drop;
} rules[] = {
    /* Open MPI: settings of users, then all that mpirun leaves. */
    {"OMPI_ALLOW_RUN_AS_ROOT*", false},
    {"OMPI_CC", false},
    {"OMPI_CXX", false},
    {"OMPI_FC", false},
    {"OMPI_CFLAGS", false},
    {"OMPI_CXXFLAGS", false},
    {"OMPI_CPPFLAGS", false},
    {"OMPI_FCFLAGS", false},
    {"OMPI_LDFLAGS", false},
    {"OMPI_LIBS", false},
    {"OMPI_MCA_btl*", false},
    {"OMPI_MCA_mtl*", false},
    {"OMPI_MCA_pml*", false},
    {"OMPI_MCA_bml*", false},
    {"OMPI_MCA_coll*", false},
    {"OMPI_MCA_osc*", false},
    {"OMPI_MCA_io*", false},
    {"OMPI_MCA_fbtl*", false},
    {"OMPI_MCA_fcoll*", false},
    {"OMPI_MCA_fs*", false},
    {"OMPI_MCA_sharedfp*", false},
    {"OMPI_MCA_topo*", false},
    {"OMPI_MCA_op", false},
    {"OMPI_MCA_op_*", false},
    {"OMPI_MCA_opal_*", false},
    {"OMPI_MCA_mpool*", false},
    {"OMPI_MCA_rcache*", false},
    {"OMPI_MCA_accelerator*", false},
    {"OMPI_MCA_mpi_oversubscribe", true},
    {"OMPI_MCA_mpi_yield_when_idle", true},
    {"OMPI_MCA_mpi_*", false},
    {"OMPI_*", true},
    {"ORTE_*", true},
    {"OPAL_*", true},
    {"PMIX_*", true},
    {"PMIx_*", true},
    {"PRTE_*", true},
    {"HFI_NO_BACKTRACE", true},
    {"IPATH_NO_BACKTRACE", true},
    /* MPICH: MPIR_CVAR_* are its users' settings; hydra sets one of them itself. */
    {"MPIR_CVAR_CH3_INTERFACE_HOSTNAME", true},
    {"MPIR_CVAR_*", false},
    {"MPIR_*", true},
    {"PMI_*", true},
    {"PMI2_*", true},
    {"PMIEXEC_*", true},
    {"HYDRA_*", true},
    {"HYDI_*", true},
    {"MPI_LOCALRANKID", true},
    {"MPI_LOCALNRANKS", true},
    {"GFORTRAN_UNBUFFERED_PRECONNECTED", true},
    {"PALS_RANKID", true},
    {"PALS_NODEID", true},
    {"PALS_LOCAL_RANKID", true},
    {"PALS_APP*", true},
    {"ALPS_APP_*", true},
    /* Slurm: of the step, not of the allocation. */
    {"SLURM_STEP*", true},
    {"SLURM_PROCID", true},
    {"SLURM_LOCALID", true},
    {"SLURM_NODEID", true},
    {"SLURM_GTIDS", true},
    {"SLURM_TASK_PID", true},
    {"SLURM_SRUN_COMM_*", true},
    {"SLURM_LAUNCH_NODE_IPADDR", true},
    {"SLURM_PMI*", true},
    {"SLURM_MPI_TYPE", true},
    {"SLURM_CPU_BIND*", true},
    {"SLURM_MEM_BIND*", true},
    {"SLURM_GPU_BIND", true},
    {"SLURM_DISTRIBUTION", true},
    {"SLURM_TOPOLOGY_ADDR*", true},
    {"SLURM_UMASK", true},
    {"SLURM_PTY_*", true},
    /* Flux: of the job and its task. */
    {"FLUX_JOB_*", true},
    {"FLUX_TASK_*", true},
    {"FLUX_PMI_*", true},
    {"FLUX_PROXY_*", true},
    /* LSF's and SGE's task variables. */
    {"LS_JOBPID", true},
    {"JSM_*", true},
    {"QRSH_*", true},
    /* hbatch: of an outer job. */
    {"HBATCH_JOB_*", true},
    {"HBATCH_TASK_*", true},
    {"HBATCH_NODE_*", true},
    {"HBATCH_INSTANCE_*", true},
    {"HBATCH_SUB_INSTANCE", true},
    {"HBATCH_URI", true},
    {"HBATCH_PARENT_URI", true},
    {"HBATCH_RANKS_OF", true},
};

static size_t name_len(const char *name)
{
    return strcspn(name, "=");
}

static bool matches(const char *rule, const char *name, size_t len)
{
    size_t n = strlen(rule);
    if (rule[n - 1] == '*')
        return len >= n - 1 && memcmp(rule, name, n - 1) == 0;
    return len == n && memcmp(rule, name, n) == 0;
}

bool launchenv_is_left(const char *name)
{
    size_t len = name_len(name);
    if (!len || !strchr("OPHIMGASFLJQ", name[0]))
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
        if (matches(rules[i].name, name, len))
            return rules[i].drop;
    return false;
}

void launchenv_clean(void)
{
    for (size_t i = 0; environ && environ[i];) {
        if (launchenv_is_left(environ[i])) {
            cleanup_free char *name = xstrndup(environ[i], name_len(environ[i]));
            unsetenv(name);
        } else {
            i++;
        }
    }
}
