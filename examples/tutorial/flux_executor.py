#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Chapter 14: a script that was written for Flux's Python module:
    hbatch env --compat=flux python3 flux_executor.py
"""
import concurrent.futures

import flux
from flux.job import FluxExecutor, JobspecV1

handle = flux.Flux()
print("level", handle.attr_get("instance-level"))
with FluxExecutor() as executor:
    request = JobspecV1.from_command(["sleep", "0.1"], num_tasks=2, cores_per_task=1)
    futures = [executor.submit(request) for _ in range(4)]
    done, not_done = concurrent.futures.wait(futures, return_when=concurrent.futures.ALL_COMPLETED)
print(len(done), "done,", len(not_done), "not,", "results", [f.result() for f in futures])
