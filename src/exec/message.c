/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/message.h"

#include <errno.h>
#include <string.h>
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/exec/exec.h"
#include "src/exec/input.h"
#include "src/exec/job.h"
#include "src/exec/lease.h"
#include "src/exec/reader.h"
#include "src/exec/remember.h"
#include "src/exec/spools.h"
#include "src/job/jsonutil.h"
#include "src/job/subend.h"

static void on_spec(struct exec *x, json_object *msg)
{
    struct error err;
    const char *hash = jsonutil_string(jsonutil_get(msg, "h"));
    json_object *js = jsonutil_get(msg, "jobspec");
    if (!hash || !js)
        log_error("spec: \"h\" or \"jobspec\" is missing");
    else if (specs_add(x->specs, hash, js, &err) < 0)
        log_error("spec %s: %s", hash, err.text);
}

static void on_env(struct exec *x, json_object *msg)
{
    struct error err;
    const char *hash = jsonutil_string(jsonutil_get(msg, "h"));
    json_object *env = jsonutil_get(msg, "env");
    if (!hash || !env)
        log_error("env: \"h\" or \"env\" is missing");
    else if (specs_add_env(x->specs, hash, env, &err) < 0)
        log_error("%s", err.text);
}

static void on_unspec(struct exec *x, json_object *msg)
{
    const char *hash = jsonutil_string(jsonutil_get(msg, "h"));
    if (hash)
        specs_forget(x->specs, hash);
}

static void on_start(struct exec *x, json_object *msg)
{
    json_object *jobs = jsonutil_get(msg, "jobs");
    int64_t pid;
    if (jsonutil_int(jsonutil_get(msg, "pid"), 1, INT64_MAX, &pid) && pid != x->pid) {
        log_info("start: it was meant for the executor that was here before");
        return;
    }
    if (!json_object_is_type(jobs, json_type_array)) {
        log_error("start: \"jobs\" is not an array");
        return;
    }
    for (size_t i = 0; i < json_object_array_length(jobs) && !x->quitting; i++)
        job_start(x, json_object_array_get_idx(jobs, i));
}

/* The job that a message is about; NULL: it has ended, or never was. */
static struct job *message_job(struct exec *x, json_object *msg, uint64_t *id)
{
    int64_t n = 0;
    jsonutil_int(jsonutil_get(msg, "id"), 0, INT64_MAX, &n);
    if (id)
        *id = (uint64_t)n;
    return job_find(x, (uint64_t)n);
}

static void on_kill(struct exec *x, json_object *msg)
{
    struct job *job = message_job(x, msg, NULL);
    int64_t signum;
    if (!jsonutil_int(jsonutil_get(msg, "signal"), 1, 64, &signum))
        log_error("kill: %s is not a signal number",
                  jsonutil_show(jsonutil_get(msg, "signal")).text);
    else if (job)
        job_signal(job, (int)signum);
}

static void on_end(struct exec *x, json_object *msg)
{
    struct job *job = message_job(x, msg, NULL);
    double grace = SUBEND_GRACE;
    jsonutil_number(jsonutil_get(msg, "grace"), &grace);
    if (job)
        job_end(job, grace < SUBEND_HURRY ? grace : job_grace(job, grace));
}

static void on_stdin(struct exec *x, json_object *msg)
{
    struct job *job = message_job(x, msg, NULL);
    if (job)
        input_message(job, msg);
}

static void on_read(struct exec *x, json_object *msg)
{
    uint64_t id;
    int64_t sub = 0, pos = 0;
    struct job *job = message_job(x, msg, &id);
    if (!jsonutil_int(jsonutil_get(msg, "sub"), 0, INT64_MAX, &sub)) {
        log_error("read: \"sub\" is not a number");
        return;
    }
    jsonutil_int(jsonutil_get(msg, "pos"), 0, INT64_MAX, &pos);
    uint64_t first = job   ? job->spool.first
                     : pos ? (uint64_t)pos
                           : remember_output(x, id);
    bool now = json_object_get_boolean(jsonutil_get(msg, "now"));
    const char *spool = jsonutil_string(jsonutil_get(msg, "spool"));
    reader_create(x, id, sub, job, first, now, job ? NULL : spool);
}

static void on_ack(struct exec *x, json_object *msg)
{
    int64_t sub = 0, bytes = 0;
    uint64_t id;
    message_job(x, msg, &id);
    jsonutil_int(jsonutil_get(msg, "sub"), 0, INT64_MAX, &sub);
    jsonutil_int(jsonutil_get(msg, "bytes"), 0, INT64_MAX, &bytes);
    reader_ack(x, id, sub, (uint64_t)bytes);
}

static void on_unread(struct exec *x, json_object *msg)
{
    int64_t sub = 0;
    uint64_t id;
    message_job(x, msg, &id);
    jsonutil_int(jsonutil_get(msg, "sub"), 0, INT64_MAX, &sub);
    reader_close(x, id, sub);
}

static void on_pmi(struct exec *x, json_object *msg)
{
    struct error err;
    json_object *inner = jsonutil_get(msg, "msg");
    struct pmi *pmi = exec_pmi(x, &err);
    if (!pmi)
        log_error("pmi: %s", err.text);
    else if (inner)
        pmi_deliver(pmi, inner);
}

static void on_nspace(struct exec *x, json_object *msg)
{
    struct error err;
    uint64_t id;
    struct job *job = message_job(x, msg, &id);
    cleanup_json json_object *o = json_object_new_object();
    json_object *env = json_object_new_object();
    json_object_object_add(o, "m", json_object_new_string("nspace"));
    json_object_object_add(o, "id", json_object_new_int64((int64_t)id));
    json_object_object_add(o, "env", env);
    if (!job)
        error_set(&err, ENOENT, "it has ended");
    if (!job || job_late_pmi(job, env, &err) < 0) {
        json_object_object_del(o, "env");
        json_object_object_add(o, "error", json_object_new_string(err.text));
    }
    size_t len;
    const char *text = json_object_to_json_string_length(
        o, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
    conn_tell_surely(x->conn, text, len);
}

static void on_acked(struct exec *x, json_object *msg)
{
    int64_t seq = 0;
    jsonutil_int(jsonutil_get(msg, "seq"), 0, INT64_MAX, &seq);
    conn_acked(x->conn, (uint64_t)seq);
    remember_forget(x, (uint64_t)seq);
}

/* Another leader has come: what a new connection would bring. */
static void on_renew(struct exec *x, json_object *msg)
{
    (void)msg;
    reader_close_all(x);
    conn_greet(x->conn);
    if (x->pmi)
        pmi_ask_again(x->pmi);
}

static void on_forget(struct exec *x, json_object *msg)
{
    spools_forget(x, jsonutil_string(jsonutil_get(msg, "spool")),
                  jsonutil_get(msg, "jobs"));
}

static void on_quit(struct exec *x, json_object *msg)
{
    (void)msg;
    exec_quit(x, "the rank asked for it");
}

static void on_recall(struct exec *x, json_object *msg)
{
    (void)msg;
    lease_recall(x);
}

/* What has ended by now is found at the end of this turn. */
static void on_news(struct exec *x, json_object *msg)
{
    jsonutil_int(jsonutil_get(msg, "n"), 1, INT64_MAX, &x->news);
    x->reap = true;
}

static void on_update(struct exec *x, json_object *msg)
{
    int64_t id = 0;
    double when = 0;
    jsonutil_int(jsonutil_get(msg, "id"), 1, INT64_MAX, &id);
    struct job *job = job_find(x, (uint64_t)id);
    if (job && jsonutil_number(jsonutil_get(msg, "expiration"), &when))
        job_set_expiration(job, when > 0 ? when : 0);
}

static const struct {
    const char *name;
    void (*f)(struct exec *x, json_object *msg);
} messages[] = {
    {"start", on_start},      {"acked", on_acked},   {"spec", on_spec},
    {"unspec", on_unspec},    {"env", on_env},       {"kill", on_kill},
    {"end", on_end},          {"stdin", on_stdin},   {"read", on_read},
    {"ack", on_ack},          {"pmi", on_pmi},       {"unread", on_unread},
    {"lease", lease_message}, {"recall", on_recall}, {"init", exec_init},
    {"quit", on_quit},        {"renew", on_renew},   {"nspace", on_nspace},
    {"update", on_update},    {"news", on_news},     {"forget", on_forget},
};

void message_handle(struct exec *x, json_object *msg)
{
    const char *m = jsonutil_string(jsonutil_get(msg, "m"));
    for (size_t i = 0; m && i < ARRAY_SIZE(messages); i++)
        if (strcmp(m, messages[i].name) == 0) {
            messages[i].f(x, msg);
            return;
        }
    log_error("message from the rank: there is no message %s",
              jsonutil_show(jsonutil_get(msg, "m")).text);
}
