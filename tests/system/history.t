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
refuses "--since=-x: " output --all --since=-x
hbatch cancel "$held"

# --- hbatch jobs: numbers, again and again; the newest ones ----------------------------------------
capture hbatch jobs --stats-only --watch --interval 0.1
is "$rc|$out" "0|$(hbatch jobs --stats-only)" "jobs --stats-only --watch ends when no job is active"
hbatch submit --cc=1-8 --quiet sleep 0.5
capture hbatch jobs --stats-only -W --interval=0.1
is "$rc" 0 "... and goes on until then"
like "$out" "4 running, .* 4 pending, [0-9.]+ job/s" "... with the rate"
like "$(tail -1 <<<"$out")" "^0 running, .*, 0 pending" "... up to the last job's end"
capture hbatch jobs --stats-only -Wi0.1
is "$rc|$out" "0|$(hbatch jobs --stats-only)" "-Wi: the same"
refuses "--interval=0: must be" jobs --stats -Wi0
capture script -qec 'stty rows 10; NO_COLOR=1 timeout -s INT 2 hbatch jobs -aW --interval=0.5' /dev/null
is "$(grep -c $'\033\\[H\033\\[J' <<<"$out")" "$(grep -c 'JOBID' <<<"$out")" "jobs --watch: over what was shown before"
is "$(sed '/^\x1b/,$!d' <<<"$out" | sed -n '2,/^\x1b/p' | grep -vc $'\033')" 8 "... as much as fits"
refuses "--interval is for --watch" jobs --interval=2
refuses "--interval=0: must be" jobs -W --interval=0
refuses "--interval: " jobs -W --interval=x
old=$(hbatch submit --urgency=hold true)
new=$(hbatch submit --wait true)
is "$(hbatch job last) $(hbatch jobs -an -c2 -o {id.f58} | tr '\n' ' ')" "$new $new $old " "the newest job is not an old one that waits"
hbatch cancel "$old"
is "$(hbatch jobs -n --filter=failed -o '{id.f58}')" "$job" "jobs --filter=failed"
is "$(hbatch jobs -n --since=-1h --name=n -o '{id.f58}')" "$files" "jobs --since --name"
is "$(hbatch jobs -n --filter=canceled,failed -o '{id.f58}' | sort)" "$(printf '%s\n' "$job" "$held" "$old" | sort)" "two results"

# --- hbatch export -------------------------------------------------------------------------------
hbatch submit --wait --quiet --job-name='a,"b"' --time-limit=1m true
all=$(hbatch jobs -an -c0 -o '{id.dec}')
is "$(hbatch export | python3 -c 'import json, sys
for line in sys.stdin:
    o = json.loads(line)
    assert o["state"] == "INACTIVE" and o["t_inactive"] >= o["t_submit"], o
    print(o["id"])')" "$all" "export: a line of JSON for each job"
capture hbatch export jobs.csv
is "$rc|$out|$err|$(ls jobs.csv*)" "0|||jobs.csv" "... CSV to a file"
is "$(python3 -c 'import csv
rows = list(csv.DictReader(open("jobs.csv", newline="")))
assert rows[0]["name"] == "a,\"b\"" and float(rows[0]["duration"]) == 60, rows[0]
assert [r["exception_type"] for r in rows if r["result"] == "CANCELED"] == ["cancel", "cancel"]
assert [r["returncode"] for r in rows if r["result"] == "FAILED"] == ["3"]
for r in rows: print(r["id"])')" "$all" "... with all jobs and what they had"
is "$(hbatch export --format=csv --columns=result,jobid -n --filter=failed)" "FAILED,$job" "... some columns of some jobs"
is "$(hbatch export --format=csv --count=0 | tr ',' '\n' | head -2 | tr '\n' ' ')" "jobid id " "... no jobs: the header"
is "$(hbatch export --count=3 | wc -l) $(hbatch export --since=-1h | wc -l)" "3 $(wc -l <<<"$all")" "... the newest, and those since"
old=$(hbatch submit --urgency=hold true)
is "$(hbatch export --all -c2 --format=csv -n --columns=jobid,state | head -1)" "$old,SCHED" "... and those that are not over"
hbatch cancel "$old"
capture hbatch export /nonexistent/x.csv
is "$rc|$out|$err" "1||hbatch export: cannot write /nonexistent/x.csv: No such file or directory" "a file that cannot be"
capture hbatch export /dev/full
is "$rc|$err" "1|hbatch export: cannot write /dev/full: No space left on device" "a full disk"
ok "a device stays one" test -c /dev/full
refuses "'xml' is neither json nor csv" export --format=xml
refuses "there is no column 'foo'" export --format=csv --columns=foo
refuses "--columns is for" export --columns=id
refuses "only results" export --filter=running
refuses "cannot be used together" export --all --filter=failed

# --- again: resubmit and --retry -------------------------------------------------------------------
array=$(hbatch submit --cc=1-10 --job-name=arr --urgency=20 --env=FOO=bar sh -c 'echo $FOO$HBATCH_JOB_CC; exit $((HBATCH_JOB_CC % 3))')
hbatch job wait $array 2>/dev/null
first=$(head -1 <<<"$array")
is "$(hbatch job resubmit --failed --dry-run "$first")" "$first --cc=1-2,4-5,7-8,10" "resubmit --failed --dry-run: the elements"
capture env FOO=other hbatch job resubmit --failed --quiet --watch "$first"
is "$rc|$(sort -V <<<"$out" | tr '\n' ' ')" "2|bar1 bar2 bar4 bar5 bar7 bar8 bar10 " "resubmit --failed: they run as they did"
is "$(hbatch jobs -an --name=arr -c7 -o '{cc} {urgency}' | sort -n | tr '\n' ' ')" "1 20 2 20 4 20 5 20 7 20 8 20 10 20 " \
    "... as one array, with the ids and the urgency that they had"
is "$(hbatch job info last jobspec | python3 -c 'import json, sys
print(json.load(sys.stdin)["attributes"]["user"]["resubmitted"])')" "$first" "... and a note of the original"
capture hbatch job resubmit --wait --urgency=5 "$(sed -n 3p <<<"$array")"
is "$rc|$(hbatch jobs -no '{cc} {urgency}' "$out")" "0|3 5" "one element, another urgency"
good=$(hbatch submit --wait true)
capture hbatch job resubmit --failed "$good"
is "$rc|$out|$err" "0||" "resubmit --failed of what has not failed"
capture hbatch job resubmit --wait "$good"
isnt "$rc|$out" "0|$good" "a job that did well, once more"
held=$(hbatch submit --urgency=hold true)
refuses "$held: it is not over" job resubmit "$held"
refuses "fzzz: there is no such job" job resubmit fzzz
refuses "which jobs?" job resubmit
refuses "only results" job resubmit --filter=running "$good"
hbatch cancel "$held"

count() { # ID: how often the job was started, tried again and finished
    hbatch job eventlog "$1" | awk '{ n[$2]++ } END { print n["start"] + 0, n["retry"] + 0, n["requeue"] + 0, n["finish"] + 0 }'
}
capture hbatch run --retry=5 sh -c 'echo try; echo >>tries; [ "$(wc -l <tries)" = 3 ] || exit 7'
job=$(hbatch job last)
is "$rc|$out" $'0|try\ntry\ntry' "--retry: again until it is well; who is attached sees each try"
is "$(count "$job")" "3 2 2 1" "... and the event log tells of each"
like "$(hbatch job eventlog "$job")" 'retry try=2 left=3 status=1792 ranks="0"' "... with status and place"
is "$(hbatch output "$job")|$(hbatch jobs -no '{result}' "$job")" "try|COMPLETED" "... but the output is the last one's"
array=$(hbatch submit --retry=2 --cc=1-3 sh -c 'echo >>"try$HBATCH_JOB_CC"; exit "$HBATCH_JOB_CC"')
capture hbatch job status $array
is "$rc|$(wc -l <try1) $(wc -l <try2) $(wc -l <try3)" "3|3 3 3" "... elements of an array: each so often, and then failed"
is "$(count "$(tail -1 <<<"$array")")" "3 2 2 1" "... with their logs"
capture hbatch run --retry=1 -n2 sh -c 'echo $HBATCH_TASK_RANK; exit $((HBATCH_TASK_RANK + 3))'
is "$rc|$(sort <<<"$out" | tr '\n' ' ')" "4|0 0 1 1 " "run --retry, several tasks"
capture hbatch run --retry=1 -n2 sh -c 'kill -9 $$'
is "$rc|$(count "$(hbatch job last)")" "137|2 1 1 1" "... that are killed"
job=$(hbatch submit --retry=5 sleep 100)
hbatch wait-event -q "$job" start
hbatch cancel "$job"
hbatch job wait "$job" 2>/dev/null
is "$(count "$job")" "1 0 0 1" "a job that was canceled is not tried again"
job=$(hbatch submit --retry=5 --time-limit=0.2s sleep 100)
hbatch job wait "$job" 2>/dev/null
is "$(count "$job")" "1 0 0 1" "... nor one that ran out of time"
job=$(hbatch submit --retry=5 ./nothing)
hbatch job wait "$job" 2>/dev/null
is "$(count "$job")" "0 0 0 1" "... nor one that could not be started"
refuses "--retry: 'x' is not a whole number from 0 to 1000" submit --retry=x true
refuses "option retry: must be a number from 0 to 1000, not -1" submit -o retry=-1 true
is "$(hbatch submit --dry-run --retry=3 true | grep -o '"retry":3')" '"retry":3' "--retry is the option retry"

# --- more than one page ----------------------------------------------------------------------------
hbatch submit --cc=1-6000 --urgency=hold --quiet --job-name=page true
hbatch cancel --all >cancel.out
is "$(hbatch job resubmit --filter=canceled --dry-run "$(hbatch export --name=page --format=csv -n --columns=jobid | tail -1)" |
    sed 's/.* //')" --cc=1-6000 "resubmit of more than one page"
is "$(hbatch export --name=page | wc -l) $(hbatch export --name=page --format=csv -n --columns=cc | sort -un | wc -l)" \
    "6000 6000" "export of more than one page: each job once"
done_testing
