/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/cli/request.h"

#include <glob.h>
#include <string.h>
#include "src/common/util.h"
#include "src/lib/client.h"

#define PAUSE 0.1 /* s between two tries */

struct request {
    char *uri;
    const char *method;
    json_object *params;
    struct hbatch *h;
    double next;  /* monotonic: the next try */
    double since; /* when the last connection was lost, or the first try; 0: connected */
    bool replied;
    struct error refused;
};

struct request *request_create(const char *uri, const char *method, json_object *params)
{
    struct request *r = xcalloc(1, sizeof(*r));
    r->uri = xstrdup(uri);
    r->method = method;
    r->params = params;
    r->since = time_mono();
    return r;
}

void request_destroy(struct request *r)
{
    if (!r)
        return;
    client_close(r->h);
    json_object_put(r->params);
    free(r->uri);
    free(r);
}

int request_fd(const struct request *r)
{
    return r->h ? client_fd(r->h) : -1;
}

double request_deaf(const struct request *r)
{
    return r->since > 0 ? time_mono() - r->since : 0;
}

static void on_reply(json_object *result, const struct error *err, void *arg)
{
    struct request *r = arg;
    (void)result;
    r->replied = true;
    if (err)
        r->refused = *err;
}

/* Another rank on this machine: virtual nodes have their sockets side by side. */
static struct hbatch *open_neighbour(const char *uri)
{
    struct error err;
    glob_t found;
    struct hbatch *h = NULL;
    size_t dir = (size_t)(strrchr(uri, '/') - uri);
    cleanup_free char *pattern = xasprintf("%.*s/sock-*", (int)(dir - strlen("local://")),
                                           uri + strlen("local://"));
    if (glob(pattern, 0, NULL, &found) != 0)
        return NULL;
    for (size_t i = 0; !h && i < found.gl_pathc; i++) {
        cleanup_free char *other = xasprintf("local://%s", found.gl_pathv[i]);
        h = client_open(other, &err);
    }
    globfree(&found);
    return h;
}

static void try(struct request *r)
{
    struct error err;
    r->h = client_open(r->uri, &err);
    if (!r->h && strncmp(r->uri, "local:///", 9) == 0)
        r->h = open_neighbour(r->uri);
    if (!r->h)
        return;
    r->since = 0;
    client_send(r->h, r->method, json_object_get(r->params), on_reply, NULL, r);
}

enum request_state request_step(struct request *r, double *wait, struct error *err)
{
    struct error lost;
    double now = time_mono();
    *wait = -1;
    if (!r->h && now >= r->next)
        try(r);
    if (r->h && client_process(r->h, 0, &lost) < 0 && !r->replied) {
        client_close(r->h);
        r->h = NULL;
        r->since = now;
    }
    if (r->replied) {
        *err = r->refused;
        return r->refused.code ? REQUEST_REFUSED : REQUEST_DONE;
    }
    if (!r->h) {
        r->next = now + PAUSE;
        *wait = PAUSE;
    }
    return REQUEST_WAITS;
}
