/* SPDX-License-Identifier: BSD-3-Clause */
/* libhbatch from the outside: every function of hbatch.h, in a real instance.  Writes TAP. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "hbatch.h"

static int tests;

static void ok(int condition, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void ok(int condition, const char *fmt, ...)
{
    va_list ap;
    printf("%sok %d - ", condition ? "" : "not ", ++tests);
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

struct seen {
    char output[4096];
    size_t len;
    int events, started, ends, exit_code, eofs;
    uint64_t taken;
    char result[16], exception[32];
};

static void on_event(hbatch_jobid id, double time, const char *name, const char *context,
                     void *arg)
{
    struct seen *s = arg;
    (void)id, (void)context;
    s->events += time > 0;
    s->started |= strcmp(name, "start") == 0;
}

static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    struct seen *s = arg;
    (void)id, (void)stream, (void)task;
    if (s->len + len < sizeof(s->output)) {
        memcpy(s->output + s->len, data, len);
        s->len += len;
    }
    s->eofs += eof;
}

static void on_input(hbatch_jobid id, uint64_t bytes, void *arg)
{
    struct seen *s = arg;
    (void)id;
    s->taken = bytes;
}

static void on_end(const struct hbatch_result *r, uint64_t left, void *arg)
{
    struct seen *s = arg;
    (void)left;
    s->ends++;
    s->exit_code = r->exit_code;
    snprintf(s->result, sizeof(s->result), "%s", r->result);
    snprintf(s->exception, sizeof(s->exception), "%s",
             r->exception_type ? r->exception_type : "");
}

static const struct hbatch_stream_ops all_ops = {
    .event = on_event, .output = on_output, .input = on_input, .end = on_end};
static const struct hbatch_stream_ops end_ops = {.end = on_end};

static struct hbatch_jobspec *spec(const char *script)
{
    const char *const argv[] = {"sh", "-c", script};
    return hbatch_jobspec_create(3, argv);
}

/* Submit SCRIPT as it is. */
static hbatch_jobid submit(struct hbatch *h, const char *script)
{
    struct hbatch_error err = {0, ""};
    struct hbatch_jobspec *js = spec(script);
    hbatch_jobid id = 0;
    if (hbatch_submit(h, js, NULL, &id, &err) < 0)
        printf("# %s\n", err.text);
    hbatch_jobspec_destroy(js);
    return id;
}

static void wait_ends(struct hbatch *h, const struct seen *s, int n)
{
    struct hbatch_error err;
    while (s->ends < n && hbatch_dispatch(h, -1, &err) >= 0)
        ;
}

static void test_ids(void)
{
    struct hbatch_error err;
    hbatch_jobid id = 0;
    ok(hbatch_jobid_decode("f6", &id, &err) == 0 && id == 5, "jobid_decode");
    ok(hbatch_jobid_decode("?", &id, &err) < 0 && err.code && strchr(err.text, '?'),
       "jobid_decode names what is wrong");
    char *text = hbatch_jobid_encode(5, "f58plain", &err);
    ok(text && strcmp(text, "f6") == 0, "jobid_encode");
    free(text);
    ok(!hbatch_jobid_encode(5, "nosuch", &err) && strstr(err.text, "nosuch"),
       "jobid_encode refuses a form");
    ok(hbatch_jobid_nth(1 << 10, 3) == (1 << 10) + 3, "jobid_nth");
}

static void test_specs(void)
{
    struct hbatch_error err;
    struct hbatch_jobspec *js = spec("true");
    ok(hbatch_jobspec_set(js, "ntasks", "2", &err) == 0, "jobspec_set");
    ok(hbatch_jobspec_set(js, "ntasks", "x", &err) < 0 && strstr(err.text, "ntasks=x"),
       "jobspec_set names option and value");
    ok(hbatch_jobspec_set(js, "nosuch", "1", NULL) < 0, "jobspec_set without an error");
    const char *const argv[] = {"echo", "b"}, *const rules[] = {"V=1", NULL};
    ok(hbatch_jobspec_add_program(js, 2, argv, 3, rules, "/", &err) == 0, "add_program");
    hbatch_jobspec_set(js, "ntasks", "2", NULL);
    char *text = hbatch_jobspec_encode(js, &err);
    char *again = hbatch_jobspec_encode(js, &err);
    ok(text && strstr(text, "\"apps\"") && strstr(text, "\"count\":5"), "jobspec_encode");
    ok(text && again && strcmp(text, again) == 0, "jobspec_encode again");
    free(text);
    free(again);
    hbatch_jobspec_destroy(js);
    js = hbatch_jobspec_create(0, NULL);
    ok(!hbatch_jobspec_encode(js, &err) && strstr(err.text, "no command"), "no command");
    hbatch_jobspec_destroy(js);
    hbatch_jobspec_destroy(NULL);
}

static void test_jobs(struct hbatch *h)
{
    struct hbatch_error err = {0, ""};
    struct hbatch_result r;
    hbatch_jobid id = submit(h, "exit 3");
    ok(id != 0, "submit");
    ok(hbatch_wait(h, id, &r, &err) == 0 && r.id == id && r.exit_code == 3 &&
           strcmp(r.result, "FAILED") == 0,
       "wait");
    ok(hbatch_wait(h, 1, &r, &err) < 0 && err.code == ENOENT, "wait for no job: ENOENT");
    id = submit(h, "sleep 100");
    ok(hbatch_cancel(h, id, "enough", &err) == 0, "cancel");
    ok(hbatch_wait(h, id, &r, &err) == 0 && strcmp(r.result, "CANCELED") == 0 &&
           r.exception_note && strcmp(r.exception_note, "enough") == 0,
       "... and its note");
    ok(hbatch_cancel(h, id, NULL, &err) < 0, "cancel of what is over: %s", err.text);
    id = submit(h, "sleep 100");
    ok(hbatch_raise(h, id, "test", 0, "raised", &err) == 0 &&
           hbatch_wait(h, id, &r, &err) == 0 && strcmp(r.exception_type, "test") == 0,
       "raise");

    struct hbatch_submit held = {.urgency = 0};
    struct hbatch_jobspec *js = spec("true");
    ok(hbatch_submit(h, js, &held, &id, &err) == 0, "submit with urgency 0");
    hbatch_jobspec_destroy(js);
    ok(hbatch_urgency(h, id, 16, &err) == 0, "urgency returns the old one");
    ok(hbatch_wait(h, id, &r, &err) == 0 && r.exit_code == 0, "... and lets it run");
    char *text = hbatch_info(h, id, "eventlog", &err);
    ok(text && strstr(text, "\"finish\""), "info");
    free(text);
    ok(!hbatch_info(h, id, "nosuch", &err), "info of no key: %s", err.text);
    text = hbatch_list(h, "{\"max\":2}", &err);
    ok(text && strstr(text, "\"more\":true"), "list");
    free(text);
    ok(!hbatch_list(h, "{\"max\":", &err) && err.code == EINVAL, "list: %s", err.text);
    ok(!hbatch_call(h, "no.such", NULL, &err) && err.code == ENOSYS, "call: %s",
       err.text);
    ok(hbatch_submit_text(h, "{}", NULL, &id, &err) < 0 && err.code == EINVAL,
       "submit_text: %s", err.text);
    text = hbatch_resources(h, &err);
    ok(text && strstr(text, "\"nodes\""), "resources");
    free(text);
    text = hbatch_instance(h, &err);
    ok(text && strstr(text, "\"uri\""), "instance");
    free(text);
}

static void test_streams(struct hbatch *h)
{
    struct hbatch_error err = {0, ""};
    struct seen s = {.ends = 0};
    hbatch_jobid id = submit(h, "echo out; exit 5");
    ok(hbatch_attach(h, id, &all_ops, &s, &err) > 0, "attach");
    wait_ends(h, &s, 1);
    ok(s.len == 4 && memcmp(s.output, "out\n", 4) == 0 && s.exit_code == 5 && s.started,
       "... output, events, end");
    ok(hbatch_attach(h, 1, &all_ops, &s, &err) < 0 && err.code == ENOENT,
       "attach to no job");

    /* input, through an event loop of our own */
    memset(&s, 0, sizeof(s));
    struct hbatch_jobspec *js = spec("cat");
    hbatch_jobspec_set(js, "setopt", "input.stdin.type=service", &err);
    char *text = hbatch_jobspec_encode(js, &err);
    hbatch_jobspec_destroy(js);
    ok(hbatch_submit_stream(h, text, NULL, &id, &all_ops, &s, &err) > 0, "submit_stream");
    free(text);
    int sent = 0, rc = 0;
    while (rc >= 0 && s.ends == 0) {
        if (s.started && !sent++) {
            ok(hbatch_stdin(h, id, NULL, "in\xff", 3, 0, &err) == 0 &&
                   hbatch_stdin(h, id, "0", NULL, 0, 1, &err) == 0,
               "stdin");
        }
        struct pollfd pfd = {.fd = hbatch_fd(h), .events = POLLIN};
        if (hbatch_want_write(h))
            pfd.events |= POLLOUT;
        poll(&pfd, 1, -1);
        while ((rc = hbatch_dispatch(h, 0, &err)) > 0)
            ;
    }
    ok(s.len == 3 && memcmp(s.output, "in\xff", 3) == 0 && s.taken >= 3,
       "... comes back, and is told to be taken (%zu, %d)", s.len, (int)s.taken);

    memset(&s, 0, sizeof(s));
    uint64_t count = 0;
    struct hbatch_submit array = {.urgency = -1, .cc = "1-5", .count = &count};
    js = spec("exit $HBATCH_JOB_CC");
    text = hbatch_jobspec_encode(js, &err);
    hbatch_jobspec_destroy(js);
    ok(hbatch_submit_stream(h, text, &array, &id, &end_ops, &s, &err) > 0 && count == 5,
       "submit_stream of an array");
    wait_ends(h, &s, 5);
    ok(s.ends == 5, "... all end");
    memset(&s, 0, sizeof(s));
    ok(hbatch_follow(h, id, 5, &end_ops, &s, &err) > 0, "follow");
    wait_ends(h, &s, 5);
    ok(s.ends == 5, "... jobs that are over, too (%d)", s.ends);
    free(text);
    memset(&s, 0, sizeof(s));
    ok(hbatch_follow(h, id, 6, &end_ops, &s, &err) == -1 && err.code == ENOENT &&
           s.ends == 0,
       "follow of a job that does not exist is refused: %s", err.text);
    char *sixth = hbatch_jobid_encode(hbatch_jobid_nth(id, 5), "f58plain", &err);
    ok(hbatch_follow(h, id, 6, &end_ops, &s, &err) == -1 && strstr(err.text, sixth),
       "... and named (%s)", sixth);
    free(sixth);
    js = spec("echo $HBATCH_JOB_CC; exit $HBATCH_JOB_CC");
    text = hbatch_jobspec_encode(js, &err);
    hbatch_jobspec_destroy(js);
    memset(&s, 0, sizeof(s));
    ok(hbatch_submit_stream(h, text, &array, &id, &all_ops, &s, &err) > 0,
       "attach to an array as a whole");
    free(text);
    wait_ends(h, &s, 5);
    ok(s.ends == 5 && s.len == 10, "... output and end of each (%d, %zu)", s.ends, s.len);
    struct hbatch_result r;
    ok(hbatch_wait(h, id, &r, &err) == 0 && r.id == id && r.exit_code == 1,
       "wait for the first of an array that is over (%d)", r.exit_code);

    memset(&s, 0, sizeof(s));
    id = submit(h, "sleep 100");
    int stream = hbatch_attach(h, id, &all_ops, &s, &err);
    hbatch_unfollow(h, stream);
    int before = s.events;
    while (hbatch_kill(h, id, SIGKILL, &err) < 0)
        ; /* it has not started yet */
    ok(hbatch_wait(h, id, &r, &err) == 0 && r.exit_code == 128 + SIGKILL, "kill");
    ok(s.ends == 0 && s.events == before, "unfollow");
}

/* --- what is posted ---------------------------------------------------------------------- */

static int count(const char *text, const char *word)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, word)); at++)
        n++;
    return n;
}

static int has(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* What is told until WORD was N times, in BUF. */
static const char *told(struct hbatch *h, const char *word, int n, char *buf, size_t size)
{
    struct hbatch_error err;
    size_t len = 0;
    buf[0] = '\0';
    do { /* what has come already is there without a dispatch */
        for (const char *text; (text = hbatch_take(h, NULL));)
            len += (size_t)snprintf(buf + len, len < size ? size - len : 0, "%s", text);
    } while (count(buf, word) < n && hbatch_dispatch(h, -1, &err) >= 0);
    return buf;
}

static char *text_of(const char *script)
{
    struct hbatch_jobspec *js = spec(script);
    char *text = hbatch_jobspec_encode(js, NULL);
    hbatch_jobspec_destroy(js);
    return text;
}

static void test_posts(struct hbatch *h)
{
    static char buf[1 << 20];
    struct hbatch_error err = {0, ""};
    char *text = text_of("echo out; exit 3");
    const char *seen;

    ok(!hbatch_take(h, NULL), "nothing was posted, nothing is told");
    ok(hbatch_post(h, 7, "job.stats", NULL, &err) == 0, "post");
    ok(has(told(h, "\"reply\"", 1, buf, sizeof(buf)), "[7,\"reply\",{\"pending\":"),
       "its answer");
    hbatch_post(h, 8, "no.such", NULL, &err);
    ok(has(told(h, "\"error\"", 1, buf, sizeof(buf)), "[8,\"error\",38,\""),
       "an unknown method");
    ok(hbatch_post(h, 9, "Job stats", NULL, &err) < 0 && strstr(err.text, "Job stats"),
       "%s", err.text);
    ok(hbatch_post(h, 9, "job.stats", "[]", &err) < 0 && err.code == EINVAL, "%s",
       err.text);
    ok(hbatch_post_submit(h, 9, "{", NULL, 0, &err) < 0 && err.code == EINVAL, "%s",
       err.text);
    ok(hbatch_post_follow(h, 9, 1, 0, HBATCH_TELL_END, &err) < 0, "%s", err.text);
    ok(!hbatch_take(h, NULL), "what is wrong at once is not told");

    struct hbatch_submit options = {.urgency = -1,
                                    .environment = "{\"PATH\":\"/bin:/usr/bin\"}"};
    for (uint64_t i = 0; i < 100; i++)
        if (hbatch_post_submit(h, 100 + i, text, &options, HBATCH_TELL_END, &err) < 0)
            printf("# %s\n", err.text);
    seen = told(h, "\"end\"", 100, buf, sizeof(buf));
    ok(count(seen, "\"submitted\"") == 100 && count(seen, "\"FAILED\",768,3,") == 100,
       "100 submissions, and their ends");
    ok(has(seen, "[199,\"end\","), "under their tags");

    options.environment = "{}"; /* another one, then the first again */
    hbatch_post_submit(h, 1, text, &options, HBATCH_TELL_END | HBATCH_TELL_OUTPUT, &err);
    options.environment = "{\"PATH\":\"/bin:/usr/bin\"}";
    hbatch_post_submit(h, 2, text, &options, HBATCH_TELL_END | HBATCH_TELL_EVENTS, &err);
    seen = told(h, "\"end\"", 2, buf, sizeof(buf));
    ok(has(seen, "\"stdout\",0,\"out\\n\",null,false]"), "output");
    ok(has(seen, "\"finish\",{\"status\":768}]"), "events");
    options.environment = "[]";
    ok(hbatch_post_submit(h, 3, text, &options, 0, &err) < 0 &&
           strstr(err.text, "environment"),
       "%s", err.text);
    ok(hbatch_submit_text(h, text, &options, &(hbatch_jobid){0}, &err) < 0, "%s",
       err.text);
    options.environment = NULL;
    options.cc = "\xff";
    ok(hbatch_post_submit(h, 3, text, &options, 0, &err) < 0 && err.code == EILSEQ,
       "post_submit: %s", err.text);
    ok(hbatch_submit_text(h, text, &options, &(hbatch_jobid){0}, &err) < 0 &&
           err.code == EILSEQ,
       "submit: %s", err.text);
    options.cc = NULL;
    options.environment = "{\"X\":\"y\"}";
    hbatch_jobid id = 0;
    ok(hbatch_submit_text(h, text, &options, &id, &err) == 0,
       "an environment of its own");
    char *info = hbatch_info(h, id, "jobspec", &err);
    ok(info && strstr(info, "\"environment\":{\"X\":\"y\"}"), "is the job's");
    free(info);

    hbatch_post_follow(h, 4, id, 1, HBATCH_TELL_EVENTS, &err);
    ok(has(told(h, "\"end\"", 1, buf, sizeof(buf)), "[4,\"event\","), "follow");
    hbatch_post_follow(h, 5, 1, 1, HBATCH_TELL_END, &err);
    ok(has(told(h, "\"error\"", 1, buf, sizeof(buf)), "[5,\"error\",2,"), "no such job");

    struct hbatch_submit held = {.urgency = 0};
    hbatch_post_submit(h, 6, text, &held, HBATCH_TELL_END, &err);
    hbatch_dispatch(h, 0, &err);
    ok(hbatch_take_back(h, 6) == 0, "what was sent cannot be taken back");
    hbatch_unpost(h, 6); /* its answer is still told */
    ok(has(told(h, "\"submitted\"", 1, buf, sizeof(buf)), "[6,\"submitted\","), "unpost");
    for (uint64_t i = 0; i < 3000; i++) /* more than go without an answer */
        hbatch_post_submit(h, 10000 + i, text, &held, 0, &err);
    ok(hbatch_take_back(h, 12999) == 1, "what was not sent");
    ok(hbatch_take_back(h, 12999) == 0, "but once");
    hbatch_unpost(h, 12998);
    ok(count(told(h, "\"submitted\"", 2998, buf, sizeof(buf)), "\"submitted\"") == 2998,
       "the others");
    char *all = hbatch_call(h, "job.cancel", "{\"states\":[\"pending\"]}", &err);
    ok(all && strstr(all, "\"canceled\":2999"), "none was submitted that was taken back");
    free(all);
    hbatch_post_submit(h, 1, text, NULL, HBATCH_TELL_END,
                       &err); /* closed with this open */
    free(text);
}

static void test_nested(struct hbatch *h)
{
    struct hbatch_error err = {0, ""};
    const char *const argv[] = {"sleep", "100"};
    struct hbatch_jobspec *js = hbatch_jobspec_create(2, argv);
    hbatch_jobid id = 0;
    ok(!hbatch_parent_uri(h, &err) && err.code == ENODATA, "%s", err.text);
    hbatch_jobspec_set_instance(js, 0, NULL, NULL, &err);
    ok(hbatch_submit(h, js, NULL, &id, &err) == 0, "submit an instance");
    hbatch_jobspec_destroy(js);
    char *uri = hbatch_job_uri(h, id, 1, &err), *parent = NULL;
    struct hbatch *child = uri ? hbatch_open(uri, &err) : NULL;
    ok(child != NULL, "its URI is one to connect to");
    ok(child && (parent = hbatch_parent_uri(child, &err)), "its parent's");
    hbatch_close(child);
    hbatch_cancel(h, id, NULL, &err);
    ok(hbatch_wait(h, id, &(struct hbatch_result){0}, &err) == 0, "it ends");
    free(uri);
    free(parent);
    ok(!hbatch_job_uri(h, id, 1, &err) && err.code == ENODATA, "%s", err.text);
    id = submit(h, "sleep 100");
    ok(!hbatch_job_uri(h, id, 0, &err) && err.code == EAGAIN, "%s", err.text);
    hbatch_cancel(h, id, NULL, &err);
    ok(!hbatch_job_uri(h, id, 1, &err) && err.code == ENODATA, "%s", err.text);
    ok(!hbatch_job_uri(h, 1, 1, &err) && err.code == ENOENT, "%s", err.text);
}

/* A line that is none to the instance ends the connection, with a reason, rather than wait for its answer. */
static void test_not_utf8(void)
{
    struct hbatch_error err;
    struct hbatch *h = hbatch_open(NULL, &err);
    ok(hbatch_cancel(h, 1, "\xff", &err) < 0 && strstr(err.text, "utf-8"), "%s",
       err.text);
    ok(hbatch_cancel(h, 1, "x", &err) < 0 && err.code == EPROTO, "... and for good");
    hbatch_close(h);
}

int main(void)
{
    struct hbatch_error err = {0, ""};
    alarm(120); /* rather than to wait for what does not come */
    ok(*hbatch_version() != '\0', "version");
    test_ids();
    test_specs();
    ok(!hbatch_open("local:///nonexistent", &err) && err.code == ENOENT, "open: %s",
       err.text);
    struct hbatch *h = hbatch_open(NULL, &err);
    ok(h != NULL, "open");
    if (h) {
        test_jobs(h);
        test_streams(h);
        test_nested(h);
        test_posts(h);
        test_not_utf8();
    }
    hbatch_close(h);
    hbatch_close(NULL);
    printf("1..%d\n", tests);
    return 0;
}
