#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A rank that dies costs the jobs on its node, and nothing else.
. "${0%/*}/../system/lib.sh"
need mpirun.openmpi openmpi-bin
case $(hbatch start --dry-run --test-nodes=2 true) in
*enable-recovery*) ;;
*) skip_all "hbatch was built for an MPI whose launcher ends all ranks with one" ;;
esac
export HBATCH_LOSS_TIMEOUT=3s
# hbatch start would bring the rank back: here nobody does.
if [ "${HBATCH_TEST_INSIDE:-}" != "$test_file" ]; then
    trap - EXIT
    rm -rf "$tmp"
    cd "$srcdir" || exit 1
    exec timeout -k 10 300 mpirun.openmpi --oversubscribe --enable-recovery --bind-to none -n 4 \
        "$builddir/bin/hbatch-instance" --virtual --topology="core:4 pu:1" \
        env HBATCH_TEST_INSIDE="$test_file" HBATCH_BUILDDIR="$builddir" bash "$test_file"
fi
# A task's parent is its executor, and that one's the rank.
victim=$(hbatch run --requires=rank:2 sh -c 'ps -o ppid= $PPID' | tr -d ' ')
uri1=$(hbatch run --requires=rank:1 sh -c 'echo $HBATCH_URI')

on2=$(hbatch submit --requires=rank:2 sleep inf)
again=$(hbatch submit --cc=7 -o requeue=0 --requires=rank:2 sleep inf)
everywhere=$(hbatch submit -N4 -n4 sleep inf)
beside=$(hbatch submit --requires=rank:3 --output=beside.out sh -c 'trap "echo alive; exit 0" USR1; while :; do sleep 0.1; done')
array=$(hbatch submit --cc=1-9 sh -c 'if mkdir tried.{{cc}} 2>/dev/null; then sleep inf; fi; echo {{cc}} >done.{{cc}}')
for id in $on2 $again $everywhere $beside; do hbatch job wait-event "$id" start >/dev/null; done

wait_until 10 eval '[ "$(ls -d tried.* | wc -l)" = 9 ]'
isnt "$victim" "" "rank 2 is found"
started=$(date +%s%N)
kill -9 "$victim"

capture hbatch job attach "$on2"
isnt "$rc" 0 "the job on its node fails"
like "$err" "node-failure" "and says why"
ms=$((($(date +%s%N) - started) / 1000000))
[ "$ms" -lt 8000 ] && pass "noticed in time" || fail "noticed in time" "$ms ms"
capture hbatch job attach "$again"
like "$err" "node-failure" "an element that is not to be queued again fails, too"
capture hbatch job attach "$everywhere"
like "$err" "rank 2 \(vnode2\) was lost" "so does the one that spanned it"
hbatch job kill -s USR1 "$beside"
ok "a job beside them notices nothing" hbatch job wait "$beside"
like "$(cat beside.out)" alive "and ends in its own way"
like "$(hbatch resource list)" "down +1 " "the node is down"

# Elements of an array start anew: the one that was on the lost node, and only that one, ran twice.
for id in $array; do
    case $(hbatch job eventlog "$id") in
    *requeue*) requeued=$id ;;
    *) hbatch cancel "$id" ;;
    esac
done
note "$(hbatch job eventlog "${requeued:-0}")"
isnt "${requeued:-}" "" "an element that lost its node is queued again"
ok "and completes" hbatch job wait "${requeued:-0}"
is "$(ls done.* | wc -l)" 1 "the others were not started again"

# The control plane is whole: collectives, copies, jobs over what is left.
ok "a job over the three others" hbatch run -N3 -n3 true
ok "a burst on them" hbatch submit --quiet --wait --cc=1-100 true
wait_until 5 eval '[ "$(HBATCH_URI=$uri1 hbatch resource list)" = "$(hbatch resource list)" ]'
is "$(HBATCH_URI=$uri1 hbatch resource list)" "$(hbatch resource list)" "another rank knows"
id=$(HBATCH_URI=$uri1 hbatch submit --urgency=hold true)
is "$(HBATCH_URI=$uri1 hbatch jobs -n -o '{id}' "$id")" "$id" "and reads what it wrote"
done_testing
