/* SPDX-License-Identifier: BSD-3-Clause */
/* PMI-1 (RFC 13): lines of KEY=VALUE words. */
#include "pmi/wire_impl.h"
#include "src/common/util.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { LINE_MAX_LEN = 64 * 1024, SPAWN_MAX_LEN = 8 << 20, WORDS_MAX = 64 };

struct words { /* of one command, pointing into it */
    unsigned n;
    struct {
        const char *key, *value;
    } word[WORDS_MAX];
};

static const char *get(const struct words *w, const char *key)
{
    for (unsigned i = 0; i < w->n; i++)
        if (strcmp(w->word[i].key, key) == 0)
            return w->word[i].value;
    return NULL;
}

static void reply(struct conn *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void reply(struct conn *c, const char *fmt, ...)
{
    va_list ap;
    char *text;
    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    if (n < 0)
        abort();
    conn_send(c, text, (size_t)n);
    free(text);
}

/* As "msg" in an answer: MPICH's client reads words, so there are no blanks in it. */
static char *one_word(const char *why)
{
    char *s = xstrdup(why && *why ? why : "failed");
    for (char *p = s; *p; p++)
        if (*p <= ' ' || *p == '=')
            *p = '_';
    return s;
}

static void reply_failed(struct conn *c, const char *cmd, const char *why)
{
    cleanup_free char *msg = one_word(why);
    reply(c, "cmd=%s rc=-1 msg=%s\n", cmd, msg);
}

/* --- commands ----------------------------------------------------------------------------- */

static void on_maxes(struct conn *c, const struct words *w)
{
    (void)w;
    size_t name = MAX(strlen(c->job->nspace) + 1, WIRE_NAME_MAX);
    reply(c, "cmd=maxes rc=0 kvsname_max=%zu keylen_max=%d vallen_max=%d\n", name,
          WIRE_KEY_MAX, WIRE_VALUE_MAX);
}

static void on_appnum(struct conn *c, const struct words *w)
{
    (void)w;
    reply(c, "cmd=appnum rc=0 appnum=%u\n", conn_appnum(c));
}

static void on_kvsname(struct conn *c, const struct words *w)
{
    (void)w;
    reply(c, "cmd=my_kvsname rc=0 kvsname=%s\n", c->job->nspace);
}

static void on_universe(struct conn *c, const struct words *w)
{
    (void)w;
    reply(c, "cmd=universe_size rc=0 size=%u\n", c->job->universe_size);
}

/* The space that the command names, NULL after an answer. Others can be read if they have
 * tasks on this node. */
static struct kvs *named_kvs(struct conn *c, const struct words *w, const char *result,
                             bool own)
{
    const char *name = get(w, "kvsname");
    if (!name || strcmp(name, c->job->nspace) == 0)
        return c->job->kvs;
    struct wire_job *job = own ? NULL : wire_job_find(c->job->wire, name);
    if (job)
        return job->kvs;
    cleanup_free char *why = xasprintf("kvs %s not found", name);
    reply_failed(c, result, why);
    return NULL;
}

static void on_put(struct conn *c, const struct words *w)
{
    struct kvs *kvs = named_kvs(c, w, "put_result", true);
    const char *key = get(w, "key"), *value = get(w, "value");
    if (!kvs)
        return;
    if (strlen(key) >= WIRE_KEY_MAX || strlen(value) >= WIRE_VALUE_MAX) {
        reply_failed(c, "put_result",
                     strlen(key) >= WIRE_KEY_MAX ? "key is too long"
                                                 : "value is too long");
        return;
    }
    kvs_put(kvs, key, value, strlen(value));
    reply(c, "cmd=put_result rc=0 msg=success\n");
}

static void on_get(struct conn *c, const struct words *w)
{
    const struct kvs *kvs = named_kvs(c, w, "get_result", false);
    const char *value = kvs ? kvs_get(kvs, get(w, "key"), NULL) : NULL;
    if (value)
        reply(c, "cmd=get_result rc=0 msg=success value=%s\n", value);
    else if (kvs) {
        cleanup_free char *why = xasprintf("key %s not found", get(w, "key"));
        reply_failed(c, "get_result", why);
    }
}

static void on_getbyidx(struct conn *c, const struct words *w)
{
    const struct kvs *kvs = named_kvs(c, w, "getbyidx_results", false);
    if (!kvs)
        return;
    unsigned long i = strtoul(get(w, "idx"), NULL, 10);
    const char *value, *key = kvs_nth(kvs, i, &value, NULL);
    if (key)
        reply(c, "cmd=getbyidx_results rc=0 nextidx=%lu key=%s val=%s\n", i + 1, key,
              value);
    else
        reply(c, "cmd=getbyidx_results rc=-2 reason=no_more_keyvals\n");
}

static void on_barrier(struct conn *c, const struct words *w)
{
    (void)w;
    op_barrier(c, NULL);
}

static void on_finalize(struct conn *c, const struct words *w)
{
    (void)w;
    reply(c, "cmd=finalize_ack rc=0\n");
    conn_finalized(c);
}

/* No answer: the task waits for its end. */
static void on_abort(struct conn *c, const struct words *w)
{
    const char *code = get(w, "exitcode"), *text = get(w, "message");
    op_abort(c, code ? (int)strtol(code, NULL, 10) : 1, text ? text : get(w, "msg"));
}

static void on_publish(struct conn *c, const struct words *w)
{
    const char *port = get(w, "port");
    op_publish(c, NULL, get(w, "service"), port, strlen(port));
}

static void on_lookup(struct conn *c, const struct words *w)
{
    op_lookup(c, NULL, get(w, "service"));
}

static void on_unpublish(struct conn *c, const struct words *w)
{
    op_unpublish(c, NULL, get(w, "service"));
}

/* NEED: words that must be there. TAIL: its value is the rest of the line, blanks included,
 * once the other needed word was seen. */
static const struct command {
    const char *name, *need[2], *tail;
    void (*on)(struct conn *c, const struct words *w);
} commands[] = {
    {"get_maxes", {0}, NULL, on_maxes},
    {"get_appnum", {0}, NULL, on_appnum},
    {"get_my_kvsname", {0}, NULL, on_kvsname},
    {"get_universe_size", {0}, NULL, on_universe},
    {"put", {"key", "value"}, "value", on_put},
    {"get", {"key"}, NULL, on_get},
    {"getbyidx", {"idx"}, NULL, on_getbyidx},
    {"barrier_in", {0}, NULL, on_barrier},
    {"finalize", {0}, NULL, on_finalize},
    {"abort", {0}, "message", on_abort},
    {"publish_name", {"service", "port"}, "port", on_publish},
    {"lookup_name", {"service"}, NULL, on_lookup},
    {"unpublish_name", {"service"}, NULL, on_unpublish},
};

/* Split LINE; NULL or what is wrong with it. */
static const char *split(char *line, const struct command *command, struct words *w)
{
    w->n = 0;
    for (char *p = line; *p;) {
        p += strspn(p, " \t\r");
        if (!*p)
            break;
        if (w->n == WORDS_MAX)
            return "has too many words";
        char *key = p, *value;
        p += strcspn(p, "= \t\r");
        if (*p != '=')
            return "has a word without '='";
        *p++ = '\0';
        value = p;
        bool tail = command && command->tail && strcmp(key, command->tail) == 0 &&
                    (!command->need[0] || get(w, command->need[0]));
        if (tail)
            p += strcspn(p, "\r");
        else
            for (; *p && !strchr(" \t\r", *p); p++)
                if (*p == '\\' && p[1]) /* as MPICH 4.1 writes blanks */
                    p++;
        if (*p)
            *p++ = '\0';
        w->word[w->n].key = key;
        w->word[w->n++].value = value;
    }
    return NULL;
}

static void on_line(struct conn *c, char *line)
{
    char name[64];
    int used = 0;
    if (sscanf(line, " cmd=%63[a-z_] %n", name, &used) != 1) {
        conn_error(c, "sent '%.40s' where a PMI-1 command was expected", line);
        return;
    }
    const struct command *command = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            command = &commands[i];
    if (!command) {
        conn_error(c, "sent the PMI-1 command '%s', which is not known", name);
        return;
    }
    struct words w;
    const char *wrong = split(line, command, &w);
    for (size_t i = 0; !wrong && i < ARRAY_SIZE(command->need); i++)
        if (command->need[i] && !get(&w, command->need[i])) {
            conn_error(c, "sent the PMI-1 command '%s' without '%s'", name,
                       command->need[i]);
            return;
        }
    if (wrong)
        conn_error(c, "sent the PMI-1 command '%s', which %s", name, wrong);
    else if (c->state == CONN_FINALIZED)
        conn_error(c, "sent the PMI-1 command '%s' after 'finalize'", name);
    else if (c->pending > 0 && command->on != on_abort)
        conn_error(c, "sent the PMI-1 command '%s' before the answer to the last one",
                   name);
    else
        command->on(c, &w);
}

/* --- spawn -------------------------------------------------------------------------------- */

struct app { /* of one "mcmd=spawn" ... "endcmd" */
    json_object *app, *argv, *preput;
    long nprocs, total, sofar;
    char *preput_key, *info_key;
};

static void app_free(struct app *a)
{
    json_object_put(a->app);
    free(a->preput_key);
    free(a->info_key);
}

/* NULL or what is wrong with it. */
static const char *spawn_line(struct app *a, json_object *info, char *line)
{
    char *value = strchr(line, '=');
    if (!value)
        return "a line without '='";
    *value++ = '\0';
    unsigned i;
    int used = 0;
    if (strcmp(line, "nprocs") == 0)
        a->nprocs = strtol(value, NULL, 10);
    else if (strcmp(line, "totspawns") == 0)
        a->total = strtol(value, NULL, 10);
    else if (strcmp(line, "spawnssofar") == 0)
        a->sofar = strtol(value, NULL, 10);
    else if (strcmp(line, "execname") == 0)
        json_object_array_put_idx(a->argv, 0, json_object_new_string(value));
    else if (sscanf(line, "arg%u%n", &i, &used) == 1 && !line[used]) {
        if (json_object_array_length(a->argv) == 0)
            return "arguments before 'execname'";
        json_object_array_add(a->argv, json_object_new_string(value));
    } else if (strncmp(line, "preput_key_", 11) == 0) {
        free(a->preput_key);
        a->preput_key = xstrdup(value);
    } else if (strncmp(line, "preput_val_", 11) == 0) {
        if (!a->preput_key)
            return "a 'preput_val_' without its 'preput_key_'";
        json_object_object_add(a->preput, a->preput_key, json_object_new_string(value));
        free(take(a->preput_key));
    } else if (strncmp(line, "info_key_", 9) == 0) {
        free(a->info_key);
        a->info_key = xstrdup(value);
    } else if (strncmp(line, "info_val_", 9) == 0) {
        if (!a->info_key)
            return "an 'info_val_' without its 'info_key_'";
        op_spawn_info(a->app, info, a->info_key, value);
        free(take(a->info_key));
    } /* the counts tell nothing new; others may come with newer clients */
    return NULL;
}

/* All commands are there: C->mcmd holds their lines. NULL or what is wrong. */
static const char *spawn_all(char *lines, json_object *apps, json_object *info)
{
    struct app a = {0};
    const char *wrong = NULL;
    char *save;
    for (char *line = strtok_r(lines, "\n", &save); line && !wrong;
         line = strtok_r(NULL, "\n", &save)) {
        if (strcmp(line, "mcmd=spawn") == 0) {
            if (a.app)
                wrong = "'mcmd=spawn' before 'endcmd'";
            else {
                a = (struct app){.app = json_object_new_object(),
                                 .argv = json_object_new_array(),
                                 .preput = json_object_new_object(),
                                 .nprocs = -1};
                json_object_object_add(a.app, "argv", a.argv);
                json_object_object_add(a.app, "preput", a.preput);
            }
        } else if (!a.app) {
            wrong = "a line outside of 'mcmd=spawn' and 'endcmd'";
        } else if (strcmp(line, "endcmd") == 0) {
            if (json_object_array_length(a.argv) == 0)
                wrong = "no 'execname'";
            else if (a.nprocs < 1 || a.nprocs > INT_MAX)
                wrong = "'nprocs' missing or not a positive number";
            else {
                json_object_object_add(a.app, "maxprocs",
                                       json_object_new_int64(a.nprocs));
                json_object_array_add(apps, json_object_get(a.app));
                app_free(&a);
                a = (struct app){0};
            }
        } else {
            wrong = spawn_line(&a, info, line);
        }
    }
    app_free(&a);
    return wrong;
}

static void on_spawn(struct conn *c)
{
    json_object *apps = json_object_new_array(), *info = json_object_new_object();
    cleanup_free char *lines = strbuf_take(&c->mcmd);
    const char *wrong = spawn_all(lines, apps, info);
    if (!wrong) {
        op_spawn(c, NULL, apps, info);
        return;
    }
    json_object_put(apps);
    json_object_put(info);
    conn_error(c, "sent a PMI-1 spawn command with %s", wrong);
}

/* A line of a spawn command: the last one of the last command starts it. */
static void on_spawn_line(struct conn *c, const char *line)
{
    if (c->mcmd.len + strlen(line) > SPAWN_MAX_LEN) {
        conn_error(c, "sent a PMI-1 spawn command of more than %d bytes", SPAWN_MAX_LEN);
        return;
    }
    if (c->mcmd.len == 0 && (c->pending > 0 || c->state == CONN_FINALIZED)) {
        conn_error(c, "sent the PMI-1 command 'spawn' %s",
                   c->pending ? "before the answer to the last one" : "after 'finalize'");
        return;
    }
    static const char end[] = "\nendcmd\n";
    size_t n = sizeof(end) - 1;
    if (c->mcmd.len >= n && memcmp(c->mcmd.s + c->mcmd.len - n, end, n) == 0 &&
        strcmp(line, "mcmd=spawn") != 0) {
        conn_error(c,
                   "sent a PMI-1 spawn command with '%.40s' outside of 'mcmd=spawn' and "
                   "'endcmd'",
                   line);
        return;
    }
    strbuf_add(&c->mcmd, line);
    strbuf_addc(&c->mcmd, '\n');
    if (strcmp(line, "endcmd") != 0)
        return;
    /* the numbers of the command that ends here */
    long total = 1, sofar = 1;
    const char *p = c->mcmd.s;
    for (const char *q = p; (q = strstr(q, "mcmd=spawn\n")) != NULL; q++)
        p = q;
    const char *t = strstr(p, "\ntotspawns="), *s = strstr(p, "\nspawnssofar=");
    if (t)
        total = strtol(t + 11, NULL, 10);
    if (s)
        sofar = strtol(s + 13, NULL, 10);
    if (!t || !s || sofar >= total)
        on_spawn(c);
}

/* --- protocol ----------------------------------------------------------------------------- */

static size_t consume(struct conn *c, char *data, size_t len)
{
    char *end = memchr(data, '\n', len);
    if (!end) {
        if (len < LINE_MAX_LEN)
            return 0;
        conn_error(c, "sent a PMI-1 line of more than %d bytes", LINE_MAX_LEN);
        return len;
    }
    *end = '\0';
    size_t used = (size_t)(end - data) + 1;
    if (strlen(data) + 1 != used)
        conn_error(c, "sent a PMI-1 line with a 0 byte at offset %zu", strlen(data));
    else if (c->mcmd.len > 0 || strcmp(data, "mcmd=spawn") == 0)
        on_spawn_line(c, data);
    else
        on_line(c, data);
    return used;
}

static void answer(struct conn *c, const struct wire_answer *a)
{
    static const char *const names[] = {
        [WIRE_BARRIER] = "barrier_out",  [WIRE_PUBLISH] = "publish_result",
        [WIRE_LOOKUP] = "lookup_result", [WIRE_UNPUBLISH] = "unpublish_result",
        [WIRE_SPAWN] = "spawn_result",   [WIRE_NODEATTR] = "get_result",
    };
    if (a->status != 0)
        reply_failed(c, names[a->op], a->why);
    else if (a->op == WIRE_LOOKUP)
        reply(c, "cmd=lookup_result rc=0 msg=success port=%s\n", a->value);
    else if (a->op == WIRE_BARRIER)
        reply(c, "cmd=barrier_out rc=0\n");
    else if (a->op == WIRE_SPAWN) /* no error codes: none failed */
        reply(c, "cmd=spawn_result rc=0 jobid=%s\n", a->value ? a->value : "");
    else
        reply(c, "cmd=%s rc=0 msg=success\n", names[a->op]);
}

const struct wire_protocol wire_pmi1 = {"PMI-1", consume, answer};
