/* SPDX-License-Identifier: BSD-3-Clause */
/* Several ranks by mpirun: one on each host of the allocation, or virtual nodes here. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "config.h"
#include "src/cli/diagnose.h"
#include "src/cli/launcher.h"
#include "src/cli/noise.h"
#include "src/cli/supervise.h"
#include "src/common/path.h"
#include "src/common/room.h"
#include "src/foreign/query.h"

struct flavour {
    const char *name;
    const char *programs[3];
    const char *package;
    void (*options)(const struct start *s, struct words *w, unsigned nhosts);
    bool hides_status; /* its exit code is not the program's (noise.h) */
};

static char *comma_list(const struct hostlist *hl)
{
    struct strbuf all = {0};
    for (size_t i = 0; i < hostlist_count(hl); i++) {
        if (i)
            strbuf_addc(&all, ',');
        strbuf_add(&all, hostlist_nth(hl, i));
    }
    return strbuf_take(&all);
}

static bool is_named(const char *path, const char *name)
{
    return path && strcmp(strrchr(path, '/') + 1, name) == 0;
}

/* pbsdsh is no ssh: what makes it one lies beside hbatch-instance. */
static char *agent_command(const struct start *s)
{
    char *agent = foreign_agent(s->alloc);
    if (!is_named(agent, "pbsdsh"))
        return agent;
    free(agent);
    return path_find_sibling("hbatch-pbsdsh", NULL);
}

static void add_mca(struct words *w, const char *name, const char *value)
{
    words_add(w, "--mca");
    words_add(w, "%s", name);
    words_add(w, "%s", value);
}

/* What mpirun starts its daemons with.  Open MPI knows Slurm and Grid Engine by itself, LSF and
 * PBS if it was built with their libraries: then it does not look at these.  A qrsh that it was
 * told of is any agent to it: its daemons would go into the background, where Grid Engine takes
 * them for ended and neither counts nor kills them. */
static void openmpi_agent(const struct start *s, struct words *w)
{
    cleanup_free char *agent = agent_command(s);
    if (is_named(agent, "qrsh"))
        return;
    if (agent)
        add_mca(w, "plm_rsh_agent", agent);
    else if (strcmp(s->alloc->kind->name, "hosts") == 0 &&
             !getenv("OMPI_MCA_plm_rsh_agent") && !getenv("OMPI_MCA_plm_rsh_args"))
        add_mca(w, "plm_rsh_args", "-o ConnectTimeout=15"); /* of ssh: else minutes */
    if (strcmp(s->alloc->kind->name, "slurm") == 0 && !getenv("OMPI_MCA_plm_slurm_args"))
        /* else Slurm itself ends all with a node that is lost */
        add_mca(w, "plm_slurm_args", "--no-kill --kill-on-bad-exit=0");
    if (agent) /* only where the allocation began may it be used */
        add_mca(w, "plm_rsh_no_tree_spawn", "1");
}

/* Settings of ranks and executors that all hosts need alike. */
static void export_settings(struct words *w)
{
    static const char *const names[] = {"HBATCH_LOSS_TIMEOUT",
                                        "HBATCH_EXEC_ORPHAN_TIMEOUT"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (!getenv(names[i]))
            continue;
        words_add(w, "-x");
        words_add(w, "%s", names[i]);
    }
}

static void openmpi_options(const struct start *s, struct words *w, unsigned nhosts)
{
    if (nhosts) {
        cleanup_free char *list = comma_list(s->alloc->hosts);
        words_add(w, "--host");
        words_add(w, "%s", list);
    }
    words_add(w, "--bind-to");
    words_add(w, "none");
    /* Else a rank that dies takes all others along. */
    words_add(w, "--enable-recovery");
    if (geteuid() == 0)
        words_add(w, "--allow-run-as-root");
    if (!nhosts) {
        words_add(w, "--oversubscribe");
        words_add(w, "-n");
        words_add(w, "%u", s->test_nodes ? s->test_nodes : 1);
        return;
    }
    words_add(w, "-N");
    words_add(w, "1");
    export_settings(w);
    openmpi_agent(s, w);
    /* Else a host without power is noticed after minutes. */
    add_mca(w, "oob_tcp_keepalive_time", "2");
    add_mca(w, "oob_tcp_keepalive_intvl", "1");
    add_mca(w, "oob_tcp_keepalive_probes", "3");
}

static void mpich_options(const struct start *s, struct words *w, unsigned nhosts)
{
    if (nhosts) {
        cleanup_free char *list = comma_list(s->alloc->hosts);
        cleanup_free char *agent = agent_command(s);
        words_add(w, "-hosts");
        words_add(w, "%s", list);
        if (s->alloc->kind->hydra) {
            words_add(w, "-launcher");
            words_add(w, "%s", s->alloc->kind->hydra);
        } else if (agent) {
            words_add(w, "-launcher");
            words_add(w, "ssh");
            words_add(w, "-launcher-exec");
            words_add(w, "%s", agent);
        }
    }
    words_add(w, "-n");
    words_add(w, "%u", nhosts ? nhosts : s->test_nodes ? s->test_nodes : 1);
    if (nhosts) {
        words_add(w, "-ppn");
        words_add(w, "1");
    }
}

static const struct flavour flavours[] = {
    {"openmpi",
     {"mpirun.openmpi", "mpirun", "orterun"},
     "openmpi-bin",
     openmpi_options,
     true},
    {"mpich",
     {"mpiexec.hydra", "mpiexec.mpich", "mpiexec"},
     "mpich",
     mpich_options,
     false},
};

static const struct flavour *our_flavour(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(flavours); i++) {
        if (strcmp(flavours[i].name, MPI_FLAVOUR) == 0)
            return &flavours[i];
    }
    return &flavours[0];
}

static const char *find_mpirun(const struct start *s, const struct flavour *f)
{
    if (s->mpirun)
        return s->mpirun;
    for (size_t i = 0; i < ARRAY_SIZE(f->programs); i++) {
        if (query_in_path(f->programs[i]))
            return f->programs[i];
    }
    bool slurm = strcmp(s->alloc->kind->name, "slurm") == 0;
    cli_die(
        s->cli,
        "found none of %s, %s, %s in PATH: more than one node needs the mpirun of the "
        "MPI that hbatch was built with (%s); load its environment module, install the "
        "Debian package %s, or name it with --mpirun=PATH%s",
        f->programs[0], f->programs[1], f->programs[2], f->name, f->package,
        slurm ? "; or use --launcher=srun" : "");
}

static bool usable(const struct start *s)
{
    (void)s;
    return true;
}

static void command(const struct start *s, struct words *w)
{
    const struct flavour *f = our_flavour();
    words_add(w, "%s", find_mpirun(s, f));
    f->options(s, w, start_nhosts(s));
    for (size_t i = 0; i < s->mpi_args.n; i++)
        words_add(w, "%s", s->mpi_args.v[i]);
    struct start told = *s;
    told.tell_status = f->hides_status;
    start_instance(&told, w);
}

/* What mpirun itself would use; how a host is asked whether it is there (diagnose.h). */
static char *ask_command(const struct start *s)
{
    const char *chosen = getenv("OMPI_MCA_plm_rsh_agent");
    if (start_nhosts(s) == 0)
        return NULL;
    if (strcmp(s->alloc->kind->name, "slurm") == 0)
        return xstrdup("srun --nodelist=%h -N1 -n1 --overlap true");
    cleanup_free char *agent = agent_command(s);
    if (is_named(agent, "qrsh"))
        return xasprintf("%s -inherit -nostdin %%h true", agent);
    if (agent || chosen)
        return xasprintf("%s %%h true", agent ? agent : chosen);
    return xstrdup("ssh -o BatchMode=yes -o ConnectTimeout=8 %h true");
}

/* mpirun would tell it on a page. */
static int check_surroundings(const struct start *s, const char *ask, struct error *err)
{
    if (room_check_tmpdir(err) < 0)
        return -1;
    bool sure = ask && !foreign_is_here(s->alloc) && !getenv("OMPI_MCA_plm");
    return sure ? diagnose_agent(ask, err) : 0;
}

/* Tell, host by host, what is wrong; how many. */
static size_t diagnose(const struct start *s)
{
    cleanup_free char *ask = ask_command(s);
    const char *mpirun = find_mpirun(s, our_flavour());
    bool by_path = strcmp(our_flavour()->name, "openmpi") == 0 && *mpirun != '/';
    if (!ask || strcmp(s->alloc->kind->name, "slurm") == 0) /* srun tells by itself */
        return 0;
    return diagnose_hosts(stderr, s->alloc->hosts, ask, s->instance,
                          by_path ? "orted" : NULL);
}

/* Whether hbatch start goes on beside mpirun: it has to be on one of the nodes, for the program's
 * sake, and MPICH's ranks all end with one. */
static bool is_supervised(const struct start *s)
{
    return strcmp(our_flavour()->name, "openmpi") == 0 &&
           (start_nhosts(s) == 0 || foreign_has_this(s->alloc));
}

/* Grid Engine ends the whole job when a qrsh -inherit is killed. */
static const char *spared(const struct start *s)
{
    return strcmp(s->alloc->kind->name, "sge") == 0 ? "qrsh" : NULL;
}

static int run(const struct start *s, char *const *argv, struct error *err)
{
    char *kept = NULL;
    bool told = false, failed;
    int rc;
    cleanup_free char *ask = ask_command(s);
    if (check_surroundings(s, ask, err) < 0)
        return -1;
    if (is_supervised(s)) {
        struct supervise config = {.start = s,
                                   .command = command,
                                   .ask = ask,
                                   .diagnose = diagnose,
                                   .spare = spared(s),
                                   .hosts = start_nhosts(s) > 0};
        rc = supervise(&config, err);
        failed = config.failed;
        kept = config.kept;
    } else {
        rc = noise_run(argv, &told, &kept, err);
        failed = !told;
        if (rc == 0 && !told && our_flavour()->hides_status)
            rc = 1; /* the leader ended without a word */
    }
    /* what mpirun has to say is for those who know it well */
    if (rc > 0 && failed && diagnose(s) == 0 && kept)
        fputs(kept, stderr);
    free(kept);
    return rc;
}

const struct launcher launch_mpirun = {"mpirun", usable, NULL, command, run};
