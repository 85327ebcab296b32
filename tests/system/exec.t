#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# hbatch-exec by itself: jobs, their output, environment and end; see executor.py.

import sys

sys.dont_write_bytecode = True
from executor import *


# --- start and finish ------------------------------------------------------------------------------


@test()
def events_of_a_job(x):
    id = x.start(["true"])
    pids = x.event(id, "start")[3]["pids"]
    same(list(pids), ["0"])
    check(pids["0"] > 1)
    f = x.finish(id)
    same((f["status"], f["tasks"], f["output"], f["pos"]), (0, {}, [0, 0], None))
    names = [e[1] for e in x.events if e[0] == id]
    same(names, ["start", "finish"])
    check(abs(time.time() - x.event(id, "finish")[2]) < 60, "event time")


@test()
def exit_codes_and_signals(x):
    same(x.finish(x.sh("exit 3"))["status"], exited(3))
    same(x.finish(x.sh("kill -TERM $$"))["status"], signal.SIGTERM)
    id = x.sh("test $HBATCH_TASK_RANK = 2 && kill -KILL $$; exit $HBATCH_TASK_RANK", ntasks=4, options={"pmi": "none"})
    f = x.finish(id)
    same(f["status"], exited(3))
    same(f["tasks"], {"1": exited(1), "2": signal.SIGKILL, "3": exited(3)})
    # No signal is ignored or blocked, whatever the executor itself does.
    same(x.run("grep -E 'Sig(Blk|Ign)' /proc/self/status | tr -s '\\t\\n' '  '").split(),
         ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16])


@test()
def core_dump_is_told_apart(x):
    status = x.finish(x.sh("ulimit -c 0; kill -SEGV $$"))["status"]
    same(status & 0x7f, signal.SIGSEGV)
    if open("/proc/sys/kernel/core_pattern").read().startswith("|"):
        return
    status = x.finish(x.sh("ulimit -c unlimited && kill -SEGV $$"))["status"]
    check(status & 0x7f == signal.SIGSEGV, "status", status)


@test(native=True)
def programs_that_cannot_start(x):
    def failed(command, code, *words, **more):
        id = x.start(command, **more)
        f = x.finish(id)
        same(f["status"], exited(code), str(command))
        e = x.note(id)
        same((e["type"], e["severity"]), ("exec", 0))
        for word in words:
            check(word in e["note"], "the note does not have " + word, e["note"])
        check(not [v for v in x.events if v[0] == id and v[1] == "start"], "a start event")
    failed(["./nope"], 127, "task 0: ./nope: No such file or directory")
    failed(["no-such-program-anywhere"], 127, "no-such-program-anywhere", "not found")
    failed([x.dir], 126, x.dir, "Permission denied")
    with open(x.dir + "/plain", "w") as f:
        f.write("text\n")
    failed(["./plain"], 126, "./plain: Permission denied")
    with open(x.dir + "/bad", "w") as f:
        f.write("#!/no/such/interpreter -x\n")
    os.chmod(x.dir + "/bad", 0o755)
    failed(["./bad"], 127, "./bad", "interpreter /no/such/interpreter", "No such file")
    failed(["true"], 126, "working directory /no/such/dir: No such file or directory", cwd="/no/such/dir")
    # One of several: the others are ended too.
    apps = [dict(command=["sleep", "1000"], ntasks=2), dict(command=["./nope"], ntasks=1)]
    id = x.start(["sleep", "1000"], ntasks=3, options={"apps": apps, "pmi": "none"})
    f = x.finish(id)
    same(f["tasks"]["2"], exited(127))
    same(f["tasks"]["0"], signal.SIGKILL)
    check("task 2: ./nope" in x.note(id)["note"], x.note(id))


@test()
def a_script_without_interpreter_line(x):
    with open(x.dir + "/script", "w") as f:
        f.write("echo $0 $1 $2\n")
    os.chmod(x.dir + "/script", 0o755)
    id = x.start(["./script", "a", "b c"])
    same(x.out(id).split(None, 1)[1], "a b c\n")
    id = x.start(["./script", "{{id.dec}}", "again"])
    same(x.out(id).split()[1], str(id))


@test(native=True)
def a_program_that_moves_along_the_path(x):
    for d in "one", "two":
        os.mkdir(f"{x.dir}/{d}")
        with open(f"{x.dir}/{d}/prog", "w") as f:
            f.write(f"#!/bin/sh\necho {d}\n")
        os.chmod(f"{x.dir}/{d}/prog", 0o755)
    env = {"PATH": f"{x.dir}/one:{x.dir}/two:/usr/bin:/bin"}
    same(x.out(x.start(["prog"], env=env)), "one\n")
    os.unlink(x.dir + "/one/prog")
    same(x.out(x.start(["prog"], env=env)), "two\n")


@test()
def bad_jobs(x):
    def failed(word, **entry):
        e = dict(x.entry("none"), **entry)
        x.send(m="start", jobs=[e])
        same(x.finish(e["id"])["status"], exited(126))
        check(word in x.note(e["id"])["note"], word, x.note(e["id"])["note"])
    good = x.spec(["true"])
    failed("jobspec nothing", h="nothing")
    failed("ntasks", h=good, ntasks=0)
    failed("ntasks", h=good, ntasks="x")
    failed("cores", h=good, cores="0-")
    failed("taskmap", h=good, ranks=[0, 1], hosts=["a", "b"], taskmap=None)
    failed("task map", h=good, ranks=[0, 1], hosts=["a", "b"], taskmap="[[0,1,1,1]]", node=1)
    for option, value, word in (("exit-timeout", "soon", "exit-timeout"), ("pmi", "magic", "magic"),
                                ("cpu-affinity", "maybe", "maybe"), ("rlimit", {"wings": 1}, "wings"),
                                ("rlimit", {"core": "some"}, "some"), ("signal", "SIGNOT@3s", "SIGNOT"),
                                ("output", {"stdout": {"type": "file"}}, "path"),
                                ("output", {"mode": "x", "stdout": {"type": "kvs"}}, "mode"),
                                ("input", {"stdin": {"type": "fish"}}, "fish"),
                                ("input", {"stdin": {"type": "service", "ranks": "1-"}}, "ranks")):
        failed(word, h=x.spec(["true"], options={option: value}))
    x.send(m="start", jobs=[x.entry(x.spec(["true"], raw_env="unknown-hash"))])
    check("unknown-hash" in x.note(x.next_id)["note"])


@test()
def garbage_does_no_harm(x):
    for line in ("garbage", "[1,2]", "{\"m\":\"fly\"}", "{}", "{\"m\":7}", "\x00\x01", "{\"m\":\"start\"}", "null",
                 "{\"m\":\"start\",\"jobs\":[1,{},{\"id\":-3}]}", "{\"m\":\"kill\",\"id\":5}", "{\"m\":\"spec\",\"h\":\"x\"}",
                 "{\"m\":\"spec\",\"h\":\"y\",\"jobspec\":{}}", "{\"m\":\"env\",\"h\":\"x\",\"env\":3}", "{\"m\":\"init\"}",
                 "{\"m\":\"read\",\"id\":77,\"sub\":\"x\"}", "{\"m\":\"end\"}", "{\"m\":\"stdin\",\"id\":1,\"data\":\"x\"}",
                 "{\"m\":\"pmi\",\"msg\":{\"pmi\":\"?\"}}", "{\"m\":\"pmi\"}", "{\"m\":\"acked\"}", "{\"m\":\"ack\"}"):
        x.send_text(line)
    same(x.run("echo fine"), "fine\n")
    texts = " ".join(m["text"] for m in x.messages if m["m"] == "log")
    check("fly" in texts and "no message" in texts, texts)
    # A reader of a job that never was, or at a wrong position.
    same(x.read_all(4711), {})
    same(x.read_all(4711, pos=123456), {})
    same(x.read_all(4711, pos=8), {})


@test()
def noise_does_no_harm(x):
    """Messages with parts replaced, left out or repeated."""
    import copy
    import random
    dice = random.Random(4)
    junk = [None, True, 0, -1, 1, 7, 1 << 40, -(1 << 63), 1.5, 1e300, "", "0-3", "x", "\u00e9", "all", "9999999-", "file", [], {}, [1], ["a"],
            {"a": 1}, [[0, 1, 1, 1]], "[[0,1,2,1]]", "{{taskid}}", "3s", "[[0,1000000,1000000,1000000]]"]
    options = [{}, files(x, "o.{{taskid}}"), files(x, "all", label=True), {"input": {"stdin": {"type": "service", "ranks": "all"}}},
               {"rlimit": {"core": 0}}, {"signal": "USR1@1s", "exit-timeout": "10s", "cpu-affinity": "per-task", "gpu-affinity": "per-task"}]
    hashes = [x.spec(["true"], options=dict(o, pmi="none")) for o in options]

    def places(o, found):
        for k in (o.keys() if isinstance(o, dict) else range(len(o))):
            found.append((o, k))
            if isinstance(o[k], (dict, list)):
                places(o[k], found)
        return found

    def spoil(o):
        for i in range(dice.randint(1, 3)):
            container, key = dice.choice(places(o, []))
            if isinstance(container, dict) and dice.random() < 0.2:
                del container[key]
            else:
                container[key] = copy.deepcopy(dice.choice(junk))
            if not places(o, []):
                return o
        return o
    ids = []
    for i in range(1500):
        entry = x.entry(dice.choice(hashes), dice.randint(1, 3), cc="1", expiration=time.time() + 1000)
        ids.append(entry["id"])
        good = dice.choice([
            dict(m="start", jobs=[entry]), dict(m="kill", id=dice.choice(ids), signal=15), dict(m="end", id=dice.choice(ids), grace=1, note="n"),
            dict(m="stdin", id=dice.choice(ids), data="abc", eof=True, ranks="0"), dict(m="read", id=dice.choice(ids), sub=dice.randint(0, 5), pos=8),
            dict(m="ack", sub=dice.randint(0, 5), bytes=dice.randint(0, 10000)), dict(m="unread", sub=3), dict(m="acked", seq=dice.randint(0, 50)),
            dict(m="env", h="e", env={"A": "b"}), dict(m="unspec", h="none"), copy.deepcopy(x.init),
            dict(m="pmi", msg={"pmi": dice.choice(["x", "modex", "ns", "event", "spawned"]), "key": "k", "round": 1, "from": 0}),
            dict(m="spec", h="other", jobspec=json.loads(next(iter(x.sent))))])
        bad = spoil(copy.deepcopy(good)) if dice.random() < 0.9 else good
        if isinstance(bad, dict) and bad.get("m") != "quit":
            x.send(**bad)
        if i % 50 == 0:
            x.send(**x.init)
            x.read_all(4711)  # it answers
    x.send(**x.init)
    same(x.run("echo fine"), "fine\n")


# --- environment and binding ------------------------------------------------------------------------


@test(level=1, environment={"HBATCH_JOB_PATH": "outer.5", "HBATCH_NODE_PATH": "outer.2", "OMPI_COMM_WORLD_RANK": "3", "PMIX_RANK": "3"})
def environment_of_a_task(x):
    mine = {"KEEP": "a=b c\n", "EMPTY": "", "OMPI_MCA_btl": "tcp,self", "MPIR_CVAR_NOLOCAL": "1", "SLURM_JOB_ID": "9",
            "SLURM_NNODES": "2", "OMPI_CC": "gcc", "LANG": "C.UTF-8"}
    gone = {"OMPI_COMM_WORLD_RANK": "1", "OMPI_MCA_ess": "x", "OMPI_MCA_orte_hnp_uri": "x", "PMIX_NAMESPACE": "x", "PMI_FD": "3",
            "PMI_RANK": "1", "HYDI_CONTROL_FD": "4", "SLURM_PROCID": "1", "SLURM_STEP_ID": "0", "SLURM_STEPID": "0",
            "HBATCH_JOB_ID": "f1", "HBATCH_URI": "old", "HBATCH_JOB_CC": "9", "HBATCH_JOB_PATH": "wrong.1",
            "MPI_LOCALRANKID": "0", "ORTE_X": "1", "PRTE_X": "1", "HBATCH_TASK_RANK": "8", "OMPI_PARENT_PORT": "p"}
    id = x.start(["env", "-0"], env=dict(mine, **gone), ntasks=2, cc="7", options={"pmi": "none"})
    out = x.read_all(id, x.finish(id)["pos"])[("1", "stdout")].decode()
    env = dict(v.split("=", 1) for v in out.split("\0") if v)
    for name, value in mine.items():
        same(env.get(name), value, name)
    hb = {k: v for k, v in env.items() if k.startswith("HBATCH_")}
    f58 = hb.pop("HBATCH_JOB_ID")
    tmp = hb.pop("HBATCH_JOB_TMPDIR")
    check(f58.startswith("\u0192") and tmp.startswith(x.dir), f58, tmp)
    same(hb, {"HBATCH_URI": "local:///run/sock-0", "HBATCH_PARENT_URI": "local:///run/outer", "HBATCH_INSTANCE_LEVEL": "1",
              "HBATCH_JOB_SIZE": "2", "HBATCH_JOB_NNODES": "1", "HBATCH_JOB_CC": "7", "HBATCH_TASK_RANK": "1",
              "HBATCH_TASK_LOCAL_ID": "1", "HBATCH_NODE_ID": "0", "HBATCH_JOB_PATH": f"outer.5/{INSTANCE}.{id}",
              "HBATCH_NODE_PATH": f"outer.2/{INSTANCE}.0"})
    same(env["PWD"], x.dir)
    for name in gone:
        check(name in hb or name not in env or name.startswith("HBATCH_"), name + " reached the task")
    # Nothing of the executor's own environment.
    check("LSAN_OPTIONS" not in env)


@test()
def environment_by_hash_and_expansion(x):
    x.send(m="env", h="e1", env=dict(ENVIRONMENT, A="one", ELEMENT="x{{cc}}y{cc}"))
    h = x.spec(["sh", "-c", "echo $A $ELEMENT $WHO {cc} {{cc}}"], raw_env="e1",
               options={"env-expand": {"WHO": "{{name}}.{{taskid}}"}}, name="joe")
    jobs = [x.entry(h, cc="3"), x.entry(h, cc="4"), x.entry(h)]
    x.send(m="start", jobs=jobs)
    same(x.out(jobs[0]["id"]), "one x3y3 joe.0 3 3\n")
    same(x.out(jobs[1]["id"]), "one x4y4 joe.0 4 4\n")
    same(x.out(jobs[2]["id"]), "one x{{cc}}y{cc} joe.0 {cc} {{cc}}\n")
    x.send(m="unspec", h="e1")
    x.send(m="unspec", h=h)
    x.send(m="start", jobs=[x.entry(h)])
    check(h in x.note(x.next_id)["note"])


@test()
def the_job_directory(x):
    show = "echo $HBATCH_JOB_TMPDIR; ls -A $HBATCH_JOB_TMPDIR"
    first = x.run(show)
    check(first.startswith(x.dir) and first.count("\n") == 1, first)
    same(x.run(show), first, "an untouched directory is used again")
    for use in ("mkdir -p $HBATCH_JOB_TMPDIR/a/b && echo > $HBATCH_JOB_TMPDIR/a/b/c", "echo > $HBATCH_JOB_TMPDIR/.x",
                "chmod 0 $HBATCH_JOB_TMPDIR", "rmdir $HBATCH_JOB_TMPDIR", "ln -s / $HBATCH_JOB_TMPDIR/root",
                "echo > $HBATCH_JOB_TMPDIR/x; rm $HBATCH_JOB_TMPDIR/x", "rmdir $HBATCH_JOB_TMPDIR && ln -s / $HBATCH_JOB_TMPDIR"):
        x.run(use)
        check(not os.path.exists(first.strip() + "/.x"), "its content is still there")
        out = x.run("mkdir $HBATCH_JOB_TMPDIR/new && rmdir $HBATCH_JOB_TMPDIR/new && " + show)
        check(out.startswith(x.dir) and out.count("\n") == 1, use, out)
    # Jobs at the same time have different ones.
    ids = [x.sh(show + "; read line", options={"input": {"stdin": {"type": "service"}}}) for i in range(3)]
    for id in ids:
        x.event(id, "start")
    for id in ids:
        x.send(m="stdin", id=id, eof=True)
    same(len({x.out(id) for id in ids}), 3)
    same(x.quit(), 0)
    check(not os.path.exists(os.path.dirname(first.strip())), "the directories are left")


@test()
def cpu_affinity(x):
    cpus = sorted(os.sched_getaffinity(0))
    show = "grep Cpus_allowed_list /proc/self/status | cut -f2"

    def got(ntasks, cores, **options):
        id = x.sh(show, ntasks=ntasks, cores=cores, options=dict(options, pmi="none"))
        out = x.read_all(id, x.finish(id)["pos"])
        return [out[(str(i), "stdout")].decode().strip() for i in range(ntasks)]
    whole = subprocess.run(["sh", "-c", show], stdout=subprocess.PIPE, text=True).stdout.strip()
    same(got(1, "0"), [str(cpus[0])])
    last = len(cpus) - 1
    same(got(1, str(last)), [str(cpus[last])])
    same(got(1, f"0-{last}"), [whole])
    same(got(1, "0", **{"cpu-affinity": "off"}), [whole])
    if len(cpus) >= 2:
        same(got(2, "0-1", **{"cpu-affinity": "per-task"}), [str(cpus[0]), str(cpus[1])])
        same(got(3, "0-1", **{"cpu-affinity": "per-task"}), [str(cpus[0]), str(cpus[0]), str(cpus[1])])
        same(got(2, "0-1", **{"cpu-affinity": f"map:{cpus[1]};{cpus[0]}"}), [str(cpus[1]), str(cpus[0])])


@test(bind=False, cores=["100", "101"])
def a_virtual_node_is_not_bound(x):
    show = "grep Cpus_allowed_list /proc/self/status | cut -f2"
    whole = subprocess.run(["sh", "-c", show], stdout=subprocess.PIPE, text=True).stdout
    same(x.run(show, cores="0-1"), whole)


@test(gpus=[dict(id=i, vendor="nvidia", env="CUDA_VISIBLE_DEVICES", value=f"v{i}") for i in range(4)])
def gpu_affinity(x):
    def got(ntasks, gpus, **options):
        id = x.sh("echo $CUDA_VISIBLE_DEVICES", ntasks=ntasks, gpus=gpus, options=dict(options, pmi="none"),
                  env={"CUDA_VISIBLE_DEVICES": "mine"})
        out = x.read_all(id, x.finish(id)["pos"])
        return [out[(str(i), "stdout")].decode().strip() for i in range(ntasks)]
    same(got(1, "1-2"), ["v1,v2"])
    same(got(1, ""), ["-1"])
    same(got(2, "0-3", **{"gpu-affinity": "per-task"}), ["v0,v1", "v2,v3"])
    same(got(1, "1-2", **{"gpu-affinity": "off"}), ["mine"])


@test(gpus=[dict(id=i, vendor="nvidia", env="CUDA_VISIBLE_DEVICES", value=f"{i}", cpus=cpus)
            for i, cpus in enumerate(["2-3", "2-3", "0-1", "4"])], cores=["0", "1", "2", "3", "4"], bind=False)
def gpus_near_the_cores(x):
    def got(ntasks, cores, gpus):
        id = x.sh("echo $CUDA_VISIBLE_DEVICES", ntasks=ntasks, cores=cores, gpus=gpus,
                  options={"gpu-affinity": "per-task", "pmi": "none"})
        out = x.read_all(id, x.finish(id)["pos"])
        return [out[(str(i), "stdout")].decode().strip() for i in range(ntasks)]
    same(got(4, "0,2-4", "0-3"), ["2", "0", "1", "3"])
    same(got(2, "0-3", "0-3"), ["2,3", "0,1"])
    same(got(2, "0-3", "1-2"), ["2", "1"])
    same(got(4, "0-3", "0,2"), ["2", "2", "0", "0"])
    same(got(3, "2-4", "0-1"), ["0", "1", "0"])
    same(got(1, "0", "3"), ["3"])


@test(native=True)
def resource_limits(x):
    same(x.run("ulimit -Sn; ulimit -Sc", options={"rlimit": {"nofile": 77, "core": 0}}), "77\n0\n")


@test()
def several_programs(x):
    apps = [dict(command=["sh", "-c", "echo A$HBATCH_TASK_RANK$V"], ntasks=1, environment={"V": "x"}),
            dict(command=["sh", "-c", "echo B$HBATCH_TASK_RANK$V; pwd"], ntasks=2, cwd="/")]
    id = x.start(["true"], ntasks=3, env={"V": "base"}, options={"apps": apps, "pmi": "none"})
    out = x.read_all(id, x.finish(id)["pos"])
    same([out[(str(i), "stdout")] for i in range(3)], [b"A0x\n", b"B1base\n/\n", b"B2base\n/\n"])


@test()
def a_node_of_several(x):
    entry = x.entry(x.spec(["sh", "-c", "echo $HBATCH_TASK_RANK $HBATCH_TASK_LOCAL_ID $HBATCH_NODE_ID $HBATCH_JOB_NNODES {{nodelist}}"],
                           options={"pmi": "none"}), 4, ranks=[5, 0], hosts=["n1", "n2"], taskmap="[[0,2,2,1]]", node=1)
    x.send(m="start", jobs=[entry])
    out = x.read_all(entry["id"], x.finish(entry["id"])["pos"])
    same({k[0]: v for k, v in out.items()}, {"2": b"2 0 1 2 n[1-2]\n", "3": b"3 1 1 2 n[1-2]\n"})


# --- output ---------------------------------------------------------------------------------------


@test()
def captured_output(x):
    id = x.sh("printf 'out\\n\\377\\000bin'; echo err >&2; printf tail")
    out = x.read_all(id, x.finish(id)["pos"])
    same(out, {("0", "stdout"): b"out\n\xff\x00bintail", ("0", "stderr"): b"err\n"})
    same(x.finish(id)["output"], [13, 4])
    # Again, and by two at once.
    same(x.read_all(id, x.finish(id)["pos"]), out)
    text = "\u00fcber \u0192 \"quoted\" \\ \t\x01\x7f"
    same(x.run("echo \"$1\"", text), text + "\n")


@test()
def output_as_it_comes(x):
    id = x.sh("echo first; read line; echo got $line", attach=True, options={"input": {"stdin": {"type": "service"}}})
    x.wait(lambda: x.received.get((id, 0), 0) >= 6)
    check(not [e for e in x.events if e[1] == "finish" and e[0] == id])
    x.send(m="stdin", id=id, data="you\n", ranks="all")
    x.message("outend", id=id, sub=0)
    same(b"".join(x.output[(id, 0)][("0", "stdout")]), b"first\ngot you\n")
    x.finish(id)


@test()
def lines_stay_whole(x):
    script = "for i in 1 2 3 4 5 6 7 8; do printf %s-%s- $HBATCH_TASK_RANK $i; sleep 0.001; echo end; done"
    id = x.sh(script, ntasks=4, attach=True, options={"pmi": "none"})
    x.message("outend", id=id, sub=0)
    for (rank, _), parts in x.output[(id, 0)].items():
        for part in parts:
            check(part.endswith(b"\n"), "a partial line", part)
        same(b"".join(parts), b"".join(b"%s-%d-end\n" % (rank.encode(), i) for i in range(1, 9)))
    # Unbuffered: as it comes.
    id = x.sh("printf prompt; read line", attach=True, options={"unbuffered": 1, "input": {"stdin": {"type": "service"}}})
    x.wait(lambda: x.received.get((id, 0)) == 6)
    x.send(m="stdin", id=id, eof=True)
    x.finish(id)
    # A line without end does not stay in memory.
    id = x.start([PERL, "-e", "print 'x' x 1000000"], attach=True)
    x.message("outend", id=id, sub=0)
    same(x.received[(id, 0)], 1000000)


@test()
def a_reader_before_and_after_the_end(x):
    id = x.sh("echo a; read l; echo b", options={"input": {"stdin": {"type": "service"}}})
    x.event(id, "start")
    x.send(m="read", id=id, sub=7)
    x.wait(lambda: x.received.get((id, 7)))
    x.ack_events = False
    x.send(m="stdin", id=id, data="x\n", eof=True)
    f = x.finish(id)
    x.message("outend", id=id, sub=7)
    same(x.output[(id, 7)], {("0", "stdout"): [b"a\n", b"b\n"]})
    # Its end is not acknowledged: a request without the position is still answered.
    same(x.read_all(id), {("0", "stdout"): b"a\nb\n"})
    x.send(m="acked", seq=1000000)
    same(x.read_all(id), {})
    same(x.read_all(id, f["pos"]), {("0", "stdout"): b"a\nb\n"})


def megabytes(x, n, **more):
    return x.start([PERL, "-e", f"$l = ('y' x 99) . \"\\n\"; print $l for 1..{n * 10000}"], **more)


@test(native=True)
def a_slow_reader_costs_no_memory(x):
    x.run("true", attach=True, options={"pmi": "pmix"})  # what is loaded once is loaded now
    before = x.rss()
    x.auto_ack = False
    size = 100 * 1000 * 1000
    id = megabytes(x, 100, attach=True)
    key = id, 0
    x.finish(id)  # the job does not wait for its reader
    same(x.finish(id)["output"], [size, 0])
    got = x.received[key]
    check(CREDIT <= got < 2 * CREDIT, "sent without credit", got)
    most = x.rss()
    while not [m for m in x.messages if m["m"] == "outend" and m["id"] == id]:
        x.send(m="ack", id=id, sub=0, bytes=x.received[key])
        x.turn()
        most = max(most, x.rss()) if x.received[key] % (1 << 22) < 70000 else most
        x.output[key].clear()
    same(x.received[key], size)
    check(most - before < 24 << 20, "memory grew", before, most)


@test()
def unread_ends_a_reader(x):
    x.auto_ack = False
    id = megabytes(x, 10)
    x.finish(id)
    pos = x.finish(id)["pos"]
    x.send(m="read", id=id, sub=5, pos=pos)
    x.wait(lambda: x.received.get((id, 5), 0) >= CREDIT)
    x.send(m="unread", sub=5)
    x.send(m="ack", sub=5, bytes=CREDIT)
    x.auto_ack = True
    same(len(x.read_all(id, pos)[("0", "stdout")]), 10000000)
    check(x.received[(id, 5)] < 2 * CREDIT)


def files(x, stdout=None, stderr=None, mode=None, **options):
    o = {}
    if mode:
        o["mode"] = mode
    for name, path in ("stdout", stdout), ("stderr", stderr):
        if path:
            o[name] = dict(type="file", path=path, **options)
    return {"output": o, "pmi": "none"}


def content(path):
    with open(path) as f:
        return f.read()


@test()
def output_files(x):
    id = x.sh("echo out; echo err >&2; exit 2", options=files(x, "o_{{id}}_{{name}}_{{size}}_{{cc}}.txt"), name="nm", cc="12")
    f = x.finish(id)
    same((f["status"], f["pos"]), (exited(2), None))
    f58 = x.run("echo $HBATCH_JOB_ID")
    path = next(p for p in os.listdir(x.dir) if p.startswith("o_"))
    check(path.startswith("o_f") and path.endswith("_nm_1_12.txt"), path)
    same(content(f"{x.dir}/{path}"), "out\nerr\n")
    # Two files; truncated, appended.
    for mode, wanted in (None, "o\n"), ("append", "o\no\n"), ("truncate", "o\n"):
        x.finish(x.sh("echo o; echo e >&2", options=files(x, "a.out", "a.err", mode)))
        same(content(x.dir + "/a.out"), wanted, str(mode))
    # Only stderr: stdout is captured.
    id = x.sh("echo o; echo e >&2", options=files(x, None, "b.err"))
    same(x.out(id), "o\n")
    same(content(x.dir + "/b.err"), "e\n")
    # For each task its own.
    x.finish(x.sh("echo $HBATCH_TASK_RANK", ntasks=3, options=files(x, "t.{{taskid}}")))
    same([content(f"{x.dir}/t.{i}") for i in range(3)], ["0\n", "1\n", "2\n"])
    # One for all: lines stay whole, with labels if wanted.
    script = "for i in 1 2 3; do printf $HBATCH_TASK_RANK; sleep 0.001; echo -$i; done; printf end"
    x.finish(x.sh(script, ntasks=3, options=files(x, "all.{{node.name}}")))
    text = content(x.dir + "/all.nodeA")
    same(sorted(text.replace("end", "").split()), sorted(f"{t}-{i}" for t in range(3) for i in (1, 2, 3)))
    x.finish(x.sh(script, ntasks=3, options=files(x, "labels", label=True)))
    same(sorted(content(x.dir + "/labels").splitlines()),
         sorted([f"{t}: {t}-{i}" for t in range(3) for i in (1, 2, 3)] + [f"{t}: end" for t in range(3)]))
    id = x.sh("true", options=files(x, "/no/such/dir/file"))
    same(x.finish(id)["status"], exited(126))
    check("/no/such/dir/file: No such file or directory" in x.note(id)["note"], x.note(id))
    # Nobody reads the FIFO: an error, not an executor that waits.
    os.mkfifo(x.dir + "/fifo")
    id = x.sh("true", options=files(x, "fifo"))
    check("fifo: " in x.note(id)["note"], x.note(id))
    id = x.sh("echo x", ntasks=2, options=files(x, "/dev/null"))
    same(x.finish(id)["status"], 0)


@test()
def a_full_disk(x):
    id = x.sh("for i in 1 2 3 4 5 6 7 8 9; do echo a line; done; sleep 1000", ntasks=2, options=dict(files(x, "/dev/full"), **{"kill-timeout": "1s"}))
    x.event(id, "start")
    # Each task writes a device itself, and sees the error itself.
    x.send(m="end", id=id, grace=1)
    x.finish(id)
    same(x.run("echo fine"), "fine\n")


@test()
def a_spool_that_cannot_grow(x):
    """RLIMIT_FSIZE stands for a full disk: writes of the executor fail with EFBIG."""
    import resource
    resource.prlimit(x.process.pid, resource.RLIMIT_FSIZE, (1 << 20, resource.RLIM_INFINITY))
    id = x.sh("yes line | head -c 3000000; sleep 1000", options={"kill-timeout": "1s"})
    e = x.note(id)
    same((e["type"], e["severity"]), ("output", 0))
    check("File too large" in e["note"], e["note"])
    x.finish(id)
    resource.prlimit(x.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    same(x.run("echo fine"), "fine\n")


# --- stdin ----------------------------------------------------------------------------------------


def service(ranks=None):
    stdin = {"type": "service"}
    if ranks is not None:
        stdin["ranks"] = ranks
    return {"input": {"stdin": stdin}, "pmi": "none"}


@test()
def input_of_tasks(x):
    def got(id, n):
        out = x.read_all(id, x.finish(id)["pos"])
        return [out.get((str(i), "stdout"), b"").decode() for i in range(n)]
    # Without the option: /dev/null.
    same(x.run("readlink /proc/self/fd/0; cat"), "/dev/null\n")
    id = x.sh("cat", ntasks=3, options=service())
    x.send(m="stdin", id=id, data="for 0\n")
    x.send(m="stdin", id=id, eof=True)
    same(got(id, 3), ["for 0\n", "", ""])
    id = x.sh("cat", ntasks=3, options=service("all"))
    x.send(m="stdin", id=id, data=base64.b64encode(b"to all\n").decode(), encoding="base64")
    x.send(m="stdin", id=id, data="to 2\n", ranks="2")
    x.send(m="stdin", id=id, eof=True, ranks="all")
    same(got(id, 3), ["to all\n", "to all\n", "to all\nto 2\n"])
    id = x.sh("cat", ntasks=3, options=service("1-2"))
    x.send(m="stdin", id=id, data="x\n", eof=True)
    same(got(id, 3), ["", "x\n", "x\n"])
    with open(x.dir + "/in", "w") as f:
        f.write("file\n")
    same(got(x.sh("cat", ntasks=2, options={"input": {"stdin": {"type": "file", "path": "in"}}, "pmi": "none"}), 2),
         ["file\n", "file\n"])
    id = x.sh("cat", options={"input": {"stdin": {"type": "file", "path": "none"}}})
    check("stdin file none: No such file" in x.note(id)["note"], x.note(id))


@test()
def input_that_comes_again(x):
    id = x.sh("cat", options=service())
    x.event(id, "start")

    def acks():
        return [m["bytes"] for m in x.messages if m["m"] == "stdinack"]
    def send(at, data, who="a", **more):
        x.send(**{"m": "stdin", "id": id, "data": data, "at": at, "from": who, **more})
    send(0, "one ")
    x.wait(lambda: acks() == [4])
    send(0, "one ")  # and its ack may have been lost, too
    x.wait(lambda: acks() == [4, 4])
    send(0, "one two ")
    x.wait(lambda: acks()[-1] == 8)
    send(0, "three ", who="b")  # somebody else's beginning
    x.wait(lambda: acks()[-1] == 14)
    send(0, "ONE ")
    send(4, "TWO ")
    send(8, base64.b64encode(b"four\n").decode(), encoding="base64")
    send(20, "six\n")  # what was between is lost
    send(-1, "nonsense")
    send(24, "", eof=True)
    send(24, "", eof=True)
    same(x.out(id), "one two three four\nsix\nnonsense")


@test()
def input_with_credit(x):
    piece, total, sent = "z" * 65535 + "\n", 8 << 20, 0
    id = x.sh("cat >/dev/null; echo done", options=service())
    x.event(id, "start")

    def taken():
        return max([m["bytes"] for m in x.messages if m["m"] == "stdinack"] + [0])
    while sent < total:
        x.wait(lambda: sent - taken() < CREDIT)
        x.send(m="stdin", id=id, data=piece)
        sent += len(piece)
    x.wait(lambda: taken() == sent)
    x.send(m="stdin", id=id, eof=True)
    same(x.out(id), "done\n")
    # A task that never reads, and a sender that knows no credit.
    id = x.sh("sleep 1000", options=dict(service(), **{"kill-timeout": "0s"}))
    for i in range(300):
        x.send(m="stdin", id=id, data=piece)
    same(x.note(id)["type"], "input")
    x.finish(id)
    # A task that closes its stdin: all counts as taken.
    x.messages.clear()
    id = x.sh("exec <&-; sleep 1000", options=service())
    for i in range(40):
        x.send(m="stdin", id=id, data=piece)
    x.wait(lambda: [m for m in x.messages if m["m"] == "stdinack" and m["id"] == id and m["bytes"] == 40 * len(piece)])
    x.send(m="kill", id=id, signal=9)
    x.finish(id)


# --- ends -----------------------------------------------------------------------------------------


@test()
def signals_for_a_job(x):
    id = x.sh("trap 'echo usr1; exit 4' USR1; echo ready; while :; do sleep 0.01; done", ntasks=2, attach=True, options={"pmi": "none"})
    x.wait(lambda: x.received.get((id, 0)) == 12)
    x.send(m="kill", id=id, signal=int(signal.SIGUSR1))
    f = x.finish(id)
    same(f["tasks"], {"0": exited(4), "1": exited(4)})
    x.send(m="kill", id=id, signal=9)  # no longer there: nothing happens
    # The whole process group.
    id = x.sh("sleep 1000 & echo $!; wait", attach=True)
    x.wait(lambda: x.received.get((id, 0)))
    pid = int(x.output[(id, 0)][("0", "stdout")][0])
    x.send(m="kill", id=id, signal=15)
    x.finish(id)
    until(lambda: not alive(pid), "the group to be gone")


@test()
def the_end_of_a_job(x):
    id = x.start(["sleep", "1000"])
    x.send(m="end", id=id, grace=100)
    same(x.finish(id)["status"], signal.SIGTERM)
    id = x.sh("trap '' TERM; echo ready; while :; do sleep 0.01; done", attach=True)
    x.wait(lambda: x.received.get((id, 0)))
    x.send(m="end", id=id, grace=0.1)
    same(x.finish(id)["status"], signal.SIGKILL)
    same(x.exceptions(id), [])
    # A stopped one as well.
    id = x.start(["sleep", "1000"])
    x.event(id, "start")
    x.send(m="kill", id=id, signal=int(signal.SIGSTOP))
    x.send(m="end", id=id, grace=100)
    same(x.finish(id)["status"], signal.SIGTERM)


@test()
def expiration(x):
    begin = time.time()
    id = x.start(["sleep", "1000"], expiration=begin + 0.3)
    same(x.finish(id)["status"], signal.SIGALRM)
    e = x.note(id)
    same((e["type"], e["severity"]), ("timeout", 0))
    check(0.3 <= time.time() - begin < 30)
    id = x.sh("trap '' ALRM; while :; do sleep 0.01; done", expiration=time.time() + 0.1, options={"kill-timeout": 0.1})
    same(x.finish(id)["status"], signal.SIGKILL)
    id = x.sh("trap 'echo warned; exit 0' USR2; while :; do sleep 0.01; done", expiration=time.time() + 60.2,
              options={"signal": "SIGUSR2@60s"})
    same(x.out(id), "warned\n")
    same(x.exceptions(id), [])
    id = x.sh("trap 'exit 9' HUP; while :; do sleep 0.01; done", expiration=time.time() + 60.2,
              options={"signal": {"signum": 1, "timeleft": 60}})
    same(x.finish(id)["status"], exited(9))


@test()
def a_task_fails_alone(x):
    go = x.dir + "/go"
    id = x.sh(f"test $HBATCH_TASK_RANK = 0 && exit 5; until test -e {go}; do sleep 0.01; done; echo ran", ntasks=2, attach=True,
              options={"pmi": "none"})
    pid = x.event(id, "start")[3]["pids"]["0"]
    until(lambda: not alive(pid), "task 0 to end")
    open(go, "w").close()
    same(x.finish(id)["tasks"], {"0": exited(5)})
    same(x.exceptions(id), [])
    # exit-on-error ends the others, exit-timeout a while after the first.
    wait = "test $HBATCH_TASK_RANK = 1 && exit 5; sleep 1000"
    id = x.sh(wait, ntasks=3, options={"pmi": "none", "exit-on-error": 1})
    same(x.finish(id)["tasks"], {"0": 15, "1": exited(5), "2": 15})
    check("task 1 on host nodeA exited with exit code 5 and exit-on-error" in x.note(id)["note"], x.note(id))
    begin = time.time()
    id = x.sh(wait.replace("5", "0"), ntasks=3, options={"pmi": "none", "exit-timeout": "0.3s"})
    same(x.finish(id)["tasks"], {"0": 15, "2": 15})
    check("task 1 on host nodeA exited and exit-timeout=300ms has expired" in x.note(id)["note"], x.note(id))
    check(time.time() - begin >= 0.3)
    # On several nodes: this one is done, the others may not be.
    entry = x.entry(x.spec(["sh", "-c", "exit 5"], options={"pmi": "none", "exit-timeout": 0.2}), 2, ranks=[0, 1],
                    hosts=["n1", "n2"], taskmap="[[0,2,1,1]]")
    x.send(m="start", jobs=[entry])
    x.finish(entry["id"])
    check("exit-timeout" in x.note(entry["id"])["note"])


@test()
def a_task_of_a_pmi_job_is_killed(x):
    id = x.sh("test $HBATCH_TASK_RANK = 1 && kill -SEGV $$; sleep 1000", ntasks=2, options={"pmi": "pmi2"})
    f = x.finish(id)
    same((f["tasks"]["0"], f["tasks"]["1"] & 127), (15, int(signal.SIGSEGV)))
    check("task 1 on host nodeA was killed by signal 11" in x.note(id)["note"], x.note(id))


# --- pmi ------------------------------------------------------------------------------------------


@test()
def plain_programs_get_no_pmi(x):
    def got(command, **more):
        id = x.start(command, **more)
        return sorted({v.split("=")[0].split("_")[0] for v in x.out(id).split("\n") if v.startswith(("PMI", "OMPI"))})
    same(got(["env"]), [])
    same(got(["sh", "-c", "env"]), [])
    same(got(["env"], ntasks=2), [])
    same(got(["sh", "-c", "env"], ntasks=2, options={"pmi": "none"}), [])
    same(got(["env"], options={"pmi": "pmi1"}), ["PMI"])
    same(got(["sh", "-c", "env"], options={"pmi": "pmix,pmi2"}), ["OMPI", "PMI", "PMIX"])
    same(got(["sh", "-c", "env"], ntasks=2), ["OMPI", "PMI", "PMIX"])
    check("PMIX" in got(["python3", "-c", "import os\nfor k in os.environ: print(k + '=')"]))
    # The file says it: a user's own setting wins over our defaults.
    id = x.sh("env", ntasks=2, env={"OMPI_MCA_mtl": "mine"})
    same([v for v in x.out(id).split() if v.startswith("OMPI_MCA_mtl=")], ["OMPI_MCA_mtl=mine"])


# --- strays, attachment, life -----------------------------------------------------------------------


@test()
def strays_are_killed(x):
    def stray(script):
        id = x.sh(script, attach=True)
        x.message("outend", id=id, sub=0)
        x.finish(id)
        return int(b"".join(x.output[(id, 0)][("0", "stdout")]))
    until_gone = lambda pid: until(lambda: not alive(pid), f"stray {pid} to be gone")
    until_gone(stray("sleep 1000 & echo $!"))
    until_gone(stray("sleep 1000 >/dev/null 2>&1 & echo $!"))
    # In sessions of their own, with and without our pipes.
    until_gone(stray("setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.05"))
    until_gone(stray("setsid sh -c 'echo $$; exec sleep 1000 >/dev/null 2>&1' & sleep 0.05"))
    # Without our mark: at the latest when no job runs.
    until_gone(stray("setsid env -i /bin/sh -c 'echo $$; exec /bin/sleep 1000 >/dev/null 2>&1' & sleep 0.05"))
    # A running job's own daemon stays, also when another job ends.
    id = x.sh("setsid sleep 1000 >/dev/null 2>&1 & echo $!; sleep 0.05; read line", attach=True, options=service())
    x.wait(lambda: x.received.get((id, 0)))
    pid = int(x.output[(id, 0)][("0", "stdout")][0])
    for i in range(3):
        stray("setsid sleep 1000 >/dev/null 2>&1 & echo $!; sleep 0.05")
    check(alive(pid), "the daemon of a running job was killed")
    x.send(m="stdin", id=id, eof=True)
    x.finish(id)
    until_gone(pid)
    # A first task's background process lives until the job ends.
    go = x.dir + "/go"
    id = x.sh(f"test $HBATCH_TASK_RANK = 0 && {{ sleep 1000 >/dev/null 2>&1 & echo $!; exit 0; }}; until test -e {go}; do sleep 0.01; done",
              ntasks=2, attach=True, options={"pmi": "none"})
    x.wait(lambda: x.received.get((id, 0)))
    pid = int(x.output[(id, 0)][("0", "stdout")][0])
    check(alive(pid))
    open(go, "w").close()
    x.finish(id)
    until_gone(pid)


@test()
def outputs_never_mix(x):
    """A stray holds a pipe while the next jobs run."""
    ids = [x.sh(f"(setsid sh -c 'while :; do echo stray{i}; done' &) ; echo job{i}") for i in range(5)]
    for i, id in enumerate(ids):
        words = set(x.out(id).split())
        check(f"job{i}" in words and words <= {f"job{i}", f"stray{i}"}, words)


@test()
def attach_again(x):
    x.ack_events = False
    go = x.dir + "/go"
    done = x.sh("echo out")
    running = x.sh(f"echo begun; until test -e {go}; do sleep 0.01; done; echo over")
    f = x.finish(done)
    x.event(running, "start")
    before = list(x.events)
    x.sock.close()
    x.attach(ack=False)
    same(sorted(x.hello["jobs"]), sorted([running, done]), "jobs that run, or whose finish was not acknowledged")
    same(x.hello["seq"], 0)
    for e in before:
        check(x.wait(lambda: x.events and e in x.events or None))
    same(x.events[:len(before)], before, "events come again, in order")
    x.send(**x.init)
    x.send(m="acked", seq=1000)
    x.read_all(4711)  # once it is answered, the acknowledgement has been taken
    # A new connection replaces the old one.
    old = x.sock
    x.attach()
    old.settimeout(LIMIT)
    while True:
        try:
            if not old.recv(1 << 16):
                break
        except ConnectionResetError:
            break
    check(x.hello["seq"] >= 1)
    x.send(m="read", id=running, sub=3)
    x.wait(lambda: x.received.get((running, 3)))
    open(go, "w").close()
    same(x.finish(running)["status"], 0)
    same(x.out(running), "begun\nover\n")
    same(x.out(done) if done in [e[0] for e in x.events] else x.read_all(done, f["pos"])[("0", "stdout")].decode(), "out\n")
    check(not [e for e in x.events if e[0] == done], "an acknowledged event came again")


@test()
def jobs_outlive_the_connection(x):
    go = x.dir + "/go"
    id = x.sh(f"until test -e {go}; do sleep 0.01; done; yes | head -c 3000000", attach=True)
    pid = x.event(id, "start")[3]["pids"]["0"]
    x.sock.close()
    open(go, "w").close()
    until(lambda: not alive(pid), "the task to end")
    x.attach()
    same(x.finish(id)["status"], 0)
    same(len(x.out(id)), 3000000)


@test(start=False, environment={"HBATCH_EXEC_ORPHAN_TIMEOUT": "0.3s"})
def without_a_rank_it_leaves(x):
    x.send(**x.init)
    id = x.sh("setsid sleep 1000 >/dev/null 2>&1 & echo $!; exec sleep 1000", attach=True)
    x.wait(lambda: x.received.get((id, 0)))
    pid = x.event(id, "start")[3]["pids"]["0"]
    stray = int(x.output[(id, 0)][("0", "stdout")][0])
    x.sock.close()
    same(x.process.wait(LIMIT), 0)
    check(not alive(pid) and not alive(stray), "processes are left")


@test()
def without_its_directory_it_leaves(x):
    id = x.start(["sleep", "1000"])
    pid = x.event(id, "start")[3]["pids"]["0"]
    moved = x.dir + ".moved"
    os.rename(x.dir, moved)
    try:
        x.sock.close()
        same(x.process.wait(LIMIT), 0)
        check(not alive(pid), "the task lives")
    finally:
        os.rename(moved, x.dir)


@test()
def quit_leaves_nothing(x):
    id = x.sh("trap '' TERM; setsid sleep 1000 & sleep 1000 & echo $!; exec sleep 1000", attach=True)
    x.wait(lambda: x.received.get((id, 0)))
    pids = [x.event(id, "start")[3]["pids"]["0"], int(x.output[(id, 0)][("0", "stdout")][0])]
    same(x.quit(), 0)
    for pid in pids:
        check(not alive(pid), "a process is left")


@test()
def a_killed_executor_takes_its_tasks_along(x):
    ids = [x.start(["sleep", "1000"]) for i in range(3)]
    pids = [x.event(id, "start")[3]["pids"]["0"] for id in ids]
    x.process.kill()
    x.process.wait()
    for pid in pids:
        until(lambda: not alive(pid), "the task to be gone")


@test()
def a_spool_is_read_by_the_next_executor(x):
    id = x.sh("echo kept")
    pos = x.finish(id)["pos"]
    same(x.quit(), 0)
    y = Executor()
    try:
        same(y.quit(), 0)
        shutil.copy(x.dir + "/output-0.spool", y.dir)
        y.process = subprocess.Popen([PROGRAM, "--rundir=" + y.dir, "--socket=" + y.dir + "/s2"], stderr=y.log)
        until(lambda: os.path.exists(y.dir + "/s2"), "the socket")
        os.rename(y.dir + "/s2", y.path)
        y.attach()
        y.send(**y.init)
        same(y.read_all(id, pos), {("0", "stdout"): b"kept\n"})
        other = y.sh("echo other")
        same(y.out(other), "other\n")
        same(y.read_all(id, pos), {("0", "stdout"): b"kept\n"})
        same(y.quit(), 0)
    finally:
        y.close()


@test(native=True)
def a_thousand_jobs(x):
    h = x.spec(["true"])
    jobs = [x.entry(h) for i in range(1000)]
    x.finish(x.start(["true"], options={"pmi": "pmix"}))  # what is loaded once is loaded now
    rss = x.rss()
    begin = time.monotonic()
    for i in range(0, 1000, 8):  # eight at a time
        batch = jobs[i:i + 8]
        x.send(m="start", jobs=batch)
        for job in batch:
            same(x.finish(job["id"])["status"], 0)
    seconds = time.monotonic() - begin
    note(f"{1000 / seconds:.0f} jobs/s")
    check(x.rss() - rss < 8 << 20, "memory grew", rss, x.rss())
    check(len(os.listdir(f"/proc/{x.process.pid}/fd")) < 40, "descriptors are left open")
    # All at once, with output.
    h = x.spec(["sh", "-c", "echo {{cc}}"])
    jobs = [x.entry(h, cc=str(i)) for i in range(200)]
    x.send(m="start", jobs=jobs)
    for i, job in enumerate(jobs):
        same(x.out(job["id"]), f"{i}\n")


sys.exit(main())
