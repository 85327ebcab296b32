/* SPDX-License-Identifier: BSD-3-Clause */
/* scontrol_show: jobs, nodes, partitions and host lists, as "scontrol show" prints them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "compat/slurm/fields.h"
#include "compat/slurm/forms.h"
#include "compat/slurm/nodes.h"
#include "compat/slurm/scontrol.h"
#include "config.h"
#include "src/common/hostlist.h"
#include "src/job/jsonutil.h"
#include "src/job/state.h"

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

bool scontrol_is(const char *word, const char *name)
{
    return strncasecmp(word, name, strlen(word)) == 0;
}

int scontrol_show(struct scontrol *c, int argc, char **argv)
{
    const char *what = argc > 0 ? argv[0] : "", *name = argc > 1 ? argv[1] : NULL;
    const char *eq = strchr(what, '=');
    if (eq) { /* job=12 */
        name = eq + 1;
        cleanup_free char *word = xstrndup(what, (size_t)(eq - what));
        char *again[] = {word, (char *)(uintptr_t)name, NULL};
        return scontrol_show(c, 2, again);
    }
    if (strcasecmp(what, "hostnames") == 0)
        return show_hostnames(c, name);
    if (strncasecmp(what, "hostlist", 8) == 0)
        return show_hostlist(c, name, strcasecmp(what, "hostlistsorted") == 0);
    if (*what && (scontrol_is(what, "jobs") || scontrol_is(what, "jobid")))
        return show_jobs(c, name);
    if (*what && (scontrol_is(what, "nodes")))
        return show_nodes(c, name);
    if (*what && scontrol_is(what, "partitions"))
        return show_partition(c, name);
    if (*what && scontrol_is(what, "config"))
        return show_config(c);
    slurm_die(c->s,
              "show %s: there are job, node, partition, config, hostnames, hostlist and "
              "hostlistsorted",
              what);
}
