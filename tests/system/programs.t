#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Several programs in one job: the command line, where they are placed, what each has.
. "${0%/*}/../system/lib.sh"
need mpirun openmpi-bin
need python3 python3 pgrep procps

# "RANKS:SLOTS:CORES:GPUS ..." of each program of job ID
parts() {
    hbatch job info "$1" R | python3 -c 'import json, sys
for part in json.load(sys.stdin)["scheduling"]["parts"]:
    print(" ".join(":".join([e["rank"], str(e["slots"]), e["children"]["core"], e["children"].get("gpu", "-")]) for e in part))'
}
# shellcheck disable=SC2016
who='echo $0 $HBATCH_TASK_RANK/$HBATCH_JOB_SIZE on $HBATCH_NODE_ID $V $(pwd)'
at() { timeout 20 hbatch job wait-event -q "$1" start; }

# --- what is submitted -------------------------------------------------------------------------------
instance_start several --test-nodes=3 --test-topology="core:4 pu:1" --test-gpus=1
spec() { # EXPRESSION OPTIONS...: of resources (r), tasks (t), launch options (o)
    local what=$1
    shift
    hbatch submit --dry-run --env=-* "$@" | python3 -c 'import json, sys
o = json.load(sys.stdin)
print(json.dumps(eval(sys.argv[1], {"r": o["resources"], "t": o["tasks"], "o": o["attributes"]["system"]["shell"]["options"]})))' "$what"
}
is "$(spec '[(s["count"], [(w["type"], w["count"]) for w in s["with"]]) for s in r]' -n1 a : -n8 -c2 -g1 b : --mem-per-core=1G c)" \
    '[[1, [["core", 1]]], [8, [["core", 2], ["gpu", 1]]], [1, [["core", 1], ["memory", 1]]]]' "a slot for each program"
is "$(spec '[(x["command"], x["attributes"]) for x in t[1:]]' -c2 a : --env=V=1 --cwd=/x b y : --env-remove=Q c)" \
    '[[["b", "y"], {"cwd": "/x", "environment": {"V": "1"}}], [["c"], {"environment": {}}]]' "what each has of its own"
is "$(spec '[r[0]["type"], r[0]["count"], [s["count"] for s in r[0]["with"]]]' -N2 -n2 -c2 a : -n4 b)" '["node", 2, [1, 2]]' "-N: the same on each node"
is "$(spec '[len(t), len(o["apps"])]' -n1 -c2 a : -n3 -c2 b)" '[1, 2]' "programs that ask for the same share their slots"
is "$(spec '[x["command"] for x in t]' -- a : -n2 b)" '[["a", ":", "-n2", "b"]]' "after -- a colon is a word"
is "$(spec '[x["command"] for x in t]' -c2 a : -n2 -- b : -c3)" '[["a"], ["b", ":", "-c3"]]' "... of the last program, too"
is "$(spec '[x["attributes"]["environment"] for x in t[1:]]' -c2 a : --env V=: b)" '[{"V": ":"}]' "a value may be a colon"
is "$(spec '[x.get("attributes") for x in t[1:]]' -c2 --env=V={{id}} --env=W=w a : b : --env=V=1 c : --env=X={{name}} --env-remove=W d)" \
    '[null, {"environment": {"W": "w", "V": "1"}, "env-expand": {}}, {"environment": {"W": null}, "env-expand": {"V": "{{id}}", "X": "{{name}}"}}]' \
    "templates, and variables that one of them is not to have"
is "$(spec '[[s["type"], s["count"]] for s in r]' --mem=1G -n2 -c2 a : b)" '[["slot", 2], ["slot", 1], ["memory", 1]]' "memory for each node that they are on"
like "$(hbatch submit --dry-run --cc=1-2 -c2 a : x-{cc})" 'x-1.*x-2' "{cc} in the command of a later program"

# --- where they go -----------------------------------------------------------------------------------
ok "two programs on one node" hbatch run --cwd=/ -n1 sh -c "$who" a : -n2 -c1 -g0 --env=V=v --cwd=/tmp sh -c "$who" b
is "$(sort <<<"$out")" "a 0/3 on 0 /
b 1/3 on 0 v /tmp
b 2/3 on 0 v /tmp" "ranks in their order, environment and directory of each"
ok "templates of each" hbatch run --env=V={{task.rank}}/{{size}} --env=W=w -n1 -c2 sh -c 'echo $0 $V $W' a : -n1 --env=V=v sh -c 'echo $0 $V $W' b : \
    -n1 --env=X={{task.rank}} --env-remove=W sh -c 'echo $0 $V $W $X' c
is "$(sort <<<"$out")" "a 0/3 w
b v w
c 2/3 2" "... over what the first one has"
ok "over three nodes" hbatch run -l --cwd=/ -n1 sh -c "$who" a : -n3 -c3 -g1 sh -c "$who" b
is "$(sort <<<"$out")" "0: a 0/4 on 0 /
1: b 1/4 on 0 /
2: b 2/4 on 1 /
3: b 3/4 on 2 /" "labels are by rank"
is "$(parts last)" "0:1:0:-
0:1:1-3:0 1-2:1:0-2:0" "R tells what is for which program"
is "$(hbatch job taskmap last)" "[[0,1,2,1],[1,2,1,1]]" "the task map"
is "$(hbatch jobs -ano '{ntasks} {nnodes} {ncores} {ngpus} {name}' last)" "4 3 10 3 sh" "hbatch jobs: the sums"
ok "--mem, for each node" hbatch run --mem=3M -n1 true : -n3 -c3 -g1 true
like "$(hbatch job info last R | tr -d " ")" '"rank":"0",.*"memory":3145728.*"rank":"1-2",.*"memory":3145728' "... once, whoever is there"
ok "-o cpu-affinity=per-task does not mix them" hbatch run -o cpu-affinity=per-task -o gpu-affinity=per-task \
    -n2 sh -c 'echo $CUDA_VISIBLE_DEVICES' : -n1 -c2 -g1 sh -c 'echo $CUDA_VISIBLE_DEVICES'
is "$(sort <<<"$out" | tr '\n' ' ')" "-1 -1 0 " "... a GPU is shown to those who asked"
ok "-N2" hbatch run -N2 -n2 -c2 sh -c "$who" a : -n4 -g0 sh -c "$who" b
is "$(parts last)" "0-1:1:0-1:-
0-1:2:2-3:-" "the same on each node"
is "$(hbatch job taskmap last)" "[[0,2,1,1],[0,2,2,1]]" "... in order of the programs"
ok "-N2 -x" hbatch run -N2 -x -n2 -c2 true : -n2 true
is "$(hbatch jobs -ano '{ncores}' last)|$(parts last)" "8|0-1:1:0-1:-
0-1:1:2:-" "whole nodes, of which the programs use what they asked for"
ok "cyclic" hbatch run -o taskmap.scheme=cyclic -n4 -c2 true : -n2 true
is "$(hbatch job taskmap last)" "[[0,2,1,2],[2,1,2,1]]" "a task map of each program in turn"
ok "output to files" hbatch run --output='out.{{task.rank}}' -n1 -c2 echo a : -n2 echo b
is "$(cat out.0 out.1 out.2 | tr '\n' ' ')" "a b b " "... by rank"

# --- its life ------------------------------------------------------------------------------------------
nok "the exit code is the greatest" hbatch run -n1 -c2 sh -c 'exit 3' : -n2 sh -c 'exit 9'
is $rc 9 "... of all programs"
nok "a program that is not there" hbatch run -n1 -c2 true : -n1 /no/such/program
is $rc 127 "... and its exit code"
nok "a time limit ends all" hbatch run -t 0.5s -n1 -c2 sleep 100 : -n2 sleep 100
is "$(hbatch jobs -ano '{result}' last)" TIMEOUT "... it was that"
id=$(hbatch submit -n1 -c4 sleep 100 : -n4 -c2 sleep 100) && at "$id"
is "$(parts "$id")" "0:1:0-3:-
1-2:2:0-3:-" "all cores are taken"
second=$(hbatch submit -n1 -c2 true : -n1 -g1 true)
is "$(hbatch jobs -no '{state}' "$second")" SCHED "another one waits"
hbatch cancel "$id"
ok "... until the first is canceled" timeout 20 hbatch job wait "$second"
is "$(hbatch jobs -ano '{result}' "$id")" CANCELED "it was"
ok "elements of an array" hbatch submit --wait --cc=1-3 --output=el.{{cc}} -n1 -c2 sh -c 'echo $HBATCH_JOB_CC' : -n1 true
is "$(cat el.1 el.2 el.3 | tr '\n' ' ')" "1 2 3 " "... each with its own number"
ok "retry" hbatch run --retry=1 -n1 -c2 sh -c 'mkdir tried || exit 0; exit 1' : -n1 true
ok "resubmit" hbatch job resubmit last
ok "all is free again" wait_until 20 eval '[ "$(hbatch resource list -n -s free -o {ncores})" = 12 ]'
instance_stop several

# --- other policies, and a restart of the ranks ---------------------------------------------------------
instance_start best --test-nodes=3 --test-topology="core:4 pu:1" --policy=conservative,placement=best
id=$(hbatch submit -n1 -c3 sleep 100 : -n2 -c4 sleep 100) && at "$id"
is "$(parts "$id")" "2:1:0-2:-
0-1:1:0-3:-" "placement=best, conservative"
id=$(hbatch submit -n2 -c1 true : -n2 -c3 true)
like "$(hbatch jobs -no '{state}' "$id")" SCHED "what does not fit is planned"
hbatch cancel "$id"
case $(hbatch start --dry-run --test-nodes=2 true) in
*enable-recovery*)
    id=$(hbatch jobs -no '{id}')
    rundir=$(dirname "${HBATCH_URI#local://}")
    kill -9 "$(pgrep -f "^[^ ]*hbatch-instance .*--rundir=$rundir" | sed -n 1p)"
    ok "the leader is killed, and the ranks are started again" within 60 hbatch run -n1 true
    is "$(hbatch jobs -no '{state}' "$id")|$(parts "$id")" "RUN|2:1:0-2:-
0-1:1:0-3:-" "the job goes on with what each program has"
    hbatch cancel "$id"
    ok "... and gives it back" wait_until 20 eval '[ "$(hbatch resource list -n -s free -o {ncores})" = 12 ]'
    ;;
*) skip "ranks that are started again" "hbatch was built for an MPI whose launcher ends all ranks with one" ;;
esac
instance_stop best

# --- bad input -----------------------------------------------------------------------------------------
instance_start bad --test-nodes=2 --test-topology="core:4 pu:1"
refuses() { # TEXT OPTIONS...
    local text=$1
    shift
    nok "refused: $*" hbatch run "$@"
    like "$err" "$text" "... with the reason"
}
refuses "there is no program after ':'" echo a :
refuses "there is no program after ':'" echo a : -n2
refuses "there is no program after ':'" echo a : : echo b
refuses "there is no command to run" : echo b
refuses "there is no command to run" -n2 : echo b
for option in --time-limit=1 -N2 -x --queue=q --output=x --mem=1G --dependency=after:f1 --urgency=3 -v -l --taskmap=cyclic; do
    refuses "is of the whole job and cannot differ between its programs: give it before the first one" true : $option true
done
refuses "unknown option" true : --no-such true
refuses "--ntasks=0: must be a positive whole number" true : -n0 true
refuses "--cores-per-task=x: must be a positive whole number" true : -c x true
refuses "--gpus-per-task=-1: must be a whole number" true : -g -1 true
refuses "--mem-per-core=5x" true : --mem-per-core=5x true
refuses "the 3 tasks of program 2 cannot be divided evenly among 2 nodes" -N2 -n2 -c2 true : -n3 true
refuses "nodes: must be a number, not a range" -N1-2 -n2 -c2 true : -n2 true
refuses "exclusive can only be set together with nodes" -x -n2 -c2 true : -n2 true
refuses "of memory; 900T was asked for" --mem=900T -n2 -c2 true : -n2 true
refuses "cannot be used where programs ask for different things" --cores=4 true : -c2 true
refuses "resources says all" --resources=slot=2/core=2 true : -c3 true
refuses "program 1: no node has 5 cores for one slot: the largest has 4 cores" -c5 true : true
refuses "this instance has 8 cores; 9 were asked for" -n4 -c2 true : true
refuses "this instance has 0 GPUs; 1 was asked for" true : -g1 true
refuses "find no place on 2 nodes" -n2 -c3 true : -c2 true
refuses "it can be block or cyclic, not manual" -o taskmap.scheme=manual -o taskmap.value='[[0,1,2,1]]' -c2 true : true
many=()
for ((i = 0; i < 1024; i++)); do many+=(: true); done
refuses "a job has at most 1024 programs" true "${many[@]}"
unset 'many[0]'
capture hbatch submit --dry-run "${many[@]}"
is $rc 0 "1024 are not too many"
instance_stop bad
done_testing
