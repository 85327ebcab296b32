#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Tasks, executors and instances that are killed or end: what is said, and that nothing remains.
. "${0%/*}/../system/lib.sh"
need pgrep procps python3 python3

start() { instance_start "$1" --test-topology="core:4 pu:1" "${@:2}" || exit 1; }
executor() { pgrep -P "$instance_pid" -x hbatch-exec; }
another_executor() { [ -n "$(executor)" ] && [ "$(executor)" != "$1" ]; }
kill_executor() { # SIGNAL; returns when there is another
    local old
    old=$(executor)
    kill "-$1" "$old"
    wait_until 10 another_executor "$old"
}
gone() { ! kill -0 "$1" 2>/dev/null; }
kill_strays() { # shellcheck disable=SC2046
    kill -KILL $(strays) 2>/dev/null
}
rundir() { dirname "${HBATCH_URI#local://}"; }
# event ID NAME: waits for it
event() { timeout 20 hbatch job wait-event -q "$1" "$2"; }
# nothing_left NAME: neither a process nor the run directory
nothing_left() {
    if wait_until 10 no_strays; then pass "$1: no process is left"; else
        fail "$1: no process is left" "$(ps -o pid,ppid,stat,args -p "$(strays | paste -sd,)")"
        kill_strays
    fi
    if [ -e "$dir" ]; then fail "$1: its run directory is removed"; else pass "$1: its run directory is removed"; fi
}
# a task that leaves processes of all sorts behind: in its group, in a session of its own, orphans
cat >litter <<'END'
sleep 1000 &
setsid sleep 1001 &
(setsid sh -c 'trap "" TERM HUP INT; sleep 1002 & sleep 1003' &)
(sleep 1004 &) &
END

start main
dir=$(rundir)

# --- tasks ---------------------------------------------------------------------------------------
nok "a task that is killed" hbatch run sh -c 'kill -KILL $$'
is $rc 137 "SIGKILL: exit code 137"
like "$err" "Killed" "it is said"
# shellcheck disable=SC2016
nok "a task that crashes" hbatch run --rlimit=core=0 sh -c 'kill -SEGV $$'
is $rc 139 "SIGSEGV: exit code 139"
like "$err" "Segmentation fault" "it is said"
unlike "$err" "core dumped" "no core, none is told of"
if [ "$(cat /proc/sys/kernel/core_pattern)" = core ] && (ulimit -c unlimited) 2>/dev/null; then
    mkdir cores
    nok "a task that dumps core" hbatch run --cwd="$tmp/cores" --rlimit=core=unlimited sh -c 'kill -SEGV $$'
    is $rc 139 "SIGSEGV with core: exit code 139"
    like "$(ls cores)" "core" "the core is there"
    like "$err" "core dumped" "it is said"
    rm -rf cores
else
    skip "a task that dumps core" "cores do not go to files named core here"
fi
nok "one of several tasks is killed" hbatch run -n 4 -o exit-timeout=1s \
    sh -c '[ $HBATCH_TASK_RANK = 2 ] && kill -KILL $$; sleep 1000'
is $rc 137 "exit code 137"
for code in 1 3 255; do
    nok "exit code $code" hbatch run sh -c "exit $code"
    is $rc $code "is passed on"
done
for signal in TERM HUP USR1 PIPE; do
    nok "a task that dies of $signal" hbatch run sh -c "kill -$signal \$\$"
    is $rc $((128 + $(kill -l $signal))) "exit code 128 + $signal"
done
id=$(hbatch submit sleep 1000)
event "$id" start
ok "hbatch job kill" hbatch job kill -s KILL "$id"
nok "the job fails" hbatch job wait "$id"
capture hbatch job attach "$id"
is $rc 137 "its exit code is told later, too"

# --- what tasks leave behind ---------------------------------------------------------------------
ok "a task that leaves processes behind" hbatch run sh "$tmp/litter"
ok "none of them remains" wait_until 10 no_strays '^sleep 100[0-4] '
id=$(hbatch submit sh -c ". $tmp/litter; sleep 1000")
event "$id" start
ok "a job with many processes is canceled" hbatch cancel "$id"
nok "it ends" hbatch job wait "$id"
ok "none of its processes remains" wait_until 10 no_strays '^sleep 100[0-4] '
mkfifo ready
id=$(hbatch submit sh -c "trap '' TERM; echo >$tmp/ready; while :; do sleep 1; done")
read -r _ <ready
ok "a task that ignores SIGTERM is canceled" hbatch cancel "$id"
within 15 hbatch job wait "$id"
is $rc 1 "it ends all the same"

# --- the executor --------------------------------------------------------------------------------
old=$(executor)
isnt "$old" "" "there is an executor"
running=$(hbatch submit sh -c ". $tmp/litter; echo up; sleep 1000")
queued=$(hbatch submit -n 4 true)
mkfifo out.running
hbatch job attach "$running" 2>attached >out.running </dev/null &
attach=$!
read -r _ <out.running
kill -KILL "$old"
capture timeout 20 hbatch job wait -v "$running"
is $rc 1 "SIGKILL of the executor: the job there fails"
like "$(hbatch job eventlog "$running")" "executor of rank 0 \(.*\) died" "its event log tells why"
wait $attach
isnt $? 0 "who attached to it hears of it"
like "$(cat attached)" "executor of rank 0 \(.*\) died" "and why"
ok "the job that waited for the cores runs" timeout 20 hbatch job wait "$queued"
ok "so does a new one" hbatch run -n 4 true
isnt "$(executor)" "$old" "there is a new executor"
ok "nothing of the lost one is left" wait_until 10 no_strays '^sleep 100[0-4] '
for i in 1 2 3; do
    kill_executor KILL
    ok "it may die several times: $i" hbatch run true
done
kill -STOP "$(executor)"
id=$(hbatch submit true)
kill -CONT "$(executor)"
ok "one that was stopped goes on" timeout 20 hbatch job wait "$id"
kill_executor TERM
ok "SIGTERM to the executor: jobs run" hbatch run true

# --- time limits ---------------------------------------------------------------------------------
nok "the time limit of a job" hbatch run -t 0.2s sleep 1000
like "$err" "time" "it is said"
isnt $rc 0 "exit code"
is "$(hbatch jobs -ano '{result}' -c 1)" "TIMEOUT" "its result"
ok "a job that ends in time" hbatch run -t 60s true
# the signal before the end
capture hbatch run -t 1s --signal=USR1@0.8s sh -c 'trap "echo warned; exit 0" USR1; sleep 1000 & wait'
like "$out" "warned" "a job is warned before its limit"

instance_stop main 7
is $rc 7 "the exit code of the initial program is the instance's"
nothing_left "an ordinary end"
like "$(cat main.err)" "executor of rank 0 \(.*\) died" "the loss of the executor was said"
unlike "$(cat main.err)" "Sanitizer|runtime error|ssertion|no message" "and nothing bad"

# --- the instance's end --------------------------------------------------------------------------
for signal in TERM HUP; do
    start $signal
    dir=$(rundir)
    id=$(hbatch submit sh -c ". $tmp/litter; echo up; sleep 1000")
    hbatch submit -n 4 true >/dev/null
    mkfifo out.$signal
    hbatch job attach "$id" 2>attached.$signal >out.$signal </dev/null &
    attach=$!
    read -r _ <out.$signal
    kill -$signal "$instance_pid"
    wait "$instance_pid"
    is $? $((128 + $(kill -l $signal))) "SIG$signal to the instance: its exit code"
    wait $attach
    isnt $? 0 "SIG$signal: who attached is told"
    like "$(cat attached.$signal)" "instance was" "... that the instance ended"
    nothing_left "SIG$signal"
    is "$(cat $signal.err)" "" "SIG$signal: it ends without noise"
done

# a program with children that ignore the signal
cat >program <<'END'
trap '' TERM HUP
sleep 1005 &
setsid sh -c 'trap "" TERM HUP; sleep 1006' &
echo "$HBATCH_URI" >"$1"
wait
sleep 1007
END
mkfifo up
hbatch start --test-topology="core:2 pu:1" bash "$tmp/program" "$tmp/up" &
instance_pid=$!
background+=("$instance_pid")
read -r HBATCH_URI <up
dir=$(rundir)
kill -TERM $instance_pid
wait $instance_pid
is $? 137 "a program that ignores SIGTERM does not hold the instance up"
nothing_left "a program that ignores SIGTERM"

# shutdown: its reason is the jobs' note, and tasks that do not hear are killed: at once if asked for
start reason
dir=$(rundir)
mkfifo deaf
hbatch run sh -c 'trap "" TERM; echo deaf; while :; do sleep 1; done' >deaf 2>deaf.err &
deaf=$!
read -r _ <deaf
within 4 hbatch shutdown --now -m "power goes off"
is "$rc" 0 "hbatch shutdown --now does not wait for a task that ignores SIGTERM"
wait $deaf
like "$(cat deaf.err)" "power goes off" "its reason is told"
wait "$instance_pid"
nothing_left "shutdown --now"

# an executor that does nothing any more, here because it is stopped
start stuck
dir=$(rundir)
id=$(hbatch submit sleep 1000)
event "$id" start
kill -STOP "$(executor)"
within 45 hbatch shutdown --now
is "$rc" 0 "an executor that is stuck does not hold up the end of the instance for ever"
wait "$instance_pid"
like "$(cat stuck.err)" "executor of rank 0 \(.*\) did not end job .* in time.*does not leave" "both waits for it are told"
nothing_left "a stuck executor"

# shutdown, from within and from elsewhere
start shut
dir=$(rundir)
id=$(hbatch submit sh -c ". $tmp/litter; sleep 1000")
event "$id" start
ok "hbatch shutdown from another shell" timeout 30 hbatch shutdown
wait "$instance_pid"
note "exit code $?"
nothing_left "shutdown"
refused=$(hbatch run true 2>&1)
like "$refused" "is gone" "after it, the instance is gone"
capture timeout 30 env -u HBATCH_URI hbatch start --test-topology="core:2 pu:1" \
    sh -c 'hbatch submit sleep 1000; hbatch shutdown --background; sleep 1008'
isnt "$rc" 124 "hbatch shutdown within the instance ends it, and its program"
ok "no process is left" wait_until 10 no_strays
within 10 env -u HBATCH_URI hbatch start --test-topology="core:2 pu:1" sh -c 'hbatch submit sleep 1000; hbatch shutdown; echo after'
is "$err" "" "hbatch shutdown within, and waiting for it"
start late
capture hbatch shutdown --background
nok "a job that comes after the shutdown" timeout 10 hbatch run true
wait "$instance_pid"

for code in 0 1 42; do
    capture env -u HBATCH_URI hbatch start --test-topology="core:2 pu:1" sh -c "exit $code"
    is $rc $code "a program's exit code $code"
done
capture env -u HBATCH_URI hbatch start --test-topology="core:2 pu:1" sh -c 'kill -KILL $$'
is $rc 137 "a program that is killed"
capture env -u HBATCH_URI hbatch start --test-topology="core:2 pu:1" no-such-program-at-all
is $rc 127 "a program that does not exist"
like "$err" "no-such-program-at-all" "is named"
capture env -u HBATCH_URI hbatch start --test-topology="core:2 pu:1" sh -c 'hbatch submit -n2 --cc=1-20 sleep 1000'
is $rc 0 "a program that leaves jobs behind: they end with it"
ok "no process is left" wait_until 10 no_strays

# the time limit of the instance: also when nothing else happens
for command in "sleep 1000" "hbatch run sleep 1000"; do
    # shellcheck disable=SC2086
    within 20 env -u HBATCH_URI hbatch start -t 1s --test-topology="core:2 pu:1" $command
    if [ "$ms" -ge 900 ] && [ "$ms" -lt 8000 ]; then pass "the time limit of an instance ends it: $command"; else
        fail "the time limit of an instance ends it: $command"
        shown "$command"
    fi
    is $rc 124 "its exit code"
done
ok "no process is left" wait_until 10 no_strays

# SIGKILL of the instance: the executor waits for a new rank, not for ever
HBATCH_EXEC_ORPHAN_TIMEOUT=1s start killed
dir=$(rundir)
exec_pid=$(executor)
id=$(hbatch submit sh -c ". $tmp/litter; sleep 1000")
event "$id" start
kill -KILL "$instance_pid"
wait "$instance_pid" 2>/dev/null
ok "SIGKILL of the instance: its executor ends" wait_until 15 gone "$exec_pid"
ok "no task is left" wait_until 10 no_strays '^sleep 100[0-4] '
kill_strays # its initial program
rm -rf "$dir"

# --- Ctrl-C --------------------------------------------------------------------------------------
start ctrlc
python3 - >ctrlc.out 2>&1 <<'END'
import os, pty, signal, sys, time, select
def run(script, *command):
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(command[0], command)
    text = b""
    steps = list(script)
    while True:
        try:
            if not select.select([fd], [], [], 20)[0]:
                print("timeout", text)
                os.kill(pid, 9)
            data = os.read(fd, 4096)
        except OSError:
            break
        if not data:
            break
        text += data
        while steps and steps[0][0] in text:
            os.write(fd, steps.pop(0)[1])
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text.decode()
rc, text = run([(b"ready", b"\x03"), (b"one more ctrl-C", b"\x03")], "hbatch", "run", "sh", "-c", "echo ready; sleep 1000")
print("ok" if rc not in (0, 124) and "interrupted by ctrl-C" in text else "not ok", "twice ctrl-C cancels: %d %r" % (rc, text))
rc, text = run([(b"ready", b"\x03"), (b"one more ctrl-C", b"\x1a")], "hbatch", "run", "sh", "-c", "echo ready; sleep 1000")
print("ok" if rc == 0 and "detaching" in text else "not ok", "ctrl-C ctrl-Z detaches: %d %r" % (rc, text))
END
while read -r word rest; do
    if [ "$word" = ok ]; then pass "${rest%%:*}"; else fail "ctrl-C" "$word $rest"; fi
done <ctrlc.out
is "$(hbatch jobs -no '{state}')" "RUN" "the job that was left goes on"
capture hbatch cancel --all
for signal in TERM USR1; do
    mkfifo ready.$signal
    hbatch run sh -c "trap 'exit 33' $signal; echo ready; while :; do sleep 0.05; done" >ready.$signal 2>/dev/null &
    run_pid=$!
    read -r _ <ready.$signal
    kill -$signal $run_pid
    wait $run_pid
    is $? 33 "SIG$signal to hbatch run goes to the job"
done
instance_stop ctrlc
is $rc 0 "the instance ends in order"
ok "no process is left" wait_until 10 no_strays
unlike "$(cat -- *.err)" "Sanitizer|runtime error|ssertion" "nobody said anything bad"
done_testing
