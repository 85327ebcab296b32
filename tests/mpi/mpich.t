#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# MPICH programs on one node.
. "${0%/*}/lib.sh"
mpi_need mpich
inside --test-topology="core:8 pu:1"
common_checks mpich
done_testing
