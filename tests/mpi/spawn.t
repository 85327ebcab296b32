#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# MPI_Comm_spawn: children are jobs with resources of their own; and names that jobs publish.
. "${0%/*}/lib.sh"
mpi_need openmpi
inside --test-topology="core:8 pu:1"
for name in spawn spawn_multiple publish hello; do
    program openmpi $name && declare "$name=$program"
done

ok "spawn and merge, twice in a row" hbatch run -n 1 "$spawn" 2
is "$out" "spawn: 1 parents, 2 children, 2 rounds : good" "what parents and children computed"
id=$(hbatch job last)
is "$(hbatch jobs -a -no '{ntasks}' | sort | uniq -c | awk '{printf "%s of %s ", $1, $2}')" "1 of 1 2 of 2 " \
    "the children were two jobs of two tasks"
isnt "$id" "" "the newest job has an id"
ok "several parents" hbatch run -n 3 "$spawn" 3
is "$out" "spawn: 3 parents, 3 children, 2 rounds : good" "what parents and children computed"
ok "spawn of several commands" hbatch run -n 1 "$spawn_multiple"
is "$out" "spawn_multiple: 3 children: good" "each child knows its command"

ok "children that abort do not take their parents along" hbatch run -n 2 "$spawn" 2 abort
is "$out" "spawn: 2 parents, 2 children, 1 rounds abort: good" "the parents went on"
ok "no job is left" wait_until 20 no_job_is_left
is "$(hbatch jobs -a -no '{result}' | sort | uniq -c | awk '{printf "%s:%s ", $2, $1}')" \
    "COMPLETED:9 FAILED:1 " "the children's job failed, no other one"

ok "a program that does not exist can be handled" hbatch run -n 1 "$spawn" 1 missing
nok "more children than the instance has cores" hbatch run -n 1 "$spawn" 100
ok "the instance goes on" hbatch run -n 8 "$hello"

timeout 60 hbatch run -n 2 "$publish" server a.name >"$tmp/server" 2>&1 &
server=$!
background+=("$server")
ok "a job finds another one by its name" hbatch run -n 2 "$publish" client a.name
is "$out" "publish: client: 2 and 2 tasks: good" "the client"
wait "$server"
is $? 0 "the server ends well"
is "$(cat "$tmp/server")" "publish: server: 2 and 2 tasks: good" "the server"
ok "no job is left" wait_until 20 no_job_is_left
done_testing
