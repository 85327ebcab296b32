#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Queues: limits, nodes, enable, start, drain, idle; the configuration: loaded, reloaded, refused; what of it
# outlives leader and instance.

. "${0%/*}/../system/lib.sh"

cat >"$tmp/q.toml" <<'END'
[policy.jobspec.defaults.system]
queue = "batch"
duration = "1h"
[policy.limits]
duration = "4h"
[queues.debug]
requires = ["small"]
policy.limits.duration = "30m"
policy.limits.max-jobs = 3
policy.limits.job-size.max.ncores = 2
[queues.batch]
requires = [
    "big",
]
[queues.expedite]
parent = "batch"
policy.limits.job-size.min.ncores = 2
END

capture hbatch config check "$tmp/q.toml"
is "$rc$out$err" 0 "a configuration that is right"

instance_start one --test-nodes=2 --test-topology="core:4 pu:1" \
    --property=small:vnode0 --property=big:vnode1 --config="$tmp/q.toml" || exit 1

capture hbatch queue list
is "$out" "QUEUE    PARENT   EN ST TDEFAULT   TLIMIT     NNODES     NCORES      NGPUS
debug              y  y      30m      30m        0-1        0-2        0-0
batch*             y  y       1h       4h        0-1        0-4        0-0
expedite batch     y  y       1h       4h        0-1        2-4        0-0" "queue list"
capture hbatch queue list -q batch -no '{queue} {submission} {scheduling} {limits.max.ncores} {resources.all.nnodes}'
is "$out" "batch enabled started inf 1" "queue list -q -o"
capture hbatch resource list -q debug -no '{nodelist}' -s all
is "$out" vnode0 "resource list -q"

# --- where jobs go
is "$(hbatch run hostname -s >/dev/null; hbatch jobs -ano '{queue} {nodelist}')" "batch vnode1" \
    "the default queue, on its nodes"
id=$(hbatch submit -q debug --wait true)
is "$(hbatch jobs -no '{queue} {nodelist} {duration}' "$id")" "debug vnode0 1800.0" "another queue, and its time limit"
isnt "$(hbatch jobs -a -q debug -no '{id}')" "" "jobs -q, whatever is shown of them"
capture hbatch jobs -a -q debug -no '{queue}'
is "$out" debug "jobs -q"

# --- what is refused: OPTIONS|what the error names
while IFS='|' read -r options why; do
    capture hbatch submit $options true
    [ "$rc" = 1 ] && like "$err" "$why" "refused: $options" || fail "refused: $options" "$rc: $out"
done <<'END'
-q debug -t 31m|limit of 30m; 31m
-q debug -n3|at most 2 cores; 3
-q expedite -n1|at least 2 cores; 1
-q nosuch|no queue 'nosuch'; there are debug, batch, expedite
-t 5h|limit of 4h; 5h
-q debug --cc=1-4|queue debug has 0 active jobs, of at most 3: 4 more
-q debug --requires=big|no node
END

# --- a queue that is stopped, or disabled
hbatch queue stop batch -m "out of order" >stopped
is "$(cat stopped)" "batch: Scheduling is stopped: out of order" "queue stop"
id=$(hbatch submit true)
id2=$(hbatch submit -q expedite -n2 true)
is "$(hbatch run -q debug echo other)" other "another queue goes on"
is "$(hbatch jobs -no '{state} {contextual_info}' "$id")" "SCHED queue batch is stopped: out of order" "jobs tells why"
capture hbatch queue status expedite
like "$out" "Scheduling is stopped: queue batch is stopped" "its child, too"
ok "queue idle" hbatch queue idle
capture hbatch queue drain --timeout=0.1s
is "$rc" 1 "queue drain does not wait longer than it may"
hbatch queue disable debug --message=closed >/dev/null
capture hbatch submit -q debug true
like "$err" "submission to queue debug is disabled: closed" "queue disable"
hbatch queue enable debug --quiet
hbatch queue start --quiet batch
within 20 hbatch queue drain
is "$rc" 0 "queue start, and queue drain"
is "$(hbatch jobs -no '{result}' "$id" "$id2")" "COMPLETED
COMPLETED" "what waited has run"
capture hbatch queue stop
like "$err" "which queue?" "one of several queues must be named"
capture hbatch queue drain nosuch
like "$err" "no queue \"?nosuch" "a queue that is not there"

# --- the configuration
is "$(hbatch config get queues.debug.policy.limits.max-jobs)" 3 "config get KEY"
nok "config get of what is not set" hbatch config get queues.none
hbatch queue stop batch >/dev/null
id=$(hbatch submit -n4 true)
hbatch submit sleep 0 >/dev/null
sed -i 's/"4h"/"6h"/' "$tmp/q.toml"
ok "config reload" hbatch config reload
capture hbatch submit -t 5h true
is "$rc" 0 "the new limit counts"
is "$(hbatch queue list -q batch -no '{scheduling}')" stopped "and the queue is as it was"
printf '[queues.debug]\nrequires = 7\n' >"$tmp/bad.toml"
capture hbatch config load "$tmp/bad.toml"
is "$err" "hbatch config load: $tmp/bad.toml: line 2: queues.debug.requires: must be a list of names, not 7" \
    "a mistake is told with its line"
cp "$tmp/bad.toml" "$tmp/q.toml"
capture hbatch config reload
like "$err" "q.toml: line 2: queues.debug.requires" "also by the leader"
is "$(hbatch config get policy.limits.duration)" 6h "the old configuration stays"
is "$(hbatch jobs --filter=pending -no '{queue}' | sort -u)" batch "jobs wait"
printf '[policy.scheduler]\npolicy = "easy"\n[queues.batch]\n[queues.other]\n[policy.jobspec.defaults.system]\nqueue = "other"\n' |
    hbatch config load -
is "$(hbatch run hostname >/dev/null && echo yes)" yes "a configuration from stdin: another default queue, another policy"
hbatch queue start --all >/dev/null
within 20 hbatch queue drain
is "$rc" 0 "what waited runs with it"
is "$(hbatch run -q batch echo x)" x "a queue without nodes of its own has all"

# --- an array of a queue that is stopped
hbatch queue stop batch >/dev/null
first=$(hbatch submit -q batch --cc=1-100 true | head -1)
is "$(hbatch queue list -q batch -no '{active} {running}')" "100 0" "elements of an array are counted"
hbatch job urgency "$first" 20
hbatch queue start batch >/dev/null
within 30 hbatch queue drain batch
is "$(hbatch queue list -q batch -no '{active} {running}')" "0 0" "and gone when they are"
instance_stop one

# --- what outlives the leader
printf '[queues.a]\n[queues.b]\n' >"$tmp/two.toml"
instance_start two --test-nodes=3 --test-topology="core:1 pu:1" --config="$tmp/two.toml" || exit 1
uris=("$HBATCH_URI" "${HBATCH_URI/sock-0/sock-1}")
hbatch queue stop a -m "for the new leader" >/dev/null
printf '[queues.a]\n[queues.c]\n[policy.limits]\nduration = "1h"\n' >"$tmp/two.toml"
ok "config reload by several ranks" hbatch config reload
id=$(hbatch submit -q a true)
HBATCH_URI=${uris[1]}
is "$(hbatch jobs -no '{queue} {contextual_info}')" "a queue a is stopped: for the new leader" "another rank knows why a job waits"
kill -9 "$(HBATCH_URI=${uris[0]} hbatch getattr pid)"
wait_until 30 hbatch run -q c true
is "$rc" 0 "the new leader has the configuration"
is "$(hbatch config get policy.limits.duration)" 1h "all of it"
is "$(hbatch queue status a)" "a: Job submission is enabled
a: Scheduling is stopped: for the new leader" "and what was set of queues"
is "$(hbatch jobs -no '{id} {state}' "$id")" "$(hbatch job id --to=f58plain "$id") SCHED" "the job waits"
hbatch queue start a >/dev/null
within 20 hbatch queue drain
is "$rc" 0 "and runs when it may"
instance_stop two

# --- what outlives the instance
printf '[queues.x]\n[queues.y]\n' >"$tmp/life.toml"
instance_start three --test-topology="core:1 pu:1" --statedir="$tmp/state" --config="$tmp/life.toml" || exit 1
hbatch queue stop x -m kept >/dev/null
hbatch queue stop y --nocheckpoint >/dev/null
hbatch submit -q x true >/dev/null
printf '[queues.x]\n[queues.y]\n[queues.z]\n' | hbatch config load -
instance_stop three
instance_start four --test-topology="core:1 pu:1" --statedir="$tmp/state" || exit 1
is "$(hbatch queue list -no '{queue} {scheduling}')" "x stopped
y started
z started" "the next life has the configuration, and what was set to last"
is "$(hbatch jobs -no '{queue} {contextual_info}')" "x queue x is stopped: kept" "and what waits"
hbatch queue start x >/dev/null
within 20 hbatch queue drain
is "$rc" 0 "which runs"
instance_stop four
instance_start five --test-topology="core:1 pu:1" --statedir="$tmp/state" --config=queues.w.policy.limits.duration=5m || exit 1
is "$(hbatch queue list -no '{queue} {limits.timelimit}')" "w 300.0" "a configuration at the start replaces it"
instance_stop five

# --- how many run at a time
runs() { hbatch queue list -q "$1" -no '{running}'; }
# lines "BEGIN END": how many, and how many at a time
most_at_once() {
    awk '{print $1, 1; print $2, 0}' | sort -n -k1,1 -k2,2 | awk '{n += $2; now += $2 ? 1 : -1; if (now > most) most = now} END {print n, most}'
}
for policy in fcfs easy conservative; do
    instance_start "rooms-$policy" --test-topology="core:4 pu:1" --config="{\"policy\":{\"scheduler\":{\"policy\":\"$policy\"}},\"queues\":{\"few\":{\"policy\":{\"limits\":{\"max-running\":2}}},\"all\":{}}}" || exit 1
    hbatch submit -q few --cc=1-3 sleep 1000 >/dev/null
    a=$(hbatch submit -q few true)
    b=$(hbatch submit -q all sleep 1000)
    hbatch job wait-event -t 20 "$b" start >/dev/null
    is "$(runs few) $(runs all)" "2 1" "$policy: not more than max-running, and who waits for that holds up nobody else"
    is "$(hbatch jobs -no '{contextual_info}' "$a")" "queue few has 2 running jobs, of at most 2" "... which is told"
    is "$(hbatch queue list -q few -no '{limits.max_running}') $(hbatch queue list -q all -no '{limits.max_running}')" "2 inf" "... and the limit"
    printf 'policy.scheduler.policy = "%s"\n[queues.few]\npolicy.limits.max-running = 3\n[queues.all]\n' "$policy" |
        hbatch config load -
    ok "... a new one counts at once" wait_until 20 sh -c '[ "$(hbatch queue list -q few -no "{running}")" = 3 ]'
    hbatch cancel -q --all
    within 20 hbatch queue drain
    # a burst of jobs that follow each other
    hbatch submit -q all sleep 1000 >/dev/null
    ok "... a burst in the queue" timeout 60 hbatch submit -q few --quiet --cc=1-500 --wait true
    is "$(hbatch jobs -ano '{t_run} {t_cleanup}' -q few -f completed -c 500 | most_at_once)" "500 3" "... never more than may"
    hbatch cancel -q --all
    within 20 hbatch queue drain
    instance_stop "rooms-$policy"
done

# --- an instance that is a job
instance_start six --test-topology="core:4 pu:1" || exit 1
id=$(hbatch batch -n2 --conf=policy=easy --conf=queues.n.policy.limits.duration=3m --wrap 'hbatch queue list -no "{queue} {limits.timelimit}"; hbatch run true' 2>err)
hbatch job wait "$id" 2>/dev/null
is "$(cat hbatch-*.out)" "n 180.0" "--conf of batch" || cat err
capture hbatch batch -n2 --conf="$tmp/bad.toml" --wrap true
like "$err" "bad.toml: line 2: queues.debug.requires" "a mistake in --conf is told before"
instance_stop six
done_testing
