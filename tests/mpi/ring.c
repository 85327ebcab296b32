/* SPDX-License-Identifier: BSD-3-Clause */
/* A token goes round all ranks; messages from a few bytes to a few MB (eager and rendezvous
 * protocols).  Rank 0 checks every byte and prints "ring of N ranks: LAPS laps". */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int sizes[] = {1, 100, 5000, 70000, 3000000};
#define LAPS (int)(sizeof(sizes) / sizeof(sizes[0]))

int main(int argc, char **argv)
{
    int rank, size, bad = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int right = (rank + 1) % size, left = (rank + size - 1) % size;
    for (int lap = 0; lap < LAPS; lap++) {
        int n = sizes[lap];
        unsigned char *out = malloc((size_t)n), *in = malloc((size_t)n);
        for (int i = 0; i < n; i++)
            out[i] = (unsigned char)(i * 7 + lap + rank);
        MPI_Sendrecv(out, n, MPI_BYTE, right, lap, in, n, MPI_BYTE, left, lap,
                     MPI_COMM_WORLD, MPI_STATUS_IGNORE);
        for (int i = 0; i < n; i++)
            bad += in[i] != (unsigned char)(i * 7 + lap + left);
        free(out);
        free(in);
        int token = 0;
        if (rank != 0)
            MPI_Recv(&token, 1, MPI_INT, left, 100 + lap, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        token++;
        if (size > 1)
            MPI_Send(&token, 1, MPI_INT, right, 100 + lap, MPI_COMM_WORLD);
        if (rank == 0 && size > 1)
            MPI_Recv(&token, 1, MPI_INT, left, 100 + lap, MPI_COMM_WORLD,
                     MPI_STATUS_IGNORE);
        if (rank == 0)
            bad += token != size;
    }
    MPI_Allreduce(MPI_IN_PLACE, &bad, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    if (rank == 0)
        printf(bad ? "ring is broken: %d ranks, %d mistakes\n"
                   : "ring of %d ranks: %d laps\n",
               size, bad ? bad : LAPS);
    MPI_Finalize();
    return bad != 0;
}
