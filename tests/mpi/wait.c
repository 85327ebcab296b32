/* SPDX-License-Identifier: BSD-3-Clause */
/* Rank 0 prints "ready", and "LINE from N ranks" for each line of its input, which it tells all by a
 * broadcast: a program on several nodes that goes on when it is told to. */
#include <mpi.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    int rank, size, sum;
    char line[256] = "";
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    if (rank == 0) {
        puts("ready");
        fflush(stdout);
    }
    for (;;) {
        MPI_Request request;
        int done = 0, one = 1;
        if (rank == 0) {
            if (!fgets(line, sizeof(line), stdin))
                line[0] = '\0';
            line[strcspn(line, "\n")] = '\0';
        }
        MPI_Ibcast(line, sizeof(line), MPI_CHAR, 0, MPI_COMM_WORLD, &request);
        for (; !done; usleep(2000)) /* the wait may be long */
            MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (!line[0])
            break;
        MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
        if (rank == 0) {
            printf("%s from %d ranks\n", line, sum);
            fflush(stdout);
        }
    }
    MPI_Finalize();
    return 0;
}
