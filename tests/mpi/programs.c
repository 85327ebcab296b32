/* SPDX-License-Identifier: BSD-3-Clause */
/* One program of several in one MPI job: who it is in MPI_COMM_WORLD, and whether all of them are connected.
 * Prints "rank R of N app A universe U NAME gpus G": NAME is the first argument, G what CUDA_VISIBLE_DEVICES has. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int rank, size, *app, *universe, flag, uflag, sum, appnum;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_APPNUM, &app, &flag);
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_UNIVERSE_SIZE, &universe, &uflag);
    appnum = flag ? *app : -1;
    /* each program in a communicator of its own, as coupled codes have it */
    MPI_Comm own;
    int own_rank, own_size;
    MPI_Comm_split(MPI_COMM_WORLD, appnum, rank, &own);
    MPI_Comm_rank(own, &own_rank);
    MPI_Comm_size(own, &own_size);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    const char *gpus = getenv("CUDA_VISIBLE_DEVICES");
    printf("rank %d of %d app %d, %d of %d in it, universe %s, %s, gpus %s\n", rank, size,
           appnum, own_rank, own_size, uflag && *universe >= size ? "good" : "bad",
           argc > 1 ? argv[1] : "", gpus ? gpus : "unset");
    fflush(stdout);
    MPI_Comm_free(&own);
    MPI_Finalize();
    return sum == size * (size - 1) / 2 && argc > 2 && rank == size - 1 ? atoi(argv[2])
           : sum == size * (size - 1) / 2                               ? 0
                                                                        : 1;
}
