/* SPDX-License-Identifier: BSD-3-Clause */
/* Submit a command as a job of N tasks, show its output as it comes, and leave with its exit
 * code:
 *     submit N COMMAND [ARG...]
 */
#include <hbatch.h>
#include <stdio.h>
#include <stdlib.h>

struct watch {
    int done, exit_code;
};

static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    (void)id, (void)stream, (void)eof, (void)arg;
    if (len)
        printf("[%u] %.*s", task, (int)len, (const char *)data);
}

static void on_end(const struct hbatch_result *result, uint64_t left, void *arg)
{
    struct watch *w = arg;
    printf("job ended: %s\n", result->result);
    w->exit_code = result->exit_code;
    w->done = left == 0;
}

static int die(const struct hbatch_error *err)
{
    fprintf(stderr, "submit: %s\n", err->text);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: submit N COMMAND [ARG...]\n");
        return EXIT_FAILURE;
    }
    struct hbatch_error err;
    struct hbatch *h = hbatch_open(NULL, &err);
    if (!h)
        return die(&err);

    struct hbatch_jobspec *js =
        hbatch_jobspec_create(argc - 2, (const char *const *)argv + 2);
    char *text = NULL;
    if (hbatch_jobspec_set(js, "ntasks", argv[1], &err) < 0 ||
        !(text = hbatch_jobspec_encode(js, &err)))
        return die(&err);

    struct watch w = {0};
    struct hbatch_stream_ops ops = {.output = on_output, .end = on_end};
    hbatch_jobid id;
    if (hbatch_submit_stream(h, text, NULL, &id, &ops, &w, &err) < 0)
        return die(&err);
    while (!w.done) {
        if (hbatch_dispatch(h, -1, &err) < 0)
            return die(&err);
    }
    free(text);
    hbatch_jobspec_destroy(js);
    hbatch_close(h);
    return w.exit_code;
}
