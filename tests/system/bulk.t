#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Many jobs at once: bulksubmit, its inputs and replacement strings; submit's and bulksubmit's --progress, --wait,
# --watch and --log; what is shared and refused.
. "${0%/*}/lib.sh"
need python3 python3
inside --test-topology="core:4 pu:1"
export HBATCH_F58_FORCE_ASCII=1

# dry WANTED NAME ARGUMENTS...: the commands that bulksubmit would submit, without "bulksubmit: submit "
dry() {
    local wanted=$1 name=$2
    shift 2
    capture hbatch bulksubmit --dry-run "$@"
    out=${out//bulksubmit: submit /}
    is "$rc|${out//$'\n'/|}" "0|$wanted" "$name"
}

# refuses PART ARGUMENTS...
refuses() {
    local part=$1
    shift
    capture hbatch bulksubmit "$@"
    if [ $rc = 1 ] && [ -z "$out" ] && [[ $err == *"$part"* && $err != *$'\n'* ]]; then
        pass "refuses: $*"
    else
        fail "refuses: $*" "wanted: $part"
        shown "hbatch bulksubmit $*"
    fi
}

# --- inputs --------------------------------------------------------------------------------------
printf 'x\ny z\n\n' >list
dry "echo a|echo 'b c'" "words" echo {} ::: a "b c"
dry "echo a 1|echo a 2|echo b 1|echo b 2" "combinations" echo {} {1} ::: a b ::: 1 2
dry "echo a-1|echo b-2" "linked" echo {}-{} ::: a b :::+ 1 2
dry "echo x|echo 'y z'" "a file" echo {} :::: list
dry "echo x|echo y|echo z" "white space divides" --sep=none echo {} :::: list
dry "x|'y z'" "no command: the inputs" :::: list
dry "echo 1.txt 1 000|echo 2.txt 2 001" "text and numbers" echo {./} {./%} '{seq:03}' ::: d/1.txt d/2.txt
capture bash -c 'printf "p\nq\n" | hbatch bulksubmit --dry-run ./run {}'
is "$out" $'bulksubmit: submit ./run p\nbulksubmit: submit ./run q' "standard input"
capture bash -c 'printf "p\0q\0" | hbatch bulksubmit --dry-run --sep="\0" ./run {1} {0} ::: 1 :::: -'
is "$out" $'bulksubmit: submit ./run p 1\nbulksubmit: submit ./run q 1' "standard input beside others"
dry "-n1 --job-name=j1 x|-n2 --job-name=j2 x" "options that differ are shown" -n {} --job-name=j{} -t 5 x ::: 1 2
dry "echo a.out" "--define" --define=o='{/.}.out' echo {.o} ::: d/a.in
dry "echo '{x}' '{{id}}' '{cc}'" "braces that stay" echo '\{x}' '{{id}}' {cc} ::: a
is "$(hbatch bulksubmit --dry-run --shuffle echo {} ::: {1..50} | sort -V)" \
    "$(hbatch bulksubmit --dry-run echo {} ::: {1..50})" "--shuffle: the same jobs"
isnt "$(hbatch bulksubmit --dry-run --shuffle echo {} ::: {1..50})" \
    "$(hbatch bulksubmit --dry-run echo {} ::: {1..50})" "... in another order"

# --- mistakes ------------------------------------------------------------------------------------
refuses "{2} in 'x{2}' is input 2" echo 'x{2}' ::: a ::: b
refuses "{1} in '{1}' is input 1, and there is only one" echo {1} ::: a
refuses "{foo} in '{foo}' is no replacement string" echo {foo} ::: a
refuses "nothing is defined as 'o'" echo {.o} ::: a
refuses "has a { without its }" echo { ::: a
refuses "--ntasks: {3} in '{3}'" -n {3} echo ::: a
refuses "no inputs after ':::'" echo :::
refuses "':::x' is no separator" echo :::x a
refuses "':::+' links inputs to those before" echo :::+ a
refuses "cannot read '/nonexistent/f'" echo :::: /nonexistent/f
refuses "can be read once only" echo :::: - :::: -
refuses "nothing to submit" echo {}
refuses "--sep: an empty text" --sep= echo {}
refuses "--sep: '\\q' has an unknown escape" --sep='\q' echo {}
refuses "no code is run here" --define='p=2**int(x)' echo {.p} ::: 1
refuses "is no regular expression" --define='p=s/(/x/' echo {.p} ::: 1
refuses "--cc and --bcc cannot be used together" --cc=1 --bcc=1 echo ::: a
refuses "--cc: id set 'x'" --cc=x echo ::: a
refuses "did you mean --shuffle" --shufle echo ::: a
refuses "--urgency: 'x'" --urgency={} echo ::: x
refuses "input 'x': --ntasks=x" -n {} true ::: x
refuses "more than 10000000" --shuffle echo $(for i in 1 2 3 4; do printf '::: '; seq -s ' ' 100; done)

# --- submitting ----------------------------------------------------------------------------------
capture hbatch bulksubmit --quiet --watch echo {1}{0}{seq} ::: a b ::: 1 2
is "$rc $(sort <<<"$out" | tr '\n' ' ')" "0 1a0 1b2 2a1 2b3 " "--watch"
capture hbatch bulksubmit --quiet --watch ::: /nowhere/a
like "$rc $err" "^127 hbatch bulksubmit: [^ ]+: FAILED: exception type=exec task 0: /nowhere/a: No such file or directory$" \
    "--watch tells why a job could not start, in a sentence"
ids=$(hbatch bulksubmit --wait echo {1}{0}{seq} ::: a b ::: 1 2)
is "$(hbatch jobs -a -n -c4 -o '{id.f58} {ntasks}')" "$(tac <<<"$ids" | sed 's/$/ 1/')" "ids are printed in the order of the inputs"
capture hbatch bulksubmit --wait --quiet sh -c 'exit {}' ::: 0 3 1
is "$rc|$out" "3|" "--wait: the greatest exit code; --quiet: no ids"
capture hbatch bulksubmit --wait -n {} true ::: 1 2 9 x 4
is "$rc $(wc -l <<<"$out")" "1 3" "a refused one does not keep the others from running"
like "$err" "input '9': this instance has 4 cores; 9 were asked for" "... and is told"
like "$err" "input 'x': --ntasks=x" "... with its input"
capture hbatch bulksubmit --quiet -n 99 true {} ::: {1..30}
is "$rc $(wc -l <<<"$err")" "1 21" "of many that are refused, twenty are told"
like "$err" "10 more submissions were refused" "... and the rest counted"
capture hbatch bulksubmit --quiet --watch --cc=0-{} --define=x='{}' echo {cc}-{.x} ::: 1 2
is "$(sort <<<"$out" | tr '\n' ' ')" "0-1 0-2 1-1 1-2 2-2 " "an array for each input"
capture hbatch bulksubmit --wait --output='{}.{{id}}' --log='log.{}' echo {} ::: p q
is "$(cat p.*) $(cat q.*) $(cat log.p | wc -l) $(cat log.q | wc -l)" "p q 1 1" "--output and --log for each job"
capture hbatch bulksubmit --wait sh -c 'echo $X >env.{}' --env=X={} ::: 1
X=one hbatch bulksubmit --wait --quiet sh -c 'echo $X-{} >env.{}' ::: 1 2 3
is "$(cat env.1 env.2 env.3)" $'one-1\none-2\none-3' "the environment that is sent once is that of all"
hbatch bulksubmit --wait --quiet --env=X={} sh -c 'echo $X >env.{}' ::: 1 2 3
is "$(cat env.1 env.2 env.3)" $'1\n2\n3' "... and each has its own where it differs"
id=$(hbatch bulksubmit --wait true {} ::: 1 2 | tail -1)
is "$(hbatch job info "$id" jobspec | python3 -c 'import json, sys
print(type(json.load(sys.stdin)["attributes"]["system"]["environment"]).__name__)')" dict \
    "job info: the environment is back in its place"
capture python3 "$lib_dir/raw.py" "$HBATCH_URI" '{"jsonrpc":"2.0","id":1,"method":"job.submit","params":{"jobspec":{"version":1,"resources":[{"type":"slot","count":1,"label":"t","with":[{"type":"core","count":1}]}],"tasks":[{"command":["true"],"slot":"t","count":{"per_slot":1}}],"attributes":{"system":{"duration":0,"environment":"e0"}}}}}'
like "$out$err" "no job here has an environment named 'e0'" "the name of no environment"

# what comes later is submitted later, and what came is not kept back by it
mkfifo pipe
hbatch bulksubmit --log=ids echo {} <pipe &
bulk=$!
exec 9>pipe
echo one >&9
ok "the first input of a pipe runs before the second one is there" wait_until 30 test -s ids
echo two >&9
exec 9>&-
wait $bulk
is $? 0 "bulksubmit ends with its input"
is "$(wc -l <ids)" 2 "... with both ids"

# --- progress ------------------------------------------------------------------------------------
capture hbatch submit --cc=1-20 --quiet --wait --progress --jps true
is "$rc" 0 "--progress without a terminal"
like "$err" "^hbatch submit: 20 of 20 jobs, 0 failed, [0-9.]+ job/s, after [0-9]+s$" "... is a line on stderr"
capture hbatch bulksubmit --quiet --wait --progress sh -c 'exit {}' ::: 0 1 0
like "$rc $err" "^1 hbatch bulksubmit: 3 of 3 jobs, 1 failed, after" "... and tells of failures"
capture hbatch bulksubmit --quiet --progress -n {} true ::: 1 99
like "$rc $err" "hbatch bulksubmit: 2 of 2 jobs, 1 failed" "... of submissions as well"
# nothing runs before the first picture is there
script -qfec 'hbatch submit --cc=1-20 --urgency=hold --quiet --wait --progress --jps true' picture >/dev/null </dev/null &
bar=$!
ok "... on a terminal a bar" wait_until 30 grep -q "PD:20 " picture
hbatch job urgency "$(hbatch jobs --fold -no '{id}')" default
wait $bar
like "$(cat picture)" "PD:20 .*PD:0 +CD:20 +F:0 .*\[=+\] +100.0% +[0-9.]+ job/s" "... which tells all, and the rate"
capture script -qec 'hbatch watch --all --progress' /dev/null
like "$out" "100.0%" "watch --progress"

# --- many ----------------------------------------------------------------------------------------
seq 20000 >many
capture hbatch bulksubmit --urgency=hold true {} :::: many
is "$rc $(wc -l <<<"$out") $(sort -u <<<"$out" | wc -l)" "0 20000 20000" "20,000 jobs are accepted"
note "in $ms ms"
is "$(hbatch jobs -n -c1 -o '{state}')" SCHED "... and are held"
capture hbatch cancel --all
is "$rc $(hbatch jobs -n | wc -l)" "0 0" "... and canceled"
done_testing
