#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Snakemake's --flux, unmodified, with the Python module flux of hbatch.  A workflow in which one job fails, a second run
# that does the rest, and one that is interrupted.
#     HBATCH_TEST_JOBS=200 prove tests/system/snakemake.t     with that many jobs (5)
. "${0%/*}/lib.sh"
snakemake=/usr/bin/snakemake # as packaged: with the Python that it is for
need $snakemake snakemake
/usr/bin/python3 -c 'import snakemake.executors.flux' 2>/dev/null || skip_all "this Snakemake has no --flux"
n=${HBATCH_TEST_JOBS:-5}
last=$((n - 1))
limit=$((100 + n * 8))
export HBATCH_TEST_TIMEOUT=$((limit * 3)) HBATCH_TEST_LIMIT=$limit
inside --test-topology="core:8 pu:1"
eval "$(hbatch env --compat=flux)"
mkdir bin
ln -s /usr/bin/python3 bin/python # which Snakemake's jobs call
PATH=$tmp/bin:$PATH
cat >Snakefile <<END
rule all:
    input: expand("part.{n}", n=range($n))
rule part:
    output: "part.{n}"
    shell: "test {wildcards.n} != $last -o -e mended && echo {wildcards.n} >{output}"
rule long:
    output: "long.{n}"
    shell: "touch began.{wildcards.n}; sleep inf; touch {output}"
END
run=($snakemake --flux --jobs=8 --latency-wait=1)
both_began() { [ -e began.1 ] && [ -e began.2 ]; }
none_is_active() { [ -z "$(hbatch jobs -no '{id}')" ]; }
results() { hbatch jobs -ac 0 -no '{name} {result}' | grep python | sort | uniq -c | xargs; }

nok "a workflow with a rule that fails" "${run[@]}" --keep-going
like "$err" "Error in rule part" "Snakemake tells of it"
is "$(cat part.* | sort -n | xargs)" "$(seq 0 $((last - 1)) | xargs)" "the others' results"
like "$(results)" "^$last python[^ ]* COMPLETED 1 python[^ ]* FAILED$" "each was a job, and so was the one that failed"
touch mended
ok "the rest, in another run" "${run[@]}"
is "$(cat part.$last)" $last "its result"
like "$(results)" "^$n python[^ ]* COMPLETED 1 python[^ ]* FAILED$" "only that one ran again"
env --default-signal=INT "${run[@]}" long.1 long.2 >long.out 2>&1 & # a shell has it ignored in the background
pid=$!
wait_until 60 both_began || note "$(cat long.out)"
kill -INT $pid
wait_until 60 eval "! kill -0 $pid" || kill -9 $pid
wait $pid
isnt $? 0 "a run that is interrupted"
# its code for that wants an attribute that it never set; the module sees to the jobs when the program ends
wait_until 20 none_is_active
is "$(hbatch jobs -no '{id}')" "" "they are canceled"
done_testing
