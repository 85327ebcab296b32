#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Memory as a resource: asked for, counted, never given twice, handed to sub-instances, and enforced where it can be.
. "${0%/*}/../system/lib.sh"
need python3 python3

free() { hbatch resource list -n -s free -o '{memory}'; }
event() { timeout 20 hbatch job wait-event -q "$1" "$2"; }
over() { hbatch cancel "$@"; for id in "$@"; do event "$id" clean; done; }
held() { hbatch job info "$1" R | python3 -c 'import json, sys; print(json.load(sys.stdin)["execution"]["R_lite"][0].get("memory"))'; }

# What is asked for.
spec() { hbatch submit --dry-run --env=-* "$@" true | python3 -c 'import json, sys
def walk(l): return [[v["type"], v["count"], v.get("unit", "")] + [walk(v.get("with", []))] * ("with" in v) for v in l]
print(walk(json.load(sys.stdin)["resources"]))'; }
is "$(spec -n2 --mem=4G)" "[['slot', 2, '', [['core', 1, '']]], ['memory', 4, 'GiB']]" "--mem: for each node"
is "$(spec -N2 --mem=512)" "[['node', 2, '', [['slot', 1, '', [['core', 1, '']]], ['memory', 512, 'MiB']]]]" "... and with -N"
is "$(spec -n2 -c3 --mem-per-core=1.5G)" "[['slot', 2, '', [['core', 3, ''], ['memory', 4608, 'MiB']]]]" "--mem-per-core"
for bad in 0 -1 x 4X 4e9 99999999E ""; do
    capture hbatch submit --mem="$bad" true
    is "$rc" 1 "--mem='$bad': exit code"
    like "$err" "mem=$bad: ('$bad' is|must be more than 0)" "... and what is wrong"
done
capture hbatch submit --mem=1G --mem-per-core=1G true
like "$err" "mem and mem-per-core cannot be used together" "both"
capture hbatch submit --resources=slot=1/core --mem=1G true
like "$err" "resources says all" "with --resources"
capture hbatch submit -n 1000000 -c 2000 --mem-per-core=1E true
like "$err" "mem-per-core: 1E for each of 2000 cores is more" "too much in all"

instance_start counted --test-topology="core:8 pu:1" --memory=8G --policy=easy
is "$(free)" 8G "what a node has"
is "$(hbatch resource list --json | python3 -c 'import json, sys; n = json.load(sys.stdin)["nodes"][0]; print(n["memory"], n["free_memory"])')" \
    "8589934592 8589934592" "... in bytes"
capture hbatch submit --mem=8.1G true
is "$rc" 1 "more than there is: exit code"
like "$err" "this instance has 8G of memory; 8.1G was asked for" "... which is told"
a=$(hbatch submit --mem=5G sleep 300)
event "$a" start
is "$(free)" 3G "a job takes some"
is "$(held "$a")" 5368709120 "R: what it has"
b=$(hbatch submit --mem=4G true)
c=$(hbatch submit -n2 --mem-per-core=1.5G sleep 300)
event "$c" start
is "$(free)" 0 "another job takes the rest"
is "$(hbatch jobs -ano '{state}' "$b")" SCHED "and one waits for memory, not for cores"
is "$(hbatch run echo hello)" hello "a job that asks for none needs none"
over "$a"
ok "it starts when memory comes back" timeout 20 hbatch job wait "$b"
is "$(free)" 5G "what is left"
over "$c"
is "$(free)" 8G "all comes back"
is "$(hbatch run -N1 -x hbatch resource list -n -s free -o '{memory}')" 0 "a job of a whole node has all of it"
is "$(hbatch alloc -n2 --mem=3G hbatch resource list -n -s free -o '{memory}')" 3G "a sub-instance has what its job has"
capture hbatch alloc -n2 --mem=3G hbatch run --mem=4G true
like "$err" "this instance has 3G of memory; 4G was asked for" "... and no more"
capture hbatch alloc -n2 hbatch run --mem=1G true
like "$err" "this instance has no count of memory" "one without memory has none to give"
is "$(hbatch alloc -n2 --mem=3G hbatch run -n2 --mem-per-core=1G echo ok)" $'ok\nok' "jobs of a sub-instance have memory"
ok "an array, of which few fit at a time" timeout 60 hbatch submit --quiet --cc=1-40 --mem=3G --wait true
is "$(free)" 8G "nothing is lost"
instance_stop counted
unset HBATCH_URI

# Of jobs that ask for none.
cat >default.toml <<'END'
[policy.jobspec.defaults.system]
queue = "batch"
mem-per-core = "1G"
[queues.batch]
[queues.big]
policy.jobspec.defaults.system.mem-per-core = 1536
[queues.none]
policy.jobspec.defaults.system.mem-per-core = 0
END
instance_start default --test-topology="core:8 pu:1" --memory=8G --config=default.toml
taken() { # OPTIONS: what a job has, by hbatch jobs
    local id
    id=$(hbatch submit "$@" sleep 300) && event "$id" start && hbatch jobs -no '{memory}' "$id" && over "$id"
}
is "$(taken -n2 -c2)" 4G "a job that asks for none: so much for each core"
is "$(taken -n2 -c2 --mem-per-core=512M)" 2G "... one that does"
is "$(taken --mem=100M)" 100M "... or does so for a node"
is "$(taken -n2 -q big)" 3G "a queue of another default"
is "$(taken -n2 -q none)" "" "a queue of none"
is "$(taken -N1 -x)" 8G "a whole node has all of it"
a=$(hbatch submit -n1 sleep 300 : -n2 -c2 sleep 300 : -n1 --mem-per-core=10M sleep 300)
is "$(hbatch jobs -no '{memory}' "$a")" 5G "several programs: those that ask for none"
over "$a"
is "$(hbatch queue list -no '{queue}={defaults.mem_per_core}.' | sort | tr '\n' ' ')" "batch=1G. big=1.5G. none=. " "hbatch queue list"
a=$(hbatch submit -n6 sleep 300)
event "$a" start
is "$(free)" 2G "hbatch resource list: what is left"
b=$(hbatch submit -n2 -q big true)
is "$(hbatch jobs -no '{state} {memory}' "$b")" "SCHED 3G" "a job waits for it"
is "$(hbatch run -n2 echo x)" $'x\nx' "another one has enough"
over "$a"
ok "it runs when there is room" timeout 20 hbatch job wait "$b"
is "$(hbatch alloc -n2 hbatch resource list -n -s free -o '{memory}')" 2G "a sub-instance has some, too"
is "$(hbatch exec -r0 echo out)" out "hbatch exec takes none"
capture hbatch run -n6 -q big true
like "$err" "this instance has 8G of memory; 9G was asked for" "more than there is"
instance_stop default
unset HBATCH_URI

# Enforced.
grow='x = bytearray(); n = 0
while n < 400: x += b"x" * (1 << 20); n += 1
print("grown")'
instance_start real
capture timeout 60 hbatch run --mem=100M python3 -c "$grow"
log=$(hbatch dmesg 2>/dev/null; cat "$tmp/real.err")
if [[ $log == *"there is no control group for that"* ]]; then
    is "$out" grown "no control group: the job runs"
    like "$log" "jobs are not kept to the memory that they ask for" "... and it is told"
    skip "no control group can be made here" "out of memory"
else
    isnt "$rc" 0 "a job that takes more than it asked for fails"
    like "$err" "oom.*task 0 on host [^ ]* was killed: the job used all of the 100M" "... which is told"
    capture timeout 60 hbatch run --mem=100M sh -c "python3 -c '$grow'; echo after"
    like "$err" "oom" "... of a process that is not a task as well"
    is "$(hbatch run --mem=1G python3 -c "$grow")" grown "one that asks for enough lives"
    is "$(hbatch run python3 -c "$grow")" grown "so does one that asks for none"
    echo 'policy.jobspec.defaults.system.mem-per-core = "100M"' | hbatch config load -
    capture timeout 60 hbatch run python3 -c "$grow"
    like "$err" "the job used all of the 100M" "... unless there is a default, to which it is kept"
fi
instance_stop real
done_testing
