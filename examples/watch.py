#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Submit a command and print what the instance tells of it, line by line.

    hbatch start examples/watch.py COMMAND [ARGUMENT...]

Nothing but the protocol of hbatch-protocol(7): JSON lines on a Unix socket."""
import json
import os
import socket
import sys

if len(sys.argv) < 2 or "HBATCH_URI" not in os.environ:
    sys.exit("usage, inside an instance: watch.py COMMAND [ARGUMENT...]")

jobspec = {
    "version": 1,
    "resources": [{"type": "slot", "count": 1, "label": "task",
                   "with": [{"type": "core", "count": 1}]}],
    "tasks": [{"command": sys.argv[1:], "slot": "task", "count": {"per_slot": 1}}],
    "attributes": {"system": {"duration": 0, "cwd": os.getcwd(),
                              "environment": {"PATH": os.environ["PATH"]}}},
}
request = {"jsonrpc": "2.0", "id": 1, "method": "job.submit",
           "params": {"jobspec": jobspec, "follow": "attach"}}

with socket.socket(socket.AF_UNIX) as s:
    s.connect(os.environ["HBATCH_URI"].removeprefix("local://"))
    s.sendall(json.dumps(request).encode() + b"\n")
    for line in s.makefile():
        message = json.loads(line)
        if "error" in message:
            sys.exit(message["error"]["message"])
        params = message.get("params", {})
        method = message.get("method")
        if method == "job.event":
            print("event ", params["event"]["name"])
        elif method == "job.output":
            print("output", json.dumps(params["io"].get("data", "")))
        elif method == "job.end":
            print("end   ", params["result"])
            sys.exit(params["exit"])
