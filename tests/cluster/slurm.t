#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Slurm on the test cluster: what tests inside an allocation of Slurm rely on.
. "$(dirname "$(readlink -f "$0")")/../mpi/lib.sh"
. "$srcdir/tests/cluster/env.sh"

cluster=$srcdir/tests/cluster/cluster
slurm=$srcdir/tests/cluster/slurm
reason=$("$cluster" check 2>&1) || skip_all "$reason"
reason=$("$slurm" check 2>&1) || skip_all "$reason"
mpi_need openmpi
export CLUSTER_STATE=$tmp/c CLUSTER_SHARED=$tmp

leave() {
    local status=$?
    "$slurm" down >/dev/null 2>&1
    "$cluster" down >/dev/null 2>&1
    (exit $status)
    at_exit
}
trap leave EXIT

nok "not without the cluster" "$slurm" up
like "$err" "cluster up N first" "... it says so"
ok "the hosts" "$cluster" up 3
ok "Slurm" "$slurm" up 4
is "$("$cluster" exec head sinfo -h -N -o '%N %c' | sort | tr '\n' ,)" "node1 4,node2 4,node3 4," \
    "three nodes of four declared CPUs"
is "$("$cluster" exec head srun -N3 hostname | sort | tr '\n' ' ')" "node1 node2 node3 " "srun on each node"
if program openmpi hello; then
    ok "mpirun in an allocation" "$cluster" exec head salloc -N3 --exclusive \
        mpirun.openmpi -n 3 --map-by ppr:1:node "$program"
    is "$(count "$out" "^rank [0-2] of 3 host node[1-3]")" 3 "one rank on each"
    ok "srun --mpi=pmix" "$cluster" exec head srun -N3 -n12 --mpi=pmix "$program"
    is "$(count "$out" "^rank [0-9]+ of 12 host node[1-3]")" 12 "twelve ranks"
fi
ok "a node crashes" "$cluster" crash node2
ok "it boots" "$cluster" boot node2
ok "its slurmd" "$slurm" slurmd node2
ok "it serves again" "$cluster" exec head srun -w node2 hostname
is "$out" node2 "... there"
ok "down" "$slurm" down
is "$(for h in head node1 node2 node3; do "$cluster" exec $h ps axo comm; done | grep -cE 'slurm|munged')" 0 \
    "no daemon is left"
ok "down again" "$slurm" down
done_testing
