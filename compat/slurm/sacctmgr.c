/* SPDX-License-Identifier: BSD-3-Clause */
/* sacctmgr, sstat: what scripts ask of Slurm's accounting beside sacct.  An instance has one cluster, one user, the quality
 * of service "normal", and banks for accounts; it does not sample what running jobs use. */
#include <ctype.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include "compat/slurm/columns.h"
#include "compat/slurm/options.h"
#include "src/job/state.h"

enum { NOHEADER = 1, PARSABLE, PARSABLE2, JOBS, FORMAT, HELPFORMAT };

static const struct sopt opts[] = {
    {"associations", 's', 0, OPT_IGNORE, NULL}, {"immediate", 'i', 0, OPT_IGNORE, NULL},
    {"noheader", 'n', 0, NOHEADER, NULL},       {"oneliner", 'o', 0, OPT_IGNORE, NULL},
    {"parsable", 'p', 0, PARSABLE, NULL},       {"parsable2", 'P', 0, PARSABLE2, NULL},
    {"quiet", 'Q', 0, OPT_IGNORE, NULL},        {"readonly", 'r', 0, OPT_IGNORE, NULL},
    {"verbose", 'v', 0, OPT_IGNORE, NULL},
};

/* Columns, with the width that Slurm gives them. */
static const struct known {
    const char *name, *title;
    int width;
    enum { NOTHING, CLUSTER, USER, ACCOUNT, QOS, NONE, ONE, ZERO } value;
} known[] = {
    {"account", "Account", 10, ACCOUNT},
    {"adminlevel", "Admin", 9, NONE},
    {"cluster", "Cluster", 10, CLUSTER},
    {"controlhost", "ControlHost", 15, NOTHING},
    {"controlport", "ControlPort", 12, ZERO},
    {"defaultaccount", "Def Acct", 10, ACCOUNT},
    {"defaultqos", "Def QOS", 9, NOTHING},
    {"description", "Descr", 20, ACCOUNT},
    {"fairshare", "Share", 9, ONE},
    {"grpjobs", "GrpJobs", 7, NOTHING},
    {"grptres", "GrpTRES", 13, NOTHING},
    {"maxjobs", "MaxJobs", 7, NOTHING},
    {"maxsubmitjobs", "MaxSubmit", 9, NOTHING},
    {"maxtres", "MaxTRES", 13, NOTHING},
    {"maxwall", "MaxWall", 11, NOTHING},
    {"name", "Name", 10, QOS},
    {"organization", "Org", 20, ACCOUNT},
    {"partition", "Partition", 10, NOTHING},
    {"priority", "Priority", 10, ZERO},
    {"qos", "QOS", 20, QOS},
    {"share", "Share", 9, ONE},
    {"user", "User", 10, USER},
};

static const struct entity {
    const char *name, *format;
    bool per_bank;
} entities[] = {
    {"accounts", "account,description,organization", true},
    {"associations",
     "cluster,account,user,partition,share,priority,grpjobs,grptres,maxjobs,maxtres,"
     "maxsubmitjobs,maxwall,qos,defaultqos",
     true},
    {"clusters", "cluster,controlhost,controlport,share,qos,defaultqos", false},
    {"qos", "name,priority,maxwall,maxtres,maxjobs,maxsubmitjobs", false},
    {"users", "user,defaultaccount,adminlevel", false},
};

struct table {
    struct slurm *s;
    const struct known *columns[32];
    size_t n;
    bool noheader, parsable, trailing;
};

static const struct known *find_column(const struct slurm *s, const char *name,
                                       size_t len)
{
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (len > 0 && strncasecmp(known[i].name, name, len) == 0)
            return &known[i];
    slurm_die(s, "Unknown field '%.*s'", (int)len, name);
}

static void take_format(struct table *t, const char *format)
{
    t->n = 0;
    for (const char *p = format; *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        if (t->n < ARRAY_SIZE(t->columns))
            t->columns[t->n++] = find_column(t->s, p, strcspn(p, ",%"));
        p += n;
    }
}

static const char *value_of(const struct known *k, const char *bank)
{
    struct passwd *pw = getpwuid(getuid());
    switch (k->value) {
    case CLUSTER:
        return SLURM_CLUSTER;
    case USER:
        return pw ? pw->pw_name : "";
    case ACCOUNT:
        return bank;
    case QOS:
        return "normal";
    case NONE:
        return "None";
    case ONE:
        return "1";
    case ZERO:
        return "0";
    default:
        return "";
    }
}

/* BANK NULL: the heading; "-": the line below it. */
static void print_table_row(const struct table *t, const char *bank)
{
    bool rule = bank && strcmp(bank, "-") == 0;
    for (size_t i = 0; i < t->n; i++) {
        const struct known *k = t->columns[i];
        const char *text = bank ? value_of(k, bank) : k->title;
        if (t->parsable)
            printf("%s%s", text, i + 1 < t->n || t->trailing ? "|" : "");
        else if (rule)
            printf("%.*s ", k->width, "--------------------------------");
        else
            printf("%*.*s ", k->width, k->width, text);
    }
    putchar('\n');
}

static void show(struct table *t, const struct entity *e)
{
    if (!t->noheader)
        print_table_row(t, NULL);
    if (!t->noheader && !t->parsable)
        print_table_row(t, "-");
    if (!e->per_bank) {
        print_table_row(t, "");
        return;
    }
    cleanup_json json_object *answer = slurm_call(t->s, "account.list", NULL);
    json_object *banks = json_object_object_get(answer, "banks");
    size_t n = banks ? json_object_array_length(banks) : 0;
    for (size_t i = 0; i < n; i++)
        print_table_row(t, slurm_text(json_object_array_get_idx(banks, i), "name", ""));
}

int cmd_sacctmgr(struct slurm *s, int argc, char **argv)
{
    struct table t = {.s = s};
    struct sparse p;
    sparse_init(&p, s, opts, ARRAY_SIZE(opts), argc, argv, false);
    for (const struct sopt *o; (o = sparse_next(&p));) {
        t.noheader |= o->id == NOHEADER;
        t.parsable |= o->id != NOHEADER;
        t.trailing |= o->id == PARSABLE;
    }
    const char *verb = p.first < argc ? argv[p.first] : "",
               *what = p.first + 1 < argc ? argv[p.first + 1] : "";
    if (strcasecmp(verb, "show") != 0 && strcasecmp(verb, "list") != 0)
        slurm_die(
            s,
            "hbatch's sacctmgr has show and list, not '%s': accounts are banks, and "
            "are there when a job names them; shares are set in the configuration",
            verb);
    for (size_t i = 0; i < ARRAY_SIZE(entities); i++) {
        if (!*what || strncasecmp(entities[i].name, what, strlen(what)) != 0)
            continue;
        take_format(&t, entities[i].format);
        for (int k = p.first + 2; k < argc; k++)
            if (strncasecmp(argv[k], "format=", 7) == 0)
                take_format(&t, argv[k] + 7);
        show(&t, &entities[i]);
        return 0;
    }
    slurm_die(s, "show '%s': there are account, association, cluster, qos and user",
              what);
}

/* --- sstat ------------------------------------------------------------------------------------- */

static const struct sopt sstat_opts[] = {
    {"allsteps", 'a', 0, OPT_IGNORE, NULL}, {"format", 'o', 'r', FORMAT, NULL},
    {"fields", 0, 'r', FORMAT, NULL},       {"helpformat", 'e', 0, HELPFORMAT, NULL},
    {"jobs", 'j', 'r', JOBS, NULL},         {"noconvert", 0, 0, OPT_IGNORE, NULL},
    {"noheader", 'n', 0, NOHEADER, NULL},   {"parsable", 'p', 0, PARSABLE, NULL},
    {"parsable2", 'P', 0, PARSABLE2, NULL}, {"pidformat", 'i', 0, OPT_IGNORE, NULL},
    {"verbose", 'v', 0, OPT_IGNORE, NULL},
};

static void print_step(const struct table *t, const struct columns *c,
                       const struct sjob *j)
{
    for (size_t i = 0; i < c->n; i++) {
        cleanup_strbuf struct strbuf text = {0};
        enum field f = c->v[i].field;
        if (!j)
            strbuf_add(&text, c->v[i].title);
        else
            field_add(&text, j, f, true);
        if (j && (f == F_ID || f == F_ID_RAW))
            strbuf_add(&text, ".batch");
        if (t->parsable) {
            printf("%s%s", text.s ? text.s : "", i + 1 < c->n || t->trailing ? "|" : "");
        } else {
            column_print(&c->v[i], text.s ? text.s : "");
            putchar(' ');
        }
    }
    putchar('\n');
}

static void print_sstat_rule(const struct columns *c)
{
    for (size_t i = 0; i < c->n; i++) {
        for (int k = 0; k < c->v[i].width; k++)
            putchar('-');
        putchar(' ');
    }
    putchar('\n');
}

int cmd_sstat(struct slurm *s, int argc, char **argv)
{
    struct table t = {.s = s};
    struct sparse p;
    struct columns c = {0};
    struct sjobs jobs = {0};
    const char *format = "jobid,maxvmsize,avevmsize,maxrss,averss,avecpu,ntasks",
               *ids = NULL;
    sparse_init(&p, s, sstat_opts, ARRAY_SIZE(sstat_opts), argc, argv, false);
    for (const struct sopt *o; (o = sparse_next(&p));) {
        t.noheader |= o->id == NOHEADER;
        t.parsable |= o->id == PARSABLE || o->id == PARSABLE2;
        t.trailing |= o->id == PARSABLE;
        if (o->id == FORMAT)
            format = p.value;
        if (o->id == JOBS)
            ids = p.value;
        if (o->id == HELPFORMAT) {
            columns_print_names();
            return 0;
        }
    }
    if (!ids)
        ids = p.first < argc ? argv[p.first] : NULL;
    if (!ids)
        slurm_die(s, "You didn't give me any jobs to stat.");
    columns_parse_acct(&c, s, format);
    if (!t.noheader)
        print_step(&t, &c, NULL);
    if (!t.noheader && !t.parsable)
        print_sstat_rule(&c);
    cleanup_free char *copy = xstrdup(ids);
    for (char *save, *word = strtok_r(copy, ",", &save); word;
         word = strtok_r(NULL, ",", &save)) {
        struct error err;
        word[strcspn(word, ".")] = '\0'; /* ID.STEP */
        if (jobs_fetch_id(s, &jobs, word, &err) < 0)
            slurm_error(s, "couldn't get steps for job %s: %s", word, err.text);
    }
    for (size_t i = 0; i < jobs.n; i++)
        if (job_sstate(&jobs.v[i]) == S_RUNNING)
            print_step(&t, &c, &jobs.v[i]);
    columns_fini(&c);
    jobs_fini(&jobs);
    return 0;
}
