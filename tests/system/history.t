#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# What is known of jobs after they have ended, and of those that run: output, ...
. "${0%/*}/lib.sh"
need python3 python3
inside --test-topology="core:4 pu:1"
export HBATCH_F58_FORCE_ASCII=1

# refuses PART ARGUMENTS...
refuses() {
    local part=$1
    shift
    capture hbatch "$@"
    if [ $rc = 1 ] && [ -z "$out" ] && [[ $err == *"$part"* && $err != *$'\n'* ]]; then
        pass "refuses: $*"
    else
        fail "refuses: $*" "wanted: $part"
        shown "hbatch $*"
    fi
}

# --- hbatch output -------------------------------------------------------------------------------
capture hbatch output --all
is "$rc|$out|$err" "0||" "output --all before the first job"
job=$(hbatch submit -n2 sh -c 'echo out $HBATCH_TASK_RANK; echo err $HBATCH_TASK_RANK >&2; exit 3')
hbatch job wait "$job" 2>/dev/null
capture hbatch output "$job"
is "$rc|$(sort <<<"$out")|$(sort <<<"$err")" $'0|out 0\nout 1|err 0\nerr 1' "output of a job that is over"
capture hbatch output --err "$job"
is "$rc|$(sort <<<"$out")|$err" $'0|err 0\nerr 1|' "--err"
capture hbatch output --out --task=1 -l "$job"
is "$rc|$out|$err" "0|$job: 1: out 1|" "--out, --task and --label-io"
mkfifo go
running=$(hbatch submit sh -c 'echo begun; read x <go; echo gone on')
wait_until 30 sh -c "hbatch output $running | grep -q begun"
capture hbatch output "$running"
is "$rc|$out|$err" "0|begun|" "of a running job, what there is"
capture hbatch output "$running" "$job"
is "$rc|$(head -1 <<<"$out")|$(wc -l <<<"$out")" "0|begun|3" "of several, one after the other"
held=$(hbatch submit --urgency=hold true)
capture hbatch output "$held"
is "$rc|$out|$err" "0||hbatch output: $held has not started, and has no output yet" "of a job that waits"
echo >go
hbatch job wait "$running"
is "$(hbatch output "$running")" $'begun\ngone on' "... and later all of it"
files=$(hbatch submit --wait --job-name=n --cc=7 --output='o.{{id}}.{{cc}}.{{name}}' --error=/dev/null sh -c 'echo x')
capture hbatch output "$files"
is "$rc|$out" "0|" "what went to a file is not printed"
like "$err" "$files: its standard output went to the file $PWD/o\..*\.7\.n"$'\n' "... but the file's name"
like "$err" "its standard error went to the file /dev/null" "... of both streams"
path=$(sed -n 's/.*standard output went to the file //p' <<<"$err")
is "$(cat "$path" 2>&1)" x "... and it is there"
hbatch submit --wait --quiet --cc=1-2 --output=all echo
capture hbatch output last
like "$err" "its output went to the file $PWD/all" "one file for both"
zeros=$(hbatch submit --wait sh -c 'head -c 3000000 /dev/zero; printf "\377\n"')
is "$(hbatch output "$zeros" "$zeros" "$zeros" | sha1sum)" \
    "$(for i in 1 2 3; do head -c 3000000 /dev/zero; printf '\377\n'; done | sha1sum)" "large and binary output"
hbatch bulksubmit --wait --quiet echo {} ::: {1000..1200}
is "$(hbatch output --all | grep -ax '1[0-9][0-9][0-9]' | tr '\n' ' ')" "$(echo {1000..1200}) " "--all: in the jobs' order"
is "$(hbatch output --all --filter=failed | sort | tr '\n' ' ')" "out 0 out 1 " "--all --filter"
capture hbatch output f9zzz "$running"
is "$rc|$out" $'1|begun\ngone on' "no such job: the others are printed"
like "$err" "no such job: f9zzz" "... and it is named"
refuses "which jobs?" output
refuses "--all and job ids" output --all "$job"
refuses "--out and --err" output --out --err "$job"
refuses "--task: id set 'x'" output --task=x "$job"
refuses "'foo' is neither a state" output --all --filter=foo
refuses "only results" output --all --filter=running
refuses "are for --all" output --since=-1h "$job"
refuses "--since: " output --all --since=-x
hbatch cancel "$held"
done_testing
