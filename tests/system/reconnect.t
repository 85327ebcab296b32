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

for task in 0 1 2 3; do seq 1 3000 | sed "s/^/$task: /"; done | sort >wanted
cut 900 2500 9000 20000 40000 70000 110000
within 60 hbatch run -l -n4 seq 1 3000
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
wait "$client"
like "$? $(cat run.err)" "^1 .*is lost" "a real instance that is killed"
[ $((SECONDS - start)) -lt 20 ] && pass "... is not waited for" || fail "... is not waited for"
instance_stop one

done_testing
