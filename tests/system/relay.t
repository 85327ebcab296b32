#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Instances that are reached through the ranks of another one: instance.relay, and URIs with !RANK:PATH.
# shellcheck disable=SC2016
. "${0%/*}/lib.sh"
need python3 python3
export HBATCH_F58_FORCE_ASCII=1

instance_start one --test-nodes=3 --test-topology="core:4 pu:1" || done_testing
dir=${HBATCH_URI#local://}
dir=${dir%/*}
sub=$(hbatch alloc --bg -N1 -n4 --requires=rank:2 2>/dev/null || hbatch alloc --bg -N1 -n4)
rank=$(hbatch jobs -no '{ranks}' "$sub")
path=$(hbatch jobs -no '{uri}' "$sub")
path=${path#local://}
like "$path" "^/" "a sub-instance"
by() { echo "local://$dir/sock-$1!$rank:$path"; } # RANK: the way there by it
on() { HBATCH_URI=$(by "$1") timeout 60 hbatch "${@:2}"; }

is "$(hbatch getattr level)" 0 "we are outside"
for r in 0 1 2; do
    is "$(on $r getattr level)" 1 "it answers by rank $r"
    is "$(on $r run -n1 echo hello)" hello "and runs jobs"
done
is "$(hbatch --uri="$(by 1)" jobs -n | wc -l)" 0 "--uri"
is "$(on 1 run -n1 sh -c 'head -c 20000000 /dev/zero' | wc -c)" 20000000 "much output"
is "$(seq 300000 | on 1 run -n1 cat | cksum)" "$(seq 300000 | cksum)" "much input"
on 1 run -n1 sh -c 'exit 7' 2>/dev/null
is $? 7 "an exit code"
ok "bursts" on 1 submit --quiet --cc=1-500 --wait true
is "$(hbatch proxy "$(by 0)" sh -c 'hbatch getattr level; hbatch run echo "$HBATCH_INSTANCE_LEVEL"' | tr '\n' ' ')" "1 1 " \
    "proxy: a command here, inside of it"

# further down
inner=$(on 1 alloc --bg -n1)
at=$(on 1 jobs -no '{ranks}:{uri}' "$inner")
deep="$(by 1)!${at/local:\/\//}"
is "$(HBATCH_URI=$deep hbatch getattr level)" 2 "two ways, one after the other"
is "$(HBATCH_URI=$deep hbatch run echo deep)" deep "and a job there"
HBATCH_URI=$deep hbatch submit --quiet --job-name=deepest sleep inf
like "$(on 1 jobs -R)" "deepest" "jobs -R from there"
like "$(on 0 top --once "$inner")" "level 2" "top goes down"

# what is not there
refuses() { # PART URI
    capture env HBATCH_URI="$2" hbatch jobs
    like "$rc $err" "^1 hbatch jobs: .*$1" "refuses ${2/*sock-/sock-}"
}
refuses "there is no rank 7" "local://$dir/sock-0!7:$path"
refuses "no/such: No such file" "local://$dir/sock-0!$rank:/no/such"
refuses "absolute path" "local://$dir/sock-0!$rank:relative"
refuses "must be !RANK:PATH" "local://$dir/sock-0!x"
refuses "must be !RANK:PATH" "local://$dir/sock-0!-1:/x"
refuses "must be !RANK:PATH" "local://$dir/sock-0!"
refuses "is gone" "local://$dir/sock-9x/y!$rank:$path"
out=$(python3 - "$dir/sock-0" <<'END'
import json, socket, sys
for params in ({}, {"rank": 0}, {"rank": "0", "path": "/x"}, {"rank": -1, "path": "/x"}, {"rank": 0, "path": 7}, [], None):
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    f = s.makefile("rw")
    print(json.dumps({"jsonrpc": "2.0", "id": 3, "method": "instance.relay", "params": params}), file=f, flush=True)
    reply = json.loads(f.readline())
    print(reply["id"], reply["error"]["code"])
    print('{"jsonrpc":"2.0","id":4,"method":"job.stats"}', file=f, flush=True)  # it is still the instance's
    print("running" in json.loads(f.readline())["result"])
END
)
is "$(echo "$out" | sort | uniq -c | tr -s ' \n' ' ')" " 7 3 22 7 True " "bad requests"

# the ends
other=$(hbatch alloc --bg -n1)
read -r orank ouri < <(hbatch jobs -no '{ranks} {uri}' "$other")
HBATCH_URI="local://$dir/sock-1!$orank:${ouri#local://}" timeout 30 hbatch run sleep inf >/dev/null 2>err &
pid=$!
wait_until 20 sh -c "[ \"\$(HBATCH_URI=$ouri hbatch jobs -no '{state}')\" = RUN ]"
kill -9 $pid
wait $pid 2>/dev/null
is "$(HBATCH_URI=$ouri hbatch getattr level)" 1 "a client that is killed harms nobody"
hbatch cancel "$other"
HBATCH_URI=$(by 1) timeout 60 hbatch run sleep inf >/dev/null 2>err &
pid=$!
wait_until 20 sh -c "[ -n \"\$(HBATCH_URI='$(by 0)' hbatch jobs -no '{id}' --name=sleep)\" ]"
hbatch cancel "$sub"
wait $pid
isnt $? 124 "the instance ends: so does what waits in it"
wait_until 20 sh -c "[ \"\$(hbatch jobs -no '{state}' $sub)\" = INACTIVE ]"
refuses "No such file|refused" "$(by 1)"
is "$(hbatch run echo alive)" alive "and the outer one is well"
instance_stop one
is "$rc" 0 "it ends"
is "$(strays)" "" "nothing is left"
done_testing
