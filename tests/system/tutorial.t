#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The scripts and programs of examples/tutorial do what its README says.
# shellcheck disable=SC2016
. "${0%/*}/../system/lib.sh"
need python3 python3 mpicc.openmpi libopenmpi-dev mpirun openmpi-bin
inside --test-nodes=2 --test-topology="core:8 pu:1"
cp "$srcdir"/examples/tutorial/* .
NAP=0.3

as_shown() { hbatch jobs -ano "$2" "$1"; }
ends() { timeout 30 hbatch job wait "$1"; }
sorted() { sed 's/ on [^ ,]*,/ here,/; s/ on [^ ]* woke/ woke/' "$1" | sort; }

ok "compile mpi_hellosleep.c" mpicc.openmpi -Wall -Werror -o mpi_hellosleep mpi_hellosleep.c
hello='4 MPI tasks
job complete
task 0 here, node 0 of the job, goes to sleep
task 0 woke up
task 1 here, node 0 of the job, goes to sleep
task 1 woke up
task 2 here, node 1 of the job, goes to sleep
task 2 woke up
task 3 here, node 1 of the job, goes to sleep
task 3 woke up'

# --- 3, 4: batch jobs, directives ---------------------------------------------------------------------
ok "simple.sh" hbatch batch -N2 -n4 simple.sh $NAP
simple=$out
ok "directives.sh" hbatch batch directives.sh $NAP
directives=$out
ok "flux.sh" hbatch batch flux.sh
ok "simple.sh ends" ends "$simple"
is "$(sorted "hbatch-$simple.out" | sed '/:.*:/d')" "$hello" "its output"
is "$(as_shown "$simple" '{name} {ntasks} {nnodes}')" "simple.sh 4 2" "what it was shown as"
ok "directives.sh ends" ends "$directives"
like "$(cat directives.out)" "free +2 +4 +0 vnode.0-1..*job complete" "its output"
is "$(as_shown "$directives" '{name} {duration!F}')" "directives 10m" "its name and time limit"
ok "flux.sh ends" ends last
is "$(cat flux.out | xargs)" "hello hello hello hello" "its output"

# --- 9: hierarchical submission -----------------------------------------------------------------------
ok "script1.sh" ./script1.sh 1.5
one=$out
ok "script2.sh" ./script2.sh $NAP
two=$out
is "$(hbatch jobs -no '{name} {state} {nnodes}' "$two" "$one")" "script2 SCHED 1
script1 RUN 2" "two batch jobs, of which one waits"
both() { hbatch pstree | grep -q '2\*\[mpi_hellosleep\]'; }
ok "the tree shows the jobs inside" wait_until 20 both
ok "script1.sh ends" ends "$one"
ok "script2.sh ends" ends "$two"
like "$(cat "hbatch-$one.out")" "free +2 +8 +0 vnode.0-1..*mpi_hello.* 4 +2 .*vnode.0-1..*job complete" "script1.sh: jobs on both nodes"
is "$(grep -c 'node 1 of the job' "hbatch-$one.out")" 4 "... two tasks of each on the second"
like "$(cat "hbatch-$two.out")" "free +1 +8 +0 vnode[01].*mpi_hello.* 4 +1 .*job complete" "script2.sh: jobs on one node"
is "$(grep -c 'node 1 of the job' "hbatch-$two.out")" 0 "... alone"

# --- 10: deeper ---------------------------------------------------------------------------------------
ok "nested.sh" hbatch batch --wait nested.sh $NAP
like "$(cat nested.out)" "no node has 8 cores.*script2.sh wants eight cores.*CD +2 +1 .*script1 +CD +8 +2" "its output"
is "$(cat inner.out)" "inner job at level 2
inner job at level 2" "the inner job"
is "$(cat innermost.out)" "innermost job at level 3" "the innermost job"
ok "levels.sh" hbatch batch --wait -n4 --output=levels.out levels.sh $NAP
is "$(cat levels.out)" 'level 1: 4 cores
level 2: 3 cores
level 3: 2 cores
.
`-- levels.sh
    `-- levels.sh
        `-- levels.sh
            `-- sleep' "three levels, and their tree"

# --- 11, 12: chains and dependencies ------------------------------------------------------------------
ok "chain.sh" hbatch batch chain.sh
chained() { [ "$(hbatch jobs -a --name=chain -no '{result}' | xargs)" = "COMPLETED COMPLETED COMPLETED" ]; }
ok "three links" wait_until 20 chained
is "$(cat chain.*.out | grep left | sort)" "1 steps left
2 steps left
3 steps left" "each did its part"
ok "dependent.sh" ./dependent.sh 3
is "$out" "result of part 1
result of part 2
result of part 3" "its results"
collect=$(hbatch jobs -a --name=collect -no '{id}')
is "$(hbatch job info "$collect" jobspec | grep -o afterok | wc -l)" 3 "what they waited for"
like "$(cat dependent.lst)" "JOBID NAME +STATE +INFO" "a list of that time"
wait_until 10 sh -c '[ -z "$(hbatch jobs -no "{id}")" ]'
like "$(hbatch jobs -a --name=mourn -no '{result} {contextual_info}')" "^FAILED dependency afternotok:.* can never be met" "what was not run"
[ -e mourn.out ] && fail "mourn ran"

# --- 5, 6, 13: alloc, proxy, growing and shrinking ----------------------------------------------------
ok "resources.sh" hbatch alloc -N2 -n4 ./resources.sh
like "$out" "^level 1:.*free +2 +4 .*around it:.*free +2 +12 .*on node" "its output"
ok "service.sh" ./service.sh
like "$out" 'pstree
\.
`-- service
    `-- 3\*\[work\]
.*free +1 +5 .*grow.*free +2 +13 .*shrink.*free +1 +5 .*shutdown' "its output"
like "$(cat top.out)" "^[^ ]* hbatch top.*size 1 +level 1 .*work +R" "a page of top"
is "$(hbatch jobs -a --name=service -no '{result}')" COMPLETED "it ended in order"

# --- 15, 16: programs ---------------------------------------------------------------------------------
ok "driver.py" ./driver.py 6
is "$out" "node 0: 5 members completed, 1 failed
node 1: 5 members completed, 1 failed
a command two levels down is at level 2" "its output"
if [ "$(hbatch getattr mpi)" != openmpi ]; then
    skip "spawn_levels.c" "hbatch is built for another MPI"
elif [ ! -x "$builddir/examples/tutorial/spawn_levels" ]; then
    fail "spawn_levels.c" "$builddir/examples/tutorial/spawn_levels was not built"
else
    ok "spawn_levels.c" hbatch run -n1 --env=ASAN_OPTIONS=detect_leaks=0 "$builddir/examples/tutorial/spawn_levels" 3
    is "$out" "a job at level 0
a job at level 1
a job at level 2
a job at level 3" "its output"
fi

# --- what can go wrong -------------------------------------------------------------------------------------
# says PART ARGUMENTS...: exit code 1, and one sentence with PART
says() {
    capture hbatch "${@:2}"
    like "$rc|$err" "^1\|hbatch[^:]*: .*$1" "${*:2}"
    is "$(wc -l <"$tmp/.err")" 1 "... in one line"
}
sed 1d simple.sh >simple.txt
says "simple.txt: the script must begin with #!.*--wrap" batch simple.txt
says "2 nodes; 9 were asked for" batch -N9 simple.sh
says "outermost one \(level 0\): it has no parent" --parent jobs
says "is over \(COMPLETED\): its instance is gone" proxy "$simple" hbatch jobs
id=$(hbatch alloc --bg -N1 -x)
says "it can grow by 1, not by 9" resource grow "$id" -N9
hbatch cancel "$id"
wait_until 20 sh -c '[ -z "$(hbatch jobs -no "{id}")" ]'
is "$(hbatch jobs -n)" "" "nothing is left"
done_testing
