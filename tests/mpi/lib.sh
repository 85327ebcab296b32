# SPDX-License-Identifier: BSD-3-Clause
# Helpers of the MPI tests, on top of tests/system/lib.sh.
#
#   mpi_need FLAVOUR            skip_all unless programs can be built with openmpi or mpich
#   program FLAVOUR NAME        compile tests/mpi/NAME.c, once per build tree; sets $program
#   sorted TEXT                 its lines, sorted
#   count TEXT REGEX            how many of its lines match (grep -E)

. "$(dirname "${BASH_SOURCE[0]}")/../system/lib.sh"

mpi_need() {
    case $1 in
    openmpi) need mpicc.openmpi libopenmpi-dev ;;
    mpich) need mpicc.mpich libmpich-dev ;;
    esac
}

program() {
    local flavour=$1 name=$2 source=$srcdir/tests/mpi/$2.c dir=$builddir/tests/mpi/$1
    program=$dir/$name
    [ -x "$program" ] && [ "$program" -nt "$source" ] && return
    mkdir -p "$dir"
    # several tests may do so at once
    if ! "mpicc.$flavour" -D_GNU_SOURCE -g -O1 -Wall -o "$program.$$" "$source" 2>"$tmp/.cc"; then
        note "mpicc.$flavour $source: $(cat "$tmp/.cc")"
        fail "$name.c compiles with $flavour"
        return 1
    fi
    mv "$program.$$" "$program"
}

sorted() { sort <<<"$1"; }
count() { grep -cE -- "$2" <<<"$1"; }

# The checks that hold for every MPI; with $1: openmpi or mpich.
common_checks() {
    local mpi=$1 hello ring allreduce abort early way code wanted n
    program "$mpi" hello && hello=$program
    program "$mpi" ring && ring=$program
    program "$mpi" allreduce && allreduce=$program
    program "$mpi" abort && abort=$program
    program "$mpi" early && early=$program

    for n in 1 2 8; do
        ok "hello, $n ranks" hbatch run -n "$n" "$hello"
        is "$(count "$out" "^rank [0-9]+ of $n host ")" "$n" "one line from each of $n ranks"
        is "$(sed 's/^rank \([0-9]*\) .*/\1/' <<<"$out" | sort -n | tr '\n' ' ')" \
            "$(seq 0 $((n - 1)) | tr '\n' ' ')" "the ranks are 0 to $((n - 1))"
    done
    ok "hello, labelled" hbatch run -l -n 3 "$hello" 20
    is "$(count "$out" '^2: rank 2 of 3 ')" 20 "labels tell whose line it is, lines are whole"

    for n in 1 2 5; do
        ok "ring, $n ranks" hbatch run -n "$n" "$ring"
        is "$out" "ring of $n ranks: 5 laps" "the ring of $n is closed"
        ok "allreduce, $n ranks" hbatch run -n "$n" "$allreduce"
        is "$out" "allreduce over $n ranks: sum $((n * (n - 1) / 2)), nodes 1" "its results"
    done

    nok "MPI_Abort ends the job" hbatch run -n 3 "$abort" 37
    is "$rc" 37 "its exit code is the one given to MPI_Abort"
    like "$err" "task 2 called MPI_Abort with code 37"$'\n' "it is said that the job was aborted"
    unlike "$err" "N/A|hbatch: PMI" "... and nothing else by hbatch"
    nok "MPI_Abort of rank 0" hbatch run -n 2 "$abort" 5 0
    is "$rc" 5 "its exit code"

    # way, code, what the job's exit code must be
    while read -r way code wanted; do
        nok "the last rank leaves by $way $code" hbatch run -n 3 -o exit-timeout=0.5s "$early" "$way" "$code"
        # MPICH tells its other ranks in MPI_Init of the dead one, and those abort
        [ "$way $mpi" != "noinit mpich" ] || continue
        is "$rc" "$wanted" "$way $code: exit code $wanted"
        like "$err" "task 2 on host " "$way $code: it is said which task it was"
    done <<END
noinit 3 3
exit 4 4
_exit 7 7
signal 9 137
signal 11 139
END
    nok "all ranks leave without MPI_Finalize" hbatch run -n 2 "$early" all 6
    ok "the instance goes on after all that" hbatch run -n 2 "$hello"

    local id attach
    id=$(hbatch submit -n 2 "$early" sleep 0)
    hbatch job attach "$id" >"$tmp/attached" 2>&1 </dev/null &
    attach=$!
    background+=("$attach")
    ok "a job that waits in MPI can be watched" wait_until 20 grep -q waiting "$tmp/attached"
    ok "it is canceled" hbatch cancel "$id"
    ok "who watches it is told" wait_until 20 gone "$attach"
    within 30 hbatch job wait "$id"
    isnt "$rc" 124 "it ends"
    ok "and leaves no process behind" wait_until 10 no_strays "^$early sleep "

    is "$(hbatch jobs -no '{id}' | wc -l)" 0 "no job is left"
    local rate_start=${EPOCHREALTIME/./}
    for n in 1 2 3 4 5; do hbatch run -n 2 "$hello" >/dev/null || fail "run $n of 5 in a row"; done
    note "$mpi: hbatch run -n 2 hello took $(((${EPOCHREALTIME/./} - rate_start) / 5000)) ms"
}

gone() { ! kill -0 "$1" 2>/dev/null; }
no_job_is_left() { [ -z "$(hbatch jobs -no '{id}')" ]; }
