/* SPDX-License-Identifier: BSD-3-Clause */
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "compat/slurm/columns.h"
#include "compat/slurm/options.h"
#include "src/common/hostlist.h"
#include "src/job/state.h"

enum {
    ALL = 1,
    NOHEADER,
    JOBS,
    LONG,
    ME,
    NAME,
    FORMAT,
    FORMAT_LONG,
    PARTITION,
    ARRAY,
    SORT,
    STATES,
    START,
    USER,
    JSON,
    ACCOUNT,
    NODELIST,
    QOS,
    STEPS
};

static const struct sopt opts[] = {
    {"all", 'a', 0, OPT_IGNORE, NULL},
    {"account", 'A', 'r', ACCOUNT, NULL},
    {"array", 'r', 0, ARRAY, NULL},
    {"array-unique", 0, 0, ARRAY, NULL},
    {"clusters", 'M', 'r', OPT_IGNORE, NULL},
    {"Format", 'O', 'r', FORMAT_LONG, NULL},
    {"format", 'o', 'r', FORMAT, NULL},
    {"hide", 0, 0, OPT_IGNORE, NULL},
    {"iterate", 'i', 'r', OPT_REFUSE, "use watch(1), or hbatch top"},
    {"jobs", 'j', 'o', JOBS, NULL},
    {"json", 0, 0, JSON, NULL},
    {"licenses", 'L', 'r', OPT_REFUSE, "hbatch has no licenses"},
    {"local", 0, 0, OPT_IGNORE, NULL},
    {"long", 'l', 0, LONG, NULL},
    {"me", 0, 0, ME, NULL},
    {"name", 'n', 'r', NAME, NULL},
    {"noconvert", 0, 0, OPT_IGNORE, NULL},
    {"nodelist", 'w', 'r', NODELIST, NULL},
    {"noheader", 'h', 0, NOHEADER, NULL},
    {"partition", 'p', 'r', PARTITION, NULL},
    {"priority", 'P', 0, OPT_IGNORE, NULL},
    {"qos", 'q', 'r', QOS, NULL},
    {"sort", 'S', 'r', SORT, NULL},
    {"start", 0, 0, START, NULL},
    {"states", 't', 'r', STATES, NULL},
    {"steps", 's', 'o', STEPS, NULL},
    {"user", 'u', 'r', USER, NULL},
    {"verbose", 'v', 0, OPT_IGNORE, NULL},
};

struct squeue {
    struct slurm *s;
    struct columns columns;
    struct sjobs jobs;
    const char *ids, *names, *partitions, *users, *sort, *accounts, *qos;
    struct hostlist *nodes; /* NULL: any */
    unsigned states;
    bool noheader, unfolded, json, named, steps;
};

static void fetch(struct squeue *q)
{
    struct error err;
    /* a job that has ended is in the queue for five minutes more, for those who ask for it */
    struct jobs_query query = {.states = JOB_ACTIVE};
    if (q->states)
        query = (struct jobs_query){.states = JOB_ACTIVE | JOB_INACTIVE,
                                    .since = time_now() - 300};
    if (!q->ids) {
        jobs_fetch(q->s, &q->jobs, &query);
        return;
    }
    cleanup_free char *copy = xstrdup(q->ids);
    for (char *save, *word = strtok_r(copy, ", ", &save); word;
         word = strtok_r(NULL, ", ", &save)) {
        if (jobs_fetch_id(q->s, &q->jobs, word, &err) == 0)
            continue;
        if (strchr(q->ids, ',') &&
            strstr(err.text, "specified")) /* as Slurm: of several, those that are */
            continue;
        fprintf(stderr, "slurm_load_jobs error: %s\n", err.text);
        exit(1);
    }
}

static bool selects(const struct squeue *q, const struct sjob *j)
{
    char uid[32];
    enum sstate state = job_sstate(j);
    snprintf(uid, sizeof(uid), "%.0f", slurm_number(j->o, "userid", 0));
    return (q->states ? q->states & 1U << state : state <= S_COMPLETING) &&
           (!q->names || slurm_listed(q->names, slurm_text(j->o, "name", ""))) &&
           (!q->partitions ||
            slurm_listed(q->partitions, slurm_text(j->o, "queue", SLURM_PARTITION))) &&
           (!q->users || slurm_listed(q->users, slurm_text(j->o, "username", "")) ||
            slurm_listed(q->users, uid)) &&
           (!q->accounts || slurm_listed(q->accounts, slurm_text(j->o, "bank", ""))) &&
           (!q->qos || slurm_listed(q->qos, "normal")) &&
           (!q->nodes || job_is_on(j, q->nodes)) && (!q->steps || state == S_RUNNING);
}

static void reduce(struct squeue *q)
{
    size_t k = 0;
    for (size_t i = 0; i < q->jobs.n; i++)
        if (selects(q, &q->jobs.v[i]))
            q->jobs.v[k++] = q->jobs.v[i];
    q->jobs.n = k;
}

/* --- order ------------------------------------------------------------------------------------- */

struct ordered {
    struct sjob job;
    double number; /* of the key; NAN: TEXT is it */
    char *text;
    size_t at; /* where it was before */
};

static double known(double t, double absent)
{
    return t > 0 ? t : absent;
}

static void set_key(struct ordered *o, enum field f)
{
    cleanup_strbuf struct strbuf text = {0};
    const struct sjob *j = &o->job;
    char *end;
    switch (f) {
    case F_ID:
    case F_ID_RAW:
    case F_ARRAY_JOB:
        o->number = (double)(j->array ? j->array : j->id);
        return;
    case F_STATE:
    case F_STATE_COMPACT:
        o->number = job_sstate(j);
        return;
    case F_LIMIT:
        o->number = known(slurm_number(j->o, "duration", 0), INFINITY);
        return;
    case F_START:
        o->number = known(slurm_number(j->o, "t_run", 0), INFINITY);
        return;
    case F_TIME:
        o->number = -known(slurm_number(j->o, "t_run", 0), INFINITY);
        return;
    default:;
    }
    field_add(&text, j, f, true);
    o->text = strbuf_take(&text);
    o->number = strtod(o->text, &end);
    if (end == o->text || *end)
        o->number = NAN;
}

static int compare_keys(const struct ordered *x, const struct ordered *y)
{
    if (!isnan(x->number) && !isnan(y->number))
        return x->number < y->number ? -1 : x->number > y->number;
    return x->text && y->text ? strcmp(x->text, y->text) : 0;
}

static int compare_up(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    int c = compare_keys(x, y);
    return c ? c : x->at < y->at ? -1 : 1;
}

static int compare_down(const void *a, const void *b)
{
    const struct ordered *x = a, *y = b;
    int c = compare_keys(y, x);
    return c ? c : x->at < y->at ? -1 : 1;
}

static void order_by_field(struct sjobs *jobs, enum field f, bool down)
{
    struct ordered *o = xcalloc(jobs->n + 1, sizeof(*o));
    for (size_t i = 0; i < jobs->n; i++) {
        o[i] = (struct ordered){.job = jobs->v[i], .at = i};
        set_key(&o[i], f);
    }
    qsort(o, jobs->n, sizeof(*o), down ? compare_down : compare_up);
    for (size_t i = 0; i < jobs->n; i++) {
        jobs->v[i] = o[i].job;
        free(o[i].text);
    }
    free(o);
}

/* "-p,i": by the last key first, as each sort keeps what was before where it finds no difference. */
static void order_by(struct squeue *q, const char *keys)
{
    for (const char *end = keys + strlen(keys); end > keys;) {
        const char *word = end;
        while (word > keys && word[-1] != ',')
            word--;
        const char *letter = word + (*word == '-' || *word == '+');
        if (letter + 1 != end)
            slurm_die(q->s, "Invalid sort specification: %.*s", (int)(end - word), word);
        order_by_field(&q->jobs, columns_letter(*letter), *word == '-');
        end = word > keys ? word - 1 : keys;
    }
}

/* Slurm's own order: by partition, what waits before what runs, the first ones to start first. */
static void order(struct squeue *q)
{
    jobs_sort(&q->jobs);
    if (!q->unfolded)
        jobs_fold(&q->jobs);
    order_by(q, q->sort ? q->sort : "P,t,-p");
}

/* --- output ------------------------------------------------------------------------------------ */

static void print_row(const struct squeue *q, const struct sjob *j)
{
    for (size_t i = 0; i < q->columns.n; i++) {
        cleanup_strbuf struct strbuf text = {0};
        const struct column *c = &q->columns.v[i];
        fputs(c->prefix ? c->prefix : "", stdout);
        if (j)
            field_add(&text, j, c->field, false);
        else
            strbuf_add(&text, q->steps && c->field == F_ID ? "STEPID" : c->title);
        if (j && q->steps && c->field == F_ID)
            strbuf_add(&text, ".batch");
        column_print(c, text.s ? text.s : "");
    }
    puts(q->columns.suffix ? q->columns.suffix : "");
}

static void print_json(const struct squeue *q)
{
    static const struct {
        const char *key;
        enum field field;
        bool number;
    } keys[] = {
        {"account", F_ACCOUNT, false},
        {"array_job_id", F_ARRAY_JOB, true},
        {"cluster", F_CLUSTER, false},
        {"cpus", F_CPUS, true},
        {"current_working_directory", F_WORKDIR, false},
        {"job_id", F_ID_RAW, true},
        {"job_state", F_STATE, false},
        {"name", F_NAME, false},
        {"node_count", F_NODES, true},
        {"nodes", F_NODELIST, false},
        {"partition", F_PARTITION, false},
        {"state_reason", F_REASON, false},
        {"tasks", F_TASKS, true},
        {"user_id", F_UID, true},
        {"user_name", F_USER, false},
    };
    cleanup_json json_object *all = json_object_new_object();
    json_object *jobs = json_object_new_array();
    json_object_object_add(all, "jobs", jobs);
    json_object_object_add(all, "errors", json_object_new_array());
    for (size_t i = 0; i < q->jobs.n; i++) {
        const struct sjob *j = &q->jobs.v[i];
        json_object *o = json_object_new_object();
        for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
            cleanup_strbuf struct strbuf text = {0};
            field_add(&text, j, keys[k].field, true);
            const char *v = text.s ? text.s : "";
            json_object_object_add(o, keys[k].key,
                                   keys[k].number
                                       ? json_object_new_uint64(strtoull(v, NULL, 10))
                                       : json_object_new_string(v));
        }
        if (j->array)
            json_object_object_add(o, "array_task_id", json_object_new_int64(j->task));
        json_object_object_add(o, "submit_time",
                               json_object_new_double(slurm_number(j->o, "t_submit", 0)));
        json_object_object_add(o, "start_time",
                               json_object_new_double(slurm_number(j->o, "t_run", 0)));
        json_object_array_add(jobs, o);
    }
    puts(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY |
                                                 JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* -l, --start and -o or -O, of which the last one counts. */
static void choose_columns(struct squeue *q, int id, const char *value)
{
    static const char standard[] = "%.18i %.9P %.8j %.8u %.2t %.10M %.6D %R";
    const char *text = id == LONG    ? "%.18i %.9P %.8j %.8u %.8T %.10M %.9l %.6D %R"
                       : id == STEPS ? "%.15i %.8j %.9P %.8u %.9M %N"
                       : id == START ? "%.18i %.9P %.8j %.8u %.2t %.19S %.6D %20Y %R"
                                     : standard;
    columns_fini(&q->columns);
    if (id == FORMAT_LONG)
        columns_parse_long(&q->columns, q->s, value);
    else
        columns_parse_percent(&q->columns, q->s, id == FORMAT ? value : text);
}

static const char *my_name(void)
{
    struct passwd *pw = getpwuid(getuid());
    return pw ? pw->pw_name : "";
}

static void take_nodes(struct squeue *q, const char *text)
{
    struct error err;
    hostlist_destroy(q->nodes);
    q->nodes = hostlist_decode(text, &err);
    if (!q->nodes)
        slurm_die(q->s, "Invalid node name specification: %s", err.text);
}

static void parse(struct squeue *q, int argc, char **argv, bool *is_long)
{
    struct sparse p;
    bool chosen = false;
    choose_columns(q, 0, getenv("SQUEUE_FORMAT"));
    if (getenv("SQUEUE_FORMAT"))
        choose_columns(q, FORMAT, getenv("SQUEUE_FORMAT"));
    sparse_init(&p, q->s, opts, ARRAY_SIZE(opts), argc, argv, false);
    for (const struct sopt *o; (o = sparse_next(&p));) {
        switch (o->id) {
        case JOBS:
            q->ids = p.value;
            /* -j 123: its value is another word, and optional */
            q->named = !p.value;
            break;
        case NAME:
            q->names = p.value;
            break;
        case PARTITION:
            q->partitions = p.value;
            break;
        case ACCOUNT:
            q->accounts = p.value;
            break;
        case QOS:
            q->qos = p.value;
            break;
        case NODELIST:
            take_nodes(q, p.value);
            break;
        case USER:
            q->users = p.value;
            break;
        case ME:
            q->users = my_name();
            break;
        case STATES:
            q->states = sstate_mask(q->s, p.value);
            break;
        case SORT:
            q->sort = p.value;
            break;
        case ARRAY:
            q->unfolded = true;
            break;
        case NOHEADER:
            q->noheader = true;
            break;
        case JSON:
            q->json = true;
            break;
        default:
            *is_long |= o->id == LONG;
            q->steps |= o->id == STEPS;
            if (o->id == STEPS && chosen) /* -o goes over it, wherever it stands */
                break;
            chosen |= o->id == FORMAT || o->id == FORMAT_LONG;
            choose_columns(q, o->id, p.value);
        }
    }
    if (p.first < argc && q->named && p.first + 1 == argc)
        q->ids = argv[p.first];
    else if (p.first < argc)
        slurm_die(q->s, "Unrecognized option: %s", argv[p.first]);
}

int cmd_squeue(struct slurm *s, int argc, char **argv)
{
    struct squeue q = {.s = s};
    bool is_long = false;
    parse(&q, argc, argv, &is_long);
    fetch(&q);
    reduce(&q);
    order(&q);
    if (q.json) {
        print_json(&q);
    } else {
        char date[64];
        time_t t = time(NULL);
        strftime(date, sizeof(date), "%a %b %d %H:%M:%S %Y", localtime(&t));
        if (is_long && !q.noheader)
            puts(date);
        if (!q.noheader)
            print_row(&q, NULL);
        for (size_t i = 0; i < q.jobs.n; i++)
            print_row(&q, &q.jobs.v[i]);
    }
    columns_fini(&q.columns);
    jobs_fini(&q.jobs);
    hostlist_destroy(q.nodes);
    return 0;
}
