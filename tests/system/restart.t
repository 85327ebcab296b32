#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Whatever of an instance's ranks and mpirun dies under hbatch start is started again, and jobs and
# clients notice nothing.
. "${0%/*}/lib.sh"
need mpirun openmpi-bin pgrep procps
case $(hbatch start --dry-run --test-nodes=2 true) in
*enable-recovery*) ;;
*) skip_all "hbatch was built for an MPI whose launcher ends all ranks with one" ;;
esac
unset HBATCH_URI
instance_start main --test-nodes=3 --test-topology="core:4 pu:1" || exit 1
rundir=$(dirname "${HBATCH_URI#local://}")
mpirun() { pgrep -P "$instance_pid" -f "mpirun.*$rundir"; }
ranks() { pgrep -f "^[^ ]*hbatch-instance .*--rundir=$rundir"; }
rank() { ranks | sed -n "$1p"; } # in the order in which they were started
lines() { wc -l <"$tmp/main.err"; }
# begun TEXT: hbatch start has said that it starts the ranks again, for TEXT, since the last time
seen=0
begun() {
    wait_until 20 eval 'tail -n +$((seen + 1)) "$tmp/main.err" | grep -q "starting the ranks again"'
    like "$(tail -n +$((seen + 1)) "$tmp/main.err")" "$1" "hbatch start says: $1"
    seen=$(lines)
}
all_there() { hbatch resource list | grep -q "down *0 *0"; }
beside=$(hbatch submit -N3 -n3 --output='beside.{{taskid}}' sh -c 'trap "echo alive; exit 4" USR1; while :; do sleep 0.1; done')
hbatch wait-event -t 20 "$beside" start >/dev/null
(
    hbatch run -n 2 -l sh -c 'for i in $(seq 400); do echo $i; sleep 0.1; [ ! -e enough ] || exit 9; done' >run.out 2>run.err
    echo $? >run.rc
) &
run=$!
wait_until 20 test -s run.out
check() { # NAME: all is as before
    ok "$1: the instance takes jobs" within 30 hbatch run -N3 -n3 true
    ok "$1: all nodes are there" wait_until 20 all_there
    is "$(hbatch jobs -no '{state}' "$beside")" RUN "$1: a job goes on"
}

kill -9 "$(rank 2)"
begun "vnode1 answers again: starting the ranks again on 3 virtual nodes"
check "kill -9 of a rank"
kill -9 "$(rank 1)"
begun "starting the ranks again on 3 virtual nodes"
check "kill -9 of the leader"
kill -9 "$(mpirun)"
begun "mpirun was killed \(signal 9\): starting the ranks again"
check "kill -9 of mpirun"
# shellcheck disable=SC2046
kill -9 $(ranks)
begun "starting the ranks again"
check "kill -9 of all ranks"
# shellcheck disable=SC2046
kill -9 $(mpirun) $(ranks)
begun "mpirun was killed \(signal 9\): starting the ranks again"
check "kill -9 of mpirun and all ranks"

touch enough
wait "$run"
is "$(cat run.rc)" 9 "hbatch run, which was there all the time, has its exit code"
for t in 0 1; do
    sed -n "s/^$t: //p" run.out >got
    is "$(cat got)" "$(seq "$(wc -l <got)")" "and each line of task $t, once"
done
is "$(cat run.err)" "hbatch run: task(s) exited with exit code 9" "it says nothing else"
hbatch job kill -s USR1 "$beside"
capture hbatch job wait "$beside"
is "$(grep -hv "User defined" beside.*)" $'alive\nalive\nalive' "the tasks are those that were started first"
instance_stop main 5
is $rc 5 "the exit code of the program"
[ ! -e "$rundir" ]
is $? 0 "the run directory is removed"
gone() { [ -z "$(ranks; pgrep -f "hbatch-exec .*$rundir")" ]; }
ok "no process is left" wait_until 10 gone

# --- all ranks at once, and nothing before: their executors are children that have their standard error ----------
unset HBATCH_URI
instance_start at_once --test-nodes=3 --test-topology="core:4 pu:1" || exit 1
rundir=$(dirname "${HBATCH_URI#local://}")
beside=$(hbatch submit -N3 -n3 sleep 1000)
hbatch wait-event -t 20 "$beside" start >/dev/null
# shellcheck disable=SC2046
kill -9 $(ranks)
ok "the first loss is that of all ranks: the instance takes jobs" within 15 hbatch run -N3 -n3 true
is "$(hbatch jobs -no '{state}' "$beside")" RUN "... and a job goes on"
instance_stop at_once

# --- a rank that stands still before it has met the others, who wait for it in MPI without an end -----------------
unset HBATCH_URI
instance_start held --test-nodes=3 --test-topology="core:2 pu:1" || exit 1
rundir=$(dirname "${HBATCH_URI#local://}")
former=$(ranks)
kill -9 "$(mpirun)"
SECONDS=0 held='' # not by wait_until: all have met after some tens of milliseconds
until [ -n "$held" ] || [ $SECONDS -ge 20 ]; do held=$(ranks | grep -vwF "$former" | head -n 1); done
kill -STOP "$held"
ok "a restart that does not get on is tried again" within 60 hbatch run -N3 -n3 true
instance_stop held

# The same of the first ranks, which hbatch start waits for longer; one of them is dead.
HBATCH_START_TIMEOUT=2s hbatch start --test-nodes=3 hbatch run -N3 -n3 hostname >first.out 2>first.err &
first=$!
SECONDS=0 held=''
until [ -n "$held" ] || [ $SECONDS -ge 20 ]; do
    held=$(pgrep -P "$(pgrep -P $first -f mpirun | head -n 1)" -f '^[^ ]*hbatch-instance' | tail -n 1)
done 2>/dev/null
kill -9 "$held"
rc=0
timeout 60 tail --pid=$first -f /dev/null || kill "$first"
wait $first || rc=$?
is "$rc $(wc -l <first.out)" "0 3" "first ranks that do not get on are started anew"
# or it died after all had met
like "$(cat first.err)" "hbatch start: the ranks were not ready within 6 s: they are started anew|is gone" "... which is told"

# --- an instance that is about to end when it is restarted ------------------------------------------
unset HBATCH_URI
instance_start ending --test-nodes=2 --test-topology="core:2 pu:1" || exit 1
rundir=$(dirname "${HBATCH_URI#local://}")
id=$(hbatch submit -o kill-timeout=20s sh -c 'trap "" TERM; while :; do sleep 0.2; done')
hbatch wait-event -t 20 "$id" start >/dev/null
mpirun=$(mpirun)
hbatch shutdown --background
kill -9 "$mpirun" # at once: what was said to be done is kept
timeout 60 tail --pid="$instance_pid" -f /dev/null
is "$(ps -o pid= -p "$instance_pid")" "" "a shutdown goes on after a restart of the ranks"
ok "and leaves no process" wait_until 10 gone
like "$(cat ending.err)" "starting the ranks again" "they were started again"
done_testing
