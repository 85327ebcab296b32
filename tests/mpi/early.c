/* SPDX-License-Identifier: BSD-3-Clause */
/* early WAY CODE: the last rank leaves without MPI_Finalize, the others wait in a barrier.
 *   noinit      before MPI_Init: exit(CODE)
 *   exit        after MPI_Init: exit(CODE)
 *   _exit       after MPI_Init: _exit(CODE)
 *   signal      after MPI_Init: raise signal CODE
 *   all         all ranks exit(CODE) after MPI_Init
 *   sleep       all ranks wait forever in MPI; rank 0 prints "waiting" first
 * The last rank is told by the environment, as before MPI_Init nothing else tells it. */
#include <mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    const char *way = argv[1], *task = getenv("HBATCH_TASK_RANK"),
               *tasks = getenv("HBATCH_JOB_SIZE");
    int code = atoi(argv[2]), rank, nothing;
    int last = task != NULL && tasks != NULL && atoi(task) == atoi(tasks) - 1;
    if (strcmp(way, "noinit") == 0 && last)
        exit(code);
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (strcmp(way, "sleep") == 0) {
        if (rank == 0) {
            printf("waiting\n");
            fflush(stdout);
        }
        MPI_Recv(&nothing, 1, MPI_INT, rank, 99, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    }
    MPI_Barrier(MPI_COMM_WORLD); /* all are out of MPI_Init */
    if (strcmp(way, "all") == 0)
        exit(code);
    if (last && strcmp(way, "exit") == 0)
        exit(code);
    if (last && strcmp(way, "_exit") == 0)
        _exit(code);
    if (last && strcmp(way, "signal") == 0) {
        raise(code);
        pause();
    }
    MPI_Barrier(MPI_COMM_WORLD);
    MPI_Finalize();
    return 0;
}
