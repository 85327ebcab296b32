/* SPDX-License-Identifier: BSD-3-Clause */
/* An MPI program to look at while it runs: each task says where it is, sleeps, and says that it is done.
 *     mpicc -o mpi_hellosleep mpi_hellosleep.c
 *     hbatch run -n 4 ./mpi_hellosleep [SECONDS] */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void nap(double seconds)
{
    for (; seconds > 0; seconds -= 0.1)
        usleep(100000);
}

int main(int argc, char **argv)
{
    char host[MPI_MAX_PROCESSOR_NAME];
    int rank, size, length;
    /* On virtual nodes all tasks have the same host. */
    const char *node = getenv("HBATCH_NODE_ID");
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(host, &length);
    if (rank == 0)
        printf("%d MPI tasks\n", size);
    printf("task %d on %s, node %s of the job, goes to sleep\n", rank, host,
           node ? node : "?");
    fflush(stdout);
    nap(argc > 1 ? atof(argv[1]) : 5);
    printf("task %d on %s woke up\n", rank, host);
    MPI_Finalize();
    return 0;
}
