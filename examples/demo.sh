#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A queue of real work, run inside an instance:
#
#     hbatch start examples/demo.sh
#     hbatch start --test-nodes=4 --test-topology="core:4 pu:1" examples/demo.sh
#
# Plain programs, an Open MPI program, an MPICH program and one that calls MPI_Comm_spawn; at
# the end a table of what ran where and how fast.
set -u
export LC_ALL=C
here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
if [ -z "${HBATCH_URI:-}" ]; then
    echo "demo.sh: this runs inside an instance: hbatch start $0" >&2
    exit 2
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/hbatch-demo.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failed=0

step() { printf '\n--- %s\n' "$*"; }

must() { # COMMAND...: show it as one would type it, run it
    local word shown=
    for word in "${@//$work\//}"; do
        [[ $word != *[^[:alnum:]_./=:,@%+-]* ]] || word="'$word'"
        shown+=" $word"
    done
    printf '$%s\n' "$shown"
    "$@" </dev/null || {
        echo "demo.sh: this failed, with exit code $?" >&2
        failed=1
    }
}

compile() { # WRAPPER SOURCE PROGRAM
    command -v "$1" >/dev/null || return 1
    "$1" -D_GNU_SOURCE -O1 -o "$work/$3" "$here/../tests/mpi/$2"
}

read -r nodes cores <<<"$(hbatch resource list -s all -no '{nnodes} {ncores}' |
    awk '{n += $1; c += $2} END {print n, c}')"
step "the resources of this instance: $nodes node(s), $cores cores"
must hbatch resource list

step "plain programs"
must hbatch run --job-name=plain echo "hello from a job"
must hbatch submit --cc=1-200 --job-name=burst --wait --quiet true
must hbatch run -n "$cores" -l --job-name=everywhere sh -c 'echo "task $HBATCH_TASK_RANK of $HBATCH_JOB_SIZE on node $HBATCH_NODE_ID"'

if compile mpicc.openmpi hello.c hello_openmpi; then
    step "an Open MPI program"
    must hbatch run -n "$cores" "$work/hello_openmpi"
    for ((i = 1; i < 5; i++)); do hbatch run -n 2 "$work/hello_openmpi" >/dev/null || failed=1; done
    [ "$nodes" -lt 2 ] || must hbatch run -N "$nodes" -n "$nodes" --job-name=openmpi_nodes "$work/hello_openmpi"
fi
if compile mpicc.mpich hello.c hello_mpich; then
    step "an MPICH program"
    must hbatch run -n "$cores" "$work/hello_mpich"
    for ((i = 1; i < 5; i++)); do hbatch run -n 2 "$work/hello_mpich" >/dev/null || failed=1; done
    [ "$nodes" -lt 2 ] || must hbatch run -N "$nodes" -n "$nodes" --job-name=mpich_nodes "$work/hello_mpich"
fi
if [ "$cores" -ge 2 ] && compile mpicc.openmpi spawn.c spawner; then
    step "an MPI program that calls MPI_Comm_spawn: its children are jobs of their own"
    must hbatch run -n 1 "$work/spawner" $((cores > 2 ? 2 : 1))
fi

step "a queue: more work than cores, in the order of its urgency"
for i in 1 2 3 4 5 6; do
    hbatch submit --quiet --job-name=queued --urgency=$((10 + i)) -n "$cores" -o pmi=none sleep 0.2
done
must hbatch jobs
for id in $(hbatch jobs -no '{id}'); do hbatch job wait "$id" >/dev/null || failed=1; done

step "what ran where, and how fast"
hbatch jobs -a -c 0 -no '{name} {ntasks} {nnodes} {ranks} {t_submit} {t_run} {t_inactive} {result}' | awk '
{
    if (!($1 in jobs)) order[++n] = $1
    jobs[$1]++
    if ($2 > tasks[$1]) tasks[$1] = $2
    if ($3 > nodes[$1]) nodes[$1] = $3
    if (!seen[$1 " " $4]++) where[$1] = where[$1] == "" ? $4 : where[$1] " " $4
    if (first[$1] == 0 || $5 < first[$1]) first[$1] = $5
    if ($7 > last[$1]) last[$1] = $7
    run = ($7 - $6) * 1000
    if (!($1 in least) || run < least[$1]) least[$1] = run
    if (run > most[$1]) most[$1] = run
    if ($8 == "COMPLETED") good[$1]++
}
END {
    printf "%-16s %5s %6s %6s  %-12s %9s %9s %8s  %s\n", "PROGRAM", "JOBS", "TASKS", "NODES",
        "ON NODES", "LEAST ms", "MOST ms", "JOBS/s", "COMPLETED"
    for (i = n; i > 0; i--) {
        p = order[i]
        time = last[p] - first[p]
        on = (length(where[p]) > 12 ? substr(where[p], 1, 10) ".." : where[p])
        printf "%-16s %5d %6d %6d  %-12s %9.1f %9.1f %8.1f  %d of %d\n", p, jobs[p], tasks[p],
            nodes[p], on, least[p], most[p], (time > 0 ? jobs[p] / time : 0), good[p], jobs[p]
    }
}'
exit $failed
