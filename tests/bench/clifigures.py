# SPDX-License-Identifier: BSD-3-Clause
"""Figures of the command line itself: how long verbs take to start, to list, and to complete."""
import re

from figures import beside
from measure import run


def verbs(bench):
    """All that --help lists, those in groups too, as lists of words."""
    def inside(*group):
        text = run([bench.hbatch, *group, "--help"], bench.instance.env)
        return re.findall(r"^  ([a-z-]+) +\S", text.partition("Verbs:\n")[2].partition("\n\n")[0], re.M)
    for verb in inside():
        if verb != "python":  # whose --help is Python's
            yield from [[verb, i] for i in inside(verb)] or [[verb]]


def start(bench):
    """The slowest verb, without its work: its --help."""
    commands = {" ".join(v): [bench.hbatch, *v, "--help"] for v in verbs(bench)}
    results = bench.timer([["true"], *commands.values()], bench.some_rounds(0.5), bench.instance.env)
    slowest, name = max((r["median"], n) for n, r in zip(commands, results[1:]))
    figure = {"target": ("<=", 8), "costs": {"verbs": len(commands), f"the slowest is {name}, ms": slowest * 1e3}}
    index = 1 + list(commands).index(name)
    return beside(figure, ["true (posix_spawn)"], [results[index], results[0]], [None])


def jobs(bench):
    """A thousand jobs that wait."""
    env = bench.instance.env
    run([bench.hbatch, "submit", "--urgency=hold", "--cc=1-1000", "true"], env)
    lines = run([bench.hbatch, "jobs", "-n", "--unfold"], env).count("\n")
    results = bench.timer([[bench.hbatch, "jobs", "--unfold"], [bench.hbatch, "jobs", "--json"], [bench.hbatch, "version"]],
                          bench.rounds, env)
    run([bench.hbatch, "cancel", "--all"], env)
    figure = {"target": ("<=", 15), "costs": {"lines": lines}}
    return beside(figure, ["hbatch jobs --json", "hbatch version (start of the CLI)"], results, [None, None])


def complete(bench):
    """All of what bash asks for when a job's id is to be completed, in a fresh bash each time."""
    env = bench.instance.env
    run([bench.hbatch, "submit", "--urgency=hold", "--cc=1-1000", "true"], env)
    script = (f"PATH={bench.builddir}/bin:$PATH; . {bench.srcdir}/src/cli/hbatch.bash; COMP_WORDS=(hbatch cancel ''); "
              "COMP_CWORD=2; _hbatch; [ ${#COMPREPLY[@]} -gt 50 ]")
    results = bench.timer([["bash", "-c", script], ["bash", "-c", "true"]], bench.rounds, env)
    run([bench.hbatch, "cancel", "--all"], env)
    return beside({"target": ("<=", 50)}, ["bash -c true"], results, [None])


FIGURES = {
    "cli.start": ("hbatch VERB --help, of the slowest verb", start),
    "cli.jobs": ("hbatch jobs of 1,000 jobs", jobs),
    "cli.complete": ("completion of an id of 1,000 in a new bash", complete),
}
