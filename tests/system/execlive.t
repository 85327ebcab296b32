#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# hbatch-exec outlives its rank: it is found again, another leader comes, nobody comes, or it is killed
# itself and another one takes its place; see executor.py.

import sys

sys.dont_write_bytecode = True
from executor import *
import ctypes

PTRACE_SEIZE = 0x4206


def waiting(x, then="echo over", begin="echo begun"):
    """A job that runs until the returned function is called."""
    x.gates = getattr(x, "gates", 0) + 1
    go = f"{x.dir}/go{x.gates}"
    id = x.sh(f"{begin}; until test -e {go}; do sleep 0.01; done; {then}", attach=True)
    x.event(id, "start")
    return id, lambda: open(go, "w").close()


def settle(x):
    """Returns when all that was sent before has been handled."""
    x.read_all(4711)


def kept(x):
    """What a file of a task says, once it does."""
    def f(path, words=1):
        def there():
            with open(path) as file:
                return len(file.read().split()) >= words
        until(lambda: os.path.exists(path) and there(), path)
        with open(path) as file:
            return file.read()
    return f


# --- another rank, another leader ---------------------------------------------------------------------


def by_a_new_connection(x):
    x.sock.close()
    x.attach(ack=False)
    return x.hello


def on_the_same_connection(x):
    x.events.clear()
    x.messages.clear()
    x.send(m="renew")
    return x.message("hello")


def all_of_it_again(x, again):
    x.ack_events = False
    running, go = waiting(x)
    done = x.sh("echo out; exit 3")
    x.finish(done)
    before = list(x.events)
    hello = again(x)
    same(sorted(hello["jobs"]), sorted([running, done]))
    same((hello["pid"], hello["seq"]), (x.process.pid, 0))
    x.wait(lambda: len(x.events) >= len(before))
    same(x.events, before, "the events that were not acknowledged, in order")
    # Its output goes nowhere until somebody asks; then all of it comes.
    x.output.clear()
    x.received.clear()
    go()
    same(x.finish(running)["status"], 0)
    settle(x)
    check((running, 0) not in x.output, "a reader of the former leader was served")
    same(x.read_all(running), {("0", "stdout"): b"begun\nover\n"})
    same(x.read_all(done), {("0", "stdout"): b"out\n"}, "its position is remembered")
    x.send(m="acked", seq=1 << 40)
    hello = again(x)
    same(hello["jobs"], [], "nothing is left after the acknowledgement")
    settle(x)
    same(x.events, [])


@test()
def a_rank_comes_back(x):
    all_of_it_again(x, by_a_new_connection)


@test()
def another_leader_comes(x):
    all_of_it_again(x, on_the_same_connection)


@test()
def output_while_a_rank_comes(x):
    """A rank leaves, another one comes, and a task writes, all before the executor looks."""
    id, go = waiting(x, then=f"echo over; touch {x.dir}/written; until test -e {x.dir}/end; do sleep 0.01; done")
    x.wait(lambda: (id, 0) in x.output)
    os.kill(x.process.pid, signal.SIGSTOP)
    x.sock.close()
    x.attach(ack=False, greeted=False)
    go()
    until(lambda: os.path.exists(x.dir + "/written"), "written")
    os.kill(x.process.pid, signal.SIGCONT)
    x.message("hello")
    open(x.dir + "/end", "w").close()
    same(x.finish(id)["status"], 0)
    settle(x)
    check((id, 0) not in x.output, "a reader of the former rank was served")
    same(x.read_all(id), {("0", "stdout"): b"begun\nover\n"})


@test()
def what_it_has_comes_again(x):
    """Another leader does not know what the executor has."""
    x.ack_events = False
    running, go = waiting(x)
    entry = x.entry(x.spec(["sh", "-c", f"echo ran >>{x.dir}/runs"]))
    x.send(m="start", jobs=[entry])
    x.finish(entry["id"])
    x.sent.clear()
    x.spec(["sh", "-c", f"echo ran >>{x.dir}/runs"])
    again = dict(entry, again=True)
    x.send(m="start", jobs=[again, dict(entry, id=running), dict(again, id=running)])
    settle(x)
    same(len([e for e in x.events if e[1] == "start"]), 2, "starts")
    same(open(x.dir + "/runs").read(), "ran\n", "an ended job was started again")
    # A job that is queued again is started before its former end is acknowledged.
    x.send(m="start", jobs=[entry])
    x.wait(lambda: len([e for e in x.events if e[:2] == [entry["id"], "finish"]]) == 2)
    same(open(x.dir + "/runs").read(), "ran\n" * 2)
    # Once it is acknowledged, the executor knows nothing of it.
    x.send(m="acked", seq=1 << 40)
    x.send(m="start", jobs=[again])
    x.wait(lambda: len([e for e in x.events if e[:2] == [entry["id"], "finish"]]) == 3)
    go()
    same(x.finish(running)["status"], 0)


@test()
def another_run(x):
    """A job that was queued again, before its former end was acknowledged."""
    x.ack_events = False
    h = x.spec(["sh", "-c", f"echo ran >>{x.dir}/runs; exit 3"])
    first = x.entry(h)
    second = dict(first, run=1)
    x.send(m="start", jobs=[first])
    x.finish(first["id"])
    again = x.entry(h)
    x.send(m="start", jobs=[dict(second, again=True), dict(second, again=True), dict(again, run=7, cores="nonsense")])
    ends = lambda: [e[3] for e in x.events if e[1] == "finish" and e[0] == first["id"]]
    x.wait(lambda: len(ends()) == 2)
    x.send(m="start", jobs=[dict(second, again=True)])
    settle(x)
    same(open(x.dir + "/runs").read(), "ran\n" * 2, "each run was started once")
    same([(e.get("run", 0), e["status"]) for e in ends()], [(0, 3 << 8), (1, 3 << 8)])
    same([e[3].get("run", 0) for e in x.events if e[1] == "start"], [0, 1])
    same([e[3].get("run", 0) for e in x.events if e[0] == again["id"]], [7, 7], "an exception, and its end")
    hello = on_the_same_connection(x)
    same(sorted(hello["jobs"]), [first["id"], again["id"]])
    same(hello["runs"], {str(first["id"]): 1, str(again["id"]): 7})
    # one that runs says so as well
    go = f"{x.dir}/go"
    h = x.spec(["sh", "-c", f"until test -e {go}; do sleep 0.01; done"])
    third = x.entry(h, run=2)
    x.send(m="start", jobs=[third])
    x.event(third["id"], "start")
    same(on_the_same_connection(x)["runs"][str(third["id"])], 2)
    open(go, "w").close()
    same(x.finish(third["id"]).get("run"), 2)


@test()
def another_address(x):
    running, go = waiting(x, "echo $HBATCH_URI")
    x.sock.close()
    x.attach()
    x.send(**dict(x.init, uri="local:///run/sock-1", size=7))
    same(x.run("echo $HBATCH_URI"), "local:///run/sock-1\n")
    go()
    same(x.out(running), "begun\nlocal:///run/sock-0\n")
    for key, value in ("orphan", -1), ("orphan", "soon"), ("uri", 3):
        x.send(**dict(x.init, **{key: value}))
        x.wait(lambda: [m for m in x.messages if m["m"] == "log" and f'"{key}"' in m["text"]])
    same(x.run("echo $HBATCH_URI"), "local:///run/sock-1\n", "after messages that were refused")


@test()
def a_start_for_its_predecessor(x):
    h = x.spec(["true"])
    mine, other = x.entry(h), x.entry(h)
    x.send(m="start", pid=x.process.pid + 1, jobs=[other])
    x.send(m="start", pid=x.process.pid, jobs=[mine])
    same(x.finish(mine["id"])["status"], 0)
    settle(x)
    same([e for e in x.events if e[0] == other["id"]], [])


# --- nobody comes ------------------------------------------------------------------------------------


@test(init={"orphan": 0.3})
def nobody_comes(x):
    told = x.dir + "/told"
    id = x.sh(f"trap 'echo term >{told}; exit 0' TERM; while :; do sleep 0.01; done")
    x.event(id, "start")
    same(x.run("echo kept"), "kept\n")
    begin = time.monotonic()
    x.sock.close()
    same(x.process.wait(LIMIT), 0)
    check(0.3 <= time.monotonic() - begin < 5, "it waited for", time.monotonic() - begin)
    same(open(told).read(), "term\n", "SIGTERM comes first")
    same(sorted(os.listdir(x.dir)), ["told"], "its own files are gone, others stay")


@test(init={"orphan": 3600}, environment={"HBATCH_EXEC_ORPHAN_TIMEOUT": "0.1s"})
def the_environment_says_how_long(x):
    same(x.run("echo here"), "here\n")
    x.sock.close()
    same(x.process.wait(LIMIT), 0)


@test(init={"orphan": 0.1, "own_rundir": True})
def the_last_one_removes_the_directory(x):
    """Two ranks of virtual nodes share it."""
    y = Executor(rank=1, dir=x.dir, init={"orphan": 0.1, "own_rundir": True})
    os.makedirs(x.dir + "/deep/er")
    try:
        same(x.run("echo output"), "output\n")
        x.sock.close()
        same(x.process.wait(LIMIT), 0)
        check(not os.path.exists(x.path), "its socket stays")
        check(os.path.exists(y.path) and os.path.exists(x.dir + "/deep/er"), "another executor's files were removed")
        same(y.run("echo on"), "on\n")
        y.sock.close()
        same(y.process.wait(LIMIT), 0)
        check(not os.path.exists(x.dir), "the directory stays")
    finally:
        y.close()


@test(init={"orphan": 0.1, "own_rundir": True})
def somebody_comes_late(x):
    """The executor leaves, and leaves the directory to the rank that came."""
    told = x.dir + "/told"
    id = x.sh(f"trap 'echo term >{told}' TERM; while :; do sleep 0.01; done")
    x.event(id, "start")
    x.sock.close()
    until(lambda: os.path.exists(told), "SIGTERM")
    x.attach()
    same(x.hello["jobs"], [id])
    same(x.finish(id)["status"], signal.SIGKILL)
    same(x.process.wait(LIMIT), 0)
    check(os.path.exists(x.path) and os.path.exists(x.dir + "/output-0.spool"), "files were removed")


@test(init={"orphan": 0.1, "own_rundir": True})
def another_one_has_its_place(x):
    """It is not found, as its socket's file is another's: that one's files stay."""
    y = Executor(dir=x.dir)
    try:
        x.sock.close()
        same(x.process.wait(LIMIT), 0)
        check(os.path.exists(y.path) and os.path.exists(x.dir + "/output-0.spool"), "files were removed")
        same(y.run("echo on"), "on\n")
    finally:
        y.quit()
        y.close()


# --- it is killed -------------------------------------------------------------------------------------

LITTER = """trap '' TERM HUP INT
echo $$ >>$1
setsid sh -c 'trap "" TERM HUP INT; echo $$ >>$1; while :; do sleep 1000; done' sh $1 </dev/null >/dev/null 2>&1 &
(setsid sh -c 'trap "" TERM HUP INT; echo $$ >>$1; exec sleep 1000' sh $1 </dev/null >/dev/null 2>&1 &)
(HBATCH_NODE_PATH=$HBATCH_NODE_PATH/inner.0 HBATCH_JOB_PATH=$HBATCH_JOB_PATH/inner.1 \
    setsid sh -c 'trap "" TERM HUP INT; echo $$ >>$1; while :; do sleep 0.01; done' sh $1 </dev/null >/dev/null 2>&1 &)
(setsid env -u HBATCH_NODE_PATH sh -c 'echo $$ >>$1; exec sleep 1000' sh $1 </dev/null >/dev/null 2>&1; echo no) &
echo $! >>$1
while :; do sleep 1000; done
"""


def litter(x, name):
    path = f"{x.dir}/{name}"
    id = x.sh(LITTER, path)
    pids = [int(p) for p in kept(x)(path, 6).split()]
    same(len(pids), 6)
    x.event(id, "start")
    return pids


@test()
def its_successor_sweeps(x):
    pids = litter(x, "pids")
    # not its business: of another rank, and of another instance
    others = [Executor(rank=1, dir=x.dir), Executor(init={"instance": INSTANCE + "7"}), Executor(rank=10, dir=x.dir)]
    strangers = sum((litter(y, f"strangers{i}") for i, y in enumerate(others)), [])
    bystander = subprocess.Popen(["sleep", "1000"], env=dict(os.environ, HBATCH_NODE_PATH=INSTANCE + ".01"))
    y = None
    try:
        x.process.kill()
        x.process.wait()
        check([p for p in pids if alive(p)], "nothing is left to sweep: this test tests nothing")
        y = Executor(dir=x.dir, sweep=True)
        same([p for p in pids if alive(p)], [], "processes of the dead executor's tasks at the hello")
        same([p for p in strangers + [bystander.pid] if not alive(p)], [], "others were killed")
        same(y.hello["jobs"], [])
        same(y.run("echo on"), "on\n")
        same(y.quit(), 0)
    finally:
        bystander.kill()
        bystander.wait()
        for e in others + [y] * (y is not None):
            if e.process.poll() is None:
                e.quit()
            e.close()
    same([p for p in strangers if alive(p)], [])


@test(sweep=True, start=False)
def no_hello_before_the_sweep(x):
    """It needs init to know whose tasks to look for."""
    x.read_all(4711)
    same([m["m"] for m in x.messages], ["outend"])
    x.send(**x.init)
    same(x.message("hello")["jobs"], [])
    x.sock.close()
    x.attach()  # and this time at once
    same(x.run("echo on"), "on\n")


@test(sweep=True)
def nothing_to_sweep(x):
    begin = time.monotonic()
    y = Executor(rank=3, sweep=True)
    note(f"start and sweep: {1e3 * (time.monotonic() - begin):.0f} ms of {len(os.listdir('/proc'))} processes")
    try:
        same(y.run("echo on"), "on\n")
        same(y.quit(), 0)
    finally:
        y.close()


# --- it cannot kill ------------------------------------------------------------------------------------


@test(native=True)
def a_task_that_does_not_die(x):
    """A tracer that does not look stands for a device that does not answer: a task that was killed does
    not end for its parent."""
    id = x.start(["sleep", "1000"])
    pid = x.event(id, "start")[3]["pids"]["0"]
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    if libc.ptrace(PTRACE_SEIZE, pid, 0, 0) < 0:
        note("ptrace: " + os.strerror(ctypes.get_errno()) + ": not tested")
        return
    begin = time.monotonic()
    try:
        x.send(m="quit")
        same(x.process.wait(LIMIT), 0)
        seconds = time.monotonic() - begin
    finally:
        os.waitpid(pid, 0)
    check(5 <= seconds < 9, "it left after", seconds)
    check("did not end in 5 s after SIGKILL" in x.stderr(), x.stderr())


sys.exit(main())
