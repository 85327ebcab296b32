#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A tree of instances over hosts: one on four of them, two in it on two each, and one in each of these; what
# the top sees of it, what is canceled or lost in one branch, a node that comes from another branch.
. "$(dirname "$(readlink -f "$0")")/lib.sh"
CLUSTER_NET=${CLUSTER_NET:-10.77.5}
cluster_need
. "$srcdir/tests/cluster/env.sh"
export HBATCH_F58_FORCE_ASCII=1
cluster_up 4
program openmpi hello || done_testing
hello=$program
nodes_of() { sed -nE 's/^rank [0-9] of [0-9] host (node[0-9]) .*/\1/p' <<<"$1" | sort | xargs; }

# --- by scripts, each of which starts the next level -------------------------------------------------------
cat >leaf.sh <<END
#!/bin/bash
echo "level \$(hbatch getattr level)"
hbatch run -N2 -n2 "$hello"
END
cat >branch.sh <<END
#!/bin/bash
#hbatch: -N2 -n4
echo "level \$(hbatch getattr level)"
hbatch run -N2 -n2 "$hello"
leaf=\$(hbatch batch -N2 -n2 --output=leaf.\$1.out leaf.sh)
hbatch run -N2 -n2 hostname
hbatch job wait \$leaf
END
cat >top.sh <<END
#!/bin/bash
hbatch run -N4 -n4 "$hello"
one=\$(hbatch batch --output=branch.1.out branch.sh 1)
two=\$(hbatch batch --output=branch.2.out branch.sh 2)
hbatch job wait \$one \$two || exit
hbatch run -N4 -n4 "$hello" >again.out
exit 6
END
chmod +x ./*.sh
"$cluster" hostfile 1 >hosts
capture on head mpirun.openmpi --hostfile hosts -N 1 "$builddir/bin/hbatch-instance" ./top.sh
is "$rc" 6 "mpirun hbatch-instance on four hosts: a tree of three levels, by scripts"
[ "$rc" = 6 ] || shown top.sh
[ "$rc" = 6 ] || { shown top.sh; done_testing; }
is "$(nodes_of "$out")" "node1 node2 node3 node4" "level 0: MPI on all hosts"
for i in 1 2; do
    hosts[i]=$(nodes_of "$(<branch.$i.out)")
    like "$(<branch.$i.out)" "^level 1"$'\n' "its instance $i is of level 1"
    is "$(grep -c ^node branch.$i.out)" 2 "... which runs jobs on two hosts"
    is "$(head -1 leaf.$i.out) on $(nodes_of "$(<leaf.$i.out)")" "level 2 on ${hosts[i]}" "... and so does the one in it, MPI on the same hosts"
done
is "$(xargs -n1 <<<"${hosts[*]}" | sort | xargs)" "node1 node2 node3 node4" "the two share the hosts"
is "$(nodes_of "$(<again.out)")" "node1 node2 node3 node4" "level 0: MPI on all, afterwards"
nothing_stays

# --- a tree that lives --------------------------------------------------------------------------------------
mkfifo began end
exec {end}<>end {began}<>began
# shellcheck disable=SC2016
on node1 hbatch start --hosts='node[1-4]' bash -c 'echo "$HBATCH_URI" >began; read -r code <end; exit "$code"' \
    >start.out 2>start.err </dev/null &
started=$!
background+=("$started")
uri=
read -r -t 30 -u "$began" uri
isnt "$uri" "" "an instance on four hosts" || {
    note "$(<start.err)"
    done_testing
}
at() { on node1 env HBATCH_URI="$uri" HBATCH_F58_FORCE_ASCII=1 timeout 40 hbatch "$@"; }

uri4=$(at run --requires=host:node4 printenv HBATCH_URI)
# begin: an instance on two nodes, with one in it, and a job in that: $id, $leaf
begin() {
    id=$(at alloc --bg -N2 -n4)
    leaf=$(at --uri="$id" alloc --bg -N2 -n2)
    at --uri="$id/$leaf" submit --quiet -N2 -n2 --job-name=deep sleep 5001
    wait_until 20 eval 'at --uri="$id/$leaf" jobs -no "{status}" | grep -q RUN'
}
begin
one=$id one_leaf=$leaf
begin
two=$id two_leaf=$leaf
tree=".
|-- alloc
|   \`-- alloc
|       \`-- deep
\`-- alloc
    \`-- alloc
        \`-- deep"
is "$(at pstree --ascii)" "$tree" "hbatch pstree, of instances over other hosts"
is "$(on node4 env HBATCH_URI="$uri4" hbatch pstree --ascii)" "$tree" "... typed on another host"
is "$(at jobs -R -no '{id} {name} {nodelist}' | xargs)" "$two alloc node[3-4] $one alloc node[1-2] \
$two: $two_leaf alloc node[3-4] $two/$two_leaf: $(at --uri="$two/$two_leaf" jobs -no '{id}') deep node[3-4] \
$one: $one_leaf alloc node[1-2] $one/$one_leaf: $(at --uri="$one/$one_leaf" jobs -no '{id}') deep node[1-2]" "hbatch jobs -R"
by_ssh() { on node1 env HBATCH_SSH="$cluster_dir/rsh" HBATCH_URI="ssh://node4${uri4#local://}" HBATCH_F58_FORCE_ASCII=1 timeout 40 hbatch "$@"; }
is "$(by_ssh getattr size)" 4 "HBATCH_URI=ssh://node4/..., used on node1"
is "$(by_ssh pstree --ascii)" "$tree" "... with all that is in it"
is "$(by_ssh --uri="$two/$two_leaf" getattr level)" 2 "... two levels down"
ok "MPI in an instance on other hosts than this one" at --uri="$two" run -N2 -n2 "$hello"
is "$(nodes_of "$out")" "node3 node4" "... on its hosts"

# --- one branch is canceled ---------------------------------------------------------------------------------
# instances HOST: ranks, executors, tasks, and directories of instances
instances() {
    local p
    for p in $("$cluster" pids "$1"); do
        tr '\0' ' ' <"/proc/$p/cmdline" | grep -oE '^[^ ]*(hbatch-instance|hbatch-exec|sleep)'
    done 2>/dev/null | sed 's|.*/||' | sort | uniq -c | xargs
    on "$1" find /tmp/ -path '/tmp/hbatch-*' -name 'hbatch-??????' | wc -l
}
of_three="3 hbatch-exec 3 hbatch-instance 1 sleep 3"
of_one="1 hbatch-exec 1 hbatch-instance 1"
is "$(instances node1 | xargs)" "$of_three" "a host has a rank of each level"
at cancel "$one"
ok "a branch is canceled" at job wait-event -q -t 20 "$one" clean
for n in node1 node2; do
    wait_until 10 eval '[ "$(instances $n | xargs)" = "$of_one" ]'
    is "$(instances $n | xargs)" "$of_one" "nothing of it stays on $n"
done
is "$(instances node4 | xargs)" "$of_three" "the other one goes on"

# --- a node of the canceled branch for the other one --------------------------------------------------------
ok "the other one gets one of its nodes" at resource grow -q "$two" -N1
ok "... MPI on all three" at --uri="$two" run -N3 -n3 "$hello"
like "$(nodes_of "$out")" "^node[12] node3 node4$" "... of which one is from there"
new=${BASH_REMATCH[0]%% *}
leaf2=$(at --uri="$two" alloc --bg -N3 -n3)
ok "... and an instance in it" at --uri="$two/$leaf2" run -N3 -n3 "$hello"
like "$(nodes_of "$out")" "^$new node3 node4$" "... over the same"
at --uri="$two" cancel "$leaf2"
ok "it gives that back" at resource shrink -q "$two" --nodes="$new"
is "$(instances "$new" | xargs)" "$of_one" "... and nothing stays there"
is "$(at --uri="$two/$two_leaf" jobs -no '{name} {status}')" "deep RUN" "all the time a job in it has run"

# --- a host of one branch loses power -----------------------------------------------------------------------
begin
one=$id one_leaf=$leaf
"$cluster" kill node2
ok "a host loses power: the branch that was on it ends" at job wait-event -q -t 30 "$one" clean
like "$(at jobs -ano '{result} {exception.type} {exception.note}' "$one")" "^FAILED node-failure .*node2" "... and why is told"
wait_until 10 eval '[ "$(instances node1 | xargs)" = "$of_one" ]'
is "$(instances node1 | xargs)" "$of_one" "... nothing of it stays on its other host"
is "$(at --uri="$two/$two_leaf" jobs -no '{name} {status} {nodelist}')" "deep RUN node[3-4]" "the other branch has seen nothing of that"
ok "... its MPI" at --uri="$two" run -N2 -n2 "$hello"
is "$(nodes_of "$out")" "node3 node4" "... is well"
ok "it grows again, onto what is left" at resource grow -q "$two" -N1
ok "... MPI on three hosts" at --uri="$two" run -N3 -n3 "$hello"
is "$(nodes_of "$out")" "node1 node3 node4" "... these"
at cancel --all 2>/dev/null
ok "all is canceled" at job wait-event -q -t 20 "$two" clean
ok "the outermost instance goes on" at run -N3 -n3 hostname
echo 4 >&"$end"
wait_until 20 gone "$started" || kill -9 "$started"
wait "$started"
is $? 4 "and ends as its program does"
left_hosts="head node1 node3 node4"
nothing_stays
done_testing
