#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# hbatch simulate: traces, jobspecs and models, what it prints, and what it says of broken lines.
. "${0%/*}/../system/lib.sh"
need python3 python3
cd "$tmp" || exit 1
get() { python3 -c 'import json, sys; r = json.load(sys.stdin); print(*[eval(e) for e in sys.argv[1:]])' "$@"; }

# Four processors; the second job waits for the first one, the third may overtake it, the fourth may not.
cat >small.swf <<'EOF'
; MaxProcs: 4
; a comment
1 0 -1 100 3 -1 -1 3 100 -1 1 -1 -1 -1 -1 -1 -1 -1
2 10 -1 50 4 -1 -1 4 60 -1 1 -1 -1 -1 -1 -1 -1 -1
3 20 -1 40 1 -1 -1 1 80 -1 1 -1 -1 -1 -1 -1 -1 -1
4 30 -1 5 1 -1 -1 1 300 -1 1 -1 -1 -1 -1 -1 -1 -1
EOF
capture hbatch simulate --compare --json small.swf
is "$rc" 0 "a small trace"
is "$(get '[x["policy"] for x in r["results"][:2]]' <<<"$out")" "['fcfs', 'easy']" "all policies"
is "$(get 'r["results"][0]["wait_mean"]' 'r["results"][1]["wait_mean"]' <<<"$out")" \
    "$(python3 -c 'print((90 + 130 + 120) / 4, (90 + 0 + 120) / 4)')" "waits, as by hand"
is "$(get 'r["results"][0]["makespan"]' 'r["results"][1]["makespan"]' <<<"$out")" "190.0 155.0" "makespan"
is "$(get 'round(r["results"][1]["bounded_slowdown_mean"], 6)' <<<"$out")" \
    "$(python3 -c 'print(round((1 + 140 / 50 + 1 + 125 / 10) / 4, 6))')" "bounded slowdown"
is "$(get 'round(r["results"][1]["utilization"], 6)' <<<"$out")" \
    "$(python3 -c 'print(round((300 + 200 + 40 + 5) / 4 / 155, 6))')" "utilization"
out=$(hbatch simulate --policy=easy -N 4 - <small.swf)
like "$out" "4 jobs, 4 nodes of 1 core.*easy +87.9% +0.0% +52.5s" "the table"
is "$(hbatch simulate --exact --policy=easy --json small.swf | get 'r["results"][0]["wait_max"]')" 90.0 \
    "limits that are run times: all four get better"

# Broken lines.
{
    cat small.swf
    echo "5 40 -1 five 1 -1 -1 1 300 -1 1 -1 -1 -1 -1 -1 -1 -1"
    echo "6 40 -1 5 1"
    echo "7 -40 -1 5 1 -1 -1 1 300 -1 1 -1 -1 -1 -1 -1 -1 -1"
    echo "8 40 -1 -1 1 -1 -1 1 300 -1 0 -1 -1 -1 -1 -1 -1 -1"
    echo "9 40 -1 5 5 -1 -1 5 300 -1 1 -1 -1 -1 -1 -1 -1 -1"
    echo "10 40 -1 5 1.5 -1 -1 1.5 300 -1 1 -1 -1 -1 -1 -1 -1 -1"
    echo "11 40 -1 1e300 1 -1 -1 1 300 -1 1 -1 -1 -1 -1 -1 -1 -1"
} >broken.swf
capture hbatch simulate --json broken.swf
is "$rc" 2 "broken lines: exit code"
like "$err" "line 7 is left out: 'five' is not a number.*line 8 is left out: 5 fields; a record has 18.*line 9 .*time is not possible.*line 12 .*1.5 processors.*line 13 .*not possible" "... which ones"
like "$err" "1 jobs are larger than the machine and left out; the first is in line 11" "... and what is too large"
is "$(get 'r["broken_lines"]' 'r["never_ran"]' 'r["too_large"]' 'r["results"][0]["jobs"]' <<<"$out")" "5 1 1 4" "... counted"

# Jobspecs.
spec() { hbatch submit --dry-run --env=-* "$@" true; }
if spec -n 1 >/dev/null 2>&1; then
    {
        echo "{\"submit\":0,\"jobspec\":$(spec -N 2 -n 2 -c 2 -t 100s | tr -d '\n')}"
        echo "{\"submit\":5,\"runtime\":10,\"jobspec\":$(spec -n 1 -g 1 -t 50s | tr -d '\n')}"
        echo "{\"submit\":5,\"jobspec\":{\"version\":1}}"
        echo "nonsense"
    } >list.json
    capture hbatch simulate --json --nodes=2 --cores=4 --gpus=1 list.json
    is "$rc" 2 "jobspecs, two of which are none"
    is "$(get 'r["results"][0]["jobs"]' 'r["results"][0]["makespan"]' <<<"$out")" "2 100.0" "the others ran"
    like "$err" "line 3 is left out: jobspec.*line 4 is left out: not a JSON object" "... and what is wrong"
fi

# Models.
hbatch simulate --model=lublin:500,64,7 --write-swf=a.swf
hbatch simulate --model=lublin:500,64,7 --write-swf=- >b.swf
ok "the same seed makes the same jobs" cmp a.swf b.swf
is "$(grep -vc '^;' a.swf)" 500 "as many as asked for"
hbatch simulate --compare --json a.swf >a.json
hbatch simulate --compare --json --model=lublin:500,64,7 --plot=p.svg >b.json
is "$(get 'r["results"][1]["wait_mean"]' <a.json)" "$(get 'r["results"][1]["wait_mean"]' <b.json)" "a model is its trace"
ok "the plot is XML" python3 -c 'import xml.dom.minidom; xml.dom.minidom.parse("p.svg")'
is "$(grep -c polyline p.svg)" $((2 * $(get 'len(r["results"])' <b.json))) "... with a curve for each policy in two diagrams"

# Wrong usage.
capture hbatch simulate nowhere.swf
is "$rc" 1 "no such trace"
like "$err" "cannot read nowhere.swf: No such file" "... said so"
echo "1 0 -1 1 1 -1 -1 1 1 -1 1 -1 -1 -1 -1 -1 -1 -1" >plain.swf
capture hbatch simulate plain.swf
like "$err" "how large is the machine.*--nodes" "no size"
for bad in lublin: lublin:0 lublin:x lublin:5,0 lublin:5,2,x lublin:1,2,3,4 other:5; do
    capture hbatch simulate --model=$bad
    like "$err" "--model=$bad: must be lublin:JOBS" "--model=$bad"
done
capture hbatch simulate --model=lublin:5 plain.swf
like "$err" "which of them" "a trace and a model"
capture hbatch simulate --policy=none -N 1 plain.swf
like "$err" "--policy=none: there is no scheduling policy 'none'" "no such policy"
printf 'a\0b' >zero
capture hbatch simulate zero
like "$err" "zero is no text" "a compressed trace"
: >empty
capture hbatch simulate -N 1 --compare --plot=e.svg empty
is "$rc" 0 "an empty trace"
capture hbatch simulate --plot=/nowhere/x -N 1 plain.swf
like "$err" "--plot: cannot write /nowhere/x" "a plot that cannot be written"
done_testing
