#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Toil, unmodified, with Slurm's commands of hbatch: a workflow.
#     HBATCH_TEST_RESTART=1 prove tests/system/toil.t     in which a job fails, and its restart
. "${0%/*}/lib.sh"
/usr/bin/python3 -c 'import toil.batchSystems.slurm' 2>/dev/null || skip_all "Toil is not here: install the Debian package toil"
inside --test-topology="core:4 pu:1"
eval "$(hbatch env --compat=slurm)"
cat >squares.py <<'END'
import os
from toil.common import Toil
from toil.job import Job

SIZE = {"cores": 1, "memory": "100M", "disk": "10M"}


def square(job, n):
    if n == 3 and not os.path.exists(os.environ["TMP_OF_TEST"] + "/mended"):
        raise RuntimeError("square 3 fails")
    return n * n


def total(job, parts):
    return sum(parts)


def root(job):
    return job.addFollowOnJobFn(total, [job.addChildJobFn(square, n, **SIZE).rv() for n in range(4)], **SIZE).rv()


if __name__ == "__main__":
    with Toil(Job.Runner.getDefaultArgumentParser().parse_args()) as toil:
        print("total", toil.restart() if toil.options.restart else toil.start(Job.wrapJobFn(root, **SIZE)))
END
export TMP_OF_TEST=$tmp
run=(timeout 100 /usr/bin/python3 squares.py --batchSystem=slurm --retryCount=0 --disableCaching --clean=never "file:$tmp/store")
if [ -n "${HBATCH_TEST_RESTART:-}" ]; then
    nok "a workflow with a job that fails" "${run[@]}"
    like "$err" "square 3 fails" "Toil tells of it"
    like "$(sacct -Xno state,jobname%30 -P | sort | uniq -c | xargs)" "COMPLETED.toil_job_.*1 FAILED.toil_job_[0-9]+" "each was a job"
    run+=(--restart)
fi
touch mended
ok "a workflow" "${run[@]}"
is "$out" "total 14" "the result"
like "$(sacct -Xno state,jobname%30 -P | sort | uniq -c | xargs)" "COMPLETED.toil_job_" "each was a job"
done_testing
