/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/front.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include "src/common/log.h"
#include "src/common/orphans.h"
#include "src/common/program.h"
#include "src/common/util.h"

static void leave(struct instance *in)
{
    if (in->leaving)
        return;
    in->leaving = true;
    uv_stop(&in->loop);
}

static void write_uri(const struct instance *in)
{
    FILE *f = fopen(in->options.uri_file, "we");
    if (!f || fprintf(f, "%s\n", in->uri) < 0 || fclose(f) != 0)
        log_error("cannot write %s: %s", in->options.uri_file, strerror(errno));
}

int front_home(const struct instance *in)
{
    if (!in->options.supervised)
        return -1;
    if (in->options.isvirtual)
        return 0;
    for (unsigned i = 0; i < in->size; i++) {
        json_object *host = json_object_object_get(in->nodes[i], "host");
        if (strcmp(json_object_get_string(host), in->options.supervised) == 0)
            return (int)i;
    }
    return -1;
}

/* It ran beside the rank that started it, and nobody knows how it ends. */
void front_lost(struct instance *in)
{
    in->status = 1;
    leader_finish(in->leader,
                  "the initial program was lost with the rank that it was started by");
}

void front_start(struct instance *in)
{
    struct error err;
    int home = front_home(in);
    if ((int)in->rank != MAX(home, 0))
        return;
    if (in->options.uri_file)
        write_uri(in);
    if (in->options.supervised)
        fprintf(stderr, "hbatch-instance: ready %s\n", home < 0 ? "remote" : in->uri);
    if (home >= 0 || in->options.no_program)
        return;
    if (in->options.recover) {
        front_lost(in);
        return;
    }
    const struct program_where where = {.uri = in->uri,
                                        .parent_uri = in->sub.uri,
                                        .level = (int)in->sub.level,
                                        .enclosing = in->sub.name,
                                        .tmpdir = in->sub.tmpdir};
    in->program = program_start(in->options.program, &where, &err);
    if (in->program > 0)
        return;
    log_error("%s", err.text);
    in->program = 0;
    in->status = err.code == ENOENT ? 127 : 126;
    leader_shutdown(in->leader, "the initial program could not be started");
}

void front_tell(struct instance *in, int signum)
{
    if (in->program <= 0)
        return;
    in->told_to_end = true;
    orphans_signal(in->program, signum);
}

/* Whether mpirun started us, which sends SIGKILL to its ranks a second after SIGTERM. */
bool front_in_a_hurry(const struct instance *in)
{
    return in->by_mpirun;
}

static void on_patience(uv_timer_t *h)
{
    struct instance *in = h->data;
    orphans_kill(1);
    leave(in);
}

/* The last thing: an initial program that was told to end is given time, then killed with all
 * that it started; one that ended by itself may leave processes behind. */
void front_leave(struct instance *in)
{
    if (!in->exec_gone)
        return;
    if (in->told_to_end && in->program > 0) {
        uv_timer_init(&in->loop, &in->patience);
        in->patience.data = in;
        uv_timer_start(&in->patience, on_patience,
                       front_in_a_hurry(in) && !leader_expired(in->leader) ? 100 : 5000,
                       0);
        return;
    }
    if (in->told_to_end)
        orphans_kill(1);
    leave(in);
}

void front_reap(struct instance *in)
{
    int status;
    if (in->program <= 0 || waitpid(in->program, &status, WNOHANG) != in->program)
        return;
    in->program = 0;
    program_ended();
    if (leader_expired(in->leader))
        in->status = EXIT_EXPIRED;
    else if (in->status == 0)
        in->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    leader_shutdown(in->leader, "the instance's program has ended");
    front_leave(in);
}
