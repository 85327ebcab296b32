#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# An instance that is killed ends the waiting of everybody who waits for it, with exit code 1 and a reason.

. "${0%/*}/../system/lib.sh"
export HBATCH_F58_FORCE_ASCII=1
instance_start one --test-topology="core:2 pu:1" || exit 1
id=$(hbatch submit --flags=waitable sleep inf)
held=$(hbatch submit --urgency=hold true)
hbatch job wait-event -q "$id" start

leader=$(hbatch exec sh -c 'ps -o ppid= $PPID' | tr -d ' ')
like "$leader" '^[0-9]+$' "the instance's process"
before=$(find "/proc/$leader/fd" | wc -l)

waiting=()
from_now_on() { # COMMAND...: in the background
    local n=${#waiting[@]}
    waiting+=("$*")
    (
        timeout 100 "$@" >"w$n.out" 2>"w$n.err" </dev/null
        echo $? >"w$n.rc"
    ) &
    background+=("$!")
}

while read -r command; do
    # shellcheck disable=SC2086
    from_now_on hbatch ${command//ID/$id}
done <<'END'
attach ID
job attach --tail --show-status ID
job wait ID
job wait
job wait --all
job status ID
wait-event ID clean
job wait-event -t 90s ID finish
job eventlog -F ID
watch ID
watch --active --progress
queue drain
queue idle --timeout=90s
jobs -W --interval=0.1
jobs -W --stats-only --interval=0.1
dmesg -f
run sleep inf
run -n2 --wait-event=finish sleep inf
submit --wait sleep inf
submit --watch --cc=1-3 sleep inf
bulksubmit --wait sleep ::: 1000
batch --wait --wrap -n1 sleep inf
alloc -n1 sleep inf
exec sleep inf
archive extract --waitcreate -n nothing
END
from_now_on hbatch job hostpids "$held"

# Each has its connection.
all_there() { [ "$(find "/proc/$leader/fd" | wc -l)" -ge $((before + ${#waiting[@]})) ]; }
if wait_until 30 all_there; then pass "all are connected"; else fail "all are connected"; fi
wait_until 30 eval 'hbatch job stats | grep -q "\"pending\":[4-9]"' || note "$(hbatch job stats)"
kill -KILL "$leader"
done_all() { [ "$(cat w*.rc 2>/dev/null | wc -l)" -ge ${#waiting[@]} ]; }
if wait_until 60 done_all; then pass "nobody waits any more"; else fail "nobody waits any more"; fi
for n in "${!waiting[@]}"; do
    is "$(cat "w$n.rc" 2>&1)" 1 "${waiting[n]}: exit code"
    like "$(tail -1 "w$n.err")" "the connection to the instance .* is lost" "${waiting[n]}: it says why"
done
# shellcheck disable=SC2046
kill -KILL $(strays) 2>/dev/null # its initial program and its executor
done_testing
