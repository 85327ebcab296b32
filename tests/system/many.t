#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Many sub-instances in a row: what their parent has of memory, descriptors, processes and files does not grow.
# HBATCH_TEST_MANY=N: so many of one node (60), and a twelfth of that of two; memory is looked at from 500 on.
. "${0%/*}/lib.sh"
need mpirun openmpi-bin pgrep procps
inside --test-nodes=2 --test-topology="core:4 pu:1"

many=${HBATCH_TEST_MANY:-60}
leader=$(hbatch getattr pid)
rundir=$(dirname "${HBATCH_URI#local://}")
ranks=("$leader" $(pgrep -P "$(ps -o ppid= "$leader" | xargs)" -x hbatch-instance | grep -vx "$leader"))
pids=()
for p in "${ranks[@]}"; do pids+=("$p" $(pgrep -P "$p" -x hbatch-exec)); done
is "${#pids[@]}" 4 "two ranks, two executors"

# traces: what a sub-instance could forget to take along
traces() {
    local p files=0 dir
    for p in "${pids[@]}"; do ls "/proc/$p/fd" | wc -l; done | xargs echo "descriptors:"
    for p in "${pids[@]}"; do pgrep -P "$p" | wc -l; done | xargs echo "children, zombies too:"
    echo "files: $(find "$rundir"* -mindepth 1 -not -name 'store.*' | wc -l)"
    echo "of this test below /tmp: $(find "${TMPDIR:-/tmp}" -maxdepth 1 -newer "$tmp/begin" -user "$(id -u)" -name 'hbatch-??????' | while read -r dir; do
        grep -lsq "$dir" "${pids[@]/#//proc/}" 2>/dev/null
    done | wc -l)"
}
