/* SPDX-License-Identifier: BSD-3-Clause */
/* srun: a job of the allocation that it is called in, else of the cluster: hbatch run.  salloc: hbatch alloc. */
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "compat/common/hbatch.h"
#include "compat/slurm/forms.h"
#include "compat/slurm/request.h"

static void add_options(const struct request *r, struct words *w)
{
    for (size_t i = 0; i < r->nsets; i++) {
        const struct request_set *set = &r->sets[i];
        if (set->value)
            words_addf(w, "--%s=%s", set->name, set->value);
        else
            words_addf(w, "--%s", set->name);
    }
}

static long number_of(const char *name)
{
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : 0;
}

/* "4(x2),2" */
static long sum_of(const char *text)
{
    long sum = 0;
    for (const char *p = text; p && *p;) {
        char *end;
        long n = strtol(p, &end, 10), times = 1;
        if (end == p)
            break;
        if (strncmp(end, "(x", 2) == 0) {
            times = strtol(end + 2, &end, 10);
            end += *end == ')';
        }
        sum += n * times;
        p = end + (*end == ',');
    }
    return sum;
}

/* What a step takes from its job where it does not say otherwise. */
static void inherit(struct request *r)
{
    free(take(r->partition)); /* the job is in one */
    long cpus = number_of("SLURM_CPUS_PER_TASK"),
         all = sum_of(getenv("SLURM_JOB_CPUS_PER_NODE"));
    bool sized = r->ntasks || r->nodes || r->tasks_per_node;
    if (!r->ntasks && !r->tasks_per_node)
        r->ntasks = r->nodes ? 0 : number_of("SLURM_NTASKS");
    if (!sized)
        r->tasks_per_node = number_of("SLURM_NTASKS_PER_NODE");
    if (!sized)
        r->nodes = number_of("SLURM_JOB_NUM_NODES");
    if (!r->cpus && cpus > 1 && (all == 0 || cpus * MAX(r->ntasks, 1L) <= all))
        r->cpus = cpus;
}

/* Tags of file names that hbatch has: the rest is known here. */
static void set_file(struct request *r, const char *option, const char *pattern,
                     bool step)
{
    const char *id = getenv("SLURM_JOB_ID");
    const struct form_names names = {
        .job = step && id ? id : "{{id.dec}}",
        .array_job = getenv("SLURM_ARRAY_JOB_ID"),
        .array_task = getenv("SLURM_ARRAY_TASK_ID"),
        .name = "{{name}}",
        .user = getenv("USER") ? getenv("USER") : "",
        .host = "{{node.name}}",
        .node = "{{node.id}}",
        .task = "{{taskid}}",
        .step = step ? "{{id.dec}}" : "0",
    };
    if (!pattern)
        return;
    cleanup_free char *path =
        form_path(strcmp(pattern, "none") == 0 ? "/dev/null" : pattern, &names);
    request_set(r, option, path);
}

/* Variables of tasks, which executors know. */
static void set_task_environment(struct request *r, bool step)
{
    static const char *const always[] = {
        "SLURM_PROCID={{taskid}}",         "SLURM_LOCALID={{task.localid}}",
        "SLURM_NODEID={{node.id}}",        "SLURM_NTASKS={{size}}",
        "SLURM_NPROCS={{size}}",           "SLURM_STEP_NUM_TASKS={{size}}",
        "SLURM_STEP_NUM_NODES={{nnodes}}", "SLURM_STEP_NODELIST={{nodelist}}",
        "SLURMD_NODENAME={{node.name}}",   "SLURM_CPUS_ON_NODE={{node.ncores}}",
    };
    static const char *const of_job[] = {
        "SLURM_JOB_ID={{id.dec}}",
        "SLURM_JOBID={{id.dec}}",
        "SLURM_JOB_NODELIST={{nodelist}}",
        "SLURM_NODELIST={{nodelist}}",
        "SLURM_JOB_NUM_NODES={{nnodes}}",
        "SLURM_NNODES={{nnodes}}",
        "SLURM_JOB_NAME={{name}}",
        "SLURM_CLUSTER_NAME=" SLURM_CLUSTER,
        "SLURM_STEP_ID=0",
        "SLURM_STEPID=0",
    };
    char cwd[4096], host[256] = "";
    for (size_t i = 0; i < ARRAY_SIZE(always); i++)
        request_set(r, "env", always[i]);
    if (r->cpus)
        request_setf(r, "env", "SLURM_CPUS_PER_TASK=%ld", r->cpus);
    if (step) {
        request_set(r, "env", "SLURM_STEP_ID={{id.dec}}");
        request_set(r, "env", "SLURM_STEPID={{id.dec}}");
        request_set(r, "env",
                    "SLURM_NNODES={{nnodes}}"); /* the step's, as Slurm has it */
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(of_job); i++)
        request_set(r, "env", of_job[i]);
    gethostname(host, sizeof(host) - 1);
    setenv("SLURM_SUBMIT_DIR", getcwd(cwd, sizeof(cwd)) ? cwd : "/", 1);
    setenv("SLURM_SUBMIT_HOST", host, 1);
    const struct {
        const char *name;
        unsigned id;
    } ids[] = {{"SLURM_JOB_UID", getuid()}, {"SLURM_JOB_GID", getgid()}};
    for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
        cleanup_free char *text = xasprintf("%u", ids[i].id);
        setenv(ids[i].name, text, 1);
    }
    struct passwd *pw = getpwuid(getuid());
    setenv("SLURM_JOB_USER", pw ? pw->pw_name : "", 1);
    setenv("SLURM_JOB_PARTITION", r->partition ? r->partition : SLURM_PARTITION, 1);
}

static void set_io(struct request *r, bool step)
{
    set_file(r, "output", r->output, step);
    set_file(r, "error", r->error, step);
    if (r->input && strcmp(r->input, "none") == 0)
        request_set(r, "input", "/dev/null");
    else if (r->input)
        set_file(r, "input", r->input, step);
    if (r->append)
        request_set(r, "setopt", "output.mode=append");
}

static void add_command(const struct slurm *s, struct words *w, int argc, char **argv)
{
    if (argc == 0)
        slurm_die(s, "fatal: No command given to execute.");
    for (int i = 0; i < argc; i++)
        words_add(w, argv[i]);
}

/* sh and its like want a terminal: that is what hbatch alloc gives to its program here. */
static void add_inside(struct words *w)
{
    cleanup_free char *self = compat_self();
    words_add(w, self);
    words_add(w, "--inside");
    for (int i = 0; i < 3; i++)
        words_add(w, "-");
}

static void parse(struct request *r, struct sparse *p, const struct sopt *opts, size_t n,
                  int argc, char **argv)
{
    sparse_init(p, r->s, opts, n, argc, argv, true);
    for (const struct sopt *o; (o = sparse_next(p));)
        request_take(r, p, o);
}

static int become(const struct slurm *s, struct request *r, struct words *w)
{
    request_fini(r);
    return compat_become_hbatch(s->me, w);
}

int cmd_srun(struct slurm *s, int argc, char **argv)
{
    struct request r = {.s = s};
    struct sparse p;
    struct words w = {0};
    const char *id = getenv("SLURM_JOB_ID");
    parse(&r, &p, request_srun, request_nsrun, argc, argv);
    bool step = slurm_in_job();
    if (r.pty && step)
        slurm_die(s, "option --pty: within a job, hbatch gives no terminal to a step; "
                     "salloc gives one to a shell");
    if (r.jobid && !(step && strcmp(r.jobid, id) == 0)) {
        words_addf(&w, "--uri=%s", r.jobid);
        step = false;
    }
    if (step)
        inherit(&r);
    else if (!r.jobid)
        request_memory(&r);
    request_sizes(&r, false);
    request_environment(&r);
    words_add(&w, r.pty ? "alloc" : "run");
    if (r.pty) {
        add_options(&r, &w);
        add_inside(&w);
        words_add(&w, "pty");
    } else {
        set_io(&r, step);
        set_task_environment(&r, step);
        if (r.hold)
            words_add(&w, "--urgency=0");
        if (r.test_only)
            words_add(&w, "--dry-run");
        add_options(&r, &w);
    }
    if (r.multi_prog) {
        cleanup_free char *hbatch = compat_hbatch();
        words_add(&w, hbatch);
        words_add(&w, "multi-prog");
    }
    add_command(s, &w, argc - p.first, argv + p.first);
    return become(s, &r, &w);
}

/* salloc --no-shell: the id of hbatch alloc --bg, as a number. */
static int alloc_only(const struct slurm *s, struct words *w)
{
    int fds[2], status;
    char text[256] = "";
    uint64_t id;
    if (pipe2(fds, O_CLOEXEC) < 0)
        slurm_die(s, "cannot make a pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fds[1], STDOUT_FILENO);
        _exit(compat_become_hbatch(s->me, w));
    }
    close(fds[1]);
    ssize_t n = read_all(fds[0], text, sizeof(text) - 1);
    close(fds[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
        WEXITSTATUS(status) != 0)
        return 1;
    text[n > 0 ? n : 0] = '\0';
    text[strcspn(text, "\n")] = '\0';
    if (hbatch_jobid_decode(text, &id, NULL) == 0)
        fprintf(stderr, "salloc: Granted job allocation %llu\n", (unsigned long long)id);
    return 0;
}

int cmd_salloc(struct slurm *s, int argc, char **argv)
{
    struct request r = {.s = s};
    struct sparse p;
    struct words w = {0};
    char text[32];
    parse(&r, &p, request_salloc, request_nsalloc, argc, argv);
    request_sizes(&r, true);
    request_memory(&r);
    words_add(&w, "alloc");
    if (r.hold)
        words_add(&w, "--urgency=0");
    if (!r.name)
        request_set(&r, "job-name", p.first < argc ? argv[p.first] : "interactive");
    add_options(&r, &w);
    const struct {
        const char *name;
        long value;
    } numbers[] = {{"SLURM_NTASKS", r.ntasks},
                   {"SLURM_NPROCS", r.ntasks},
                   {"SLURM_CPUS_PER_TASK", r.cpus},
                   {"SLURM_NTASKS_PER_NODE", r.tasks_per_node}};
    unsetenv("SLURM_JOB_ID");
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        snprintf(text, sizeof(text), "%ld", numbers[i].value);
        if (numbers[i].value)
            setenv(numbers[i].name, text, 1);
        else
            unsetenv(numbers[i].name);
    }
    if (r.no_shell) {
        words_add(&w, "--bg");
        int rc = alloc_only(s, &w);
        request_fini(&r);
        words_fini(&w);
        return rc;
    }
    add_inside(&w);
    words_add(&w, r.quiet ? "quiet" : "salloc");
    for (int i = p.first; i < argc; i++)
        words_add(&w, argv[i]);
    return become(s, &r, &w);
}
