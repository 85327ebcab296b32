#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# mpi4py: plain, a pool of spawned workers, a pool of ranks.
. "${0%/*}/lib.sh"
python=/usr/bin/python3 # the one that Debian's mpi4py belongs to
need $python python3
$python -c 'import mpi4py' 2>/dev/null || skip_all "mpi4py is not here: install the Debian package python3-mpi4py"
inside --test-topology="core:8 pu:1"

ok "mpi4py, 4 ranks" hbatch run -n 4 $python -c '
from mpi4py import MPI
w = MPI.COMM_WORLD
print("of", w.size, "sum", w.allreduce(w.rank))'
is "$(sort -u <<<"$out")" "of 4 sum 6" "its allreduce"
for n in 1 4; do
    ok "MPIPoolExecutor spawns $n workers" hbatch run -n 1 $python "$srcdir/tests/mpi/pool.py" $n
    is "$out" "sum 20540 by others True world $n" "what they computed"
done
ok "MPIPoolExecutor over ranks of the job" hbatch run -n 4 $python -m mpi4py.futures "$srcdir/tests/mpi/pool.py"
is "$out" "sum 20540 by others True world 4" "what they computed"
ok "the spawned workers have ended" wait_until 20 no_job_is_left
done_testing
