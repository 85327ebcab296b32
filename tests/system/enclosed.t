#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Instances that the tasks of plain jobs start: hbatch-instance, hbatch start, by a script, by mpirun.
. "${0%/*}/lib.sh"
need mpirun openmpi-bin pgrep procps
inside --test-nodes=2 --test-topology="core:4 pu:1"
export HBATCH_F58_FORCE_ASCII=1
top=$HBATCH_URI
cat >show <<'END'
#!/bin/sh
echo "level $(hbatch getattr level) $HBATCH_INSTANCE_LEVEL, parent $(hbatch --parent getattr level)," \
    "$(hbatch resource list -no '{nnodes}x{ncores}' -s all)," \
    "$([ "$(hbatch uri ..)" = "${HBATCH_PARENT_URI:-}" ] && echo inside)" \
    "$([ "$(hbatch --parent uri "$HBATCH_ENCLOSING_ID")" = "$(hbatch uri)" ] && echo "known")"
END
chmod +x show
run() { timeout 40 hbatch run "$@"; }
one="level 1 1, parent 0, 1x2, inside known"
ok "hbatch run hbatch-instance" run -n1 -c2 hbatch-instance ./show
is "$out" "$one" "is a sub-instance on the job's cores"
ok "hbatch run hbatch start" run -n1 -c2 hbatch start ./show
is "$out" "$one" "too"
ok "hbatch start in a script" run -n1 -c2 sh -c 'hbatch start ./show; echo "then $?"'
is "$out" "$one
then 0" "too; the script goes on"
ok "mpirun in a script" run -n1 -c2 sh -c 'mpirun --oversubscribe -n 1 hbatch-instance ./show'
is "$out" "$one" "too"
for how in "hbatch-instance" "hbatch start"; do
    ok "hbatch run -N2 $how" run -N2 -n2 -c2 $how ./show
    is "$out" "level 1 1, parent 0, 2x4, inside known" "is one instance of two nodes"
done
ok "hbatch start in hbatch start in a job" run -n1 -c2 sh -c "hbatch start hbatch run -c2 hbatch start $PWD/show"
is "$out" "level 2 2, parent 1, 1x2, inside known" "level 2"
ok "virtual nodes" run -n1 sh -c 'hbatch start -s2 --test-topology=core:3 ./show'
is "$out" "level 1 1, parent 0, 2x6, inside known" "are as they were asked for"
ok "--foreign=none" run -n1 hbatch start --foreign=none hbatch getattr level
is "$out" 0 "is alone"
ok "in a script" run -n1 sh -c 'hbatch start --foreign=none hbatch getattr level'
is "$out" 0 "too"
ok "a job that is over" env HBATCH_JOB_ID="$(hbatch job last)" HBATCH_URI="$top" hbatch start --test-topology=core:1 hbatch getattr level
is "$out" 0 "has none"
nok "two ranks on a node" run -n2 hbatch-instance true
like "$err" "ranks 0 and 1 are both on vnode0" "is told"

# --- from outside ----------------------------------------------------------------------------------------
id=$(hbatch submit -n1 -c2 sh -c 'hbatch start sh -c "hbatch submit --quiet -n1 sleep 5151; exec sleep 5151"; touch after; exec sleep 5151')
known() { hbatch uri "$id" >/dev/null 2>&1; }
ok "hbatch uri ID" wait_until 15 known
ok "proxy" hbatch proxy "$id" hbatch getattr level
is "$out" 1 "into it"
inner() { hbatch proxy "$id" hbatch jobs -no '{name}' | grep -q sleep; }
wait_until 10 inner
is "$(hbatch pstree)" '.
`-- sh
    `-- sleep' "pstree"
told() { hbatch jobs -o '{memo}' "$id" 2>/dev/null | grep -q running || hbatch pstree -d stats | grep -q 'PD:0 R:1'; }
ok "the numbers of its jobs" wait_until 10 told
hbatch resource drain vnode0 broken
drained() { hbatch proxy "$id" hbatch resource list -no '{nnodes}' -s drained | grep -qx 1; }
ok "a drained node" wait_until 10 drained
hbatch resource undrain vnode0
nok "grow" hbatch resource grow "$id" -N1
like "$err" "job $id is not an instance" "is refused"
HBATCH_F58_FORCE_ASCII=0 LC_ALL=C.UTF-8 nok "grow in UTF-8" hbatch resource grow "$id" -N1
like "$err" "job $(printf '\306\222')${id#f} is not an instance" "the id as the others are"
HBATCH_URI=$(hbatch uri "$id") hbatch shutdown
ok "it ends" wait_until 10 test -e after
nok "and its URI" hbatch uri "$id"
like "$err" "job $id \(sh\) is not an instance" "is not known any more"
no_sleep() { ! pgrep -f "^sleep 5151" >/dev/null; }
hbatch cancel "$id"
ok "nothing is left" wait_until 15 no_sleep

# --- its end ------------------------------------------------------------------------------------------------
program='hbatch submit --quiet -n1 sleep 5151; trap "echo told; exit 3" TERM ALRM; echo begun; sleep 5151 & wait'
capture hbatch run -t 2s hbatch-instance sh -c "$program"
is "$rc $(uniq <<<"$out" | xargs)" "124 begun told" "a time limit: the program is told"
ok "nothing is left" wait_until 15 no_sleep
capture hbatch run -t 2s sh -c 'trap "" ALRM; hbatch start sh -c "$1"; exit' sh "$program"
is "$(uniq <<<"$out" | xargs)" "begun told" "a time limit in a script that lives on: the program is told"
ok "nothing is left" wait_until 15 no_sleep
id=$(hbatch submit -n1 sh -c 'hbatch start sh -c "hbatch submit --quiet -n1 sleep 5151; exec sleep 5151"')
wait_until 15 inner
hbatch cancel "$id"
ok "canceled" wait_until 15 no_sleep
done_testing
