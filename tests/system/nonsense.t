#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The command line against an instance that answers nonsense: well-formed JSON of wrong types, and
then it hangs up.  No verb may crash or hang.  NONSENSE_SEED and NONSENSE_ROUNDS vary the test."""

import json
import os
import random
import socket
import subprocess
import tempfile
import threading

SOURCE = os.path.realpath(os.path.dirname(os.path.realpath(__file__)) + "/../..")
BUILD = os.environ.get("HBATCH_BUILDDIR") or SOURCE
if "HBATCH_BUILDDIR" not in os.environ and os.path.exists(SOURCE + "/build/bin/hbatch"):
    BUILD = SOURCE + "/build"
HBATCH = BUILD + "/bin/hbatch"
ROUNDS = int(os.environ.get("NONSENSE_ROUNDS", 4))
LIMIT = 20  # seconds
SANITIZER_EXIT = 77

KEYS = """id count jobs nodes ends left result status exit event io name timestamp context exception
errors canceled old eventlog taskmap R attrs uri state cores data encoding rank stream eof severity
type note more starttime owner host jobspec expiration nodelist""".split()
TEXTS = ["", "x", "0", "base64", "stdout", "0-3", "COMPLETED", "RUN", "{", "[[0,1,1,1]]", "submit", "start"]
NUMBERS = [0, 1, -1, 5, 2**62, 2**63, 1e300, 0.5]
METHODS = ["job.event", "job.output", "job.end", "job.ends", "job.stdinack"]
COMMANDS = """run -vv a
run -l a
submit --cc=1-3 --wait -v a
submit --cc=1-2 --watch a
submit a
jobs
jobs -a --json
jobs -o {inactive_reason}{exception.note}{contextual_info}{returncode}{id.words}
jobs --stats
job wait -v f6
job status -j f6
job eventlog f6
job eventlog -F f6
job info f6 R
job taskmap f6
job taskmap --to=hosts f6
job timeleft f6
job last [:]
job stats
job urgency -v f6 3
job kill f6
attach f6
cancel --all
cancel f6
watch --all -vv
wait-event f6 start
resource list
resource list -v
resource status
resource drain n1
resource eventlog
pstree --json
pgrep --json s
lsattr --json
setattr a b
uptime
uri
uri f6
info
getattr x
shutdown""".splitlines()

rng = random.Random(int(os.environ.get("NONSENSE_SEED", 1)))


def value(depth=0):
    kind = rng.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return None
    if kind == 1:
        return rng.choice(NUMBERS)
    if kind == 2:
        return rng.choice(TEXTS)
    if kind == 3:
        return rng.choice([True, False])
    if kind in (4, 6):
        return [value(depth + 1) for _ in range(rng.randrange(4) if kind == 6 else 0)]
    return members(rng.randrange(6) if kind > 6 else 0, depth + 1)


def members(n, depth=0):
    return {key: value(depth) for key in rng.sample(KEYS, n)}


def reply():
    return rng.choice([
        {"result": value()},
        {"result": members(8)},
        {"error": value()},
        {"error": {"code": value(), "message": value()}},
        {"result": {"id": 5, "count": 1}},
        {"result": {"jobs": [members(10), value()]}},
        {"result": {"nodes": [members(10)]}},
    ])


def notification(sub):
    io = {"stream": "stdout", "rank": value(), "data": value(), "encoding": value()}
    event = {"name": value(), "timestamp": value(), "context": value()}
    more = rng.choice([{}, {"io": io}, {"event": event}])
    return {"method": rng.choice(METHODS), "params": {"sub": sub, **members(12), **more}}


def serve(connection):
    with connection, connection.makefile("rb") as lines:
        for line in lines:
            message = json.loads(line)
            if "id" not in message:
                continue
            out = [{"jsonrpc": "2.0", "id": message["id"], **reply()}]
            out += [notification(message["id"]) for _ in range(rng.randrange(5))]
            try:
                connection.sendall("".join(json.dumps(o) + "\n" for o in out).encode())
            except OSError:
                return
            if rng.random() < 0.7:
                return


def hang_up(connection):
    """A client that waits for more gets the end of the connection."""
    with connection:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def accept(listener):
    while True:
        connection, _ = listener.accept()
        copy = connection.dup()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()
        timer = threading.Timer(0.2, hang_up, args=(copy,))
        timer.daemon = True
        timer.start()


def run(command, uri):
    """What is wrong with how it ended, or None."""
    env = dict(os.environ, HBATCH_URI=uri, ASAN_OPTIONS=f"exitcode={SANITIZER_EXIT}")
    try:
        p = subprocess.run([HBATCH, *command.split()], env=env, stdin=subprocess.DEVNULL,
                           capture_output=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return "did not end"
    text = p.stderr.decode(errors="replace")
    if p.returncode < 0 or p.returncode == SANITIZER_EXIT or "runtime error" in text or "Assertion" in text:
        return f"exit status {p.returncode}: {text[-1500:]}"
    return None


def main():
    with tempfile.TemporaryDirectory(prefix="hbatch-test.") as directory:
        path = directory + "/sock"
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(path)
        listener.listen(16)
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        print(f"1..{len(COMMANDS)}")
        for number, command in enumerate(COMMANDS, 1):
            faults = [f for f in (run(command, "local://" + path) for _ in range(ROUNDS)) if f]
            print(f"{'not ' if faults else ''}ok {number} - hbatch {command}", flush=True)
            for fault in faults:
                print("# " + fault.replace("\n", "\n# "))


main()
