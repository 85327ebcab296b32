#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The command flux (hbatch env --compat=flux): the lines of Flux's tutorials and cheat sheets do what they say.
# shellcheck disable=SC2016,SC2034
. "${0%/*}/lib.sh"
inside --test-nodes=2 --test-topology="core:4 pu:1"
eval "$(hbatch env --compat=flux)"
export HBATCH_F58_FORCE_ASCII=1
is "$(command -v flux)" "$builddir/compat/flux/bin/flux" "it is found"
cat >hello.sh <<'END'
#!/bin/sh
#flux: -N1 -n2
#flux: --job-name=hello
flux run -n2 sh -c 'echo hello from $FLUX_TASK_RANK of $FLUX_JOB_SIZE'
flux jobs -ano '{name}'
END

# EXIT CODE, REGEX of what is printed, COMMAND; $job, $held and $batch are ids of jobs
sleeper() { flux submit -n1 sleep inf; }
job=$(sleeper)
hbatch wait-event "$job" start >/dev/null
held=$(flux submit --urgency=hold true)
done=$(flux submit --wait echo done)
n=0
while IFS=@ read -r code regex command; do
    [ -n "$command" ] || continue
    command=${command# }
    capture bash -c "$(declare -f sleeper); job=$job held=$held done=$done; $command"
    n=$((n + 1))
    code=${code// /} regex=${regex# } regex=${regex% }
    if [ "$rc" = "$code" ] && [[ $out$err =~ $regex ]]; then pass "$command"; else
        fail "$command"
        shown "$command (wanted $code: $regex)"
    fi
done <<'END'
0 @ commands: .*0\.88 @ flux version
0 @ 0\.88 @ flux -V
0 @ submit @ flux help
0 @ submit @ flux --help
0 @ -n, --ntasks=N @ flux help run
0 @ --ntasks @ flux run --help
0 @ STATE .*free +2 .*allocated @ flux resource list
0 @ ^ *free  @ flux resource list -n
0 @ vnode @ flux resource list -o '{nodelist}'
0 @ EN|enabled|Job submission @ flux queue status
0 @ . @ flux queue list
0 @ ^n\[1-3\]$ @ flux hostlist n1,n2,n3
0 @ ^f @ flux pgrep sleep
0 @ . @ flux config get
0 @ vnode|[01]: @ flux exec -r all -l hostname || flux exec hostname
0 @ @ flux dmesg | head -n 1
0 @ @ flux update $held duration=1m
0 @ run .*owner .*depth 0,  size 2 @ flux uptime
0 @ ^2$ @ flux getattr size
0 @ ^0$ @ flux getattr instance-level
0 @ ^local:// @ flux getattr local-uri
1 @ no attribute 'nonesuch' @ flux getattr nonesuch
0 @ ^hi$ @ flux run echo hi
0 @ ^0: a.1: a.2: a.3: a$ @ flux run -n4 -l echo a | sort
3 @  @ flux run sh -c 'exit 3'
127 @ not found @ flux run nonesuch
0 @ ^f @ flux submit -n1 true
0 @ ^f[^ ]+.f[^ ]+.f @ flux submit --cc=1-3 true
0 @ 1.2.3 @ flux submit --cc=1-3 --watch --quiet sh -c 'echo $FLUX_JOB_CC' | sort
0 @ one.two @ flux bulksubmit --watch --quiet echo {} ::: one two | sort
0 @ ^hi$ @ flux mini run echo hi
0 @ JOBID +USER +NAME +ST +NTASKS +NNODES +TIME +INFO @ flux jobs
0 @ R  .*sleep|sleep +R  @ flux jobs
0 @ CD @ flux jobs -a
0 @ ^ +f @ flux jobs -n
0 @ echo COMPLETED @ flux jobs -a -f completed -no '{name} {result}'
0 @ sleep RUN @ flux jobs -f running -no '{name} {state}'
0 @ SCHED 0 @ flux jobs -no '{state} {urgency}' $held
0 @ "id": @ flux jobs --json
0 @ 1 running, .* completed @ flux jobs --stats-only | cat; true
0 @ submit.*alloc.*start @ flux job eventlog $job
0 @ "R_lite" @ flux job info $job R
0 @ "sleep" @ flux job info $job jobspec
0 @  @ flux job wait-event $job start
0 @ ^done$ @ flux job attach $done
0 @  @ flux job status $done
0 @ ^f @ flux job last
0 @ [0-9] @ flux job timeleft $job
0 @ ^[0-9]+$ @ flux job id --to=dec $job
0 @ ^\[\[0,1,1,1\]\]$ @ flux job taskmap $job
0 @  @ flux job urgency $held 20; flux job wait $held
0 @ ^-15 F @ k=$(sleeper); flux job wait-event $k start >&2; flux job kill -s TERM $k; flux job wait $k; flux jobs -no '{returncode} {status_abbrev}' $k
0 @ CANCELED @ k=$(sleeper); flux cancel $k; flux job wait $k; flux jobs -no '{result}' $k
0 @ ^f @ flux submit --dependency=afterok:$done true
0 @ ^f @ flux submit -t 1m -N1 -o cpu-affinity=per-task --setattr=user.x=1 --urgency=20 true
0 @ "version" @ flux submit --dry-run true
0 @ hello from 0 of 2.*hello from 1 of 2.*sh @ b=$(flux batch --wait hello.sh); sort flux-$b.out
0 @ ^hello 2 @ b=$(flux batch hello.sh); flux job wait $b; flux jobs -ano '{name} {ntasks}' $b
0 @ ^1$ @ flux alloc -n1 flux getattr instance-level
0 @ ^1 local @ flux alloc -n2 sh -c 'echo $(flux getattr instance-level) $FLUX_URI'
0 @ ^local:// @ b=$(flux alloc --bg -n1); flux uri --local $b; flux proxy $b flux getattr size; flux cancel $b
0 @ ^2$ @ flux start -s 2 flux getattr size
0 @ ^2flux start: -o,-Slog=1 is ignored @ flux start --test-size=2 --test-exit-mode=any -o,-Slog=1 flux getattr size
0 @ sleep @ flux pstree
0 @ local:// @ flux env sh -c 'echo $FLUX_URI'
0 @ export PATH=.*flux @ flux env
0 @ ok @ flux python -c 'import flux; print("ok")'
0 @ ^2$ @ cd /; env -u HBATCH_URI FLUX_URI="$HBATCH_URI" flux getattr size
1 @ no 'kvs' @ flux kvs get x
1 @ no 'module' @ flux module list
1 @ no verb 'sumbit' @ flux sumbit true
1 @ ^flux.run: .*unknown option --nonesuch @ flux run --nonesuch true
0 @ STATE +UP +NNODES +NODELIST.*avail +. +2 vnode @ flux resource status
0 @ ^2 Nodes, 8 Cores, 0 GPUs$ @ flux resource info
0 @ "version":1.*"R_lite" @ flux resource R
0 @ ^ *all +2 +8 @ flux resource list -n -s all -i 0-1
0 @ TIME +STATE +REASON +NODELIST.[^ ]+ [^ ]+ +drained +bad fan +vnode1 @ flux resource drain 1 bad fan; flux resource drain; flux resource undrain 1
0 @ EN ST TDEFAULT +TLIMIT +NNODES +NCORES +NGPUS @ flux queue list
0 @ Job submission is disabled: maintenance.*Scheduling is started @ flux queue disable --quiet -m maintenance; flux queue status; flux queue enable --quiet
0 @ "running":[0-9]+ @ flux job stats
0 @ \[\[0,1,1,1\]\].0.1.0 @ for o in '' --taskids=0 --ntasks=0 --nodeid=0; do flux job taskmap $o $job; done
0 @ ^4294967295$ @ flux job timeleft $job
0 @ ^[^:,]+:[0-9]+$ @ flux job hostpids $job
0 @ urgency: 16 @ k=$(flux submit --urgency=hold true); flux job urgency $k 16; flux job wait-event -q $k clean; k=$(flux submit --begin-time=+1h true); flux job urgency -v $k 20; flux cancel $k
0 @ ^f[^ ]+.f[^ ]+$ @ flux job last 2
0 @ ^f[^ ]+$ @ flux job last [-1:]
0 @ shell.start @ flux job eventlog -p guest.exec.eventlog $done
0 @ done @ flux job info $done guest.output
0 @ ^done$ @ flux job attach --tail=1 $done
0 @ job.submit.*job.alloc.*job.start @ flux job attach -E $done
0 @ ^f @ k=$(flux submit --flags=waitable true); flux job wait
2 @ no more waitable jobs @ flux job wait
2 @ no such job: f2 @ flux job wait f2
1 @ exit code 3 @ flux job wait $(flux submit sh -c 'exit 3')
3 @ @ flux job status $(flux submit sh -c 'exit 3')
9 @ @ k=$(sleeper); flux cancel $k; flux job status -e 9 $k
0 @ use --force to purge [0-9]+ of [0-9]+ inactive jobs @ flux job purge --num-limit=1
0 @ purged [0-9]+ inactive jobs, 3 remaining @ flux job purge -f --num-limit=3; flux submit --wait true
0 @ ^one.two$ @ flux watch -l $(flux submit echo one) $(flux submit echo two) | sed 's/.*: //' | sort
0 @ sleep:R|sleep @ flux pstree -a
0 @ running|sleep @ flux top --once
0 @ ^f @ k=$(flux alloc --bg -n1); flux cancel $k; echo $k
0 @ "jobs":\[ @ flux jobs -A --json
0 @ ^[0-9]+ running, [0-9]+ completed, [0-9]+ failed, [0-9]+ pending @ flux jobs --stats -n
0 @ default +.*long +.*endreason @ flux jobs -o help
0 @ ^JOBID NAME.f @ FLUX_JOBS_FORMAT_DEFAULT='{id.f58} {name}' flux jobs -a
0 @ ^NAME RESULT.* COMPLETED @ mkdir -p xdg/flux; flux jobs -o get-config=default >xdg/flux/flux-jobs.toml; printf '[formats.mine]\nformat = "{name} {result}"\n' >>xdg/flux/flux-jobs.toml; XDG_CONFIG_HOME=$PWD/xdg flux jobs -a -o mine
1 @ no format named 'mine' @ XDG_CONFIG_HOME=$PWD/xdg hbatch jobs -a -o mine
0 @ ^[0-9.]+ restart .*online @ flux resource eventlog
0 @ ^y$ @ flux setattr x y; flux getattr x
1 @ ^flux run: .*cores @ flux run -n 999 true
0 @ formats @ flux jobs -o get-config=default
0 @ JOBID NAME.f[^ ]+ sleep @ flux pgrep -o '{id} {name}' sleep
0 @ ^x.y$ @ flux archive create -C / etc/hostname; flux archive list >/dev/null && flux archive remove; echo x; echo y
0 @ ^local:///.*sock @ flux uri $(k=$(flux alloc --bg -n1); echo $k)
0 @ size @ flux lsattr
1 @ did you mean 'jobs' @ flux jbs
1 @ no field 'nam' .*>>nam<< @ flux jobs -o '{nam}'
1 @ 'xyz' is neither a state @ flux jobs -f xyz
0 @  @ flux cancel $job; flux cancel --all 2>/dev/null; true
END
note "$n lines"

# --- what tasks are told ---------------------------------------------------------------------------
capture flux run -n2 sh -c 'echo $FLUX_TASK_RANK $FLUX_TASK_LOCAL_ID $FLUX_JOB_SIZE $FLUX_JOB_NNODES ${FLUX_URI%sock*} ${FLUX_JOB_ID%${FLUX_JOB_ID#?}}'
like "$(sort <<<"$out")" "^0 0 2 1 local://.* f.1 1 2 1 local://.* f$" "tasks have Flux's variables"
is "$(env -u HBATCH_COMPAT hbatch run sh -c 'echo ${FLUX_JOB_ID-none} ${FLUX_TASK_RANK-none}')" "none none" "... only if they were asked for"
is "$(flux alloc -n1 sh -c 'echo ${FLUX_JOB_ID-none}')" none "the program of an instance is no task"
done_testing
