#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The guides in doc/ tell the truth, and so do the README and those chapters of the tutorial that are no scripts.

What stands behind "    $ " in a guide is typed into a shell, in a directory of its own, one guide beside the other;
what stands below is what must come out.  In it "..." is anything, a line of it alone any number of lines; ids of jobs, times,
the user and the host differ.  Where nothing is shown, the command must succeed.  `cat FILE` of a file that
does not exist makes it of what is shown; below `hbatch python` may be an interactive session (>>>).

Options that a guide gives to a verb exist, the pages it refers to exist, and each message in doc/troubleshooting is one
of the sources."""
import collections
import getpass
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

src = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
build = os.environ.get("HBATCH_BUILDDIR") or (
    src + "/build" if os.access(src + "/build/bin/hbatch", os.X_OK) else src)
LIMIT = 120  # seconds for a guide
TUTORIAL, TUTORIAL_CHAPTERS = "tutorial", (1, 2, 7, 8, 14)  # the others: tutorial.t
count = failed = 0


def check(name, problems):
    """One line of TAP: PROBLEMS is a list of texts, empty if all is well."""
    global count, failed
    count += 1
    failed += bool(problems)
    print(f"{'not ok' if problems else 'ok'} {count} - {name}")
    for p in problems:
        print("\n".join("# " + line for line in p.splitlines()))
    sys.stdout.flush()


def skip(name, reason):
    global count
    count += 1
    print(f"ok {count} - {name} # SKIP {reason}", flush=True)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


# --- what a guide has ----------------------------------------------------------------------------

Command = collections.namedtuple("Command", "line text shown")


def commands(text):
    """The commands of a guide, each with what is shown below it."""
    found, lines, i = [], text.splitlines(), 0
    while i < len(lines):
        if not lines[i].startswith("    $ "):
            i += 1
            continue
        start, words = i, [lines[i][6:]]
        i += 1
        here = re.search(r"<<-?\s*'?(\w+)'?", words[0])
        while i < len(lines) and ((here and lines[i].strip() != here.group(1)) or words[-1].endswith("\\")):
            words.append(lines[i][4:])
            i += 1
        if here and i < len(lines):
            words.append(lines[i][4:])
            i += 1
        while i < len(lines) and lines[i].startswith("    > "):
            words.append(lines[i][6:])
            i += 1
        shown = []
        python = re.fullmatch(r"cat \S+|hbatch python", words[0])  # has empty lines
        while i < len(lines) and (lines[i].startswith("    ") or python and not lines[i].strip()) and not lines[i].startswith("    $ "):
            shown.append(lines[i][4:])
            i += 1
        while shown and not shown[-1].strip():
            shown.pop()
        found.append(Command(start + 1, "\n".join(words), shown))
    return found


# --- running it ------------------------------------------------------------------------------------

HOST, USER = socket.gethostname(), getpass.getuser()


def pattern(line):
    """The regular expression of a line that is shown."""
    out = ""
    for part in re.split(r"(\.\.\.|\s+|\bf[1-9A-HJ-NP-Za-km-z]*[1-9A-HJ-NP-Z][1-9A-HJ-NP-Za-km-z]*\b|\b\d+\.\d+(?=s\b)|"
                         r"\bada\b|\bvm\b|(?<=pid )\d+)", line):
        if part == "...":
            out += ".*"
        elif part.isspace():
            out += r"\s+"
        elif re.fullmatch(r"f\w+", part) and re.search(r"[A-Z1-9]", part):
            out += r"[f\u0192]\w+"
        elif re.fullmatch(r"\d+\.\d+", part):
            out += r"[\d.]+"
        elif part == "ada":
            out += re.escape(USER)
        elif part == "vm":
            out += r"[\w.-]+"
        else:
            out += re.escape(part)
    return r"\s*" + out.strip() + r"\s*"


def matches(shown, got):
    i = 0
    shown = [s for s in shown if s.strip()]
    got = [g for g in got if g.strip()]
    while shown:
        if shown[0].strip() == "...":
            rest = shown[1:]
            return any(matches(rest, got[k:]) for k in range(i, len(got) + 1))
        if i == len(got) or not re.fullmatch(pattern(shown[0]), got[i]):
            return False
        i, shown = i + 1, shown[1:]
    return i == len(got)


def installed_here(where):
    """What a user has who has installed hbatch, and one MPI."""
    os.makedirs(f"{where}/.bin")
    for name, of_openmpi in (("mpicc", "mpicc.openmpi"), ("python3", "/usr/bin/python3")):  # which has mpi4py
        if shutil.which(of_openmpi):
            os.symlink(shutil.which(of_openmpi), f"{where}/.bin/{name}")
    with open(f"{where}/.bin/hbatch-mpi.pc", "w", encoding="utf-8") as f:
        f.write("Name: hbatch-mpi\nDescription: of the build tree\nVersion: 0\n"
                f"Cflags: -I{src}/src/lib -I{src}/src/mpi\n"
                f"Libs: -L{build}/src/mpi/.libs -lhbatch-mpi -L{build}/src/lib/.libs -lhbatch\n")


def missing(name):
    """Why a guide cannot be run here, or None."""
    if sanitized:
        return "built with sanitizers"
    if name in (TUTORIAL, "README") and not shutil.which("mpicc.openmpi"):
        return "mpicc.openmpi is not here: install the Debian package libopenmpi-dev"
    if name == "spawn":
        if not re.search("openmpi", hbatch("version")):
            return "hbatch is built for another MPI"
        for program, package in (("mpicc.openmpi", "libopenmpi-dev"), ("pkg-config", "pkg-config")):
            if not shutil.which(program):
                return f"{program} is not here: install the Debian package {package}"
        if subprocess.run(["/usr/bin/python3", "-c", "import mpi4py"], stderr=subprocess.DEVNULL, check=False).returncode:
            return "mpi4py is not here: install the Debian package python3-mpi4py"
    return None


class Shell:
    """A shell in a directory of its own, to which commands are given one by one."""

    def __init__(self, where):
        self.where = where
        env = dict(os.environ, PATH=f"{where}/.bin:{build}/bin:{os.environ['PATH']}", LC_ALL="C", PKG_CONFIG_PATH=f"{where}/.bin", SHELL="/bin/bash", PWD=where, TERM="dumb",
                   OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1",
                   LD_LIBRARY_PATH=":".join(filter(None, (f"{build}/src/lib/.libs:{build}/src/mpi/.libs",
                                                          os.environ.get("LD_LIBRARY_PATH")))))
        for name in list(env):  # of an instance or allocation around
            if re.match(r"HBATCH_|SLURM|LSB|PBS|SGE|PE_HOSTFILE|JOB_ID", name):
                del env[name]
        self.process = subprocess.Popen(["/bin/bash", "--norc"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=where,
                                        stderr=subprocess.STDOUT, env=env, start_new_session=True)
        self.number = 0
        self.ids = {}  # as shown: as they are here

    def type(self, text):
        """Its output, and its exit status."""
        self.number += 1
        end = f"@@end-{self.number}"
        if not re.fullmatch(r"exit|hbatch start( --?[\w-]+(=(\"[^\"]*\"|\S*))?)*", text):
            text = "{ " + text + "\n} </dev/null"
        self.process.stdin.write(f"{text}\nrc=$?; echo; echo {end} $rc\n".encode())
        self.process.stdin.flush()
        out = []
        for line in self.process.stdout:
            line = line.decode(errors="replace")
            if line.startswith(end):
                if out and out[-1] == "\n":
                    out.pop()
                return "".join(out), int(line.split()[1])
            out.append(line)
        return "".join(out) + "\n(the shell has ended)", -1

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            pass
        self.kill()
        self.process.stdout.close()

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()


def doctest(shell, shown):
    """An interactive session of Python."""
    with open(f"{shell.where}/.session", "w", encoding="utf-8") as f:
        f.write(re.sub(r"JobID\(\"f\w+\"\)", "JobID(...)", "\n".join(shown)) + "\n")
    return shell.type("hbatch python -c 'import doctest, sys; sys.exit(doctest.testfile(\".session\", "
                      "module_relative=False, optionflags=doctest.ELLIPSIS)[0] != 0)'")


ID = re.compile(r"\s*([f\u0192][1-9A-HJ-NP-Za-km-z]{2,})\s*")


def learn(shell, shown, got):
    """Ids that a command has printed, each in a line, stand in later commands for those that are shown."""
    shown = [s for s in shown if s.strip()]
    got = [g for g in got if g.strip()]
    for s, g in zip(shown, got):
        if ID.fullmatch(s) and ID.fullmatch(g):
            shell.ids[s.strip()] = g.strip()


def play(shell, c):
    """None, or what is wrong with a command."""
    m = re.fullmatch(r"cat (\S+)", c.text)
    path = os.path.join(shell.type("pwd")[0].strip(), m.group(1)) if m else ""
    if m and not os.path.exists(path):
        with open(path, "w", encoding="utf-8") as f:
            f.write("\n".join(c.shown) + "\n")
        if c.shown[0].startswith("#!"):
            os.chmod(path, 0o755)
        return None
    if c.text == "hbatch python" and c.shown and c.shown[0].startswith(">>>"):
        out, rc = doctest(shell, c.shown)
        shown = []
    else:
        out, rc = shell.type(re.sub(r"\bf\w+\b", lambda m: shell.ids.get(m.group(), m.group()), c.text))
        shown = c.shown
    got = out.splitlines()
    learn(shell, shown, got)
    if shown and matches(shown, got):
        return None
    # what runs beside each other writes in any order
    if shown and (re.search("--watch|mpi_hellosleep", c.text) or all(re.match(r"\d+: ", s) for s in shown)) and matches(sorted(shown), sorted(got)):
        return None
    if not shown and rc == 0:
        return None
    return f"line {c.line}: {c.text}\nexit status {rc}, output:\n{out[:3000]}" + ("wanted:\n" + "\n".join(shown) if shown else "")


def text_of(name):
    if name == "README":  # its tour, without what needs hosts or somebody at the keyboard
        text = read(f"{src}/README")
        begin, end = text.split("A batch job is an instance by itself")
        return begin + end[end.index("Python has all of it"):end.index("A script that is given")]
    if name != TUTORIAL:
        return read(f"{src}/doc/{name}")
    parts = re.split(r"(?m)^(?=\d+\. .*\n-+\n)", read(f"{src}/examples/tutorial/README"))
    return parts[0] + "".join(p for p in parts[1:] if int(p.split(".")[0]) in TUTORIAL_CHAPTERS)


def run_guide(name, problems, times):
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="hbatch-guide.") as where:
        shutil.copytree(f"{src}/examples", f"{where}/examples")
        installed_here(where)
        shell = Shell(where)
        timer = threading.Timer(LIMIT, shell.kill)
        timer.start()
        for c in commands(text_of(name)):
            wrong = play(shell, c)
            if wrong:
                problems.append(wrong)
            if shell.process.poll() is not None:
                problems.append(f"line {c.line}: the shell ended")
                break
        timer.cancel()
        shell.close()
    times[name] = time.monotonic() - begin


# --- what is said ------------------------------------------------------------------------------------

def hbatch(*args):
    p = subprocess.run([f"{build}/bin/hbatch", *args], stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, timeout=30, check=False)
    return p.stdout


def options_of(words, known={}):
    if words not in known:
        known[words] = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", hbatch(*words, "--help"))) | {"--help"}
    return known[words]


def wrong_options(text):
    """Options behind a verb of hbatch that it does not have."""
    wrong = []
    verbs = set(re.findall(r"^  ([a-z-]+) +\S", hbatch("--help"), re.M))
    text = re.sub(r"^ +\$ .*\n.*unknown option", "", text, flags=re.M)  # on purpose
    for m in re.finditer(r"\bhbatch ((?:-[pr] |--(?:parent|root|uri=\S+) )*)([a-z-]+)((?:[ ]+[^\s|;&'\"`$()]+)*)", text):
        verb, rest = m.group(2), m.group(3).split()
        if verb not in verbs:
            continue
        words = (verb,)
        if verb in ("job", "resource") and rest and re.fullmatch(r"[a-z-]+", rest[0]):
            words, rest = (verb, rest[0]), rest[1:]
        for w in rest:
            option = re.match(r"--[a-z][\w-]*", w)
            if option and option.group() not in options_of(words):
                wrong.append(f"hbatch {' '.join(words)} has no option {option.group()}")
            if w[-1] in ".:," or not w.startswith("-") and verb in ("run", "submit", "alloc", "proxy", "start", "env", "python"):
                break  # options end at the command
    return wrong


def wrong_pages(text):
    pages = {f for top in (build, src) for f in os.listdir(f"{top}/man")}
    return [f"there is no {n}({s})" for n, s in re.findall(r"\b((?:lib)?hbatch[\w-]*)\((\d)\)", text)
            if f"{n}.{s}" not in pages]


def literals():
    """Texts of the sources: those of C that follow each other are one."""
    found = []
    for folder in ("src", "pmi", "compat"):
        for top, _, files in os.walk(f"{src}/{folder}"):
            for f in files:
                if f.endswith((".c", ".py")):
                    text = read(f"{top}/{f}")
                    found += ["".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', m)).replace("%%", "%")
                              for m in re.findall(r'"(?:[^"\\\n]|\\.)*"(?:\s*(?:[A-Z]\w+\s*)?"(?:[^"\\\n]|\\.)*")*', text)]
    return found


def wrong_messages(text):
    """Messages, "..." in which is what differs, that no text of the sources is the like of."""
    messages = [m for line in re.findall(r'^"(.*)"$', text, re.M) for m in [line]]
    there = [t for t in literals() if len(t) > 5]
    wrong = [] if len(messages) > 50 else [f"there are only {len(messages)} messages"]
    for m in messages:
        parts = [re.escape(p) for p in m.split("...") if p]
        if not any(re.search(".*".join(parts), t) for t in there):
            wrong.append(f"no program says: {m}")
        elif sum(len(p) for p in parts) < 12:
            wrong.append(f"says too little to be found: {m}")
    return wrong


# -----------------------------------------------------------------------------------------------------

if not os.access(f"{build}/bin/hbatch", os.X_OK):
    print(f"Bail out!  {build}/bin/hbatch is not there: build first, or set HBATCH_BUILDDIR")
    sys.exit(1)

with open(f"{build}/bin/.libs/hbatch" if os.path.exists(f"{build}/bin/.libs/hbatch") else f"{build}/bin/hbatch", "rb") as program:
    sanitized = b"__asan_init" in program.read()
guides = sorted(f for f in os.listdir(f"{src}/doc") if re.fullmatch(r"[a-z-]+", f))
index = read(f"{src}/doc/README")
check("doc/README names each guide", [f"it has no {g}" for g in guides if not re.search(rf"^{g} ", index, re.M)] +
      [f"there is no {g}" for g in re.findall(r"^([a-z-]+)  ", index, re.M)
       if g not in guides and not os.path.exists(f"{src}/man/hbatch-{g}.7")])
makefile = read(f"{src}/doc/local.mk")
check("each guide is installed", [f"doc/local.mk has no doc/{g}" for g in guides + ["README"] if f"doc/{g}" not in makefile])
for g in [f"doc/{g}" for g in guides + ["README"]] + ["README", "examples/README", "examples/tutorial/README"]:
    text = read(f"{src}/{g}")
    check(f"{g}: options and pages exist", wrong_options(text) + wrong_pages(text))
check("troubleshooting: the messages are those of the sources", wrong_messages(read(f"{src}/doc/troubleshooting")))

text = hbatch("help")
check("hbatch help lists the guides", [f"not {g}" for g in guides if not re.search(rf"^  {g} +\S", text, re.M)])
check("hbatch help NAME shows a guide", [g for g in guides if hbatch("help", g) != read(f"{src}/doc/{g}")])
check("no guide is named as a verb", [g for g in guides if g in re.findall(r"^  ([a-z-]+) ", hbatch("--help"), re.M)])
if shutil.which("man"):
    check("hbatch help TOPIC shows a page", [t for t in ("environment", "libhbatch") if "DESCRIPTION" not in hbatch("help", t)])
else:
    skip("hbatch help TOPIC shows a page", "man is not here: install the Debian package man-db")
check("hbatch help of what there is not", [out for out in map(lambda w: hbatch("help", w), ("nosuch", "../README", "", "README.x"))
                                          if "there is no verb" not in out])

only = sys.argv[1:]
done, times, threads = {}, {}, []
for g in guides + [TUTORIAL, "README"]:
    if only and g not in only:
        continue
    done[g] = []
    if missing(g) or not commands(text_of(g)):
        continue
    threads.append(threading.Thread(target=run_guide, args=(g, done[g], times)))
    threads[-1].start()
for t in threads:
    t.join()
for g, problems in done.items():
    if g in times:
        check(f"{g}: what is shown comes out", problems)
        print(f"# {times[g]:.1f} s")
    else:
        skip(f"{g}: what is shown comes out", missing(g) or "nothing in it can be run")
print(f"1..{count}")
sys.exit(1 if failed else 0)
