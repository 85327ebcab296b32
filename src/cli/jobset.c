/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "src/cli/attach.h"
#include "src/cli/jobset.h"
#include "src/lib/submit.h"

#define REDRAW_EVERY 0.1 /* seconds */

void jobset_init(struct jobset *set, struct cli *cli, bool watch, bool label)
{
    *set = (struct jobset){.cli = cli, .watch = watch, .start = time_mono()};
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

static void draw(struct jobset *set, bool last)
{
    double now = time_mono(), elapsed = now - set->start;
    struct winsize ws = {0};
    char left[128], right[64];
    if (!set->progress || (!last && now - set->drawn < REDRAW_EVERY))
        return;
    set->drawn = now;
    int width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col ? ws.ws_col : 80;
    double share = set->total ? (double)set->done / (double)set->total : 1;
    snprintf(left, sizeof(left), "PD:%-4ju CD:%-4ju F:%-4ju ",
             (uintmax_t)(set->total - set->done), (uintmax_t)set->complete,
             (uintmax_t)set->failed);
    if (set->jps)
        snprintf(right, sizeof(right), " %5.1f%% %6.1f job/s", 100 * share,
                 elapsed > 0 ? (double)set->done / elapsed : 0);
    else
        snprintf(right, sizeof(right), " %5.1f%% %d:%02d:%02d", 100 * share,
                 (int)elapsed / 3600, (int)elapsed / 60 % 60, (int)elapsed % 60);
    int room = width - (int)strlen(left) - (int)strlen(right) - 3;
    int full = room > 0 ? (int)(share * room) : 0;
    printf("\r%s[", left);
    for (int i = 0; i < room; i++)
        putchar(i < full ? '=' : ' ');
    printf("]%s\033[K%s", right, last ? "\n" : "");
    fflush(stdout);
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

static void on_event(hbatch_jobid id, double time, const char *name, const char *context,
                     void *arg)
{
    struct jobset *set = arg;
    char buf[CLI_ID_SIZE];
    if (strcmp(name, "exception") == 0 || set->verbose > 1) {
        output_flush(&set->out, false);
        fprintf(stderr, "%s: %.3f: %s%s%s\n", cli_id(set->cli, id, buf), time, name,
                context ? " " : "", context ? context : "");
    }
    if (set->wait_event && strcmp(name, set->wait_event) == 0 && first_time(set, id)) {
        set->done++;
        set->complete++;
    }
}

static void on_output(hbatch_jobid id, const char *stream, unsigned task,
                      const void *data, size_t len, int eof, void *arg)
{
    struct jobset *set = arg;
    if (set->watch)
        output_data(&set->out, id, stream, task, data, len, eof);
}

static void on_end(const struct hbatch_result *r, uint64_t left, void *arg)
{
    struct jobset *set = arg;
    char buf[CLI_ID_SIZE];
    bool ok = strcmp(r->result, "COMPLETED") == 0;
    int code = r->exit_code == 0 && !ok ? 1 : r->exit_code;
    (void)left;
    if (!*r->result && r->exception_note)
        cli_error(set->cli, "%s: %s", cli_id(set->cli, r->id, buf), r->exception_note);
    else if (set->verbose) {
        output_flush(&set->out, false);
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
    set->done++;
    set->complete += code == 0;
    set->failed += code != 0;
    set->exit_code = MAX(set->exit_code, code);
}

static struct hbatch_stream_ops ops_of(const struct jobset *set)
{
    struct hbatch_stream_ops ops = {.end = on_end};
    if (set->watch)
        ops.output = on_output;
    if (set->watch || set->wait_event || set->verbose > 1)
        ops.event = on_event;
    return ops;
}

int jobset_submit(struct jobset *set, json_object *spec,
                  const struct hbatch_submit *submit, uint64_t *id, struct error *err)
{
    struct hbatch_stream_ops ops = ops_of(set);
    struct hbatch_submit with_count = *submit;
    uint64_t count;
    with_count.count = &count;
    if (submit_job(cli_connect(set->cli), spec, &with_count, id, &ops, set, err) < 0)
        return -1;
    set->total += count;
    if (submit->count)
        *submit->count = count;
    return 0;
}

int jobset_add(struct jobset *set, uint64_t id, struct error *err)
{
    struct hbatch_stream_ops ops = ops_of(set);
    struct hbatch_error e;
    set->total++;
    if (hbatch_attach(cli_connect(set->cli), id, &ops, set, &e) >= 0)
        return 0;
    set->total--;
    return error_set(err, e.code, "%s", e.text);
}

int jobset_wait(struct jobset *set)
{
    struct error err;
    output_flush(&set->out, false);
    draw(set, false);
    while (set->done < set->total) {
        int rc = client_process(set->cli->h, set->progress ? 250 : -1, &err);
        output_flush(&set->out, false);
        if (rc < 0 && set->done < set->total)
            cli_die(set->cli, "%s", err.text);
        if (set->out.failed)
            cli_die(set->cli, "cannot write the jobs' output: %s",
                    strerror(set->out.failed));
        draw(set, false);
    }
    output_flush(&set->out, true);
    draw(set, true);
    return set->exit_code;
}
