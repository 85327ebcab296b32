#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Snakemake's --flux, unmodified, with the Python module flux of hbatch.
. "${0%/*}/lib.sh"
snakemake=/usr/bin/snakemake # as packaged: with the Python that it is for
need $snakemake snakemake
/usr/bin/python3 -c 'import snakemake.executors.flux' 2>/dev/null || skip_all "this Snakemake has no --flux"
inside --test-topology="core:4 pu:1"
eval "$(hbatch env --compat=flux)"
mkdir bin
ln -s /usr/bin/python3 bin/python # which Snakemake's jobs call
PATH=$tmp/bin:$PATH
cat >Snakefile <<'EOF'
rule all:
    input: expand("part.{n}", n=range(6))
rule part:
    output: "part.{n}"
    shell: "test {wildcards.n} != 5 -o -e mended && echo {wildcards.n} >{output}"
EOF
nok "a workflow with a rule that fails" timeout 100 $snakemake --flux --jobs=6 --keep-going --latency-wait=1
like "$err" "Error in rule part" "Snakemake tells of it"
is "$(cat part.[0-4] | paste -sd+)" "0+1+2+3+4" "the others' results"
is "$(hbatch jobs -a -f completed -no '{name}' | grep -c python)" 5 "each was a job"
is "$(hbatch jobs -a -f failed -no '{name}' | grep -c python)" 1 "and so was the one that failed"
touch mended
ok "the rest, in another run" timeout 100 $snakemake --flux --jobs=6 --latency-wait=1
is "$(cat part.5)" 5 "its result"
is "$(hbatch jobs -a -no '{name}' | grep -c python)" 7 "only that one ran again"
done_testing
