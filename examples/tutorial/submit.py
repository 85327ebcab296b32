#!/usr/bin/env -S hbatch python
# SPDX-License-Identifier: BSD-3-Clause
"""Chapter 14: jobs are submitted, listed, waited for and canceled."""
import hbatch

inst = hbatch.Instance()

# A job specification says what a job is made of and what it needs; submit gives its id.
request = hbatch.Jobspec.from_command(["sleep", "0.2"], num_tasks=2, cores_per_task=1, duration="10m", name="short")
short = inst.submit(request)
long = inst.submit(hbatch.Jobspec.from_command(["sleep", "60"], num_tasks=4, name="long"))

for job in inst.jobs(ids=[short, long]):
    print(job.name, job.ntasks, "tasks")
print(inst.wait(short).result)
inst.cancel(long, "seen enough")
print(inst.wait(long).reason.replace(str(long), "ID"))

# What a job has printed comes along with run.
print(inst.run(["sh", "-c", "echo task $HBATCH_TASK_RANK"]).stdout.decode(), end="")
