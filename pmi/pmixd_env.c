/* SPDX-License-Identifier: BSD-3-Clause */
/* What costs an Open MPI program time at its start, and is known here before.  Measured with
 * a two-rank MPI hello (Open MPI 4.1.4, PMIx 4.2.2, two cores, median wall time in ms; mpirun
 * -n 2 takes 312 on the same machine):
 *
 *     bare PMIx server                                                   456
 *     mtl: not looking for Omni-Path and its like                        110    here
 *     topology shared by the server                                       65    pmixd_topo
 *     acknowledging at once (TCP_QUICKACK)                                20    pmixd_ack
 *
 * of that 2 ms are starting and reaping the tasks.  Naming the components to be loaded (pml,
 * btl, coll, ess, state...) would save another 4 ms, but hides those that a user's own
 * settings may need, and would break an mpirun inside the job.
 *
 * All are defaults: the executor puts the user's own variables over them. */
#include "src/common/hwenv.h"
#include "pmi/pmixd_impl.h"
#include "src/common/util.h"

enum { LOOKED = 1, NO_FABRIC = 2 };

bool pmixd_has_fabric(struct pmixd *d)
{
    if (!d->env_missing)
        d->env_missing = LOOKED | (hwenv_has_fabric() ? 0 : NO_FABRIC);
    return !(d->env_missing & NO_FABRIC);
}

void pmixd_env(struct pmixd *d, const struct pmixd_job *job,
               void (*envadd)(void *arg, char *kv), void *arg)
{
    /* Open MPI 4 wants to see the daemon that started it before it trusts the PMIx server;
     * any address will do, it never calls */
    envadd(arg, xstrdup("OMPI_MCA_orte_local_daemon_uri=1234.0;tcp://127.0.0.1:1"));
    if (!pmixd_has_fabric(d))
        envadd(arg, xstrdup("OMPI_MCA_mtl=^psm2,psm,ofi"));
    if (!d->config->virtual_nodes)
        return;
    /* nodes on one machine: its loopback connects them, and shared memory files, which are
     * named for host and local rank, must be each node's own */
    envadd(arg, xstrdup("OMPI_MCA_btl_tcp_if_include=lo"));
    envadd(arg, xasprintf("OMPI_MCA_btl_vader_backing_directory=%s", job->tmpdir));
}
