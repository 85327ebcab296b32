/* SPDX-License-Identifier: BSD-3-Clause */
/* hbatch.h: the C client library of hbatch.  cc prog.c $(pkg-config --cflags --libs hbatch)
 *
 *     struct hbatch_error err;
 *     struct hbatch *h = hbatch_open(NULL, &err);
 *     struct hbatch_jobspec *js = hbatch_jobspec_create(argc, argv);
 *     hbatch_jobspec_set(js, "ntasks", "4", &err);
 *     hbatch_submit(h, js, NULL, &id, &err);
 *     hbatch_wait(h, id, &result, &err);
 *
 * Errors.  A function that can fail takes a struct hbatch_error as its last argument (NULL:
 * not interested), returns -1 or NULL, and leaves there an errno value and one sentence.
 * Codes of the instance's own answers: ENOENT (no such job), EINVAL (bad request), ENOSPC and
 * EOVERFLOW (what was asked for can never be had here), ENODATA (no such data), ENOSYS
 * (unknown method).  ECONNRESET and EPROTO: the connection is lost; only hbatch_close is left.
 *
 * Connections.  An instance that can be recovered, and loses the process that a client is connected to,
 * is waited for: hbatch_open and all calls try to connect again for up to the duration in
 * HBATCH_RECONNECT_TIMEOUT (60s; 0: not at all), then repeat what was not answered.  A submission is
 * not made twice for that; streams go on where they were, and tell nothing twice.  A signal may be
 * sent twice.  Other instances end with their processes: the connection is lost at once.
 *
 * Ownership.  char * results are the caller's, to be given to free().  const char * results
 * and arguments of callbacks belong to the library and last until the callback returns or the
 * object changes.  Arguments are copied where they are kept.
 *
 * Blocking and callbacks.  A call that talks to the instance waits for its answer.  Streams
 * (attach, follow) run their callbacks inside hbatch_dispatch, and also inside any other call
 * on the same connection that waits.  A callback may make calls on its connection, but not
 * close it.  For an event loop: wait until hbatch_fd is readable (or writable, while
 * hbatch_want_write says so), then hbatch_dispatch(h, 0, &err) until it returns 0.
 *
 * Threads.  A connection, and what was made with it, is used by one thread at a time.
 * Different connections are independent.  No function changes the process: no signal
 * handlers, no chdir, no locale; SIGPIPE is not raised.
 *
 * JSON.  Job specifications are RFC 14/25 text, resource sets RFC 20, event logs RFC 18. */
#ifndef HBATCH_H
#define HBATCH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct hbatch;         /* a connection */
struct hbatch_jobspec; /* a job specification under construction */

typedef uint64_t hbatch_jobid; /* RFC 19 */

struct hbatch_error {
    int code;       /* errno value, never 0 after a failure */
    char text[512]; /* one sentence, without a newline */
};

const char *hbatch_version(void);

/* --- connection -------------------------------------------------------------------------- */

/* Connect to the instance at URI, local://PATH or ssh://[USER@]HOST[:PORT]/PATH; NULL: the one that the environment
 * variable HBATCH_URI names. */
struct hbatch *hbatch_open(const char *uri, struct hbatch_error *err);
void hbatch_close(struct hbatch *h); /* NULL is allowed */

/* What a connection may go over in place of a socket: functions that get ARG of hbatch_open_carrier, and are called in
 * the thread that uses the connection. */
struct hbatch_carrier {
    /* As send(2) and recv(2) of a socket that does not block.  What is sent are whole lines, and what the carrier takes
     * of them, it takes as a whole: LEN, or -1 with errno EAGAIN.  recv: 0: the other side has ended the connection;
     * -1 with another errno: it is lost. */
    long (*send)(void *arg, const void *data, size_t len);
    long (*recv)(void *arg, void *data, size_t size);
    /* Wait until there may be something to receive, or (ROOM) until more can be sent, or for TIMEOUT_MS (-1: for ever),
     * or until a signal comes.  0: time is over, or a signal came. */
    int (*wait)(void *arg, int room, int timeout_ms);
    int (*fd)(void *arg); /* for hbatch_fd */
    const char *(*why)(
        void *arg); /* the other side has ended the connection or is lost: a sentence */
    void (*close)(void *arg); /* by hbatch_close */
};

/* Connect over CARRIER (kept by reference) to the instance that errors call NAME.  Such a connection does not come
 * back when it is lost. */
struct hbatch *hbatch_open_carrier(const struct hbatch_carrier *carrier, void *arg,
                                   const char *name);

/* Readable when hbatch_dispatch has something to do; the same one as long as the connection lasts,
 * also when it is made again. */
int hbatch_fd(struct hbatch *h);
int hbatch_want_write(const struct hbatch *h);
/* Wait at most TIMEOUT_MS (-1: forever, 0: not at all) and run the callbacks of what arrived.
 * 1: something arrived, 0: nothing did (or a signal came), -1: the connection is lost. */
int hbatch_dispatch(struct hbatch *h, int timeout_ms, struct hbatch_error *err);

/* Any method of the protocol: PARAMS is a JSON object's text or NULL; the result's text. */
char *hbatch_call(struct hbatch *h, const char *method, const char *params,
                  struct hbatch_error *err);

/* --- job ids ----------------------------------------------------------------------------- */

/* Decode any RFC 19 form ("f58" with or without its florin sign, decimal, hex, ...). */
int hbatch_jobid_decode(const char *text, hbatch_jobid *id, struct hbatch_error *err);
/* Encode as "f58", "f58plain", "dec", "hex", "dothex", "kvs", "words" or "emoji" (NULL: f58). */
char *hbatch_jobid_encode(hbatch_jobid id, const char *form, struct hbatch_error *err);
/* The Ith job (0: FIRST itself) of an array whose first job is FIRST. */
hbatch_jobid hbatch_jobid_nth(hbatch_jobid first, uint64_t i);

/* --- job specifications ------------------------------------------------------------------ */

/* A job that runs one task of the command ARGV (ARGC strings), in the current directory, with
 * this process's environment and resource limits, all taken when the specification is
 * finished. */
struct hbatch_jobspec *hbatch_jobspec_create(int argc, const char *const *argv);
void hbatch_jobspec_destroy(struct hbatch_jobspec *js); /* NULL is allowed */

/* Set an option, named and with a value as on the command line of hbatch-submit(1):
 *   sizes         nodes ntasks cores-per-task gpus-per-task cores tasks-per-node
 *                 tasks-per-core gpus-per-node exclusive contiguous resources
 *                 (nslots, cores-per-slot and gpus-per-slot: the same as those of tasks)
 *   job           job-name time-limit queue bank dependency begin-time requires cwd
 *                 signal taskmap setopt setattr
 *   environment   env env-remove env-file rlimit
 *   I/O           input output error label-io unbuffered
 * Options without a value (exclusive, contiguous, label-io, unbuffered) take NULL.  env*, rlimit,
 * dependency, requires, setopt and setattr add up; the last value of the others counts. */
int hbatch_jobspec_set(struct hbatch_jobspec *js, const char *option, const char *value,
                       struct hbatch_error *err);
/* Add a program to a job of several (MPMD): NTASKS more tasks, which run ARGV; task ranks go
 * on from the programs before.  ENV_RULES: NULL, or rules on top of the job's environment,
 * NULL terminated.  CWD: NULL, the job's.  Its tasks have what the job's have, until hbatch_jobspec_set_program
 * says otherwise. */
int hbatch_jobspec_add_program(struct hbatch_jobspec *js, int argc,
                               const char *const *argv, unsigned ntasks,
                               const char *const *env_rules, const char *cwd,
                               struct hbatch_error *err);
/* Set an option of the program that was added last: ntasks, cores-per-task, gpus-per-task, mem-per-core ("0": none),
 * cwd, env, env-remove, env-file. */
int hbatch_jobspec_set_program(struct hbatch_jobspec *js, const char *option,
                               const char *value, struct hbatch_error *err);
/* Make the job an instance of its own, with the job's resources, whose program is the command that JS was
 * made with; as hbatch-batch(1) and hbatch-alloc(1) do.  SCRIPT: NULL, or the text of a script, which goes
 * along in the job and runs in place of the command's first word, with the rest as its arguments; that
 * word gives the job's name.  No command and no script: the instance has no program, and lasts until it is
 * shut down, or its job canceled.  OPTIONS: NOPTIONS options of hbatch-instance(1), a word each. */
int hbatch_jobspec_set_instance(struct hbatch_jobspec *js, int noptions,
                                const char *const *options, const char *script,
                                struct hbatch_error *err);
/* Check the options against each other; the job specification's JSON text. */
char *hbatch_jobspec_encode(struct hbatch_jobspec *js, struct hbatch_error *err);

/* --- submit ------------------------------------------------------------------------------ */

struct hbatch_submit {
    int urgency;       /* 0 (held) .. 31; -1: the default, 16 */
    const char *flags; /* comma separated: "waitable", "debug"; NULL: none */
    const char *cc;    /* ids of an array of jobs (RFC 22), NULL: one job */
    uint64_t *count;   /* set to the number of jobs, unless NULL */
    /* NULL, or the text of a JSON object: the job's environment (attributes.system.environment), in place of the one in
     * the job specification's text.  Posted submissions that have the same text one after another share it. */
    const char *environment;
};

/* Submit; OPTIONS may be NULL.  Return 0 and the (first) job's id once the instance has
 * accepted and stored it. */
int hbatch_submit(struct hbatch *h, struct hbatch_jobspec *js,
                  const struct hbatch_submit *options, hbatch_jobid *id,
                  struct hbatch_error *err);
/* The same with a job specification's text. */
int hbatch_submit_text(struct hbatch *h, const char *jobspec,
                       const struct hbatch_submit *options, hbatch_jobid *id,
                       struct hbatch_error *err);

/* --- streams ----------------------------------------------------------------------------- */

struct hbatch_result {
    hbatch_jobid id;
    const char
        *result; /* "COMPLETED", "FAILED", "CANCELED", "TIMEOUT"; "": it is not known,
                         * exception_note (or NULL) tells why */
    int status; /* wait status as of waitpid(2), the greatest of the tasks; -1: never ran */
    int exit_code;              /* exit code, or 128 + signal */
    const char *exception_type; /* NULL: there was no exception */
    int exception_severity;
    const char *exception_note;
};

/* What a stream tells; members may be NULL. */
struct hbatch_stream_ops {
    /* An event (RFC 21), from the first one on.  CONTEXT: JSON text or NULL. */
    void (*event)(hbatch_jobid id, double time, const char *name, const char *context,
                  void *arg);
    /* Output of task TASK on STREAM ("stdout" or "stderr"); LEN 0 and EOF at its end. */
    void (*output)(hbatch_jobid id, const char *stream, unsigned task, const void *data,
                   size_t len, int eof, void *arg);
    /* The tasks have taken BYTES in all of what hbatch_stdin sent them. */
    void (*input)(hbatch_jobid id, uint64_t bytes, void *arg);
    /* A job has ended; LEFT jobs of the stream have not.  0: this was the stream's last. */
    void (*end)(const struct hbatch_result *result, uint64_t left, void *arg);
};

/* Follow job ID: events, output (unless there is no output callback), end.  OPS is copied.
 * Return the stream's number, > 0. */
int hbatch_attach(struct hbatch *h, hbatch_jobid id, const struct hbatch_stream_ops *ops,
                  void *arg, struct hbatch_error *err);
/* Follow COUNT jobs of an array from FIRST on: ends only.  All must exist. */
int hbatch_follow(struct hbatch *h, hbatch_jobid first, uint64_t count,
                  const struct hbatch_stream_ops *ops, void *arg,
                  struct hbatch_error *err);
/* Submit and follow in one message: with an output or event callback as hbatch_attach, else
 * as hbatch_follow. *ID is set before the first callback runs. */
int hbatch_submit_stream(struct hbatch *h, const char *jobspec,
                         const struct hbatch_submit *options, hbatch_jobid *id,
                         const struct hbatch_stream_ops *ops, void *arg,
                         struct hbatch_error *err);
/* No more callbacks of stream STREAM (the job goes on). */
void hbatch_unfollow(struct hbatch *h, int stream);

/* Send LEN bytes to the standard input of the tasks TASKS (RFC 22; NULL: as the job says,
 * which is task 0 by default); END: nothing comes after this.  Tasks can read once the job's
 * "start" event has come; what is sent before is lost.  Keep what is sent and not yet taken
 * (see input above) below 1 MiB. */
int hbatch_stdin(struct hbatch *h, hbatch_jobid id, const char *tasks, const void *data,
                 size_t len, int end, struct hbatch_error *err);

/* --- many requests at once --------------------------------------------------------------- */

/* Requests are posted without waiting, each under a TAG that the caller chooses, and what they and their streams tell
 * is gathered, to be taken as one JSON text: for thousands of submissions over one connection, and for languages to
 * which a callback from C is dear.  hbatch_dispatch sends and receives; between the two, nothing but memory is used.
 *
 *     for (i = 0; i < n; i++)
 *         hbatch_post_submit(h, i, jobspec, NULL, HBATCH_TELL_END, &err);
 *     while (hbatch_dispatch(h, -1, &err) >= 0)
 *         while ((text = hbatch_take(h, NULL)))
 *             ...
 *
 * The text is an array of arrays, which begin with a tag and a word:
 *     [TAG,"reply",RESULT]                            of hbatch_post and hbatch_post_follow
 *     [TAG,"submitted",ID,COUNT]                      the first job's id, and how many there are
 *     [TAG,"error",CODE,TEXT]                         it failed; nothing else is told of it
 *     [TAG,"event",ID,TIME,NAME,CONTEXT]              CONTEXT: an object or null
 *     [TAG,"output",ID,STREAM,TASK,DATA,ENCODING,EOF] ENCODING: null, or "base64" where DATA is not UTF-8
 *     [TAG,"input",ID,BYTES]                          with HBATCH_TELL_OUTPUT: what was taken of hbatch_stdin
 *     [TAG,"end",ID,RESULT,STATUS,EXIT,TYPE,SEVERITY,NOTE,LEFT]  as struct hbatch_result; TYPE, NOTE: or null; LEFT:
 *                                                     as of struct hbatch_stream_ops; with 0 it is the last one
 * When hbatch_dispatch fails, nothing more is told of anything.  Requests go out in the order in which they were posted;
 * of submissions, some wait here until enough of those before are answered. */

/* What is told of jobs. */
enum {
    HBATCH_TELL_END = 1,    /* their ends; always, when one of the others is told */
    HBATCH_TELL_EVENTS = 2, /* from the first one on */
    HBATCH_TELL_OUTPUT = 4,
};
/* Any method, as hbatch_call.  0, or -1: METHOD or PARAMS are wrong. */
int hbatch_post(struct hbatch *h, uint64_t tag, const char *method, const char *params,
                struct hbatch_error *err);
/* Submit, and tell of the jobs what TELL says (0: their ids only).  0, or -1: a text is not JSON. */
int hbatch_post_submit(struct hbatch *h, uint64_t tag, const char *jobspec,
                       const struct hbatch_submit *options, int tell,
                       struct hbatch_error *err);
/* Tell of COUNT jobs of an array from FIRST on, which are there already. */
int hbatch_post_follow(struct hbatch *h, uint64_t tag, hbatch_jobid first, uint64_t count,
                       int tell, struct hbatch_error *err);
/* Nothing more is to be told under TAG, but for the answer to a submission that was sent; one that was not, is not. */
void hbatch_unpost(struct hbatch *h, uint64_t tag);
/* Do not send the submission TAG, if it was not sent yet.  1: so it is, and nothing is told of it; 0: it was sent. */
int hbatch_take_back(struct hbatch *h, uint64_t tag);
/* What was told since the last time, of *LEN bytes (LEN may be NULL): the library's until the next call of this function
 * on H.  NULL: nothing.  Not to be called from a callback. */
const char *hbatch_take(struct hbatch *h, size_t *len);

/* --- jobs -------------------------------------------------------------------------------- */

/* Wait until job ID has ended.  RESULT's strings last until the next call on H. */
int hbatch_wait(struct hbatch *h, hbatch_jobid id, struct hbatch_result *result,
                struct hbatch_error *err);
int hbatch_cancel(struct hbatch *h, hbatch_jobid id, const char *note,
                  struct hbatch_error *err);
int hbatch_kill(struct hbatch *h, hbatch_jobid id, int signal, struct hbatch_error *err);
int hbatch_raise(struct hbatch *h, hbatch_jobid id, const char *type, int severity,
                 const char *note, struct hbatch_error *err);
/* Return the old urgency, or -1. */
int hbatch_urgency(struct hbatch *h, hbatch_jobid id, int urgency,
                   struct hbatch_error *err);
/* {"jobs":[...],"more":bool}.  QUERY: NULL (the newest 1000 jobs), or a JSON object's text with
 * "states" and "results" (RFC 21 masks), "ids", "name", "queue", "since", "max". */
char *hbatch_list(struct hbatch *h, const char *query, struct hbatch_error *err);
/* KEY: "jobspec", "R", "eventlog" or "taskmap". */
char *hbatch_info(struct hbatch *h, hbatch_jobid id, const char *key,
                  struct hbatch_error *err);

/* --- instance ---------------------------------------------------------------------------- */

/* {"nodes":[{"rank","host","cores","gpus",...}]} */
char *hbatch_resources(struct hbatch *h, struct hbatch_error *err);
/* {"instance","level","size","uri",...} */
char *hbatch_instance(struct hbatch *h, struct hbatch_error *err);
/* The URI of the sub-instance that job ID is.  WAIT: until it is known, which is when the instance is ready; else it is
 * an error (EAGAIN) when it is not known yet.  ENODATA: the job is no instance, or has ended. */
char *hbatch_job_uri(struct hbatch *h, hbatch_jobid id, int wait,
                     struct hbatch_error *err);
/* The URI of the instance that this one is a job of; ENODATA: there is none. */
char *hbatch_parent_uri(struct hbatch *h, struct hbatch_error *err);
/* Cancel what runs and end the instance. */
int hbatch_shutdown(struct hbatch *h, const char *reason, struct hbatch_error *err);

#ifdef __cplusplus
}
#endif

#endif
