#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# A state directory outlives its instance: whatever ends that, the next one goes on, with other nodes, too.
. "${0%/*}/lib.sh"
need sqlite3 sqlite3 pgrep procps python3 python3
unset HBATCH_URI
state=$tmp/state
two="core:2 pu:1"
# life NAME [ARGUMENTS of hbatch start]: an instance with that directory
life() {
    unset HBATCH_URI
    instance_start "$1" --statedir="$state" "${@:2}" || exit 1
}
column() { hbatch jobs -a -no "$1" "${@:2}"; } # FORMAT ID...
events() { hbatch job eventlog --format=json "$1" | sed 's/.*"name":"\([^"]*\)".*/\1/' | paste -sd' '; }
killed() { # everything of the instance NAME at once
    # shellcheck disable=SC2046
    kill -9 $(strays 'hbatch-(instance|exec) ') 2>/dev/null
    wait "${instance_pids[$1]}" 2>/dev/null
}

# --- an orderly end --------------------------------------------------------------------------------
life one --test-topology="$two"
instance=$(hbatch getattr instance)
done=$(hbatch submit sh -c 'echo of the first life; echo and its error >&2; exit 3')
hbatch job wait "$done"
keyed=$(hbatch submit --wait true)
long=$(hbatch submit -n2 sleep 1000)
hbatch wait-event -t 20 "$long" start >/dev/null
array=$(hbatch submit --cc=1-6 -n1 sh -c 'echo "element $HBATCH_JOB_CC"' | head -1)
elements=$(hbatch jobs -no '{id}' --filter=pending | sort)
hold=$(hbatch submit --urgency=0 echo held)
urgent=$(hbatch submit --urgency=20 echo urgent)
wide=$(hbatch submit -n2 echo wide)
after=$(hbatch submit --dependency=afterok:"$wide" echo after)
again=$(hbatch submit -n2 --urgency=30 -o requeue echo again)
gone=$(hbatch submit true)
hbatch cancel "$gone"
before=$(hbatch jobs -a -no '{id}' | sort)
log=$(hbatch job eventlog --format=json "$done")
nok "a second instance with the same directory" hbatch start --statedir="$state" --test-topology="$two" true
like "$err" "state directory $state: process [0-9]+ on .* has it, of instance $instance.*hbatch shutdown" "it says who has it"
instance_stop one 7
is $rc 7 "the instance ends with its program"
like "$(cat one.err)" "11 jobs wait in $state for the next instance: hbatch start --statedir=$state" "it tells what waits"
is "$(cat "$state/lock")" "" "and leaves in order"

life two --test-topology="core:1 pu:1" # less than it had
is "$(hbatch getattr instance)" "$instance" "it is the same instance"
is "$(hbatch getattr life)" 2 "in another life"
is "$(hbatch jobs -a -no '{id}' | sort)" "$before" "all jobs are there, and no other"
is "$(hbatch job eventlog --format=json "$done")" "$log" "the event log of a job of the first life"
is "$(column '{result} {returncode}' "$done")" "FAILED 3" "and its result"
ok "its output" hbatch output "$done"
is "$out $err" "of the first life and its error" "both streams"
is "$(column '{result} {exception.type} {exception.note}' "$long")" "CANCELED cancel the instance's program has ended" "what ran, and may not run twice, was ended"
hbatch wait-event -t 20 "$urgent" clean >/dev/null
while read -r id; do hbatch wait-event -t 20 "$id" clean >/dev/null; done <<<"$elements"
is "$(hbatch output "$array")" "element 1" "its first element"
is "$(column '{result}' "$urgent")" COMPLETED "an urgent job runs"
like "$(column '{state} {reason}' "$hold")" "SCHED held" "a held one is held"
hbatch job urgency "$hold" default
hbatch wait-event -t 20 "$hold" clean >/dev/null
is "$(hbatch output "$hold")" held "until it is let go"
is "$(column '{state} {reason}' "$wide")" "SCHED can never run here: this instance has 1 core; 2 were asked for" "what cannot run here waits for a greater one"
like "$(column '{state} {reason}' "$after")" "DEPEND depends on afterok:" "and so does what depends on it"
is "$(events "$wide")" "submit depend priority flux-restart priority" "the event of the restart"
new=$(hbatch submit true)
is "$(grep -cx "$new" <<<"$before")" 0 "ids are not given twice"
hbatch job wait "$new"
is "$(hbatch submit --dry-run true | wc -l)" 1 "and it takes jobs"

# --- kill -9 of all, while jobs run ------------------------------------------------------------------
once=$(hbatch submit sh -c 'echo x >>once; exec sleep 1000')
hbatch wait-event -t 20 "$once" start >/dev/null
wait_until 20 test -s once
twice=$(hbatch submit true)
kill -9 "$(hbatch getattr pid)"
killed two
life three --test-nodes=2 --test-topology="$two" # now by MPI
wait_until 20 eval 'column "{result}" "$once" | grep -q FAILED'
is "$(column '{result} {exception.type}' "$once")" "FAILED node-failure" "kill -9: what ran and may not run twice, has failed"
hbatch wait-event -t 20 "$after" clean >/dev/null
is "$(hbatch output "$wide" "$after")" $'wide\nwide\nafter' "what waited for more cores, and its dependents, run"
hbatch wait-event -t 20 "$twice" clean >/dev/null
is "$(column '{result}' "$twice")" COMPLETED "what waited runs"
is "$(column '{result}' "$again")" COMPLETED "so did what may run again"
is "$(cat once)" x "nothing ran twice"
ok "output of the first life, over MPI" hbatch output "$done"
requeued=$(hbatch submit -N2 -n4 -o requeue sh -c 'echo "$HBATCH_TASK_RANK" >>requeued; [ -e now ] || exec sleep 1000; echo on its second run')
hbatch wait-event -t 20 "$requeued" start >/dev/null
wait_until 20 eval '[ $(wc -l <requeued) = 4 ]'
far=$(hbatch submit -N2 -n2 -l echo far)
instance_stop three
touch now

life four --test-nodes=2 --test-topology="$two"
hbatch wait-event -t 20 "$far" clean >/dev/null
hbatch wait-event -t 20 "$requeued" clean >/dev/null
is "$(hbatch output "$requeued" | sort | uniq -c | tr -s ' ')" " 4 on its second run" "what runs at an orderly end, and may run again, does"
like "$(events "$requeued")" "start .*exception .*requeue flux-restart .*start finish" "as its log tells"
is "$(hbatch output "$far" | sort -u)" far "and what waited"
is "$(sort requeued | paste -sd' ')" "0 0 1 1 2 2 3 3" "each task twice"

# --- the end of time, and cancelation ---------------------------------------------------------------
hbatch submit --urgency=0 true >/dev/null
instance_stop four
unset HBATCH_URI
capture hbatch start --statedir="$state" --test-topology="$two" --time-limit=3s sh -c '
    hbatch submit -n2 -o requeue sh -c "echo cut short; [ -e short ] || { touch short; exec sleep 1000; }" >cut
    hbatch submit -n2 --time-limit=2.9s sh -c "echo too long" >waits
    hbatch wait-event -t 20 "$(cat cut)" start >/dev/null
    exec sleep 1000'
is $rc 124 "an instance whose time ends has exit code 124"
like "$err" "3 jobs wait in $state" "what waits is kept, and what was cut short"
life five --test-topology="$two"
cut=$(cat cut) waits=$(cat waits)
hbatch wait-event -t 20 "$cut" clean >/dev/null
hbatch wait-event -t 20 "$waits" clean >/dev/null
is "$(column '{result}' "$cut" "$waits" | sort -u)" COMPLETED "what its time cut short, and what waited, runs in the next one"
hbatch submit --urgency=0 true >/dev/null
hbatch shutdown --cancel -m "enough of it"
wait "${instance_pids[five]}"
is "$(grep -c 'jobs wait' five.err)" 0 "shutdown --cancel keeps nothing"
life six --test-topology="$two"
is "$(hbatch jobs -no '{id}')" "" "nothing waits"
like "$(hbatch jobs -a -no '{exception.note}')" "enough of it" "it was canceled"

# --- the lock of one that died, what is left of it ---------------------------------------------------
survivor=$(hbatch submit -o requeue sh -c 'echo $$ >>pids; exec sleep 1000')
wait_until 20 test -s pids
kill -9 "$(hbatch getattr pid)" # its executor lives on for a while
wait "${instance_pids[six]}" 2>/dev/null
life seven --test-topology="$two"
wait_until 20 eval '[ $(wc -l <pids) = 2 ]'
is "$(for p in $(cat pids); do grep -hs '^State:.[^ZX]' "/proc/$p/status"; done | wc -l)" 1 "of a job that runs again, only one run is there"
hbatch cancel "$survivor"
instance_stop seven

python3 -c '
import fcntl, sys, time
f = open(sys.argv[1] + "/lock", "w")
fcntl.lockf(f, fcntl.LOCK_EX)
f.write("far.away 4711 1 0 id /its/rundir\\n")
f.flush()
open("held", "w").close()
time.sleep(100)' "$state" &
background+=("$!")
wait_until 20 test -e held
nok "a lock of another host" hbatch start --statedir="$state" true
like "$err" "process 4711 on far.away has it, of instance id: end that one, or use another directory; if that host is dead, .*--take-lock" "is told, with the way out"
ok "--take-lock" hbatch start --statedir="$state" --take-lock --test-topology="$two" hbatch run true
ok "and the next one needs none" hbatch start --statedir="$state" --test-topology="$two" hbatch run true

# --- clients that wait for what is kept ------------------------------------------------------------------
life waiting --test-topology="$two"
hbatch submit --urgency=0 --wait true >waiting.out 2>&1 &
waiter=$!
wait_until 20 test -s waiting.out
hbatch shutdown
wait "$waiter"
isnt $? 0 "who waits for a job that is kept is told that the instance has ended"
like "$(cat waiting.out)" "instance" "in words"
note "$(cat waiting.out)"
wait "${instance_pids[waiting]}"

# --- levels of durability, and mistakes ---------------------------------------------------------------
for level in full normal off; do
    ok "--durability=$level" hbatch start --statedir="$state" --durability=$level --test-topology="$two" hbatch run true
done
nok "an unknown level" hbatch start --statedir="$state" --durability=some true
like "$err" "durability=some: must be full, normal or off" "is refused"
nok "durability of nothing" hbatch start --durability=full true
like "$err" "--durability needs --statedir=DIR" "is refused"
nok "hbatch-instance says so, too" hbatch-instance --durability=full true
like "$err" "--durability needs --statedir=DIR" "with the remedy"
touch file
nok "a file as state directory" hbatch start --statedir=file true
like "$err" "state directory .*/file: it is no directory" "is refused"

# --- a store of another version, a damaged one ---------------------------------------------------------
cp -a "$state" newer
sqlite3 newer/store.sqlite 'PRAGMA user_version = 999' >/dev/null
nok "a store of a newer version" hbatch start --statedir=newer true
like "$err" "newer/store.sqlite' has schema version 999; this hbatch knows versions up to [0-9]+" "names file and versions"
cp -a "$state" damaged
life eight --test-topology="$two"
count=$(hbatch jobs -a -no '{id}' | wc -l)
instance_stop eight
printf 'these bytes are no page of a store' | dd of=damaged/store.sqlite bs=1 seek=0 conv=notrunc status=none
nok "a damaged store" hbatch start --statedir=damaged true
like "$err" "store '.*damaged/store.sqlite'.*--statedir=.*damaged --salvage" "names the file, and the way out"
ok "--salvage" hbatch start --statedir=damaged --salvage --test-topology="$two" sh -c 'hbatch jobs -a -no "{id}" | wc -l'
is "$out" "$count" "all jobs are in the new one"
like "$err" "salvaged from .*: [0-9]+ submissions .*the damaged file is kept as .*store.sqlite.damaged-1" "it tells what it found"
ok "the old one is kept" test -s damaged/store.sqlite.damaged-1
rm -rf none
mkdir none
nok "nothing to salvage" hbatch start --statedir=none --salvage true
like "$err" "there is no store in .*none" "is told"
done_testing
