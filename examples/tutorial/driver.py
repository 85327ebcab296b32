#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Chapter 15: a program that drives instances by the command line: an ensemble of jobs on each node, in an instance of
its own.
    ./driver.py [MEMBERS]
"""
import json
import subprocess
import sys


def hbatch(*words, check=True, **options):
    """Run hbatch; what it printed.  What it says on stderr is the user's to see."""
    done = subprocess.run(["hbatch", *words], stdout=subprocess.PIPE, text=True, check=check, **options)
    return done.stdout.strip()


def ensemble(node, members):
    """A batch job that runs MEMBERS jobs; every fifth fails.  Its script comes from standard input."""
    script = f"""#!/bin/sh
#hbatch: -N1 --exclusive --requires=rank:{node} --job-name=ensemble{node} --output=none
hbatch submit --quiet --wait --cc=1-{members} sh -c '[ $((HBATCH_JOB_CC % 5)) != 0 ]'
hbatch job stats
"""
    return hbatch("batch", input=script)


def main():
    members = int(sys.argv[1]) if len(sys.argv) > 1 else 8
    nodes = json.loads(hbatch("resource", "list", "--json"))["nodes"]
    jobs = {node["rank"]: ensemble(node["rank"], members) for node in nodes}
    for rank, job in jobs.items():
        hbatch("job", "wait", job)
        stats = json.loads(hbatch("output", job))
        print(f"node {rank}: {stats['completed']} members completed, {stats['failed']} failed")
    # instances within instances: what alloc runs uses the instance that it is in, too
    inner = hbatch("alloc", "-n2", "hbatch", "alloc", "-n1", "hbatch", "getattr", "level")
    print(f"a command two levels down is at level {inner}")


main()
