/* SPDX-License-Identifier: BSD-3-Clause */
/* The captured output of jobs, one job after the other.  Those that come next are asked for before it is their
 * turn; what they have is kept meanwhile, and asked for again if it is much. */
#include <errno.h>
#include <string.h>
#include "src/cli/history.h"
#include "src/cli/ids.h"
#include "src/cli/output.h"
#include "src/cli/verbs.h"
#include "src/common/idset.h"
#include "src/common/jobid.h"
#include "src/job/state.h"
#include "src/lib/stream.h"

enum { ALL, FILTER, OUT, ERR, TASK, LABEL, SINCE };

enum {
    AHEAD = 16,           /* jobs asked for */
    KEPT_MAX = 512 << 10, /* bytes of one of them: below the credit of a stream */
};

static const struct opt opts[] = {
    {ALL, 'a', "all", NULL, "All jobs that have started, the oldest one first"},
    {FILTER, 'f', "filter", "RESULT",
     "With --all, those with these results: failed, ..."},
    {SINCE, 0, "since", "WHEN",
     "With --all, those that have not ended before: -1h, 14:30"},
    {OUT, 0, "out", NULL, "Standard output alone"},
    {ERR, 'e', "err", NULL, "Standard error alone, on standard output"},
    {TASK, 0, "task", "IDSET", "Only of these tasks"},
    {LABEL, 'l', "label-io", NULL, "Put job id and task rank before each line"},
};
static const struct opt_group groups[] = {OPTS(NULL, opts), OPTS_END};

struct show {
    struct cli *cli;
    bool all, only_out, only_err, label;
    hwloc_bitmap_t tasks; /* NULL: all */
    struct output out;
    int exit_code;
};

/* A job whose output is asked for. */
struct item {
    struct show *show;
    uint64_t id;
    int stream; /* 0: none */
    bool replied, over;
    bool turn;          /* its output is shown as it comes */
    struct strbuf kept; /* struct chunk, data, ... */
    bool too_much;      /* it was dropped, and is asked for again */
    uint64_t bytes;     /* that came */
    json_object *about; /* of the reply: "output" */
    int state;
    struct error err;
};

struct chunk {
    size_t len;
    unsigned task;
    bool is_err;
};

/* --- what comes -------------------------------------------------------------------------- */

static void show_chunk(struct show *s, uint64_t id, const struct chunk *c,
                       const char *data)
{
    const char *stream = c->is_err && !s->only_err ? "stderr" : "stdout";
    output_data(&s->out, id, stream, c->task, data, c->len, false);
}

static void drop(struct item *item)
{
    if (item->stream && !item->over)
        hbatch_unfollow(cli_connect(item->show->cli), item->stream);
    free(take(item->kept.s));
    item->kept = (struct strbuf){0};
    json_object_put(take(item->about));
    item->stream = 0;
    item->bytes = 0;
    item->replied = item->over = false;
}

static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    struct item *item = arg;
    struct show *s = item->show;
    struct chunk c = {len, task, strcmp(stream, "stderr") == 0};
    (void)eof;
    if (id == item->id)
        item->bytes += len;
    if ((s->only_err && !c.is_err) || (s->only_out && c.is_err) ||
        (s->tasks && !hwloc_bitmap_isset(s->tasks, task)))
        return;
    if (item->turn) {
        show_chunk(s, item->id, &c, data);
    } else if (item->kept.len + len > KEPT_MAX) {
        item->too_much = true;
    } else if (!item->too_much) {
        strbuf_addn(&item->kept, (const char *)&c, sizeof(c));
        strbuf_addn(&item->kept, data, len);
    }
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    struct item *item = arg;
    (void)left;
    item->over = true;
    if (!*result->result && result->exception_note) /* it could not be opened anew */
        error_set(&item->err, EIO, "%s", result->exception_note);
}

static void on_reply(json_object *result, const struct error *err, void *arg)
{
    struct item *item = arg;
    item->replied = true;
    if (err) {
        item->err = *err;
        item->over = true;
        return;
    }
    item->state = job_state_decode(cli_get_string(result, "state", ""));
    item->about = json_object_get(cli_get(result, "output"));
}

static void ask(struct item *item)
{
    static const struct hbatch_stream_ops ops = {.output = on_output, .end = on_end};
    json_object *params = cli_id_params(item->id);
    json_object_object_add(params, "follow", json_object_new_boolean(false));
    item->stream = stream_begin(cli_connect(item->show->cli), "job.attach", params, &ops,
                                item, on_reply, item);
}

/* --- files ------------------------------------------------------------------------------- */

/* What a template's TAG stands for, new; NULL: that is only known where the task runs. */
static char *value_of(const struct item *item, const char *tag)
{
    char buf[JOBID_BUFSIZE];
    json_object *cc = cli_get(item->about, "cc"), *name = cli_get(item->about, "name");
    char id[CLI_ID_SIZE]; /* by our locale, which is taken for the submitter's */
    if (strcmp(tag, "id") == 0 || strcmp(tag, "jobid") == 0)
        return xstrdup(cli_id(item->show->cli, item->id, id));
    if (strncmp(tag, "id.", 3) == 0)
        return hbatch_jobid_encode(item->id, tag + 3, NULL);
    if (strcmp(tag, "cc") == 0 && cc) {
        snprintf(buf, sizeof(buf), "%d", json_object_get_int(cc));
        return xstrdup(buf);
    }
    return strcmp(tag, "name") == 0 && name ? xstrdup(json_object_get_string(name))
                                            : NULL;
}

/* The file that TEMPLATE names, as far as that can be told here. */
static char *path_of(const struct item *item, const char *template)
{
    struct strbuf b = {0};
    const char *cwd = cli_get_string(item->about, "cwd", NULL);
    if (*template != '/' && cwd)
        strbuf_addf(&b, "%s/", cwd);
    while (*template) {
        const char *open = strstr(template, "{{"),
                   *end = open ? strstr(open, "}}") : NULL;
        if (!end)
            break;
        cleanup_free char *tag = xstrndup(open + 2, (size_t)(end - open - 2));
        cleanup_free char *value = value_of(item, tag);
        strbuf_addn(&b, template, (size_t)(open - template));
        if (value)
            strbuf_add(&b, value);
        else
            strbuf_addf(&b, "{{%s}}", tag);
        template = end + 2;
    }
    strbuf_add(&b, template);
    return strbuf_take(&b);
}

static void tell_file(const struct item *item, const char *stream, const char *what)
{
    const char *template = cli_get_string(cli_get(item->about, "files"), stream, NULL);
    char buf[CLI_ID_SIZE];
    if (!template)
        return;
    cleanup_free char *path = path_of(item, template);
    cli_error(item->show->cli, "%s: its %s went to the file %s",
              cli_id(item->show->cli, item->id, buf), what, path);
}

static void tell_files(const struct item *item)
{
    const struct show *s = item->show;
    json_object *files = cli_get(item->about, "files");
    const char *out = cli_get_string(files, "stdout", ""),
               *err = cli_get_string(files, "stderr", "");
    if (!s->only_out && !s->only_err && *out && strcmp(out, err) == 0) {
        tell_file(item, "stdout", "output");
        return;
    }
    if (!s->only_err)
        tell_file(item, "stdout", "standard output");
    if (!s->only_out)
        tell_file(item, "stderr", "standard error");
}

/* --- one after the other ----------------------------------------------------------------- */

static void tell_end(struct item *item)
{
    struct show *s = item->show;
    char buf[CLI_ID_SIZE];
    uint64_t bytes = (uint64_t)cli_get_number(item->about, "bytes", 0);
    output_flush(&s->out, true);
    if (item->err.code) {
        cli_job_error(s->cli, item->id, item->err.text);
        s->exit_code = 1;
        return;
    }
    tell_files(item);
    if (item->bytes < bytes) {
        cli_error(s->cli,
                  "%s: %ju bytes of its output are gone: lost with the node or the "
                  "executor that captured them, or no longer kept (--output-limit)",
                  cli_id(s->cli, item->id, buf), (uintmax_t)(bytes - item->bytes));
        s->exit_code = 1;
    }
    if (!s->all && (item->state & JOB_PENDING))
        cli_error(s->cli, "%s has not started, and has no output yet",
                  cli_id(s->cli, item->id, buf));
}

static void begin_turn(struct item *item)
{
    struct show *s = item->show;
    item->turn = true;
    if (item->too_much) {
        drop(item);
        ask(item);
        return;
    }
    for (size_t at = 0; at < item->kept.len;) {
        struct chunk c;
        memcpy(&c, item->kept.s + at, sizeof(c));
        at += sizeof(c);
        show_chunk(s, item->id, &c, item->kept.s + at);
        at += c.len;
    }
    free(take(item->kept.s));
    item->kept = (struct strbuf){0};
}

static void check_written(const struct show *s)
{
    if (s->out.failed)
        cli_die(s->cli, "cannot write the output: %s", strerror(s->out.failed));
}

static void show_all(struct show *s, const struct ids *ids)
{
    struct item items[AHEAD];
    struct error err;
    size_t asked = 0;
    for (size_t at = 0; at < ids->n; at++) {
        for (; asked < ids->n && asked < at + AHEAD; asked++) {
            struct item *item = &items[asked % AHEAD];
            *item = (struct item){.show = s, .id = ids->v[asked]};
            ask(item);
        }
        struct item *item = &items[at % AHEAD];
        begin_turn(item);
        while (!item->over) {
            if (client_process(s->cli->h, -1, &err) < 0 && !item->over)
                cli_die(s->cli, "%s", err.text);
            output_flush(&s->out, false);
            check_written(s);
        }
        tell_end(item);
        check_written(s);
        drop(item);
    }
}

/* --- which jobs -------------------------------------------------------------------------- */

static void add_id(struct ids *ids, json_object *job)
{
    if ((ids->n & (ids->n - 1)) == 0)
        ids->v = xrealloc(ids->v, MAX(2 * ids->n, 1u) * sizeof(*ids->v));
    ids->v[ids->n++] = json_object_get_uint64(cli_get(job, "id"));
}

static int compare(const void *a, const void *b)
{
    uint64_t x, y;
    memcpy(&x, a, sizeof(x));
    memcpy(&y, b, sizeof(y));
    return x < y ? -1 : x > y;
}

static void add_all(struct ids *ids, struct cli *cli, struct jobquery *q)
{
    struct history h = {.cli = cli, .query = q};
    if (!q->results)
        ids_add_states(ids, cli, JOB_RUNNING);
    for (json_object *jobs; (jobs = history_next(&h)); json_object_put(jobs)) {
        for (size_t i = 0; i < json_object_array_length(jobs); i++)
            add_id(ids, json_object_array_get_idx(jobs, i));
    }
    if (ids->n)
        qsort(ids->v, ids->n, sizeof(*ids->v), compare);
    size_t n = 0; /* one may have ended between the two questions */
    for (size_t i = 0; i < ids->n; i++) {
        if (i == 0 || ids->v[i] != ids->v[i - 1])
            ids->v[n++] = ids->v[i];
    }
    ids->n = n;
}

static int run(struct cli *cli, const struct cmd *cmd, int argc, char **argv)
{
    struct show s = {.cli = cli};
    struct jobquery q = {0};
    struct ids ids = {0};
    struct optparse p;
    struct error err;
    optparse_init(&p, cli, cmd, argc, argv);
    for (const struct opt *o; (o = optparse_next(&p));) {
        switch (o->id) {
        case ALL:
            s.all = true;
            break;
        case FILTER:
            jobquery_filter(&q, cli, p.value);
            if (q.states)
                cli_die(cli, "--filter=%s: only results are told apart here", p.value);
            break;
        case SINCE:
            q.since = jobquery_since(cli, p.value);
            break;
        case OUT:
            s.only_out = true;
            break;
        case ERR:
            s.only_err = true;
            break;
        case TASK:
            hwloc_bitmap_free(s.tasks);
            s.tasks = idset_decode(p.value, &err);
            if (!s.tasks)
                cli_die(cli, "--task: %s", err.text);
            break;
        case LABEL:
            s.label = true;
            break;
        }
    }
    if (s.only_out && s.only_err)
        cli_die(cli,
                "--out and --err cannot be used together: without both, both are shown");
    if (s.all ? p.nargs > 0 : p.nargs == 0)
        cli_die(cli, s.all ? "--all and job ids cannot be used together"
                           : "which jobs? Give their ids, or --all");
    if (!s.all && (q.results || q.since > 0))
        cli_die(cli, "--filter and --since are for --all");
    output_init(&s.out, s.label);
    s.out.label_jobs = s.label;
    s.out.ascii = cli->ascii;
    if (s.all)
        add_all(&ids, cli, &q);
    for (int i = 0; i < p.nargs; i++)
        ids_add(&ids, cli, p.args[i]);
    show_all(&s, &ids);
    output_fini(&s.out);
    ids_fini(&ids);
    hwloc_bitmap_free(s.tasks);
    return s.exit_code;
}

const struct cmd cmd_output = {
    .name = "output",
    .args = "[JOBID...]",
    .help = "Print the captured output of jobs, as far as there is any",
    .groups = groups,
    .run = run,
};
