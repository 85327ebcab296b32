/* SPDX-License-Identifier: BSD-3-Clause */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "compat/slurm/columns.h"
#include "compat/slurm/forms.h"
#include "compat/slurm/options.h"

enum {
    ALLOCATIONS = 1,
    BRIEF,
    DELIMITER,
    END,
    FORMAT,
    HELPFORMAT,
    JOBS,
    NAME,
    NOHEADER,
    PARSABLE,
    PARSABLE2,
    PARTITION,
    START,
    STATE,
    USER
};

static const struct sopt opts[] = {
    {"allclusters", 'L', 0, OPT_IGNORE, NULL},
    {"allocations", 'X', 0, ALLOCATIONS, NULL},
    {"allusers", 'a', 0, OPT_IGNORE, NULL},
    {"accounts", 'A', 'r', OPT_IGNORE, NULL},
    {"brief", 'b', 0, BRIEF, NULL},
    {"cluster", 'M', 'r', OPT_IGNORE, NULL},
    {"delimiter", 0, 'r', DELIMITER, NULL},
    {"duplicates", 'D', 0, OPT_IGNORE, NULL},
    {"endtime", 'E', 'r', END, NULL},
    {"format", 'o', 'r', FORMAT, NULL},
    {"group", 'g', 'r', OPT_IGNORE, NULL},
    {"helpformat", 'e', 0, HELPFORMAT, NULL},
    {"jobs", 'j', 'r', JOBS, NULL},
    {"json", 0, 0, OPT_REFUSE, "use squeue --json, or hbatch jobs -a --json"},
    {"long", 'l', 0, OPT_REFUSE, "name the fields, as in sacct -o jobid,state,elapsed"},
    {"name", 0, 'r', NAME, NULL},
    {"nodelist", 'N', 'r', OPT_REFUSE, "use hbatch jobs -a -o '{id} {nodelist}'"},
    {"noconvert", 0, 0, OPT_IGNORE, NULL},
    {"noheader", 'n', 0, NOHEADER, NULL},
    {"parsable", 'p', 0, PARSABLE, NULL},
    {"parsable2", 'P', 0, PARSABLE2, NULL},
    {"partition", 'r', 'r', PARTITION, NULL},
    {"qos", 'q', 'r', OPT_IGNORE, NULL},
    {"starttime", 'S', 'r', START, NULL},
    {"state", 's', 'r', STATE, NULL},
    {"truncate", 'T', 0, OPT_IGNORE, NULL},
    {"uid", 'u', 'r', USER, NULL},
    {"units", 0, 'r', OPT_IGNORE, NULL},
    {"user", 0, 'r', USER, NULL},
    {"verbose", 'v', 0, OPT_IGNORE, NULL},
    {"wckeys", 'W', 'r', OPT_IGNORE, NULL},
};

struct sacct {
    struct slurm *s;
    struct columns columns;
    struct sjobs jobs;
    const char *ids, *names, *partitions, *users, *delimiter;
    double start, end;
    unsigned states;
    bool noheader, parsable, trailing, allocations;
};

static double time_option(const struct sacct *a, const char *option, const char *text)
{
    struct error err;
    double t = form_time(text, &err);
    if (t < 0)
        slurm_die(a->s, "%s: %s", option, err.text);
    return t;
}

static void parse(struct sacct *a, int argc, char **argv)
{
    struct error err;
    struct sparse p;
    const char *format = getenv("SACCT_FORMAT");
    if (!format)
        format = "jobid,jobname,partition,account,alloccpus,state,exitcode";
    a->start = -1;
    sparse_init(&p, a->s, opts, ARRAY_SIZE(opts), argc, argv, false);
    for (const struct sopt *o; (o = sparse_next(&p));) {
        switch (o->id) {
        case ALLOCATIONS:
            a->allocations = true;
            break;
        case BRIEF:
            format = "jobid,state,exitcode";
            break;
        case DELIMITER:
            a->delimiter = p.value;
            break;
        case END:
            a->end = time_option(a, "--endtime", p.value);
            break;
        case START:
            a->start = time_option(a, "--starttime", p.value);
            break;
        case FORMAT:
            format = p.value;
            break;
        case HELPFORMAT:
            columns_print_names();
            exit(0);
        case JOBS:
            a->ids = p.value;
            break;
        case NAME:
            a->names = p.value;
            break;
        case NOHEADER:
            a->noheader = true;
            break;
        case PARTITION:
            a->partitions = p.value;
            break;
        case STATE:
            a->states = sstate_mask(a->s, p.value);
            break;
        case USER:
            a->users = p.value;
            break;
        default:
            a->parsable = true;
            a->trailing = o->id == PARSABLE;
        }
    }
    if (p.first < argc)
        slurm_die(a->s, "Unrecognized argument: %s", argv[p.first]);
    columns_parse_acct(&a->columns, a->s, format);
    if (a->start < 0) /* as Slurm: today's, unless jobs are named */
        a->start = a->ids || a->states ? 0 : form_time("midnight", &err);
}

static bool selects(const struct sacct *a, const struct sjob *j)
{
    char uid[32];
    enum sstate state = job_sstate(j);
    double end = slurm_number(j->o, "t_inactive", 0);
    snprintf(uid, sizeof(uid), "%.0f", slurm_number(j->o, "userid", 0));
    return (!a->states ||
            a->states & 1U << (state == S_COMPLETING ? S_RUNNING : state)) &&
           (end <= 0 || end >= a->start) &&
           (a->end <= 0 || slurm_number(j->o, "t_submit", 0) <= a->end) &&
           (!a->names || slurm_listed(a->names, slurm_text(j->o, "name", ""))) &&
           (!a->partitions ||
            slurm_listed(a->partitions, slurm_text(j->o, "queue", SLURM_PARTITION))) &&
           (!a->users || slurm_listed(a->users, slurm_text(j->o, "username", "")) ||
            slurm_listed(a->users, uid));
}

static void fetch(struct sacct *a)
{
    struct error err;
    size_t k = 0;
    if (a->ids) {
        cleanup_free char *copy = xstrdup(a->ids);
        for (char *save, *word = strtok_r(copy, ", ", &save); word;
             word = strtok_r(NULL, ", ", &save)) {
            struct form_id id;
            if (form_id(word, &id, &err) < 0)
                slurm_die(a->s, "Bad job/step specified: %s", word);
            form_id_fini(&id);
            jobs_fetch_id(a->s, &a->jobs, word,
                          &err); /* one that is not known has no line */
        }
    } else {
        jobs_fetch(a->s, &a->jobs,
                   &(struct jobs_query){.states = 127, .since = a->start});
    }
    for (size_t i = 0; i < a->jobs.n; i++)
        if (selects(a, &a->jobs.v[i]))
            a->jobs.v[k++] = a->jobs.v[i];
    a->jobs.n = k;
    jobs_sort(&a->jobs);
    jobs_fold(&a->jobs);
}

/* Of what a step of a job has not, or has otherwise. */
static bool of_step(struct strbuf *out, const struct sjob *j, enum field f)
{
    switch (f) {
    case F_ID:
    case F_ID_RAW:
        field_add(out, j, f, true);
        strbuf_add(out, ".batch");
        return true;
    case F_NAME:
        strbuf_add(out, "batch");
        return true;
    case F_PARTITION:
    case F_USER:
    case F_UID:
    case F_LIMIT:
    case F_LIMIT_RAW:
    case F_QOS:
    case F_PRIORITY:
    case F_WORKDIR:
    case F_EXIT_DERIVED:
        return true;
    default:
        return false;
    }
}

static void print_row(const struct sacct *a, const struct sjob *j, bool step)
{
    const char *delimiter = a->delimiter ? a->delimiter : "|";
    for (size_t i = 0; i < a->columns.n; i++) {
        const struct column *c = &a->columns.v[i];
        cleanup_strbuf struct strbuf text = {0};
        if (!j)
            strbuf_add(&text, c->title);
        else if (!step || !of_step(&text, j, c->field))
            field_add(&text, j, c->field, true);
        const char *value = text.s ? text.s : "";
        bool last = i + 1 == a->columns.n;
        if (a->parsable) {
            printf("%s%s", value, !last || a->trailing ? delimiter : "");
        } else if (j && (int)text.len > c->width) {
            printf("%.*s+ ", c->width - 1, value);
        } else {
            column_print(c, value);
            putchar(' ');
        }
    }
    putchar('\n');
}

static void print_rule(const struct sacct *a)
{
    for (size_t i = 0; i < a->columns.n; i++) {
        for (int k = 0; k < a->columns.v[i].width; k++)
            putchar('-');
        putchar(' ');
    }
    putchar('\n');
}

int cmd_sacct(struct slurm *s, int argc, char **argv)
{
    struct sacct a = {.s = s};
    parse(&a, argc, argv);
    fetch(&a);
    if (!a.noheader) {
        print_row(&a, NULL, false);
        if (!a.parsable)
            print_rule(&a);
    }
    for (size_t i = 0; i < a.jobs.n; i++) {
        print_row(&a, &a.jobs.v[i], false);
        if (!a.allocations && slurm_number(a.jobs.v[i].o, "t_run", 0) > 0)
            print_row(&a, &a.jobs.v[i], true);
    }
    columns_fini(&a.columns);
    jobs_fini(&a.jobs);
    return 0;
}
