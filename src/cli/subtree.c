/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/subtree.h"

#include <errno.h>
#include <string.h>
#include "src/cli/place.h"

#define PATIENCE 10.0 /* seconds for an answer */

bool subtree_is_instance(json_object *job)
{
    return cli_get(job, "uri") && strcmp(cli_get_string(job, "state", ""), "RUN") == 0;
}

/* Once each: NAME may come with every job of a host. */
static void note(struct strbuf *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = list->s; at && (at = strstr(at, name)); at += n) {
        if ((at == list->s || at[-1] == ' ') && (!at[n] || at[n] == ','))
            return;
    }
    strbuf_addf(list, "%s%s", list->len ? ", " : "", name);
}

/* P: where it is, or seems to be. */
static struct hbatch *connect_to(const char *via, json_object *job, struct place *p,
                                 struct error *err)
{
    if (!place_of_job(job, p))
        return error_null(err, ENOENT, "its instance is not ready");
    place_relay(p, via, job);
    if (p->host && !p->relay)
        return error_null(err, EHOSTUNREACH,
                          "its instance is on host %s, and can be asked there", p->host);
    cleanup_free char *uri = p->host ? xstrdup(p->relay) : place_uri(p, false);
    return client_open(uri, err);
}

struct hbatch *subtree_connect(const char *via, json_object *job, struct error *err)
{
    struct place at = {0};
    struct hbatch *h = connect_to(via, job, &at, err);
    place_fini(&at);
    return h;
}

struct hbatch *subtree_open(struct subtree *s, const char *via, json_object *job)
{
    struct place at = {0};
    struct error err;
    struct hbatch *h = connect_to(via, job, &at, &err);
    /* else it has ended since it was listed */
    if (!h && at.host && err.code != ENOENT && err.code != ECONNREFUSED)
        note(&s->hosts, at.host);
    place_fini(&at);
    return h;
}

struct answer {
    json_object *result;
    bool there;
};

static void on_reply(json_object *result, const struct error *err, void *arg)
{
    struct answer *a = arg;
    (void)err;
    a->result = json_object_get(result);
    a->there = true;
}

json_object *subtree_call(struct subtree *s, const struct cli *cli, struct hbatch *h,
                          json_object *job, const char *method, json_object *params)
{
    struct answer a = {0};
    struct error err;
    char buf[CLI_ID_SIZE];
    double end = time_mono() + PATIENCE;
    int id = client_send(h, method, params, on_reply, NULL, &a);
    while (!a.there) {
        double left = end - time_mono();
        if (client_process(h, left > 0 ? (int)(left * 1000) + 1 : 0, &err) < 0)
            break;
        if (!a.there && left <= 0) {
            note(&s->silent,
                 cli_id(cli, json_object_get_uint64(cli_get(job, "id")), buf));
            break;
        }
    }
    if (!a.there)
        client_forget(h, id);
    if (json_object_is_type(a.result, json_type_object))
        return a.result;
    json_object_put(a.result);
    return NULL;
}

void subtree_tell(struct subtree *s, const struct cli *cli)
{
    if (s->hosts.len)
        cli_error(cli,
                  "what runs in the instances on other hosts is left out (%s): it can be "
                  "asked for "
                  "there",
                  s->hosts.s);
    if (s->silent.len)
        cli_error(cli, "the instances of these jobs did not answer within %.0f s: %s",
                  PATIENCE, s->silent.s);
    free(s->hosts.s);
    free(s->silent.s);
    *s = (struct subtree){0};
}
