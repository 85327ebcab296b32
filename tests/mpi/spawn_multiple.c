/* SPDX-License-Identifier: BSD-3-Clause */
/* MPI_Comm_spawn_multiple of itself as two commands, 1 and 2 processes: each child knows its
 * application number and its own arguments. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

static int child(MPI_Comm parent, int argc, char **argv)
{
    int rank, size, *appnum, flag, good, all;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Comm_get_attr(MPI_COMM_WORLD, MPI_APPNUM, &appnum, &flag);
    int wanted = rank == 0 ? 0 : 1;
    good =
        size == 3 && flag && *appnum == wanted && argc == 2 && argv[1][0] == "ab"[wanted];
    if (!good)
        fprintf(stderr, "spawn_multiple: child %d of %d: appnum %d, argument %s\n", rank,
                size, flag ? *appnum : -1, argc > 1 ? argv[1] : "none");
    MPI_Reduce(&good, &all, 1, MPI_INT, MPI_LAND, 0, MPI_COMM_WORLD);
    if (rank == 0)
        MPI_Send(&all, 1, MPI_INT, 0, 0, parent);
    MPI_Comm_disconnect(&parent);
    return 0;
}

int main(int argc, char **argv)
{
    MPI_Comm parent, inter;
    int rank, good = 0, n = 0;
    MPI_Init(&argc, &argv);
    MPI_Comm_get_parent(&parent);
    if (parent != MPI_COMM_NULL) {
        child(parent, argc, argv);
        MPI_Finalize();
        return 0;
    }
    char a[] = "a", b[] = "b";
    char *commands[] = {argv[0], argv[0]}, *args_a[] = {a, NULL}, *args_b[] = {b, NULL};
    char **args[] = {args_a, args_b};
    int maxprocs[] = {1, 2}, codes[3];
    MPI_Info infos[] = {MPI_INFO_NULL, MPI_INFO_NULL};
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_spawn_multiple(2, commands, args, maxprocs, infos, 0, MPI_COMM_WORLD, &inter,
                            codes);
    MPI_Comm_remote_size(inter, &n);
    if (rank == 0)
        MPI_Recv(&good, 1, MPI_INT, 0, 0, inter, MPI_STATUS_IGNORE);
    MPI_Comm_disconnect(&inter);
    if (rank == 0)
        printf("spawn_multiple: %d children: %s\n", n, good && n == 3 ? "good" : "wrong");
    MPI_Finalize();
    return rank == 0 && !(good && n == 3);
}
