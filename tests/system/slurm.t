#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Slurm's commands (hbatch env --compat=slurm): what scripts and programs for Slurm say and read.
# shellcheck disable=SC2016
. "${0%/*}/lib.sh"
inside --test-nodes=2 --test-topology="core:4 pu:1"
eval "$(hbatch env --compat=slurm)"
is "$(command -v sbatch)" "$builddir/compat/slurm/bin/sbatch" "they are found"
me=$(id -un)
state() { sacct -XPno state -j "$1"; }
ended() { hbatch job wait "$1" >/dev/null 2>&1; }

# --- sbatch ----------------------------------------------------------------------------------------
cat >job.sh <<'END'
#!/bin/bash
# a comment
#SBATCH --job-name=first  # and another
#SBATCH -N 2 --ntasks-per-node=2 -t 00:10:00
#SBATCH --account=none -p hbatch --mem=1G --mail-type=ALL

#SBATCH --output=out.%x.%j
echo "words $*"
env | grep ^SLURM_ | sort >env
srun sh -c 'echo $SLURM_PROCID/$SLURM_NTASKS node $SLURM_NODEID local $SLURM_LOCALID job $SLURM_JOB_ID' | sort
srun -n1 -N1 sh -c 'echo one of $SLURM_NTASKS on $SLURM_NNODES of $SLURM_JOB_NUM_NODES'
squeue -h -o '%i %j %T %D' -j $SLURM_JOB_ID
#SBATCH -N 100 is too late here
exit 3
END
capture sbatch job.sh a "b c"
like "$out" "^Submitted batch job [0-9]+$" "sbatch"
id=${out##* }
ended "$id"
is "$(cat "out.first.$id")" "words a b c
0/4 node 0 local 0 job $id
1/4 node 0 local 1 job $id
2/4 node 1 local 0 job $id
3/4 node 1 local 1 job $id
one of 1 on 1 of 2
$id first RUNNING 2" "its output: directives, words, steps with their variables, the cluster as seen from inside"
while read -r variable; do
    like "$(cat env)" "(^|$(printf '\n'))$variable($(printf '\n')|$)" "its environment: $variable"
done <<END
SLURM_JOB_ID=$id
SLURM_JOBID=$id
SLURM_JOB_NAME=first
SLURM_JOB_NODELIST=[^ ]+
SLURM_JOB_NUM_NODES=2
SLURM_NNODES=2
SLURM_NTASKS=4
SLURM_NTASKS_PER_NODE=2
SLURM_JOB_CPUS_PER_NODE=2\(x2\)
SLURM_TASKS_PER_NODE=2\(x2\)
SLURM_CPUS_ON_NODE=2
SLURM_SUBMIT_DIR=$PWD
SLURM_JOB_PARTITION=hbatch
SLURM_JOB_USER=$me
SLURM_CLUSTER_NAME=hbatch
SLURM_PROCID=0
END
is "$(sacct -XPno jobid,jobname,state,exitcode,ncpus,nnodes,timelimit -j "$id")" "$id|first|FAILED|3:0|4|2|00:10:00" "sacct tells how it ended"
is "$(sacct -Pno jobidraw,state -j "$id" | xargs)" "$id|FAILED $id.batch|FAILED" "... with its batch step"
like "$(sacct -j "$id")" "JobID +JobName +Partition +Account +AllocCPUS +State ExitCode +.-+ -+ .* $id +first +hbatch +4 +FAILED +3:0" "... as a table"
like "$(scontrol show job "$id")" "JobId=$id JobName=first.*JobState=FAILED Reason=NonZeroExitCode.*ExitCode=3:0.*TimeLimit=00:10:00.*NumNodes=2 NumCPUs=4" "scontrol show job"
is "$(scontrol -o show job "$id" | wc -l)" 1 "... in one line"
capture sbatch -W --wrap='exit 5'
is $rc 5 "--wait: the exit code of the script"
capture sbatch --parsable -o none -J a.name --export=NONE,A=1 --wrap='env >env2'
like "$out" "^[0-9]+$" "--parsable"
ended "$out"
is "$(grep -cE '^(TEST_MARK|HBATCH_TEST_INSIDE)=' env2) $(grep -cE '^(A=1|SLURM_JOB_NAME=a.name|HOME=)' env2)" "0 3" "--export=NONE,A=1"
capture env B=2 sbatch --parsable --export=ALL,A="'1,\$0'" -e err.%j -D / -o "$PWD/o.%j" --wrap='echo $A$B $PWD; echo e >&2' 
ended "$out"
is "$(cat "o.$out") $(cat "/err.$out" 2>/dev/null)" '1,$02 / e' "--export=ALL, --chdir, --output, --error"
rm -f "/err.$out"
capture sbatch </dev/null
like "$rc $err" "^1 sbatch: error: Batch script is empty" "no script"
echo 'echo hi' >bad.sh
capture sbatch bad.sh
like "$rc $err" "^1 .*does not look like a batch script" "a script without #!"
printf '#!/bin/sh\n#SBATCH --foo=1\n' >bad.sh
capture sbatch bad.sh
like "$rc $err" "^1 sbatch: error: bad.sh: line 2: .*no option --foo=1" "an unknown directive: file and line"
printf '#!/bin/sh\n\n#SBATCH -J "a b\n' >bad.sh
capture sbatch bad.sh
like "$rc $err" "^1 .*bad.sh: line 3: the quote" "... a bad quote"

# --- every option that sbatch --help of Slurm 22.05 names is known: it means something, nothing, or is refused with a reason
sbatch --help >help
for option in account array bb bbf begin chdir cluster-constraint clusters comment constraint container contiguous \
    core-spec cores-per-socket cpu-freq cpus-per-gpu cpus-per-task deadline delay-boot dependency distribution \
    error exclude exclusive export export-file extra-node-info get-user-env gid gpu-bind gpu-freq gpus \
    gpus-per-node gpus-per-socket gpus-per-task gres gres-flags hold ignore-pbs input job-name licenses mail-type \
    mail-user mcs-label mem mem-per-cpu mem-per-gpu mincpus nice no-kill no-requeue nodefile nodelist nodes ntasks \
    ntasks-per-core ntasks-per-node ntasks-per-socket output overcommit oversubscribe parsable partition power \
    priority profile propagate qos quiet reboot requeue reservation signal sockets-per-node spread-job switches \
    thread-spec threads-per-core time time-min tmp uid use-min-nodes verbose wait wckey wrap; do
    grep -qE -- " (-.,)?--$option(\[|=|:|\$| |$)" help || echo "$option"
done >unknown
is "$(cat unknown)" "" "sbatch knows all options of Slurm's"
for command in srun salloc squeue scancel sacct scontrol sinfo sacctmgr sstat; do
    $command --help 2>&1 | grep -q "^Usage: $command .OPTIONS. .*hbatch-compat(7)$" || echo $command
done >unknown
is "$(cat unknown)" "" "... and all commands have --help"
like "$(srun -n2 --help)" "^Usage: srun " "--help behind other options"
is "$(srun --quiet sh -c 'echo $1' sh --help)" "--help" "... but not behind the command"
for _ in 1 2 3; do sbatch -J alone -d singleton -o none --wrap 'sleep 100' >/dev/null; done
alone() { [ "$(squeue -h -n alone -o %t | sort | xargs)" = "PD PD R" ]; }
ok "--dependency=singleton: one at a time" wait_until 30 alone
scancel -n alone

# --- rejects: a regular expression and a command
while IFS=@ read -r regex command; do
    capture bash -c "$command"
    if [ "$rc" = 1 ] && [[ $err =~ ${regex% } ]]; then pass "refused:$command"; else
        fail "refused:$command"
        shown "$command (wanted: $regex)"
    fi
done <<'END'
no option --nonesuch @ sbatch --nonesuch --wrap true
-n.*needs a value|option -n @ sbatch -n
'x' must be a whole number @ sbatch -n x --wrap true
number of nodes .-N 0. @ sbatch -N 0 --wrap true
'5x' is no time limit @ sbatch -t 5x --wrap true
8 cores; 100 were asked @ sbatch -n 100 --wrap true
no licenses @ sbatch -L matlab --wrap true
array specification: a @ sbatch --array=a --wrap true
Job dependency problem: 12: @ sbatch -d afterok:12 --wrap true
after, afterany, afterok and afternotok @ sbatch -d afterok: --wrap true
no 'any of these' @ sbatch -d 'afterok:1?afterok:2' --wrap true
after, afterany, afterok and afternotok @ sbatch -d aftercorr:1 --wrap true
--begin: 'sometime' is no time @ sbatch --begin=sometime --wrap true
GPUs alone @ sbatch --gres=fpga:1 --wrap true
Unable to open file nonesuch @ sbatch nonesuch
No command given @ srun -n1
pmix, pmi2 and none @ srun --mpi=foo true
^srun: .*this instance has [0-9]* cores; 999 were asked for @ srun -n 999 true
^salloc: .*this instance has [0-9]* cores; 999 were asked for @ salloc -n 999 true
^srun: .*task.s. exited with exit code 1 @ srun false
no option --bogus @ srun --bogus true
--het-group: @ srun --het-group=0 true
Invalid sort specification: ij @ squeue -S ij
Invalid node name specification @ squeue -w 'n['
Invalid job state specified: FOO @ squeue -t FOO
Invalid job id specified @ squeue -j 12
Invalid job id x @ squeue -j x
Bad job/step specified: x @ sacct -j x
Invalid field requested: "nonesuch" @ sacct -o nonesuch
No job identification @ scancel
Invalid node name specification @ scancel -w 'n['
Invalid job id x1 @ scancel x1
Unknown job signal: FOO @ scancel -s FOO 12
there are job, node @ scontrol show nonesuch
has no 'reconfigure' @ scontrol reconfigure
Invalid job id specified @ scontrol show job 12
are missing @ scontrol hold
TimeLimit, Partition, JobName and Account, not Foo=1 @ scontrol update JobId=12 Foo=1
Invalid job id specified @ scontrol update JobId=12 TimeLimit=1
TimeLimit: 'x' is no @ scontrol update JobId=12 TimeLimit=x
State=DRAIN with a Reason @ scontrol update NodeName=x State=POWER_UP
Invalid node name specified: x @ scontrol update NodeName=x State=DRAIN Reason=y
has show and list, not 'add' @ sacctmgr add user x
show 'x': there are @ sacctmgr show x
Unknown field 'x' @ sacctmgr show qos format=x
give me any jobs @ sstat
Invalid field requested @ sstat -j 12 -o nonesuch
there is batch_script @ scontrol write x
Invalid job id specified @ scontrol write batch_script 12
to get a connection|socket|instance @ env -u HBATCH_URI HBATCH_URI=local:///nonexistent squeue
END

# --- a queue, seen by squeue -----------------------------------------------------------------------
full=$(sbatch --parsable -J full -o /dev/null -n8 --wrap='trap "" USR1; while :; do sleep 0.1; done')
hbatch wait-event "$full" start >/dev/null
array=$(sbatch --parsable -J arr -o 'a.%A_%a' --array=0-6:2,9 --wrap='echo task $SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_JOB_ID')
next=$(sbatch --parsable -J next -t 5 -o /dev/null --dependency=afterok:"$array" --wrap=true)
held=$(sbatch --parsable -J held -H -o /dev/null --wrap=true)
later=$(sbatch --parsable -J later --begin=now+1hour -o /dev/null --wrap=true)
like "$(squeue)" "^ +JOBID PARTITION +NAME +USER ST +TIME +NODES NODELIST\(REASON\)" "squeue's heading"
is "$(squeue -h -o '%i|%j|%t|%r|%D|%C|%l' | sort)" "$(sort <<END
$full|full|R|None|2|8|UNLIMITED
${array}_[0,2,4,6,9]|arr|PD|Resources|1|1|UNLIMITED
$next|next|PD|Dependency|1|1|5:00
$held|held|PD|JobHeldUser|1|1|UNLIMITED
$later|later|PD|BeginTime|1|1|UNLIMITED
END
)" "what runs, and why others wait"
is "$(squeue -h -r -o %i -n arr | xargs)" "${array}_0 ${array}_2 ${array}_4 ${array}_6 ${array}_9" "-r: each element"
is "$(squeue -h -o %K -j "${array}_4")" 4 "an element by its number"
is "$(squeue -h -t R -o %i --me)" "$full" "-t, --me"
is "$(squeue -h -u nobody,"$me" -t pd -n held,later -O jobid:30,name:6,statecompact | xargs)" "$later later PD $held held PD" "-O, -u, -n; what is held comes last"
is "$(squeue --json | python3 -c 'import json,sys; print(sum(j["job_state"]=="PENDING" for j in json.load(sys.stdin)["jobs"]))' 2>&1)" 4 "--json"
like "$(sinfo)" "PARTITION AVAIL  TIMELIMIT  NODES  STATE NODELIST.hbatch\* +up +infinite +2 +alloc " "sinfo"
is "$(sinfo -h -o '%P %D %t %C %F')" "hbatch* 2 alloc 8/0/0/8 2/0/0/2" "sinfo -o"
is "$(sinfo -h -N -o '%c' | xargs)" "4 4" "sinfo -N"
like "$(sinfo -N | head -n 2)" "^NODELIST +NODES PARTITION STATE *.[^ ]+ +1 +hbatch\* alloc" "... as a table"
capture sinfo -h -o '%i %v'
like "$rc $err|$out" "^0 Invalid node format specification: i.%i 22" "a letter that is not there"
is "$(squeue -h -S -j -o %j | xargs) $(squeue -h -S t,j -o %j | xargs)" "next later held full arr arr held later next full" "-S"
is "$(squeue -h -S i -O 'state:3,jobid:5,name:,partition:#' | head -n 1)" "RUN$full fullhbatch#" "-O with widths and what follows; ids are not cut"
capture squeue -h -j "$full" -o '%j%_%C' 
like "$rc $err|$out" "^0 squeue: error: Invalid job format specification: _.full%_8$" "a letter that is not there is shown as it is"
capture squeue -h -j "$full" -O name:,nonesuch,numcpus:
like "$rc $err|$out" "^0 squeue: error: Invalid job format specification: nonesuch.full8$" "... and a name has no column"
is "$(squeue -h -j "$full" -o %all | tr -cd "|" | wc -c)" 51 "%all"
is "$(squeue -h -A none) $(squeue -h -q other) $(squeue -h -w nosuchnode)" "  " "-A, -q, -w"
like "$(squeue -s)" "STEPID +NAME PARTITION +USER +TIME NODELIST.* *$full.batch +full" "-s"
like "$(sstat -n -P -j "$full" -o jobid,maxrss,ntasks)" "^$full.batch\|\|[0-9]+$" "sstat"
is "$(scontrol write batch_script "$held" - | tail -n 1)" true "scontrol write batch_script"
node=$(scontrol show hostnames "$(sinfo -h -o %N)" | head -n 1)
like "$(scontrol show node "$node")" "^NodeName=$node .*CPUAlloc=4 .*State=ALLOCATED" "scontrol show node"
ok "a node is drained" scontrol update NodeName="$node" State=DRAIN Reason="a test"
like "$(sinfo -h -R)" "a test .*$node" "sinfo -R"
ok "... and resumed" scontrol update NodeName="$node" State=RESUME
ok "a job is signaled" scancel -s USR1 "$full"
is "$(squeue -h -j "$full" -o %T)" RUNNING "... and lives on"
ok "a job is canceled" scancel "$full"
ended "$full"
is "$(state "$full") $(squeue -h -j "$full")" "CANCELLED " "it was, and is in the queue no more"
ok "a job is changed" scontrol update JobId="$held" TimeLimit=20 JobName=other
is "$(squeue -h -o '%l %j' -j "$held")" "20:00 other" "... its time limit and name"
ok "... in other words, with what means nothing here" scontrol update job "$held" comment=x nice=5
ok "jobs by their name" scontrol hold name=other
ok "a job is released" scontrol release name=other
ended "$held"
ended "$next"
is "$(sacct -XPno jobid,state -j "$array,$next,$held" | xargs)" \
    "${array}_0|COMPLETED ${array}_2|COMPLETED ${array}_4|COMPLETED ${array}_6|COMPLETED ${array}_9|COMPLETED $next|COMPLETED $held|COMPLETED" "then the others ran"
is "$(cat "a.${array}_6")" "task 6 of $array" "an element knows what it is of, and its file is named so"
ok "by name" scancel -n later
ok "what is not there need not be canceled" scancel 12
is "$out$err" "" "... and nothing is said"
capture scancel -v 12
like "$err" "Kill job error on job id 12: Invalid job id specified" "... unless it is asked for"
capture scancel x
like "$rc $err" "^1 scancel: error: Invalid job id x" "no id at all"
ok "an array knows its size" sbatch -W -o 'size.%a' --array=2-8:3 --wrap='echo $SLURM_ARRAY_TASK_COUNT $SLURM_ARRAY_TASK_MIN $SLURM_ARRAY_TASK_MAX $SLURM_ARRAY_TASK_STEP'
is "$(cat size.5)" "3 2 8 3" "... in each element"
is "$(sacctmgr -n -P show cluster format=cluster) $(sacctmgr -nP list qos format=name) $(sacctmgr -nP show user format=user,adminlevel)" "hbatch normal $me|None" "sacctmgr"
fails=$(sbatch --parsable -o /dev/null --wrap=false)
never=$(sbatch --parsable -o /dev/null -d afterok:"$fails" --wrap=true)
short=$(sbatch --parsable -o /dev/null -t 0:1 --wrap='sleep 30')
ended "$never"
is "$(state "$never")" CANCELLED "what can never start"
ended "$short"
is "$(state "$short") $(sacct -XPno exitcode -j "$short")" "TIMEOUT 0:0" "a time limit"
is "$(sacct -XPno state -s TIMEOUT,CA -S now-1hour | sort | uniq -c | xargs)" "6 CANCELLED 1 TIMEOUT" "sacct -s"

limited=$(sbatch --parsable -J limited -o 'l.%A_%a' --array=1-9:2%2 --wrap='squeue -h -r -t R -n limited -o %i | wc -l; echo $SLURM_ARRAY_JOB_ID; sleep 0.1')
after=$(sbatch --parsable -o /dev/null -d afterok:"$limited" --wrap=true)
like "$(squeue -h -n limited -o %i | xargs)" "${limited}_" "an array with a limit"
ended "$after"
is "$(sacct -XPno jobid,state -j "$limited" | xargs)" "${limited}_1|COMPLETED ${limited}_3|COMPLETED ${limited}_5|COMPLETED ${limited}_7|COMPLETED ${limited}_9|COMPLETED" "... is one array, on which others may depend"
is "$(state "${limited}_7") $(state "$after")" "COMPLETED COMPLETED" "... with elements"
is "$(cat l."${limited}"_* | grep -cvxE "[12]|$limited")" 0 "... of which so many ran at once"
limited=$(sbatch --parsable -o /dev/null --array=1-6%2 --wrap='sleep 30')
ok "... and all of which are canceled by its id" scancel "$limited"
wait_until 20 eval '[ -z "$(squeue -h -j "$limited")" ]'
is "$(sacct -XPno jobid,state,start -j "${limited}_[3-6]" | xargs)" \
    "$(for i in 3 4 5 6; do echo "${limited}_$i|CANCELLED|Unknown"; done | xargs)" "... those that waited, too"

# --- srun and salloc ---------------------------------------------------------------------------------
is "$(srun -n4 -N2 sh -c 'echo $SLURM_PROCID $SLURM_NODEID $SLURM_NNODES' | sort)" "0 0 2
1 0 2
2 1 2
3 1 2" "srun outside of a job"
is "$(srun -n1 sh -c 'echo $SLURM_JOB_USER $SLURM_JOB_UID')" "$me $(id -u)" "... knows whose it is"
capture srun -l -n2 sh -c 'echo $((SLURM_JOB_ID > 0)) $SLURM_CPUS_ON_NODE; exit $SLURM_PROCID'
like "$rc $(sort <<<"$out" | xargs)" "^1 0: 1 2 1: 1 2$" "-l, and the exit code"
ok "-o with tags" srun -n2 -o 'task.%t.%j' echo x
is "$(ls task.[01].* | wc -l)" 2 "a file for each task"
printf '0 echo zero %%t\n1-2 echo more %%t %%o\n' >multi.conf
is "$(srun -n3 --multi-prog multi.conf | sort | xargs)" "more 1 0 more 2 1 zero 0" "--multi-prog"
is "$(echo in | srun cat)" in "standard input"
capture salloc -n2 -J mine sh -c 'echo $SLURM_JOB_NUM_NODES $SLURM_NTASKS $SLURM_JOB_NAME; squeue -h -o %i; srun sh -c "echo s\$SLURM_PROCID" | sort; exit 4'
like "$err" "salloc: Granted job allocation ([0-9]+)" "salloc"
is "$rc $out" "4 1 2 mine
${BASH_REMATCH[1]:-}
s0
s1" "... runs a command here, in which srun starts steps"
capture salloc -Q -n1 echo hi
is "$out$err" hi "salloc --quiet"
capture salloc --no-shell -n1
id=${err##* }
is "$(srun --jobid="$id" hostname | wc -l)" 1 "salloc --no-shell, srun --jobid"
ok "... and its end" scancel "$id"
is "$(scontrol show hostlist n1,n2,n3,m5)" "n[1-3],m5" "scontrol show hostlist"
# --- queues are partitions ---------------------------------------------------------------------------
capture srun -p nonesuch true
is "$rc $err" "0 " "an instance without queues runs scripts of other partitions"
cat >queues.toml <<'END'
[queues.debug]
[queues.debug.policy.limits]
duration = "30m"
[queues.batch]
[policy.jobspec.defaults.system]
queue = "batch"
END
if capture hbatch config load queues.toml; then
    is "$(sinfo -h -o '%P %l %D' | sort | xargs)" "batch* infinite 2 debug 30:00 2" "queues are partitions"
    id=$(sbatch --parsable -p debug -o /dev/null -t 1 --wrap true)
    ended "$id"
    is "$(sacct -XPno partition,state -j "$id")" "debug|COMPLETED" "a job in one"
    like "$(scontrol show partition debug)" "PartitionName=debug.*Default=NO .*MaxTime=00:30:00" "scontrol show partition"
    capture sbatch -p nonesuch --wrap true
    like "$rc $err" "^1 .*nonesuch" "one that is not there"
    capture srun -p nonesuch true
    like "$rc $err" "^1 srun: there is no queue 'nonesuch'" "... told by srun"
    id=$(sbatch --parsable -p debug -t 1 -o step.out --wrap "srun -p debug echo step")
    ended "$id"
    is "$(cat step.out)" step "steps are in the partition of their job"
else
    fail "a configuration with queues" "$err"
fi
done_testing
