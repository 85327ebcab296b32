/* SPDX-License-Identifier: BSD-3-Clause */
/* MPI_Comm_spawn of itself.
 *     spawn N          twice: N children, merge, allreduce over all, disconnect
 *     spawn N abort    the children abort after they have disconnected: the parents live on
 *     spawn N missing  a program that does not exist: an error that can be handled (start it as one
 *                      task: in Open MPI 4.1 only the root returns, the others hang) */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fail(const char *what, int got, int wanted)
{
    fprintf(stderr, "spawn: %s is %d, not %d\n", what, got, wanted);
    MPI_Abort(MPI_COMM_WORLD, 2);
}

/* Over all of COMM: the sum of ranks is what it must be. */
static void check_all(MPI_Comm comm, int size_wanted)
{
    int rank, size, sum;
    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, comm);
    if (size != size_wanted)
        fail("size of the merged communicator", size, size_wanted);
    if (sum != size * (size - 1) / 2)
        fail("sum of ranks", sum, size * (size - 1) / 2);
}

static void child(MPI_Comm parent, int argc, char **argv)
{
    MPI_Comm merged;
    int nparents, nchildren;
    MPI_Comm_remote_size(parent, &nparents);
    MPI_Comm_size(MPI_COMM_WORLD, &nchildren);
    if (argc != 3 || strcmp(argv[1], "child") != 0)
        fail("argc of a child", argc, 3);
    MPI_Intercomm_merge(parent, 1, &merged);
    check_all(merged, nparents + nchildren);
    MPI_Comm_free(&merged);
    MPI_Comm_disconnect(&parent);
    if (strcmp(argv[2], "abort") == 0)
        MPI_Abort(MPI_COMM_WORLD, 3);
}

static void spawn_missing(void)
{
    MPI_Comm inter;
    static char program[] = "/nonexistent/program";
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    int rc = MPI_Comm_spawn(program, MPI_ARGV_NULL, 1, MPI_INFO_NULL, 0, MPI_COMM_WORLD,
                            &inter, MPI_ERRCODES_IGNORE);
    if (rc == MPI_SUCCESS)
        fail("result of a spawn of what does not exist", rc, -1);
}

int main(int argc, char **argv)
{
    MPI_Comm parent, inter, merged;
    int rank, size;
    MPI_Init(&argc, &argv);
    MPI_Comm_get_parent(&parent);
    if (parent != MPI_COMM_NULL) {
        child(parent, argc, argv);
        MPI_Finalize();
        return 0;
    }
    int n = argc > 1 ? atoi(argv[1]) : 2;
    const char *how = argc > 2 ? argv[2] : "";
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    int rounds = strcmp(how, "missing") == 0 ? 0 : strcmp(how, "abort") == 0 ? 1 : 2;
    if (rounds == 0)
        spawn_missing();
    for (int round = 0; round < rounds; round++) {
        char text[16], word[] = "child";
        snprintf(text, sizeof(text), "%s", *how ? how : "1");
        char *args[] = {word, text, NULL};
        MPI_Comm_spawn(argv[0], args, n, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &inter,
                       MPI_ERRCODES_IGNORE);
        MPI_Intercomm_merge(inter, 0, &merged);
        check_all(merged, size + n);
        MPI_Comm_free(&merged);
        MPI_Comm_disconnect(&inter);
    }
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0)
        printf("spawn: %d parents, %d children, %d rounds %s: good\n", size, n, rounds,
               how);
    MPI_Finalize();
    return 0;
}
