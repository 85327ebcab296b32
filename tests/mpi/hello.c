/* SPDX-License-Identifier: BSD-3-Clause */
/* Each rank prints one line: its place in MPI_COMM_WORLD, its host and the processors that it
 * is bound to.  "hello LINES" prints that often. */
#include <mpi.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* "0-3,7" */
static void cpu_list(char *text, size_t size)
{
    cpu_set_t set;
    size_t used = 0;
    text[0] = '\0';
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return;
    for (int first = 0; first < CPU_SETSIZE; first++) {
        int last = first;
        if (!CPU_ISSET(first, &set))
            continue;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &set))
            last++;
        if (used < size)
            used += (size_t)snprintf(text + used, size - used,
                                     last > first ? "%s%d-%d" : "%s%d", used ? "," : "",
                                     first, last);
        first = last;
    }
}

int main(int argc, char **argv)
{
    int rank, size, len;
    int lines = argc > 1 ? atoi(argv[1]) : 1;
    char host[MPI_MAX_PROCESSOR_NAME], cpus[512];
    const char *node = getenv("HBATCH_NODE_ID");
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    MPI_Get_processor_name(host, &len);
    cpu_list(cpus, sizeof(cpus));
    for (int i = 0; i < lines; i++)
        printf("rank %d of %d host %s node %s cpus %s\n", rank, size, host,
               node != NULL ? node : "-", cpus);
    MPI_Finalize();
    return 0;
}
