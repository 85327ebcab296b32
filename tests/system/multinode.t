#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Jobs over several nodes: virtual ones, each with its own rank and executor.
outer_mark=${TEST_MARK:-} # of the instance, which was started by the first run of this
. "${0%/*}/../system/lib.sh"
need mpirun openmpi-bin pgrep procps
inside --test-nodes=4 --test-topology="core:4 pu:1" --property="fast:vnode[1-2]" --property=all --property="gpu:vnode3,vnode9"

event() { timeout 20 hbatch job wait-event -q "$1" "$2"; }
where='echo $HBATCH_TASK_RANK:$HBATCH_NODE_ID'
tasks() { # OPTIONS: TASK:NODE of all tasks, in order
    # shellcheck disable=SC2086
    hbatch run "$@" sh -c "$where" </dev/null | sort -n | tr '\n' ' '
}

like "$(hbatch resource list -n -s all -o '{state} {nnodes} {ncores} {ngpus} {nodelist}')" "4 16 0 vnode\[0-3\]" "four nodes"
is "$(hbatch resource list -n -s all | xargs)" "all all 1 4 0 vnode0 all all,fast 2 8 0 vnode[1-2] all all,gpu 1 4 0 vnode3" \
    "nodes with other properties have a line of their own"
is "$(tasks -N4)" "0:0 1:1 2:2 3:3 " "-N4: a task on each"
is "$(tasks -N4 -n8)" "0:0 1:0 2:1 3:1 4:2 5:2 6:3 7:3 " "-N4 -n8: by blocks"
is "$(tasks -N4 -n8 --taskmap=cyclic)" "0:0 1:1 2:2 3:3 4:0 5:1 6:2 7:3 " "cyclic"
is "$(tasks -N2 --tasks-per-node=3)" "0:0 1:0 2:0 3:1 4:1 5:1 " "--tasks-per-node"
is "$(tasks -N2 -n4 --taskmap='manual:[[1,1,2,1],[0,1,2,1]]')" "0:1 1:1 2:0 3:0 " "a map by hand"
is "$(tasks -n16 | wc -w)" 16 "-n16: all cores of all nodes"
is "$(hbatch run -N4 sh -c 'echo $HBATCH_JOB_NNODES $HBATCH_JOB_SIZE' </dev/null | sort -u)" "4 4" "their number is known"
nok "too many nodes" hbatch run -N5 true
like "$err" "this instance has 4 nodes; 5 were asked for" "it is said"
nok "too many tasks" hbatch run -n17 true
like "$err" "16 cores; 17 were asked for" "it is said"
nok "a map that does not fit" hbatch run -N2 -n4 --taskmap='manual:[[0,2,9,1]]' true
like "$err" "[Tt]ask ?map" "it is said"
ok "jobs beside each other" sh -c 'hbatch submit --quiet --wait --cc=1-40 -N2 -n4 true'
is "$(hbatch run --requires=host:vnode2 sh -c 'hbatch job info $HBATCH_JOB_ID R' </dev/null | grep -o '"rank": *"[0-9]*"' | tr -d ' ')" '"rank":"2"' "a node by its name"

# --- properties
on() { hbatch run "$@" sh -c 'hbatch job info $HBATCH_JOB_ID R' </dev/null | grep -o '"rank": *"[0-9,-]*"' | grep -o '[0-9,-]*' | sed -n 1p; }
is "$(on --requires=fast)|$(on --requires='-fast and -rank:0')|$(on --requires='fast|gpu' -N3)|$(on --requires=all -N4)" \
    "1|3|1-3|0-3" "nodes by their properties"
nok "two properties that no node has" hbatch run --requires=fast --requires=gpu true
like "$err" "no node of this instance matches the constraint" "it is said"
is "$(hbatch resource list -nv -s free -o '{ranks}:{properties}' | xargs)" "0:all 1:all,fast 2:all,fast 3:all,gpu" "resource list shows them"
is "$(hbatch resource list -n -s free -o '{properties}')" "all,fast,gpu" "... of all nodes"
like "$(hbatch resource list --json)" '"properties":\["all","fast"\]' "... as JSON"

# --- output and input ----------------------------------------------------------------------------
hbatch run -N4 -n8 -l sh -c 'seq 5000 | sed "s/^/$HBATCH_TASK_RANK /"' </dev/null >got
is "$(wc -l <got)|$(awk -F'[: ]+' '$1 != $2' got | head -1)" "40000|" "output of all nodes, whole lines"
is "$(hbatch run -N4 head -c 5000000 /dev/zero </dev/null | wc -c)" 20000000 "20 MB from four nodes"
id=$(hbatch submit -N4 sh -c "$where; exit \$HBATCH_TASK_RANK")
capture hbatch job attach "$id"
is "$rc|$(sort <<<"$out" | xargs)" "3|0:0 1:1 2:2 3:3" "attach to a job of four nodes"
capture hbatch job attach "$id"
is "$rc|$(sort <<<"$out" | xargs)" "3|0:0 1:1 2:2 3:3" "again, after its end"
is "$(echo in | hbatch run -N4 -l cat)" "0: in" "stdin goes to the first node"
is "$(echo in | hbatch run -N4 -l --input=all cat | sort | xargs)" "0: in 1: in 2: in 3: in" "or to all"
head -c 5000000 /dev/urandom >large
is "$(hbatch run -N4 --input=all sh -c 'cksum' <large | sort -u)" "$(cksum <large)" "5 MB to all nodes"
hbatch run -N2 --output='file.{{taskid}}.{{nodeid}}' sh -c "$where" </dev/null
is "$(cat file.* 2>/dev/null | xargs)" "0:0 1:1" "output files of several nodes"

# --- from tasks on other ranks -------------------------------------------------------------------
isnt "$(hbatch run --requires=host:vnode3 sh -c 'echo $HBATCH_URI' </dev/null)" "$HBATCH_URI" "a task talks to its own rank"
is "$(hbatch run --requires=host:vnode3 hbatch run -n 3 -l sh -c 'echo $HBATCH_TASK_RANK' </dev/null | sort | xargs)" \
    "0: 0 1: 1 2: 2" "hbatch run within a task on another rank"
is "$(hbatch run --requires=host:vnode2 hbatch resource list -no '{ncores}' -s all </dev/null)" 16 "hbatch resource list there"
# a URI that was copied from another node: there this node's own socket is beside it
ok "the URI of another node's rank" env HBATCH_URI="${HBATCH_URI%/*}/sock-99" timeout 20 hbatch run true
capture env HBATCH_URI="${HBATCH_URI%/*}/other" HBATCH_RECONNECT_TIMEOUT=100ms hbatch uptime
like "$rc|$err" "^1\|.*/other: it was lost and did not come back within 100ms" "what is no rank's socket is not replaced"
id=$(hbatch run --requires=host:vnode1 hbatch submit sh -c 'echo from afar; exit 5' </dev/null)
capture hbatch run --requires=host:vnode2 hbatch job attach "$id"
is "$rc|$out" "5|from afar" "attach there, to a job from elsewhere"
nok "an error there" hbatch run --requires=host:vnode2 hbatch run -n 99 true
like "$err" "99 were asked for" "is the same"
is "$(hbatch run --requires=host:vnode3 head -c 3000000 /dev/zero </dev/null | wc -c)" 3000000 "a large output there"
ok "many clients of many ranks" hbatch run -N4 -n8 sh -c 'for i in 1 2 3; do hbatch jobs >/dev/null && hbatch submit true >/dev/null || exit 1; done'
id=$(hbatch submit --requires=host:vnode2 sleep 1000)
event "$id" start
mkfifo seen
hbatch run --requires=host:vnode3 hbatch job attach "$id" >seen 2>&1 </dev/null &
attach=$!
ok "cancel" hbatch cancel "$id"
like "$(cat seen)" "cancel" "it is told on the other rank"
wait $attach
isnt $? 0 "and the exit code tells it"

# --- what it costs
counts() { hbatch getattr traffic | tr -cd '0-9 ' | xargs; } # sent, received, beats, epochs: 3 numbers each
read -r -a before <<<"$(counts)"
ok "jobs for another rank" hbatch run --requires=rank:2 sh -c 'hbatch run true && hbatch run true'
read -r -a after <<<"$(counts)"
note "traffic: ${before[*]}, then ${after[*]}"
is "${#after[@]}" 12 "the leader tells its traffic"
for i in 0 1 2 3 4 5 9 10 11; do
    [ "${after[i]}" -gt "${before[i]}" ] || fail "number $i of it grows" "${before[i]} ${after[i]}"
done
[ $((after[0] - before[0])) -lt 15 ]
is $? 0 "a job costs few messages"
like "$(hbatch run --requires=host:vnode3 hbatch getattr traffic </dev/null)" '"epochs": +[0-9]' "so it does on another rank"

# --- drain and loss ------------------------------------------------------------------------------
ok "drain a node" hbatch resource drain vnode1
is "$(hbatch run -N3 sh -c 'echo $HBATCH_NODE_ID' </dev/null | wc -l)" 3 "the others take the work"
id=$(hbatch submit -N4 true)
is "$(hbatch jobs -no '{state}' "$id")" SCHED "what needs all waits"
ok "undrain" hbatch resource undrain 1
ok "it runs" timeout 20 hbatch job wait "$id"
# its run directory tells which instance's it is
executor_2=
for p in $(pgrep -x hbatch-exec); do
    tr '\0' '\n' <"/proc/$p/environ" | grep -qx "TEST_MARK=$outer_mark" || continue
    tr '\0' '\n' <"/proc/$p/cmdline" | grep -qx -- --rank=2 && executor_2=$p
done
isnt "$executor_2" "" "there is an executor of rank 2"
whole=$(hbatch submit -N4 -n4 sleep 1000)
apart=$(hbatch submit --requires=host:vnode0 sleep 1000)
event "$whole" start
event "$apart" start
kill -KILL "$executor_2"
capture timeout 20 hbatch job wait "$whole"
is $rc 1 "SIGKILL of one executor: a job that had a task there fails"
like "$(hbatch job eventlog "$whole")" "executor of rank 2 \(vnode2\) died" "its log tells why"
is "$(hbatch jobs -no '{state}' "$apart")" RUN "a job elsewhere goes on"
hbatch cancel -q "$apart"
ok "all nodes take work again" timeout 20 hbatch run -N4 true
nok "the exit code of one task" hbatch run -N4 sh -c 'exit $HBATCH_TASK_RANK'
is $rc 3 "is the job's"
nok "a program that is not there" hbatch run -N4 no-such-program-at-all
is $rc 127 "exit code 127"

# --- exit codes through mpirun -------------------------------------------------------------------
for code in 0 1 42; do
    capture env -u HBATCH_URI hbatch start --test-nodes=2 --test-topology="core:1 pu:1" sh -c "hbatch run -N2 true && exit $code"
    is $rc $code "an instance of two nodes ends with its program's exit code $code"
done
is "$err" "" "and without a word of mpirun"
done_testing
