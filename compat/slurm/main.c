/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands of Slurm, for an instance of hbatch: one program, which goes by the name it was called by. */
#include <stdio.h>
#include <string.h>
#include "compat/slurm/slurm.h"
#include "config.h"

static const struct {
    const char *name;
    int (*run)(struct slurm *s, int argc, char **argv);
} commands[] = {
    {"sbatch", cmd_sbatch},     {"srun", cmd_srun},       {"salloc", cmd_salloc},
    {"squeue", cmd_squeue},     {"scancel", cmd_scancel}, {"sacct", cmd_sacct},
    {"scontrol", cmd_scontrol}, {"sinfo", cmd_sinfo},     {"sacctmgr", cmd_sacctmgr},
    {"sstat", cmd_sstat},
};

int main(int argc, char **argv)
{
    const char *slash = strrchr(argv[0], '/'), *name = slash ? slash + 1 : argv[0];
    struct slurm s = {.me = name};
    if (argc > 1 && strcmp(argv[1], "--inside") == 0) {
        s.me = "slurm_script";
        return slurm_inside(&s, argc - 2, argv + 2);
    }
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
        if (strcmp(commands[i].name, name) != 0)
            continue;
        if (argc == 2 &&
            (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0)) {
            printf("slurm 22.05.8\n");
            return slurm_finish(&s, 0);
        }
        int rc = commands[i].run(&s, argc, argv);
        client_close(s.h);
        return slurm_finish(&s, rc);
    }
    fprintf(stderr,
            "hbatch %s has these commands of Slurm, to be called by their names:\n",
            PACKAGE_VERSION);
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        fprintf(stderr, "    %s\n", commands[i].name);
    return 1;
}
