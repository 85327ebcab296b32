#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A proxy before an instance's socket that cuts connections.

    cutter.py INSTANCE SOCKET LIMIT...

Writes "ready" when it listens at SOCKET.  The Nth connection is cut when the Nth LIMIT of bytes was
passed on: "100" from the instance to the client, "c100" from the client to the instance; what is
beyond is lost.  Connections after the last LIMIT are not cut.  At its end (SIGTERM) it writes how
many it did cut.
"""

import os
import signal
import socket
import sys
import threading

cuts = 0


def copy(source, to, limit, both):
    global cuts
    try:
        while True:
            data = source.recv(65536)
            if limit is not None:
                data = data[:limit]
                limit -= len(data)
            if not data:
                break
            to.sendall(data)
            if limit == 0:
                cuts += 1
                break
    except OSError:
        pass
    for s in both:
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def main():
    instance, path = sys.argv[1:3]
    limits = sys.argv[3:]
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(16)

    def end(*_):
        os.write(1, b"%d\n" % cuts)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
    print("ready", flush=True)
    while True:
        client, _ = listener.accept()
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.connect(instance)
        limit = limits.pop(0) if limits else None
        up = int(limit[1:]) if limit and limit[0] == "c" else None
        down = int(limit) if limit and up is None else None
        for source, to, most in ((client, server, up), (server, client, down)):
            threading.Thread(target=copy, args=(source, to, most, (client, server)), daemon=True).start()


main()
