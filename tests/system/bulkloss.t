#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The leader is killed while many jobs are submitted and tried again: each is accepted once, and has as many tries as
# it was given.
. "${0%/*}/lib.sh"
case $(hbatch start --dry-run --test-nodes=2 true 2>/dev/null) in
*enable-recovery*) ;;
*) skip_all "hbatch was built for an MPI whose launcher ends all ranks with one" ;;
esac
unset HBATCH_URI HBATCH_JOB_ID
export HBATCH_F58_FORCE_ASCII=1

instance_start main --test-nodes=3 --test-topology="core:4 pu:1" || exit 1
rundir=$(dirname "${HBATCH_URI#local://}")
leader=$(pgrep -f "^[^ ]*hbatch-instance .*--rundir=$rundir" | head -n 1)

seq 1500 >inputs
# shellcheck disable=SC2016
hbatch bulksubmit --wait --retry=2 sh -c 'echo x >>job.{}; exit $(({} % 3 == 0))' :::: inputs >ids 2>bulk.err &
bulk=$!
# shellcheck disable=SC2016
long=$(hbatch submit --retry=40 sh -c 'echo x >>long; sleep 0.05; exit 1')
events() { hbatch job eventlog "$long" | awk -v name="$1" '$2 == name { n++ } END { print n + 0 }'; }
tried() { [ "$(events retry)" -ge 5 ]; }
ok "a job is tried again" wait_until 30 tried
kill -9 "$leader"
wait $bulk
is $? 1 "bulksubmit --wait gets through the loss of the leader"
is "$(wc -l <ids) $(sort -u ids | wc -l)" "1500 1500" "... each job was accepted once"
is "$(ls job.* | wc -l)" 1500 "... and ran"
is "$(cat job.* | wc -l)" 2500 "... those that fail three times, the others once"
capture hbatch job wait "$long"
is "$rc $(wc -l <long)" "1 41" "a job that always fails had all its tries"
is "$(events retry) $(events finish)" "40 1" "... and its log tells of each"
is "$(hbatch jobs --stats-only)" "0 running, 1000 completed, 501 failed, 0 pending" "the numbers of jobs"
instance_stop main
is "$rc" 0 "the instance ends well"
done_testing
