/* SPDX-License-Identifier: BSD-3-Clause */
/* Collectives over MPI_COMM_WORLD, its halves, and the ranks of each node (shared memory);
 * rank 0 prints "allreduce over N ranks: sum S, nodes M". */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static int sum_over(MPI_Comm comm, int value)
{
    int sum = -1;
    MPI_Allreduce(&value, &sum, 1, MPI_INT, MPI_SUM, comm);
    return sum;
}

int main(int argc, char **argv)
{
    int rank, size, bad = 0, node_rank, half_size;
    enum { BIG = 200000 };
    MPI_Comm half, node;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int sum = sum_over(MPI_COMM_WORLD, rank);
    bad += sum != size * (size - 1) / 2;

    MPI_Comm_split(MPI_COMM_WORLD, rank % 2, rank, &half);
    MPI_Comm_size(half, &half_size);
    bad += sum_over(half, 1) != half_size;
    MPI_Comm_free(&half);

    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &node);
    MPI_Comm_rank(node, &node_rank);
    int nodes = sum_over(MPI_COMM_WORLD, node_rank == 0);
    MPI_Comm_free(&node);

    double *big = malloc(BIG * sizeof(*big));
    for (int i = 0; i < BIG; i++)
        big[i] = rank + i;
    MPI_Allreduce(MPI_IN_PLACE, big, BIG, MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    for (int i = 0; i < BIG; i++)
        bad += big[i] != (double)sum + (double)i * size;
    free(big);
    for (int i = 0; i < 100; i++)
        MPI_Barrier(MPI_COMM_WORLD);
    bad = sum_over(MPI_COMM_WORLD, bad);
    if (rank == 0)
        printf("allreduce over %d ranks: %s %d, nodes %d\n", size,
               bad ? "mistakes" : "sum", bad ? bad : sum, nodes);
    MPI_Finalize();
    return bad != 0;
}
