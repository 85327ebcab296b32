#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Ranks, leaders above all, executors and mpirun are killed, and nothing is lost that need not be.
# Under plain mpirun the lowest survivor leads on; under hbatch start the ranks are started again.
. "${0%/*}/../mpi/lib.sh"
need mpirun.openmpi openmpi-bin pgrep procps python3 python3
[ -x "$builddir/bin/hbatch" ] || skip_all "$builddir/bin/hbatch is not there: build first, or set HBATCH_BUILDDIR"
case $(hbatch start --dry-run --test-nodes=2 true 2>/dev/null) in
*enable-recovery*) ;;
*) skip_all "hbatch was built for an MPI whose launcher ends all ranks with one" ;;
esac
unset HBATCH_URI HBATCH_JOB_ID
export HBATCH_F58_FORCE_ASCII=1 HBATCH_LOSS_TIMEOUT=3s

# --- instances without hbatch start ---------------------------------------------------------------
# world NAME RANKS [OPTIONS of hbatch-instance]: their sockets, stores and what they say are in
# $tmp/NAME; $world is NAME.  The initial program ends with the rank that it was started by.
world() {
    world=$1
    local n=$2
    shift 2
    mkdir -p "$tmp/$world"
    [ -p "$tmp/ready" ] || mkfifo "$tmp/ready"
    # shellcheck disable=SC2016
    mpirun.openmpi --oversubscribe --enable-recovery --bind-to none -n "$n" "${instance:-$builddir/bin/hbatch-instance}" \
        --virtual --topology="core:8 pu:1" --rundir="$tmp/$world" "$@" \
        sh -c 'echo ready >"$0"; exec tail --pid=$PPID -f /dev/null' "$tmp/ready" >>"$tmp/$world.log" 2>&1 &
    launcher=$!
    background+=("$launcher")
    case " $* " in
    *" --recover "*) wait_until 20 answers "$(rank_of "$n")" ;;
    *) timeout 20 sh -c 'read -r _ <"$0"' "$tmp/ready" ;;
    esac || {
        note "$(cat "$tmp/$world.log")"
        exit 1
    }
    at 0
}
rank_of() { ls "$tmp/$world" | sed -n 's/^sock-//p' | sort -n | head -n 1; }
at() { export HBATCH_URI=local://$tmp/$world/sock-$1; } # whom clients ask
answers() { HBATCH_URI=local://$tmp/$world/sock-$1 timeout 5 hbatch resource list; }
# process NAME K: of the world's rank K
process() {
    local p
    case $1 in
    exec) pgrep -f "hbatch-exec .*--rank=$2 .*--rundir=$tmp/$world( |\$)" ;;
    instance)
        for p in $(pgrep -f "hbatch-instance .*--rundir=$tmp/$world( |\$)"); do
            [ "$(readlink "/proc/$p/exe")" -ef "$(readlink -f "$(command -v mpirun.openmpi)")" ] && continue
            tr '\0' '\n' <"/proc/$p/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$2" && echo "$p"
        done 2>/dev/null ;;
    esac
}
slay() { # SIGKILL, all at once: RANK...
    local k pids=()
    for k in "$@"; do pids+=("$(process instance "$k")"); done
    kill -9 "${pids[@]}"
}
world_over() { # all that is left ends
    hbatch shutdown --now >/dev/null 2>&1
    timeout 30 tail --pid="$launcher" -f /dev/null
    is "$(ps -o pid= -p "$launcher")" "" "${1:-$world}: the end"
}
started() { for id in "$@"; do timeout 30 hbatch job wait-event "$id" start >/dev/null || note "no start: $id"; done; }
leads() { grep -q "rank $1 (vnode$1) leads" "$tmp/$world.log"; }
led_by() { wait_until 20 leads "$1" && pass "${2:-rank $1 leads}" || fail "${2:-rank $1 leads}" "$(cat "$tmp/$world.log")"; }
state() { hbatch jobs -a -n -o '{state}' "$1"; }
node_state() { hbatch resource list -n -s "$1" -o '{ranks}'; }
result() { hbatch jobs -a -n -o '{result}' "$1"; }
# a job that waits until its gate is opened: gate NAME; open_gate NAME
gate() { mkfifo "$tmp/gate.$1"; }
open_gate() { timeout 20 sh -c ': >"$0"' "$tmp/gate.$1"; }

# --- the leader, with everything there may be -----------------------------------------------------
world lead 4
at 1
for g in two three last; do gate $g; done
done_before=$(hbatch submit sh -c 'echo before; exit 3')
timeout 30 hbatch job wait "$done_before" >/dev/null 2>&1
before=$(hbatch job eventlog "$done_before")
on0=$(hbatch submit --requires=rank:0 sleep inf)
on2=$(hbatch submit --requires=rank:2 sh -c "echo started >>twice.2; cat $tmp/gate.two; echo two")
both=$(hbatch submit -N2 -n2 --requires=rank:1,2 sh -c "echo started >>twice.both; [ \$HBATCH_NODE_ID = 0 ] && exit 0; cat $tmp/gate.three; echo three")
full=$(hbatch submit -n8 --requires=rank:3 sh -c '[ $HBATCH_TASK_RANK = 0 ] || exit 0; cat '"$tmp/gate.last")
started "$on0" "$on2" "$both" "$full"
# one of its two tasks is done, and the leader knows it
queued=$(hbatch submit --urgency=6 -n8 --requires=rank:3 sh -c '[ $HBATCH_TASK_RANK = 0 ] && echo queued >>order; :')
array=$(hbatch submit --urgency=5 --cc=0-3 -n8 --requires=rank:3 sh -c '[ $HBATCH_TASK_RANK = 0 ] && echo $HBATCH_JOB_CC >>order; :')
hbatch job urgency "$(sed -n 3p <<<"$array")" 10
held=$(hbatch submit --urgency=hold true)
after_on2=$(hbatch submit --dependency=afterok:"$on2" true)
after_on0=$(hbatch submit --dependency=afterok:"$on0" true)
after_any=$(hbatch submit --dependency=afterany:"$on0" true)
later=$(hbatch submit --begin-time=+1h true)
soon=$(hbatch submit --begin-time=+2s true)
limited=$(hbatch submit -t 6s --requires=rank:1 sleep inf)
stubborn=$(hbatch submit --requires=rank:2 sh -c 'trap "" TERM; echo up; while :; do sleep 0.1; done')
canceled=$(hbatch submit --requires=rank:3 true)
started "$limited" "$stubborn"
hbatch resource drain 3 "for repair"
drained=$(hbatch resource drain -no '{timestamp} {reason}')
hbatch setattr stage two
hbatch cancel "$canceled"
mkfifo input
hbatch run --requires=rank:1 sh -c 'while read -r x; do echo "got $x"; done; exit 4' <input >run.out 2>run.err &
run=$!
exec 7>input
echo one >&7
wait_until 20 grep -q "got one" run.out
HBATCH_URI=local://$tmp/lead/sock-2 hbatch submit --wait --cc=1-3 --requires=rank:2 sh -c 'cat '"$tmp/gate.two"' >/dev/null; exit $((HBATCH_JOB_CC - 1))' >wait.out 2>wait.err 7>&- &
waiter=$!
wait_until 20 eval '[ "$(hbatch jobs -n --filter=running | wc -l)" = 10 ]' || note "$(hbatch jobs)"
if command -v mpicc.openmpi >/dev/null && program openmpi wait; then
    mkfifo mpi.in
    hbatch run -N2 -n2 --requires=rank:1,2 "$program" <mpi.in >mpi.out 2>mpi.err 7>&- &
    mpi=$!
    exec 8>mpi.in
    wait_until 30 grep -q ready mpi.out
fi
hbatch cancel "$stubborn"

slay 0
led_by 1
is "$(hbatch job eventlog "$done_before")" "$before" "the log of a job that was over"
is "$(hbatch job attach "$done_before" 2>/dev/null | head -n 1)" "$([ "$(hbatch jobs -a -n -o '{ranks}' "$done_before")" = 0 ] || echo before)" "and its output, where its node is there"
is "$(state "$held") $(state "$later") $(state "$queued")" "SCHED DEPEND SCHED" "held, waiting for its time, queued"
is "$(node_state drained)" 3 "a drained node stays so"
is "$(hbatch resource drain -no '{timestamp} {reason}')" "$drained" "with its reason, since it was drained"
like "$(hbatch resource eventlog | tr '\n' ' ')" "restart .*online .* drain idset=\"3\" .*reason=\"for repair\".* offline idset=\"0\"" "the log of nodes goes on"
is "$(hbatch getattr stage)" two "what was set is set"
is "$(state "$canceled")" INACTIVE "what was canceled is"
echo two >&7
exec 7>&-
wait "$run"
is "$? $(cat run.out | tr '\n' ' ')" "4 got one got two " "an attached job: input, output once, exit code"
if [ -n "${mpi:-}" ]; then
    echo after >&8
    exec 8>&-
    wait "$mpi"
    is "$? $(tr '\n' ' ' <mpi.out)" "0 ready after from 2 ranks " "MPI between two nodes goes on"
fi
capture hbatch job attach "$on0"
like "$err" "node-failure" "a job on the lost node fails"
capture hbatch job attach "$stubborn"
like "$(result "$stubborn")" "CANCELED" "a job that was being canceled is killed"
is "$(timeout 30 hbatch job wait "$limited" >/dev/null 2>&1; result "$limited")" TIMEOUT "a time limit holds"
ok "what waited for its end in any way runs" hbatch job wait "$after_any"
nok "what waited for its success does not" hbatch job wait "$after_on0"
ok "what waited for a time runs" hbatch job wait "$soon"
is "$(state "$after_on2")" DEPEND "what waits for one that runs goes on waiting"
cat >two.sh <<END
for i in 1 2 3 4; do : >$tmp/gate.two; done
END
timeout 30 sh two.sh &
ok "a job on another node runs through" hbatch job wait "$on2"
is "$(hbatch job attach "$on2" 2>/dev/null) $(wc -l <twice.2)" "two 1" "its output; started once"
ok "what waited for its success runs" hbatch job wait "$after_on2"
wait "$waiter"
is "$? $(wc -l <wait.out)" "2 3" "submit --wait"
open_gate three
ok "a job on two nodes, one of which was done" hbatch job wait "$both"
is "$(hbatch job attach "$both" 2>/dev/null) $(wc -l <twice.both)" "three 2" "its output; each started once"
for id in $on2 $both $soon; do
    is "$(hbatch job eventlog "$id" | awk '{print $2}' | sort | uniq -d | grep -v release | tr '\n' ' ')" "" "$id: each event once"
done
hbatch resource undrain 3
open_gate last
ok "the queue goes on" hbatch job wait "$queued"
for id in $array; do timeout 30 hbatch job wait "$id" >/dev/null; done
is "$(tr '\n' ' ' <order)" "2 queued 0 1 3 " "in its order, with the urgency of an element"

# --- and the next leader --------------------------------------------------------------------------
at 2
gate next
next=$(hbatch submit --requires=rank:2 sh -c "cat $tmp/gate.next; echo next")
started "$next"
hbatch resource drain 3 again
slay 1
led_by 2 "rank 2 leads after two are gone"
is "$(state "$held") $(state "$later") $(state "$next")" "SCHED DEPEND RUN" "jobs"
is "$(node_state drained)" 3 "a drained node"
open_gate next
ok "what ran runs through" hbatch job wait "$next"
is "$(hbatch job attach "$next" 2>/dev/null)" next "its output"
is "$(hbatch job eventlog "$done_before")" "$before" "history"
at 3
slay 2
led_by 3 "the last rank leads, alone"
is "$(state "$held") $(state "$later") $(node_state drained)" "SCHED DEPEND 3" "jobs, and its own node"
hbatch resource undrain 3
ok "a burst on it" hbatch submit --quiet --wait --cc=1-200 true
is "$(hbatch job eventlog "$done_before")" "$before" "history"
is "$(hbatch jobs -a -n -o '{id}' | sort | uniq -d)" "" "no id was given twice"
world_over
unlike "$(cat "$tmp/lead.log")" "change '|rank [0-9]*: change" "no rank's tables went astray"

# --- two ranks --------------------------------------------------------------------------------------
world pair 2
at 1
gate pair
id=$(hbatch submit --requires=rank:1 sh -c "cat $tmp/gate.pair; echo pair")
hold=$(hbatch submit --urgency=hold true)
started "$id"
slay 0
led_by 1 "of two ranks one is left"
open_gate pair
ok "its job ends" hbatch job wait "$id"
is "$(hbatch job attach "$id" 2>/dev/null)" pair "and its output is there"
world_over

# --- two at once, of which the second would have led ---------------------------------------------
world five 5
at 3
hold=$(hbatch submit --urgency=hold true)
slay 0 1
led_by 2 "two deaths at once: the third leads"
is "$(state "$hold")" SCHED "the queue is there"
ok "a job over those left" hbatch run -N3 -n3 true
slay 4
wait_until 20 eval '[ "$(node_state down)" = 0-1,4 ]'
is "$(node_state down)" 0-1,4 "one that does not lead"
ok "a job over those left" hbatch run -N2 -n2 true
world_over

# The third is slow, and has not seen what the others have: they wait for it.
world late 5 --verbose
at 4
hold=$(hbatch submit --urgency=hold true)
slow=$(process instance 2)
kill -STOP "$slow"
slay 0
wait_until 20 eval '[ "$(grep -c "connection with rank 1 is up" late.log)" = 3 ]'
slay 1
sleep 1
kill -CONT "$slow"
led_by 2 "two deaths, one after the other: the third leads, late"
is "$(state "$hold")" SCHED "the queue is there"
ok "a job over all others" hbatch run -N3 -n3 true
world_over

# --- a rank that sleeps ----------------------------------------------------------------------------
world slow 4
at 2
sleeper=$(process instance 0)
hold=$(hbatch submit --urgency=hold true)
kill -STOP "$sleeper"
led_by 1 "a leader that is stopped is succeeded"
is "$(state "$hold")" SCHED "the queue is there"
kill -CONT "$sleeper"
timeout 30 tail --pid="$sleeper" -f /dev/null
is "$(ps -o pid= -p "$sleeper")" "" "and leaves when it goes on"
ok "the others go on" hbatch run -N3 -n3 true
world_over

# --- all ranks, and started again -----------------------------------------------------------------
# A set of members that is another one, and then what only the leader has committed.
pids=()
world again 3
at 0
hold=$(hbatch submit --urgency=hold true)
slay 2
wait_until 20 eval '[ "$(node_state down)" = 2 ]'
drained=$(hbatch resource drain 2 "broken" 2>&1)
hbatch run sleep 0.2 # copies are committed at most each 0.1 s: this one's end is
hbatch submit --urgency=hold true >last
for _ in 1 2 3; do hbatch submit --urgency=hold true >>last & pids+=("$!"); done
wait "${pids[@]}"
last=$(cat last)
once() { # REQUEST: its ids and their number
    python3 - "${HBATCH_URI#local://}" "$1" <<'PY'
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode() + b"\n")
r = json.loads(s.makefile().readline())
print(r["result"]["id"], r["result"]["count"])
PY
}
keyed='{"jsonrpc":"2.0","id":1,"again":true,"method":"job.submit","params":{"key":"abc","cc":"1-3","jobspec":'$(hbatch run --dry-run true)'}}'
first=$(once "$keyed")
timeout 20 hbatch job wait "${first% *}" >/dev/null 2>&1
wait_until 20 eval '[ -z "$(hbatch jobs -n --filter=running)" ]'
slay 0 1
timeout 30 tail --pid="$launcher" -f /dev/null
gone() { ! pgrep -f "hbatch-exec .*--rundir=$tmp/again( |\$)"; }
wait_until 20 gone
world again 3 --recover
wait_until 20 answers 0
# shellcheck disable=SC2086
is "$(state "$hold") $(hbatch jobs -n -o '{state}' $last | tr '\n' ' ')" "SCHED SCHED SCHED SCHED SCHED " "what was accepted last is there when all are started again"
wait_until 20 eval '[ -z "$(node_state down)" ]'
is "$(node_state drained)" 2 "a node that was drained while it was down is drained when it is back"
is "$(once "$keyed")" "$first" "a client that asks again gets what it had submitted, also when it is over"
new=$(hbatch submit --urgency=hold true)
is "$(hbatch jobs -n -o '{id}' | head -n 1)" "$new" "new ids come after old ones"
world_over

# --- a node that is another one when it comes back ----------------------------------------------------
cat >fewer <<END
#!/bin/bash
args=("\$@")
[ "\$OMPI_COMM_WORLD_RANK" = 2 ] && args=("\${args[@]/--topology=*/--topology=core:2 pu:1}")
exec "$builddir/bin/hbatch-instance" "\${args[@]}"
END
chmod +x fewer
come_back() { # all ranks are killed, and started again
    slay 0 1 2
    timeout 30 tail --pid="$launcher" -f /dev/null
    wait_until 20 gone
    instance=$tmp/fewer world "$world" 3 --recover
    wait_until 20 answers 0
}
gone() { ! pgrep -f "hbatch-exec .*--rundir=$tmp/$world( |\$)"; }
world other 3
hold=$(hbatch submit --urgency=hold true) # for which it goes on
there=$(hbatch submit --requires=rank:2 -n6 sleep inf)
started "$there"
later=$(hbatch submit --urgency=hold true)
come_back
wait_until 20 eval '[ "$(node_state down)" = 2 ]'
is "$(node_state down)" 2 "a node that has fewer cores than its jobs is not used"
ok "the others are" hbatch run -N2 -n16 true
like "$(hbatch resource list -s down -n -o '{reason}')" "it has 2 cores and 0 GPUs, and had 8 and 0" "the reason"
timeout 20 hbatch job wait "$there" >/dev/null 2>&1
is "$(result "$there")" FAILED "its job ends"
is "$(state "$later")" SCHED "the queue is there"
like "$(hbatch job eventlog "$there")" "node-failure.*rank 2 \(vnode2\): it has 2 cores" "and says why"
come_back
wait_until 20 eval '[ -z "$(node_state down)" ]'
is "$(node_state down)" "" "without jobs it is taken as it is"
ok "with the cores that it has" hbatch run --requires=rank:2 -n2 true
nok "and no more" hbatch run --requires=rank:2 -n3 true
world_over

# --- under hbatch start -----------------------------------------------------------------------------
unset HBATCH_LOSS_TIMEOUT
instance_start kept --test-nodes=3 --test-topology="core:4 pu:1" || done_testing
kept=$(hbatch getattr rundir)
world=kept
ln -s "$kept" "$tmp/kept"
process() {
    local p
    for p in $(pgrep -f "$([ "$1" = exec ] && echo "hbatch-exec .*--rank=$2 .*--rundir=$kept" || echo "^[^ ]*hbatch-instance .*--rundir=$kept")"); do
        [ "$1" = exec ] || tr '\0' '\n' <"/proc/$p/environ" | grep -qx "OMPI_COMM_WORLD_RANK=$2" || continue
        echo "$p"
    done 2>/dev/null
}
launcher_of() { ps -o ppid= -p "$(process instance 1)" | tr -d ' '; }
# killed WHAT PIDS...: with a job on each node, one attached, and a queue; then all of that is there
killed() {
    local what=$1 k ids=() run old
    shift
    rm -f gate.* input
    mkfifo input
    for k in 0 1 2; do
        gate "$k"
        ids+=("$(hbatch submit --requires=rank:$k sh -c "echo x >>'ran.$what.$k'; cat $tmp/gate.$k; echo job $k")")
    done
    local dep hold
    dep=$(hbatch submit --dependency=afterok:"${ids[1]}" true)
    hold=$(hbatch submit --urgency=hold true)
    started "${ids[@]}"
    hbatch run --requires=rank:1 sh -c 'while read -r x; do echo "got $x"; done; exit 4' <input >run.out 2>run.err &
    run=$!
    exec 7>input
    echo one >&7
    wait_until 20 grep -q "got one" run.out
    old=$(process instance 1)
    kill -9 $("$@")
    if [ "$what" != executor ]; then
        timeout 30 tail --pid="$old" -f /dev/null
    fi
    wait_until 40 eval '[ -z "$(node_state down)" ]'
    is "$(state "$hold") $(state "$dep")" "SCHED DEPEND" "$what killed: the queue"
    echo two >&7
    exec 7>&-
    wait "$run"
    is "$? $(tr '\n' ' ' <run.out)" "4 got one got two " "$what killed: an attached job goes on"
    for k in 0 1 2; do
        if [ "$what" = executor ] && [ $k = 2 ]; then
            nok "$what killed: the job of node $k fails" hbatch job wait "${ids[k]}"
            continue
        fi
        open_gate $k
        ok "$what killed: the job of node $k ends" hbatch job wait "${ids[k]}"
        is "$(hbatch job attach "${ids[k]}" 2>/dev/null) $(wc -l <"ran.$what.$k")" "job $k 1" "... with its output, and ran once"
    done
    ok "$what killed: what depends runs" hbatch job wait "$dep"
    hbatch cancel "$hold"
    is "$(hbatch job eventlog "${ids[1]}" | awk '{print $2}' | sort | uniq -d | grep -v release)" "" "$what killed: each event once"
}
killed leader process instance 0
killed "rank 1" process instance 1
killed "rank 2" process instance 2
killed mpirun launcher_of
killed executor process exec 2

# A task that asked for a job, which waits in the queue, hears from whoever leads when it has started.
if command -v mpicc.openmpi >/dev/null && program openmpi spawn; then
    gate spawn
    full=$(hbatch submit -n11 sh -c '[ $HBATCH_TASK_RANK != 0 ] || cat '"$tmp/gate.spawn")
    started "$full"
    parent=$(hbatch submit "$program" 2)
    wait_until 20 eval '[ -n "$(hbatch jobs -n --filter=pending)" ]'
    child=$(hbatch jobs -n --filter=pending -o '{id}')
    old=$(process instance 0)
    kill -9 "$old"
    timeout 30 tail --pid="$old" -f /dev/null
    wait_until 40 eval '[ -z "$(node_state down)" ]'
    is "$(hbatch jobs -n --filter=pending -o '{id} {state}')" "$child SCHED" "a job that a task asked for is in the queue, once"
    open_gate spawn
    ok "a spawn outlives the leader" within 60 hbatch job wait "$parent"
    is "$(hbatch job attach "$parent" 2>/dev/null)" "spawn: 1 parents, 2 children, 2 rounds : good" "and the next one works"
else
    skip "a spawn outlives the leader" "mpicc.openmpi is not here"
fi
is "$(hbatch jobs -a -n -o '{id}' | sort | uniq -d)" "" "no id was given twice"
instance_stop kept
is "$rc" 0 "the end"
wait_until 10 eval '[ ! -e "$kept" ]'
is "$(ls -d "$kept" 2>/dev/null)" "" "nothing is left of it"
done_testing
