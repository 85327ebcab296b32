#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# hbatch-exec by itself: lanes, where the next job of a lease is ready before its place is free; see executor.py.
# That a place has a lane takes a short job before; what is tested holds whether it has one or not.

import sys

sys.dont_write_bytecode = True
from executor import *

WARM = 6  # short jobs, after which there are lanes


class Place:
    """Jobs of a lease on one core or more: short ones first."""

    gates = 0

    def __init__(self, x, cores=("0",)):
        self.x, self.h = x, x.spec(["true"])
        self.first, self.names = [], []
        for core in cores:
            Place.gates += 1
            self.names.append(f"gate{Place.gates}")
            self.first.append(x.start_spec(fifo(x, self.names[-1]), **{"class": 1, "cores": core}))

    def ids(self, n):
        self.x.next_id += n
        return list(range(self.x.next_id - n + 1, self.x.next_id + 1))

    def lease(self, *groups):
        """After the short ones."""
        self.add([self.h, [[id] for id in self.ids(WARM)]], *groups)
        for name in self.names:
            let_go(self.x, name)

    def add(self, *groups):
        self.x.send(m="lease", greet=self.x.hello["greet"], **{"class": 1}, jobs=groups)

    def returned(self):
        return [e[3] for e in self.x.events if e[1] == "returned"]


def fifo(x, name):
    os.mkfifo(f"{x.dir}/{name}")
    return x.spec(["sh", "-c", f"read x <{name}; true"])


def let_go(x, name):
    with open(f"{x.dir}/{name}", "w"):
        pass


@test()
def what_is_ready_is_taken_back(x):
    p = Place(x)
    long, a, b = p.ids(3)
    h = x.spec(["sh", "-c", "echo >>ran"])
    p.lease([fifo(x, "long"), [[long]]], [h, [[a], [b]]])
    x.event(long, "start")
    x.send(m="recall")
    x.wait(p.returned)
    same(p.returned(), [{"recall": True, "ids": [a, b]}])
    let_go(x, "long")
    check("next" not in x.finish(long), "it has a successor")
    Place(x).lease([h, [[a]]])  # and nothing keeps it from beginning later
    same(x.finish(a)["status"], 0)
    same(os.path.getsize(x.dir + "/ran"), 1)


def free_one_of_two(x, which):
    p = Place(x, ("0", "1"))
    longs, (ready,) = p.ids(2), p.ids(1)
    p.lease([fifo(x, "first"), [[longs[0]]]], [fifo(x, "second"), [[longs[1]]]])
    for id in longs:
        x.event(id, "start")
    p.add([p.h, [[ready]]])
    let_go(x, ["first", "second"][which])
    same(x.finish(longs[which])["next"][0], ready)
    same(x.finish(ready)["status"], 0)
    check(not [e for e in x.events if e[:2] == [longs[1 - which], "finish"]], "the other one has ended")
    let_go(x, ["second", "first"][which])
    check("next" not in x.finish(longs[1 - which]))


@test(cores=["0", "1"], bind=False)
def it_begins_where_a_place_is_free_first(x):
    free_one_of_two(x, 0)


@test(cores=["0", "1"], bind=False)
def it_begins_where_a_place_is_free_second(x):
    free_one_of_two(x, 1)


@test(cores=["0", "1"], bind=False)
def a_long_one_does_not_keep_who_is_ready_behind_it(x):
    p = Place(x, ("0", "1"))
    (long,), others = p.ids(1), p.ids(10)
    h = x.spec(["sleep", "0.04"])
    p.lease([fifo(x, "long"), [[long]]], [h, [[id] for id in others]])
    for id in others:
        same(x.finish(id)["status"], 0)
    let_go(x, "long")
    same(x.finish(long)["status"], 0)


@test()
def one_that_has_begun_is_killed(x):
    p = Place(x)
    long, victim, last = p.ids(3)
    p.lease([fifo(x, "long"), [[long]]], [x.spec(["sleep", "100"]), [[victim]]], [p.h, [[last]]])
    x.event(long, "start")
    x.send(m="kill", id=victim, signal=signal.SIGTERM)  # it has not begun
    let_go(x, "long")
    same(x.finish(long)["next"][0], victim)
    x.send(m="kill", id=victim, signal=signal.SIGTERM)
    end = x.finish(victim)
    same((end["status"], end["next"][0]), (signal.SIGTERM, last))
    same(x.finish(last)["status"], 0)


@test()
def the_program_is_gone(x):
    program = x.dir + "/program"
    shutil.copy("/bin/true", program)
    p = Place(x)
    long, gone, last = p.ids(3)
    h = x.spec([program])
    p.lease([h, [[id] for id in p.ids(3)]], [fifo(x, "long"), [[long]]], [h, [[gone]]], [p.h, [[last]]])
    x.event(long, "start")
    os.unlink(program)
    let_go(x, "long")
    end = x.finish(gone)
    same((end["status"], end["next"][0]), (exited(127), last))
    check(program in x.note(gone)["note"], x.note(gone))
    same(x.finish(last)["status"], 0)


@test(cores=["0", "1"], bind=False)
def a_script_without_a_first_line(x):
    with open(x.dir + "/script", "w") as f:
        f.write("echo $0 $1 $HBATCH_JOB_CC\n")
    os.chmod(x.dir + "/script", 0o755)
    p = Place(x, ("0", "1"))
    more = p.ids(40)
    p.lease([x.spec(["./script", "{{cc}}x"]), [[id, str(i)] for i, id in enumerate(more)]])
    for i, id in enumerate(more):
        same(x.out(id), f"{x.dir}/./script {i}x {i}\n")


@test(cores=["0", "1"], bind=False)
def each_has_its_own_output(x):
    p = Place(x, ("0", "1"))
    more = p.ids(200)
    h = x.spec(["sh", "-c", "echo out $HBATCH_JOB_CC; echo err $HBATCH_JOB_CC >&2; sleep 0.01 & exit {{cc}}"])
    p.lease([h, [[id, str(i)] for i, id in enumerate(more)]])
    for i, id in enumerate(more):
        end = x.finish(id)
        same(end["status"], exited(i))
        same(x.read_all(id, end["pos"]), {("0", "stdout"): b"out %d\n" % i, ("0", "stderr"): b"err %d\n" % i})


@test()
def each_is_bound_to_its_place(x):
    cores = x.init["cores"]
    p = Place(x, [str(i) for i in range(len(cores))])
    more = p.ids(60)
    p.lease([x.spec(["grep", "Cpus_allowed_list", "/proc/self/status"]), [[id] for id in more]])
    for id in more:
        said = x.out(id).split()[1]
        place = next(e[3]["next"] for e in x.events if e[1] == "finish" and e[3].get("next", [0])[0] == id)
        same(said, cores[int(place[1])])


@test()
def one_that_ran_elsewhere_bound_otherwise(x):
    p = Place(x)
    a, b, c = p.ids(3)
    show = ["grep", "Cpus_allowed_list", "/proc/self/status"]
    free = x.spec(show, options={"cpu-affinity": "off"})
    p.lease([free, [[a]]], [x.spec(show), [[b]]], [free, [[c]]])
    all = ",".join(x.init["cores"])
    for id, cores in (a, all), (b, x.init["cores"][0]), (c, all):
        said = x.out(id).split()[1]
        check(said == cores or cores == all and "-" in said or len(x.init["cores"]) == 1, id, said, cores)


@test()
def nothing_begins_that_was_ready_when_it_leaves(x):
    p = Place(x)
    long, ready = p.ids(2)
    p.lease([fifo(x, "long"), [[long]]], [x.spec(["sh", "-c", "echo >ran"]), [[ready]]])
    x.event(long, "start")
    same(x.quit(), 0)
    check(not os.path.exists(x.dir + "/ran"), "it ran")


@test()
def a_new_rank_hears_of_those_that_began(x):
    p = Place(x)
    long, ready, last = p.ids(3)
    p.lease([fifo(x, "long"), [[long]]], [x.spec(["sh", "-c", "echo >>ran"]), [[ready]]], [p.h, [[last]]])
    x.event(long, "start")
    x.sock.close()
    x.attach()
    check(long in x.hello["jobs"] and not {ready, last} & set(x.hello["jobs"]), x.hello)
    let_go(x, "long")
    check("next" not in x.finish(long))
    check(not os.path.exists(x.dir + "/ran"), "it ran")


@test(cores=["0", "1"], bind=False)
def all_end_once_and_in_order(x):
    p = Place(x, ("0", "1"))
    more = p.ids(1500)
    p.lease([p.h, [[id] for id in more]])
    followers = {}

    def all_ended():
        return len([e for e in x.events if e[1] == "finish"]) >= len(more) + WARM + len(p.first)
    x.wait(all_ended)
    ended = [e[0] for e in x.events if e[1] == "finish"]
    check(len(ended) == len(set(ended)), "one ended twice")
    for e in x.events:
        if e[1] == "finish" and "next" in e[3]:
            followers[e[3]["next"][0]] = e[0]
    place = {id: i for i, id in enumerate(ended)}
    for id in more:
        check(place[followers[id]] < place[id], "one was told to have ended before it had begun")


sys.exit(main())
