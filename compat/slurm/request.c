/* SPDX-License-Identifier: BSD-3-Clause */
#include "compat/slurm/request.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "compat/slurm/forms.h"
#include "compat/slurm/jobs.h"
#include "compat/slurm/nodes.h"
#include "src/common/util.h"
#include "src/job/state.h"

/* --- tables -------------------------------------------------------------------------------- */

/* What all three have. */
#define COMMON                                                                           \
    {"account", 'A', 'r', R_PASS, "bank"}, {"acctg-freq", 0, 'r', OPT_IGNORE, NULL},     \
        {"bb", 0, 'r', OPT_REFUSE, "hbatch has no burst buffers"},                       \
        {"bbf", 0, 'r', OPT_REFUSE, "hbatch has no burst buffers"},                      \
        {"begin", 'b', 'r', R_BEGIN, NULL}, {"chdir", 'D', 'r', R_CHDIR, NULL},          \
        {"cluster-constraint", 0, 'r', OPT_IGNORE, NULL},                                \
        {"clusters", 'M', 'r', OPT_IGNORE, NULL}, {"comment", 0, 'r', OPT_IGNORE, NULL}, \
        {"constraint", 'C', 'r', R_CONSTRAINT, NULL},                                    \
        {"contiguous", 0, 0, OPT_IGNORE, NULL},                                          \
        {"core-spec", 'S', 'r', OPT_IGNORE, NULL},                                       \
        {"cores-per-socket", 0, 'r', OPT_IGNORE, NULL},                                  \
        {"cpu-freq", 0, 'r', OPT_IGNORE, NULL},                                          \
        {"cpus-per-gpu", 0, 'r', OPT_REFUSE,                                             \
         "use --cpus-per-task with --gpus-per-task"},                                    \
        {"cpus-per-task", 'c', 'r', R_CPUS, NULL},                                       \
        {"deadline", 0, 'r', OPT_IGNORE, NULL},                                          \
        {"delay-boot", 0, 'r', OPT_IGNORE, NULL},                                        \
        {"dependency", 'd', 'r', R_DEPENDENCY, NULL},                                    \
        {"distribution", 'm', 'r', R_DISTRIBUTION, NULL},                                \
        {"exclude", 'x', 'r', R_EXCLUDE, NULL},                                          \
        {"container", 0, 'r', OPT_REFUSE,                                                \
         "hbatch starts no containers: name its runtime in the command"},                \
        {"exclusive", 0, 'o', R_EXCLUSIVE, NULL},                                        \
        {"extra-node-info", 'B', 'r', OPT_IGNORE, NULL},                                 \
        {"gid", 0, 'r', OPT_REFUSE, "an instance runs the jobs of its owner"},           \
        {"gpu-bind", 0, 'r', OPT_IGNORE, NULL}, {"gpu-freq", 0, 'r', OPT_IGNORE, NULL},  \
        {"gpus", 'G', 'r', R_GPUS, NULL},                                                \
        {"gpus-per-node", 0, 'r', R_GPUS_PER_NODE, NULL},                                \
        {"gpus-per-socket", 0, 'r', OPT_REFUSE,                                          \
         "use --gpus-per-task or --gpus-per-node"},                                      \
        {"gpus-per-task", 0, 'r', R_GPUS_PER_TASK, NULL},                                \
        {"gres", 0, 'r', R_GRES, NULL}, {"gres-flags", 0, 'r', OPT_IGNORE, NULL},        \
        {"hint", 0, 'r', OPT_IGNORE, NULL}, {"job-name", 'J', 'r', R_JOB_NAME, NULL},    \
        {"licenses", 'L', 'r', OPT_REFUSE, "hbatch has no licenses"},                    \
        {"mail-type", 0, 'r', OPT_IGNORE, NULL},                                         \
        {"mail-user", 0, 'r', OPT_IGNORE, NULL},                                         \
        {"mcs-label", 0, 'r', OPT_IGNORE, NULL}, {"mem", 0, 'r', R_MEM, "mem"},          \
        {"mem-bind", 0, 'r', OPT_IGNORE, NULL},                                          \
        {"mem-per-cpu", 0, 'r', R_MEM, "mem-per-core"},                                  \
        {"mem-per-gpu", 0, 'r', OPT_IGNORE, NULL},                                       \
        {"mincpus", 0, 'r', OPT_IGNORE, NULL}, {"network", 0, 'r', OPT_IGNORE, NULL},    \
        {"nice", 0, 'o', OPT_IGNORE, NULL}, {"no-kill", 'k', 'o', OPT_IGNORE, NULL},     \
        {"nodefile", 'F', 'r', R_NODEFILE, NULL},                                        \
        {"nodelist", 'w', 'r', R_NODELIST, NULL}, {"nodes", 'N', 'r', R_NODES, NULL},    \
        {"ntasks", 'n', 'r', R_NTASKS, NULL},                                            \
        {"ntasks-per-core", 0, 'r', OPT_IGNORE, NULL},                                   \
        {"ntasks-per-gpu", 0, 'r', OPT_REFUSE, "use --ntasks with --gpus-per-task"},     \
        {"ntasks-per-node", 0, 'r', R_TASKS_PER_NODE, NULL},                             \
        {"ntasks-per-socket", 0, 'r', OPT_IGNORE, NULL},                                 \
        {"overcommit", 'O', 0, OPT_IGNORE, NULL},                                        \
        {"oversubscribe", 's', 0, OPT_IGNORE, NULL},                                     \
        {"partition", 'p', 'r', R_PARTITION, NULL}, {"power", 0, 'r', OPT_IGNORE, NULL}, \
        {"priority", 0, 'r', OPT_IGNORE, NULL}, {"profile", 0, 'r', OPT_IGNORE, NULL},   \
        {"qos", 'q', 'r', OPT_IGNORE, NULL}, {"quiet", 'Q', 0, R_QUIET, NULL},           \
        {"reboot", 0, 0, OPT_IGNORE, NULL},                                              \
        {"reservation", 0, 'r', OPT_REFUSE, "hbatch has no reservations"},               \
        {"signal", 0, 'r', R_SIGNAL, NULL},                                              \
        {"sockets-per-node", 0, 'r', OPT_IGNORE, NULL},                                  \
        {"spread-job", 0, 0, OPT_IGNORE, NULL}, {"switches", 0, 'r', OPT_IGNORE, NULL},  \
        {"thread-spec", 0, 'r', OPT_IGNORE, NULL},                                       \
        {"threads-per-core", 0, 'r', OPT_IGNORE, NULL},                                  \
        {"time", 't', 'r', R_TIME, NULL}, {"time-min", 0, 'r', OPT_IGNORE, NULL},        \
        {"tmp", 0, 'r', OPT_IGNORE, NULL},                                               \
        {"uid", 0, 'r', OPT_REFUSE, "an instance runs the jobs of its owner"},           \
        {"use-min-nodes", 0, 0, OPT_IGNORE, NULL}, {"verbose", 'v', 0, R_VERBOSE, NULL}, \
    {                                                                                    \
        "wckey", 0, 'r', OPT_IGNORE, NULL                                                \
    }

#define FILES                                                                            \
    {"error", 'e', 'r', R_ERROR, NULL}, {"input", 'i', 'r', R_INPUT, NULL},              \
        {"open-mode", 0, 'r', R_OPEN_MODE, NULL}, {"output", 'o', 'r', R_OUTPUT, NULL},  \
    {                                                                                    \
        "export", 0, 'r', R_EXPORT, NULL                                                 \
    }

const struct sopt request_sbatch[] = {
    COMMON,
    FILES,
    {"array", 'a', 'r', R_ARRAY, NULL},
    {"batch", 0, 'r', OPT_IGNORE, NULL},
    {"export-file", 0, 'r', OPT_REFUSE, "use --export=NAME=VALUE,..."},
    {"get-user-env", 0, 'o', OPT_IGNORE, NULL},
    {"hold", 'H', 0, R_HOLD, NULL},
    {"ignore-pbs", 0, 0, OPT_IGNORE, NULL},
    {"kill-on-invalid-dep", 0, 'r', OPT_IGNORE, NULL},
    {"no-requeue", 0, 0, R_NO_REQUEUE, NULL},
    {"parsable", 0, 0, R_PARSABLE, NULL},
    {"propagate", 0, 'o', OPT_IGNORE, NULL},
    {"requeue", 0, 0, R_REQUEUE, NULL},
    {"test-only", 0, 0, R_TEST_ONLY, NULL},
    {"wait", 'W', 0, R_WAIT, NULL},
    {"wait-all-nodes", 0, 'r', OPT_IGNORE, NULL},
    {"wrap", 0, 'r', R_WRAP, NULL},
};
const size_t request_nsbatch = ARRAY_SIZE(request_sbatch);

const struct sopt request_salloc[] = {
    COMMON,
    {"bell", 0, 0, OPT_IGNORE, NULL},
    {"get-user-env", 0, 'o', OPT_IGNORE, NULL},
    {"hold", 'H', 0, R_HOLD, NULL},
    {"immediate", 'I', 'o', OPT_IGNORE, NULL},
    {"kill-command", 'K', 'o', OPT_IGNORE, NULL},
    {"no-bell", 0, 0, OPT_IGNORE, NULL},
    {"no-shell", 0, 0, R_NO_SHELL, NULL},
    {"wait-all-nodes", 0, 'r', OPT_IGNORE, NULL},
    {"x11", 0, 'o', OPT_REFUSE, "hbatch does not forward X11"},
};
const size_t request_nsalloc = ARRAY_SIZE(request_salloc);

const struct sopt request_srun[] = {
    COMMON,
    FILES,
    {"accel-bind", 0, 'r', OPT_IGNORE, NULL},
    {"bcast", 0, 'o', OPT_REFUSE, "files go along by hbatch run --add-file"},
    {"compress", 0, 'o', OPT_IGNORE, NULL},
    {"cpu-bind", 0, 'r', R_CPU_BIND, NULL},
    {"disable-status", 'X', 0, OPT_IGNORE, NULL},
    {"epilog", 0, 'r', OPT_REFUSE, "hbatch runs no epilogs"},
    {"exact", 0, 0, OPT_IGNORE, NULL},
    {"external-launcher", 0, 0, OPT_IGNORE, NULL},
    {"het-group", 0, 'r', OPT_REFUSE, "hbatch has no heterogeneous jobs"},
    {"hold", 'H', 0, R_HOLD, NULL},
    {"immediate", 'I', 'o', OPT_IGNORE, NULL},
    {"interactive", 0, 0, OPT_IGNORE, NULL},
    {"jobid", 0, 'r', R_JOBID, NULL},
    {"kill-on-bad-exit", 'K', 'o', R_KILL_ON_BAD_EXIT, NULL},
    {"label", 'l', 0, R_LABEL, NULL},
    {"mpi", 0, 'r', R_MPI, NULL},
    {"msg-timeout", 0, 'r', OPT_IGNORE, NULL},
    {"multi-prog", 0, 0, R_MULTI_PROG, NULL},
    {"no-allocate", 'Z', 0, OPT_REFUSE, "what runs, runs in an allocation"},
    {"overlap", 0, 0, OPT_IGNORE, NULL},
    {"preserve-env", 'E', 0, OPT_IGNORE, NULL},
    {"prolog", 0, 'r', OPT_REFUSE, "hbatch runs no prologs"},
    {"propagate", 0, 'o', OPT_IGNORE, NULL},
    {"pty", 0, 'o', R_PTY, NULL},
    {"relative", 'r', 'r', OPT_REFUSE, "name the nodes: --nodelist"},
    {"resv-ports", 0, 'o', OPT_IGNORE, NULL},
    {"slurmd-debug", 0, 'r', OPT_IGNORE, NULL},
    {"task-epilog", 0, 'r', OPT_REFUSE, "hbatch runs no epilogs"},
    {"task-prolog", 0, 'r', OPT_REFUSE, "hbatch runs no prologs"},
    {"test-only", 0, 0, R_TEST_ONLY, NULL},
    {"threads", 'T', 'r', OPT_IGNORE, NULL},
    {"unbuffered", 'u', 0, R_UNBUFFERED, NULL},
    {"wait", 'W', 'r', R_WAIT, NULL},
    {"whole", 0, 0, OPT_IGNORE, NULL},
    {"x11", 0, 'o', OPT_REFUSE, "hbatch does not forward X11"},
};
const size_t request_nsrun = ARRAY_SIZE(request_srun);

/* --- values -------------------------------------------------------------------------------- */

void request_set(struct request *r, const char *name, const char *value)
{
    r->sets = xrealloc(r->sets, (r->nsets + 1) * sizeof(*r->sets));
    r->sets[r->nsets++] =
        (struct request_set){xstrdup(name), value ? xstrdup(value) : NULL};
}

void request_setf(struct request *r, const char *name, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    cleanup_free char *text = xvasprintf(fmt, ap);
    va_end(ap);
    request_set(r, name, text);
}

static void put(char **to, const char *value)
{
    free(*to);
    *to = xstrdup(value);
}

static void take_nodes(struct request *r, const char *text)
{
    char *end;
    r->nodes = strtol(text, &end, 10);
    r->max_nodes = 0;
    if (*end == '-' && end != text)
        r->max_nodes = strtol(end + 1, &end, 10);
    if (*end || r->nodes < 1 || (r->max_nodes && r->max_nodes < r->nodes))
        slurm_die(r->s, "invalid number of nodes (-N %s)", text);
}

/* gpu, gpu:N, gpu:TYPE:N, and a number alone; which GPU is hbatch's choice. */
static long gpu_count(const struct request *r, const char *option, const char *text)
{
    const char *colon = strrchr(text, ':'), *last = colon ? colon + 1 : text;
    if (!*last || last[strspn(last, "0123456789")])
        return 1; /* a type alone */
    return slurm_parse(r->s, option, last, 0);
}

static void take_gres(struct request *r, const char *text)
{
    if (strcmp(text, "none") == 0)
        return;
    if (strncmp(text, "gres:", 5) == 0)
        text += 5;
    if (strncmp(text, "gpu", 3) != 0 || strchr(text, ','))
        slurm_die(r->s, "--gres=%s: hbatch has GPUs alone, as in --gres=gpu:2", text);
    r->gpus_per_node = gpu_count(r, "--gres", text[3] ? text + 4 : "1");
}

static void take_constraint(struct request *r, const char *text)
{
    cleanup_strbuf struct strbuf out = {0};
    if (strpbrk(text, "*[]"))
        slurm_die(r->s,
                  "--constraint=%s: there may be properties with & and | between them",
                  text);
    for (const char *p = text; *p; p++) {
        if (*p == '&' || *p == ',')
            strbuf_add(&out, " and ");
        else if (*p == '|')
            strbuf_add(&out, " or ");
        else
            strbuf_addc(&out, *p);
    }
    request_set(r, "requires", out.s ? out.s : "");
}

static void take_nodefile(struct request *r, const char *path)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    cleanup_free char *text = xcalloc(1, 65536);
    if (fd < 0 || read_all(fd, text, 65535) < 0)
        slurm_die(r->s, "cannot read the node file %s: %s", path, strerror(errno));
    for (char *p = text; *p; p++)
        if (strchr(" \t\n", *p))
            *p = ',';
    size_t n = strlen(text);
    while (n > 0 && text[n - 1] == ',')
        text[--n] = '\0';
    request_setf(r, "requires", "host:%s", text);
}

static void take_begin(struct request *r, const char *text)
{
    struct error err;
    double t = form_time(text, &err);
    if (t < 0)
        slurm_die(r->s, "--begin: %s", err.text);
    if (t > time_now())
        request_setf(r, "begin-time", "%.0f", t);
}

static void take_time(struct request *r, const char *text)
{
    struct error err;
    double t = form_limit(text, &err);
    if (t < 0)
        slurm_die(r->s, "--time: %s", err.text);
    request_setf(r, "time-limit", "%.0fs", t);
}

/* [[R][B]:]SIG[@SECONDS] */
static void take_signal(struct request *r, const char *text)
{
    const char *colon = strchr(text, ':');
    if (colon)
        text = colon + 1;
    request_setf(r, "signal", "%s%s", text, strchr(text, '@') ? "s" : "@60s");
}

/* --- dependencies -------------------------------------------------------------------------- */

/* All elements of an array, or one job. */
static void depend_on(struct request *r, const char *scheme, const char *id)
{
    struct error err;
    struct sjobs jobs = {0};
    if (jobs_fetch_id(r->s, &jobs, id, &err) < 0)
        slurm_die(r->s, "Job dependency problem: %s: %s", id, err.text);
    jobs_sort(&jobs);
    bool whole = !strchr(id, '_') && strcmp(scheme, "after") != 0;
    for (size_t i = 0, end; i < jobs.n; i = end) {
        end = i + 1;
        while (whole && jobs.v[i].head && end < jobs.n &&
               jobs.v[end].head == jobs.v[i].head)
            end++;
        unsigned long long first = jobs.v[i].id, last = jobs.v[end - 1].id;
        if (end - i > 1)
            request_setf(r, "dependency", "%s:%llu-%llu", scheme, first, last);
        else
            request_setf(r, "dependency", "%s:%llu", scheme, first);
    }
    jobs_fini(&jobs);
}

static void take_dependency(struct request *r, const char *text)
{
    static const char *const schemes[] = {"after", "afterany", "afterok", "afternotok"};
    cleanup_free char *copy = xstrdup(text);
    if (strchr(text, '?'))
        slurm_die(r->s,
                  "--dependency=%s: hbatch has no 'any of these' (?); all must hold (,)",
                  text);
    for (char *save, *word = strtok_r(copy, ",", &save); word;
         word = strtok_r(NULL, ",", &save)) {
        size_t n = strcspn(word, ":"), i = 0;
        if (strcmp(word, "singleton") == 0) {
            request_set(r, "dependency", word);
            continue;
        }
        while (i < ARRAY_SIZE(schemes) &&
               (strlen(schemes[i]) != n || strncmp(schemes[i], word, n) != 0))
            i++;
        if (i == ARRAY_SIZE(schemes) || !word[n + strspn(word + n, ":")] ||
            strchr(word, '+'))
            slurm_die(r->s,
                      "--dependency=%s: hbatch has after, afterany, afterok and "
                      "afternotok with :JOBID, and singleton",
                      word);
        for (char *more, *id = strtok_r(word + n, ":", &more); id;
             id = strtok_r(NULL, ":", &more))
            depend_on(r, schemes[i], id);
    }
}

/* --- single options ------------------------------------------------------------------------ */

static void take_cpu_bind(struct request *r, const char *text)
{
    for (const char *p = text; *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        if ((n == 4 && strncmp(p, "none", 4) == 0) ||
            (n == 2 && strncmp(p, "no", 2) == 0))
            request_set(r, "setopt", "cpu-affinity=off");
        else if ((n == 4 && strncmp(p, "rank", 4) == 0) ||
                 (n == 5 && strncmp(p, "cores", 5) == 0) ||
                 (n == 7 && strncmp(p, "threads", 7) == 0))
            request_set(r, "setopt", "cpu-affinity=per-task");
        p += n;
    }
}

static void take_mpi(struct request *r, const char *text)
{
    if (strcmp(text, "list") == 0) {
        printf("MPI plugin types are...\n\tnone\n\tpmi2\n\tpmix\n");
        exit(slurm_finish(r->s, 0));
    }
    if (strncmp(text, "pmix", 4) == 0)
        request_set(r, "setopt", "pmi=pmix");
    else if (strcmp(text, "pmi2") == 0 || strcmp(text, "none") == 0)
        request_setf(r, "setopt", "pmi=%s", text);
    else
        slurm_die(r->s, "--mpi=%s: there are pmix, pmi2 and none", text);
}

static void take_distribution(struct request *r, const char *text)
{
    if (strncmp(text, "cyclic", 6) == 0)
        request_set(r, "taskmap", "cyclic");
    else if (strncmp(text, "plane=", 6) == 0)
        request_setf(r, "taskmap", "cyclic:%s", text + 6);
    else if (strncmp(text, "block", 5) != 0 && *text != '*')
        slurm_die(r->s, "--distribution=%s: there are block, cyclic and plane=N", text);
}

static void take_size(struct request *r, const struct sopt *o, const char *value)
{
    const struct {
        int id;
        long *to;
        long least;
    } sizes[] = {{R_CPUS, &r->cpus, 1},
                 {R_NTASKS, &r->ntasks, 1},
                 {R_TASKS_PER_NODE, &r->tasks_per_node, 1}};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
        if (sizes[i].id == o->id) {
            cleanup_free char *name = xasprintf("--%s", o->name);
            *sizes[i].to = slurm_parse(r->s, name, value, sizes[i].least);
        }
}

static bool take_text(struct request *r, int id, const char *value)
{
    const struct {
        int id;
        char **to;
    } texts[] = {{R_ARRAY, &r->array},         {R_CHDIR, &r->chdir},
                 {R_ERROR, &r->error},         {R_EXPORT, &r->export},
                 {R_INPUT, &r->input},         {R_JOBID, &r->jobid},
                 {R_JOB_NAME, &r->name},       {R_OUTPUT, &r->output},
                 {R_PARTITION, &r->partition}, {R_WRAP, &r->wrap}};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (texts[i].id == id) {
            put(texts[i].to, value);
            return true;
        }
    return false;
}

static bool take_flag(struct request *r, int id)
{
    const struct {
        int id;
        bool *to;
    } flags[] = {{R_EXCLUSIVE, &r->exclusive},   {R_HOLD, &r->hold},
                 {R_MULTI_PROG, &r->multi_prog}, {R_NO_SHELL, &r->no_shell},
                 {R_PARSABLE, &r->parsable},     {R_PTY, &r->pty},
                 {R_QUIET, &r->quiet},           {R_TEST_ONLY, &r->test_only}};
    for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
        if (flags[i].id == id) {
            *flags[i].to = true;
            return true;
        }
    return id == R_VERBOSE;
}

void request_take(struct request *r, const struct sparse *p, const struct sopt *o)
{
    const char *v = p->value;
    if (take_text(r, o->id, v) || take_flag(r, o->id))
        return;
    switch (o->id) {
    case R_PASS:
        request_set(r, o->to, v);
        break;
    case R_BEGIN:
        take_begin(r, v);
        break;
    case R_CONSTRAINT:
        take_constraint(r, v);
        break;
    case R_CPU_BIND:
        take_cpu_bind(r, v);
        break;
    case R_DEPENDENCY:
        take_dependency(r, v);
        break;
    case R_DISTRIBUTION:
        take_distribution(r, v);
        break;
    case R_EXCLUDE:
        request_setf(r, "requires", "-host:%s", v);
        break;
    case R_GPUS:
        r->gpus = gpu_count(r, "--gpus", v);
        break;
    case R_GPUS_PER_NODE:
        r->gpus_per_node = gpu_count(r, "--gpus-per-node", v);
        break;
    case R_GPUS_PER_TASK:
        r->gpus_per_task = gpu_count(r, "--gpus-per-task", v);
        break;
    case R_GRES:
        take_gres(r, v);
        break;
    case R_KILL_ON_BAD_EXIT:
        if (!v || strcmp(v, "0") != 0)
            request_set(r, "setopt", "exit-on-error");
        break;
    case R_LABEL:
        request_set(r, "label-io", NULL);
        break;
    case R_MEM:
        r->mem_option = o->to;
        put(&r->mem, v);
        break;
    case R_MPI:
        take_mpi(r, v);
        break;
    case R_NO_REQUEUE:
        request_set(r, "setopt", "requeue=0");
        break;
    case R_REQUEUE:
        request_set(r, "setopt", "requeue");
        break;
    case R_NODEFILE:
        take_nodefile(r, v);
        break;
    case R_NODELIST:
        request_setf(r, "requires", "host:%s", v);
        break;
    case R_NODES:
        take_nodes(r, v);
        break;
    case R_OPEN_MODE:
        r->append = *v == 'a';
        break;
    case R_SIGNAL:
        take_signal(r, v);
        break;
    case R_TIME:
        take_time(r, v);
        break;
    case R_UNBUFFERED:
        request_set(r, "unbuffered", NULL);
        break;
    case R_WAIT:
        r->wait = true;
        if (v) /* srun's: seconds after the first task has ended */
            request_setf(r, "setopt", "exit-timeout=%s",
                         strcmp(v, "0") == 0 ? "none" : v);
        break;
    default:
        take_size(r, o, v);
    }
}

/* --- all of them --------------------------------------------------------------------------- */

static void set_gpus(struct request *r)
{
    long total = r->gpus ? r->gpus : r->gpus_per_node * (r->nodes ? r->nodes : 1);
    if (total && r->gpus_per_task)
        total = 0;
    if (total % r->ntasks)
        slurm_die(r->s,
                  "%ld GPUs cannot be divided among %ld tasks: ask for --gpus-per-task",
                  total, r->ntasks);
    if (r->gpus_per_task || total)
        request_setf(r, "gpus-per-task", "%ld",
                     r->gpus_per_task ? r->gpus_per_task : total / r->ntasks);
}

void request_sizes(struct request *r, bool instance)
{
    if (!r->ntasks && r->tasks_per_node)
        r->ntasks = (r->nodes ? r->nodes : 1) * r->tasks_per_node;
    if (!r->nodes && r->tasks_per_node)
        r->nodes = (r->ntasks + r->tasks_per_node - 1) / r->tasks_per_node;
    if (!r->ntasks)
        r->ntasks = r->nodes ? r->nodes : 1;
    if (r->ntasks < r->nodes && instance) /* a slot on each node */
        r->ntasks = r->nodes;
    else if (r->ntasks < r->nodes)
        r->nodes = r->ntasks;
    if (r->exclusive && !r->nodes && r->ntasks == 1)
        r->nodes = 1;
    if (r->nodes && r->max_nodes > r->nodes && !instance)
        request_setf(r, "nodes", "%ld-%ld", r->nodes, r->max_nodes);
    else if (r->nodes)
        request_setf(r, "nodes", "%ld", r->nodes);
    request_setf(r, "ntasks", "%ld", r->ntasks);
    if (r->cpus)
        request_setf(r, "cores-per-task", "%ld", r->cpus);
    if (r->exclusive && r->nodes)
        request_set(r, "exclusive", NULL);
    set_gpus(r);
    const char *queue = r->partition ? partition_queue(r->s, r->partition) : NULL;
    if (queue)
        request_set(r, "queue", queue);
    if (r->name)
        request_set(r, "job-name", r->name);
    if (r->chdir)
        request_set(r, "cwd", r->chdir);
}

void request_memory(struct request *r)
{
    if (!r->mem || strcmp(r->mem, "0") == 0) /* 0: all that there is */
        return;
    cleanup_json json_object *answer = slurm_call(r->s, "resource.list", NULL);
    json_object *nodes = json_object_object_get(answer, "nodes");
    if (nodes && json_object_array_length(nodes) > 0 &&
        slurm_number(json_object_array_get_idx(nodes, 0), "memory", 0) > 0)
        request_set(r, r->mem_option, r->mem);
}

/* The next one of NAME,NAME=VALUE,... as a rule for the environment; quotes keep commas. */
static char *next_export(char **at)
{
    struct strbuf out = {0};
    char quote = 0, *p = *at;
    for (; *p && (quote || *p != ','); p++) {
        if (quote ? *p == quote : (*p == '\'' || *p == '"'))
            quote = quote ? 0 : *p;
        else
            strbuf_add(&out, *p == '$' ? "$$" : (char[]){*p, '\0'});
    }
    *at = p + (*p == ',');
    return strbuf_take(&out);
}

void request_environment(struct request *r)
{
    static const char *const kept[] = {
        "PATH",    "HOME",     "USER",   "LOGNAME",       "SHELL",
        "SLURM_*", "SBATCH_*", "SRUN_*", "HBATCH_COMPAT", SLURM_LEVEL_NAME};
    if (!r->export || strcasecmp(r->export, "ALL") == 0)
        return;
    char *save = r->export;
    cleanup_free char *first = next_export(&save);
    if (strcasecmp(first, "ALL") != 0) {
        save = r->export;
        request_set(r, "env-remove", "*");
        for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
            request_set(r, "env", kept[i]);
    }
    while (*save) {
        cleanup_free char *rule = next_export(&save);
        if (*rule && strcasecmp(rule, "NONE") != 0 && strcasecmp(rule, "NIL") != 0)
            request_set(r, "env", rule);
    }
}

void request_fini(struct request *r)
{
    for (size_t i = 0; i < r->nsets; i++) {
        free(r->sets[i].name);
        free(r->sets[i].value);
    }
    char *const texts[] = {r->array, r->name, r->output, r->error, r->input, r->partition,
                           r->chdir, r->wrap, r->export, r->jobid, r->mem};
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        free(texts[i]);
    free(r->sets);
}
