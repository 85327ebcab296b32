/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/storedview.h"

#include "src/common/util.h"
#include "src/instance/jobview.h"
#include "src/job/state.h"

enum key {
    ID,
    NAME,
    STATE,
    URGENCY,
    PRIORITY,
    USERID,
    USERNAME,
    CWD,
    QUEUE,
    NTASKS,
    NNODES,
    NCORES,
    NGPUS,
    NODELIST,
    RANKS,
    DURATION,
    T_SUBMIT,
    T_DEPEND,
    T_RUN,
    T_CLEANUP,
    T_INACTIVE,
    EXPIRATION,
    RESULT,
    STATUS,
    EXIT,
    CC,
    ARRAY,
    EXCEPTION,
    KEYS,
};

static const char *const names[KEYS] = {
    [ID] = "id",
    [NAME] = "name",
    [STATE] = "state",
    [URGENCY] = "urgency",
    [PRIORITY] = "priority",
    [USERID] = "userid",
    [USERNAME] = "username",
    [CWD] = "cwd",
    [QUEUE] = "queue",
    [NTASKS] = "ntasks",
    [NNODES] = "nnodes",
    [NCORES] = "ncores",
    [NGPUS] = "ngpus",
    [NODELIST] = "nodelist",
    [RANKS] = "ranks",
    [DURATION] = "duration",
    [T_SUBMIT] = "t_submit",
    [T_DEPEND] = "t_depend",
    [T_RUN] = "t_run",
    [T_CLEANUP] = "t_cleanup",
    [T_INACTIVE] = "t_inactive",
    [EXPIRATION] = "expiration",
    [RESULT] = "result",
    [STATUS] = "status",
    [EXIT] = "exit",
    [CC] = "cc",
    [ARRAY] = "array",
    [EXCEPTION] = "exception",
};

uint64_t storedview_keys(json_object *keys)
{
    uint64_t mask = 0;
    for (int k = 0; k < KEYS; k++)
        if (!keys || json_object_object_get_ex(keys, names[k], NULL))
            mask |= (uint64_t)1 << k;
    return mask;
}

struct view {
    struct strbuf *b;
    uint64_t keys;
};

/* Begin with key K, if it is wanted. */
static bool begin(const struct view *v, enum key k)
{
    if (!(v->keys >> k & 1))
        return false;
    strbuf_add(v->b, ",\"");
    strbuf_add(v->b, names[k]);
    strbuf_add(v->b, "\":");
    return true;
}

static void put_str(const struct view *v, enum key k, const char *s)
{
    if (s && begin(v, k))
        strbuf_add_json(v->b, s);
}

static void put_int(const struct view *v, enum key k, int64_t i)
{
    if (!begin(v, k))
        return;
    if (i < 0)
        strbuf_addc(v->b, '-');
    strbuf_addu(v->b, i < 0 ? -(uint64_t)i : (uint64_t)i);
}

/* Absent while not known. */
static void put_time(const struct view *v, enum key k, double t)
{
    if (t > 0 && begin(v, k))
        strbuf_add_time(v->b, t);
}

static void put_exception(const struct view *v, const struct store_run *run)
{
    if (!run->exception_type || !begin(v, EXCEPTION))
        return;
    strbuf_add(v->b, "{\"type\":");
    strbuf_add_json(v->b, run->exception_type);
    strbuf_addf(v->b, ",\"severity\":%d,\"note\":", run->exception_severity);
    strbuf_add_json(v->b, run->exception_note ? run->exception_note : "");
    strbuf_addc(v->b, '}');
}

void storedview_add(const struct store_entry *e, uint64_t keys, struct strbuf *b)
{
    const struct store_run *run = e->run;
    const struct view view = {b, keys}, *v = &view;
    size_t start = b->len;
    put_int(v, ID, (int64_t)run->id);
    put_str(v, NAME, e->job.name);
    put_str(v, STATE, job_state_name(JOB_INACTIVE, false));
    put_int(v, URGENCY, e->job.urgency);
    put_int(v, PRIORITY, e->job.priority);
    put_int(v, USERID, e->job.userid);
    put_str(v, USERNAME, jobview_username(e->job.userid));
    put_str(v, CWD, e->job.cwd);
    put_str(v, QUEUE, e->job.queue);
    put_int(v, NTASKS, e->job.ntasks);
    if (run->nnodes || e->job.nnodes)
        put_int(v, NNODES, run->nnodes ? run->nnodes : e->job.nnodes);
    put_int(v, NCORES, run->nnodes ? run->ncores : e->job.ncores);
    put_int(v, NGPUS, run->nnodes ? run->ngpus : e->job.ngpus);
    put_str(v, NODELIST, run->nodelist);
    put_str(v, RANKS, run->ranks);
    put_time(v, DURATION, e->job.duration);
    put_time(v, T_SUBMIT, e->job.t_submit);
    put_time(v, T_DEPEND, run->t_depend);
    put_time(v, T_RUN, run->t_run);
    put_time(v, T_CLEANUP, run->t_cleanup);
    put_time(v, T_INACTIVE, run->t_inactive);
    put_time(v, EXPIRATION, run->expiration);
    put_str(v, RESULT, job_result_name((enum job_result)run->result, false));
    if (run->status >= 0) {
        put_int(v, STATUS, run->status);
        put_int(v, EXIT, job_exit_code(run->status));
    }
    if (run->cc >= 0 && !(e->job.flags & JOB_BULK)) {
        put_int(v, CC, run->cc);
        put_int(v, ARRAY, (int64_t)e->job.id);
    }
    put_exception(v, run);
    if (b->len == start)
        strbuf_addc(b, '{');
    else
        b->s[start] = '{'; /* in place of the first comma */
    strbuf_addc(b, '}');
}

json_object *storedview_object(const struct store_entry *entry, uint64_t keys)
{
    struct strbuf b = {0};
    json_object *o = json_object_new_int64((int64_t)entry->run->id);
    storedview_add(entry, keys, &b);
    json_object_set_serializer(o, json_object_userdata_to_json_string, strbuf_take(&b),
                               json_object_free_userdata);
    return o;
}
