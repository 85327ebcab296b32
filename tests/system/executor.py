# SPDX-License-Identifier: BSD-3-Clause
# For the tests of hbatch-exec by itself, which play the rank on its socket (src/comm/PROTOCOL, section
# 2): the executor, and a TAP harness.  With arguments only the tests whose names contain one of them
# run.  HBATCH_TEST_WRAPPER is put before the program:
# "valgrind -q --error-exitcode=9 --leak-check=full --child-silent-after-fork=yes".

import base64, json, os, shutil, signal, socket, subprocess, sys, tempfile, threading, time, traceback

SOURCE = os.path.realpath(os.path.dirname(os.path.realpath(__file__)) + "/../..")
BUILD = os.environ.get("HBATCH_BUILDDIR") or SOURCE
if "HBATCH_BUILDDIR" not in os.environ and os.path.exists(SOURCE + "/build/bin/hbatch-exec"):
    BUILD = SOURCE + "/build"
INSTANCE = f"i{os.getpid()}"  # executors end what others of their name have left
PROGRAM = BUILD + "/bin/hbatch-exec"
PERL = shutil.which("perl")
CREDIT = 1 << 20
ENVIRONMENT = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/", "LANG": "C"}
LIMIT = 60  # seconds that anything may take


def in_full(event):
    """An event, that of a job that ended well and wrote nothing in its long form."""
    if event[1] != "ran":
        return event
    return [event[0], "finish", event[2],
            {"status": 0, "tasks": {}, "output": [0, 0], "pos": None, "next": event[3]}]


class Failure(Exception):
    pass


def check(condition, text="", *more):
    if not condition:
        raise Failure(text + " " + " ".join(repr(m) for m in more))


def same(got, wanted, what=""):
    if got != wanted:
        raise Failure(f"{what}: got {got!r}, wanted {wanted!r}")


def until(f, what, seconds=LIMIT):
    """For states of processes and files, which send no event."""
    end = time.monotonic() + seconds
    while not f():
        if time.monotonic() > end:
            raise Failure("waited in vain for " + what)
        time.sleep(0.002)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def exited(code):
    return code << 8


class Executor:
    """A running hbatch-exec, and the rank that talks to it."""

    def __init__(self, gpus=(), cores=None, bind=True, environment={}, level=0, start=True, init={}, rank=0, dir=None, sweep=False):
        self.own_dir = dir is None
        self.dir = dir or tempfile.mkdtemp(prefix="hbatch-exec-t-")
        self.rank = rank
        self.sent = {}
        self.next_id = 0x1234500000
        self.log = tempfile.TemporaryFile("w+")
        env = dict(os.environ, **environment)
        env["ASAN_OPTIONS"] = "quarantine_size_mb=1"  # memory is measured
        env["LSAN_OPTIONS"] = "print_suppressions=0"
        wrapper = os.environ.get("HBATCH_TEST_WRAPPER", "").split()
        listener = socket.socket(socket.AF_UNIX)
        self.path = f"{self.dir}/exec-{rank}.sock"
        if os.path.exists(self.path):
            os.unlink(self.path)
        listener.bind(self.path)
        listener.listen(16)
        self.process = subprocess.Popen(
            wrapper + [PROGRAM, f"--rank={rank}", "--rundir=" + self.dir, f"--socket-fd={listener.fileno()}"] + ["--sweep"] * sweep,
            stdin=subprocess.DEVNULL, stderr=self.log, env=env, pass_fds=[listener.fileno()])
        listener.close()
        if cores is None:
            cores = [str(c) for c in sorted(os.sched_getaffinity(0))]
        self.init = dict(m="init", instance=INSTANCE, rank=rank, size=1, host="nodeA", uri="local:///run/sock-0",
                         level=level, rundir=self.dir, bind=bind, universe=len(cores), cores=cores,
                         gpus=list(gpus))
        if level:
            self.init["parent_uri"] = "local:///run/outer"
        self.init.update(init)
        self.attach(greeted=not sweep)
        if start:
            self.send(**self.init)
        if sweep and start:
            self.hello = self.read()
            same(self.hello["m"], "hello")

    def attach(self, ack=True, greeted=True):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(LIMIT)
        self.sock.connect(self.path)
        self.buffer = b""
        self.events = []     # all [id, name, time, context], in order
        self.messages = []   # all others
        self.output = {}     # (id, sub) to {(rank, stream): bytes}
        self.received = {}   # (id, sub) to bytes
        self.auto_ack = True
        self.ack_events = ack
        if greeted:
            self.hello = self.read()
            same(self.hello["m"], "hello")

    def send(self, **message):
        self.send_text(json.dumps(message))

    def send_text(self, text):
        self.sock.sendall(text.encode() + b"\n")

    def read(self):
        while b"\n" not in self.buffer:
            try:
                data = self.sock.recv(1 << 18)
            except socket.timeout:
                raise Failure("no message came: " + self.stderr())
            if not data:
                raise EOFError("the executor closed the connection: " + self.stderr())
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def turn(self):
        """Handle one message."""
        message = self.read()
        if message["m"] == "ev":
            self.events += [in_full(e) for e in message["e"]]
            if self.ack_events:
                try:
                    self.send(m="acked", seq=message["seq"])
                except (BrokenPipeError, ConnectionResetError):
                    pass  # it left right after its last events
        elif message["m"] == "out":
            key = message["id"], message["sub"]
            io = message["io"]
            data = base64.b64decode(io["data"]) if io.get("encoding") == "base64" else io["data"].encode()
            streams = self.output.setdefault(key, {})
            streams.setdefault((io["rank"], io["stream"]), []).append(data)
            self.received[key] = self.received.get(key, 0) + len(data)
            if self.auto_ack:
                self.send(m="ack", id=key[0], sub=key[1], bytes=self.received[key])
        else:
            self.messages.append(message)
        return message

    def wait(self, f, what=""):
        while True:
            value = f()
            if value:
                return value
            self.turn()

    def event(self, id, name):
        return self.wait(lambda: next((e for e in self.events if e[0] == id and e[1] == name), None), name)

    def finish(self, id):
        return self.event(id, "finish")[3]

    def note(self, id):
        return self.event(id, "exception")[3]

    def exceptions(self, id):
        return [e[3] for e in self.events if e[0] == id and e[1] == "exception"]

    def message(self, m, **keys):
        return self.wait(lambda: next((x for x in self.messages if x["m"] == m and
                                       all(x.get(k) == v for k, v in keys.items())), None), m)

    def spec(self, command, env=None, cwd=None, options={}, name=None, raw_env=None, count=1):
        cwd = cwd or self.dir
        system = dict(duration=0, cwd=cwd, environment=dict(ENVIRONMENT, **(env or {})), shell={"options": options})
        if raw_env is not None:
            system["environment"] = raw_env
        if name:
            system["job"] = {"name": name}
        jobspec = dict(version=1, resources=[dict(type="slot", count=1, label="t", **{"with": [dict(type="core", count=1)]})],
                       tasks=[dict(command=command, slot="t", count={"per_slot": count})],
                       attributes={"system": system})
        text = json.dumps(jobspec)
        if text not in self.sent:
            self.sent[text] = f"h{len(self.sent)}"
            self.send(m="spec", h=self.sent[text], jobspec=jobspec)
        return self.sent[text]

    def entry(self, h, ntasks=1, cores="0", **more):
        self.next_id += 1
        return dict(dict(id=self.next_id, h=h, ntasks=ntasks, hosts=["nodeA"], ranks=[0], taskmap=f"[[0,1,{ntasks},1]]",
                         node=0, cores=cores, gpus="", slots=ntasks, cps=1, gps=0, expiration=0, attach=False), **more)

    def start(self, command, ntasks=1, env=None, cwd=None, name=None, options={}, **more):
        count = ntasks if "apps" in options else 1
        return self.start_spec(self.spec(command, env, cwd, options, name, count=count), ntasks, **more)

    def start_spec(self, h, ntasks=1, **more):
        entry = self.entry(h, ntasks, **more)
        self.send(m="start", jobs=[entry])
        return entry["id"]

    def sh(self, script, *args, **more):
        return self.start(["sh", "-c", script, "sh", *args], **more)

    def read_all(self, id, pos=None, sub=None):
        """All output of a job: {(rank, stream): bytes}"""
        self.subs = getattr(self, "subs", 100) + 1
        sub = sub or self.subs
        message = dict(m="read", id=id, sub=sub)
        if pos:
            message["pos"] = pos
        self.send(**message)
        self.message("outend", id=id, sub=sub)
        return {k: b"".join(v) for k, v in self.output.get((id, sub), {}).items()}

    def out(self, id):
        """stdout of rank 0, once the job has finished."""
        return self.read_all(id, self.finish(id)["pos"]).get(("0", "stdout"), b"").decode()

    def run(self, script, *args, **more):
        return self.out(self.sh(script, *args, **more))

    def rss(self):
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) * 1024

    def stderr(self):
        self.log.seek(0)
        return self.log.read()

    def quit(self):
        if self.process.poll() is None:
            self.send(m="quit")
        code = self.process.wait(LIMIT)
        text = self.stderr()
        check("Sanitizer" not in text and "runtime error" not in text and "==ERROR" not in text, text)
        return code

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.log.close()
        if self.own_dir:
            shutil.rmtree(self.dir, ignore_errors=True)


TESTS = []


def test(**options):
    def register(f):
        TESTS.append((f, options))
        return f
    return register


# --- main -------------------------------------------------------------------------------------------


def note(text):
    print("# " + text.replace("\n", "\n# "), flush=True)


def run_one(f, options):
    x = None
    try:
        x = Executor(**options)
        f(x)
        if x.process.poll() is None:
            same(x.quit(), 0, "exit code of hbatch-exec")
        return None
    except Exception:
        return traceback.format_exc() + (x.stderr()[-4000:] if x else "")
    finally:
        if x:
            x.close()


def main():
    chosen = [t for t in TESTS if not sys.argv[1:] or any(a in t[0].__name__ for a in sys.argv[1:])]
    if not os.access(PROGRAM, os.X_OK):
        print("1..0 # SKIP " + PROGRAM + " was not built")
        return 0
    print(f"1..{len(chosen)}", flush=True)
    failed = 0
    for i, (f, options) in enumerate(chosen, 1):
        name = f.__name__.replace("_", " ")
        options = dict(options)
        if options.pop("native", False) and os.environ.get("HBATCH_TEST_WRAPPER"):
            # valgrind makes vfork a fork, emulates limits, and needs memory itself
            print(f"ok {i} - {name} # SKIP not under {os.environ['HBATCH_TEST_WRAPPER'].split()[0]}", flush=True)
            continue
        trouble = run_one(f, options)
        print(("not " if trouble else "") + f"ok {i} - {name}", flush=True)
        if trouble:
            failed += 1
            note(trouble)
    return 1 if failed else 0

