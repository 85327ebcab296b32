#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# An instance over four hosts whose ranks, executors, mpirun, daemons and hosts are killed at random
# in a burst of short jobs: each job ends once, and nothing is left.  CHAOS_KILLS, CHAOS_JOBS and
# CHAOS_SEED say how often, how many, and which.
. "$(dirname "$(readlink -f "$0")")/../mpi/lib.sh"

cluster=$srcdir/tests/cluster/cluster
reason=$("$cluster" check 2>&1) || skip_all "$reason"
[ -x "$builddir/bin/hbatch" ] || skip_all "$builddir/bin/hbatch is not there: build first, or set HBATCH_BUILDDIR"
mpi_need openmpi
export CLUSTER_STATE=$tmp/c CLUSTER_SHARED=$tmp CLUSTER_NET=${CLUSTER_NET:-10.77.1}
. "$srcdir/tests/cluster/env.sh"
trap '"$cluster" down >/dev/null 2>&1; at_exit' EXIT
tests_done=yes # the program has the plan

"$cluster" up 3 >"$tmp/up" 2>&1 || {
    cat "$tmp/up"
    fail "the hosts come up"
    done_testing
}
mkdir chaos
PATH=$builddir/bin:$PATH "$srcdir/tests/cluster/chaos.py" --dir="$tmp/chaos" \
    --hosts=head,node1,node2,node3 --kills="${CHAOS_KILLS:-12}" --jobs="${CHAOS_JOBS:-400}" \
    --seed="${CHAOS_SEED:-1}" --sleep="${CHAOS_SLEEP:-0.5}" --what="${CHAOS_WHAT:-rank,exec,mpirun,orted,host}"
