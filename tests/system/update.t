#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# hbatch update: jobs that wait and that run, elements of arrays, sub-instances; what it refuses; and that it
# outlives the leader and the instance.

. "${0%/*}/../system/lib.sh"
export HBATCH_F58_FORCE_ASCII=1
field() { hbatch jobs -ano "{$1}" "$2"; } # FIELD ID
events() { hbatch job eventlog "$1" | awk '{ print $2 }' | paste -sd' '; }

cat >"$tmp/q.toml" <<'END'
[queues.debug]
policy.limits.duration = "30m"
[queues.batch]
requires = ["big"]
[policy.jobspec.defaults.system]
queue = "batch"
END
instance_start one --test-nodes=2 --test-topology="core:2 pu:1" --property=big:vnode1 --config="$tmp/q.toml" -t 1h || exit 1

# --- a job that waits
hbatch queue stop --all --quiet
id=$(hbatch submit -t 20m -n1 true)
ok "a longer time limit" hbatch update "$id" duration=+10m
is "$(field duration "$id")" 1800.0 "it has it"
ok "a shorter one, by name of the attribute" hbatch update "$id" attributes.system.duration=90s
is "$(field duration "$id")" 90.0 "it has that"
capture hbatch update -v "$id" queue=debug name=other duration=60 attributes.user.note='{"a":[1,2]}' comment=text
is "$rc$err" 0 "several at once"
is "$out" 'updated attributes.system.queue to debug
updated attributes.system.job.name to other
updated attributes.system.duration to 60
updated attributes.user.note to { "a": [ 1, 2 ] }
updated attributes.system.comment to text' "-v tells"
is "$(hbatch jobs -ano '{queue} {name} {duration}' "$id")" "debug other 60.0" "all of them"
is "$(hbatch job info "$id" jobspec | python3 -c 'import json, sys
a = json.load(sys.stdin)["attributes"]
print(a["user"], a["system"]["comment"], a["system"].get("constraints"))')" "{'note': {'a': [1, 2]}} text None" "the jobspec"
like "$(events "$id")" "jobspec-update jobspec-update jobspec-update" "the event log"
hbatch submit -n1 true first >/dev/null
second=$(hbatch submit -n1 true second) # the instance keeps what the two have in common once
hbatch update "$second" comment=any
like "$(hbatch job info "$second" jobspec)" '"true", *"second"' "the words of its command are its own"
is "$(hbatch update -n x duration=+5 a=b)" '{"attributes.system.duration":"+5","attributes.system.a":"b"}' "-n"

# --- what is refused: KEYS|why
while IFS='|' read -r keys why; do
    # shellcheck disable=SC2086
    capture hbatch update "$id" $keys
    [ "$rc" = 1 ] && like "$err" "$why" "refused: $keys" || fail "refused: $keys" "$rc $out"
done <<'END'
duration=soon|duration: .*soon
duration=-2h|nothing is left of 60
duration=2h|queue debug has a limit of 30m; 2h
queue=batch duration=2h|lives for 1h
queue=none|no queue 'none'; there are debug, batch
queue=|queue
duration=10 queue=none|no queue 'none'
attributes.system.environment.X=1|environment.X cannot be changed
dependencies=[]|dependencies cannot be changed
resources.x=1|resources.x cannot be changed
tasks.x=1|tasks.x cannot be changed
attributes.x=1|attributes.x cannot be changed
shell.options.kill-timeout=x|kill-timeout
a..b=1|name is empty
duration|must be KEY=VALUE
=1|must be KEY=VALUE
cwd=here|must be an absolute path
constraints={"x":[]}|constraints cannot be changed
END
is "$(hbatch jobs -ano '{queue} {duration}' "$id")" "debug 60.0" "nothing changed by that"
capture hbatch update fnope duration=1
isnt "$rc" 0 "no such job"
ok "back to the other queue" hbatch update "$id" queue=batch
hbatch queue start --all --quiet
hbatch wait-event -t 20 "$id" clean >/dev/null
is "$(hbatch jobs -ano '{result} {nodelist} {queue}' "$id")" "COMPLETED vnode1 batch" "it ran on that queue's nodes"
capture hbatch update "$id" duration=1h
like "$err" "is over" "a job that is over"

# --- a job that runs
id=$(hbatch submit -t 4s sleep 1000)
hbatch wait-event -t 20 "$id" start >/dev/null
before=$(field expiration "$id")
ok "a running job gets more time" hbatch update "$id" duration=+1h
after=$(field expiration "$id")
is "$(hbatch jobs -ano '{duration}' "$id")" 3604.0 "its limit"
ok "but not more than the instance has" awk -v a="$after" -v b="$(hbatch getattr expiration)" 'BEGIN { exit !(a <= b + 0.01 && a > b - 1) }'
like "$(events "$id")" "resource-update.*jobspec-update|jobspec-update.*resource-update" "the events"
capture hbatch update "$id" duration=0.001
like "$err" "has run for" "not less than it has run"
capture hbatch update "$id" queue=debug
like "$err" "only the duration of a job that runs" "only that"
ran() { awk -v a="$(field t_run "$id")" -v b="$(date +%s.%N)" -v s="${1:-0}" 'BEGIN { print b - a + s }'; }
long() { awk -v a="$(ran)" 'BEGIN { exit !(a > 4.5) }'; }
wait_until 20 long
is "$(field state "$id")" RUN "it outlives its first limit"
less() { hbatch update "$id" duration="$(ran 2)s" 2>/dev/null; }
ok "and less" wait_until 20 less
hbatch wait-event -t 20 "$id" clean >/dev/null
is "$(field result "$id")" TIMEOUT "which ends it"

# --- an element of an array
hbatch queue stop --all --quiet
first=$(hbatch submit -q debug --cc=1-3 -t 5m true | head -1)
ok "an element" hbatch update "$first" duration=7m
is "$(field duration "$first" | sort | xargs)" "300.0 300.0 420.0" "has a limit of its own"
is "$(hbatch jobs --filter=pending -no '{duration}' | sort | uniq -c | xargs)" "2 300.0 1 420.0" "the others have theirs"
capture hbatch update "$first" queue=batch
like "$err" "only the duration of an element" "only that"

# --- several ranks: another leader knows
waiting=$(hbatch submit -t 5m sleep 0)
hbatch update "$waiting" duration=6m queue=debug name=renamed
hbatch queue start batch --quiet
running=$(hbatch submit -t 5s -q batch sleep 1000)
hbatch wait-event -t 20 "$running" start >/dev/null
hbatch update "$running" duration=10m
uri=${HBATCH_URI/sock-0/sock-1}
is "$(HBATCH_URI=$uri hbatch jobs -no '{queue} {name} {duration}' "$waiting")" "debug renamed 360.0" "another rank's copy"
kill -9 "$(hbatch getattr pid)"
HBATCH_URI=$uri
wait_until 30 hbatch queue status
is "$(hbatch jobs -ano '{queue} {name} {duration} {state}' "$waiting")" "debug renamed 360.0 SCHED" "another leader"
is "$(field duration "$running") $(field duration "$first" | sort | xargs)" "600.0 300.0 300.0 420.0" "also of what runs, and of elements"
hbatch cancel "$running"
instance_stop one

# --- another life
instance_start two --test-topology="core:1 pu:1" --statedir="$tmp/state" || exit 1
hold=$(hbatch submit --urgency=hold -t 1m true)
first=$(hbatch submit --urgency=hold --cc=1-2 -t 1m true | head -1)
hbatch update "$hold" duration=2m name=later
hbatch update "$first" duration=3m
instance_stop two
instance_start three --test-topology="core:1 pu:1" --statedir="$tmp/state" || exit 1
is "$(hbatch jobs -ano '{name} {duration}' | sort | xargs)" "later 120.0 true 180.0 true 60.0" "the next life"
hbatch cancel --all >/dev/null 2>&1

# --- an instance that is a job, and what runs in it
id=$(hbatch batch -n1 -t 3s --wrap 'hbatch submit sleep 1000; hbatch getattr expiration >was; mkfifo go; read x <go; hbatch getattr expiration >is; hbatch jobs -no "{expiration}" >job; hbatch cancel --all')
wait_until 20 test -p go
hbatch update "$id" duration=+1h
later() { HBATCH_URI=$(hbatch jobs -no '{uri}' "$id") hbatch getattr expiration | awk -v b="$(cat was)" '{ exit !($1 > b + 3000) }'; }
ok "the instance knows its new end" wait_until 20 later
echo >go
hbatch job wait "$id" 2>/dev/null
ok "so do its jobs" awk -v a="$(cat job)" -v b="$(cat is)" 'BEGIN { exit !(a > b - 0.01 && a < b + 0.01 && a > 0) }'
instance_stop three
done_testing
