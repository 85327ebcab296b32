#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Preemption: who makes room for whom, with a warning, and runs again; who does not; and that a new leader goes on with it.

. "${0%/*}/../system/lib.sh"
export HBATCH_F58_FORCE_ASCII=1
events() { hbatch job eventlog "$1" | awk '{ print $2 }' | paste -sd' '; }
state() { hbatch jobs -ano '{state}' "$1"; }
runs() { hbatch wait-event -t 20 "$1" start >/dev/null; }
# submit OPTIONS... -- what is warned notes it, and ends by itself
victim() { hbatch submit --preemptible "$@" sh -c 'trap "echo warned >>w.$HBATCH_JOB_ID; exit 0" TERM; echo up >>w.$HBATCH_JOB_ID; while :; do sleep 0.05; done'; }
up() { [ "$(grep -c up "w.$1" 2>/dev/null)" -ge "${2:-1}" ]; }

instance_start one --test-nodes=2 --test-topology="core:2 pu:1" --config=preemption.grace=20s || exit 1
a=$(victim -n2 --urgency=10)
b=$(victim -n1 --urgency=8)
c=$(victim -n1 --urgency=8)
for i in $a $b $c; do wait_until 20 up "$i"; done
# --- one core is needed: the youngest of the least urgent goes
start=$(date +%s)
id=$(hbatch submit -n1 --urgency=20 --wait-event=start sleep 1000 2>/dev/null || hbatch submit -n1 --urgency=20 sleep 1000)
runs "$id"
ok "at once, not after the grace" test $(($(date +%s) - start)) -lt 15
is "$(state "$a") $(state "$b") $(state "$c")" "RUN RUN SCHED" "the youngest of the least urgent has made room"
like "$(events "$c")" "alloc start exception .*requeue" "what its log tells"
like "$(hbatch job eventlog "$c" | grep exception)" "preempt.*preempted by job $id, whose urgency is 20" "and why"
is "$(cat "w.$c")" "up
warned" "it was warned"
# --- two cores on one node: one job of two is enough, though others are less urgent
id2=$(hbatch submit -N1 -n2 --urgency=20 sleep 1000)
runs "$id2"
is "$(state "$a") $(state "$b")" "SCHED RUN" "no more than is needed"
# --- not for one that is as urgent, or could not run anyhow
id3=$(hbatch submit -n1 --urgency=8 true)
hbatch run -n1 --urgency=15 true & # which needs the core of b
other=$!
wait $other
is "$?" 0 "a more urgent one runs"
is "$(state "$id3")" SCHED "one that is as urgent waits"
hbatch cancel "$id" "$id2"
wait_until 20 up "$a" 2
ok "those that made room run again" wait_until 20 up "$b" 2
# --- who is not preemptible stays; who ignores the warning is killed
hbatch cancel --all >/dev/null 2>&1
hbatch queue drain
s=$(hbatch submit -n4 --preemptible=0.3s sh -c 'trap "" TERM; while :; do sleep 0.05; done')
runs "$s"
id=$(hbatch submit -n1 --urgency=20 sleep 1000)
runs "$id"
is "$(state "$s")" SCHED "who ignores it is killed when its own grace is over"
id2=$(hbatch submit -n4 --urgency=30 true)
hbatch jobs >/dev/null
is "$(state "$id") $(state "$id2")" "RUN SCHED" "who is not preemptible stays"
hbatch cancel "$id" "$id2"
s_runs() { [ "$(state "$s")" = RUN ]; }
wait_until 20 s_runs
echo 'policy = "fcfs"' | hbatch config load -
id=$(hbatch submit -n1 --urgency=20 true)
hbatch jobs >/dev/null
is "$(state "$s") $(state "$id")" "RUN SCHED" "without preemption in the configuration nobody has to go"
echo 'preemption = true' | hbatch config load -
hbatch job wait "$id"
is $? 0 "with it, one that waits gets its turn"
capture hbatch submit --preemptible=soon true
like "$err" "preemptible.*soon" "a grace that is none"
capture hbatch submit --preemptible=0.5s --dry-run true
like "$out" '"preemptible": *"0.5s"' "the option in the specification"

# --- elements of an array, and a new leader in between
hbatch cancel --all >/dev/null 2>&1
hbatch queue drain
first=$(hbatch submit --cc=1-4 -n1 --preemptible=60s sh -c 'trap "" TERM; echo up >>e.$HBATCH_JOB_CC; while :; do sleep 0.05; done' | head -1)
all_up() { [ "$(cat e.* 2>/dev/null | wc -l)" -ge 4 ]; }
wait_until 20 all_up
id=$(hbatch submit -n1 --urgency=20 sleep 1000)
told() { hbatch jobs -no '{exception.type}' --filter=running | grep -q preempt; }
wait_until 20 told
uri=${HBATCH_URI/sock-0/sock-1}
kill -9 "$(hbatch getattr pid)"
HBATCH_URI=$uri
wait_until 30 hbatch queue status
is "$(hbatch jobs -no '{exception.type}' --filter=running | grep -c preempt)" 1 "a new leader knows who goes, and lets nobody else go"
victim=$(hbatch jobs -no '{id} {exception.type}' --filter=running | awk '/preempt/ { print $1 }')
hbatch job kill -s KILL "$victim"
runs "$id"
is "$(state "$victim" | head -1)" SCHED "it is queued again when it has ended"
instance_stop one
done_testing
