#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What waits of an array is one line of hbatch jobs.
. "${0%/*}/lib.sh"
need jq jq
unset HBATCH_URI HBATCH_JOB_ID
export HBATCH_F58_FORCE_ASCII=1

instance_start one --test-topology="core:4 pu:1" || exit 1
lines() { hbatch jobs --fold -no '{cc} {state} {urgency} {count}' "$@"; }
element() { hbatch jobs -no '{id} {cc}' -c 0 "$1" | awk -v cc="$2" '$2 == cc { print $1 }'; }

gate=$(hbatch submit -n4 sleep inf)
hbatch wait-event "$gate" start >/dev/null
array=$(hbatch submit --cc=1-1000 --job-name=many true | head -n 1)
capture hbatch jobs -n
is "$(wc -l <<<"$out")" 2 "an array that waits is one line"
like "$out" "^ *$array"'_\[1-1000\] .* S ' "... with its id and indices"
is "$(lines | head -n 1)" "1-1000 SCHED 16 1000" "... as fields"
is "$(hbatch jobs -n --unfold -c 0 | wc -l)" 1001 "... unless it is unfolded"
is "$(hbatch jobs -c 0 -no '{id}' | wc -l) $(hbatch jobs -c 0 --json | jq '.jobs | length')" "1001 1001" "... or for programs"
is "$(hbatch jobs --json --fold | jq -c '.jobs[0] | [.count, .ccs, .cc, .jobid, .array == .id]')" \
    "[1000,\"1-1000\",null,\"$array\",true]" "JSON of it"
is "$(hbatch jobs -n "$array" | wc -l) $(hbatch jobs -n "$(element "$array" 7)" | wc -l)" "1 1" "by its id, and an element by its own"
is "$(lines "$(element "$array" 7)")" "7 SCHED 16 1" "... which is not folded"

hbatch job urgency "$(element "$array" 1000)" hold
hbatch job urgency "$(element "$array" 500)-$(element "$array" 600)" 20
hbatch cancel "$(element "$array" 3)"
is "$(lines -f pending)" "1000 SCHED 0 1
500-600 SCHED 20 101
1-2,4-499,601-999 SCHED 16 897" "what differs in urgency has a line of its own"
is "$(lines -f pending -c 2 | tail -n 1)" "500-600 SCHED 20 101" "a count of lines"
capture hbatch jobs -n -c 2
is "$(wc -l <<<"$out")" 2 "... is one of what is shown"
like "$(hbatch jobs -n -f sched)" "$array"'_\[1-2,4-499,601-999\]' "indices with gaps"
is "$(hbatch jobs --stats-only)" "1 running, 0 completed, 1 failed, 999 pending" "numbers are those of jobs"
hbatch submit --cc=2-4000:2 --job-name=even --urgency=hold true >evens
like "$(hbatch jobs -n --name=even)" "$(head -n 1 evens)"'_\[2,4,6(,[0-9]+)*,\.\.\.\] ' "many gaps are cut in a line"
is "$(hbatch jobs --json --fold --name=even | jq -r '.jobs[0] | (.ccs | length <= 1004 and endswith(",...")), .count' | xargs)" "true 2000" \
    "... and later in JSON"

# elements that wait with a job of their own: as those do that an executor has ahead, or for which somebody waits
hbatch job wait "$(element "$array" 10)" >waited 2>&1 &
waiter=$!
hbatch cancel -q "$(head -n 1 evens)-$(tail -n 1 evens)"
wait_until 10 eval 'hbatch jobs -no "{id}" "$(element "$array" 10)" | grep -q .'
is "$(lines -f pending | tail -n 1)" "1-2,4-499,601-999 SCHED 16 897" "elements that wait with a job of their own are in the line"
bulk=$(hbatch bulksubmit --quiet true {} ::: 1 2 3 && hbatch jobs -n -f pending | grep -c ' true ')
is "$bulk" 3 "jobs that are no array are not folded"
hbatch cancel -q "$gate"
ok "they run" timeout 60 hbatch job wait "$(element "$array" 999)"
wait "$waiter"
wait_until 20 eval '[ "$(lines)" = "1000 SCHED 0 1" ]'
is "$(hbatch jobs -ano '{status}' "$array" | sort | uniq -c | xargs)" "1 CANCELED 998 COMPLETED 1 SCHED" "... all of them"
is "$(lines)" "1000 SCHED 0 1" "what is held waits on"
is "$(lines -a -c 0 "$array" | awk '{ n += $4 } END { print n }')" 1000 "with what is over, each is told once"

held=$(hbatch submit --cc=1-5 --urgency=hold true | xargs)
# shellcheck disable=SC2086
capture hbatch jobs -n $held
is "$rc|$(wc -l <<<"$out")|$err" "0|5|" "elements by their ids are not folded"
# shellcheck disable=SC2086
capture hbatch jobs -nc 2 $held
is "$rc|$(wc -l <<<"$out")|$err" "0|2|" "of those beyond --count nothing is said"
is "$(hbatch jobs -n "${held%% *}" | wc -l)" 1 "an array by its id is"
# shellcheck disable=SC2086
hbatch cancel -q $held

# --- a million -------------------------------------------------------------------------------------------
gate=$(hbatch submit -n4 sleep inf)
hbatch wait-event "$gate" start >/dev/null
million=$(hbatch submit --cc=1-1000000 true | head -n 1)
capture hbatch jobs -n -c 0
is "$(wc -l <<<"$out")" 3 "a million elements are a line"
note "$ms ms"
[ "$ms" -lt 2000 ] && pass "... at once" || fail "... at once" "$ms ms"
like "$out" "$million"'_\[1-1000000\]' "... which tells their number"
hbatch cancel -q --all
instance_stop one
is "$rc" 0 "the instance ends well"
done_testing
