/* SPDX-License-Identifier: BSD-3-Clause */
/* post_impl: what the files of posts share.  post.c: requests, and what is told; post_submit.c: submissions, many of
 * which may go as one. */
#ifndef HBATCH_LIB_POST_IMPL_H
#define HBATCH_LIB_POST_IMPL_H

#include "src/common/strbuf.h"
#include "src/lib/client.h"
#include "src/lib/post.h"
#include "src/lib/spectext.h"

enum {
    POST_ROWS = 1024, /* submissions that go as one, at most */
    POST_ROWS_BYTES = 1 << 18,
};

/* One request, from when it is posted until nothing of it can be told any more.  Submissions that differ in their words
 * only have another one in common, a *carrier*, which is sent in place of them. */
struct post {
    struct post *next, **link;        /* of the posts */
    struct post *chain, **chain_link; /* those in one bucket */
    struct post *later;               /* of the submissions that were not sent yet */
    struct posts *all;
    uint64_t tag;
    int tell;
    int number; /* of the request or stream in the connection; 0: not sent */
    bool over;  /* nothing more is told of it */
    bool
        dropped; /* it must not be sent, but is still in the list of those that are to be */
    bool submits;             /* a submission without an answer */
    bool brings_env;          /* its answer names all->env */
    bool by_name;             /* it was sent with the name of an environment */
    char *text;               /* of a submission without an answer: its specification */
    json_object *spec;        /* the same, until it is sent; NULL: there were too many */
    json_object *environment; /* likewise: a string, JSON text; or NULL */
    char *flags, *cc;
    int urgency;
    struct post *carrier; /* or NULL */
    size_t place;         /* among its rows */
    struct rows *rows;    /* of a carrier */
};

/* The submissions of a carrier. */
struct rows {
    struct spectext common;
    struct strbuf words; /* as spectext_match gives them */
    struct row {
        struct post *post; /* NULL: it was taken back, or all of it was told */
        size_t at, len;    /* in WORDS */
    } * row;
    size_t n, size, left; /* left: those with a post */
    uint64_t first;       /* the first job's id, once it is known */
};

enum { POST_BUCKETS = 1024 };

struct posts {
    struct hbatch *h;
    struct post *first;
    struct post *over;     /* to be freed when no callback runs */
    struct post **buckets; /* by tag; nbuckets: a power of 2 */
    size_t nbuckets, count;
    struct post *unsent, **unsent_last;
    struct post *gathering; /* a carrier that others may join; not among the unsent */
    unsigned waiting;       /* submissions that were sent and have no answer */
    struct strbuf told, taken;
    json_object *posted_env; /* text of the environment that was posted last */
    json_object *env;        /* that was sent last */
    char *env_name;          /* the instance's name of that; NULL: not known yet */
    bool env_asked;          /* a submission with it is on its way */
};

/* --- post.c */
struct post *post_new(struct posts *p, uint64_t tag, int tell);
/* Nothing more is told of it; it is freed later, as its stream may be in the midst of telling. */
void post_over(struct post *post);
/* ["WHAT" of a post: to be completed. */
struct strbuf *post_tell(const struct post *post, const char *what);
void post_tell_error(const struct post *post, const struct error *err);
void post_tell_end(struct post *post, const struct hbatch_result *r);
/* What streams tell, with a post as their argument. */
struct hbatch_stream_ops post_ops(const struct post *post);
/* The stream of COUNT jobs from FIRST on. */
void post_follow(struct post *post, hbatch_jobid first, uint64_t count,
                 client_reply_f reply);
void post_followed(json_object *result, const struct error *err, void *arg);

/* --- post_submit.c */
void rows_destroy(struct rows *r); /* NULL is allowed */
/* The end of one of a carrier's jobs. */
void post_row_end(struct post *carrier, const struct hbatch_result *r);
/* POST, a submission without an answer, or a part of one, is wanted no more. False: it was sent. */
bool post_take_back(struct post *post);
/* POST has a carrier, and nothing more is told of it. */
void post_leave(struct post *post);

#endif
