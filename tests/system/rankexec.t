#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# hbatch exec: commands on ranks directly.
. "${0%/*}/../system/lib.sh"
need mpirun openmpi-bin
inside --test-nodes=3 --test-topology="core:2 pu:1"

on() { hbatch exec -l "$@" sh -c 'echo $HBATCH_TASK_RANK' </dev/null | sort | tr '\n' ' '; }
busy=$(hbatch submit -n6 sleep 300)
hbatch job wait-event -q "$busy" start
is "$(on)" "0: 0 1: 1 2: 2 " "on all ranks, which are all busy"
is "$(on -r all)" "0: 0 1: 1 2: 2 " "--rank=all"
is "$(on -r 1-2)" "1: 0 2: 1 " "--rank, and its labels"
is "$(on -x 1)" "0: 0 2: 1 " "--exclude"
hbatch resource drain 2 test
is "$(on -r 2)" "2: 0 " "on a drained node"
hbatch resource undrain 2
is "$(echo hello | hbatch exec -l cat | sort | tr '\n' ' ')" "0: hello 1: hello 2: hello " "standard input goes to all"
is "$(echo hello | hbatch exec -n cat)" "" "--noinput"
mkdir sub
is "$(hbatch exec -r 0 -d "$tmp/sub" pwd </dev/null)" "$tmp/sub" "--dir"
is "$(hbatch exec -r 0 pwd </dev/null)" "$tmp" "... or the present one"
is "$(hbatch exec -r 0 -l sh -c 'echo out; echo err >&2' 2>&1 </dev/null | sort)" $'0: err\n0: out' "both outputs"
capture hbatch exec sh -c 'exit $HBATCH_TASK_RANK'
is "$rc|$err" "2|hbatch exec: task(s) exited with exit code 2" "the greatest exit code"
capture hbatch exec -q sh -c 'exit 4'
is "$rc|$err" "4|" "--quiet"
capture hbatch exec -r 1 sh -c 'kill -KILL $$'
is "$rc" 137 "a signal"
capture hbatch exec no-such-program
is "$rc" 127 "no such program"
capture hbatch exec -r 0-3 true
is "$rc|$err" "68|hbatch exec: --rank: this instance has no rank 3; it has 0-2" "no such rank"
for bad in "-r x" "-x x" "-r 1 -x 1" "-j f23456" "-j last -r 9" ""; do
    # shellcheck disable=SC2086
    nok "refused: $bad" hbatch exec $bad ${bad:+true}
    unlike "$err" $'\n.*\n' "... in one sentence"
done

# of a job's nodes
two=$(hbatch jobs -no '{id}' -c1)
is "$two" "$busy" "the job on all nodes"
hbatch cancel "$busy"
hbatch job wait "$busy" 2>/dev/null
two=$(hbatch submit -N2 --requires=rank:1-2 sleep 300)
hbatch job wait-event -q "$two" start
is "$(on -j "$two")" "1: 0 2: 1 " "--jobid"
is "$(on -j "$two" -r 1)" "2: 0 " "... its second node"
is "$(on -j "$two" -x 1)" "1: 0 " "... but that"
hbatch cancel "$two"
hbatch job wait "$two" 2>/dev/null
capture hbatch exec -j "$two" true
like "$err" "does not run: its state is INACTIVE" "a job that is over has none"
is "$(hbatch resource list -no '{ncores}' -s free)" 6 "nothing was taken, nothing was given back"

# signals
background_exec() { # COMMAND...: until it is there
    rm -f there
    hbatch exec -r 1 "$@" </dev/null >out 2>err &
    pid=$!
    wait_until 20 test -e there
}
for s in TERM USR1 INT; do
    background_exec sh -c "trap 'exit 9' $s; touch there; while :; do sleep 0.1; done"
    kill -$s $pid
    wait $pid
    is $? 9 "SIG$s is passed on"
done
background_exec sh -c 'trap "touch got" INT; touch there; while :; do sleep 0.1; done'
kill -INT $pid
wait_until 20 test -e got
kill -INT $pid
wait $pid
is $? 143 "the second SIGINT within 2 seconds ends it"
id=$(hbatch exec --bg -r 0,2 sh -c 'echo $HBATCH_TASK_RANK')
is "$(hbatch attach "$id" | sort | tr '\n' ' ')" "0 1 " "--bg"
is "$(hbatch jobs -no '{ranks} {ncores} {result}' "$id")" "0,2 0 COMPLETED" "it is a job, without cores"

# a specification by hand
nok "an array cannot" hbatch submit --cc=1-3 --setattr=alloc-bypass.ranks=0 true
nok "ranks that are no set" hbatch submit --setattr=alloc-bypass.ranks=zero true
like "$err" "zero" "it is named"
nok "no ranks at all" hbatch submit --setattr='alloc-bypass.ranks=""' true
like "$err" "no rank is named" "it is said"
nok "something else" hbatch submit --setattr=alloc-bypass=3 true
like "$err" "must be" "it is said"
nok "a rank that does not exist" hbatch submit --setattr='alloc-bypass.ranks="7"' true
like "$err" "this instance has no rank 7; it has 0-2" "it is said"
done_testing
