/* SPDX-License-Identifier: BSD-3-Clause */
/* spawnloop N WIDTH COMMAND [ARG...]: run COMMAND N times, WIDTH at once, with nothing but
 * posix_spawn and wait: what this machine can do at most.  Standard input and output of the
 * command are /dev/null. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/util.h"

extern char **environ;

int main(int argc, char **argv)
{
    long n = argc > 3 ? atol(argv[1]) : 0, width = argc > 3 ? atol(argv[2]) : 0;
    if (n <= 0 || width <= 0) {
        fprintf(stderr, "usage: spawnloop N WIDTH COMMAND [ARG...]\n");
        return 2;
    }
    posix_spawn_file_actions_t fa;
    posix_spawn_file_actions_init(&fa);
    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&fa, 1, 2);

    long started = 0, running = 0, failed = 0;
    double start = time_mono();
    while (started < n || running > 0) {
        if (started < n && running < width) {
            pid_t pid;
            int rc = posix_spawnp(&pid, argv[3], &fa, NULL, argv + 3, environ);
            if (rc != 0) {
                fprintf(stderr, "spawnloop: cannot run %s: %s\n", argv[3], strerror(rc));
                return 2;
            }
            started++;
            running++;
            continue;
        }
        int status;
        if (wait(&status) > 0) {
            running--;
            failed += status != 0;
        } else if (errno != EINTR) {
            break;
        }
    }
    double took = time_mono() - start;
    printf("{\"jobs\":%ld,\"width\":%ld,\"failed\":%ld,\"seconds\":%.6f,\"rate\":%.1f}\n",
           n, width, failed, took, (double)n / took);
    posix_spawn_file_actions_destroy(&fa);
    return failed > 0;
}
