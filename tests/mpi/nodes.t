#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# MPI jobs over several virtual nodes: one executor and PMI server each, fences and modex between.
. "${0%/*}/lib.sh"
mpi_need openmpi
inside --test-nodes=4 --test-topology="core:2 pu:1"

nodes_of() { grep -oE 'node [0-9]+' <<<"$1" | sort | uniq -c | awk '{printf "%s:%s ", $3, $1}'; }

checks() { # FLAVOUR
    local mpi=$1 hello n
    program "$mpi" hello && hello=$program
    ok "$mpi: 8 ranks on 4 nodes" hbatch run -N 4 -n 8 "$hello"
    is "$(count "$out" '^rank [0-9]+ of 8 ')" 8 "$mpi: one line from each of 8 ranks"
    is "$(nodes_of "$out")" "0:2 1:2 2:2 3:2 " "$mpi: two ranks on each node"
    ok "$mpi: 4 ranks on 2 nodes" hbatch run -N 2 -n 4 "$hello"
    is "$(nodes_of "$out")" "0:2 1:2 " "$mpi: two ranks on each of two nodes"
    ok "$mpi: 3 ranks on 3 nodes" hbatch run -N 3 -n 3 "$hello"
    is "$(nodes_of "$out")" "0:1 1:1 2:1 " "$mpi: one rank on each of three"
    program "$mpi" ring && ok "$mpi: a ring over 4 nodes" hbatch run -N 4 -n 8 "$program"
    is "$out" "ring of 8 ranks: 5 laps" "$mpi: it is closed"
    program "$mpi" allreduce && ok "$mpi: allreduce over 4 nodes" hbatch run -N 4 -n 8 "$program"
    like "$out" "^allreduce over 8 ranks: sum 28, nodes " "$mpi: its results"
    program "$mpi" abort && nok "$mpi: MPI_Abort on the last node" hbatch run -N 4 -n 8 "$program" 37
    is "$rc" 37 "$mpi: its exit code"
    program "$mpi" early
    nok "$mpi: the last rank is killed on another node" hbatch run -N 4 -n 4 "$program" signal 9
    is "$rc" 137 "$mpi: its exit code"
    nok "$mpi: the last rank leaves before MPI_Init" hbatch run -N 4 -n 4 -o exit-timeout=0.5s "$program" noinit 3
    ok "$mpi: the nodes go on after that" hbatch run -N 4 -n 8 "$hello"
}

checks openmpi
if command -v mpicc.mpich >/dev/null; then
    checks mpich
else
    skip "MPICH over several nodes" "mpicc.mpich is not here: install the Debian package libmpich-dev"
fi
for name in spawn spawn_multiple publish; do
    program openmpi $name && declare "$name=$program"
done
ok "spawn from several nodes onto several nodes" hbatch run -N 2 -n 2 "$spawn" 5
is "$out" "spawn: 2 parents, 5 children, 2 rounds : good" "what parents and children computed"
ok "spawn of several commands over nodes" hbatch run -N 1 -n 1 "$spawn_multiple"
is "$out" "spawn_multiple: 3 children: good" "each child knows its command"
timeout 60 hbatch run -N 2 -n 4 "$publish" server a.name >"$tmp/server" 2>&1 &
server=$!
background+=("$server")
ok "a name that was published on one node is found on another" hbatch run -N 2 -n 2 "$publish" client a.name
is "$out" "publish: client: 2 and 4 tasks: good" "the client"
wait "$server"
is $? 0 "the server ends well"
ok "no job is left" wait_until 20 no_job_is_left
like "$(hbatch resource list)" "free +4 +8" "all cores are free again"
done_testing
