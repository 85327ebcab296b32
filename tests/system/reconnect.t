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
instance_stop one

done_testing
