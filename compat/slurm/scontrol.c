/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "compat/slurm/forms.h"
#include "compat/slurm/jobs.h"
#include "compat/slurm/nodes.h"
#include "compat/slurm/options.h"
#include "compat/slurm/scontrol.h"
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
    bool drain = state && (scontrol_is(state, "drain") || scontrol_is(state, "down") ||
                           scontrol_is(state, "fail")),
         resume = state && (scontrol_is(state, "resume") || scontrol_is(state, "idle") ||
                            scontrol_is(state, "undrain"));
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
    if (argc > 1 && !strchr(argv[0], '=') && *argv[0] && scontrol_is(argv[0], "jobid")) {
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
        return scontrol_show(&c, argc, argv);
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
