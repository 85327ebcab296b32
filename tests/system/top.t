#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# hbatch top, on a terminal that a program plays, and without one; the stream it lives on.
# shellcheck disable=SC2016
. "${0%/*}/lib.sh"
need python3 python3
export HBATCH_F58_FORCE_ASCII=1 LC_ALL=C.UTF-8
unset COLUMNS

look() { # ROWSxCOLUMNS ARGUMENTS: hbatch top before the person of screen.py; the last page is in $out
    local size=$1
    shift
    out=$(timeout 120 python3 "$lib_dir/screen.py" "$size" hbatch top "$@")
}
inner_jobs() { hbatch jobs -no '{instance.stats}' "$1"; }
is_known() { [ "$(inner_jobs "$1")" = "$2" ]; } # JOBID STATS
is_empty() { [ -z "$(hbatch jobs -n)" ]; }

instance_start one --test-topology="core:8 pu:1"

# --- without a terminal
ok "top --once: an instance without jobs" hbatch top --once
like "$out" "cores \[ +0/8\] 8 free" "cores are free"
like "$out" $'0 pending .*\n.*0 running .*\n.*0 complete, 0 failed' "no jobs yet"
like "$out" "size 1   level 0   up " "about the instance"
nok "no terminal" hbatch top
is "$err" "hbatch top: standard output is not a terminal; --once prints one page" "is told"
nok "no such target" hbatch top --once local:///no/such/socket
like "$err" "no/such/socket" "is named"
nok "a format that is none" hbatch top --once -o '{nonsense}'
like "$err" "nonsense" "is named"
nok "--color=blue" hbatch top --color=blue
like "$err" "always, never or auto" "what it may be"
nok "two targets" hbatch top . .

# --- instances inside of instances
outer=$(hbatch alloc --bg -n4 --job-name=outer)
hbatch --uri="$outer" submit --quiet --cc=1-5 --wait true
hbatch --uri="$outer" submit --quiet --wait false
hbatch --uri="$outer" submit --quiet -n2 --job-name=deep sleep inf
inner=$(hbatch --uri="$outer" alloc --bg -n1 --job-name=inner)
hbatch --uri="$outer/$inner" submit --quiet --job-name=deepest sleep inf
hbatch submit --quiet --job-name=plain sleep inf
hbatch submit --quiet --job-name=big -n8 sleep inf
ok "the numbers of jobs inside come up" wait_until 20 is_known "$outer" "PD:0 R:2 CD:5 F:1"
ok "of each level" wait_until 20 env HBATCH_URI="$(hbatch uri "$outer")" \
    bash -c "$(declare -f inner_jobs is_known); is_known $inner 'PD:0 R:1 CD:0 F:0'"
ok "top --once" hbatch top --once
like "$out" "cores \[[|]+ +5/8\] 3 free +2 running" "used and free cores, running jobs"
like "$out" "outer +R +4 +1 .*  PD:0 R:2 CD:5 F:1" "the instance's jobs in its line"
like "$out" "big +S +8 +- +- waiting for resources" "a pending job"
ok "top --once TARGET" hbatch top --once "$outer/$inner"
like "$out" "^ $outer/$inner .*level 1|level 2" "of a deeper level"
like "$out" "deepest +R" "has its job"
is "$(hbatch top --once -o '{name}' --name=plain | tail -n +7)" plain "a format of one's own, and one name"
is "$(hbatch top --once -q none -o '{name}' 2>&1 | grep -c plain)" 0 "a queue that no job has"

# --- on a terminal
look 24x80 --test-exit-dump=dump
like "$out" $'status 0\nrestored' "--test-exit-dump leaves when all is there"
like "$(cat dump)" "outer .*PD:0 R:2 CD:5" "and writes the page"
look 24x80 <<'END'
outer .*PD:0 R:2 CD:5	q
END
like "$out" $'status 0\nrestored' "q leaves, and the terminal is as it was"
for sig in TERM INT HUP; do
    look 24x80 <<END
outer .*PD:0 R:2 CD:5	!$sig
END
    like "$out" "status $((128 + $(kill -l $sig)))"$'\nrestored' "SIG$sig restores the terminal"
done
look 24x80 <<'END'
plain(.*\n)*.*outer .*PD:0 R:2 CD:5	\x03
END
like "$out" $'status 130\nrestored' "control-c leaves"

# the cursor is on the newest running job; the tree of instances, three levels deep, and back
look 24x80 <<END
plain(.*\n)*.*outer .*PD:0 R:2 CD:5	jkj\x0d
^ \./$outer (.*\n)*.*inner .*PD:0 R:1 CD:0	\x1bOA\x0d
^ \./$outer/$inner (.*\n)*.*level 2(.*\n)*.*deepest	\x0d
deepest +R	\x1bOD
level 1(.*\n)*.*deep 	\x7f
^ \. (.*\n)*.*level 0(.*\n)*.*plain	h
level 0(.*\n)*.*plain	q
END
like "$out" $'status 0\nrestored' "into instances, and back" || note "$out"

# few lines: the jobs stay to be seen, and what is no instance cannot be gone into
look 5x20 <<END
PD:[0-9]+ R:[0-9]+(.*\n)*.*JOBID(.*\n)+.*\?: help	!24x80
plain(.*\n)*.*outer	g\x0d
job $(hbatch jobs -no '{id}' --name=plain) is not an instance	q
END
like "$out" $'status 0\nrestored' "a small window" || note "$out"

# the page follows what happens, the window, and keys
look 24x80 <<END
outer(.*\n)*.*by newest first	!shell hbatch submit --quiet --job-name=added sleep inf
added +S	!30x100
added(.*\n){20,}.*\?: help	s
by run time	s
by tasks	s
by name	/
jobs with:	plain
jobs with: plain	\x0d
with 'plain'	c
cancel job f[^ ]+\?	n
with 'plain'	c
cancel job f[^ ]+\?	y
No job's line has	f\x1b
added(.*\n)*.*outer	a
\?: help +running, by	a
CA (.*\n)*.*\?: help +all, by	?
cancel the job under the cursor	x
\?: help +all	q
END
like "$out" $'status 0\nrestored' "events, size, order, filter, cancel" || note "$out"
is "$(hbatch jobs -no '{name}' | sort | tr '\n' ' ')" "added big outer " "the job is canceled, and only that one"

# what is shown ends
look 24x80 <<END
outer .*PD:0	\x0d
level 1	!shell hbatch cancel $outer
level 0(.*\n)*.*the instance of job $outer is gone	q
END
like "$out" $'status 0\nrestored' "an instance that ends gives way to the one around it" || note "$out"
look 10x60 "$outer"
like "$out" "job $outer is over.*"$'\n.*status 1' "a target that is over"
out=$(TERM=nonsense python3 - <<'END'
import os, pty
os.environ["TERM"] = "nonsense"
pty.spawn(["hbatch", "top"])
END
)
like "$out" "'nonsense' \(TERM\) is not known" "an unknown terminal"

# --- it is told, and asks nothing where nothing happens
hbatch cancel --all 2>/dev/null
wait_until 20 is_empty
out=$(python3 - "${HBATCH_URI#local://}" <<'END'
import json, socket, subprocess, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
f = s.makefile("rw")
print('{"jsonrpc":"2.0","id":7,"method":"instance.watch"}', file=f, flush=True)
print(json.loads(f.readline())["result"])
first = json.loads(f.readline())
print(first["method"], first["params"]["sub"], first["params"]["stats"]["running"])
base = first["params"]["stats"]["completed"]
begin = time.monotonic()
subprocess.run(["hbatch", "submit", "--quiet", "--cc=1-200", "--wait", "true"], check=True)
n, done = 0, base
while done < base + 200:
    done = json.loads(f.readline())["params"]["stats"]["completed"]
    n += 1
span = time.monotonic() - begin
print("few" if n <= 2 * span + 2 else f"{n} in {span} s")
s.settimeout(1.5)
n = 0
try:
    while f.readline():  # the last one may be another of the same
        n += 1
except TimeoutError:
    pass
print("quiet" if n <= 1 else n)
END
)
is "$out" "{}
instance.changed 7 0
few
quiet" "instance.watch: at most two messages a second, and none where nothing happens"

instance_stop one
is "$rc" 0 "the instance ends"
is "$(strays)" "" "nothing is left"

# --- it comes back
instance_start two --test-nodes=2 --test-topology="core:2 pu:1"
if [ -n "${HBATCH_URI:-}" ]; then
    dir=${HBATCH_URI#local://}
    dir=${dir%/*}
    hbatch submit --quiet --job-name=long sleep inf
    look 24x80 <<END
long +R	!shell kill -9 $(hbatch getattr pid)
THE CONNECTION IS LOST|down|[12] free	!shell hbatch submit --quiet --job-name=after sleep inf
after +R	q
END
    like "$out" $'status 0\nrestored' "a lost leader" || note "$out"
    hbatch cancel --all 2>/dev/null
    instance_stop two
fi
done_testing
