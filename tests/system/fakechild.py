#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""An instance as its parent sees it that grows and shrinks, and does nothing else.

    hbatch run -N2 -o instance -o per-resource.type=node fakechild.py DIRECTORY [OPTION...]

Its first task is the leader: it writes each order to DIRECTORY/orders, opens a door
(DIRECTORY/door) for tasks that join when it is ordered to prepare, and lets ranks go when it is
ordered to shrink, its own tasks' or those that joined.  The other tasks, and those started with
--join=parent, knock there and wait to be let go.  It ends when it is told to.

    --no-join=WHY     note why nobody can join
    --stay=RANKS      let nobody go from there, and note an error
"""
import json
import os
import selectors
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
import raw

TOLD = json.loads(os.environ["HBATCH_SUB_INSTANCE"])


def ids(text):
    """The numbers of an idset."""
    found = []
    for part in text.split(",") if text else []:
        low, _, high = part.partition("-")
        found += range(int(low), int(high or low) + 1)
    return found


def knock(door):
    """Wait at the leader's door to be told to leave."""
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(door)
            break
        except OSError:
            time.sleep(0.02)
    sock.sendall(b"%d %d\n" % (TOLD["node"], TOLD["id"]))
    sock.recv(1)
    sys.exit(0)


class Leader:
    def __init__(self, directory, options):
        self.directory = directory
        self.options = dict(o.lstrip("-").partition("=")[::2] for o in options)
        self.door = directory + "/door"
        self.inside = {}  # parent's rank: (socket, id of the job it is a task of)
        self.poll = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.door)
        self.listener.listen()
        self.poll.register(self.listener, selectors.EVENT_READ, self.on_knock)
        self.client = None

    def connect(self):
        self.client = raw.Client(TOLD["uri"])
        self.client.call("job.memo", id=TOLD["id"], memo={"uri": "local://" + self.directory + "/nobody"})
        self.client.call("job.orders", id=TOLD["id"])
        self.poll.register(self.client.sock, selectors.EVENT_READ, self.on_parent)

    def memo(self, **memo):
        self.client.call("job.memo", id=TOLD["id"], memo=memo)

    def tell_nodes(self):
        self.memo(nodes=",".join(str(n) for n in sorted([TOLD["node"], *self.inside])))

    def on_knock(self):
        sock, _ = self.listener.accept()
        node, job = sock.recv(100).split()
        self.inside[int(node)] = (sock, int(job))
        self.tell_nodes()

    def on_parent(self):
        while True:
            message = self.client.line()
            if message is None:
                self.poll.unregister(self.client.sock)
                self.reconnect()
                return
            if message.get("method") == "job.order":
                self.obey(message["params"])
            if b"\n" not in self.client.buffer:
                return

    def reconnect(self):
        for _ in range(500):
            try:
                self.connect()
                self.tell_nodes()
                return
            except OSError:
                time.sleep(0.02)
        sys.exit("the parent is gone")

    def obey(self, order):
        with open(self.directory + "/orders", "a") as f:
            f.write(json.dumps({k: v for k, v in order.items() if k not in ("id", "sub")},
                               sort_keys=True) + "\n")
        if order["order"] == "prepare":
            if "no-join" in self.options:
                self.memo(join="", join_error=self.options["no-join"])
            else:
                self.memo(join=self.door)
        elif order["order"] == "shrink":
            nodes = ids(order["nodes"]) if "nodes" in order \
                else sorted(self.inside, reverse=True)[:order["nnodes"]]
            if set(nodes) & set(ids(self.options.get("stay", ""))):
                self.memo(shrink_error="rank %s stays" % self.options["stay"])
            else:
                for node in nodes:
                    self.let_go(node)

    def let_go(self, node):
        sock, job = self.inside.pop(node)
        if job == TOLD["id"]:
            self.client.call("job.return", id=job, nodes=str(node))
        sock.close()
        self.tell_nodes()

    def run(self):
        self.connect()
        while True:
            for key, _ in self.poll.select():
                key.data()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if sys.argv[1] == "--join=parent":
        knock(TOLD["join"])
    if os.environ["HBATCH_TASK_RANK"] != "0":
        knock(sys.argv[1] + "/door")
    Leader(sys.argv[1], sys.argv[2:]).run()
