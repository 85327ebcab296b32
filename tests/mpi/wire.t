#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The PMI-1 and PMI-2 wire servers with real clients, over pmi.h alone (pmiharness).
. "${0%/*}/lib.sh"
harness=$builddir/tests/mpi/pmiharness
need "$harness" "(none: it is built by make)" python3 python3
client=$srcdir/tests/mpi/pmi1client.py

for nodes in 1 3; do
    ok "PMI-1 exchange, $nodes nodes" "$harness" -H $nodes -k wire -n 5 "$client" exchange 4
    is "$out" "exchange: 5 tasks, 4 rounds: good" "its values"
    ok "PMI-1 spawn, $nodes nodes" "$harness" -H $nodes -k wire -n 2 "$client" spawn 3
    like "$out" "spawn: good" "the parent found its children's name"
    like "$out" "exchange: 3 tasks, 2 rounds: good" "the children are one job"
    like "$err" "could not spawn: .*/no/such/program" "a spawn that fails is told"
    for way in close exit garbage long; do
        nok "task 1 leaves: $way, $nodes nodes" "$harness" -H $nodes -k wire -n 3 "$client" $way
        unlike "$out$err" "was passed" "no barrier without it"
    done
    like "$err" "task 1 sent a PMI-1 line of more than 65536 bytes" "what was wrong is told"
done

if [ -e /usr/include/slurm/pmi2.h ]; then
    program2=$tmp/pmi2client
    ok "pmi2client.c compiles" gcc -w -O1 -o "$program2" "$srcdir/tests/mpi/pmi2client.c" -lpmi2
    for nodes in 1 3; do
        ok "PMI-2 exchange, $nodes nodes" "$harness" -H $nodes -k wire -n 5 "$program2" exchange
        is "$out" "pmi2client: 5 tasks, first: good" "its values"
        ok "PMI-2 spawn, $nodes nodes" "$harness" -H $nodes -k wire -n 2 "$program2" spawn
        like "$out" "pmi2client: 2 tasks, spawned: good" "the children"
        nok "PMI-2 abort, $nodes nodes" "$harness" -H $nodes -k wire -n 3 "$program2" abort
        like "$err" "task 2 called abort\(1\): as asked" "its message"
    done
else
    skip "PMI-2 with Slurm's client" "install the Debian package libpmi2-0-dev"
fi

if command -v mpicc.mpich >/dev/null; then
    program mpich allreduce && for nodes in 1 2; do
        ok "MPICH allreduce, $nodes nodes" "$harness" -H $nodes -k wire -n 4 "$program"
        like "$out" "^allreduce over 4 ranks: sum 6" "its result"
    done
else
    skip "MPICH" "install the Debian package libmpich-dev"
fi
done_testing
