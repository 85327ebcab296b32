/* SPDX-License-Identifier: BSD-3-Clause */
/* A PMI-2 program over Slurm's libpmi2:
 *     pmi2client exchange|abort|spawn */
#include <slurm/pmi2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank;

#define CHECK(call)                                                                      \
    do {                                                                                 \
        int rc_ = (call);                                                                \
        if (rc_ != PMI2_SUCCESS) {                                                       \
            fprintf(stderr, "task %d: %s: %d\n", rank, #call, rc_);                      \
            exit(2);                                                                     \
        }                                                                                \
    } while (0)
#define EQUAL(a, b)                                                                      \
    do {                                                                                 \
        if (strcmp(a, b) != 0) {                                                         \
            fprintf(stderr, "task %d: '%s' is not '%s'\n", rank, a, b);                  \
            exit(3);                                                                     \
        }                                                                                \
    } while (0)

static void exchange(const char *job, int size)
{
    char key[64], value[PMI2_MAX_VALLEN], got[PMI2_MAX_VALLEN];
    int len, flag;
    for (int round = 0; round < 3; round++) {
        snprintf(key, sizeof(key), "k-%d-%d", round, rank);
        snprintf(value, sizeof(value), "value; of %d in %d", rank, round);
        CHECK(PMI2_KVS_Put(key, value));
        CHECK(PMI2_KVS_Fence());
        for (int i = 0; i < size; i++) {
            snprintf(key, sizeof(key), "k-%d-%d", round, i);
            snprintf(value, sizeof(value), "value; of %d in %d", i, round);
            CHECK(PMI2_KVS_Get(job, PMI2_ID_NULL, key, got, sizeof(got), &len));
            EQUAL(got, value);
        }
    }
    CHECK(PMI2_Info_PutNodeAttr("attribute", "of the node"));
    CHECK(PMI2_Info_GetNodeAttr("attribute", got, sizeof(got), &flag, 1));
    EQUAL(got, "of the node");
    CHECK(PMI2_Info_GetJobAttr("PMI_process_mapping", got, sizeof(got), &flag));
    got[8] = '\0';
    EQUAL(got, "(vector,");
    if (rank == 0)
        CHECK(PMI2_Nameserv_publish("name", NULL, "port; 1"));
    CHECK(PMI2_KVS_Fence());
    CHECK(PMI2_Nameserv_lookup("name", NULL, got, sizeof(got)));
    EQUAL(got, "port; 1");
    CHECK(PMI2_KVS_Fence());
    if (rank == 0)
        CHECK(PMI2_Nameserv_unpublish("name", NULL));
    CHECK(PMI2_KVS_Fence());
}

int main(int argc, char **argv)
{
    int spawned, size, app;
    char job[256];
    const char *what = argc > 1 ? argv[1] : "exchange";
    CHECK(PMI2_Init(&spawned, &size, &rank, &app));
    CHECK(PMI2_Job_GetId(job, sizeof(job)));
    exchange(job, size);
    if (strcmp(what, "abort") == 0 && rank == size - 1)
        PMI2_Abort(1, "as asked");
    if (strcmp(what, "spawn") == 0 && !spawned && rank == 0) {
        const char *cmds[] = {argv[0]}, *none[] = {NULL}, **argvs[] = {none};
        int argcs[] = {0}, maxprocs[] = {2}, errors[2];
        char child[256];
        CHECK(PMI2_Job_Spawn(1, cmds, argcs, argvs, maxprocs, NULL, NULL, 0, NULL, child,
                             sizeof(child), errors));
        printf("spawned\n");
    }
    CHECK(PMI2_KVS_Fence());
    CHECK(PMI2_Finalize());
    if (rank == 0)
        printf("pmi2client: %d tasks, %s: good\n", size, spawned ? "spawned" : "first");
    return 0;
}
