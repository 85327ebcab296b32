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

is "$(on -N 2 -n 8)|$(on -N 2 -n 2)" "0-1|2-3" "two jobs"
is "$(on -N 1 -n 4)" 4 "one between"
is "$(on --contiguous -n 2)" 2 "--contiguous: a node that has room"
ids=$(hbatch jobs -no '{id} {ranks}' | awk '$2 == "2-3" {print $1}')
id=$(hbatch submit --contiguous -N 3 -n 12 sleep 300)
is "$(hbatch jobs -no '{state}' "$id")" SCHED "... for three nodes in a row it waits"
hbatch cancel "$ids" && timeout 20 hbatch job wait-event -q "$ids" clean
is "$(hbatch jobs -no '{state}' "$id")" SCHED "... while there are three that are not in a row"
over
is "$(on --contiguous -N 3 -n 12)" 0-2 "... until there are"
over
capture hbatch run --contiguous -N 7 true
like "$err" "this instance has 6 nodes; 7 were asked for" "more than there are"
hbatch resource drain 2 because
is "$(on --contiguous -n 12)" 3-5 "tasks alone: the fewest adjacent nodes that have room"
over
hbatch resource undrain 2
capture hbatch submit -S contiguous=3 true
like "$err" "attributes.system.contiguous: must be true or false, not 3" "what it can be"
capture hbatch submit --contiguous -c2 true : true
like "$err" "contiguous can only be set together with nodes where programs ask for different things" "several programs"
is "$(on --contiguous -N 2 -n 2 -c3 sleep 300 : -n 2)" 0-1 "... with -N"
over
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
