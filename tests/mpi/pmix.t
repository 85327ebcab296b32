#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The PMIx server by itself, under pmiharness: no instance. One node, and three that share this
# machine and exchange data as real ones do.
. "${0%/*}/lib.sh"
mpi_need openmpi
need pkg-config pkg-config
pkg-config --exists pmix || skip_all "PMIx has no headers here: install the Debian package libpmix-dev"
harness=$builddir/tests/mpi/pmiharness
[ -x "$harness" ] || skip_all "tests/mpi/pmiharness is not built"
export LSAN_OPTIONS=print_suppressions=0
for name in hello ring allreduce abort spawn spawn_multiple publish; do
    program openmpi "$name" || { done_testing; }
    declare "$name=$program"
done
modex=$builddir/tests/mpi/modex
# shellcheck disable=SC2046
if [ ! -x "$modex" ] || [ "$srcdir/tests/mpi/modex.c" -nt "$modex" ]; then
    ok "modex.c compiles" cc -D_GNU_SOURCE -g -O1 -Wall -o "$modex.$$" "$srcdir/tests/mpi/modex.c" \
        $(pkg-config --cflags --libs pmix) -lpthread
    mv "$modex.$$" "$modex"
fi

run() { "$harness" -t 40 "$@"; }

for nodes in 1 3; do
    on="-H $nodes"
    # shellcheck disable=SC2086
    {
        ok "$nodes nodes: hello" run $on -n 4 "$hello"
        is "$(count "$out" '^rank [0-3] of 4 host ')" 4 "four ranks said so"
        ok "$nodes nodes: ring" run $on -n 5 "$ring"
        is "$out" "ring of 5 ranks: 5 laps" "the ring is closed"
        ok "$nodes nodes: allreduce" run $on -n 5 "$allreduce"
        is "$out" "allreduce over 5 ranks: sum 10, nodes $nodes" "its results"
        nok "$nodes nodes: MPI_Abort" run $on -n 3 "$abort" 37
        is $rc 37 "its exit code"

        ok "$nodes nodes: spawn, merge, allreduce, twice" run $on -n 2 "$spawn" 3
        is "$out" "spawn: 2 parents, 3 children, 2 rounds : good" "its results"
        ok "$nodes nodes: spawn of several commands" run $on -n 2 "$spawn_multiple"
        is "$out" "spawn_multiple: 3 children: good" "its results"
        ok "$nodes nodes: a child that aborts leaves its parents alone" run $on -n 2 "$spawn" 2 abort
        like "$err" "job 2: task . called abort.3." "the children's job was aborted"
        ok "$nodes nodes: spawn of a program that does not exist" run $on -n 1 "$spawn" 1 missing
        like "$err" "/nonexistent/program.: No such file" "the job is told why"

        ok "$nodes nodes: two jobs meet by name" \
            run $on -n 2 "$publish" server name : -n 2 "$publish" client name
        is "$(sorted "$out")" "$(printf 'publish: client: 2 and 2 tasks: good\npublish: server: 2 and 2 tasks: good')" \
            "both are connected"

        for what in fence direct late subset names group event query log signal; do
            ok "$nodes nodes: PMIx $what" run $on -n 5 "$modex" $what
            like "$out" "modex $what: 5 ranks: good" "its results"
        done
        nok "$nodes nodes: a task that dies does not hang the others" run -l $on -n 5 "$modex" gone
        is "$(count "$out" 'the fence failed')" 4 "their fence failed"
    }
done
done_testing
