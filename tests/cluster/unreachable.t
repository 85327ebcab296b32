#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Hosts that cannot be reached, or lack what ranks need: each is named, in one sentence, and nothing
# stays behind on any host.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
cluster_need
. "$srcdir/tests/cluster/env.sh"
cluster_up
export HBATCH_START_TIMEOUT=5s # for an mpirun that waits for ever
ours() { grep '^hbatch' <<<"$err"; }
# refused NAME PATTERN COMMAND...: on node1 it fails; what hbatch says matches PATTERN as a whole,
# and mpirun has no page to add
refused() {
    local name=$1 pattern=$2
    shift 2
    within 90 on node1 "$@"
    if [[ $rc != 0 && $rc != 124 && $(ours) =~ ^$pattern$ ]]; then pass "$name"; else
        fail "$name" "wanted: $pattern"
        shown "$*"
    fi
    unlike "$err" "ORTE|-------" "and no page about it"
    nothing_stays "nothing stays behind"
}
start() { echo hbatch start --hosts="$1" true; }
three=$(start node[1-3])

ok "three hosts make an instance" on node1 $three
# shellcheck disable=SC2046
refused "two hosts that there are not" "hbatch start: cannot reach node8: .*no host node8.*
hbatch start: cannot reach node9: .*no host node9[^
]*" $(start node1,node8,node9)

on node3 mount -t tmpfs none "$builddir"
refused "a host without hbatch" \
    "hbatch start: there is no $builddir/bin/hbatch-instance on node3: install hbatch at the same path on all nodes" $three
on node3 umount "$builddir"

orted=$(readlink -f "$(command -v orted)")
: >nothing
on node3 mount --bind nothing "$orted"
refused "a host without mpirun's daemon" \
    "hbatch start: mpirun's orted was not found on node3 \('.*/rsh node3 which orted' failed\): install the same MPI there, [^
]*" $three
on node3 umount "$orted"

on node3 mount --bind nothing "$builddir/bin/hbatch-exec"
refused "a host with half of hbatch" \
    "hbatch-instance: on node3: [^
]*hbatch-exec[^
]*" $three
on node3 umount "$builddir/bin/hbatch-exec"

plugin=$builddir/bin/.libs/hbatch_mpi.so
if [ -e "$plugin" ]; then
    on node3 mount --bind nothing "$plugin"
    refused "a host with a broken MPI plugin" "hbatch-instance: on node3: cannot load the MPI plugin: [^
]*" $three
    on node3 umount "$plugin"
fi

on node2 mkdir /tmp/there
on node2 mount -t tmpfs -o ro none /tmp/there
within 60 on node1 mpirun.openmpi --host node1,node2,node3 -N 1 "$builddir/bin/hbatch-instance" --rundir=/tmp/there true
isnt "$rc" 0 "a run directory that is not writable on one of three hosts"
is "$(ours)" "hbatch-instance: on node2: cannot write in the run directory /tmp/there: Read-only file system; name another one with --rundir" \
    "it is named"
on node2 umount /tmp/there
for n in node1 node2 node3; do on $n rm -rf /tmp/there; done
nothing_stays "nothing stays behind"

refused "two ranks on one host" \
    "hbatch-instance: ranks 0 and 1 are both on node1: start one rank per node \(mpirun -N 1\), or ask for virtual nodes \(--virtual\)" \
    sh -c 'exec mpirun.openmpi --host node1:2,node2:2 -N 2 "$0" true 2>&1 >/dev/null | grep ^hbatch >&2; exit 1' "$builddir/bin/hbatch-instance"

left_hosts="node1 node2"
"$cluster" kill node3 >/dev/null 2>&1
refused "a host without power" "hbatch start: cannot reach node3: .*(No route to host|had no answer in 10 s)" $three
# An agent that, unlike ssh, waits for ever.
printf '#!/bin/sh\n[ "$1" = node3 ] && exec sleep 1000\nexec "%s" "$@"\n' "$srcdir/tests/cluster/rsh" >patient
chmod +x patient
export OMPI_MCA_plm_rsh_agent=$tmp/patient
refused "a host that never answers" "hbatch start: cannot reach node3: '$tmp/patient node3 true' had no answer in 10 s" $three
done_testing
