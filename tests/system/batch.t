#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# hbatch batch: scripts in instances of their own, and what they are made of.
. "${0%/*}/../system/lib.sh"
need python3 python3
inside --test-nodes=2 --test-topology="core:4 pu:1"

# get PATH: of the jobspec on standard input, as JSON; PATH: a Python expression after the object
get() { python3 -c 'import json,sys; print(json.dumps(eval("j" + sys.argv[1], {"j": json.load(sys.stdin)})))' "$1"; }
dry() { hbatch batch --dry-run "$@" | get "$path"; }
field() { hbatch jobs -ano "{$2}" "$1"; }
line() { sed -n "$2p" "$1"; }
# marked: processes with MARK in their environment; their number
marked() { cat /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | grep -c "^MARK=$1\$"; }
none_is_marked() { [ "$(marked "$1")" = 0 ]; }
has_line() { grep -qs "$2" "$1"; }

# --- the specification -------------------------------------------------------------------------------
cat >job.sh <<'END'
#!/bin/sh
echo "args: $#: $*"
exit 3
END
path="['tasks'][0]['command']"
is "$(dry job.sh a 'b c')" '["hbatch-instance", "{{tmpdir}}/script", "a", "b c"]' "the command: hbatch-instance and the script"
is "$(dry --instance-opt=--policy=fcfs --instance-opt=-v job.sh)" \
    '["hbatch-instance", "--policy=fcfs", "-v", "{{tmpdir}}/script"]' "--instance-opt"
path="['attributes']['system']['files']['script']"
is "$(dry job.sh | get "['data']")" "$(python3 -c 'import json; print(json.dumps(open("job.sh").read()))')" "the script goes along"
is "$(dry job.sh | get "['mode']")" 33216 "as a file that can be run"
path="['attributes']['system']['shell']['options']"
is "$(dry job.sh | get "['instance']")" true "the job is an instance"
is "$(dry job.sh | get "['per-resource']")" '{"type": "node"}' "with one rank a node"
is "$(dry job.sh | get "['output']['stdout']['path']")" '"hbatch-{{id}}.out"' "its default output file"
path="['attributes']['system']['job']['name']"
is "$(dry ./job.sh)" '"job.sh"' "its name is the script's"
is "$(dry --job-name=x ./job.sh)" '"x"' "or another one"
is "$(dry --wrap '/bin/echo x; date')" '"echo"' "... that of the first command"
path="['resources']"
is "$(dry -n4 -c2 -g1 job.sh)" "$(hbatch submit --dry-run -n4 -c2 -g1 true | get "$path")" "slots are as tasks: -n -c -g"
is "$(dry -N2 job.sh)" "$(hbatch submit --dry-run -N2 true | get "$path")" "... -N alone, whole nodes"
is "$(dry --cores=4 -N2 job.sh)" "$(hbatch submit --dry-run --cores=4 -N2 true | get "$path")" "... --cores"
is "$(dry --nslots=2 --cores-per-slot=2 job.sh)" "$(dry --ntasks=2 --cores-per-task=2 job.sh)" "long names of both kinds"

# --- it runs -----------------------------------------------------------------------------------------
ok "a script that need not be executable" hbatch batch job.sh a 'b c'
id=$out
nok "it fails" hbatch job wait "$id"
is "$(hbatch job status "$id" >/dev/null 2>&1; echo $?)" 3 "with its exit code"
is "$(cat hbatch-*"${id#f}.out")" "args: 2: a b c" "its output is in hbatch-ID.out"
is "$(field "$id" name)" job.sh "its name"
capture hbatch batch --wait --quiet job.sh
is "$rc$out" 3 "--wait has the exit code; --quiet prints no id"

cat >inside.sh <<'END'
#!/bin/bash
echo "level $HBATCH_INSTANCE_LEVEL"
[ "$HBATCH_PARENT_URI" = "$OUTER" ] && echo "parent known"
[ "$HBATCH_URI" != "$OUTER" ] && echo "own uri"
echo "left: $(env | grep -c '^HBATCH_\(JOB_ID\|JOB_SIZE\|TASK\)')"
hbatch resource list -n -s free -o "{nnodes} {ncores}"
hbatch run -n2 sh -c 'echo "size $HBATCH_JOB_SIZE"' | sort -u
hbatch submit --quiet --cc=1-4 --wait true && hbatch jobs -ano '{result}' | sort | uniq -c | xargs
hbatch run -n99 true 2>&1 | grep -o '99'
END
ok "a script with jobs" env OUTER="$HBATCH_URI" hbatch batch --wait -n3 --output=inside.out inside.sh
is "$(line inside.out 1)" "level 1" "HBATCH_INSTANCE_LEVEL"
is "$(line inside.out 2)" "parent known" "HBATCH_PARENT_URI"
is "$(line inside.out 3)" "own uri" "HBATCH_URI"
is "$(line inside.out 4)" "left: 0" "nothing of the outer job in the environment"
is "$(line inside.out 5)" "1 3" "the instance has what the slots say"
is "$(line inside.out 6)" "size 2" "hbatch run"
is "$(line inside.out 7)" "5 COMPLETED" "hbatch submit, and hbatch jobs tells of the instance's own jobs only"
is "$(line inside.out 8)" "99" "what the instance has not is refused in it"
is "$(hbatch jobs -ano '{name}' | grep -c '^true$')" 0 "and unknown outside of it"
ok "on two nodes" env OUTER="$HBATCH_URI" hbatch batch --wait -N2 -n4 --output=two.out inside.sh
is "$(line two.out 5)" "2 4" "it has two of their cores each"
ok "a job over both" hbatch batch --wait -N2 --output=both.out --error=both.err --wrap \
    "hbatch run -N2 -n4 sh -c 'echo \$HBATCH_NODE_ID' | sort | uniq -c | xargs"
is "$(cat both.out)" "2 0 2 1" "it has tasks on each"
nok "more than there is" hbatch batch -N3 job.sh
like "$err" "3" "is refused at once"

ok "a held script" hbatch batch --urgency=hold --output=held.out job.sh one
held=$out
printf '#!/bin/sh\necho changed\n' >job.sh
hbatch job urgency "$held" default
nok "it may change" hbatch job wait "$held"
is "$(cat held.out)" "args: 1: one" "after it was submitted"
printf '#!/bin/sh\necho "args: $#: $*"\nexit 3\n' >job.sh

# --- words and standard input ----------------------------------------------------------------------
run_wrap() { hbatch batch --quiet --wait --output=wrap.out "$@"; }
ok "--wrap joins words, and the shell reads them" run_wrap --wrap echo a '&&' 'echo  "b  c"'
is "$(cat wrap.out)" $'a\nb  c' "as eval does"
from_stdin() { printf "$1" | hbatch batch --quiet --wait --output=stdin.out "${@:2}"; }
nok "a script from standard input" from_stdin '#!/bin/sh\necho "$0" | sed "s/.*[/]//"\nexit 4\n'
is "$rc $(cat stdin.out)" "4 script" "it runs"
is "$(field "$(hbatch job last)" name)" batch "its name is batch"
ok "--wrap of standard input" from_stdin 'echo wrapped\n' --wrap
is "$(cat stdin.out)" wrapped "it runs, too"
ok "--wrap does not harm what is a script" from_stdin '#!/usr/bin/env python3\nprint("py")\n' --wrap
is "$(cat stdin.out)" py "it has its own interpreter"

# --- output, environment, directory ---------------------------------------------------------------
ok "--output=none" run_wrap --output=none --wrap 'echo to the job; hbatch run echo of a job in it'
is "$(hbatch attach last 2>/dev/null)" $'to the job\nof a job in it' "attach shows it"
ok "--error" run_wrap --output=o.out --error=e.out --wrap 'echo o; echo e >&2'
is "$(cat o.out)+$(cat e.out)" "o+e" "two files"
mkdir sub
ok "--cwd, --env" run_wrap --cwd="$tmp/sub" --env=COLOR=red --output=where.out --wrap 'pwd; hbatch run sh -c "pwd; echo \$COLOR"'
is "$(cat sub/where.out)" "$tmp/sub"$'\n'"$tmp/sub"$'\n'red "also of the jobs in it"
ok "--input" run_wrap --input=both.out --wrap cat
is "$(cat wrap.out)" "2 0 2 1" "a file"

# --- directives --------------------------------------------------------------------------------------
cat >direct.sh <<'END'
#!/bin/sh
# Options of this job:
#hbatch: -N2 -n4            # two nodes
#
#hbatch: --job-name="my job" --output=direct.out
#hbatch: --setattr=user.conf="""
#hbatch: [config]
#hbatch:   item = "foo"
#hbatch: """
hbatch resource list -n -s free -o "{nnodes} {ncores}"
END
ok "directives" hbatch batch --wait direct.sh
is "$(cat direct.out)" "2 4" "give it its size"
is "$(field "$(hbatch job last)" name)" "my job" "and name"
path="['attributes']['user']['conf']"
is "$(dry direct.sh)" '"[config]\n  item = \"foo\"\n"' "texts of several lines"
ok "the command line goes over them" hbatch batch --wait --output=over.out -N1 -n1 direct.sh
is "$(cat over.out)" "1 1" "in each option"
is "$(field "$(hbatch job last)" name)" "my job" "that it has"
sed 's/hbatch: /FLUX: /' direct.sh >flux.sh
is "$(dry flux.sh)" "$(dry direct.sh)" "those of Flux are the same"
ok "--wrap in a directive" from_stdin '#flux: --wrap -n2\necho wrapped too\n'
is "$(cat stdin.out)" "wrapped too" "works"
from_stdin '#!/bin/sh\n#flux: --broker-opts=-v -o mpi=none\n' --dry-run >/dev/null 2>err.txt
like "$(cat err.txt)" "stdin: line 2: .*broker-opts.*stdin: line 2: .*'mpi'" "what only Flux knows is ignored, with a note"

# --- files that go along ----------------------------------------------------------------------------
printf '\377binary' >data.bin && chmod 640 data.bin
capture hbatch batch --quiet --wait --output=files.out --add-file=data.bin --add-file=run.sh:700=$'#!/bin/sh\necho "$# $1"\n' \
    --add-file=copy=job.sh --wrap 'cd "${0%/*}"; ls; stat -c %a data.bin run.sh copy | xargs; ./run.sh x; cmp data.bin '"$tmp/data.bin"
is "$rc $(xargs <files.out)" "0 copy data.bin hbatch-$(sed -n 's/^hbatch-//p' files.out) run.sh script 640 700 $(stat -c %a job.sh) 1 x" "--add-file"
hbatch batch --quiet --wait --output=files.out --add-file=data.bin -n1 -t 1h --wrap 'cmp $HBATCH_JOB_TMPDIR/data.bin '"$tmp/data.bin"'
    [ "$HBATCH_ENCLOSING_ID" = "$(hbatch getattr jobid)" ] && echo same; hbatch run sh -c "cmp \$HBATCH_JOB_TMPDIR/data.bin data.bin" 2>&1
    hbatch job timeleft -H; hbatch --parent job timeleft -H $HBATCH_ENCLOSING_ID'
is "$(head -n 1 files.out) $(tail -n 2 files.out | xargs)" "same 60m 60m" "the script has the job's directory and id, and its time"
like "$(cat files.out)" "cmp: .*data.bin: No such file" "jobs inside have their own"
is "$(hbatch run --add-file=x=$'text\n' cat '{{tmpdir}}/x')" text "of any job"
path="['attributes']['system']['files']"
like "$(dry --add-file=data.bin job.sh)" '"data.bin": \{"mode": 33184, "data": "[^"]*", "encoding": "base64"\}' "in the specification"

# --- dependencies -----------------------------------------------------------------------------------
path="['attributes']['system']['dependencies']"
like "$(dry --dependency=afterok:f1 --begin-time=+1h job.sh)" "afterok.*begin-time" "--dependency, --begin-time"
ok "batch jobs one after the other" hbatch batch --urgency=hold --output=dep1.out --wrap 'echo first; sleep 0.1; echo end'
one=$out
ok "a second one" hbatch batch --dependency=afterok:"$one" --output=dep2.out --wrap "cat dep1.out; exit 5"
two=$out
ok "a third one, that cannot be" hbatch batch --dependency=afterok:"$two" --output=dep3.out --wrap true
three=$out
ok "and a fourth" hbatch batch --dependency=afternotok:"$two" --output=dep4.out --wrap 'echo fourth'
four=$out
hbatch job urgency "$one" default
hbatch job wait "$one" "$two" "$three" "$four" >/dev/null 2>&1
is "$(cat dep2.out)" $'first\nend' "the second had the first's output"
is "$(field "$three" result) $(ls dep3.out 2>&1 | grep -c "^dep3.out")" "FAILED 0" "the third was not run"
is "$(cat dep4.out 2>/dev/null)" fourth "the fourth was"
cat >chain.sh <<'END'
#!/bin/bash
echo "link $1"
[ "$1" = 3 ] && exit
hbatch --parent batch --quiet --output="chain$(($1 + 1)).out" chain.sh $(($1 + 1))
END
if hbatch --help | grep -q -e --parent; then
    ok "a chain of jobs by --parent" hbatch batch --wait --output=chain1.out chain.sh 1
    wait_until 20 has_line chain3.out "link 3"
    is "$(cat chain*.out)" $'link 1\nlink 2\nlink 3' "each submits the next one"
else
    skip "a chain of jobs by --parent" "there is no --parent"
fi

# --- nested ------------------------------------------------------------------------------------------
cat >nested.sh <<'END'
#!/bin/bash
echo "level $HBATCH_INSTANCE_LEVEL of $1, $(hbatch resource list -n -s free -o '{ncores}')" >>nested.out
[ "$HBATCH_INSTANCE_LEVEL" = "$1" ] && hbatch run sh -c 'exit 6'
[ "$HBATCH_INSTANCE_LEVEL" = "$1" ] && exit 6
hbatch batch --wait --quiet -n $((4 - HBATCH_INSTANCE_LEVEL)) --output=none nested.sh "$1"
END
nok "three deep" hbatch batch --wait --quiet -n4 nested.sh 3
is "$rc" 6 "the exit code of the innermost script comes up"
is "$(cat nested.out)" $'level 1 of 3, 4\nlevel 2 of 3, 3\nlevel 3 of 3, 2' "each has part of the one around it"

# --- ends ----------------------------------------------------------------------------------------------
cat >tree.sh <<'END'
#!/bin/bash
hbatch submit -n2 sleep 1000
setsid sleep 1001 &
hbatch batch -n2 --output=none --wrap "hbatch run sh -c 'echo deep >deep; sleep 1002'"
sleep 1003
END
MARK=cancel$$ hbatch batch -N2 -n8 --output=tree.out tree.sh >/dev/null
tree=$(hbatch job last)
wait_until 30 has_line deep deep
isnt "$(marked cancel$$)" 0 "a tree of jobs runs"
ok "it is canceled" hbatch cancel "$tree"
nok "and ends" timeout 30 hbatch job wait "$tree"
is "$(field "$tree" result)" CANCELED "as canceled"
ok "nothing of it is left" wait_until 20 none_is_marked cancel$$
is "$(hbatch resource list -n -s free -o '{ncores}')" 8 "what it had is free"
rm -f deep
MARK=left$$ hbatch batch --quiet --wait --output=left.out --wrap "hbatch submit sh -c 'echo deep >deep; sleep 1000'; while [ ! -s deep ]; do sleep 0.02; done"
is "$?" 0 "a script that leaves jobs behind"
ok "they end with it" wait_until 20 none_is_marked left$$
rm -f deep
MARK=late$$ hbatch batch --quiet --output=late.out -n2 -t 1s tree.sh
late=$(hbatch job last)
nok "a time limit" timeout 30 hbatch job wait "$late"
is "$(field "$late" result)" TIMEOUT "ends it"
ok "and all in it" wait_until 20 none_is_marked late$$
nok "an instance that cannot start" hbatch batch --wait --output=bad.out --instance-opt=--rundir=/proc/nosuch job.sh
like "$(cat bad.out)" "run directory /proc/nosuch" "says why in the output"
nok "a script whose interpreter is not there" from_stdin '#!/nosuch/sh\n'
is "$rc" 127 "exits with 127"
rundir=${HBATCH_URI#local://}
left=$(ls "${rundir%/*}"/jobtmp-*/* 2>/dev/null | grep -c script)
is "$left" 0 "no script is left behind"

# --- rejects: one sentence that names what is wrong, exit code 1 -------------------------------------
reject() { # NAME REGEX ARGUMENTS...
    capture hbatch batch "${@:3}" 3<&-
    like "$rc $err" "^1 hbatch batch: .*$2" "$1"
    [ "$(wc -l <"$tmp/.err")" = 1 ] || fail "$1: one line"
}
script() { printf "$1" >bad.sh; }
reject "no such file" "nosuch.sh: No such file" nosuch.sh
reject "a directory" "sub: Is a directory" sub
script ''
reject "an empty script" "bad.sh: .*empty" bad.sh
reject "no standard input" "stdin: .*empty"
script 'echo\n'
reject "no #!" "bad.sh: .*#!.*--wrap" bad.sh
script '#!\n'
reject "#! alone" "bad.sh: .*interpreter" bad.sh
script '#!/bin/sh\r\necho\r\n'
reject "DOS line ends" "bad.sh: .*carriage return" bad.sh
conf() { hbatch batch --dry-run --wrap -n1 "$@" true | python3 -c '
import json, sys
print(*json.load(sys.stdin)["tasks"][0]["command"][1:-1])'; }
is "$(conf --conf=policy=fcfs --conf=attributes.color=red --conf=property='["a:vnode1", "b"]' --conf=verbose=true)" \
    "--policy=fcfs --setattr=color=red --property=a:vnode1 --property=b --verbose" "--conf=KEY=VALUE"
cat >conf.toml <<'END'
# of an instance
policy = "fcfs" # the only one
property = ["a", 'b']
verbose = false
[attributes]
a.b = 3.50
"c d" = 'e'
END
is "$(conf --conf=conf.toml)" "--policy=fcfs --property=a --property=b --setattr=a.b=3.50 --setattr=c d=e" "a TOML file"
echo '{"idle-return":"5m","attributes":{"x":{"y":1}}}' >conf.json
is "$(conf --conf=conf.json)" "--idle-return=5m --setattr=x.y=1" "a JSON file"
is "$(conf --conf=$'policy = "fcfs"\n')" "--policy=fcfs" "a text of lines"
while IFS='|' read -r what want; do
    reject "--conf=$what" "$want" --conf="$(printf '%b' "$what")" job.sh
done <<'END'
nonsense=1|no setting 'nonsense'.*policy
resource.noverify=true|no setting 'resource'
/no/such/file|/no/such/file.*No such file
idle-return=xyz|idle-return: .*'xyz'
idle-return=[1]|idle-return must be a single value
property=[["a"]]|property must be a text or a list
attributes.a=[1]|attributes.a must be a single value
verbose=3|verbose must be true or false, not 3
a b=3|'a b=3': must be KEY=VALUE
policy = "a"\npolicy = "b"|line 2: policy is set twice
\n[a|line 2: must be KEY = VALUE
\npolicy = "a|line 2: the value of policy
\npolicy = [1|line 2: the value of policy
\npolicy = 1 2|line 2: the value of policy
{"policy":|is not a JSON object
/bin/true|no text in UTF-8
END

script '#!/bin/sh\nhbatch getattr color\nhbatch run true; hbatch run sh -c "exit 3"\nhbatch submit --quiet --cc=1-3 --wait true\n'
cp bad.sh dump.sh
hbatch config set queues.q1 '{}'
ok "batch --dump --conf --queue --setattr --flags" hbatch batch -n1 --dump=jobs-{{id.f58plain}}-{{name}}.db --conf=attributes.color=red \
    --queue=q1 --setattr=user.key=7 --flags=waitable --output=dump.out dump.sh
id=$out
ok "--flags=waitable" timeout 30 hbatch job wait "$id"
like "$(cat dump.out)" $'^red\n|\nred(\n|$)' "its attribute"
is "$(hbatch jobs -ano '{queue}' "$id")" q1 "its queue"
hbatch config unset queues
like "$(hbatch job info "$id" jobspec)" '"key": ?7[^0-9]' "its job's attribute"
is "$(python3 - "jobs-$id-dump.sh.db" <<'END'
import os, sqlite3, sys
print(oct(os.stat(sys.argv[1]).st_mode & 0o777))
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
for row in db.execute("select name, result, waitstatus, eventlog like '%finish%' from jobs"):
    print(*row)
END
)" "0o600
true COMPLETED 0 1
sh FAILED 768 1
true COMPLETED 0 None
true COMPLETED 0 None
true COMPLETED 0 None" "--dump leaves all jobs in an SQLite file"
mkdir gone
ok "--dump where none can be written" hbatch batch --wait -n1 --dump="$PWD/gone/x" --output=dump.out --wrap "rmdir $PWD/gone"
like "$(cat dump.out)" "--dump: cannot write '$PWD/gone/x" "is told"
ok "alloc --dump" hbatch alloc -n1 --dump hbatch run true
is "$(ls hbatch-*-dump.sqlite | wc -l)" 1 "writes hbatch-{{id}}-dump.sqlite"

script '#!/bin/sh\n\377\n'
reject "not UTF-8" "bad.sh: .*UTF-8" bad.sh
reject "a binary" "true: .*binary" /bin/true
{ echo '#!/bin/sh'; head -c 1100000 /dev/zero | tr '\0' '#'; } >bad.sh
reject "a large one" "bad.sh: .*1024 KiB" bad.sh
reject "more than can be read at once" "larger" /dev/zero
reject "words that are not UTF-8" "UTF-8" --wrap $'echo \xff'
script '#!/bin/sh\n#flux: -N1\necho\n#flux: -n1\n'
reject "a directive too late" "bad.sh: line 4: .*line 2" bad.sh
script '#!/bin/sh\n#flux: -N1\n# flux: -n1\n'
reject "another sentinel" "bad.sh: line 3: .*'# flux:'" bad.sh
script '#!/bin/sh\n\n#flux: --job-name="x\n'
reject "an open quote" "bad.sh: line 3: .*\"x" bad.sh
script '#!/bin/sh\n#flux: -N1\n#flux: --nosuch\n'
reject "an unknown option" "bad.sh: line 3: .*--nosuch" bad.sh
script '#!/bin/sh\n#flux: -N1\n#flux: --nodse=3\n'
reject "a slip" "bad.sh: line 3: .*--nodse.*--nodes" bad.sh
script '#!/bin/sh\n#flux: -N1\n#flux: -n four\n'
reject "a bad value" "bad.sh: line 3: .*nslots=four" bad.sh
script '#!/bin/sh\n#flux: -N1 other.sh\n'
reject "an operand" "bad.sh: line 2: .*'other.sh'" bad.sh
script '#!/bin/sh\n#flux: run\n'
reject "no option" "bad.sh: line 2: .*'run'" bad.sh
reject "a bad value of the command line" "nslots=x" -n x job.sh
reject "more nodes than slots" "2 nodes.*slots" -N2 -n1 job.sh
reject "an unknown option" "--bogus" --bogus job.sh
reject "a file that is not there" "add-file.*/no/such: No such file" --add-file=x=/no/such job.sh
reject "a directory that should go along" "no regular file" --add-file=/tmp job.sh
reject "a reserved name" "'script' cannot be the name" --add-file=script=job.sh job.sh
reject "a name with a slash" "'a/b' cannot be the name" --add-file=a/b=job.sh job.sh
reject "permissions that are none" "'9': the permissions" --add-file=a:9=job.sh job.sh
head -c 1100000 /dev/zero >large
reject "a large file" "large: is larger than 1024 KiB" --add-file=large job.sh
reject "no option for hbatch-instance" "'run'" --instance-opt=run job.sh
reject "input to tasks" "--input=0" --input=0 job.sh

# --- what would only be seen when the instance starts, or at its end, is seen before
jobs=$(hbatch jobs -a -c1 -no '{id}')
mkdir adir
: >afile
printf '[queues.a]\nrequires = ["x"]\n[policy\n' >bad.toml
for option in output error dump; do
    reject "--$option: no such directory" "--$option=no/x: [^ ]*/no does not exist: make that directory first" --$option=no/x job.sh
    reject "--$option: a directory" "--$option=adir: [^ ]*/adir is a directory, not a file" --$option=adir job.sh
    reject "--$option: below a file" "--$option=afile/[{][{]id}}: [^ ]*/afile is not a directory" --$option='afile/{{id}}' job.sh
done
reject "--input" "--input=no: [^ ]*/no cannot be read: No such file" --input=no job.sh
reject "--cwd: no such directory" "--cwd=/no: /no does not exist" --cwd=/no job.sh
reject "--cwd: a file" "--cwd=afile: [^ ]*/afile is not a directory" --cwd=afile job.sh
reject "an option that hbatch-instance has not" "the instance would not start: --bogus: no such option" --instance-opt=--bogus job.sh
reject "a configuration with an error" "bad.toml: line 3: " --conf=bad.toml job.sh
reject "a setting that there is not" "would not start: .*policy.bogus: there is no such setting" --conf=policy.bogus=1 job.sh
reject "a file of the instance's that is not there" "would not start: .*/no/file: No such file" --instance-opt=--config=/no/file job.sh
nok "alloc" hbatch alloc -n1 --instance-opt=--bogus true
like "$err" "^hbatch alloc: the instance would not start: --bogus: no such option" "is as careful"
is "$(hbatch jobs -a -c1 -no '{id}')" "$jobs" "nothing of all that was submitted"
ok "a directory that a job before makes" hbatch batch -n1 --dependency=afterany:"$jobs" --output='later/{{id}}' job.sh
hbatch cancel "$(hbatch job last)" 2>/dev/null
ok "a tag that is none" hbatch batch --wait -n1 --wrap --output='tag-{{bogus}}' true
like "$err" "[{][{]bogus}} is no tag, and stays as it is" "is told"
ok "a directory from here" hbatch batch --wait -n1 --wrap --cwd=adir --output=here pwd
is "$(cat adir/here)" "$PWD/adir" "--cwd=DIR"
is "$(timeout 20 hbatch run echo alive)" alive "and the instance is well"
done_testing
