/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/comm/mpich_leave.h"

#include <errno.h>
#include <mpi.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#if defined(MPICH_NUMVERSION) && MPICH_NUMVERSION < 40200000

/* The process manager's end of the wire, if it speaks PMI-1 (RFC 13): PMI-2 names the job. */
static int wire(void)
{
    const char *text = getenv("PMI_FD");
    if (!text || getenv("PMI_JOBID"))
        return -1;
    char *end;
    long fd = strtol(text, &end, 10);
    return *text && !*end && fd >= 0 && fd < 1 << 20 ? (int)fd : -1;
}

static bool say(int fd, const char *line)
{
    size_t len = strlen(line);
    while (len > 0) {
        ssize_t n = write(fd, line, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        line += n;
        len -= (size_t)n;
    }
    return true;
}

/* Progress on messages until the answer, a line, is there and read. */
static bool answered(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    for (char c = 0; c != '\n';) {
        int flag;
        if (poll(&p, 1, 1) <= 0) {
            MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, MPI_COMM_WORLD, &flag,
                       MPI_STATUS_IGNORE);
            continue;
        }
        ssize_t n = read(fd, &c, 1);
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
    }
    return true;
}

bool mpich_leave(void)
{
    int fd = wire();
    if (fd < 0)
        return false;
    /* After the barrier, all that was sent has arrived everywhere. */
    if (say(fd, "cmd=barrier_in\n") && answered(fd) && say(fd, "cmd=finalize\n"))
        answered(fd);
    return true;
}

#else

bool mpich_leave(void)
{
    return false;
}

#endif
