#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Jobs that depend on other jobs, or on a time.  With mpirun: in an instance of two ranks, the second of
# which must tell the same of them.
. "${0%/*}/../system/lib.sh"
export HBATCH_F58_FORCE_ASCII=1
if command -v mpirun >/dev/null; then
    inside --test-nodes=2 --test-topology="core:4 pu:1"
else
    inside --test-topology="core:8 pu:1"
fi

show() { hbatch jobs -ano "$2" "$1"; } # ID FORMAT
event() { timeout 20 hbatch job wait-event -q "$1" "$2"; }
events() { # ID: its events, with what a dependency's tells
    timeout 20 hbatch job eventlog -f json "$1" |
        sed -n 's/.*"name": *"\([^"]*\)".*"description": *"\([^"]*\)".*/\1=\2/p; t; s/.*"name": *"\([^"]*\)".*/\1/p' | xargs
}
finish() { timeout 20 hbatch job wait "$1" >/dev/null 2>&1; }
# gate NAME [EXIT CODE]: a job that runs until `open NAME`; sets $gate to its id
gate() {
    mkfifo "$1"
    gate=$(hbatch submit sh -c "read x <$tmp/$1; exit ${2:-0}")
    event "$gate" start
}
open() { echo go >"$1"; }
after() { hbatch submit --dependency="$1:$2" true; } # SCHEME ID
is_empty() { [ -z "$(hbatch jobs -no '{id}')" ]; }

# --- a job waits, and is released -----------------------------------------------------------------
gate one
id=$(after afterok "$gate")
is "$(show "$id" '{state}|{contextual_info}')" "DEPEND|depends on afterok:$gate" "a job that depends on another waits in state DEPEND"
is "$(events "$id")" "submit dependency-add=afterok:$gate" "... with an event"
is "$(hbatch jobs -no '{id}' -f depend)" "$id" "hbatch jobs -f depend"
ok "its urgency may change" hbatch job urgency "$id" 20
other=$(hbatch submit true)
ok "it stands in nobody's way" finish "$other"
open one
ok "it runs after the other job" finish "$id"
is "$(events "$id")" "submit dependency-add=afterok:$gate urgency dependency-remove=afterok:$gate depend priority alloc start finish release free clean" "its events, in order"
is "$(timeout 20 hbatch job eventlog -f json "$id" | sed -n 's/.*"priority": *\([0-9]*\).*/\1/p')" 20 "the urgency that it was given meanwhile counts"

# --- each scheme, against each end ------------------------------------------------------------------
gate good
gate bad 3
bad=$gate
good=$(hbatch jobs -no '{id}' | grep -v "$bad")
limited=$(hbatch submit -t 0.1s sleep 1000)
gate blocker
blocker=$gate
never=$(hbatch submit --urgency=hold true)
declare -A waits
for target in good bad limited never; do
    for scheme in after afterstart afterany afterok afternotok afterexcept; do
        waits[$scheme.$target]=$(after $scheme "${!target}")
    done
done
open good
open bad
finish "$limited"
hbatch cancel "$never"
check() { # SCHEME TARGET R|NOTE
    local got
    id=${waits[$1.$2]}
    finish "$id"
    got=$(show "$id" '{result}|{exception.type}|{exception.severity}|{exception.note}')
    if [ "$3" = R ]; then
        is "$got" "COMPLETED|||" "$1 of $2: runs"
    else
        is "$got" "FAILED|dependency|0|dependency $1:${!2} can never be met: job ${!2} $3" "$1 of $2: never"
    fi
}
ran=R
unstarted="was canceled before it started"
for scheme in after afterstart afterany; do
    for target in good bad limited; do check $scheme $target $ran; done
done
check afterany never R
for scheme in after afterstart afterok afternotok afterexcept; do check $scheme never "$unstarted"; done
check afterok good R
check afterok bad "failed"
check afterok limited "reached its time limit"
check afternotok good "ended with success"
check afternotok bad R
check afternotok limited R
check afterexcept good "ended with success"
check afterexcept bad "failed without an exception"
check afterexcept limited R
# the same of jobs that were over when the others were submitted: what the store tells
for scheme in after afterany afterok afternotok afterexcept; do
    for target in good bad limited never; do waits[$scheme.$target]=$(after $scheme "${!target}"); done
done
check afterok good R
check afternotok bad R
check after limited R
check afterany never R
check afterok bad "failed"
check afternotok good "ended with success"
check afterok never "$unstarted"
check afterexcept limited R
is "$(events "${waits[afterok.good]}")" "submit depend priority alloc start finish release free clean" "a dependency that is met has no event"
capture hbatch run --dependency=afterok:"$bad" true
like "$rc|$err" "^1\|.*dependency afterok:$bad can never be met: job $bad failed" "hbatch run tells it"

# --- several, arrays, chains, many ------------------------------------------------------------------
mkfifo two
second=$(hbatch submit sh -c "read x <$tmp/two")
event "$second" start
id=$(hbatch submit --dependency=afterok:"$blocker" --dependency=afterany:"$second" --dependency=after:"$second" true)
is "$(show "$id" '{contextual_info}')" "depends on afterok:$blocker and 1 more" "several dependencies, of which one is met"
open blocker
ok "one more is met" event "$id" dependency-remove
is "$(show "$id" '{state}|{contextual_info}')" "DEPEND|depends on afterany:$second" "... the other one is shown"
open two
ok "it runs when all are met" finish "$id"
gate base
array=$(hbatch submit --cc=1-20 --dependency=afterok:"$gate" true)
chain=$gate
for i in 1 2 3 4 5; do chain=$(after afterok "$chain"); done
is "$(hbatch jobs -no '{id}' -f depend | wc -l)" 25 "an array and a chain wait"
open base
# shellcheck disable=SC2086
ok "they run" timeout 60 hbatch job wait $array $chain
gate failing 1
last=$gate
for i in 1 2 3 4 5; do
    last=$(after afterok "$last")
    [ "$i" != 4 ] || fourth=$last
done
open failing
finish "$last"
is "$(show "$last" '{exception.note}')" "dependency afterok:$fourth can never be met: job $fourth ended without having started" "a chain breaks from its beginning to its end"
gate base2
within 60 hbatch submit --quiet --cc=1-3000 --dependency=afterany:"$gate" true
is $rc 0 "three thousand jobs that depend on one"
within 60 hbatch cancel "$gate"
ok "they are released" wait_until 60 sh -c '[ -z "$(hbatch jobs -no {id} -f depend)" ]'
hbatch cancel --all
ok "cancel of jobs in all states" wait_until 30 is_empty

# --- cancel, urgency, shutdown ----------------------------------------------------------------------
gate base3
id=$(after afterok "$gate")
next=$(after afterany "$id")
ok "a waiting job is canceled" hbatch cancel "$id"
ok "who waits for its end runs" finish "$next"
held=$(hbatch submit --urgency=0 --dependency=after:"$gate" true)
is "$(show "$held" '{state}')" SCHED "a job whose dependency is met, and which is held"
hbatch cancel "$held"
open base3

# --- a time -----------------------------------------------------------------------------------------
start=$(date +%s.%N)
id=$(hbatch submit --begin-time=+0.5s true)
late=$(hbatch submit --begin-time=+1h true)
like "$(hbatch submit --dry-run --dependency=begin-time:2031-01-31 true | tr -d " ")" '"scheme":"begin-time","value":"19[0-9]*\.0*"' "the same as a dependency"
nok "a time that nobody lives to see" hbatch submit --begin-time=+99999999999h true
like "$err" "begin-time=.*99h: is too far away" "... is an error"
nok "two jobs in a dependency" hbatch submit --dependency="afterok:$late,afterok:$late" true
like "$err" "of one job, .*give --dependency once for each" "... are two"
later=$(hbatch submit --cc=1-3 --begin-time=+2h true)
like "$(show "$late" '{state}|{contextual_info}')" "^DEPEND\|depends on begin-time:20[0-9-]*T[0-9:]*$" "a job that waits for a time"
ok "it runs" finish "$id"
ok "... not before" awk -v a="$start" -v b="$(timeout 20 hbatch job wait-event -f json "$id" alloc | sed 's/.*"timestamp": *\([0-9.]*\).*/\1/')" 'BEGIN { exit !(b - a >= 0.5) }'
ok "a time that is over" finish "$(hbatch submit --begin-time=2001-01-01 true)"
# shellcheck disable=SC2086
ok "who waits for a time is canceled" hbatch cancel $late $later
finish "$late"
is "$(show "$late" '{result}')" CANCELED "... and over"

# --- singleton --------------------------------------------------------------------------------------
hbatch cancel -q --all
hbatch queue drain
s1=$(hbatch submit --job-name=one sleep 1000)
other=$(hbatch submit --job-name=two sleep 1000)
s2=$(hbatch submit --job-name=one --dependency=singleton sleep 1000)
s3=$(hbatch submit --job-name=one --dependency=singleton true)
s4=$(hbatch submit --job-name=one --dependency=singleton true)
free=$(hbatch submit --job-name=three --dependency=singleton true)
hbatch job wait "$free"
is $? 0 "a singleton with a name of its own runs at once"
is "$(show "$s2" '{state} {contextual_info}')" "DEPEND depends on singleton" "another one waits"
hbatch cancel -q "$s3"
hbatch cancel -q "$s1"
hbatch wait-event -t 20 "$s2" start >/dev/null
is "$(show "$s2" '{state}') $(show "$s4" '{state}')" "RUN DEPEND" "one after the other"
hbatch cancel -q "$s2"
hbatch job wait "$s4"
is "$? $(show "$other" '{state}')" "0 RUN" "whatever becomes of those before; other names do not count"
hbatch cancel -q --all
hbatch queue drain

# --- refused ------------------------------------------------------------------------------------------
refused() { # TEXT OPTIONS
    local text=$1
    shift
    nok "refused: $*" hbatch submit "$@" true
    like "$err" "$text" "... $text"
}
refused "there is no job f2345 to depend on" --dependency=afterok:f2345
refused "dependency afterok:x.y: " --dependency=afterok:x.y
refused "dependency nosuch:f1: there is no such scheme" --dependency=nosuch:f1
refused "dependency singleton:x: a singleton has no value" --dependency=singleton:x
refused "there is no job" --dependency=afterany:"$next" --dependency=afterok:f1
is "$(hbatch jobs -no '{id}')" "" "nothing of it is left"

# --- the other rank -----------------------------------------------------------------------------------
if [ "$(hbatch getattr size)" = 2 ]; then
    there=$(hbatch run -N2 -n2 bash -c 'echo $HBATCH_TASK_RANK $HBATCH_URI' </dev/null | sed -n 's/^1 //p')
    listed() { HBATCH_URI=$there hbatch jobs -no '{id} {state} {contextual_info}' "$@"; }
    same_there() { [ "$(listed)" = "$(hbatch jobs -no '{id} {state} {contextual_info}')" ]; }
    gate base4
    id=$(hbatch submit --dependency=afterok:"$gate" --dependency=after:"$gate" --urgency=hold true)
    hbatch submit --quiet --cc=1-3 --dependency=afterany:"$gate" --dependency=afterany:"$id" true
    ok "another rank lists the same" wait_until 10 same_there
    is "$(listed "$id")" "$id DEPEND depends on afterok:$gate" "... what a job depends on"
    is "$(listed | grep -c "depends on afterany:$gate and 1 more")" 3 "... also an array"
    open base4
    event "$id" depend
    ok "... and when it changes" wait_until 10 same_there
    is "$(listed | grep -c "DEPEND depends on afterany:$id")|$(listed "$id")" "3|$id SCHED held" "... or is met"
    # what happens to many at once is told in pieces, between which ranks are heard
    export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$srcdir/tests/system
    cat >pieces.py <<'END'
import raw
client = raw.Client(timeout=60)
ask = lambda method, **params: client.reply(client.call(method, **params))
def epochs():
    e = ask("instance.info")["traffic"]["epochs"]
    return e["epochs"], e["bytes"]
ids = [client.call("job.submit", urgency=0, jobspec=raw.jobspec("true")) for _ in range(2000)]
ids = [client.reply(n)["id"] for n in ids]
before = epochs()
ask("job.cancel", ids=ids)
after = epochs()
print((after[1] - before[1]) // (after[0] - before[0]) <= 512 * 1024, after[1] - before[1] > 512 * 1024)
END
    capture /usr/bin/python3 pieces.py
    is "$out$err" "True True" "many ends are told in pieces"
    hbatch cancel --all
    ok "nothing is left there" wait_until 10 sh -c '[ -z "$(HBATCH_URI='"$there"' hbatch jobs -no {id})" ]'
else
    skip "another rank lists the same" "mpirun is not here"
fi
done_testing
