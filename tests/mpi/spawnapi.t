#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Instances that MPI programs spawn, and libhbatch-mpi.
. "${0%/*}/lib.sh"
mpi_need openmpi
need mpirun openmpi-bin pgrep procps
inside --test-nodes=3 --test-topology="core:4 pu:1"
api=$builddir/tests/mpi/spawnapi
[ -x "$api" ] || skip_all "$api was not built: make check builds it, or make tests/mpi/spawnapi"
case $(hbatch getattr mpi) in openmpi) ;; *) skip_all "hbatch is built for another MPI" ;; esac
export HBATCH_TEST_LIMIT=30

run() { timeout 25 hbatch run -n 1 "$api" "$@"; }
job() { hbatch jobs -a -c1 -no "$1"; } # the newest one
no_sleep() { ! pgrep -f "^sleep 4444"; }

# --- instances -----------------------------------------------------------------------------------------
used="wait: FAILED 3
attach: 1 starts, exit code 4, hello
stdin: got some input
much: 5000000 bytes
cancel: CANCELED: enough
list: 2 and more
bad method: request: no such method: no.such"
for n in 1 3; do
    ok "an instance of $n ranks is spawned and used by messages" run use $n hbatch_cores 2
    is "$out" "$used
nodes: $n
again: quiet
closed: yes
its job: over" "all of it works"
    ok "it ends" wait_until 10 no_job_is_left
    is "$(job '{name} {ntasks} {nnodes} {ncores} {result} {returncode}')" \
        "hbatch-instance $n $n $((2 * n)) COMPLETED 0" "it was a job, and ended in order"
done
capture timeout 25 mpirun --oversubscribe -n 1 "$api" use 1
isnt $rc 124 "outside of an instance nobody waits for ever"
like "$err" "hbatch-instance: the program that spawned this by MPI_Comm_spawn is no job of an instance" "... and why is told"
ok "spawned by several, and used by all" timeout 25 hbatch run -n 3 "$api" all
is "$(sort <<<"$out" | xargs)" "0: COMPLETED 1: COMPLETED 2: COMPLETED" "each has a connection"
ok "whole nodes" run use 2 hbatch_exclusive true
is "$(job '{nnodes} {ncores}')" "2 8" "are the instance's"
ok "a soft number of ranks" run use 3 soft 1:3 hbatch_cores 4
like "$out" "nodes: 2" "the node of the asking task has no four cores left"
ok "found though it is not in PATH" env PATH=/usr/bin:/bin "$builddir/bin/hbatch" run -n 1 "$api" use 1
ok "with a program" run program sh -c 'hbatch run sh -c "echo level \$HBATCH_INSTANCE_LEVEL"; exec sleep 0.5'
is "$out" "level 1
ended: the connection to the instance at the other end of the intercommunicator is lost: the instance has ended" \
    "it ends with that"
ok "wrong uses" run misuse
is "$out" "null: this is no intercommunicator: give what MPI_Comm_spawn returned
intra: this is no intercommunicator: give what MPI_Comm_spawn returned
close null: this is no intercommunicator: give what MPI_Comm_spawn returned
close intra: this is no intercommunicator: give what MPI_Comm_spawn returned
twice: this process has a connection over this intercommunicator already
after nonsense: COMPLETED
no instance: the connection to the instance at the other end of the intercommunicator is lost: the instance has ended" \
    "are told"

nok "a wrong option of hbatch-instance" run program --nonsense
like "$rc $err" "^3 .*--nonsense: no such option" "fails the spawn"
nok "a number of nodes that is not that of ranks" run use 1 hbatch_nodes 2
like "$err" "one rank on each node" "is refused"
nok "more nodes than there are" run use 4
like "$err" "nodes" "is refused"

# --- ends -------------------------------------------------------------------------------------------------
ok "MPI_Finalize ends the instance" run exit
ok "it ends" wait_until 10 no_job_is_left
is "$(job '{name} {result}')" "hbatch-instance COMPLETED" "in order"
ok "its jobs are gone" wait_until 20 no_sleep
ok "an instance that is killed leaves its spawner alive" run crash
like "$out" "wait: .*lost: the instance's job has ended: FAILED.*close: the instance's job has ended" "which hears of it"
ok "its jobs are gone" wait_until 20 no_sleep
nok "MPI_Abort of the spawner" run abort
is "$rc" 5 "has its exit code"
ended() { [ "$(job '{name} {result}')" = "hbatch-instance CANCELED" ]; }
ok "ends the instance" wait_until 10 ended
like "$(hbatch job eventlog "$(job '{id}')")" "the job that spawned it, f[0-9A-Za-z]+, has ended" "with a reason"
nok "a spawner that is killed" run silent
ok "takes its instance along" wait_until 10 ended
ok "its jobs are gone" wait_until 20 no_sleep
id=$(hbatch submit -n 1 "$api" program sleep 4444)
two() { [ "$(hbatch jobs -no '{id}' | wc -l)" = 2 ] && hbatch jobs -no '{uri}' | grep -q local; }
ok "an instance is there" wait_until 15 two
is "$(hbatch pstree | grep -c hbatch-instance)" 1 "the tree shows it"
hbatch cancel "$id"
ok "canceled with its spawner" wait_until 15 no_job_is_left
ok "nothing is left" wait_until 20 no_sleep
ok "an instance that is let go" run leave hbatch_cores 2
is "$(hbatch jobs -no '{name} {status}')" "hbatch-instance RUN" "goes on without its spawner"
uri=$(hbatch uri --local "$(hbatch jobs -no '{id}')" 2>/dev/null || hbatch uri "$(hbatch jobs -no '{id}')")
ok "and takes jobs" env HBATCH_URI="$uri" hbatch run true
ok "it is shut down" env HBATCH_URI="$uri" hbatch shutdown
ok "and ends in order" wait_until 10 no_job_is_left
is "$(job '{result}')" COMPLETED "its job"

# --- examples ---------------------------------------------------------------------------------------------
# in a build with sanitizers: Open MPI loses memory
ok "spawn_instance.c" timeout 25 hbatch run -n 1 --env=ASAN_OPTIONS=detect_leaks=0 "$builddir/examples/spawn_instance" 2 2 100
is "$out" "2 nodes, 100 jobs: 90 completed, 10 failed" "its jobs"
python=
for p in python3 /usr/bin/python3; do # the second is the one that Debian's mpi4py belongs to
    [ -n "$python" ] || ! $p -c 'import mpi4py' 2>/dev/null || python=$p
done
if [ -n "$python" ]; then
    ok "spawn_instance.py" timeout 25 hbatch run -n 1 -o pmi=pmix $python "$srcdir/examples/spawn_instance.py" 2 20
    is "$out" "level 1: 20 jobs of 20 completed" "its jobs"
else
    skip "spawn_instance.py" "mpi4py is not here: install the Debian package python3-mpi4py"
fi
ok "the instance goes on" hbatch run -N 3 true
done_testing
