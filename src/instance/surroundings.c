/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/surroundings.h"

#include <string.h>
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/foreign/foreign.h"

/* An mpirun inside Slurm may have been started by srun, and then leaves srun's variables: what
 * is nearer goes first. */
struct launched surroundings_launcher(void)
{
    static const struct {
        const char *rank, *size;
        const char *with; /* tells those apart that use the same names; or NULL */
        bool by_srun;
    } launchers[] = {
        {"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", NULL, false},
        {"PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS", false}, /* hydra */
        {"PMI_RANK", "PMI_SIZE", "SLURM_STEP_NUM_TASKS", true},
        {"PMI_RANK", "PMI_SIZE", NULL, false},
        {"PMIX_RANK", "SLURM_STEP_NUM_TASKS", NULL, true},
    };
    for (size_t i = 0; i < ARRAY_SIZE(launchers); i++) {
        const char *rank = getenv(launchers[i].rank), *size = getenv(launchers[i].size);
        if (!rank || !size || (launchers[i].with && !getenv(launchers[i].with)))
            continue;
        return (struct launched){.launched = true,
                                 .by_srun = launchers[i].by_srun,
                                 .rank = (unsigned)strtoul(rank, NULL, 10),
                                 .size = (unsigned)strtoul(size, NULL, 10)};
    }
    return (struct launched){.size = 1};
}

/* hbatch start has looked already, and says so by options; a plain mpirun or srun did not. */
static double look(json_object *info, double now)
{
    struct error err;
    struct foreign *f = foreign_find(&(struct foreign_options){NULL, NULL, NULL}, &err);
    if (!f)
        return 0;
    foreign_find_end(f);
    double end = foreign_deadline(f, now);
    json_object_object_add(info, "foreign", json_object_new_string(f->kind->name));
    if (*f->id)
        json_object_object_add(info, "foreign_id", json_object_new_string(f->id));
    if (foreign_is_batch(f->kind) && end <= 0)
        log_info("the end of %s %s is not known: %s", f->kind->title, f->id,
                 f->end_source ? f->end_source : "");
    foreign_destroy(f);
    return end;
}

static double earliest(double a, double b)
{
    return a > 0 && b > 0 ? MIN(a, b) : MAX(a, b);
}

void surroundings_describe(const struct options *o, json_object *info, double now)
{
    double end = o->expiration;
    if (!o->foreign)
        end = earliest(end, look(info, now));
    else {
        cleanup_free char *name = xstrndup(o->foreign, strcspn(o->foreign, ":"));
        const char *id = strchr(o->foreign, ':');
        json_object_object_add(info, "foreign", json_object_new_string(name));
        if (id && id[1])
            json_object_object_add(info, "foreign_id", json_object_new_string(id + 1));
    }
    if (o->time_limit > 0)
        end = earliest(end, now + o->time_limit);
    json_object_object_add(info, "expiration", json_object_new_double(end));
}
