#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Many sub-instances in a row: what their parent has of memory, descriptors, processes and files does not grow.
# HBATCH_TEST_MANY=N: so many of one node (60), and a twelfth of that of two.
. "${0%/*}/lib.sh"
need mpirun openmpi-bin pgrep procps
export TMPDIR=$tmp # all that is made for a while
instance_start main --test-nodes=2 --test-topology="core:4 pu:1"

many=${HBATCH_TEST_MANY:-60}
leader=$(hbatch getattr pid)
pids=()
for p in "$leader" $(pgrep -P "$(ps -o ppid= "$leader" | xargs)" -x hbatch-instance | grep -vx "$leader"); do
    pids+=("$p" "$(pgrep -P "$p" -x hbatch-exec)")
done
is "${#pids[@]} $(ps -o comm= -p "$(xargs <<<"${pids[*]}" | tr ' ' ,)" | sort | uniq -c | xargs)" "4 2 hbatch-exec 2 hbatch-instance" "two ranks, two executors"

# What a sub-instance could forget to take along.
traces() {
    local p
    for p in "${pids[@]}"; do find "/proc/$p/fd" -mindepth 1 | wc -l; done | xargs echo "descriptors:"
    for p in "${pids[@]}"; do pgrep -P "$p" | wc -l; done | xargs echo "children:"
    echo "files: $(find "$tmp" -path '*/jobtmp-*/*/*' | wc -l)" # of jobs; empty directories are for the next one
    echo "processes: $(strays | xargs -r ps -o comm= -p | sort | grep hbatch | uniq -c | xargs)"
}
memory() { for p in "${pids[@]}"; do awk '/^VmRSS/ { print $2 }' "/proc/$p/status"; done | xargs; }
one() { hbatch alloc -n1 true 2>&1; }
two() { hbatch alloc -N2 true 2>&1; }
in_a_row() { # N COMMAND
    local i
    for i in $(seq "$1"); do "$2" || return; done
}
settled() { [ "$(traces)" = "$before" ]; }
# leaves_nothing N COMMAND NAME KB: of each sub-instance in each process at most, where they are many
leaves_nothing() {
    local old new i
    in_a_row $(($1 / 10 + 2)) "$2" >/dev/null
    hbatch run -N2 true
    sleep 1.2 # after a second without work an executor starts what it will need (PMIx)
    before=$(traces)
    old=($(memory))
    ok "$1 of $3 in a row" in_a_row "$1" "$2"
    wait_until 10 settled
    is "$(traces)" "$before" "... leave no descriptor, process, zombie or file"
    new=($(memory))
    note "VmRSS of ranks and executors: ${old[*]} KB, then ${new[*]} KB"
    if grep -qs __asan_init "$builddir/bin/hbatch-instance"; then
        skip "... and little memory" "a sanitizer keeps what was freed"
        return
    fi
    for i in 0 1 2 3; do
        [ $((new[i] - old[i])) -le $((1000 + $1 * $4)) ]
        is $? 0 "... and little memory: of process $i $(((new[i] - old[i]) * 1000 / $1)) B for each"
    done
}
HBATCH_TEST_LIMIT=600
leaves_nothing "$many" one "one node" 3
leaves_nothing "$((many / 12))" two "two nodes" 9

# --- canceled at once -----------------------------------------------------------------------------------------
before=$(traces)
slowest=0
for i in $(seq 12); do
    capture hbatch alloc --bg -N2
    id=$out
    capture sh -c "hbatch cancel $id && hbatch job wait-event -q -t 20 $id clean"
    [ "$ms" -le "$slowest" ] || slowest=$ms
done
[ "$slowest" -lt 4000 ]
is $? 0 "12 of two nodes, canceled as soon as they are there: each is over before it has to be killed ($slowest ms)"
wait_until 10 settled
is "$(traces)" "$before" "... leave nothing either"
instance_stop main
is "$(find "$tmp" -name "hbatch-??????")" "" "afterwards nothing is left of all"
done_testing
