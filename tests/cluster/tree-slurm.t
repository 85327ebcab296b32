#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A tree of instances inside of a Slurm allocation: three levels, however the outermost one was started.
# alone: on a busy machine a rank that srun started crashes or hangs in Open MPI now and then, at its start
. "$(dirname "$(readlink -f "$0")")/lib.sh"
CLUSTER_NET=${CLUSTER_NET:-10.77.6}
cluster_need slurm
. "$srcdir/tests/cluster/env.sh"
unset OMPI_MCA_plm_rsh_agent
export HBATCH_F58_FORCE_ASCII=1
left_only='hbatch-instance|hbatch-exec|orted|mpirun|sleep'
cluster_up
program openmpi hello || done_testing
hello=$program
nodes_of() { sed -nE 's/^rank [0-9] of [0-9] host (node[0-9]) .*/\1/p' <<<"$1" | sort | xargs; }

cat >leaf.sh <<END
#!/bin/bash
echo "level \$(hbatch getattr level)"
hbatch run -N2 -n2 "$hello"
END
cat >branch.sh <<END
#!/bin/bash
#hbatch: -N2 -n4 --output=branch.out
echo "level \$(hbatch getattr level)"
hbatch run -N2 -n2 "$hello"
leaf=\$(hbatch batch -N2 -n2 --output=leaf.out leaf.sh)
hbatch job wait \$leaf
END
cat >top.sh <<END
#!/bin/bash
branch=\$(hbatch batch branch.sh)
job=\$(hbatch batch -N1 -n1 --output=beside.out --wrap "hbatch run hostname")
hbatch job wait \$branch \$job || exit
canceled=\$(hbatch alloc --bg -N3 -n3)
hbatch --uri=\$canceled submit --quiet -N3 -n3 sleep 5000
hbatch --uri=\$canceled resource list -no '{nnodes}' -s all
hbatch cancel \$canceled
hbatch job wait-event -q -t 30 \$canceled clean
hbatch run -N3 -n3 "$hello"
exit 6
END
chmod +x ./*.sh
checked() { # NAME
    is "$rc" 6 "$1: a tree of three levels"
    [ "$rc" = 6 ] || shown top.sh
    like "$(<branch.out)" "^level 1"$'\n' "... level 1"
    hosts=$(nodes_of "$(<branch.out)")
    like "$hosts" "^node[1-3] node[1-3]$" "... MPI on two of its hosts"
    is "$(head -1 leaf.out) on $(nodes_of "$(<leaf.out)")" "level 2 on $hosts" "... level 2, MPI on the same"
    like "$(<beside.out)" "^node[1-3]$" "... and one of one node"
    is "$(head -1 <<<"$out") $(nodes_of "$out")" "3 node1 node2 node3" "... one on all hosts that is canceled, and MPI on all afterwards"
    nothing_stays
    rm -f ./*.out
}
ok "Slurm" "$srcdir/tests/cluster/slurm" up 4
capture on head salloc -Q -N3 --exclusive -t 10 hbatch start ./top.sh
checked "salloc hbatch start"
if on head srun --mpi=list 2>&1 | grep -q pmix; then
    capture on head srun -N3 -n3 -t 10 --exclusive --mpi=pmix hbatch-instance ./top.sh
    checked "srun --mpi=pmix hbatch-instance"
else
    skip "srun --mpi=pmix" "this Slurm has no PMIx plugin (Debian: slurm-wlm-basic-plugins)"
fi
done_testing
