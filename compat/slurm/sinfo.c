/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "compat/slurm/forms.h"
#include "compat/slurm/nodes.h"
#include "compat/slurm/options.h"
#include "src/common/hostlist.h"

enum {
    FORMAT = 1,
    FORMAT_LONG,
    LONG,
    NODE,
    NODES,
    NOHEADER,
    PARTITION,
    REASONS,
    RESPONDING,
    STATES,
    SUMMARIZE
};

static const struct sopt opts[] = {
    {"all", 'a', 0, OPT_IGNORE, NULL},
    {"clusters", 'M', 'r', OPT_IGNORE, NULL},
    {"dead", 'd', 0, STATES, "down"},
    {"exact", 'e', 0, OPT_IGNORE, NULL},
    {"Format", 'O', 'r', FORMAT_LONG, NULL},
    {"format", 'o', 'r', FORMAT, NULL},
    {"future", 'F', 0, OPT_IGNORE, NULL},
    {"hide", 0, 0, OPT_IGNORE, NULL},
    {"iterate", 'i', 'r', OPT_REFUSE, "use watch(1), or hbatch top"},
    {"json", 0, 0, OPT_REFUSE, "use hbatch resource list --json"},
    {"list-reasons", 'R', 0, REASONS, NULL},
    {"local", 0, 0, OPT_IGNORE, NULL},
    {"long", 'l', 0, LONG, NULL},
    {"Node", 'N', 0, NODE, NULL},
    {"nodes", 'n', 'r', NODES, NULL},
    {"noheader", 'h', 0, NOHEADER, NULL},
    {"partition", 'p', 'r', PARTITION, NULL},
    {"responding", 'r', 0, RESPONDING, NULL},
    {"sort", 'S', 'r', OPT_IGNORE, NULL},
    {"states", 't', 'r', STATES, NULL},
    {"summarize", 's', 0, SUMMARIZE, NULL},
    {"verbose", 'v', 0, OPT_IGNORE, NULL},
};

/* Nodes that are shown in one line. */
struct group {
    const struct spartition *partition;
    const struct snode *first;
    struct hostlist *hosts;
    unsigned nodes, counts[4]; /* allocated, idle, other, all: nodes */
    unsigned cpus[4];
};

struct sinfo {
    struct slurm *s;
    struct snodes nodes;
    struct spartitions partitions;
    struct group *groups;
    size_t ngroups;
    const char *format, *partition, *states, *hosts;
    bool noheader, per_node, split, with_date;
};

/* --- fields -------------------------------------------------------------------------------- */

static void add_counts(struct strbuf *out, const unsigned n[4])
{
    strbuf_addf(out, "%u/%u/%u/%u", n[0], n[1], n[2], n[3]);
}

static void add_properties(struct strbuf *out, const struct snode *node)
{
    size_t n = node->properties ? json_object_array_length(node->properties) : 0;
    for (size_t i = 0; i < n; i++)
        strbuf_addf(
            out, "%s%s", i ? "," : "",
            json_object_get_string(json_object_array_get_idx(node->properties, i)));
    if (n == 0)
        strbuf_add(out, "(null)");
}

static void add_hosts(struct strbuf *out, const struct group *g)
{
    cleanup_free char *list = hostlist_encode(g->hosts);
    strbuf_add(out, list);
}

/* Whether nodes with other values of the field LETTER are in other lines. */
static bool splits(char letter)
{
    return strchr("cCeEfGHmntTuXYZz", letter) && letter != 'C';
}

static bool add_field(struct strbuf *out, char letter, const struct group *g)
{
    const struct snode *node = g->first;
    switch (letter) {
    case 'a':
        strbuf_add(out, g->partition->up ? "up" : "down");
        break;
    case 'A':
        strbuf_addf(out, "%u/%u", g->counts[0], g->counts[1]);
        break;
    case 'B':
    case 's':
        strbuf_add(out, letter == 's' ? "1-infinite" : "UNLIMITED");
        break;
    case 'c':
        strbuf_addf(out, "%u", node->cores);
        break;
    case 'C':
        add_counts(out, g->cpus);
        break;
    case 'd':
        strbuf_add(out, "0");
        break;
    case 'D':
        strbuf_addf(out, "%u", g->nodes);
        break;
    case 'e':
    case 'm':
        strbuf_addf(out, "%lu", nodes_memory());
        break;
    case 'E':
        strbuf_add(out, node->reason ? node->reason : "none");
        break;
    case 'f':
    case 'b':
        add_properties(out, node);
        break;
    case 'F':
        add_counts(out, g->counts);
        break;
    case 'g':
        strbuf_add(out, "all");
        break;
    case 'G':
        if (node->gpus)
            strbuf_addf(out, "gpu:%u", node->gpus);
        else
            strbuf_add(out, "(null)");
        break;
    case 'h':
        strbuf_add(out, "NO");
        break;
    case 'H':
        strbuf_add(out, "Unknown");
        break;
    case 'l':
        if (g->partition->limit > 0)
            form_duration(out, g->partition->limit, true);
        else
            strbuf_add(out, "infinite");
        break;
    case 'M':
        strbuf_add(out, "OFF");
        break;
    case 'S':
        strbuf_add(out, "all");
        break;
    case 'v':
        strbuf_add(out, "22.05.8");
        break;
    case 'V':
        strbuf_add(out, "N/A");
        break;
    case 'L':
        strbuf_add(out, "n/a");
        break;
    case 'n':
    case 'N':
    case 'o':
        add_hosts(out, g);
        break;
    case 'O':
        strbuf_add(out, "N/A");
        break;
    case 'p':
    case 'w':
        strbuf_add(out, "1");
        break;
    case 'P':
        strbuf_addf(out, "%s%s", g->partition->name, g->partition->is_default ? "*" : "");
        break;
    case 'r':
        strbuf_add(out, "no");
        break;
    case 'R':
        strbuf_add(out, g->partition->name);
        break;
    case 't':
        strbuf_add(out, nstate_name(node->state, true));
        break;
    case 'T': {
        const char *name = nstate_name(node->state, false);
        for (; *name; name++)
            strbuf_addc(out, (char)tolower((unsigned char)*name));
        break;
    }
    case 'u':
    case 'U':
        strbuf_add(out, "Unknown");
        break;
    case 'I':
    case 'X':
    case 'Z':
        strbuf_add(out, "1");
        break;
    case 'Y':
        strbuf_addf(out, "%u", node->cores);
        break;
    case 'z':
        strbuf_addf(out, "1:%u:1", node->cores);
        break;
    default:
        return false;
    }
    return true;
}

static const struct {
    char letter;
    const char *title, *name; /* name: of --Format, or NULL */
} titles[] = {
    {'a', "AVAIL", "available"},
    {'A', "NODES(A/I)", "nodeai"},
    {'b', "ACTIVE_FEATURES", "features_act"},
    {'B', "MAX_CPUS_PER_NODE", "maxcpuspernode"},
    {'c', "CPUS", "cpus"},
    {'C', "CPUS(A/I/O/T)", "cpusstate"},
    {'d', "TMP_DISK", "disk"},
    {'D', "NODES", "nodes"},
    {'e', "FREE_MEM", "freemem"},
    {'E', "REASON", "reason"},
    {'f', "AVAIL_FEATURES", "features"},
    {'F', "NODES(A/I/O/T)", "nodeaiot"},
    {'g', "GROUPS", "groups"},
    {'G', "GRES", "gres"},
    {'h', "OVERSUBSCRIBE", "oversubscribe"},
    {'H', "TIMESTAMP", "timestamp"},
    {'I', "PRIO_JOB_FACTOR", "priorityjobfactor"},
    {'l', "TIMELIMIT", "time"},
    {'L', "DEFAULTTIME", "defaulttime"},
    {'m', "MEMORY", "memory"},
    {'M', "PREEMPT_MODE", "preemptmode"},
    {'n', "HOSTNAMES", "nodehost"},
    {'N', "NODELIST", "nodelist"},
    {'o', "NODE_ADDR", "nodeaddr"},
    {'O', "CPU_LOAD", "cpusload"},
    {'p', "PRIO_TIER", "prioritytier"},
    {'P', "PARTITION", "partition"},
    {'r', "ROOT", "root"},
    {'R', "PARTITION", "partitionname"},
    {'s', "JOB_SIZE", "size"},
    {'S', "ALLOCNODES", "allocnodes"},
    {'t', "STATE", "statecompact"},
    {'T', "STATE", "statelong"},
    {'u', "USER", "user"},
    {'U', "USER", "userlong"},
    {'v', "VERSION", "version"},
    {'V', "CLUSTER", "cluster"},
    {'w', "WEIGHT", "weight"},
    {'X', "SOCKETS", "sockets"},
    {'Y', "CORES", "cores"},
    {'z', "S:C:T", "socketcorethread"},
    {'Z', "THREADS", "threads"},
};

static const char *title_of(char letter)
{
    for (size_t i = 0; i < ARRAY_SIZE(titles); i++)
        if (titles[i].letter == letter)
            return titles[i].title;
    return NULL;
}

/* "nodelist:20,statecompact" as "%20N %20t". */
static char *from_names(const struct slurm *s, const char *text)
{
    struct strbuf out = {0};
    for (const char *p = text; *p; p += *p == ',') {
        size_t n = strcspn(p, ","), len = strcspn(p, ",:"), i = 0;
        while (i < ARRAY_SIZE(titles) && (strlen(titles[i].name) != len ||
                                          strncasecmp(titles[i].name, p, len) != 0))
            i++;
        if (i == ARRAY_SIZE(titles)) {
            slurm_error(s, "Invalid job format specification: %.*s", (int)len, p);
            p += n;
            continue;
        }
        const char *width = len < n ? p + len + 1 : "20";
        bool right = *width == '.';
        strbuf_addf(&out, "%%%s%d%c", right ? "." : "", form_width(width + right, NULL),
                    titles[i].letter);
        p += n;
    }
    return strbuf_take(&out);
}

/* --- lines --------------------------------------------------------------------------------- */

static void print_line(const struct sinfo *si, const struct group *g)
{
    for (const char *p = si->format; *p; p++) {
        if (*p != '%') {
            putchar(*p);
            continue;
        }
        cleanup_strbuf struct strbuf text = {0};
        char *end = (char *)(uintptr_t)p + 1;
        bool right = *end == '.';
        int width = 0;
        end += right;
        if (*end == '#') { /* as wide as it must be */
            width = (int)strlen("PARTITION");
            end++;
            for (size_t i = 0; *end == 'N' && i < si->nodes.n; i++)
                width = MAX(width, (int)strlen(si->nodes.v[i].host));
        } else {
            width = form_width(end, &end);
        }
        if (!title_of(*end)) { /* told by check_format */
            printf("%.*s", (int)(end - p) + (*end != '\0'), p);
            p = *end ? end : end - 1;
            continue;
        }
        if (!g)
            strbuf_add(&text, title_of(*end));
        else
            add_field(&text, *end, g);
        int precision = width > 0 && p[1 + right] != '#' ? width : -1;
        printf(right ? "%*.*s" : "%-*.*s", width, precision, text.s ? text.s : "");
        p = end;
    }
    putchar('\n');
}

/* As Slurm: what is not known is told, and stands there as it is. */
static void check_format(const struct sinfo *si)
{
    for (const char *p = strchr(si->format, '%'); p; p = strchr(p, '%')) {
        p += 1 + strspn(p + 1, ".#0123456789");
        if (!title_of(*p))
            fprintf(stderr, "Invalid node format specification: %.1s\n", *p ? p : "%");
        p += *p != '\0';
    }
}

static bool alike(const struct sinfo *si, const struct snode *a, const struct snode *b)
{
    if (si->per_node)
        return false;
    for (const char *p = si->format; *p; p++) {
        if (*p != '%')
            continue;
        p += 1 + strspn(p + 1, ".#0123456789");
        if (!splits(*p))
            continue;
        const struct group x = {.partition = si->partitions.v,
                                .first = a,
                                .hosts = hostlist_create()},
                           y = {.partition = si->partitions.v,
                                .first = b,
                                .hosts = hostlist_create()};
        cleanup_strbuf struct strbuf s = {0}, t = {0};
        if (*p == 'n') {
            strbuf_add(&s, a->host);
            strbuf_add(&t, b->host);
        } else {
            add_field(&s, *p, &x);
            add_field(&t, *p, &y);
        }
        hostlist_destroy(x.hosts);
        hostlist_destroy(y.hosts);
        if (strcmp(s.s ? s.s : "", t.s ? t.s : "") != 0)
            return false;
    }
    return true;
}

static bool in_states(const char *list, enum nstate state)
{
    static const struct {
        const char *name;
        unsigned mask;
    } names[] = {
        {"idle", 1U << N_IDLE},
        {"alloc", 1U << N_ALLOCATED | 1U << N_MIXED},
        {"allocated", 1U << N_ALLOCATED | 1U << N_MIXED},
        {"mix", 1U << N_MIXED},
        {"mixed", 1U << N_MIXED},
        {"drain", 1U << N_DRAINED | 1U << N_DRAINING},
        {"drained", 1U << N_DRAINED},
        {"draining", 1U << N_DRAINING},
        {"drng", 1U << N_DRAINING},
        {"down", 1U << N_DOWN},
        {"responding", ~(1U << N_DOWN)},
        {"all", ~0U},
    };
    for (const char *p = list; *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
            if (strlen(names[i].name) == n && strncasecmp(names[i].name, p, n) == 0 &&
                names[i].mask & 1U << state)
                return true;
        p += n;
    }
    return false;
}

static void add_node(struct sinfo *si, const struct spartition *partition,
                     const struct snode *node)
{
    size_t i = 0;
    while (i < si->ngroups && (si->groups[i].partition != partition ||
                               !alike(si, si->groups[i].first, node)))
        i++;
    if (i == si->ngroups) {
        si->groups = xrealloc(si->groups, (si->ngroups + 1) * sizeof(*si->groups));
        si->groups[si->ngroups++] = (struct group){
            .partition = partition, .first = node, .hosts = hostlist_create()};
    }
    struct group *g = &si->groups[i];
    bool up = node->state <= N_ALLOCATED,
         busy = node->state == N_MIXED || node->state == N_ALLOCATED;
    g->nodes++;
    g->counts[busy ? 0 : up ? 1 : 2]++;
    g->counts[3]++;
    g->cpus[0] += node->used;
    g->cpus[up ? 1 : 2] += node->cores - node->used;
    g->cpus[3] += node->cores;
    hostlist_append_name(g->hosts, node->host);
}

static void gather(struct sinfo *si)
{
    struct error err;
    struct hostlist *wanted = si->hosts ? hostlist_decode(si->hosts, &err) : NULL;
    if (si->hosts && !wanted)
        slurm_die(si->s, "--nodes: %s", err.text);
    for (size_t k = 0; k < si->partitions.n; k++) {
        const struct spartition *p = &si->partitions.v[k];
        for (size_t i = 0; i < si->nodes.n; i++) {
            const struct snode *node = &si->nodes.v[i];
            if ((!si->states || in_states(si->states, node->state)) &&
                (!wanted || hostlist_find(wanted, node->host) >= 0) &&
                (!si->partition || slurm_listed(si->partition, p->name)) &&
                partition_has(p, node))
                add_node(si, p, node);
        }
    }
    hostlist_destroy(wanted);
}

int cmd_sinfo(struct slurm *s, int argc, char **argv)
{
    struct sinfo si = {.s = s};
    struct sparse p;
    bool is_long = false, summary = false, reasons = false;
    cleanup_free char *made = NULL;
    const char *given = getenv("SINFO_FORMAT");
    sparse_init(&p, s, opts, ARRAY_SIZE(opts), argc, argv, false);
    for (const struct sopt *o; (o = sparse_next(&p));) {
        switch (o->id) {
        case FORMAT:
            given = p.value;
            break;
        case FORMAT_LONG:
            free(made);
            given = made = from_names(s, p.value);
            break;
        case NODE:
            si.per_node = true;
            break;
        case NODES:
            si.hosts = p.value;
            break;
        case NOHEADER:
            si.noheader = true;
            break;
        case PARTITION:
            si.partition = p.value;
            break;
        case RESPONDING:
            si.states = "responding";
            break;
        case STATES:
            si.states = o->to ? o->to : p.value;
            break;
        default:
            is_long |= o->id == LONG;
            summary |= o->id == SUMMARIZE;
            reasons |= o->id == REASONS;
        }
    }
    if (p.first < argc)
        slurm_die(s, "Unrecognized argument: %s", argv[p.first]);
    if (reasons && !si.states)
        si.states = "drain,down";
    si.format = given     ? given
                : reasons ? "%20E %9u %19H %N"
                : summary ? "%#P %.5a %.10l %.16F %N"
                : si.per_node && is_long
                    ? "%#N %.6D %.#P %.11T %4c %.8z %.6m %.8d %.6w %.8f %20E"
                : si.per_node ? "%#N %.6D %.#P %6t"
                : is_long     ? "%#P %.5a %.10l %.10s %.4r %.8h %.10g %.6D %.11T %N"
                              : "%#P %.5a %.10l %.6D %.6t %N";
    check_format(&si);
    nodes_fetch(s, &si.nodes);
    partitions_fetch(s, &si.partitions);
    gather(&si);
    if (is_long && !given) {
        char date[64];
        time_t t = time(NULL);
        strftime(date, sizeof(date), "%a %b %d %H:%M:%S %Y", localtime(&t));
        puts(date);
    }
    if (!si.noheader)
        print_line(&si, NULL);
    for (size_t i = 0; i < si.ngroups; i++) {
        print_line(&si, &si.groups[i]);
        hostlist_destroy(si.groups[i].hosts);
    }
    free(si.groups);
    partitions_fini(&si.partitions);
    nodes_fini(&si.nodes);
    return 0;
}
