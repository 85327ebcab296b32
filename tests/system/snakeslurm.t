#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Snakemake, unmodified: --slurm with Slurm's commands of hbatch, --cluster with those of hbatch itself.  A workflow in
# which one job fails, a second run that does the rest, and one that is interrupted.
#     HBATCH_TEST_JOBS=200 prove tests/system/snakeslurm.t     with that many jobs (3)
# shellcheck disable=SC2016
. "${0%/*}/lib.sh"
snakemake=/usr/bin/snakemake # as packaged: with the Python that it is for
need $snakemake snakemake
/usr/bin/python3 -c 'import snakemake.executors.slurm.slurm_submit' 2>/dev/null || skip_all "this Snakemake has no --slurm"
n=${HBATCH_TEST_JOBS:-3}
last=$((n - 1))
limit=$((60 + n * 8))
export HBATCH_TEST_TIMEOUT=$((limit * 6)) HBATCH_TEST_LIMIT=$limit
inside --test-topology="core:8 pu:1"
eval "$(hbatch env --compat=slurm)"
export USER=${USER:-$(id -un)}
mkdir bin
ln -s /usr/bin/python3 bin/python # which Snakemake's jobs call
PATH=$tmp/bin:$PATH
cat >status <<'END'
#!/bin/sh
case $(hbatch jobs -ano '{result}' "$1") in
COMPLETED) echo success ;;
"") echo running ;;
*) echo failed ;;
esac
END
printf '#!/bin/sh\nexec hbatch cancel "$@"\n' >cancel
chmod +x status cancel
cat >Snakefile <<END
rule all:
    input: expand("part.{n}", n=range($n))
rule part:
    output: "part.{n}"
    resources: runtime=5, mem_mb=500
    shell: "test {wildcards.n} != $last -o -e mended && echo {wildcards.n} >{output}"
rule long:
    output: "long.{n}"
    resources: runtime=5, mem_mb=500
    shell: "touch began.{wildcards.n}; sleep inf; touch {output}"
END
both_began() { [ -e began.1 ] && [ -e began.2 ]; }
none_is_active() { [ -z "$(hbatch jobs -no '{id}')" ]; }

workflow() { # NAME SNAKEMAKE'S OPTIONS...
    local name=$1
    shift
    rm -rf part.* mended began.* .snakemake
    # not above 1 a second: Snakemake's --slurm takes that for too many, and asks twice a minute then
    local rate=10
    [ "$name" = --cluster ] || rate=1
    local run=($snakemake --jobs=8 --latency-wait=1 --max-status-checks-per-second=$rate "$@")
    nok "$name: a workflow with a job that fails" "${run[@]}" --keep-going all
    like "$err$out" "Error in rule part" "$name: Snakemake tells of it"
    is "$(find . -maxdepth 1 -name 'part.*' | wc -l)" $((n - 1)) "$name: the others' results"
    touch mended
    ok "$name: another run does the rest" "${run[@]}" all
    is "$(cat part.$last)" "$last" "$name: its result"
    like "$err$out" "2 of 2 steps" "$name: nothing else ran again"
    [ "$name" = --cluster ] || [ "$n" -gt 3 ] || return # it takes its time
    env --default-signal=INT "${run[@]}" long.1 long.2 >long.out 2>&1 & # a shell has it ignored in the background
    local pid=$!
    wait_until 60 both_began || note "$(cat long.out)"
    kill -INT $pid
    wait_until 60 eval "! kill -0 $pid" || kill -9 $pid
    wait $pid
    isnt $? 0 "$name: a run that is interrupted"
    # with --slurm it cancels those that it does not ask about just then: that is a race in Snakemake
    [ "$name" = --cluster ] || scancel --me
    wait_until 20 none_is_active
    is "$(hbatch jobs -no '{id}')" "" "$name: its jobs are canceled"
}

workflow --slurm --slurm
canceled=
[ "$n" -le 3 ] || canceled="2 CANCELLED "
is "$(sacct -Xno state -P | sort | uniq -c | xargs)" "$canceled$n COMPLETED 1 FAILED" "--slurm: the jobs that there were"
workflow --cluster --cluster="hbatch submit -n1 --output=none.{{id}}" --cluster-status=./status --cluster-cancel=./cancel
like "$(hbatch jobs -ac 0 -no '{result}' | sort | uniq -c | xargs)" "CANCELED $((2 * n)) COMPLETED 2 FAILED" "--cluster: and so on"
done_testing
