#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Jobs that are instances: their resources, levels, ends and failures.
. "${0%/*}/../system/lib.sh"
need mpirun openmpi-bin pgrep procps
inside --test-nodes=3 --test-topology="core:4 pu:1"

export SUB="-o instance -o per-resource.type=node"
sub() { # OPTIONS of hbatch run, -- the program of the sub-instance
    local options=()
    while [ "$1" != -- ]; do options+=("$1") && shift; done
    shift
    # shellcheck disable=SC2086
    timeout 50 hbatch run "${options[@]}" $SUB hbatch-instance "$@" </dev/null
}
nodes='hbatch resource list -no "{nnodes} {ncores} {nodelist}" -s all | sort -u | grep -v "^0" | xargs'
event() { timeout 20 hbatch job wait-event -q "$@"; }

# --- what it has ----------------------------------------------------------------------------------
is "$(sub -n1 -- sh -c "$nodes")" "1 1 vnode0" "a core of a node"
is "$(sub -n3 -- sh -c "$nodes")" "1 3 vnode0" "several cores"
is "$(sub -n12 -- sh -c "$nodes")" "3 12 vnode[0-2]" "all of all nodes, asked for as slots"
is "$(sub -N2 --cores=4 -- sh -c "$nodes")" "2 4 vnode[0-1]" "some cores of two nodes"
is "$(sub --requires=host:vnode2 -n2 -- sh -c "$nodes")" "1 2 vnode2" "of the node that was asked for"
is "$(sub -N3 -- hbatch run -N3 sh -c 'echo $HBATCH_TASK_RANK:$HBATCH_NODE_ID' | sort | xargs)" "0:0 1:1 2:2" "a job over its nodes"
is "$(sub -n2 -- hbatch run -n2 sh -c 'echo $HBATCH_INSTANCE_LEVEL' | xargs)" "1 1" "level 1"
is "$(sub -n1 -- sh -c 'echo $HBATCH_PARENT_URI')" "$HBATCH_URI" "it knows its parent"
is "$(sub -n1 -- sh -c 'env | grep -cE "^HBATCH_(JOB_ID|JOB_SIZE|TASK_|NODE_ID|SUB_)"')" "0" "nothing of the outer job is left in its environment"


nok "more than it has" sub -n2 -- hbatch run -n3 true
like "$err" "2 cores; 3 were asked for" "is told"

# --- levels ---------------------------------------------------------------------------------------
cat >three <<'END'
hbatch run -n3 $SUB hbatch-instance sh -c '
    echo $HBATCH_INSTANCE_LEVEL
    hbatch run -n2 $SUB hbatch-instance sh -c "
        echo \$HBATCH_INSTANCE_LEVEL
        hbatch run -n1 $SUB hbatch-instance hbatch run sh -c '\''echo \$HBATCH_INSTANCE_LEVEL'\''
        exit 7"'
END
capture sh three
is "$rc|$(xargs <<<"$out")" "7|1 2 3" "three levels, and the exit code comes up"
is "$(sub -N3 -- timeout 40 hbatch run -N2 $SUB hbatch-instance hbatch run -N2 sh -c 'echo $HBATCH_NODE_ID' | sort | xargs)" "0 1" \
    "an instance on two nodes within one on three"

# --- its parent knows of it -------------------------------------------------------------------------
# shellcheck disable=SC2086
id=$(hbatch submit -n2 $SUB hbatch-instance --no-program)
event "$id" memo
uri=$(hbatch jobs --json "$id" | grep -o '"uri": *"[^"]*"' | head -1 | cut -d'"' -f4)
like "$uri" "^local://" "where it is"
is "$(HBATCH_URI=$uri hbatch getattr level)" 1 "it answers there"
inner=$(HBATCH_URI=$uri hbatch submit --wait true)
like "$inner" "." "and takes jobs"
ok "their numbers come up" wait_until 10 sh -c "hbatch jobs -no '{instance.stats}' $id | grep -qx 'PD:0 R:0 CD:1 F:0'"
HBATCH_URI=$uri hbatch shutdown
ok "told to end, it does" timeout 20 hbatch job wait "$id"
like "$(hbatch job eventlog "$id")" 'memo stats=.*"completed":1,' "its last numbers are in its event log"

# --- ends -----------------------------------------------------------------------------------------
cat >deep <<'END'
hbatch submit -n2 $SUB hbatch-instance sh -c 'hbatch submit sleep 3333; setsid sleep 3334 & hbatch run sleep 3335'
sleep 3336
END
# shellcheck disable=SC2086
id=$(hbatch submit -n4 $SUB hbatch-instance sh deep)
ok "a tree of instances is there" wait_until 20 eval '[ "$(strays "^sleep 333[3-6] " | wc -l)" = 4 ]'
hbatch cancel "$id"
is "$(hbatch job wait -v "$id" 2>&1 | grep -c CANCELED)" 1 "canceled, it ends"
ok "with all that was in it" wait_until 10 no_strays '^sleep 333[3-6] '
capture sub -n1 -t 2s -- hbatch run sleep 3337
isnt "$rc" 0 "its time is over"
ok "nothing is left then" wait_until 10 no_strays '^sleep 3337 '

# --- failures ---------------------------------------------------------------------------------------
# shellcheck disable=SC2086
id=$(hbatch submit -n2 $SUB hbatch-instance sh -c 'hbatch submit sleep 3341; kill -9 $(hbatch getattr pid); sleep 3342')
capture timeout 30 hbatch job wait "$id"
isnt "$rc" 0 "a sub-instance that is killed has failed"
ok "its jobs and its program are gone" wait_until 15 no_strays '^sleep 334[12] '
ok "its parent goes on" hbatch run true
# shellcheck disable=SC2086
id=$(hbatch submit -N3 $SUB hbatch-instance sh -c 'hbatch submit -N3 sleep 3343; kill -9 $(hbatch getattr pid); sleep 3344')
capture timeout 40 hbatch job wait "$id"
isnt "$rc" 0 "also one of three nodes"
ok "its jobs are gone from all of them" wait_until 15 no_strays '^sleep 334[34] '
ok "its parent goes on on all nodes" hbatch run -N3 true
is "$(hbatch resource list -no '{nnodes}' -s down)" 0 "none is down"
nok "one whose program is missing" sub -n1 -- no-such-program
is "$rc" 127 "has the exit code of that"
nok "a left variable" env HBATCH_SUB_INSTANCE='{"a":1}' hbatch-instance true
like "$err" "HBATCH_SUB_INSTANCE" "is named"

# --- nothing grows -----------------------------------------------------------------------------------
pid=$(hbatch getattr pid)
exec_pid=$(pgrep -P "$pid" hbatch-exec)
# shellcheck disable=SC2086
many() { hbatch submit --quiet --wait --cc="1-$1" -n1 $SUB hbatch-instance true; }
ok "forty sub-instances" many 40
fds=$(ls "/proc/$pid/fd" "/proc/$exec_pid/fd" | wc -l)
ok "and two hundred more" many 200
no_more() { [ "$(ls "/proc/$pid/fd" "/proc/$exec_pid/fd" | wc -l)" -le "$fds" ]; }
ok "leave no descriptor" wait_until 10 no_more
is "$(find "$(dirname "${HBATCH_URI#local://}")"/jobtmp-* -mindepth 2 2>/dev/null | wc -l)" 0 "and no file"

done_testing
