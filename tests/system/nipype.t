#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Nipype, unmodified, with Slurm's commands of hbatch: a workflow.
#     HBATCH_TEST_RESTART=1 prove tests/system/nipype.t     in which a node fails, and another run
. "${0%/*}/lib.sh"
export NO_ET=1 # asks nobody whether there is a newer one
/usr/bin/python3 -c 'import nipype' 2>/dev/null || skip_all "Nipype is not here: install the Debian package python3-nipype"
inside --test-topology="core:4 pu:1"
eval "$(hbatch env --compat=slurm)"
export LOGNAME=${LOGNAME:-$(id -un)} TMP_OF_TEST=$tmp HOME=$tmp
cat >squares.py <<'END'
import os
import sys

from nipype import Function, Node, Workflow


def square(n):
    import os

    if n == 2 and not os.path.exists(os.environ["TMP_OF_TEST"] + "/mended"):
        raise RuntimeError("square 2 fails")
    return n * n


def total(a, b):
    return a + b


workflow = Workflow("squares", base_dir=os.getcwd())
end = Node(Function(input_names=["a", "b"], output_names=["sum"], function=total), name="total")
for n, to in (2, "a"), (3, "b"):
    part = Node(Function(input_names=["n"], output_names=["out"], function=square), name=f"part{n}")
    part.inputs.n = n
    workflow.connect(part, "out", end, to)
workflow.config["execution"].update(poll_sleep_duration="1", job_finished_timeout="30")
graph = workflow.run(plugin=sys.argv[1], plugin_args={"sbatch_args": "-n1 --time=00:02:00"})
print("total", [n.result.outputs.sum for n in graph.nodes() if n.name == "total"])
END
export HBATCH_TEST_LIMIT=100
run=(/usr/bin/python3 squares.py SLURM)
if [ -n "${HBATCH_TEST_RESTART:-}" ]; then
    nok "a workflow with a node that fails" "${run[@]}"
    like "$out$err" "square 2 fails" "Nipype tells of it"
fi
touch mended
ok "a workflow" "${run[@]}"
like "$out" "total .13." "the result"
like "$(sacct -Xno state,jobname%30 -P | sort | xargs)" "COMPLETED.part2.squares.$LOGNAME.*COMPLETED.part3.squares.$LOGNAME.*COMPLETED.total.squares" "each was a job"
done_testing
