/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/change.h"

#include <string.h>
#include "src/common/idset.h"
#include "src/common/util.h"
#include "src/instance/archives.h"
#include "src/instance/journal.h"
#include "src/instance/leader_impl.h"
#include "src/instance/record.h"
#include "src/instance/site.h"
#include "src/job/jsonutil.h"

static void publish(struct leader *ld, struct strbuf *b)
{
    strbuf_add(b, "}\n");
    if (ld->holds_changes)
        strbuf_addn(&ld->held_changes, b->s, b->len);
    else
        ld->config.publish(ld->config.arg, b->s, b->len);
}

void change_hold(struct leader *ld)
{
    ld->holds_changes = true;
}

void change_let_go(struct leader *ld)
{
    ld->holds_changes = false;
    if (ld->held_changes.len > 0)
        ld->config.publish(ld->config.arg, ld->held_changes.s, ld->held_changes.len);
    ld->held_changes.len = 0;
}

static void begin(struct strbuf *b, const char *kind, const struct job *job)
{
    strbuf_add(b, "{\"c\":\"");
    strbuf_add(b, kind);
    strbuf_add(b, "\",\"id\":");
    strbuf_addu(b, job->sj.id);
}

/* ,"KEY":"TEXT" with TEXT quoted as JSON. */
static void add_string(struct strbuf *b, const char *key, const char *text)
{
    cleanup_json json_object *o = json_object_new_string(text);
    strbuf_addf(b, ",\"%s\":%s", key,
                json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
}

static void add_json(struct strbuf *b, const char *key, json_object *o)
{
    if (o)
        strbuf_addf(b, ",\"%s\":%s", key,
                    json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
}

static void tell_text(struct leader *ld, struct text *t)
{
    if (!t || t->streamed)
        return;
    t->streamed = true;
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b, "{\"c\":\"text\",\"k\":\"%s\",\"h\":\"%s\",\"data\":",
                t->kind == TEXT_ENV ? "env" : "spec", t->name);
    text_add(t, &b);
    publish(ld, &b);
}

void change_text_dropped(struct leader *ld, const struct text *t)
{
    if (!ld->config.publish || !t->streamed)
        return;
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b, "{\"c\":\"untext\",\"h\":\"%s\"", t->name);
    publish(ld, &b);
}

void change_submitted(struct leader *ld, const struct submission *sub, double when,
                      int urgency)
{
    if (!ld->config.publish)
        return;
    tell_text(ld, sub->env_text);
    tell_text(ld, sub->jobspec_text);
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b,
                "{\"c\":\"submit\",\"id\":%llu,\"count\":%llu,\"t\":%.6f,\"urgency\":%d,"
                "\"flags\":%u,\"spec\":\"%s\"",
                (unsigned long long)sub->first, (unsigned long long)sub->count, when,
                urgency, sub->flags, sub->jobspec_text->name);
    if (sub->env_text)
        strbuf_addf(&b, ",\"env\":\"%s\"", sub->env_text->name);
    if (sub->cc)
        add_string(&b, "cc", sub->cc);
    if (sub->key)
        add_string(&b, "key", sub->key);
    const struct job *job = !sub->wishes ? NULL
                            : sub->array ? element_rest_any(sub)
                                         : jobtable_find(ld->jobs, sub->first);
    if (job && job->reason)
        add_string(&b, "reason", job->reason);
    if (sub->parent)
        strbuf_addf(&b, ",\"parent\":%llu,\"prank\":%u", (unsigned long long)sub->parent,
                    sub->parent_rank);
    if (sub->spawn_from >= 0)
        strbuf_addf(&b, ",\"spawn\":[%d,%lld]", sub->spawn_from,
                    (long long)sub->spawn_token);
    if (sub->preput)
        strbuf_addf(&b, ",\"preput\":%s",
                    json_object_to_json_string_ext(sub->preput, JSON_C_TO_STRING_PLAIN));
    publish(ld, &b);
    struct job *single = sub->count == 1 ? jobtable_find(ld->jobs, sub->first) : NULL;
    if (single) {
        single->told = true;
        change_log(ld, single);
    }
}

void change_placed(struct leader *ld, const struct job *job)
{
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, "run", job);
    strbuf_add(&b, ",\"t\":");
    strbuf_add_time(&b, job->t_run);
    strbuf_add(&b, ",\"x\":");
    strbuf_add_time(&b, job->expiration);
    strbuf_addf(&b, ",\"ntasks\":%u,\"R\":[", job->ntasks);
    for (size_t i = 0; i < job->pl->rset->nnodes; i++) {
        const struct rset_node *node = &job->pl->rset->nodes[i];
        cleanup_free char *cores = idset_encode(node->cores, 0);
        cleanup_free char *gpus = idset_encode(node->gpus, 0);
        strbuf_addf(&b, "%s[%u,\"%s\",\"%s\",%u", i ? "," : "", node->rank, cores, gpus,
                    job->pl->nslots[i]);
        if (node->memory)
            strbuf_addf(&b, ",%ju", (uintmax_t)node->memory);
        strbuf_addc(&b, ']');
    }
    strbuf_addc(&b, ']');
    add_json(&b, "scheduling", job->pl->rset->scheduling);
    publish(ld, &b);
}

static void tell_lease(struct leader *ld, const char *kind, unsigned rank,
                       const char *ids)
{
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b, "{\"c\":\"%s\",\"rank\":%u,\"ids\":", kind, rank);
    strbuf_add(&b, ids);
    publish(ld, &b);
    record_lease(ld->store, rank, &ld->nodes[rank].lease->ahead);
}

void change_lease(struct leader *ld, unsigned rank)
{
    const struct lease *lease = ld->nodes[rank].lease;
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf ids = {0};
    const struct job *job = TAILQ_LAST(&lease->ahead, ahead_jobs);
    for (unsigned i = 1; i < lease->unsent; i++)
        job = TAILQ_PREV(job, ahead_jobs, ahead_entry);
    for (; job; job = TAILQ_NEXT(job, ahead_entry)) {
        strbuf_addc(&ids, ids.len ? ',' : '[');
        strbuf_addu(&ids, job->sj.id);
    }
    strbuf_addc(&ids, ']');
    tell_lease(ld, "lease", rank, ids.s);
}

void change_unlease(struct leader *ld, unsigned rank, json_object *ids)
{
    if (ld->config.publish)
        tell_lease(ld, "unlease", rank,
                   json_object_to_json_string_ext(ids, JSON_C_TO_STRING_PLAIN));
}

void change_unlease_one(struct leader *ld, unsigned rank, jobid_t id)
{
    char ids[32];
    if (!ld->config.publish)
        return;
    snprintf(ids, sizeof(ids), "[%llu]", (unsigned long long)id);
    tell_lease(ld, "unlease", rank, ids);
}

/* A step that the job's id tells all of. */
static void tell_step(struct leader *ld, const char *kind, const struct job *job)
{
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, kind, job);
    publish(ld, &b);
}

void change_started(struct leader *ld, const struct job *job)
{
    tell_step(ld, "start", job);
}

/* A line of KIND with O, which is kept in the store under that name, too. */
static void tell_lasting(struct leader *ld, const char *kind, json_object *o)
{
    const char *text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
    store_attr_set(ld->store, kind, text);
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b, "{\"c\":\"%s\",\"data\":", kind);
    strbuf_add(&b, text);
    publish(ld, &b);
}

void change_config(struct leader *ld)
{
    cleanup_json json_object *o = queues_to_json(ld->queues);
    tell_lasting(ld, "config", o);
}

void change_attrs(struct leader *ld)
{
    tell_lasting(ld, "attrs", jsonutil_get(ld->config.info, "attrs"));
}

void change_account(struct leader *ld, json_object *o)
{
    tell_lasting(ld, "account", o);
}

void change_depends(struct leader *ld, const struct job *job)
{
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, "depend", job);
    if (job->rest) /* all of the array's elements without a job */
        strbuf_addf(&b, ",\"of\":%llu", (unsigned long long)job->sub->first);
    if (job->reason)
        add_string(&b, "reason", job->reason);
    publish(ld, &b);
}

void change_excepted(struct leader *ld, const struct job *job)
{
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, "exception", job);
    add_string(&b, "type", job->exception->type);
    strbuf_addf(&b, ",\"severity\":%d", job->exception->severity);
    add_string(&b, "note", job->exception->note);
    publish(ld, &b);
}

void change_urgency(struct leader *ld, const struct job *job)
{
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, "urgency", job);
    strbuf_addf(&b, ",\"urgency\":%d,\"priority\":%llu", job->urgency,
                (unsigned long long)job->sj.priority);
    publish(ld, &b);
}

/* Of the elements of RUN that wait. */
static void begin_run(struct strbuf *b, const char *kind, const struct submission *sub,
                      struct array_run run)
{
    strbuf_addf(b, "{\"c\":\"%s\",\"id\":%llu,\"n\":%llu", kind,
                (unsigned long long)jobid_nth(sub->first, run.first),
                (unsigned long long)run.n);
}

void change_elements_ended(struct leader *ld, const struct submission *sub,
                           struct array_run run, const struct element_end *end)
{
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    begin_run(&b, "ends", sub, run);
    strbuf_addf(&b, ",\"t\":%.6f,\"td\":%.6f", end->when, end->t_depend);
    add_string(&b, "type", end->type);
    add_string(&b, "note", end->note);
    publish(ld, &b);
}

void change_elements_urgency(struct leader *ld, const struct submission *sub,
                             struct array_run run, const struct job *rest)
{
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    begin_run(&b, "urgencies", sub, run);
    strbuf_addf(&b, ",\"urgency\":%d", rest->urgency);
    publish(ld, &b);
}

void change_memo(struct leader *ld, const struct job *job, json_object *memo)
{
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, "memo", job);
    add_json(&b, "memo", memo);
    publish(ld, &b);
}

void change_archive(struct leader *ld, json_object *line)
{
    cleanup_strbuf struct strbuf b = {0};
    size_t len;
    if (!ld->config.publish)
        return;
    if (strcmp(jsonutil_string(jsonutil_get(line, "op")), "put") == 0) {
        archives_write_put(&b, line);
    } else {
        const char *text =
            json_object_to_json_string_length(line, JSON_C_TO_STRING_PLAIN, &len);
        strbuf_addn(&b, text, len - 1); /* its brace is publish's */
    }
    publish(ld, &b);
}

void change_purged(struct leader *ld, json_object *ranges, bool sweep)
{
    cleanup_strbuf struct strbuf b = {0};
    if (!ld->config.publish)
        return;
    strbuf_add(&b, "{\"c\":\"purge\"");
    add_json(&b, "ranges", ranges);
    if (sweep)
        strbuf_add(&b, ",\"sweep\":true");
    publish(ld, &b);
}

void change_update(struct leader *ld, const struct job *job, bool spec)
{
    if (!ld->config.publish)
        return;
    if (spec)
        tell_text(ld, job->sub->jobspec_text);
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, "update", job);
    strbuf_addf(&b, ",\"duration\":%.17g", job->sj.duration);
    if (job->state == JOB_RUN)
        strbuf_addf(&b, ",\"x\":%.6f", job->expiration);
    if (spec)
        strbuf_addf(&b, ",\"spec\":\"%s\"", job->sub->jobspec_text->name);
    publish(ld, &b);
}

void change_requeued(struct leader *ld, const struct job *job)
{
    tell_step(ld, "requeue", job);
}

static void add_time(struct strbuf *b, const char *key, double t)
{
    strbuf_add(b, ",\"");
    strbuf_add(b, key);
    strbuf_add(b, "\":");
    strbuf_add_time(b, t);
}

static void begin_end(struct strbuf *b, const char *kind, const struct job *job)
{
    begin(b, kind, job);
    add_time(b, "t", job->t_inactive);
    if (job->t_cleanup > 0)
        add_time(b, "tc", job->t_cleanup);
}

void change_ended(struct leader *ld, const struct job *job)
{
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    begin_end(&b, "end", job);
    strbuf_addf(&b, ",\"status\":%d", job->status);
    add_json(&b, "output", job->output);
    publish(ld, &b);
}

void change_followed(struct leader *ld, const struct job *job, const struct job *heir)
{
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    begin_end(&b, "next", job);
    strbuf_add(&b, ",\"to\":");
    strbuf_addu(&b, heir->sj.id);
    add_time(&b, "tr", heir->t_run);
    if (heir->expiration != job->expiration)
        add_time(&b, "x", heir->expiration);
    if (job->status != 0)
        strbuf_addf(&b, ",\"status\":%d", job->status);
    if (job->output != job->site->quiet)
        add_json(&b, "output", job->output);
    publish(ld, &b);
}

void change_node_done(struct leader *ld, const struct job *job, unsigned index,
                      int status, json_object *report)
{
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, "done", job);
    strbuf_addf(&b, ",\"node\":%u,\"status\":%d", index, status);
    add_json(&b, "report", report);
    publish(ld, &b);
}

void change_released(struct leader *ld, const struct job *job, const struct rset *r)
{
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    cleanup_free char *ranks = rset_ranks(r);
    begin(&b, "release", job);
    add_string(&b, "ranks", ranks);
    publish(ld, &b);
}

static void tell_event(struct leader *ld, const struct job *job, const char *line,
                       size_t len)
{
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, "event", job);
    strbuf_add(&b, ",\"e\":");
    strbuf_addn(&b, line, len);
    publish(ld, &b);
}

void change_event(struct leader *ld, const struct job *job, const char *line)
{
    /* the submission itself is not out yet: change_submitted is followed by change_log */
    if (ld->config.publish && job->told)
        tell_event(ld, job, line, strlen(line) - 1);
}

void change_log(struct leader *ld, const struct job *job)
{
    if (!ld->config.publish || !job->log.len)
        return;
    for (const char *line = job->log.s, *end; (end = strchr(line, '\n')); line = end + 1)
        tell_event(ld, job, line, (size_t)(end - line));
}

/* The journal has it at once, the others with the stream. */
static void note_node(struct leader *ld, const struct pool_node *node, double t,
                      const char *why)
{
    const struct leader_node *own = &ld->nodes[node->rank];
    journal_note(ld->config.journal, t,
                 &(struct journal_node){.rank = node->rank,
                                        .host = node->host,
                                        .up = node->state != POOL_DOWN,
                                        .drained = own->drained,
                                        .since = own->drained_at,
                                        .reason = why});
}

void change_drained(struct leader *ld, unsigned rank, const char *why)
{
    double now = time_now();
    sched_kick(ld->sched); /* plans that counted on it are void: others may go before */
    leader_wake(ld);
    for (size_t i = 0; i < pool_nnodes(ld->pool); i++) {
        struct pool_node node = pool_nth(ld->pool, i);
        if (node.rank != rank)
            continue;
        cleanup_strbuf struct strbuf b = {0};
        note_node(ld, &node, now, why);
        strbuf_addf(&b, "{\"c\":\"node\",\"rank\":%u,\"state\":%d,\"t\":%.6f", rank,
                    (int)node.state, now);
        if (node.reason)
            add_string(&b, "reason", node.reason);
        if (node.state == POOL_DOWN && ld->nodes[rank].drained)
            add_string(&b, "drained", ld->nodes[rank].drained);
        if (ld->nodes[rank].drained)
            strbuf_addf(&b, ",\"since\":%.6f", ld->nodes[rank].drained_at);
        if (why)
            add_string(&b, "why", why);
        if (ld->config.publish)
            publish(ld, &b);
        else
            strbuf_add(&b, "}");
        if (ld->config.publish || ld->config.keeps)
            record_node(ld->store, rank, b.s);
    }
}

void change_node(struct leader *ld, unsigned rank)
{
    change_drained(ld, rank, NULL);
}

void change_gone(struct leader *ld, unsigned rank)
{
    journal_gone(ld->config.journal, time_now(), rank);
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b, "{\"c\":\"gone\",\"rank\":%u", rank);
    publish(ld, &b);
}

void change_exec(struct leader *ld, unsigned rank)
{
    const struct leader_node *node = &ld->nodes[rank];
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    strbuf_addf(&b, "{\"c\":\"exec\",\"rank\":%u,\"pid\":%lld,\"since\":%.6f", rank,
                (long long)node->exec_pid, node->exec_since);
    publish(ld, &b);
    record_exec(ld->store, rank, b.s);
}

void change_shutdown(struct leader *ld)
{
    if (!ld->config.publish)
        return;
    cleanup_strbuf struct strbuf b = {0};
    strbuf_add(&b, "{\"c\":\"shutdown\"");
    add_string(&b, "reason", ld->shutdown);
    if (ld->exit_code >= 0)
        strbuf_addf(&b, ",\"status\":%d", ld->exit_code);
    publish(ld, &b);
    store_attr_set(ld->store, "shutdown", b.s);
}
