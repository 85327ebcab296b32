#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Sub-instances that get more nodes while they run, and give nodes back.
. "${0%/*}/../system/lib.sh"
need mpirun openmpi-bin pgrep procps
inside --test-nodes=4 --test-topology="core:2 pu:1"
export HBATCH_LOSS_TIMEOUT=3s

event() { timeout 20 hbatch job wait-event -q "$@"; }
begin() { # OPTIONS of alloc: an instance, in $id and $uri
    id=$(hbatch alloc --bg --exclusive "$@" 2>/dev/null) || return
    event "$id" memo
    uri=$(hbatch jobs --json "$id" | grep -o '"uri": *"[^"]*"' | head -1 | cut -d'"' -f4)
}
inner() { HBATCH_URI=$uri timeout 40 hbatch "$@"; }
finish() { inner shutdown && timeout 30 hbatch job wait "$id"; }
hosts() { inner resource list --json | grep -o "\"host\": *\"vnode[0-9]*\"" | grep -o "vnode[0-9]*" | sort | xargs; }
grow() { timeout 40 hbatch resource grow -q "$id" "$@"; }
shrink() { timeout 40 hbatch resource shrink -q "$id" "$@"; }
parent_free() { hbatch resource list -s free -no '{nnodes}'; }

# --- an instance of one node, without MPI --------------------------------------------------------------
begin -N1
is "$(hosts)" vnode0 "an instance of one node"
inner run sh -c 'for i in $(seq 60); do echo $i; sleep 0.02; done' >counted &
counting=$!
inner submit --quiet --cc=1-40 sleep 0.05
ok "gets another one" grow -N1
is "$(hosts)" "vnode0 vnode1" "which is among its resources"
is "$(inner getattr size)" 2 "and counted"
is "$(inner run -N2 sh -c 'echo $HBATCH_NODE_ID:$HBATCH_TASK_RANK' | sort | xargs)" "0:0 1:1" "a job runs on both"
is "$(inner run --requires=host:vnode1 hbatch getattr size)" 2 "the new rank knows all"
ok "gets two more" grow -N2
is "$(hosts)" "vnode0 vnode1 vnode2 vnode3" "which are four"
is "$(inner run -N4 sh -c 'echo $HBATCH_NODE_ID' | sort | xargs)" "0 1 2 3" "a job over all"
is "$(inner run --requires=host:vnode3 hbatch run --requires=host:vnode2 hbatch getattr size)" 4 "newcomers know newcomers"
wait $counting
is $? 0 "who watched a job meanwhile"
is "$(xargs <counted)" "$(seq 60 | xargs)" "has seen all of it, in order"
ok "what was queued" wait_until 20 sh -c "[ \$(HBATCH_URI=$uri hbatch jobs -ano '{result}' --name=sleep | grep -c COMPLETED) = 40 ]"
nok "more nodes than there are" grow -N1
like "$err" "node" "is told"

# --- giving back --------------------------------------------------------------------------------------
inner submit --quiet -N2 --requires=host:vnode2,vnode3 sleep 1
busy=$(inner jobs -no '{id}' --name=sleep)
printed=$(inner submit --requires=host:vnode3 echo captured)
inner job wait "$printed"
ok "all but the leader's node are given back" shrink -N3
is "$(inner jobs -no '{result}' "$busy")" COMPLETED "after what ran there"
is "$(hosts)" vnode0 "one is left"
capture inner attach "$printed"
like "$err" "9 bytes of its output are gone: lost with the node" "what was captured there is gone: it is said"
is "$(parent_free)" 3 "the parent has them"
nok "its leader's node" shrink -N1
like "$err" "leader" "stays"
ok "it goes on" inner run true
is "$(inner getattr size)" 1 "alone"

# --- a grant that is canceled ----------------------------------------------------------------------------
capture timeout 30 hbatch resource grow "$id" -N1
grant=$out
doomed=$(inner submit --requires=host:vnode1 sleep 3351)
HBATCH_URI=$uri event "$doomed" start
kept=$(inner submit sleep 2)
hbatch cancel "$grant"
capture inner job wait -v "$doomed"
like "$err" "node-failure the parent" "a grant that is canceled ends what it has"
ok "nothing of it is left" wait_until 10 no_strays '^sleep 3351 '
ok "what ran elsewhere goes on" inner job wait "$kept"
is "$(hosts)" vnode0 "its node is gone"

# --- often ------------------------------------------------------------------------------------------------
again() { grow -N"$1" && [ "$(inner run -N$(($1 + 1)) true >/dev/null && echo good)" = good ] && shrink -N"$1"; }
pid=$(inner getattr pid)
descriptors() { ls "/proc/$pid/fd" "/proc/$(pgrep -P "$pid" hbatch-exec)/fd" | wc -l; }
ok "larger and smaller" again 1
ok "again" again 2
fds=$(descriptors)
HBATCH_URI=$uri hbatch submit --quiet --wait --cc=1-600 --job-name=tiny true &
burst=$!
many() { for i in $(seq 9); do again $((i % 2 + 1)) || return; done; }
ok "nine times, in a burst" many
wait $burst
is $? 0 "whose jobs"
ok "leave no descriptor" wait_until 5 sh -c "[ \$(ls /proc/$pid/fd /proc/$(pgrep -P "$pid" hbatch-exec)/fd | wc -l) -le $fds ]"
is "$(inner jobs -ano '{result}' --name=tiny -c 0 | sort | uniq -c | xargs)" "600 COMPLETED" "all have run"
ok "it ends as any" finish

# --- an instance of two nodes -------------------------------------------------------------------------------
begin -N2
ok "two nodes get two more" grow -N2
is "$(hosts)" "vnode0 vnode1 vnode2 vnode3" "of four"
joined() { for p in $(strays); do grep -qzs -- '^--join=' "/proc/$p/cmdline" && grep -qzs hbatch-instance "/proc/$p/cmdline" && echo "$p"; done; }
is "$(joined | wc -l)" 2 "two ranks have joined"
alone=$(inner submit --requires=host:vnode0 sleep 3)
all=$(inner submit -N4 sleep 3352)
HBATCH_URI=$uri event "$all" start
kill -9 "$(joined | head -1)"
capture inner job wait -v "$all"
like "$err" "node-failure" "a joined rank that is killed is lost, and jobs with it"
ok "others go on" inner job wait "$alone"
ok "and new ones run" inner run -N2 true
ok "nothing is left on the lost node" wait_until 15 no_strays '^sleep 3352 '
ok "a node of its own is given back" shrink --nodes=vnode1
like "$(hbatch resource list --json)" '"vnode1","cores":"0-1","gpus":"","free_cores":"0-1"' "and free in the parent, while the rest goes on"
ok "it goes on" inner run true
hbatch cancel "$id" 2>/dev/null
ok "canceled, it ends" timeout 30 sh -c "hbatch job wait $id; true"
ok "with its grants" wait_until 15 sh -c '[ "$(hbatch jobs -no {id})" = "" ]'
is "$(parent_free)" 4 "all is free"

# --- the first node of a grant leaves before the others ----------------------------------------------------------
begin -N1
ok "two nodes at once" grow -N2
first=$(hosts | cut -d' ' -f2)
ok "the first of them is given back" shrink --nodes="$first"
ok "and it grows again" grow -N2
ok "to four nodes" inner run -N4 true
ok "and ends" finish

# --- its leader is lost ----------------------------------------------------------------------------------------
begin -N2
ok "two nodes get one more" grow -N1
there=$(inner submit --requires=host:vnode2 sh -c 'sleep 4; echo done')
HBATCH_URI=$uri event "$there" start
kill -9 "$(inner getattr pid)"
is_new() { uri=$(hbatch jobs --json "$id" | grep -o '"uri": *"[^"]*"' | head -1 | cut -d'"' -f4); [ "$uri" != "$1" ]; }
old=$uri
for i in $(seq 400); do is_new "$old" && break; sleep 0.05; done
isnt "$uri" "$old" "another rank leads"
ok "a job on the node that joined goes on" inner job wait "$there"
is "$(inner job attach "$there" 2>/dev/null)" done "to its end"
ok "jobs run on what is left" inner run -N2 true
ok "and it grows again" grow -N1
ok "to three nodes" inner run -N3 true
finish >/dev/null 2>&1

# --- idle nodes --------------------------------------------------------------------------------------------------
begin -N2 --idle-return=0.2s
ok "an idle node is given back" wait_until 15 sh -c '[ "$(hbatch resource list -s free -no {nnodes})" = 3 ]'
is "$(hosts)" vnode0 "the leader's stays"
ok "it goes on" inner run true

# --- who is not welcome --------------------------------------------------------------------------------------------
capture timeout 30 hbatch resource grow -q "$id" -N1
join=$(hbatch job eventlog "$id" | grep -o 'join="[^"]*"' | tail -1 | cut -d'"' -f2)
stranger() { timeout 40 hbatch run -n1 -o pmi=pmix -o instance -o per-resource.type=node hbatch-instance --join="$1"; }
nok "another secret" stranger "x${join#?}"
like "$err" "secret" "is refused"
nok "nobody there" stranger "${join%%@*}@1,127.0.0.1"
like "$err" "does not answer" "is told"
nok "no address" stranger nonsense
like "$err" "no address" "is told"
ok "the instance goes on" inner run true
ok "and ends" finish
# --- by a path of ids -------------------------------------------------------------------------------------
begin -N2
b=$(inner alloc --bg --exclusive -N1)
ok "hbatch resource grow A/B" timeout 40 hbatch resource grow -q "$id/$b" -N1
is "$(hbatch --uri="$id/$b" resource list -s all -no '{nnodes}')" 2 "an instance inside has a node more of the one around it"
ok "shrink A/B" timeout 40 hbatch resource shrink -q "$id/$b" -N1
is "$(hbatch --uri="$id/$b" resource list -s all -no '{nnodes}')" 1 "and one less"
nok "an id is missing" hbatch resource grow "$id/" -N1
like "$err" "'$id/' names no job" "is told"
ok "they end" finish
done_testing
