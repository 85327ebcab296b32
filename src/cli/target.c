/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/target.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/procfind.h"
#include "src/common/jobid.h"
#include "src/foreign/query.h"
#include "src/job/jobspec.h"
#include "src/job/state.h"
#include "src/lib/link.h"

/* --- the instance that is talked to ------------------------------------------------------------- */

void target_use(struct cli *cli, const char *uri)
{
    static const char *const others[] = {"HBATCH_PARENT_URI", "HBATCH_INSTANCE_LEVEL",
                                         "HBATCH_JOB_ID"};
    cleanup_free char *copy = xstrdup(uri); /* it may be of the environment itself */
    client_close(take(cli->h));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        unsetenv(others[i]);
    setenv("HBATCH_URI", copy, 1);
}

char *target_parent(struct cli *cli, struct error *err)
{
    struct error why;
    const char *known = getenv("HBATCH_PARENT_URI");
    struct hbatch *h = cli->h ? cli->h : client_open(NULL, &why);
    cleanup_json json_object *info =
        h ? client_call(h, "instance.info", NULL, &why) : NULL;
    cli->h = h;
    /* An instance that does not answer may have left in the environment where its parent is. */
    if (!info)
        return known && *known ? xstrdup(known)
                               : error_null(err, why.code, "%s", why.text);
    const char *uri = cli_get_string(info, "parent_uri", NULL);
    if (uri && *uri)
        return link_uri_from(client_uri(h), uri);
    return error_null(
        err, ENOENT,
        "the instance at %s is the outermost one (level %d): it has no parent",
        client_uri(h), (int)cli_get_number(info, "level", 0));
}

struct hbatch *target_open(const struct place *p, struct error *err)
{
    cleanup_free char *uri =
        p->host && p->relay ? xstrdup(p->relay) : place_uri(p, p->host != NULL);
    return client_open(uri, err);
}

/* --- jobs inside of jobs ------------------------------------------------------------------------- */

/* A step on the way: the instance that is asked now. */
struct walk {
    struct cli *cli; /* its .h is that instance's */
    const struct target *t;
    struct place at;
};

static int connect_to(struct walk *w, const char *uri, struct error *err)
{
    struct place p;
    if (place_decode(uri, &p, err) < 0)
        return -1;
    place_fini(&w->at);
    w->at = p;
    client_close(take(w->cli->h));
    return 0;
}

static struct hbatch *asked(struct walk *w, struct error *err)
{
    if (!w->cli->h)
        w->cli->h = w->at.path ? target_open(&w->at, err) : client_open(NULL, err);
    return w->cli->h;
}

static int go_up(struct walk *w, struct error *err)
{
    if (!asked(w, err))
        return -1;
    cleanup_free char *uri = target_parent(w->cli, err);
    return uri ? connect_to(w, uri, err) : -1;
}

static int go_to_root(struct walk *w, struct error *err)
{
    for (;;) {
        struct hbatch *h = asked(w, err);
        cleanup_json json_object *info =
            h ? client_call(h, "instance.info", NULL, err) : NULL;
        if (!info)
            return -1;
        const char *uri = cli_get_string(info, "parent_uri", NULL);
        if (!uri || !*uri)
            return connect_to(w, client_uri(h), err);
        cleanup_free char *from_here = link_uri_from(client_uri(h), uri);
        if (connect_to(w, from_here, err) < 0)
            return -1;
    }
}

/* Of job.list, a new reference; NULL with err set. */
static json_object *find_job(struct hbatch *h, uint64_t id, const char *name,
                             struct error *err)
{
    if (id == 0 || id > INT64_MAX)
        return error_null(err, ENOENT, "there is no job %s", name);
    json_object *q = json_object_new_object(), *ids = json_object_new_array();
    json_object_array_add(ids, json_object_new_uint64(id));
    json_object_object_add(q, "ids", ids);
    json_object_object_add(q, "states", json_object_new_int(127));
    cleanup_json json_object *result = client_call(h, "job.list", q, err);
    if (!result)
        return NULL;
    json_object *jobs = cli_get(result, "jobs");
    if (!json_object_is_type(jobs, json_type_array) ||
        json_object_array_length(jobs) == 0)
        return error_null(err, ENOENT, "there is no job %s", name);
    return json_object_get(json_object_array_get_idx(jobs, 0));
}

/* Whether job ID was submitted as an instance. */
static bool is_instance(struct hbatch *h, uint64_t id)
{
    struct hbatch_error ignored;
    cleanup_free char *text = hbatch_info(h, id, "jobspec", &ignored);
    cleanup_json json_object *o = text ? json_tokener_parse(text) : NULL;
    return o && jobspec_json_is_instance(o);
}

struct waiting {
    bool told, over;
};

static void on_event(hbatch_jobid id, double time, const char *name, const char *context,
                     void *arg)
{
    struct waiting *w = arg;
    (void)id, (void)time;
    if (strcmp(name, "memo") != 0 || !context)
        return;
    cleanup_json json_object *o = json_tokener_parse(context);
    w->told = w->told || cli_get(o, "uri");
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    struct waiting *w = arg;
    (void)result, (void)left;
    w->over = true;
}

/* Until job ID has told its URI, or is over. */
static int wait_for(struct walk *w, uint64_t id, const char *name, const char *state,
                    struct error *err)
{
    static const struct hbatch_stream_ops ops = {.event = on_event, .end = on_end};
    struct waiting wait = {0};
    struct hbatch_error e;
    if (w->t->tell && strcmp(state, "RUN") != 0)
        cli_error(w->cli, "waiting for job %s (%s)", name, state);
    int stream = hbatch_attach(w->cli->h, id, &ops, &wait, &e);
    if (stream < 0)
        return error_set(err, e.code, "%s", e.text);
    while (!wait.told && !wait.over) {
        if (client_process(w->cli->h, -1, err) < 0)
            return -1;
    }
    if (!wait.over)
        hbatch_unfollow(w->cli->h, stream);
    return 0;
}

/* Why JOB, which has told no URI, is none that can be reached. */
static int not_reachable(struct hbatch *h, json_object *job, uint64_t id,
                         const char *name, struct error *err)
{
    const char *state = cli_get_string(job, "state", "");
    if (!is_instance(h, id))
        return error_set(err, EINVAL, "job %s (%s) is not an instance", name,
                         cli_get_string(job, "name", "?"));
    if (strcmp(state, "INACTIVE") == 0)
        return error_set(err, ENOENT, "job %s is over (%s): its instance is gone", name,
                         cli_get_string(job, "result", "?"));
    return error_set(
        err, EAGAIN,
        "the instance of job %s is not ready: the job is in state %s; see the "
        "option --wait of hbatch uri",
        name, state);
}

static int go_down(struct walk *w, const char *name, struct error *err)
{
    jobid_t id;
    struct place p;
    bool last = strcmp(name, "last") == 0;
    if (!last && jobid_decode(name, &id, err) < 0)
        return -1;
    struct hbatch *h = asked(w, err);
    if (!h)
        return -1;
    if (last)
        id = cli_jobid(w->cli, name);
    json_object *job = find_job(h, id, name, err);
    if (!job)
        return -1;
    const char *state = cli_get_string(job, "state", "");
    bool active = strcmp(state, "INACTIVE") != 0 && strcmp(state, "CLEANUP") != 0;
    if (active && w->t->wait && !cli_get(job, "uri") && is_instance(h, id)) {
        int rc = wait_for(w, id, name, state, err);
        json_object_put(job);
        job = rc < 0 ? NULL : find_job(h, id, name, err);
        if (!job)
            return -1;
        active = strcmp(cli_get_string(job, "state", ""), "INACTIVE") != 0;
    }
    int rc = active && place_of_job(job, &p) ? 0 : not_reachable(h, job, id, name, err);
    if (rc == 0)
        place_relay(&p, client_uri(h), job);
    json_object_put(job);
    if (rc < 0)
        return -1;
    place_fini(&w->at);
    w->at = p;
    client_close(take(w->cli->h));
    return 0;
}

static int find_path(struct cli *cli, const struct target *t, char *path, struct place *p,
                     struct error *err)
{
    struct cli own = *cli; /* of this walk, with connections of its own */
    struct walk w = {.cli = &own, .t = t};
    const char *uri = getenv("HBATCH_URI");
    char *save = NULL;
    int rc = 0;
    own.h = NULL;
    if (uri && *uri)
        rc = connect_to(&w, uri, err);
    else
        rc = asked(&w, err) ? 0 : -1; /* fails, and says what to do */
    if (rc == 0 && *path == '/')
        rc = go_to_root(&w, err);
    for (char *word = strtok_r(path, "/", &save); word && rc == 0;
         word = strtok_r(NULL, "/", &save)) {
        if (strcmp(word, "..") == 0)
            rc = go_up(&w, err);
        else if (strcmp(word, ".") != 0)
            rc = go_down(&w, word, err);
    }
    client_close(own.h);
    *p = w.at;
    if (rc < 0)
        place_fini(p);
    return rc;
}

/* --- Slurm -------------------------------------------------------------------------------------- */

/* The first node of the job is asked: for an instance's rank that runs there. */
static int find_slurm(const char *jobid, struct place *p, struct error *err)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = '\0';
    if (!*jobid || jobid[strspn(jobid, "0123456789")])
        return error_set(err, EINVAL, "slurm:%s: must be the number of a job", jobid);
    if (!query_in_path("srun"))
        return error_set(
            err, ENOENT,
            "slurm:%s: srun, which would ask the job's first node, is not in PATH",
            jobid);
    cleanup_free char *job = xasprintf("--jobid=%s", jobid),
                      *target = xasprintf("slurm-here:%s", jobid);
    cleanup_free char *uri =
        query("srun", "--overlap", "--quiet", "--nodes=1", "--ntasks=1", job, self, "uri",
              "--remote", target, NULL);
    if (uri)
        uri[strcspn(uri, "\r\n")] = '\0';
    if (uri && strncmp(uri, "ssh://", 6) == 0)
        return place_decode(uri, p, err);
    return error_set(
        err, ENOENT,
        "slurm:%s: no instance was found on the first node of that job of Slurm; "
        "does it run, is it yours, and does an instance run in it?",
        jobid);
}

/* --- all of them -------------------------------------------------------------------------------- */

static bool is_scheme(const char *text, const char *scheme, const char **rest)
{
    size_t n = strlen(scheme);
    if (strncmp(text, scheme, n) != 0 || text[n] != ':')
        return false;
    *rest = text + n + 1;
    return true;
}

static int take_query(struct target *t, char *text, struct error *err)
{
    char *save = NULL, *mark = strchr(text, '?');
    if (!mark)
        return 0;
    *mark++ = '\0';
    for (char *word = strtok_r(mark, "&", &save); word;
         word = strtok_r(NULL, "&", &save)) {
        if (strcmp(word, "local") == 0)
            t->local = true;
        else if (strcmp(word, "remote") == 0)
            t->remote = true;
        else if (strcmp(word, "wait") == 0)
            t->wait = true;
        else
            return error_set(err, EINVAL,
                             "%s: after the '?' may come local, remote and wait",
                             t->text);
    }
    return 0;
}

static int find_uri(char *uri, struct place *p, struct error *err)
{
    int rc = uri ? place_decode(uri, p, err) : -1;
    free(uri);
    return rc;
}

static int find_pid(const char *text, struct place *p, struct error *err)
{
    char *end;
    errno = 0;
    long pid = strtol(text, &end, 10);
    if (errno || end == text || *end || pid <= 0 || pid > INT_MAX)
        return error_set(err, EINVAL, "pid:%s: must be the number of a process", text);
    return find_uri(procfind_uri((pid_t)pid, err), p, err);
}

int target_find(struct cli *cli, struct target *t, struct place *p, struct error *err)
{
    const char *rest;
    *p = (struct place){0};
    cleanup_free char *text = xstrdup(t->text);
    if (take_query(t, text, err) < 0)
        return -1;
    if (is_scheme(text, "local", &rest) || is_scheme(text, "ssh", &rest))
        return place_decode(text, p, err);
    if (is_scheme(text, "pid", &rest))
        return find_pid(rest, p, err);
    if (is_scheme(text, "slurm", &rest))
        return find_slurm(rest, p, err);
    if (is_scheme(text, "slurm-here", &rest)) /* asked by find_slurm, on that node */
        return find_uri(procfind_slurm(rest, err), p, err);
    if (is_scheme(text, "jobid", &rest))
        return find_path(cli, t, text + (rest - text), p, err);
    if (strchr(text, ':'))
        return error_set(
            err, EINVAL,
            "'%s' names no instance: that is a job's id, or begins with local://, "
            "ssh://, jobid:, pid: or slurm:",
            t->text);
    if (!*text)
        return error_set(err, EINVAL, "'%s' names no instance", t->text);
    return find_path(cli, t, text, p, err);
}

int target_enter(struct cli *cli, struct place *p, struct error *err)
{
    struct hbatch *h = p->host ? target_open(p, err) : NULL;
    bool found = !p->host || h;
    cleanup_free char *uri = h ? xstrdup(client_uri(h)) : place_uri(p, false);
    client_close(h);
    place_fini(p);
    if (found)
        target_use(cli, uri);
    return found ? 0 : -1;
}

uint64_t target_job(struct cli *cli, const char *text)
{
    struct place at;
    struct error err;
    const char *slash = strrchr(text, '/');
    if (!slash)
        return cli_jobid(cli, text);
    cleanup_free char *above = xstrndup(text, MAX((size_t)(slash - text), (size_t)1));
    struct target t = {.text = above};
    if (!slash[1])
        cli_die(cli, "'%s' names no job: its id is to come after the '/'", text);
    if (target_find(cli, &t, &at, &err) < 0 || target_enter(cli, &at, &err) < 0)
        cli_die(cli, "%s", err.text);
    return cli_jobid(cli, slash + 1);
}
