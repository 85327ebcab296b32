# SPDX-License-Identifier: BSD-3-Clause
"""A pool of mpi4py workers, started with MPI_Comm_spawn; tells who did what."""
import os
import sys
from mpi4py import MPI
from mpi4py.futures import MPIPoolExecutor


def square(x):
    return x * x, os.getpid(), MPI.COMM_WORLD.Get_size()


if __name__ == "__main__":
    workers = int(sys.argv[1]) if len(sys.argv) > 1 else None
    with MPIPoolExecutor(max_workers=workers) as pool:
        results = list(pool.map(square, range(40)))
    pids = {pid for _, pid, _ in results}
    print("sum", sum(r for r, _, _ in results), "by others", os.getpid() not in pids,
          "world", results[0][2])
