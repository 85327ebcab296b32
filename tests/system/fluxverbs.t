#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Options that Flux users know: job wait without ids, attach --tail, guest logs, --base, resource info and R, what is
# listed by queues and nodes, config set, exec --label, --json of verbs that had none.

. "${0%/*}/../system/lib.sh"
export HBATCH_F58_FORCE_ASCII=1
cat >"$tmp/q.toml" <<'END'
[queues.debug]
[queues.batch]
requires = ["big"]
END
instance_start one --test-nodes=3 --test-topology="core:4 pu:1" --property=big:vnode[1-2] --config="$tmp/q.toml" || exit 1
member() { python3 -c 'import json, sys
o = json.load(sys.stdin)
for k in sys.argv[1].split("."):
    o = o[int(k)] if isinstance(o, list) else o[k]
print(json.dumps(o))' "$1"; }

# --- job wait, as wait(2)
capture hbatch job wait
is "$rc|$out|$err" "2||hbatch job wait: there are no more waitable jobs" "job wait without a waitable job"
hbatch submit -qdebug true >/dev/null
ids=$(hbatch submit -q debug --flags=waitable --cc=1-3 true)
bad=$(hbatch submit -q debug --flags=waitable false)
told='' codes=''
for _ in 1 2 3 4; do
    capture hbatch job wait
    told+="$out " codes+=$rc
done
is "$(tr ' ' '\n' <<<"$told" | sort | xargs)" "$(sort <<<"$ids"$'\n'"$bad" | xargs)" "each waitable job is told once"
is "${codes//0/}" 1 "exit code 1 for the one that failed"
capture hbatch job wait
is "$rc" 2 "then there are no more"
one=$(hbatch submit -q debug --flags=waitable true)
ok "by its id" hbatch job wait "$one"
nok "who was waited for by its id is told" hbatch job wait
is "$rc" 2 "it was told"
hbatch submit -q debug --flags=waitable --cc=1-4 --urgency=hold true >held
first=$(head -1 held)
capture hbatch job wait f2345
is "$rc|$err" "2|hbatch job wait: no such job: f2345" "exit code 2 for what is no job"
capture hbatch job wait 'x!'
is "$rc" 2 "... for what is no id"
nok "ids beside --all" hbatch job wait --all "$first"
hbatch job wait --json >waited 2>/dev/null &
waiter=$!
hbatch cancel "$first" 2>/dev/null
wait $waiter
is "$(member result <waited)" '"CANCELED"' "who waits is told of a canceled one, as JSON"
hbatch job cancelall -fq
capture hbatch job wait
like "$rc$err" "^1.*CANCELED" "those that never ran are told, too"

hbatch job wait >/dev/null 2>&1 || :
while hbatch job wait >/dev/null 2>&1 || [ $? = 1 ]; do :; done

# --- attach
seq=$(hbatch submit -q debug sh -c 'seq 1 30; echo e1 >&2; echo e2 >&2; exit 3')
hbatch job wait "$seq" 2>/dev/null
capture hbatch attach --tail=4 "$seq"
is "$rc|$(wc -l <<<"$out$'\n'$err" | xargs)" "3|$(wc -l <<<"$out$'\n'$err" | xargs)" "the exit code is the job's"
is "$(printf '%s\n%s\n' "$out" "$err" | grep -cE '^(29|30|28|27|e1|e2)$')" 4 "--tail=4 shows four lines"
capture hbatch attach -q --tail "$seq"
is "$(printf '%s\n%s\n' "$out" "$err" | grep -cE '^([0-9]+|e[12])$')" 10 "ten by default"
mkfifo go
live=$(hbatch submit -q debug sh -c "seq 1 5; read -r x <'$tmp/go'; seq 6 8")
wait_until 20 eval 'hbatch output "$live" | grep -q 5'
hbatch attach --tail=2 "$live" >live.out &
attached=$!
wait_until 20 grep -q 5 live.out
echo >go
wait $attached
is "$(xargs <live.out)" "4 5 6 7 8" "of one that runs, the last lines and all that comes"
like "$(hbatch attach -X "$seq" 2>&1 >/dev/null)" "job.start.*job.finish" "-X shows when tasks started and ended"
unlike "$(hbatch attach -X "$seq" 2>&1 >/dev/null)" "job.submit" "and no more"
like "$(hbatch attach -v "$seq" 2>&1 >/dev/null)" "jobid: $seq" "-v"
held=$(hbatch submit -q debug --urgency=hold true)
hbatch attach --show-status "$held" 2>status.err &
attached=$!
wait_until 20 grep -q "hbatch: $held waiting for resources *00:00:0" status.err
is $? 0 "--show-status tells what a job waits for"
hbatch job urgency "$held" default
wait $attached

# --- logs
two=$(hbatch submit -q debug -n2 sh -c 'echo out; echo err >&2')
hbatch job wait "$two"
is "$(hbatch job eventlog -p exec "$two" | awk '{ print $2 }' | xargs)" "init starting shell.init shell.start complete done" "eventlog -p exec"
like "$(hbatch job eventlog -p guest.exec.eventlog "$two")" 'shell.start taskmap=.*"map":\[\[0,1,2,1\]\]' "it has the task map"
is "$(hbatch job info "$two" guest.output | grep -c '"name":"data"')" 4 "job info guest.output"
like "$(hbatch job eventlog -p output "$two" | head -1)" "header version=1" "eventlog -p output begins with its header"
is "$(hbatch job eventlog -F -p output "$two" | grep -c " data ")" 4 "eventlog -F -p output"
ok "wait-event -p" hbatch job wait-event -p guest.exec.eventlog "$two" shell.start
ok "wait-event -m" hbatch job wait-event -m status=0 "$two" finish
nok "wait-event -m of what never comes" hbatch job wait-event -m status=256 "$two" finish
nok "another log" hbatch job eventlog -p nolog "$two"
like "$err" "no log 'nolog'" "is named"
waiting=$(hbatch submit -q debug --urgency=hold -t 10m true)
hbatch update "$waiting" duration=20m name=other
is "$(hbatch job info "$waiting" jobspec | member attributes.system.duration)" 1200.0 "an updated jobspec"
is "$(hbatch job info --base "$waiting" jobspec | member attributes.system.duration)" 600 "--base"
is "$(hbatch job info -o "$waiting" jobspec | member attributes.system.duration)" 600 "--original"
running=$(hbatch submit -q debug -t 10m sleep inf)
hbatch job wait-event -q "$running" start
hbatch update "$running" duration=20m
is "$(for o in '' --base; do hbatch job info $o "$running" R; done | python3 -c 'import json, sys
a, b = (json.loads(line)["execution"] for line in sys.stdin)
print(round(a["expiration"] - b["expiration"]), round(b["expiration"] - b["starttime"]))')" "600 600" "--base R"
nok "--base of what has none" hbatch job info --base "$running" eventlog
like "$(hbatch job hostpids --json "$running" | member 0.pid)" '^[0-9]+$' "hostpids --json"
hbatch job cancelall -fq

# --- numbers of a queue and of a name
hbatch submit -q batch --job-name=x --cc=1-5 true >/dev/null && hbatch queue drain
is "$(hbatch jobs --stats-only -q batch)" "0 running, 5 completed, 0 failed, 0 pending" "jobs --stats -q"
is "$(hbatch jobs --stats-only --name=x)" "0 running, 5 completed, 0 failed, 0 pending" "jobs --stats --name"
is "$(hbatch jobs --stats -q batch,debug -f failed -no '{name}' | head -1)" "0 running, 13 completed, 8 failed, 0 pending" "several queues, and a filter"
is "$(hbatch watch -f completed -c 2 -v 2>&1 | wc -l)" 2 "watch -f -c"
ok "watch --since" hbatch watch --since=-1h -f completed
is "$(hbatch job timeleft)" 4294967295 "no limit"

# --- a user's formats of pgrep
mkdir -p conf/hbatch
printf '[formats.mine]\nformat = "{name} mine"\n' >conf/hbatch/pgrep.toml
export XDG_CONFIG_HOME=$PWD/conf
like "$(hbatch pgrep -o help)" "  mine " "pgrep -o help lists them"
is "$(hbatch pgrep -nac 1 -o mine '^x$')" "x mine" "they can be used"
is "$(hbatch pgrep -nac 1 -o endreason '^x$' | wc -l)" 1 "... as those of jobs"
like "$(hbatch pgrep -o get-config=mine)" "formats.mine.*\{name\} mine" "get-config needs no pattern"
unset XDG_CONFIG_HOME

# --- resources
is "$(hbatch resource info)" "3 Nodes, 12 Cores, 0 GPUs" "resource info"
is "$(hbatch resource info -q batch)" "2 Nodes, 8 Cores, 0 GPUs" "... of a queue"
is "$(hbatch resource info -i vnode[0,7])" "1 Nodes, 4 Cores, 0 GPUs" "... of some nodes"
ok "... of none" hbatch resource info -i NOSUCH
is "$out|$err" "|hbatch resource info: --include=NOSUCH: none of these nodes is there" "that is told"
is "$(hbatch resource info -i 1 -s drained 2>&1)" "hbatch resource info: --include=1: none of these nodes is there in these states: drained" "... of none in a state"
is "$(hbatch resource R -i 1-2 | member execution.R_lite)" '[{"rank": "1-2", "children": {"core": "0-3"}}]' "resource R"
is "$(hbatch resource R | member execution.properties)" '{"big": "1-2"}' "with properties"
ok "drain" hbatch resource drain vnode2 a bad fan
nok "what is drained already" hbatch resource drain 1-2
like "$err" "rank 2 \(vnode2\) is drained already: a bad fan" "is named"
is "$(hbatch resource status -no '{state} {nodelist}' | xargs)" "avail vnode[0-1] drained vnode2" "... and nothing was done"
ok "-u passes over it" hbatch resource drain -u 1-2 other
ok "-f gives a new reason" hbatch resource drain -f 2 newer
is "$(hbatch resource drain -no '{ranks} {reason}' | xargs)" "1 other 2 newer" "the list"
is "$(hbatch resource drain -n -q debug -i 2 -o '{reason}')" newer "part of it"
is "$(hbatch resource status -s avail,drain -no '{state}:{nnodes}' | xargs)" "avail:1 draining:0 drained:2" "status -s"
is "$(hbatch resource status -s avail,drain --skip-empty -no '{state}:{nnodes}' | xargs)" "avail:1 drained:2" "--skip-empty"
is "$(hbatch resource status -s offline -no '{state}:{statex}:{status}:{up.ascii}:{nnodes}')" "avail*:avail:offline:n:0" "status -s offline"
is "$(hbatch resource status -o long | sed 's/ *$//')" "       STATE UP NNODES REASON                         NODELIST
       avail  y      1                                vnode0
     drained  y      1 other                          vnode1
     drained  y      1 newer                          vnode2" "status -o long: a line for each reason"
like "$(hbatch resource drain)" "TIME +STATE +REASON +NODELIST.[A-Z][a-z][a-z][0-9]+ [0-9:]+ +drained +other +vnode1" "when they were drained"
since() { hbatch resource drain -no '{timestamp}' -i "$1"; }
before=$(since 2)
hbatch resource drain -f 2 newest
is "$(since 2)" "$before" "-f leaves the time as it was"
hbatch resource drain -ff 2 newest
isnt "$(since 2)" "$before" "-ff does not"
nok "-f and -u" hbatch resource drain -fu 2 x
nok "undrain what is not drained" hbatch resource undrain 0-2
like "$err" "rank 0 \(vnode0\) is not drained" "is named"
ok "undrain -f" hbatch resource undrain -f 0-2 mended
is "$(hbatch resource list -s up,drained -no '{state}:{nnodes}' | xargs)" "drained:0 up:3" "list -s up"
like "$(hbatch resource list -o help)" "Formats:.*default.*Fields:.*nodelist" "-o help"
sleeper=$(hbatch submit -q batch -N1 sleep inf)
hbatch job wait-event -q "$sleeper" start
hbatch resource drain 1-2
is "$(hbatch resource status -no '{state}:{nnodes}' | xargs)" "avail:1 draining:1 drained:1" "what still runs there is draining"
hbatch cancel "$sleeper"
hbatch resource undrain 1-2 all is well
names() { hbatch resource eventlog -f json "$@" | python3 -c 'import json,sys; print(*(json.loads(l)["name"] for l in sys.stdin))'; }
is "$(names | cut -d' ' -f1-5)" "restart resource-define online drain drain" "resource eventlog"
is "$(hbatch resource eventlog -f json | tail -1 | member context)" \
    '{"idset": "1-2", "nodelist": "vnode[1-2]", "reason": "all is well", "overwrite": 0}' "... nodes together"
is "$(names -i vnode0)" "restart resource-define online" "eventlog -i"
is "$(names -w drain -m overwrite=2)" drain "eventlog -w -m"
nok "-w is over after its time" hbatch resource eventlog -w drain -m reason=nosuch -t 0.2s
like "$err" "event 'drain' did not come" "told"
nok "an event that there is not" hbatch resource eventlog -w drian
hbatch resource eventlog -w drain -m reason=late >late &
waiting=$!
hbatch resource drain 1 late
wait "$waiting"
is "$?" 0 "-w waits"
hbatch resource undrain 1
mkdir -p config/hbatch
hbatch resource status -o get-config=long | sed s/long/wide/ >config/hbatch/resource.toml
is "$(XDG_CONFIG_HOME=$tmp/config hbatch resource status -o wide)" "$(hbatch resource status -o long)" "formats of files"
is "$(HBATCH_RESOURCE_STATUS_FORMAT_DEFAULT=long hbatch resource status)" "$(hbatch resource status -o long)" "the default"

# --- configuration
is "$(hbatch config get -d 7 no.such.key)" 7 "config get -d"
nok "config get -q" hbatch config get -q no.such.key
is "$err" "" "says nothing"
ok "config set" hbatch config set queues.debug.policy.limits.duration 30m
is "$(hbatch config get -t fsd-integer queues.debug.policy.limits.duration)" 1800 "config get -t"
nok "a wrong type" hbatch config get -t integer queues.debug.policy.limits.duration
like "$err" "is not of type integer: \"30m\"" "is said"
is "$(hbatch queue list -q debug -no '{limits.timelimit!F}')" 30m "it counts"
ok "config unset" hbatch config unset queues.debug.policy
is "$(hbatch queue list -q debug -no '{limits.timelimit!F}')" inf "it does not"
nok "a setting that there is not" hbatch config set no.such.key 1
like "$err" "no: there is no such setting" "is refused"
is "$(hbatch config get -c "$tmp/q.toml" --json queues.batch)" '{"requires":["big"]}' "of a file"

# --- exec, archive, others
id=$(hbatch exec -r 0 --bg --label=beta --waitable echo hello)
is "$(hbatch exec --attach beta)" hello "exec --attach LABEL"
is "$(hbatch exec --attach "$id")" hello "exec --attach ID"
is "$(hbatch job wait)" "$id" "exec --waitable"
nok "an unknown label" hbatch exec --attach nosuch
like "$err" "'nosuch'" "is named"
echo text >file
ok "archive with options of Flux" hbatch archive create --mmap --preserve --chunksize=3 --no-force-primary file
is "$(hbatch archive list -n all --json | member 0.name)" '"main"' "archive list --json"
ok "what is extracted goes to stderr" hbatch archive extract -v --overwrite
is "$out|$err" "|file" "only there"
is "$(hbatch uptime --json | member size)" 3 "uptime --json"
is "$(hbatch dmesg --json | tail -1 | member rank)" 0 "dmesg --json"
is "$(hbatch queue status --json | member 0.queue)" '"debug"' "queue status --json"
like "$(hbatch lsattr -v | xargs)" "level 0 size 3" "lsattr"
ok "setattr" hbatch setattr stage "two of three"
is "$(hbatch getattr stage)" "two of three" "is what getattr prints"
is "$(hbatch run -q debug hbatch getattr stage)" "two of three" "in jobs, too"
is "$(hbatch lsattr --json | member attrs.stage)" '"two of three"' "lsattr --json"
nok "what the instance is cannot be set" hbatch setattr size 4
like "$err" "attribute size is what the instance is" "that is told"
nok "a name with a blank" hbatch setattr "a b" 4
ok "config load of standard input" sh -c 'hbatch config get | hbatch config load'
ok "python --get-path" test -e "$(hbatch python --get-path)/hbatch/__init__.py"
ok "submit --debug" hbatch submit -q debug --debug true
ok "shutdown with options of Flux" hbatch shutdown --quiet -y --background
wait "$instance_pid"
done_testing
