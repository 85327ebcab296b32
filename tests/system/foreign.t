#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Allocations of other batch systems, made up by their environment and by stand-ins for their
# commands; and the end of an instance's time.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
unset HBATCH_URI
for v in $(compgen -e | grep -E '^(SLURM|LSB|PBS|SGE|PE_HOSTFILE|JOB_ID)'); do unset "$v"; done
# Only what the stand-ins put there, beside the shell's own tools.
mkdir bin
for tool in env sh bash sleep cat; do ln -s "$(command -v $tool)" bin/$tool; done
path=$PATH
mpi=$(hbatch version | grep -qi mpich && echo mpich || echo openmpi)
stand_in() { # NAME BODY
    printf '#!/bin/sh\n%s\n' "$2" >"bin/$1"
    chmod +x "bin/$1"
}
[ $mpi = mpich ] && mpirun=mpiexec.hydra || mpirun=mpirun.openmpi
stand_in $mpirun 'exit 9'
ibin=$builddir/bin/hbatch-instance
hostname=$(hostname -s)
now=$(date +%s)
# dry ENVIRONMENT... [-- OPTIONS...]: hbatch start --dry-run there
dry() {
    local e=()
    while [ $# -gt 0 ] && [ "$1" != -- ]; do e+=("$1") && shift; done
    shift
    capture env -i PATH="$tmp/bin" LC_ALL=C ${e[@]+"${e[@]}"} "$builddir/bin/hbatch" start --dry-run "$@" ./work.sh
}
hosts_words() { [ $mpi = mpich ] && echo "-hosts $1" || echo "--host $1"; }
one_each() { [ $mpi = mpich ] && echo "-ppn 1" || echo "-N 1"; }
agent_words() { [ $mpi = mpich ] && echo "-launcher ssh -launcher-exec $1" || echo "--mca plm_rsh_agent $1"; }

# --- Slurm
slurm=(SLURM_JOB_ID=4711 'SLURM_JOB_NODELIST=n[01-03],big7' 'SLURM_JOB_CPUS_PER_NODE=4(x3),16')
dry "${slurm[@]}" SLURM_JOB_END_TIME=$((now + 7200))
is $rc 0 "Slurm: hbatch start --dry-run"
is "$(head -n 1 <<<"$err")" "# Slurm job 4711; 4 nodes: n[01-03],big7; 28 slots" "what it found"
like "$err" $'\n'"# it ends at 20[0-9-]+ [0-9:]+, in (2|1\.99[0-9]*)h \(SLURM_JOB_END_TIME\)$" "how long it has"
like "$out" "^$mpirun .*$(hosts_words n01,n02,n03,big7) .*$(one_each)" "one rank on each node"
like "$out" " $ibin --foreign=slurm:4711 --expiration=$((now + 7185))( --tell-status)? \./work\.sh$" \
    "the instance knows what it lives in, and ends in good time before it"
dry "${slurm[@]}"
like "$err" "its end is not known: neither SLURM_JOB_END_TIME nor squeue tells it" "no end is known"
unlike "$out" "expiration" "then there is none"
stand_in squeue '[ "$*" = "-h -j 4711 -o %L" ] && echo 1-02:03:04'
dry "${slurm[@]}"
like "$err" "in 1\.08[0-9]*d \(squeue\)" "squeue is asked"
dry "${slurm[@]}" SLURM_JOB_END_TIME=soon
like "$err" "in 1\.08[0-9]*d \(squeue\)" "SLURM_JOB_END_TIME that is none"
stand_in squeue 'echo UNLIMITED'
dry "${slurm[@]}"
like "$err" "squeue: it is unlimited" "an allocation without an end"
stand_in squeue 'echo "error: slurmctld is down" >&2; exit 1'
dry "${slurm[@]}"
like "$err" "its end is not known" "squeue fails"
rm bin/squeue
dry "${slurm[@]}" SLURM_JOB_END_TIME=$((now + 50))
like "$out" "--expiration=$((now + 45)) " "little time: a tenth is left over"
dry "${slurm[@]}" SLURM_JOB_END_TIME=$((now - 50))
is "$rc $err" "1 hbatch start: Slurm job 4711 has ended already, as SLURM_JOB_END_TIME tells" "it is over"
dry SLURM_JOB_ID=1 'SLURM_JOB_NODELIST=r[0-1]n[0-1]'
is $rc 1 "a list that only Slurm can read, without Slurm"
like "$err" "^hbatch start: SLURM_JOB_NODELIST: .*r\[0-1\]n\[0-1\]" "is told"
stand_in scontrol '[ "$1 $2" = "show hostnames" ] && printf "r0n0\nr0n1\nr1n0\nr1n1\n"'
dry SLURM_JOB_ID=1 'SLURM_JOB_NODELIST=r[0-1]n[0-1]'
like "$err" "4 nodes: r0n\[0-1\],r1n\[0-1\]" "scontrol can read it"
dry SLURM_JOB_ID=5 SLURM_JOB_NODELIST="$hostname"
is "$out" "$ibin --foreign=slurm:5 ./work.sh" "one node, this one: no mpirun"
dry SLURM_JOB_ID=5 SLURM_JOB_NODELIST=elsewhere
like "$out" "^$mpirun .*elsewhere" "one node, another one"
dry SLURM_JOB_ID=5 SLURM_JOB_NODELIST=alias SLURMD_NODENAME=alias
like "$out" "^$ibin" "Slurm's own name of this node"
dry "${slurm[@]}" -- --hosts=n03,big7.cluster
like "$out" "$(hosts_words n03,big7) " "some nodes of the allocation, by its names"
dry "${slurm[@]}" -- --hosts=n03,n09
is "$rc $err" "1 hbatch start: host n09 is not in the allocation of Slurm job 4711, which has n[01-03],big7" \
    "a node that is not in it"
dry "${slurm[@]}" -- --foreign=none
is "$out" "$ibin --foreign=none ./work.sh" "--foreign=none: this machine"
dry "${slurm[@]}" -- --foreign=lsf
is "$rc $err" "1 hbatch start: this is no LSF job: its variables are not in the environment" "--foreign=lsf is wrong here"
dry "${slurm[@]}" -- --foreign=moab
like "$rc $err" "^1 .*'moab' is no kind of allocation; there is slurm, lsf, pbs, sge, hosts or none" "no such kind"
dry "${slurm[@]}" HBATCH_URI=local:///nowhere
like "$out" "^$ibin \./work\.sh$" "inside an instance, what its variables tell is the outer one's"
stand_in srun 'exit 9'
dry "${slurm[@]}" -- --launcher=srun -o "--mem=0"
like "$out" "^srun --nodes=4 --ntasks=4 --ntasks-per-node=1 '--nodelist=n\[01-03\],big7' --mpi=pm[i2x]+ .*--cpu-bind=none .*--mem=0 $ibin --foreign=slurm:4711" \
    "--launcher=srun"
dry -- --launcher=srun
like "$rc $err" "^1 .*this is no Slurm job" "not without Slurm"
dry "${slurm[@]}" -- --launcher=standalone
like "$rc $err" "^1 .*--foreign=none" "--launcher=standalone for four nodes"
dry -- --launcher=aprun
like "$rc $err" "^1 .*--launcher=aprun: must be mpirun, srun or standalone" "no such launcher"
mv bin/$mpirun bin/hidden
dry "${slurm[@]}"
like "$rc $err" "^1 hbatch start: found none of .*$mpirun.* in PATH: .*environment module.*Debian package (openmpi-bin|mpich).*--launcher=srun" \
    "no mpirun: what to do"
mv bin/hidden bin/$mpirun

# --- LSF
lsf=(LSB_JOBID=88 LSB_JOBINDEX=0)
printf 'a1\na1\nb2\nb2\n' >djob
stand_in bjobs '[ "$*" = "-noheader -o time_left 88" ] && echo "2:30 L"'
dry "${lsf[@]}" LSB_DJOB_HOSTFILE=djob "LSB_MCPU_HOSTS=x 1"
is "$(head -n 1 <<<"$err")" "# LSF job 88; 2 nodes: a1,b2; 4 slots" "LSF: LSB_DJOB_HOSTFILE"
like "$err" "in 2\.(5|49[0-9]*)h \(bjobs\)" "its end"
like "$out" "^$mpirun .*$(hosts_words a1,b2) .* --foreign=lsf:88 --expiration=[0-9]+ " "the command"
unlike "$out" "blaunch" "no agent that is not there"
stand_in blaunch 'exit 9'
dry "${lsf[@]}" "LSB_MCPU_HOSTS=a1 4 b2 2"
is "$(head -n 1 <<<"$err")" "# LSF job 88; 2 nodes: a1,b2; 6 slots" "LSB_MCPU_HOSTS"
if [ $mpi = mpich ]; then like "$out" " -launcher lsf " "hydra's launcher"; else
    like "$out" " --mca plm_rsh_agent $tmp/bin/blaunch --mca plm_rsh_no_tree_spawn 1 " "blaunch is the agent"
fi
dry LSB_JOBID=88 LSB_JOBINDEX=3 "LSB_HOSTS=a1 a1 b2"
is "$(head -n 1 <<<"$err")" "# LSF job 88[3]; 2 nodes: a1,b2; 3 slots" "LSB_HOSTS, an element of an array"
stand_in bjobs 'echo -'
dry "${lsf[@]}" "LSB_HOSTS=a1 b2"
like "$err" "bjobs: it is unlimited" "no limit"
stand_in bjobs 'echo "0:10 E"'
dry "${lsf[@]}" "LSB_HOSTS=a1 b2"
like "$err" "its end is not known" "an estimate is no limit"
dry "${lsf[@]}"
like "$rc $err" "^1 .*LSF job 88: none of LSB_DJOB_HOSTFILE" "no hosts"
dry "${lsf[@]}" LSB_DJOB_HOSTFILE=nowhere
like "$rc $err" "^1 .*LSB_DJOB_HOSTFILE: cannot read the host file nowhere" "a file that is not there"

# --- PBS
printf 'c1.site\nc1.site\nc2.site\n' >nodefile
pbs=(PBS_JOBID=9.server PBS_NODEFILE=nodefile)
start=$(date -d @$((now - 600)) '+%a %b %e %H:%M:%S %Y')
stand_in qstat "[ \"\$*\" = '-f 9.server' ] && printf 'Job Id: 9.server\n    Resource_List.walltime = 01:00:00\n    resources_used.walltime = 00:01:00\n    mtime = x\n    stime = $start\n'"
dry "${pbs[@]}"
is "$(head -n 1 <<<"$err")" "# PBS job 9.server; 2 nodes: c1.site,c2.site; 3 slots" "PBS Pro"
like "$out" " --foreign=pbs:9.server --expiration=$((now + 3000 - 15)) " "its end: start and walltime"
unlike "$out" "agent|launcher" "no agent is there"
stand_in pbsdsh 'exit 9'
dry "${pbs[@]}"
like "$out" "$(agent_words "$builddir/bin/hbatch-pbsdsh")" "pbsdsh, by a script that makes it an agent"
stand_in pbs_tmrsh 'exit 9'
dry "${pbs[@]}"
like "$out" "$(agent_words "$tmp/bin/pbs_tmrsh")" "pbs_tmrsh is the better agent"
stand_in qstat "printf 'Job Id: 9\n    Walltime.Remaining = 300\n'"
dry "${pbs[@]}"
like "$err" "in (5|4\.9[0-9]*)m \(qstat\)" "Torque: what remains"
rm bin/qstat
touch -d @$((now - 100)) nodefile
dry "${pbs[@]}" PBS_WALLTIME=1100
like "$out" "--expiration=$((now + 985)) " "PBS_WALLTIME, from the time of the node file on"
dry "${pbs[@]}"
like "$err" "neither qstat nor PBS_WALLTIME tells it" "neither"

# --- Grid Engine
printf 'd1 8 all.q@d1 UNDEFINED\nd2 4 all.q@d2 UNDEFINED\n' >pe
touch -d @$((now - 60)) pe
sge=(JOB_ID=31 SGE_TASK_ID=undefined PE_HOSTFILE=pe)
stand_in qstat "[ \"\$*\" = '-j 31' ] && printf 'job_number: 31\nhard resource_list:         h_vmem=2G,h_rt=3600\n'"
dry "${sge[@]}"
is "$(head -n 1 <<<"$err")" "# Grid Engine job 31; 2 nodes: d[1-2]; 12 slots" "Grid Engine"
like "$out" " --foreign=sge:31 --expiration=$((now + 3540 - 15)) " "its end: start and h_rt"
stand_in qrsh 'exit 9'
dry "${sge[@]}"
if [ $mpi = mpich ]; then like "$out" " -launcher sge " "hydra's launcher"; else
    unlike "$out" "agent" "Open MPI uses qrsh by itself"
fi
stand_in qstat "printf 'hard resource_list:  h_rt=1:00:00,s_rt=1800\n'"
dry "${sge[@]}"
like "$out" "--expiration=$((now + 1740 - 15)) " "the soft limit comes first"
stand_in qconf "[ \"\$*\" = '-sq all.q' ] && printf 'qname                 all.q\ns_rt                  INFINITY\nh_rt                  900,[d1=600]\n'"
dry "${sge[@]}" QUEUE=all.q
like "$out" "--expiration=$((now + 840 - 15)) " "so does the queue's limit"
like "$err" "\(qconf: its queue's limit\)" "... told"
stand_in qconf "printf 'h_rt                  INFINITY\ns_rt                  INFINITY\n'"
dry "${sge[@]}" QUEUE=all.q
like "$out" "--expiration=$((now + 1740 - 15)) " "a queue without limits"
stand_in qstat "printf 'job_number: 31\n'"
dry "${sge[@]}" QUEUE=all.q
like "$err" "qstat: it has no h_rt" "no limit at all"
rm bin/qconf
mkdir spool
dry JOB_ID=31 SGE_JOB_SPOOL_DIR=spool SGE_TASK_ID=4 NSLOTS=1
like "$out" "^$ibin --foreign=sge:31.4 " "a job of one slot, an element of an array"
dry JOB_ID=31
is "$out" "$ibin ./work.sh" "JOB_ID alone may be anybody's"

# --- neither
dry
is "$out" "$ibin ./work.sh" "no allocation"
is "$err" "# no batch system's allocation; 1 node: $hostname" "is told"
dry -- --hosts=b,a,b
is "$err" "# no batch system's allocation; 2 nodes: b,a" "hosts that are named"

# --- an instance started by others finds out by itself
PATH=$path
ours=(SLURM_JOB_ID=4711 SLURM_JOB_NODELIST="$hostname" SLURM_JOB_END_TIME=$((now + 7200)))
ok "hbatch-instance in an allocation" env "${ours[@]}" hbatch-instance hbatch info
like "$out" "foreign *slurm" "knows what it lives in"
ok "uptime" env "${ours[@]}" hbatch start hbatch uptime
like "$out" "in Slurm job 4711,  ends in 1.9[0-9]*h" "shows it"
ok "--foreign=none" env "${ours[@]}" hbatch start --foreign=none hbatch uptime
unlike "$out" "Slurm|ends" "does not"
ok "a shorter time limit" env "${ours[@]}" hbatch start -t 30m hbatch uptime
like "$out" "ends in (30|29.[0-9]+)m" "counts"
nok "--foreign=pbm:1" hbatch-instance --foreign=pbm:1 true
like "$err" "--foreign=pbm:1: there is no such kind" "is refused"
nok "--expiration=soon" hbatch-instance --expiration=soon true
like "$err" "--expiration=soon: must be seconds since 1970" "is refused"

# --- the binding that mpirun put on a rank is undone, that of its surroundings is not
cores() { hbatch-instance --foreign=none hbatch resource list -no '{ncores}' -s free; }
all=$(cores)
if [ $mpi != openmpi ] || ! command -v mpirun.openmpi >/dev/null || ! command -v taskset >/dev/null; then
    skip "bindings" "they are tested with Open MPI's mpirun and taskset"
elif [ "$(nproc)" -lt 2 ] || [ "$all" -lt 2 ]; then
    skip "bindings" "there is one core only"
else
    one=$(taskset -cp $$ | sed 's/.*: //; s/[,-].*//')
    is "$(mpirun.openmpi -n 1 --bind-to core hbatch-instance hbatch resource list -no '{ncores}' -s free)" "$all" \
        "mpirun --bind-to core: all cores"
    is "$(mpirun.openmpi -n 1 --bind-to core sh -c 'hbatch-instance hbatch resource list -no "{ncores}" -s free; :')" "$all" \
        "a script between them"
    is "$(taskset -c "$one" mpirun.openmpi -n 1 --bind-to none hbatch-instance hbatch resource list -no '{ncores}' -s free)" 1 \
        "mpirun itself on one core: one"
    is "$(taskset -c "$one" hbatch-instance hbatch resource list -no '{ncores}' -s free)" 1 "without mpirun, too"
fi

# --- the end
ok "a job longer than the instance" hbatch start -t 5m --test-topology="core:2 pu:1" bash -c \
    'hbatch submit -t 6m true; [ $? = 1 ] && hbatch run -t 4m true'
like "$err" "a job of 6m can never run: this instance lives for 5m, from its start on" "is refused, with the reason"
# The instance's life is 3 s. A job of 2.9 s cannot end in time once a first job has taken a
# core for 0.3 s; one behind it that can does not wait for it.
cat >late.sh <<'END'
hbatch submit -n 2 -t 2s sleep 0.3 >first
hbatch submit -n 2 -t 2.9s true >late
hbatch submit -n 2 -t 0.5s true >short
hbatch job wait "$(cat first)"; echo "first $?"
hbatch job wait "$(cat short)"; echo "short $?"
hbatch jobs -no '{name} {status_abbrev} {contextual_info}'
hbatch run -t 2.8s true
END
capture hbatch start -t 3s --test-topology="core:2 pu:1" bash late.sh
is $rc 124 "the time limit of an instance gives it an exit code of its own"
is "$(head -n 3 <<<"$out")" "first 0"$'\n'"short 0"$'\n'"true S cannot end before the instance's time limit" \
    "a job that cannot end in time waits, says so, and others pass it"
like "$err" "the instance's time limit was reached" "what waits is canceled"
cat >warn.sh <<'END'
hbatch submit --signal=USR1@1s bash -c 'trap "echo warned >warned; exit 3" USR1; while :; do sleep 0.05; done' >id
hbatch job wait "$(cat id)"
echo "warned: $?"
hbatch run bash -c 'trap "" ALRM; trap "echo term >term" TERM; while :; do sleep 0.05; done'
END
capture hbatch start -t 2s --test-topology="core:2 pu:1" bash warn.sh
is $rc 124 "jobs that are still there are ended"
[ -e warned ]
is "$?" 0 "after their warning signal"
like "$err" "type=timeout" "by a timeout"
capture hbatch start -t 0.5s bash -c 'trap "" HUP; sleep 60; sleep 60'
is $rc 124 "a program that does not hear is ended, too"
[ $ms -lt 20000 ]
is "$?" 0 "in time"
ok "the program ends before" hbatch start -t 1m true
is "$(strays)" "" "nothing is left"
done_testing
