/* SPDX-License-Identifier: BSD-3-Clause */
/* Pi by the midpoint rule: each rank sums every size-th interval.
 *     mpicc -O2 -o pi pi.c && hbatch run -n 4 ./pi [INTERVALS]
 */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    int rank, size;
    double sum = 0, pi;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    long n = argc > 1 ? atol(argv[1]) : 1000000;
    for (long i = rank; i < n; i += size) {
        double x = ((double)i + 0.5) / (double)n;
        sum += 4 / (1 + x * x);
    }
    sum /= (double)n;
    MPI_Reduce(&sum, &pi, 1, MPI_DOUBLE, MPI_SUM, 0, MPI_COMM_WORLD);
    if (rank == 0)
        printf("pi is about %.6f (%d ranks)\n", pi, size);
    MPI_Finalize();
    return 0;
}
