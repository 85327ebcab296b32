/* SPDX-License-Identifier: BSD-3-Clause */
/* An MPI program with a scheduler of its own: it spawns an instance of hbatch on NODES nodes with CORES cores each, has it
 * run JOBS jobs, all by MPI messages, and tells how they ended:
 *     hbatch run -n 1 spawn_instance [NODES [CORES [JOBS]]]
 */
#include <hbatch_mpi.h>
#include <stdio.h>
#include <stdlib.h>

struct summary {
    unsigned completed, failed;
    uint64_t left;
};

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    struct summary *s = arg;
    if (result->exit_code == 0)
        s->completed++;
    else
        s->failed++;
    s->left = left;
}

static int die(const struct hbatch_error *err)
{
    fprintf(stderr, "spawn_instance: %s\n", err->text);
    MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    return EXIT_FAILURE;
}

/* What is to be done: JOBS times a command that fails for the ids that end in 7. */
static int run_jobs(struct hbatch *h, int jobs, struct summary *s,
                    struct hbatch_error *err)
{
    static const char *const command[] = {"sh", "-c",
                                          "case $HBATCH_JOB_CC in *7) exit 1;; esac"};
    char ids[32];
    hbatch_jobid id;
    struct hbatch_submit options = {.urgency = -1, .cc = ids};
    struct hbatch_stream_ops ops = {.end = on_end};
    struct hbatch_jobspec *js = hbatch_jobspec_create(3, command);
    char *text = hbatch_jobspec_encode(js, err);
    int rc = -1;
    snprintf(ids, sizeof(ids), "1-%d", jobs);
    s->left = (uint64_t)jobs;
    if (text && hbatch_submit_stream(h, text, &options, &id, &ops, s, err) >= 0)
        rc = 0;
    while (rc == 0 && s->left > 0)
        if (hbatch_dispatch(h, -1, err) < 0)
            rc = -1;
    free(text);
    hbatch_jobspec_destroy(js);
    return rc;
}

int main(int argc, char **argv)
{
    int nodes = argc > 1 ? atoi(argv[1]) : 1, jobs = argc > 3 ? atoi(argv[3]) : 100;
    MPI_Info info;
    MPI_Comm instance;
    struct hbatch_error err;
    MPI_Init(&argc, &argv);
    double start = MPI_Wtime();

    MPI_Info_create(&info);
    MPI_Info_set(info, "hbatch_cores", argc > 2 ? argv[2] : "1");
    MPI_Info_set(info, "hbatch_job_name", "scheduler");
    MPI_Comm_spawn("hbatch-instance", MPI_ARGV_NULL, nodes, info, 0, MPI_COMM_SELF,
                   &instance, MPI_ERRCODES_IGNORE);
    MPI_Info_free(&info);
    struct hbatch *h = hbatch_mpi_open(instance, &err);
    if (!h)
        return die(&err);
    double up = MPI_Wtime();

    struct summary s = {0};
    if (run_jobs(h, jobs, &s, &err) < 0)
        return die(&err);
    double done = MPI_Wtime();
    hbatch_close(h);
    if (hbatch_mpi_close(&instance, "all jobs have ended", &err) < 0)
        return die(&err);

    printf("%d nodes, %d jobs: %u completed, %u failed\n", nodes, jobs, s.completed,
           s.failed);
    fprintf(stderr, "up after %.3f s, jobs %.3f s, down %.3f s\n", up - start, done - up,
            MPI_Wtime() - done);
    MPI_Finalize();
    return EXIT_SUCCESS;
}
