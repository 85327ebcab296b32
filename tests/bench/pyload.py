# SPDX-License-Identifier: BSD-3-Clause
"""Work of the Python package, for pyfigures.py and bursts.py: `pyload.py submit N`, `burst N`, and `executor N` print
seconds, and seconds of CPU time of this process, both without its start."""
import sys
import time

import hbatch


def submit(n):
    with hbatch.Instance() as inst:
        inst.submit_many((["true", str(i)] for i in range(n)), urgency=0)


def burst(n):
    with hbatch.Instance() as inst:
        for result in inst.wait_many(inst.submit_many(["true", str(i)] for i in range(n))):
            assert result.ok


def executor(n):
    with hbatch.Executor() as ex:
        futures = [ex.submit(["true", str(i)]) for i in range(n)]
        for f in futures:
            f.result()


work = {"submit": submit, "burst": burst, "executor": executor}[sys.argv[1]]
wall, cpu = time.monotonic(), time.process_time()
work(int(sys.argv[2]))
print(time.monotonic() - wall, time.process_time() - cpu)
