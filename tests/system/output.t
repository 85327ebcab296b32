#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Output and input of jobs through a whole instance: nothing is lost, mixed up, or held up.
. "${0%/*}/../system/lib.sh"
need python3 python3
inside --test-topology="core:4 pu:1"

sum() { sha256sum | cut -c1-16; }
no_job_is_left() { [ -z "$(hbatch jobs -no '{id}')" ]; }
event() { timeout 20 hbatch job wait-event -q "$1" "$2"; }

# --- run -----------------------------------------------------------------------------------------
capture hbatch run sh -c 'echo out; echo err >&2'
is "$out" "out" "stdout is apart"
is "$err" "err" "stderr is apart"
printf 'no newline' >wanted
hbatch run cat wanted >got </dev/null
ok "no trailing newline: none is added" cmp wanted got
printf 'a\nb' >wanted
hbatch run -l cat wanted >got </dev/null
is "$(od -c got | head -3 | tr -s ' ')" "$(printf '0: a\n0: b\n' | od -c | tr -s ' ')" "with labels, lines are whole"
head -c 3000000 /dev/urandom >random
hbatch run cat random >got </dev/null
ok "binary data" cmp random got
hbatch run sh -c 'cat random >&2' 2>got </dev/null
ok "binary data on stderr" cmp random got
printf '\0\n\0\0\n\377\376' >wanted
hbatch run cat wanted >got </dev/null
ok "zeros and what is no UTF-8" cmp wanted got
is "$(hbatch run head -c 50000000 /dev/zero </dev/null | wc -c)" 50000000 "50 MB"
is "$(hbatch run seq 500000 </dev/null | sum)" "$(seq 500000 | sum)" "many lines, in order"
is "$(hbatch run -n 4 sh -c 'seq 20000 | sed "s/^/$HBATCH_TASK_RANK /"' </dev/null | sort | sum)" \
    "$(for r in 0 1 2 3; do seq 20000 | sed "s/^/$r /"; done | sort | sum)" "lines of several tasks are not mixed"
hbatch run -l -n 4 sh -c 'seq 2000 | sed "s/^/$HBATCH_TASK_RANK /"' </dev/null >got
is "$(awk -F'[: ]+' '$1 != $2' got | head -1)" "" "labels tell whose line it is"
is "$(wc -l <got)" 8000 "all lines"
is "$(hbatch run sh -c '(sleep 0.2; echo late) & echo early' </dev/null | head -1)" early "output of what a task leaves behind does not hold it up"
capture hbatch run true
is "$out$err" "" "nothing is nothing"
mkfifo slow
hbatch run head -c 8000000 /dev/zero >slow </dev/null &
reader=$(python3 - <<'END'
import os, time
fd = os.open("slow", os.O_RDONLY)
total = 0
while True:
    data = os.read(fd, 4096 if total < 200000 else 1 << 20)
    if not data:
        break
    total += len(data)
    if total < 200000:
        time.sleep(0.005)
print(total)
END
)
wait $!
is "$?|$reader" "0|8000000" "a slow reader gets all of it"
hbatch run sh -c 'yes | head -c 20000000' </dev/null | head -c 100 >/dev/null
is "${PIPESTATUS[0]}" 141 "who reads goes away: hbatch run ends as of SIGPIPE"
ok "no job is left of it" wait_until 20 no_job_is_left
hbatch run sh -c 'for i in 1 2 3; do echo $i; read x; done' <<<$'a\nb\nc' >got
is "$(tr '\n' ' ' <got)" "1 2 3 " "a dialogue"

# --- attach --------------------------------------------------------------------------------------
mkfifo gate
id=$(hbatch submit sh -c 'echo first; read x <gate; echo second; echo third >&2; exit 3')
mkfifo during
hbatch job attach "$id" >during 2>during.err </dev/null &
attach=$!
exec 9<during
read -r line <&9
is "$line" first "attach during: what came before"
echo go >gate
rest=$(cat <&9)
exec 9<&-
wait $attach
is "$?|$rest" "3|second" "attach during: the rest, and the exit code"
like "$(cat during.err)" "third" "and stderr"
capture hbatch job attach "$id"
is "$rc|$out" $'3|first\nsecond' "attach after the end"
capture hbatch job attach -l "$id"
is "$out" $'0: first\n0: second' "... with labels"
id=$(hbatch submit -n 3 sh -c 'cat random; exit 0')
hbatch job wait "$id"
is "$(hbatch job attach "$id" </dev/null | wc -c)" 9000000 "all of a large output, later"
for i in 1 2 3 4; do hbatch job attach -l "$id" </dev/null | sum >many.$i & done
wait
ok "four at once" test -s many.4
capture hbatch submit --wait --watch --quiet --cc=1-5 sh -c 'echo element $HBATCH_JOB_CC'
is "$(sort <<<"$out" | tr '\n' ';')" "element 1;element 2;element 3;element 4;element 5;" "submit --watch"

# --- files ---------------------------------------------------------------------------------------
id=$(hbatch submit --wait --output='out.{{id}}' --error='err.{{name}}.{{taskid}}' --job-name=naming -n 2 \
    sh -c 'echo "to out $HBATCH_TASK_RANK"; echo "to err $HBATCH_TASK_RANK" >&2')
is "$(sort "out.$id" 2>/dev/null || sort out.*)" $'to out 0\nto out 1' "--output with {{id}}"
is "$(cat err.naming.0 err.naming.1)" $'to err 0\nto err 1' "--error with {{name}} and {{taskid}}: one file for each task"
hbatch submit --quiet --wait --output=both -n 1 sh -c 'echo one; echo two >&2; echo three'
is "$(sort both | tr '\n' ' ')" "one three two " "stderr goes where stdout goes"
hbatch submit --quiet --wait --output=labels -l -n 2 sh -c 'echo x'
is "$(sort labels)" $'0: x\n1: x' "labels in files"
hbatch run --output=copy cat random </dev/null
ok "binary data in files" cmp random copy
capture hbatch run --output=copy echo again
is "$out|$(cat copy)" "|again" "an output file is written anew"

# --- input ---------------------------------------------------------------------------------------
is "$(echo hello | hbatch run cat)" hello "stdin"
is "$(echo hello | hbatch run -l -n 3 cat)" "0: hello" "stdin is for task 0"
is "$(echo hello | hbatch run -l -n 3 --input=all cat 2>&1 | sort)" $'0: hello\n1: hello\n2: hello' "stdin for all"
is "$(echo hello | hbatch run -l -n 3 --input=1-2 cat | sort)" $'1: hello\n2: hello' "stdin for some"
echo from file >infile
is "$(hbatch run -n 2 --input=infile cat </dev/null | sort | uniq -c | xargs)" "2 from file" "input from a file"
head -c 20000000 /dev/urandom >large
is "$(hbatch run cat <large | sum)" "$(sum <large)" "20 MB through cat"
is "$(cat large | hbatch run sh -c 'cat | cat' | sum)" "$(sum <large)" "20 MB through pipes"
ok "a task that does not read its input" sh -c 'cat large | hbatch run true'
ok "a task that reads some of it" sh -c 'cat large | hbatch run head -c 1000'
is "$(printf '\0\377\n\0' | hbatch run od -An -tx1 | xargs)" "00 ff 0a 00" "binary input"
is "$(hbatch run cat </dev/null)" "" "no input"
ok "the instance goes on" hbatch run true
done_testing
