/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "compat/slurm/fields.h"
#include "compat/slurm/forms.h"
#include "compat/slurm/nodes.h"
#include "compat/slurm/options.h"
#include "config.h"
#include "src/common/hostlist.h"
#include "src/job/jsonutil.h"
#include "src/job/state.h"

enum { ONELINER = 1 };

static const struct sopt opts[] = {
    {"all", 'a', 0, OPT_IGNORE, NULL},     {"cluster", 'M', 'r', OPT_IGNORE, NULL},
    {"details", 'd', 0, OPT_IGNORE, NULL}, {"hide", 0, 0, OPT_IGNORE, NULL},
    {"oneliner", 'o', 0, ONELINER, NULL},  {"quiet", 'Q', 0, OPT_IGNORE, NULL},
    {"verbose", 'v', 0, OPT_IGNORE, NULL},
};

struct scontrol {
    struct slurm *s;
    bool oneliner;
};

/* --- show job ------------------------------------------------------------------------------ */

struct shown { /* a word of the text; FIELD F_NONE: TEXT itself */
    const char *key;
    enum field field;
    const char *text;
    bool ends; /* the line */
};

static const struct shown job_words[] = {
    {"JobName", F_NAME, NULL, true},
    {"UserId", F_USER, "()", false},
    {"GroupId", F_GROUP, "()", false},
    {"MCS_label", F_NA, NULL, true},
    {"Priority", F_PRIORITY, NULL, false},
    {"Nice", F_ZERO, NULL, false},
    {"Account", F_ACCOUNT, NULL, false},
    {"QOS", F_QOS, NULL, true},
    {"JobState", F_STATE, NULL, false},
    {"Reason", F_REASON, NULL, false},
    {"Dependency", F_NULL, NULL, true},
    {"Requeue", F_NONE, "1", false},
    {"Restarts", F_ZERO, NULL, false},
    {"BatchFlag", F_NONE, "1", false},
    {"Reboot", F_ZERO, NULL, false},
    {"ExitCode", F_EXIT, NULL, true},
    {"RunTime", F_ELAPSED, NULL, false},
    {"TimeLimit", F_LIMIT, NULL, false},
    {"TimeMin", F_NA, NULL, true},
    {"SubmitTime", F_SUBMIT, NULL, false},
    {"EligibleTime", F_SUBMIT, NULL, true},
    {"StartTime", F_START, NULL, false},
    {"EndTime", F_END, NULL, false},
    {"Deadline", F_NA, NULL, true},
    {"Partition", F_PARTITION, NULL, true},
    {"ReqNodeList", F_NULL, NULL, false},
    {"ExcNodeList", F_NULL, NULL, true},
    {"NodeList", F_NODELIST, "(null)", true},
    {"BatchHost", F_FIRST_NODE, NULL, true},
    {"NumNodes", F_NODES, NULL, false},
    {"NumCPUs", F_CPUS, NULL, false},
    {"NumTasks", F_TASKS, NULL, true},
    {"TRES", F_TRES, NULL, true},
    {"Features", F_NULL, NULL, false},
    {"DelayBoot", F_NONE, "00:00:00", true},
    {"OverSubscribe", F_NONE, "OK", false},
    {"Contiguous", F_ZERO, NULL, false},
    {"Licenses", F_NULL, NULL, false},
    {"Network", F_NULL, NULL, true},
    {"Command", F_COMMAND, NULL, true},
    {"WorkDir", F_WORKDIR, NULL, true},
};

static void end_line(const struct scontrol *c, bool last)
{
    fputs(last ? c->oneliner ? "\n" : "\n\n" : c->oneliner ? " " : "\n   ", stdout);
}

static void show_job(const struct scontrol *c, const struct sjob *j)
{
    printf("JobId=%llu ", (unsigned long long)j->id);
    if (j->array)
        printf("ArrayJobId=%llu ArrayTaskId=%lld ", (unsigned long long)j->array,
               (long long)j->task);
    for (size_t i = 0; i < ARRAY_SIZE(job_words); i++) {
        const struct shown *w = &job_words[i];
        cleanup_strbuf struct strbuf text = {0};
        if (w->field == F_NONE)
            strbuf_add(&text, w->text);
        else if (w->field == F_LIMIT || w->field == F_END || w->field == F_START)
            field_add(&text, j, w->field, true);
        else
            field_add(&text, j, w->field, false);
        if (w->text && strcmp(w->text, "()") == 0)
            strbuf_addf(&text, "(%.0f)", slurm_number(j->o, "userid", 0));
        if (w->text && text.len == 0)
            strbuf_add(&text, w->text);
        printf("%s=%s", w->key, text.s ? text.s : "");
        if (w->ends)
            end_line(c, i + 1 == ARRAY_SIZE(job_words));
        else
            putchar(' ');
    }
}

static int show_jobs(struct scontrol *c, const char *id)
{
    struct error err;
    struct sjobs jobs = {0};
    if (!id)
        jobs_fetch(c->s, &jobs,
                   &(struct jobs_query){.states = JOB_ACTIVE | JOB_INACTIVE,
                                        .since = time_now() - 300});
    else if (jobs_fetch_id(c->s, &jobs, id, &err) < 0) {
        fprintf(stderr, "slurm_load_jobs error: %s\n", err.text);
        return 1;
    }
    jobs_sort(&jobs);
    for (size_t i = 0; i < jobs.n; i++)
        show_job(c, &jobs.v[i]);
    if (jobs.n == 0)
        puts("No jobs in the system");
    jobs_fini(&jobs);
    return 0;
}

/* --- show node, partition, ... ------------------------------------------------------------- */

static void show_node(const struct scontrol *c, const struct snode *n)
{
    printf("NodeName=%s Arch=x86_64 CoresPerSocket=%u ", n->host, n->cores);
    end_line(c, false);
    printf("CPUAlloc=%u CPUEfctv=%u CPUTot=%u CPULoad=N/A", n->used, n->cores, n->cores);
    end_line(c, false);
    printf("AvailableFeatures=(null)");
    end_line(c, false);
    if (n->gpus)
        printf("Gres=gpu:%u", n->gpus);
    else
        printf("Gres=(null)");
    end_line(c, false);
    printf("NodeAddr=%s NodeHostName=%s Version=hbatch-%s", n->host, n->host,
           PACKAGE_VERSION);
    end_line(c, false);
    printf("RealMemory=%lu AllocMem=0 FreeMem=N/A Sockets=1 Boards=1", nodes_memory());
    end_line(c, false);
    printf("State=%s ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A",
           n->state == N_DRAINED    ? "IDLE+DRAIN"
           : n->state == N_DRAINING ? "MIXED+DRAIN"
                                    : nstate_name(n->state, false));
    end_line(c, false);
    printf("Partitions=%s ", SLURM_PARTITION);
    if (n->reason) {
        end_line(c, false);
        printf("Reason=%s", n->reason);
    }
    end_line(c, true);
}

static int show_nodes(struct scontrol *c, const char *names)
{
    struct error err;
    struct snodes nodes;
    int rc = 0;
    struct hostlist *wanted = names ? hostlist_decode(names, &err) : NULL;
    if (names && !wanted)
        slurm_die(c->s, "%s", err.text);
    nodes_fetch(c->s, &nodes);
    for (size_t i = 0; names ? hostlist_nth(wanted, i) != NULL : i < nodes.n; i++) {
        const struct snode *n =
            names ? nodes_find(&nodes, hostlist_nth(wanted, i)) : &nodes.v[i];
        if (n) {
            show_node(c, n);
        } else {
            printf("Node %s not found\n", hostlist_nth(wanted, i));
            rc = 1;
        }
    }
    hostlist_destroy(wanted);
    nodes_fini(&nodes);
    return rc;
}

static void print_partition(const struct scontrol *c, const struct spartition *p,
                            const struct snodes *nodes)
{
    cleanup_strbuf struct strbuf limit = {0};
    struct hostlist *hosts = hostlist_create();
    unsigned cores = 0;
    for (size_t i = 0; i < nodes->n; i++) {
        if (!partition_has(p, &nodes->v[i]))
            continue;
        hostlist_append_name(hosts, nodes->v[i].host);
        cores += nodes->v[i].cores;
    }
    if (p->limit > 0)
        form_duration(&limit, p->limit, false);
    cleanup_free char *list = hostlist_encode(hosts);
    printf("PartitionName=%s", p->name);
    end_line(c, false);
    printf("AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL");
    end_line(c, false);
    printf("Default=%s MaxNodes=UNLIMITED MaxTime=%s MinNodes=1",
           p->is_default ? "YES" : "NO", limit.len ? limit.s : "UNLIMITED");
    end_line(c, false);
    printf("Nodes=%s", list);
    end_line(c, false);
    printf("State=%s TotalCPUs=%u TotalNodes=%zu", p->up ? "UP" : "DOWN", cores,
           hostlist_count(hosts));
    end_line(c, true);
    hostlist_destroy(hosts);
}

static int show_partition(struct scontrol *c, const char *name)
{
    struct snodes nodes;
    struct spartitions partitions;
    bool any = false;
    nodes_fetch(c->s, &nodes);
    partitions_fetch(c->s, &partitions);
    for (size_t i = 0; i < partitions.n; i++) {
        if (name && strcmp(name, partitions.v[i].name) != 0)
            continue;
        any = true;
        print_partition(c, &partitions.v[i], &nodes);
    }
    if (!any)
        fprintf(stderr, "Partition %s not found\n", name ? name : "");
    partitions_fini(&partitions);
    nodes_fini(&nodes);
    return !any;
}

static int show_hostnames(struct scontrol *c, const char *list)
{
    struct error err;
    const char *text = list ? list : getenv("SLURM_JOB_NODELIST");
    if (!text)
        slurm_die(c->s, "No hostname list given, and SLURM_JOB_NODELIST is not set");
    struct hostlist *hosts = hostlist_decode(text, &err);
    if (!hosts)
        slurm_die(c->s, "Invalid hostlist: %s", err.text);
    for (size_t i = 0; i < hostlist_count(hosts); i++)
        puts(hostlist_nth(hosts, i));
    hostlist_destroy(hosts);
    return 0;
}

static int show_hostlist(struct scontrol *c, const char *names, bool sorted)
{
    struct error err;
    struct hostlist *hosts = hostlist_create();
    cleanup_free char *text = NULL;
    if (!names || hostlist_append(hosts, names, &err) < 0)
        slurm_die(c->s, "Invalid hostlist: %s", names ? err.text : "none is given");
    if (sorted)
        hostlist_sort(hosts);
    text = hostlist_encode(hosts);
    puts(text);
    hostlist_destroy(hosts);
    return 0;
}

static int show_config(struct scontrol *c)
{
    struct snodes nodes;
    nodes_fetch(c->s, &nodes);
    printf("ClusterName             = %s\nSLURM_VERSION           = "
           "22.05.8\nMaxArraySize            = 1000001\n"
           "MaxJobCount             = 10000000\nSchedulerTimeSlice      = 1 "
           "sec\nSlurmctldHost[0]        = %s\nSelectType "
           "             = select/hbatch\n",
           SLURM_CLUSTER, nodes.n ? nodes.v[0].host : "");
    nodes_fini(&nodes);
    return 0;
}

static bool is(const char *word, const char *name)
{
    return strncasecmp(word, name, strlen(word)) == 0;
}

static int show(struct scontrol *c, int argc, char **argv)
{
    const char *what = argc > 0 ? argv[0] : "", *name = argc > 1 ? argv[1] : NULL;
    const char *eq = strchr(what, '=');
    if (eq) { /* job=12 */
        name = eq + 1;
        cleanup_free char *word = xstrndup(what, (size_t)(eq - what));
        char *again[] = {word, (char *)(uintptr_t)name, NULL};
        return show(c, 2, again);
    }
    if (strcasecmp(what, "hostnames") == 0)
        return show_hostnames(c, name);
    if (strncasecmp(what, "hostlist", 8) == 0)
        return show_hostlist(c, name, strcasecmp(what, "hostlistsorted") == 0);
    if (*what && (is(what, "jobs") || is(what, "jobid")))
        return show_jobs(c, name);
    if (*what && (is(what, "nodes")))
        return show_nodes(c, name);
    if (*what && is(what, "partitions"))
        return show_partition(c, name);
    if (*what && is(what, "config"))
        return show_config(c);
    slurm_die(c->s,
              "show %s: there are job, node, partition, config, hostnames, hostlist and "
              "hostlistsorted",
              what);
}

/* --- changes ------------------------------------------------------------------------------- */

/* Do METHOD with KEY=VALUE for each job that the words name. */
static int for_jobs(struct scontrol *c, int argc, char **argv, const char *method,
                    const char *key, int value)
{
    struct error err;
    int rc = 0;
    if (argc == 0)
        slurm_die(c->s, "too few arguments: job ids are missing");
    for (int i = 0; i < argc; i++) {
        cleanup_free char *copy = xstrdup(argv[i]);
        for (char *save, *word = strtok_r(copy, ",", &save); word;
             word = strtok_r(NULL, ",", &save)) {
            struct sjobs jobs = {0};
            if (jobs_fetch_id(c->s, &jobs, word, &err) < 0) {
                fprintf(stderr, "%s for job %s\n", err.text, word);
                rc = 1;
            }
            for (size_t k = 0; k < jobs.n; k++) {
                json_object *params = slurm_params("id", jobs.v[k].id);
                json_object_object_add(params, key, json_object_new_int(value));
                json_object *answer = slurm_ask(c->s, method, params, &err);
                if (!answer) {
                    fprintf(stderr, "%s for job %s\n", err.text, word);
                    rc = 1;
                }
                json_object_put(answer);
            }
            jobs_fini(&jobs);
        }
    }
    return rc;
}

/* name=NAME,...: the ids of active jobs of these names, as words; else the words themselves. */
static int for_named_jobs(struct scontrol *c, int argc, char **argv, const char *method,
                          const char *key, int value)
{
    cleanup_strbuf struct strbuf ids = {0};
    struct sjobs jobs = {0};
    const char *eq = argc == 1 ? strchr(argv[0], '=') : NULL;
    if (!eq || (strncasecmp(argv[0], "name=", 5) != 0 &&
                strncasecmp(argv[0], "jobname=", 8) != 0))
        return for_jobs(c, argc, argv, method, key, value);
    jobs_fetch(c->s, &jobs, &(struct jobs_query){.states = JOB_ACTIVE});
    for (size_t i = 0; i < jobs.n; i++)
        if (slurm_listed(eq + 1, slurm_text(jobs.v[i].o, "name", "")))
            strbuf_addf(&ids, "%s%llu", ids.len ? "," : "",
                        (unsigned long long)jobs.v[i].id);
    jobs_fini(&jobs);
    return ids.len ? for_jobs(c, 1, &ids.s, method, key, value) : 0;
}

/* write batch_script ID [FILE|-] */
static int write_script(struct scontrol *c, int argc, char **argv)
{
    struct error err;
    struct sjobs jobs = {0};
    if (argc < 2 || strcasecmp(argv[0], "batch_script") != 0)
        slurm_die(c->s, "write: there is batch_script JOB [FILE]");
    if (jobs_fetch_id(c->s, &jobs, argv[1], &err) < 0)
        slurm_die(c->s, "%s", err.text);
    json_object *params = slurm_params("id", jobs.v[0].id),
                *keys = json_object_new_array();
    json_object_array_add(keys, json_object_new_string("jobspec"));
    json_object_object_add(params, "keys", keys);
    cleanup_json json_object *info = slurm_call(c->s, "job.info", params);
    json_object *data =
        jsonutil_at(info, "jobspec.attributes.system.files.slurm_script.data");
    jobs_fini(&jobs);
    if (!json_object_is_type(data, json_type_string))
        slurm_die(c->s, "job %s has no batch script", argv[1]);
    const char *text = json_object_get_string(data);
    size_t len = (size_t)json_object_get_string_len(data);
    if (argc > 2 && strcmp(argv[2], "-") == 0) {
        fwrite(text, 1, len, stdout);
        return 0;
    }
    cleanup_free char *path =
        argc > 2 ? xstrdup(argv[2]) : xasprintf("slurm-%s.sh", argv[1]);
    FILE *f = fopen(path, "we");
    if (!f)
        slurm_die(c->s, "cannot write %s: %s", path, strerror(errno));
    fwrite(text, 1, len, f);
    if (fclose(f) != 0)
        slurm_die(c->s, "cannot write %s: %s", path, strerror(errno));
    printf("batch script for job %s written to %s\n", argv[1], path);
    return 0;
}

/* The value of KEY among "KEY=VALUE" words, or NULL. */
static const char *word_of(int argc, char **argv, const char *key)
{
    size_t n = strlen(key);
    for (int i = 0; i < argc; i++)
        if (strncasecmp(argv[i], key, n) == 0 && argv[i][n] == '=')
            return argv[i] + n + 1;
    return NULL;
}

static void update_node(struct scontrol *c, int argc, char **argv)
{
    struct error err;
    struct snodes nodes;
    const char *state = word_of(argc, argv, "State"),
               *reason = word_of(argc, argv, "Reason");
    struct hostlist *hosts = hostlist_decode(word_of(argc, argv, "NodeName"), &err);
    bool drain = state && (is(state, "drain") || is(state, "down") || is(state, "fail")),
         resume =
             state && (is(state, "resume") || is(state, "idle") || is(state, "undrain"));
    if (!hosts)
        slurm_die(c->s, "%s", err.text);
    if (!drain && !resume)
        slurm_die(
            c->s,
            "update NodeName: hbatch knows State=DRAIN with a Reason, and State=RESUME");
    nodes_fetch(c->s, &nodes);
    cleanup_strbuf struct strbuf ranks = {0};
    for (size_t i = 0; i < hostlist_count(hosts); i++) {
        const struct snode *n = nodes_find(&nodes, hostlist_nth(hosts, i));
        if (!n)
            slurm_die(c->s, "Invalid node name specified: %s", hostlist_nth(hosts, i));
        strbuf_addf(&ranks, "%s%u", ranks.len ? "," : "", n->rank);
    }
    json_object *params = json_object_new_object();
    json_object_object_add(params, "ranks", json_object_new_string(ranks.s));
    if (drain && reason)
        json_object_object_add(params, "reason", json_object_new_string(reason));
    json_object_put(
        slurm_call(c->s, drain ? "resource.drain" : "resource.undrain", params));
    hostlist_destroy(hosts);
    nodes_fini(&nodes);
}

/* The job's id, and what hbatch has nothing for and sbatch ignores, too. */
static bool is_ignored(const char *word, size_t len)
{
    static const char *const names[] = {"JobId", "Comment",  "AdminComment",
                                        "Nice",  "MailType", "MailUser",
                                        "QOS",   "WCKey",    "Deadline"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strlen(names[i]) == len && strncasecmp(names[i], word, len) == 0)
            return true;
    return false;
}

/* TimeLimit=[+-]TIME and names: hbatch's attributes. */
static json_object *job_updates(const struct scontrol *c, int argc, char **argv)
{
    static const struct {
        const char *key, *attribute;
    } texts[] = {
        {"Account", "attributes.system.bank"},
        {"JobName", "attributes.system.job.name"},
        {"Name", "attributes.system.job.name"},
        {"Partition", "attributes.system.queue"},
    };
    struct error err;
    json_object *updates = json_object_new_object();
    for (int i = 0; i < argc; i++) {
        size_t n = strcspn(argv[i], "="), k = 0;
        const char *value = argv[i][n] ? argv[i] + n + 1 : "";
        while (k < ARRAY_SIZE(texts) &&
               (strlen(texts[k].key) != n || strncasecmp(texts[k].key, argv[i], n) != 0))
            k++;
        if (k < ARRAY_SIZE(texts)) {
            json_object_object_add(updates, texts[k].attribute,
                                   json_object_new_string(value));
        } else if (n == 9 && strncasecmp(argv[i], "TimeLimit", n) == 0) {
            bool relative = *value == '+' || *value == '-';
            double t = form_limit(value + relative, &err);
            if (t < 0)
                slurm_die(c->s, "TimeLimit: %s", err.text);
            cleanup_free char *text = xasprintf("%.*s%.0fs", relative, value, t);
            json_object_object_add(updates, "attributes.system.duration",
                                   json_object_new_string(text));
        } else if (!is_ignored(argv[i], n)) {
            slurm_die(c->s,
                      "update JobId: hbatch changes TimeLimit, Partition, JobName and "
                      "Account, not %s",
                      argv[i]);
        }
    }
    return updates;
}

static int update_jobs(struct scontrol *c, int argc, char **argv)
{
    struct error err;
    struct sjobs jobs = {0};
    int rc = 0;
    cleanup_json json_object *updates = job_updates(c, argc, argv);
    const char *id = word_of(argc, argv, "JobId");
    if (jobs_fetch_id(c->s, &jobs, id, &err) < 0) {
        fprintf(stderr, "%s for job %s\n", err.text, id);
        return 1;
    }
    for (size_t i = 0; i < jobs.n && json_object_object_length(updates) > 0; i++) {
        json_object *params = slurm_params("id", jobs.v[i].id);
        json_object_object_add(params, "updates", json_object_get(updates));
        json_object *answer = slurm_ask(c->s, "job.update", params, &err);
        if (!answer) {
            fprintf(stderr, "%s for job %llu\n", err.text,
                    (unsigned long long)jobs.v[i].id);
            rc = 1;
        }
        json_object_put(answer);
    }
    jobs_fini(&jobs);
    return rc;
}

static int update(struct scontrol *c, int argc, char **argv)
{
    if (word_of(argc, argv, "NodeName")) {
        update_node(c, argc, argv);
        return 0;
    }
    if (argc > 1 && !strchr(argv[0], '=') && *argv[0] && is(argv[0], "jobid")) {
        cleanup_free char *id = xasprintf("JobId=%s", argv[1]); /* update job 12 ... */
        char *was = argv[1];
        argv[1] = id;
        int rc = update_jobs(c, argc - 1, argv + 1);
        argv[1] = was;
        return rc;
    }
    if (word_of(argc, argv, "JobId"))
        return update_jobs(c, argc, argv);
    slurm_die(c->s,
              "update: hbatch's scontrol changes jobs (JobId=) and nodes (NodeName=)");
}

static int ping(struct scontrol *c)
{
    struct snodes nodes;
    nodes_fetch(c->s, &nodes);
    printf("Slurmctld(primary) at %s is UP\n", nodes.n ? nodes.v[0].host : "?");
    nodes_fini(&nodes);
    return 0;
}

int cmd_scontrol(struct slurm *s, int argc, char **argv)
{
    struct scontrol c = {.s = s};
    struct sparse p;
    sparse_init(&p, s, opts, ARRAY_SIZE(opts), argc, argv, false);
    for (const struct sopt *o; (o = sparse_next(&p));)
        c.oneliner = true;
    argc -= p.first;
    argv += p.first;
    if (argc == 0)
        slurm_die(s, "there is no dialog with hbatch's scontrol: give it a command, as "
                     "in 'scontrol show job'");
    const char *verb = argv[0];
    argc--, argv++;
    if (strcasecmp(verb, "show") == 0)
        return show(&c, argc, argv);
    if (strcasecmp(verb, "hold") == 0 || strcasecmp(verb, "uhold") == 0)
        return for_named_jobs(&c, argc, argv, "job.urgency", "urgency", 0);
    if (strcasecmp(verb, "release") == 0)
        return for_named_jobs(&c, argc, argv, "job.urgency", "urgency", 16);
    if (strcasecmp(verb, "top") == 0)
        return for_jobs(&c, argc, argv, "job.urgency", "urgency", 31);
    if (strcasecmp(verb, "suspend") == 0)
        return for_jobs(&c, argc, argv, "job.kill", "signal", SIGSTOP);
    if (strcasecmp(verb, "resume") == 0)
        return for_jobs(&c, argc, argv, "job.kill", "signal", SIGCONT);
    if (strcasecmp(verb, "update") == 0)
        return update(&c, argc, argv);
    if (strcasecmp(verb, "write") == 0)
        return write_script(&c, argc, argv);
    if (strcasecmp(verb, "ping") == 0)
        return ping(&c);
    if (strcasecmp(verb, "version") == 0) {
        puts("slurm 22.05.8");
        return 0;
    }
    slurm_die(s,
              "hbatch's scontrol has no '%s': there are show, hold, release, top, "
              "suspend, resume, update, write, ping and "
              "version",
              verb);
}
