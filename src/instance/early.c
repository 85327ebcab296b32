/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/early.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <unistd.h>
#include "src/common/util.h"

struct early {
    pthread_t thread;
    sigset_t signals, before;
    void (*clean)(void *arg);
    void *arg;
    bool held; /* the thread has ended */
};

static void *wait_for_signals(void *arg)
{
    struct early *e = arg;
    int signum = 0;
    while (sigwait(&e->signals, &signum) != 0)
        ;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    e->clean(e->arg);
    _exit(128 + signum);
}

struct early *early_start(void (*clean)(void *arg), void *arg)
{
    struct early *e = xcalloc(1, sizeof(*e));
    e->clean = clean;
    e->arg = arg;
    sigemptyset(&e->signals);
    sigaddset(&e->signals, SIGTERM);
    sigaddset(&e->signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &e->signals, &e->before);
    if (pthread_create(&e->thread, NULL, wait_for_signals, e) == 0)
        return e;
    pthread_sigmask(SIG_SETMASK, &e->before, NULL);
    free(e);
    return NULL;
}

void early_hold(struct early *e)
{
    if (!e || e->held)
        return;
    e->held = true;
    pthread_cancel(e->thread); /* sigwait ends by that */
    pthread_join(e->thread, NULL);
}

void early_stop(struct early *e)
{
    if (!e)
        return;
    early_hold(e);
    pthread_sigmask(SIG_SETMASK, &e->before, NULL);
    free(e);
}
