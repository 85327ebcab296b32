#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Leases: executors have jobs ahead and start them by themselves; nobody must see more of that than that it is fast.
. "${0%/*}/lib.sh"
need python3 python3
unset HBATCH_URI HBATCH_JOB_ID
export HBATCH_F58_FORCE_ASCII=1
instance_start one --test-topology="core:4 pu:1" || exit 1

left() { hbatch jobs --stats-only | sed 's/.* \([0-9]*\) pending/\1/'; }
busy() { [ -n "$(ls el.* 2>/dev/null)" ]; }
clean() { find . -maxdepth 1 -name 'el.*' -delete; }
# burst N OPTION...: an array whose elements leave a mark each; sets $id
# shellcheck disable=SC2016
burst() {
    clean
    hbatch submit --cc="0-$(($1 - 1))" "${@:2}" sh -c 'echo x >>el.$HBATCH_JOB_CC' >burst.ids
    id=$(head -n 1 burst.ids)
}
marks() { find . -maxdepth 1 -name 'el.*' | wc -l; }
twice() { find . -maxdepth 1 -name 'el.*' -size +2c | wc -l; }
all_over() { [ "$(hbatch jobs -no '{id}' | wc -l)" = 0 ]; }

# --- order -------------------------------------------------------------------------------------------
# shellcheck disable=SC2016
ok "an array on all cores, one element after the other" \
    hbatch submit --cc=0-299 -n4 --quiet --wait sh -c '[ $HBATCH_TASK_RANK != 0 ] || echo $HBATCH_JOB_CC >>order'
is "$(tr '\n' ' ' <order)" "$(seq 0 299 | tr '\n' ' ')" "they run in order"
is "$(hbatch jobs -a -no '{result}' -c 300 | sort | uniq -c | xargs)" "300 COMPLETED" "and all are recorded"
seq 300 >inputs
# shellcheck disable=SC2016
ok "separate jobs" hbatch bulksubmit -n4 --quiet --wait sh -c '[ $HBATCH_TASK_RANK != 0 ] || echo {} >>order3' :::: inputs
is "$(tr '\n' ' ' <order3)" "$(seq 300 | tr '\n' ' ')" "they run in order, too"

# What each of them says and how it ends is its own.
# shellcheck disable=SC2016
hbatch submit --cc=1-200 sh -c 'echo element $HBATCH_JOB_CC; exit $((HBATCH_JOB_CC % 3))' >ids
hbatch job wait "$(tail -n 1 ids)" 2>/dev/null
wait_until 60 all_over
is "$(hbatch output "$(sed -n 77p ids)")" "element 77" "output is that of the element"
is "$(hbatch jobs -ano '{returncode}' -c 200 | sort | uniq -c | xargs)" "66 0 67 1 67 2" "and so are the exit codes"
is "$(hbatch job eventlog "$(sed -n 100p ids)" | awk '{print $2}' | xargs)" \
    "submit depend priority alloc start finish release free clean" "and the events"

# --- others go first, and changes of mind ----------------------------------------------------------------
burst 30000 -n1 -c4
wait_until 60 busy
ok "an urgent job in the middle of a burst" hbatch run -n4 --urgency=20 true
isnt "$(left)" 0 "does not wait for the burst"
is "$(twice)" 0 "no element runs twice when its lease is recalled"
last=$(hbatch jobs -no '{id}' -c 1)
ok "a job that waits is canceled" hbatch cancel "$last"
ok "... and over" timeout 60 hbatch job wait-event "$last" clean
ok "the burst is canceled" hbatch cancel --all
ok "all is over" wait_until 60 all_over
n=$(marks)
is "$(hbatch jobs --stats-only | sed 's/.* \([0-9]*\) pending/\1/')" 0 "nothing is pending"
ok "a job runs" hbatch run -n4 true
is "$(marks)" "$n" "no canceled element runs"

burst 20000
wait_until 60 busy
ok "drain" hbatch resource drain 0 for a while
idle() { [ -z "$(hbatch jobs -no '{id}' -f running)" ]; }
ok "the node gets idle" wait_until 60 idle
n=$(marks)
isnt "$(left)" 0 "elements wait"
is "$(hbatch jobs -no '{id}' -f running)" "" "and none begins"
is "$(marks)" "$n" "... indeed"
ok "undrain" hbatch resource undrain 0
more() { [ "$(marks)" -gt "$n" ]; }
ok "they go on" wait_until 60 more
hbatch cancel --all 2>/dev/null
wait_until 60 all_over

# --- the executor is lost ------------------------------------------------------------------------------------
burst 3000
wait_until 60 busy
pkill_exec() { kill -9 "$(pgrep -P "$(hbatch getattr pid)" -f hbatch-exec)"; }
ok "the executor is killed" pkill_exec
ok "the burst goes on with the next one" wait_until 120 all_over
is "$(marks)" 3000 "all elements have run"
is "$(hbatch jobs -ano '{result}' -c 3000 -f "completed,failed" | sort | uniq -c | xargs)" "3000 COMPLETED" "and are completed"
n=$(twice)
# those whose ends it had not told: of 20 ms, or more on a busy machine
[ "$n" -le 300 ] && pass "few of them twice" || fail "few of them twice" "$n"
requeued() { hbatch job eventlog "$(sed -n "$(($1 + 1))p" burst.ids)" | grep -q requeue; }
untold=$(find . -maxdepth 1 -name 'el.*' -size +2c | while read -r file; do
    requeued "${file#./el.}" || echo "$file"
done)
is "$untold" "" "... with an event that tells of the first time"

# --- a job that stays is told to have begun, however short those before it were ---------------------------------
export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$srcdir/tests/system
cat >stay.py <<'END'
import os, raw
def submit(*command):
    c = raw.Client(timeout=10)
    return c, c.call("job.submit", jobspec=raw.jobspec(*command), follow="attach")
os.mkfifo("stay")
for _ in range(20):
    for _ in range(50):
        submit("true")[0].close()
    c, n = submit("sh", "-c", "read x <stay")
    c.until("job.event", lambda p: p["event"]["name"] == "start")
    with open("stay", "w") as f:
        f.write("go\n")
END
capture python3 stay.py
is "$rc" 0 "the start of a job is told while it runs"

# --- who asks is told what is so now: of the task that asks, and of the one before it --------------------------
# the first one's id is that of the array
# shellcheck disable=SC2016
asking='for id in $HBATCH_JOB_ID $(cat before 2>/dev/null); do hbatch jobs -no "{state}" $id; done; echo $HBATCH_JOB_ID >before'
# shellcheck disable=SC2016
capture hbatch submit --quiet --watch --cc=0-99 -n4 sh -c "[ \$HBATCH_TASK_RANK != 0 ] || [ \$HBATCH_JOB_CC = 0 ] || { $asking; }"
is "$(sort <<<"$out" | uniq -c | xargs)" "98 INACTIVE 99 RUN" "a task that follows another one finds itself running, and that one over"

# --- a time limit is each one's own ------------------------------------------------------------------------------
# shellcheck disable=SC2016
capture timeout 60 hbatch submit --quiet --wait --cc=0-249 -n4 -t 0.8s sh -c \
    'case $HBATCH_JOB_CC in 120) exec sleep 60;; *) [ $HBATCH_TASK_RANK != 0 ] || sleep 0.01;; esac'
is "$(hbatch jobs -ano '{result}' -c 250 | sort | uniq -c | xargs)" "249 COMPLETED 1 TIMEOUT" \
    "elements that follow each other for longer than their limit have it each from its own begin on"
is "$(hbatch jobs -ano '{cc} {runtime:.1f}' -f timeout | sed 's/0\.[89]/0.8/')" "120 0.8" "... and one that takes longer meets it"
instance_stop one 2>/dev/null

# --- several nodes: long and short tasks ---------------------------------------------------------------------
instance_start two --test-nodes=2 --test-topology="core:2 pu:1" || exit 1
clean
mkfifo gate
# three of four cores get stuck, wherever they are
# shellcheck disable=SC2016
hbatch submit --quiet --cc=0-399 sh -c 'case $HBATCH_JOB_CC in 30|31|90) read x <gate;; esac; echo x >>el.$HBATCH_JOB_CC'
rest() { [ "$(marks)" = 397 ]; }
ok "the others need not wait for three that take long" wait_until 60 rest
is "$(hbatch jobs -no '{id}' | wc -l)" 3 "these still run"
is "$(left)" 0 "and nobody waits"
exec {gate}<>gate # three writers, one after the other, could end all readers with the first one
printf '\n\n\n' >&"$gate"
ok "all end" wait_until 60 all_over
is "$(marks) $(twice)" "400 0" "each has run once"
# shellcheck disable=SC2016
capture hbatch submit --quiet --watch --cc=0-199 sh -c '[ $HBATCH_JOB_CC = 0 ] || hbatch jobs -no "{state}" $HBATCH_JOB_ID'
is "$(sort <<<"$out" | uniq -c | xargs)" "199 RUN" "tasks of each node find themselves running"
instance_stop two 2>/dev/null

# --- the leader is lost in the middle of a burst --------------------------------------------------------------
case $(hbatch start --dry-run --test-nodes=2 true 2>/dev/null) in
*enable-recovery*) ;;
*) skip "the leader is killed" "hbatch was built for an MPI whose launcher ends all ranks with one"
    done_testing ;;
esac
instance_start three --test-nodes=3 --test-topology="core:4 pu:1" || exit 1
rundir=$(dirname "${HBATCH_URI#local://}")
leader=$(pgrep -f "^[^ ]*hbatch-instance .*--rundir=$rundir" | head -n 1)
burst 4000
some() { [ "$(marks)" -gt 200 ]; }
wait_until 60 some
kill -9 "$leader"
through() { hbatch jobs --stats-only 2>/dev/null | grep -q '^0 running, .* 0 pending'; }
ok "a burst gets through the loss of the leader" wait_until 120 through || note "$(cat "$tmp/three.err")"
is "$(marks) $(twice)" "4000 0" "each element has run once"
is "$(hbatch jobs --stats-only)" "0 running, 4000 completed, 0 failed, 0 pending" "and is completed"
instance_stop three 2>/dev/null
done_testing
