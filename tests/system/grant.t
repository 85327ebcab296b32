#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# The parent's side of instances that grow and shrink: grants, what is given back, orders.  Most of
# it with an instance that does only that (fakechild.py); the last part with real ones.
. "${0%/*}/../system/lib.sh"
need mpirun openmpi-bin pgrep procps python3 python3
inside --test-nodes=4 --test-topology="core:4 pu:1"

event() { timeout 20 hbatch job wait-event -q "$@"; }
field() { hbatch jobs -a -n -o "{$2}" "$1"; }
free_cores() { hbatch resource list -s free -no '{ncores}'; }
quick() { within 30 "$@"; }
# a fake instance: fake NAME [OPTION of hbatch submit...] [-- OPTION of fakechild.py...] sets $id
fake() {
    local name=$1 options=()
    shift
    mkdir -p "$tmp/$name"
    while [ $# -gt 0 ] && [ "$1" != -- ]; do options+=("$1") && shift; done
    [ $# -gt 0 ] && shift
    id=$(hbatch submit --job-name="$name" "${options[@]}" -o instance -o per-resource.type=node \
        "$srcdir/tests/system/fakechild.py" "$tmp/$name" "$@")
    event "$id" memo
}
has() { # NAME NODES: where the instance has ranks
    wait_until 20 sh -c "hbatch job eventlog $id | grep 'memo nodes=' | tail -n 1 | grep -qF 'nodes=\"$1\"'"
}
over() { timeout 30 hbatch job wait-event -q "$1" clean; }

# --- growing ------------------------------------------------------------------------------------
fake el -N2 -n4 -t 1h
el=$id
quick hbatch resource grow "$id" -N1
is "$rc" 0 "an instance grows"
grant=$out
like "$grant" "^.[A-Za-z0-9]+$" "the grant's id is printed"
is "$(field "$grant" name) $(field "$grant" nnodes) $(field "$grant" ncores) $(field "$grant" nodelist)" \
    "el+ 1 2 vnode2" "it has a name, and a node as the instance has them"
is "$(field "$grant" expiration)" "$(field "$id" expiration)" "it ends with the instance at the latest"
is "$(cat el/orders)" '{"order": "prepare"}' "the instance was ordered to prepare"
like "$(hbatch pstree -a)" "el" "the instance is in the tree"
is "$(hbatch jobs -R -no '{name}' | grep -cF 'el+')" 1 "the grant is a job, once"
quick hbatch resource grow -q --bg "$id" -N1
is "$rc|$out" "0|" "another one, without waiting for it"
ok "the instance takes it in" has "0,1,2,3"
is "$(hbatch jobs -no '{name} {nodelist}' | sort | xargs)" "el vnode[0-1] el+ vnode2 el+ vnode3" "on a node by itself each"
last=$(hbatch jobs -no '{id} {nodelist}' | awk '$2 == "vnode3" { print $1 }')

# --- what cannot be -------------------------------------------------------------------------------
nok "more than there is" hbatch resource grow "$id" -N1
like "$err" "4 nodes, and job $id is on all of them: it cannot grow by 1" "is told with the numbers"
nok "no nodes" hbatch resource grow "$id" -N0
like "$err" "-N.*0" "is told"
nok "half a slot" hbatch resource grow "$id" -N2 -n3
like "$err" "-n 3: cannot be spread evenly over 2 nodes" "is told"
nok "without a number" hbatch resource grow "$id"
like "$err" "-N N" "is told how"
nok "a grant" hbatch resource grow "$grant" -N1
like "$err" "is a grant to job $id" "is not an instance"
plain=$(hbatch submit sleep 4401)
event "$plain" start
nok "a job that is none" hbatch resource grow "$plain" -N1
like "$err" "job $plain is not an instance" "is told"
hbatch cancel "$plain"
over "$plain"
nok "a job that is over" hbatch resource grow "$plain" -N1
like "$err" "job $plain is over" "is told"
nok "a job that never was" hbatch resource shrink f1234 -N1
like "$err" "no such job" "is told"
nok "at level 0" hbatch resource grow -N1
like "$err" "outermost one \(level 0\).*name the job" "is told what to do"
nok "shrinking at level 0" hbatch resource shrink -N1
like "$err" "outermost" "too"
nok "all nodes" hbatch resource shrink "$id" -N4
like "$err" "has 4 nodes: it can give back 3, not 4" "are too many to give back"
nok "hosts that are not there" hbatch resource shrink "$id" --nodes=nowhere
like "$err" "no node of this instance is named 'nowhere'" "are named"
nok "ranks that are not there" hbatch resource shrink "$id" --nodes=3,7
like "$err" "does not have rank 7: it has 0-3" "are named, too"
nok "all by name" hbatch resource shrink "$id" --nodes=vnode[0-3]
like "$err" "the node of its leader stays" "is refused"
nok "neither" hbatch resource shrink "$id"
like "$err" "-N N or --nodes=HOSTS" "is told how"
nok "a bad constraint" hbatch resource grow "$id" -N1 --requires="rank:x"
like "$err" "requires.*x" "is told"

# --- shrinking ------------------------------------------------------------------------------------
before=$(free_cores)
quick hbatch resource shrink "$id" -N1
is "$rc|$out" "0|" "a node is given back"
ok "its grant is over" over "$last"
is "$(field "$last" result)" COMPLETED "in order"
is "$(free_cores)" "$((before + 2))" "its cores are free"
quick hbatch resource shrink "$id" --nodes=vnode1
is "$rc" 0 "one of the instance's own nodes"
is "$(field "$id" nnodes) $(field "$id" ncores) $(field "$id" nodelist)" "1 2 vnode0" "is not its any more"
is "$(hbatch job info "$id" R | grep -o '"rank":"[^"]*"\|"nslots":[0-9]*' | xargs)" "rank:0 nslots:2" "not in R either"
like "$(hbatch job eventlog "$id")" 'release ranks="1" final=false' "the event log tells"
is "$(free_cores)" "$((before + 4))" "others can have it"
quick hbatch run -N1 -n4 --requires=host:vnode1 true
is "$rc" 0 "and do"
is "$(field "$id" state)" RUN "the instance runs"
quick hbatch resource shrink "$id" --nodes=vnode2
is "$rc" 0 "a grant's node by its name"
ok "nothing is left of it" over "$grant"
quick hbatch resource grow "$id" -N1 --requires=rank:3
is "$(field "$out" nodelist)" vnode3 "a node that was asked for"
hbatch cancel "$out"
ok "a grant that is canceled ends" over "$out"
is "$(field "$id" state)" RUN "the instance goes on"

# --- what an instance refuses -----------------------------------------------------------------------
fake other -N2 -n2 -- --stay=1
nok "a node that stays" hbatch resource shrink "$id" --nodes=vnode1
like "$err" "rank 1 stays" "the instance says why"
hbatch cancel "$id"
over "$id"
fake shut -n1 -- "--no-join=it has no door"
# shellcheck disable=SC2154
nok "one that takes in nobody" hbatch resource grow "$id" -N1
like "$err" "job $id cannot grow: it has no door" "says why"
like "$(cat shut/orders)" '"prepare", "pmix".*PMIX_NAMESPACE' "one of one node was told of a PMIx namespace"
nok "also when asked again" hbatch resource grow "$id" -N1
hbatch cancel "$id"
over "$id"

# --- waiting --------------------------------------------------------------------------------------
busy=$(hbatch submit -N3 -n12 --requires=rank:1-3 sleep 4402)
event "$busy" start
hbatch resource grow "$el" -N1 >grow.out 2>grow.err &
pid=$!
ok "a grant that has to wait says so" wait_until 20 grep -q "waits in the queue for 1 free node that job $el is not on" grow.err
waiting=$(cat grow.out)
is "$(field "$waiting" state)" SCHED "and is in the queue"
kill -INT $pid
wait $pid
is "$?" 130 "ctrl-C"
ok "cancels it" over "$waiting"
is "$(field "$waiting" result)" CANCELED "as its result tells"
hbatch resource grow "$el" -N2 --bg >grow.out
hbatch resource grow "$el" -N1 --bg >>grow.out
nok "a third one" hbatch resource grow "$el" -N1
like "$err" "has 1 of them and waits for 3 more: it can grow by 0, not by 1" "is more than there is besides these"
hbatch cancel "$busy"
id=$el
ok "when there is room they come in, no two on a node" has "0,1,2,3"
grants=$(cat grow.out)

# --- drained nodes ------------------------------------------------------------------------------------
hbatch resource drain 0,2 broken fan
ok "a drain goes down" wait_until 20 grep -qF '{"nodes": "0,2", "order": "drain", "reason": "broken fan"}' el/orders
hbatch resource undrain 2
ok "and its end" wait_until 20 grep -qF '{"nodes": "2", "order": "undrain"}' el/orders
hbatch resource undrain 0

# --- what the parent's leaders come to ------------------------------------------------------------------
quick hbatch resource shrink "$id" -N1
is "$rc" 0 "three nodes are left"
state() { hbatch jobs -no '{id} {name} {nodelist} {state}' | sort; }
set_of() { hbatch job info "$1" R | grep -o '"rank":"[^"]*"\|"core":"[^"]*"\|"nslots":[0-9]*' | xargs; }
whole=$(state)
before="$(free_cores) $(set_of "$id")"
hbatch resource drain 1 later
kill -9 "$(hbatch getattr pid)"
ok "another leader comes" wait_until 30 hbatch run true
is "$(state)" "$whole" "which knows the same of the instance and its grants"
ok "the instance hears it" wait_until 20 sh -c '[ "$(grep -cF "\"nodes\": \"1\", \"order\": \"drain\", \"reason\": \"later\"" el/orders)" -ge 2 ]'
hbatch resource undrain 1
is "$(free_cores) $(set_of "$id")" "$before" "what it gave back before is not its"
quick hbatch resource grow "$id" -N1
is "$rc" 0 "and it can grow again"
grants="$grants $out"

# --- the end ------------------------------------------------------------------------------------------
hbatch cancel "$id"
ok "an instance that is canceled ends" over "$id"
for grant in $grants; do ok "and its grant $grant" over "$grant"; done
ok "no job is left" wait_until 20 sh -c '[ -z "$(hbatch jobs -no "{id}")" ]'

# --- a real one, from within ----------------------------------------------------------------------------
cat >within <<'END'
#!/bin/sh
hbatch run -N1 hostname >/dev/null
hbatch resource grow -N1 >grant || exit 1
hbatch run -N2 sh -c 'echo $HBATCH_NODE_ID' | sort | xargs
hbatch resource shrink -N1 || exit 2
hbatch resource list -no '{nnodes}' -s all
hbatch resource shrink -N1
hbatch resource grow -N4
END
chmod +x within
quick hbatch batch --wait -N1 --output=within.out ./within
is "$(head -n 2 within.out | xargs)" "0 1 1" "an instance enlarges and reduces itself"
like "$(cat within.out)" "has 1 node: it can give back 0" "and is told what it cannot"
like "$(cat within.out)" "4 nodes, job .* has 1 of them: it can grow by 3, not by 4" "by its parent"
ok "the grant is over" over "$(cat within/grant 2>/dev/null || cat grant)"

# --- within a grown one -----------------------------------------------------------------------------------
outer=$(hbatch alloc -N1 -n2 --bg)
quick hbatch resource grow "$outer" -N1
inner=$(hbatch proxy "$outer" hbatch alloc -N1 -n1 --bg)
quick hbatch proxy "$outer" hbatch resource grow "$inner" -N1
is "$rc" 0 "an instance grows onto a node that its parent was given later"
is "$(timeout 20 hbatch proxy "$outer/$inner" hbatch run -N2 sh -c 'echo $HBATCH_INSTANCE_LEVEL' | xargs)" "2 2" "and runs jobs there"
hbatch resource drain 0-3 all of them
deep() { [ "$(timeout 10 hbatch proxy "$outer/$inner" hbatch resource list -s "$1" -no '{nnodes}')" = 2 ]; }
ok "a drain reaches it through its parent" wait_until 20 deep drained
hbatch resource undrain 0-3
ok "and its end does" wait_until 20 deep free
hbatch cancel "$outer"
ok "canceled, they end" over "$outer"

# --- the end of its time ---------------------------------------------------------------------------------
cat >limited <<'END'
#!/bin/bash
trap 'echo warned' USR1
trap 'echo asked; exit 3' TERM
hbatch run --signal=USR2@2s bash -c 'trap "" USR1; trap "echo inside" USR2; while :; do sleep 0.1; done' &
while :; do sleep 0.1; done
END
chmod +x limited
quick hbatch batch --wait -n1 -t 4s --signal=USR1@3s --output=limited.out ./limited
is "$(grep -x "warned\|inside\|asked" limited.out | xargs)" "warned inside asked" \
    "a time limit is told: the script, by --signal; a job inside, by its own; the script, by SIGTERM"
id=$(hbatch submit -N2 -o instance -o per-resource.type=node hbatch-instance --no-program)
event "$id" memo
hbatch job kill -s USR1 "$id"
hbatch job kill -s USR2 "$id"
uri=local://$(hbatch uri "$id" | sed 's,.*://[^/]*,,')
is "$(HBATCH_URI=$uri timeout 20 hbatch run -N2 echo alive | xargs)" "alive alive" "signals that nobody waits for do no harm"
hbatch cancel "$id"
done_testing
