#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What happens to a sub-instance when a grant is canceled while its ranks join, and signals after it
# has grown.
. "${0%/*}/../system/lib.sh"
need mpirun openmpi-bin pgrep procps
inside --test-nodes=4 --test-topology="core:2 pu:1"

event() { timeout 20 hbatch job wait-event -q "$@"; }
inner() { HBATCH_URI=$uri timeout 20 hbatch "$@"; }
over() { timeout 20 hbatch job wait "$1" >/dev/null 2>&1; [ $? -le 1 ]; }
id=$(hbatch alloc --bg --exclusive -N2 2>/dev/null)
event "$id" memo
uri=$(hbatch jobs --json "$id" | grep -o '"uri": *"[^"]*"' | head -1 | cut -d'"' -f4)

# --- a grant that is canceled while its rank joins, at whatever point of that ------------------------
for delay in 0 0.01 0.02 0.03 0.04 0.05 0.06 0.08; do
    grant=$(hbatch resource grow --bg "$id" -N1)
    event "$grant" start
    sleep $delay
    hbatch cancel "$grant"
    ok "canceled $delay s after its start, a grant ends" over "$grant"
    is "$(inner run -N2 echo here 2>&1 | xargs)" "here here" "the instance goes on"
done
is "$(hbatch resource list -s free -no '{nnodes}')" 2 "the nodes are free"
is "$(inner resource list -s drained -no '{nnodes}')" 0 "nothing is left of them"
capture timeout 30 hbatch resource grow -q "$id" -N2
is "$rc" 0 "it can grow as before"
is "$(inner run -N4 echo here 2>&1 | xargs)" "here here here here" "to all nodes"

# --- a warning is one after a turn, too ----------------------------------------------------------------
hbatch job kill -s ALRM "$id"
is "$(inner run -N4 echo here 2>&1 | xargs)" "here here here here" "SIGALRM ends no rank of an instance that has grown"
inner shutdown
ok "it ends" over "$id"
done_testing
