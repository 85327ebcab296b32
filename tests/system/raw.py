#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A client of an instance's socket without the library, for what the library would never send.

    raw.py LINE...      send each LINE, print as many replies (or "closed")

or as a module:

    c = raw.Client()                    # of $HBATCH_URI
    n = c.call("job.list", max=3)       # send a request, return its id
    c.reply(n)                          # its result; raises raw.Error(code, message)
    c.until("job.event", lambda p: p["event"]["name"] == "start")   # params of a notification
    c.raw(b"...")                       # bytes as they are
"""
import json
import os
import socket
import sys


class Error(Exception):
    pass


class Client:
    def __init__(self, uri=None, timeout=30):
        path = (uri or os.environ["HBATCH_URI"])[len("local://"):]
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(path)  # waits for its turn; with a time limit it would not
        self.sock.settimeout(timeout)
        self.buffer = b""
        self.last_id = 0

    def raw(self, data):
        self.sock.sendall(data)

    def call(self, method, **params):
        self.last_id += 1
        self.send({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params})
        return self.last_id

    def send(self, message):
        self.raw(json.dumps(message).encode() + b"\n")

    def line(self):
        """The next message, None when the instance closed the connection."""
        while b"\n" not in self.buffer:
            try:
                data = self.sock.recv(1 << 20)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def reply(self, number):
        while True:
            o = self.line()
            if o is None:
                raise Error(0, "closed")
            if o.get("id") == number:
                if "error" in o:
                    raise Error(o["error"]["code"], o["error"]["message"])
                return o["result"]

    def until(self, method, wanted=lambda params: True):
        while True:
            o = self.line()
            if o is None:
                raise Error(0, "closed")
            if o.get("method") == method and wanted(o["params"]):
                return o["params"]

    def close(self):
        self.sock.close()


def jobspec(*command, ntasks=1, cores=1, **system):
    """A V1 job specification."""
    return {
        "version": 1,
        "resources": [{"type": "slot", "count": ntasks, "label": "task",
                       "with": [{"type": "core", "count": cores}]}],
        "tasks": [{"command": list(command), "slot": "task", "count": {"per_slot": 1}}],
        "attributes": {"system": dict({"duration": 0, "environment": {"PATH": os.environ["PATH"]},
                                       "cwd": os.getcwd()}, **system)},
    }


if __name__ == "__main__":
    client = Client()
    for text in sys.argv[1:]:
        client.raw(os.fsencode(text) + b"\n")
    for _ in sys.argv[1:]:
        answer = client.line()
        print("closed" if answer is None else json.dumps(answer), flush=True)
        if answer is None:
            break
