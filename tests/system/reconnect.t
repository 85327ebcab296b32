#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What a client does when it loses its instance, and what the instance does for one that asks again.
. "${0%/*}/lib.sh"
need python3 python3

unset HBATCH_URI HBATCH_JOB_ID
export HBATCH_F58_FORCE_ASCII=1 TZ=UTC COLUMNS=80
export PYTHONPATH=$lib_dir

# --- a submission with a key is one submission ----------------------------------------------------
instance_start one --test-topology="core:4 pu:1" || exit 1
cat >keys.py <<'PY'
import raw
c = raw.Client()
d = raw.Client()
spec = raw.jobspec
def submit(who, **params):
    return who.reply(who.call("job.submit", **params))
first = submit(c, jobspec=spec("true"), key="0123456789abcdef")
assert submit(c, jobspec=spec("true"), key="0123456789abcdef") == first
assert submit(d, jobspec=spec("true"), key="0123456789abcdef") == first
assert submit(d, jobspec=spec("true"), key="0123456789abcdee")["id"] != first["id"]
assert submit(d, jobspec=spec("true"))["id"] != submit(d, jobspec=spec("true"))["id"]
# both at once, before either is answered
n, m = [c.call("job.submit", jobspec=spec("true"), key="ab", cc="1-5") for _ in range(2)]
c.raw(b"")
a, b = c.reply(n), c.reply(m)
assert a == b and a["count"] == 5, (a, b)
# what is to be followed is, also when it is over
again = submit(d, jobspec=spec("echo", "hello"), key="f", follow="attach")
assert d.until("job.output", lambda p: "data" in p["io"])["io"]["data"] == "hello\n"
assert d.until("job.end", lambda p: True)["left"] == 0
assert submit(c, jobspec=spec("echo", "hello"), key="f", follow="attach") == again
assert c.until("job.output", lambda p: "data" in p["io"])["io"]["data"] == "hello\n"
assert c.until("job.end", lambda p: True)["left"] == 0
assert submit(c, jobspec=spec("true"), key="ab", cc="1-5", follow="status") == a
while c.until("job.ends", lambda p: True)["left"]: pass
# a key does not make a bad request good, and one that was refused is not remembered
for key, part in (("", "key ''"), ("a b", "'a b'"), (5, "a string"), ("x" * 33, "1 to 32")):
    try:
        submit(c, jobspec=spec("true"), key=key)
    except raw.Error as e:
        assert part in str(e), e
    else:
        assert False, key
big = spec("true")
big["resources"][0]["with"][0]["count"] = 99
for _ in range(2):
    try:
        submit(c, jobspec=big, key="big")
    except raw.Error as e:
        assert "99" in str(e), e
    else:
        assert False
submit(c, jobspec=spec("true"), key="big")
PY
ok "job.submit with the same key again" python3 keys.py
is "$(hbatch jobs -a -n -o '{id}' | wc -l)" 11 "... and nothing was submitted twice"

# --- a real instance behind connections that are cut ----------------------------------------------
# cut LIMIT...: clients go through cutter.py from now on; uncut ends it and sets $cuts.
real=$HBATCH_URI
cut() {
    rm -rf "$tmp/cut"
    mkdir "$tmp/cut"
    mkfifo "$tmp/cut/ready"
    [ -z "${unrecoverable:-}" ] && : >"$tmp/cut/recoverable"
    python3 "$lib_dir/cutter.py" "${real#local://}" "$tmp/cut/sock" "$@" >"$tmp/cut/ready" &
    cutter=$!
    background+=("$cutter")
    exec 5<"$tmp/cut/ready"
    read -r _ <&5
    HBATCH_URI=local://$tmp/cut/sock
}
uncut() {
    kill "$cutter"
    read -r cuts <&5
    exec 5<&-
    wait "$cutter" 2>/dev/null
    HBATCH_URI=$real
}

seq 1 60000 >wanted
cut 10 200 700 1500 5000 20000 60000 100000 200000 350000
within 60 hbatch run sh -c 'seq 1 60000; exit 7'
uncut
is "$rc" 7 "run through a connection that is cut: the exit code"
is "$cuts" 10 "... ten times"
cmp -s wanted "$tmp/.out" && pass "... the output, once" || fail "... the output, once" "$(wc "$tmp/.out")"
is "$err" "hbatch run: task(s) exited with exit code 7" "... nothing else on stderr"

for task in 0 1 2 3; do seq 1 9000 | sed "s/^/$task: /"; done | sort >wanted
cut 900 2500 9000 20000 40000 70000 110000
within 60 hbatch run -l -n4 seq 1 9000
uncut
is "$rc $cuts" "0 7" "several tasks"
sort <"$tmp/.out" | cmp -s - wanted && pass "... the output of each, once" || fail "... the output of each, once"

before=$(hbatch jobs -a -n -o '{id}' | wc -l)
cut c50 c100 c150 c200 10
within 60 hbatch submit --cc=1-20 --wait -v sh -c 'exit $((HBATCH_JOB_CC % 3))'
uncut
is "$rc $cuts" "2 5" "submit --wait of an array"
is "$(wc -l <<<"$out") $(wc -l <<<"$err")" "20 20" "... each id and each end are told once"
is "$(($(hbatch jobs -a -n -o '{id}' | wc -l) - before))" 20 "... and submitted once"

cut 300 700 2000 5000 8000
within 60 hbatch submit --cc=1-20 --watch -l sh -c 'echo $HBATCH_JOB_CC; echo $HBATCH_JOB_CC >&2'
uncut
is "$rc $cuts" "0 5" "submit --watch of an array"
is "$(grep -v '^f[^:]*$' "$tmp/.out" "$tmp/.err" -h | sed 's/.*: //' | sort -n | tr '\n' ' ')" \
    "$(for i in {1..20}; do printf '%s %s ' $i $i; done)" "... each line once"

head -c 3000000 /dev/urandom | base64 >input
feed() { timeout 60 hbatch run "$@" <input; }
# the submission goes into less than a few 10 kB, and the input, 4 MB, comes after it
cut c300000 c500000 600 c400000 c900000 700 c1500000
feed sh -c 'cat; echo end' >got 2>got.err
rc=$?
uncut
is "$rc $cuts" "0 7" "input through connections that are cut"
{ cat input; echo end; } | cmp -s - got && pass "... all of it, once" ||
    fail "... all of it, once" "$(wc got input; head -c 300 got.err)"
cut c300000 c500000 600 c400000 c900000 c1500000
timeout 60 hbatch run --input=all -n3 sh -c 'cksum' <input >got 2>got.err
rc=$?
uncut
is "$rc $(sort -u got)" "0 $(cksum <input)" "... to several tasks"

cut 1
is "$(hbatch jobs -n -o '{id}' -a | wc -l)" "$(HBATCH_URI=$real hbatch jobs -a -n -o '{id}' | wc -l)" "jobs"
uncut
is "$cuts" 1 "... asked twice"

if [ -x "$builddir/tests/system/libclient" ]; then
    # its last test is how a connection ends
    cut $(for i in 1 2 3 4 5 6 7 8 9 10; do echo $((i * 400)); done)
    ok "the library's own test" "$builddir/tests/system/libclient"
    uncut
    is "$cuts" 10 "... over eleven connections"
fi

# an event loop that knows one descriptor, and a library loaded by another language
cat >loop.py <<'PY'
import ctypes, os, select, sys
lib = ctypes.CDLL(sys.argv[1])
lib.hbatch_open.restype = ctypes.c_void_p
lib.hbatch_jobspec_create.restype = ctypes.c_void_p
lib.hbatch_jobspec_encode.restype = ctypes.c_void_p
class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("text", ctypes.c_char * 512)]
Output = ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_char_p, ctypes.c_uint, ctypes.c_void_p, ctypes.c_size_t,
                          ctypes.c_int, ctypes.c_void_p)
End = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p)
class Ops(ctypes.Structure):
    _fields_ = [("event", ctypes.c_void_p), ("output", Output), ("input", ctypes.c_void_p), ("end", End)]
err = Error()
got, over = [], []
ops = Ops(None, Output(lambda id, name, task, data, n, eof, arg: got.append(ctypes.string_at(data, n) if n else b"")),
          None, End(lambda result, left, arg: over.append(left)))
h = ctypes.c_void_p(lib.hbatch_open(None, ctypes.byref(err)))
argv = (ctypes.c_char_p * 3)(b"seq", b"1", b"60000")
js = ctypes.c_void_p(lib.hbatch_jobspec_create(3, argv))
text = ctypes.c_void_p(lib.hbatch_jobspec_encode(js, ctypes.byref(err)))
fd = lib.hbatch_fd(h)
lib.hbatch_jobspec_destroy(js)
id = ctypes.c_uint64()
assert lib.hbatch_submit_stream(h, text, None, ctypes.byref(id), ctypes.byref(ops), None, ctypes.byref(err)) > 0, err.text
loop = select.epoll()
loop.register(fd, select.EPOLLIN)
idle = 0
while not over:
    ready = loop.poll(20)
    assert ready, "nothing came"
    rc = 1
    while rc > 0:
        rc = lib.hbatch_dispatch(h, 0, ctypes.byref(err))
    assert rc == 0 or over, err.text
    assert lib.hbatch_fd(h) == fd
    idle += 1
assert b"".join(got) == b"".join(b"%d\n" % i for i in range(1, 60001)), len(b"".join(got))
assert idle < 5000, idle
lib.hbatch_close(h)
PY
library=$builddir/src/lib/.libs/libhbatch.so.0
if [ -e "$library" ] && ! nm -D "$library" | grep -q __asan; then
    cut 3000 9000 50000 100000 200000
    ok "an event loop goes on with its descriptor" python3 loop.py "$library"
    uncut
    is "$cuts" 5 "... over six connections"
fi

unrecoverable=yes cut 100
within 20 hbatch run echo hello
uncut
like "$rc $err" "^1 .*the connection to the instance at local://$tmp/cut/sock is lost: it closed the connection$" \
    "an instance that does not mean to come back"
cut 100
HBATCH_RECONNECT_TIMEOUT=0 within 20 hbatch run echo hello
uncut
like "$rc $err" "^1 .*is lost: it closed the connection$" "HBATCH_RECONNECT_TIMEOUT=0"
cut 100
HBATCH_RECONNECT_TIMEOUT=xyz within 20 hbatch run echo hello
uncut
like "$rc $err" "HBATCH_RECONNECT_TIMEOUT.*xyz" "HBATCH_RECONNECT_TIMEOUT=xyz"

hbatch run sleep inf >/dev/null 2>run.err &
client=$!
wait_until 20 eval '[ -n "$(hbatch jobs -n --filter=running)" ]'
rank=$(hbatch getattr pid)
start=$SECONDS
kill -KILL "$rank"
wait "${instance_pids[one]}" 2>/dev/null
wait "$client"
like "$? $(cat run.err)" "^1 .*is lost" "a real instance that is killed"
[ $((SECONDS - start)) -lt 20 ] && pass "... is not waited for" || fail "... is not waited for"
timeout 5 sh -c 'echo 0 >"$0"' "$tmp/.one.fifo.end" # what the instance ran

# --- through another rank than the leader, jobs on several nodes ----------------------------------
if command -v mpirun >/dev/null; then
    instance_start three --test-nodes=3 --test-topology="core:2 pu:1" || exit 1
    real=$(hbatch run -N3 sh -c '[ $HBATCH_TASK_RANK = 2 ] && echo $HBATCH_URI')
    isnt "$real" "$HBATCH_URI" "the socket of another rank"
    for task in 0 1 2; do seq 1 20000 | sed "s/^/$task: /"; done | sort >wanted
    cut c300 500 5000 30000 90000 200000
    within 60 hbatch run -l -N3 seq 1 20000
    uncut
    is "$rc $cuts" "0 6" "a job on three nodes"
    sort <"$tmp/.out" | cmp -s - wanted && pass "... the output of each task, once" ||
        fail "... the output of each task, once" "$(wc "$tmp/.out")"
    cut c300000 c700000 c1000000 c1400000 c2000000
    timeout 60 hbatch run --input=all -N3 cksum <input >got 2>got.err
    rc=$?
    uncut
    is "$rc $(sort -u got)" "0 $(cksum <input)" "input to three nodes"
    instance_stop three
fi

# --- a scripted instance: what exactly is asked again ---------------------------------------------
# leader STEPS: a new instance with this script (fakeleader.py) that means to come back; again STEPS:
# the next one at its socket.
leader_pid=
again() {
    if [ -n "$leader_pid" ]; then
        kill "$leader_pid"
        wait "$leader_pid"
    fi 2>/dev/null
    printf '%s' "$1" >"$tmp/script"
    mkfifo "$tmp/ready"
    python3 "$lib_dir/fakeleader.py" "$tmp/fake/sock" "$tmp/log" "$tmp/script" >"$tmp/ready" 2>"$tmp/leader.err" &
    leader_pid=$!
    background+=("$leader_pid")
    read -r _ <"$tmp/ready"
    rm "$tmp/ready"
}
leader() {
    rm -rf "$tmp/fake"
    mkdir "$tmp/fake"
    : >"$tmp/fake/recoverable"
    : >"$tmp/log"
    again "$1"
    HBATCH_URI=local://$tmp/fake/sock
}
# asked: the messages that came: "METHOD id again" and the parameters named, one line each
asked() {
    python3 - "$tmp/log" "$@" <<'PY'
import json, sys
for line in open(sys.argv[1]):
    m = json.loads(line)
    p = m["params"]
    print(m["method"], m.get("id", "-"), "again" if m.get("again") else "first",
          *[json.dumps(p[k]) for k in sys.argv[2:] if k in p])
PY
}
event() { echo "[\"job.event\",{\"id\":1024,\"event\":{\"timestamp\":1,\"name\":\"$1\",\"context\":${2:-{\}}}}]"; }
output() { echo "[\"job.output\",{\"id\":${2:-1024},\"io\":{\"stream\":\"stdout\",\"rank\":\"0\",\"data\":\"$1\"}}]"; }
end() { echo "[\"job.end\",{\"id\":${2:-1024},\"state\":\"INACTIVE\",\"result\":\"$([ "$1" = 0 ] && echo COMPLETED || echo FAILED)\",\"status\":$(($1 * 256)),\"exit\":$1,\"left\":0}]"; }

leader "[{\"method\":\"job.submit\",\"result\":{\"id\":1024,\"count\":1},\"close\":true,
          \"notes\":[$(event submit),$(event start),$(output 'hello wo')]},
         {\"method\":\"job.attach\",\"result\":{\"id\":1024},
          \"notes\":[$(event submit),$(event start),$(output hel),$(event finish),$(output 'lo world'),$(end 3)]}]"
capture hbatch run -vv true
is "$rc $out" "3 hello world" "run: output that was half told"
is "$(grep -o 'job\.[a-z]*' <<<"$err" | tr '\n' ' ')" "job.submit job.start job.finish " "... each event once"
is "$(asked id count | grep -v stdin)" $'job.submit 1 first\njob.attach 1 again 1024 1' "... and nothing submitted again"

leader "[{\"method\":\"job.submit\",\"close\":true},
         {\"method\":\"job.submit\",\"result\":{\"id\":1024,\"count\":1}}]"
capture hbatch submit true
is "$rc $(wc -w <<<"$out")" "0 1" "submit without a reply"
is "$(asked | tr '\n' ' ')" "job.submit 1 first job.submit 1 again " "... is repeated"
is "$(asked key | awk '{print $4}' | sort -u | grep -cE '^"[0-9a-f]{16}"$')" 1 "... under one key"
capture hbatch submit true
is "$(asked key | awk '{print $4}' | sort -u | wc -l)" 2 "... and the next has another"

leader '[{"method":"job.submit","result":{"id":1024,"count":3},"close":"die",
          "notes":[["job.ends",{"ends":[[1025,256,"FAILED"]],"left":2}]]}]'
hbatch submit --cc=1-3 --wait -v true >out 2>err &
client=$!
wait "$leader_pid"
leader_pid=
again '[{"method":"job.follow","result":{},"close":true,"notes":[["job.ends",{"ends":[[1025,256,"FAILED"],[1026,0,"COMPLETED"]],"left":1}]]},
        {"method":"job.follow","result":{},"notes":[["job.ends",{"ends":[[1025,256,"FAILED"],[1026,0,"COMPLETED"],[1024,512,"FAILED"]],"left":0}]]}]'
wait "$client"
is "$? $(wc -l <out) $(wc -l <err)" "2 3 3" "submit --wait of an array"
is "$(asked first count | tr '\n' ' ')" "job.submit 1 first job.follow 1 again 1024 3 job.follow 1 again 1024 3 " "... is followed"

leader "[{\"method\":\"job.attach\",\"if\":\"1035\",\"result\":{},\"close\":true,\"stream\":\"nothing\"},
         {\"method\":\"job.attach\",\"if\":\"1024\",\"result\":{},\"notes\":[$(event submit),$(output 'one\n')]},
         {\"method\":\"job.attach\",\"if\":\"1024\",\"result\":{},\"notes\":[$(event submit),$(output 'one\ntwo\n'),$(end 0)]},
         {\"method\":\"job.attach\",\"if\":\"1035\",\"result\":{},\"notes\":[$(end 4 1035)]}]"
capture hbatch watch 1024 1035
is "$rc $out" $'4 one\ntwo' "watch of two jobs"

leader "[{\"method\":\"job.attach\",\"result\":{},\"close\":true,\"notes\":[$(output 'one\n'),$(end 0)]},
         {\"method\":\"job.attach\",\"result\":{},\"notes\":[$(output 'one\n'),$(end 0),$(end 5 1025)]}]"
capture hbatch watch 1025 1024 1025
is "$rc $out" "5 one" "watch of two jobs whose ids follow each other"
is "$(asked id count | tr '\n' ' ')" "job.attach 1 first 1024 2 job.attach 1 again 1024 2 " "... in one request"

leader "[{\"method\":\"job.attach\",\"error\":[2,\"no such job: first\"]},
         {\"method\":\"job.attach\",\"result\":{},\"notes\":[$(output 'one\n' 1025),$(end 0 1025),$(end 3 1026)]}]"
capture hbatch watch 1024 1026 1025
is "$rc|$out|$err" "3|one|hbatch watch: no such job: first" "watch of neighbours of which the first is unknown"
is "$(asked id count | tr '\n' ' ')" "job.attach 1 first 1024 3 job.attach 2 first 1025 2 " "... goes on behind it"

leader "[{\"method\":\"job.wait\",\"if\":\"1024\",\"result\":{\"id\":1024,\"result\":\"COMPLETED\",\"status\":0,\"exit\":0}},
         {\"method\":\"job.wait\",\"if\":\"1025\",\"close\":true},
         {\"method\":\"job.wait\",\"if\":\"1025\",\"result\":{\"id\":1025,\"result\":\"FAILED\",\"status\":256,\"exit\":1}}]"
capture hbatch job wait -v 1024 1025
is "$rc $(wc -l <<<"$err")" "1 2" "wait for two jobs"
is "$(asked id | sort -u | tr '\n' ' ')" "job.wait 1 first 1024 job.wait 2 again 1025 job.wait 2 first 1025 " "... of which one is asked for again"

leader '[{"method":"job.follow","result":{},"close":true,"notes":[["job.ends",{"ends":[[1024,0,"COMPLETED",null,40]],"left":30}]]},
         {"method":"job.follow","result":{},"notes":[["job.ends",{"ends":[[1024,0,"COMPLETED",null,69],[1093,256,"FAILED"]],"left":0}]]}]'
# shellcheck disable=SC2046
capture hbatch job wait $(seq 1024 1093)
is "$rc $(wc -l <<<"$err")" "1 1" "wait for many jobs"
is "$(asked first count wait | tr '\n' ' ')" "job.follow 1 first 1024 70 true job.follow 1 again 1024 70 true " "... as one, and as who waits for them"

leader '[{"method":"job.list","raw":"{\"jsonrpc\":\"2.0\",\"id\":1,\"res","close":true},
         {"method":"job.list","result":{"jobs":[],"more":false}}]'
capture hbatch jobs -n
is "$rc $out$err" "0 " "jobs, with half of an answer lost"

# an array that is watched
leader "[{\"method\":\"job.submit\",\"result\":{\"id\":1024,\"count\":2},\"close\":true,\"notes\":[$(output 'one\n'),$(end 0)]},
         {\"method\":\"job.attach\",\"result\":{},\"notes\":[$(output 'one\n'),$(end 0),$(end 5 1025)]}]"
capture hbatch submit --quiet --cc=1-2 --watch true
is "$rc $out" "5 one" "submit --watch of an array"

# a job that the instance does not know when it is back
leader "[{\"method\":\"job.submit\",\"result\":{\"id\":1024,\"count\":1},\"close\":true},
         {\"method\":\"job.attach\",\"error\":[2,\"no such job: f9p\"]}]"
capture hbatch run true
is "$rc $err" "1 hbatch run: no such job: f9p" "a job that got lost"
leader '[{"method":"job.submit","result":{"id":1024,"count":2},"close":true},
         {"method":"job.follow","error":[2,"no such job: f9p"]}]'
capture hbatch submit --quiet --cc=1-2 --wait true
is "$rc $(grep -c 'no such job: f9p' <<<"$err")" "1 2" "an array that got lost"

# input that nobody said to have taken comes again
leader "[{\"method\":\"job.submit\",\"result\":{\"id\":1024,\"count\":1},\"notes\":[$(event submit),$(event start)]},
         {\"method\":\"job.stdin\",\"stream\":\"job.submit\",\"notes\":[[\"job.stdinack\",{\"id\":1024,\"bytes\":65536}]]},
         {\"method\":\"job.stdin\"},{\"method\":\"job.stdin\",\"close\":true},
         {\"method\":\"job.attach\",\"result\":{\"id\":1024}},
         {\"method\":\"job.stdin\",\"if\":\"\\\"eof\\\":true\",\"stream\":\"job.attach\",\"notes\":[$(end 0)]},
         {\"method\":\"job.stdin\"}]"
seq 1 60000 >input
timeout 60 hbatch run cat <input
is "$?" 0 "input is sent again"
is "$(python3 - "$tmp/log" <input <<'PY'
import json, sys
want = open("input").read()
have, names, again = "", set(), None
for line in open(sys.argv[1]):
    m = json.loads(line)
    p = m["params"]
    if m["method"] == "job.attach":
        again = -1
    if m["method"] != "job.stdin":
        continue
    names.add(p["from"])
    if again == -1:
        again = p["at"]
    assert p["at"] <= len(have)
    have = have[:p["at"]] + p.get("data", "")
print(have == want, len(names), again)
PY
)" "True 1 65536" "... from where it was taken on"

# --- how long ------------------------------------------------------------------------------------
leader '[{"method":"job.list","close":"die"}]'
HBATCH_RECONNECT_TIMEOUT=0.7s capture hbatch jobs
like "$rc $err" "^1 .*$HBATCH_URI: it was lost and did not come back within 700ms; set HBATCH_RECONNECT_TIMEOUT" \
    "an instance that never comes back"
[ "$ms" -ge 700 ] && [ "$ms" -lt 5000 ] && pass "... in good time" || fail "... in good time" "$ms"
HBATCH_RECONNECT_TIMEOUT=0.3 capture hbatch jobs
like "$rc $err" "^1 .*the instance at $HBATCH_URI: it was lost and did not come back within 300ms" "... nor for a new client"
[ "$ms" -ge 300 ] && pass "... which waits" || fail "... which waits" "$ms"
HBATCH_RECONNECT_TIMEOUT=0 capture hbatch jobs
like "$rc $err" "^1 .*is gone \(its socket refuses connections\)" "... or not"
HBATCH_RECONNECT_TIMEOUT=soon capture hbatch jobs
like "$rc $err" "^1 .*HBATCH_RECONNECT_TIMEOUT.*soon" "... and says what it does not understand"
leader '[{"method":"job.list","close":true},{"method":"job.list","close":true}]'
HBATCH_RECONNECT_TIMEOUT=0.7s capture hbatch jobs
like "$rc $err" "^1 .*did not come back within 700ms" "an instance that takes connections and closes them"
[ "$(asked | wc -l)" -lt 40 ] && pass "... is not asked too often" || fail "... is not asked too often" "$(asked | wc -l)"
leader '[{"method":"job.list","close":"end"}]'
capture hbatch jobs
like "$rc $err" "^1 .*is lost: it closed the connection" "an instance that ends in good order"
[ "$ms" -lt 5000 ] && pass "... is not waited for" || fail "... is not waited for" "$ms"
leader '[{"method":"job.list","close":"die"}]'
hbatch jobs >out 2>err &
client=$!
wait "$leader_pid"
wait_until 10 sh -c "ls -l /proc/$client/fd | grep -q timerfd" # it waits
rm "$tmp/fake/recoverable"
wait "$client"
like "$? $(cat err)" "^1 .*is lost: the instance has ended" "an instance that ends while it is waited for"

# a client that comes while the instance is away
leader '[]'
kill "$leader_pid"
wait "$leader_pid" 2>/dev/null
leader_pid=
rm "$tmp/fake/sock"
hbatch jobs -n >out 2>err &
client=$!
again '[{"method":"job.list","result":{"jobs":[],"more":false}}]'
wait "$client"
is "$? $(cat out err)" "0 " "a client that comes while the instance is away"

done_testing
