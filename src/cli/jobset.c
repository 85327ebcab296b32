/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include "src/cli/jobset.h"
#include "src/lib/stream.h"
#include "src/lib/submit.h"

void jobset_init(struct jobset *set, struct cli *cli, bool watch, bool label)
{
    *set = (struct jobset){.cli = cli, .watch = watch};
    output_init(&set->out, label);
    set->out.label_jobs = label;
    set->out.ascii = cli->ascii;
    set->seen = json_object_new_object();
}

void jobset_fini(struct jobset *set)
{
    output_fini(&set->out);
    json_object_put(set->seen);
}

static bool first_time(struct jobset *set, uint64_t id)
{
    char key[24];
    snprintf(key, sizeof(key), "%ju", (uintmax_t)id);
    if (json_object_object_get_ex(set->seen, key, NULL))
        return false;
    json_object_object_add(set->seen, key, NULL);
    return true;
}

static void count_done(struct jobset *set, bool failed)
{
    set->done++;
    set->meter.done++;
    set->meter.failed += failed;
}

/* Something else is printed: what is gathered, and the meter, must not mix with it. */
static void make_way(struct jobset *set)
{
    meter_hide(&set->meter);
    output_flush(&set->out, false);
}

/* An exception that ends the job is told at its end. */
static void tell_warning(struct jobset *set, hbatch_jobid id, const char *context)
{
    char buf[CLI_ID_SIZE];
    cleanup_json json_object *o = json_tokener_parse(context);
    if (!o || cli_get_number(o, "severity", 0) == 0)
        return;
    make_way(set);
    cli_error(set->cli, "%s: exception type=%s severity=%.0f %s",
              cli_id(set->cli, id, buf), cli_get_string(o, "type", "?"),
              cli_get_number(o, "severity", 0), cli_get_string(o, "note", ""));
}

static void on_event(hbatch_jobid id, double time, const char *name, const char *context,
                     void *arg)
{
    struct jobset *set = arg;
    char buf[CLI_ID_SIZE];
    if (set->verbose > 1) {
        make_way(set);
        fprintf(stderr, "%s: %.3f: %s%s%s\n", cli_id(set->cli, id, buf), time, name,
                context ? " " : "", context ? context : "");
    } else if (strcmp(name, "exception") == 0 && context) {
        tell_warning(set, id, context);
    }
    if (set->wait_event && strcmp(name, set->wait_event) == 0 && first_time(set, id))
        count_done(set, false);
}

static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    struct jobset *set = arg;
    if (!set->watch)
        return;
    meter_hide(&set->meter);
    output_data(&set->out, id, stream, task, data, len, eof);
}

/* Nothing else says why a job was not started, or ended before its tasks did.  Jobs of an array often have the
 * same reason. */
static void tell_exception(struct jobset *set, const struct hbatch_result *r)
{
    char buf[CLI_ID_SIZE];
    if (++set->told > JOBSET_TELL_MAX)
        return;
    make_way(set);
    if (set->told == JOBSET_TELL_MAX && set->total > JOBSET_TELL_MAX)
        cli_error(set->cli, "jobs that end by an exception are not told of any more; see "
                            "hbatch jobs -a -f failed");
    else
        cli_error(set->cli, "%s: %s: exception type=%s%s%s", cli_id(set->cli, r->id, buf),
                  r->result, r->exception_type,
                  r->exception_note && *r->exception_note ? " " : "",
                  r->exception_note ? r->exception_note : "");
}

static void on_end(const struct hbatch_result *r, uint64_t left, void *arg)
{
    struct jobset *set = arg;
    char buf[CLI_ID_SIZE];
    bool ok = strcmp(r->result, "COMPLETED") == 0;
    int code = r->exit_code == 0 && !ok ? 1 : r->exit_code;
    (void)left;
    if (!*r->result && r->exception_note) {
        make_way(set);
        cli_error(set->cli, "%s: %s", cli_id(set->cli, r->id, buf), r->exception_note);
    } else if (!ok && r->exception_type && r->exception_severity == 0 &&
               set->verbose <= 1) {
        tell_exception(set, r);
    } else if (set->verbose) {
        make_way(set);
        if (ok || r->status >= 0)
            cli_error(set->cli, "%s: %s with exit code %d", cli_id(set->cli, r->id, buf),
                      r->result, code);
        else
            cli_error(set->cli, "%s: %s", cli_id(set->cli, r->id, buf), r->result);
    }
    if (set->wait_event && !first_time(set, r->id))
        return;
    if (set->wait_event) /* it ended without that event */
        code = MAX(code, 1);
    count_done(set, code != 0);
    set->exit_code = MAX(set->exit_code, code);
}

static struct hbatch_stream_ops ops_of(struct jobset *set)
{
    struct hbatch_stream_ops ops = {.end = on_end};
    if (set->watch)
        ops.output = on_output;
    if (set->watch || set->wait_event || set->verbose > 1)
        ops.event = on_event;
    return ops;
}

/* --- submitting -------------------------------------------------------------------------- */

/* A submission that has no reply yet. */
struct asked {
    struct jobset *set;
    client_reply_f reply;
    void *arg;
    bool is_stream; /* the reply opens one */
};

static void on_waited(json_object *result, const struct error *err, void *arg)
{
    struct jobset *set = arg;
    struct hbatch_result r;
    if (err)
        r = (struct hbatch_result){
            .result = "", .status = -1, .exit_code = 1, .exception_note = err->text};
    else
        stream_result(result, &r);
    on_end(&r, 0, set);
}

static void on_submitted(json_object *result, const struct error *err, void *arg)
{
    struct asked *a = arg;
    struct jobset *set = a->set;
    uint64_t id = json_object_get_uint64(cli_get(result, "id"));
    if (result)
        set->total += (uint64_t)cli_get_number(result, "count", 1);
    if (result && !a->is_stream)
        client_send(set->cli->h, "job.wait", cli_id_params(id), on_waited, NULL, set);
    a->reply(result, err, a->arg);
    free(a);
}

void jobset_send(struct jobset *set, json_object *spec,
                 const struct hbatch_submit *submit, client_reply_f reply, void *arg)
{
    struct hbatch_stream_ops ops = ops_of(set);
    struct hbatch *h = cli_connect(set->cli);
    struct asked *a = xmalloc(sizeof(*a));
    bool attach = ops.event || ops.output;
    bool rows = json_object_object_get_ex(submit_system(spec), "bulk", NULL);
    *a = (struct asked){set, reply, arg, attach || submit->cc || rows || !set->many};
    json_object *params = submit_params(spec, submit,
                                        attach         ? "attach"
                                        : a->is_stream ? "status"
                                                       : NULL);
    if (a->is_stream)
        stream_begin(h, "job.submit", params, &ops, set, on_submitted, a);
    else
        client_send(h, "job.submit", params, on_submitted, NULL, a);
}

struct now {
    bool done;
    uint64_t id, count;
    struct error err;
};

static void on_now(json_object *result, const struct error *err, void *arg)
{
    struct now *now = arg;
    now->done = true;
    if (err)
        now->err = *err;
    now->id = json_object_get_uint64(cli_get(result, "id"));
    now->count = (uint64_t)cli_get_number(result, "count", 1);
}

int jobset_submit(struct jobset *set, json_object *spec,
                  const struct hbatch_submit *submit, uint64_t *id, struct error *err)
{
    struct now now = {0};
    jobset_send(set, spec, submit, on_now, &now);
    while (!now.done) {
        if (client_process(set->cli->h, -1, err) < 0 && !now.done)
            return -1;
    }
    if (now.err.code) {
        *err = now.err;
        return -1;
    }
    *id = now.id;
    if (submit->count)
        *submit->count = now.count;
    return 0;
}

int jobset_add(struct jobset *set, uint64_t first, uint64_t count, struct error *err)
{
    struct hbatch_stream_ops ops = ops_of(set);
    json_object *params = cli_id_params(first);
    if (count > 1)
        json_object_object_add(params, "count", json_object_new_uint64(count));
    json_object_object_add(params, "output", json_object_new_boolean(ops.output != NULL));
    set->total += count;
    set->meter.total = set->total;
    cleanup_json json_object *reply = stream_open(cli_connect(set->cli), "job.attach",
                                                  params, &ops, set, NULL, NULL, err);
    if (reply)
        return 0;
    set->meter.total = set->total -= count;
    return -1;
}

void jobset_flush(struct jobset *set)
{
    output_flush(&set->out, false);
    if (set->out.failed)
        cli_die(set->cli, "cannot write the jobs' output: %s", strerror(set->out.failed));
    meter_draw(&set->meter);
}

int jobset_wait(struct jobset *set)
{
    struct error err;
    jobset_flush(set);
    while (set->done < set->total) {
        int rc = client_process(set->cli->h, set->meter.on ? METER_TICK_MS : -1, &err);
        if (rc < 0 && set->done < set->total) {
            make_way(set);
            cli_die(set->cli, "%s", err.text);
        }
        jobset_flush(set);
    }
    meter_hide(&set->meter);
    output_flush(&set->out, true);
    meter_end(&set->meter);
    return set->exit_code;
}
