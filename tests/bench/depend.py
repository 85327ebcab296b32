# SPDX-License-Identifier: BSD-3-Clause
"""Figures of jobs that wait for other jobs: each for the one before it (a chain), or all for one (a fan)."""
import contextlib
import json
import socket
import time

from figures import yardstick
from measure import Failure, Instance, cpu_seconds

AHEAD = 1000  # requests without an answer


class Client:
    """Requests to the leader, without a library between."""

    def __init__(self, uri):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(uri[len("local://"):])
        self.lines = self.socket.makefile("rb")
        self.ids = 0

    def close(self):
        self.socket.close()

    def ask(self, method, params):
        self.ids += 1
        text = json.dumps({"jsonrpc": "2.0", "id": self.ids, "method": method, "params": params})
        self.socket.sendall(text.encode() + b"\n")

    def answer(self):
        line = self.lines.readline()
        reply = json.loads(line) if line else {"error": {"message": "the instance has gone"}}
        if "error" in reply:
            raise Failure(reply["error"]["message"])
        return reply["result"]

    def call(self, method, params):
        self.ask(method, params)
        return self.answer()

    def state(self, job):
        return self.call("job.list", {"ids": [job]})["jobs"][0]["state"]


def job(scheme=None, other=None):
    """Held, so that nothing runs."""
    system = {"duration": 0}
    if scheme:
        system["dependencies"] = [{"scheme": scheme, "value": str(other)}]
    return {"urgency": 0, "jobspec": {
        "version": 1, "attributes": {"system": system},
        "resources": [{"type": "slot", "count": 1, "label": "t", "with": [{"type": "core", "count": 1}]}],
        "tasks": [{"command": ["true"], "slot": "t", "count": {"per_slot": 1}}]}}


def chain(client, n, scheme):
    """Each needs the id of the one before it."""
    first = last = client.call("job.submit", job())["id"]
    for _ in range(n):
        last = client.call("job.submit", job(scheme, last))["id"]
    return first, last


def fan(client, n, scheme):
    first, sent, last = client.call("job.submit", job())["id"], 0, None
    for got in range(n):
        while sent < min(n, got + AHEAD):
            client.ask("job.submit", job(scheme, first))
            sent += 1
        last = client.answer()["id"]
    return first, last


def microseconds(bench, make, n, scheme, state):
    """Of the leader's CPU for each of N jobs: to take them, and to release or end them all when the first one is
    canceled; and the seconds that passed in the end."""
    with Instance(bench.hbatch) as instance, contextlib.closing(Client(instance.env["HBATCH_URI"])) as client:
        leader = instance.pids["rank"]
        times = [cpu_seconds(leader)]
        first, last = make(client, n, scheme)
        times.append(cpu_seconds(leader))
        start = time.monotonic()
        client.call("job.cancel", {"ids": [first]})
        while client.state(last) != state:
            time.sleep(0.01)
        took = time.monotonic() - start
        times.append(cpu_seconds(leader))
    return [(b - a) * 1e6 / n for a, b in zip(times, times[1:])] + [took]


def figure(make, scheme, state):
    def measure(bench):
        few, many = (50, 100) if bench.quick else (10000, 100000)
        some = microseconds(bench, make, few, scheme, state)
        all_ = microseconds(bench, make, many, scheme, state)
        return {"value": all_[0] + all_[1], "unit": "us", "note": f"the leader's CPU for each of {many:,} jobs",
                "costs": {"to take one, us": all_[0], "to release or end it, us": all_[1],
                          "seconds until all were": all_[2]},
                "yardsticks": [yardstick(f"of {few:,}", some[0] + some[1], sum(all_[:2]) / sum(some[:2]),
                                         None if bench.quick else ("<=", 2))]}
    return measure


FIGURES = {
    "depend.chain": ("a chain of 100,000 jobs, which fails", figure(chain, "afterok", "INACTIVE")),
    "depend.fan": ("100,000 jobs that wait for one", figure(fan, "afterany", "SCHED")),
}
