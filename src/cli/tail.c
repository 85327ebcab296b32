/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/tail.h"

#include <string.h>
#include "src/common/strbuf.h"
#include "src/lib/stream.h"

struct source { /* one stream of a task */
    unsigned task;
    bool is_err;
    uint64_t bytes;     /* that were read, and have not come again */
    struct strbuf line; /* that has not ended */
};

struct line {
    unsigned task;
    bool is_err;
    char *text;
    size_t len;
};

struct tail {
    struct cli *cli;
    struct source *sources;
    size_t nsources;
    struct line *lines; /* [most] a ring */
    size_t most, first, n;
    uint64_t bytes, captured;
    bool over, all;
};

static struct source *source_of(struct tail *t, const char *stream, unsigned task)
{
    bool is_err = strcmp(stream, "stderr") == 0;
    for (size_t i = 0; i < t->nsources; i++)
        if (t->sources[i].task == task && t->sources[i].is_err == is_err)
            return &t->sources[i];
    if ((t->nsources & (t->nsources - 1)) == 0)
        t->sources = xrealloc(t->sources, MAX(2 * t->nsources, 1u) * sizeof(*t->sources));
    t->sources[t->nsources] = (struct source){.task = task, .is_err = is_err};
    return &t->sources[t->nsources++];
}

/* The line of SRC is complete, or will not be. */
static void keep_line(struct tail *t, struct source *src)
{
    struct line *line = &t->lines[(t->first + t->n) % t->most];
    if (t->n == t->most) {
        free(line->text);
        t->first = (t->first + 1) % t->most;
    } else {
        t->n++;
    }
    *line = (struct line){.task = src->task, .is_err = src->is_err, .len = src->line.len};
    line->text = strbuf_take(&src->line);
}

static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    struct tail *t = arg;
    struct source *src = source_of(t, stream, task);
    const char *at = data;
    (void)id, (void)eof;
    src->bytes += len;
    t->bytes += len;
    while (len > 0) {
        const char *end = memchr(at, '\n', len);
        size_t n = end ? (size_t)(end - at) + 1 : len;
        strbuf_addn(&src->line, at, n);
        if (end)
            keep_line(t, src);
        at += n;
        len -= n;
    }
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    struct tail *t = arg;
    (void)left;
    cli_check_end(t->cli, result);
    t->over = true;
}

struct tail *tail_read(struct cli *cli, uint64_t id, size_t lines)
{
    static const struct hbatch_stream_ops ops = {.output = on_output, .end = on_end};
    struct tail *t = xcalloc(1, sizeof(*t));
    struct error err;
    t->cli = cli;
    t->most = lines;
    t->lines = xcalloc(lines, sizeof(*t->lines));
    json_object *params = cli_id_params(id);
    json_object_object_add(params, "follow", json_object_new_boolean(false));
    cleanup_json json_object *reply =
        stream_open(cli_connect(cli), "job.attach", params, &ops, t, NULL, NULL, &err);
    if (!reply)
        cli_die(cli, "%s", err.text);
    t->all = strcmp(cli_get_string(reply, "state", ""), "INACTIVE") == 0;
    t->captured = (uint64_t)cli_get_number(cli_get(reply, "output"), "bytes", 0);
    while (!t->over)
        if (client_process(cli->h, -1, &err) < 0 && !t->over)
            cli_die(cli, "%s", err.text);
    for (size_t i = 0; i < t->nsources; i++)
        if (t->sources[i].line.len > 0)
            keep_line(t, &t->sources[i]);
    return t;
}

void tail_destroy(struct tail *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->most; i++)
        free(t->lines[i].text);
    for (size_t i = 0; i < t->nsources; i++)
        free(t->sources[i].line.s);
    free(t->lines);
    free(t->sources);
    free(t);
}

bool tail_is_all(const struct tail *t)
{
    return t->all;
}

uint64_t tail_bytes(const struct tail *t)
{
    return t->bytes;
}

uint64_t tail_captured(const struct tail *t)
{
    return t->captured;
}

void tail_print(const struct tail *t, struct output *out, uint64_t id)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct line *line = &t->lines[(t->first + i) % t->most];
        output_data(out, id, line->is_err ? "stderr" : "stdout", line->task, line->text,
                    line->len, false);
    }
}

size_t tail_known(struct tail *t, const char *stream, unsigned task, size_t len)
{
    struct source *src = source_of(t, stream, task);
    size_t known = (size_t)MIN((uint64_t)len, src->bytes);
    src->bytes -= known;
    return known;
}
