#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Hosts that are lost under hbatch start, and come back; mpirun and its daemons killed between hosts.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
CLUSTER_NET=${CLUSTER_NET:-10.77.2}
cluster_need
. "$srcdir/tests/cluster/env.sh"
cluster_up
mkfifo began end
exec {end}<>end {began}<>began
# shellcheck disable=SC2016
on node1 hbatch start --hosts='node[1-3]' bash -c 'echo "$HBATCH_URI" >began; read -r code <end; exit "$code"' \
    >out 2>err </dev/null &
started=$!
background+=("$started")
uri=
read -r -t 30 -u "$began" uri
isnt "$uri" "" "an instance on three hosts" || {
    note "$(cat err)"
    done_testing
}
at() { on node1 env HBATCH_URI="$uri" "$@"; }
seen=0
has_said() { tail -n +$((seen + 1)) err | grep -qE "$1"; }
said() { # TEXT: hbatch start says it, within 40 s of the last time
    wait_until 40 has_said "$1"
    like "$(tail -n +$((seen + 1)) err)" "$1" "hbatch start says: $1"
    seen=$(wc -l <err)
}
all_there() { at hbatch resource list | grep -q "down *0 *0"; }

id=$(at hbatch submit --requires=host:node1 --output=beside sh -c 'trap "echo alive; exit 0" USR1; while :; do sleep 0.1; done')
at hbatch wait-event -t 20 "$id" start >/dev/null
lost=$(at hbatch submit --requires=host:node3 sleep inf)
at hbatch wait-event -t 20 "$lost" start >/dev/null

"$cluster" kill node3
wait_until 60 eval 'at hbatch resource list | grep -q "down *1 "'
like "$(at hbatch resource list)" "down +1 .*node3" "a host without power is down"
ok "a job on the others" within 30 at hbatch run -N2 -n2 true
"$cluster" boot node3
said "node3 answers again: starting the ranks again on node\[1-3\]"
ok "when it is back, all are there" wait_until 30 all_there
capture at hbatch job wait "$lost"
is $rc 1 "its job has failed"
ok "a job on all hosts" within 30 at hbatch run -N3 -n3 true
is "$(at hbatch jobs -no '{state}' "$id")" RUN "a job beside it goes on"

on node2 pkill -9 -x hbatch-instance
said "node2 answers again: starting the ranks again on node\[1-3\]"
ok "a rank that is killed is back" wait_until 30 all_there
on node1 pkill -9 -x hbatch-instance
said "starting the ranks again on node\[1-3\]"
ok "so is that of the host of hbatch start" wait_until 30 all_there
ok "a job on all hosts" within 30 at hbatch run -N3 -n3 true
"$cluster" kill node2
on node1 pkill -9 -x mpirun.openmpi || on node1 pkill -9 -f '^mpirun'
said "mpirun was killed \(signal 9\): starting the ranks again on node\[1,3\]; node2 does not answer"
ok "a job on the others" within 30 at hbatch run -N2 -n2 true
"$cluster" boot node2
said "node2 answers again: starting the ranks again on node\[1-3\]"
ok "all are there" wait_until 30 all_there
ok "a job on all hosts" within 30 at hbatch run -N3 -n3 true
at hbatch job kill -s USR1 "$id"
ok "the job that was there all the time ends in its own way" within 20 at hbatch job wait "$id"
like "$(cat beside)" alive "as it would have"
echo 6 >&"$end"
wait_until 30 gone "$started"
wait "$started"
is $? 6 "the exit code of the program"
left_limit=40
nothing_stays "nothing stays behind"
note "$(cat err)"
done_testing
