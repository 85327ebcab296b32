/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "src/cli/output.h"
#include "src/common/jobid.h"
#include "src/common/util.h"

#define GATHER_MAX (64 << 10)

struct output_line {
    struct output_line *next;
    uint64_t id;
    unsigned task;
    int fd;
    struct strbuf text;
};

void output_init(struct output *out, bool label)
{
    *out = (struct output){.label = label, .fd = STDOUT_FILENO};
}

void output_fini(struct output *out)
{
    output_flush(out, true);
    free(out->buf.s);
}

static void write_out(struct output *out)
{
    for (size_t done = 0; done < out->buf.len && !out->failed;) {
        ssize_t n = write(out->fd, out->buf.s + done, out->buf.len - done);
        if (n >= 0) {
            done += (size_t)n;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            struct pollfd pfd = {.fd = out->fd, .events = POLLOUT};
            poll(&pfd, 1, -1);
        } else if (errno != EINTR) {
            out->failed = errno;
        }
    }
    out->buf.len = 0;
}

static void gather(struct output *out, int fd, const char *data, size_t len)
{
    if (out->fd != fd || out->buf.len + len > GATHER_MAX)
        write_out(out);
    out->fd = fd;
    strbuf_addn(&out->buf, data, len);
}

static void gather_label(struct output *out, int fd, uint64_t id, unsigned task)
{
    char label[80], text[JOBID_BUFSIZE];
    int n = 0;
    if (out->label_jobs)
        n = snprintf(label, sizeof(label), "%s: ",
                     jobid_encode(id, out->ascii ? JOBID_F58_PLAIN : JOBID_F58, text,
                                  sizeof(text)));
    if (out->label)
        n += snprintf(label + n, sizeof(label) - (size_t)n,
                      "%u: ", out->names ? out->names[task] : task);
    gather(out, fd, label, (size_t)n);
}

static struct output_line *find_line(struct output *out, int fd, uint64_t id,
                                     unsigned task)
{
    for (struct output_line *l = out->lines; l; l = l->next) {
        if (l->id == id && l->task == task && l->fd == fd)
            return l;
    }
    return NULL;
}

static void end_line(struct output *out, struct output_line *line)
{
    gather_label(out, line->fd, line->id, line->task);
    gather(out, line->fd, line->text.s, line->text.len);
    gather(out, line->fd, "\n", 1);
    for (struct output_line **at = &out->lines; *at; at = &(*at)->next) {
        if (*at == line) {
            *at = line->next;
            break;
        }
    }
    free(line->text.s);
    free(line);
}

static void labelled(struct output *out, int fd, uint64_t id, unsigned task,
                     const char *data, size_t len, bool eof)
{
    struct output_line *line = find_line(out, fd, id, task);
    while (len) {
        const char *nl = memchr(data, '\n', len);
        size_t n = nl ? (size_t)(nl - data) : len;
        if (nl && !line) {
            gather_label(out, fd, id, task);
            gather(out, fd, data, n + 1);
        } else {
            if (!line) {
                line = xcalloc(1, sizeof(*line));
                *line = (struct output_line){
                    .next = out->lines, .id = id, .task = task, .fd = fd};
                out->lines = line;
            }
            strbuf_addn(&line->text, data, n);
            if (nl) {
                end_line(out, line);
                line = NULL;
            }
        }
        data += n + (nl != NULL);
        len -= n + (nl != NULL);
    }
    if (eof && line)
        end_line(out, line);
}

void output_data(struct output *out, uint64_t id, const char *stream, unsigned task,
                 const char *data, size_t len, bool eof)
{
    int fd = strcmp(stream, "stderr") == 0 ? STDERR_FILENO : STDOUT_FILENO;
    if (out->label || out->label_jobs)
        labelled(out, fd, id, task, data, len, eof);
    else if (len)
        gather(out, fd, data, len);
}

void output_flush(struct output *out, bool all)
{
    while (all && out->lines)
        end_line(out, out->lines);
    write_out(out);
}
