#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The man pages tell what the programs do: each verb, option, field, variable, request and
function that exists has its place in a page, and no page names one that does not exist."""
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys

src = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
build = os.environ.get("HBATCH_BUILDDIR") or (
    src + "/build" if os.access(src + "/build/bin/hbatch", os.X_OK) else src)
count = failed = 0


def check(name, problems):
    """One line of TAP: PROBLEMS is a list of sentences, empty if all is well."""
    global count, failed
    count += 1
    failed += bool(problems)
    print(f"{'not ok' if problems else 'ok'} {count} - {name}")
    for p in problems:
        print(f"# {p}")
    sys.stdout.flush()


def skip(name, reason):
    global count
    count += 1
    print(f"ok {count} - {name} # SKIP {reason}")


def differences(there, documented, what, where):
    return [f"{what} {x} is not in {where}" for x in sorted(there - documented)] + \
           [f"{where} tells of {what} {x}, which does not exist" for x in sorted(documented - there)]


def run(program, *args):
    p = subprocess.run([f"{build}/bin/{program}", *args], stdin=subprocess.DEVNULL, text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=30, check=False)
    if p.returncode != 0:
        print(f"# {program} {' '.join(args)}: exit code {p.returncode}: {p.stdout}")
    return p.stdout


def page_path(name):
    for top in (build, src):
        if os.path.exists(f"{top}/man/{name}"):
            return f"{top}/man/{name}"
    return None


def page(name):
    path = page_path(name)
    return open(path, encoding="utf-8").read() if path else ""


def read(path):
    return open(f"{src}/{path}", encoding="utf-8").read()


def read_all(folder, pattern):
    return "".join(read(f"{folder}/{f}") for f in sorted(os.listdir(f"{src}/{folder}"))
                   if re.fullmatch(pattern, f))


# --- options: {(name, takes a value)} ---------------------------------------------------------

def help_options(text):
    options = set()
    for m in re.finditer(r"^  +(?:(-\w)(?:, |  ?\s*|$))?(--[\w-]+)?(\[?=)?", text, re.M):
        short, long, value = m.groups()
        for o in (short, long):
            if o:
                options.add((o, bool(value)))
    return {(o, v) for o, v in options if o != "--help"}


def page_options(text):
    options = set()
    for line in re.findall(r"^\.It Fl (.*)$", text, re.M):
        names = re.findall(r"(?:^|Fl |, )(-?[\w-]+)", line)
        options.update(("-" + n, " Ar " in line) for n in names)
    return {(o, v) for o, v in options if o != "--help"}


def verbs(text):
    return re.findall(r"^  ([a-z-]+) +\S", text.partition("Verbs:\n")[2].partition("\n\n")[0], re.M)


def section(text, title):
    """From '.Ss hbatch job wait' to the next section."""
    m = re.search(rf"^\.Ss {title}(?: [^\n]*)?\n(.*?)(?=^\.S[sh] |\Z)", text, re.M | re.S)
    return m.group(1) if m else None


def show(options):
    return {o + ("=" if v else "") for o, v in options}


def check_group(group):
    name = f"hbatch-{group}.1"
    text = page(name)
    there = verbs(run("hbatch", group, "--help"))
    problems = [] if there else [f"hbatch {group} --help lists no verbs"]
    told = set(re.findall(rf"^\.Ss hbatch {group} ([a-z-]+)", text, re.M))
    problems += differences(set(there), told, "verb", name)
    for verb in sorted(told & set(there)):
        part = section(text, f"hbatch {group} {verb}")
        same = re.search(r"The same as\n\.Xr (\S+ \d)", part)
        if same:
            part = page(same.group(1).replace(" ", "."))
        have = help_options(run("hbatch", group, verb, "--help"))
        problems += differences(show(have), show(page_options(part)), f"{verb}'s option", name)
    check(f"hbatch {group}: its verbs and their options", problems)


def check_program(program, name, *args):
    have = help_options(run(program, *args, "--help"))
    problems = differences(show(have), show(page_options(page(name))), "option", name)
    if "-help" not in page(name):
        problems.append(f"{name} does not tell of --help")
    check(f"{name}: options of {' '.join((program,) + args)}", problems)


# ----------------------------------------------------------------------------------------------

if not os.access(f"{build}/bin/hbatch", os.X_OK):
    print(f"Bail out!  {build}/bin/hbatch is not there: build first, or set HBATCH_BUILDDIR")
    sys.exit(1)

all_verbs = verbs(run("hbatch", "--help"))
main_page = page("hbatch.1")
told = {v for line in re.findall(r"^\.It Cm ([a-z].*)$", main_page.partition(".Ss Options")[0], re.M)
        for v in re.findall(r"[a-z][a-z-]+", line)} - {"verb", "topic"}
check("hbatch(1) has all verbs", differences(set(all_verbs), told, "verb", "hbatch.1") or
      ([] if len(all_verbs) > 10 else ["hbatch --help lists too few verbs"]))
own_page = [v for v in all_verbs if v not in ("help", "version")]
check("each verb has a page", [f"there is no hbatch-{v}.1" for v in own_page if not page(f"hbatch-{v}.1")])
for v in own_page:
    if v in ("job", "resource", "archive", "queue", "config"):
        check_group(v)
    elif page(f"hbatch-{v}.1"):
        check_program("hbatch", f"hbatch-{v}.1", v)
for v in ("help", "version"):
    check(f"hbatch {v} has no options", sorted(show(help_options(run("hbatch", v, "--help")))))
check_program("hbatch-instance", "hbatch-instance.1")
have = set(re.findall(r"--[a-z-]+", read("src/exec/main.c").partition("static const char usage")[2].partition(";")[0]))
told = {o for o, _ in page_options(page("hbatch-exec.8"))} - {"--version"}
check("hbatch-exec.8: options", differences(have, told, "option", "hbatch-exec.8"))
timeout = re.search(r"without a rank \((\d+s)\)", run("hbatch-exec", "--help"))
check("hbatch-exec.8: the orphan timeout of --help",
      [] if timeout and f"\n{timeout.group(1)} unless set." in page("hbatch-exec.8")
      else ["they differ"])

fields = set(re.findall(r"^  (\S+) ", run("hbatch", "jobs", "-o", "help").partition("Fields:\n")[2], re.M))
part = page("hbatch-jobs.1").partition("The fields:")[2].partition(".Sh EXIT")[0]
told = {f for line in re.findall(r"^\.It Cm (.*)$", part, re.M) for f in line.split(" , ")}
check("hbatch-jobs.1: fields", differences(fields, told, "field", "hbatch-jobs.1"))

tags = set(re.findall(r"\{\{[\w.]+\}\}", read("src/job/template.h").partition("#ifndef")[0])) - {"{{id.FORM}}"}
part = page("hbatch-output.7").partition(".Ss Templates")[2].partition("A tag that is")[0]
told = set(re.findall(r"\{\{[\w.]+\}\}", part)) - {"{{id.dec}}"}
check("hbatch-output.7: tags", differences(tags, told, "tag", "hbatch-output.7"))

variables = set(re.findall(r'(?:envbuf_\w+\(\w+, )?"(HBATCH_\w+)(?:=|",)', read_all("src/exec", r".*\.c")))
variables |= set(re.findall(r'"(HBATCH_\w+)"', read("src/common/program.h")))
told = set(re.findall(r"^\.It Ev (HBATCH_\w+)", page("hbatch-environment.7"), re.M))
check("hbatch-environment.7: variables", differences(variables, told, "variable", "hbatch-environment.7"))

part = page("hbatch-formats.7").partition(".Ss Event logs")[2].partition(".Ss Output")[0]
told = {w for line in re.findall(r"^\.It Cm ([^A-Z]*?)(?: Ar .*)?$", part, re.M) for w in re.findall(r"[a-z][a-z-]+", line)}
code = read_all("src/instance", r".*\.c")
there = set(re.findall(r'\b(?:job_event|event|log_event)\([^";]*"([a-z-]+)"', code))
check("hbatch-formats.7: events", [f"{e} happens, and is not in the page" for e in sorted(there - told)] +
      [f"nothing says {e}" for e in sorted(told) if f'"{e}' not in code] + ([] if len(there) > 12 else [f"found too few: {there}"]))
part = page("hbatch-formats.7").partition(".Ss Job ids")[2].partition(".El")[0]
check("hbatch-formats.7: forms of job ids",
      [f"{form}: {text}" for form, text in re.findall(r"^\.It Cm (\w+) +Ta (\S+)$", part, re.M)
       if run("hbatch", "job", "id", "-t", form, "fVAmMZ").strip() != text])

requests = set(re.findall(r'\{"((?:job|resource|instance|archive|queue|config|account)\.\w+)", rpc_', read_all("src/instance", r"rpc.*\.c"), re.M))
requests |= set(re.findall(r'method\[\] = "\\"(instance\.\w+)\\""', read("src/instance/relay.c")))  # the router's own
sent = set(re.findall(r'"(job\.(?:event|output|end|ends|stdinack|order)|instance\.changed)\\?"', read_all("src/instance", r".*\.c")))
told = set(re.findall(r"\b((?:job|resource|instance|archive|queue|config|account)\.[a-z]+) \{", page("hbatch-protocol.7")))
check("hbatch-protocol.7: requests and streams", differences(requests | sent, told, "message", "hbatch-protocol.7") or
      ([] if requests and sent else ["found none in the sources"]))
told = set(re.findall(r"\b((?:job|resource|instance|archive|queue|config|account)\.[a-z]+) +(?:notification )?\{", read("src/comm/PROTOCOL")))
check("PROTOCOL: requests and streams", differences(requests | sent, told, "message", "PROTOCOL"))

code = read_all("src/instance", r"(rpc.*|joblist|relay)\.c")
there = set(re.findall(r'\(params, "(\w+)"', code))
strings = set(re.findall(r'"(\w+)"', code + read_all("src/instance", r".*\.c")))
told = {w for line in re.findall(r"^\.It Li (.*\{.*)$", page("hbatch-protocol.7"), re.M)
        for braces in re.findall(r"\{(.*?)\}", line) if not re.match("sub, (id|stats|ends)", braces)
        for w in re.findall(r"(?:^|[,|] )(\w+)", braces)}
check("hbatch-protocol.7: parameters of requests", [f"{x} is read, and not in the page" for x in sorted(there - told)] +
      [f"nothing reads {x}" for x in sorted(told - strings)] + ([] if len(there) > 30 else ["found too few"]))

header = re.sub(r"/\*.*?\*/", "", read("src/lib/hbatch.h"), flags=re.S)
functions = set(re.findall(r"\b(hbatch_\w+)\(", header))
text = page("libhbatch.3")
for where, told in (("names", re.findall(r"^\.Nm (hbatch_\w+)", text, re.M)),
                    ("synopsis", re.findall(r"^\.F[no] (hbatch_\w+)", text.partition(".Sh DESC")[0], re.M))):
    check(f"libhbatch.3: {where}", differences(functions, set(told), "function", "libhbatch.3"))

pages = sorted({f for top in (build, src) if os.path.isdir(f"{top}/man")
                for f in os.listdir(f"{top}/man") if re.fullmatch(r"[\w-]+\.[1-8]", f)})
ours = re.compile(r"^\.Xr ((?:lib)?hbatch[\w-]*) (\d)", re.M)
check("cross references", [f"{p}: there is no {n}({s})" for p in pages
                           for n, s in ours.findall(page(p)) if not page(f"{n}.{s}")])
if shutil.which("mandoc"):
    lint = [subprocess.run(["mandoc", "-Tlint", "-Wwarning", page_path(p)], text=True, check=False,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout for p in pages]
    check("mandoc finds nothing", [line for out in lint for line in out.splitlines()])
else:
    skip("mandoc finds nothing", "mandoc is not here: install the Debian package mandoc")
if shutil.which("man") and shutil.which("groff"):  # what groff cannot break is torn apart on 80 columns
    def render(p):
        return subprocess.run(["man", "--warnings", "-l", page_path(p)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              env=dict(os.environ, LC_ALL="C.UTF-8", MANWIDTH="80"), timeout=60, check=False).stderr
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        check("man shows the pages on 80 columns without a warning",
              [f"{p}: {line}" for p, err in zip(pages, pool.map(render, pages)) for line in err.splitlines()])
else:
    skip("man shows the pages on 80 columns without a warning", "man or groff is not here: install the Debian package man-db")
print(f"1..{count}")
sys.exit(1 if failed else 0)
