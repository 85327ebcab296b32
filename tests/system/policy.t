#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Scheduling policies: which there are, what they let overtake, and what hbatch jobs says of who waits.
. "${0%/*}/../system/lib.sh"
need python3 python3

state() { hbatch jobs -ano '{state}' "$1"; }
reason() { hbatch jobs -ano '{reason}' "$1"; }
event() { timeout 20 hbatch job wait-event -q "$1" "$2"; }
inside --test-topology="core:4 pu:1" --policy=easy

# Of 4 cores, 3 are in use for 300 s; a job of all 4 waits for them.
mkfifo gate
runs=$(hbatch submit -n 3 -t 300s sh -c "[ \$HBATCH_TASK_RANK = 0 ] && read x <$tmp/gate; true")
event "$runs" start
wide=$(hbatch submit -n 4 true)
long=$(hbatch submit -n 1 -t 400s true)
unlimited=$(hbatch submit -n 1 true)
short=$(hbatch submit -n 1 -t 100s true)
event "$short" clean
is "$(hbatch job wait "$short"; echo $?)" 0 "a short job overtakes the first one"
is "$(state "$long") $(state "$unlimited")" "SCHED SCHED" "a long one, and one without a limit, do not"
like "$(reason "$wide")" "^resources: earliest start 20..-..-.. ..:..:..$" "hbatch jobs: when the first starts"
is "$(reason "$long")" "priority" "... and that others wait for it"
begin=$(date -d "$(reason "$wide" | sed 's/.*start //')" +%s)
ok "... which is when the limit of what runs is reached" test $((begin - $(date +%s))) -gt 200 -a $((begin - $(date +%s))) -le 300
echo go >gate
ok "all end" timeout 60 hbatch job wait "$runs" "$wide" "$long" "$unlimited"

# A policy and its settings.
capture hbatch start --policy=best true
is "$rc" 1 "no such policy: exit code"
like "$err" "no scheduling policy 'best'; there are fcfs, easy" "... and which there are"
capture hbatch start --policy=easy --queue-depth=-1 true
like "$err" "depth=-1: must be the number of waiting jobs" "a depth that is none"
capture hbatch start --policy=easy,speed=3 true
like "$err" "'speed' is no setting of it" "a setting that is none"
is "$(hbatch start --policy=easy --queue-depth=3 hbatch getattr policy)" "easy,depth=3" "hbatch getattr policy"

done_testing
