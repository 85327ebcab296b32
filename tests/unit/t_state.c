/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/replay.h"
#include "src/common/util.h"
#include "src/job/eventlog.h"
#include "tests/unit/mutate_json.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>

/* Events, most as RFC 21 shows them; E gives others their time. */
#define E(name, context) "{'timestamp':5.5,'name':'" name "','context':{" context "}}\n"
#define E0(name) "{'timestamp':5.5,'name':'" name "'}\n"
#define SUBMIT                                                                           \
    "{'timestamp':1552593348.073045,'name':'submit','context':{'urgency':16,'userid':"   \
    "5588,"                                                                              \
    "'flags':0,'version':1}}\n"
#define VALIDATE "{'timestamp':1605115080.0358412,'name':'validate'}\n"
#define DEP_ADD                                                                          \
    "{'timestamp':1552593348.073045,'name':'dependency-add','context':{'description':"   \
    "'begin-time=1552594348'}}\n"
#define DEP_REMOVE                                                                       \
    "{'timestamp':1552594348.0,'name':'dependency-remove','context':{'description':"     \
    "'begin-time=1552594348'}}\n"
#define DEPEND "{'timestamp':1605115080.0358412,'name':'depend'}\n"
#define PRIORITY                                                                         \
    "{'timestamp':1552593547.411336,'name':'priority','context':{'priority':42}}\n"
#define URGENCY                                                                          \
    "{'timestamp':1552593547.411336,'name':'urgency','context':{'urgency':0,'userid':"   \
    "5588}}\n"
#define UPDATE                                                                           \
    "{'timestamp':1552593348.073045,'name':'jobspec-update','context':{"                 \
    "'attributes.system.duration':3600}}\n"
#define R_UPDATE                                                                         \
    "{'timestamp':1552593348.073045,'name':'resource-update','context':{'expiration':"   \
    "1692206240}}\n"
#define FLAGS                                                                            \
    "{'timestamp':1552593348.073045,'name':'set-flags','context':{'flags':['debug']}}\n"
#define RESTART "{'timestamp':1605115080.0358412,'name':'flux-restart'}\n"
#define ALLOC                                                                            \
    "{'timestamp':1552593348.088391,'name':'alloc','context':{'annotations':{"           \
    "'sched.resource_summary':'rank0/core[0-1]'}}}\n"
#define PROLOG                                                                           \
    "{'timestamp':1552593348.073045,'name':'prolog-start','context':{'description':'p'}" \
    "}\n"                                                                                \
    "{'timestamp':1552594348.0,'name':'prolog-finish','context':{'description':'p','"    \
    "status':0}}\n"
#define EPILOG                                                                           \
    "{'timestamp':1552593348.073045,'name':'epilog-start','context':{'description':'e'}" \
    "}\n"                                                                                \
    "{'timestamp':1552594348.0,'name':'epilog-finish','context':{'description':'e','"    \
    "status':0}}\n"
#define START "{'timestamp':1552593348.089787,'name':'start'}\n"
#define FINISH "{'timestamp':1552593348.090927,'name':'finish','context':{'status':0}}\n"
#define RELEASE                                                                          \
    "{'timestamp':1552593348.092830,'name':'release','context':{'ranks':'all','final':"  \
    "true}}\n"
#define FREE "{'timestamp':1552593348.093541,'name':'free'}\n"
#define CLEAN "{'timestamp':1552593348.104432,'name':'clean'}\n"
#define OOM                                                                              \
    "{'timestamp':1552593986.335602,'name':'exception','context':{'type':'oom','"        \
    "severity':0,"                                                                       \
    "'userid':5588,'note':'out of memory on foo42'}}\n"
#define EXEC                                                                             \
    "{'timestamp':1552593986.335602,'name':'exception','context':{'type':'exec','"       \
    "severity':0,"                                                                       \
    "'note':'app: task rank 1 on host foo42 failed and exit-on-error is set',"           \
    "'wait_status':11}}\n"
#define MEMO "{'timestamp':1637723184.3725791,'name':'memo','context':{'key':'value'}}\n"
#define DEBUG "{'timestamp':1552594649.848032,'name':'debug.free-request'}\n"
#define EXCEPTION(type, severity)                                                        \
    E("exception", "'type':'" type "','severity':" severity ",'note':'n'")
#define STATUS(n) E("finish", "'status':" n)

#define TO_SCHED SUBMIT VALIDATE DEPEND PRIORITY
#define TO_RUN TO_SCHED ALLOC START
#define TO_END RELEASE FREE CLEAN

/* One letter a state: what the states are after each event. */
static const struct {
    const char *log, *states;
    enum job_result result;
} lives[] = {
    {TO_RUN FINISH TO_END, "DDPSRRCCCI", JOB_COMPLETED},
    {SUBMIT DEPEND PRIORITY ALLOC START FINISH FREE CLEAN, "DPSRRCCI", JOB_COMPLETED},
    {TO_RUN STATUS("256") TO_END, "DDPSRRCCCI", JOB_FAILED},
    {TO_RUN STATUS("11") TO_END, "DDPSRRCCCI", JOB_FAILED},
    {TO_RUN R_UPDATE PROLOG MEMO DEBUG FINISH EPILOG TO_END, "DDPSRRRRRRRCCCCCI",
     JOB_COMPLETED},
    {SUBMIT VALIDATE DEP_ADD FLAGS DEP_REMOVE DEPEND PRIORITY, "DDDDDPS", JOB_NO_RESULT},
    {TO_SCHED URGENCY PRIORITY UPDATE PRIORITY RESTART PRIORITY E0("restart")
         PRIORITY PRIORITY ALLOC,
     "DDPSPSPSPSPSSR", JOB_NO_RESULT},
    {TO_RUN URGENCY RESTART UPDATE, "DDPSRRRRR", JOB_NO_RESULT},
    {SUBMIT E0("invalidate"), "DI", JOB_FAILED},
    /* exceptions end what goes on, in each state */
    {SUBMIT EXCEPTION("cancel", "0") CLEAN, "DCI", JOB_CANCELED},
    {SUBMIT DEP_ADD EXCEPTION("dependency", "0") DEP_REMOVE CLEAN, "DDCCI", JOB_FAILED},
    {SUBMIT DEPEND EXCEPTION("cancel", "0") CLEAN, "DPCI", JOB_CANCELED},
    {TO_SCHED EXCEPTION("cancel", "0") CLEAN, "DDPSCI", JOB_CANCELED},
    {TO_SCHED EXCEPTION("alloc", "0") CLEAN, "DDPSCI", JOB_FAILED},
    {TO_SCHED EXCEPTION("cancel", "0") ALLOC FREE CLEAN, "DDPSCCCI", JOB_CANCELED},
    {TO_RUN EXCEPTION("timeout", "0") STATUS("15") TO_END, "DDPSRRCCCCI", JOB_TIMEOUT},
    {TO_RUN EXCEPTION("timelimit", "0") STATUS("0") TO_END, "DDPSRRCCCCI", JOB_TIMEOUT},
    {TO_RUN OOM STATUS("9") TO_END, "DDPSRRCCCCI", JOB_FAILED},
    {TO_RUN EXEC STATUS("35584") TO_END, "DDPSRRCCCCI", JOB_FAILED},
    {TO_SCHED ALLOC EXCEPTION("exec", "0") FREE CLEAN, "DDPSRCCI", JOB_FAILED},
    /* the first one is the cause */
    {TO_RUN OOM EXCEPTION("cancel", "0") STATUS("9") TO_END, "DDPSRRCCCCCI", JOB_FAILED},
    /* not severe, or too late */
    {TO_RUN EXCEPTION("cancel", "1") FINISH TO_END, "DDPSRRRCCCI", JOB_COMPLETED},
    {TO_RUN FINISH EXCEPTION("cancel", "0") TO_END, "DDPSRRCCCCI", JOB_COMPLETED},
    {TO_RUN STATUS("256") EXCEPTION("cancel", "0") TO_END, "DDPSRRCCCCI", JOB_FAILED},
    {TO_RUN EXCEPTION("x", "3") EXCEPTION("cancel", "0") STATUS("15") TO_END,
     "DDPSRRRCCCCI", JOB_CANCELED},
};

static json_object *decode(const char *quoted)
{
    struct error err = {0};
    cleanup_free char *text = json_quotes(quoted);
    json_object *log = eventlog_decode(text, strlen(text), &err);
    ck_assert_msg(log != NULL, "%s", err.text);
    return log;
}

static int replay(struct job_replay *jr, json_object *log, char *states,
                  struct error *err)
{
    job_replay_init(jr);
    size_t n = json_object_array_length(log);
    for (size_t i = 0; i < n; i++) {
        if (job_replay_event(jr, json_object_array_get_idx(log, i), err) < 0)
            return -1;
        if (states)
            *states++ = job_state_name(jr->state, true)[0];
    }
    if (states)
        *states = '\0';
    return 0;
}

START_TEST(replays_lives)
{
    for (size_t i = 0; i < ARRAY_SIZE(lives); i++) {
        struct error err = {0};
        struct job_replay jr;
        char states[64];
        cleanup_json json_object *log = decode(lives[i].log);
        ck_assert_msg(replay(&jr, log, states, &err) == 0, "life %zu: %s", i, err.text);
        ck_assert_msg(strcmp(states, lives[i].states) == 0, "life %zu: %s, not %s", i,
                      states, lives[i].states);
        ck_assert_msg(job_replay_result(&jr) == lives[i].result, "life %zu: result %s", i,
                      job_result_name(job_replay_result(&jr), false));
    }
}
END_TEST

static bool is(double a, double b)
{
    return a >= b && a <= b;
}

START_TEST(keeps_what_events_say)
{
    struct error err = {0};
    struct job_replay jr;
    cleanup_json json_object *log =
        decode(SUBMIT VALIDATE FLAGS DEP_ADD DEP_ADD DEP_REMOVE);
    ck_assert_int_eq(replay(&jr, log, NULL, &err), 0);
    ck_assert_int_eq(jr.state, JOB_DEPEND);
    ck_assert(is(jr.t_submit, 1552593348.073045));
    ck_assert(is(jr.t_depend, 1552593348.073045));
    ck_assert(is(jr.t_run, 0));
    ck_assert_int_eq(jr.urgency, 16);
    ck_assert_uint_eq(jr.userid, 5588);
    ck_assert_uint_eq(jr.flags, JOB_DEBUG);
    ck_assert_int_eq(jr.priority, -1);
    ck_assert_int_eq(jr.status, -1);
    ck_assert_int_eq(jr.exception_severity, -1);
    ck_assert_int_eq(jr.ndependencies, 1);

    cleanup_json json_object *more = decode(TO_SCHED URGENCY PRIORITY ALLOC START);
    ck_assert_int_eq(replay(&jr, more, NULL, &err), 0);
    ck_assert_int_eq(jr.urgency, 0);
    ck_assert_int_eq(jr.priority, 42);
    ck_assert(jr.have_resources && jr.started && !jr.exception);
    ck_assert(is(jr.t_run, 1552593348.088391));

    cleanup_json json_object *end =
        decode(TO_RUN EXCEPTION("warning", "3") OOM EXEC STATUS("9") TO_END);
    ck_assert_int_eq(replay(&jr, end, NULL, &err), 0);
    ck_assert(jr.exception && jr.interrupted && !jr.have_resources);
    ck_assert_str_eq(jr.exception_type, "oom");
    ck_assert_str_eq(jr.exception_note, "out of memory on foo42");
    ck_assert_int_eq(jr.exception_severity, 0);
    ck_assert_int_eq(jr.status, 9);
    ck_assert(is(jr.t_cleanup, 1552593986.335602));
    ck_assert(is(jr.t_inactive, 1552593348.104432));
}
END_TEST

START_TEST(cuts_long_exception_texts)
{
    struct job_replay jr;
    char note[400] = "";
    for (size_t i = 0; i < 199; i++)
        strcat(note, "\xc3\xa4");
    cleanup_json json_object *log = decode(TO_SCHED);
    ck_assert_int_eq(replay(&jr, log, NULL, NULL), 0);
    json_object *context = json_object_new_object();
    json_object_object_add(context, "type", json_object_new_string(note));
    json_object_object_add(context, "severity", json_object_new_int(0));
    json_object_object_add(context, "note", json_object_new_string(note));
    cleanup_json json_object *event = event_create(1, "exception", context);
    ck_assert_int_eq(job_replay_event(&jr, event, NULL), 0);
    ck_assert_uint_eq(strlen(jr.exception_type), 30); /* of 31: no half character */
    ck_assert_uint_eq(strlen(jr.exception_note), 254);
}
END_TEST

START_TEST(names_states_and_results)
{
    static const struct {
        int mask;
        const char *name, *single;
    } states[] = {
        {JOB_NEW, "NEW", "N"},           {JOB_DEPEND, "DEPEND", "D"},
        {JOB_PRIORITY, "PRIORITY", "P"}, {JOB_SCHED, "SCHED", "S"},
        {JOB_RUN, "RUN", "R"},           {JOB_CLEANUP, "CLEANUP", "C"},
        {JOB_INACTIVE, "INACTIVE", "I"}, {2 | 4 | 8, "PENDING", "PD"},
        {16 | 32, "RUNNING", "RU"},      {2 | 4 | 8 | 16 | 32, "ACTIVE", "A"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        ck_assert_str_eq(job_state_name((enum job_state)states[i].mask, false),
                         states[i].name);
        ck_assert_str_eq(job_state_name((enum job_state)states[i].mask, true),
                         states[i].single);
        ck_assert_int_eq(job_state_decode(states[i].name), states[i].mask);
        ck_assert_int_eq(job_state_decode(states[i].single), states[i].mask);
    }
    ck_assert_int_eq(job_state_decode("Sched"), JOB_SCHED);
    ck_assert_int_eq(job_state_decode("pending"), JOB_PENDING);
    ck_assert_int_eq(job_state_decode("pd"), JOB_PENDING);
    ck_assert_int_eq(job_state_decode(""), 0);
    ck_assert_int_eq(job_state_decode("sch"), 0);
    ck_assert_str_eq(job_state_name((enum job_state)3, false), "?");
    ck_assert_str_eq(job_result_name(JOB_COMPLETED, false), "COMPLETED");
    ck_assert_str_eq(job_result_name(JOB_CANCELED, true), "CA");
    ck_assert_str_eq(job_result_name(JOB_NO_RESULT, true), "?");
    ck_assert_int_eq(job_result_decode("completed"), JOB_COMPLETED);
    ck_assert_int_eq(job_result_decode("F"), JOB_FAILED);
    ck_assert_int_eq(job_result_decode("to"), JOB_TIMEOUT);
    ck_assert_int_eq(job_result_decode("x"), 0);
    ck_assert_int_eq(job_exit_code(0), 0);
    ck_assert_int_eq(job_exit_code(3 << 8), 3);
    ck_assert_int_eq(job_exit_code(SIGKILL), 137);
    ck_assert_int_eq(job_exit_code(SIGSEGV | 128), 139); /* with a core dump */
    ck_assert_int_eq(job_exit_code(-1), 1);
}
END_TEST

START_TEST(survives_spoiled_logs)
{
    uint32_t seed = 21;
    unsigned accepted = 0, rejected = 0;
    for (int round = 0; round < 200; round++)
        for (size_t i = 0; i < ARRAY_SIZE(lives); i++) {
            struct error err = {0};
            struct job_replay jr;
            cleanup_json json_object *log = decode(lives[i].log);
            cleanup_json json_object *bad = mutate_json(log, &seed);
            if (replay(&jr, bad, NULL, &err) == 0)
                accepted++;
            else
                rejected++;
            ck_assert_str_ne(job_state_name(jr.state, false), "?");
        }
    ck_assert_uint_gt(accepted, 200);
    ck_assert_uint_gt(rejected, 500);
}
END_TEST

/* The last event of each log must be refused. */
static const struct {
    const char *log, *names;
} rejects[] = {
    /* in the wrong state */
    {VALIDATE, "validate cannot happen to a job in state NEW"},
    {EXCEPTION("cancel", "0"), "exception cannot happen to a job in state NEW"},
    {SUBMIT SUBMIT, "submit cannot happen to a job in state DEPEND"},
    {SUBMIT PRIORITY, "priority cannot happen to a job in state DEPEND"},
    {SUBMIT VALIDATE ALLOC, "alloc cannot happen to a job in state DEPEND"},
    {SUBMIT DEPEND DEPEND, "depend cannot happen to a job in state PRIORITY"},
    {SUBMIT DEPEND VALIDATE, "validate cannot happen to a job in state PRIORITY"},
    {SUBMIT DEPEND ALLOC, "alloc cannot happen to a job in state PRIORITY"},
    {TO_SCHED DEP_ADD, "dependency-add cannot happen"},
    {TO_SCHED START, "start cannot happen to a job in state SCHED"},
    {TO_SCHED FINISH, "finish cannot happen to a job in state SCHED"},
    {TO_SCHED URGENCY ALLOC, "alloc cannot happen to a job in state PRIORITY"},
    {TO_RUN PRIORITY, "priority cannot happen to a job in state RUN"},
    {TO_RUN FREE, "free cannot happen to a job in state RUN"},
    {TO_RUN CLEAN, "clean cannot happen to a job in state RUN"},
    {TO_RUN ALLOC, "alloc cannot happen to a job in state RUN"},
    {TO_RUN FINISH CLEAN, "clean: the job's resources were not freed"},
    {TO_RUN FINISH FINISH, "finished already"},
    {TO_RUN FINISH FREE FREE, "free: the job has no resources"},
    {TO_RUN FINISH FREE RELEASE, "release: the job has no resources"},
    {TO_RUN OOM ALLOC, "alloc: the job has its resources already"},
    {TO_SCHED OOM START, "start: the job has no resources"},
    {TO_SCHED OOM FINISH, "finish: the job has no resources"},
    {TO_RUN FINISH TO_END CLEAN, "clean cannot happen to a job in state INACTIVE"},
    {TO_RUN FINISH TO_END OOM, "exception cannot happen to a job in state INACTIVE"},
    {SUBMIT DEP_REMOVE, "'begin-time=1552594348': the job has no dependency left"},
    {SUBMIT DEP_ADD DEPEND, "still has 1 dependencies"},
    /* without what they must carry */
    {E0("submit"), "submit: urgency must be an integer 0 to 31, not null"},
    {E("submit", "'urgency':32,'userid':1,'flags':0,'version':1"), "not 32"},
    {E("submit", "'urgency':1,'userid':'root','flags':0,'version':1"), "not 'root'"},
    {E("submit", "'urgency':1,'userid':-1,'flags':0,'version':1"), "userid"},
    {E("submit", "'urgency':1,'userid':1,'version':1"), "flags"},
    {E("submit", "'urgency':1,'userid':1,'flags':0"), "version"},
    {E("submit", "'urgency':1,'userid':1,'flags':0,'version':2"),
     "version must be an integer 1"},
    {SUBMIT E("set-flags", "'flags':'debug'"),
     "must be an array of strings, not 'debug'"},
    {SUBMIT E("set-flags", "'flags':[1]"), "not [1]"},
    {SUBMIT E("set-flags", "'flags':['fast']"), "'fast' is not a flag"},
    {SUBMIT E0("dependency-add"), "description must be a string"},
    {SUBMIT DEP_ADD E("dependency-remove", "'description':1"), "must be a string, not 1"},
    {SUBMIT DEPEND E0("priority"),
     "priority must be an integer 0 to 4294967295, not null"},
    {SUBMIT DEPEND E("priority", "'priority':4294967296"), "not 4294967296"},
    {SUBMIT E("urgency", "'urgency':-1,'userid':1"), "not -1"},
    {SUBMIT E("urgency", "'urgency':1"), "userid"},
    {SUBMIT E("jobspec-update", ""), "must have an entry"},
    {SUBMIT E0("jobspec-update"), "must have an entry"},
    {TO_RUN E0("resource-update"), "expiration must be a number"},
    {TO_RUN E0("prolog-start"), "description"},
    {TO_RUN E("prolog-finish", "'description':'p'"), "status"},
    {TO_RUN FINISH E0("epilog-start"), "description"},
    {TO_RUN E0("finish"), "status must be an integer 0 to 2147483647, not null"},
    {TO_RUN E("finish", "'status':0.5"), "not 0.5"},
    {TO_RUN FINISH E("release", "'ranks':'all'"), "final must be true or false"},
    {TO_RUN FINISH E("release", "'final':true"), "ranks must be a string"},
    {SUBMIT E("exception", "'severity':0,'note':''"), "type must be a string"},
    {SUBMIT E("exception", "'type':'x','severity':8,'note':''"),
     "severity must be an integer 0 to 7"},
    {SUBMIT E("exception", "'type':'x','severity':1"), "note must be a string"},
};

START_TEST(rejects_bad_events)
{
    for (size_t i = 0; i < ARRAY_SIZE(rejects); i++) {
        struct error err = {0};
        struct job_replay jr;
        cleanup_free char *names = json_quotes(rejects[i].names);
        cleanup_json json_object *log = decode(rejects[i].log);
        size_t last = json_object_array_length(log) - 1;
        cleanup_json json_object *bad =
            json_object_get(json_object_array_get_idx(log, last));
        json_object_array_del_idx(log, last, 1);
        ck_assert_msg(replay(&jr, log, NULL, &err) == 0, "reject %zu: %s", i, err.text);
        struct job_replay before;
        memcpy(&before, &jr, sizeof(jr));
        ck_assert_msg(job_replay_event(&jr, bad, &err) == -1, "reject %zu was accepted",
                      i);
        ck_assert_int_eq(memcmp(&before, &jr, sizeof(jr)), 0);
        ck_assert_int_eq(err.code, EINVAL);
        if (!strstr(err.text, rejects[i].names))
            ck_error_names(err, names);
        ck_assert_int_eq(job_replay_event(&jr, bad, NULL), -1);
    }
    struct job_replay jr;
    job_replay_init(&jr);
    ck_assert_int_eq(job_replay_event(&jr, NULL, NULL), -1);
}
END_TEST

UNIT_MAIN("state", replays_lives, keeps_what_events_say, cuts_long_exception_texts,
          names_states_and_results, survives_spoiled_logs, rejects_bad_events)
