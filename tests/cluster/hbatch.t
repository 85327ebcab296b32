#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# An instance on several hosts: mpirun between them, jobs across them, faults on them.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
cluster_need
. "$srcdir/tests/cluster/env.sh"
left_files="/tmp/hbatch-?????? /dev/shm/*"
instance=$builddir/bin/hbatch-instance

for name in hello ring allreduce spawn abort programs; do
    program openmpi $name && declare "$name=$program"
done

cluster_up
"$cluster" hostfile 1 >hosts
"$cluster" hostfile 2 >hosts2

# instance_on HOST LAUNCHER...: it runs in the background, until "stop" gives it an exit code.
# Sets uri (rank 0's) and launcher (the process here).
instance_on() {
    local host=$1
    shift
    rm -f began end
    mkfifo began end
    # shellcheck disable=SC2016
    on "$host" "$@" bash -c 'echo "$HBATCH_URI" >began; read -r code <end; exit "$code"' \
        >"$tmp/instance.out" 2>"$tmp/instance.err" </dev/null &
    launcher=$!
    background+=("$launcher")
    exec {end}<>end # so that neither side of these waits for ever
    exec {began}<>began
    uri=
    read -r -t 30 -u "$began" uri
    exec {began}>&-
    [ -n "$uri" ] || note "it did not start: $(cat "$tmp/instance.err")"
}
stop() { # CODE: sets $rc, the launcher's exit code
    echo "$1" >&"$end"
    ended
}
ended() {
    wait_until 20 gone "$launcher" || kill -9 "$launcher"
    wait "$launcher" 2>/dev/null
    rc=$?
    exec {end}>&-
    rm -f began end
}
at() { on node1 env HBATCH_URI="$uri" "$@"; } # a command in the instance, on the leader's host

# --- a program of one script, as one would type it ------------------------------------------------
cat >script <<'END'
#!/bin/bash
hbatch resource list
hbatch run -N3 hostname | sort | tr '\n' ' '
exit 5
END
chmod +x script
nok "mpirun -N 1 hbatch-instance ./script on three hosts" on head mpirun.openmpi --hostfile hosts -N 1 "$instance" ./script
is $rc 5 "mpirun's exit code is the script's"
like "$out" "free +3 +[0-9]+ +0 node\[1-3\]" "the instance has three nodes"
like "$out" "node1 node2 node3 $" "a job runs on all of them"
nothing_stays "nothing stays behind on any host"

# --- jobs over hosts --------------------------------------------------------------------------
instance_on head mpirun.openmpi --hostfile hosts -N 1 "$instance"
isnt "$uri" "" "an instance over three hosts, mpirun on a fourth" || done_testing
ok "hello, one rank per host" at hbatch run -N 3 "$hello"
is "$(sed -nE 's/^rank ([0-9]) of 3 host (node[0-9]) node ([0-9]) .*/\1 \2 \3/p' <<<"$out" | sort | tr '\n' ,)" \
    "0 node1 0,1 node2 1,2 node3 2," "each on a host of its own"
ok "hello, two ranks on each of two hosts" at hbatch run -N 2 -n 4 "$hello"
is "$(grep -oE 'host node[0-9]' <<<"$out" | sort | uniq -c | awk '{print $1, $3}' | tr '\n' ,)" "2 node1,2 node2," \
    "where they were"
ok "ring" at hbatch run -N 3 "$ring"
is "$out" "ring of 3 ranks: 5 laps" "it is closed"
sent() { on "$1" cat /sys/class/net/eth0/statistics/tx_bytes; }
before=$(sent node2)
ok "allreduce" at hbatch run -N 3 "$allreduce"
is "$out" "allreduce over 3 ranks: sum 3, nodes 3" "its results"
after=$(sent node2)
[ $((after - before)) -gt 1000000 ]
is $? 0 "its data went through the network ($((after - before)) bytes from node2)"
ok "several programs over the hosts" at hbatch run -N 3 -n 3 "$programs" a : -n 3 --mem-per-core=1M "$programs" b
is "$(sed -n 's/^\(rank [0-9] of 6 app [01], .*in it\),.*/\1/p' <<<"$out" | sort | tr '\n' ';')" "rank 0 of 6 app 0, 0 of 3 in it;rank 1 of 6 app 0, 1 of 3 in it;rank 2 of 6 app 0, 2 of 3 in it;rank 3 of 6 app 1, 0 of 3 in it;rank 4 of 6 app 1, 1 of 3 in it;rank 5 of 6 app 1, 2 of 3 in it;" "... one MPI_COMM_WORLD"
ok "MPI_Comm_spawn from two hosts onto all" at hbatch run -N 2 -n 2 "$spawn" 4
is "$out" "spawn: 2 parents, 4 children, 2 rounds : good" "what parents and children computed"
nok "MPI_Abort" at hbatch run -N 3 "$abort" 37
is $rc 37 "its exit code"

if command -v mpicc.mpich >/dev/null && program mpich hello; then
    # MPICH 4.0 hangs in MPI_Finalize now and then, between hosts, whatever launched it.
    if within 15 at hbatch run -N 3 "$program" || [ $rc != 124 ]; then
        is "$rc $(sed -nE 's/^rank ([0-9]) of 3 host (node[0-9]) .*/\1 \2/p' <<<"$out" | sort | tr '\n' ,)" \
            "0 0 node1,1 node2,2 node3," "MPICH: hello, one rank per host"
    else
        at hbatch cancel --all >/dev/null 2>&1
        skip "MPICH: hello, one rank per host" "it hung in MPI_Finalize, as MPICH 4.0 does between hosts"
    fi
else
    skip "MPICH: hello, one rank per host" "mpicc.mpich is not here: install the Debian package libmpich-dev"
fi

# --- output, input, exit codes from other hosts
# shellcheck disable=SC2016
capture at hbatch run -N 3 -l sh -c 'echo "out $(hostname)"; echo "err $(hostname)" >&2; exit $((HBATCH_TASK_RANK * 3))'
is $rc 6 "the greatest exit code of three hosts"
is "$(sort <<<"$out" | tr '\n' ,)" "0: out node1,1: out node2,2: out node3," "stdout of three hosts"
is "$(grep -E '^[0-9]: ' <<<"$err" | sort | tr '\n' ,)" "0: err node1,1: err node2,2: err node3," "stderr"
ok "a great deal of output of another host" at hbatch run --requires=host:node3 head -c 3000000 /dev/zero
is "$(wc -c <"$tmp/.out")" 3000000 "all of it came"
is "$(echo across | at hbatch run --requires=host:node2 sh -c 'hostname; cat' | tr '\n' ' ')" "node2 across " \
    "stdin reaches a task on another host"
ok "output in files" at hbatch run -N 3 --output='out.{{id}}.{{taskid}}' hostname
is "$(cat out.*.* | sort | tr '\n' ' ')" "node1 node2 node3 " "one of each host"

# --- commands on other hosts
# shellcheck disable=SC2016
uri2=$(at hbatch run -N 3 sh -c '[ $HBATCH_NODE_ID != 1 ] || echo $HBATCH_URI')
like "$uri2" "^local://.*/sock-1$" "a task on node2 has the address of its own host's rank"
there() { on node2 env HBATCH_URI="$uri2" "$@"; }
ok "hbatch run, typed on node2" there hbatch run -N 3 hostname
is "$(sort <<<"$out" | tr '\n' ' ')" "node1 node2 node3 " "its output"
id=$(there hbatch submit -N 3 sleep 100)
ok "hbatch jobs on node1 sees what node2 submitted" at hbatch wait-event -t 20 "$id" start
is "$(there hbatch jobs -no '{id} {status} {nodelist}')" "$id RUN node[1-3]" "hbatch jobs on node2"
ok "it is canceled from node2" there hbatch cancel "$id"
ok "and has ended" at hbatch wait-event -t 20 "$id" clean
is "$(there hbatch resource list)" "$(at hbatch resource list)" "both see the same resources"
nok "a job that calls hbatch on its own host" at hbatch run --requires=host:node3 hbatch run sh -c 'hostname; exit 9'
is "$rc" 9 "its exit code"

# --- faults on other hosts
# shellcheck disable=SC2016
nok "kill -9 of a task on node2" at hbatch run -N 3 sh -c '[ $HBATCH_NODE_ID != 1 ] || kill -9 $$; exec sleep 100'
is $rc 137 "its exit code"
like "$err" "task 1 on host node2 was killed by signal 9" "it is said which task it was"
id=$(at hbatch submit -N 3 sleep 101)
at hbatch wait-event -t 20 "$id" start >/dev/null
on node2 pkill -KILL -x hbatch-exec
capture at hbatch job attach "$id"
is $rc 137 "kill -9 of the executor on node2: the job's exit code"
like "$err" "the executor of rank 1 \(node[0-9]\) died" "it is said why"
ok "the instance goes on, with a new executor" at hbatch run -N 3 "$hello"
is "$(grep -c '^rank . of 3' <<<"$out")" 3 "on all hosts"
sleepers() { for n in 1 2 3; do on node$n pgrep -x sleep; done; }
no_sleeper() { [ -z "$(sleepers)" ]; }
ok "no task of the lost job is left" wait_until 20 no_sleeper

stop 3
is $rc 3 "the program's exit code is mpirun's"
nothing_stays "nothing stays behind on any host"

# --- the ways it may be told to end
for signal in TERM HUP; do
    instance_on node1 mpirun.openmpi --hostfile hosts -N 1 "$instance"
    id=$(at hbatch submit -N 3 sh -c 'trap "" TERM; sleep 102; sleep 103')
    ok "a stubborn job" at hbatch wait-event -t 20 "$id" start
    on node1 pkill -$signal -x mpirun.openmpi || on node1 pkill -$signal -x mpirun
    ended
    isnt $rc 0 "mpirun that got SIG$signal fails"
    nothing_stays "and nothing stays behind, not even a job that ignores SIGTERM"
done
export HBATCH_EXEC_ORPHAN_TIMEOUT=0.5s
instance_on node1 mpirun.openmpi --hostfile hosts -N 1 -x HBATCH_EXEC_ORPHAN_TIMEOUT "$instance"
id=$(at hbatch submit -N 3 sleep 104)
at hbatch wait-event -t 20 "$id" start >/dev/null
on node3 pkill -KILL -x hbatch-instance
ended
isnt $rc 0 "kill -9 of a rank ends mpirun"
ok "and no process outlives it for long" wait_until 20 no_sleeper
for n in node1 node2 node3; do on $n sh -c 'rm -rf /tmp/hbatch-??????'; done # of ranks that were killed
nothing_stays "nor anything else"
unset HBATCH_EXEC_ORPHAN_TIMEOUT

# --- refused
nok "two ranks on a host" on node1 mpirun.openmpi --hostfile hosts2 -N 2 "$instance" true
like "$err" "ranks 0 and 1 are both on node1: start one rank per node \(mpirun -N 1\)" "it is said what to do"
is "$(grep -c 'are both on' <<<"$err")" 1 "once"
nothing_stays "nothing stays behind"

# --- hbatch start finds mpirun and what it needs
printf '# our hosts\nnode1 slots=4\n\nnode3\nnode1\n' >some
ok "hbatch start --hostfile" on node1 hbatch start --hostfile=some hbatch run -N 2 hostname
is "$(sort <<<"$out" | tr '\n' ' ')" "node1 node3 " "one node for each host of the file"
nok "hbatch start --hosts" on head hbatch start --hosts='node[2-3],node1' bash -c 'hbatch run -N3 hostname; exit 4'
is "$(sort <<<"$out" | tr '\n' ' ')" "node1 node2 node3 " "one node for each"
is $rc 4 "its exit code"
# shellcheck disable=SC2016
typed='cat /proc/$PPID/comm; hbatch run --requires=far hostname; on node3 env HBATCH_URI="$HBATCH_URI" hbatch resource list -no "{nodelist}" -s all'
on node1 hostname node1.cluster.test
ok "hbatch start on a host with a long name" on node1 hbatch start --hosts=node1,node3 --property=far:node3 bash -c "$typed"
on node1 hostname node1
is "$out" $'hbatch\nnode3\nnode[1,3]' "the program is its child; a property of a host; the instance's URI on another one"
nok "a host that is not there" on node1 hbatch start --hosts=node1,node9 true
like "$err" "node9" "it is named"
nothing_stays "nothing stays behind"
done_testing
