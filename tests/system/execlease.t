#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# hbatch-exec by itself: leases, jobs that take the place of those that end; see executor.py.

import sys

sys.dont_write_bytecode = True
from executor import *

GATE = "read x <gate; true"  # ends when somebody opens the FIFO


def greet(x):
    return x.hello["greet"]


def lease(x, groups, klass=1, g=None):
    x.send(m="lease", greet=greet(x) if g is None else g, **{"class": klass}, jobs=groups)


def ids(x, n):
    x.next_id += n
    return list(range(x.next_id - n + 1, x.next_id + 1))


def returned(x, count=1):
    """The contexts of the first COUNT events of what went back."""
    x.wait(lambda: len([e for e in x.events if e[1] == "returned"]) >= count, "returned")
    return [e[3] for e in x.events if e[1] == "returned"]


def gate(x):
    os.mkfifo(x.dir + "/gate")

    def open_it():
        with open(x.dir + "/gate", "w"):
            pass
    return open_it


def slot(x, script=GATE, **more):
    return x.start(["sh", "-c", script], **{"class": 1, **more})


def chain(x, id):
    """Who took whose place, from ID on."""
    found, ends, seen = [], {}, 0
    while True:
        def over():
            nonlocal seen
            ends.update((e[0], e[3]) for e in x.events[seen:] if e[1] == "finish")
            seen = len(x.events)
            return id in ends
        found.append(id)
        x.wait(over, "finish")
        following = ends[id].get("next")
        if not following:
            return found
        id = following[0]


@test()
def jobs_follow_each_other_in_order(x):
    open_gate = gate(x)
    first = slot(x)
    h = x.spec(["sh", "-c", "echo $HBATCH_JOB_CC $HBATCH_JOB_ID {{cc}} >>order"])
    more = ids(x, 30)
    lease(x, [[h, [[id, str(i + 5)] for i, id in enumerate(more)]]])
    x.event(first, "start")
    open_gate()
    same(chain(x, first), [first] + more)
    same(x.finish(first)["next"], [more[0], "0", ""])
    with open(x.dir + "/order") as f:
        lines = [line.split() for line in f]
    same([line[0] for line in lines], [str(i + 5) for i in range(30)])
    same([line[0] for line in lines], [line[2] for line in lines])
    check(len({line[1] for line in lines}) == 30, "job ids")


@test()
def one_that_runs_is_told_to_have_started(x):
    open_gate = gate(x)
    first = slot(x)
    os.mkfifo(x.dir + "/second")
    more = ids(x, 1)
    lease(x, [[x.spec(["sh", "-c", "read x <second"]), [[more[0]]]]])
    x.event(first, "start")
    open_gate()
    e = x.event(more[0], "start")
    check(e[2] >= x.event(first, "finish")[2], "times", e, x.event(first, "finish"))
    same(list(e[3]["pids"]), ["0"])
    x.send(m="kill", id=more[0], signal=signal.SIGTERM)
    same(x.finish(more[0])["status"], signal.SIGTERM)


@test()
def output_and_environment_are_of_the_job_that_runs(x):
    open_gate = gate(x)
    first = slot(x, "echo first; " + GATE)
    more = ids(x, 2)
    h = x.spec(["sh", "-c", "echo $A $HBATCH_JOB_CC; echo to stderr >&2"], env={"A": "own"})
    lease(x, [[h, [[more[0], "17"], [more[1], "18"]]]])
    open_gate()
    same(x.out(first), "first\n")
    same(x.out(more[0]), "own 17\n")
    same(x.read_all(more[1], x.finish(more[1])["pos"]), {("0", "stdout"): b"own 18\n", ("0", "stderr"): b"to stderr\n"})


@test()
def several_specifications_and_one_that_cannot_start(x):
    open_gate = gate(x)
    first = slot(x)
    a, b, c, d = ids(x, 4)
    lease(x, [[x.spec(["sh", "-c", "exit 3"]), [[a]]], [x.spec(["/no/such/program"]), [[b]]],
              ["no-such-hash", [[c]]], [x.spec(["true"]), [[d]]]])
    open_gate()
    same(chain(x, first), [first, a, b, c, d])
    same([x.finish(i)["status"] for i in (a, b, c, d)], [exited(3), exited(127), exited(126), 0])
    same([len(x.exceptions(i)) for i in (a, b, c, d)], [0, 1, 1, 0])


@test()
def two_thousand_that_cannot_start(x):
    open_gate = gate(x)
    first = slot(x)
    more = ids(x, 2000)
    lease(x, [[x.spec(["/no/such/program"]), [[id] for id in more]]])
    open_gate()
    same(len(chain(x, first)), 2001)


@test(cores=["0", "1"], bind=False)
def a_long_task_holds_nobody_up(x):
    open_gate = gate(x)
    os.mkfifo(x.dir + "/second")
    long, short = slot(x, cores="0"), slot(x, "read x <second", cores="1")
    more = ids(x, 20)
    lease(x, [[x.spec(["true"]), [[id] for id in more]]])
    with open(x.dir + "/second", "w"):
        pass
    same(chain(x, short), [short] + more)
    same({x.finish(id)["next"][1] for id in [short] + more[:-1]}, {"1"})
    check(not [e for e in x.events if e[:2] == [long, "finish"]], "the long one has ended")
    open_gate()
    same(x.finish(long)["status"], 0)
    check("next" not in x.finish(long))


@test()
def what_has_not_begun_is_taken_back(x):
    open_gate = gate(x)
    first = slot(x)
    more = ids(x, 5)
    lease(x, [[x.spec(["true"]), [[id] for id in more]]])
    x.send(m="recall")
    same(returned(x), [{"recall": True, "ids": more}])
    x.send(m="recall")
    same(returned(x, 2)[1], {"recall": True, "ids": []})
    open_gate()
    check("next" not in x.finish(first))


@test()
def what_could_follow_nobody_goes_back(x):
    more = ids(x, 3)
    h = x.spec(["true"])
    lease(x, [[h, [[more[0]]]]])
    same(returned(x), [{"ids": more[:1]}])
    open_gate = gate(x)
    first = slot(x)
    lease(x, [[h, [[more[1]]]]], klass=2)  # of another class
    same(returned(x, 2)[1], {"ids": more[1:2]})
    lease(x, [[h, [[more[2]]]]])
    open_gate()
    same(chain(x, first), [first, more[2]])


@test()
def a_new_rank_finds_what_began(x):
    open_gate = gate(x)
    first = slot(x)
    a, b, c = ids(x, 3)
    h = x.spec(["true"])
    lease(x, [[x.spec(["sh", "-c", "read x <second"]), [[a]]], [h, [[b], [c]]]])
    x.event(first, "start")
    os.mkfifo(x.dir + "/second")
    before = greet(x)
    x.ack_events = False
    open_gate()
    x.event(a, "start")
    x.sock.close()
    x.attach()
    same(sorted(x.hello["jobs"]), [first, a])  # b and c have not begun, and are gone
    check(greet(x) > before, "greet", x.hello)
    same(x.finish(first)["next"][0], a)  # told again
    lease(x, [[h, [[b]]]], g=before)  # sent before that hello was heard
    lease(x, [[h, [[c]]]])
    with open(x.dir + "/second", "w"):
        pass
    same(chain(x, a), [a, c])
    check(not [e for e in x.events if e[0] == b], "one that was forgotten ran")


@test()
def leases_go_on_without_a_rank(x):
    open_gate = gate(x)
    first = slot(x)
    more = ids(x, 50)
    lease(x, [[x.spec(["sh", "-c", "echo >>count"]), [[id] for id in more]]])
    x.event(first, "start")
    x.send(m="log")  # is no message; the answer tells that the lease was read
    x.message("log")
    x.sock.close()
    open_gate()
    until(lambda: os.path.exists(x.dir + "/count") and os.path.getsize(x.dir + "/count") == 50, "all tasks")
    x.attach()
    same(chain(x, first), [first] + more)


@test()
def nonsense_is_told(x):
    for message in (dict(), dict(jobs=[]), dict(jobs=3, **{"class": 1}), dict(jobs=[3], **{"class": 1}),
                    dict(jobs=[["h", [3]]], **{"class": 1}), dict(jobs=[["h", [["x"]]]], **{"class": 1})):
        n = len([m for m in x.messages if m["m"] == "log"])
        x.send(m="lease", greet=greet(x), **message)
        if message.get("jobs") != []:
            x.wait(lambda: len([m for m in x.messages if m["m"] == "log"]) > n, "a complaint about " + repr(message))
    same(x.finish(x.start(["true"]))["status"], 0)


sys.exit(main())
