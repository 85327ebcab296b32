#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Jobs as futures: numbers are tested for primes, each in a job; those that fail are tried again; a last job waits for
all others.  Inside an instance:

    hbatch start hbatch python examples/futures.py 20
"""
import concurrent.futures
import sys

import hbatch

SCRIPT = 'test "$TRY$(($1 % 5))" != 00 && factor "$1"'  # each fifth fails at first


def job(number, attempt):
    js = hbatch.Jobspec.from_command(["sh", "-c", SCRIPT, "sh", str(number)], name=f"factor-{number}", duration="1m")
    js.environment["TRY"] = str(attempt)
    return js


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    primes, failed = [], []
    with hbatch.Executor() as executor, hbatch.Instance() as inst:
        todo = range(2, count + 2)
        for attempt in range(2):
            futures = {executor.submit(job(n, attempt)): n for n in todo}
            failed.append(0)
            for f in concurrent.futures.as_completed(futures):
                if f.result() != 0:
                    failed[-1] += 1
                    continue
                factors = inst.output(f.jobid()).decode().split()
                if len(factors) == 2:
                    primes.append(futures[f])
            todo = [n for f, n in futures.items() if f.result() != 0]
            print(f"try {attempt + 1}: {len(futures)} jobs, {failed[-1]} failed")
    print("primes:", *sorted(primes))


main()
