#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Open MPI programs on one node.
. "${0%/*}/lib.sh"
mpi_need openmpi
inside --test-topology="core:8 pu:1"
common_checks openmpi
done_testing
