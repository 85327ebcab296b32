#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Tasks that break off, or never follow, the protocols by which MPI starts: the job ends or goes on
# as it should, and the instance goes on.
. "${0%/*}/../mpi/lib.sh"
need python3 python3
inside --test-topology="core:4 pu:1"
export PYTHONDONTWRITEBYTECODE=1

# --- PMI-1 and PMI-2 on PMI_FD -------------------------------------------------------------------
cat >wire.py <<'END'
import os, socket, sys, time
rank, what = int(os.environ["PMI_RANK"]), sys.argv[1]
s = socket.socket(fileno=int(os.environ["PMI_FD"]))
s.settimeout(20)
def ask(text):
    s.sendall(text.encode() + b"\n")
    return s.recv(65536).decode()
def hello():
    assert "cmd=response_to_init" in ask("cmd=init pmi_version=1 pmi_subversion=1")
if what == "all":        # as it should be
    hello()
    assert "cmd=barrier_out" in ask("cmd=barrier_in")
    assert "cmd=finalize_ack" in ask("cmd=finalize")
elif rank == 1:
    if what == "close":      # in the middle, and lives on
        hello()
        s.close()
        time.sleep(0.2)
    elif what == "exit":     # while the others wait for it in a barrier
        hello()
        sys.exit(0)
    elif what == "half":
        s.sendall(b"cmd=init pmi_ver")
        s.close()
    elif what == "garbage":
        s.sendall(os.urandom(5000) + b"\n")
        try:
            while s.recv(4096):
                pass
        except OSError:
            pass
    elif what == "endless":
        try:
            for _ in range(64):
                s.sendall(b"x" * 1000000)
        except OSError:
            pass
    elif what == "twice":
        hello()
        print(ask("cmd=init pmi_version=1 pmi_subversion=1").strip())
        print(ask("cmd=nonesuch").strip())
        print(ask("cmd=get kvsname=none key=none").strip())
        print(ask("cmd=put kvsname= key= value=").strip())
        ask("cmd=finalize")
    elif what == "abort":
        hello()
        s.sendall(b"cmd=abort exitcode=9 message=no_good\n")
        time.sleep(1000)
    elif what == "kill":
        hello()
        os.kill(os.getpid(), 9)
else:
    hello()
    if what != "twice":
        ask("cmd=barrier_in")  # rank 1 never comes
    ask("cmd=finalize")
END
for kind in simple pmi1; do
    hbatch run -o pmi=$kind true 2>/dev/null && break
done
pmi="-o pmi=$kind"
# shellcheck disable=SC2086
ok "PMI-1 as it should be" timeout 20 hbatch run $pmi -n 3 python3 wire.py all
for what in close exit half garbage endless kill abort; do
    # shellcheck disable=SC2086
    within 25 hbatch run $pmi -o exit-timeout=0.5s -n 3 python3 wire.py $what
    # the others wait for who is gone: the job must not wait for ever
    # (one that never was in PMI does not make the job fail)
    if [ $rc != 124 ] && { [ $rc != 0 ] || [ $what = half ]; }; then pass "PMI-1, $what: the job ends ($rc)"; else
        fail "PMI-1, $what: the job ends"
        shown "$what"
    fi
    [ $what = abort ] && is $rc 9 "... with the code of the abort"
    [ $what = kill ] && is $rc 137 "... with the task's status"
    ok "PMI-1, $what: the instance goes on" hbatch run true
done
# shellcheck disable=SC2086
within 25 hbatch run $pmi -n 2 python3 wire.py twice
isnt $rc 124 "PMI-1, twice: what is asked wrongly is answered"
note "$out"
is "$(hbatch jobs -no '{id}')" "" "no job is left"

# --- the PMIx socket -----------------------------------------------------------------------------
cat >pmix.py <<'END'
import os, re, socket, sys
uri = next((v for k, v in os.environ.items() if k.startswith("PMIX_SERVER_URI")), None)
if not uri:
    sys.exit("no PMIX_SERVER_URI")
host, port = re.search(r"tcp4://([0-9.]+):(\d+)", uri).groups()
for data in (b"", b"\0" * 100, os.urandom(100000), b"\xff" * 64, b"GET / HTTP/1.0\r\n\r\n"):
    s = socket.create_connection((host, int(port)), timeout=10)
    s.settimeout(0.2)
    try:
        s.sendall(data)
        s.shutdown(1)
        s.recv(100)
    except OSError:
        pass
    s.close()
END
capture timeout 30 hbatch run -o pmi=pmix python3 pmix.py
if [[ $err == *"no PMIX_SERVER_URI"* ]]; then skip "garbage on the PMIx socket" "no PMIx server here"; else
    is $rc 0 "garbage on the PMIx socket"
    ok "the instance goes on" hbatch run true
    is "$(hbatch jobs -aono '{exception.note}' 2>/dev/null | grep -c 'executor.*died')" 0 "its executor lives"
fi

# --- MPI programs --------------------------------------------------------------------------------
for mpi in openmpi mpich; do
    if ! command -v mpicc.$mpi >/dev/null; then
        skip "$mpi" "mpicc.$mpi is not here: install the Debian package lib$mpi-dev"
        continue
    fi
    program $mpi early && early=$program
    program $mpi abort && abort=$program
    program $mpi hello && hello=$program
    within 30 hbatch run -n 3 "$abort" 37
    is $rc 37 "$mpi: MPI_Abort"
    while read -r way code wanted; do
        within 30 hbatch run -n 3 -o exit-timeout=0.5s "$early" "$way" "$code"
        is $rc "$wanted" "$mpi: a rank leaves without finalize by $way"
    done <<END
_exit 7 7
signal 9 137
signal 11 139
END
    within 30 hbatch run -n 2 -o exit-timeout=0.5s "$early" _exit 0
    isnt $rc 124 "$mpi: a rank that leaves early with exit code 0 does not hold the job up"
    mkfifo out.$mpi
    hbatch run -n 3 "$early" sleep 0 >out.$mpi 2>err.$mpi </dev/null &
    run=$!
    read -r _ <out.$mpi
    # shellcheck disable=SC2046
    kill -KILL $(strays "^$early sleep ")
    wait $run
    isnt $? 0 "$mpi: all ranks are killed while they wait"
    ok "$mpi: the instance goes on" hbatch run -n 4 "$hello"
done
is "$(hbatch jobs -no '{id}')" "" "no job is left"
done_testing
