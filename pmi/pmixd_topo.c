/* SPDX-License-Identifier: BSD-3-Clause */
/* The node's topology, found once here and given to the tasks in shared memory: each would
 * look for it itself otherwise (20 ms of an Open MPI start).
 *
 * The library can do it (PMIX_SERVER_SHARE_TOPOLOGY), but sends the topology as XML too, in
 * three forms, to each client, and keeps all that for each job after its end. */
#include "pmi/pmixd_impl.h"
#include "src/common/util.h"

#include <fcntl.h>
#include <hwloc.h>
#include <hwloc/shmem.h>
#include <unistd.h>

/* Between where Linux puts a program with its heap (0x55...) and its libraries (0x7f...), and
 * above the shadows of the sanitizers.  A task in which it is not free falls back to looking. */
#define TOPO_ADDRESS 0x2a0000000000U

struct topo {
    hwloc_topology_t topology;
    char *file; /* NULL: not shared */
    size_t size;
    pmix_topology_t pmix;
};

static void share(struct topo *topo, const char *rundir)
{
    cleanup_free char *file = xasprintf("%s/topology.%d", rundir, (int)getpid());
    if (hwloc_shmem_topology_get_length(topo->topology, &topo->size, 0) < 0)
        return;
    cleanup_close int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    if (hwloc_shmem_topology_write(topo->topology, fd, 0, (void *)(uintptr_t)TOPO_ADDRESS,
                                   topo->size, 0) < 0)
        unlink(file);
    else
        topo->file = take(file);
}

void pmixd_topo_start(struct pmixd *d, struct infos *l)
{
    struct topo *topo = xcalloc(1, sizeof(*topo));
    if (hwloc_topology_init(&topo->topology) < 0) {
        free(topo);
        return;
    }
    /* PCI devices matter to MPIs that choose the fabric adapter near a task.  Not by way of the
     * GPUs' runtimes, which take long to start and open the devices, nor by asking X servers */
    static const char *const without[] = {"cuda", "nvml",      "opencl",
                                          "rsmi", "levelzero", "gl"};
    for (size_t i = 0; i < ARRAY_SIZE(without); i++)
        hwloc_topology_set_components(
            topo->topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, without[i]);
    if (pmixd_has_fabric(d))
        hwloc_topology_set_io_types_filter(topo->topology,
                                           HWLOC_TYPE_FILTER_KEEP_IMPORTANT);
    if (hwloc_topology_load(topo->topology) < 0) {
        hwloc_topology_destroy(topo->topology);
        free(topo);
        return;
    }
    share(topo, d->config->rundir);
    d->topo = topo;
    topo->pmix.source = xstrdup("hwloc");
    topo->pmix.topology = topo->topology;
    infos_add(l, PMIX_TOPOLOGY2, &topo->pmix, PMIX_TOPO);
}

void pmixd_topo_job(struct pmixd *d, struct infos *l)
{
    if (!d->topo || !d->topo->file)
        return;
    size_t address = TOPO_ADDRESS;
    /* the names are deprecated in PMIx 4, and what Open MPI 4 and PMIx 4 clients look for */
    infos_add(l, "pmix.hwlocfile", d->topo->file, PMIX_STRING);
    infos_add(l, "pmix.hwlocaddr", &address, PMIX_SIZE);
    infos_add(l, "pmix.hwlocsize", &d->topo->size, PMIX_SIZE);
}

void pmixd_topo_destroy(struct pmixd *d)
{
    struct topo *topo = take(d->topo);
    if (!topo)
        return;
    if (topo->file)
        unlink(topo->file);
    free(topo->file);
    free(topo->pmix.source);
    hwloc_topology_destroy(topo->topology);
    free(topo);
}
