/* SPDX-License-Identifier: BSD-3-Clause */
/* libthreads: the thread rules of hbatch.h.  THREADS threads, each with a connection of its own and all at once: job ids
 * and specifications, submissions, streams, posts, lists, errors, and one that opens and closes.
 *     libthreads THREADS ROUNDS */
#include <hbatch.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct worker {
    pthread_t thread;
    int number, rounds, failed;
};

struct seen {
    char output[64];
    size_t len;
    int events, ends, exit_code;
};

static void fail(struct worker *w, const char *what, const struct hbatch_error *err)
{
    fprintf(stderr, "thread %d: %s: %s\n", w->number, what, err->text);
    w->failed = 1;
}

static void on_event(hbatch_jobid id, double time, const char *name, const char *context,
                     void *arg)
{
    (void)id, (void)time, (void)name, (void)context;
    ((struct seen *)arg)->events++;
}

static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    struct seen *s = arg;
    (void)id, (void)stream, (void)task, (void)eof;
    if (s->len + len < sizeof(s->output)) {
        if (len > 0)
            memcpy(s->output + s->len, data, len);
        s->len += len;
    }
}

static void on_end(const struct hbatch_result *r, uint64_t left, void *arg)
{
    struct seen *s = arg;
    (void)left;
    s->ends++;
    s->exit_code = r->exit_code;
}

/* The text of a job that prints this thread's number and exits with it. */
static char *spec_of(const struct worker *w, struct hbatch_error *err)
{
    char script[64];
    snprintf(script, sizeof(script), "echo %d; exit %d", w->number, w->number);
    const char *const argv[] = {"sh", "-c", script};
    struct hbatch_jobspec *js = hbatch_jobspec_create(3, argv);
    char *text = NULL;
    if (hbatch_jobspec_set(js, "ntasks", "1", err) == 0 &&
        hbatch_jobspec_set(js, "job-name", "threads", err) == 0 &&
        hbatch_jobspec_set(js, "env", "THREADS=1", err) == 0 &&
        hbatch_jobspec_set(js, "nosuch", "1", NULL) < 0)
        text = hbatch_jobspec_encode(js, err);
    hbatch_jobspec_destroy(js);
    return text;
}

static void round_of_words(struct worker *w)
{
    struct hbatch_error err = {0};
    hbatch_jobid id = 0;
    for (const char *const *form =
             (const char *const[]){"f58", "dec", "hex", "words", "emoji", NULL};
         *form; form++) {
        char *text = hbatch_jobid_encode(1234567 + (unsigned)w->number, *form, &err);
        if (!text || hbatch_jobid_decode(text, &id, &err) < 0 ||
            id != 1234567 + (unsigned)w->number)
            fail(w, *form, &err);
        free(text);
    }
    if (hbatch_jobid_decode("nonsense-", &id, &err) == 0 || !strstr(err.text, "nonsense"))
        fail(w, "an error of one thread is another's", &err);
}

static void round_of_jobs(struct worker *w, struct hbatch *h)
{
    static const struct hbatch_stream_ops ops = {
        .event = on_event, .output = on_output, .end = on_end};
    struct hbatch_error err = {0};
    struct hbatch_result r;
    struct seen s = {0};
    char want[16];
    hbatch_jobid id;
    char *spec = spec_of(w, &err);
    if (!spec || hbatch_submit_text(h, spec, NULL, &id, &err) < 0 ||
        hbatch_wait(h, id, &r, &err) < 0 || r.exit_code != w->number)
        fail(w, "submit and wait", &err);
    if (spec && hbatch_submit_stream(h, spec, NULL, &id, &ops, &s, &err) <= 0)
        fail(w, "submit_stream", &err);
    while (s.ends == 0)
        if (hbatch_dispatch(h, -1, &err) < 0) {
            fail(w, "dispatch", &err);
            break;
        }
    int len = snprintf(want, sizeof(want), "%d\n", w->number);
    if (s.exit_code != w->number || s.len != (size_t)len ||
        memcmp(s.output, want, s.len) != 0)
        fail(w, "a stream told what is another's", &err);
    if (spec && hbatch_post_submit(h, 1, spec, NULL, HBATCH_TELL_END, &err) == 0)
        for (int ended = 0; !ended;) {
            const char *told;
            if (hbatch_dispatch(h, -1, &err) < 0)
                break;
            while ((told = hbatch_take(h, NULL)))
                ended |= strstr(told, "\"end\"") != NULL;
        }
    free(spec);
    char *list = hbatch_list(h, "{\"max\":3}", &err);
    if (!list)
        fail(w, "list", &err);
    free(list);
    if (hbatch_cancel(h, 1, NULL, &err) == 0 || !*err.text)
        fail(w, "cancel of no job", &err);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    struct hbatch_error err = {0};
    struct hbatch *h = hbatch_open(NULL, &err);
    if (!h) {
        fail(w, "open", &err);
        return NULL;
    }
    for (int i = 0; i < w->rounds && !w->failed; i++) {
        struct hbatch *other = hbatch_open(NULL, &err);
        if (!other)
            fail(w, "open another one", &err);
        round_of_words(w);
        round_of_jobs(w, h);
        hbatch_close(other);
        if (hbatch_open("local:///nonexistent/sock", &err) || !strstr(err.text, "nonex"))
            fail(w, "open of nothing", &err);
    }
    hbatch_close(h);
    return NULL;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: libthreads THREADS ROUNDS\n");
        return 2;
    }
    int n = atoi(argv[1]), failed = 0;
    struct worker *workers = calloc((size_t)n, sizeof(*workers));
    for (int i = 0; i < n; i++) {
        workers[i] = (struct worker){.number = i + 1, .rounds = atoi(argv[2])};
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            abort();
    }
    for (int i = 0; i < n; i++) {
        pthread_join(workers[i].thread, NULL);
        failed |= workers[i].failed;
    }
    free(workers);
    return failed;
}
