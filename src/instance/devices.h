/* SPDX-License-Identifier: BSD-3-Clause */
/* devices: the GPUs of a node, by hwloc: of NVIDIA, AMD and Intel, and which processors are near them.
 *
 * A foreign allocation's share is what the variable of the vendor lists (CUDA_VISIBLE_DEVICES, ...). */
#ifndef HBATCH_INSTANCE_DEVICES_H
#define HBATCH_INSTANCE_DEVICES_H

#include <stdbool.h>
#include <hwloc.h>
#include <json-c/json.h>

/* May there be GPUs, so that a topology with PCI devices, which takes longer, is worth while? */
bool devices_may_be(void);

/* [{"id":N,"vendor":"nvidia","env":"CUDA_VISIBLE_DEVICES","value":"0","cpus":CPUSET?}] of T, which has PCI devices if
 * there may be GPUs.  REAL: it is this machine.  With COUNT > 0 so many virtual ones, over the NUMA nodes in turn. */
json_object *devices_list(hwloc_topology_t t, bool real, unsigned count);

/* [CPUSET] of the NUMA nodes of T that have processors; NULL: there is one, or none. */
json_object *devices_numa(hwloc_topology_t t);

#endif
