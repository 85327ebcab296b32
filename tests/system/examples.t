#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The programs and workflows of examples/ do what its README says.
. "${0%/*}/../system/lib.sh"
inside --test-topology="core:4 pu:1"
examples=$srcdir/examples

ok "array.sh" "$examples/array.sh" 20
is "$out" "try 1: failed: 3,10,17
2262 prime numbers up to 20000
0 running, 20 completed, 3 failed, 0 pending" "its failed jobs ran again, and its results are right"

if [ -x "$builddir/examples/submit" ]; then
    capture "$builddir/examples/submit" 2 sh -c 'echo "task $HBATCH_TASK_RANK"; exit 5'
    is $rc 5 "submit: exit code of the job"
    is "$(sort <<<"$out")" "[0] task 0
[1] task 1
job ended: FAILED" "submit: output"
    capture "$builddir/examples/submit" 99 true
    like "$err" "this instance has 4 cores; 99 were asked for" "submit: what can never run"
else
    fail "submit" "$builddir/examples/submit was not built"
fi

if command -v python3 >/dev/null; then
    capture "$examples/watch.py" sh -c 'echo hello; exit 3'
    is $rc 3 "watch.py: exit code of the job"
    like "$out" "event  submit.*event  start.*output \"hello.*end    FAILED" "watch.py: what it prints"
else
    skip "watch.py" "python3 is not here"
fi

ok "posts" "$builddir/examples/posts" 1000 true
is "$out" "1000 of 1000 jobs have completed" "posts: what it counts"
capture "$builddir/examples/posts" 3 false
is "$rc $out" "1 0 of 3 jobs have completed" "posts: jobs that fail"

if command -v python3 >/dev/null; then # with the output that their README shows
    told() { sed -n "/hbatch python examples\/$1/,/^\$/{ /^\$/d; /\\$ hbatch/d; s/^ *//p }" "$examples/README"; }
    for example in "futures.py 20" "loop.py 4"; do
        # shellcheck disable=SC2086
        ok "$example" hbatch python "$examples"/$example
        is "$out" "$(told "${example% *}")" "$example: what it prints"
    done
else
    skip "Python" "python3 is not here"
fi

for mpi in openmpi mpich; do
    if ! command -v mpicc.$mpi >/dev/null; then
        skip "MPI programs, $mpi" "mpicc.$mpi is not here"
        continue
    fi
    ok "$mpi: compile pi.c" mpicc.$mpi -O1 -Wall -Werror -o pi.$mpi "$examples/pi.c"
    capture hbatch run -n 3 ./pi.$mpi
    is "$out" "pi is about 3.141593 (3 ranks)" "$mpi: pi"
done
if command -v mpicc.openmpi >/dev/null; then # MPICH 4.0's spawn fails before it asks anybody
    ok "compile manager.c" mpicc.openmpi -O1 -Wall -Werror -o manager "$examples/manager.c"
    capture hbatch run -n 1 ./manager 3
    is "$out" "the sum of the first 3 squares is 14" "MPI_Comm_spawn: 3 workers"
    is "$(hbatch jobs -a -f completed --name=manager -no '{ntasks}')" "3
1" "the workers were a job of their own"
    capture hbatch run -n 1 ./manager 4
    isnt $rc 0 "more workers than the cores beside the manager are refused"
fi
done_testing
