/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/job/state.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>

#include "src/common/util.h"

struct name {
    int value;
    const char *text, *single;
};

static const struct name states[] = {
    {JOB_NEW, "NEW", "N"},
    {JOB_DEPEND, "DEPEND", "D"},
    {JOB_PRIORITY, "PRIORITY", "P"},
    {JOB_SCHED, "SCHED", "S"},
    {JOB_RUN, "RUN", "R"},
    {JOB_CLEANUP, "CLEANUP", "C"},
    {JOB_INACTIVE, "INACTIVE", "I"},
    {JOB_PENDING, "PENDING", "PD"},
    {JOB_RUNNING, "RUNNING", "RU"},
    {JOB_ACTIVE, "ACTIVE", "A"},
    {0, NULL, NULL},
};

static const struct name results[] = {
    {JOB_COMPLETED, "COMPLETED", "CD"},
    {JOB_FAILED, "FAILED", "F"},
    {JOB_CANCELED, "CANCELED", "CA"},
    {JOB_TIMEOUT, "TIMEOUT", "TO"},
    {0, NULL, NULL},
};

static const char *name_of(const struct name *names, int value, bool single)
{
    for (; names->text; names++)
        if (names->value == value)
            return single ? names->single : names->text;
    return "?";
}

static int value_of(const struct name *names, const char *text)
{
    for (; names->text; names++)
        if (strcasecmp(names->text, text) == 0 || strcasecmp(names->single, text) == 0)
            return names->value;
    return 0;
}

const char *job_state_name(enum job_state s, bool single)
{
    return name_of(states, (int)s, single);
}

const char *job_result_name(enum job_result r, bool single)
{
    return name_of(results, (int)r, single);
}

int job_state_decode(const char *name)
{
    return value_of(states, name);
}

int job_result_decode(const char *name)
{
    return value_of(results, name);
}

int job_exit_code(int status)
{
    if (status >= 0 && WIFEXITED(status))
        return WEXITSTATUS(status);
    if (status >= 0 && WIFSIGNALED(status))
        return 128 + WTERMSIG(status);
    return 1;
}
