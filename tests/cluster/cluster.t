#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The test cluster itself: what every test on several hosts relies on.
. "$(dirname "$(readlink -f "$0")")/../mpi/lib.sh"
. "$srcdir/tests/cluster/env.sh"

cluster=$srcdir/tests/cluster/cluster
reason=$("$cluster" check 2>&1) || skip_all "$reason"
mpi_need openmpi
export CLUSTER_STATE=$tmp/c CLUSTER_SHARED=$tmp CLUSTER_NET=${CLUSTER_NET:-10.77.0}
before=$(wc -l </proc/self/mountinfo)
links=$(ip -o link | wc -l)

leave() {
    local status=$?
    "$cluster" down >/dev/null 2>&1
    (exit $status)
    at_exit
}
trap leave EXIT

mkdir bin
printf '#!/bin/sh\nexec "%s" exec "$@"\n' "$cluster" >bin/on
chmod +x bin/on
PATH=$tmp/bin:$PATH
spaces() { # HOST: its namespaces
    local pid
    pid=$("$cluster" pids "$1" | head -n 1)
    readlink /proc/"$pid"/ns/{net,uts,ipc,mnt,pid}
}
traffic() { on "$1" cat /sys/class/net/eth0/statistics/tx_bytes; }
# A connection to a port where nobody listens: refused (1), or silence (124).
knock() { on "$1" timeout 1 bash -c "exec 3<>/dev/tcp/$2/9"; }

ok "three hosts come up" "$cluster" up 3
ok "up again changes nothing" "$cluster" up 3
is "$("$cluster" status | sed 1d | awk '{print $1 "=" $3}' | tr '\n' ' ')" \
    "head=up node1=up node2=up node3=up " "status lists them"
is "$("$cluster" hostfile 2 | tr '\n' ,)" "node1 slots=2,node2 slots=2,node3 slots=2," "a host file"

# --- commands on hosts
is "$(on node2 hostname)" node2 "a host has its own name"
is "$(on node2 pwd)" "$tmp" "a command starts in the same directory"
is "$(X='a b' on node2 sh -c 'echo "$X"')" "a b" "... with the same environment"
is "$(TMPDIR=/tmp/nowhere on node2 sh -c 'echo "${TMPDIR:-none}"')" none "... less a TMPDIR that is not there"
is "$(echo hello | on node2 cat)" hello "stdin and stdout are passed on"
on node1 sh -c 'exit 7'
is $? 7 "exit status"
on node1 sh -c 'kill -9 $$'
is $? 137 "exit status after a signal"
capture on node1 /no/such/program
is $rc 127 "a program that is not there"
like "$err" "/no/such/program" "... is named"
nok "a host that is not there" on node9 true
like "$err" "no host node9" "... is named"
is "$(on node1 "$cluster" exec node3 hostname)" node3 "from host to host"
is "$(on node1 "$srcdir/tests/cluster/rsh" -x -l root node3 'echo $(hostname)' '$PWD')" "node3 /root" \
    "rsh gives a login shell"
is "$(on node1 getent hosts node3 | awk '{print $1}')" "$CLUSTER_NET.3" "names resolve"
is "$(for i in $(seq 12); do on "node$((i % 3 + 1))" hostname & done | sort | uniq -c | tr -s ' \n' ' ')" \
    " 4 node1 4 node2 4 node3 " "twelve commands at once"
on node1 touch /tmp/mine
nok "each host has a /tmp of its own" on node2 test -e /tmp/mine
on node2 touch "$tmp/ours"
ok "what is shared, all see" on node1 test -e "$tmp/ours"

# The client is the command's lifeline: when it dies, the command gets SIGHUP.
mkfifo "$tmp/fifo"
on node1 bash -c 'trap "echo hang-up; exit" HUP; echo ready; sleep 1000 & wait' >"$tmp/fifo" 2>/dev/null &
client=$!
disown
exec 3<"$tmp/fifo"
read -r -t 10 line <&3
kill -9 $client
read -r -t 10 line <&3
is "${line:-nothing}" hang-up "a killed client takes its command along"
exec 3<&-

# --- MPI over the network
"$cluster" hostfile 1 >"$tmp/hosts"
if program openmpi hello; then
    ok "mpirun: hello on three hosts" on head mpirun.openmpi --hostfile "$tmp/hosts" -np 3 "$program"
    is "$(sed -nE 's/^rank ([0-9]) of 3 host (node[0-9]).*/\1 \2/p' <<<"$out" | sort | tr '\n' ,)" \
        "0 node1,1 node2,2 node3," "one rank on each"
fi
if program openmpi allreduce; then
    sent=$(traffic node2)
    ok "mpirun: allreduce, started on a compute host" on node1 mpirun.openmpi --hostfile "$tmp/hosts" -np 3 "$program"
    like "$out" "allreduce over 3 ranks: sum 3, nodes 3" "... adds up"
    sent=$(($(traffic node2) - sent))
    [ "$sent" -gt 1000000 ]
    is $? 0 "... through the network ($sent bytes from node2)"
fi

# --- faults
ok "cut" "$cluster" cut node2
knock node1 node2 2>/dev/null
is $? 124 "no answer from a host that is cut off"
nok "rsh does not reach it" on node1 "$srcdir/tests/cluster/rsh" node2 true
like "$err" "No route to host" "... and says so as ssh does"
ok "heal" "$cluster" heal node2
knock node1 node2 2>/dev/null
is $? 1 "it answers again"

on node2 sh -c 'echo ready; exec sleep 1000' >"$tmp/fifo" 2>/dev/null &
client=$!
read -r line <"$tmp/fifo"
ok "kill" "$cluster" kill node2
wait $client
is $? 255 "a power cut ends what ran there"
knock node1 node2 2>/dev/null
is $? 124 "no answer from a dead host"
like "$("$cluster" status)" "node2 $CLUSTER_NET.2 down" "status says that it is down"
ok "boot" "$cluster" boot node2
knock node1 node2 2>/dev/null
is $? 1 "it answers again"
ok "crash" "$cluster" crash node3
ok "up repairs" "$cluster" up 3
is "$(on node3 hostname)" node3 "the crashed host is back"

# --- nothing is left
for n in head node1 node2 node3; do spaces $n; done | sort -u >"$tmp/spaces"
is "$(wc -l <"$tmp/spaces")" 20 "four hosts, five namespaces each"
on node1 sh -c 'setsid sleep 1000 </dev/null >/dev/null 2>&1 &'
ok "down" "$cluster" down
is "$(readlink /proc/[0-9]*/ns/{net,uts,ipc,mnt,pid} 2>/dev/null | sort -u | grep -cxFf "$tmp/spaces")" 0 \
    "no namespace is left"
left=$(for p in $(strays); do
    case $(readlink "/proc/$p/exe") in
    */bash | */cat | '') ;; # this test and its subshells
    *) tr '\0' ' ' <"/proc/$p/cmdline" ;;
    esac
done 2>/dev/null)
is "$left" "" "no process is left"
is "$(grep -c "$CLUSTER_STATE" /proc/self/mountinfo)" 0 "no mount is left"
is "$(wc -l </proc/self/mountinfo) $(ip -o link | wc -l)" "$before $links" "the machine's mounts and interfaces are as before"
[ ! -e "$CLUSTER_STATE" ]
is $? 0 "the state directory is gone"
ok "down again" "$cluster" down

# A state directory that somebody removed does not keep its hosts alive; and a long name does no harm.
CLUSTER_STATE=$tmp/$(printf 'long%.0s' $(seq 40))
ok "a second cluster, in a directory with a long name" "$cluster" up 1
is "$(on node1 "$srcdir/tests/cluster/rsh" head hostname)" head "... works"
pids=$("$cluster" pids node1)
rm -rf "$CLUSTER_STATE"
ok "down without the state directory" "$cluster" down
is "$(for p in $pids; do [ -e "/proc/$p/exe" ] && echo "$p"; done)" "" "... ends the hosts all the same"

# --- refusals
CLUSTER_STATE=$tmp/refused
nok "no cluster here" "$cluster" exec node1 true
nok "kill before up" "$cluster" kill node1
like "$err" "no host node1" "... names the host"
mkdir "$tmp/other"
CLUSTER_STATE=$tmp/other nok "down of a directory that is something else" "$cluster" down
ok "... leaves it alone" test -d "$tmp/other"
ok "as another user" bash -c "! setpriv --reuid=65534 --clear-groups '$cluster' up 1 2>'$tmp/why'"
like "$(cat "$tmp/why")" "only root" "... it says who may"
done_testing
