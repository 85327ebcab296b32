/* SPDX-License-Identifier: BSD-3-Clause */
/* Hosts that the user named; ranks are started by ssh, or what mpirun was told to use. */
#include <errno.h>
#include "src/common/util.h"
#include "src/foreign/kinds.h"

static char *recognize(const struct foreign_options *o)
{
    return o->hosts || o->hostfile ? xstrdup("") : NULL;
}

static int hosts(struct foreign *f, const struct foreign_options *o, struct error *err)
{
    struct hostlist *named = hostlist_create();
    int rc = 0;
    if (o->hosts)
        rc = hostlist_append(named, o->hosts, err) < 0 ? error_prefix(err, "--hosts") : 0;
    /* what follows a name are slots of mpirun's, in many forms: a rank needs one */
    else if ((rc = foreign_add_file(f, o->hostfile, false, err)) == 0)
        for (size_t i = 0; rc == 0 && i < hostlist_count(f->hosts); i++)
            if (hostlist_append(named, hostlist_nth(f->hosts, i), err) < 0)
                rc = error_prefix(err, "--hostfile=%s", o->hostfile);
    if (rc == 0) {
        hostlist_destroy(f->hosts);
        f->hosts = hostlist_create();
        for (size_t i = 0; i < hostlist_count(named); i++)
            foreign_add_host(f, hostlist_nth(named, i), 0);
    }
    hostlist_destroy(named);
    if (rc == 0 && hostlist_count(f->hosts) == 0)
        return o->hosts ? error_set(err, EINVAL, "--hosts: no host is named")
                        : error_set(err, EINVAL, "the host file %s names no host",
                                    o->hostfile);
    return rc;
}

const struct foreign_kind foreign_hosts = {
    .name = "hosts", .title = "list of hosts", .recognize = recognize, .hosts = hosts};
