#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Failure domains: what becomes of a sub-instance harms neither its parent nor what else runs there, at three
# levels; what a parent that dies leaves ends in order, and says why.
# shellcheck disable=SC2016
. "${0%/*}/lib.sh"
need mpirun openmpi-bin pgrep procps prlimit util-linux
inside --test-nodes=2 --test-topology="core:8 pu:1"
export HBATCH_F58_FORCE_ASCII=1

MARK=domains-$$
top=$HBATCH_URI
field() { hbatch jobs -ano "{$2}" "$1"; }
within_it() { HBATCH_URI=$uri timeout 20 hbatch "$@"; }
marked() { grep -lsz "^MARK=$1\$" /proc/[0-9]*/environ | wc -l; }
none_is_marked() { [ "$(marked "$1")" = 0 ]; }
# gone MARK NAME: all that is marked ends soon
gone() {
    if wait_until 15 none_is_marked "$1"; then pass "$2"; else
        local p
        fail "$2"
        for p in $(grep -lsz "^MARK=$1\$" /proc/[0-9]*/environ); do note "left: $(ps -o pid=,ppid=,cmd= "$(cut -d/ -f3 <<<"$p")")"; done
    fi
}
# other_rank_of PID: the rank of that instance on the other node
other_rank_of() {
    local job p
    job=$(tr '\0' '\n' 2>/dev/null <"/proc/$1/environ" | grep '^HBATCH_JOB_PATH=')
    for p in $(pgrep -x hbatch-instance); do
        [ "$p" != "$1" ] && tr '\0' '\n' 2>/dev/null <"/proc/$p/environ" | grep -qxF "$job" && echo "$p"
    done
}
executor_of() { pgrep -P "$1" hbatch-exec; }

# --- three levels, each with something else that runs there ------------------------------------------------
parents=("$top")
for size in 12 8; do
    id=$(hbatch alloc --bg -N2 "-n$size")
    HBATCH_URI=$(hbatch uri "$id")
    parents+=("$HBATCH_URI")
done
siblings=()
for HBATCH_URI in "${parents[@]}"; do siblings+=("$(hbatch uri "$(hbatch alloc --bg -n1)")"); done
is "${#siblings[@]} $(HBATCH_URI=${siblings[2]} hbatch getattr level)" "3 3" "three parents, each with an instance beside those that fail"

# begin OPTIONS: a sub-instance that has a job on each of its nodes: $id, $uri, $leader
begin() {
    id=$(MARK=$MARK hbatch alloc --bg "$@")
    uri=$(hbatch uri "$id")
    leader=$(within_it getattr pid)
    inner=$(MARK=$MARK within_it submit -N"$(within_it getattr size)" sleep 5000)
    within_it job wait-event -q "$inner" start
}
# unharmed WHAT: parent, and the instance beside
unharmed() {
    gone "$MARK" "level $level: $1: nothing of it is left"
    is "$(timeout 20 hbatch run -N2 -n2 echo runs 2>&1 | xargs) $(HBATCH_URI=${siblings[level - 1]} timeout 20 hbatch run echo too 2>&1)" \
        "runs runs too" "level $level: its parent and the one beside it go on"
}
# failed NAME NOTE: job $id, whose end is told so
failed() {
    timeout 20 hbatch job wait "$id" 2>/dev/null
    like "$(field "$id" result) $(field "$id" exception.note) $(timeout 20 hbatch attach "$id" 2>&1)" "^FAILED .*$2" "level $level: $1: the job has failed, and why is told"
    unharmed "$1"
}

# goes_on NAME: job $id, which has lost a rank
goes_on() {
    within_it job wait "$inner" >/dev/null 2>&1
    is "$(within_it jobs -ano '{exception.type}' "$inner") $(within_it run echo on 2>&1)" "node-failure on" "level $level: $1: the sub-instance goes on"
    like "$(hbatch job eventlog "$id")" 'exception .*severity="?1.*killed by signal 9' "level $level: $1: its parent knows of it"
    within_it shutdown
    timeout 20 hbatch job wait "$id" 2>/dev/null
    unharmed "$1"
}
has_moved() { [ "$(field "$id" uri)" != "$uri" ]; }

level=0
for HBATCH_URI in "${parents[@]}"; do
    export HBATCH_URI
    level=$((level + 1))

    begin -N2 -n2
    kill -KILL "$leader"
    wait_until 20 has_moved
    uri=$(field "$id" uri)
    goes_on "its leader is killed"

    begin -N2 -n2
    kill -KILL "$(other_rank_of "$leader")"
    goes_on "its other rank is killed"

    begin -N2 -n2
    kill -KILL "$(other_rank_of "$leader")" "$leader"
    failed "all of its ranks are killed" "signal 9 \(Killed\)"

    begin -n1
    kill -ABRT "$leader"
    failed "its leader aborts" "Aborted"

    if grep -qs __asan_init "$builddir/bin/hbatch-instance"; then
        skip "level $level: no memory" "a sanitizer needs more than any limit"
    else
        begin -n1
        prlimit --pid "$leader" --as=$(($(awk '/^VmSize/ { print $2 }' "/proc/$leader/status") * 1024))
        large=$(head -c 100000 /dev/zero | tr '\0' x) # more than is free within what it has
        MARK=$MARK A=$large B=$large C=$large D=$large within_it submit true >/dev/null 2>&1
        failed "it is out of memory" "out of memory"
    fi

    MARK=$MARK HBATCH_URI=$HBATCH_URI hbatch batch -n1 --output=crash.out --wrap 'hbatch submit sleep 5000; kill -SEGV $$' >id
    id=$(<id)
    failed "its script crashes" ""
    is "$(field "$id" returncode)" 139 "level $level: with the exit code that tells so"

    begin -N2 -n2
    kill -KILL "$(executor_of "$(other_rank_of "$leader")")"
    within_it job wait "$inner" >/dev/null 2>&1
    like "$(within_it jobs -ano '{exception.type}' "$inner")" "node-failure" "level $level: an executor is killed: its tasks are lost"
    is "$(within_it run -N2 -n2 echo on | xargs)" "on on" "level $level: the sub-instance goes on"
    within_it shutdown
    ok "level $level: and ends well" timeout 20 hbatch job wait "$id"
    unharmed "an executor is killed"
done

# --- an MPI program gives up ----------------------------------------------------------------------------
if command -v mpicc.openmpi >/dev/null && mpicc.openmpi -o abort "$srcdir/tests/mpi/abort.c" 2>/dev/null; then
    level=0
    for HBATCH_URI in "${parents[@]}"; do
        level=$((level + 1))
        id=$(MARK=$MARK hbatch batch -N2 -n2 --output=abort.out --wrap "hbatch run -N2 ./abort 7; echo \"code \$?\"; hbatch run echo goes on")
        ok "level $level: MPI_Abort in a job" timeout 30 hbatch job wait "$id"
        like "$(cat abort.out)" "code 7.*goes on" "level $level: is that job's end alone"
        unharmed "MPI_Abort"
    done
else
    skip "MPI_Abort" "mpicc.openmpi is not here"
fi
# --- a node of the parent, from the inside out: it takes along what its own instance has there -------------
for level in 3 2 1; do
    HBATCH_URI=${parents[level - 1]}
    begin -N2 -n2
    parent=$(hbatch getattr pid)
    other=$(other_rank_of "$parent")
    [ "$level" = 1 ] && other=$(pgrep -P "$(ps -o ppid= "$parent" | xargs)" -x hbatch-instance | grep -vx "$parent")
    kill -KILL "$(executor_of "$other")"
    failed "the parent's executor there is killed" "the executor of rank 1 \(vnode1\) died"
done

export HBATCH_URI=$top

# --- a parent that dies ------------------------------------------------------------------------------------
cat >orphan.sh <<'END2'
#!/bin/bash
trap 'echo "the script was told"; exit 3' HUP
hbatch submit --quiet sleep 5000
hbatch job wait-event -q last start
echo >went
while :; do sleep 0.1; done
END2
mkfifo went
for what in rank "rank and executor"; do
    mark=$MARK-${what##* }
    (
        export HBATCH_EXEC_ORPHAN_TIMEOUT=0.5s
        instance_start "dies-${what##* }" --test-topology="core:4 pu:1"
        MARK=$mark hbatch batch --quiet -n2 --output=orphan.out orphan.sh
        read -r _ <went
        pid=$(hbatch getattr pid)
        executor=$(executor_of "$pid")
        [ "$what" = rank ] || { kill -STOP "$pid" && kill -KILL "$executor"; }
        kill -KILL "$pid"
        instance_stop "dies-${what##* }"
        echo "$executor" >executor
    ) >/dev/null 2>&1
    gone "$mark" "a parent dies ($what): all of its children end"
    like "$(cat orphan.out)" "^hbatch-instance: the parent instance is gone: this instance ends
.*the script was told" "they say why, and tell their program"
    ok "its executor ends" wait_until 10 sh -c '! kill -0 "$(cat executor)"'
    rm -f orphan.out
done
export HBATCH_URI=$top
is "$(hbatch run -N2 -n2 echo well | xargs)" "well well" "the outermost instance is well"
done_testing
