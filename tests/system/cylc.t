#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Cylc, unmodified, with Slurm's commands of hbatch: a workflow in which a task fails, and is tried again.
# Debian's Cylc 8.0 does not start by itself: it wants pyuv, which is not packaged, and a Python before 3.11.  Both are made up
# for here.
. "${0%/*}/lib.sh"
need /usr/bin/cylc cylc-flow
inside --test-topology="core:4 pu:1"
eval "$(hbatch env --compat=slurm)"
mkdir -p lib/pyuv-1.4.0.dist-info conf cylc-run/squares
printf 'Metadata-Version: 2.1\nName: pyuv\nVersion: 1.4.0\n' >lib/pyuv-1.4.0.dist-info/METADATA
cat >lib/pyuv.py <<'END'
"""What Cylc does with it: the listing of a folder."""
import os
import types


class Loop:
    due = []
    default_loop = classmethod(lambda cls: cls)

    @classmethod
    def run(cls):
        while cls.due:
            cls.due.pop()()


def _scandir(loop, path, callback):
    loop.due.append(lambda: callback(path=path, request=types.SimpleNamespace(result=list(os.scandir(path)))))


fs = types.SimpleNamespace(scandir=_scandir)
END
cat >lib/sitecustomize.py <<'END'
"""A deque is the default of a member of a dataclass, which Python 3.11 refuses of what has no hash."""
import collections


class deque(collections.deque):
    __hash__ = object.__hash__


collections.deque = deque
END
cat >conf/global.cylc <<'END'
[platforms]
    [[cluster]]
        hosts = localhost
        install target = localhost
        job runner = slurm
        communication method = poll
        submission polling intervals = PT1S
        execution polling intervals = PT1S
[scheduler]
    [[host self-identification]]
        method = address
END
cat >cylc-run/squares/flow.cylc <<'END'
[scheduler]
    [[events]]
        stall timeout = PT0S
        abort on stall timeout = True
[task parameters]
    i = 1..3
[scheduling]
    [[graph]]
        R1 = part<i> => total
[runtime]
    [[root]]
        platform = cluster
        execution retry delays = PT0S
        [[[directives]]]
            --ntasks = 1
            --time = 00:02:00
    [[part<i>]]
        script = """
            test $CYLC_TASK_PARAM_i != 3 -o $CYLC_TASK_TRY_NUMBER -gt 1
            echo $((CYLC_TASK_PARAM_i * CYLC_TASK_PARAM_i)) >$CYLC_WORKFLOW_SHARE_DIR/part.$CYLC_TASK_PARAM_i
        """
    [[total]]
        script = cat $CYLC_WORKFLOW_SHARE_DIR/part.* | xargs >$CYLC_WORKFLOW_SHARE_DIR/total
END
export HOME=$tmp CYLC_CONF_PATH=$tmp/conf PYTHONPATH=$tmp/lib LC_ALL=C.UTF-8 HBATCH_TEST_LIMIT=120
capture /usr/bin/cylc version
like "$out" "^8" "it starts"
ok "a workflow" /usr/bin/cylc play --no-detach squares
is "$(cat cylc-run/squares/share/total)" "1 4 9" "its result"
like "$out$err" "part_i3 [a-z]+ job:01.*failed" "it knows which task failed"
wait_until 20 eval '[ -z "$(squeue -h)" ]'
is "$(sacct -Xno jobname%40,state -P | sort | xargs)" \
    "part_i1.1.squares|COMPLETED part_i2.1.squares|COMPLETED part_i3.1.squares|COMPLETED part_i3.1.squares|FAILED total.1.squares|COMPLETED" "each was a job"
done_testing
