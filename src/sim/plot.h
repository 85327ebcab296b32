/* SPDX-License-Identifier: BSD-3-Clause */
/* plot: utilization and queue over time, as SVG. */
#ifndef HBATCH_SIM_PLOT_H
#define HBATCH_SIM_PLOT_H

#include "src/sim/sim.h"

/* One curve a result in each of two diagrams, in the colors of the legend NAMES; CORES: of the machine.
 * A curve has the mean of each of some hundred pieces of time.  The caller frees. */
char *plot_svg(const struct sim_result *const *results, const char *const *names,
               size_t n, double cores);

#endif
