/* SPDX-License-Identifier: BSD-3-Clause */
/* nap DIR COUNT: rank 0 leaves a file DIR/PID and waits until there are COUNT of them, so jobs
 * that do this all run at the same time; then prints as hello does: "cpus LIST" of each rank. */
#include <dirent.h>
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int count_files(const char *dir)
{
    int n = 0;
    DIR *d = opendir(dir);
    if (d == NULL)
        return -1;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

int main(int argc, char **argv)
{
    int rank;
    char name[4096];
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (argc != 3)
        MPI_Abort(MPI_COMM_WORLD, 2);
    if (rank == 0) {
        snprintf(name, sizeof(name), "%s/%d", argv[1], (int)getpid());
        FILE *f = fopen(name, "w");
        if (f == NULL)
            MPI_Abort(MPI_COMM_WORLD, 3);
        fclose(f);
        for (int i = 0; count_files(argv[1]) < atoi(argv[2]); i++) {
            struct timespec ms = {.tv_nsec = 5000000};
            if (i > 6000)
                MPI_Abort(MPI_COMM_WORLD, 4);
            nanosleep(&ms, NULL);
        }
    }
    MPI_Barrier(MPI_COMM_WORLD);
    cpu_set_t set;
    sched_getaffinity(0, sizeof(set), &set);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &set))
            printf("rank %d cpu %d\n", rank, cpu);
    MPI_Finalize();
    return 0;
}
