/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/hwenv.h"
#include "src/common/util.h"

#include <glob.h>

static bool any_exists(const char *const *patterns, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        glob_t found = {0};
        bool any =
            glob(patterns[i], GLOB_NOSORT, NULL, &found) == 0 && found.gl_pathc > 0;
        globfree(&found);
        if (any)
            return true;
    }
    return false;
}

bool hwenv_has_fabric(void)
{
    static const char *const patterns[] = {
        "/dev/hfi1*",              /* Omni-Path: psm2 */
        "/dev/ipath*",             /* InfiniPath: psm */
        "/sys/class/infiniband/*", /* InfiniBand, RoCE, EFA: ucx, ofi */
        "/sys/class/cxi/*",        /* Slingshot: ofi */
        "/dev/kgni*",              /* Aries: ofi */
        "/dev/usnic*",             /* usNIC: ofi */
    };
    return any_exists(patterns, ARRAY_SIZE(patterns));
}

static bool has_gpu(void)
{
    static const char *const patterns[] = {
        "/dev/nvidia[0-9]*", "/dev/kfd", /* AMD */
        "/dev/dri/renderD*", "/dev/dxg", /* any, in WSL */
        "/dev/accel*",
    };
    return any_exists(patterns, ARRAY_SIZE(patterns));
}

void hwenv_add(struct hwenv *hw, void (*envadd)(void *arg, char *kv), void *arg)
{
    if (!hw->looked)
        *hw = (struct hwenv){true, .gpu = has_gpu(), .fabric = hwenv_has_fabric()};
    /* never needed by MPI: X displays; a second XML parser with all of ICU behind it */
    bool io = hw->gpu || hw->fabric;
    envadd(arg, xasprintf("HWLOC_PLUGINS_BLACKLIST=hwloc_gl.so,hwloc_xml_libxml.so%s%s",
                          hw->gpu ? "" : ",hwloc_opencl.so", io ? "" : ",hwloc_pci.so"));
    if (!io)
        envadd(arg, xstrdup("HWLOC_COMPONENTS=-linuxio"));
}
