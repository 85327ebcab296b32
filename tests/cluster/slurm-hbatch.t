#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# An instance inside allocations of other batch systems: of a real Slurm; of LSF, PBS and Torque by
# stand-ins, which give their environment and really start ranks on other hosts.
# alone: on a busy machine srun gives up on ranks that are slow
. "$(dirname "$(readlink -f "$0")")/lib.sh"
slurm=$srcdir/tests/cluster/slurm
cluster_need
cluster_systems=("$slurm")
. "$srcdir/tests/cluster/env.sh"
left_only='hbatch-instance|hbatch-exec|orted|mpirun'
cluster_up

cat >script <<'END'
#!/bin/bash
hbatch uptime
hbatch resource list -no '{nnodes} {nodelist}' -s free
hbatch run -N3 hostname | sort | tr '\n' ' '
exit 5
END
chmod +x script
# What an instance of all three hosts printed.
checked() { # NAME FOREIGN-ID-REGEX
    is $rc 5 "$1: the exit code is the script's"
    like "$out" "size 3,  in $2" "... the instance says where it lives"
    like "$out" "3 node\[1-3\]" "... it has all nodes"
    like "$out" "node1 node2 node3 $" "... and runs jobs on them"
}
# --- LSF: its variables, and blaunch
agent=$srcdir/tests/cluster/rsh
mkdir lsf pbs torque
printf '#!/bin/sh\necho "$*" >>"%s/started"\nexec "%s" "$@"\n' "$tmp" "$agent" >lsf/blaunch
printf '#!/bin/sh\necho "0:10 L"\n' >lsf/bjobs
cp lsf/blaunch pbs/pbs_tmrsh
# pbsdsh -h HOST PROGRAM ARGUMENTS...: no shell
cat >torque/pbsdsh <<END
#!/bin/bash
echo "\$*" >>"$tmp/started"
shift
host=\$1
shift
printf -v words ' %q' "\$@"
exec "$agent" "\$host" "exec\$words"
END
chmod +x lsf/* pbs/* torque/*
printf 'node1\nnode1\nnode2\nnode3\n' >nodes
unset OMPI_MCA_plm_rsh_agent # what is found is to be used
capture on node1 env PATH="$tmp/lsf:$PATH" LSB_JOBID=88 LSB_JOBINDEX=0 LSB_DJOB_HOSTFILE="$tmp/nodes" hbatch start ./script
checked "LSF" "LSF job 88,  ends in 9\.[0-9]+m"
is "$(cut -d' ' -f1 started | sort | tr '\n' ' ')" "node2 node3 " "... blaunch started its ranks"
nothing_stays
rm -f started
capture on node1 env PATH="$tmp/pbs:$PATH" PBS_JOBID=9.server PBS_NODEFILE="$tmp/nodes" hbatch start ./script
checked "PBS" "PBS job 9.server"
is "$(cut -d' ' -f1 started | sort | tr '\n' ' ')" "node2 node3 " "... pbs_tmrsh started its ranks"
rm -f started
capture on node1 env PATH="$tmp/torque:$PATH" PBS_JOBID=9 PBS_NODEFILE="$tmp/nodes" hbatch start ./script
checked "Torque" "PBS job 9"
is "$(cut -d' ' -f1,2 started | sort | tr '\n' ' ')" "-h node2 -h node3 " "... pbsdsh started its ranks"
nothing_stays
capture on node1 env PATH="$tmp/lsf:$PATH" LSB_JOBID=88 LSB_DJOB_HOSTFILE="$tmp/nodes" hbatch start --hosts=node1,node3 \
    hbatch run -N2 hostname
is "$(sort <<<"$out" | tr '\n' ' ')" "node1 node3 " "some hosts of an allocation"

# --- hosts that cannot be reached
nok "hosts that are not there" on node1 env PATH="$tmp/lsf:$PATH" LSB_JOBID=88 "LSB_HOSTS=node1 node2 node8 node9" hbatch start true
for n in 8 9; do
    like "$err" "hbatch start: cannot reach node$n: cluster: there is no host node$n" "node$n is named"
done
unlike "$err" "cannot reach node[12]" "those that are there are not"
. "$srcdir/tests/cluster/env.sh"

# --- Slurm
if ! reason=$("$slurm" check 2>&1); then
    skip "Slurm" "$reason"
    done_testing
fi
ok "Slurm" "$slurm" up 4
capture on head salloc -Q -N3 --exclusive -t 10 hbatch start ./script
checked "salloc hbatch start" "Slurm job [0-9]+,  ends in 9\.[0-9]+m"
nothing_stays
capture on head salloc -Q -N3 --exclusive -t 10 hbatch start --dry-run ./script
like "$err" "# Slurm job [0-9]+; 3 nodes: node\[1-3\]; 12 slots" "hbatch start --dry-run: what it found"
like "$err" "# it ends at .*, in (10|9\.[0-9]+)m \((SLURM_JOB_END_TIME|squeue)\)" "... until when"
capture on head salloc -Q -N1 --exclusive -t 10 hbatch start hbatch run hostname
is "$out" node1 "one node, and salloc's command runs on another one"
capture on head sbatch -W -N3 --exclusive -t 10 -o batch.out --wrap "hbatch start ./script"
out=$(cat batch.out)
checked "sbatch" "Slurm job [0-9]+,  ends in 9\.[0-9]+m"
capture on head sbatch -W -N1 -n1 -t 10 -o batch1.out --wrap "hbatch start sh -c 'hbatch uptime; ps -o comm= -e'"
like "$(cat batch1.out)" "size 1,  in Slurm job" "sbatch, one node"
unlike "$(cat batch1.out)" "mpirun|orted" "... needs no mpirun"
nothing_stays
capture on head salloc -Q -N3 --exclusive -t 10 mpirun.openmpi -n 3 --map-by ppr:1:node hbatch-instance ./script
checked "salloc mpirun hbatch-instance" "Slurm job [0-9]+,  ends in 9\.[0-9]+m"
if on head srun --mpi=list 2>&1 | grep -q pmix; then
    export SLURM_PMIX_FENCE=tree # see launch_srun.c
    capture on head srun -N3 -n3 -t 10 --exclusive --mpi=pmix hbatch-instance ./script
    checked "srun --mpi=pmix hbatch-instance" "Slurm job [0-9]+,  ends in 9\.[0-9]+m"
    nothing_stays
    unset SLURM_PMIX_FENCE
    capture on head salloc -Q -N3 --exclusive -t 10 hbatch start --launcher=srun ./script
    checked "hbatch start --launcher=srun" "Slurm job [0-9]+,  ends in 9\.[0-9]+m"
    is "$(echo typed | on head salloc -Q -N3 --exclusive -t 10 hbatch start --launcher=srun cat)" typed "... its input comes"
    if program openmpi hello; then
        capture on head salloc -Q -N3 --exclusive -t 10 hbatch start --launcher=srun hbatch run -N3 -n6 "$program"
        is "$(count "$out" "^rank [0-5] of 6 host node[1-3]")" 6 "... MPI jobs run in it"
    fi
    nothing_stays
else
    skip "srun --mpi=pmix" "this Slurm has no PMIx plugin (Debian: slurm-wlm-basic-plugins)"
fi
capture on head salloc -Q -N2 --exclusive -t 10 hbatch start --hosts=node2 hbatch run hostname
is "$out" node2 "one of two nodes"
# jobs of a user who cancels the allocation
on head sbatch -N3 --exclusive -t 10 -o c.out --wrap "hbatch start sh -c 'echo up >up.fifo; hbatch run -N3 sleep 1000'" >sbatch.id
mkfifo up.fifo
exec {fifo}<>up.fifo
read -r -t 60 -u "$fifo" line
is "${line:-}" up "an instance with a job"
on head scancel "$(grep -oE '[0-9]+' sbatch.id)"
sleeping() { for n in 1 2 3; do on node$n pgrep -x sleep; done; }
no_sleep() { [ -z "$(sleeping)" ]; }
ok "scancel takes its tasks along" wait_until 40 no_sleep
done_testing
