#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The keys of MPI_Comm_spawn (hbatch-spawn(7)).
. "${0%/*}/lib.sh"
mpi_need openmpi
need mpirun openmpi-bin
inside --test-nodes=3 --test-topology="core:4 pu:1"
api=$builddir/tests/mpi/spawnapi
[ -x "$api" ] || skip_all "$api was not built: make check builds it, or make tests/mpi/spawnapi"
case $(hbatch getattr mpi) in openmpi) ;; *) skip_all "hbatch is built for another MPI" ;; esac
export HBATCH_TEST_LIMIT=30

run() { timeout 25 hbatch run -n 1 "$api" "$@"; }
job() { hbatch jobs -a -c1 -no "$1"; } # the newest one

# --- keys ----------------------------------------------------------------------------------------
ok "nodes, by a key that libhbatch-mpi hands on" run spawn "$api" 2 hbatch_nodes 2
like "$out" "spawned 2" "two tasks"
is "$(job '{ntasks} {nnodes} {ncores} {nodelist}')" "2 2 2 vnode[0-1]" "on two nodes"
ok "cores, name, urgency, time limit" run spawn "$api" 2 \
    hbatch_cores 3 hbatch_job_name five hbatch_urgency 20 hbatch_time_limit 5m
is "$(job '{ntasks} {ncores} {name} {urgency} {duration!F}')" "2 6 five 20 5m" "the job has them"
ok "whole nodes" run spawn "$api" 1 hbatch_nodes 1 hbatch_exclusive true
is "$(job '{ntasks} {ncores}')" "1 4" "of four cores"
ok "requires" run spawn "$api" 1 hbatch_requires "host:vnode2"
is "$(job '{nodelist}')" vnode2 "the node"
ok "host" run spawn "$api" 1 host vnode1
is "$(job '{nodelist}')" vnode1 "the node"
ok "localhost" run spawn "$api" 1 host localhost
is "$(job '{nodelist}')" vnode0 "is where the asking task runs"
ok "pernode" run spawn "$api" 3 pernode true
is "$(job '{nnodes}')" 3 "one on each"
ok "wdir" run spawn "$api" 1 wdir /usr
like "$out" "child in /usr(\$|"$'\n'")" "the working directory"
ok "path" run spawn spawnapi 1 path "/nowhere:${api%/*}"
ok "output" run spawn "$api" 1 hbatch_output "$tmp/child.{{id}}"
like "$(cat child.*)" "child in $tmp" "the file"
ok "variables in Open MPI's env do the same" run spawn "$api" 2 env $'HBATCH_SPAWN_NODES=2\nHBATCH_SPAWN_JOB_NAME=six\nOTHER=1'
is "$(job '{nnodes} {name}')" "2 six" "the job has them"
ok "beside keys" run spawn "$api" 2 env HBATCH_SPAWN_NODES=2 hbatch_job_name seven
is "$(job '{nnodes} {name}')" "2 seven" "the job has both"
ok "several commands" run multiple 2 hbatch_nodes 2 hbatch_job_name eight
is "$(job '{ntasks} {nnodes} {name}')" "4 2 eight" "are one job"

while read -r soft n wanted; do
    capture run spawn "$api" "$n" soft "$soft" hbatch_cores 2
    is "$(head -n 1 <<<"$out")" "spawned $wanted" "soft $soft of $n"
done <<'END'
1:8 8 5
2:8:2 8 4
1,3,9 9 3
1-8 8 5
1:2 2 2
2-16:2:* 16 4
END
# the asking job, with three of eleven left on its node
ok "what cannot be now is not waited for, if less will do" sh -c '
    id=$(hbatch submit -n 8 sleep 4444) && hbatch job wait-event -q $id start &&
    timeout 20 hbatch run -n 1 "$0" spawn "$0" 9 soft 1:9; rc=$?; hbatch cancel $id; exit $rc' "$api"
like "$out" "spawned 3" "as many as are free"

# KEY VALUE, what the message must say
while IFS='|' read -r key value says; do
    capture run spawn "$api" 2 "$key" "$value"
    is "$rc|$out" "3|spawn failed" "$key=$value: the spawn fails"
    like "$err" "hbatch: spawn: .*$says" "... and says why"
done <<'END'
hbatch_nonsense|1|no key HBATCH_SPAWN_NONSENSE
hbatch_nodes|0|HBATCH_SPAWN_NODES=0: must be a positive whole number
hbatch_nodes|x|HBATCH_SPAWN_NODES=x: must be
hbatch_nodes|3|more than there are tasks
hbatch_nodes|-1|NODES=-1
hbatch_cores|99999999999|CORES=99999999999
hbatch_cores|5|no node has 5 cores
hbatch_exclusive|maybe|EXCLUSIVE=maybe: must be true or false
hbatch_exclusive|true|together with hbatch_nodes
hbatch_time_limit|soon|TIME_LIMIT=soon
hbatch_timeout|-1s|TIMEOUT=-1s
hbatch_urgency|32|URGENCY=32: must be a number from 0 to 31
hbatch_requires|and and|REQUIRES=and and
host|nowhere|no node
soft|4:5|SOFT=4:5: leaves no number of tasks
soft|1:|SOFT=1:: must be
soft|a|SOFT=a: must be
END
long=$(printf 'x%.0s' {1..200})
capture run spawn "$api" 1 hbatch_job_name "$long" hbatch_output "$long"
like "$rc $err" "^3 .*too long together" "keys that are longer than Open MPI takes"
nok "no core in time" sh -c 'id=$(hbatch submit -n 11 sleep 4444) && hbatch job wait-event -q $id start &&
    timeout 20 hbatch run -n 1 "$0" spawn "$0" 1 hbatch_timeout 0.3s; rc=$?; hbatch cancel $id; exit $rc' "$api"
like "$err" "not started within the time" "is given up"
nok "children that end at once" run spawn /bin/true 2
is "$rc" 3 "fail the spawn, and hang nobody"
printf '#!/bin/sh\nsleep 0.5\n' >late && chmod +x late
for n in 1 9; do # on the asking task's node, and on others, when that waits for them already
    nok "$n children that end before MPI_Init, later" run spawn ./late $n
    is "$rc" 3 "fail the spawn as well"
done
done_testing
