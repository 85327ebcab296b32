/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/top.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include "src/cli/subtree.h"
#include "src/job/state.h"

const char *const top_which_names[TOP_WHICH] = {"running and pending", "running", "all"};
const struct top_order top_orders[] = {{"newest first", ""},
                                       {"run time", "-runtime"},
                                       {"tasks", "-ntasks"},
                                       {"name", "name"}};
const size_t top_norders = ARRAY_SIZE(top_orders);

void top_say(struct top *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(t->message, sizeof(t->message), fmt, ap);
    va_end(ap);
    t->stale = true;
}

/* --- numbers and rates -------------------------------------------------------------------- */

static double count(json_object *stats, const char *key)
{
    return cli_get_number(stats, key, 0);
}

static double submitted_of(json_object *stats)
{
    return count(stats, "pending") + count(stats, "running") + count(stats, "inactive");
}

static void take_stats(struct top *t, json_object *stats)
{
    struct top_rates *r = &t->rates;
    json_object_put(t->stats);
    t->stats = json_object_get(stats);
    t->stale = true;
    double now = time_mono();
    /* The oldest go; not those that the span of time still needs. */
    while (r->n > 1 && (r->n == TOP_SAMPLES || r->samples[1].t < now - TOP_RATE_S))
        memmove(r->samples, r->samples + 1, --r->n * sizeof(*r->samples));
    r->samples[r->n].t = now;
    r->samples[r->n].submitted = submitted_of(stats);
    r->samples[r->n++].ended = count(stats, "inactive");
}

void top_rates_now(const struct top *t, double *submitted, double *ended)
{
    const struct top_rates *r = &t->rates;
    double now = time_mono(), from = now - TOP_RATE_S;
    unsigned base = 0;
    *submitted = *ended = 0;
    if (r->n == 0)
        return;
    while (base + 1 < r->n && r->samples[base + 1].t <= from)
        base++;
    double span = MAX(now - MAX(r->samples[base].t, from), 1.0);
    *submitted = (r->samples[r->n - 1].submitted - r->samples[base].submitted) / span;
    *ended = (r->samples[r->n - 1].ended - r->samples[base].ended) / span;
}

bool top_moves(const struct top *t)
{
    double submitted, ended;
    top_rates_now(t, &submitted, &ended);
    return submitted > 0 || ended > 0 || t->nrows > 0 ||
           cli_get_number(t->answers[TOP_INFO], "expiration", 0) > 0;
}

/* --- the list ----------------------------------------------------------------------------- */

static void drop_rows(struct top *t)
{
    for (size_t i = 0; i < t->nrows; i++)
        free(t->rows[i].line);
    free(take(t->rows));
    t->nrows = 0;
}

static size_t count_jobs(const struct top *t)
{
    size_t n = 0;
    for (int i = TOP_RUN; i <= TOP_OVER; i++) {
        json_object *list = cli_get(t->answers[i], "jobs");
        n += json_object_is_type(list, json_type_array) ? json_object_array_length(list)
                                                        : 0;
    }
    return n;
}

/* Each with its line: the filter is for what is seen. */
static void add_rows(struct top *t, json_object *answer)
{
    json_object *list = cli_get(answer, "jobs");
    size_t n =
        json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    t->more |= json_object_get_boolean(cli_get(answer, "more"));
    for (size_t i = 0; i < n; i++) {
        struct top_row row = {
            .item = {json_object_array_get_idx(list, i), t->cli->ascii, time_now()}};
        row.id = json_object_get_uint64(cli_get(row.item.job, "id"));
        row.instance = subtree_is_instance(row.item.job);
        t->rows[t->nrows++] = row;
    }
}

static void sort_rows(struct top *t)
{
    size_t n = t->nrows;
    cleanup_free const void **items = xcalloc(n + 1, sizeof(*items));
    struct top_row *sorted = xcalloc(n + 1, sizeof(*sorted));
    struct error ignored;
    for (size_t i = 0; i < n; i++)
        items[i] = &t->rows[i].item;
    format_set_sort(t->format, top_orders[t->order].keys, &ignored);
    format_prepare(t->format, items, n);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        /* the item is the row's first member */
        struct top_row row = *(const struct top_row *)items[i];
        row.line = format_line(t->format, &row.item);
        if (*t->filter && !strcasestr(row.line, t->filter))
            free(row.line);
        else
            sorted[k++] = row;
    }
    free(t->rows);
    t->rows = sorted;
    t->nrows = k;
}

void top_arrange(struct top *t)
{
    struct top_level *level = &t->levels[t->nlevels - 1];
    drop_rows(t);
    t->rows = xcalloc(count_jobs(t) + 1, sizeof(*t->rows));
    t->more = false;
    for (int i = TOP_RUN; i <= TOP_OVER; i++)
        add_rows(t, t->answers[i]);
    sort_rows(t);
    free(t->header);
    t->header = format_header(t->format);
    /* The cursor stays on its job; where that has left the list, on its line. */
    size_t at = 0;
    while (at < t->nrows && t->rows[at].id != level->selected)
        at++;
    if (at < t->nrows)
        t->selected = at;
    else if (t->selected >= t->nrows)
        t->selected = t->nrows ? t->nrows - 1 : 0;
    level->selected = t->nrows ? t->rows[t->selected].id : 0;
    t->stale = true;
}

void top_move(struct top *t, long by)
{
    long to = (long)t->selected + by;
    if (t->nrows == 0)
        return;
    t->selected = to < 0 ? 0 : MIN((size_t)to, t->nrows - 1);
    t->levels[t->nlevels - 1].selected = t->rows[t->selected].id;
    t->stale = true;
}

struct top_row *top_selected(struct top *t)
{
    return t->selected < t->nrows ? &t->rows[t->selected] : NULL;
}

/* --- asking ------------------------------------------------------------------------------- */

static void take_answer(struct top *t, int which, json_object *result,
                        const struct error *err)
{
    if (result) {
        json_object_put(t->answers[which]);
        t->answers[which] = json_object_get(result);
    } else {
        top_say(t, "%s", err->text);
    }
    if (t->awaited > 0 && --t->awaited > 0)
        return;
    t->complete = true;
    top_arrange(t);
}

#define ON_ANSWER(NAME, WHICH)                                                           \
    static void NAME(json_object *result, const struct error *err, void *arg)            \
    {                                                                                    \
        take_answer(arg, WHICH, result, err);                                            \
    }
ON_ANSWER(on_info, TOP_INFO)
ON_ANSWER(on_nodes, TOP_NODES)
ON_ANSWER(on_running, TOP_RUN)
ON_ANSWER(on_waiting, TOP_WAIT)
ON_ANSWER(on_over, TOP_OVER)

static void ask_jobs(struct top *t, int which, int states, client_reply_f reply)
{
    bool wanted = which == TOP_RUN || t->which == TOP_ALL ||
                  (which == TOP_WAIT && t->which == TOP_ACTIVE);
    if (!wanted) {
        json_object_put(take(t->answers[which]));
        return;
    }
    json_object *q = json_object_new_object();
    json_object_object_add(q, "states", json_object_new_int(states));
    json_object_object_add(q, "max", json_object_new_int(TOP_LIST_MAX));
    if (t->queue)
        json_object_object_add(q, "queue", json_object_new_string(t->queue));
    if (t->name)
        json_object_object_add(q, "name", json_object_new_string(t->name));
    client_send(t->h, "job.list", q, reply, NULL, t);
    t->awaited++;
}

int top_ask(struct top *t)
{
    if (!t->changed || t->awaited)
        return -1;
    double wait = t->asked_at + TOP_ASK_S - time_mono();
    if (wait > 0)
        return (int)(wait * 1000) + 1;
    t->changed = false;
    t->asked_at = time_mono();
    t->awaited = 2;
    client_send(t->h, "instance.info", NULL, on_info, NULL, t);
    client_send(t->h, "resource.list", NULL, on_nodes, NULL, t);
    ask_jobs(t, TOP_RUN, JOB_RUNNING, on_running);
    ask_jobs(t, TOP_WAIT, JOB_PENDING, on_waiting);
    ask_jobs(t, TOP_OVER, JOB_INACTIVE, on_over);
    return -1;
}

void top_want(struct top *t)
{
    t->changed = true;
    t->asked_at = 0;
}

/* --- the connection ----------------------------------------------------------------------- */

static void on_watch(json_object *result, const struct error *err, void *arg)
{
    struct top *t = arg;
    if (!result)
        top_say(t, "%s", err->text);
}

static void on_changed(const char *method, json_object *params, void *arg)
{
    struct top *t = arg;
    (void)method;
    json_object *stats = cli_get(params, "stats");
    if (stats)
        take_stats(t, stats);
    t->changed = true;
}

/* A new connection has no old rates. */
static void on_again(void *arg)
{
    struct top *t = arg;
    t->rates.n = 0;
    top_want(t);
}

static void forget(struct top *t)
{
    client_close(take(t->h));
    for (int i = 0; i < TOP_ANSWERS; i++)
        json_object_put(take(t->answers[i]));
    json_object_put(take(t->stats));
    drop_rows(t);
    t->rates.n = t->awaited = 0;
    t->selected = t->scroll = 0;
    t->complete = false;
    t->stale = true;
}

/* The last level's: H is its connection. */
static void begin(struct top *t, struct hbatch *h)
{
    forget(t);
    t->h = h;
    int id = client_send(h, "instance.watch", NULL, on_watch, on_changed, t);
    client_reopen(h, id, NULL, NULL, on_again);
    top_want(t);
}

static void drop_level(struct top *t)
{
    struct top_level *level = &t->levels[--t->nlevels];
    free(level->uri);
    free(level->title);
}

void top_enter(struct top *t, struct hbatch *h, const char *title, uint64_t job)
{
    t->levels = xrealloc(t->levels, (t->nlevels + 1) * sizeof(*t->levels));
    t->levels[t->nlevels++] = (struct top_level){
        .uri = xstrdup(client_uri(h)), .title = xstrdup(title), .job = job};
    begin(t, h);
}

int top_leave(struct top *t, struct error *err)
{
    if (t->nlevels < 2)
        return error_set(err, ENOENT, "there is no instance around this one");
    struct hbatch *h = NULL;
    size_t n = t->nlevels - 1;
    while (n > 0 && !(h = client_open(t->levels[n - 1].uri, err)))
        n--;
    if (!h)
        return -1;
    while (t->nlevels > n)
        drop_level(t);
    begin(t, h);
    return 0;
}

int top_process(struct top *t, struct error *err)
{
    for (int rc; (rc = client_process(t->h, 0, err)) != 0;)
        if (rc < 0)
            return -1;
    return 0;
}

void top_fini(struct top *t)
{
    forget(t);
    while (t->nlevels)
        drop_level(t);
    free(t->levels);
    free(t->header);
    format_destroy(t->format);
}
