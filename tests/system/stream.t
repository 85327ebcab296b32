#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The state stream: every rank has the leader's tables, answers from them, and lets a client read
# what it wrote.
. "${0%/*}/../system/lib.sh"
need mpirun openmpi-bin
inside --test-nodes=4 --test-topology="core:4 pu:1"

on() { # RANK COMMAND...: run a command where the client's instance socket is that of RANK
    local rank=$1
    shift
    HBATCH_URI=${uri[$rank]} "$@"
}

# The sockets of all ranks, from tasks on them.
declare -a uri
while read -r rank u; do uri[rank]=$u; done < <(
    hbatch run -N4 -n4 bash -c 'echo $HBATCH_TASK_RANK $HBATCH_URI' | sort)
is "${#uri[@]}" 4 "each rank has a socket of its own"
isnt "${uri[3]}" "${uri[0]}" "and another one than the leader's"

# What any rank says of nodes and jobs is what the leader says.
held=$(hbatch submit --urgency=hold -n2 --job-name=kept true)
running=$(hbatch submit -N2 -n4 sleep inf)
hbatch job wait-event "$running" start >/dev/null
array=$(hbatch submit --cc=1-5 --urgency=hold true | wc -l)
is "$array" 5 "an array of five is accepted"
for rank in 1 2 3; do
    wait_until 5 eval '[ "$(on $rank hbatch jobs -n --json)" = "$(hbatch jobs -n --json)" ]'
    is "$(on $rank hbatch jobs -n -o '{id} {name} {state} {ntasks} {nnodes} {nodelist}')" \
        "$(hbatch jobs -n -o '{id} {name} {state} {ntasks} {nnodes} {nodelist}')" "rank $rank lists the same jobs"
    is "$(on $rank hbatch resource list)" "$(hbatch resource list)" "rank $rank lists the same resources"
done

# Read your own writes: what a client did through a rank is in that rank's next answer.
for i in 1 2 3 4 5 6 7 8; do
    id=$(on 3 hbatch submit --urgency=hold true)
    on 3 hbatch jobs -n -o '{id}' | grep -qx "$id" || fail "submit $i is seen at once" "$id"
    on 3 hbatch cancel "$id"
    on 3 hbatch jobs -n -o '{id}' | grep -qx "$id" && fail "cancel $i is seen at once" "$id"
done
cat >raw.py <<'PY'
# One connection to rank 3: each list must show the job that was submitted just before it.
import json, os, socket
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["HBATCH_URI"][len("local://"):])
f = s.makefile("r")
spec = json.loads(os.popen("hbatch submit --dry-run --urgency=hold true").read())
def call(i, method, **params):
    s.sendall((json.dumps({"jsonrpc": "2.0", "id": i, "method": method, "params": params}) + "\n").encode())
    return json.loads(f.readline())["result"]
stale = 0
for i in range(50):
    job = call(2 * i, "job.submit", jobspec=spec, urgency=0)["id"]
    ids = [j["id"] for j in call(2 * i + 1, "job.list", states=62)["jobs"]]
    stale += job not in ids
    call(1000 + i, "job.cancel", ids=[job])
    stale += job in [j["id"] for j in call(2000 + i, "job.list", states=62)["jobs"]]
print(stale)
PY
is "$(on 3 python3 raw.py)" 0 "a connection reads what it wrote, fifty times"

# History is the leader's, and is asked of it.
like "$(on 2 hbatch jobs -a -n -o '{id} {result}' "$id")" "CANCELED" "another rank tells the end of a job"

# Changes of nodes, urgency and state arrive.
ok "drain through rank 1" on 1 hbatch resource drain 3 "for a test"
wait_until 5 eval 'on 2 hbatch resource list | grep -q "drained.* 1 "' || note "$(on 2 hbatch resource list)"
is "$(on 2 hbatch resource list)" "$(hbatch resource list)" "a drained node is told to all"
is "$(on 2 hbatch resource drain -no '{timestamp} {reason}')" "$(hbatch resource drain -no '{timestamp} {reason}')" "since when, too"
on 1 hbatch resource undrain 3
ok "urgency through rank 2" on 2 hbatch job urgency "$held" 20
ok "the job then runs" hbatch job wait "$held"
on 2 hbatch jobs -n -o '{id}' | grep -qx "$held" && fail "a job that is over leaves all tables" || pass "a job that is over leaves all tables"

# A burst leaves nothing behind in anybody's tables.
hbatch cancel --all
ok "a burst of 300 on four nodes" hbatch submit --quiet --wait --cc=1-300 true
for rank in 1 2 3; do
    wait_until 5 eval '[ -z "$(on $rank hbatch jobs -n)" ]'
    is "$(on $rank hbatch jobs -n)" "" "rank $rank has no job left"
    is "$(on $rank hbatch resource list)" "$(hbatch resource list)" "rank $rank has all resources free"
done

# How busy the nodes are is reduced to the leader by a collective.
usage() {
    hbatch job list >/dev/null 2>&1
    python3 - <<'PY'
import json, os, socket
s = socket.socket(socket.AF_UNIX)
s.connect(os.environ["HBATCH_URI"][len("local://"):])
s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"instance.info"}\n')
print(json.loads(s.makefile("r").readline())["result"].get("usage", {}).get("nodes", 0))
PY
}
wait_until 10 eval '[ "$(usage)" = 4 ]'
is "$(usage)" 4 "usage of all four nodes comes together"
done_testing
