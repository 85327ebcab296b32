/* SPDX-License-Identifier: BSD-3-Clause */
/* A manager that starts its workers itself, with MPI_Comm_spawn, and gives them numbers to square:
 *     mpicc -O2 -o manager manager.c && hbatch run -n 1 ./manager [WORKERS]
 * The workers are a job of their own: hbatch jobs -a shows it. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static void work(MPI_Comm manager)
{
    int number;
    MPI_Recv(&number, 1, MPI_INT, 0, 0, manager, MPI_STATUS_IGNORE);
    number *= number;
    MPI_Send(&number, 1, MPI_INT, 0, 0, manager);
}

static void manage(const char *program, int n)
{
    MPI_Comm workers;
    int square, sum = 0;
    /* Waits in the instance's queue until N cores are free. */
    MPI_Comm_spawn(program, MPI_ARGV_NULL, n, MPI_INFO_NULL, 0, MPI_COMM_SELF, &workers,
                   MPI_ERRCODES_IGNORE);
    for (int i = 0; i < n; i++) {
        int number = i + 1;
        MPI_Send(&number, 1, MPI_INT, i, 0, workers);
    }
    for (int i = 0; i < n; i++) {
        MPI_Recv(&square, 1, MPI_INT, i, 0, workers, MPI_STATUS_IGNORE);
        sum += square;
    }
    printf("the sum of the first %d squares is %d\n", n, sum);
    MPI_Comm_disconnect(&workers);
}

int main(int argc, char **argv)
{
    MPI_Comm parent;
    MPI_Init(&argc, &argv);
    MPI_Comm_get_parent(&parent);
    if (parent == MPI_COMM_NULL) {
        manage(argv[0], argc > 1 ? atoi(argv[1]) : 2);
    } else {
        work(parent);
        MPI_Comm_disconnect(&parent);
    }
    MPI_Finalize();
    return 0;
}
