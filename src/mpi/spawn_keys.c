/* SPDX-License-Identifier: BSD-3-Clause */
/* Open MPI 4.1 hands on the keys of MPI_Comm_spawn that it knows, and drops others.  Its key "env" has variables for the
 * children: what hbatch and the MPI standard know beside these keys goes there, as hbatch-spawn(7) tells. */
#include <ctype.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "HBATCH_SPAWN_"

enum { OURS = 7 }; /* bytes of "hbatch_" */

static bool is_dropped(const char *key)
{
    return strncmp(key, "hbatch_", OURS) == 0 || strcmp(key, "soft") == 0 ||
           strcmp(key, "path") == 0;
}

/* Add "\nHBATCH_SPAWN_KEY=VALUE" to TEXT; false: it does not fit. */
static bool add(char *text, size_t size, const char *key, const char *value)
{
    size_t len = strlen(text);
    const char *name = strncmp(key, "hbatch_", OURS) == 0 ? key + OURS : key;
    int n = snprintf(text + len, size - len, "%s" PREFIX "%s=%s", len > 0 ? "\n" : "",
                     name, value);
    if (n < 0 || (size_t)n >= size - len)
        return false;
    for (char *p = text + len; *p && *p != '='; p++)
        *p = (char)toupper((unsigned char)*p);
    return true;
}

static bool get(MPI_Info info, const char *key, char *value, int size)
{
    int flag = 0;
    PMPI_Info_get(info, key, size - 1, value, &flag);
    return flag;
}

/* INFO with what Open MPI would drop; itself where that is nothing.  MPI_INFO_NULL and a sentence on stderr: it does not
 * fit. */
static MPI_Info translate(MPI_Info info, bool *ok)
{
    char key[MPI_MAX_INFO_KEY + 1], value[MPI_MAX_INFO_VAL + 1];
    char env[MPI_MAX_INFO_VAL] = "";
    int n = 0, found = 0;
    if (info == MPI_INFO_NULL)
        return info;
    PMPI_Info_get_nkeys(info, &n);
    if (!get(info, "env", env, (int)sizeof(env)))
        env[0] = '\0';
    for (int i = 0; i < n; i++) {
        PMPI_Info_get_nthkey(info, i, key);
        if (!is_dropped(key) || !get(info, key, value, (int)sizeof(value)))
            continue;
        found++;
        if (add(env, sizeof(env), key, value))
            continue;
        fprintf(stderr,
                "hbatch: spawn: %s=%s: the keys are too long together: Open MPI hands on "
                "at most %d bytes of them\n",
                key, value, (int)sizeof(env) - 1);
        *ok = false;
        return MPI_INFO_NULL;
    }
    if (!found)
        return info;
    MPI_Info copy;
    PMPI_Info_dup(info, &copy);
    PMPI_Info_set(copy, "env", env);
    return copy;
}

static void drop(MPI_Info copy, MPI_Info info)
{
    if (copy != info && copy != MPI_INFO_NULL)
        PMPI_Info_free(&copy);
}

static bool is_open_mpi(void)
{
#ifdef OPEN_MPI
    return true;
#else
    return false;
#endif
}

int MPI_Comm_spawn(const char *command, char *argv[], int maxprocs, MPI_Info info,
                   int root, MPI_Comm comm, MPI_Comm *intercomm, int errcodes[])
{
    int rank;
    bool ok = true;
    PMPI_Comm_rank(comm, &rank);
    MPI_Info given = rank == root && is_open_mpi() ? translate(info, &ok) : info;
    if (!ok) {
        PMPI_Comm_call_errhandler(comm, MPI_ERR_INFO_VALUE);
        return MPI_ERR_INFO_VALUE;
    }
    int rc =
        PMPI_Comm_spawn(command, argv, maxprocs, given, root, comm, intercomm, errcodes);
    drop(given, info);
    return rc;
}

int MPI_Comm_spawn_multiple(int count, char *commands[], char **argvs[],
                            const int maxprocs[], const MPI_Info infos[], int root,
                            MPI_Comm comm, MPI_Comm *intercomm, int errcodes[])
{
    int rank, rc = MPI_ERR_INFO_VALUE;
    bool ok = true;
    PMPI_Comm_rank(comm, &rank);
    if (rank != root || !is_open_mpi() || count < 1)
        return PMPI_Comm_spawn_multiple(count, commands, argvs, maxprocs, infos, root,
                                        comm, intercomm, errcodes);
    MPI_Info *given = calloc((size_t)count, sizeof(*given));
    int n = 0;
    for (; given && ok && n < count; n++)
        given[n] = translate(infos[n], &ok);
    if (given && ok)
        rc = PMPI_Comm_spawn_multiple(count, commands, argvs, maxprocs, given, root, comm,
                                      intercomm, errcodes);
    else
        PMPI_Comm_call_errhandler(comm, rc);
    while (n-- > 0)
        drop(given[n], infos[n]);
    free(given);
    return rc;
}
