/* SPDX-License-Identifier: BSD-3-Clause */
/* Several programs in one job: as the option apps if their slots are alike, else as entries of tasks. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include "src/common/bytes.h"
#include "src/common/util.h"
#include "src/lib/build.h"
#include "src/lib/envrules.h"

/* A program with all that it does not say itself. */
struct program {
    json_object *command, *env_rules;
    const char *cwd;
    unsigned ntasks, cores, gpus;
    uint64_t mem_per_core;
};

/* The Ith, of which the first is the job's own. */
static struct program program_of(const struct hbatch_jobspec *b, size_t i)
{
    struct program p = {.command = b->command,
                        .ntasks = b->have_ntasks ? b->ntasks : 1,
                        .cores = b->have_cores_per_task ? b->cores_per_task : 1,
                        .gpus = b->have_gpus_per_task ? b->gpus_per_task : 0,
                        .mem_per_core = b->mem_per_core};
    if (i == 0)
        return p;
    const struct build_program *own = &b->programs[i - 1];
    p.command = own->command;
    p.env_rules = own->env_rules;
    p.cwd = own->cwd;
    p.ntasks = own->ntasks;
    if (own->have_cores)
        p.cores = own->cores;
    if (own->have_gpus)
        p.gpus = own->gpus;
    if (own->have_mem)
        p.mem_per_core = own->mem_per_core;
    return p;
}

bool build_programs_differ(const struct hbatch_jobspec *b)
{
    struct program first = program_of(b, 0);
    for (size_t i = 1; i <= b->nprograms; i++) {
        struct program p = program_of(b, i);
        if (p.cores != first.cores || p.gpus != first.gpus ||
            p.mem_per_core != first.mem_per_core)
            return true;
    }
    return false;
}

/* --- what they have of their own ------------------------------------------------------------- */

static int add_own(const struct program *p, const struct build_env *env, json_object *o,
                   struct error *err)
{
    if (p->cwd)
        json_object_object_add(o, "cwd", json_object_new_string(p->cwd));
    if (!p->env_rules)
        return 0;
    struct envrules e;
    envrules_init_json(&e, env->variables, env->expand);
    int rc = build_apply_rules(&e, p->env_rules, err);
    json_object_object_foreach(env->variables, name, value)
    {
        (void)value;
        if (!json_object_object_get_ex(e.env, name, NULL))
            json_object_object_add(e.env, name, NULL); /* it is to have none */
    }
    json_object_object_add(o, "environment", json_object_get(e.env));
    if (env->expand || json_object_object_length(e.expand))
        json_object_object_add(o, "env-expand", json_object_get(e.expand));
    envrules_fini(&e);
    return rc;
}

json_object *build_programs_apps(const struct hbatch_jobspec *b,
                                 const struct build_env *env, unsigned *ntasks,
                                 struct error *err)
{
    json_object *apps = json_object_new_array();
    uint64_t all = 0;
    for (size_t i = 0; i <= b->nprograms; i++) {
        struct program p = program_of(b, i);
        json_object *app = json_object_new_object();
        json_object_array_add(apps, app);
        json_object_object_add(app, "command", json_object_get(p.command));
        json_object_object_add(app, "ntasks", json_object_new_int64(p.ntasks));
        all += p.ntasks;
        if (all > INT_MAX)
            error_set(err, EINVAL,
                      "ntasks: the programs have more than %d tasks together", INT_MAX);
        if (all > INT_MAX || add_own(&p, env, app, err) < 0) {
            json_object_put(apps);
            return NULL;
        }
    }
    *ntasks = (unsigned)all;
    return apps;
}

/* --- slots of their own ------------------------------------------------------------------------ */

static int check(const struct hbatch_jobspec *b, struct error *err)
{
    if (b->resources)
        return error_set(err, EINVAL,
                         "resources says all: programs that ask for different things say "
                         "it with ntasks, "
                         "cores-per-task and gpus-per-task");
    if (b->have_cores || b->have_tasks_per_node || b->have_tasks_per_core ||
        b->have_gpus_per_node)
        return error_set(err, EINVAL,
                         "cores, tasks-per-node, tasks-per-core and gpus-per-node cannot "
                         "be used where "
                         "programs ask for different things: they say it with ntasks, "
                         "cores-per-task and "
                         "gpus-per-task");
    if (b->have_nodes && b->nodes.min != b->nodes.max)
        return error_set(err, EINVAL,
                         "nodes: must be a number, not a range, where programs ask for "
                         "different things");
    if (b->exclusive && !b->have_nodes)
        return error_set(err, EINVAL, "exclusive can only be set together with nodes");
    if (b->contiguous && !b->have_nodes)
        return error_set(err, EINVAL,
                         "contiguous can only be set together with nodes where programs "
                         "ask for different "
                         "things");
    if (b->mem && b->mem_per_core)
        return error_set(err, EINVAL, "mem and mem-per-core cannot be used together");
    return 0;
}

json_object *build_programs_resources(const struct hbatch_jobspec *b, struct error *err)
{
    if (check(b, err) < 0)
        return NULL;
    json_object *slots = json_object_new_array();
    for (size_t i = 0; i <= b->nprograms; i++) {
        struct program p = program_of(b, i);
        unsigned nodes = b->have_nodes ? b->nodes.min : 1;
        char label[32];
        if (p.ntasks % nodes)
            error_set(err, EINVAL,
                      "the %u task%s of program %zu cannot be divided evenly among %u "
                      "nodes, as must be where "
                      "programs ask for different things: without nodes, they go where "
                      "there is room",
                      p.ntasks, p.ntasks == 1 ? "" : "s", i + 1, nodes);
        else if (p.mem_per_core > BYTES_MAX / p.cores)
            error_set(err, EINVAL,
                      "mem-per-core: %s for each of %u cores is more than there can be",
                      bytes_encode(p.mem_per_core).s, p.cores);
        if (p.ntasks % nodes || p.mem_per_core > BYTES_MAX / p.cores) {
            json_object_put(slots);
            return NULL;
        }
        snprintf(label, sizeof(label), "task%zu", i);
        json_object_array_add(slots, build_slot(label, p.ntasks / nodes, p.cores, p.gpus,
                                                p.mem_per_core * p.cores));
    }
    if (!b->have_nodes && b->mem)
        json_object_array_add(slots, build_memory(b->mem));
    return b->have_nodes ? build_nodes(b, b->exclusive, slots) : slots;
}

static json_object *make_task(const struct program *p, size_t i,
                              const struct build_env *env, struct error *err)
{
    json_object *task = json_object_new_object(), *count = json_object_new_object();
    json_object *own = json_object_new_object();
    char label[32];
    snprintf(label, sizeof(label), "task%zu", i);
    json_object_object_add(count, "per_slot", json_object_new_int(1));
    json_object_object_add(task, "command", json_object_get(p->command));
    json_object_object_add(task, "slot", json_object_new_string(label));
    json_object_object_add(task, "count", count);
    int rc = add_own(p, env, own, err);
    if (json_object_object_length(own) > 0)
        json_object_object_add(task, "attributes", own);
    else
        json_object_put(own);
    if (rc == 0)
        return task;
    json_object_put(task);
    return NULL;
}

json_object *build_programs_tasks(const struct hbatch_jobspec *b,
                                  const struct build_env *env, struct error *err)
{
    json_object *tasks = json_object_new_array();
    for (size_t i = 0; i <= b->nprograms; i++) {
        struct program p = program_of(b, i);
        json_object *task = make_task(&p, i, env, err);
        if (!task) {
            json_object_put(tasks);
            return NULL;
        }
        json_object_array_add(tasks, task);
    }
    return tasks;
}
