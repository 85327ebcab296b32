#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two MPI jobs at once, bound to disjoint cores of this machine.
. "${0%/*}/lib.sh"
mpi_need openmpi
[ "$(nproc)" -ge 2 ] || skip_all "two jobs at once need two cores; this machine has one"
inside
n=1
[ "$(nproc)" -lt 4 ] || n=2

# The processors of a job's ranks, one number a line.
cpus() { grep -oE 'cpu [0-9]+' "$1" | cut -d' ' -f2 | sort -n; }

both_at_once() { # FLAVOUR1 FLAVOUR2
    local name="$1 and $2" one two dir=$tmp/$1-$2
    mkdir "$dir"
    program "$1" nap && one=$program
    program "$2" nap && two=$program
    timeout 60 hbatch run -n $n "$one" "$dir" 2 >"$tmp/one" 2>"$tmp/one.err" &
    local first=$!
    timeout 60 hbatch run -n $n "$two" "$dir" 2 >"$tmp/two" 2>"$tmp/two.err"
    is $? 0 "$name: the second job met the first"
    wait $first
    is $? 0 "$name: the first job met the second"
    isnt "$(cpus "$tmp/one")" "" "$name: the first job has processors"
    isnt "$(cpus "$tmp/two")" "" "$name: the second job has processors"
    is "$(comm -12 <(cpus "$tmp/one" | sort -u) <(cpus "$tmp/two" | sort -u))" "" \
        "$name: they share none"
    note "first: $(cpus "$tmp/one" | tr '\n' ' ') second: $(cpus "$tmp/two" | tr '\n' ' ')"
}

both_at_once openmpi openmpi
if command -v mpicc.mpich >/dev/null; then
    both_at_once mpich mpich
    both_at_once openmpi mpich
else
    skip "two MPICH jobs" "mpicc.mpich is not here: install the Debian package libmpich-dev"
fi

program openmpi hello
cores=$(hbatch resource list -no '{ncores}' 2>/dev/null | sort -n | tail -n 1)
ok "a job of one task per core" hbatch run -n "${cores:-2}" -o cpu-affinity=per-task "$program"
is "$(grep -oE 'cpus [-0-9,]+' <<<"$out" | sort -u | wc -l)" "${cores:-2}" \
    "per-task: each task has processors of its own"
ok "unbound" hbatch run -n 1 -o cpu-affinity=off "$program"
like "$out" "cpus $(grep Cpus_allowed_list /proc/self/status | tr -d ' \t' | cut -d: -f2)" \
    "off: a task may run on all processors of the machine"
done_testing
