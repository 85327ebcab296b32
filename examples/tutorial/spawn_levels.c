/* SPDX-License-Identifier: BSD-3-Clause */
/* Chapter 16: an MPI program that spawns an instance of hbatch beside it, and runs itself in it, by MPI messages; and so on,
 * LEVELS deep, each on a core less:
 *     hbatch run -n 1 ./spawn_levels [LEVELS] */
#include <hbatch_mpi.h>
#include <stdio.h>
#include <stdlib.h>

static int die(const struct hbatch_error *err)
{
    fprintf(stderr, "spawn_levels: %s\n", err->text);
    MPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
    return EXIT_FAILURE;
}

static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    (void)id, (void)stream, (void)task, (void)eof, (void)arg;
    fwrite(data, 1, len, stdout);
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    (void)left;
    *(int *)arg = result->exit_code;
}

/* A job of one task in the instance at the other end of H; its exit code, or -1. */
static int run(struct hbatch *h, const char *program, const char *argument,
               struct hbatch_error *err)
{
    const char *const command[] = {program, argument};
    struct hbatch_stream_ops ops = {.output = on_output, .end = on_end};
    struct hbatch_submit options = {.urgency = -1};
    hbatch_jobid id;
    int code = -1;
    struct hbatch_jobspec *js = hbatch_jobspec_create(2, command);
    char *text = hbatch_jobspec_encode(js, err);
    int rc = text ? hbatch_submit_stream(h, text, &options, &id, &ops, &code, err) : -1;
    while (rc >= 0 && code < 0)
        rc = hbatch_dispatch(h, -1, err);
    free(text);
    hbatch_jobspec_destroy(js);
    return rc < 0 ? -1 : code;
}

static int go_down(const char *program, const char *levels, int cores)
{
    char number[16], limit[16];
    struct hbatch_error err;
    MPI_Info info;
    MPI_Comm instance;
    snprintf(number, sizeof(number), "%d", cores);
    snprintf(limit, sizeof(limit), "%dm",
             5 * cores); /* within that of the one around it */
    MPI_Info_create(&info);
    MPI_Info_set(info, "hbatch_cores", number);
    MPI_Info_set(info, "hbatch_time_limit", limit);
    MPI_Info_set(info, "hbatch_job_name", "spawned");
    MPI_Comm_spawn("hbatch-instance", MPI_ARGV_NULL, 1, info, 0, MPI_COMM_SELF, &instance,
                   MPI_ERRCODES_IGNORE);
    MPI_Info_free(&info);
    struct hbatch *h = hbatch_mpi_open(instance, &err);
    if (!h)
        return die(&err);
    int code = run(h, program, levels, &err);
    hbatch_close(h);
    if (code < 0 || hbatch_mpi_close(&instance, "all is done", &err) < 0)
        return die(&err);
    return code;
}

int main(int argc, char **argv)
{
    const char *levels = argc > 1 ? argv[1] : "3", *at = getenv("HBATCH_INSTANCE_LEVEL");
    int level = at ? atoi(at) : 0, left = atoi(levels) - level, code = 0;
    MPI_Init(&argc, &argv);
    printf("a job at level %d\n", level);
    fflush(stdout);
    if (left > 0)
        code = go_down(argv[0], levels, left);
    MPI_Finalize();
    return code;
}
