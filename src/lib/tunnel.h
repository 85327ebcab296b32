/* SPDX-License-Identifier: BSD-3-Clause */
/* tunnel: a connection to an instance's socket on another host: ssh runs `hbatch __relay PATH` there, which first says
 * in one line whether it is connected, and then hands on what comes in both directions. */
#ifndef HBATCH_LIB_TUNNEL_H
#define HBATCH_LIB_TUNNEL_H

#include <stdbool.h>
#include "src/common/error.h"
#include "src/lib/sshdest.h"

/* What begins the relay's line, before {"result":{"recoverable":bool}} or {"error":{"code":N,"message":S}}: shells may
 * have written something before. */
#define TUNNEL_MARK "hbatch relay "

/* A socket to PATH on the host of D, or -1 with err set.  Wait for PATIENCE_MS (-1: for as long as ssh takes, which may
 * ask for a password).  *RETURNS: the instance means to come back when it is lost.  ssh is nobody's child, and ends when the
 * socket is closed. */
int tunnel_open(const struct sshdest *d, const char *path, int patience_ms, bool *returns,
                struct error *err);

#endif
