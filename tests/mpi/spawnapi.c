/* SPDX-License-Identifier: BSD-3-Clause */
/* A user of MPI_Comm_spawn with keys, and of libhbatch-mpi.  What it finds, it prints; tests/mpi/spawnapi.t knows what
 * that must be.
 *     spawnapi spawn PROGRAM N [KEY VALUE]...   spawn it: how many there are, or the error
 *     spawnapi multiple N [KEY VALUE]...        itself, by two commands of N each, with these keys
 *     spawnapi use N [KEY VALUE]...             an instance of N ranks, and all that can be done with it
 *     spawnapi all                              all tasks spawn one, and each has a connection
 *     spawnapi crash|abort|exit|leave|silent [KEY VALUE]...    ends of an instance and of its spawner
 *     spawnapi misuse                           what must be refused
 *     spawnapi program WORD...                  an instance with this program; wait for its end */
#include <hbatch_mpi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__
/* Open MPI loses memory. */
int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
    return 1;
}
#endif

static struct hbatch_error err;

static void die(const char *what)
{
    printf("%s: %s\n", what, err.text);
    fflush(stdout);
    MPI_Abort(MPI_COMM_WORLD, 9);
    exit(9);
}

static MPI_Info make_info(char **keys)
{
    MPI_Info info;
    MPI_Info_create(&info);
    for (; keys[0] && keys[1]; keys += 2)
        MPI_Info_set(info, keys[0], keys[1]);
    return info;
}

static MPI_Comm spawn(const char *program, char **argv, int n, char **keys, MPI_Comm comm)
{
    MPI_Comm inter = MPI_COMM_NULL;
    MPI_Info info = make_info(keys);
    int rc = MPI_Comm_spawn(program, argv, n, info, 0, comm, &inter, MPI_ERRCODES_IGNORE);
    MPI_Info_free(&info);
    if (rc != MPI_SUCCESS) {
        printf("spawn failed\n");
        fflush(stdout);
        MPI_Finalize();
        exit(3);
    }
    return inter;
}

static MPI_Comm spawn_instance(int n, char **keys)
{
    return spawn("hbatch-instance", MPI_ARGV_NULL, n, keys, MPI_COMM_SELF);
}

static struct hbatch *open_or_die(MPI_Comm inter)
{
    struct hbatch *h = hbatch_mpi_open(inter, &err);
    if (!h)
        die("open");
    return h;
}

static int tell_remote(MPI_Comm inter)
{
    int n;
    MPI_Comm_remote_size(inter, &n);
    printf("spawned %d\n", n);
    fflush(stdout);
    MPI_Comm_disconnect(&inter);
    return 0;
}

static int spawn_multiple(const char *self, int n, char **keys)
{
    char program[4096];
    char *commands[] = {program, program};
    int maxprocs[] = {n, n};
    MPI_Info infos[] = {make_info(keys), MPI_INFO_NULL};
    MPI_Comm inter;
    snprintf(program, sizeof(program), "%s", self);
    if (MPI_Comm_spawn_multiple(2, commands, MPI_ARGVS_NULL, maxprocs, infos, 0,
                                MPI_COMM_SELF, &inter,
                                MPI_ERRCODES_IGNORE) != MPI_SUCCESS)
        return 3;
    MPI_Info_free(&infos[0]);
    return tell_remote(inter);
}

/* --- jobs over messages ------------------------------------------------------------------------- */

static hbatch_jobid submit(struct hbatch *h, const char *ntasks, const char *script)
{
    const char *const argv[] = {"sh", "-c", script};
    struct hbatch_jobspec *js = hbatch_jobspec_create(3, argv);
    hbatch_jobid id;
    if (hbatch_jobspec_set(js, "ntasks", ntasks, &err) < 0 ||
        hbatch_jobspec_set(js, "input", "0", &err) < 0 ||
        hbatch_submit(h, js, NULL, &id, &err) < 0)
        die("submit");
    hbatch_jobspec_destroy(js);
    return id;
}

struct seen {
    char output[256];
    int starts, ended, exit_code;
    size_t bytes;
};

static void on_event(hbatch_jobid id, double time, const char *name, const char *context,
                     void *arg)
{
    struct seen *s = arg;
    (void)id, (void)time, (void)context;
    s->starts += strcmp(name, "start") == 0;
}

static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    struct seen *s = arg;
    (void)id, (void)stream, (void)task, (void)eof;
    if (s->bytes + len < sizeof(s->output) - 1)
        memcpy(s->output + s->bytes, data, len);
    s->bytes += len;
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    struct seen *s = arg;
    s->ended = left == 0;
    s->exit_code = result->exit_code;
}

static struct seen attach(struct hbatch *h, hbatch_jobid id, const char *input)
{
    static const struct hbatch_stream_ops ops = {
        .event = on_event, .output = on_output, .end = on_end};
    struct seen s = {.exit_code = -1};
    if (hbatch_attach(h, id, &ops, &s, &err) < 0)
        die("attach");
    while (!s.ended) {
        if (input && s.starts &&
            hbatch_stdin(h, id, NULL, input, strlen(input), 1, &err) < 0)
            die("stdin");
        if (s.starts)
            input = NULL;
        if (hbatch_dispatch(h, -1, &err) < 0)
            die("dispatch");
    }
    return s;
}

static void use(struct hbatch *h)
{
    struct hbatch_result r;
    hbatch_jobid id = submit(h, "1", "exit 3");
    if (hbatch_wait(h, id, &r, &err) < 0)
        die("wait");
    printf("wait: %s %d\n", r.result, r.exit_code);
    struct seen s = attach(h, submit(h, "1", "echo hello; exit 4"), NULL);
    printf("attach: %d starts, exit code %d, %s", s.starts, s.exit_code, s.output);
    s = attach(h, submit(h, "1", "read a; echo \"got $a\""), "some input\n");
    printf("stdin: %s", s.output);
    s = attach(h, submit(h, "1", "head -c 5000000 /dev/zero"), NULL);
    printf("much: %zu bytes\n", s.bytes);
    id = submit(h, "1", "sleep 1000");
    if (hbatch_cancel(h, id, "enough", &err) < 0 || hbatch_wait(h, id, &r, &err) < 0)
        die("cancel");
    printf("cancel: %s: %s\n", r.result, r.exception_note);
    char *list = hbatch_list(h, "{\"max\":2}", &err);
    if (!list)
        die("list");
    printf("list: %s\n", strstr(list, "\"more\":true") ? "2 and more" : list);
    free(list);
    list = hbatch_call(h, "no.such", NULL, &err);
    printf("bad method: %s\n", list ? list : err.text);
    free(list);
}

/* In the instance around: that is the one that was spawned. */
static int newest_job_is_over(void)
{
    struct hbatch *h = hbatch_open(NULL, &err);
    char *list = h ? hbatch_list(h, "{\"max\":1,\"states\":127}", &err) : NULL;
    if (!list)
        die("list");
    int over = strstr(list, "hbatch-instance") && strstr(list, "INACTIVE");
    free(list);
    hbatch_close(h);
    return over;
}

static int use_instance(int n, char **keys)
{
    MPI_Comm inter = spawn_instance(n, keys);
    struct hbatch *h = open_or_die(inter);
    use(h);
    char *resources = hbatch_resources(h, &err);
    if (!resources)
        die("resources");
    int nodes = 0;
    for (const char *p = resources; (p = strstr(p, "\"rank\":")); p++)
        nodes++;
    printf("nodes: %d\n", nodes);
    free(resources);
    hbatch_close(h);
    h = open_or_die(inter); /* once more */
    printf("again: %s\n", hbatch_dispatch(h, 0, &err) == 0 ? "quiet" : err.text);
    hbatch_close(h);
    if (hbatch_mpi_close(&inter, "done", &err) < 0)
        die("close");
    printf("closed: %s\n", inter == MPI_COMM_NULL ? "yes" : "no");
    printf("its job: %s\n", newest_job_is_over() ? "over" : "active");
    return 0;
}

static int use_by_all(void)
{
    int rank;
    char *none[] = {NULL};
    struct hbatch_result r;
    MPI_Comm inter = spawn("hbatch-instance", MPI_ARGV_NULL, 1, none, MPI_COMM_WORLD);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    struct hbatch *h = open_or_die(inter);
    hbatch_jobid id = submit(h, "1", "exit 0");
    if (hbatch_wait(h, id, &r, &err) < 0)
        die("wait");
    printf("%d: %s\n", rank, r.result);
    hbatch_close(h);
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0)
        usleep(100000); /* not all at the same time */
    if (hbatch_mpi_close(&inter, NULL, &err) < 0)
        die("close");
    return 0;
}

/* --- ends --------------------------------------------------------------------------------------- */

static pid_t pid_of(struct hbatch *h)
{
    char *info = hbatch_instance(h, &err);
    const char *p = info ? strstr(info, "\"pid\":") : NULL;
    if (!p)
        die("info");
    pid_t pid = (pid_t)atoi(p + strlen("\"pid\":"));
    free(info);
    return pid;
}

static int end_by(const char *how, char **keys)
{
    MPI_Comm inter = spawn_instance(1, keys);
    struct hbatch *h = open_or_die(inter);
    struct hbatch_result r;
    hbatch_jobid id = submit(h, "1", "exec sleep 4444");
    printf("%s: a job was submitted\n", how);
    fflush(stdout);
    if (strcmp(how, "abort") == 0)
        MPI_Abort(MPI_COMM_WORLD, 5);
    if (strcmp(how, "silent") == 0)
        kill(getpid(), SIGKILL);
    if (strcmp(how, "crash") == 0) {
        kill(pid_of(h), SIGKILL);
        if (hbatch_wait(h, id, &r, &err) == 0)
            return 4;
        printf("wait: %s\n", err.text);
    }
    hbatch_close(h);
    if (strcmp(how, "leave") == 0 && hbatch_mpi_leave(&inter, &err) < 0)
        die("leave");
    if (strcmp(how, "crash") == 0)
        printf("close: %s\n",
               hbatch_mpi_close(&inter, NULL, &err) < 0 ? err.text : "in order");
    return 0; /* exit: MPI_Finalize closes it */
}

static int misuse(void)
{
    char *none[] = {NULL};
    MPI_Comm nothing = MPI_COMM_NULL, world = MPI_COMM_WORLD;
    printf("null: %s\n", hbatch_mpi_open(MPI_COMM_NULL, &err) ? "?" : err.text);
    printf("intra: %s\n", hbatch_mpi_open(MPI_COMM_WORLD, &err) ? "?" : err.text);
    printf("close null: %s\n",
           hbatch_mpi_close(&nothing, NULL, &err) == 0 ? "?" : err.text);
    printf("close intra: %s\n",
           hbatch_mpi_close(&world, NULL, &err) == 0 ? "?" : err.text);
    MPI_Comm inter = spawn_instance(1, none);
    struct hbatch *h = open_or_die(inter);
    printf("twice: %s\n", hbatch_mpi_open(inter, &err) ? "?" : err.text);
    MPI_Send("?nonsense", 9, MPI_BYTE, 0, HBATCH_MPI_TAG, inter);
    MPI_Send("Lno end", 7, MPI_BYTE, 0, HBATCH_MPI_TAG, inter);
    /* empty lines; a request that is none would end the connection, as its answer will never come */
    MPI_Send("L\n\n\n", 4, MPI_BYTE, 0, HBATCH_MPI_TAG, inter);
    MPI_Send("", 0, MPI_BYTE, 0, HBATCH_MPI_TAG, inter);
    hbatch_jobid id = submit(h, "1", "true");
    struct hbatch_result r;
    printf("after nonsense: %s\n",
           hbatch_wait(h, id, &r, &err) == 0 ? r.result : err.text);
    if (hbatch_mpi_close(&inter, NULL, &err) < 0) /* before its connection */
        die("close");
    printf("no instance: %s\n", hbatch_wait(h, id, &r, &err) == 0 ? r.result : err.text);
    hbatch_close(h);
    return 0;
}

static int run_program(char **words)
{
    char *none[] = {NULL};
    MPI_Comm inter = spawn("hbatch-instance", words, 1, none, MPI_COMM_SELF);
    struct hbatch *h = open_or_die(inter);
    while (hbatch_dispatch(h, -1, &err) >= 0)
        ;
    printf("ended: %s\n", err.text);
    hbatch_close(h);
    return hbatch_mpi_close(&inter, NULL, &err) < 0;
}

int main(int argc, char **argv)
{
    MPI_Comm parent;
    int rc = 2;
    MPI_Init(&argc, &argv);
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    MPI_Comm_get_parent(&parent);
    const char *mode = argc > 1 ? argv[1] : "";
    if (parent != MPI_COMM_NULL) {
        printf("child in %s\n", getcwd((char[4096]){0}, 4096));
        MPI_Comm_disconnect(&parent);
        rc = 0;
    } else if (strcmp(mode, "spawn") == 0 && argc > 3)
        rc = tell_remote(
            spawn(argv[2], MPI_ARGV_NULL, atoi(argv[3]), argv + 4, MPI_COMM_SELF));
    else if (strcmp(mode, "multiple") == 0 && argc > 2)
        rc = spawn_multiple(argv[0], atoi(argv[2]), argv + 3);
    else if (strcmp(mode, "use") == 0 && argc > 2)
        rc = use_instance(atoi(argv[2]), argv + 3);
    else if (strcmp(mode, "all") == 0)
        rc = use_by_all();
    else if (strcmp(mode, "misuse") == 0)
        rc = misuse();
    else if (strcmp(mode, "program") == 0)
        rc = run_program(argv + 2);
    else
        rc = end_by(mode, argc > 1 ? argv + 2 : argv + argc);
    MPI_Finalize();
    return rc;
}
