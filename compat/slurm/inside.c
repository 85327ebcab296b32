/* SPDX-License-Identifier: BSD-3-Clause */
/* inside: this program between an instance that sbatch or salloc made, and what runs in it: it asks both instances what
 * Slurm would have said of the job, opens the job's files, and becomes the script. */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "compat/common/hbatch.h"
#include "compat/slurm/forms.h"
#include "compat/slurm/slurm.h"
#include "src/common/hostlist.h"
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/job/state.h"

struct inside {
    struct slurm *s;
    json_object *job; /* of the cluster; NULL: it could not be asked */
    json_object *list, *resources;
    char host[256];
};

static void set(const char *name, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void set(const char *name, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    cleanup_free char *text = xvasprintf(fmt, ap);
    va_end(ap);
    setenv(name, text, 1);
}

static json_object *ask(const char *uri, const char *method, json_object *params)
{
    struct error err;
    struct hbatch *h = client_open(uri, &err);
    json_object *answer = h ? client_call(h, method, params, &err) : NULL;
    if (!h)
        json_object_put(params);
    client_close(h);
    return answer;
}

/* Which job of the parent this is: SLURM_JOB_ID, if the executor told, else the one that has our address. */
static void find_job(struct inside *in)
{
    const char *parent = getenv("HBATCH_PARENT_URI"), *uri = getenv("HBATCH_URI"),
               *id = getenv("SLURM_JOB_ID");
    if (!parent)
        return;
    json_object *params = slurm_params("max", 0);
    if (id) {
        json_object *ids = json_object_new_array();
        json_object_array_add(ids, json_object_new_uint64(strtoull(id, NULL, 10)));
        json_object_object_add(params, "ids", ids);
    } else {
        json_object_object_add(params, "states", json_object_new_int(JOB_RUN));
    }
    in->list = ask(parent, "job.list", params);
    json_object *jobs = json_object_object_get(in->list, "jobs");
    size_t n = jobs ? json_object_array_length(jobs) : 0;
    for (size_t i = 0; i < n; i++) {
        json_object *o = json_object_array_get_idx(jobs, i);
        uint64_t oid = json_object_get_uint64(json_object_object_get(o, "id"));
        if (id ? oid == strtoull(id, NULL, 10)
               : uri && strcmp(slurm_text(o, "uri", ""), uri) == 0)
            in->job = o;
    }
}

static void set_job(struct inside *in)
{
    json_object *o = in->job;
    struct passwd *pw = getpwuid(getuid());
    if (o && !getenv("SLURM_JOB_ID"))
        set("SLURM_JOB_ID", "%llu",
            (unsigned long long)json_object_get_uint64(json_object_object_get(o, "id")));
    if (getenv("SLURM_JOB_ID"))
        set("SLURM_JOBID", "%s", getenv("SLURM_JOB_ID"));
    if (o && json_object_object_get(o, "array")) {
        if (!getenv("SLURM_ARRAY_JOB_ID"))
            set("SLURM_ARRAY_JOB_ID", "%llu",
                (unsigned long long)json_object_get_uint64(
                    json_object_object_get(o, "array")));
        set("SLURM_ARRAY_TASK_ID", "%.0f", slurm_number(o, "cc", 0));
    }
    set("SLURM_JOB_NAME", "%s", slurm_text(o, "name", "sbatch"));
    set("SLURM_JOB_PARTITION", "%s", slurm_text(o, "queue", SLURM_PARTITION));
    set("SLURM_JOB_USER", "%s", pw ? pw->pw_name : "");
    set("SLURM_JOB_UID", "%u", getuid());
    set("SLURM_JOB_GID", "%u", getgid());
    set("SLURM_CLUSTER_NAME", "%s", SLURM_CLUSTER);
    set("SLURM_JOB_QOS", "normal");
    if (o && slurm_number(o, "expiration", 0) > 0)
        set("SLURM_JOB_END_TIME", "%.0f", slurm_number(o, "expiration", 0));
    if (o && slurm_number(o, "t_run", 0) > 0)
        set("SLURM_JOB_START_TIME", "%.0f", slurm_number(o, "t_run", 0));
    set("SLURMD_NODENAME", "%s", in->host);
    set("SLURM_NODEID", "0");
    set("SLURM_PROCID", "0");
    set("SLURM_LOCALID", "0");
    set("SLURM_TASK_PID", "%d", (int)getpid());
    set("SLURM_GTIDS", "0");
    if (getenv("HBATCH_INSTANCE_LEVEL"))
        set(SLURM_LEVEL_NAME, "%s", getenv("HBATCH_INSTANCE_LEVEL"));
}

static int cores_of(json_object *node)
{
    struct error ignored;
    cleanup_bitmap hwloc_bitmap_t cores =
        idset_decode(slurm_text(node, "cores", ""), &ignored);
    return cores ? hwloc_bitmap_weight(cores) : 0;
}

/* "4(x2),2": equal numbers in a row. */
static void add_number(struct strbuf *out, int n, int times)
{
    strbuf_addf(out, "%s%d", out->len ? "," : "", n);
    if (times > 1)
        strbuf_addf(out, "(x%d)", times);
}

static void set_resources(struct inside *in)
{
    cleanup_strbuf struct strbuf cpus = {0}, tasks = {0};
    json_object *nodes = json_object_object_get(in->resources, "nodes");
    int n = nodes ? (int)json_object_array_length(nodes) : 0, times = 0, last = 0,
        ttimes = 0, tlast = 0, sum = 0;
    const char *per_task = getenv("SLURM_CPUS_PER_TASK"),
               *ntasks = getenv("SLURM_NTASKS");
    int width = per_task && atoi(per_task) > 0 ? atoi(per_task) : 1,
        wanted = ntasks ? atoi(ntasks) : 0;
    struct hostlist *hosts = hostlist_create();
    for (int i = 0; i < n; i++) {
        json_object *node = json_object_array_get_idx(nodes, (size_t)i);
        int cores = cores_of(node), here = MAX(cores / width, 1);
        if (wanted &&
            here * (n - i) > wanted - sum) /* whole nodes have more cores than tasks */
            here = MAX((wanted - sum + n - i - 1) / (n - i), 1);
        sum += here;
        hostlist_append_name(hosts, slurm_text(node, "host", ""));
        if (times && cores != last)
            add_number(&cpus, last, times), times = 0;
        if (ttimes && here != tlast)
            add_number(&tasks, tlast, ttimes), ttimes = 0;
        last = cores, tlast = here;
        times++, ttimes++;
        if (i == 0)
            set("SLURM_CPUS_ON_NODE", "%d", cores),
                set("SLURM_JOB_CPUS_ON_NODE", "%d", cores);
    }
    if (n > 0) {
        add_number(&cpus, last, times);
        add_number(&tasks, tlast, ttimes);
        cleanup_free char *list = hostlist_encode(hosts);
        set("SLURM_JOB_NODELIST", "%s", list);
        set("SLURM_NODELIST", "%s", list);
        set("SLURM_JOB_NUM_NODES", "%d", n);
        set("SLURM_NNODES", "%d", n);
        set("SLURM_JOB_CPUS_PER_NODE", "%s", cpus.s);
        set("SLURM_TASKS_PER_NODE", "%s", tasks.s);
    }
    hostlist_destroy(hosts);
}

/* srun and its like are found by the script, whatever PATH was. */
static void set_path(void)
{
    cleanup_free char *self = compat_self();
    const char *path = getenv("PATH");
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = '\0';
    size_t n = strlen(self);
    for (const char *p = path; p && *p; p += strcspn(p, ":"), p += *p == ':')
        if (strncmp(p, self, n) == 0 && (p[n] == ':' || !p[n]))
            return;
    set("PATH", "%s:%s", self, path ? path : "/usr/bin:/bin");
}

static int open_file(struct inside *in, const char *pattern, int to, int flags)
{
    char *const task = getenv("SLURM_ARRAY_TASK_ID");
    const struct form_names names = {
        .job = getenv("SLURM_JOB_ID"),
        .array_job = getenv("SLURM_ARRAY_JOB_ID"),
        .array_task = task,
        .name = getenv("SLURM_JOB_NAME"),
        .user = getenv("SLURM_JOB_USER"),
        .host = in->host,
        .node = "0",
        .task = "0",
        .step = "batch",
    };
    if (strcmp(pattern, "-") == 0)
        return 0;
    cleanup_free char *path = form_path(pattern, &names);
    int fd =
        open(strcmp(path, "none") == 0 ? "/dev/null" : path, flags | O_CLOEXEC, 0666);
    if (fd < 0) {
        slurm_error(in->s, "Could not open %s: %s", path, strerror(errno));
        return -1;
    }
    dup2(fd, to);
    if (fd != to)
        close(fd);
    return 0;
}

static int open_files(struct inside *in, char **argv)
{
    int out = O_WRONLY | O_CREAT | (*argv[3] == 'a' ? O_APPEND : O_TRUNC);
    if (open_file(in, argv[2], STDIN_FILENO, O_RDONLY) < 0 ||
        open_file(in, argv[0], STDOUT_FILENO, out) < 0)
        return -1;
    if (strcmp(argv[1], "-") != 0 && strcmp(argv[1], argv[0]) != 0)
        return open_file(in, argv[1], STDERR_FILENO, out);
    if (strcmp(argv[0], "-") != 0)
        dup2(STDOUT_FILENO, STDERR_FILENO);
    return 0;
}

int slurm_inside(struct slurm *s, int argc, char **argv)
{
    struct inside in = {.s = s};
    static char shell[] = "/bin/sh", *none[] = {NULL, NULL};
    if (argc < 4)
        slurm_die(s, "--inside is for sbatch and salloc themselves");
    char **command = argv + 4;
    if (!*command) {
        none[0] = getenv("SHELL") ? getenv("SHELL") : shell;
        command = none;
    }
    gethostname(in.host, sizeof(in.host) - 1);
    find_job(&in);
    in.resources = ask(getenv("HBATCH_URI"), "resource.list", NULL);
    set_job(&in);
    set_resources(&in);
    set_path();
    json_object_put(in.list);
    json_object_put(in.resources);
    if (strcmp(argv[3], "salloc") == 0)
        fprintf(stderr, "salloc: Granted job allocation %s\n",
                getenv("SLURM_JOB_ID") ? getenv("SLURM_JOB_ID") : "?");
    else if (strcmp(argv[3], "quiet") != 0 && open_files(&in, argv) < 0)
        return 1;
    execvp(command[0], command);
    int code = errno;
    slurm_error(s, "cannot run %s: %s", command[0], strerror(code));
    return code == ENOENT ? 127 : 126;
}
