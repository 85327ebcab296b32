# SPDX-License-Identifier: BSD-3-Clause
"""Work of the Python package, for pyfigures.py: `pyload.py submit N` and `pyload.py executor N` print seconds, and seconds
of CPU time of this process, both without its start."""
import sys
import time

import hbatch


def submit(n):
    with hbatch.Instance() as inst:
        inst.submit_many((["true", str(i)] for i in range(n)), urgency=0)


def executor(n):
    with hbatch.Executor() as ex:
        futures = [ex.submit(["true", str(i)]) for i in range(n)]
        for f in futures:
            f.result()


work = {"submit": submit, "executor": executor}[sys.argv[1]]
wall, cpu = time.monotonic(), time.process_time()
work(int(sys.argv[2]))
print(time.monotonic() - wall, time.process_time() - cpu)
