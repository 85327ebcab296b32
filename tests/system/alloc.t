#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Instances inside of instances, as their users reach them: alloc, proxy, uri, --parent, --root and --uri,
# pstree, jobs -R.
# shellcheck disable=SC2016
. "${0%/*}/lib.sh"
need python3 python3
export HBATCH_F58_FORCE_ASCII=1 COLUMNS=100

job_state() { hbatch jobs -no '{state}' "$1"; }
is_in() { [ "$(job_state "$1")" = "$2" ]; } # JOBID STATE
id_of() { hbatch jobs -ano '{name} {id}' | sed -n "s/^$1 //p" | head -1; }

# refuses PART ARGUMENTS...: exit code 1, nothing on stdout, one line on stderr that has PART
refuses() {
    local part=$1
    shift
    capture hbatch "$@"
    if [ $rc = 1 ] && [ -z "$out" ] && [[ $err == *"$part"* && $err != *$'\n'* ]]; then
        pass "refuses: hbatch $*"
    else
        fail "refuses: hbatch $*" "wanted: $part"
        shown "hbatch $*"
    fi
}

instance_start one --test-topology="core:8 pu:1"
top=$HBATCH_URI

# --- alloc ---------------------------------------------------------------------------------------
ok "alloc runs a command" hbatch alloc -n1 true
capture hbatch alloc -n1 sh -c 'exit 7'
is $rc 7 "its exit code"
capture hbatch alloc -n1 sh -c 'kill -9 $$'
is $rc 137 "its signal"
capture hbatch alloc -n1 /no/such/program
is "$rc" 127 "no such program"
like "$err" "/no/such/program: No such file" "is named"
wait_until 10 is_in last INACTIVE
is "$(hbatch jobs -no '{name} {state}' last)" "program INACTIVE" "its job is over"
result() { hbatch jobs -anc1 -o '{name} {state} {result} {returncode}' -n "$@"; }
is "$(result)" "program INACTIVE FAILED 127" "and has failed with the command's exit code"
hbatch alloc -n1 --job-name=seven sh -c 'exit 7'
is "$(result)" "seven INACTIVE FAILED 7" "a job's exit code is that of its command"
ok "which dependencies follow" hbatch batch --wait --output=none -n1 \
    --dependency="afternotok:$(hbatch jobs -anc1 -o '{id}')" --wrap true
capture hbatch alloc -n1 /
is $rc 126 "a program that cannot be run"
ok "alloc with three cores" hbatch alloc -n3 hbatch resource list
like "$out" "free +1 +3 +0 " "has these"
capture hbatch alloc -n2 sh -c 'echo "$HBATCH_INSTANCE_LEVEL $HBATCH_PARENT_URI ${HBATCH_JOB_ID-none}"; cat; hbatch run -n2 printenv HBATCH_TASK_RANK | sort'
is "$out" "1 $top none
0
1" "the command's environment, and jobs inside"
is "$(echo input | hbatch alloc -n1 cat)" input "standard input is the command's"
is "$(id_of sh | wc -l)" 1 "jobs have the names of their commands"
capture hbatch alloc -n1 hbatch submit sleep 1000
is $rc 0 "a job is left in the instance"
is "$(hbatch jobs -n | wc -l)" 0 "which ends all the same"
is "$(hbatch alloc --dry-run -n2 -t 5 true | python3 -c '
import json, sys
s = json.load(sys.stdin)
y = s["attributes"]["system"]
print(s["tasks"][0]["command"], y["duration"], y["job"]["name"], y["shell"]["options"]["instance"])')" \
    "['hbatch-instance', '--no-program'] 300 true True" "--dry-run"
ok "--bg with a command" hbatch alloc --bg -n1 sh -c 'hbatch run echo level $HBATCH_INSTANCE_LEVEL; exit 5'
id=$out
nok "which the instance runs" hbatch job wait "$id"
is "$(hbatch jobs -ano '{name} {returncode}' "$id") $(hbatch output "$id")" "sh 5 level 1" "itself, and ends with it"
ok "--bg, and shutdown of a job's instance" sh -c 'hbatch shutdown "$(hbatch alloc --bg -n1)"'
nok "an exit code that is none" hbatch shutdown --exit-code=256
like "$err" "'256' is not a whole number from 0 to 255" "is refused"
wait_until 10 is_in last INACTIVE
is "$(hbatch jobs -ano '{result}' last)" COMPLETED "ends it in order"
id=$(hbatch alloc --bg -n1)
ok "an exit code for it" hbatch shutdown --exit-code=5 "$id"
hbatch job wait "$id" 2>/dev/null
is "$(result)" "alloc INACTIVE FAILED 5" "is the job's"
refuses "there is no job f2" shutdown f2
refuses "--wait-event is for --bg" alloc --wait-event=start true
refuses "no node of this instance matches" alloc --requires=host:vnode7 -n1 true
capture hbatch alloc -n100 true
is "$rc|$out" "1|" "more than there is"
like "$err" "100|8" "is refused with the number"
capture hbatch alloc -n1 --instance-opt=--rundir=/proc/nonsense true
is $rc 1 "an instance that cannot start"
like "$err" "nonsense" "shows what it said"
like "$err" "ended before it was ready" "and is told of"

# on a terminal
term() { python3 "$lib_dir/terminal.py" "$@"; }
out=$(term hbatch alloc -n1 env PS1='at-$HBATCH_INSTANCE_LEVEL% ' sh -i <<'END'
at-1% 	tty; hbatch run -n1 echo in-$((20+3)) </dev/null
in-23	\c
at-1% 	sh -c 'echo run-$((20+4)); exec sleep 1000'
run-24	\x03\c
at-1% 	exit 5
END
)
is $? 5 "a shell on a terminal, ctrl-C in it, its exit code"
like "$out" "/dev/pts/" "it has the terminal"
out=$(SHELL=/bin/sh term hbatch alloc -n1 <<'END'
# 	echo level $HBATCH_INSTANCE_LEVEL; exit 3
END
)
is $? 3 "the user's shell without a command"
like "$out" "level 1" "is inside"

# --- before it is ready, and after it is gone ----------------------------------------------------------
ok "all cores are taken" hbatch submit --job-name=block -n8 sleep 1000
block=$out
for sig in INT TERM HUP; do
    hbatch alloc -n1 true 2>err &
    pid=$!
    wait_until 10 sh -c '[ -n "$(hbatch jobs -f pending -no "{id}")" ]'
    id=$(hbatch jobs -f pending -no '{id}')
    kill -$sig $pid # also SIGINT, which is ignored in the background: a signalfd has it nevertheless
    wait $pid
    is $? $((128 + $(kill -l $sig))) "SIG$sig while it waits"
    like "$(cat err)" "SIG$sig: job $id is canceled" "is told"
    is "$(hbatch jobs -no '{result}' "$id")" CANCELED "and cancels the job"
done
hbatch alloc -n1 true 2>err & # not even a chance to cancel it
pid=$!
wait_until 10 sh -c '[ -n "$(hbatch jobs -f pending -no "{id}")" ]'
id=$(hbatch jobs -f pending -no '{id}')
kill -9 $pid
ok "SIGKILL while it waits" wait_until 10 is_in "$id" INACTIVE
is "$(hbatch jobs -no '{result} {exception.note}' "$id")" "CANCELED the command that submitted it is gone" \
    "cancels the job"
out=$(term hbatch alloc -v -n1 true <<'END'
jobid: 	\x03\c
END
)
is $? 130 "ctrl-C on a terminal while it waits"
hbatch alloc -n1 true 2>err &
pid=$!
wait_until 10 sh -c '[ -n "$(hbatch jobs -f pending -no "{id}")" ]'
id=$(hbatch jobs -f pending -no '{id}')
hbatch cancel "$id"
wait $pid
is $? 1 "its job is canceled by somebody else"
like "$(cat err)" "ended before it was ready \(cancel" "which is told"
refuses "is not ready: the job is in state SCHED" uri "$(hbatch alloc --bg --wait-event=submit -n1)"
ok "--bg --wait-event returned at once" hbatch cancel last
refuses "(block) is not an instance" uri "$block"
refuses "(block) is not an instance" proxy "$block" true
hbatch proxy "$(hbatch alloc --bg --wait-event=submit -n1)" sh -c 'hbatch shutdown; exit 9' 2>err &
pid=$!
wait_until 10 grep -q waiting err
like "$(cat err)" "waiting for job f[^ ]* \(SCHED\)" "proxy waits for a job that waits, and says so"
hbatch cancel "$block"
wait $pid
is $? 9 "and then runs its command, which may end the instance"

sleep 1003 & # what alloc leaves when it is killed: its command, which knows of nothing
left=$!
hbatch alloc -n1 --job-name=killed sh -c 'hbatch submit --quiet sleep 1004; echo inside; exec tail --pid='$left' -f /dev/null' >out 2>err &
pid=$!
bg=$(hbatch alloc --bg -n1 --job-name=kept)
wait_until 20 grep -q inside out
id=$(id_of killed)
hbatch attach "$id" >/dev/null 2>&1 & # somebody who looks on holds nothing
kill -9 $pid
ok "alloc is killed by SIGKILL" wait_until 20 is_in "$id" INACTIVE
is "$(hbatch jobs -no '{result}' "$id")" CANCELED "and its job ends with it"
kill $left
is "$(job_state "$bg")" RUN "not that of alloc --bg"
hbatch cancel "$bg"

hbatch alloc -n1 -t 1s sh -c 'trap "echo hup; kill -9 \$!; exit 4" HUP; sleep 1000 & echo ready; wait' >out 2>err
is $? 4 "when its time is over the command gets SIGHUP"
is "$(cat out)" "ready
hup" "and can end in order"
like "$(cat err)" "is gone \(timeout" "the reason is told"
mkfifo went
hbatch alloc -n1 sh -c 'echo >went; trap "" HUP; exec sleep 1000' 2>err &
pid=$!
read -r _ <went
hbatch cancel last
wait $pid
is $? 137 "a command that does not mind is killed"
hbatch alloc -n1 sh -c 'trap "kill -9 \$!; exit 6" TERM; sleep 1000 & echo >went; wait' &
pid=$!
read -r _ <went
kill -TERM $pid
wait $pid
is $? 6 "SIGTERM is passed on"
hbatch alloc -n1 sh -c 'echo $$ >child; echo >went; exec sleep 1000' &
pid=$!
read -r _ <went
kill -KILL $pid
wait $pid 2>/dev/null
gone() { ! kill -0 "$(cat child)" 2>/dev/null; }
ok "a killed alloc takes its command along" wait_until 10 gone
hbatch cancel --all 2>/dev/null || hbatch cancel "$(id_of sh)"

# --- --bg, uri, proxy --------------------------------------------------------------------------------
ok "--bg" hbatch alloc --bg -n4
a=$out
is "$(hbatch jobs -no '{name} {state}' "$a")" "alloc RUN" "returns when it runs"
ok "uri" hbatch uri "$a"
uri=$out
like "$uri" "^local:///.*/sock-0$" "is a socket's"
is "$(HBATCH_URI=$uri hbatch getattr level)" 1 "of a sub-instance"
is "$(hbatch uri "jobid:$a")" "$uri" "uri jobid:"
is "$(hbatch uri "$a?remote")" "ssh://$(hostname)${uri#local://}" "uri ?remote"
is "$(hbatch uri --remote "$a?local")" "ssh://$(hostname)${uri#local://}" "options go over it"
is "$(hbatch uri "ssh://$(hostname)${uri#local://}")" "$uri" "ssh:// of this host is local"
is "$(hbatch uri ssh://elsewhere/x)" "ssh://elsewhere/x" "of another one it stays"
is "$(hbatch uri --local ssh://elsewhere/x)" "local:///x" "unless --local is said"
is "$(hbatch uri "$uri")" "$uri" "a URI is itself"
is "$(hbatch uri .)" "$top" "uri ."
is "$(hbatch uri /)" "$top" "uri /"
is "$(HBATCH_URI=$uri hbatch uri ..)" "$top" "uri .."
is "$(HBATCH_URI=$uri hbatch uri "/$a/../$a")" "$uri" "a path up and down"
is "$(hbatch uri --wait last)" "$uri" "uri last"
capture hbatch proxy "$a" sh -c 'echo "$HBATCH_URI $HBATCH_INSTANCE_LEVEL $HBATCH_PARENT_URI"; exit 5'
is "$rc $out" "5 $uri 1 $top" "its environment and exit code"
is "$(hbatch proxy "$a" hbatch alloc --bg -n2 | cut -c1)" f "an instance inside"
b=$(HBATCH_URI=$uri hbatch jobs -no '{id}')
inner=$(hbatch uri "$a/$b")
is "$(hbatch proxy "$a/$b" hbatch getattr level)" 2 "proxy into the second level"
like "$(HBATCH_URI=$inner hbatch resource list)" "free +1 +2 +0 " "which has its two cores"
out=$(SHELL=/bin/sh term hbatch proxy "$a" <<'END'
# 	hbatch getattr level; exit 8
END
)
is $? 8 "a shell"
like "$out" $'\n1(\n|$)' "inside"
capture hbatch proxy "$a" /no/such
is "$rc" 127 "no such program"
refuses "there is no job fZZZZ" proxy fZZZZ true
refuses "is over (COMPLETED): its instance is gone" uri "$(id_of cat)"
refuses "is over (COMPLETED): its instance is gone" proxy "$(id_of cat)" true
refuses "TARGET is missing" proxy
refuses "outermost one (level 0): it has no parent" uri ..
refuses "names no instance" uri x:y
refuses "after the '?' may come" uri "$a?nonsense"
refuses "expected a decimal number, or F58" uri "$a/%%"
refuses "must be the number of a process" uri pid:x
refuses "there is no process 999999999" uri pid:999999999
env -u HBATCH_URI sleep 1000 &
background+=($!)
wait_until 10 grep -qx sleep /proc/$!/comm # no longer env, whose arguments have the word, too
refuses "(sleep) is in no instance" uri pid:$!
HBATCH_URI=$uri sleep 1000 &
background+=($!)
wait_until 10 grep -q sleep /proc/$!/cmdline
like "$(hbatch uri pid:$!)" "^local:///.*/sock-0$" "uri of a process"
rank=$(HBATCH_URI=$uri hbatch getattr pid)
is "$(hbatch uri "pid:$rank")" "$uri" "uri of a rank"
is "$(hbatch uri "pid:$(pgrep -P "$rank" hbatch-exec)")" "$uri" "uri of an executor"

# another host, by what stands for ssh
cat >ssh <<'END'
#!/bin/sh
echo "ssh $1" >&2
[ "$1" = elsewhere ] && shift && exec sh -c "$*"
exit 255
END
chmod +x ssh
mkdir "a dir"
capture env HBATCH_SSH=./ssh hbatch proxy "ssh://elsewhere${uri#local://}" sh -c 'echo "$1|$(hbatch getattr level)|$(basename "$PWD")"; exit 3' sh "it's \$HOME"
is "$rc|$err|$out" "3|ssh elsewhere|it's \$HOME|1|$(basename "$tmp")" "proxy by ssh: words are kept, and the directory"
cd "a dir" || exit
capture env HBATCH_SSH=../ssh hbatch proxy "ssh://elsewhere${uri#local://}" pwd
is "$out" "$PWD" "a directory with a blank"
cd ..
capture env HBATCH_SSH=/no/ssh hbatch proxy ssh://elsewhere/x true
is "$rc" 127 "no ssh"
like "$err" "host elsewhere, and /no/ssh.*No such file" "is told"
capture env PATH=/nonexistent "$builddir/bin/hbatch" uri slurm:$$
like "$rc|$err" "^1\|.*which would ask the job's first node, is not in PATH" "no srun"
mkdir bin
printf '#!/bin/sh\necho "$*" >"%s/srun.args"\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n' "$tmp" >bin/srun
chmod +x bin/srun
(
    unset HBATCH_URI
    export SLURM_JOB_ID=$$
    instance_start slurmy --foreign=none --test-topology="core:1 pu:1"
    echo "$HBATCH_URI" >slurm.uri
    PATH=$tmp/bin:$PATH hbatch uri slurm:$$ >slurm.out 2>&1
    PATH=$tmp/bin:$PATH hbatch uri slurm:1$$ >slurm.bad 2>&1
    instance_stop slurmy
)
is "$(cat slurm.out)" "$(cat slurm.uri)" "uri slurm:"
like "$(cat srun.args)" "^--overlap .*--jobid=1$$ " "asks srun"
like "$(cat slurm.bad)" "no instance was found on the first node" "another job has none"
refuses "must be the number of a job" uri slurm:x

# --- options before the verb ---------------------------------------------------------------------------
is "$(HBATCH_URI=$inner hbatch getattr level)" 2 "level 2"
is "$(HBATCH_URI=$inner hbatch --parent getattr level)" 1 "--parent"
is "$(HBATCH_URI=$inner hbatch -p -p getattr level)" 0 "-p -p"
is "$(HBATCH_URI=$inner hbatch --root getattr level)" 0 "--root"
is "$(HBATCH_URI=$inner hbatch -r --uri="$a" getattr level)" 1 "-r --uri="
is "$(hbatch --uri "$a/$b" getattr level)" 2 "--uri with a path"
refuses "--parent: the instance at $top is the outermost one (level 0)" --parent jobs
HBATCH_URI=$inner refuses "--parent: the instance at $top is the outermost one" -p -p -p jobs
is "$(HBATCH_URI=local:///gone HBATCH_PARENT_URI=$top hbatch -p getattr level)" 0 "--parent of one that is gone: by the environment"
refuses "--uri: there is no job f2" --uri=f2 jobs
capture env HBATCH_SSH=./ssh hbatch --uri="ssh://elsewhere${top#local://}" --parent jobs
like "$err" "^ssh elsewhere.*outermost one" "--uri=ssh:// runs what follows there"
capture env HBATCH_SSH=./ssh hbatch --uri "ssh://elsewhere${top#local://}" run echo "it's there"
is "$rc|$err|$out" "0|ssh elsewhere|it's there" "a verb with its words"
capture env HBATCH_SSH=/no/ssh hbatch --uri=ssh://elsewhere/x jobs
is "$rc" 127 "without ssh"
like "$err" "host elsewhere, and /no/ssh.*No such file" "it is told"
refuses "needs a value" --uri
refuses "a verb is missing" --root
capture hbatch proxy "$a/$b" hbatch --parent run -n1 sh -c 'echo $HBATCH_URI $HBATCH_INSTANCE_LEVEL'
is "$out" "$uri 1" "hbatch --parent run: a job of the parent"
capture hbatch proxy "$a/$b" hbatch --parent --parent submit --job-name=chained true
id=$out
ok "hbatch --parent --parent submit" hbatch job wait "$id"
is "$(hbatch jobs -no '{name}' "$id")" chained "is a job of the outermost one"

# --- the tree ------------------------------------------------------------------------------------------
for i in 1 2; do HBATCH_URI=$inner hbatch submit --quiet --job-name=work sleep 1000; done
HBATCH_URI=$uri hbatch submit --quiet --job-name=side sleep 1000
side() { [ "$(hbatch pstree | grep -c side)" = 1 ] && hbatch pstree | grep -q '2\*\[work\]'; }
wait_until 10 side
is "$(hbatch pstree)" '.
`-- alloc
    |-- side
    `-- alloc
        `-- 2*[work]' "pstree with three levels"
is "$(hbatch pstree --json | python3 -c '
import json, sys
def names(o):
    return sorted(str((j["name"], names(j))) if "jobs" in j else j["name"] for j in o["jobs"])
print(names(json.load(sys.stdin)))')" \
    "$(hbatch jobs -R -f running --json | python3 -c '
import json, sys
def names(o):
    return sorted(str((j["name"], names(j))) if "jobs" in j else j["name"] for j in o["jobs"])
print(names(json.load(sys.stdin)))')" "pstree --json: as jobs -R --json"
is "$(hbatch pgrep --json side | python3 -c 'import json, sys; print(*(j["name"] for j in json.load(sys.stdin)["jobs"]))')" "" \
    "pgrep --json is of one instance"
is "$(LC_ALL=C.UTF-8 hbatch pstree -X)" '.
└── alloc
    ├── side
    └── alloc
        ├── work
        └── work' "box drawing, -X"
is "$(LC_ALL=C.UTF-8 hbatch pstree -C -p --skip-root)" "$a alloc
├─side
└─$b alloc
  └─2*[work]" "-C -p --skip-root"
is "$(LC_ALL=C.UTF-8 hbatch pstree --ascii -L1 -o '{name}/{ntasks}')" '.
`-- alloc/4
    |-- side/1
    `-- alloc/2' "--ascii -L1 --label"
is "$(hbatch pstree -L0)" '.
`-- alloc' "-L0"
capture hbatch pstree -x
like "$out" "^ +JOBID USER +ST NTASKS NNODES +RUNTIME
 +$a [a-z_0-9]+ +R +4 +1 +[0-9.]+[smh] alloc
 +f[^ ]+ [a-z_0-9]+ +R +1 +1 +[0-9.]+[smh] \|-- side
 +$b .* \`-- alloc
 +f[^ ]+ .*     \|-- work
 +f[^ ]+ .*     \`-- work$" "pstree -x"
unlike "$(hbatch pstree -xn)" JOBID "-n: no header"
told() { hbatch pstree -d stats | grep -q 'PD:0 R:2 CD:1 '; } # once a second
wait_until 10 told
like "$(hbatch pstree -d stats | head -2)" "STATS.*$a +PD:0 R:2 CD:[0-9]+ F:0 .* alloc" "pstree -d stats"
like "$(hbatch pstree -d resources | sed -n 2p)" "$a +1 +1 +4 +3 +0 +0 alloc" "-d resources"
like "$(hbatch pstree -d progress | sed -n 1p)" "NJOBS +PROG +CORE% +GPU%" "-d progress"
refuses "must be default, resources, progress or stats" pstree -d nonsense
is "$(hbatch pstree --detail-format='{id}|' -n -L0)" "$a| alloc" "--detail-format"
is "$(hbatch pstree "$a" | head -2)" 'alloc
|-- side' "a job's tree"
like "$(hbatch pstree -a)" '^\.
.*[|`]-- alloc' "-a: has"
like "$(hbatch pstree -a)" "chained:CD" "what is over"
is "$(COLUMNS=8 hbatch pstree | tail -1)" '       +' "lines are cut"
is "$(COLUMNS=8 hbatch pstree -l | tail -1)" '        `-- 2*[work]' "-l: not"
refuses "cannot be used together" pstree --ascii --compact
refuses "must be yes or no" pstree --skip-root=maybe
refuses "neither a state" pstree -f nonsense
refuses "--label:" pstree -o '{nonsense}'
capture hbatch pstree f2
is "$rc|$err" "1|hbatch pstree: there is no job f2" "pstree of a job that is not"

capture hbatch jobs -Rno '{id} {name}'
is "$(sed -E 's/f[^ ]+ (side|work)/id \1/' <<<"$out")" "$a alloc

$a:
id side
$b alloc

$a/$b:
id work
id work" "jobs -R"
is "$(hbatch jobs -L1 -no '{name}')" "alloc

$a:
side
alloc" "-L1"
is "$(hbatch jobs -L0 -no '{name}')" "alloc" "-L0"
like "$(hbatch jobs -R --stats-only)" "1 running, .*
$a:
2 running, .*
$a/$b:
2 running, 0 completed, 0 failed, 0 pending" "--stats-only"
is "$(hbatch jobs -R --json | python3 -c '
import json, sys
def names(o): return [[j["name"], names(j)] if "jobs" in j else j["name"] for j in o["jobs"]]
print(names(json.load(sys.stdin)))')" "[['alloc', ['side', ['alloc', ['work', 'work']]]]]" "--json nests"
is "$(hbatch jobs -R --json "$a" | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["jobs"]))')" 2 "of one job"

# --- the end -------------------------------------------------------------------------------------------
mapfile -t before < <(HBATCH_URI=$inner hbatch jobs -no '{id}')
is "${#before[@]}" 2 "two jobs in the second level"
hbatch cancel "$a"
ok "a canceled job is over" hbatch job wait-event "$a" clean
[ $rc = 0 ] || hbatch job status "$a"
refuses "is over (CANCELED): its instance is gone" proxy "$a" true
refuses "is gone" --uri="$uri" jobs
instance_stop one
is $rc 0 "the outermost instance ends"

# --- several nodes -------------------------------------------------------------------------------------
if instance_start many -s 3 --test-topology="core:2 pu:1"; then
    ok "alloc -N2" hbatch alloc -N2 hbatch resource list
    like "$out" "free +2 +4 +0 " "has two nodes"
    capture hbatch alloc -N2 sh -c 'hbatch run -N2 printenv HBATCH_TASK_RANK | sort; exit 4'
    is "$rc $out" "4 0
1" "and runs jobs on both; the exit code"
    ok "three levels" hbatch alloc -N3 hbatch alloc -N2 hbatch alloc -N1 sh -c 'hbatch getattr level; hbatch -p -p -p getattr size'
    is "$out" "3
3" "at the third, and the way up"
    ok "--bg -N2" hbatch alloc --bg -N2
    a=$out
    capture hbatch proxy "$a" hbatch getattr size
    is "$out" 2 "proxy into two nodes"
    ok "hbatch shutdown in it" hbatch proxy "$a" hbatch shutdown
    ok "ends the job" hbatch job wait-event "$a" clean
    is "$(hbatch jobs -no '{result}' "$a")" COMPLETED "in good order"
    instance_stop many
else
    fail "an instance of three virtual nodes"
fi

# --- hosts that are not this one -------------------------------------------------------------------------
# leader STEPS: an instance of two nodes elsewhere that answers by this script
leader() {
    mkfifo ready
    : >log
    printf '%s' "[{\"method\":\"instance.info\",\"result\":{\"size\":2,\"level\":0,\"hostname\":\"elsewhere\",\"rundir\":\"$tmp\"}},
        {\"method\":\"resource.list\",\"result\":{\"nodes\":[{\"rank\":0,\"host\":\"elsewhere\"},{\"rank\":1,\"host\":\"elsewhere2\"}]}},$1]" >script
    python3 "$lib_dir/fakeleader.py" "$tmp/fake" log script >ready &
    background+=($!)
    read -r _ <ready
    rm ready
    export HBATCH_URI=local://$tmp/fake
}
job='"id":5,"name":"x","state":"RUN","uri":"local:///gone/sock-0","nodelist":"elsewhere[2-3]"'
leader '{"method":"job.submit","if":"here.sh","result":{"id":5,"count":1},"notes":[["job.output",{"id":5,"io":{"stream":"stdout","rank":"0","data":"hello\n"}}],["job.end",{"id":5,"result":"FAILED","status":768,"exit":3,"left":0}]]},
    {"method":"job.submit","result":{"id":5,"count":1},"notes":[["job.event",{"id":5,"event":{"timestamp":1,"name":"memo","context":{"uri":"local:///gone/sock-0"}}}]]},
    {"method":"job.info","result":{"jobspec":{"attributes":{"system":{"shell":{"options":{"instance":true}}}}}}},
    {"method":"job.list","result":{"jobs":[{'"$job"'}],"more":false}},
    {"method":"job.cancel","result":{"canceled":1,"errors":[]},"stream":"job.submit","notes":[["job.end",{"id":5,"result":"CANCELED","status":-1,"exit":0,"left":0}]]}'
capture hbatch alloc -N2 ./here.sh "a b"
is "$rc|$out" "3|hello" "a command goes along to the sub-instance, and is attached to"
is "$(python3 -c '
import json
for line in open("log"):
    m = json.loads(line)
    if m["method"] == "job.submit": print(m["params"]["jobspec"]["tasks"][0]["command"])')" \
    "['hbatch-instance', './here.sh', 'a b']" "in its specification"
printf '#!/bin/sh\necho "$1"; echo "$2"; exit 200\n' >ssh
capture env HBATCH_SSH=./ssh hbatch alloc -N2
is $rc 200 "a shell goes to the sub-instance's first node by ssh"
like "$out" "^elsewhere2
cd .*; exec .*hbatch proxy local:///gone/sock-0 sh -c '.*SHELL.*hbatch shutdown --background --exit-code=.*" "and ends it"
ok "if that failed, the job is canceled" grep -q job.cancel log
is "$(hbatch uri f6)" ssh://elsewhere2/gone/sock-0 "uri of an instance that is on another host"
is "$(hbatch uri --local f6)" local:///gone/sock-0 "--local"
HBATCH_SSH=./ssh refuses "the instance at ssh://elsewhere2/gone/sock-0: ./ssh ended without having reached it on host elsewhere2" proxy f6 true
like "$(env HBATCH_SSH=./ssh hbatch proxy f6?remote true)" "^elsewhere2" "proxy with ?remote goes there"
HBATCH_SSH=./ssh refuses "without having reached it on host elsewhere2" uri f6/f7
HBATCH_SSH=./ssh refuses "without having reached it on host elsewhere2" --uri=f6 jobs
capture hbatch jobs -Rno '{name}'
is "$rc|$out|$err" "0|x|hbatch jobs: what runs in the instances on other hosts is left out (elsewhere2): it can be asked for there" "jobs -R says once what it leaves out"
capture hbatch pstree
is "$rc|$out|$err" '0|.
`-- x|hbatch pstree: what runs in the instances on other hosts is left out (elsewhere2): it can be asked for there' "so does pstree"

for p in "${background[@]}"; do kill "$p" 2>/dev/null; done
left() { # what of hbatch is still there, and of jobs
    strays | while read -r p; do
        tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null | sed -n "s/.*[h]batch-\(instance\|exec\).*/$p &/p; s/^[s]leep 1000.*/$p &/p"
    done
}
nothing_left() { [ -z "$(left)" ]; }
wait_until 10 nothing_left
is "$(left)" "" "nothing of all that is left"
done_testing
