/* SPDX-License-Identifier: BSD-3-Clause */
/* link: what a client's connection goes over, and what becomes of it when the other side goes away: a socket to
 * the instance, directly or by other instances' ranks, or a carrier (hbatch.h), which does not come back.
 *
 * A rank of an instance that can be recovered keeps an empty file "recoverable" beside its socket;
 * an orderly end removes both.  While that file is there, a lost connection is tried again: at once,
 * then every LINK_SOON and later every LINK_LATER ms, for at most HBATCH_RECONNECT_TIMEOUT (a
 * duration; 60s; 0: not at all).  Meanwhile the link is *away*, and its descriptor is a timer that
 * becomes readable when it is time for the next try. */
#ifndef HBATCH_LIB_LINK_H
#define HBATCH_LIB_LINK_H

#include <stdbool.h>
#include <sys/types.h>
#include "src/common/error.h"
#include "src/lib/hbatch.h"

enum { LINK_SOON = 50, LINK_LATER = 250, LINK_SOON_TRIES = 40 };

#define LINK_HOW_TO_START "start one with 'hbatch start' or 'mpirun -N 1 hbatch-instance'"

struct link {
    const struct hbatch_carrier *carrier; /* NULL: it is a socket */
    void *arg;                            /* of the carrier */
    int fd;       /* the socket; or while away the timer; -1: a carrier has none */
    bool away;    /* lost, and tried again */
    bool tunnel;  /* by ssh, to another host */
    bool returns; /* ... where the instance means to come back when it is lost */
    char *uri;
    bool heard;         /* something came over this connection */
    unsigned tries;     /* that failed since the connection was last good */
    double connected;   /* when this connection was made; monotonic, as all times here */
    double since, next; /* begin of the outage; time of the next try */
    int watch;          /* the descriptor that link_watch gave, or -1 */
    int watched;        /* what it watches: fd, or -1 */
    bool watched_for_room; /* for writing as well */
};

/* In a URI, before each instance beyond the first one: local://PATH!RANK:PATH... is the socket PATH on the node of rank
 * RANK of the instance before (instance.relay). */
#define LINK_HOP '!'

/* Connect to URI ("local://PATH"), waiting as above where the socket refuses or is missing.  Where
 * PATH is another node's, to the socket of this node's rank beside it; uri is then that one.  "ssh://HOST/PATH" of another
 * host: by ssh (tunnel.h), and the same there.  -1 with err set: says what is wrong with the URI or the socket and how to get an instance. */
int link_open(struct link *l, const char *uri, struct error *err);
/* What an instance at VIA tells of as URI: as it is, or where VIA is on another host, on that host; new. */
char *link_uri_from(const char *via, const char *uri);
void link_open_carrier(struct link *l, const struct hbatch_carrier *carrier, void *arg,
                       const char *name);
void link_close(struct link *l);
/* As send(2) and recv(2), without blocking and without SIGPIPE. */
ssize_t link_send(struct link *l, const void *data, size_t len);
ssize_t link_recv(struct link *l, void *data, size_t size);
/* As poll(2) of one descriptor, for reading and (ROOM) writing: a mask of POLLIN and POLLOUT; 0: time is over or a
 * signal came. */
int link_wait(struct link *l, bool room, int timeout_ms);
/* Whether the instance means to come back when it is lost. */
bool link_returns(const struct link *l);
/* Something was received. */
void link_heard(struct link *l);
/* The connection is lost, for CODE and WHY.  0: the link is away, link_retry is next. -1 with err
 * set: it does not come back. */
int link_lost(struct link *l, int code, const char *why, struct error *err);
/* Try again, if it is time to.  1: connected; 0: still away; -1 with err set: given up. */
int link_retry(struct link *l, struct error *err);
/* A descriptor that is readable when there is something to do on the link, and stays the same when
 * the socket is another one. ROOM: also when the socket takes more.  Once it was asked for, it must
 * be told when ROOM is another. */
int link_watch(struct link *l, bool room);

#endif
