# SPDX-License-Identifier: BSD-3-Clause
# Helpers of tests of hbatch on the test cluster (bash), on top of tests/mpi/lib.sh.
#
#   cluster_need [SYSTEM]     skip_all unless hosts can be made here and hbatch was built with Open MPI;
#                             SYSTEM: slurm or gridengine, tools of this folder, which can be had, too.
#                             What is up at the end of the test is taken down
#   cluster_up [N]            the hosts head, node1 to nodeN (3)
#   on HOST COMMAND...        run it there; a program in PATH
#   left                      what is on the hosts: processes, and files of instances
#   nothing_stays [NAME]      wait until nothing is left, for 10 s ($left_limit)
# What left passes over, and where it looks:
left_hosts="head node1 node2 node3"
left_files="/tmp/hbatch-??????"
left_but="node.py init " # regular expressions of command lines; what is passed over
left_only=               # ... and what alone is not
left_limit=10

. "$(dirname "${BASH_SOURCE[0]}")/../mpi/lib.sh"

cluster=$srcdir/tests/cluster/cluster
cluster_systems=()

cluster_leave() {
    local status=$? p
    trap - EXIT
    for p in ${background[@]+"${background[@]}"}; do kill "$p" 2>/dev/null; done
    for p in ${cluster_systems[@]+"${cluster_systems[@]}"}; do "$p" down >/dev/null 2>&1; done
    "$cluster" down >/dev/null 2>&1
    (exit $status)
    at_exit
}

cluster_need() {
    local reason system
    for system in "$cluster" ${1:+"$srcdir/tests/cluster/$1"}; do
        reason=$("$system" check 2>&1) || skip_all "$reason"
    done
    [ -x "$builddir/bin/hbatch" ] || skip_all "$builddir/bin/hbatch is not there: build first, or set HBATCH_BUILDDIR"
    mpi_need openmpi
    hbatch version | grep -qi 'open.\?mpi' || skip_all "this hbatch is not built with Open MPI"
    export CLUSTER_STATE=$tmp/c CLUSTER_SHARED=$tmp CLUSTER_NET=${CLUSTER_NET:-10.77.0}
    cluster_systems=(${1:+"$srcdir/tests/cluster/$1"})
    trap cluster_leave EXIT
    mkdir bin
    printf '#!/bin/sh\nexec "%s" exec "$@"\n' "$cluster" >bin/on
    chmod +x bin/on
    PATH=$tmp/bin:$PATH
}

cluster_up() {
    left_hosts="head $(seq -s' ' -f 'node%g' "${1:-3}")"
    "$cluster" up "${1:-3}" >up 2>&1 && return
    cat up
    fail "the hosts come up"
    done_testing
}

left() {
    local n p init line files
    read -ra files <<<"$left_files" # as they are: not this machine's
    while read -r n p; do
        [[ " $left_hosts " == *" $n "* ]] || continue
        mapfile -d '' line <"/proc/$p/cmdline"
        line="${line[*]} "
        [ "$line" = " " ] || [[ $line =~ $left_but ]] && continue
        [[ $line =~ $left_only ]] && echo "$n: $line"
    done 2>/dev/null < <("$cluster" pids)
    for n in $left_hosts; do
        read -r init _ <"$CLUSTER_STATE/$n/init.pid" || continue
        for p in "${files[@]}"; do
            compgen -G "/proc/$init/root$p"
        done | sed "s|/proc/$init/root|$n: |"
    done 2>/dev/null
}
nothing_left() { [ -z "$(left)" ]; }
nothing_stays() {
    wait_until "$left_limit" nothing_left
    is "$(left)" "" "${1:-... nothing stays behind}"
}
