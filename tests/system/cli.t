#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The command line alone: options, job specifications, messages, exit codes, output, against a
# scripted instance (fakeleader.py).
. "${0%/*}/lib.sh"
need python3 python3

unset HBATCH_URI HBATCH_JOB_ID
export HBATCH_F58_FORCE_ASCII=1 TZ=UTC COLUMNS=80

# leader [STEPS]: a new instance with this script, a JSON array; $HBATCH_URI is its URI.
leader_pid=
leader() {
    [ -z "$leader_pid" ] || { kill "$leader_pid" && wait "$leader_pid"; } 2>/dev/null
    local ready=$tmp/ready
    rm -f "$tmp/log" "$ready" "$tmp/sock"
    : >"$tmp/log"
    mkfifo "$ready"
    printf '%s' "${1:-[]}" >"$tmp/script"
    python3 "$lib_dir/fakeleader.py" "$tmp/sock" "$tmp/log" "$tmp/script" >"$ready" 2>"$tmp/leader.err" &
    leader_pid=$!
    background+=("$leader_pid")
    read -r _ <"$ready"
    export HBATCH_URI=local://$tmp/sock
}

# sent METHOD [PYTHON of p, the params]: of all such messages that came, one line each
sent() {
    python3 - "$tmp/log" "$1" "${2:-p}" <<'PY'
import json, sys
for line in open(sys.argv[1]):
    m = json.loads(line)
    if m["method"] == sys.argv[2]:
        p = m["params"]
        if m["method"] == "job.list":
            p.pop("keys", None)
        o = p.get("jobspec", {}).get("attributes", {}).get("system", {})
        v = eval(sys.argv[3])
        print(v if isinstance(v, str) else json.dumps(v, sort_keys=True))
PY
}

# spec PYTHON ARGUMENTS...: an expression of the job specification s that --dry-run prints
# (y: attributes.system, o: shell options, r: resources[0], t: tasks[0])
spec() {
    local expression=$1
    shift
    capture hbatch submit --dry-run "$@" || { echo "failed: $err"; return; }
    printf '%s' "$out" | python3 -c '
import json, sys
s = json.load(sys.stdin)
y = s["attributes"]["system"]; o = y["shell"]["options"]; r = s["resources"][0]; t = s["tasks"][0]
v = eval(sys.argv[1])
print(v if isinstance(v, str) else json.dumps(v, sort_keys=True))' "$expression"
}

# refuses PART ARGUMENTS...: exit code 1, nothing on stdout, one line on stderr that has PART
refuses() {
    local part=$1
    shift
    capture hbatch "$@"
    if [ $rc = 1 ] && [ -z "$out" ] && [[ $err == *"$part"* && $err != *$'\n'* ]]; then
        pass "refuses: hbatch $*"
    else
        fail "refuses: hbatch $*" "wanted: $part"
        shown "hbatch $*"
    fi
}

# --- help and usage ------------------------------------------------------------------------------
capture hbatch --help
is $rc 0 "hbatch --help"
for verb in $(sed -n 's/^  \([a-z-]\+\) .*/\1/p' <<<"$out"); do
    capture hbatch "$verb" --help
    like "$rc $out" "^0 Usage: hbatch $verb" "hbatch $verb --help"
done
for group in job resource; do
    capture hbatch $group --help
    for verb in $(sed -n 's/^  \([a-z-]\+\) .*/\1/p' <<<"$out"); do
        capture hbatch $group "$verb" --help
        like "$rc $out" "^0 Usage: hbatch $group $verb" "hbatch $group $verb --help"
    done
done
capture hbatch help run
like "$out" "--ntasks=N" "hbatch help run"
refuses "a verb is missing"
refuses "did you mean 'run'" rum
refuses "there is no verb 'xyzzy'" xyzzy
refuses "there is no verb 'atach'; did you mean 'attach'" job atach
refuses "hbatch run: unknown option --ntask; did you mean --ntasks?" run --ntask=3 true
refuses "unknown option --frobnicate; see hbatch run --help" run --frobnicate true
refuses "unknown option -Z" jobs -Z
refuses "option --nodes needs a value" run --nodes
refuses "option -n needs a value" run -n
refuses "option --exclusive takes no value" run --exclusive=1 true
refuses "there is no command to run" run
refuses "there is no command to run" submit -n4 --
is "$(spec 'o["requeue"]' --requeue a)" 1 "--requeue"
refuses "there is no program after ':'" submit --dry-run a :
refuses "unexpected argument 'y'" uri x y
refuses "the JOBID is missing" attach

# --- no instance ---------------------------------------------------------------------------------
refuses "no instance here: HBATCH_URI is not set; start one with 'hbatch start' or 'mpirun" run true
HBATCH_URI=local:///nonexistent/sock refuses "the instance at local:///nonexistent/sock is gone (its socket does not exist)" jobs
HBATCH_URI=/tmp/x refuses "'/tmp/x' is not an instance's URI" jobs
python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.bind("stale")'
HBATCH_URI=local://$tmp/stale refuses "(its socket refuses connections)" run true

# --- job specifications --------------------------------------------------------------------------
is "$(spec 'r' true)" '{"count": 1, "label": "task", "type": "slot", "with": [{"count": 1, "type": "core"}]}' "one task"
is "$(spec 't' ./a -n 3 b)" '{"command": ["./a", "-n", "3", "b"], "count": {"per_slot": 1}, "slot": "task"}' "options end at the command"
is "$(spec 't["command"]' -- -n x)" '["-n", "x"]' "... or at --"
is "$(spec 'r' -n4 -c 2 --gpus-per-task=1 a)" '{"count": 4, "label": "task", "type": "slot", "with": [{"count": 2, "type": "core"}, {"count": 1, "type": "gpu"}]}' "-n -c -g"
is "$(spec '[r["type"], r["count"], r.get("exclusive"), r["with"][0]["count"], t["count"]]' -N2 -n 4 a)" '["node", 2, null, 2, {"per_slot": 1}]' "-N2 -n4"
is "$(spec '[r["count"], r["exclusive"], r["with"][0]["count"]]' -N3 a)" '[3, true, 1]' "-N alone: whole nodes"
is "$(spec '[r["with"][0]["count"], t["count"]]' -N2 -n3 a)" '[2, {"total": 3}]' "an uneven number of tasks"
is "$(spec '[r["count"]["min"], r["count"]["max"]]' -N 2-4 a)" '[2, 4]' "a range of nodes"
is "$(spec '[r["with"][0]["count"], t["count"]]' -N 2-4 -n8 a)" '[4, {"total": 8}]' "... with tasks: the least number must do"
is "$(spec '[r["count"], r["with"][0]["with"][0]["count"], t["count"]]' -N2 --cores=8 --tasks-per-node=3 a)" '[2, 4, {"per_slot": 3}]' "--cores --tasks-per-node"
is "$(spec '[r["count"], t["count"]]' --cores=4 --tasks-per-core=2 a)" '[4, {"per_slot": 2}]' "--tasks-per-core"
is "$(spec '[r["with"][0]["with"][1]["count"], r["exclusive"]]' -N1 --gpus-per-node=2 a)" '[2, true]' "--gpus-per-node"
is "$(spec '[r["type"], r["count"], t["count"]]' --resources='node=2/slot=2/core=3' a)" '["node", 2, {"per_slot": 1}]' "--resources"
is "$(spec '[r["with"][0]["label"], t["slot"]]' --resources='node=1/slot=2/core=1' a)" '["default", "default"]' "... the tasks are of its slot: RFC 46's own label"
is "$(spec '[r["label"], t["slot"]]' --resources='slot=2{work}/core=1' a)" '["work", "work"]' "... or the one given"
for limit in 1.5=90 30s=30 2h=7200 inf=0; do
    is "$(spec 'y["duration"]' -t ${limit%=*} a)" ${limit#*=} "--time-limit=${limit%=*}"
done
is "$(spec '[y["cwd"], y["job"]["name"], y["queue"], y["bank"]]' --cwd=/x --job-name=nm -q qu -B ba a)" '["/x", "nm", "qu", "ba"]' "--cwd --job-name --queue --bank"
is "$(spec 'y["cwd"]' a)" "$tmp" "the current directory"
is "$(spec 'o["signal"]' --signal=USR2@2m a)" '{"signum": 12, "timeleft": 120.0}' "--signal"
is "$(spec 'o["signal"]' --signal USR1@1s a)" '{"signum": 10, "timeleft": 1.0}' "--signal, its value in a word of its own"
is "$(spec 'o["signal"]' --signal @90 a)" '{"signum": 10, "timeleft": 90.0}' "... without a signal"
capture hbatch run --help
like "$out" "--signal=\\[SIG\\]\\[@TIME\\]" "--signal in --help"
is "$(spec 'o["taskmap"]' --taskmap=cyclic:2 a)" '{"scheme": "cyclic", "value": "2"}' "--taskmap"
is "$(spec '[o["pmi"], o["verbose"], o["a"]]' -o pmi=off -o verbose -o a.b=[1,2] -o a.c=x a)" '["off", 1, {"b": [1, 2], "c": "x"}]' "--setopt"
echo '{"k":3}' >file.json
is "$(spec '[y["foo"], s["attributes"]["user"], y["f"]]' --setattr=foo=7 -S user.x.y=z -S ^f=file.json a)" '[7, {"x": {"y": "z"}}, {"k": 3}]' "--setattr"
is "$(spec 'y["dependencies"]' --dependency=afterok:f12 '--dependency=x:y?a=1&b=c' --dependency=singleton a)" '[{"scheme": "afterok", "value": "f12"}, {"a": 1, "b": "c", "scheme": "x", "value": "y"}, {"scheme": "singleton", "value": ""}]' "--dependency"
is "$(spec '[y["dependencies"][0]["scheme"], 3500 < float(y["dependencies"][0]["value"]) - __import__("time").time() < 3700]' --begin-time=+1h a)" '["begin-time", true]' "--begin-time"
is "$(spec 'y["constraints"]' --requires='host:n[1-2]' --requires=gpu a)" '{"and": [{"hostlist": ["n[1-2]"]}, {"properties": ["gpu"]}]}' "--requires"
is "$(spec 'o["output"]' --output=o.{{id}} --error=e -l a)" '{"stderr": {"label": true, "path": "e", "type": "file"}, "stdout": {"label": true, "path": "o.{{id}}", "type": "file"}}' "--output --error --label-io"
is "$(spec 'o["input"]' --input=in.dat a)" '{"stdin": {"path": "in.dat", "type": "file"}}' "--input=FILE"
is "$(spec 'o["output"]["stdout"]["buffer"]' -u a)" '{"type": "none"}' "--unbuffered"
is "$(spec 'y["environment"]' --env-remove='*' --env=A=1 --env='B=$A/2' a)" '{"A": "1", "B": "1/2"}' "--env"
printf -- '-*\nFROM_HERE*\nC=3\n' >rules
is "$(FROM_HERE_X=yes spec 'y["environment"]' --env-file=rules a)" '{"C": "3", "FROM_HERE_X": "yes"}' "--env-file"
is "$(SOME_VARIABLE=x spec 'y["environment"]["SOME_VARIABLE"]' a)" x "the environment is taken along"
is "$(spec 'o["env-expand"]' --env='T={{tmpdir}}' a)" '{"T": "{{tmpdir}}"}' "--env with a template"
is "$(spec 'o["rlimit"]' --rlimit=-*,core=0 a)" '{"core": 0}' "--rlimit"
is "$(spec '[r["count"], o["apps"]]' -n1 ./a x : -n2 --cwd=/y ./b)" '[3, [{"command": ["./a", "x"], "ntasks": 1}, {"command": ["./b"], "cwd": "/y", "ntasks": 2}]]' "several programs"
is "$(spec '[a.get("environment", {}).get("V") for a in o["apps"]]' a : --env=V=2 b)" '[null, "2"]' "... with an environment of their own"
is "$(capture hbatch submit --dry-run --cc=1-2 x{cc} {{cc}} && grep -o '"command":\[[^]]*\]' <<<"$out" | tr '\n' ' ')" '"command":["x1","{{cc}}"] "command":["x2","{{cc}}"] ' "{cc} in the command"

refuses "--ntasks=0: must be a positive whole number" run --dry-run -n0 a
refuses "--nodes=x:" run --dry-run -N x a
refuses "5 nodes are more than there are tasks (2)" run --dry-run -N5 -n2 a
refuses "exclusive can only be set together with nodes" run --dry-run -x a
refuses "cannot be used together with ntasks" run --dry-run --cores=4 -n2 a
refuses "tasks-per-node needs nodes" run --dry-run --tasks-per-node=4 a
refuses "7 cores cannot be divided evenly among 2 nodes" run --dry-run -N2 --cores=7 a
refuses "--time-limit=5x:" run --dry-run -t 5x a
refuses "--urgency: '99' is not a whole number from 0 to 31" run --dry-run --urgency=99 a
refuses "--flags: 'nope' is not a flag" run --dry-run --flags=nope a
refuses "--signal=FROB: 'FROB' is not a signal" run --dry-run --signal=FROB a
refuses "--dependency=:x: must be SCHEME:VALUE" run --dry-run --dependency=:x a
capture hbatch run --dry-run -o pty -o cpu-afinity=off -o pmi=off -o output.mode=append a
is "$err" "hbatch run: there is no launch option 'pty': it is ignored
hbatch run: there is no launch option 'cpu-afinity': it is ignored; did you mean 'cpu-affinity'?" \
    "launch options that there are not"
refuses "--begin-time=whenever" run --dry-run --begin-time=whenever a
refuses "/no/such/file" run --dry-run --env-file=/no/such/file a
refuses "variable NOSUCH is not set" run --dry-run --env='A=$NOSUCH' a
refuses "no resource limit named 'nosuch'" run --dry-run --rlimit=nosuch a
refuses "cannot read JSON from /no/such" run --dry-run -S ^a=/no/such a
refuses "--resources=" run --dry-run --resources='node=[' a
refuses "--requires=" run --dry-run --requires='(' a
refuses "argument 1 of the command is not UTF-8" run --dry-run a $'\xff'
capture env BAD_ONE=$'x\xff' hbatch submit --dry-run --cc=1-3 a
is "$rc|$(wc -l <<<"$out")|$err" "0|3|hbatch submit: the variable BAD_ONE is not UTF-8 and is left out of the job's environment (--env=-BAD_ONE leaves it out without this note)" "a variable that is not UTF-8 is named, once"
capture env BAD_ONE=$'x\xff' hbatch submit --dry-run --env=-BAD_ONE a
is "$rc|$err" "0|" "... unless it was not wanted"
refuses "input to some tasks is for hbatch run" submit --input=0 a
refuses "--cc: " submit --cc=x a
refuses "--output is of the whole job and cannot differ between its programs" submit --dry-run a : --output=x b

# --- run -----------------------------------------------------------------------------------------
event() { printf '["job.event",{"id":5,"event":{"timestamp":%s,"name":"%s"%s}}]' "$1" "$2" "${3:+,\"context\":$3}"; }
output() { printf '["job.output",{"id":5,"io":{"stream":"%s","rank":"%s","data":"%s"%s}}]' "$1" "$2" "$3" "${4:-}"; }
ended() { printf '["job.end",{"id":5,"state":"INACTIVE","result":"%s","status":%s,"exit":%s}]' "$1" "$2" "$3"; }
submit_step() { # NOTES: a job.submit that is answered with these
    local IFS=,
    printf '[{"method":"job.submit","result":{"id":5,"count":1},"notes":[%s]}]' "$*"
}

leader "$(submit_step "$(event 1 submit)" "$(event 1.5 start)" "$(output stdout 0 'hello\n')" \
    "$(output stderr 0 'oops\n')" "$(ended COMPLETED 0 0)")"
capture hbatch run -n1 --urgency=20 echo
is "$rc|$out|$err" "0|hello|oops" "run: both streams, exit code 0"
is "$(sent job.submit '[p["follow"], p["urgency"], o["shell"]["options"].get("input")]')" '["attach", 20, null]' "one message, no input from /dev/null"
capture hbatch run -v a
is "$err" $'jobid: f6\noops' "-v tells the id"
capture hbatch run -vv a
like "$err" $'\n0.500s: job.start' "-vv tells the events"

leader "$(submit_step "$(output stdout 1 'a\nb')" "$(output stdout 0 'c\n')" "$(output stdout 1 'c\nd')" \
    "$(output stdout 1 '' ',"eof":true')" "$(output stdout 0 'YmluCg==' ',"encoding":"base64"')" "$(ended FAILED 768 3)")"
capture hbatch run -l a
is "$rc|$out" $'3|1: a\n0: c\n1: bc\n1: d\n0: bin' "--label-io joins lines that come in pieces"
is "$err" "hbatch run: task(s) exited with exit code 3" "a failure is told"

leader "$(submit_step "$(ended FAILED 9 137)")"
capture hbatch run a
is "$rc|$err" "137|hbatch run: task(s) Killed" "a signal: 128 + 9"
leader "$(submit_step "$(event 1 submit)" "$(event 3 exception '{"type":"cancel","severity":0,"note":"why"}')" "$(ended CANCELED -1 0)")"
capture hbatch run a
is "$rc|$err" "1|2.000s: job.exception f6 type=cancel severity=0 why" "a canceled job: exit code 1"
leader '[{"method":"job.submit","error":[28,"this instance has 2 cores; 64 were asked for"]}]'
refuses "hbatch run: this instance has 2 cores; 64 were asked for" run -n64 a
leader '[{"method":"job.submit","close":true}]'
refuses "is lost: it closed the connection" run a
leader '[{"method":"job.submit","raw":"hello\n"}]'
refuses "is lost: it sent what is not a JSON object" run a
leader "$(submit_step "$(output stdout 0 'partial')")"
leader '[{"method":"job.submit","result":{"id":5,"count":1},"notes":[["job.output",{"id":5,"io":{"stream":"stdout","rank":"0","data":"part"}}]],"close":true}]'
capture hbatch run a
is "$rc|$out" "1|part" "an instance that dies: exit code 1, and what had come is shown"
like "$err" "is lost" "... and told"

# standard input waits for the start event
leader '[{"method":"job.submit","result":{"id":5,"count":1},"notes":[["job.event",{"id":5,"event":{"timestamp":1,"name":"start"}}]]},
    {"method":"job.stdin"},
    {"method":"job.stdin","stream":"job.submit","notes":[["job.end",{"id":5,"result":"COMPLETED","status":0,"exit":0}]]}]'
printf 'to the task\n' | timeout 20 hbatch run cat
is $? 0 "run with input"
is "$(sent job.stdin '[p["id"], p.get("data"), p["eof"]]' | tr '\n' ' ')" '[5, "to the task\n", false] [5, null, true] ' "... is sent, and its end"
is "$(sent job.submit 'o["shell"]["options"]["input"]')" '{"stdin": {"type": "service"}}' "... as the specification says"

# output is acknowledged
leader "$(python3 -c '
import json
data = "x" * 99 + "\n"
notes = [["job.output", {"id": 5, "io": {"stream": "stdout", "rank": "0", "data": data * 1000}}]] * 6
notes.append(["job.end", {"id": 5, "result": "COMPLETED", "status": 0, "exit": 0}])
print(json.dumps([{"method": "job.submit", "result": {"id": 5, "count": 1}, "notes": notes}]))')"
capture hbatch run a
is "${#out}" 599999 "much output"
is "$(sent job.ack 'p["bytes"]' | head -1)" 300000 "... is acknowledged"

# signals: the instance ends the job when it hears of it
leader '[{"method":"job.submit","result":{"id":5,"count":1}},
    {"method":"job.kill","result":{},"stream":"job.submit","notes":[["job.end",{"id":5,"result":"FAILED","status":15,"exit":143}]]}]'
hbatch run a 2>err &
pid=$!
wait_until 20 grep -q job.submit log
wait_until 20 grep -q 'SigBlk:.*[4567c-f][0-9a-f]\{3\}$' /proc/$pid/status
kill -TERM $pid
wait $pid
is "$?|$(sent job.kill)" '143|{"id": 5, "signal": 15}' "SIGTERM goes to the job"
leader '[{"method":"job.submit","result":{"id":5,"count":1}},
    {"method":"job.kill","error":[22,"the job is not running"]},
    {"method":"job.cancel","result":{"canceled":1,"errors":[]},"stream":"job.submit","notes":[["job.end",{"id":5,"result":"CANCELED","status":-1,"exit":1}]]}]'
timeout 20 hbatch run a 2>err &
pid=$!
wait_until 20 grep -q job.submit log
run=$(pgrep -P $pid)
wait_until 20 grep -q 'SigBlk:.*[4567c-f][0-9a-f]\{3\}$' "/proc/$run/status"
kill -USR1 "$run"
wait_until 20 grep -q 'not running' err
is "$(sent job.cancel)" "" "SIGUSR1 while the job waits: it waits on"
kill -TERM "$run"
wait $pid
is "$?|$(sent job.cancel 'p["note"]')" "1|hbatch run got SIGTERM before the job ran" \
    "SIGTERM while the job waits cancels it"
leader '[{"method":"job.attach","result":{"id":5,"ntasks":1,"state":"SCHED"}},
    {"method":"job.kill","error":[22,"the job is not running"]}]'
timeout 20 hbatch attach f6 2>err &
pid=$!
wait_until 20 grep -q job.attach log
run=$(pgrep -P $pid)
wait_until 20 grep -q 'SigBlk:.*[4567c-f][0-9a-f]\{3\}$' "/proc/$run/status"
kill -HUP "$run"
wait $pid
is "$?|$(sent job.cancel)|$(cat err)" "129||" "SIGHUP ends attach, and leaves a job that waits alone"
leader '[{"method":"job.submit","result":{"id":5,"count":1}},
    {"method":"job.cancel","result":{"canceled":1,"errors":[]},"stream":"job.submit","notes":[["job.end",{"id":5,"result":"CANCELED","status":-1,"exit":1}]]}]'
(trap - INT; exec hbatch run a) 2>err &
pid=$!
wait_until 20 grep -q job.submit log
wait_until 20 grep -q 'SigBlk:.*[4567c-f][0-9a-f]\{3\}$' /proc/$pid/status
kill -INT $pid
wait_until 20 grep -q 'one more ctrl-C' err
is "$(sent job.cancel)" "" "one ctrl-C only warns"
kill -INT $pid
wait $pid
is "$?|$(sent job.cancel 'p["note"]')" "1|interrupted by ctrl-C" "a second cancels the job"
leader "$(submit_step "$(output stdout 0 'x\n')")"
timeout 20 hbatch run yes | true
is "${PIPESTATUS[0]}" 141 "nobody reads: exit code 141"
wait_until 5 grep -q job.cancel log
like "$(sent job.cancel 'p["note"]')" "nobody reads" "... and the job is canceled"

# attach
leader '[{"method":"job.attach","result":{"id":5,"ntasks":1,"state":"INACTIVE"},"notes":[["job.output",{"id":5,"io":{"stream":"stdout","rank":"0","data":"out\n"}}],["job.end",{"id":5,"result":"FAILED","status":512,"exit":2}]]}]'
capture hbatch attach f6
is "$rc|$out" "2|out" "attach"
capture hbatch job attach -lq 5
is "$rc|$out|$err" "2|0: out|" "job attach -lq, a decimal id"
leader '[{"method":"job.attach","error":[2,"no such job: f6"]}]'
refuses "hbatch job attach: no such job: f6" job attach f6
refuses "ƒƒ" attach ƒƒ
refuses "no such job: 0" attach 0

# --- submit --------------------------------------------------------------------------------------
leader '[{"method":"job.submit","result":{"id":5,"count":3},"notes":[["job.ends",{"ends":[[5,0,"COMPLETED"],[6,512,"FAILED"]],"left":1}],["job.ends",{"ends":[[7,-1,"CANCELED"]],"left":0}]]}]'
capture hbatch submit --cc=1,3,5 --flags=waitable,debug true
is "$rc|$out" $'0|f6\nf7\nf8' "submit --cc: computed ids"
is "$(sent job.submit '[p["cc"], p["flags"], p.get("follow")]')" '["1,3,5", ["waitable", "debug"], null]' "... of one message"
capture hbatch submit --cc=1-3 --wait --quiet -v true
is "$rc|$out" "2|" "--wait: the greatest exit code"
like "$err" "f7: FAILED with exit code 2" "... -v tells each end"
like "$err" "f8: CANCELED" "... also of those that never ran"
leader '[{"method":"job.submit","result":{"id":5,"count":1}}]'
capture hbatch submit --bcc=1-3 true
is "$rc|$(sent job.submit '[p.get("cc"), "HBATCH_JOB_CC" in o["environment"]]' | uniq -c | tr -s ' ')" '0| 3 [null, false]' "--bcc: copies"
capture hbatch submit --cc=7,9 --log='id.{cc}' echo {cc}
is "$(sent job.submit '[p.get("cc"), p["jobspec"]["tasks"][0]["command"][-1]]' | tail -2 | tr '\n' ' ')" '["7", "7"] ["9", "9"] ' "{cc} is replaced"
is "$(cat id.7)|$(cat id.9)" "f6|f6" "--log with {cc}"
leader '[{"method":"job.submit","result":{"id":5,"count":2},"notes":[
    ["job.output",{"id":5,"io":{"stream":"stdout","rank":"0","data":"one\n"}}],
    ["job.output",{"id":6,"io":{"stream":"stdout","rank":"1","data":"two\n"}}],
    ["job.end",{"id":6,"result":"FAILED","status":256,"exit":1,"left":1}],
    ["job.end",{"id":5,"result":"COMPLETED","status":0,"exit":0,"left":0}]]}]'
capture hbatch submit --cc=1-2 --watch -l --quiet a
is "$rc|$out" $'1|f6: 0: one\nf7: 1: two' "--watch shows all output"
is "$(sent job.submit '[p["cc"], p["follow"]]')|$(sent job.attach)" '["1-2", "attach"]|' "... of one stream"

# --- jobs ----------------------------------------------------------------------------------------
leader '[{"method":"job.list","result":{"more":false,"jobs":[
    {"id":6,"name":"a-very-long-name","state":"RUN","ntasks":4,"nnodes":2,"ncores":8,"username":"alice","t_submit":1700000000,"t_run":1700000100,"nodelist":"n[1-2]","urgency":16},
    {"id":5,"name":"done","state":"INACTIVE","result":"FAILED","status":768,"ntasks":1,"nnodes":1,"username":"alice","t_submit":1700000000,"t_run":1700000100,"t_cleanup":1700000190,"t_inactive":1700000191,"nodelist":"n1"},
    {"id":4,"name":"waits","state":"SCHED","ntasks":1,"username":"alice","duration":600,"reason":"waiting for resources","urgency":16}]}},
    {"method":"job.stats","result":{"pending":1,"running":2,"completed":3,"failed":4,"canceled":1,"timeout":0}}]'
capture hbatch jobs -a
is "$(sed 's/ *[0-9.]*d n\[1-2\]/ T n[1-2]/' <<<"$out")" "       JOBID USER     NAME       ST NTASKS NNODES     TIME INFO
          f7 alice    a-very-lo+  R      4      2 T n[1-2]
          f6 alice    done        F      1      1     1.5m n1
          f5 alice    waits       S      1      -      10m waiting for resources" "the default format"
is "$(sent job.list)" '{"fold": true, "max": 1000, "states": 127}' "jobs -a asks for all states"
capture hbatch jobs -n -o '{id.dec:>4}|{name:^7.4}|{returncode}|{t_submit!D:h}|{runtime!H}|{inactive_reason}|{status}' -f failed
like "$out" "   5| done  \|3\|2023-11-14T22:13:20\|0:01:30\|Exit 3\|FAILED" "-o"
capture hbatch jobs -c 5 -f pending,run --name=x
is "$(sent job.list | tail -1)" '{"fold": true, "max": 5, "name": "x", "states": 30}' "-f, -c, --name"
capture hbatch jobs -f failed,timeout
is "$(sent job.list | tail -1)" '{"fold": true, "max": 1000, "results": 10}' "-f with results"
capture hbatch jobs --json f6
is "$(python3 -c 'import json,sys; j=json.load(sys.stdin)["jobs"]; print(len(j), j[1]["jobid"], j[1]["returncode"], j[1]["status"])' <<<"$out")" "3 f6 3 FAILED" "--json"
capture hbatch jobs --sort=id -n -o '{id.dec}'
is "$out" $'4\n5\n6' "--sort"
capture hbatch jobs --stats-only
is "$rc|$out" "0|2 running, 3 completed, 5 failed, 1 pending" "--stats-only"
ok "-o help" hbatch jobs -o help
refuses "there is no field 'nosuch'" jobs -o '{nosuch}'
refuses "there is no format named 'nosuch'" jobs -o nosuch
refuses "--filter: 'nope' is neither a state" jobs -f nope
refuses "--count: 'x'" jobs -c x
capture hbatch jobs f6 f99
is "$rc|$err" "1|hbatch jobs: there is no job f99" "an id that did not come"
many=$(seq -s, -f '{"id":%.0f,"state":"SCHED"}' 1000)
leader "[{\"method\":\"job.list\",\"result\":{\"more\":true,\"jobs\":[$many]}},
    {\"method\":\"job.list\",\"result\":{\"more\":true,\"jobs\":[{\"id\":5,\"state\":\"SCHED\"}]}}]"
capture hbatch jobs
is "$err" "hbatch jobs: there are more jobs than these 1000: see --count and --filter" "there are more jobs"
capture hbatch jobs -c 1
is "$rc|$err" "0|" "... which is not told where their number was asked for"

# --- other verbs ---------------------------------------------------------------------------------
leader '[{"method":"resource.list","result":{"nodes":[
    {"rank":0,"host":"n0","cores":"0-3","gpus":"0","free_cores":"0-1","free_gpus":"0","state":"up"},
    {"rank":1,"host":"n1","cores":"0-3","gpus":"","free_cores":"0-3","free_gpus":"","state":"up"},
    {"rank":2,"host":"n2","cores":"0-3","gpus":"","free_cores":"0-3","free_gpus":"","state":"drained","reason":"a fan"}]}},
    {"method":"queue.list","result":{"queues":[]}},
    {"method":"instance.info","result":{"uri":"local:///x","hostname":"h","size":3,"level":1,"owner":0,"starttime":1,"attrs":{"color":"red"}}}]'
capture hbatch resource list
is "$out" "     STATE NNODES NCORES NGPUS NODELIST
      free      2      6     1 n[0-1]
 allocated      1      2     0 n0
   drained      1      4     0 n2
      down      0      0     0 " "resource list"
capture hbatch resource list -v -s free
is "$out" "     STATE  RANKS NCORES  NGPUS NODELIST
      free      0      2      1 n0
      free      1      4      0 n1" "resource list -v"
capture hbatch resource status
like "$out" "drained  y      1 n2" "resource status"
capture hbatch resource drain n1 a broken disk
is "$(sent resource.drain)" '{"ranks": "1", "reason": "a broken disk"}' "resource drain by host"
capture hbatch resource drain
like "$out" "drained +a fan +n2" "drain without nodes lists"
refuses "no node of this instance is named 'nosuch'" resource undrain nosuch
capture hbatch getattr color
is "$out" red "getattr"
refuses "no attribute 'taste'" getattr taste
capture hbatch uri --remote
is "$out" "ssh://h/x" "uri --remote"
capture hbatch uptime
like "$out" "run .*owner .*,  depth 1,  size 3,  1 drained$" "uptime"
leader '[{"method":"resource.list","result":{"nodes":[]}},
    {"method":"instance.info","result":{"level":0,"size":2,"starttime":1000,"owner":0,
    "usage":{"nodes":2,"load":3.256,"load_max":2,"memory":8000,"memory_available":6000,"memory_max":0.3}}}]'
capture hbatch uptime
like "$out" ",  size 2,  load 3.26,  memory 25% used$" "uptime with usage"

leader '[{"method":"job.cancel","result":{"canceled":0,"errors":[{"id":5,"message":"job f6 is over"}]}},
    {"method":"job.list","result":{"jobs":[{"id":7},{"id":6},{"id":5}],"more":false}},
    {"method":"job.kill","error":[22,"the job is not running"]},
    {"method":"job.wait","result":{"id":5,"result":"FAILED","status":512,"exit":2}},
    {"method":"job.urgency","result":{"old":0}},
    {"method":"job.info","result":{"eventlog":"{\"timestamp\":1.5,\"name\":\"submit\",\"context\":{\"urgency\":16}}\n{\"timestamp\":2.0,\"name\":\"start\"}\n","taskmap":"[[0,2,2,1]]"}},
    {"method":"job.attach","result":{},"notes":[["job.event",{"id":5,"event":{"timestamp":1,"name":"submit"}}],["job.event",{"id":5,"event":{"timestamp":2,"name":"start","context":{"a":"b"}}}],["job.end",{"id":5,"result":"COMPLETED","status":0,"exit":0}]]}]'
capture hbatch cancel f6
is "$rc|$err" "1|hbatch cancel: job f6 is over" "cancel tells what failed"
capture hbatch cancel f6-f7
is "$(sent job.cancel 'p["ranges"]' | tail -1)" "[[5, 6]]" "cancel A-B: the leader knows those between"
capture hbatch cancel --all -n
like "$err|$(sent job.cancel 'p.get("dry")' | tail -1)" "would cancel 0 jobs.*\|true$" "cancel --all --dry-run: the leader tells how many"
refuses "not both" cancel --all f6
refuses "which jobs?" cancel
refuses "--states: 'over' must be" cancel -S over
capture hbatch job kill -s KILL f6
is "$rc|$err|$(sent job.kill)" '1|hbatch job kill: f6: the job is not running|{"id": 5, "signal": 9}' "job kill"
refuses "'NOPE' is not a signal" job kill -s NOPE f6
capture hbatch job wait f6
is "$rc|$err" "1|hbatch job wait: f6: task(s) exited with exit code 2" "job wait"
capture hbatch job status f6
is "$rc|$err" "2|" "job status: the exit code"
capture hbatch job raise --severity=3 -t foo f6 some note
is "$(sent job.raise)" '{"id": 5, "note": "some note", "severity": 3, "type": "foo"}' "job raise"
capture hbatch job urgency -v f6 expedite
is "$err|$(sent job.urgency)" 'old urgency: job held|{"id": 5, "urgency": 31}' "job urgency"
capture hbatch job last '[::-1]'
is "$out" $'f6\nf7\nf8' "job last, a slice"
capture hbatch job id --to=hex f6 5
is "$out" $'0x5\n0x5' "job id"
capture hbatch job eventlog f6
is "$out" $'1.500000 submit urgency=16\n2.000000 start' "job eventlog"
capture hbatch job info f6 taskmap
is "$out" "[[0,2,2,1]]" "job info"
refuses "the job has no R" job info f6 R
is "$(capture hbatch job taskmap --to=raw f6; echo "$out")" "0-1;2-3" "job taskmap"
is "$(capture hbatch job taskmap --nodeid=2 '[[0,2,2,1]]'; echo "$out")" 1 "job taskmap of a map"
refuses "there is no task 9" job taskmap --nodeid=9 '[[0,2,2,1]]'
capture hbatch wait-event f6 start
is "$rc|$out" '0|2.000000 start a="b"' "wait-event"
refuses "event 'nosuch' never came" wait-event f6 nosuch

# --- start ---------------------------------------------------------------------------------------
unset HBATCH_URI
capture hbatch start --dry-run --test-topology="core:4 pu:1" ./x 'a b'
is "$out" "$(dirname "$(readlink -f "$(command -v hbatch)")")/hbatch-instance '--topology=core:4 pu:1' ./x 'a b'" "start: one node needs no mpirun"
capture hbatch start --dry-run --test-nodes=4 -t 1h --uri-file=u ./x
like "$out" "^mpi[^ ]* .*-n 4 .*/hbatch-instance --virtual --time-limit=3600s( --tell-status)? --uri-file=u ./x" "start --test-nodes"
refuses "property 'a b:n1': its name must not have ' '" start --dry-run --property='a b:n1'
capture hbatch start --dry-run --property=a --property=b:n[1-2] ./x
like "$out" "/hbatch-instance --property=a .?--property=b:n\[1-2\].? ./x" "start --property"
capture env HBATCH_LOSS_TIMEOUT=9s hbatch start --dry-run --hosts=a,b ./x
case $(hbatch version) in
*openmpi*) like "$out" " -x HBATCH_LOSS_TIMEOUT " "start takes settings to all hosts" ;;
esac
printf 'n1 slots=4\n# no\nn2\n' >hosts
capture hbatch start --dry-run --hostfile=hosts --mpirun=/opt/mpirun -o "--mca x y" ./x
like "$out" "^/opt/mpirun -?-hosts? n1,n2 .*--mca x y .*hbatch-instance( --tell-status)? ./x" "start --hostfile"
refuses "cannot be used together" start --hosts=a --hostfile=hosts
refuses "--hosts: " start --dry-run --hosts='a['
refuses "cannot read the host file /no/such" start --dry-run --hostfile=/no/such
refuses "--test-nodes: '0'" start --test-nodes=0

done_testing
