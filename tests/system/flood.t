#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Too much of everything: output of one task, readers that do not read, writers without end, a full disk, jobs that all
# fail.  Memory stays bounded, and the instance goes on.
#
# HBATCH_TEST_FULL=1: 1 GB of output, and 100,000 jobs that fail.
. "${0%/*}/lib.sh"
need python3 python3
export HBATCH_F58_FORCE_ASCII=1
unset HBATCH_URI
full=${HBATCH_TEST_FULL:-}
mb=$((full ? 1000 : 60))
jobs=$((full ? 100000 : 3000))
instance_start one --test-topology="core:4 pu:1" || exit 1
leader=$(hbatch getattr pid)
executor=$(pgrep -P "$leader" hbatch-exec)
peak() { awk '/VmHWM/ { print int($2 / 1024) }' "/proc/$1/status"; }
# grown NAME: neither has had more than 64 MB
bounded() {
    local l e
    l=$(peak "$leader") e=$(peak "$executor")
    ok "$1: bounded memory of leader and executor ($l and $e MB)" test "$l" -lt 64 -a "$e" -lt 64
}

# --- much output ---------------------------------------------------------------------------------
is "$(python3 - "$mb" <<'END'
import resource, subprocess, sys
size = int(sys.argv[1]) * 1000000
p = subprocess.Popen(["hbatch", "run", "head", "-c", str(size), "/dev/zero"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
n = 0
while True:
    data = p.stdout.read(1 << 20)
    if not data:
        break
    n += len(data)
p.wait()
print(p.returncode, n - size, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 64 * 1024)
END
)" "0 0 True" "$mb MB of one task: all of it, and bounded memory of the client"
bounded "$mb MB"
id=$(hbatch submit head -c "$((mb * 1000000))" /dev/zero)
hbatch job wait "$id"
is "$(hbatch output "$id" | wc -c)" "$((mb * 1000000))" "captured, and read later"
bounded "captured"

# --- a reader that does not read -------------------------------------------------------------------
mkfifo stalled
hbatch run head -c 20000000 /dev/zero >stalled </dev/null &
client=$!
exec 9<stalled
id=$(wait_until 30 hbatch jobs -no '{id}' >/dev/null; hbatch jobs -ano '{id}' --count=1)
ok "the task does not wait for who reads" timeout 60 hbatch wait-event -q "$id" finish
bounded "a reader that does not read"
is "$(wc -c <&9)" 20000000 "who gets all of it when it does"
exec 9<&-
wait $client
is $? 0 "and ends well"

# --- writers without end ---------------------------------------------------------------------------
# shellcheck disable=SC2016
capture hbatch run -t 2s sh -c 'for i in 1 2 3 4 5 6 7 8; do (while echo $i; do :; done) & done; wait'
is $rc 142 "writers without end: the time limit ends them"
no_writer() { [ -z "$(strays 'sh -c for i in 1 2 3')" ]; }
ok "no writer is left" wait_until 20 no_writer
bounded "writers without end"
ok "the instance goes on" hbatch run true

# --- jobs that fail --------------------------------------------------------------------------------
within 900 hbatch submit --quiet --wait --cc="1-$jobs" sh -c 'echo no >&2; exit 3'
is $rc 3 "$jobs jobs fail at once"
is "$(hbatch jobs --stats-only 2>&1 | grep -o '[0-9]* failed')" "$((jobs + 1)) failed" "each is recorded"
within 900 hbatch submit --quiet --wait --cc="1-$jobs" ./no-such-program
is "$rc $(($(wc -l <<<"$err") < 20))" "127 1" "$jobs jobs without a program: a few lines tell"
bounded "jobs that fail"
ok "the instance goes on" hbatch run true
instance_stop one

# --- a full disk -------------------------------------------------------------------------------------
mkdir small
if mount -t tmpfs -o size=12m none small 2>/dev/null; then
    unset HBATCH_URI
    TMPDIR=$PWD/small instance_start two --test-topology="core:4 pu:1" || {
        umount small
        exit 1
    }
    id=$(hbatch submit sh -c 'yes | head -c 40000000')
    hbatch job wait "$id" 2>/dev/null
    is "$(hbatch jobs -ano '{exception.type}' "$id")" output "the disk is full: the job ends, and says why"
    ok "jobs without output run" hbatch run true
    capture hbatch run sh -c 'yes | head -c 12000000' >/dev/null
    like "$err" "output of the job could not be written.*No space left" "jobs with output say that there is no room"
    instance_stop two
    is $rc 0 "the instance ends in order"
    umount small
else
    skip "a full disk" "no file system can be mounted here"
fi
done_testing
