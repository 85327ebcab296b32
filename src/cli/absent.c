/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/absent.h"

#include <string.h>
#include "src/cli/reach.h"
#include "src/common/util.h"

#define OFTEN 2.0   /* s, for the first */
#define FIRST 10.0  /* s, then each */
#define SELDOM 10.0 /* s */
#define PATIENCE 5.0
#define ATONCE 0.2 /* s, the first time: its rank alone may be gone */
#define SOON 20.0  /* s after its return: lost again soon */
#define LONGEST 60.0

struct node {
    char *name;
    bool here, absent, answers;
    double since, next; /* monotonic */
    double back;        /* when it last had a rank again; 0: never */
    double penalty;     /* s, that it waits more at first */
    struct reach *asked;
};

struct absent {
    char *command;
    struct node *nodes; /* those that were absent ever */
    size_t n;
};

struct absent *absent_create(const char *command)
{
    struct absent *a = xcalloc(1, sizeof(*a));
    a->command = command ? xstrdup(command) : NULL;
    return a;
}

void absent_destroy(struct absent *a)
{
    if (!a)
        return;
    for (size_t i = 0; i < a->n; i++) {
        reach_destroy(a->nodes[i].asked);
        free(a->nodes[i].name);
    }
    free(a->nodes);
    free(a->command);
    free(a);
}

static struct node *find(struct absent *a, const char *name)
{
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->nodes[i].name, name) == 0)
            return &a->nodes[i];
    return NULL;
}

void absent_add(struct absent *a, const char *name, bool here)
{
    struct node *n = find(a, name);
    double now = time_mono();
    if (!n) {
        a->nodes = xrealloc(a->nodes, (a->n + 1) * sizeof(*a->nodes));
        n = &a->nodes[a->n++];
        *n = (struct node){.name = xstrdup(name)};
    } else if (n->absent)
        return;
    if (n->back > 0 && now - n->back < SOON)
        n->penalty = MIN(MAX(n->penalty * 2, OFTEN), LONGEST);
    else
        n->penalty = 0;
    n->absent = true;
    n->answers = false;
    n->here = here || !a->command;
    n->since = now;
    n->next = now + n->penalty + (n->here ? 0 : ATONCE);
}

void absent_remove(struct absent *a, const char *name)
{
    for (size_t i = 0; i < a->n; i++) {
        struct node *n = &a->nodes[i];
        if (!n->absent || (name && strcmp(n->name, name) != 0))
            continue;
        n->absent = false;
        n->back = time_mono();
        reach_destroy(take(n->asked));
    }
}

bool absent_reaped(struct absent *a, pid_t pid, int status)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->nodes[i].asked && reach_reaped(a->nodes[i].asked, pid, status))
            return true;
    return false;
}

static void begin(struct absent *a, struct node *n)
{
    if (n->here) {
        n->answers = true;
        return;
    }
    struct hostlist *one = hostlist_create();
    hostlist_append_name(one, n->name);
    n->asked = reach_start(one, a->command, PATIENCE);
    hostlist_destroy(one);
}

/* Seconds until something is to be done for it; negative: nothing is. */
static double step(struct absent *a, struct node *n)
{
    double now = time_mono(), wait;
    if (!n->absent || n->answers)
        return -1;
    if (!n->asked && now >= n->next)
        begin(a, n);
    if (n->asked && reach_step(n->asked, &wait)) {
        n->answers = reach_answer(n->asked, 0) == REACH_GOOD;
        n->next = now + (now - n->since < FIRST ? OFTEN : SELDOM);
        reach_destroy(take(n->asked));
    } else if (n->asked)
        return wait;
    return n->answers ? -1 : MAX(n->next - now, 0);
}

const char *absent_step(struct absent *a, double *wait)
{
    const char *answers = NULL;
    *wait = -1;
    for (size_t i = 0; i < a->n; i++) {
        double t = step(a, &a->nodes[i]);
        if (t >= 0 && (*wait < 0 || t < *wait))
            *wait = t;
        if (a->nodes[i].absent && a->nodes[i].answers && !answers)
            answers = a->nodes[i].name;
    }
    return answers;
}
