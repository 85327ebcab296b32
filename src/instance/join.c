/* SPDX-License-Identifier: BSD-3-Clause */
#include "src/instance/archives.h"
#include "src/instance/join.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#include "src/comm/linebuf.h"
#include "src/comm/tcpaddr.h"
#include "src/common/log.h"
#include "src/common/util.h"
#include "src/instance/checks.h"
#include "src/instance/early.h"
#include "src/instance/lead.h"
#include "src/job/jsonutil.h"

enum { CONNECT_MS = 5000 };

/* --- the address ---------------------------------------------------------------------------------- */

char *join_address(const char *secret, const char *where)
{
    char *address = xasprintf("%s@%s", secret, where);
    for (char *p = address; *p; p++)
        if (*p == ' ')
            *p = ',';
    return address;
}

bool join_secret_is(const char *told, const char *secret)
{
    unsigned char differs = 0;
    if (strlen(told) != strlen(secret))
        return false;
    for (size_t i = 0; secret[i]; i++)
        differs |= (unsigned char)(told[i] ^ secret[i]);
    return !differs;
}

/* --- the leader ------------------------------------------------------------------------------------ */

/* Others on this machine see a command line. */
static void hide(char *option)
{
    memset(option, '*', strlen(option));
}

static bool connected(int fd, const struct sockaddr_storage *to)
{
    socklen_t len = to->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                              : sizeof(struct sockaddr_in);
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof(error);
    if (connect(fd, (const struct sockaddr *)to, len) == 0)
        return true;
    return errno == EINPROGRESS && poll(&p, 1, CONNECT_MS) == 1 &&
           getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error == 0;
}

static int connect_leader(const char *where, struct error *err)
{
    struct sockaddr_storage to;
    int found;
    for (unsigned n = 0; (found = tcpaddr_nth(where, n, &to)) >= 0; n++) {
        if (found == 0)
            continue;
        cleanup_close int fd =
            socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || !connected(fd, &to))
            continue;
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
        int connected_fd = fd;
        fd = -1;
        return connected_fd;
    }
    return error_set(err, ECONNREFUSED,
                     "the leader of the instance that it was to join does not answer at "
                     "%s: is it over?",
                     where);
}

/* Until FD can be read.  Who is told to end meanwhile says so, and has an answer yet: that it is let go,
 * or that the others were told to go with it, which then has to come before it leaves in order. */
static void await(int fd, int *signals)
{
    struct pollfd p[] = {{.fd = fd, .events = POLLIN},
                         {.fd = *signals, .events = POLLIN}};
    while (poll(p, ARRAY_SIZE(p), -1) < 0 && errno == EINTR)
        ;
    if (p[1].revents) { /* the signal is not taken: it is for the loop */
        shutdown(fd, SHUT_WR);
        close(*signals);
        *signals = -1;
    }
}

/* Wait for its answer: the instance may have something else to do first. */
static json_object *read_answer(int fd, struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    cleanup_close int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    bool listening = signals >= 0;
    struct linebuf in;
    json_object *o = NULL;
    char *line = NULL;
    size_t room, len;
    linebuf_init(&in);
    while (!line) {
        char *buf = linebuf_reserve(&in, &room);
        await(fd, &signals);
        ssize_t n = recv(fd, buf, room, MSG_DONTWAIT);
        if (n < 0 && errno == EAGAIN)
            continue;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        linebuf_commit(&in, (size_t)n);
        line = linebuf_next(&in, &len);
    }
    if (line)
        o = jsonutil_decode(line, len, err);
    else if (listening && signals < 0)
        error_set(err, ECANCELED, "it was told to end before it joined");
    else
        error_set(err, EPIPE, "the leader of the instance that it was to join is gone");
    linebuf_fini(&in);
    return o;
}

static json_object *hello(const struct instance *in, const char *secret,
                          json_object *node)
{
    cleanup_free char *address = members_address(in->members);
    json_object *o = json_object_new_object();
    add_str(o, "join", secret);
    json_object_object_add(o, "grant", json_object_new_int64(in->sub.id));
    json_object_object_add(o, "rank", json_object_new_int64(in->world));
    json_object_object_add(o, "size", json_object_new_int64(in->world_size));
    add_str(o, "mpi", transport_name(in->transport));
    add_str(o, "address", address);
    json_object_object_add(o, "node", json_object_get(node));
    return o;
}

/* What the leader says when all are ready: "go", of PROTOCOL's section 6. */
static json_object *ask(const struct instance *in, json_object *node, struct error *err)
{
    const char *told = jsonutil_string(jsonutil_get(in->sub.told, "join"));
    char *option = in->options.join;
    bool by_parent = told && strcmp(option, "parent") == 0;
    cleanup_free char *address = xstrdup(by_parent ? told : option);
    const char *where = strchr(address, '@');
    if (!where)
        return error_null(err, EINVAL, "--join: it is no address of an instance");
    cleanup_free char *secret = xstrndup(address, (size_t)(where - address));
    cleanup_free char *addresses = xstrdup(where + 1);
    if (!by_parent)
        hide(option);
    for (char *p = addresses; *p; p++)
        if (*p == ',')
            *p = ' ';
    cleanup_close int fd = connect_leader(addresses, err);
    if (fd < 0)
        return NULL;
    cleanup_json json_object *o = hello(in, secret, node);
    cleanup_free char *text = xasprintf(
        "%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
                                                      JSON_C_TO_STRING_NOSLASHESCAPE));
    early_hold(in->early); /* members may count on this rank from now on */
    if (write_all(fd, text, strlen(text)) < 0)
        return error_null(err, errno,
                          "the leader of the instance that it was to join: %s",
                          strerror(errno));
    cleanup_json json_object *answer = read_answer(fd, err);
    const char *why = jsonutil_string(jsonutil_get(answer, "refused"));
    if (why)
        return error_null(err, EPERM, "it cannot join the instance: %s", why);
    json_object *go = jsonutil_get(answer, "go");
    if (answer && !go)
        error_set(err, EINVAL,
                  "the leader of the instance that it was to join says %.100s",
                  json_object_to_json_string(answer));
    return json_object_get(go);
}

/* --- what it is then --------------------------------------------------------------------------------- */

static int take_description(struct instance *in, json_object *go, struct error *err)
{
    json_object *nodes = jsonutil_get(go, "nodes");
    const char *policy =
        jsonutil_string(jsonutil_get(jsonutil_get(go, "info"), "policy"));
    int64_t rank, epoch;
    double now = 0;
    if (!json_object_is_type(nodes, json_type_array) || !policy ||
        !jsonutil_int(jsonutil_get(go, "rank"), 1, INT32_MAX, &rank) ||
        !jsonutil_int(jsonutil_get(go, "epoch"), 0, INT64_MAX, &epoch) ||
        (size_t)rank >= json_object_array_length(nodes))
        return error_set(err, EINVAL,
                         "the instance that it was to join is not described");
    jsonutil_number(jsonutil_get(go, "time"), &now);
    in->rank = (unsigned)rank;
    in->epoch = (uint64_t)epoch;
    in->info = json_object_get(jsonutil_get(go, "info"));
    /* should it come to lead */
    in->options.policy = xstrdup(policy);
    in->options.no_program = json_object_get_boolean(jsonutil_get(go, "no_program"));
    jsonutil_int(jsonutil_get(go, "job"), 1, INT64_MAX, &in->sub.id);
    in->size = (unsigned)json_object_array_length(nodes);
    in->nodes = xcalloc(in->size, sizeof(*in->nodes));
    for (unsigned i = 0; i < in->size; i++)
        in->nodes[i] = json_object_get(json_object_array_get_idx(nodes, i));
    double ahead = time_now() - now;
    if (ahead > CHECKS_SKEW_MIN || ahead < -CHECKS_SKEW_MIN) {
        json_object_object_add(in->nodes[rank], "clock", json_object_new_double(ahead));
        time_correct(ahead);
    }
    free(in->uri);
    in->uri = xasprintf("local://%s/sock-%u", in->rundir, in->rank);
    in->archives = archives_create(in->rundir, in->rank);
    return 0;
}

static int merge(struct instance *in, json_object *go, struct error *err)
{
    json_object *list = jsonutil_get(go, "ids");
    const char *port = jsonutil_string(jsonutil_get(go, "port"));
    size_t n =
        json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    cleanup_free unsigned *ids = xcalloc(n + 1, sizeof(*ids));
    for (size_t i = 0; i < n; i++)
        ids[i] = (unsigned)json_object_get_int64(json_object_array_get_idx(list, i));
    return transport_join(in->transport, port ? port : "", ids, (unsigned)n, in->size,
                          err);
}

int join_instance(struct instance *in, json_object *node, struct error *err)
{
    in->members = members_listen(&in->loop);
    in->agreed = true; /* all of the grant hear the same, or nothing */
    cleanup_json json_object *mine = node;
    const char *wrong = jsonutil_string(jsonutil_get(mine, "error"));
    if (wrong)
        return error_set(err, EIO, "%s", wrong);
    cleanup_json json_object *go = ask(in, mine, err);
    if (!go)
        return -1;
    in->agreed = false;
    in->resized = true;
    if (take_description(in, go, err) < 0 || merge(in, go, err) < 0)
        return -1;
    size_t len;
    cleanup_free unsigned char *store =
        transport_take(in->transport, transport_leader(in->transport), &len);
    return gather_copy(in, store, len, err) < 0
               ? -1
               : lead_joined(in, jsonutil_get(go, "members"), err);
}
