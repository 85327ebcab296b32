/* SPDX-License-Identifier: BSD-3-Clause */
/* members_impl: what members.c (life, and what others say) and succession.c (losses, and who leads
 * after one) share. */
#ifndef HBATCH_INSTANCE_MEMBERS_IMPL_H
#define HBATCH_INSTANCE_MEMBERS_IMPL_H

#include "src/comm/lifeline.h"
#include "src/common/strbuf.h"
#include "src/instance/members.h"

enum { BEAT_MS = 1000, ASK_MS = 100 };

/* How long a rank without a leader waits for others, in timeouts. */
#define SECOND_WAIT 0.75
/* What it takes an executor to kill its tasks, and a leader's rank to say so. */
#define KILL_S 1.0

/* The letters (PROTOCOL, section 3). */
enum {
    BEAT =
        TRANSPORT_QUIET, /* "EPOCH": alive; this far in the state stream; leader: all are */
    PING = 'P',          /* "GENERATION": are you there, and is the leader gone? */
    PONG = 'A',          /* "GENERATION EPOCH": it is, and this far */
    NOT_LOST = 'N',      /* "GENERATION": the leader is there */
    TAIL = 'T',          /* "EPOCH": tell the epochs after that */
    TAIL_LINE = 'e',     /* a line of one of them */
    TAIL_END = 'E',      /* "EPOCH": its end */
    REFORM = 'F',        /* "GENERATION EPOCH LOST": re-form without these ranks */
    EXPEL = 'X',         /* you were given up */
    PROBE = 'K',         /* are you there? */
    HERE = 'k',          /* "0" or "1": yes; 1: it misses the leader as well */
    ENDED = 'D',         /* "RANK": its process is gone */
};

enum phase {
    SETTLED, /* a leader leads, nothing is asked */
    ASKING, /* this rank leads, or will: some PONG has not come, or one that dies is waited for */
    PULLING, /* it will lead, and is behind another rank */
    WAITING, /* the leader is lost, and a lower rank than this one should say so */
};

struct members {
    uv_timer_t timer, ask_timer;
    unsigned handles; /* that are not closed */
    struct transport *transport;
    struct lifeline *lifeline; /* NULL: none could be had */
    const struct members_ops *ops;
    void *arg;
    unsigned rank, size;
    int home;
    double timeout;
    double *heard;   /* [size] monotonic time of the last message */
    bool *gone;      /* [size] given up by this rank, not yet by all */
    bool *sure;      /* [size] its process is gone */
    bool *awaited;   /* whose PONG of this generation has not come */
    uint64_t *epoch; /* [size] as the PONGs told */
    unsigned nawaited, generation;
    enum phase phase;
    double waiting_since;
    bool
        waits_too; /* who should lead next: it misses the leader, but not yet all who are gone */
    bool prolonged;     /* and was given more time for that */
    double looked;      /* when heard was last looked at */
    struct strbuf tail; /* of the epoch that is being pulled */
    unsigned tail_from;
    uint64_t since;
    bool stopped;
    char **addresses; /* [size] of lifelines, as members know them; NULL: none */
    char secret[33];
};

/* --- members.c */
void members_tell(struct members *m, unsigned rank, char letter, const char *text);
void members_tell_number(struct members *m, unsigned rank, char letter, uint64_t n);
bool members_alive(const struct members *m, unsigned rank);
unsigned members_leader(const struct members *m);
void members_alone(struct members *m, const char *why);
/* The call took time in which nobody could be heard. */
void members_heard_all(struct members *m);

/* --- succession.c */
/* Who should lead, as far as this rank knows: at the end of the list, itself. */
unsigned succession_candidate(const struct members *m);
/* RANK is gone, as this rank sees it; then, after one or several: react. */
void succession_give_up(struct members *m, unsigned rank, bool sure);
void succession_react(struct members *m);
/* Look who was silent for too long, and whether a leader has come. */
void succession_look(struct members *m, double now);
/* Ask those again who have not answered. */
void succession_ask_again(struct members *m);
/* All have answered (a while is waited for others that die), or this rank has what it was behind
 * with. */
void succession_answered(struct members *m);
void succession_pulled(struct members *m);
void succession_reform(struct members *m, unsigned generation, uint64_t epoch);

#endif
