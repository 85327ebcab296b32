#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Jobs in asyncio: a pipeline of three steps for each of N samples, all at once, and what happens to one of them.

    hbatch start hbatch python examples/loop.py 4
"""
import asyncio
import sys

import hbatch.aio


async def sample(inst, name):
    for step in ("fetch", "align", "count"):
        result = await inst.run(["sh", "-c", f"echo {step} {name}"])
        result.check()
    return name


async def tell(inst, jobid):
    async for event in inst.watch(jobid):
        if event.name in ("submit", "start", "finish"):
            print("event", event.name)


async def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    async with hbatch.aio.AsyncInstance() as inst:
        await tell(inst, await inst.submit(["true"]))
        done = await asyncio.gather(*(sample(inst, f"s{i}") for i in range(n)))
        print(len(done), "samples:", *done)


asyncio.run(main())
