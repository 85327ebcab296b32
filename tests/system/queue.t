#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The queue: order, hold, drain, cancel, arrays, and what hbatch jobs shows of all phases.
. "${0%/*}/../system/lib.sh"
need python3 python3
inside --test-topology="core:4 pu:1"

state() { hbatch jobs -ano '{state}' "$1"; }
no_job_is_left() { [ -z "$(hbatch jobs -no '{id}')" ]; }
event() { timeout 20 hbatch job wait-event -q "$1" "$2"; }
# time ID NAME: the timestamp of an event
event_time() { timeout 20 hbatch job wait-event -f json "$1" "$2" | sed 's/.*"timestamp": *\([0-9.]*\).*/\1/'; }
# gate NAME: a job on all cores that runs until `open NAME`; sets $gate to its id
gate() {
    mkfifo "$1"
    gate=$(hbatch submit -n "${2:-4}" sh -c "[ \$HBATCH_TASK_RANK = 0 ] && read x <$tmp/$1; true")
    event "$gate" start
}
open() { echo go >"$1"; }
# order ID...: the names of these jobs in the order they got their resources
order() {
    local id
    for id in "$@"; do
        printf '%s %s\n' "$(event_time "$id" alloc)" "$(hbatch jobs -ano '{name}' "$id")"
    done | sort -n | sed 's/.* //' | tr '\n' ' '
}

# --- order ---------------------------------------------------------------------------------------
gate g1
is "$(state "$gate")" RUN "a running job is in state RUN"
ids=()
for urgency in 16 8 31 16 20; do
    ids+=("$(hbatch submit -n 4 --urgency=$urgency --job-name="u$urgency.${#ids[@]}" true)")
done
is "$(state "${ids[0]}")" SCHED "a job that waits is in state SCHED"
is "$(hbatch jobs -no '{state}' -f pending | sort | uniq -c | xargs)" "5 SCHED" "hbatch jobs -f pending"
is "$(hbatch jobs -no '{id}' -f running)" "$gate" "hbatch jobs -f running"
open g1
is "$(order "${ids[@]}")" "u31.2 u20.4 u16.0 u16.3 u8.1 " "by urgency, then by time"
ok "all end" hbatch job wait "${ids[@]}"
is "$(state "${ids[0]}")" INACTIVE "a job that is over is in state INACTIVE"
is "$(hbatch jobs -no '{id}')" "" "hbatch jobs alone shows active jobs only"

# hold, release, and a change of mind
held=$(hbatch submit --urgency=0 true)
other=$(hbatch submit -n 4 true)
ok "a job passes by one that is held" hbatch job wait "$other"
is "$(state "$held")" SCHED "it is still held"
ok "it is released" hbatch job urgency "$held" default
ok "and runs" timeout 20 hbatch job wait "$held"
gate g2
first=$(hbatch submit -n 4 --job-name=first true)
second=$(hbatch submit -n 4 --job-name=second true)
third=$(hbatch submit -n 4 --job-name=third true)
ok "expedite" hbatch job urgency "$third" expedite
ok "hold" hbatch job urgency "$first" hold
nok "no urgency 77" hbatch job urgency "$first" 77
nok "the urgency of a running job" hbatch job urgency "$gate" 3
open g2
is "$(order "$third" "$second")" "third second " "urgencies may change while jobs wait"
is "$(state "$first")" SCHED "held meanwhile"
hbatch job urgency "$first" 1
ok "released" timeout 20 hbatch job wait "$first"

# --- cores are never shared ----------------------------------------------------------------------
mkdir locks
cat >locked <<'END'
# takes the lock of each core it was given
for c in $(hbatch job info "$HBATCH_JOB_ID" R | python3 -c '
import json, sys
for part in json.load(sys.stdin)["execution"]["R_lite"][0]["children"]["core"].split(","):
    a, _, b = part.partition("-")
    print(*range(int(a), int(b or a) + 1))'); do
    mkdir "locks/$c" || { echo "core $c is in use"; exit 1; }
    mine="$mine locks/$c"
done
rmdir $mine
END
ids=()
for n in 1 2 1 3 1 4 1 2 1 1 2 1; do ids+=("$(hbatch submit -c $n sh locked)"); done
ok "no core is given to two jobs at once" timeout 60 hbatch job wait "${ids[@]}"
gate g3 3
small=$(hbatch submit true)
ok "a small job runs beside a large one" timeout 20 hbatch job wait "$small"
a=$(hbatch submit -n 2 true)
open g3
hbatch job wait "$a" "$gate"
ok "two jobs for the same cores do not overlap" python3 -c "import sys; sys.exit(not $(event_time "$gate" free) <= $(event_time "$a" alloc))"
gate g4 1
x=$(hbatch submit -N 1 -x true)
is "$(state "$x")" SCHED "--exclusive waits for a whole node"
open g4
ok "and gets it" timeout 20 hbatch job wait "$x"
is "$(hbatch jobs -ano '{ncores}' "$x")" 4 "all of its cores"

# --- drain ---------------------------------------------------------------------------------------
ok "drain" hbatch resource drain 0 broken fan
like "$(hbatch resource drain)" "broken fan" "the reason is listed"
drained=$(hbatch submit true)
is "$(state "$drained")" SCHED "nothing starts on a drained node"
like "$(hbatch resource list)" "down|drained" "resource list shows it"
ok "undrain" hbatch resource undrain 0
ok "what waited runs" timeout 20 hbatch job wait "$drained"
gate g5
ok "a node may be drained while a job runs there" hbatch resource drain 0
open g5
ok "which goes on to its end" timeout 20 hbatch job wait "$gate"
hbatch resource undrain 0

# --- cancel --------------------------------------------------------------------------------------
gate g6
waits=$(hbatch submit true)
ok "cancel a job that waits" hbatch cancel -m "not today" "$waits"
nok "it ends" hbatch job wait "$waits"
is "$(hbatch jobs -ano '{result}' "$waits")" CANCELED "its result"
like "$(hbatch job eventlog "$waits")" "not today" "its log says why"
unlike "$(hbatch job eventlog "$waits")" "alloc" "it never had resources"
ok "cancel a job that runs" hbatch cancel "$gate"
nok "it ends" hbatch job wait "$gate"
is "$(hbatch jobs -ano '{result}' "$gate")" CANCELED "its result"
ok "after it, others run" hbatch run -n 4 true
gate g7
hbatch submit --quiet --cc=1-50 true
ok "cancel all" hbatch cancel --all
ok "none is left" wait_until 20 no_job_is_left
id=$(hbatch submit true)
hbatch cancel -q "$id"
within 20 hbatch job wait "$id"
isnt "$rc" 124 "a cancel that races with the end"

# --- arrays --------------------------------------------------------------------------------------
hbatch submit --quiet --wait --cc=2,5-7 --env=ELEMENT=e{cc} --output=element.{cc} \
    sh -c 'echo {cc} $HBATCH_JOB_CC $ELEMENT'
is $? 0 "an array"
hbatch submit --quiet --wait --bcc=8,9 --job-name=copy{cc} --output=copy.{cc} sh -c 'echo {cc} ${HBATCH_JOB_CC-unset}'
is "$(cat copy.8 copy.9 | xargs)|$(hbatch jobs -ano '{name}' | grep copy | sort | xargs)" "8 unset 9 unset|copy8 copy9" "--bcc: {cc}, without HBATCH_JOB_CC"
hbatch submit --quiet --wait --cc=4,5 --output=late.{{cc}} sh -c 'echo {{cc}} $HBATCH_JOB_CC'
is "$(cat late.4 late.5 | xargs)" "4 4 5 5" "{{cc}} is replaced where the job runs"
is "$(cat element.* | tr '\n' ' ')" "2 2 e2 5 5 e5 6 6 e6 7 7 e7 " "{cc} in arguments, environment and output"
is "$(ls element.* | wc -l)" 4 "one file for each element"
capture hbatch submit --wait --quiet --cc=0-9 sh -c 'exit $HBATCH_JOB_CC'
is $rc 9 "the exit code of an array is the greatest"
is "$(hbatch submit --cc=1-3 true | wc -l)" 3 "each element has an id"
start=${EPOCHREALTIME/./}
within 60 hbatch submit --quiet --wait --cc=1-1000 true
is $rc 0 "1000 elements all complete"
note "1000 jobs in $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
is "$(hbatch jobs -a -c 0 -f completed --name=true -no '{id}' | sort -u | wc -l)" \
    "$(hbatch jobs -a -c 0 -f completed --name=true -no '{id}' | wc -l)" "their ids are distinct"
[ "$(hbatch jobs -a -c 0 -f completed -no '{id}' | wc -l)" -ge 1000 ] && pass "they are listed" || fail "they are listed"
is "$(hbatch jobs -no '{id}')" "" "none is left"

# --- waiting -------------------------------------------------------------------------------------
good=$(hbatch submit true) bad=$(hbatch submit false)
nok "job wait tells a failure" hbatch job wait "$good" "$bad"
ok "job wait of a success" hbatch job wait "$good"
ok "wait-event of the past" hbatch job wait-event -q "$good" start
nok "wait-event that cannot come" timeout 20 hbatch job wait-event "$good" nonesuch
nok "wait-event with a limit" timeout 20 hbatch job wait-event -t 0.1s "$(hbatch submit --urgency=0 true)" start
hbatch cancel -q --all
gate g8
hbatch job wait-event "$gate" finish >finish.out &
waiter=$!
open g8
wait $waiter
is $? 0 "wait-event waits"
like "$(cat finish.out)" "finish.*status" "and prints the event"
names=$(hbatch job eventlog "$gate" | sed 's/^[^ ]* \([a-z-]*\).*/\1/' | tr '\n' ' ')
like "$names" "submit depend priority alloc start finish release free clean " "the events of a job, in order"
# an array watched: one stream, with the output and the end of each element, and credit for all
capture hbatch submit --quiet --watch -l --cc=1-3 sh -c 'echo here $HBATCH_JOB_CC; exit $HBATCH_JOB_CC'
is "$rc|$(sed 's/.*: here/here/' <<<"$out" | sort | xargs)" "3|here 1 here 2 here 3" "an array is watched"
is "$(timeout 60 hbatch submit --quiet --watch --cc=1-6 head -c 1500000 /dev/zero | wc -c)" 9000000 "... also with much output"
# an array followed by a raw client: every end once, neighbours that end alike as one
follow=$(PYTHONPATH=$lib_dir PYTHONDONTWRITEBYTECODE=1 timeout 30 python3 -c '
import raw
c = raw.Client()
r = c.reply(c.call("job.submit", jobspec=raw.jobspec("true"), cc="1-200", follow="status"))
ends = []
while True:
    p = c.until("job.ends")
    ends += [(e[0] + i, e[2]) for e in p["ends"] for i in range(e[4] if len(e) > 4 else 1)]
    if p["left"] == 0:
        break
print(len(ends), len({e[0] for e in ends}), {e[1] for e in ends})')
is "$follow" "200 200 {'COMPLETED'}" "who follows an array hears of every end once"

nok "a queue where none is configured" hbatch submit -q nosuch true
like "$err" "there is no queue 'nosuch': this instance has one queue, which has no name" "is refused"

# --- launch options that executors would refuse are refused before the job is in the queue
before=$(hbatch jobs -anc 0 | wc -l)
while IFS='|' read -r option want; do
    capture hbatch submit -o "$option" true
    [ $rc != 0 ] || fail "-o $option is accepted"
    like "$err" "$want" "-o $option is refused"
done <<'END'
cpu-affinity=foo|option cpu-affinity: "foo" is not "on"
gpu-affinity=map:0;x|option gpu-affinity: 'x' in
pmi=pmi3|option pmi: "pmi3"
exit-timeout=soon|option exit-timeout: .*soon
signal=SIGFOO|"SIGFOO" names no signal
rlimit.cores=1|option rlimit.cores: there is no such limit
END
is "$(hbatch jobs -anc 0 | wc -l)" "$before" "none of these became a job"

ok "the instance goes on" hbatch run -n 4 true
done_testing
