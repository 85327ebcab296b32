#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Placement: on which nodes jobs go, by the way of the instance and by their own.
. "${0%/*}/../system/lib.sh"
need mpirun openmpi-bin

ranks() { hbatch jobs -ano '{ranks}' "$1"; }
started() { timeout 20 hbatch job wait-event -q "$1" start; }
on() { # OPTIONS: start a job that stays, and tell its ranks
    local id
    id=$(hbatch submit --env=-* "$@" sleep 300) && started "$id" && ranks "$id"
}
over() { # end all that stay
    local ids
    mapfile -t ids < <(hbatch jobs -no '{id}')
    hbatch cancel "${ids[@]}"
    for id in "${ids[@]}"; do timeout 30 hbatch job wait-event -q "$id" clean; done
}

instance_start packed --test-nodes=6 --test-topology="core:4 pu:1" --placement=best
is "$(hbatch getattr policy)" "fcfs,placement=best" "hbatch getattr policy"
is "$(on -n 3)" 0 "best: the first of equal nodes"
is "$(on -n 2)" 1 "... the first that has room"
is "$(on -n 2)" 1 "... the one where least is left"
is "$(on -n 1 --placement=spread)" 2 "a job's own way: spread"
is "$(on -N 2 -n 8)" 3-4 "adjacent nodes"
is "$(on -N 2 -n 2)" 0,2 "nodes that are in use are taken before others"
is "$(on -n 1 --placement=first)" 2 "a job's own way: first"
over
capture hbatch run --placement=worst true
is "$rc" 1 "no such placement: exit code"
like "$err" "no placement 'worst'; there are first, best, spread" "... and which there are"

instance_stop packed
instance_start spread --test-nodes=3 --test-topology="core:4 pu:1" --policy=easy,placement=spread
is "$(on -n 1)" 0 "spread: the first of equal nodes"
is "$(on -n 1)" 1 "... then the next"
is "$(on -n 4)" 0-2 "... and the tasks of one job likewise"
over
instance_stop spread
unset HBATCH_URI

capture hbatch start --placement=worst true
like "$err" "no placement 'worst'" "hbatch start --placement: one that is none"
done_testing
