/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/exec/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "src/common/util.h"
#include "src/exec/job.h"

static const char *const stream_names[] = {"stdout", "stderr"};

static char *full_path(struct job *job, const struct task *task,
                       const struct output_option *o)
{
    char *path = job_render(job, task, o->path);
    const char *cwd = jobspec_cwd(job->spec->js);
    if (path[0] == '/' || !cwd)
        return path;
    char *full = xasprintf("%s/%s", cwd, path);
    free(path);
    return full;
}

/* Nobody must be able to make the executor wait: opening a FIFO does not wait for a reader. */
static int open_file(const struct job *job, const struct output_option *o, int which,
                     const char *path, struct error *err)
{
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    if (!o->append && (job->node == 0 || o->scope >= TEMPLATE_NODE))
        flags |= O_TRUNC;
    int fd = open(path, flags, 0666);
    if (fd < 0)
        return error_set(err, errno, "%s file %s: %s", stream_names[which], path,
                         strerror(errno));
    fcntl(fd, F_SETFL, O_APPEND);
    return fd;
}

/* The task writes the file itself, because nobody shares it. */
static bool is_direct(const struct job *job, const struct output_option *o)
{
    return o->scope == TEMPLATE_TASK || (job->nlocal == 1 && !o->label &&
                                         (job->nnodes == 1 || o->scope == TEMPLATE_NODE));
}

int outputs_open(struct job *job, struct error *err)
{
    job->outputs.fd[0] = job->outputs.fd[1] = -1;
    const struct output_option *o = job->spec->options.out;
    cleanup_free char *first = NULL;
    for (int which = 0; which < 2; which++, o++) {
        if (!o->to_file || is_direct(job, o))
            continue;
        cleanup_free char *path = full_path(job, NULL, o);
        int fd = first && strcmp(first, path) == 0
                     ? fcntl(job->outputs.fd[0], F_DUPFD_CLOEXEC, 3)
                     : open_file(job, o, which, path, err);
        if (fd < 0)
            return -1;
        job->outputs.fd[which] = fd;
        if (which == 0)
            first = take(path);
    }
    return 0;
}

void outputs_close(struct job *job)
{
    for (int i = 0; i < 2; i++) {
        if (job->outputs.fd[i] >= 0)
            close(job->outputs.fd[i]);
        job->outputs.fd[i] = -1;
    }
}

int output_for_task(struct job *job, const struct task *task, int which, int *fd,
                    struct error *err)
{
    const struct output_option *o = &job->spec->options.out[which];
    const struct output_option *other = &job->spec->options.out[0];
    struct stat st;
    *fd = -1;
    if (!o->to_file)
        return 0;
    if (!is_direct(job, o)) {
        /* Devices and FIFOs have no lines to keep whole, and could make the executor wait. */
        int shared = job->outputs.fd[which];
        if (fstat(shared, &st) < 0 || S_ISREG(st.st_mode))
            return 0;
        *fd = fcntl(shared, F_DUPFD_CLOEXEC, 3);
        return *fd < 0 ? error_set(err, errno, "descriptor for %s: %s",
                                   stream_names[which], strerror(errno))
                       : 0;
    }
    cleanup_free char *path = full_path(job, task, o);
    if (which == 1 && other->to_file && is_direct(job, other)) {
        cleanup_free char *first = full_path(job, task, other);
        if (strcmp(first, path) == 0) {
            *fd = -2;
            return 0;
        }
    }
    *fd = open_file(job, o, which, path, err);
    return *fd < 0 ? -1 : 0;
}

static void write_labeled(struct job *job, const struct task *task, int which,
                          const char *data, size_t len)
{
    cleanup_strbuf struct strbuf b = {0};
    for (const char *p = data, *end = data + len; p < end;) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        const char *next = nl ? nl + 1 : end;
        strbuf_addf(&b, "%u: ", task->rank);
        strbuf_addn(&b, p, (size_t)(next - p));
        if (!nl)
            strbuf_addc(&b, '\n');
        p = next;
    }
    if (write_all(job->outputs.fd[which], b.s, b.len) < 0)
        job_output_lost(job, stream_names[which], errno);
}

void output_write(struct job *job, const struct task *task, int which, const char *data,
                  size_t len)
{
    const struct output_option *o = &job->spec->options.out[which];
    if (len == 0 || job->lost)
        return;
    job->bytes[which] += len;
    if (!o->to_file || job->outputs.fd[which] < 0)
        job_output(job, task->rank, (unsigned)which + 1, data, len);
    else if (o->label)
        write_labeled(job, task, which, data, len);
    else if (write_all(job->outputs.fd[which], data, len) < 0)
        job_output_lost(job, stream_names[which], errno);
}
