/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/common/launchenv.h"
#include "src/exec/env.h"

#include <hwloc/bitmap.h>
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/exec/bind.h"
#include "src/common/idmap.h"
#include "tests/unit/unit.h"

START_TEST(launchers_variables)
{
    static const struct {
        const char *name;
        bool gone;
    } table[] = {
        {"OMPI_COMM_WORLD_RANK", true},
        {"OMPI_MCA_ess", true},
        {"OMPI_MCA_ess_base_jobid=1", true},
        {"OMPI_MCA_orte_hnp_uri", true},
        {"OMPI_MCA_pmix=^s1", true},
        {"OMPI_MCA_initial_wdir", true},
        {"OMPI_MCA_shmem_RUNTIME_QUERY_hint", true},
        {"OMPI_PARENT_PORT", true},
        {"OMPI_MCA_mpi_oversubscribe", true},
        {"OMPI_MCA_btl", false},
        {"OMPI_MCA_mtl=^ofi", false},
        {"OMPI_MCA_mpi_show_handle_leaks", false},
        {"OMPI_CC", false},
        {"OMPI_CC=gcc", false},
        {"OMPI_CCX", true},
        {"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", false},
        {"ORTE_X", true},
        {"PMIX_RANK", true},
        {"PRTE_MCA_x", true},
        {"PMI_FD", true},
        {"PMI_RANK=3", true},
        {"HYDI_CONTROL_FD", true},
        {"HYDRA_X", true},
        {"MPIR_CVAR_NOLOCAL", false},
        {"MPIR_CVAR_CH3_INTERFACE_HOSTNAME", true},
        {"MPIR_OTHER", true},
        {"MPI_LOCALRANKID", true},
        {"MPI_HOME", false},
        {"SLURM_JOB_ID", false},
        {"SLURM_NODELIST", false},
        {"SLURM_NTASKS", false},
        {"SLURM_STEP_ID", true},
        {"SLURM_STEPID", true},
        {"QRSH_COMMAND", true},
        {"QUEUE", false},
        {"SLURM_PROCID", true},
        {"HBATCH_JOB_ID", true},
        {"HBATCH_URI", true},
        {"HBATCH_URIX", false},
        {"HBATCH_EXEC_ORPHAN_TIMEOUT", false},
        {"PATH", false},
        {"HOME", false},
        {"", false},
        {"=", false},
        {"P", false},
        {"OMPI", false},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        ck_assert_msg(launchenv_is_left(table[i].name) == table[i].gone, "%s",
                      table[i].name);
}
END_TEST

START_TEST(sets_and_buffers)
{
    cleanup_json json_object *env =
        json_tokener_parse("{\"A\":\"1\",\"B\":\"x{cc}\",\"PMI_FD\":\"3\",\"OMPI_PARENT_"
                           "PORT\":\"p\",\"C\":7,"
                           "\"\":\"e\",\"D=E\":\"f\"}");
    cleanup_json json_object *over = json_tokener_parse("{\"A\":\"2\",\"Z\":\"26\"}");
    struct envset *set = envset_create(env, over, false);
    ck_assert_uint_eq(set->n, 3);
    ck_assert_str_eq(envset_get(set, "A"), "2");
    ck_assert_str_eq(envset_get(set, "Z"), "26");
    ck_assert_ptr_null(envset_get(set, "PMI_FD"));
    ck_assert_uint_eq(set->ntemplated, 1);
    ck_assert_str_eq(set->v[set->templated[0]], "B=x{cc}");
    struct envset *spawned = envset_create(env, NULL, true);
    ck_assert_str_eq(envset_get(spawned, "OMPI_PARENT_PORT"), "p");
    ck_assert_str_eq(envset_get(spawned, "A"), "1");
    struct envbuf b = {0};
    for (int round = 0; round < 3; round++) { /* memory is used again */
        envbuf_begin(&b, set);
        cleanup_free char *large = xcalloc(1, 40000);
        memset(large, 'l', 39999);
        envbuf_set(&b, "A", "3", true);
        envbuf_set(&b, "L", large, false);
        for (int i = 0; i < 200; i++)
            envbuf_add(&b, "V%d=%s", i, i == 50 ? large : "v");
        ck_assert(envbuf_has(&b, "V199"));
        ck_assert(envbuf_has(&b, "V199=other"));
        ck_assert(!envbuf_has(&b, "V"));
        char **v = envbuf_end(&b);
        unsigned n = 0, as = 0;
        for (; v[n]; n++)
            as += strncmp(v[n], "A=", 2) == 0 && strcmp(v[n], "A=3") == 0;
        ck_assert_uint_eq(n, 3 + 1 + 200);
        ck_assert_uint_eq(as, 1);
    }
    envbuf_fini(&b);
    envset_destroy(set);
    envset_destroy(spawned);
    set = envset_create(NULL, NULL, false);
    ck_assert_uint_eq(set->n, 0);
    envset_destroy(set);
}
END_TEST

START_TEST(shares)
{
    static const struct {
        const char *set;
        unsigned n;
        const char *wanted;
    } table[] = {
        {"0-7", 4, "0-1;2-3;4-5;6-7;"},
        {"0-7", 3, "0-1;2-4;5-7;"},
        {"0-1", 3, "0;0;1;"},
        {"3,5,9", 1, "3,5,9;"},
        {"3,5,9", 3, "3;5;9;"},
        {"4", 3, "4;4;4;"},
        {"", 2, ";;"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
        cleanup_bitmap hwloc_bitmap_t set = idset_decode(table[i].set, NULL);
        char got[128] = "";
        for (unsigned k = 0; k < table[i].n; k++) {
            cleanup_bitmap hwloc_bitmap_t share = bind_share(set, k, table[i].n);
            cleanup_free char *text = idset_encode(share, 0);
            strcat(strcat(got, text), ";");
        }
        ck_assert_str_eq(got, table[i].wanted);
    }
}
END_TEST

/* Against a plain array: puts and removals in a changing order. */
START_TEST(id_table)
{
    struct idmap map = {0};
    static char there[4096];
    size_t count = 0;
    unsigned seed = 5;
    memset(there, 0, sizeof(there));
    for (int n = 0; n < 200000; n++) {
        seed = seed * 1103515245u + 12345u;
        unsigned i = (seed >> 8) % sizeof(there);
        uint64_t id = (uint64_t)i << 20; /* ids that differ in high bits only */
        ck_assert_ptr_eq(idmap_get(&map, id), there[i] ? &there[i] : NULL);
        if (there[i])
            idmap_del(&map, id);
        else
            idmap_put(&map, id, &there[i]);
        count += there[i] ? (size_t)-1 : 1;
        there[i] = !there[i];
        ck_assert_uint_eq(map.used, count);
    }
    size_t at = 0, seen = 0;
    while (idmap_next(&map, &at))
        seen++;
    ck_assert_uint_eq(seen, count);
    idmap_del(&map, 12345);
    idmap_fini(&map);
    ck_assert_ptr_null(idmap_get(&map, 1));
    idmap_del(&map, 1);
}
END_TEST

UNIT_MAIN("execenv", launchers_variables, sets_and_buffers, shares, id_table)
