/* SPDX-License-Identifier: BSD-3-Clause */
/* Several ranks by mpirun: one on each of the hosts that were named, or virtual nodes here. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "config.h"
#include "src/cli/launcher.h"
#include "src/cli/noise.h"
#include "src/common/hostlist.h"

struct flavour {
    const char *name;
    const char *programs[3];
    void (*options)(const struct start *s, struct words *w, unsigned nhosts);
};

/* Each host once, in the order in which they were named: the first one leads. */
static struct hostlist *once(struct hostlist *hl)
{
    struct hostlist *result = hostlist_create();
    for (size_t i = 0; i < hostlist_count(hl); i++)
        if (hostlist_find(hl, hostlist_nth(hl, i)) == (ptrdiff_t)i)
            hostlist_append_name(result, hostlist_nth(hl, i));
    hostlist_destroy(hl);
    return result;
}

static struct hostlist *host_list(const struct start *s)
{
    struct error err;
    struct hostlist *hl;
    if (s->hosts) {
        hl = hostlist_decode(s->hosts, &err);
        if (!hl)
            cli_die(s->cli, "--hosts: %s", err.text);
        return once(hl);
    }
    cleanup_free char *text = read_file(s->hostfile, NULL);
    if (!text)
        cli_die(s->cli, "cannot read the host file %s: %s", s->hostfile, strerror(errno));
    hl = hostlist_create();
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        line += strspn(line, " \t\r");
        line[strcspn(line, " \t\r#")] =
            '\0'; /* what follows are slots: we want one a host */
        if (*line && hostlist_append(hl, line, &err) < 0)
            cli_die(s->cli, "--hostfile=%s: %s", s->hostfile, err.text);
    }
    if (hostlist_count(hl) == 0)
        cli_die(s->cli, "the host file %s names no host", s->hostfile);
    return once(hl);
}

static char *comma_list(const struct hostlist *hl)
{
    char *all = xstrdup("");
    for (size_t i = 0; i < hostlist_count(hl); i++) {
        char *more = xasprintf("%s%s%s", all, i ? "," : "", hostlist_nth(hl, i));
        free(all);
        all = more;
    }
    return all;
}

static void openmpi_options(const struct start *s, struct words *w, unsigned nhosts)
{
    words_add(w, "--bind-to");
    words_add(w, "none");
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
    /* Else a host without power is noticed after minutes. */
    static const char *const keepalive[][2] = {{"oob_tcp_keepalive_time", "2"},
                                               {"oob_tcp_keepalive_intvl", "1"},
                                               {"oob_tcp_keepalive_probes", "3"}};
    for (size_t i = 0; i < ARRAY_SIZE(keepalive); i++) {
        words_add(w, "--mca");
        words_add(w, "%s", keepalive[i][0]);
        words_add(w, "%s", keepalive[i][1]);
    }
}

static void mpich_options(const struct start *s, struct words *w, unsigned nhosts)
{
    words_add(w, "-n");
    words_add(w, "%u", nhosts ? nhosts : s->test_nodes ? s->test_nodes : 1);
    if (nhosts) {
        words_add(w, "-ppn");
        words_add(w, "1");
    }
}

static const struct flavour flavours[] = {
    {"openmpi", {"mpirun.openmpi", "mpirun", "orterun"}, openmpi_options},
    {"mpich", {"mpiexec.hydra", "mpiexec.mpich", "mpiexec"}, mpich_options},
};

static const struct flavour *our_flavour(void)
{
    for (size_t i = 0; i < ARRAY_SIZE(flavours); i++) {
        if (strcmp(flavours[i].name, MPI_FLAVOUR) == 0)
            return &flavours[i];
    }
    return &flavours[0];
}

static bool in_path(const char *program)
{
    const char *path = getenv("PATH");
    cleanup_free char *copy = xstrdup(path ? path : "/usr/local/bin:/usr/bin:/bin");
    char *save = NULL;
    for (char *dir = strtok_r(copy, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
        cleanup_free char *file = xasprintf("%s/%s", dir, program);
        if (access(file, X_OK) == 0)
            return true;
    }
    return false;
}

static const char *find_mpirun(const struct start *s, const struct flavour *f)
{
    if (s->mpirun)
        return s->mpirun;
    for (size_t i = 0; i < ARRAY_SIZE(f->programs); i++) {
        if (in_path(f->programs[i]))
            return f->programs[i];
    }
    cli_die(s->cli,
            "found none of %s, %s, %s in PATH: more than one node needs the mpirun of "
            "the MPI "
            "that hbatch was built with (%s); name it with --mpirun=PATH",
            f->programs[0], f->programs[1], f->programs[2], f->name);
}

static bool usable(const struct start *s)
{
    (void)s;
    return true;
}

static void command(const struct start *s, struct words *w)
{
    const struct flavour *f = our_flavour();
    struct hostlist *hl = s->hosts || s->hostfile ? host_list(s) : NULL;
    words_add(w, "%s", find_mpirun(s, f));
    if (hl) {
        cleanup_free char *list = comma_list(hl);
        words_add(w, f->options == openmpi_options ? "--host" : "-hosts");
        words_add(w, "%s", list);
    }
    f->options(s, w, hl ? (unsigned)hostlist_count(hl) : 0);
    hostlist_destroy(hl);
    for (size_t i = 0; i < s->mpi_args.n; i++)
        words_add(w, "%s", s->mpi_args.v[i]);
    start_instance(s, w);
}

const struct launcher launch_mpirun = {"mpirun", usable, command, noise_run};
