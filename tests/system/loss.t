#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Tasks and executors that die or misbehave: each gives a clear error, and the instance goes on.
. "${0%/*}/lib.sh"
need python3 python3 pgrep procps flock util-linux
inside --test-topology="core:8 pu:1"
socket=${HBATCH_URI#local://}
rundir=${socket%/*}

goes_on() { ok "the instance goes on after $1" hbatch run -n 2 true; }

nok "a task that is killed" hbatch run sh -c 'kill -9 $$'
is "$rc" 137 "its exit code"
nok "a task that kills itself by SIGSEGV" hbatch run sh -c 'kill -11 $$'
is "$rc" 139 "its exit code"
half='import os
fd = int(os.environ["PMI_FD"])
os.write(fd, b"cmd=init pmi_version=1 pmi_subversion=1\n")
os.read(fd, 1000)
if os.environ["PMI_RANK"] == "1":
    os.write(fd, b"cmd=barr")
    os.close(fd)
    os._exit(5)
os.write(fd, b"cmd=barrier_in\n")
os.read(fd, 1000)'
within 30 hbatch run -n 2 -o pmi=pmi1 -o exit-timeout=0.5s python3 -c "$half"
isnt "$rc" 124 "a task that closes its PMI socket halfway does not hold up the others"
isnt "$rc" 0 "and the job fails"
noise='import os
fd = int(os.environ["PMI_FD"])
os.write(fd, b"\x00\xff cmd=nonsense\n" * 1000 + b"cmd=put kvsname=x\ncmd=get\n999999\n")
os.read(fd, 100)'
within 30 hbatch run -n 2 -o pmi=pmi1 -o exit-timeout=0.5s python3 -c "$noise"
isnt "$rc" 124 "a task that sends nonsense to PMI does not hang"
goes_on "bad PMI clients"

id=$(hbatch submit sleep 1001)
pid=$(pgrep -f "hbatch-exec .*--rundir=$rundir")
kill -9 "$pid"
ok "the instance still answers when its executor was killed" wait_until 10 hbatch jobs -a
within 30 hbatch job wait "$id"
isnt "$rc" 124 "a job on the lost executor ends"
isnt "$rc" 0 "and has failed"
note "job wait: exit status $rc: $err" "$(hbatch jobs -a | head -n 3)" "$(hbatch resource list)"
within 20 hbatch run true
isnt "$rc" 124 "a job that is submitted then gets an answer"
note "run: exit status $rc: $err"
ok "no task was left behind" wait_until 10 no_strays '^sleep 1001 '

# Jobs that are queued again when their executor is killed hold a lock, also their daemons that ignore
# signals: none runs beside its former self.
executor() { pgrep -f "hbatch-exec .*--rundir=$rundir"; }
another_executor() { [ -n "$(executor)" ] && [ "$(executor)" != "$1" ]; }
done_count() { [ "$(wc -l <ran)" -ge "$1" ]; }
: >ran
: >twice
cat >job <<'END'
exec 9>>"lock$1"
flock -n 9 || { echo "$1" >>twice; exit 1; }
(setsid sh -c 'trap "" TERM HUP; sleep 0.3' </dev/null >/dev/null 2>&1 &)
sleep 0.1
echo "$1" >>ran
END
jobs=$(hbatch submit -o requeue --cc=1-100 bash job '{cc}')
for _ in 1 2 3 4 5 6; do
    wait_until 20 done_count $(($(wc -l <ran) + 8))
    pid=$(executor)
    kill -9 "$pid"
    wait_until 10 another_executor "$pid"
done
for id in $jobs; do
    within 60 hbatch job wait "$id"
done
is "$(sort -un ran | wc -l)" 100 "jobs are queued again when their executor is killed: all run"
is "$(cat twice)" "" "and none beside its former self"
done_testing
