#!/usr/bin/env -S hbatch python
# SPDX-License-Identifier: BSD-3-Clause
"""Chapter 14: jobs as futures of concurrent.futures; those that failed are submitted again, with another argument."""
import concurrent.futures

import hbatch


def job(number, goal):
    """Succeeds if NUMBER is below GOAL."""
    return hbatch.Jobspec.from_command(["test", str(number), "-lt", str(goal)], name=f"member{number}")


with hbatch.Executor() as executor:
    goal, numbers = 3, list(range(8))
    while numbers:
        futures = {executor.submit(job(n, goal)): n for n in numbers}
        numbers = sorted(futures[f] for f in concurrent.futures.as_completed(futures) if f.result() != 0)
        print(f"goal {goal}: {len(futures) - len(numbers)} completed, again: {numbers}")
        goal += 3
