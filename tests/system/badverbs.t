#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each verb and option of the command line, given nonsense: one clear sentence that names it, exit code 1,
nothing on standard output.  The tables of verbs and options are those of --help."""
import os
import re
import subprocess
import sys

src = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
build = os.environ.get("HBATCH_BUILDDIR") or (
    src + "/build" if os.access(src + "/build/bin/hbatch", os.X_OK) else src)
hbatch = build + "/bin/hbatch"
if not os.access(hbatch, os.X_OK):
    print(f"Bail out!  {hbatch} is not there: build first, or set HBATCH_BUILDDIR")
    sys.exit(1)
if os.environ.get("HBATCH_TEST_INSIDE") != __file__:
    env = dict(os.environ, HBATCH_TEST_INSIDE=__file__, LC_ALL="C", HBATCH_BUILDDIR=build)
    os.execve("/usr/bin/env", ["env", "timeout", "250", hbatch, "start", "--test-topology=core:2 pu:1",
                               sys.executable, os.path.realpath(__file__)], env)
count = failed = 0


def check(name, problems):
    global count, failed
    count += 1
    failed += bool(problems)
    print(f"{'not ok' if problems else 'ok'} {count} - {name}")
    for p in problems:
        print(f"# {p}")
    sys.stdout.flush()


def run(*args, **more):
    env = dict(os.environ, **{k: v for k, v in more.items() if v is not None})
    for k, v in more.items():
        if v is None:
            env.pop(k, None)
    try:
        p = subprocess.run([hbatch, *args], stdin=subprocess.DEVNULL, text=True, errors="replace", capture_output=True,
                           timeout=60, check=False, env=env)
    except subprocess.TimeoutExpired:
        return 124, "", "hung"
    return p.returncode, p.stdout, p.stderr


def wrong(args, part, codes=(1,), **more):
    """A list of what is not as it should be when ARGS are run; PART: what stderr must have."""
    rc, out, err = run(*args, **more)
    line = " ".join(args)
    problems = []
    if rc not in codes and not (line.startswith("job wait ") and rc == 2):
        problems.append(f"{line}: exit code {rc}: {err}")
    if out:
        problems.append(f"{line}: prints {out[:200]!r}")
    if part not in err:
        problems.append(f"{line}: says {err!r}, without {part!r}")
    if err.count("\n") != 1 or not err.startswith("hbatch"):
        problems.append(f"{line}: is no sentence: {err!r}")
    return problems


def listed(text):
    return re.findall(r"^  ([a-z-]+) +\S", text.partition("Verbs:\n")[2].partition("\n\n")[0], re.M)


def options(*verb):
    """[(name, value or None)]"""
    text = run(*verb, "--help")[1]
    return [(m.group(1), m.group(3)) for m in re.finditer(r"^ +(?:-., )?(--[a-z0-9-]+)(\[?=(\S+))?", text, re.M)]


def usage(*verb):
    return run(*verb, "--help")[1].splitlines()[0].partition("[OPTIONS]")[2].strip()


verbs = []
for v in listed(run("--help")[1]):
    inner = listed(run(v, "--help")[1])
    if v != "python":  # all is for Python
        verbs += [(v, i) for i in inner] or [(v,)]
check("there are verbs", [] if len(verbs) > 50 else [f"only {len(verbs)}"])

# --- options ---------------------------------------------------------------------------------------
problems = []
for v in verbs:
    for name, _ in options(*v):
        if len(name) < 7:
            continue
        typo = name[:4] + name[5:]  # one letter is missing
        if typo in (n for n, _ in options(*v)):
            continue
        problems += wrong((*v, typo), f"unknown option {typo}; did you mean --")
check("an option with a letter less: the nearest one is named", problems)
problems = []
for v in verbs:
    problems += wrong((*v, "--xyzzyplugh"), "unknown option --xyzzyplugh; see hbatch")
    problems += wrong((*v, "-Ö"), "unknown option -")
    problems += wrong((*v, "--hellp"), "did you mean --help?")
check("an option that is nothing like one", problems)
problems = []
for v in verbs:
    for name, value in options(*v):
        if value is None and name != "--help":
            problems += wrong((*v, f"{name}=3"), f"option {name} takes no value")
check("a value for an option that takes none", problems)
problems = []
for v in verbs:
    for name, value in options(*v):
        if value and not re.fullmatch(r"\S+\]", value):
            problems += wrong((*v, name), f"option {name} needs a value")
check("no value for one that needs it", problems)
problems = []
numbers = 0
for v in verbs:
    for name, value in options(*v):
        if value == "N" and v not in (("start",),):
            numbers += 1
            args = ["last"] if "JOBID" in usage(*v) else {"bulksubmit": ["true", ":::", "a"], "batch": [__file__]}.get(v[0], ["true"])
            args = [] if usage(*v) == "" else args
            problems += wrong((*v, f"{name}=zwölf", *args), "zwölf")
check(f"a word for a number ({numbers} options)", problems)

problems = []
formats = [(v, name) for v in verbs for name, value in options(*v) if value == "FORMAT"]
for v, name in formats:
    args = ["x"] if v == ("pgrep",) else []
    problems += wrong((*v, f"{name}={{nosuchfield}}", *args), ">>nosuchfield<<")
    problems += wrong((*v, f"{name}=a {{b", *args), "'a >>{<<b'")
    problems += wrong((*v, f"{name}=nosuchname", *args), "nosuchname") if name == "--format" else []
check(f"a wrong format: the place is marked ({len(formats)} options)", problems)
problems = []
colors = [(v, name) for v in verbs for name, _ in options(*v) if name == "--color"]
for v, name in colors:
    problems += wrong((*v, f"{name}=blue"), "--color=blue")
check(f"a wrong color ({len(colors)} verbs)", problems)

# --- verbs -----------------------------------------------------------------------------------------
problems = []
for v in verbs:
    typo = v[-1][:-1] + "qq"
    problems += wrong((*v[:-1], typo), f"there is no verb '{typo}'")
    if len(v[-1]) > 5:
        typo = v[-1][:2] + v[-1][3:]
        problems += wrong((*v[:-1], typo), "did you mean '")
check("a verb that is none", problems)
problems = []
for group in sorted({v[0] for v in verbs if len(v) > 1}):
    problems += wrong((group,), f"a verb is missing; see hbatch {group} --help")
problems += wrong((), "a verb is missing; see hbatch --help")
check("no verb", problems)
problems = []
for v in verbs:
    if usage(*v) == "":
        problems += wrong((*v, "surplus"), "'surplus'") if v != ("help",) else []
check("an argument for a verb that takes none", problems)

# --- ids -------------------------------------------------------------------------------------------
more = {("wait-event",): ("start",), ("job", "wait-event"): ("start",), ("job", "info"): ("R",), ("job", "urgency"): ("3",),
        ("job", "memo"): ("a=1",), ("update",): ("duration=+1m",)}
of_jobs = [v for v in verbs if "JOBID" in usage(*v) and "[JOBID" not in usage(*v)]
some = [v for v in verbs if "[JOBID" in usage(*v) and v[-1] not in ("id",)]
problems = []
for v in of_jobs:
    problems += wrong((*v, "!", *more.get(v, ())), "'!'")
for v in some:
    problems += wrong((*v, "!"), "'!'")
check(f"what is no id ({len(of_jobs + some)} verbs)", problems)
problems = []
for v in of_jobs + some:
    if v[-1] != "taskmap":
        problems += wrong((*v, "f2345678", *more.get(v, ())), "2345678", codes=(1, 2))
check("an id that no job has", problems)
problems = []
for v in of_jobs:
    problems += wrong(v, "")
check("no id", problems)

# --- no instance -----------------------------------------------------------------------------------
alone = {("start",), ("simulate",), ("python",), ("env",), ("version",), ("help",), ("hostlist",), ("multi-prog",),
         ("job", "id"), ("job", "taskmap"), ("config", "check"), ("resource", "grow"), ("resource", "shrink"), ("bulksubmit",), ("uri",), ("proxy",), ("alloc",), ("batch",), ("top",)}
operands = {"JOBID": ["f23"], "COMMAND": ["true"], "RANKS|HOSTS": ["0"], "NAME": ["x"], "PATH": ["."], "EVENT": ["start"],
            "TYPE": ["cancel"], "JOBID EVENT": ["f23", "start"], "JOBID KEY...": ["f23", "R"], "[NAME] [FIRST..LAST]": ["x"],
            "JOBID KEY=VALUE...": ["f23", "duration=+1m"], "JOBID N|hold|default|expedite": ["f23", "3"], "FILE": ["/dev/null"],
            "KEY VALUE": ["policy", "easy"], "NAME VALUE": ["x", "y"], "KEY": ["policy"]}
problems = []
asked = 0
for v in verbs:
    if v in alone:
        continue
    text = usage(*v)
    args = operands.get(text, operands.get(text.replace("[", "").split(".")[0].split(" ")[0].rstrip("]"), []))
    if v in (("cancel",), ("job", "cancel")):
        args = ["--all"]
    asked += 1
    problems += wrong((*v, *args), "HBATCH_URI", HBATCH_URI=None)
    problems += wrong((*v, *args), "/no/such/socket", HBATCH_URI="local:///no/such/socket")
    problems += wrong((*v, *args), "not-a-uri", HBATCH_URI="not-a-uri")
check(f"no instance ({asked} verbs)", problems)

# --- no permission ---------------------------------------------------------------------------------
setpriv = "/usr/bin/setpriv"
if os.geteuid() == 0 and os.access(setpriv, os.X_OK):
    p = subprocess.run([setpriv, "--reuid=65534", "--clear-groups", "--regid=65534", hbatch, "jobs"], text=True,
                       capture_output=True, check=False, stdin=subprocess.DEVNULL)
    check("an instance of another user", [] if p.returncode == 1 and p.stderr.count("\n") == 1 and
          ("ermission" in p.stderr or "owner" in p.stderr) else [f"{p.returncode}: {p.stderr!r}"])
else:
    count += 1
    print(f"ok {count} - an instance of another user # SKIP needs root, and setpriv of util-linux")
rc, out, err = run("run", "true")
check("the instance goes on", [] if rc == 0 else [err])
print(f"1..{count}")
sys.exit(1 if failed else 0)
