#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# How instances that are jobs end: time for what is in them, what they leave, warnings, exit codes.
. "${0%/*}/../system/lib.sh"
need mpirun openmpi-bin
export TMPDIR=/tmp # the run directories of deeper levels go there
inside --test-nodes=4 --test-topology="core:4 pu:1"

result() { hbatch jobs -no '{result} {returncode}' "$1"; }
submit() { # NAME of a file that says that it runs, OPTIONS..., SCRIPT; the script is $script
    local name=$1 script=${*: -1}
    id=$(hbatch batch -n1 --output="$name.out" "${@:2:$#-2}" --wrap "$script
touch $tmp/$name.up
while :; do sleep 0.05; done") && wait_until 20 test -e "$name.up"
}
over() { timeout 30 hbatch job wait "$1" >/dev/null 2>&1; }

# --- what outlives SIGTERM is killed, and the instance ends in order all the same -------------------------
stubborn='trap "" TERM HUP; hbatch submit --output=none true'
submit cancel --dump=cancel.dump "$stubborn"
canceled=$id
hbatch cancel "$canceled" # the 5 s pass while the rest runs

submit limit --dump=limit.dump -t 1s -o kill-timeout=0.5s "$stubborn"
over "$id"
is "$(result "$id")" "TIMEOUT 124" "a script that outlives its time limit is killed"
ok "and its instance writes its record" test -s limit.dump

# --- exit codes ---------------------------------------------------------------------------------------
submit told 'trap "exit 12" TERM'
hbatch job kill -s TERM "$id"
over "$id"
is "$(result "$id")" "FAILED 12" "a script that ends in order by a signal has its own exit code"
submit died ''
hbatch job kill -s TERM "$id"
over "$id"
is "$(result "$id")" "FAILED 143" "one that dies of it that of a shell"
submit orderly -t 1s 'trap "exit 12" TERM'
over "$id"
is "$(result "$id")" "TIMEOUT 124" "a time limit has one exit code"
capture hbatch run -n1 -t 0.5s -o kill-timeout=0.5s sh -c 'trap "" ALRM; trap "echo TERM" TERM; while :; do sleep 0.05; done'
is "$out" "" "at its limit a job gets SIGALRM alone"
ok "and SIGKILL after its kill-timeout" test "$ms" -lt 4000

# --- warnings -----------------------------------------------------------------------------------------
inner="hbatch run -n1 sh -c 'trap \"echo inner; exit\" USR1; touch inner.up; while :; do sleep 0.05; done' &
    hbatch batch -n1 --output=deep.out --wrap 'trap \"echo deep; exit\" USR1; touch deep.up; while :; do sleep 0.05; done'
    trap 'echo script' USR1
    while ! [ -e inner.up ] || ! [ -e deep.up ]; do sleep 0.05; done"
submit warned -n2 "$inner"
hbatch job kill -s USR1 "$id"
ok "a signal reaches the script" wait_until 10 grep -qx script warned.out
ok "and its jobs" wait_until 10 grep -qx inner warned.out
ok "and sub-instances of it" wait_until 10 grep -qx deep deep.out
hbatch cancel "$id"
over "$id"

# --- run directories ------------------------------------------------------------------------------------
cat >levels <<'END'
#!/bin/bash
trap '' TERM HUP
hbatch getattr rundir >>dirs
[ "$HBATCH_INSTANCE_LEVEL" -ge 4 ] || hbatch batch --output=none -n1 levels
[ "$HBATCH_INSTANCE_LEVEL" -lt 4 ] || touch levels.up
while :; do sleep 0.05; done
END
chmod +x levels
id=$(hbatch batch -n1 --output=none levels)
ok "four levels" wait_until 20 test -e levels.up
like "$(grep -v "$(dirname "$(hbatch getattr rundir)")/$(basename "$(hbatch getattr rundir)")" dirs)" "^/tmp/hbatch-" \
    "some of their directories are where the path is short enough"
hbatch job kill -s KILL "$id"
over "$id"
none_left() { ! xargs ls -d <dirs 2>/dev/null | grep -q .; }
ok "they are gone when the first instance was killed" wait_until 10 none_left

# --- grants -----------------------------------------------------------------------------------------------
grow() {
    hbatch resource grow -q "$base" -N2
    grant=$(hbatch jobs -no '{id} {name}' | grep -v "^$base " | grep -v "^$canceled " | head -1 | cut -d' ' -f1)
}
rows() { hbatch --uri="$base" resource list -s all -no '{nnodes}'; }
base=$(hbatch alloc --bg -N1 -n2)
grow
hbatch job kill -s KILL "$base"
over "$base"
capture hbatch job wait "$grant"
ok "granted nodes are free soon after their instance was killed" test "$ms" -lt 3000

base=$(hbatch alloc --bg -N1 -n2)
grow
hbatch job kill -s KILL "$grant"
over "$grant"
has_nodes() { [ "$(rows)" = "$1" ] && [ "$(hbatch --uri="$base" getattr size)" = "$1" ]; }
ok "lost granted nodes are no nodes of the instance any more" wait_until 10 has_nodes 1
grow
ok "others take their place" wait_until 10 has_nodes 3
for i in 1 2; do # before their loss is known
    hbatch job kill -s KILL "$grant"
    over "$grant"
    ok "others take the place of lost ones at once" hbatch resource grow "$base" -N2
    grant=$out
done
ok "they are there" wait_until 10 has_nodes 3
nok "nor are they promised" hbatch --uri="$base" submit -N5 -n5 true
like "$err" "3 nodes" "as is told"
hbatch shutdown "$base"
over "$base"
capture hbatch job wait "$grant"
is "$rc|$err" "0|" "who joined after a loss leaves in order"

# --- drains ---------------------------------------------------------------------------------------------
base=$(hbatch alloc --bg -N4)
timeout 20 hbatch job wait-event -q "$base" memo
hbatch resource drain vnode1 bad fan
hbatch resource drain vnode2 worse fan
both() { hbatch --uri="$base" resource list -v -s drained -no '{nodelist} {reason}' | xargs | grep -q "vnode1 .*bad fan vnode2 .*worse fan"; }
ok "each drained node has its own reason" wait_until 10 both
is "$(hbatch --uri="$base" resource list -s drained -no "{nodelist} {reason}")" \
    "vnode[1-2] drained by the parent instance: bad fan; drained by the parent instance: worse fan" "also in one line"
hbatch cancel "$base"

# --- the first one -----------------------------------------------------------------------------------------
over "$canceled"
is "$(result "$canceled")" "CANCELED 137" "a canceled script that does not end is killed"
ok "and its instance writes its record as well" test -s cancel.dump

done_testing
