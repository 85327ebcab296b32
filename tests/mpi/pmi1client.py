#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A PMI-1 client written out by hand, since no installed MPI does all of it: MPICH 4.0.2 fails
MPI_Comm_spawn before it asks the server.

    pmi1client.py exchange ROUNDS       put, barrier and get, all tasks of all
    pmi1client.py spawn N               spawn N children, which put for their parent's eyes
    pmi1client.py WAY                   task 1 leaves the path: close, garbage, long, exit
"""
import os
import signal
import socket
import sys

rank, size = int(os.environ["PMI_RANK"]), int(os.environ["PMI_SIZE"])
server = socket.socket(fileno=int(os.environ["PMI_FD"]))
stream = server.makefile("rw", newline="\n")


def ask(line, want):
    stream.write(line + "\n")
    stream.flush()
    answer = stream.readline().rstrip("\n")
    if not answer.startswith("cmd=" + want):
        sys.exit(f"task {rank}: {line!r} was answered with {answer!r}")
    return answer


def barrier():
    return "rc=0" in ask("cmd=barrier_in", "barrier_out")


def get(key):
    answer = ask(f"cmd=get kvsname={kvs} key={key}", "get_result")
    return answer.partition(" value=")[2] if " rc=0 " in answer else None


def exchange(rounds):
    for i in range(rounds):
        ask(f"cmd=put kvsname={kvs} key=k{i}.{rank} value={rank} in round {i}", "put_result rc=0")
        assert barrier()
        for other in range(size):
            assert get(f"k{i}.{other}") == f"{other} in round {i}", (i, other)
        assert get(f"k{i}.{size}") is None
    if rank == 0:
        print(f"exchange: {size} tasks, {rounds} rounds: good", flush=True)


def spawn(n):
    if os.environ.get("PMI_SPAWNED") == "1":
        assert get("PARENT") == f"port of {size} children", get("PARENT")
        assert ask("cmd=lookup_name service=parent", "lookup_result rc=0").endswith("port=here")
        exchange(2)
        if rank == 0:
            ask("cmd=publish_name service=child port=there", "publish_result rc=0")
        barrier()
        return
    exchange(1)
    if rank == 0:
        ask("cmd=publish_name service=parent port=here", "publish_result rc=0")
        stream.write(f"mcmd=spawn\nnprocs={n - 1}\nexecname={sys.argv[0]}\ntotspawns=2\n"
                     f"spawnssofar=1\narg1=spawn\narg2={n}\nargcnt=2\npreput_num=1\n"
                     f"preput_key_0=PARENT\npreput_val_0=port of {n} children\ninfo_num=0\nendcmd\n")
        answer = ask(f"mcmd=spawn\nnprocs=1\nexecname={sys.argv[0]}\ntotspawns=2\nspawnssofar=2\n"
                     f"arg1=spawn\narg2={n}\nargcnt=2\npreput_num=0\ninfo_num=0\nendcmd",
                     "spawn_result")
        assert " rc=0" in answer, answer
        while " rc=0 " not in ask("cmd=lookup_name service=child", "lookup_result"):
            pass
        answer = ask("mcmd=spawn\nnprocs=1\nexecname=/no/such/program\ntotspawns=1\n"
                     "spawnssofar=1\nargcnt=0\npreput_num=0\ninfo_num=0\nendcmd", "spawn_result")
        assert " rc=0" not in answer, answer
        print("spawn: good", flush=True)
    assert barrier()


def leave(way):
    barrier()
    if rank == 1:
        if way == "close":
            stream.close()
            server.close()
            sys.exit(0)
        if way == "exit":
            os._exit(0)
        try:
            stream.write({"garbage": "\1\2\3\n", "long": "x" * 200000 + "\n"}[way])
            stream.flush()
            stream.read()
        except OSError:  # the server has closed
            pass
        signal.pause()  # until the job is ended
    if barrier():
        sys.exit("the barrier was passed without task 1")
    print("the barrier failed, as it must", flush=True)


ask("cmd=init pmi_version=1 pmi_subversion=1", "response_to_init")
ask("cmd=get_maxes", "maxes")
kvs = ask("cmd=get_my_kvsname", "my_kvsname").partition("kvsname=")[2]
if sys.argv[1] in ("exchange", "spawn"):
    {"exchange": exchange, "spawn": spawn}[sys.argv[1]](int(sys.argv[2]))
else:
    leave(sys.argv[1])
ask("cmd=finalize", "finalize_ack")
