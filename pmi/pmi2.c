/* SPDX-License-Identifier: BSD-3-Clause */
/* PMI-2: messages of six digits for the length and "cmd=NAME;KEY=VALUE;...", where a
 * semicolon in a value is doubled; answers repeat the request's thread id. */
#include "pmi/wire_impl.h"
#include "src/common/util.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { LENGTH_DIGITS = 6 };

struct pair {
    const char *key, *value; /* terminated; values may hold 0 bytes */
    size_t len;
};

struct pairs { /* of one command, pointing into it */
    struct pair *pair;
    size_t n;
    const char *name, *thrid;
};

static const struct pair *find(const struct pairs *p, const char *key)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->pair[i].key, key) == 0)
            return &p->pair[i];
    return NULL;
}

static const char *get(const struct pairs *p, const char *key)
{
    const struct pair *pair = find(p, key);
    return pair ? pair->value : NULL;
}

static bool is_true(const char *s)
{
    return s && strcasecmp(s, "true") == 0;
}

/* --- answers ------------------------------------------------------------------------------ */

static void add(struct strbuf *b, const char *key, const char *value, size_t len)
{
    strbuf_addf(b, "%s=", key);
    for (size_t i = 0; i < len; i++) {
        if (value[i] == ';')
            strbuf_addc(b, ';');
        strbuf_addc(b, value[i]);
    }
    strbuf_addc(b, ';');
}

static void add_string(struct strbuf *b, const char *key, const char *value)
{
    add(b, key, value, strlen(value));
}

static void begin(struct strbuf *b, const char *cmd, const char *thrid)
{
    strbuf_add(b, "000000"); /* for the length */
    strbuf_addf(b, "cmd=%s-response;", cmd);
    if (thrid)
        add_string(b, "thrid", thrid);
}

static void finish(struct conn *c, struct strbuf *b)
{
    char length[LENGTH_DIGITS + 1];
    if (b->len - LENGTH_DIGITS > 999999) {
        conn_error(c, "asked for a value of %zu bytes, too long for PMI-2", b->len);
        return;
    }
    snprintf(length, sizeof(length), "%6u", (unsigned)(b->len - LENGTH_DIGITS) % 1000000);
    memcpy(b->s, length, LENGTH_DIGITS);
    conn_send(c, b->s, b->len);
}

/* STATUS 0: success; otherwise failure and WHY. */
static void reply(struct conn *c, const char *cmd, const char *thrid, int status,
                  const char *why)
{
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, cmd, thrid);
    add_string(&b, "rc", status == 0 ? "0" : "1");
    if (status != 0)
        add_string(&b, "errmsg", why ? why : strerror(status));
    finish(c, &b);
}

/* VALUE NULL: not found, which is no error. */
static void reply_found(struct conn *c, const char *cmd, const char *thrid,
                        const char *value, size_t len)
{
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, cmd, thrid);
    add_string(&b, "found", value ? "TRUE" : "FALSE");
    if (value)
        add(&b, "value", value, len);
    add_string(&b, "rc", "0");
    finish(c, &b);
}

/* --- commands ----------------------------------------------------------------------------- */

static void on_fullinit(struct conn *c, const struct pairs *p)
{
    const char *rank = get(p, "pmirank");
    if (rank && strtoul(rank, NULL, 10) != c->rank) {
        conn_error(c,
                   "says in PMI-2 'fullinit' that it is task %s: its environment is "
                   "another task's",
                   rank);
        return;
    }
    c->state = CONN_READY;
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, p->name, p->thrid);
    strbuf_addf(&b, "pmi-version=2;pmi-subversion=0;rank=%u;size=%u;appnum=%u;", c->rank,
                c->job->size, conn_appnum(c));
    if (c->job->parent_nspace)
        add_string(&b, "spawner-jobid", c->job->parent_nspace);
    strbuf_add(&b, "debugged=FALSE;pmiverbose=FALSE;rc=0;");
    finish(c, &b);
}

static void on_finalize(struct conn *c, const struct pairs *p)
{
    reply(c, p->name, p->thrid, 0, NULL);
    conn_finalized(c);
}

/* No answer: the task ends itself, and its job unless ISWORLD says that it goes alone. */
static void on_abort(struct conn *c, const struct pairs *p)
{
    const char *code = get(p, "exitcode"), *world = get(p, "isworld");
    const char *text = get(p, "msg") ? get(p, "msg") : get(p, "message");
    if (world && !is_true(world))
        conn_log(c, "aborts, its job goes on%s%s", text && *text ? ": " : "",
                 text ? text : "");
    else
        op_abort(c, code ? (int)strtol(code, NULL, 10) : 1, text);
}

static void on_getid(struct conn *c, const struct pairs *p)
{
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, p->name, p->thrid);
    add_string(&b, "jobid", c->job->nspace);
    add_string(&b, "rc", "0");
    finish(c, &b);
}

/* The job that the command names (its own if none), NULL after an answer. */
static struct wire_job *named_job(struct conn *c, const struct pairs *p)
{
    const char *name = get(p, "jobid");
    if (!name || !*name || strcmp(name, c->job->nspace) == 0)
        return c->job;
    struct wire_job *job = wire_job_find(c->job->wire, name);
    if (!job) {
        cleanup_free char *why = xasprintf("job %s has no tasks on this node", name);
        reply(c, p->name, p->thrid, ENOENT, why);
    }
    return job;
}

static void on_connect(struct conn *c, const struct pairs *p)
{
    if (!named_job(c, p))
        return;
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, p->name, p->thrid);
    add_string(&b, "kvscopy", "FALSE");
    add_string(&b, "rc", "0");
    finish(c, &b);
}

static void on_disconnect(struct conn *c, const struct pairs *p)
{
    reply(c, p->name, p->thrid, 0, NULL);
}

static bool fits(struct conn *c, const struct pairs *p)
{
    if (strlen(get(p, "key")) > WIRE_KEY_MAX)
        reply(c, p->name, p->thrid, EINVAL, "the key is too long");
    else if (find(p, "value")->len > WIRE_VALUE_MAX)
        reply(c, p->name, p->thrid, EINVAL, "the value is too long");
    else
        return true;
    return false;
}

static void on_put(struct conn *c, const struct pairs *p)
{
    const struct pair *value = find(p, "value");
    if (!fits(c, p))
        return;
    kvs_put(c->job->kvs, get(p, "key"), value->value, value->len);
    reply(c, p->name, p->thrid, 0, NULL);
}

static void on_get(struct conn *c, const struct pairs *p)
{
    struct wire_job *job = named_job(c, p);
    if (!job)
        return;
    size_t len = 0;
    const char *value = kvs_get(job->kvs, get(p, "key"), &len);
    reply_found(c, p->name, p->thrid, value, len);
}

static void on_fence(struct conn *c, const struct pairs *p)
{
    op_barrier(c, p->thrid);
}

static void on_put_node(struct conn *c, const struct pairs *p)
{
    const struct pair *value = find(p, "value");
    if (!fits(c, p))
        return;
    op_put_attr(c, get(p, "key"), value->value, value->len);
    reply(c, p->name, p->thrid, 0, NULL);
}

static void on_get_node(struct conn *c, const struct pairs *p)
{
    op_get_attr(c, p->thrid, get(p, "key"), is_true(get(p, "wait")));
}

static void on_get_job(struct conn *c, const struct pairs *p)
{
    const char *key = get(p, "key"), *value = NULL;
    char number[16];
    size_t len = 0;
    if (strcmp(key, "universeSize") == 0) {
        snprintf(number, sizeof(number), "%u", c->job->universe_size);
        value = number;
    } else if (strcmp(key, "hasNameServ") == 0) {
        value = "TRUE";
    }
    if (value)
        len = strlen(value);
    else /* PMI_process_mapping, and what the parent put */
        value = kvs_get(c->job->kvs, key, &len);
    reply_found(c, p->name, p->thrid, value, len);
}

static void on_publish(struct conn *c, const struct pairs *p)
{
    const struct pair *port = find(p, "port");
    op_publish(c, p->thrid, get(p, "name"), port->value, port->len);
}

static void on_lookup(struct conn *c, const struct pairs *p)
{
    op_lookup(c, p->thrid, get(p, "name"));
}

static void on_unpublish(struct conn *c, const struct pairs *p)
{
    op_unpublish(c, p->thrid, get(p, "name"));
}

/* Keys that belong together are told apart by their numbers only: take them as they come. */
static const char *spawn_apps(const struct pairs *p, json_object *apps, json_object *info)
{
    json_object *app = NULL, *argv = NULL, *preput = json_object_new_object();
    const char *key = NULL, *wrong = NULL;
    for (size_t i = 0; i < p->n && !wrong; i++) {
        const char *name = p->pair[i].key, *value = p->pair[i].value;
        if (strncmp(name, "ppkey", 5) == 0) {
            key = value;
        } else if (strncmp(name, "ppval", 5) == 0) {
            if (!key)
                wrong = "a 'ppval' without its 'ppkey'";
            else
                json_object_object_add(
                    preput, key, json_object_new_string_len(value, (int)p->pair[i].len));
            key = NULL;
        } else if (strcmp(name, "subcmd") == 0) {
            app = json_object_new_object();
            argv = json_object_new_array();
            json_object_array_add(apps, app);
            json_object_array_add(argv, json_object_new_string(value));
            json_object_object_add(app, "argv", argv);
            json_object_object_add(app, "preput", json_object_get(preput));
        } else if (!app) {
            continue; /* ncmds, preputcount */
        } else if (strcmp(name, "maxprocs") == 0) {
            long n = strtol(value, NULL, 10);
            if (n < 1 || n > INT_MAX)
                wrong = "a 'maxprocs' that is not a positive number";
            else
                json_object_object_add(app, name, json_object_new_int64(n));
        } else if (strncmp(name, "argv", 4) == 0) {
            json_object_array_add(argv, json_object_new_string(value));
        } else if (strcmp(name, "infokeycount") == 0) {
            key = NULL;
        } else if (strncmp(name, "infokey", 7) == 0) {
            key = value;
        } else if (strncmp(name, "infoval", 7) == 0) {
            if (!key)
                wrong = "an 'infoval' without its 'infokey'";
            else
                op_spawn_info(app, info, key, value);
            key = NULL;
        }
    }
    json_object_put(preput);
    if (!wrong && json_object_array_length(apps) == 0)
        wrong = "no 'subcmd'";
    for (size_t i = 0; !wrong && i < json_object_array_length(apps); i++)
        if (!json_object_object_get_ex(json_object_array_get_idx(apps, i), "maxprocs",
                                       NULL))
            wrong = "no 'maxprocs'";
    return wrong;
}

static void on_spawn(struct conn *c, const struct pairs *p)
{
    json_object *apps = json_object_new_array(), *info = json_object_new_object();
    const char *wrong = spawn_apps(p, apps, info);
    if (!wrong) {
        op_spawn(c, p->thrid, apps, info);
        return;
    }
    json_object_put(apps);
    json_object_put(info);
    conn_error(c, "sent a PMI-2 spawn command with %s", wrong);
}

/* NEED: keys that must be there. */
static const struct command {
    const char *name, *need[2];
    void (*on)(struct conn *c, const struct pairs *p);
} commands[] = {
    {"fullinit", {0}, on_fullinit},
    {"finalize", {0}, on_finalize},
    {"abort", {0}, on_abort},
    {"job-getid", {0}, on_getid},
    {"job-connect", {"jobid"}, on_connect},
    {"job-disconnect", {"jobid"}, on_disconnect},
    {"kvs-put", {"key", "value"}, on_put},
    {"kvs-get", {"key"}, on_get},
    {"kvs-fence", {0}, on_fence},
    {"info-putnodeattr", {"key", "value"}, on_put_node},
    {"info-getnodeattr", {"key"}, on_get_node},
    {"info-getjobattr", {"key"}, on_get_job},
    {"name-publish", {"name", "port"}, on_publish},
    {"name-lookup", {"name"}, on_lookup},
    {"name-unpublish", {"name"}, on_unpublish},
    {"spawn", {0}, on_spawn},
};

static void on_command(struct conn *c, const struct pairs *p)
{
    const struct command *command = NULL;
    for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
        if (strcmp(commands[i].name, p->name) == 0)
            command = &commands[i];
    if (!command) { /* a newer client can go on without it */
        cleanup_free char *why = xasprintf("PMI-2 command %s is not known", p->name);
        reply(c, p->name, p->thrid, ENOSYS, why);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(command->need); i++)
        if (command->need[i] && !find(p, command->need[i])) {
            conn_error(c, "sent the PMI-2 command '%s' without '%s'", p->name,
                       command->need[i]);
            return;
        }
    bool first = command->on == on_fullinit;
    if (c->state == CONN_FINALIZED)
        conn_error(c, "sent the PMI-2 command '%s' after 'finalize'", p->name);
    else if (first != (c->state == CONN_STARTED) && command->on != on_abort)
        conn_error(c, "sent the PMI-2 command '%s' %s", p->name,
                   first ? "twice" : "before 'fullinit'");
    else
        command->on(c, p);
}

/* --- protocol ----------------------------------------------------------------------------- */

/* Split the LEN bytes of DATA, which ends with a 0 byte in place of the last semicolon. NULL
 * or what is wrong. */
static const char *split(char *data, size_t len, struct pairs *p)
{
    size_t size = 0;
    for (char *s = data, *end = data + len; s < end;) {
        char *key = s, *out;
        while (s < end && *s != '=' && *s != ';' && *s)
            s++;
        if (s == end || *s != '=')
            return "a word without '='";
        *s++ = '\0';
        char *value = out = s;
        for (; s < end && (*s != ';' || (s + 1 < end && s[1] == ';')); s++) {
            if (*s == ';')
                s++;
            *out++ = *s;
        }
        if (s == end)
            return "no ';' at its end";
        s++;
        *out = '\0';
        if (p->n == size) {
            size = size ? 2 * size : 16;
            p->pair = xrealloc(p->pair, size * sizeof(*p->pair));
        }
        p->pair[p->n++] = (struct pair){key, value, (size_t)(out - value)};
    }
    p->name = get(p, "cmd");
    p->thrid = get(p, "thrid");
    return p->name && *p->name ? NULL : "no 'cmd'";
}

static size_t consume(struct conn *c, char *data, size_t len)
{
    if (len < LENGTH_DIGITS)
        return 0;
    char digits[LENGTH_DIGITS + 1];
    memcpy(digits, data, LENGTH_DIGITS);
    digits[LENGTH_DIGITS] = '\0';
    unsigned n;
    int used = -1;
    if (sscanf(digits, "%6u %n", &n, &used) != 1 || used != LENGTH_DIGITS || n == 0 ||
        n > 999999) {
        for (char *p = digits; *p; p++)
            if (*p < ' ' || *p > '~')
                *p = '?';
        conn_error(c, "sent '%s' where the length of a PMI-2 command was expected",
                   digits);
        return len;
    }
    if (len < LENGTH_DIGITS + (size_t)n)
        return 0;
    struct pairs p = {0};
    const char *wrong = split(data + LENGTH_DIGITS, n, &p);
    if (wrong)
        conn_error(c, "sent a PMI-2 command with %s", wrong);
    else
        on_command(c, &p);
    free(p.pair);
    return LENGTH_DIGITS + (size_t)n;
}

static void answer(struct conn *c, const struct wire_answer *a)
{
    static const char *const names[] = {
        [WIRE_BARRIER] = "kvs-fence",  [WIRE_PUBLISH] = "name-publish",
        [WIRE_LOOKUP] = "name-lookup", [WIRE_UNPUBLISH] = "name-unpublish",
        [WIRE_SPAWN] = "spawn",        [WIRE_NODEATTR] = "info-getnodeattr",
    };
    const char *name = names[a->op];
    if (a->op == WIRE_NODEATTR && (a->status == 0 || a->status == ENOENT)) {
        reply_found(c, name, a->token, a->status == 0 ? a->value : NULL, a->len);
        return;
    }
    if (a->status != 0) {
        reply(c, name, a->token, a->status, a->why);
        return;
    }
    cleanup_strbuf struct strbuf b = {0};
    begin(&b, name, a->token);
    if (a->op == WIRE_LOOKUP) { /* MPICH's client reads one, Slurm's the other */
        add(&b, "port", a->value, a->len);
        add(&b, "value", a->value, a->len);
    } else if (a->op == WIRE_SPAWN) {
        add(&b, "jobid", a->value ? a->value : "", a->len);
        add_string(&b, "nerrs", "0");
    }
    add_string(&b, "rc", "0");
    finish(c, &b);
}

const struct wire_protocol wire_pmi2 = {"PMI-2", consume, answer};
