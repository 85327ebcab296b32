#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# What users and broken clients may do to an instance: each gives a clear error, and the instance
# goes on.
. "${0%/*}/../system/lib.sh"
need python3 python3
export PYTHONPATH=$lib_dir PYTHONDONTWRITEBYTECODE=1
raw() { timeout 30 python3 "$lib_dir/raw.py" "$@"; }

no_job_is_left() { [ -z "$(hbatch jobs -no '{id}')" ]; }
array_is_there() { [ "$(hbatch jobs -ano '{id}' | wc -l)" -ge 200 ]; }

# goes_on WHAT: the instance runs jobs after WHAT, and it still is the same one.
goes_on() { ok "the instance goes on after $1" hbatch run true; }

# refused PART COMMAND...: exit code 1 and one line on stderr that has PART
refused() {
    local part=$1
    shift
    capture "$@"
    if [ $rc = "${code:-1}" ] && [ -z "$out" ] && [[ $err == *"$part"* && $err != *$'\n'* ]]; then
        pass "refused: ${*:0:80}"
    else
        fail "refused: ${*:0:80}" "wanted: $part"
        shown "$*"
    fi
}

# answers PART LINE NAME: the reply to a raw LINE is an error that has PART
answers() {
    local reply
    reply=$(raw "$2" 2>&1)
    if [[ $reply == *'"error"'*"$1"* ]]; then pass "$3"; else fail "$3" "got: $reply"$'\n'"wanted: $1"; fi
}

# --- no instance ---------------------------------------------------------------------------------
unset HBATCH_URI
for command in "run true" "submit true" jobs "resource list" "cancel f23" "job attach f23" shutdown uptime; do
    # shellcheck disable=SC2086
    refused "start one with 'hbatch start'" hbatch $command
done
instance_start gone --test-topology="core:2 pu:1" || exit 1
gone_uri=$HBATCH_URI
kill -KILL "$instance_pid" # on one node, hbatch start becomes hbatch-instance
wait "$instance_pid" 2>/dev/null
# shellcheck disable=SC2046
kill -KILL $(strays) 2>/dev/null # its initial program and its executor
ok "the socket of a dead instance is still there" [ -S "${gone_uri#local://}" ]
refused "is gone (its socket refuses connections)" hbatch run true
like "$err" "start one with" "it is said how to start another"
rm -rf "$(dirname "${gone_uri#local://}")"
refused "is gone (its socket does not exist)" hbatch run true
HBATCH_URI="not-a-uri" refused "'not-a-uri' is not an instance's URI" hbatch jobs
HBATCH_URI="local://$tmp" refused "$tmp" hbatch jobs

instance_start main --test-topology="core:2 pu:1" || exit 1

# --- programs that cannot be run -----------------------------------------------------------------
nok "an unknown program" hbatch run no-such-program-at-all
is $rc 127 "exit code 127"
like "$err" "no-such-program-at-all: command not found" "it is named"
for line in 'echo a; echo b' './app in.1' 'cd /'; do
    capture hbatch run "$line"
    like "$rc|$err" "^127\|.*$line: command not found: a command is a program and its words" "a line for a shell: $line"
done
capture hbatch run cd /
like "$rc|$err" "^127\|.*cd: command not found: it is a word of shells: say sh -c 'cd ...'" "a shell's own command"
capture hbatch --nonsense jobs
like "$rc|$err" "^1\|hbatch: there is no option '--nonsense'" "no option before the verb"
nok "an unknown path" hbatch run ./no/such
is $rc 127 "exit code 127"
like "$err" "\./no/such: .*No such file" "it is named"
echo 'echo hello' >plain && chmod 644 plain
nok "a file that is not executable" hbatch run ./plain
is $rc 126 "exit code 126"
like "$err" "\./plain: Permission denied" "it is said why"
nok "a directory" hbatch run "$tmp"
is $rc 126 "exit code 126"
printf '\177ELFnonsense' >broken && chmod 755 broken
nok "a broken executable" hbatch run ./broken
like $rc "^12[67]$" "exit code 126 or 127"
nok "a working directory that does not exist" hbatch run --cwd=/no/such/dir true
like "$err" "/no/such/dir" "it is named"
nok "an output file that cannot be made" hbatch run --output=/no/such/dir/out true
like "$err" "/no/such/dir/out" "it is named"
nok "an input file that does not exist" hbatch run --input=/no/such/input cat
like "$err" "/no/such/input" "it is named"
goes_on "programs that cannot be run"

# --- impossible resources ------------------------------------------------------------------------
refused "this instance has 2 cores; 64 were asked for" hbatch run -n 64 true
refused "this instance has 2 cores; 64 were asked for" hbatch submit -n 64 true
refused "; 5 were asked for" hbatch run -c 5 true
refused "this instance has 1 node; 3 were asked for" hbatch run -N 3 true
refused "GPU" hbatch run -g 1 true
refused "" hbatch run -n 0 true
refused "" hbatch run -n -1 true
refused "" hbatch run -n 99999999999999999999 true
refused "" hbatch submit --cc=5-1 true
refused "" hbatch submit --cc=0-4000000000 true
refused "no node of this instance matches" hbatch run --requires=host:nosuchhost true
refused "" hbatch run --urgency=99 true
refused "" hbatch run -t forever true
refused "" hbatch run --dependency=afterok:f1 true
is "$(hbatch jobs -no '{id}')" "" "nothing of that is queued"
goes_on "impossible requests"

# --- job ids -------------------------------------------------------------------------------------
for verb in "job attach" "job wait" "job info" "job eventlog" "job kill" "job raise" "cancel" \
    "job wait-event"; do
    more=
    [ "$verb" = "job info" ] && more=R
    [ "$verb" = "job wait-event" ] && more=finish
    code=1
    [ "$verb" = "job wait" ] && code=2 # as Flux has it
    # shellcheck disable=SC2086
    refused "no such job: f2345" hbatch $verb f2345 $more
    # shellcheck disable=SC2086
    refused "xx##" hbatch $verb 'xx##' $more
done
code=1
refused "no such job: f2345" hbatch job urgency f2345 7
refused "" hbatch cancel f99999999999999999999
refused "" hbatch cancel -5
over=$(hbatch submit --wait true)
refused "over" hbatch job kill "$over"
refused "over" hbatch cancel "$over"
refused "over" hbatch job urgency "$over" 9
goes_on "wrong job ids"

# --- job specifications over the socket ----------------------------------------------------------
python3 - >specs.out 2>&1 <<'END'
import copy, json, raw
c = raw.Client()
good = raw.jobspec("true")
def change(path, value):
    spec = copy.deepcopy(good)
    o = spec
    for key in path[:-1]:
        o = o[key]
    if value is None:
        del o[path[-1]]
    else:
        o[path[-1]] = value
    return spec
deep = {}
for _ in range(5000):
    deep = {"a": deep}
bad = {
    "a number": 7, "a text": "x", "a list": [], "nothing": {},
    "no version": change(["version"], None), "version 9": change(["version"], 9),
    "no resources": change(["resources"], None), "resources empty": change(["resources"], []),
    "resources a text": change(["resources"], "core"),
    "negative count": change(["resources", 0, "count"], -4),
    "count 0": change(["resources", 0, "count"], 0),
    "huge count": change(["resources", 0, "count"], 1 << 62),
    "type 7": change(["resources", 0, "type"], 7),
    "no tasks": change(["tasks"], None), "tasks empty": change(["tasks"], []),
    "empty command": change(["tasks", 0, "command"], []),
    "command of numbers": change(["tasks", 0, "command"], [1, 2]),
    "unknown slot": change(["tasks", 0, "slot"], "other"),
    "no attributes": change(["attributes"], None),
    "attributes a list": change(["attributes"], []),
    "negative duration": change(["attributes", "system", "duration"], -1),
    "duration a text": change(["attributes", "system", "duration"], "long"),
    "environment a list": change(["attributes", "system", "environment"], ["a"]),
    "environment of numbers": change(["attributes", "system", "environment"], {"A": 1}),
    "cwd a number": change(["attributes", "system", "cwd"], 1),
    "options a list": change(["attributes", "system", "shell"], {"options": []}),
    "constraint": change(["attributes", "system", "constraints"], {"nope": 1}),
    "dependencies": change(["attributes", "system", "dependencies"], {"x": 1}),
}
for name, spec in bad.items():
    try:
        result = c.reply(c.call("job.submit", jobspec=spec))
        print("not ok", name, "was accepted:", result)
    except raw.Error as e:
        code, message = e.args
        print("ok" if code > 0 and message and "\n" not in message else "not ok", name + ":", message)
for name, params in {
    "urgency 99": dict(urgency=99), "urgency text": dict(urgency="high"),
    "cc backwards": dict(cc="9-1"), "cc number": dict(cc=5), "cc empty": dict(cc=""),
    "cc endless": dict(cc="1-"), "flags": dict(flags=["nope"]), "flags of numbers": dict(flags=[3]),
    "follow": dict(follow="me"),
}.items():
    try:
        print("not ok", name, "was accepted:", c.reply(c.call("job.submit", jobspec=good, **params)))
    except raw.Error as e:
        print("ok" if e.args[0] > 0 else "not ok", name + ":", e.args[1])
# a map that does not fit is found when the job runs
try:
    spec = raw.jobspec("true", shell={"options": {"taskmap": {"scheme": "manual", "value": "[[0,9,9,1]]"}}})
    r = c.reply(c.call("job.submit", jobspec=spec))
    end = c.reply(c.call("job.wait", id=r["id"]))
    print("ok" if end["result"] == "FAILED" and "task map" in end["exception"]["note"] else "not ok", "task map:", end)
except raw.Error as e:
    print("ok task map:", e.args[1])
try:
    c.raw(b'{"jsonrpc":"2.0","id":9999,"method":"job.submit","params":{"jobspec":' + json.dumps(good).encode()[:-1])
    c.raw(b"\n")
    print("closed" if c.line() is None else "ok half a specification")
    c.raw(b'{"id":1,"method":"job.submit","params":{"jobspec":' + b'{"a":' * 5000 + b"1" + b"}" * 5000 + b"}}\n")
    print("ok a deep specification" if "error" in c.line() else "not ok deep")
except raw.Error as e:
    print("not ok", e)
print("done")
END
while read -r word rest; do
    case $word in
    ok) pass "job specification: ${rest%%:*}" ;;
    done) ;;
    *) fail "job specification" "$word $rest" ;;
    esac
done <specs.out
is "$(tail -1 specs.out)" "done" "all were tried"
goes_on "bad job specifications"

# --- requests ------------------------------------------------------------------------------------
answers "JSON text" 'hello' "no JSON"
answers "JSON text" '{"id":1,"method":' "half an object"
answers "JSON text" '' "an empty line"
answers "no such method" '[1,2,3]' "a list"
answers "no such method" '{"id":1}' "no method"
answers "no such method: reboot" '{"id":1,"method":"reboot"}' "an unknown method"
answers "no such method" '{"id":1,"method":7}' "a method that is a number"
answers "'jobspec' is missing" '{"id":1,"method":"job.submit"}' "no parameters"
answers "'jobspec' is missing" '{"id":1,"method":"job.submit","params":[1]}' "parameters in a list"
answers "'id' is missing" '{"id":1,"method":"job.attach","params":{}}' "attach to nothing"
answers "id must be" '{"id":1,"method":"job.attach","params":{"id":"x"}}' "attach to a text"
answers "id must be" '{"id":1,"method":"job.wait","params":{"id":-1}}' "a negative id"
answers "id must be" '{"id":1,"method":"job.wait","params":{"id":1e400}}' "an endless id"
answers "no such job: f" '{"id":1,"method":"job.follow","params":{"first":5,"count":3}}' "following jobs that do not exist"
answers "count must be" '{"id":1,"method":"job.follow","params":{"first":5,"count":99999999999}}' "a huge count"
answers "needs ids, ranges or states" '{"id":1,"method":"job.cancel","params":{}}' "cancel nothing"
answers "states" '{"id":1,"method":"job.cancel","params":{"ids":[],"states":"running"}}' "states that are no list"
answers "ids" '{"id":1,"method":"job.cancel","params":{"ids":"x","states":["running"]}}' "ids that are no list"
answers "no such job state" '{"id":1,"method":"job.cancel","params":{"states":["odd"]}}' "an unknown state"
answers "ids must be" '{"id":1,"method":"job.list","params":{"ids":7}}' "list: ids"
answers "is not a job id" '{"id":1,"method":"job.list","params":{"ids":["x"]}}' "list: an id"
answers "max must be" '{"id":1,"method":"job.list","params":{"max":-1}}' "list: max"
answers "since" '{"id":1,"method":"job.list","params":{"since":"never"}}' "list: since"
answers "no such job" '{"id":1,"method":"job.info","params":{"id":5,"keys":"R"}}' "info of no job"
answers "ranks" '{"id":1,"method":"resource.drain","params":{}}' "drain nothing"
answers "ranks" '{"id":1,"method":"resource.drain","params":{"ranks":"0-"}}' "drain without end"
answers "ranks" '{"id":1,"method":"resource.drain","params":{"ranks":"7"}}' "drain what is not there"
answers "utf-8" $'{"id":1,"method":"job.list","params":{"name":"\xff\xfe"}}' "no UTF-8"
like "$(raw '{"id":5,"method":"job.cancel","params":{"ids":["x",{},null,-3,1.5]}}')" '"canceled": 0' "ids of all sorts"
goes_on "bad requests"

python3 - >wire.out 2>&1 <<'END'
import os, raw
def alive():
    c = raw.Client()
    return c.reply(c.call("instance.info"))["size"] == 1
# a line beyond what a line may be: the instance hangs up, and not before it was that long
c = raw.Client()
try:
    c.raw(b'{"id":1,"method":"job.list","params":{"name":"' + b"x" * (1 << 20) + b'"}}\n')
    print("ok a line of 1 MiB" if c.line() else "not ok a line of 1 MiB")
    chunk = b"y" * (4 << 20)
    sent = 0
    while sent < 100 << 20:
        c.raw(chunk)
        sent += len(chunk)
    print("not ok a line of 100 MiB was taken")
except OSError:
    print("ok a line without end")
print("ok after it" if alive() else "not ok after it")
# garbage
c = raw.Client()
try:
    c.raw(os.urandom(1 << 20))
    c.raw(b"\n")
    c.sock.shutdown(1)
    while c.line() is not None:
        pass
except OSError:
    pass
print("ok random bytes" if alive() else "not ok random bytes")
# zeros
c = raw.Client()
c.raw(b"\0" * 10000 + b"\n")
print("ok zeros" if "error" in c.line() else "not ok zeros")
# half a request, then gone; connections without a word; many of them
for data in b"", b"{", b'{"id":1,"method":"job.submit","params":{"jobspec":{"ver':
    for _ in range(100):
        c = raw.Client()
        c.raw(data)
        c.close()
print("ok half requests" if alive() else "not ok half requests")
many = [raw.Client() for _ in range(300)]
numbers = [c.call("instance.info") for c in many]
print("ok 300 clients at once" if all(c.reply(n) for c, n in zip(many, numbers)) else "not ok 300")
for c in many:
    c.close()
# requests in pieces, byte by byte
c = raw.Client()
for b in b'{"jsonrpc":"2.0","id":4,"method":"job.stats","params":{}}\n':
    c.raw(bytes([b]))
print("ok byte by byte" if "pending" in c.reply(4) else "not ok byte by byte")
# who never reads what it asked for is not served without end
c = raw.Client(timeout=3)
try:
    line = b'{"id":1,"method":"resource.list"}\n' * 1000
    for i in range(1000):
        c.raw(line)
    print("not ok a client that never reads: all its", (i + 1) * 1000, "requests were taken")
except TimeoutError:
    print("ok a client that never reads is made to wait")
print("ok after it" if alive() else "not ok after it")
c.sock.settimeout(30)
n = 0
c.sock.shutdown(1)
while c.line():
    n += 1
print("ok and gets its answers when it does" if n > 1000 else "not ok answers: %d" % n)
# one that sends stdin to a job that is not there, or with strange keys
c = raw.Client()
c.send({"method": "job.stdin", "params": {"id": 12345, "data": "x"}})
r = c.reply(c.call("job.submit", jobspec=raw.jobspec("cat", shell={"options": {"input": {"stdin": {"type": "service"}}}}), follow="attach"))
c.until("job.event", lambda p: p["event"]["name"] == "start")
for p in ({"m": "quit"}, {"data": 7}, {"data": "!!", "encoding": "base64"}, {"data": "a", "encoding": "rot13"},
          {"data": "b", "ranks": "99"}, {"data": "c", "ranks": "x-"}, {"data": "d", "eof": "perhaps"}, {"eof": 7}):
    c.send({"method": "job.stdin", "params": dict(p, id=r["id"])})
c.send({"method": "job.stdin", "params": {"id": r["id"], "data": "good\n", "eof": True}})
end = c.until("job.end")
print("ok odd standard input" if end["result"] == "COMPLETED" else "not ok odd standard input: %s" % end)
for p in ({"sub": 5, "bytes": 1 << 62}, {"sub": -1}, {"sub": "x"}, {"bytes": 3}, {}):
    c.send({"method": "job.ack", "params": p})
print("ok odd acknowledgements" if alive() else "not ok")
print("done")
END
while read -r word rest; do
    case $word in
    ok) pass "$rest" ;;
    done) ;;
    *) fail "on the socket: $rest" "$word $rest" ;;
    esac
done <wire.out
is "$(tail -1 wire.out)" "done" "all were tried"
goes_on "garbage"

# --- clients that vanish -------------------------------------------------------------------------
python3 - >vanish.out 2>&1 <<'END'
import os, raw
watcher = raw.Client()
def over(id):
    return watcher.reply(watcher.call("job.wait", id=id))
def submit(*command, **more):
    c = raw.Client()
    n = c.call("job.submit", jobspec=raw.jobspec(*command), **more)
    return c, n
# right after the request: it is taken all the same or not at all
for _ in range(50):
    c, n = submit("true", follow="attach")
    c.close()
print("ok right after submit")
# between the reply and the end
c, n = submit("sh", "-c", "read x <gate", follow="attach")
os.mkfifo("gate")
id = c.reply(n)["id"]
c.until("job.event", lambda p: p["event"]["name"] == "start")
c.close()
with open("gate", "w") as f:
    f.write("go\n")
print("ok" if over(id)["result"] == "COMPLETED" else "not ok", "a job outlives who attached to it")
# while output flows, with and without reading some of it
for take in 0, 1, 20:
    clients = []
    for _ in range(4):
        c, n = submit("head", "-c", "20000000", "/dev/zero", follow="attach")
        clients.append((c, c.reply(n)["id"]))
    for c, id in clients:
        for _ in range(take):
            c.until("job.output")
        c.close()
    print("ok" if all(over(id)["result"] == "COMPLETED" for c, id in clients) else "not ok",
          "jobs end when who reads their output vanishes after %d pieces" % take)
# attachments of one client to many jobs, and many of one job
c, n = submit("true", cc="0-49", follow="status")
first = c.reply(n)["id"]
for _ in range(20):
    c.call("job.attach", id=first)
    c.call("job.wait", id=first)
    c.call("job.follow", first=first, count=50)
c.close()
print("ok", "many streams")
# acknowledges what it never got, asks twice with one id
c, n = submit("head", "-c", "5000000", "/dev/zero", follow="attach")
id = c.reply(n)["id"]
c.send({"id": n, "method": "job.attach", "params": {"id": id}})
c.send({"method": "job.ack", "params": {"sub": n, "bytes": 1 << 50}})
c.until("job.output")
c.close()
print("ok" if over(id)["result"] == "COMPLETED" else "not ok", "one number for two streams")
watcher.reply(watcher.call("job.cancel", states=["PENDING", "RUNNING"]))
print("done")
END
while read -r word rest; do
    case $word in
    ok) pass "$rest" ;;
    done) ;;
    *) fail "vanishing: $rest" "$word $rest" ;;
    esac
done <vanish.out
is "$(tail -1 vanish.out)" "done" "all were tried"
goes_on "clients that vanish"

# SIGKILL of hbatch itself, in the middle of what it does
mkfifo started gate2
hbatch run sh -c 'echo up >started; read x <gate2' &
client=$!
background+=("$client")
read -r _ <started
kill -KILL "$client"
wait "$client" 2>/dev/null
id=$(hbatch jobs -no '{id}')
isnt "$id" "" "a job whose hbatch run was killed is still there"
echo go >gate2
ok "it ends" hbatch job wait "$id"
hbatch run head -c 50000000 /dev/zero | (head -c 1000000 >/dev/null)
goes_on "a pipe that broke"
hbatch submit --quiet --cc=1-500 --wait true &
client=$!
ok "a client that waits for an array" wait_until 10 array_is_there
kill -KILL "$client"
wait "$client" 2>/dev/null
goes_on "SIGKILL of a client that waits"
capture hbatch cancel -q --all
ok "no job is left" wait_until 20 no_job_is_left

# --- numbers and words that are out of all proportion ---------------------------------------------
spec() { # TOTAL: a jobspec of one core for TOTAL tasks
    printf '{"version":1,"resources":[{"type":"slot","count":1,"label":"t","with":[{"type":"core","count":1}]}],'
    printf '"tasks":[{"command":["true"],"slot":"t","count":{"total":%s}}],' "$1"
    printf '"attributes":{"system":{"duration":0}}}'
}
request() { printf '{"jsonrpc":"2.0","id":1,"method":"%s","params":%s}' "$1" "$2"; }
answers "2147483647 tasks were asked for; a job has at most 16777216" \
    "$(request job.submit "{\"jobspec\":$(spec 2147483647)}")" "a job of 2^31-1 tasks is refused"
hbatch submit --quiet sleep inf
active_id() { hbatch jobs -no '{id.dec}'; }
answers "must be a word of at most 31 bytes" \
    "$(request job.raise "{\"id\":$(active_id),\"type\":\"$(printf 'é%.0s' {1..20})\"}")" "a long type of an exception is refused"
answers "must be a word of at most 31 bytes" \
    "$(request job.raise "{\"id\":$(active_id),\"type\":\"two words\"}")" "and one of two words"
answers "must be a word of at most 31 bytes" \
    "$(request job.raise "{\"id\":$(active_id),\"type\":[1]}")" "and one that is no text"
capture hbatch cancel -q --all
goes_on "such numbers and words"

# --- more clients than descriptors: some wait, the instance does not spin, and all are served ------
prlimit --pid "$instance_pid" --nofile=40:
instance_pid=$instance_pid python3 - >many.out <<'END'
import os, socket, time
def cpu():
    with open("/proc/%s/stat" % os.environ["instance_pid"]) as f:
        return sum(map(int, f.read().rpartition(")")[2].split()[11:13])) / os.sysconf("SC_CLK_TCK")
clients = []
for i in range(60):
    s = socket.socket(socket.AF_UNIX)
    s.connect(os.environ["HBATCH_URI"][len("local://"):])
    clients.append(s)
before = cpu()
time.sleep(1)  # what is measured is how much it does meanwhile
print("spins" if cpu() - before > 0.5 else "waits")
served = 0
for s in clients:
    s.sendall(b'{"jsonrpc":"2.0","id":1,"method":"job.stats","params":{}}\n')
    s.settimeout(20)
    served += b'"pending"' in s.recv(4096)
    s.close()
print(served)
END
is "$(paste -sd' ' many.out)" "waits 60" "sixty clients where there is room for fewer"
is "$(grep -c 'cannot accept another client' main.err)" 1 "it is said once"
prlimit --pid "$instance_pid" --nofile=1000:
goes_on "too many clients"

# --- a store that takes nothing: nothing is accepted, nothing starts, until it does again ------------
running=$(hbatch submit sh -c 'while [ ! -e "$0" ]; do sleep 0.05; done; exit 5' "$tmp/end-unstored")
hbatch wait-event -t 20 "$running" start >/dev/null
prlimit --pid "$instance_pid" --fsize=4096:
nok "the first submission that the store does not take" hbatch run touch "$tmp/started-unstored"
# a write of the instance itself may have met it before
like "$err" "(the job was not accepted|nothing is accepted at the moment): store '.*': cannot write to it: .*" "is refused, with the reason"
nok "the next one" hbatch submit true
like "$err" "nothing is accepted at the moment: store '.*': cannot write to it: " "is refused, with the reason"
ok "a store that cannot be written is told" wait_until 20 grep -q "no job starts until then" main.err
touch end-unstored
ok "meanwhile questions are answered" hbatch jobs
nok "the job has not started" [ -e started-unstored ]
prlimit --pid "$instance_pid" --fsize=unlimited:
ok "the store is written again" wait_until 20 grep -q "the store takes changes again" main.err
hbatch wait-event -t 20 "$running" clean >/dev/null
is "$(hbatch jobs -a -no '{state} {returncode}' "$running")" "INACTIVE 5" "a job that ended meanwhile is recorded with its end"
nok "what was refused has not started" [ -e started-unstored ]
goes_on "a full store"

instance_stop main
is $rc 0 "the instance ends in order"
unlike "$(cat main.err)" "Sanitizer|runtime error|ssertion|no message" "the instance said nothing bad"
[ -s main.err ] && note "$(head -c 2000 main.err)"
done_testing
