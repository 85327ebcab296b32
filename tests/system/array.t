#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Arrays are objects: a million elements are taken, listed, held and canceled in milliseconds, and cost next to
# nothing until they run; where they were is known after a restart.
. "${0%/*}/lib.sh"
need pgrep procps
unset HBATCH_URI HBATCH_JOB_ID
export HBATCH_F58_FORCE_ASCII=1

instance_start one --test-topology="core:4 pu:1" || exit 1
leader=$instance_pid
rss() { awk '/VmRSS/ { print $2 }' "/proc/$leader/status"; } # KiB
stats() { hbatch jobs --stats-only; }
# quick NAME MS: the last capture was a success, in MS milliseconds; of them the client has its part
quick() {
    note "$1: $ms ms"
    [ "$rc" = 0 ] && [ "$ms" -le "$2" ] && pass "$1" || fail "$1" "exit code $rc after $ms ms: $err"
}
# element CC: the id of the element with this index of $array (whose indices begin with 1)
element() { hbatch jobs -no '{id} {cc}' -c 0 "$array" | awk -v cc="$1" '$2 == cc { print $1 }'; }
field() { hbatch jobs -ano "{$1}" "$2"; }

# --- a million -----------------------------------------------------------------------------------
gate=$(hbatch submit -n4 sleep inf)
hbatch wait-event "$gate" start >/dev/null
before=$(rss)
capture hbatch submit --quiet --cc=1-1000000 --env=ELEMENT=e{cc} --output=o.{cc} echo {cc}
quick "a million elements are accepted" 5000
grown=$(($(rss) - before))
note "the leader has $grown KiB more"
[ "$grown" -lt 8000 ] && pass "... in a few bits each" || fail "... in a few bits each" "$grown KiB"
is "$(stats)" "1 running, 0 completed, 0 failed, 1000000 pending" "they are counted"
capture hbatch jobs --unfold -c 100
quick "... and listed" 5000
is "$(wc -l <<<"$out")" 101 "... the newest ones first, as many as wanted"
is "$(hbatch jobs -no '{cc}' -c 3 | xargs)" "1000000 999999 999998" "... each with its index"
last=$(hbatch jobs -no '{id}' -c 1) some=$(hbatch jobs -no '{id}' -c 500 | tail -n 1)
is "$(hbatch jobs -no '{state} {cc}' "$some")" "SCHED 999501" "one of them by its id"
first=$(hbatch jobs -no '{id}' -c 1 -f running)
capture hbatch cancel -n --states=pending
is "$err" "hbatch cancel: would cancel 1000000 jobs" "a dry run counts"

# --- one by one, and in ranges --------------------------------------------------------------------
ok "an element is canceled" hbatch cancel -m "this one" "$some"
is "$(field result "$some")" CANCELED "... by itself"
like "$(hbatch job eventlog "$some")" "this one" "... and its log says why"
ok "another is held" hbatch job urgency "$last" hold
is "$(hbatch jobs -no '{cc} {urgency}' -c 2 | xargs)" "1000000 0 999999 16" "... and not its neighbour"
before=$(rss)
capture hbatch job urgency -v "$some-$last" 20
is "$rc $err" "0 changed: 499" "a range of them has another urgency"
for u in 1 2 3 4; do hbatch job urgency "$first-$last" $u; done
capture hbatch job urgency -v "$first-$last" 7
quick "all of them" 5000
is "$err" "changed: 999999" "... which had another one"
is "$(hbatch jobs -no '{urgency}' -c 1000 | sort -u)" 7 "... have it"
note "the leader has $(($(rss) - before)) KiB more"
[ $(($(rss) - before)) -lt 16000 ] && pass "... without memory for each" || fail "... without memory for each"
capture hbatch cancel "$some-$last"
quick "a range is canceled" 5000
is "$(stats)" "1 running, 0 completed, 500 failed, 999500 pending" "... and no other"
capture hbatch cancel --all
quick "all of them are" 5000
wait_until 20 eval '[ "$(stats)" = "0 running, 0 completed, 1000001 failed, 0 pending" ]'
is "$(stats)" "0 running, 0 completed, 1000001 failed, 0 pending" "... each counts"
capture hbatch jobs -a -c 10000 -no '{cc} {result}'
quick "they are in the history" 15000
is "$(wc -l <<<"$out") $(tail -n 1 <<<"$out")" "10000 990001 CANCELED" "... one by one"
is "$(hbatch jobs -a -c 3 -no '{cc}' --since=-1h -f canceled | xargs)" "1000000 999999 999998" "... and by what became of them"
like "$(hbatch job eventlog "$last")" "exception.*clean" "... with a log"
capture hbatch submit --quiet --cc=1-200000 true
hbatch jobs -no '{id}' -c 1 >newest
hbatch submit --quiet --wait --urgency=31 true
hbatch cancel --all -q
wait_until 20 eval '[ -z "$(hbatch jobs -no "{id}")" ]'

# --- who waits -------------------------------------------------------------------------------------
gate=$(hbatch submit -n4 sleep inf)
capture timeout 60 hbatch submit --wait --cc=1-100000 --progress true &
waiter=$!
wait_until 20 eval 'stats | grep -q " 100000 pending"'
hbatch cancel --states=pending -q
wait $waiter
is "$(stats | sed 's/.*failed, //')" "0 pending" "who waits for an array hears of the end of its elements"
capture hbatch submit --quiet --watch --cc=1-50 true &
watcher=$!
wait_until 20 eval 'stats | grep -q " 50 pending"'
hbatch cancel --states=pending -q
wait $watcher
is $? 1 "... and who watches"
hbatch cancel -q "$gate"
capture hbatch job wait "$gate"
sockets=$(find "/proc/$(hbatch getattr pid)/fd" -lname 'socket:*' | wc -l)
hbatch submit --cc=1-100 --urgency=hold sh -c 'echo $HBATCH_JOB_CC; exit 3' >ids
hbatch cancel "$(head -n 1 ids)"
(hbatch watch --active --count=0 >watched; echo $? >watched.rc) &
watcher=$!
(hbatch job wait --all 2>waited; echo $? >waited.rc) &
waiter=$!
hbatch job status --json "$(sed -n 2p ids)-$(tail -n 1 ids)" >status.json &
asker=$!
watches() { [ "$(find "/proc/$(hbatch getattr pid)/fd" -lname 'socket:*' | wc -l)" -ge $((sockets + 3)) ]; }
wait_until 20 watches
hbatch job urgency "$(head -n 1 ids)-$(tail -n 1 ids)" default
wait $watcher $waiter $asker
is "$(cat watched.rc) $(sort -n watched | xargs)" "3 $(seq -s ' ' 2 100)" "who watches a part of an array has the output of each element"
is "$(cat waited.rc) $(($(wc -l <waited) < 30))" "1 1" "of many that fail job wait tells a few lines"
like "$(tail -n 1 waited)" "^hbatch job wait: f[^ ]+ and [78][0-9] more: task.s. exited with exit code 3$" "... the last of which counts them"
is "$(hbatch job wait -v "$(tail -n 1 ids)" 2>&1)" "hbatch job wait: $(tail -n 1 ids): task(s) exited with exit code 3" \
    "one of them is told by itself"
is "$(sort -u status.json | wc -l) $(grep -c '"state":"INACTIVE","result":"FAILED","status":768,"exit":3' status.json)" "99 99" \
    "job status --json tells each"
is "$(grep "$(hbatch job id --to=dec "$(tail -n 1 ids)")" status.json)" "$(hbatch job status --json "$(tail -n 1 ids)")" \
    "... alike, of many and of one"

# --- elements by their indices ----------------------------------------------------------------------
hbatch submit --cc=10-100:10 --urgency=hold sh -c 'echo out $HBATCH_JOB_CC; exit $((HBATCH_JOB_CC % 40 == 0))' >ids
array=$(head -n 1 ids)
ok "one is canceled by its index" hbatch cancel "${array}_100"
ok "several are" hbatch cancel "${array}_[80-90]"
shown=$(hbatch jobs -n -o '{id} {cc}' --fold)
is "$shown" "${array}_[10,20,30,40,50,60,70] 10,20,30,40,50,60,70" "jobs shows the others"
capture hbatch job urgency "${array}_20" 17
capture timeout 60 hbatch job wait "${array}_20"
is "$rc $(hbatch jobs -no '{cc} {state}' "${array}_[20,30]" | xargs)" "0 30 SCHED 20 INACTIVE" "urgency of one"
ok "... of several, as they were shown" hbatch job urgency "${shown% *}" default
capture hbatch job wait "${array}_[10-70]"
is "$rc|$err" "1|hbatch job wait: $(sed -n 4p ids): task(s) exited with exit code 1" "they are waited for"
is "$(hbatch output "${array}_[10-30]" "${array}_70" | xargs)" "out 10 out 20 out 30 out 70" "their output"
is "$(hbatch attach "${array}_50")" "out 50" "attach to one"
is "$(hbatch watch "${array}_[60-70]" | sort | xargs)" "out 60 out 70" "watch some"
is "$(hbatch watch "${array}_[50-60]" "${array}_[60-70]" | sort | xargs)" "out 50 out 60 out 70" "... with one told twice"
is "$(hbatch jobs -no '{id}' "${array}_10")" "$array" "the first one does not stand for the array then"
is "$(hbatch job resubmit --dry-run --failed "$array")" "$array --cc=40" "what failed would be submitted again"
again=$(hbatch job resubmit --failed "$array")
capture timeout 60 hbatch job wait "$again"
is "$rc $(hbatch output "$again")" "1 out 40" "... and runs, as it had been released before it ran"
while IFS='|' read -r word text; do
    capture hbatch cancel "$word"
    like "$rc $err" "^1 hbatch cancel: .*$text" "mistakes: $word"
done <<END
${array}_11|is no element of its array, which has 10,20,30,40,50,60,70,80,90,100
${array}_[x]|expected an id at character 2
${array}_[|an id is missing
${array}_|not an F58 digit
$(sed -n 2p ids)_[10]|is not the id of an array
f11111z_3|no such job
${array}_100|is over
END
capture hbatch attach "${array}_[10,20]"
like "$rc $err" "^1 .* is 2 jobs; one is wanted here" "one job, where one is wanted"

# --- the order, and what depends on elements ---------------------------------------------------------
gate=$(hbatch submit -n4 sleep inf)
hbatch wait-event "$gate" start >/dev/null
# shellcheck disable=SC2016
hbatch submit --cc=1-40 -n4 sh -c '[ "$HBATCH_TASK_RANK" = 0 ] && echo $HBATCH_JOB_CC >>order; [ $HBATCH_JOB_CC != 5 ]' >ids
array=$(head -n 1 ids)
nth() { sed -n "$1p" ids; }
after=$(hbatch submit --dependency=afterok:"$(nth 30)" --urgency=31 -n4 sh -c '[ "$HBATCH_TASK_RANK" = 0 ] && echo after >>order; true')
never=$(hbatch submit --dependency=afterok:"$(nth 5)" true)
is "$(field state "$after")" DEPEND "a job that depends on an element waits"
hbatch job urgency "$(nth 20)" expedite
hbatch job urgency "$(nth 10)" 17
hbatch job urgency "$(nth 11)" hold
hbatch cancel "$(nth 12)"
hbatch cancel "$(nth 13)-$(nth 15)"
hbatch cancel -q "$gate"
ok "the elements run" timeout 60 hbatch job wait "$(nth 40)"
is "$(grep -v after order | xargs)" "20 10 1 2 3 4 5 6 7 8 9 16 17 18 19 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40" \
    "... by urgency, then in their order"
# it is ready when element 30 has ended; by then the executor may have begun the next ones, which it had ahead
like "$(xargs <order)" "30( 3[1-8])* after 3" "... and what is more urgent goes first as soon as it is ready"
is "$(field state "$(nth 11)")" SCHED "one that is held waits on"
is "$(field result "$never")" FAILED "what depended on one that failed is over"
hbatch job urgency "$(nth 11)" default
ok "... until it is released" timeout 20 hbatch job wait "$(nth 11)"
is "$(hbatch jobs -ano '{result}' "$array" | sort | uniq -c | xargs)" "4 CANCELED 35 COMPLETED 1 FAILED" \
    "the array has its elements in the history"

# an array that waits as a whole
gate=$(hbatch submit sleep inf)
hbatch wait-event "$gate" start >/dev/null
hbatch submit --dependency=afterany:"$gate" --cc=1-1000 true >ids
is "$(hbatch jobs -no '{state}' "$(head -n 1 ids)" | sort | uniq -c | xargs)" "1000 DEPEND" "an array depends on a job as a whole"
hbatch job urgency "$(nth 7)" hold
like "$(hbatch job eventlog "$(nth 7)")" "dependency-add.*urgency" "one of its elements has an urgency of its own"
hbatch cancel "$gate"
hbatch job wait "$(tail -n 1 ids)"
wait_until 20 eval 'stats | grep -q "^0 running.* 1 pending"'
is "$(hbatch jobs -no '{cc} {state} {urgency}')" "7 SCHED 0" "it runs when that is over, but for the one that is held"
like "$(hbatch job eventlog "$(nth 8)")" "dependency-add|depend" "its elements have that in their log"
hbatch cancel -q --all
doomed=$(hbatch submit --dependency=afterok:"$gate" --cc=1-1000 true | tail -n 1)
nok "an array whose dependency can never be met" hbatch job wait "$doomed"
like "$(hbatch job eventlog "$doomed")" "can never be met" "... says so, for each element"

# a job that depends on all elements of an array, or on some
gate=$(hbatch submit -n4 sleep inf)
hbatch wait-event "$gate" start >/dev/null
# shellcheck disable=SC2016
hbatch submit --cc=1-20 sh -c 'echo $HBATCH_JOB_CC >>all; [ $HBATCH_JOB_CC != 13 ]' >ids
after=$(hbatch submit --urgency=31 --dependency=afterany:"$(nth 1)-$(nth 20)" sh -c 'wc -l <all >count')
few=$(hbatch submit --dependency=afterok:"$(nth 1)-$(nth 12)" --cc=1-3 true | tail -n 1)
never=$(hbatch submit --dependency=afterok:"$(nth 1)-$(nth 20)" true)
ended=$(hbatch submit --dependency=afternotok:"$(nth 3)-$(nth 4)" true)
like "$(hbatch job eventlog "$after")" "afterany:f" "a job depends on a range"
nok "a range of what is no array" hbatch submit --dependency=afterok:"$gate-$(nth 2)" true
like "$err" "one array" "... is refused"
nok "the start of a range" hbatch submit --dependency=after:"$(nth 1)-$(nth 2)" true
hbatch cancel -q "$gate"
ok "it runs" hbatch job wait "$after"
is "$(cat count)" 20 "... when all of it is over"
ok "... so does an array that depends on a part of it" hbatch job wait "$few"
nok "one that cannot any more is over" hbatch job wait "$never"
like "$(hbatch job eventlog "$never")" "job $(nth 13) failed" "... which says because of whom"
nok "... another one, too" hbatch job wait "$ended"
ok "what is over may be depended on" hbatch run --dependency=afterany:"$(nth 2)-$(nth 9)" true
nok "... and met or not" hbatch run --dependency=afterok:"$(nth 2)-$(nth 19)" true

# --- mistakes --------------------------------------------------------------------------------------
for bad in 1-1000000000 0-16777215 5-1 1- a 1,1 1,,2 "" -5; do
    nok "--cc='$bad' is refused" hbatch submit --cc="$bad" true
    like "$err" "cc|IDSET|set" "... with a reason: $err"
done
# --- steps ---------------------------------------------------------------------------------------
id=$(hbatch submit --wait --cc=1-7:3,20,30-31:5 true | head -1)
is "$(hbatch jobs -ano '{cc}' "$id" | sort -n | paste -sd' ')" "1 4 7 20 30" "ranges with steps"
for cc in 1:1,,2 1-7:0 1-7:x 1-7: 3:2 1-7:2:2 :2 1-7:-1; do
    capture hbatch submit --cc="$cc" true
    like "$rc|$err" "^1\|hbatch submit: --cc: .*(FIRST-LAST:STEP|expected an id|an id is missing)" "--cc=$cc"
done
capture hbatch submit --cc=1-1000000000 true
like "$err" "'1-1000000000' has 1000000000 elements, more than the 10000000 that are possible" "--cc: a billion"
capture hbatch submit --cc=0-16777215:1 true
like "$err" "'0-16777215:1' has more than the 10000000 elements" "--cc: too many, with a step"

instance_stop one
is "$rc" 0 "the instance ends well"

# --- the cursor outlives ranks ------------------------------------------------------------------------
case $(hbatch start --dry-run --test-nodes=2 true 2>/dev/null) in
*enable-recovery*) ;;
*) done_testing ;;
esac
instance_start main --test-nodes=3 --test-topology="core:4 pu:1" || exit 1
rundir=$(dirname "${HBATCH_URI#local://}")
ranks() { pgrep -f "^[^ ]*hbatch-instance .*--rundir=$rundir"; }
# shellcheck disable=SC2016
hbatch submit --cc=1-600 sh -c 'echo $HBATCH_JOB_CC >>ran.$HBATCH_JOB_CC; sleep 0.05' >ids
hbatch job urgency "$(nth 300)-$(nth 310)" hold
hbatch cancel "$(nth 400)-$(nth 409)"
hbatch cancel "$(nth 305)"
beyond() { [ -e "ran.$1" ]; }
ok "an array is under way" wait_until 30 beyond 60
kill -9 "$(ranks | head -n 1)"
ok "it goes on under another leader" wait_until 60 beyond 200
is "$(hbatch jobs -no '{urgency}' "$(nth 300)")" 0 "... which knows what is held"
# shellcheck disable=SC2046
kill -9 $(ranks)
ok "... and when all ranks were started again" wait_until 60 beyond 350
is "$(hbatch jobs -no '{urgency}' "$(nth 310)")" 0 "... what is held still is"
hbatch job urgency "$(nth 300)-$(nth 310)" default
wait_until 60 eval 'stats | grep -q " 0 pending" && stats | grep -q "^0 running"'
is "$(stats)" "0 running, 589 completed, 11 failed, 0 pending" "all of it has run, but for what was canceled"
is "$(ls ran.* | wc -l)" 589 "... each of its elements"
is "$(cat ran.* | wc -l)" 589 "... once"
instance_stop main
is "$rc" 0 "the instance ends well"
done_testing
