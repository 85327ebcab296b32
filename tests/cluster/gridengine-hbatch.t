#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# An instance inside jobs of a real Grid Engine, whose qrsh -inherit starts the ranks.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
engine=$srcdir/tests/cluster/gridengine
cluster_need gridengine
unset SGE_ROOT SGE_CELL
left_but="node.py init |(^|/)sge_execd|(^|/)sge_qmaster"
left_files="/tmp/hbatch-?????? /tmp/*.all.q"
left_limit=20
printf '#!/bin/sh\nexec "%s" user "$@"\n' "$engine" >bin/as_user
chmod +x bin/as_user

nok "not without the cluster" "$engine" up
like "$err" "cluster up N first" "... it says so"
cluster_up
ok "Grid Engine" "$engine" up 4
# of its programs, only those on the hosts know where it is
set -a
. "$CLUSTER_STATE/environment"
set +a
is "$(on head qstat -f | awk '/^all.q@/ {print $1, $3}' | tr '\n' ,)" \
    "all.q@node1 0/0/4,all.q@node2 0/0/4,all.q@node3 0/0/4," "three nodes of four slots"

cat >script <<'END'
#!/bin/bash
sort "$PE_HOSTFILE" | cut -d' ' -f1,2 | tr '\n' ,
echo
hbatch uptime
hbatch resource list -no '{nnodes} {nodelist}' -s free
hbatch run -N3 hostname | sort | tr '\n' ' '
exit 5
END
# Work on each node; then it tells, and waits.
cat >long <<'END'
#!/bin/bash
for n in 1 2 3; do hbatch submit --requires=host:node$n sleep 100$n; done
echo up >up.fifo
sleep 1000
END
chmod +x script long
# Grid Engine's jobs begin with the environment of qsub: -V
job="-V -cwd -b y -j y -pe spread 6 -l h_rt=600"

# --- what it finds, and what is started by what
checked() { # NAME
    is $rc 5 "$1: the exit code is the script's"
    like "$out" "node1 2,node2 2,node3 2," "... PE_HOSTFILE names three nodes"
    like "$out" "size 3,  in Grid Engine job [0-9]+,  ends in 9\.[0-9]+m" "... the instance knows its job and its end"
    like "$out" "3 node" "... it has all nodes"
    like "$out" "node1 node2 node3 ?$" "... and runs jobs on them"
}
result() { out=$(cat out); }

capture on head qsub -sync y $job -o out hbatch start ./script
result
checked "qsub -pe spread 6 hbatch start"
nothing_stays
capture on head qrsh -now n -V -cwd -pe spread 6 -l h_rt=600 hbatch start ./script
checked "qrsh"
unlike "$err" "QRSH" "... its variables are not the jobs'"
is "$(echo typed | on head qrsh -now n -V -cwd -pe spread 3 hbatch start cat)" typed "... its input comes"
nothing_stays
capture on head qsub -sync y $job -o out2 hbatch start --dry-run ./script
like "$(cat out2)" "# Grid Engine job [0-9]+; 3 nodes: node\[[1-3,-]+\]; 6 slots" "hbatch start --dry-run: what it found"
like "$(cat out2)" "# it ends at .*, in (10|9\.[0-9]+)m \(qstat\)" "... until when"
on head qconf -mattr queue h_rt 0:5:0 all.q >/dev/null 2>&1
capture on head qsub -sync y -V -cwd -b y -j y -pe spread 3 -o out3 hbatch start --dry-run ./script
like "$(cat out3)" "# it ends at .*, in (5|4\.[0-9]+)m \(qconf: its queue's limit\)" "the queue's limit"
on head qconf -mattr queue h_rt INFINITY all.q >/dev/null 2>&1
capture on head qsub -sync y -V -cwd -b y -j y -pe fill 4 -o out4 hbatch start hbatch uptime
like "$(cat out4)" "size 1,  in Grid Engine job [0-9]+" "all slots on one node; no limit"
unlike "$(cat out4)" "ends in" "... and no end"
capture on head qsub -sync y -V -cwd -b y -j y -t 2 -o out5 hbatch start hbatch uptime
like "$(cat out5)" "size 1,  in Grid Engine job [0-9]+\.2" "one slot, an element of an array"
if program openmpi hello; then
    capture on head qsub -sync y $job -o out6 hbatch start hbatch run -N3 -n6 "$program"
    is "$(count "$(cat out6)" "^rank [0-5] of 6 host node[1-3]")" 6 "MPI jobs run in it"
fi

# --- its end: the instance ends before Grid Engine kills it
capture on head qsub -sync y -V -cwd -b y -j y -pe spread 3 -l h_rt=20 -o out7 hbatch start hbatch run -N3 sleep 1000
like "$out$err" "Job [0-9]+ exited with exit code" "h_rt=20: the instance ended before Grid Engine would kill it"
like "$(cat out7)" "time" "... and said so"
nothing_stays

# --- qdel, faults
mkfifo up.fifo
exec {fifo}<>up.fifo
begin() { # COMMAND...: an instance that has work on each node; $id is its job
    # shellcheck disable=SC2086
    id=$("$@" qsub -terse $job -o long.out hbatch start ./long)
    line=
    read -r -t 60 -u "$fifo" line
    is "$line" up "an instance with a job on each node"
    wait_until 20 working 1 2 3
}
sleeps_on() { on "node$1" pgrep -f "^sleep 100$1" >/dev/null; }
working() {
    local n
    for n; do sleeps_on "$n" || return 1; done
}
chmod 777 . && : >long.out && chmod 666 long.out up.fifo
if as_user test -x "$builddir/bin/hbatch"; then
    begin as_user
    parents=$(on node2 sh -c 'ps -o comm= -p $(ps -o ppid= -p $(pgrep -o -x orted))')
    [ "$parents" != sh ] || parents=$(on node2 sh -c 'ps -o comm= -p $(ps -o ppid= -p $(ps -o ppid= -p $(pgrep -o -x orted)))')
    master=$(on head qstat -u '*' | sed -nE 's/.*all\.q@(node[1-3]).*/\1/p' | head -n 1)
    [ "$master" = node2 ] || is "$parents" qrsh_starter "mpirun's daemons are Grid Engine's: they did not go into the background"
    on "$master" pkill -KILL -x mpirun.openmpi
    again() { grep -q "starting the ranks again" long.out; }
    ok "a killed mpirun is started again" wait_until 30 again
    free_nodes() { [ "$(on "$master" pgrep -x mpirun.openmpi | wc -l)" = 1 ] && working 1 2 3; }
    ok "... Grid Engine does not end the job, and its work goes on" wait_until 30 free_nodes
    is "$(on head qstat -u '*' | awk 'NR == 3 {print $5}')" r "... it runs"
    on head qdel "$id" >/dev/null
    nothing_stays
else
    skip "qdel of an ordinary user's job" "$builddir/bin is not for every user"
fi
begin on head
master=$(on head qstat -u '*' | sed -nE 's/.*all\.q@(node[1-3]).*/\1/p' | head -n 1)
[ "$master" = node3 ] && other=node2 || other=node3
third=$((6 - ${master#node} - ${other#node}))
"$cluster" kill "$other"
gone_silent() { grep -q "silent for .*: it is given up" long.out; }
ok "a node loses power" wait_until 40 gone_silent
ok "... the work on the others goes on" working "${master#node}" "$third"
is "$(on head qstat -u '*' | awk 'NR == 3 {print $5}')" r "... Grid Engine lets the job run"
on head qdel "$id" >/dev/null
no_work() { ! sleeps_on "${master#node}" && ! sleeps_on "$third"; }
ok "qdel ends it" wait_until 40 no_work

ok "down" "$engine" down
is "$(for h in head node1 node2 node3; do "$cluster" exec $h ps axo comm 2>/dev/null; done | grep -c '^sge_')" 0 "no daemon is left"
ok "down again" "$engine" down
done_testing
