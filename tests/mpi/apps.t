#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Programs that people run: HPCC, NetPIPE, LAMMPS.
. "${0%/*}/lib.sh"
HBATCH_TEST_LIMIT=180
inside --test-topology="core:4 pu:1"

if command -v hpcc >/dev/null; then
    mkdir hpcc && cp "$srcdir/tests/mpi/hpccinf.txt" hpcc/
    ok "HPCC, 2 ranks" hbatch run -n 2 --cwd="$tmp/hpcc" hpcc
    results=$(cat hpcc/hpccoutf.txt 2>/dev/null)
    like "$results" "Success=1" "all of its parts succeeded"
    like "$results" "CommWorldProcs=2" "it had 2 ranks"
    unlike "$results" "FAILED" "its residuals are right"
else
    skip "HPCC" "hpcc is not here: install the Debian package hpcc"
fi

netpipe() { # PROGRAM PACKAGE
    if ! command -v "$1" >/dev/null; then
        skip "NetPIPE" "$1 is not here: install the Debian package $2"
        return
    fi
    ok "$1 between two tasks" hbatch run -n 2 --cwd="$tmp" "$1" -p 0 -u 1024 -o "$tmp/$1.dat"
    like "$(tail -n 1 "$tmp/$1.dat" 2>/dev/null)" "^ *[0-9]+ +[0-9.]+ +[0-9.e-]+" "$1: figures for messages"
    note "$1: bytes, Mbit/s, seconds:$(tail -n 1 "$tmp/$1.dat" 2>/dev/null)"
}
netpipe NPopenmpi netpipe-openmpi
netpipe NPmpich2 netpipe-mpich2

melt=/usr/share/lammps/examples/melt/in.melt
if command -v lmp >/dev/null && [ -e $melt ]; then
    mkdir lammps && sed 's/^run.*/run 25/' $melt >lammps/in.melt
    ok "LAMMPS melt, 2 ranks" hbatch run -n 2 --cwd="$tmp/lammps" --env=OMP_NUM_THREADS=1 lmp -in in.melt
    like "$out" "2 by 1 by 1 MPI processor grid|1 by 1 by 2 MPI processor grid|1 by 2 by 1 MPI processor grid" \
        "it divides the box between 2 ranks"
    like "$out" "Loop time of .* on 2 procs for 25 steps with 4000 atoms" "it came to its end"
    energies=$(awk '/^ *25 /{print $3, $5}' <<<"$out" | head -n 1)
    ok "LAMMPS melt, 1 rank" hbatch run -n 1 --cwd="$tmp/lammps" --env=OMP_NUM_THREADS=1 lmp -in in.melt
    is "$(awk '/^ *25 /{print $3, $5}' <<<"$out" | head -n 1)" "$energies" "1 and 2 ranks agree"
else
    skip "LAMMPS melt" "lmp or its examples are not here: install the Debian packages lammps and lammps-examples"
fi
done_testing
