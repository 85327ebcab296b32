#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# hbatch start beside mpirun: the program, the restarts, the return of hosts, the end.  A script plays
# mpirun (fakempirun).
. "${0%/*}/lib.sh"
[ -x "$builddir/bin/hbatch" ] || skip_all "$builddir/bin/hbatch is not there: build first, or set HBATCH_BUILDDIR"
need python3 python3 pgrep procps
unset HBATCH_URI
case $(hbatch version) in *openmpi*) ;; *) skip_all "hbatch was built for an MPI whose launcher ends all ranks with one" ;; esac

export TMPDIR=$tmp/run FAKE=$tmp/fake
mkdir "$TMPDIR" "$FAKE"
start=(hbatch start -s 2 --mpirun="$lib_dir/fakempirun")
# acts TEXT...: what each run of mpirun does; the last one is for all that follow
acts() {
    local n=1
    rm -f "$FAKE"/*
    while [ $# -gt 1 ]; do
        echo "$1" >"$FAKE/act.$n"
        n=$((n + 1))
        shift
    done
    echo "$1" >"$FAKE/act.rest"
}
runs() { cat "$FAKE/count"; }
requests() { grep -c "$1" "$FAKE/requests"; }
left() {
    ls "$TMPDIR"
    local p
    for p in $(strays); do
        case $(tr '\0' ' ' <"/proc/$p/cmdline") in
        *fakempirun* | *fakeleader* | hbatch* | "sleep 98765"*) tr '\0' ' ' <"/proc/$p/cmdline" ;;
        esac
    done 2>/dev/null
}
nothing_left() { [ -z "$(left)" ]; }
nothing_stays() {
    wait_until 10 nothing_left
    is "$(left)" "" "$1: nothing stays behind"
}
ran() { [ "$(cat "$FAKE/count" 2>/dev/null)" -ge "$1" ] && [ -e "$FAKE/up.$1" ]; }
up='ready; : >"$FAKE/up.$n"'

# --- the program ---------------------------------------------------------------------------------
acts 'ready; obey'
# shellcheck disable=SC2016
nok "a program" "${start[@]}" sh -c 'echo "$HBATCH_URI|$HBATCH_INSTANCE_LEVEL|$#"; cat; exit 7' x 'a b' c
is "$rc $(runs)" "7 1" "its exit code; mpirun ran once"
like "$out" "^local://$TMPDIR/hbatch-[^/]{6}/sock-0\|0\|2$" "it has the URI that the ranks told, and its arguments"
is "$err" "" "nothing is said"
command=$(cat "$FAKE/command.1")
like "$command" "--rundir=$TMPDIR/hbatch-...... --supervised=$(hostname) --tell-status sh -c" "the ranks are told of it"
unlike "$command" "--recover" "this is no restart"
like "$(cat "$FAKE/requests")" '"instance.shutdown".*"the instance.s program has ended"' "the instance is asked to shut down"
is "$(echo typed | timeout 20 "${start[@]}" cat)" typed "stdin is the program's"
nok "a program that is killed" "${start[@]}" sh -c 'kill -9 $$'
is "$rc" 137 "its exit code"
nok "a program that is not there" "${start[@]}" no-such-program
is "$rc|$err" "127|hbatch start: cannot run no-such-program: No such file or directory" "127, and it is named"
nok "one that cannot be run" "${start[@]}" /etc/passwd
is "$rc" 126 "126"
nothing_stays "programs"

# --- an instance that never is
acts 'echo "something is wrong" >&2; exit 5'
nok "mpirun fails" "${start[@]}" touch never
is "$rc $err $(runs)" "5 something is wrong 1" "its exit code, its words, and no other try"
acts 'exit 0'
nok "mpirun does nothing" "${start[@]}" touch never
is "$rc|$err" "1|hbatch start: mpirun ended with exit code 0 before the instance was ready" "it is said"
acts 'say "ready nonsense"; exit 0'
nok "what is not a URI" "${start[@]}" touch never
[ ! -e never ]
is $? 0 "no program was started"
acts 'say "ready remote"; say "ended with exit code 9"'
nok "rank 0 runs the program on another host" "${start[@]}" touch never
is "$rc $([ -e never ] && echo started)" "9 " "its exit code is told; it is not started here"
nothing_stays "no instance"

# --- restarts ------------------------------------------------------------------------------------
# shellcheck disable=SC2016
died='while ! grep -qs started "$FAKE/program"; do sleep 0.02; done; '
program=(sh -c 'echo started >"$FAKE/program"; trap "echo hup >>\"$FAKE/program\"; exit 3" HUP
    while [ ! -e "$FAKE/up.$0" ]; do sleep 0.02; done; exit 8')
# what has a session of its own, as executors have, lives on
own='setsid sh -c "echo \$\$ >\"\$FAKE/executor\"; exec sleep 98765" & while [ ! -s "$FAKE/executor" ]; do sleep 0.02; done; '
acts "ready; $own$died"'kill -9 $$' "$up; obey"
nok "kill -9 of mpirun" "${start[@]}" "${program[@]}" 2
is "$rc $(runs)" "8 2" "it is started again; the program goes on, and ends in its time"
is "$err" "hbatch start: mpirun was killed (signal 9): starting the ranks again on 2 virtual nodes" "it is said why"
is "$(sed 's/ --recover//' "$FAKE/command.2")" "$(cat "$FAKE/command.1")" "by the same command line"
like "$(cat "$FAKE/command.2")" "--supervised=[^ ]+ --recover" "and --recover"
is "$(cat "$FAKE/program")" started "the program was started once"
ok "an executor was not killed with the strays" pkill -F "$FAKE/executor"
acts "ready; $died"'exit 3' "ready; $died"'exit 0' "$up; obey"
nok "mpirun ends twice" "${start[@]}" "${program[@]}" 3
is "$rc $(runs)" "8 3" "it is started again each time"
like "$err" "mpirun ended with exit code 3: .*"$'\n'".*mpirun ended with exit code 0: " "it is said why"
acts "ready; $died"'exit 3' 'exit 4' 'exit 4' "$up; obey"
nok "two starts fail" "${start[@]}" "${program[@]}" 4
is "$rc $(runs)" "8 4" "the third does not"
acts "ready; $died"'exit 3' 'exit 4'
nok "three starts fail" "${start[@]}" "${program[@]}" 99
is "$rc $(runs)" "1 4" "the instance is given up"
like "$err" "mpirun ended with exit code 4: the instance is given up, after 4 starts" "it is said"
is "$(tr '\n' ' ' <"$FAKE/program")" "started hup " "the program is hung up"
acts "ready; $died"'exit 3' 'exit 4'
nok "and a program that does not listen" "${start[@]}" sh -c 'trap "" HUP TERM; echo started >"$FAKE/program"; sleep 98765 & while :; do sleep 98765; done'
is "$rc" 1 "is killed"
# the program ends while there are no ranks: the next ones are asked to shut down
acts "ready; $died"'exit 3' "ready; obey"
nok "the program ends meanwhile" "${start[@]}" sh -c 'echo started >"$FAKE/program"; while [ ! -e "$FAKE/command.2" ]; do sleep 0.01; done; exit 6'
is "$rc $(requests shutdown)" "6 1" "the instance ends in order"
acts "ready; $died"'say lost vnode1; say restart; trap "" TERM; while :; do sleep 98765; done' "$up; obey"
nok "the ranks leave, and mpirun hangs" "${start[@]}" "${program[@]}" 2
is "$rc $(runs)" "8 2" "it is killed, and started again"
nothing_stays "restarts"

# --- a node comes back -----------------------------------------------------------------------------
acts "ready; $died say lost vnode1; obey" "$up; obey"
nok "a virtual node is lost" "${start[@]}" "${program[@]}" 2
is "$rc $(runs)" "8 2" "the ranks are started again"
like "$(cat "$FAKE/requests")" '"instance.restart".*"vnode1 answers again"' "by a request"
is "$err" "hbatch start: vnode1 answers again: starting the ranks again on 2 virtual nodes" "it is said"
acts "ready; $died say lost vnode1;"' while read -r line <&3; do case $line in *restart*) : >"$FAKE/up.2"; obey; break ;; esac; done'
echo '[{"method": "instance.restart", "error": [-1, "it has no time"]}, {"method": "*", "result": {}}]' >"$FAKE/replies"
nok "the instance refuses that" "${start[@]}" "${program[@]}" 2
is "$rc $(runs)" "8 1" "it goes on"
is "$err" "hbatch start: vnode1 answers again, but its rank is not started again: it has no time" "it is said"
acts "ready; $died"'kill $leader_pid; say lost vnode0; while :; do read -r -t 1 <&3; done' "$up; obey"
nok "the rank that could be asked is lost" "${start[@]}" "${program[@]}" 2
is "$rc $(runs)" "8 2" "mpirun is told to end, and started again"

cat >agent <<'END'
#!/bin/sh
[ ! -e "$FAKE/absent.$1" ] || exec sleep 98765
exec true
END
chmod +x agent
hosts=(env OMPI_MCA_plm_rsh_agent="$tmp/agent" hbatch start --mpirun="$lib_dir/fakempirun" --hosts="$(hostname),hostb,hostc")
acts "ready; $died"'kill -9 $$' 'ready; rm "$FAKE/absent.hostc"; obey' "$up; obey"
touch "$FAKE/absent.hostc"
nok "a host is silent when mpirun dies" "${hosts[@]}" "${program[@]}" 3
is "$rc $(runs)" "8 3" "the ranks are started again twice"
host_list() { sed -n '1s/.*--host \([^ ]*\) .*/\1/p' "$FAKE/command.$1"; }
is "$(host_list 1) $(host_list 2) $(host_list 3)" "$(hostname),hostb,hostc $(hostname),hostb $(hostname),hostb,hostc" \
    "without that host, and with it when it answers"
like "$err" "mpirun was killed \(signal 9\): starting the ranks again on $(hostname),hostb; hostc does not answer"$'\n'"hbatch start: hostc answers again: starting the ranks again on " \
    "it is said"
nothing_stays "nodes"

# --- the instance ends -----------------------------------------------------------------------------
acts "ready; $died say ended with exit code 124"
capture "${start[@]}" "${program[@]}" 99
is "$rc $(tail -n 1 "$FAKE/program")" "124 hup" "exit code 124; the program is hung up"
acts "ready; $died say ended with exit code 0"
nok "the instance is shut down" "${start[@]}" sh -c 'echo started >"$FAKE/program"; exec sleep 98765'
is "$rc" 129 "the program ends by SIGHUP"
acts "ready; $died say ended with exit code 0; trap '' TERM; while :; do sleep 98765; done"
nok "and mpirun hangs" "${start[@]}" sh -c "trap '' HUP; echo started >'$FAKE/program'; sleep 98765; sleep 98765"
is "$rc $([ "$ms" -lt 20000 ] && echo in time)" "137 in time" "both are killed"
nothing_stays "the end"

# --- signals ---------------------------------------------------------------------------------------
for signal in TERM HUP INT; do
    acts "$up; obey"
    "${start[@]}" bash -c 'trap "echo '$signal' >\"$FAKE/heard\"; exit 4" '$signal'; echo started >"$FAKE/program"; while :; do sleep 0.02; done' 2>said &
    pid=$!
    wait_until 10 grep -q started "$FAKE/program"
    kill -$signal $pid
    wait $pid
    code=$?
    is "$(cat "$FAKE/heard")" $signal "SIG$signal: the program has it"
    if [ $signal = INT ]; then
        is $code 4 "and its exit code is ours"
    else
        is $code $((128 + $(kill -l $signal))) "exit code"
        like "$(cat "$FAKE/requests")" '"instance.shutdown".*"the instance was (terminated|hung up)"' "the instance ends, and knows why"
    fi
    is "$(grep hbatch said)" "" "we say nothing"
done
acts 'sleep 98765'
"${start[@]}" true &
pid=$!
wait_until 10 test -e "$FAKE/command.1"
kill -TERM $pid
wait $pid
is $? 143 "SIGTERM before the ranks are ready"
acts "$up; obey" # and it does not end when it is asked to
sed -i 's/obey/while :; do sleep 98765; done/' "$FAKE/act.rest"
"${start[@]}" bash -c 'trap "echo hup >\"$FAKE/heard\"; exit" HUP; echo started >"$FAKE/program"; while :; do sleep 0.02; done' &
pid=$!
wait_until 10 grep -q started "$FAKE/program"
kill -KILL $pid
wait $pid 2>/dev/null
ok "kill -9 of hbatch start: the program is hung up" wait_until 10 test -e "$FAKE/heard"
rm -rf "${TMPDIR:?}"/* # nobody was left to remove them
no_fake() { ! pgrep -f "$lib_dir/fakempirun.*$TMPDIR" >/dev/null; }
ok "and mpirun ends" wait_until 10 no_fake
for p in $(strays); do case $(tr '\0' ' ' <"/proc/$p/cmdline") in *fakeleader* | "sleep 98765"*) kill "$p" ;; esac done 2>/dev/null
nothing_stays "signals"

# --- a terminal --------------------------------------------------------------------------------------
acts 'ready; obey'
printf 'PS1="PROMPT> "\n' >rc
printf '#!/bin/sh\nexec bash --noprofile --rcfile "%s" -i\n' "$tmp/rc" >shell
chmod +x shell
timeout 60 env SHELL="$tmp/shell" TERM=dumb python3 "$lib_dir/terminal.py" "$tmp/shell" >shown <<END
PROMPT>	${start[*]} sh -c 'echo sta"rt"ed; exec cat'
started	\x1a\c
Stopped	\c
PROMPT>	fg
exec cat	again
again	typ"ed
typ"ed	\x03\c
PROMPT>	echo "code \$?"
code 130	exit 5
END
rc=$?
is $rc 5 "ctrl-Z stops hbatch start with its program, fg continues both, ctrl-C is the program's"
[ $rc = 5 ] || note "$(cat shown)"
# a shell that is killed does not give the terminal back by itself
cat >stubborn <<'END'
import os, signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_IGN)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
os.setpgid(0, 0)
os.tcsetpgrp(0, os.getpgrp())
open(os.environ["FAKE"] + "/program", "w").write("started")
time.sleep(98765)
END
acts "ready; $died say ended with exit code 0"
timeout 60 python3 "$lib_dir/terminal.py" bash -c "${start[*]} python3 $tmp/stubborn; echo is over; read -r line; echo read: \$line" >shown 2>&1 <<'END'
is over	next
read: next	
END
rc=$?
is $rc 0 "the terminal comes back from a shell that is killed"
[ $rc = 0 ] || note "$(cat shown)"
nothing_stays "a terminal"
done_testing
