/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/guest.h"

#include <string.h>
#include "src/common/base64.h"
#include "src/common/utf8.h"
#include "src/lib/stream.h"

#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

static const struct {
    const char *name;
    enum guest_log log;
} names[] = {
    {"eventlog", GUEST_MAIN},       {"guest.exec.eventlog", GUEST_EXEC},
    {"exec.eventlog", GUEST_EXEC},  {"exec", GUEST_EXEC},
    {"guest.output", GUEST_OUTPUT}, {"output", GUEST_OUTPUT},
};

enum guest_log guest_find(const char *path)
{
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (strcmp(names[i].name, path) == 0)
            return names[i].log;
    return GUEST_LOGS;
}

enum guest_log guest_parse(const struct cli *cli, const char *option, const char *path)
{
    enum guest_log log = guest_find(path);
    if (log == GUEST_LOGS)
        cli_die(cli,
                "%s: there is no log '%s'; there are eventlog, exec (or "
                "guest.exec.eventlog) and output (or guest.output)",
                option, path);
    return log;
}

/* --- of the execution -------------------------------------------------------------------- */

static char *shell_start(struct cli *cli, uint64_t id)
{
    cleanup_free char *map = hbatch_info(cli_connect(cli), id, "taskmap", NULL);
    cleanup_json json_object *o = json_object_new_object();
    json_object *parsed = map ? json_tokener_parse(map) : NULL;
    if (json_object_is_type(parsed, json_type_array)) {
        json_object *wrapped = json_object_new_object();
        json_object_object_add(wrapped, "version", json_object_new_int(1));
        json_object_object_add(wrapped, "map", parsed);
        parsed = wrapped;
    }
    if (parsed)
        json_object_object_add(o, "taskmap", parsed);
    return xstrdup(json_object_to_json_string_ext(o, PLAIN));
}

void guest_exec(struct cli *cli, uint64_t id, double time, const char *name,
                const char *context, guest_event_f fn, void *arg)
{
    cleanup_json json_object *o = context ? json_tokener_parse(context) : NULL;
    if (strcmp(name, "start") == 0) {
        cleanup_free char *started = shell_start(cli, id);
        fn(arg, time, "init", NULL);
        fn(arg, time, "starting", NULL);
        fn(arg, time, "shell.init", NULL);
        fn(arg, time, "shell.start", started);
    } else if (strcmp(name, "finish") == 0) {
        fn(arg, time, "complete", context);
    } else if (strcmp(name, "release") == 0 &&
               json_object_get_boolean(cli_get(o, "final"))) {
        fn(arg, time, "done", NULL);
    }
}

void guest_put_aside(struct guest_queue *q, double time, const char *name,
                     const char *context)
{
    q->v = xrealloc(q->v, (q->n + 1) * sizeof(*q->v));
    q->v[q->n++] =
        (struct guest_event){time, xstrdup(name), context ? xstrdup(context) : NULL};
}

void guest_tell(struct guest_queue *q, struct cli *cli, uint64_t id, guest_event_f fn,
                void *arg)
{
    struct guest_queue now = *q; /* more may come meanwhile */
    *q = (struct guest_queue){0};
    for (size_t i = 0; i < now.n; i++) {
        guest_exec(cli, id, now.v[i].time, now.v[i].name, now.v[i].context, fn, arg);
        free(now.v[i].name);
        free(now.v[i].context);
    }
    free(now.v);
}

/* --- of the output ----------------------------------------------------------------------- */

struct output_log {
    struct cli *cli;
    guest_event_f fn;
    void *arg;
    bool begun, over;
};

static void begin(struct output_log *l)
{
    if (!l->begun)
        l->fn(l->arg, time_now(), "header",
              "{\"version\":1,\"encoding\":{\"stdout\":\"UTF-8\",\"stderr\":\"UTF-8\"},"
              "\"count\":{\"stdout\":1,\"stderr\":1},\"options\":{}}");
    l->begun = true;
}

static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    struct output_log *l = arg;
    char rank[16];
    (void)id;
    begin(l);
    snprintf(rank, sizeof(rank), "%u", task);
    cleanup_json json_object *o = json_object_new_object();
    json_object_object_add(o, "stream", json_object_new_string(stream));
    json_object_object_add(o, "rank", json_object_new_string(rank));
    if (len > 0 && !memchr(data, '\0', len) && utf8_valid(data, len)) {
        json_object_object_add(o, "data", json_object_new_string_len(data, (int)len));
    } else if (len > 0) {
        cleanup_free char *text = base64_encode(data, len);
        json_object_object_add(o, "data", json_object_new_string(text));
        json_object_object_add(o, "encoding", json_object_new_string("base64"));
    }
    if (eof)
        json_object_object_add(o, "eof", json_object_new_boolean(true));
    l->fn(l->arg, time_now(), "data", json_object_to_json_string_ext(o, PLAIN));
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    struct output_log *l = arg;
    (void)left;
    cli_check_end(l->cli, result);
    l->over = true;
}

void guest_output(struct cli *cli, uint64_t id, bool follow, guest_event_f fn, void *arg)
{
    static const struct hbatch_stream_ops ops = {.output = on_output, .end = on_end};
    struct output_log l = {.cli = cli, .fn = fn, .arg = arg};
    struct error err;
    json_object *params = cli_id_params(id);
    if (!follow)
        json_object_object_add(params, "follow", json_object_new_boolean(false));
    cleanup_json json_object *reply =
        stream_open(cli_connect(cli), "job.attach", params, &ops, &l, NULL, NULL, &err);
    if (!reply)
        cli_die(cli, "%s", err.text);
    begin(&l);
    while (!l.over)
        if (client_process(cli->h, -1, &err) < 0 && !l.over)
            cli_die(cli, "%s", err.text);
}
