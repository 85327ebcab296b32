/* SPDX-License-Identifier: BSD-3-Clause */
/* Two jobs that find each other by name:
 *     publish server NAME    opens a port, publishes it, accepts, disconnects, unpublishes
 *     publish client NAME    looks it up until it is there (30 s at most), connects
 * Both check an allreduce over the merged communicator. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void check(MPI_Comm inter, int high, const char *who)
{
    MPI_Comm merged;
    int rank, size, sum, local, remote;
    MPI_Comm_size(inter, &local);
    MPI_Comm_remote_size(inter, &remote);
    MPI_Intercomm_merge(inter, high, &merged);
    MPI_Comm_rank(merged, &rank);
    MPI_Comm_size(merged, &size);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, merged);
    if (size != local + remote || sum != size * (size - 1) / 2) {
        fprintf(stderr, "publish: size %d, sum %d\n", size, sum);
        MPI_Abort(MPI_COMM_WORLD, 2);
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0)
        printf("publish: %s: %d and %d tasks: good\n", who, local, remote);
    MPI_Comm_free(&merged);
}

static void lookup(const char *name, char *port)
{
    struct timespec pause = {0, 10000000};
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    for (int i = 0; i < 3000; i++) {
        if (MPI_Lookup_name(name, MPI_INFO_NULL, port) == MPI_SUCCESS)
            return;
        nanosleep(&pause, NULL);
    }
    fprintf(stderr, "publish: '%s' was not published\n", name);
    MPI_Abort(MPI_COMM_WORLD, 3);
}

int main(int argc, char **argv)
{
    char port[MPI_MAX_PORT_NAME] = "";
    MPI_Comm inter;
    int rank;
    MPI_Init(&argc, &argv);
    if (argc != 3) {
        fprintf(stderr, "usage: publish server|client NAME\n");
        MPI_Abort(MPI_COMM_WORLD, 1);
    }
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (strcmp(argv[1], "server") == 0) {
        if (rank == 0) {
            MPI_Open_port(MPI_INFO_NULL, port);
            MPI_Publish_name(argv[2], MPI_INFO_NULL, port);
        }
        MPI_Comm_accept(port, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &inter);
        check(inter, 0, argv[1]);
        MPI_Comm_disconnect(&inter);
        if (rank == 0) {
            MPI_Unpublish_name(argv[2], MPI_INFO_NULL, port);
            MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
            if (MPI_Lookup_name(argv[2], MPI_INFO_NULL, port) == MPI_SUCCESS) {
                fprintf(stderr, "publish: '%s' is still there\n", argv[2]);
                MPI_Abort(MPI_COMM_WORLD, 4);
            }
            MPI_Close_port(port);
        }
    } else {
        if (rank == 0)
            lookup(argv[2], port);
        MPI_Comm_connect(port, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &inter);
        check(inter, 1, argv[1]);
        MPI_Comm_disconnect(&inter);
    }
    MPI_Finalize();
    return 0;
}
