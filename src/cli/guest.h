/* SPDX-License-Identifier: BSD-3-Clause */
/* guest: the logs that Flux keeps of a job beside its own: of its execution (guest.exec.eventlog), and of its output
 * (guest.output, RFC 24).  They are made here from what is known of the job. */
#ifndef HBATCH_CLI_GUEST_H
#define HBATCH_CLI_GUEST_H

#include "src/cli/cli.h"

enum guest_log { GUEST_MAIN, GUEST_EXEC, GUEST_OUTPUT, GUEST_LOGS };

/* The log of a name or the end of one, "exec", "guest.output", "eventlog"; GUEST_LOGS: there is none. */
enum guest_log guest_find(const char *path);
/* The same; an unknown one is the end. */
enum guest_log guest_parse(const struct cli *cli, const char *option, const char *path);

typedef void (*guest_event_f)(void *arg, double time, const char *name,
                              const char *context);
/* What the log of its execution says when event NAME of job ID comes; asks for the job's task map. */
void guest_exec(struct cli *cli, uint64_t id, double time, const char *name,
                const char *context, guest_event_f fn, void *arg);
/* The same for events that come in a stream, in whose callbacks nothing can be asked for: they are put aside there,
 * and told after it. */
struct guest_queue {
    struct guest_event {
        double time;
        char *name, *context;
    } * v;
    size_t n;
};
void guest_put_aside(struct guest_queue *q, double time, const char *name,
                     const char *context);
void guest_tell(struct guest_queue *q, struct cli *cli, uint64_t id, guest_event_f fn,
                void *arg);
/* All of the log of its output; FOLLOW: until the job has ended, else what there is. */
void guest_output(struct cli *cli, uint64_t id, bool follow, guest_event_f fn, void *arg);

#endif
