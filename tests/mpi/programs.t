#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Several programs in one MPI job, which ask for different things: one MPI_COMM_WORLD, and each knows which one it is.
. "${0%/*}/lib.sh"
mpi_need openmpi

checks() { # FLAVOUR NODES
    local mpi=$1
    program "$mpi" programs || return
    ok "$mpi, $2: two programs" hbatch run -n1 "$program" manager : -n2 -c2 -g1 "$program" worker
    is "$(sorted "$out")" "rank 0 of 3 app 0, 0 of 1 in it, universe good, manager, gpus -1
rank 1 of 3 app 1, 0 of 2 in it, universe good, worker, gpus $3
rank 2 of 3 app 1, 1 of 2 in it, universe good, worker, gpus $3" "$mpi, $2: ranks, MPI_APPNUM and what each has"
    ok "$mpi, $2: three programs, the first the larger one" \
        hbatch run -o gpu-affinity=off -n2 -c2 "$program" a : -n3 "$program" b : "$program" c
    is "$(sed -n 's/^\(rank [0-9] of 6 app [0-9], .*in it\),.*\(, [abc]\),.*/\1\2/p' <<<"$out" | sort)" "rank 0 of 6 app 0, 0 of 2 in it, a
rank 1 of 6 app 0, 1 of 2 in it, a
rank 2 of 6 app 1, 0 of 3 in it, b
rank 3 of 6 app 1, 1 of 3 in it, b
rank 4 of 6 app 1, 2 of 3 in it, b
rank 5 of 6 app 2, 0 of 1 in it, c" "$mpi, $2: ranks go on from program to program"
    ok "$mpi, $2: programs that ask for the same" hbatch run -n1 "$program" a : -n2 "$program" b
    is "$(sed -n 's/.*app \([0-9]\), \(. of .\).*/\1:\2/p' <<<"$out" | sort | tr '\n' ' ')" "0:0 of 1 1:0 of 2 1:1 of 2 " "$mpi, $2: MPI_APPNUM of these"
    nok "$mpi, $2: the last one fails" hbatch run -n1 -c2 "$program" a : -n1 "$program" b 7
    is "$rc" 7 "$mpi, $2: its exit code"
}

instance_start one --test-topology="core:8 pu:1" --test-gpus=2
checks openmpi "one node" 0,1 # both workers are shown the job's GPUs of their node
if command -v mpicc.mpich >/dev/null; then
    checks mpich "one node" 0,1
else
    skip "MPICH" "mpicc.mpich is not here: install the Debian package libmpich-dev"
fi
instance_stop one
instance_start three --test-nodes=3 --test-topology="core:4 pu:1" --test-gpus=1
checks openmpi "three nodes" 0
if command -v mpicc.mpich >/dev/null; then
    checks mpich "three nodes" 0
fi
instance_stop three
done_testing
