/* SPDX-License-Identifier: BSD-3-Clause */
/* tcpaddr: where a process listens on TCP, as a text for others: "PORT ADDRESS ...", the port
 * and numeric addresses, IPv4 or IPv6, in the order in which they are to be tried. */
#ifndef HBATCH_COMM_TCPADDR_H
#define HBATCH_COMM_TCPADDR_H

#include <stdbool.h>
#include <sys/socket.h>
#include "src/common/error.h"

#define TCPADDR_MAX 4 /* addresses in a text of tcpaddr_local */

/* A socket that listens on all interfaces, on a port that the kernel chooses: close-on-exec,
 * non-blocking.  *IPV6: it takes IPv6 as well as IPv4.  Or -1 with err. */
int tcpaddr_listen(unsigned *port, bool *ipv6, struct error *err);

/* The text for PORT on this host, a new string: addresses of the interfaces that are up, IPv4
 * before IPv6 (none without IPV6), those of the loopback if there is no other, and none that mean
 * nothing elsewhere (link-local ones). */
char *tcpaddr_local(unsigned port, bool ipv6);

/* Address N of TEXT, from 0. 1: it is in *TO; 0: it is malformed, or the port is; -1: there are no
 * more. */
int tcpaddr_nth(const char *text, unsigned n, struct sockaddr_storage *to);

#endif
