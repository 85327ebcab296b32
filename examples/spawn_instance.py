#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""An MPI program in Python (mpi4py) that spawns an instance of hbatch and works in it with the command line:
    hbatch run -n 1 -o pmi=pmix spawn_instance.py [CORES [JOBS]]
Open MPI 4.1 hands on few keys of MPI_Comm_spawn: those of hbatch go into its key "env" (hbatch-spawn(7))."""
import json
import os
import subprocess
import sys
import time

from mpi4py import MPI

TAG = 8421  # of all messages: HBATCH_MPI_TAG in hbatch_mpi.h


def receive(instance, letter):
    """The next message that begins with LETTER, without blocking in MPI."""
    while True:
        status = MPI.Status()
        if not instance.Iprobe(source=0, tag=TAG, status=status):
            time.sleep(0.001)
            continue
        message = bytearray(status.Get_count(MPI.BYTE))
        instance.Recv([message, MPI.BYTE], source=0, tag=TAG)
        if message[:1] == letter:
            return message[1:]


def call(instance, method, **params):
    """Any request of the protocol (hbatch-protocol(7)), as a line in a message."""
    request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    instance.Send([b"L" + json.dumps(request).encode() + b"\n", MPI.BYTE], dest=0, tag=TAG)
    return json.loads(receive(instance, b"L"))["result"]


def main():
    cores = sys.argv[1] if len(sys.argv) > 1 else "2"
    jobs = sys.argv[2] if len(sys.argv) > 2 else "20"
    info = MPI.Info.Create()
    info["env"] = f"HBATCH_SPAWN_CORES={cores}\nHBATCH_SPAWN_JOB_NAME=workers"
    instance = MPI.COMM_SELF.Spawn("hbatch-instance", maxprocs=1, info=info)

    about = call(instance, "instance.info")
    env = dict(os.environ, HBATCH_URI=about["uri"])
    subprocess.run(["hbatch", "submit", "--quiet", "--wait", f"--cc=1-{jobs}", "true"], env=env, check=True)
    stats = call(instance, "job.stats")
    print(f"level {about['level']}: {stats['completed']} jobs of {jobs} completed")

    instance.Send([b"Xno more work", MPI.BYTE], dest=0, tag=TAG)
    receive(instance, b"E")  # it has ended
    instance.Free()  # not Disconnect, which would wait for it


main()
