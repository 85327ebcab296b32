/* SPDX-License-Identifier: BSD-3-Clause */
/* abort CODE [RANK]: this rank (default: the last) calls MPI_Abort(CODE), while the others wait
 * for a message that never comes. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int rank, size, nothing;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int code = argc > 1 ? atoi(argv[1]) : 1;
    int who = argc > 2 ? atoi(argv[2]) : size - 1;
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == who) {
        printf("rank %d aborts\n", rank);
        fflush(stdout);
        MPI_Abort(MPI_COMM_WORLD, code);
    }
    MPI_Recv(&nothing, 1, MPI_INT, who, 99, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    MPI_Finalize();
    return 0;
}
