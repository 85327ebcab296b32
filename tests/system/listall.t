#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Who asks for all of very many jobs, or waits for them: answers come in pages, and the leader has no more memory after it.
. "${0%/*}/lib.sh"
inside --test-topology="core:2 pu:1"
export HBATCH_F58_FORCE_ASCII=1
jobs=100000

leader=$(hbatch getattr pid)
rss() { awk '/VmRSS/ {print $2}' "/proc/$leader/status"; }

# --- those that wait --------------------------------------------------------------------------------
hbatch submit --cc=1-$jobs --urgency=hold --log=ids true
head=$(head -n 1 ids)
ok "a listing" hbatch jobs -c 1
before=$(rss)
is "$(hbatch jobs -c0 -no '{id}' | sort -u | wc -l)" $jobs "jobs -c0 lists all of them"
is "$(hbatch jobs -c12345 -no '{id}' | cmp - <(tac ids | head -n 12345) 2>&1)" "" "... or as many as wanted, the newest ones"
capture hbatch jobs -no '{id}' "$head"
is "$rc $(wc -l <<<"$out") $(grep -c 'no job' <<<"$err")" "0 1000 0" "an array by its id: its newest jobs, and no word that there is none"
is "$(hbatch job last '[0:2]')" "$(tac ids | head -n 2)" "job last with a slice"
is "$(hbatch export -a --format=csv -n --columns=jobid | cmp - <(tac ids) 2>&1)" "" "export -a"
ok "the leader has not much more memory" test $(($(rss) - before)) -lt 40000
note "$before KB, now $(rss) KB"

# --- waiting for them: by ids, as nobody can tell when --all has asked which there are -------------
before=$(rss)
# shellcheck disable=SC2046
hbatch job wait --verbose $(cat ids) 2>err &
waiter=$!
ok "who waits for all of them is connected" wait_until 30 bash -c "ls -l /proc/$waiter/fd | grep -q socket"
ok "all but one are canceled" hbatch cancel "$(sed -n 2p ids)-$(tail -n 1 ids)"
ok "that one is released" hbatch job urgency "$head" 16
wait $waiter
is "$? $(grep -c CANCELED err)" "1 $((jobs - 1))" "job wait has the end of each"
ok "the leader had no job of each" test $(($(rss) - before)) -lt 60000
note "$before KB, now $(rss) KB"
ok "job wait --all" hbatch job wait --all

# --- many by their ids -------------------------------------------------------------------------------
hbatch submit --cc=1-2500 --urgency=hold --log=some true
# shellcheck disable=SC2046
capture hbatch cancel f2 $(cat some) f3
is "$rc $(grep -c 'no such job\|there is no job' <<<"$err") $(hbatch jobs -c0 -no '{id}' | wc -l)" "1 2 0" "2,500 by their ids, and two that are none: each of these is told"

# --- waitable ones: each is waited for once ---------------------------------------------------------
hbatch submit --flags=waitable --cc=1-100 true >waitable
# shellcheck disable=SC2046
ok "job wait of waitable jobs" hbatch job wait $(cat waitable)
capture hbatch job wait
is $rc 2 "... leaves none to be waited for"
done_testing
