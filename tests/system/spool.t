#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# --output-limit: captured output of jobs that are over goes, the oldest first.
. "${0%/*}/lib.sh"
unset HBATCH_URI HBATCH_JOB_ID
export HBATCH_F58_FORCE_ASCII=1

instance_start one --test-topology="core:4 pu:1" --output-limit=1M || exit 1
rundir=$(dirname "${HBATCH_URI#local://}")
early=$(hbatch submit sh -c 'echo early; until [ -e over ]; do sleep 0.05; done; echo late')
hbatch wait-event "$early" start >/dev/null
wait_until 20 eval '[ "$(hbatch output "$early")" = early ]'
# shellcheck disable=SC2016
hbatch bulksubmit --wait sh -c 'head -c 100000 /dev/zero | tr "\0" {}; echo; echo {} >&2' ::: $(printf '%s ' {a..z}) >ids
first=$(head -n 1 ids)
# what has just ended is over for the executor when the leader has it in the store: a little later
for i in 1 2 3 4 5; do
    hbatch run sh -c 'head -c 100000 /dev/zero' >/dev/null
done
is "$(hbatch output last | wc -c)" 100000 "the newest output is there"
capture hbatch output "$first"
is "$rc|${out:0:10}" "1|" "the oldest is not"
like "$err" "bytes of its output are gone: .*no longer kept \(--output-limit\)" "... which is told"
is "$(hbatch output "$early")" early "output of a job that runs is kept"
touch over
hbatch job wait "$early"
is "$(hbatch output "$early" | xargs)" "early late" "... to its end"
truncate -s 1M holes && fallocate -p -o 0 -l 1M holes 2>/dev/null
if [ $? = 0 ]; then
    size=$(du -k "$rundir/output-0.spool" | cut -f1)
    note "$size KiB"
    [ "$size" -le 1400 ] && pass "the file takes no more room" || fail "the file takes no more room" "$size KiB"
else
    skip "the file takes no more room" "this file system makes no holes"
fi
instance_stop one
is "$rc" 0 "the instance ends well"

for bad in 0 x -1 "" 1K; do
    nok "--output-limit='$bad'" hbatch start --output-limit="$bad" true
    like "$err" "--output-limit=$bad: must be an amount of at least 1M" "... is refused"
done
is "$(hbatch start --test-topology="core:1 pu:1" hbatch alloc --conf=output-limit=2M hbatch getattr level)" 1 "a sub-instance has its own"
done_testing
