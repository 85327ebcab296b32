/* SPDX-License-Identifier: BSD-3-Clause */
#include "config.h"
#include "src/instance/checks.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "src/common/hostlist.h"
#include "src/common/room.h"
#include "src/common/strbuf.h"
#include "src/common/util.h"
#include "src/job/jsonutil.h"

/* --- one rank ------------------------------------------------------------------------------ */

int checks_rundir(const char *dir, struct error *err)
{
    struct sockaddr_un sun;
    size_t most = sizeof(sun.sun_path) - sizeof("/exec-99999.sock");
    if (strlen(dir) > most)
        return error_set(
            err, ENAMETOOLONG,
            "the name of the run directory %s is too long for sockets in it: "
            "%zu bytes of at most %zu",
            dir, strlen(dir), most);
    return room_check(dir, "the run directory", "name another one with --rundir", err);
}

int checks_executor(pid_t pid, struct error *err)
{
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        info.si_pid != pid)
        return 0;
    return error_set(err, ECHILD, "hbatch-exec could not start (%s %d)",
                     info.si_code == CLD_EXITED ? "exit code" : "signal", info.si_status);
}

/* --- all nodes ------------------------------------------------------------------------------ */

static const char *get(json_object *node, const char *key)
{
    const char *text = jsonutil_string(jsonutil_get(node, key));
    return text ? text : "";
}

/* The hosts of the nodes whose KEY is VALUE, as "n[1-3]"; the caller frees. */
static char *hosts_with(json_object *const *nodes, unsigned size, const char *key,
                        const char *value)
{
    struct hostlist *hl = hostlist_create();
    for (unsigned i = 0; i < size; i++)
        if (strcmp(get(nodes[i], key), value) == 0)
            hostlist_append_name(hl, get(nodes[i], "host"));
    hostlist_uniq(hl);
    char *text = hostlist_encode(hl);
    hostlist_destroy(hl);
    return text;
}

/* The first node whose KEY is that of node I: of few different ones. */
static unsigned find_first(json_object *const *nodes, unsigned i, const char *key)
{
    unsigned k = 0;
    while (strcmp(get(nodes[k], key), get(nodes[i], key)) != 0)
        k++;
    return k;
}

/* What ranks could not do, the same reason once. */
static int check_errors(json_object *const *nodes, unsigned size, struct error *err)
{
    cleanup_strbuf struct strbuf all = {0};
    for (unsigned i = 0; i < size; i++) {
        const char *why = get(nodes[i], "error");
        if (!*why || find_first(nodes, i, "error") < i)
            continue;
        cleanup_free char *hosts = hosts_with(nodes, size, "error", why);
        strbuf_addf(&all, "%son %s: %s", all.len ? "; " : "", hosts, why);
    }
    return all.len ? error_set(err, EIO, "%s", all.s) : 0;
}

static int check_versions(json_object *const *nodes, unsigned size, struct error *err)
{
    cleanup_strbuf struct strbuf all = {0};
    bool differ = false;
    for (unsigned i = 0; i < size; i++) {
        const char *version = get(nodes[i], "version");
        if (find_first(nodes, i, "version") < i)
            continue;
        cleanup_free char *hosts = hosts_with(nodes, size, "version", version);
        differ |= all.len > 0;
        strbuf_addf(&all, "%shbatch %s on %s", all.len ? ", " : "", version, hosts);
    }
    return differ ? error_set(err, EINVAL, "%s: install one version on all nodes", all.s)
                  : 0;
}

static const char *one_each(bool srun)
{
    if (srun)
        return "srun --ntasks-per-node=1";
    return strcmp(MPI_FLAVOUR, "mpich") == 0 ? "mpiexec -ppn 1" : "mpirun -N 1";
}

/* Two ranks on one machine would each give out all of its cores. */
static int check_hosts(json_object *const *nodes, unsigned size, bool srun,
                       struct error *err)
{
    cleanup_free const char **hosts = xcalloc(size, sizeof(*hosts));
    for (unsigned i = 0; i < size; i++) {
        unsigned k = 0;
        hosts[i] = get(nodes[i], "host");
        while (strcmp(hosts[k], hosts[i]) != 0)
            k++;
        if (k < i)
            return error_set(err, EINVAL,
                             "ranks %u and %u are both on %s: start one rank per node "
                             "(%s), or ask for "
                             "virtual nodes (--virtual)",
                             k, i, hosts[i], one_each(srun));
    }
    return 0;
}

int checks_nodes(json_object *const *nodes, unsigned size, bool srun, struct error *err)
{
    if (check_versions(nodes, size, err) < 0 || check_hosts(nodes, size, srun, err) < 0 ||
        check_errors(nodes, size, err) < 0)
        return -1;
    return 0;
}

/* --- clocks --------------------------------------------------------------------------------- */

void checks_set_clocks(json_object *const *nodes, unsigned size, unsigned leader,
                       char *const *times)
{
    for (unsigned i = 0; i < size; i++) {
        double ahead = strtod(times[i], NULL) - strtod(times[leader], NULL);
        if (!isfinite(ahead) || fabs(ahead) < CHECKS_SKEW_MIN)
            ahead = 0;
        json_object_object_add(nodes[i], "clock", json_object_new_double(ahead));
    }
}

double checks_clock(json_object *node)
{
    double ahead = 0;
    jsonutil_number(jsonutil_get(node, "clock"), &ahead);
    return ahead;
}

static void add_skew(struct strbuf *out, double ahead, bool first)
{
    double s = fabs(ahead);
    if (s < 120)
        strbuf_addf(out, "%.1f s", s);
    else if (s < 7200)
        strbuf_addf(out, "%.1f min", s / 60);
    else if (s < 2 * 86400.0)
        strbuf_addf(out, "%.1f h", s / 3600);
    else
        strbuf_addf(out, "%.1f days", s / 86400);
    strbuf_addf(out, ahead > 0 ? " ahead%s" : " behind", first ? " of" : "");
}

char *checks_skew(json_object *const *nodes, unsigned size, unsigned leader)
{
    enum { MAX_NAMED = 8 };
    struct strbuf all = {0};
    unsigned n = 0;
    for (unsigned i = 0; i < size; i++) {
        double ahead = checks_clock(nodes[i]);
        if (fabs(ahead) <= CHECKS_SKEW_WARN || ++n > MAX_NAMED)
            continue;
        strbuf_addf(&all, n > 1 ? ", of %s " : "the clock of %s is ",
                    get(nodes[i], "host"));
        add_skew(&all, ahead, n == 1);
        if (n == 1)
            strbuf_addf(&all, " that of %s", get(nodes[leader], "host"));
    }
    if (n > MAX_NAMED)
        strbuf_addf(&all, ", of %u more nodes, too", n - MAX_NAMED);
    if (n == 0)
        return NULL;
    strbuf_add(&all, ": synchronize them (NTP); hbatch corrects its own times, what "
                     "tasks see there stays off");
    return strbuf_take(&all);
}
