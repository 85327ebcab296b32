#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""A scripted instance, for tests of clients alone (src/comm/PROTOCOL, section 1).

    fakeleader.py SOCKET LOG [SCRIPT]

Writes "ready" when it listens.  Each line that it receives is appended to LOG.  SCRIPT is a file
with a JSON array of steps; the first step of a request's method answers it and is used up, but the
last of a method serves forever.  A step:
    method   of the request or notification it answers
    result   of the reply; or
    error    [code, message]; with neither, and for notifications, there is no reply
    notes    [[method, params], ...] sent after the reply; "sub" is added: the id of the request
    stream   method: the notes go to the stream that the latest request of that method opened
    raw      text that is sent as it is
    close    true: close the connection after that; "die": the instance is killed; "end": it ends
             in good order, and takes its socket and the file "recoverable" beside it away
    if       text: the step is for messages that contain it
A step whose method is "*" answers all that has none of its own. Without SCRIPT: an empty result.
"""

import json
import os
import socket
import sys
import threading


class Leader:
    def __init__(self, path, log, steps):
        self.path = path
        self.log = open(log, "ab", buffering=0)
        self.steps = steps
        self.lock = threading.Lock()

    def step(self, method, line):
        with self.lock:
            mine = [s for s in self.steps if s["method"] == method and s.get("if", "") in line]
            if not mine:
                mine = [s for s in self.steps if s["method"] == "*"]
            if len(mine) > 1:
                self.steps.remove(mine[0])
        return mine[0] if mine else None

    def serve(self, connection):
        latest = {}
        with connection, connection.makefile("rb") as lines:
            for line in lines:
                self.log.write(line)
                message = json.loads(line)
                method = message["method"]
                if "id" in message:
                    latest[method] = message["id"]
                out, close = self.answer(message, latest, line.decode())
                try:
                    connection.sendall(out)
                except OSError:
                    return
                if close == "end":
                    for name in (self.path, os.path.dirname(self.path) + "/recoverable"):
                        os.unlink(name)
                if close in ("die", "end"):
                    os._exit(0)
                if close:
                    connection.shutdown(socket.SHUT_RDWR)  # whoever else has a copy of it
                    return

    def answer(self, message, latest, line):
        step = self.step(message["method"], line)
        out = []
        if step is None:
            step = {"result": {}} if "id" in message else {}
        reply = {"jsonrpc": "2.0", "id": message.get("id")}
        if "error" in step:
            code, text = step["error"]
            out.append({**reply, "error": {"code": code, "message": text}})
        elif "result" in step and "id" in message:
            out.append({**reply, "result": step["result"]})
        sub = latest.get(step.get("stream", message["method"]), 0)
        for method, params in step.get("notes", []):
            out.append({"jsonrpc": "2.0", "method": method, "params": {"sub": sub, **params}})
        text = "".join(json.dumps(o, ensure_ascii=False) + "\n" for o in out) + step.get("raw", "")
        return text.encode(), step.get("close", False)


def main():
    path, log = sys.argv[1:3]
    steps = json.load(open(sys.argv[3])) if len(sys.argv) > 3 else []
    leader = Leader(path, log, steps)
    if os.path.exists(path):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(16)
    print("ready", flush=True)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=leader.serve, args=(connection,), daemon=True).start()


main()
